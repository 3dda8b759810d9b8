"""What is switched on and what is broken on purpose, kept on disk so that it outlives the service."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lindos.twin.faults import Fault, Faults

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wishes:
    """`on`: nodes somebody has switched on, which come back with the power; `faults` in the order they were made."""

    on: frozenset[str] = frozenset()
    faults: Faults = field(default_factory=Faults)


def read_wishes(path: Path) -> Wishes:
    """JSON at `path` -> Wishes; none, if there is no such file."""
    if not path.exists():
        return Wishes()
    held = json.loads(path.read_text())
    faults = tuple(Fault(f["kind"], tuple(f["words"])) for f in held["faults"])
    return Wishes(frozenset(held["on"]), Faults(faults))


def write_wishes(path: Path, wishes: Wishes) -> None:
    """Wishes -> JSON at `path`, replaced in one step."""
    text = json.dumps({"on": sorted(wishes.on), "faults": [f.as_dict() for f in wishes.faults.all]})
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.replace(path)
