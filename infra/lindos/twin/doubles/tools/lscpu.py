"""`lscpu --parse=SOCKET,CPU`: the CPUs of the hardware file; all else is the real tool's to answer."""

from __future__ import annotations

import sys

from . import hardware


def main() -> int:
    """-> exit code; prints a line a thread."""
    machine = hardware.read()
    if sys.argv[1:] != ["--parse=SOCKET,CPU"] or not machine.threads:
        return hardware.real("lscpu")
    hardware.say_double("lscpu")
    each = machine.threads // max(machine.cpus, 1)
    print("# The following is the parsable format, which can be fed to other\n# Socket,CPU")
    for socket in range(machine.cpus):
        if socket + 1 not in machine.faults.get("cpus_lost", []):
            print("\n".join(f"{socket},{socket * each + thread}" for thread in range(each)))
    return 0
