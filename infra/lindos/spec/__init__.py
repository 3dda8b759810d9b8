"""What the operator asked for: a strict reading of one site file."""

from lindos.spec.load import load_spec
from lindos.spec.model import Spec

__all__ = ["Spec", "load_spec"]
