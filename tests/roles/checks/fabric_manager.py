"""The fabric manager runs, and is of the driver's release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.given import DRIVER

if TYPE_CHECKING:
    from testinfra.host import Host


def check_it_runs_and_starts_at_boot(host: Host) -> None:
    assert host.service("nvidia-fabricmanager").is_running
    assert host.service("nvidia-fabricmanager").is_enabled


def check_it_is_of_the_drivers_release(host: Host) -> None:
    assert host.check_output("nv-fabricmanager --version") == f"Fabric Manager version is : {DRIVER}"
    assert host.package("nvidia-fabricmanager-570").version == f"{DRIVER}-0ubuntu1"


def check_it_has_set_up_the_fabric(host: Host) -> None:
    assert host.check_output("nvidia-smi -q -x").count("<state>Completed</state>") == 8


def check_switches_that_need_no_subnet_manager_get_none(host: Host) -> None:
    assert not host.package("nvlsm").is_installed
    assert not host.file("/etc/modules-load.d/60-fabric-manager.conf").contains("^[^#]")
