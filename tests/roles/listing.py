"""The roles there are, found by looking: a folder of roles/ with a contract is a role."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "roles"
ROLES = sorted(path.parent.parent.name for path in FOLDER.glob("*/meta/argument_specs.yml"))

ON_INFINIBAND = ["package_repository", "ib_host"]
"""Those that a node on InfiniBand goes through, which has a cycle of its own: nobody is on both."""

NAMED = os.environ.get("LINDOS_ROLES", "").split(",")
ON_ETHERNET = [role for role in ROLES if role != "ib_host"]
CHOSEN = [role for role in NAMED if role in ON_ETHERNET] or ON_ETHERNET
"""Those that the test cycle goes through: all of a node on Ethernet, or what the environment names."""


def some_left_out() -> bool:
    """Whether the environment leaves roles out."""
    return CHOSEN != ON_ETHERNET
