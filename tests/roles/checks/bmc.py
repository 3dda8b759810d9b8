"""The node was told what its BIOS waits for; what the BMC itself has is asked of it in test_bmc.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_a_reboot_is_asked_for_while_the_bios_waits(host: Host) -> None:
    assert host.file("/run/reboot-required").exists
