"""`nvbandwidth [-l] [-t TEST ...]`: pages as nvbandwidth 0.8 prints them, about copies that nobody made.

The rates are those of a sound machine of eight H100, or `copy_gbps` among the faults of the hardware file, by
test.
"""

from __future__ import annotations

import argparse

from . import hardware, report

SOUND_GBPS = {
    "host_to_device_memcpy_ce": 55.3,
    "device_to_host_memcpy_ce": 55.3,
    "device_to_device_memcpy_read_ce": 390.5,
    "device_to_device_memcpy_write_ce": 390.5,
}
ENDS = {
    "host_to_device_memcpy_ce": "CPU(row) -> GPU(column)",
    "device_to_host_memcpy_ce": "CPU(row) <- GPU(column)",
    "device_to_device_memcpy_read_ce": "GPU(row) -> GPU(column)",
    "device_to_device_memcpy_write_ce": "GPU(row) <- GPU(column)",
}


def main() -> int:
    """-> exit code; prints a matrix a test."""
    hardware.say_double("nvbandwidth")
    parser = argparse.ArgumentParser(prog="nvbandwidth", add_help=False)
    parser.add_argument("-l", "--list", action="store_true")
    parser.add_argument("-t", "--testcase", nargs="+", default=list(SOUND_GBPS))
    arguments = parser.parse_args()
    if arguments.list:
        print("Index, Name:")
        print("\n".join(f"{index}, {name}:" for index, name in enumerate(SOUND_GBPS)))
        return 0
    if unknown := [name for name in arguments.testcase if name not in SOUND_GBPS]:
        print(f"ERROR: Testcase {unknown[0]} not found!")
        return 1
    driver = hardware.installed("kernel-module")
    machine = hardware.read()
    if not driver or not machine.gpus:
        print("[CUDA_ERROR_NO_DEVICE] no CUDA-capable device is detected in expression cuInit(0)")
        return 1
    gpus = report.reports(machine, driver)
    print("nvbandwidth Version: v0.8\nBuilt from Git version: Lindos twin double, nothing was measured\n")
    print(f"Driver Version: {driver}\n")
    print("\n".join(f"Device {gpu['index']}: {gpu['name']} ({gpu['pci.bus_id'].lower()[:-2]})" for gpu in gpus))
    for test in arguments.testcase:
        rate = float(machine.faults.get("copy_gbps", {}).get(test, SOUND_GBPS[test]))
        print(f"\nRunning {test}.\nmemcpy CE {ENDS[test]} bandwidth (GB/s)")
        print(_matrix(len(gpus), rate, pairs=test.startswith("device_to_device")), end="")
        count = len(gpus) * (len(gpus) - 1) if test.startswith("device_to_device") else len(gpus)
        print(f"\nSUM {test} {rate * count:.2f}")
    return 0


def _matrix(gpus: int, rate: float, *, pairs: bool) -> str:
    """A row a device that reads or writes; the host is one."""
    rows = range(gpus if pairs else 1)
    cells = [["N/A" if pairs and row == column else f"{rate:.2f}" for column in range(gpus)] for row in rows]
    lines = [" " * 2 + "".join(f"{column:>10}" for column in range(gpus))]
    lines += [f"{row:>2}" + "".join(f"{cell:>10}" for cell in line) for row, line in enumerate(cells)]
    return "\n".join(lines) + "\n"
