"""What can be broken on purpose, by name: words of the operator -> a Fault; Faults -> what follows from them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindos.errors import DriverError
from lindos.twin.doubles.tools import report
from lindos.twin.hall import Cable, Cord, End, Hall
from lindos.twin.wiring import Plug, plugs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


LISTED = 24
"""How many names somebody is told who got one wrong: every kind of fault, and of a hall's devices some."""

AILMENTS = frozenset(
    {"gpu-says", "nvlink-down", "xid", "nic-fec", "nic-lanes", "psu-failed", "sel"}
    | {"drive-lost", "dimm-lost", "cpu-lost"}
)
"""Kinds that the doubles of a node tell of; of a failed power supply its BMC and what it feeds know as well."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One broken thing: `kind` is a name of FAULTS, `words` what it was given, complete and checked."""

    kind: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.kind, *self.words))

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "words": list(self.words)}


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that is broken now, in the order it broke."""

    all: tuple[Fault, ...] = ()

    def of(self, kind: str) -> tuple[Fault, ...]:
        return tuple(fault for fault in self.all if fault.kind == kind)

    def that_fit(self, hall: Hall) -> Faults:
        """Without those of things that the hall does not have."""
        return Faults(tuple(fault for fault in self.all if _fits(hall, fault)))

    def plugged(self, cables: Iterable[Cable]) -> list[Plug]:
        """The cable map -> what is really plugged in where."""
        swaps = [(_end(one), _end(other)) for one, other in (f.words for f in self.of("swap-cables"))]
        return plugs(cables, swaps, [_end(f.words[0]) for f in self.of("cut-cable")])

    def live_psus(self, cords: Iterable[Cord]) -> dict[str, set[int]]:
        """The power cords -> PSUs with power, by device; a device whose every feed or PDU is lost has an empty set."""
        feeds = {fault.words[0] for fault in self.of("feed-loss")}
        pdus = {fault.words[0] for fault in self.of("pdu-loss")}
        failed = {fault.words for fault in self.of("psu-failed")}
        live: dict[str, set[int]] = {}
        for cord in cords:
            of_device = live.setdefault(cord.device, set())
            whole = (cord.device, str(cord.psu)) not in failed
            if whole and cord.feed not in feeds and cord.pdu not in pdus:
                of_device.add(cord.psu)
        return live

    def is_dead(self, device: str) -> bool:
        """Whether the machine is broken as a whole."""
        return Fault("switch-down", (device,)) in self.all

    def bmc_is_dead(self, device: str) -> bool:
        return Fault("bmc-dead", (device,)) in self.all

    def lost_gpus(self, device: str) -> set[int]:
        """Indexes of GPUs that have fallen off the bus."""
        return {int(index) for name, index in (f.words for f in self.of("gpu-lost")) if name == device}

    def ailments(self, device: str) -> list[tuple[str, ...]]:
        """What ails a machine: kind of fault and its words without the machine, of each."""
        return [(f.kind, *f.words[1:]) for f in self.all if f.kind in AILMENTS and f.words[0] == device]

    def driver_version(self, device: str) -> str | None:
        """The driver version that the machine claims to run, whatever was installed; None: what was installed."""
        found = [version for name, version in (f.words for f in self.of("driver-version")) if name == device]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what it is given, what it does, and how its words become whole."""

    usage: str
    effect: str
    read: Callable[[Hall, Sequence[str]], tuple[str, ...]]


def read_fault(hall: Hall, kind: str, words: Sequence[str]) -> Fault:
    """A fault as typed -> the Fault; a kind or a name that does not exist is a DriverError with the nearest one."""
    known = FAULTS.get(kind)
    if known is None:
        raise _unknown("fault", kind, FAULTS)
    try:
        return Fault(kind, known.read(hall, words))
    except ValueError:
        said = f"takes {known.usage or 'nothing'}, not '{' '.join(words)}'"
        raise DriverError("twin", f"inject {kind}", said, retryable=False, hint=known.effect) from None


def _fits(hall: Hall, fault: Fault) -> bool:
    try:
        return read_fault(hall, fault.kind, fault.words) == fault
    except DriverError:
        return False


def _name(known: Iterable[str], name: str, what: str) -> str:
    names = list(known)
    if name not in names:
        raise _unknown(what, name, names)
    return name


def _unknown(what: str, name: str, known: Iterable[str]) -> DriverError:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(names[:LISTED])}{more}"
    return DriverError("twin", f"find {what} '{name}'", f"no such {what}", retryable=False, hint=hint)


def _feed(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    (feed,) = words
    return (_name(hall.feeds, feed, "feed"),)


def _pdu(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    (pdu,) = words
    return (_name(hall.pdus, pdu, "rack PDU"),)


def _node(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    (node,) = words
    return (_name((d.name for d in hall.of_kind("node")), node, "node"),)


def _switch(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    (switch,) = words
    return (_name((d.name for d in hall.of_kind("switch")), switch, "switch"),)


def _gpu(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, index = words if len(words) == 2 else (*words, "")
    gpus = len(hall.by_name[_node(hall, [node])[0]].gpus)
    wanted = int(index) if index else gpus - 1
    return (node, _name((str(at) for at in range(gpus)), str(wanted), "GPU"))


def _version(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, version = words
    return (*_node(hall, [node]), version)


def _says(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, index, field, value = words
    return (*_gpu(hall, [node, index]), _name(report.FIELDS, field, "field of a GPU"), value)


def _link(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, index, link = words
    return (*_gpu(hall, [node, index]), _name((str(n) for n in range(report.NVLINKS)), link, "NVLink"))


def _xid(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, index, code = words
    return (*_gpu(hall, [node, index]), str(int(code)))


def _fec(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, port, code = words
    return (*_node_port(hall, node, port), _name(("RS", "BaseR", "Off"), code, "FEC"))


def _lanes(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, port, lanes = words
    return (*_node_port(hall, node, port), _name(("1", "2", "4", "8"), lanes, "number of PCIe lanes"))


def _node_port(hall: Hall, node: str, port: str) -> tuple[str, str]:
    (known,) = _node(hall, [node])
    return known, _name((p for p in hall.ports[known] if hall.rates[End(known, p)]), port, "NIC port")


def _psu(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, psu = words
    (known,) = _node(hall, [node])
    return known, _name((str(c.psu) for c in hall.cords if c.device == known), psu, "power supply")


def _sel(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, *entry = words
    sensor, event = (part.strip() for part in " ".join(entry).removesuffix("| Asserted").rstrip(" |").split("|"))
    return (*_node(hall, [node]), f"{sensor} | {event} | Asserted")


def _cpu(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    node, socket = words
    (known,) = _node(hall, [node])
    return known, _name((str(n + 1) for n in range(hall.by_name[known].cpus)), socket, "CPU")


def _port(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    (port,) = words
    return (_name((str(end) for cable in hall.cables for end in (cable.a, cable.b)), port, "cabled port"),)


def _two_ports(hall: Hall, words: Sequence[str]) -> tuple[str, ...]:
    one, other = words
    if one == other:
        raise ValueError(one)
    return (*_port(hall, [one]), *_port(hall, [other]))


def _end(text: str) -> End:
    device, _, port = text.rpartition(":")
    return End(device, port)


FAULTS: dict[str, Kind] = {
    "swap-cables": Kind("PORT PORT", "the plugs in two ports (device:port) change places", _two_ports),
    "cut-cable": Kind("PORT", "the cable in a port (device:port) carries nothing", _port),
    "bmc-dead": Kind("NODE", "the management controller of a node does not answer", _node),
    "gpu-lost": Kind("NODE [INDEX]", "a GPU of a node falls off the bus; the last one, if no index is given", _gpu),
    "driver-version": Kind("NODE VERSION", "the GPU driver of a node reports another version", _version),
    "gpu-says": Kind("NODE INDEX FIELD VALUE", "nvidia-smi says something else of a field of a GPU", _says),
    "nvlink-down": Kind("NODE INDEX LINK", "an NVLink of a GPU is not active", _link),
    "xid": Kind("NODE INDEX CODE", "the kernel log has an XID of a GPU, a minute old", _xid),
    "nic-fec": Kind("NODE PORT FEC", "a port of a node corrects errors by RS, BaseR, or not at all (Off)", _fec),
    "nic-lanes": Kind("NODE PORT LANES", "a NIC of a node has so many of its 16 PCIe lanes left", _lanes),
    "psu-failed": Kind("NODE PSU", "a power supply of a node, counted from 1, is broken", _psu),
    "sel": Kind("NODE SENSOR | EVENT", "the BMC of a node has logged an event, in the words of ipmitool", _sel),
    "drive-lost": Kind("NODE", "an NVMe drive of a node is gone", _node),
    "dimm-lost": Kind("NODE", "64 GiB of the memory of a node are mapped out", _node),
    "cpu-lost": Kind("NODE CPU", "a CPU of a node, counted from 1, is off", _cpu),
    "switch-down": Kind("SWITCH", "a leaf or spine loses power", _switch),
    "feed-loss": Kind("FEED", "every PSU with a cord on this feed is dead", _feed),
    "pdu-loss": Kind("PDU", "every PSU with a cord in this rack PDU is dead", _pdu),
}
