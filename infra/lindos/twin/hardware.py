"""A node and what is broken in it -> the hardware its doubles and its BMC speak of."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lindos.twin.hall import End
from lindos.twin.wiring import BMC_PORT, mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from lindos.twin.hall import Device

OOB_PORTS = frozenset({"mgmt0", BMC_PORT})
NO_RATES: Mapping[End, int] = MappingProxyType({})
DIMM_GIB = 64

OF_GPUS = frozenset({"gpu-says", "nvlink-down", "xid"})
BY_PORT: dict[str, tuple[str, Callable[[str], str | int]]] = {
    "nic-fec": ("nic_fec", str),
    "nic-lanes": ("nic_lanes", int),
}
LISTED: dict[str, tuple[str, Callable[[str], str | int]]] = {
    "psu-failed": ("psus_failed", int),
    "psu-dark": ("psus_dark", int),
    "cpu-lost": ("cpus_lost", int),
    "sel": ("sel", str),
}
COUNTED = {"drive-lost": ("drives_lost", 1), "dimm-lost": ("memory_lost_gib", DIMM_GIB)}
"""Kind of ailment -> where the doubles look for it, and what its last word is there."""

_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"
_IDS = uuid.UUID("6b6b5d0e-3f0f-5a55-9d1b-6c1f3d2f9a11")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU on its baseboard; `index` is that of its slot, so a lost one leaves a gap.

    `report` is what `nvidia-smi` is to say of it in place of the truth, by query field.
    """

    index: int
    model: str
    uuid: str
    serial: str
    pci: str
    report: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC port. `hca` is what roles name that of a rail, and counts as the kernel would elsewhere; `rail` is None
    where it is not on a rail, and `rate_gbps` 0 where the port is the virtual one that it looks like.
    """

    name: str
    hca: str | None
    rail: int | None
    pci: str
    mac: str
    rate_gbps: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """What `/etc/lindos-twin/hardware.json` holds, for the doubles of the vendors' tools.

    `serial` is what the label and the operating system say (Dell's service tag); `board_serial` is what Redfish calls
    SerialNumber, which on a Dell is another one. `faults` is what is broken beyond the `report` of a GPU.
    """

    vendor: str
    product: str
    serial: str
    board_serial: str
    uuid: str
    gpus: tuple[Gpu, ...]
    nics: tuple[Nic, ...]
    psus: int = 0
    memory_gib: int = 0
    nvme: int = 0
    cpus: int = 0
    threads: int = 0
    note: str = "double"
    faults: Mapping[str, object] = field(default_factory=dict)


def hardware(
    device: Device,
    ports: tuple[str, ...],
    lost_gpus: frozenset[int] = frozenset(),
    driver_version: str | None = None,
    *,
    rates: Mapping[End, int] = NO_RATES,
    psus: int = 0,
) -> Hardware:
    """A node, its cabled ports with their rates, its power supplies and its faults -> its Hardware, the same always."""
    label, dell = serial_of(device), device.vendor == "dell"
    return Hardware(
        vendor=device.vendor,
        product=device.product,
        serial=label,
        board_serial="CN" + serial(f"{device.name} board", 14) if dell else label,
        uuid=str(uuid.uuid5(_IDS, device.name)),
        gpus=tuple(
            Gpu(
                index=index,
                model=product,
                uuid=f"GPU-{uuid.uuid5(_IDS, f'{device.name} gpu {index}')}",
                serial=str(1_650_000_000_000 + _number(f"{device.name} gpu {index}") % 10**9),
                pci=f"0000:{0x18 + 0x10 * index:02x}:00.0",
                report={"driver_version": driver_version} if driver_version else {},
            )
            for index, product in enumerate(device.gpus)
            if index not in lost_gpus
        ),
        nics=tuple(_nics(device.name, ports, rates)),
        psus=psus,
        memory_gib=device.memory_gib,
        nvme=device.nvme,
        cpus=device.cpus,
        threads=device.threads,
    )


def ailing(found: Hardware, ailments: Iterable[tuple[str, ...]]) -> Hardware:
    """Hardware, and what ails it -> the same with it, as the doubles take it. An ailment is a kind and its words, those
    of twin/faults.py without the node, or (`psu-dark`, number).
    """
    told = list(ailments)
    address = {gpu.index: gpu.pci.removesuffix(".0") for gpu in found.gpus}
    of_gpus = [a for a in told if a[0] in OF_GPUS and int(a[1]) in address]
    says: dict[int, dict[str, str]] = {}
    down: dict[str, list[int]] = {}
    log = []
    for kind, index, *words in of_gpus:
        if kind == "gpu-says":
            says.setdefault(int(index), {})[words[0]] = words[1]
        elif kind == "nvlink-down":
            down.setdefault(index, []).append(int(words[0]))
        else:
            log.append(f"NVRM: Xid (PCI:{address[int(index)]}): {words[0]}, pid='<unknown>', name=<unknown>")
    gpus = tuple(replace(gpu, report={**gpu.report, **says.get(gpu.index, {})}) for gpu in found.gpus)
    faults = {name: what for name, what in (("nvlinks_inactive", down), ("kernel_log", log)) if what}
    return replace(found, gpus=gpus, faults={**faults, **_of_the_rest(told)})


def _of_the_rest(ailments: list[tuple[str, ...]]) -> dict[str, Any]:
    """Ailments of what is no GPU -> the faults of a hardware file."""
    faults: dict[str, Any] = {}
    for kind, *words in ailments:
        if kind in BY_PORT:
            name, of = BY_PORT[kind]
            faults.setdefault(name, {})[words[0]] = of(words[1])
        elif kind in LISTED:
            name, of = LISTED[kind]
            faults.setdefault(name, []).append(of(words[0]))
        elif kind in COUNTED:
            name, each = COUNTED[kind]
            faults[name] = faults.get(name, 0) + each
    return faults


def write_hardware(path: Path, found: Hardware) -> None:
    """Hardware -> its JSON at `path`, replaced in one step: a double that reads meanwhile sees old or new."""
    text = json.dumps(asdict(found), indent=1)
    if not path.exists() or path.read_text() != text:
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(text)
        fresh.replace(path)


def serial_of(device: Device) -> str:
    """A device -> the serial number on its label; Dell's is the service tag, of seven."""
    return serial(device.name, 7 if device.vendor == "dell" else 15)


def serial(name: str, length: int) -> str:
    """A name -> a serial number of that length: letters and digits, none that people mistake for another."""
    number, letters = _number(f"{name} serial"), ""
    while len(letters) < length:
        number, at = divmod(number, len(_LETTERS))
        letters += _LETTERS[at]
    return letters


def rail_of(port: str) -> int | None:
    """`rail3` -> 3, as is `rail3p1`, its port of plane 1; None for a port of another fabric."""
    number = port.removeprefix("rail").split("p")[0]
    return int(number) if number != port and number.isdigit() else None


def _nics(device: str, ports: tuple[str, ...], rates: Mapping[End, int]) -> list[Nic]:
    fabric = [port for port in ports if port not in OOB_PORTS]
    fabric.sort(key=lambda port: (rail_of(port) is None, rail_of(port) or 0, port))
    names = [*fabric, *(port for port in ports if port == "mgmt0")]
    return [
        Nic(
            name=port,
            hca=f"mlx5_{at if rail_of(port) is None else port}" if port in fabric else None,
            rail=rail_of(port),
            pci=f"0000:{0x1A + 0x10 * at:02x}:00.0" if at < 14 else f"0001:{at - 13:02x}:00.0",
            mac=mac(End(device, port)),
            rate_gbps=rates.get(End(device, port), 0) if port in fabric else 0,
        )
        for at, port in enumerate(names)
    ]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2s(text.encode(), digest_size=16).digest())
