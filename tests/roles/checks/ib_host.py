"""The firmware becomes InfiniBand at the next boot, and devices tell the subnet whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_ports_are_infiniband_from_the_next_boot(host: Host) -> None:
    for hca in ("mlx5_rail0", "mlx5_rail1"):
        shown = host.check_output(f"mlxconfig -d {hca} -e query LINK_TYPE_P1")
        (line,) = [line for line in shown.splitlines() if "LINK_TYPE_P1" in line]
        assert line.split() == ["*", "LINK_TYPE_P1", "IB(1)", "ETH(2)", "IB(1)"]
    assert host.file("/run/reboot-required").exists


def check_the_daemon_reads_what_devices_tell(host: Host) -> None:
    told = host.check_output("systemctl show rdma-ndd --property=Environment --value")
    assert told == '"RDMA_NDD_ND_FORMAT=%h %d"'


def check_ip_over_infiniband_stays_off(host: Host) -> None:
    assert "blacklist ib_ipoib" in host.check_output("modprobe --showconfig")
    lines = host.file("/etc/rdma/modules/infiniband.conf").content_string.splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["ib_umad"]


def check_no_subnet_manager_starts_here(host: Host) -> None:
    assert host.check_output("systemctl show opensm --property=LoadState --value") == "masked"


def check_devices_are_named_by_slot(host: Host) -> None:
    rules = host.file("/etc/udev/rules.d/60-rdma-persistent-naming.rules").content_string
    device = 'ACTION=="add", SUBSYSTEM=="infiniband", '
    assert [line.removeprefix(device) for line in rules.splitlines() if line.startswith("ACTION")] == [
        'KERNELS=="0000:1a:00.0", PROGRAM="rdma_rename %k NAME_FIXED mlx5_rail0", GOTO="lindos_named"',
        'KERNELS=="0000:2a:00.0", PROGRAM="rdma_rename %k NAME_FIXED mlx5_rail1", GOTO="lindos_named"',
        'PROGRAM="rdma_rename %k NAME_FALLBACK"',
    ]
    # It stands in the place of the rule that rdma-core brings, and is the only one of its name.
    assert host.file("/lib/udev/rules.d/60-rdma-persistent-naming.rules").exists
    assert host.run("/lib/udev/rdma_rename").rc != 127


def check_the_diagnostics_are_there(host: Host) -> None:
    for command in ("ibstat", "ibv_devinfo", "mlxconfig", "rdma-ndd"):
        assert host.run(f"PATH=$PATH:/usr/sbin command -v {command}").rc == 0, command
