"""The driver and what runs beside it where more is at stake than on an H100 whose driver was loaded at once.

A node with the switches of a B200 goes through the cycle; then its driver is taken away, as on a bare machine, or is of
another release than what was installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import testinfra

from lindos.twin.doubles.tools import hardware, modprobe, report

from . import node as nodes
from .given import DRIVER, HOST, node_variables, write_build
from .listing import NAMED, some_left_out
from .test_roles import Cycle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testinfra.host import Host

ROLES = ["package_repository", "gpu_driver", "fabric_manager"]
SERVICES = ("nvidia-persistenced", "nvidia-fabricmanager")
GPU = "b200_sxm"
HARDWARE: dict[str, Any] = {**nodes.HARDWARE}
HARDWARE["gpus"] = [{**gpu, "model": GPU} for gpu in HARDWARE["gpus"]]
NEXT = "570.172.08"
STATE = "/usr/lib/lindos-twin"

on_a_node = pytest.mark.skipif(
    some_left_out() and not {"gpu_driver", "fabric_manager"} & set(NAMED),
    reason="not run: LINDOS_ROLES leaves gpu_driver and fabric_manager out",
)


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycle]:
    """A bare node with B200s that went through the cycle."""
    folder = tmp_path_factory.mktemp("driver")
    write_build(folder / "build" / "lab", ROLES, node_variables() | {"gpu_model": GPU})
    node = nodes.start(folder, HARDWARE)
    try:
        yield Cycle(node)
    finally:
        nodes.close(node)


@pytest.fixture
def host(cycle: Cycle) -> Host:
    """The converged node as testinfra sees it."""
    return testinfra.get_host(f"podman://{cycle.node.name}")


@on_a_node
def test_a_check_on_a_bare_node_says_what_would_change_and_writes_nothing(cycle: Cycle) -> None:
    assert cycle.checked["trouble"] == []
    assert {e["role"] for e in cycle.checked["events"] if e["status"] == "changed"} == set(ROLES)
    assert cycle.written_by_check == []


@on_a_node
def test_a_second_converge_changes_nothing(cycle: Cycle) -> None:
    assert (cycle.converged["trouble"], cycle.again["trouble"]) == ([], [])
    assert "Load the driver" in {e["task"] for e in cycle.converged["events"] if e["status"] == "changed"}
    assert cycle.again["converged"] == [HOST]
    assert [e["task"] for e in cycle.again["events"]] == []


@on_a_node
def test_switches_of_the_fourth_generation_have_their_subnet_manager(host: Host) -> None:
    assert host.package("nvlsm").version == "2025.10.14-1"
    assert host.package("infiniband-diags").is_installed
    held = set(host.check_output("apt-mark showhold").split())
    assert {"nvlsm", "nvidia-fabricmanager-570"} <= held
    assert "infiniband-diags" not in held
    assert host.file("/sys/module/ib_umad").exists
    # What boot runs reads it; the kernel under a container has no such module to load.
    loads = "SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=debug /usr/lib/systemd/systemd-modules-load"
    assert "ib_umad" in host.run(f"{loads} /etc/modules-load.d/60-fabric-manager.conf").stderr
    assert host.check_output("nvidia-smi -q -x").count("<state>Completed</state>") == 8


@on_a_node
def test_a_subnet_manager_is_of_the_release_that_people_name(cycle: Cycle, host: Host) -> None:
    named = {"fabric_manager_subnet_packages": ["nvlsm=2025.06.5-1"]}
    assert cycle.converge(tags=["fabric_manager"], variables=named)["trouble"] == []
    assert host.package("nvlsm").version == "2025.06.5-1"
    assert "nvlsm" in host.check_output("apt-mark showhold").split()


@pytest.fixture(params=["nouveau has the GPUs", "there is no module for this kernel"])
def bare(request: pytest.FixtureRequest, cycle: Cycle) -> Iterator[None]:
    """The node as it is before its first reboot."""
    there, away = f"{STATE}/modules/nvidia", f"{STATE}/modules/.nvidia"
    lost, found = {
        "nouveau has the GPUs": (f"mkdir {STATE}/loaded/nouveau", f"rmdir {STATE}/loaded/nouveau"),
        "there is no module for this kernel": (f"mv {there} {away}", f"mv {away} {there}"),
    }[request.param]
    off = f"systemctl disable --now {' '.join(SERVICES)}; rm -f /run/reboot-required {STATE}/loaded/nvidia"
    cycle.node.sh(f"{off}; {lost}")
    yield
    cycle.node.sh(found)


@on_a_node
def test_a_driver_that_cannot_be_loaded_waits_for_the_reboot(cycle: Cycle, host: Host, bare: None) -> None:
    wanted = {"tags": ["gpu_driver", "fabric_manager"]}
    checked = cycle.converge(check=True, **wanted)
    assert checked["trouble"] == []
    assert not host.file("/run/reboot-required").exists
    said = cycle.converge(**wanted)
    assert said["trouble"] == []
    assert not host.file("/sys/module/nvidia").exists
    assert host.file("/run/reboot-required").content_string == "*** System restart required ***\n"
    for name in SERVICES:
        assert host.check_output(f"systemctl is-enabled {name}") == "enabled"
        assert host.run(f"systemctl is-active {name}").stdout.strip() == "inactive"
    again = cycle.converge(**wanted)
    assert (again["trouble"], [e["task"] for e in again["events"]]) == ([], [])


@on_a_node
def test_what_waited_runs_once_the_driver_can_be_loaded(cycle: Cycle, host: Host) -> None:
    assert cycle.converge(tags=["gpu_driver", "fabric_manager"])["trouble"] == []
    assert host.check_output("cat /sys/module/nvidia/version") == DRIVER
    assert all(host.service(name).is_running for name in SERVICES)


@on_a_node
def test_nothing_is_restarted_beside_a_driver_of_another_release(cycle: Cycle, host: Host) -> None:
    """The packages move, what is loaded stays: as on every node that has not been rebooted yet. Last, for it is moved."""
    invocations = f"systemctl show --property=InvocationID --value {' '.join(SERVICES)}"
    loaded = f"{STATE}/loaded/nvidia"
    before = cycle.node.sh(
        f"rm -f {loaded} /run/reboot-required; mkdir {loaded}; echo {DRIVER} >{loaded}/version; {invocations}"
    )
    said = cycle.converge(tags=["gpu_driver", "fabric_manager"], variables={"gpu_driver_version": NEXT})
    assert said["trouble"] == []
    assert host.check_output("nv-fabricmanager --version").endswith(NEXT)
    assert cycle.node.sh(invocations) == before
    assert all(host.service(name).is_enabled and host.service(name).is_running for name in SERVICES)
    assert host.file("/run/reboot-required").exists


def test_a_module_is_loaded_where_it_was_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINDOS_DOUBLES_ROOT", str(tmp_path))
    for folder in ("modules/ib_umad", "loaded"):
        (tmp_path / "usr/lib/lindos-twin" / folder).mkdir(parents=True)
    loaded = tmp_path / "usr/lib/lindos-twin/loaded"
    monkeypatch.setattr(hardware, "real", lambda command: f"the real {command}")
    for words, ended in (
        (["ib-umad"], 0),
        (["ib_umad"], 0),
        (["nouveau"], "the real modprobe"),
        (["--showconfig"], "the real modprobe"),
        (["--remove", "ib_umad"], "the real modprobe"),
        ([], "the real modprobe"),
    ):
        monkeypatch.setattr("sys.argv", ["modprobe", *words])
        assert modprobe.main() == ended, words
    assert {path.name: str(path.readlink()) for path in loaded.iterdir()} == {"ib_umad": f"{STATE}/modules/ib_umad"}
    assert capsys.readouterr().out == ""


def test_a_daemon_that_was_told_to_keep_nothing_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINDOS_DOUBLES_ROOT", str(tmp_path))
    own = tmp_path / "run/nvidia-persistenced"
    own.mkdir(parents=True)
    (own / "nvidia-persistenced.pid").write_text("1\n")
    assert report._daemons()["persistence_mode"] == "Enabled"
    (own / "no-persistence-mode").touch()
    assert report._daemons()["persistence_mode"] == "Disabled"
