"""`dmesg`: the kernel log of a machine that has booted, and what its hardware file adds to it.

A container has no log of its own, and must not tell of the machine below.
"""

from __future__ import annotations

from . import hardware


def main() -> int:
    """-> exit code; prints the log, as old as the machine."""
    hardware.say_double("dmesg")
    machine = hardware.read()
    print("[    0.000000] Linux version of a Lindos twin double")
    uptime = float((hardware.root() / "proc/uptime").read_text().split()[0])
    for line in machine.faults.get("kernel_log", ()):
        print(f"[{uptime - 60:12.6f}] {line}")
    return 0
