"""What the machine around the GPUs tells of itself -> plain data. Pure, and tolerant of several vendors' BMCs."""

from __future__ import annotations

import re
from typing import NamedTuple


class Supply(NamedTuple):
    """A power supply by its sensor: whether it is there, and what is wrong with it by the BMC's own words."""

    name: str
    present: bool
    wrong: tuple[str, ...]


SUPPLY_WRONG = ("failure", "fault", "lost", "out-of-range", "out of range", "error", "mismatch")
"""In the words of IPMI 2.0, table 42-3, sensor type 08h, whatever stands around them."""


def supplies(text: str) -> list[Supply]:
    """`ipmitool sdr type "Power Supply"` -> the power supplies; sensors of redundancy or of none are left out.

    PS1 Status       | C8h | ok  | 10.1 | Presence detected
    PS2 Status       | C9h | ok  | 10.2 | Presence detected, Power Supply AC lost
    """
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 5 or not re.fullmatch(r"[0-9A-Fa-f]+h", cells[1]) or "edundan" in cells[0] + cells[4]:
            continue
        states = [state.strip() for state in cells[4].split(",")]
        wrong = tuple(state for state in states if any(word in state.lower() for word in SUPPLY_WRONG))
        found.append(Supply(f"{cells[0]} ({cells[3]})", any("resence" in state for state in states), wrong))
    return found


class Event(NamedTuple):
    """An entry of the system event log."""

    when: str
    sensor: str
    event: str
    asserted: bool


def events(text: str) -> list[Event]:
    """`ipmitool sel elist` (or `sel list`) -> the entries, oldest first; `SEL has no entries` and the like are none.

       1 | 09/28/2026 | 14:23:05 | Memory DIMM_A1 | Uncorrectable ECC | Asserted
       2 | Pre-Init  |0000000030| Power Supply PS1 Status | Power Supply AC lost | Asserted | Reading ...

    Entries of the maker's own make have no direction, and count as asserted.
    """
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) >= 5 and re.fullmatch(r"[0-9a-fA-F]+", cells[0]):
            deasserted = len(cells) > 5 and cells[5].lower().startswith("deassert")
            found.append(Event(f"{cells[1]} {cells[2]}", cells[3], cells[4], not deasserted))
    return found


SEVERE = re.compile(
    r"uncorrectable|fatal|non-recoverable|(upper|lower) critical|critical stop|IERR|machine check|CATERR|thermal trip"
    r"|(power supply|ac|input|redundancy) lost|failure detected|(drive|battery|fan) (fault|fail)"
    r"|config(uration)? error",
    re.IGNORECASE,
)
"""Events that a sound machine does not log: IPMI 2.0, table 42-3, in the words of ipmitool (ipmi_sel.h)."""

WHOLE = "Fully Redundant"


def severe(log: list[Event]) -> list[Event]:
    """Entries -> those that are severe and still stand: the same event of the same sensor was not taken back since, or
    redundancy that was lost or reduced is full again, which a machine says without taking back what it said before.
    """
    standing: dict[tuple[str, str], Event] = {}
    for entry in log:
        key = (entry.sensor, entry.event)
        if not entry.asserted:
            standing.pop(key, None)
        elif entry.event == WHOLE:
            standing = {k: v for k, v in standing.items() if k[0] != entry.sensor or "redundan" not in k[1].lower()}
        elif SEVERE.search(entry.event):
            standing[key] = entry
    return list(standing.values())


def memory_gib(text: str) -> float | None:
    """`free -k` -> GiB of memory that the kernel has."""
    found = re.search(r"^Mem: *(\d+)", text, re.MULTILINE)
    return int(found.group(1)) / 2**20 if found else None


def drives(text: str) -> list[str]:
    """`lspci -Dk -d ::0108` -> addresses of the NVMe drives that the kernel drives; a dead one it lets go of.

    0000:c1:00.0 Non-Volatile memory controller: Samsung Electronics Co Ltd NVMe SSD Controller PM9A1
            Kernel driver in use: nvme
    """
    found, at = [], ""
    for line in text.splitlines():
        if line[:1].strip():
            at = line.split()[0]
        elif line.strip() == "Kernel driver in use: nvme":
            found.append(at)
    return found


def processors(text: str) -> tuple[int, int]:
    """`lscpu --parse=SOCKET,CPU`, which lists what is online -> sockets and threads."""
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    return len({row[0] for row in rows}), len(rows)


def filled(text: str) -> dict[str, int]:
    """`df -P` -> mount point -> per cent that is used, of file systems that have a size."""
    rows = (line.split(None, 5) for line in text.splitlines()[1:])
    return {row[5]: int(row[4].rstrip("%")) for row in rows if len(row) == 6 and row[4].rstrip("%").isdigit()}
