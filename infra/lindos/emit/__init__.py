"""Plan -> files: one module an artefact, one writer."""

from lindos.emit.artefact import Artefact
from lindos.emit.artefacts import EMITTERS, artefacts, work
from lindos.emit.dialects import DIALECTS
from lindos.emit.schedules import losses
from lindos.emit.write import write_build

__all__ = ["DIALECTS", "EMITTERS", "Artefact", "artefacts", "losses", "work", "write_build"]
