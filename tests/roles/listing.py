"""The roles there are, found by looking: a folder of roles/ with a contract is a role."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "roles"
ROLES = sorted(path.parent.parent.name for path in FOLDER.glob("*/meta/argument_specs.yml"))
