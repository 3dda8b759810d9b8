"""Two states of a site -> both as if the growth of the later one had been declared from the first day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lindos.spec.model import Spec


@dataclass(frozen=True, slots=True)
class Room:
    """GPUs that a site keeps room for in the end: of `site` in all, and of each training fabric by its name."""

    site: int
    fabrics: dict[str, int]


def last_declared(spec: Spec) -> Room:
    """Spec -> Room: of each fabric the most of what was declared for it and what it has."""
    fabrics = spec.fabrics
    rooms = {"": fabrics.rdma.grows_to or 0} | {island.name: island.grows_to or 0 for island in fabrics.islands}
    if not fabrics.islands:
        rooms[""] = max(rooms[""], spec.grows_to or 0)
    for name in rooms:
        mine = [fleet for fleet in spec.compute.fleets if (fleet.island or "") == name]
        rooms[name] = max(rooms[name], sum(f.gpus for f in mine), *(f.grows_to or 0 for f in mine), 0)
    return Room(max(spec.grows_to or 0, sum(rooms.values())), rooms)


def declared(spec: Spec, room: Room) -> Spec:
    """Spec -> the same with that room declared from the first day, and never again."""
    fleets = tuple(fleet.model_copy(update={"grows_to": None}) for fleet in spec.compute.fleets)
    islands = tuple(i.model_copy(update={"grows_to": room.fabrics.get(i.name)}) for i in spec.fabrics.islands)
    update: dict[str, object] = {"islands": islands}
    if islands or spec.fabrics.rdma.grows_to:
        update["rdma"] = spec.fabrics.rdma.model_copy(update={"grows_to": room.fabrics[""]})
    return spec.model_copy(
        update={
            "grows_to": room.site,
            "compute": spec.compute.model_copy(update={"fleets": fleets}),
            "fabrics": spec.fabrics.model_copy(update=update),
        }
    )
