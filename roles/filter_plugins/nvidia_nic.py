"""What NVIDIA's network tools print, read into tables, and compared with what a role wants.

Output of several NICs stands in sections, each below a line `# rail0`: the port, or the device as mlxconfig knows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
UNSEEN = "N/A"
"""As mlxconfig shows what it cannot tell; here also what it does not show at all."""


def mlxconfig_drift(
    printed: str, wanted: dict[str, object], by_nic: dict[str, dict[str, object]] | None = None
) -> list[dict[str, Any]]:
    """Sections, wanted firmware settings -> what to set: [{"device": "0000:1a:00.0", "settings": ["LINK_TYPE_P1=2"]}].

    `by_nic` are settings by `Device type`, which go over those of all; None there wants nothing.
    """
    return _unlike(printed, wanted, by_nic or {}, lambda has, value: has["next"] != value)


def mlxconfig_waiting(
    printed: str, wanted: dict[str, object], by_nic: dict[str, dict[str, object]] | None = None
) -> list[dict[str, Any]]:
    """The same for what does not hold now, whether it is set already or not, and so waits for a boot."""
    return _unlike(printed, wanted, by_nic or {}, lambda has, value: has["now"] not in {value, UNSEEN})


def mlnx_qos_drifted(printed: str, wanted: dict[str, Any]) -> list[str]:
    """Sections, a wanted class -> the interfaces that have another.

    wanted: {"trust": "dscp", "pfc": "0,0,0,1,0,0,0,0", "priority_of": {"26": 3}, "tos": 106}. A section holds what
    `mlnx_qos` prints, and a line `tos 106` of what `cma_roce_tos` does.
    """
    drifted = []
    for name, text in _sections(printed):
        now = mlnx_qos_settings(text)
        mapped = {dscp: now["priority_of"][int(dscp)] for dscp in wanted["priority_of"]}
        if now | {"priority_of": mapped} != wanted:
            drifted.append(name)
    return drifted


def mlxconfig_settings(printed: str) -> dict[str, dict[str, str]]:
    """Output of `mlxconfig -d DEVICE -e query` -> by name the value now, and after the next boot.

    `*       LINK_TYPE_P1      IB(1)     IB(1)     ETH(2)` -> {"LINK_TYPE_P1": {"now": "1", "next": "2"}}
    """
    found = {}
    for line in printed.splitlines():
        if match := re.match(r"^\*?\s+([A-Z][A-Z0-9_]+)\s+\S+\s+(\S+)\s+(\S+)\s*$", line):
            found[match[1]] = {"now": _number(match[2]), "next": _number(match[3])}
    return found


def mlnx_qos_settings(printed: str) -> dict[str, Any]:
    """Output of `mlnx_qos -i INTERFACE` -> trust, pfc, the priority of each DSCP, and the ToS of a line `tos`.

    A NIC that tells no mapping has that of its kind: the upper three bits of a DSCP are its priority.
    """
    trust = re.search(r"^Priority trust state:\s*(\S+)", printed, re.MULTILINE)
    pfc = re.search(r"^\s*enabled:?((?:\s+[01]){8})\s*$", printed, re.MULTILINE)
    tos = re.search(r"^tos (\d+)$", printed, re.MULTILINE)
    priority_of = {dscp: dscp // 8 for dscp in range(64)}
    for priority, dscps in re.findall(r"^\s*prio:(\d) dscp:([\d,]+)", printed, re.MULTILINE):
        priority_of |= {int(dscp): int(priority) for dscp in dscps.split(",") if dscp}
    return {
        "trust": trust[1] if trust else "",
        "pfc": ",".join(pfc[1].split()) if pfc else "",
        "priority_of": priority_of,
        "tos": int(tos[1]) if tos else None,
    }


def _unlike(
    printed: str,
    wanted: dict[str, object],
    by_nic: dict[str, dict[str, object]],
    unlike: Callable[[dict[str, str], str], bool],
) -> list[dict[str, Any]]:
    found = []
    for device, text in _sections(printed):
        has = mlxconfig_settings(text)
        kind = re.search(r"^Device type:\s*(\S+)", text, re.MULTILINE)
        ours = wanted | by_nic.get(kind[1] if kind else "", {})
        settings = [
            f"{name}={value}"
            for name, value in sorted(ours.items())
            if value is not None and unlike(has.get(name, {"now": UNSEEN, "next": UNSEEN}), str(value))
        ]
        if settings:
            found.append({"device": device, "settings": settings})
    return found


def _number(shown: str) -> str:
    """`ETH(2)` -> `2`, as it is set; a number stays."""
    value = re.search(r"\(([^)]*)\)$", shown)
    return value[1] if value else shown


def _sections(printed: str) -> list[tuple[str, str]]:
    """Printed sections -> (what stands above it, text) of each."""
    parts = re.split(r"^# (\S+)$", printed, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, object]:
        return {
            "mlxconfig_drift": mlxconfig_drift,
            "mlxconfig_waiting": mlxconfig_waiting,
            "mlnx_qos_drifted": mlnx_qos_drifted,
        }
