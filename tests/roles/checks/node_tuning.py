"""The kernel and systemd have taken what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_the_kernel_has_the_settings(host: Host) -> None:
    wanted = {
        "kernel.numa_balancing": "0",
        "vm.swappiness": "1",
        "net.core.rmem_max": "268435456",
        "net.core.somaxconn": "65535",
        "net.ipv4.tcp_rmem": "4096 131072 134217728",
    }
    seen = {key: host.file("/proc/sys/" + key.replace(".", "/")).content_string.split() for key in wanted}
    assert seen == {key: value.split() for key, value in wanted.items()}


def check_the_governor_is_set(host: Host) -> None:
    governor = host.file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").content_string
    assert governor.split()[0] == "performance"


def check_huge_pages_follow_the_policy(host: Host) -> None:
    assert host.file("/sys/kernel/mm/transparent_hugepage/enabled").content_string.startswith("madvise")


def check_services_may_lock_memory(host: Host) -> None:
    assert host.check_output("systemctl show --property DefaultLimitMEMLOCK --value") == "infinity"


def check_sessions_may_lock_memory(host: Host) -> None:
    lines = host.file("/etc/security/limits.d/60-node-tuning.conf").content_string.splitlines()
    assert [line.split() for line in lines if not line.startswith("#")] == [
        ["*", "-", "memlock", "unlimited"],
        ["root", "-", "memlock", "unlimited"],
    ]


def check_kernel_arguments_are_added_to_what_was_there(host: Host) -> None:
    shown = host.check_output(
        "GRUB_CMDLINE_LINUX=console=ttyS0; . /etc/default/grub.d/60-node-tuning.cfg; echo $GRUB_CMDLINE_LINUX"
    )
    assert shown == "console=ttyS0 iommu=pt pcie_aspm=off"


def check_a_reboot_is_asked_for_and_not_done(host: Host) -> None:
    assert "iommu=pt" not in host.file("/proc/cmdline").content_string
    assert host.file("/run/reboot-required").exists
