"""Cable map and faults -> what is plugged in where, and the veth pairs that are those cables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindos.twin import netns
from lindos.twin.hall import SYSTEMS, Cable, End, Hall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lindos.twin.places import Places

BMC_PORT = "bmc"
CHUNK = 200
"""Cables laid by one process; a progress line comes after each."""


@dataclass(frozen=True, slots=True)
class Plug:
    """A cable as it is plugged in. An end that is None hangs loose on the floor."""

    cable: str
    a: End | None
    b: End | None

    @property
    def mark(self) -> int:
        """A number that stands on both interfaces and tells this pair from any other that could be there."""
        text = f"{self.cable} {self.a} {self.b}"
        return int.from_bytes(hashlib.blake2s(text.encode(), digest_size=4).digest()) >> 1 or 1


def mac(end: End) -> str:
    """A port -> the MAC address of its interface: locally administered, the same every time."""
    tail = hashlib.blake2s(str(end).encode(), digest_size=5).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *tail))


def plugs(cables: Iterable[Cable], swaps: Iterable[tuple[End, End]] = (), cuts: Iterable[End] = ()) -> list[Plug]:
    """Cables, pairs of ports whose plugs changed places, ports whose cable is cut -> Plugs.

    A cut cable is two Plugs, each with one loose end.
    """
    swapped: dict[End, End] = {}
    for one, other in swaps:
        swapped[one], swapped[other] = swapped.get(other, other), swapped.get(one, one)
    # swapped: port -> the port whose plug it holds; turned round: plug -> the port it sits in.
    sits = {plug: port for port, plug in swapped.items()}
    cut = set(cuts)
    found: list[Plug] = []
    for cable in cables:
        a, b = sits.get(cable.a, cable.a), sits.get(cable.b, cable.b)
        if a in cut or b in cut:
            found += [Plug(cable.name, a, None), Plug(cable.name, None, b)]
        else:
            found.append(Plug(cable.name, a, b))
    return found


@dataclass(frozen=True, slots=True)
class Netdev:
    """An interface somewhere in the twin, as found or as wanted."""

    namespace: str
    name: str


def lay(places: Places, hall: Hall, wanted: Iterable[Plug]) -> Iterator[tuple[int, int]]:
    """Plugs -> veth pairs between the namespaces of their devices; yields (done, missing) as it goes.

    What is there already stays, what is there and not wanted goes. A port that gets another cable keeps its
    addresses, routes and bridge, as a NIC does whose cable is changed.
    """
    floor = _Floor(places, hall)
    wanted = list(wanted)
    missing = [plug for plug in wanted if any(floor.mark(at) != plug.mark for at in floor.ends(plug))]
    changed = sorted({end for plug in missing for end in (plug.a, plug.b) if end is not None})
    kept = [(at, _settings(at)) for at in map(floor.find, changed) if at in floor.there]
    belongs = {at for plug in wanted for at in floor.ends(plug)}
    stale = {at for at, mark in floor.there.items() if mark and at not in belongs}
    _unplug(stale | {at for plug in missing for at in floor.ends(plug) if at in floor.there})
    yield 0, len(missing)
    for first in range(0, len(missing), CHUNK):
        part = missing[first : first + CHUNK]
        netns.batch(places.floor, map(floor.new_pair, part), tried="lay cables")
        yield first + len(part), len(missing)
    for at, lines in kept:
        netns.batch(at.namespace, lines, tried=f"restore {at.name}", force=True)
    lines_of: dict[str, list[str]] = {}
    had_settings = {at for at, _ in kept}
    for end in changed:
        at = floor.find(end)
        # On a chassis that is off a NIC stays dark.
        if at.namespace != places.chassis(end.device) and at not in had_settings:
            lines_of.setdefault(at.namespace, []).append(f"link set {at.name} up")
    for namespace, lines in lines_of.items():
        netns.batch(namespace, lines, tried="bring up ports")


def home(places: Places, hall: Hall, end: End) -> tuple[str, str]:
    """A port -> the namespaces it can be in: of its running system, and of the chassis (the same where none runs)."""
    device = hall.by_name[end.device]
    if device.kind == "node" and end.port == BMC_PORT:
        return (places.bmc(device.name),) * 2
    if device.kind in SYSTEMS:
        return places.system(device.name), places.chassis(device.name)
    return (places.system(device.name),) * 2


class _Floor:
    """What is plugged in right now, and where the rest belongs."""

    def __init__(self, places: Places, hall: Hall) -> None:
        self._places = places
        self._hall = hall
        self.there = _inventory(places)
        self._whole = {name for name in netns.named(places.prefix) if netns.is_whole(name)}

    def mark(self, at: Netdev) -> int | None:
        return self.there.get(at)

    def find(self, end: End) -> Netdev:
        """A port -> where its interface is; where it belongs, if it is not there."""
        on, off = home(self._places, self._hall, end)
        at = next((Netdev(n, end.port) for n in (on, off) if Netdev(n, end.port) in self.there), None)
        return at or Netdev(on if on in self._whole else off, end.port)

    def ends(self, plug: Plug) -> tuple[Netdev, Netdev]:
        """A Plug -> its two interfaces; a loose end lies on the floor and stays down, so the other has no carrier."""
        loose = Netdev(self._places.floor, f"l{plug.mark:08x}")
        one, other = (self.find(end) if end else loose for end in (plug.a, plug.b))
        return one, other

    def new_pair(self, plug: Plug) -> str:
        """A Plug -> the command of `ip` that makes it, straight into both namespaces."""
        one, other = self.ends(plug)
        macs = [f"address {mac(end)} " if end else "" for end in (plug.a, plug.b)]
        return (
            f"link add {one.name} netns {one.namespace} {macs[0]}group {plug.mark} "
            f"type veth peer name {other.name} netns {other.namespace} {macs[1]}group {plug.mark}"
        )


def _inventory(places: Places) -> dict[Netdev, int]:
    """Every veth end in the twin's namespaces, with its mark; 0 for one that a system made for itself."""
    found: dict[Netdev, int] = {}
    for namespace in sorted(netns.named(places.prefix)):
        for link in netns.show(namespace, "-details", "link"):
            if link.get("linkinfo", {}).get("info_kind") == "veth":
                mark = str(link.get("group", ""))
                found[Netdev(namespace, link["ifname"])] = int(mark) if mark.isdigit() else 0
    return found


def _unplug(pulled: Iterable[Netdev]) -> None:
    lines: dict[str, list[str]] = {}
    for at in sorted(pulled, key=lambda at: (at.namespace, at.name)):
        lines.setdefault(at.namespace, []).append(f"link delete {at.name}")
    for namespace, commands in lines.items():
        # A veth goes with its peer, so some are gone already when their turn comes.
        netns.batch(namespace, commands, tried="unplug", force=True)


def _settings(at: Netdev) -> list[str]:
    """An interface -> commands of `ip` that give its successor the same MTU, bridge, addresses and own routes."""
    lines: list[str] = []
    for link in netns.show(at.namespace, "link", "show", "dev", at.name):
        lines.append(f"link set {at.name} mtu {link['mtu']}")
        lines += [f"link set {at.name} master {link['master']}"] if "master" in link else []
        lines += [f"link set {at.name} up"] if "UP" in link["flags"] else []
    for row in netns.show(at.namespace, "address", "show", "dev", at.name):
        lines += [
            f"address replace {info['local']}/{info['prefixlen']} dev {at.name}"
            for info in row.get("addr_info", [])
            if info.get("scope") != "link"
        ]
    # Connected routes follow the addresses, and a routing daemon sets its own again.
    lines += [
        _route(at.name, route)
        for route in netns.show(at.namespace, "-4", "route", "show", "table", "all", "dev", at.name)
        if route.get("protocol", "boot") in {"boot", "static", "dhcp"} and route.get("table") != "local"
    ]
    return lines


def _route(port: str, route: dict[str, Any]) -> str:
    words = [f"route replace {route['dst']}"]
    words += [f"via {route['gateway']}"] if "gateway" in route else []
    words += [f"{key} {route[key]}" for key in ("table", "metric", "scope") if key in route]
    words += [f"proto {route['protocol']}"] if "protocol" in route else []
    words += [f"src {route['prefsrc']}"] if "prefsrc" in route else []
    return " ".join([*words, f"dev {port}"])
