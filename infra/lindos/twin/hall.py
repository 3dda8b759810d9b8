"""build/<site>/ -> the Hall an installer would build from it: devices, cables, addresses, power cords."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

SYSTEMS = frozenset({"node", "switch"})
"""Kinds of device that run an operating system here, each in a container."""

LONGEST_PORT = 15
OUTFIT = ("memory_gib", "nvme", "cpus", "threads")

MOST_SYSTEMS = 96
"""Containers one machine is asked to carry; the twin is for a lab, not for the whole site."""


@dataclass(frozen=True, slots=True, order=True)
class End:
    """A port, where an end of a cable belongs. The port's name is the Linux name of the interface."""

    device: str
    port: str

    def __str__(self) -> str:
        return f"{self.device}:{self.port}"


@dataclass(frozen=True, slots=True)
class Cable:
    """One link of the cable map; a splitter that carries two links is two of these."""

    name: str
    a: End
    b: End
    rate_gbps: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the address plan."""

    device: str
    port: str
    purpose: str
    address: str
    prefix_len: int
    gateway: str


@dataclass(frozen=True, slots=True)
class Cord:
    """A power cord: one PSU, counted from 1, in one rack PDU of one feed."""

    device: str
    psu: int
    feed: str
    pdu: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """What is delivered and where it is mounted. `gpus` holds the product of each GPU by its index.

    `busbar` is what it draws `draws_w` from, or feeds, where it is not fed by power supplies of its own. Memory, NVMe
    drives, CPUs and their threads are 0 where nobody wrote them down.
    """

    name: str
    kind: str
    role: str
    vendor: str
    product: str
    fabric: str
    rack: str
    u: int
    psus_needed: int
    psu_rating_w: int | None
    gpus: tuple[str, ...]
    busbar: str = ""
    draws_w: int = 0
    memory_gib: int = 0
    nvme: int = 0
    cpus: int = 0
    threads: int = 0


@dataclass(frozen=True)
class Hall:
    """Everything the installer needs to know, in the order of the files."""

    site: str
    devices: tuple[Device, ...]
    cables: tuple[Cable, ...]
    addresses: tuple[Address, ...]
    cords: tuple[Cord, ...]

    @cached_property
    def by_name(self) -> dict[str, Device]:
        return {d.name: d for d in self.devices}

    @cached_property
    def ports(self) -> dict[str, tuple[str, ...]]:
        """Device -> its cabled ports, in the order of the cable map."""
        found: dict[str, list[str]] = defaultdict(list)
        for cable in self.cables:
            for end in (cable.a, cable.b):
                found[end.device].append(end.port)
        return {device: tuple(ports) for device, ports in found.items()}

    @cached_property
    def rates(self) -> dict[End, int]:
        """Gb/s of each cabled port; 0 where the cable map does not say it."""
        return {end: cable.rate_gbps for cable in self.cables for end in (cable.a, cable.b)}

    @cached_property
    def feeds(self) -> tuple[str, ...]:
        return tuple(sorted({c.feed for c in self.cords}))

    @cached_property
    def pdus(self) -> tuple[str, ...]:
        return tuple(sorted({c.pdu for c in self.cords if c.pdu}))

    def of_kind(self, *kinds: str) -> tuple[Device, ...]:
        return tuple(d for d in self.devices if d.kind in kinds)

    def address(self, device: str, purpose: str) -> Address | None:
        """The device's first address for a purpose, if it has one."""
        return next((a for a in self._addresses.get(device, ()) if a.purpose == purpose), None)

    def reached_at(self, device: str) -> Address | None:
        """Where SSH finds the device: its management address, else that of the gateway it is."""
        return self.address(device, "mgmt") or self.address(device, "gateway")

    @cached_property
    def _addresses(self) -> dict[str, tuple[Address, ...]]:
        found: dict[str, list[Address]] = defaultdict(list)
        for address in self.addresses:
            found[address.device].append(address)
        return {device: tuple(rows) for device, rows in found.items()}

    @cached_property
    def control_host(self) -> str | None:
        """Where the operator sits."""
        return next((d.name for d in self.devices if d.role == "control"), None)


def read_hall(build: Path, site: str) -> Hall:
    """The generated files of a site -> its Hall; a file that is not there or does not fit the others is an error."""
    rows = _rows(build / "devices.csv", site)
    power_rows = _rows(build / "power_cords.csv", site)
    needed = {row["device"]: int(row["psus_needed"]) for row in power_rows if row["psus_needed"]}
    columns = ["device", "psu_rating_w", "busbar", "nameplate_w"]
    loads = {device: rest for device, *rest in _table(build, "loads", site).select(columns).iter_rows()}
    if mute := sorted({row["fabric"] for row in rows if row["kind"] == "switch" and not row.get("nos", "frr")}):
        said = f"fabric {', '.join(mute)} is InfiniBand, and cables of the twin are veth pairs, which carry Ethernet"
        raise DriverError(f"twin of {site}", "read the build files", said, retryable=False)
    unknown: list[Any] = [None, None, 0]
    gpus: dict[str, list[str]] = defaultdict(list)
    for device, product in _table(build, "gpus", site).sort("device", "index").select("device", "product").iter_rows():
        gpus[device].append(product)
    outfits = {unit: rest for unit, *rest in _table(build, "units", site).select("unit", *OUTFIT).iter_rows()}
    devices = tuple(
        Device(
            name=row["device"],
            kind=row["kind"],
            role=row["role"],
            vendor=row["vendor"].lower(),
            product=row["product"],
            fabric=row["fabric"],
            rack=row["rack"],
            u=int(row["u"] or 0),
            psus_needed=needed.get(row["device"]) or _needed(*loads.get(row["device"], unknown)),
            psu_rating_w=loads.get(row["device"], unknown)[0],
            gpus=tuple(gpus.get(row["device"], ())),
            busbar=loads.get(row["device"], unknown)[1] or "",
            draws_w=loads.get(row["device"], unknown)[2],
            **{what: count or 0 for what, count in zip(OUTFIT, _outfit(row, outfits), strict=True)},
        )
        for row in rows
    )
    cables = tuple(
        Cable(
            row["link"],
            End(row["a_device"], row["a_port"]),
            End(row["b_device"], row["b_port"]),
            int(row.get("rate_gbps") or 0),
        )
        for row in _rows(build / "cables.csv", site)
    )
    addresses = tuple(
        Address(row["device"], row["port"], row["purpose"], row["address"], int(row["prefix_len"]), row["gateway"])
        for row in _rows(build / "addresses.csv", site)
    )
    cords = tuple(Cord(row["device"], int(row["psu"]), row["feed"], row["pdu"]) for row in power_rows)
    hall = Hall(site, devices, cables, addresses, cords)
    if found := list(_misfits(hall)):
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise DriverError(f"twin of {site}", "read the build files", shown, retryable=False)
    return hall


def _outfit(row: dict[str, str], outfits: dict[str, list[int | None]]) -> list[int | None]:
    """A device's row -> what it has of OUTFIT, which is that of the nodes of its unit."""
    return outfits.get(row.get("unit", ""), [None] * len(OUTFIT)) if row["kind"] == "node" else [None] * len(OUTFIT)


def _needed(rating_w: int | None, _busbar: str | None, draws_w: int) -> int:
    """Watts of a PSU and what the device draws -> how many carry it; one, where that is not known."""
    return max(1, -(-draws_w // rating_w)) if rating_w else 1


def write_hall(path: Path, hall: Hall) -> None:
    """A Hall -> its JSON at `path`, replaced in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(asdict(hall)))
    fresh.replace(path)


def load_hall(path: Path) -> Hall:
    """The JSON of `write_hall` -> the Hall."""
    held: dict[str, Any] = json.loads(path.read_text())
    return Hall(
        site=held["site"],
        devices=tuple(Device(**{**d, "gpus": tuple(d["gpus"])}) for d in held["devices"]),
        cables=tuple(Cable(c["name"], End(**c["a"]), End(**c["b"]), c["rate_gbps"]) for c in held["cables"]),
        addresses=tuple(Address(**a) for a in held["addresses"]),
        cords=tuple(Cord(**c) for c in held["cords"]),
    )


def _rows(path: Path, site: str) -> list[dict[str, str]]:
    try:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise _not_emitted(path.name, site) from None


def _table(build: Path, name: str, site: str) -> pl.DataFrame:
    """What only the plan's tables say: GPUs by product, the watts of a PSU, what nodes were bought with."""
    import polars as pl  # noqa: PLC0415  a second of start-up that only building a hall needs

    path = build / "plan" / f"{name}.parquet"
    if not path.is_file():
        raise _not_emitted(f"plan/{path.name}", site)
    return pl.read_parquet(path)


def _not_emitted(name: str, site: str) -> DriverError:
    hint = f"lindos emit {site}"
    return DriverError(f"twin of {site}", f"read {name}", "no such file", retryable=False, hint=hint)


def _misfits_of_port(hall: Hall, end: End, times: int) -> Iterable[str]:
    if times > 1:
        yield f"port {end} has {times} cables"
    if end.device not in hall.by_name:
        yield f"a cable ends at {end}, and there is no such device"
    if len(end.port) > LONGEST_PORT:
        yield f"port {end} has a name longer than the {LONGEST_PORT} characters of a Linux interface"


def _misfits(hall: Hall) -> Iterable[str]:
    """What an installer would send back before lifting a tool."""
    for end, times in Counter(end for cable in hall.cables for end in (cable.a, cable.b)).items():
        yield from _misfits_of_port(hall, end, times)
    for name, times in Counter(c.name for c in hall.cables).items():
        if times > 1:
            yield f"{times} links are called {name}"
    for cord in hall.cords:
        if cord.device not in hall.by_name:
            yield f"a power cord belongs to {cord.device}, and there is no such device"
    if hall.control_host is None:
        yield "no device with the role 'control', so the operator has no place to work"
    systems = len(hall.of_kind(*SYSTEMS))
    if systems > MOST_SYSTEMS:
        yield f"{systems} nodes and switches; the twin holds {MOST_SYSTEMS} on one machine"
