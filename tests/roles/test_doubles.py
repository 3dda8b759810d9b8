"""The doubles: packages that dpkg takes, and tools that speak as the vendor's do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from lindos.twin.doubles import build_repository
from lindos.twin.doubles.packages import DRIVERS, TOOLS, packages
from lindos.twin.doubles.tools import (
    all_reduce_perf,
    cma_roce_tos,
    dcgm_exporter,
    dcgmi,
    ibdev2netdev,
    mlnx_qos,
    mlxconfig,
    nvbandwidth,
    nvidia_ctk,
    nvidia_smi,
)
from lindos.verify.suite import bandwidth

from .node import HARDWARE

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "570.133.20"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with eight GPUs, two rail NICs, and a driver installed."""
    root = tmp_path / "root"
    (root / "etc/lindos-twin").mkdir(parents=True)
    _hardware(root, HARDWARE)
    for part in ("kernel-module", "nvml"):
        _installed(root, part, RELEASE)
    (root / "sys/class/net/rail0").mkdir(parents=True)
    (root / "sys/class/net/rail0/operstate").write_text("up\n")
    _boot(root, "1")
    monkeypatch.setenv("LINDOS_DOUBLES_ROOT", str(root))
    return root


def _hardware(root: Path, hardware: dict[str, Any]) -> None:
    (root / "etc/lindos-twin/hardware.json").write_text(json.dumps(hardware))


def _installed(root: Path, part: str, release: str) -> None:
    path = root / "usr/lib/lindos-twin" / part
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{release}\n")


def _boot(root: Path, started: str) -> None:
    for path, text in (("proc/1/stat", f"1 (init) S {'0 ' * 18}{started} 0"), ("proc/sys/kernel/random/boot_id", "b")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


class Said:
    """Runs a double as a command would be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, tool: Any, *words: str) -> tuple[int, str]:
        self._monkeypatch.setattr("sys.argv", [tool.__name__, *words])
        status = tool.main()
        printed = self._capsys.readouterr()
        assert "Lindos twin double" in printed.err
        return status, printed.out


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(monkeypatch, capsys)


def test_a_repository_is_the_same_each_time_and_whole(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    build_repository(one)
    (two / "sub").mkdir(parents=True)
    (two / "sub").rmdir()
    (two / "left-over.deb").write_text("of another build")
    build_repository(two)
    digests = [{p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()} for folder in (one, two)]
    assert digests[0] == digests[1]
    index = (one / "Packages").read_text()
    for paragraph in index.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if not line.startswith(" "))
        assert digests[0][fields["Filename"].removeprefix("./")] == fields["SHA256"]
        assert "Lindos twin double" in fields["Description"]
    assert hashlib.sha256(index.encode()).hexdigest() in (one / "Release").read_text()


def test_dpkg_reads_every_package(tmp_path: Path) -> None:
    build_repository(tmp_path)
    for deb in tmp_path.glob("*.deb"):
        name, version, _ = deb.name.split("_")
        shown = subprocess.run(
            ["dpkg-deb", "--show", deb], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        assert (shown.split()[0], shown.split()[1].rpartition(":")[2]) == (name, version)
        listed = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
        assert f"./usr/share/lindos-twin/packages/{name}\n" in listed


def test_every_release_has_all_its_packages(tmp_path: Path) -> None:
    build_repository(tmp_path)
    for release in DRIVERS:
        branch = release.partition(".")[0]
        assert {path.name.partition("_")[0] for path in tmp_path.glob(f"*_{release}-0ubuntu1_amd64.deb")} == {
            f"nvidia-headless-{branch}-server-open",
            f"nvidia-compute-utils-{branch}-server",
            f"nvidia-utils-{branch}-server",
            f"nvidia-fabricmanager-{branch}",
        }


def test_every_tool_is_marked_as_doubled() -> None:
    base = next(package for package in packages() if package.name == "lindos-twin-doubles")
    marked = json.loads(base.entries["/usr/share/lindos-twin/doubled.json"].data)["tools"]
    commands = {
        path.rpartition("/")[2]
        for package in packages()
        for path in package.entries
        if path.startswith(("/usr/bin/", "/usr/local/bin/"))
    }
    assert set(TOOLS) <= commands == set(marked)


def test_gpus_are_listed_as_nvidia_smi_lists_them(machine: Path, said: Said) -> None:
    status, shown = said(nvidia_smi, "-L")
    assert status == 0
    assert shown.splitlines()[0] == "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)"
    assert len(shown.splitlines()) == 8


def test_a_query_has_heads_and_units_unless_told_otherwise(machine: Path, said: Said) -> None:
    fields = "--query-gpu=index,name,memory.total,gpu_bus_id,driver_version"
    assert said(nvidia_smi, fields, "--format=csv")[1].splitlines()[:2] == [
        "index, name, memory.total [MiB], pci.bus_id, driver_version",
        f"0, NVIDIA H100 80GB HBM3, 81559 MiB, 00000000:18:00.0, {RELEASE}",
    ]
    bare = said(nvidia_smi, fields, "--format=csv,noheader,nounits", "-i", "7")[1]
    assert bare == f"7, NVIDIA H100 80GB HBM3, 81559, 00000000:88:00.0, {RELEASE}\n"


def test_a_field_that_is_none_is_refused(machine: Path, said: Said) -> None:
    assert said(nvidia_smi, "--query-gpu=cuda_version", "--format=csv") == (
        2,
        'Field "cuda_version" is not a valid field to query.\n\n',
    )


def test_xml_tells_of_each_gpu(machine: Path, said: Said) -> None:
    log = ET.fromstring(said(nvidia_smi, "-q", "-x")[1])
    assert log.findtext("attached_gpus") == "8"
    assert [gpu.get("id") for gpu in log.findall("gpu")][:2] == ["00000000:18:00.0", "00000000:28:00.0"]
    assert log.findtext("gpu/fabric/state") == "In Progress"
    assert log.findtext("gpu/pci/pci_gpu_link_info/link_widths/current_link_width") == "16x"


def test_the_plain_page_keeps_its_columns(machine: Path, said: Said) -> None:
    lines = said(nvidia_smi)[1].splitlines()[1:]
    assert {len(line) for line in lines} == {91}
    assert lines[1].startswith(f"| NVIDIA-SMI {RELEASE}")
    assert "|   0  NVIDIA H100 80GB HBM3          Off |   00000000:18:00.0 Off |" in lines[7]


def test_daemons_show_in_what_the_gpus_say(machine: Path, said: Said) -> None:
    query = ("--query-gpu=persistence_mode", "--format=csv,noheader", "-i", "0")
    assert said(nvidia_smi, *query)[1] == "Disabled\n"
    pid = machine / "run/nvidia-persistenced/nvidia-persistenced.pid"
    pid.parent.mkdir(parents=True)
    pid.write_text("1\n")
    assert said(nvidia_smi, *query)[1] == "Enabled\n"


def test_a_lost_gpu_is_not_listed_and_a_sick_one_says_so(machine: Path, said: Said) -> None:
    gpus = [gpu for gpu in HARDWARE["gpus"] if gpu["index"] != 3]
    gpus[0] = {**gpus[0], "report": {"pcie.link.width.current": 8}}
    _hardware(machine, {**HARDWARE, "gpus": gpus})
    shown = said(nvidia_smi, "--query-gpu=index,pcie.link.width.current", "--format=csv,noheader")[1].splitlines()
    assert shown[:4] == ["0, 8", "1, 16", "2, 16", "4, 16"]


@pytest.mark.parametrize(
    ("parts", "status", "words"),
    [
        ({"nvml": RELEASE}, 9, "couldn't communicate with the NVIDIA driver"),
        ({"nvml": RELEASE, "kernel-module": "570.124.06"}, 18, "Driver/library version mismatch"),
    ],
)
def test_a_driver_that_is_missing_or_another_is_told(
    machine: Path, said: Said, parts: dict[str, str], status: int, words: str
) -> None:
    for path in (machine / "usr/lib/lindos-twin").iterdir():
        path.unlink()
    for part, release in parts.items():
        _installed(machine, part, release)
    ended, shown = said(nvidia_smi)
    assert ended == status
    assert words in shown


def test_a_machine_without_gpus_has_none(machine: Path, said: Said) -> None:
    _hardware(machine, {**HARDWARE, "gpus": []})
    assert said(nvidia_smi) == (6, "No devices were found\n")


def test_a_wrong_driver_is_acted_out(machine: Path, said: Said) -> None:
    _hardware(machine, {**HARDWARE, "faults": {"driver_version": "560.35.03"}})
    shown = said(nvidia_smi, "--query-gpu=driver_version", "--format=csv,noheader")[1]
    assert set(shown.split()) == {"560.35.03"}


def test_rdma_devices_are_told_with_their_state(machine: Path, said: Said) -> None:
    assert said(ibdev2netdev)[1] == "mlx5_rail0 port 1 ==> rail0 (Up)\nmlx5_rail1 port 1 ==> rail1 (Down)\n"


def test_a_port_remembers_its_class(machine: Path, said: Said) -> None:
    assert "trust state: pcp" in said(mlnx_qos, "-i", "rail0")[1]
    said(mlnx_qos, "-i", "rail0", "--trust", "dscp", "--pfc", "0,0,0,1,0,0,0,0")
    assert "enabled     0   0   0   1   0   0   0   0" in said(mlnx_qos, "-i", "rail0")[1]
    assert "trust state: pcp" in said(mlnx_qos, "-i", "rail1")[1]


@pytest.mark.parametrize(("words", "status"), [(("-i", "eth9"), 1), (("-i", "rail0", "--pfc", "3"), 2)])
def test_a_port_refuses_what_cannot_be(
    machine: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int
) -> None:
    monkeypatch.setattr("sys.argv", ["mlnx_qos", *words])
    assert mlnx_qos.main() == status


def test_a_device_remembers_its_service(machine: Path, said: Said) -> None:
    said(cma_roce_tos, "-d", "mlx5_rail0", "-t", "106")
    assert said(cma_roce_tos, "-d", "mlx5_rail0")[1] == "106\n"
    assert said(cma_roce_tos, "-d", "mlx5_rail1")[1] == "0\n"


def test_firmware_takes_a_setting_at_the_next_boot(machine: Path, said: Said) -> None:
    query = ("-d", "mlx5_rail0", "-e", "query", "LINK_TYPE_P1")
    assert said(mlxconfig, *query)[1].split()[-4:] == ["LINK_TYPE_P1", "IB(1)", "IB(1)", "IB(1)"]
    said(mlxconfig, "-d", "0000:1a:00.0", "-y", "set", "LINK_TYPE_P1=ETH")
    assert said(mlxconfig, *query)[1].split()[-4:] == ["LINK_TYPE_P1", "IB(1)", "IB(1)", "ETH(2)"]
    _boot(machine, "2")
    assert said(mlxconfig, *query)[1].split()[-4:] == ["LINK_TYPE_P1", "IB(1)", "ETH(2)", "ETH(2)"]


COUNTERS = """\
# a comment
DCGM_FI_DRIVER_VERSION, label, Driver
DCGM_FI_DEV_GPU_TEMP,   gauge, Temperature (in C).
DCGM_FI_DEV_XID_ERRORS, gauge, Last XID.
DCGM_FI_DEV_FAN_SPEED,  gauge, What no such GPU has.
"""


def test_prometheus_reads_of_each_gpu(machine: Path) -> None:
    log = ["NVRM: Xid (PCI:0000:28:00): 79, pid=1, GPU has fallen off the bus."]
    _hardware(machine, {**HARDWARE, "faults": {"kernel_log": log}})
    lines = dcgm_exporter.page(dcgm_exporter.counters(COUNTERS)).splitlines()
    assert lines[1:3] == [
        "# HELP DCGM_FI_DEV_GPU_TEMP Temperature (in C).",
        "# TYPE DCGM_FI_DEV_GPU_TEMP gauge",
    ]
    assert lines[3].startswith('DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-00000000-0000-0000-0000-000000000000",')
    assert lines[3].endswith(f',DCGM_FI_DRIVER_VERSION="{RELEASE}"}} 28')
    xids = [line.rpartition(" ")[2] for line in lines if line.startswith("DCGM_FI_DEV_XID_ERRORS{")]
    assert xids == ["0", "79", *["0"] * 6]
    assert not any("FAN_SPEED" in line for line in lines)


def test_a_bluefield_is_a_dpu_until_it_is_told(machine: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = {"model": "BlueField3", "firmware": {"LINK_TYPE_P1": "2"}}
    _hardware(machine, {**HARDWARE, "nics": [{**HARDWARE["nics"][0], **shipped}, HARDWARE["nics"][1]]})
    shown = said(mlxconfig, "-d", "mlx5_rail0", "-e", "query")[1]
    assert "Device type:        BlueField3" in shown
    assert "IB(1)           ETH(2)          ETH(2)" in shown
    said(mlxconfig, "-d", "mlx5_rail0", "-y", "set", "INTERNAL_CPU_OFFLOAD_ENGINE=1")
    asked = ("q", "INTERNAL_CPU_OFFLOAD_ENGINE")
    assert said(mlxconfig, "-d", "mlx5_rail0", *asked)[1].split()[-1] == "DISABLED(1)"
    monkeypatch.setattr("sys.argv", ["mlxconfig", "-d", "mlx5_rail1", *asked])
    assert mlxconfig.main() == mlxconfig.FAILED


@pytest.mark.parametrize(
    ("line", "words"), [("GPU_TEMP, gauge, T", "could not find"), ("DCGM_FI_DEV_X, gauge", "3 fields")]
)
def test_a_counter_that_is_none_stops_the_exporter(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dcgm_exporter.counters(line)


def test_dcgmi_needs_its_engine(machine: Path, said: Said) -> None:
    assert "unable to establish a connection" in said(dcgmi, "diag", "-r", "1", "-j")[1]
    engine = machine / "run/nvidia-dcgm/nv-hostengine.pid"
    engine.parent.mkdir(parents=True)
    engine.write_text("1")
    assert said(dcgmi, "diag", "-r", "1", "-j")[0] == 0


def test_an_engine_keeps_what_else_it_was_told(machine: Path, said: Said) -> None:
    file = machine / "etc/docker/daemon.json"
    file.parent.mkdir()
    file.write_text('{"log-driver": "journald", "runtimes": {"crun": {"path": "crun"}}}')
    for _ in range(2):
        assert said(nvidia_ctk, "runtime", "configure", "--runtime=docker", "--nvidia-set-as-default")[0] == 0
        told = json.loads(file.read_text())
        assert (told["log-driver"], told["default-runtime"], set(told["runtimes"])) == (
            "journald",
            "nvidia",
            {"crun", "nvidia"},
        )


def test_there_is_no_list_of_gpus_without_a_driver(machine: Path, said: Said) -> None:
    (machine / "usr/lib/lindos-twin/kernel-module").unlink()
    assert said(nvidia_ctk, "cdi", "generate", "--output=/etc/cdi/nvidia.yaml") == (1, "")
    assert not (machine / "etc/cdi").exists()
    assert said(nvidia_ctk, "runtime", "configure", "--runtime=podman")[0] == 1


def test_benchmarks_print_what_the_suite_reads(machine: Path, said: Said) -> None:
    slow = {"all_reduce_gbps": 312.5, "all_reduce_wrong": 4, "copy_gbps": {"host_to_device_memcpy_ce": 12.5}}
    assert bandwidth.bus_rate(said(all_reduce_perf, "-b", "16G", "-e", "16G", "-g", "8")[1]) == (476.0, True)
    _hardware(machine, {**HARDWARE, "faults": slow})
    assert bandwidth.bus_rate(said(all_reduce_perf, "-b", "1G", "-e", "16G", "-g", "8")[1]) == (312.5, False)
    both = said(nvbandwidth, "-t", "host_to_device_memcpy_ce", "device_to_device_memcpy_read_ce")[1]
    assert {test: set(rates) for test, rates in bandwidth.copies(both).items()} == {
        "host_to_device_memcpy_ce": {12.5},
        "device_to_device_memcpy_read_ce": {390.5},
    }
