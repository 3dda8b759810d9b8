"""`ipmitool sel elist` and `ipmitool sdr type "Power Supply"`: the BMC's log and its power supplies, from within."""

from __future__ import annotations

import argparse
import sys

from . import hardware


def main() -> int:
    """-> exit code; prints what was asked for."""
    hardware.say_double("ipmitool")
    parser = argparse.ArgumentParser(prog="ipmitool", add_help=False)
    parser.add_argument("command", nargs="+")
    words = parser.parse_args().command
    machine = hardware.read()
    if words == ["sel", "elist"]:
        _log(machine.faults.get("sel", []))
    elif words == ["sdr", "type", "Power Supply"]:
        _supplies(machine)
    else:
        print(f"Invalid command: {' '.join(words)}", file=sys.stderr)
        return 1
    return 0


def _log(lines: list[str]) -> None:
    if not lines:
        print("SEL has no entries")
    for number, line in enumerate(lines, start=1):
        print(f"{number:4x} | 01/01/2025 | 00:00:00 | {line}")


WRONG = {"psus_failed": "Failure detected", "psus_dark": "Power Supply AC lost"}


def _supplies(machine: hardware.Hardware) -> None:
    for number in range(1, machine.psus + 1):
        state = "Presence detected"
        for kind, event in WRONG.items():
            if number in machine.faults.get(kind, []):
                state += f", {event}"
        if number in machine.faults.get("psus_lost", []):
            state = ""
        print(f"PS{number} Status       | {0xC7 + number:02X}h | ok  | 10.{number} | {state}")
