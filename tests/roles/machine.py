"""What stands behind a BMC in these tests: a machine that is off, and obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.twin.hall import Device
from lindos.twin.hardware import hardware
from lindos.twin.keys import Keys, make_keys
from lindos.twin.power import Supply
from lindos.twin.redfish_tree import DIALECTS, Dialect, View

if TYPE_CHECKING:
    from pathlib import Path

    from lindos.twin.redfish_tree import Refusal

USER = "lindos"
PRODUCTS = {"dell": "dell_xe9680", "supermicro": "smc_sys_421ge_tnhr2_lcc"}


def dialect_of(vendor: str) -> Dialect:
    return DIALECTS[vendor]


def certificate(folder: Path) -> Path:
    """A folder -> the BMC's key and certificate in it."""
    folder.mkdir(exist_ok=True)
    make_keys(Keys(folder), ())
    return Keys(folder).certificate


class Switch:
    """A power switch without a machine."""

    def __init__(self, vendor: str) -> None:
        device = Device("s-n01", "node", "gpu", vendor, PRODUCTS[vendor], "", "r", 1, 3, 2800, ("h100_sxm",) * 8)
        self._hardware = hardware(device, ("mgmt0", "bmc", "rail0", "rail1"))

    def view(self) -> View:
        return View(
            power_state="On",
            hardware=self._hardware,
            supply=Supply((1, 2, 3, 4), frozenset({1, 2, 3, 4}), 2),
            psu_rating_w=2800,
            bmc_address="10.192.0.11",
            bmc_mac="02:00:00:00:00:01",
            last_reset="",
        )

    def reset(self, reset_type: str) -> Refusal | None:
        del reset_type
        return None
