"""What was seen of the world: one fact about one device, and whether a double answered."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

OBSERVED = "observed.json"
"""Beside a site file: what only reality knows of the site's devices."""
Seen = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Observation:
    """`device` by its plan name; `what` names the evidence (`racked`, `powered`, `bmc`, `os`, `driver`, `cabled`,
    `validated`, `schedulable`, or a check's id); `seen` the value; `doubled` is true where a stand-in of the
    twin answered and not the real thing; `detail` is for people.
    """

    device: str
    what: str
    seen: Seen
    doubled: bool = False
    detail: str = ""


def write_observations(path: Path, observations: Iterable[Observation]) -> None:
    """Observations -> JSON lines at `path`, replaced in one step (a kill leaves the old file or the new)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("".join(json.dumps(asdict(o), sort_keys=True) + "\n" for o in observations))
    fresh.replace(path)


def read_guids(path: Path) -> dict[str, str]:
    """observed.json -> GUIDs by node description (`leaf`, `node mlx5_rail0`); a file that is not there holds none."""
    found: dict[str, str] = json.loads(path.read_text()).get("guids", {}) if path.exists() else {}
    return found


def write_guids(path: Path, guids: Mapping[str, str]) -> None:
    """GUIDs by node description -> observed.json, what else it holds left as it is; replaced in one step."""
    held = json.loads(path.read_text()) if path.exists() else {}
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(held | {"guids": dict(sorted(guids.items()))}, indent=1) + "\n")
    fresh.replace(path)


def read_observations(path: Path) -> tuple[Observation, ...]:
    """JSON lines -> Observations; a file that is not there holds none."""
    if not path.exists():
        return ()
    return tuple(Observation(**json.loads(line)) for line in path.read_text().splitlines())
