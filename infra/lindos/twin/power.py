"""Power cords, lost feeds and what people switched on -> which machines and BMCs run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.twin.hall import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Collection

    from lindos.twin.faults import Faults
    from lindos.twin.hall import Device, Hall


@dataclass(frozen=True, slots=True)
class Supply:
    """A device's PSUs, counted from 1. One without power cords in the plan is fed from elsewhere and always lives."""

    psus: tuple[int, ...]
    live: frozenset[int]
    needed: int

    @property
    def carries(self) -> bool:
        """Whether enough PSUs live for the machine to run."""
        return not self.psus or len(self.live) >= self.needed

    @property
    def stands_by(self) -> bool:
        """Whether anything lives that a management controller could run on."""
        return not self.psus or bool(self.live)


def supplies(hall: Hall, faults: Faults) -> dict[str, Supply]:
    """A Hall and its Faults -> the Supply of each device."""
    psus: dict[str, list[int]] = {}
    for cord in hall.cords:
        psus.setdefault(cord.device, []).append(cord.psu)
    live = faults.live_psus(hall.cords)
    return {
        device.name: Supply(
            psus=tuple(sorted(set(psus.get(device.name, ())))),
            live=frozenset(live.get(device.name, ())),
            needed=min(device.psus_needed, len(set(psus.get(device.name, ()))) or 1),
        )
        for device in hall.devices
    }


def runs(device: Device, supply: Supply, faults: Faults, wanted: Collection[str]) -> bool:
    """Whether a machine is to run: switches always are, nodes once somebody has switched them on."""
    asked = device.kind == "switch" or device.name in wanted
    return device.kind in SYSTEMS and asked and supply.carries and not faults.is_dead(device.name)


def bmc_answers(device: Device, supply: Supply, faults: Faults) -> bool:
    """Whether a node's management controller is to answer."""
    return device.kind == "node" and supply.stands_by and not faults.bmc_is_dead(device.name)
