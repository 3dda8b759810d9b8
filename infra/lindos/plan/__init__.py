"""Spec and catalogue -> Plan: pure, deterministic, a small relational database of the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.plan.design import design
from lindos.plan.store import design_site, design_spec, inputs_digest, load_site, read_built
from lindos.plan.tables import Plan
from lindos.spec import load_spec
from lindos.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Plan", "design", "design_site", "design_spec", "inputs_digest", "load", "load_site", "read_built"]


def load(path: Path, root: Path) -> Plan:
    """Site file and project root -> its plan, designed or read from `build/` where nothing changed since."""
    return load_site(path, Workspace(root, load_spec(path).site))[1]
