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
    ).split()
    everywhere = ["hugepagesz=1G", "hugepages=4", "hugepagesz=2M", "hugepages=512", "pcie_aspm=off"]
    assert shown[0] == "console=ttyS0"
    assert shown[-5:] == everywhere
    # Of this machine's CPUs, whose they may be.
    maker = host.check_output("grep --max-count=1 ^vendor_id /proc/cpuinfo || echo : other").split(": ")[1]
    assert shown[1:-5] == {
        "GenuineIntel": ["intel_iommu=on", "iommu=pt", "intel_idle.max_cstate=1", "processor.max_cstate=1"],
        "AuthenticAMD": ["iommu=pt", "processor.max_cstate=1"],
        "other": ["iommu.passthrough=1"],
    }.get(maker, ["iommu.passthrough=1"])


def check_huge_pages_are_set_aside(host: Host) -> None:
    for size_kib, count in ((2048, "512"), (1048576, "4")):
        shown = host.file(f"/sys/kernel/mm/hugepages/hugepages-{size_kib}kB/nr_hugepages").content_string
        assert shown.strip() == count


def check_bridges_have_acs_off_and_nics_read_in_large(host: Host) -> None:
    def register(slot: str, name: str) -> str:
        return host.run(f"setpci -s {slot} {name}").stdout.strip()

    assert [register(f"{bus}:00.0", "ECAP_ACS+6.w") for bus in ("17", "18", "19")] == ["0000", "0000", ""]
    # Bits 12 to 14 alone are those of the read request, and a GPU's are its driver's.
    assert [register(f"{bus}:00.0", "CAP_EXP+8.w") for bus in ("17", "1a", "1b")] == ["2936", "5936", "2936"]


def check_pcie_is_set_again_at_boot(host: Host) -> None:
    assert host.service("pcie-tuning").is_enabled
    host.check_output("systemd-analyze verify /etc/systemd/system/pcie-tuning.service")
    host.check_output("setpci -s 17:00.0 ECAP_ACS+6.w=001d && systemctl restart pcie-tuning.service")
    assert host.check_output("setpci -s 17:00.0 ECAP_ACS+6.w") == "0000"
    # A second time there is nothing to say.
    assert host.check_output("/usr/local/lib/lindos/pcie-tuning") == ""


def check_a_reboot_is_asked_for_and_not_done(host: Host) -> None:
    assert "pcie_aspm=off" not in host.file("/proc/cmdline").content_string
    assert host.file("/run/reboot-required").exists
