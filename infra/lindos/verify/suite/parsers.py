"""What commands print -> plain data. Pure; cases are captured output."""

from __future__ import annotations

import csv
import json
from typing import Any

GPU_FIELDS = ("index", "name", "driver_version", "persistence_mode")


def gpus(text: str) -> list[dict[str, str]]:
    """`nvidia-smi --query-gpu=<GPU_FIELDS> --format=csv,noheader` -> one record a GPU.

    Raises ValueError for a line of another shape: nvidia-smi tells of trouble on standard output.
    """
    found = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) != len(GPU_FIELDS) or not row[0].isdigit():
            raise ValueError(", ".join(row))
        found.append(dict(zip(GPU_FIELDS, (cell.strip() for cell in row), strict=True)))
    return found


def release(text: str) -> str:
    """`Fabric Manager version is : 570.133.20` -> `570.133.20`."""
    return text.rpartition(":")[2].strip()


def interfaces(text: str) -> dict[str, dict[str, Any]]:
    """`ip -j address show` -> record by interface name."""
    return {record["ifname"]: record for record in json.loads(text or "[]") if "ifname" in record}


def records(text: str) -> list[dict[str, Any]]:
    """`ip -j rule show`, `ip -j route show table all` -> records."""
    return [record for record in json.loads(text or "[]") if record]


def settings(text: str) -> dict[str, str]:
    """`KEY=value` lines, with comments, as in /etc/nccl.conf -> values by key; the last one counts."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith("#"):
            found[key.strip()] = value.strip()
    return found


def memlock(text: str, user: str) -> str:
    """Lines of limits.conf(5) -> the hard limit on locked memory that a user's session gets; "" where none is set."""
    found = ""
    for line in text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) == 4 and fields[0] == user and fields[1] in {"-", "hard"} and fields[2] == "memlock":
            found = fields[3]
    return found


def may_raise_limits(text: str) -> bool:
    """/proc/self/status -> whether this machine may raise limits (CAP_SYS_RESOURCE): a container may not."""
    bounding = settings(text.replace(":", "=")).get("CapBnd", "0")
    return bool(int(bounding, 16) >> 24 & 1)


def failed_units(text: str) -> list[str]:
    """`systemctl list-units --failed --plain --no-legend` -> unit names."""
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def clock_offset_s(text: str) -> float | None:
    """`chronyc -c tracking` -> seconds that the clock is off; None while it follows no source.

    Fields: reference id, name, stratum, reference time, system time offset, ...
    """
    fields = text.strip().split(",")
    if len(fields) < 5 or fields[2] == "0":
        return None
    return float(fields[4])


def neighbours(text: str) -> list[tuple[str, str, str]]:
    """`lldpctl -f json` -> (own port, neighbour's name, neighbour's port), each neighbour once.

    A neighbour that sends no system name goes by its chassis id, so that it is not overlooked.
    """
    found = json.loads(text or "{}").get("lldp", {}).get("interface", [])
    entries = [found] if isinstance(found, dict) else found
    heard = []
    for entry in entries:
        for port, record in entry.items():
            if record.get("via") not in {None, "LLDP"}:
                continue
            peer_port = record.get("port", {}).get("id", {}).get("value", "")
            heard.append((port, _chassis_name(record.get("chassis", {})), peer_port))
    return sorted(set(heard))


def _chassis_name(chassis: dict[str, Any]) -> str:
    """A neighbour without a system name stands there unnamed: {"id": {"type", "value"}}."""
    if isinstance(unnamed := chassis.get("id"), dict) and "value" in unnamed:
        return str(unnamed["value"])
    return next(iter(chassis), "")


HCA_FILE_PARTS = 8


def hca_ports(text: str) -> dict[str, dict[str, str]]:
    """`/sys/class/infiniband/mlx5_0/ports/1/state:4: ACTIVE` and its like, a file a line -> device -> file -> what it
    says, without the number of a state.
    """
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        path, _, said = line.partition(":")
        parts = path.split("/")
        if len(parts) < HCA_FILE_PARTS:
            continue
        number, colon, word = said.partition(": ")
        found.setdefault(parts[4], {})[parts[7]] = word if colon and number.isdigit() else said
    return found
