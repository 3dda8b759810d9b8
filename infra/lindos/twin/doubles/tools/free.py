"""`free -k`: the memory of the hardware file, less what a kernel keeps; all else is the real tool's to answer."""

from __future__ import annotations

import sys

from . import hardware

KERNELS_PERCENT = 2


def main() -> int:
    """-> exit code; prints the page."""
    machine = hardware.read()
    if sys.argv[1:] != ["-k"] or not machine.memory_gib:
        return hardware.real("free")
    hardware.say_double("free")
    gib = machine.memory_gib - machine.faults.get("memory_lost_gib", 0)
    total = gib * 2**20 * (100 - KERNELS_PERCENT) // 100
    print("               total        used        free      shared  buff/cache   available")
    print(f"Mem:    {total:12} {total // 50:11} {total - total // 50:11} {0:11} {0:11} {total - total // 50:11}")
    print(f"Swap:   {0:12} {0:11} {0:11}")
    return 0
