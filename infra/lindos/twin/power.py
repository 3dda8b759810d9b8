"""Power cords, lost feeds and what people switched on -> which machines and BMCs run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.twin.hall import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lindos.twin.faults import Faults
    from lindos.twin.hall import Device, Hall


@dataclass(frozen=True, slots=True)
class Supply:
    """A device's PSUs, counted from 1, or those of all power shelves of the busbar that it draws from.

    One without either in the plan is fed from elsewhere and always lives.
    """

    psus: tuple[int, ...]
    live: frozenset[int]
    needed: int
    busbar: Supply | None = None

    @property
    def carries(self) -> bool:
        """Whether enough PSUs live for the machine to run; on a busbar, for all that draws from it."""
        if self.busbar:
            return self.busbar.carries
        return not self.psus or len(self.live) >= self.needed

    @property
    def stands_by(self) -> bool:
        """Whether anything lives that a management controller could run on."""
        if self.busbar:
            return self.busbar.stands_by
        return not self.psus or bool(self.live)


def supplies(hall: Hall, faults: Faults) -> dict[str, Supply]:
    """A Hall and its Faults -> the Supply of each device."""
    psus: dict[str, list[int]] = {}
    for cord in hall.cords:
        psus.setdefault(cord.device, []).append(cord.psu)
    live = faults.live_psus(hall.cords)
    busbars = _busbars(hall, psus, live)
    return {
        device.name: Supply(
            psus=tuple(sorted(set(psus.get(device.name, ())))),
            live=frozenset(live.get(device.name, ())),
            needed=min(device.psus_needed, len(set(psus.get(device.name, ()))) or 1),
            busbar=None if device.name in psus else busbars.get(device.busbar),
        )
        for device in hall.devices
    }


def _busbars(hall: Hall, psus: Mapping[str, list[int]], live: Mapping[str, set[int]]) -> dict[str, Supply]:
    """A Hall, all PSUs and those with power -> what the power shelves of each busbar are together."""
    out: dict[str, Supply] = {}
    for busbar in dict.fromkeys(d.busbar for d in hall.devices if d.busbar):
        mine = [d for d in hall.devices if d.busbar == busbar]
        all_of_them = [(d.name, psu) for d in mine for psu in sorted(set(psus.get(d.name, ())))]
        rating_w = min((d.psu_rating_w or 0 for d in mine if d.name in psus), default=0)
        numbers = range(1, len(all_of_them) + 1)
        out[busbar] = Supply(
            psus=tuple(numbers),
            live=frozenset(n for n, (name, psu) in zip(numbers, all_of_them, strict=True) if psu in live[name]),
            needed=-(-sum(d.draws_w for d in mine) // rating_w) if rating_w else 1,
        )
    return out


def runs(device: Device, supply: Supply, faults: Faults, wanted: Collection[str]) -> bool:
    """Whether a machine is to run: switches always are, nodes once somebody has switched them on."""
    asked = device.kind == "switch" or device.name in wanted
    return device.kind in SYSTEMS and asked and supply.carries and not faults.is_dead(device.name)


def bmc_answers(device: Device, supply: Supply, faults: Faults) -> bool:
    """Whether a node's management controller is to answer."""
    return device.kind == "node" and supply.stands_by and not faults.bmc_is_dead(device.name)
