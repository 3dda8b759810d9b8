"""Mistakes of cabling -> Findings in the words of who will move the cables; equal mistakes are told once."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.finding import Finding, Severity
from lindos.verify.mistakes import Kind, Mistake, Move

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from lindos.verify.mistakes import End

CODES = {
    "CABLE-001": "Two cables are swapped: each reaches the port of the other.",
    "CABLE-002": "Three or more cables are rotated: each reaches the port of the next.",
    "CABLE-003": "A cable reaches the right device in a wrong port.",
    "CABLE-004": "A cable reaches a wrong device.",
    "CABLE-005": "No cable is heard where the plan has one: it is absent or dead, or its port is down.",
    "CABLE-006": "Only one end of a cable hears the other.",
    "CABLE-007": "A cable is heard where the plan has none.",
    "CABLE-008": "A row of cables is shifted, or swapped cables lack a part.",
    "CABLE-009": "Ends contradict each other: one hears two, or two hear one.",
    "CABLE-011": "A device that was not read is heard on none of its cables: it is dark.",
    "CABLE-010": "A cable could not be judged: no end of it that speaks LLDP was read.",
}
"""Stable codes of this comparison and the sentence that explains each."""

SHOWN_AT_MOST = 4
"""Moves and ends spelled out in one finding; the rest are counted."""

_RAIL = re.compile(r"rail(\d+(?:p\d+)?)$")
_PLUG = "lay, plug or repair the cable; check both optics and that both ports are enabled"


@dataclass(frozen=True, slots=True)
class Told:
    """A Finding and the mistakes it stands for."""

    finding: Finding
    mistakes: tuple[Mistake, ...]


def tell(mistakes: Iterable[Mistake], racks: Mapping[str, str]) -> tuple[Told, ...]:
    """Mistakes -> Findings, one a mistake, or one for all that are the same mistake in one rack."""
    groups: dict[tuple[str, ...], list[Mistake]] = defaultdict(list)
    for number, mistake in enumerate(mistakes):
        groups[_sort(mistake, racks) or ("single", str(number))].append(mistake)
    told = []
    for key, group in groups.items():
        if key[0] == "ports":
            told.append(Told(_same_ports(key, group), tuple(group)))
        elif key[0] == "devices" and len(group) > 1:
            told.append(Told(_same_devices(key, group), tuple(group)))
        else:
            told.extend(Told(_SINGLE[m.kind](m), (m,)) for m in group)
    return tuple(told)


def tell_one_way(links: Iterable[tuple[End, End, bool]]) -> tuple[Finding, ...]:
    """Links that only one end hears, with whether that is the first -> Findings."""
    found = []
    for a, b, a_hears in links:
        hears, deaf = (a, b) if a_hears else (b, a)
        found.append(
            Finding(
                "CABLE-006",
                Severity.WARNING,
                _end(a),
                f"{_end(hears)} hears {_end(deaf)}, which hears nothing: one fibre of the cable may be dead",
                hint=f"look at receive power on {_end(deaf)}, and whether LLDP runs on that port",
            )
        )
    return tuple(found)


def tell_unmeasured(links: Iterable[tuple[End, End, bool]], mute: Collection[End]) -> tuple[Finding, ...]:
    """Links that no end told about -> one Finding for each device that was not read, one for mute ports."""
    silent: dict[str, int] = defaultdict(int)
    at_mute = 0
    for a, b, _ in links:
        if a in mute or b in mute:
            at_mute += 1
        else:
            silent[a[0]] += 1
    found = [
        Finding(
            "CABLE-010",
            Severity.UNKNOWN,
            device,
            f"{_count(cables, 'cable')} not judged: the neighbours of neither end were read",
            hint="make the devices answer and verify again",
        )
        for device, cables in sorted(silent.items())
    ]
    if at_mute:
        found.append(
            Finding(
                "CABLE-010",
                Severity.UNKNOWN,
                "ports without LLDP",
                f"{_count(at_mute, 'cable')} not judged: one end sends no LLDP",
                hint="the address of such a port belongs to one switch port: that it answers is the evidence",
            )
        )
    return tuple(found)


def _sort(mistake: Mistake, racks: Mapping[str, str]) -> tuple[str, ...] | None:
    """Mistake -> what equal mistakes have in common, or None for one that stands alone."""
    if mistake.kind not in {Kind.SWAP, Kind.ROTATION}:
        return None
    devices = [device for device, _ in mistake.kept]
    ports = [port for _, port in mistake.kept]
    if len(set(devices)) == 1:
        return ("ports", racks.get(devices[0], ""), *_from_least(ports))
    if len(set(ports)) == 1 and mistake.kind is Kind.SWAP:
        return ("devices", *sorted(devices))
    return None


def _from_least(ring: Sequence[str]) -> tuple[str, ...]:
    """A ring that starts anywhere -> the same ring from its least member on, in the same direction."""
    at = min(range(len(ring)), key=lambda i: _natural(ring[i]))
    return (*ring[at:], *ring[:at])


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", name)]


def _same_ports(key: tuple[str, ...], group: list[Mistake]) -> Finding:
    _, rack, *ports = key
    devices = sorted({m.kept[0][0] for m in group})
    moves = [move for m in group for move in m.moves]
    swap = len(ports) == 2
    where = f"{len(devices)} devices of rack {rack}" if len(devices) > 1 else devices[0]
    if len(devices) > 1 and all(_RAIL.match(p) for p in ports):
        where = f"{len(devices)} nodes of rack {rack}"
    if swap:
        act = _swap_at(moves) if len(devices) == 1 else _list_moves(moves)
        message = f"{_ports(ports)} swapped on {where}: {_count(len(moves), 'move')}"
    else:
        act = _list_moves(moves)
        ring = " -> ".join((*(_bare(p) for p in ports), _bare(ports[0])))
        message = (
            f"{_ports(ports)} rotated on {where}, each in the place of the next ({ring}): {_count(len(moves), 'move')}"
        )
    return Finding(
        "CABLE-001" if swap else "CABLE-002",
        Severity.CRITICAL,
        rack if len(devices) > 1 else devices[0],
        message,
        hint=act,
    )


def _same_devices(key: tuple[str, ...], group: list[Mistake]) -> Finding:
    _, one, other = key
    ports = sorted({m.kept[0][1] for m in group}, key=_natural)
    moves = [move for m in group for move in m.moves]
    return Finding(
        "CABLE-001",
        Severity.CRITICAL,
        one,
        f"{one} and {other} are swapped on {_ports(ports)}: {_count(len(moves), 'move')}",
        hint=f"if all their cables are, the devices may have traded places; else {_list_moves(moves)}",
    )


def _swap(m: Mistake) -> Finding:
    first, second = m.links
    return Finding(
        "CABLE-001",
        Severity.CRITICAL,
        _end(m.kept[0]),
        f"the cables of {_end(first.a)} and {_end(second.a)} are swapped: {_heard(m)}",
        hint=_swap_at(m.moves),
    )


def _rotation(m: Mistake) -> Finding:
    return Finding(
        "CABLE-002",
        Severity.CRITICAL,
        _end(m.kept[0]),
        f"{len(m.links)} cables rotated, each in the place of the next: {_heard(m)}",
        hint=_list_moves(m.moves),
    )


def _wrong_port(m: Mistake) -> Finding:
    (link,), (move,) = m.links, m.moves
    assert move.to is not None
    return Finding(
        "CABLE-003",
        Severity.CRITICAL,
        _end(link.a),
        f"reaches {move.at[0]} in port {move.at[1]}, planned is port {move.to[1]}",
        hint=_list_moves(m.moves),
    )


def _wrong_device(m: Mistake) -> Finding:
    (link,), (move,) = m.links, m.moves
    assert move.to is not None
    return Finding(
        "CABLE-004",
        Severity.CRITICAL,
        _end(link.a),
        f"{_end(m.kept[0])} reaches {_end(move.at)}, planned is {_end(move.to)}",
        hint=_list_moves(m.moves),
    )


def _missing(m: Mistake) -> Finding:
    (link,) = m.links
    return Finding(
        "CABLE-005",
        Severity.CRITICAL,
        _end(link.a),
        f"hears nothing, planned is {_end(link.b)}: cable absent or dead, or port down",
        hint=_PLUG,
    )


def _dark(m: Mistake) -> Finding:
    device = m.kept[0][0]
    return Finding(
        "CABLE-011",
        Severity.CRITICAL,
        device,
        f"is dark: heard on none of its {_count(len(m.links), 'cable')}",
        hint="is it powered on? its feeds, its supplies, its console",
    )


def _unexpected(m: Mistake) -> Finding:
    ((one, other),) = m.heard
    return Finding(
        "CABLE-007",
        Severity.WARNING,
        _end(one),
        f"{_end(one)} and {_end(other)} are joined, the plan has nothing there",
        hint="unplug it, or add it to the plan",
    )


def _chain(m: Mistake) -> Finding:
    short = f"; {_count(len(m.lay), 'cable')} not found" if m.lay else ""
    lay = f"; then lay {', '.join(f'{_end(x.a)} to {_end(x.b)}' for x in m.lay)}" if m.lay else ""
    return Finding(
        "CABLE-008",
        Severity.CRITICAL,
        _end(m.links[0].a),
        f"{_count(len(m.links), 'cable')} out of place: {_heard(m)}{short}",
        hint=_list_moves(m.moves) + lay,
    )


def _tangle(m: Mistake) -> Finding:
    subject = _end(m.links[0].a) if m.links else _end(m.heard[0][0])
    return Finding(
        "CABLE-009",
        Severity.CRITICAL,
        subject,
        f"ends contradict each other: {_heard(m)}",
        hint="a switch or bridge between the ends, crossed fibres of two cables, two devices of one name, "
        "or neighbours not yet timed out; look at both ends",
    )


_SINGLE: Mapping[Kind, Callable[[Mistake], Finding]] = {
    Kind.SWAP: _swap,
    Kind.ROTATION: _rotation,
    Kind.WRONG_PORT: _wrong_port,
    Kind.WRONG_DEVICE: _wrong_device,
    Kind.MISSING: _missing,
    Kind.DARK: _dark,
    Kind.UNEXPECTED: _unexpected,
    Kind.CHAIN: _chain,
    Kind.TANGLE: _tangle,
}


def _end(end: End) -> str:
    return f"{end[0]}:{end[1]}"


def _bare(port: str) -> str:
    rail = _RAIL.match(port)
    return rail[1] if rail else port


def _ports(ports: Sequence[str]) -> str:
    word = "rail" if all(_RAIL.match(p) for p in ports) else "port"
    names = [_bare(p) for p in ports]
    if len(names) == 1:
        return f"{word} {names[0]}"
    return f"{word}s {', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _shorten(parts: list[str]) -> str:
    left = len(parts) - SHOWN_AT_MOST
    return "; ".join(parts[:SHOWN_AT_MOST]) + (f"; and {left} more" if left > 0 else "")


def _heard(m: Mistake) -> str:
    return _shorten([f"{_end(x)} hears {_end(y)}" for x, y in m.heard])


def _swap_at(moves: Sequence[Move]) -> str:
    one, other = (move.at for move in moves)
    if one[0] == other[0]:
        return f"swap the ends at {one[0]}: {one[1]} and {other[1]}"
    return f"swap the ends at {_end(one)} and {_end(other)}"


def _list_moves(moves: Sequence[Move]) -> str:
    return _shorten(
        [
            f"move {_end(m.at)} to {m.to[1] if m.to[0] == m.at[0] else _end(m.to)}" if m.to else f"unplug {_end(m.at)}"
            for m in moves
        ]
    )
