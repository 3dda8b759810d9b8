"""Plan -> files: one module an artefact, one writer."""

from lindos.emit.artefact import Artefact
from lindos.emit.artefacts import EMITTERS, artefacts
from lindos.emit.write import write_build

__all__ = ["EMITTERS", "Artefact", "artefacts", "write_build"]
