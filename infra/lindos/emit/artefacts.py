"""Every emitter, in the order in which a person would want the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.emit.expect import expectations
from lindos.emit.inventory import inventory
from lindos.emit.schedules import addresses, cables, devices, power_cords
from lindos.emit.switches import switches
from lindos.emit.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lindos.emit.artefact import Artefact
    from lindos.plan.tables import Plan

EMITTERS: tuple[Callable[[Plan, Mapping[str, str]], Iterator[Artefact]], ...] = (
    tables,
    devices,
    cables,
    addresses,
    power_cords,
    switches,
    inventory,
    expectations,
)
"""Plan and the versions of software that the site wants -> files."""


def artefacts(plan: Plan, software: Mapping[str, str]) -> Iterator[Artefact]:
    """Plan -> every file of the build folder but its manifest."""
    for emitter in EMITTERS:
        yield from emitter(plan, software)
