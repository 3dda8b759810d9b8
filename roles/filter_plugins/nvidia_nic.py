"""What NVIDIA's network tools print, read into tables, and compared with what a role wants."""

from __future__ import annotations

import re


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


def mlxconfig_drift(wanted: dict[str, object], printed: str) -> dict[str, str]:
    """Wanted settings, output of the query -> those that are set otherwise, with the wanted value."""
    now = mlxconfig_next_boot(printed)
    return {name: str(value) for name, value in sorted(wanted.items()) if now.get(name) != str(value)}


def mlnx_qos_settings(printed: str) -> dict[str, str]:
    """Output of `mlnx_qos -i INTERFACE` -> {"trust": "dscp", "pfc": "0,0,0,1,0,0,0,0"}."""
    trust = re.search(r"^Priority trust state:\s*(\S+)", printed, re.MULTILINE)
    pfc = re.search(r"^\s*enabled:?((?:\s+[01]){8})\s*$", printed, re.MULTILINE)
    return {
        "trust": trust[1] if trust else "",
        "pfc": ",".join(pfc[1].split()) if pfc else "",
    }


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, object]:
        return {
            "mlxconfig_next_boot": mlxconfig_next_boot,
            "mlxconfig_drift": mlxconfig_drift,
            "mlnx_qos_settings": mlnx_qos_settings,
        }
