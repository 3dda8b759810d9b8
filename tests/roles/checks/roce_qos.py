"""The NICs trust DSCP, pause one priority, and mark what the connection manager sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_one_priority_pauses(host: Host) -> None:
    for name in ("rail0", "rail1"):
        shown = host.check_output(f"mlnx_qos -i {name}")
        assert "Priority trust state: dscp" in shown
        assert "enabled     0   0   0   1   0   0   0   0" in shown


def check_connections_are_marked(host: Host) -> None:
    # DSCP 26, and ECT(0).
    assert host.check_output("cma_roce_tos -d mlx5_rail1") == "106"


def check_firmware_takes_its_settings_at_the_next_boot(host: Host) -> None:
    shown = host.check_output("mlxconfig -d mlx5_rail0 -e query LINK_TYPE_P1")
    (line,) = [line for line in shown.splitlines() if "LINK_TYPE_P1" in line]
    assert line.split() == ["*", "LINK_TYPE_P1", "IB(1)", "IB(1)", "ETH(2)"]
    assert host.file("/run/reboot-required").exists


def check_ports_are_set_up_at_boot(host: Host) -> None:
    assert host.service("roce-qos").is_enabled
