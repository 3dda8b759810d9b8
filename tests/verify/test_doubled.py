"""The same checks over the doubles of a node: what its hardware file says is wrong, they tell."""

from __future__ import annotations

import io
import json
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from types import SimpleNamespace

import pytest
from fake_host import EXPECTED, FakeHost
from faults import FAULTS
from test_checks import run

from lindos.twin.doubles.packages import DRIVERS, TOOLS
from lindos.verify.suite.outcome import Broken

DOUBLED = [f for f in FAULTS if f.report is not None or f.faults is not None]


class Doubles(FakeHost):
    """Answers as a healthy host, but by a double where there is one for the tool."""

    def run(self, command: str) -> SimpleNamespace:
        tool, *words = shlex.split(re.split(r" timeout -k 5 \d+ ", command)[1])
        if tool not in TOOLS:
            return super().run(command)
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.argv", [tool, *words])
            rc = import_module(f"lindos.twin.doubles.tools.{TOOLS[tool]}").main()
        return SimpleNamespace(rc=rc, stdout=out.getvalue(), stderr=err.getvalue())


@pytest.fixture
def hardware(tmp_path, monkeypatch):
    """Report of the first GPU, faults -> a node with that hardware file."""
    monkeypatch.setenv("LINDOS_DOUBLES_ROOT", str(tmp_path))
    for path, text in {
        "usr/lib/lindos-twin/kernel-module": DRIVERS[1],
        "usr/lib/lindos-twin/nvml": DRIVERS[1],
        "run/nvidia-persistenced/nvidia-persistenced.pid": "1",
        "run/nvidia-dcgm/nv-hostengine.pid": "1",
        "sys/class/net/rail0/operstate": "up",
        "proc/uptime": "1000.00 7000.00",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n")

    def write(report, faults):
        gpus = [
            {
                "index": i,
                "model": "h100_sxm",
                "uuid": f"GPU-{i}",
                "serial": f"{i}",
                "pci": f"0000:{0x18 + 16 * i:02x}:00.0",
            }
            for i in range(8)
        ]
        gpus[0]["report"] = report or {}
        found = {
            "product": EXPECTED["product"],
            "gpus": gpus,
            "nics": [{"name": "rail0", "hca": "mlx5_rail0", "rail": 0, "pci": "0000:1a:00.0", "rate_gbps": 400}],
            "psus": 4,
            "memory_gib": 2048,
            "nvme": 2,
            "cpus": 2,
            "threads": 4,
            "faults": faults or {},
        }
        path = tmp_path / "etc/lindos-twin/hardware.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
        return Doubles()

    return write


@pytest.mark.parametrize("fault", DOUBLED, ids=lambda f: f.name)
def test_a_fault_of_the_hardware_file_is_told(hardware, fault):
    with pytest.raises(Broken) as told:
        run(fault.code, hardware(fault.report, fault.faults))
    assert fault.words in told.value.message
    assert told.value.severity == fault.severity


@pytest.mark.parametrize("code", sorted({f.code for f in DOUBLED}))
def test_whole_hardware_passes(hardware, code):
    node = hardware(None, None)
    # As role roce_qos sets the port.
    node.run("x timeout -k 5 30 mlnx_qos -i rail0 --trust dscp --pfc 0,0,0,1,0,0,0,0")
    assert run(code, node) is None
