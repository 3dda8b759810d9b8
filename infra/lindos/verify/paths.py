"""Every rail reaches every other, and by a way that the plan has: what to ask, and what the answers mean."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lindos.finding import Finding, Severity
from lindos.verify.mistakes import End
from lindos.verify.ways import Ways, peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

CODES = {
    "PATH-001": "A rail address answers the rail addresses of other nodes, and reaches them.",
    "PATH-002": "Every rail of a node reaches the other rails of other nodes, not only its own.",
    "PATH-003": "Packets between rails cross only switches that lie on a shortest way of the plan.",
    "PATH-004": "Packets of the planned MTU pass between rails unbroken.",
    "PATH-005": "Every switch on the way answered, so that the way is known.",
    "PATH-006": "A rail address can be sent from.",
}

MOST_PINGS = 2048
"""Pings that one node sends; past that it asks a part of the others, spread over the fabric."""

TRACES = 16
MAX_TTL = 8
ROUNDS, WAIT_S = 3, 1.0
SHOWN_AT_MOST = 4

Pair = tuple[End, End]
NOWHERE: Mapping[End, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rail:
    """A rail port of a node. `network` is that of its plane; `island` those of all rail ports of the node."""

    node: str
    port: str
    address: str
    mtu: int
    network: str = ""
    island: str = ""

    @property
    def end(self) -> End:
        return (self.node, self.port)


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of all probes. `ping`: full size, small size, or neither got through; `trace`: hops by address."""

    ping: Mapping[Pair, str]
    trace: Mapping[Pair, Sequence[str | None]]
    errors: Mapping[End, str]


def rails(expect: Mapping[str, Mapping[str, Any]], network: Mapping[End, str] = NOWHERE) -> dict[str, list[Rail]]:
    """Expectations, and the network that each rail port is in -> the rails of each node, in order."""
    out: dict[str, list[Rail]] = {}
    for host, wanted in expect.items():
        nics = sorted((n for n in wanted["nics"] if n["purpose"] == "rail"), key=lambda nic: (nic["rail"], nic["name"]))
        on = [network.get((host, nic["name"]), "") for nic in nics]
        island = "+".join(sorted(set(on)))
        out[host] = [
            Rail(host, nic["name"], nic["address"], nic["mtu"], mine, island)
            for nic, mine in zip(nics, on, strict=True)
        ]
    return out


def requests(by_node: Mapping[str, Sequence[Rail]], most: int = MOST_PINGS) -> dict[str, dict[str, Any]]:
    """Rails of the nodes that answer -> what each of them is to ask (the request of suite/probe.py).

    A rail asks those of its own network: other planes and other training fabrics are not to be reached.
    """
    islands: dict[str, list[str]] = {}
    for node in sorted(node for node, mine in by_node.items() if mine):
        islands.setdefault(by_node[node][0].island, []).append(node)
    asked = {}
    for nodes in islands.values():
        widest = max(len(by_node[n]) for n in nodes)
        for number, node in enumerate(nodes):
            mine = by_node[node]
            others = [by_node[nodes[p]] for p in peers(number, len(nodes), max(1, most // (len(mine) * widest)))]
            pings = [
                [one.address, rail.address]
                for other in others
                for one in mine
                for rail in other
                if one.network == rail.network
            ]
            asked[node] = {
                "pings": pings,
                "traces": _traces(mine, others),
                "bytes": min(rail.mtu for rail in mine),
                "max_ttl": MAX_TTL,
                "rounds": ROUNDS,
                "wait_s": WAIT_S,
            }
    return asked


def _traces(mine: Sequence[Rail], others: Sequence[Sequence[Rail]]) -> list[list[str]]:
    """A few ways from each rail: along it and across to the next, to near and far peers by turns.

    Few, because a switch reports expired packets to one address about once a second.
    """
    chosen: list[list[str]] = []
    for number, rail in enumerate(mine):
        for turn in (0, 1):
            if others and len(chosen) < TRACES:
                other = [r for r in others[(2 * number + turn) % len(others)] if r.network == rail.network]
                if other:
                    chosen.append([rail.address, other[(number + turn) % len(other)].address])
    return chosen


def gather(by_node: Mapping[str, Sequence[Rail]], raw: Mapping[str, Mapping[str, Any]]) -> Answers:
    """What each node's prober sent back -> Answers by end instead of by address."""
    end = {rail.address: rail.end for mine in by_node.values() for rail in mine}
    ping, trace, errors = {}, {}, {}
    for answer in raw.values():
        for source, destination, full, small in answer["pings"]:
            got = "full" if full is not None else "small" if small is not None else "none"
            ping[end[source], end[destination]] = got
        for source, destination, hops in answer["traces"]:
            trace[end[source], end[destination]] = hops
        for source, said in answer["errors"].items():
            errors[end[source]] = said
    return Answers(ping, trace, errors)


def judge_paths(answers: Answers, ways: Ways, owner: Mapping[str, str]) -> tuple[Finding, ...]:
    """Answers, the ways of the plan and the device of each address -> findings, by cause and not by pair."""
    planned = {pair for pair in answers.ping if ways.between(*pair)}
    uncalled = {pair: got for pair, got in answers.ping.items() if pair not in planned and got != "none"}
    answers = Answers(
        {pair: answers.ping[pair] for pair in answers.ping if pair in planned}, answers.trace, answers.errors
    )
    unsent = {end for end in answers.errors if all(got == "none" for (s, _), got in answers.ping.items() if s == end)}
    tried = {pair: got for pair, got in answers.ping.items() if pair[0] not in unsent}
    lost = {pair for pair, got in tried.items() if got == "none"}
    found = [_unsent(end, answers.errors[end]) for end in sorted(unsent)]
    found += _between_leaves(
        uncalled, ways, lambda where, count: Finding(
            "PATH-003", Severity.CRITICAL, where[0], f"reaches {where[1]}, to which the plan has no way ({count} such)",
            "a route that leaks from another fabric, or cables that are not where they should be",
        ),
    )  # fmt: skip
    dead, rest = _dead_ends(tried, lost)
    found += dead
    cross, rest = _cross_rail(tried, rest)
    found += cross
    found += _between_leaves(
        rest, ways, lambda where, count: Finding(
            "PATH-001", Severity.CRITICAL, where[0], f"{count} pings to {where[1]} were not answered",
            "BGP on both, and the links between: `vtysh -c 'show bgp summary'`",
        ),
    )  # fmt: skip
    found += _between_leaves(
        {pair for pair, got in tried.items() if got == "small"}, ways, lambda where, count: Finding(
            "PATH-004", Severity.CRITICAL, where[0], f"only small packets reach {where[1]} ({count} pairs of rails)",
            "a port on the way has a smaller MTU than planned",
        ),
    )  # fmt: skip
    found += _odd_ways(answers, ways, owner)
    return tuple(sorted(found))


def _unsent(end: End, said: str) -> Finding:
    return Finding(
        "PATH-006",
        Severity.UNKNOWN,
        f"{end[0]}:{end[1]}",
        f"nothing could be sent from its address: {said}",
        "converge role rdma_nic",
    )


def _dead_ends(tried: Mapping[Pair, str], lost: set[Pair]) -> tuple[list[Finding], set[Pair]]:
    """Ends of which every ping failed, in one direction or both -> findings, and the lost pairs they do not explain."""
    asked, failed = Counter[tuple[str, End]](), Counter[tuple[str, End]]()
    for pair in tried:
        for way, end in zip(("from", "to"), pair, strict=True):
            asked[way, end] += 1
            failed[way, end] += pair in lost
    dead: dict[End, list[str]] = defaultdict(list)
    for (way, end), count in sorted(failed.items()):
        # One ping alone says nothing about which of its two ends is to blame.
        if count == asked[way, end] and count > 1:
            dead[end].append(way)
    # Where all is lost, no single end is to blame.
    if lost and len(lost) == len(tried):
        dead = {}
    words = {"from": "reaches nobody", "to": "answers nobody"}
    found = [
        Finding(
            "PATH-001",
            Severity.CRITICAL,
            f"{end[0]}:{end[1]}",
            f"{' and '.join(words[w] for w in which)}: {sum(failed[w, end] for w in which)} pings lost",
            "its address, its rule and route (`ip route get`), the port of its leaf and the route that leaf announces",
        )
        for end, which in sorted(dead.items())
    ]
    explained = {(s, d) for s, d in lost if "from" in dead.get(s, ()) or "to" in dead.get(d, ())}
    return found, lost - explained


def _cross_rail(tried: Mapping[Pair, str], lost: set[Pair]) -> tuple[list[Finding], set[Pair]]:
    """Nodes that reach others along rails but never across -> findings, and what they do not explain."""
    asked, failed, along = Counter[str](), Counter[str](), Counter[str]()
    for pair, got in tried.items():
        (node, port), (_, other) = pair
        if port == other:
            along[node] += got != "none"
        else:
            asked[node] += 1
            failed[node] += pair in lost
    bound = sorted(node for node in asked if along[node] and failed[node] == asked[node])
    found = [
        Finding(
            "PATH-002",
            Severity.CRITICAL,
            node,
            f"no rail reaches another rail of another node: {failed[node]} pings lost, while along its rails it does",
            "the route to the fabric's prefix in each rail's table: `ip route show table 100`; converge role rdma_nic",
        )
        for node in bound
    ]
    return found, {(s, d) for s, d in lost if s[0] not in bound or s[1] == d[1]}


def _between_leaves(
    pairs: Iterable[Pair], ways: Ways, tell: Callable[[tuple[str, str], int], Finding]
) -> list[Finding]:
    """Pairs of rails -> one finding for each pair of leaves between which they run."""
    counts = Counter((ways.leaf.get(s, s[0]), ways.leaf.get(d, d[0])) for s, d in pairs)
    return [tell(where, count) for where, count in sorted(counts.items())]


def _odd_ways(answers: Answers, ways: Ways, owner: Mapping[str, str]) -> list[Finding]:
    """Traces -> a finding for each switch that no way of the plan has, and one a node for ways not fully seen."""
    odd: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    blind, all_of = Counter[str](), Counter[str]()
    for pair, hops in sorted(answers.trace.items()):
        allowed = ways.between(*pair)
        reached = bool(hops) and owner.get(str(hops[-1])) == pair[1][0]
        if not reached:
            continue  # The pings tell.
        all_of[pair[0][0]] += 1
        crossed = hops[:-1]
        for number, hop in enumerate(crossed):
            switch = owner.get(hop, hop) if hop else None
            if switch and switch not in (allowed[number] if number < len(allowed) else ()):
                odd[switch, pair[0][0]].append(pair)
                break
        else:
            if len(crossed) < len(allowed):
                odd["fewer switches than planned", pair[0][0]].append(pair)
            blind[pair[0][0]] += None in crossed
    found = [_odd(switch, node, pairs, ways) for (switch, node), pairs in sorted(odd.items())]
    found += [
        Finding(
            "PATH-005",
            Severity.UNKNOWN,
            node,
            f"{count} of {all_of[node]} ways are seen in part only: a switch on them did not answer",
            "switches answer expired packets at a bounded rate; verify again",
        )
        for node, count in sorted(blind.items())
        if count
    ]
    return found


def _odd(switch: str, node: str, pairs: Sequence[Pair], ways: Ways) -> Finding:
    (_, source), (far, port) = pairs[0]
    planned = " -> ".join("|".join(_some(sorted(hop))) for hop in ways.between(*pairs[0])) or "no way at all"
    return Finding(
        "PATH-003",
        Severity.CRITICAL,
        node,
        f"from {source} to {far}:{port} by {switch}, the plan has {planned} ({len(pairs)} such)",
        "a route that leaks from another fabric, or cables that are not where they should be",
    )


def _some(names: list[str]) -> list[str]:
    left = len(names) - SHOWN_AT_MOST
    return names[:SHOWN_AT_MOST] + ([f"{left} more"] if left > 0 else [])
