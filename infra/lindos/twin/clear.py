"""`down`: a twin, whole or in pieces -> nothing."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from lindos.errors import DriverError
from lindos.twin import containers, netns
from lindos.twin.claim import KILLED_AFTER_S, claimed, stop_service
from lindos.twin.hall import SYSTEMS
from lindos.twin.lock import tidy
from lindos.twin.places import places
from lindos.twin.process import end, started_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from lindos.twin.hall import Hall
    from lindos.twin.places import Places
    from lindos.workspace import Workspace

ROUNDS = 5


def down(workspace: Workspace, *, progress: Callable[[str], None] = lambda _: None) -> None:
    """A workspace -> no containers, namespaces, cables, processes or files of its twin; whatever state that was in."""
    place = places(workspace)
    began = time.monotonic()
    with claimed(place):
        stop_service(place, patience_s=KILLED_AFTER_S)
        gone = clear_away(place, keep=None)
        shutil.rmtree(place.state, ignore_errors=True)
        if place.state.exists():
            said = f"{place.state} cannot be removed"
            raise DriverError(f"twin of {place.site}", "clear away", said, retryable=True)
        # The installer's record says that the nodes are racked; they no longer are.
        (place.evidence / "racked.jsonl").unlink(missing_ok=True)
        tidy(place.owner, place.socket, place.service_lock, place.lock)
    progress(f"the twin of {place.site} is gone after {time.monotonic() - began:.1f} s: {gone}")


def clear_away(place: Places, *, keep: Hall | None) -> str:
    """Everything that bears the site's name and is not part of the hall to keep -> gone; says how much it was."""
    counted: tuple[set[str], set[str]] = (set(), set())
    for _ in range(ROUNDS):
        found, namespaces = _unwanted(place, keep)
        if not found and not namespaces:
            return f"{len(counted[0])} containers, {len(counted[1])} namespaces"
        counted[0].update(found)
        counted[1].update(namespaces)
        containers.remove(tuple(sorted(found)))
        # A start that was cut off half-way can leave a process that no container owns any more.
        for pid in netns.processes(namespaces):
            if started := started_at(pid):
                end(pid, started, patience_s=0.5)
        containers.sweep(found, patience_s=1.0)
        netns.remove(namespaces)
    said = f"still there after {ROUNDS} rounds: {', '.join(sorted({*found, *namespaces})[:5])}"
    raise DriverError(f"twin of {place.site}", "clear away", said, retryable=True)


def _unwanted(place: Places, keep: Hall | None) -> tuple[set[str], set[str]]:
    """Containers by name, of which podman, runc or a watchman knows, and namespaces, that are not to be kept."""
    wanted: set[str] = set()
    systems: set[str] = set()
    if keep is not None:
        systems = {place.system(d.name) for d in keep.of_kind(*SYSTEMS)}
        wanted = {place.floor, *(place.system(d.name) for d in keep.devices)}
        wanted |= {place.chassis(d.name) for d in keep.of_kind(*SYSTEMS)}
        wanted |= {place.bmc(d.name) for d in keep.of_kind("node")}
    found = {
        *containers.of_site(place.prefix),
        *containers.runtime_states(place.prefix).values(),
        *containers.monitors(place.prefix).values(),
    }
    return found - systems, netns.named(place.prefix) - wanted
