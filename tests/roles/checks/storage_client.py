"""systemd waits at the mount points, and mount.nfs is asked for what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host

PATH = "/mnt/data-sets"


def unit(host: Host, suffix: str) -> str:
    """-> the unit of the path as systemd itself names it, quoted for a shell."""
    return f"'{host.check_output(f'systemd-escape --path --suffix={suffix} {PATH}')}'"


def check_units_are_sound(host: Host) -> None:
    host.check_output(f"systemd-analyze verify {unit(host, 'mount')} {unit(host, 'automount')}")


def check_systemd_waits_at_the_mount_point(host: Host) -> None:
    assert host.check_output(f"systemctl is-enabled {unit(host, 'automount')}") == "enabled"
    assert "autofs" in host.check_output(f"findmnt --noheadings --output FSTYPE {PATH}")


def check_the_kernel_is_asked_for_rdma(host: Host) -> None:
    shown = host.check_output(f"systemctl show --property=What,Options {unit(host, 'mount')}")
    assert shown.split() == ["What=10.192.0.2:/data", "Options=proto=rdma,port=20049,nconnect=8,ro"]
    # What boot runs reads it, and finds no such module under a container.
    loaded = host.run("SYSTEMD_LOG_TARGET=console /usr/lib/systemd/systemd-modules-load")
    assert "'rpcrdma'" in loaded.stderr


def check_a_server_that_is_away_is_an_error_of_its_user_alone(host: Host) -> None:
    # This kernel has no NFS, so that comes at once.
    assert host.run(f"timeout 90 ls {PATH}/x").rc != 0
    host.check_output("systemctl reset-failed")
    assert host.check_output(f"systemctl is-active {unit(host, 'automount')}") == "active"


def check_nothing_is_formatted_unasked(host: Host) -> None:
    assert not host.file("/usr/local/lib/lindos/scratch").exists
