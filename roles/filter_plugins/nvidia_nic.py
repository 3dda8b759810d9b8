"""What NVIDIA's network tools print, read into tables, and compared with what a role wants.

Output of several NICs stands in sections, each below a line `# rail0 mlx5_0`: interface and RDMA device.
"""

from __future__ import annotations

import re
from typing import Any


def mlxconfig_drift(
    printed: str, wanted: dict[str, object], by_nic: dict[str, dict[str, object]] | None = None
) -> list[dict[str, Any]]:
    """Sections, wanted firmware settings -> what to set: [{"device": "mlx5_0", "settings": ["LINK_TYPE_P1=2"]}].

    `by_nic` are settings by `Device type`, which go over those of all; None there wants nothing.
    """
    drift = []
    for _, device, text in _sections(printed):
        now = mlxconfig_next_boot(text)
        kind = re.search(r"^Device type:\s*(\S+)", text, re.MULTILINE)
        ours = wanted | (by_nic or {}).get(kind[1] if kind else "", {})
        settings = [
            f"{name}={value}"
            for name, value in sorted(ours.items())
            if value is not None and now.get(name) != str(value)
        ]
        if settings:
            drift.append({"device": device, "settings": settings})
    return drift


def mlnx_qos_drifted(printed: str, wanted: dict[str, str]) -> list[str]:
    """Sections, wanted class -> the interfaces that have another."""
    return [name for name, _, text in _sections(printed) if mlnx_qos_settings(text) != wanted]


def mlxconfig_next_boot(printed: str) -> dict[str, str]:
    """Output of `mlxconfig -d DEVICE -e query` -> value after the next boot, by name.

    `*       LINK_TYPE_P1      IB(1)     IB(1)     ETH(2)` -> {"LINK_TYPE_P1": "2"}
    """
    found = {}
    for line in printed.splitlines():
        if match := re.match(r"^\*?\s+([A-Z][A-Z0-9_]+)\s+\S+\s+\S+\s+(\S+)\s*$", line):
            value = re.search(r"\(([^)]*)\)$", match[2])
            found[match[1]] = value[1] if value else match[2]
    return found


def mlnx_qos_settings(printed: str) -> dict[str, str]:
    """Output of `mlnx_qos -i INTERFACE` -> {"trust": "dscp", "pfc": "0,0,0,1,0,0,0,0"}."""
    trust = re.search(r"^Priority trust state:\s*(\S+)", printed, re.MULTILINE)
    pfc = re.search(r"^\s*enabled:?((?:\s+[01]){8})\s*$", printed, re.MULTILINE)
    return {
        "trust": trust[1] if trust else "",
        "pfc": ",".join(pfc[1].split()) if pfc else "",
    }


def _sections(printed: str) -> list[tuple[str, str, str]]:
    """Printed sections -> (interface, RDMA device, text) of each."""
    parts = re.split(r"^# (\S+) (\S+)$", printed, flags=re.MULTILINE)
    return [(parts[at], parts[at + 1], parts[at + 2]) for at in range(1, len(parts), 3)]


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, object]:
        return {"mlxconfig_drift": mlxconfig_drift, "mlnx_qos_drifted": mlnx_qos_drifted}
