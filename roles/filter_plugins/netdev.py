"""What the kernel has of addresses, routes and rules, compared with what a role wants.

wanted: {"rail0": ["mtu 9000", "address 10.0.0.1/31", "rule from 10.0.0.1 table 100"]}
seen: output of `ip -details -json -batch -` for the lines `address show`, `rule show`, `route show table all`
drift: ["rail0: rule from 10.0.0.1 table 100"]
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any


def netdev_drift(wanted: dict[str, list[str]], seen: str) -> list[str]:
    """Wanted lines by interface, output of the probe -> `interface: line` for each that is missing.

    An interface that is not there or has no carrier is left out: no configuration brings it back, and the
    check of the node names it.
    """
    lines = _lines(seen)
    return [
        f"{name}: {line}"
        for name, wanted_lines in sorted(wanted.items())
        if name in lines
        for line in wanted_lines
        if line not in lines[name] and line not in lines[""]
    ]


def netdev_drifted(wanted: dict[str, list[str]], seen: str) -> list[str]:
    """Wanted lines by interface, output of the probe -> the interfaces that miss something, sorted."""
    return sorted({line.partition(": ")[0] for line in netdev_drift(wanted, seen)})


def netdev_absent(names: list[str], seen: str) -> list[str]:
    """Names of interfaces, output of the probe -> those that are not there, with or without carrier."""
    there = {record.get("ifname") for record in _records(seen)}
    return [name for name in names if name not in there]


def netdev_ports(seen: str) -> list[str]:
    """Output of the probe -> `enp26s0np0 (0000:1a:00.0)` for each interface that sits in a PCI slot, sorted."""
    slots = {r["ifname"]: r["parentdev"] for r in _records(seen) if r.get("parentbus") == "pci" and "ifname" in r}
    return sorted(f"{name} ({slot})" for name, slot in slots.items())


def netdev_holds(prefix: str, address: str) -> bool:
    """Prefix, address -> whether the prefix holds it; a name holds nothing that can be known here."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)
    except ValueError:
        return False


def _lines(seen: str) -> dict[str, set[str]]:
    """Output of the probe -> lines by interface that has carrier; rules belong to none and stand under ''."""
    found: dict[str, set[str]] = {"": set()}
    for record in _records(seen):
        if "ifname" in record and "NO-CARRIER" not in record["flags"]:
            lines = found.setdefault(record["ifname"], set())
            lines.add(f"mtu {record['mtu']}")
            lines.update(f"address {a['local']}/{a['prefixlen']}" for a in record.get("addr_info", ()))
        elif "src" in record and "dev" not in record:
            found[""].add(f"rule from {record['src']} table {record.get('table', '')}")
        elif "gateway" in record and record.get("dev") in found:
            found[record["dev"]].add(
                f"route {_prefix(record['dst'])} via {record['gateway']} table {record.get('table', 'main')}"
            )
    return found


def _records(seen: str) -> list[dict[str, Any]]:
    """A row of JSON arrays, one after the other -> their elements."""
    decoder = json.JSONDecoder()
    records: list[dict[str, Any]] = []
    at = 0
    while (at := len(seen) - len(seen[at:].lstrip())) < len(seen):
        part, at = decoder.raw_decode(seen, at)
        records.extend(part)
    return records


def _prefix(destination: str) -> str:
    if destination == "default":
        return "0.0.0.0/0"
    return destination if "/" in destination else f"{destination}/32"


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, object]:
        return {
            "netdev_absent": netdev_absent,
            "netdev_drift": netdev_drift,
            "netdev_drifted": netdev_drifted,
            "netdev_holds": netdev_holds,
            "netdev_ports": netdev_ports,
        }
