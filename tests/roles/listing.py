"""The roles there are, found by looking: a folder of roles/ with a contract is a role."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "roles"
ROLES = sorted(path.parent.parent.name for path in FOLDER.glob("*/meta/argument_specs.yml"))

CHOSEN = [role for role in os.environ.get("LINDOS_ROLES", "").split(",") if role in ROLES] or ROLES
"""Those that the test cycle goes through: all, or what the environment names."""


def some_left_out() -> bool:
    """Whether the environment leaves roles out."""
    return CHOSEN != ROLES
