"""What the twin says this machine is made of."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Value = str | int | float


def root() -> Path:
    """The file system to look at: `/`, or LINDOS_DOUBLES_ROOT for a look from outside."""
    return Path(os.environ.get("LINDOS_DOUBLES_ROOT", "/"))


@dataclass(frozen=True)
class Gpu:
    """A GPU; `report` overrides what `nvidia-smi` says of it, by query field."""

    index: int
    model: str
    uuid: str
    serial: str
    pci: str
    report: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Nic:
    """A network port; `hca` is its RDMA device, empty where it has none."""

    name: str
    pci: str
    hca: str = ""
    rail: int | None = None
    mac: str = ""


@dataclass(frozen=True)
class Hardware:
    """The machine."""

    product: str = ""
    gpus: tuple[Gpu, ...] = ()
    nics: tuple[Nic, ...] = ()
    psus: int = 0
    faults: dict[str, Any] = field(default_factory=dict)
    """What is broken beyond what `report` of a GPU says: `driver_version` that the driver claims to be, whatever is
    installed; `nvlinks_inactive`, links by GPU; `kernel_log` and `sel`, lines; `psus_lost` and (without power)
    `psus_dark`, numbers from 1; `dcgm`, what a test of DCGM found, by its name.
    """


def read() -> Hardware:
    """/etc/lindos-twin/hardware.json -> Hardware; a machine without the file has nothing."""
    path = root() / "etc/lindos-twin/hardware.json"
    if not path.exists():
        return Hardware()
    found = json.loads(path.read_text())
    gpus = (
        Gpu(int(g["index"]), g["model"], g["uuid"], g["serial"], g["pci"], g.get("report", {}))
        for g in found.get("gpus", ())
    )
    nics = (
        Nic(n["name"], n.get("pci") or "", n.get("hca") or "", n.get("rail"), n.get("mac") or "")
        for n in found.get("nics", ())
    )
    return Hardware(
        found.get("product", ""),
        tuple(sorted(gpus, key=lambda g: g.index)),
        tuple(nics),
        found.get("psus", 0),
        found.get("faults", {}),
    )


def installed(what: str) -> str:
    """Name of a part (`kernel-module`, `nvml`, `fabric-manager`) -> its release, empty if not installed."""
    path = root() / "usr/lib/lindos-twin" / what
    return path.read_text().strip() if path.exists() else ""


def say_double(command: str) -> None:
    """One line for people, where it disturbs no parser."""
    print(f"{command}: Lindos twin double, nothing was measured", file=sys.stderr)
