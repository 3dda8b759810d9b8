"""Switch operating systems by name. To add one: a module here with the four verbs, and a line in NOSES."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.drivers.nos import frr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lindos.drivers.nos.verbs import Nos

NOSES: Mapping[str, Nos] = {"frr": frr.Frr()}

FILES: Mapping[str, tuple[str, ...]] = {
    "sonic": ("config_db.json",),
    "cumulus": ("nvue.yaml",),
    "frr": tuple(frr.PLACES),
}
"""Files of a switch by its operating system, whether there is a driver for it yet or not."""
