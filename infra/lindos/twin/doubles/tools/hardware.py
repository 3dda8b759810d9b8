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
    """A network port; `hca` is its RDMA device, empty where it has none, `rate_gbps` 0 where no NIC is doubled.

    `model` as mlxconfig calls it; `firmware`, the settings it was shipped with where they are not the usual ones.
    """

    name: str
    pci: str
    hca: str = ""
    rail: int | None = None
    mac: str = ""
    rate_gbps: int = 0
    model: str = "ConnectX7"
    firmware: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hardware:
    """The machine; of what is 0 nothing is known, and a double lets the real tool answer."""

    product: str = ""
    gpus: tuple[Gpu, ...] = ()
    nics: tuple[Nic, ...] = ()
    psus: int = 0
    memory_gib: int = 0
    nvme: int = 0
    cpus: int = 0
    threads: int = 0
    faults: dict[str, Any] = field(default_factory=dict)
    """What is broken beyond what `report` of a GPU says: `driver_version` that the driver claims to be, whatever is
    installed; `nvlinks_inactive`, links by GPU; `kernel_log` and `sel`, lines; `psus_lost`, `psus_failed` and
    (without power) `psus_dark`, numbers from 1; `dcgm`, what a test of DCGM found, by its name; `nic_fec`, `nic_lanes`
    and `nic_firmware` by port; `drives_lost` and `memory_lost_gib`, how many and much; `cpus_lost`, sockets from 1;
    `all_reduce_gbps`, `all_reduce_wrong` and `copy_gbps` (by test), what benchmarks print.
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
        Nic(
            n["name"],
            n.get("pci") or "",
            n.get("hca") or "",
            n.get("rail"),
            n.get("mac") or "",
            n.get("rate_gbps") or 0,
            n.get("model", "ConnectX7"),
            n.get("firmware", {}),
        )
        for n in found.get("nics", ())
    )
    return Hardware(
        found.get("product", ""),
        tuple(sorted(gpus, key=lambda g: g.index)),
        tuple(nics),
        faults=found.get("faults", {}),
        **{what: found.get(what) or 0 for what in ("psus", "memory_gib", "nvme", "cpus", "threads")},
    )


def installed(what: str) -> str:
    """Name of a part (`kernel-module`, `nvml`, `fabric-manager`) -> its release, empty if not installed."""
    path = root() / "usr/lib/lindos-twin" / what
    return path.read_text().strip() if path.exists() else ""


def carrier(interface: str) -> bool:
    """Whether a link hangs on an interface."""
    path = root() / "sys/class/net" / interface / "operstate"
    return path.exists() and path.read_text().strip() == "up"


def real(command: str) -> int:
    """Goes over to the distribution's own tool of this name; 127 where there is none."""
    for folder in ("/usr/sbin", "/usr/bin"):
        if os.access(path := f"{folder}/{command}", os.X_OK):
            os.execv(path, [command, *sys.argv[1:]])  # noqa: S606 - as the caller meant it
    print(f"{command}: not found", file=sys.stderr)
    return 127


def say_double(command: str) -> None:
    """One line for people, where it disturbs no parser."""
    print(f"{command}: Lindos twin double, nothing was measured", file=sys.stderr)
