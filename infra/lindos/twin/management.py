"""A node of the running twin as its BMC sees it: what it knows of the machine, and its power button."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from lindos.twin.hall import End
from lindos.twin.hardware import hardware
from lindos.twin.redfish_tree import DIALECTS, Refusal, View
from lindos.twin.wiring import BMC_PORT, mac

if TYPE_CHECKING:
    from lindos.twin.hall import Device, Hall
    from lindos.twin.power import Supply
    from lindos.twin.wishes import Wishes

SWITCH_ON = frozenset({"On", "ForceOn"})
SWITCH_OFF = frozenset({"ForceOff", "GracefulShutdown"})
RESTART = frozenset({"ForceRestart", "GracefulRestart", "PowerCycle"})


class House(Protocol):
    """What a BMC needs of the hall it stands in."""

    hall: Hall
    wishes: Wishes

    def supply(self, name: str) -> Supply: ...

    def power_state(self, name: str) -> str:
        """A value of Redfish's PowerState."""

    def switch(self, name: str, *, on: bool, graceful: bool) -> None:
        """Remembers what somebody wants of a node, and sees to it."""

    def restart(self, name: str, *, graceful: bool) -> None:
        """Off and on again."""


class ManagedNode:
    """The power switch of one BMC."""

    def __init__(self, house: House, device: Device) -> None:
        self._house = house
        self._device = device
        self._last_reset = ""

    def view(self) -> View:
        """How the machine is now."""
        name, house = self._device.name, self._house
        at = house.hall.address(name, BMC_PORT)
        faults = house.wishes.faults
        return View(
            power_state=house.power_state(name),
            hardware=hardware(
                self._device,
                house.hall.ports.get(name, ()),
                frozenset(faults.lost_gpus(name)),
                faults.driver_version(name),
            ),
            supply=house.supply(name),
            psu_rating_w=self._device.psu_rating_w,
            bmc_address=at.address if at else "",
            bmc_mac=mac(End(name, BMC_PORT)),
            last_reset=self._last_reset,
        )

    def reset(self, reset_type: str) -> Refusal | None:
        """A ResetType of the dialect -> done soon; or the dialect's way to say that it makes no sense now."""
        name, dialect = self._device.name, DIALECTS[self._device.vendor]
        is_on = self._house.power_state(name) in {"On", "PoweringOn"}
        graceful = reset_type.startswith("Graceful")
        if reset_type == "PushPowerButton":
            reset_type, graceful = ("GracefulShutdown", True) if is_on else ("On", False)
        if reset_type in SWITCH_ON:
            if is_on:
                return dialect.on_when_on
            if not self._house.supply(name).carries:
                said = "Unable to power on: the power supplies that have input power are too few for this system."
                return Refusal(409, "Base.1.8.ResourceInUse", said)
            self._house.switch(name, on=True, graceful=False)
        elif not is_on:
            return dialect.off_when_off
        elif reset_type in SWITCH_OFF:
            self._house.switch(name, on=False, graceful=graceful)
        elif reset_type in RESTART:
            self._house.restart(name, graceful=graceful)
        self._last_reset = datetime.now(UTC).isoformat(timespec="seconds")
        return None
