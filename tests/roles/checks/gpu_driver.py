"""The driver is of one release, stays there, and keeps the GPUs' state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.given import DRIVER

if TYPE_CHECKING:
    from testinfra.host import Host


def check_every_gpu_has_the_release(host: Host) -> None:
    releases = host.check_output("nvidia-smi --query-gpu=driver_version --format=csv,noheader").splitlines()
    assert releases == [DRIVER] * 8


def check_nothing_newer_is_taken(host: Host) -> None:
    policy = host.check_output("apt-cache policy nvidia-utils-570-server")
    assert "570.172.08" in policy
    assert f"Candidate: {DRIVER}-0ubuntu1" in policy
    assert "nvidia" not in host.check_output("apt-get --simulate --quiet upgrade | grep ^Inst || true")


def check_packages_are_held(host: Host) -> None:
    held = set(host.check_output("apt-mark showhold").split())
    assert held >= {
        "nvidia-headless-570-server-open",
        "nvidia-compute-utils-570-server",
        "nvidia-utils-570-server",
    }


def check_gpus_keep_their_state(host: Host) -> None:
    """Whatever the unit was shipped to do: this one is started by a device, stops unasked, and keeps nothing."""
    assert host.check_output("systemctl is-enabled nvidia-persistenced") == "enabled"
    assert host.service("nvidia-persistenced").is_running
    modes = host.check_output("nvidia-smi --query-gpu=persistence_mode --format=csv,noheader").splitlines()
    assert modes == ["Enabled"] * 8


def check_the_daemon_runs_as_it_was_shipped_to(host: Host) -> None:
    host.check_output("systemd-analyze verify nvidia-persistenced.service")
    shown = host.check_output("systemctl show --property=ExecStart --value nvidia-persistenced.service")
    assert "argv[]=/usr/bin/nvidia-persistenced --user nvidia-persistenced --persistence-mode --verbose ;" in shown
    assert shown.count("argv[]=") == 1
    # Enabled, it is needed while the machine is up as usual; in a rescue shell, or disabled by hand, it would stop.
    assert host.check_output("systemctl show --property=StopWhenUnneeded nvidia-persistenced").endswith("=no")


def check_the_kernel_is_told_not_to_load_another_driver(host: Host) -> None:
    assert "blacklist nouveau" in host.check_output("modprobe --showconfig")


def check_memory_is_shared_by_what_the_kernel_has(host: Host) -> None:
    """dmabuf: nothing is loaded for it; what the role writes is what systemd reads at boot."""
    assert host.run("/lib/systemd/systemd-modules-load /etc/modules-load.d/60-gpu-driver.conf").rc == 0
    assert "nvidia_peermem" not in host.file("/etc/modules-load.d/60-gpu-driver.conf").content_string


def check_what_answers_says_that_it_is_a_double(host: Host) -> None:
    assert host.file("/usr/share/lindos-twin/packages/nvidia-utils-570-server").exists
    assert "nvidia-smi" in host.file("/usr/share/lindos-twin/doubled.json").content_string
    assert "double" in host.run("nvidia-smi -L").stderr
