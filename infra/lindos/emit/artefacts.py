"""Every emitter, in the order in which a person would want the files."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from lindos.emit.cabling import bom, pull_lists, trays
from lindos.emit.cooling import cooling, pipes, plant_loads
from lindos.emit.dhcp import dhcp
from lindos.emit.dialects import batches, switches
from lindos.emit.expect import expectations
from lindos.emit.infiniband import infiniband
from lindos.emit.inventory import inventory
from lindos.emit.nodes import host_views
from lindos.emit.os_install import os_install
from lindos.emit.scheduler import scheduler
from lindos.emit.schedules import addresses, cables, devices, power_cords, schedule
from lindos.emit.tables import tables
from lindos.emit.ztp import zero_touch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lindos.emit.artefact import Artefact
    from lindos.emit.dialects import SwitchFiles
    from lindos.plan.tables import Plan


def hosts(plan: Plan, software: Mapping[str, str]) -> Iterator[Artefact]:
    """What the GPU nodes are told, and what is then expected of them: from one view of each."""
    views = tuple(host_views(plan))
    yield from inventory(plan, views, software)
    yield from expectations(plan, views, software)


NONE: Mapping[str, str] = MappingProxyType({})
EMITTERS: tuple[Callable[[Plan, Mapping[str, str]], Iterator[Artefact]], ...] = (
    tables,
    devices,
    cables,
    addresses,
    power_cords,
    schedule,
    cooling,
    pipes,
    plant_loads,
    bom,
    trays,
    pull_lists,
    hosts,
    dhcp,
    zero_touch,
    scheduler,
)
"""Plan and the versions of software that the site wants -> files; those of the switches are made in batches beside."""


def _rest(plan: Plan, software: Mapping[str, str], guids: Mapping[str, str], keys: Sequence[str]) -> Iterator[Artefact]:
    """Every file that is no switch's."""
    for emitter in EMITTERS:
        yield from emitter(plan, software)
    yield from os_install(plan, keys)
    yield from infiniband(plan, guids)


def artefacts(
    plan: Plan,
    software: Mapping[str, str],
    dialects: Sequence[str] = (),
    guids: Mapping[str, str] = NONE,
    keys: Sequence[str] = (),
) -> Iterator[Artefact]:
    """Plan, the dialects asked for, the GUIDs that were observed, and its operators' public keys -> every file of
    the build folder but its manifest, made one after the other.
    """
    yield from _rest(plan, software, guids, keys)
    yield from switches(plan, dialects)


def work(
    plan: Plan,
    software: Mapping[str, str],
    dialects: Sequence[str] = (),
    guids: Mapping[str, str] = NONE,
    keys: Sequence[str] = (),
) -> tuple[list[SwitchFiles], Iterator[Artefact]]:
    """The same as work to share out: batches that any process can do, and the files that are left for this one."""
    return list(batches(plan, dialects)), _rest(plan, software, guids, keys)
