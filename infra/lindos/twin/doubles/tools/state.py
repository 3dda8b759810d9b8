"""Settings that a double was told and remembers: as a register of a NIC would, or its flash."""

from __future__ import annotations

import json

from . import hardware

Settings = dict[str, dict[str, str]]


def load(name: str) -> Settings:
    """Name of the tool -> what it was told, by device; nothing yet is an empty table."""
    path = hardware.root() / "var/lib/lindos-twin" / f"{name}.json"
    found: Settings = json.loads(path.read_text()) if path.exists() else {}
    return found


def save(name: str, settings: Settings) -> None:
    """Remember what the tool was told, replacing the file in one step."""
    path = hardware.root() / "var/lib/lindos-twin" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")
    fresh.replace(path)


def hca_of(device: str) -> str:
    """RDMA device, PCI address or interface -> RDMA device; empty where there is no such NIC."""
    nic = nic_of(device)
    return nic.hca if nic else ""


def nic_of(device: str) -> hardware.Nic | None:
    """RDMA device, PCI address or interface -> the NIC; None where there is none such."""
    for nic in hardware.read().nics:
        if nic.hca and device in {nic.hca, nic.pci, nic.pci.removeprefix("0000:"), nic.name}:
            return nic
    return None
