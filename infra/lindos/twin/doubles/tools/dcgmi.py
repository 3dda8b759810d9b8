"""`dcgmi diag -r LEVEL -j`: what DCGM finds in the GPUs, as DCGM 3 prints it."""

from __future__ import annotations

import argparse
import json

from . import hardware

LEVEL_1 = (
    "Denylist",
    "NVML Library",
    "CUDA Main Library",
    "Permissions and OS-related Blocks",
    "Persistence Mode",
    "Environmental Variables",
    "Page Retirement/Row Remap",
    "Graphics Processes",
    "Inforom",
)
FAILED = 226
NO_CONNECTION = 235


def main() -> int:
    """-> exit code; prints the report."""
    hardware.say_double("dcgmi")
    parser = argparse.ArgumentParser(prog="dcgmi", add_help=False)
    parser.add_argument("command", choices=("diag",))
    parser.add_argument("-r", "--run", choices=("1", "2", "3", "4"), required=True)
    parser.add_argument("-j", "--json", action="store_true", required=True)
    parser.parse_args()
    if not (hardware.root() / "run/nvidia-dcgm/nv-hostengine.pid").exists():
        print("Error: unable to establish a connection to the specified host: localhost")
        print("Error: Unable to connect to host engine. Host engine connection invalid/disconnected.")
        return NO_CONNECTION
    machine = hardware.read()
    faults = machine.faults.get("dcgm", {})
    gpus = ",".join(str(gpu.index) for gpu in machine.gpus)
    tests = [{"name": name, "results": [_result(gpus, faults.get(name))]} for name in LEVEL_1]
    report = {"test_categories": [{"category": "Deployment", "tests": tests}], "version": "3.3.9"}
    print(json.dumps({"DCGM GPU Diagnostic": report}, indent=1))
    return FAILED if faults else 0


def _result(gpus: str, fault: str | None) -> dict[str, object]:
    if fault:
        return {"gpu_ids": gpus, "status": "FAIL", "warnings": [fault]}
    return {"gpu_ids": gpus, "status": "PASS"}
