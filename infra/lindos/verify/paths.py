"""Every rail reaches every other, and by a way that the plan has: what to ask, and what the answers mean.

12,500 nodes send 25 million pings. So a node's request is made when it is sent, its answer is packed when it comes, and
pings are judged as columns: a rail is a number there, its place in the order in which nodes and rails are given.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lindos.finding import Finding, Severity
from lindos.verify.ways import networks, peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lindos.verify.mistakes import End
    from lindos.verify.ways import Ways

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

GOT = pl.Enum(["none", "small", "full"])
"""What got through of a ping: nothing, the small packet alone, the full one."""

PING = pl.Schema({"source": pl.UInt32(), "destination": pl.UInt32(), "got": GOT})

LOST = pl.col("got") == "none"

Pair = tuple[int, int]
"""Numbers of two rails."""

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


class Heard(NamedTuple):
    """What came of the probes of one node. `trace`: hops by address; `errors`: what the kernel said, by source."""

    ping: pl.DataFrame
    trace: dict[Pair, tuple[str | None, ...]]
    errors: dict[int, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of all probes, in terms of the numbers of `rails`."""

    rails: Sequence[Rail]
    ping: pl.DataFrame
    trace: Mapping[Pair, tuple[str | None, ...]]
    errors: Mapping[int, str]


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


class Requests(Mapping[str, dict[str, Any]]):
    """Rails of the nodes that answer -> what each is to ask (the request of suite/probe.py), made when it is looked up.

    A rail asks those of its own network: other planes and other training fabrics are not to be reached. A node without
    another in its island asks nobody, and is not here.
    """

    def __init__(self, by_node: Mapping[str, Sequence[Rail]], most: int = MOST_PINGS) -> None:
        self._by_node, self._most = by_node, most
        islands: dict[str, list[str]] = {}
        for node in sorted(node for node, mine in by_node.items() if mine):
            islands.setdefault(by_node[node][0].island, []).append(node)
        self._among = {
            node: (number, nodes) for nodes in islands.values() if len(nodes) > 1 for number, node in enumerate(nodes)
        }
        self._widest = {island: max(len(by_node[node]) for node in nodes) for island, nodes in islands.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._among)

    def __len__(self) -> int:
        return len(self._among)

    def __getitem__(self, node: str) -> dict[str, Any]:
        number, nodes = self._among[node]
        mine = self._by_node[node]
        nearest = max(1, self._most // (len(mine) * self._widest[mine[0].island]))
        others = [self._by_node[nodes[p]] for p in peers(number, len(nodes), nearest)]
        return {
            "pings": [
                [one.address, rail.address]
                for other in others
                for one in mine
                for rail in other
                if one.network == rail.network
            ],
            "traces": _traces(mine, others),
            "bytes": min(rail.mtu for rail in mine),
            "max_ttl": MAX_TTL,
            "rounds": ROUNDS,
            "wait_s": WAIT_S,
        }


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


def numbers(by_node: Mapping[str, Sequence[Rail]]) -> dict[str, int]:
    """Rails of the nodes -> the number of each, by its address."""
    return {rail.address: number for number, rail in enumerate(chain.from_iterable(by_node.values()))}


def pack(answer: Mapping[str, Any], number: Mapping[str, int]) -> Heard:
    """What a node's prober sent back, and the numbers of rails -> the same in a hundredth of the memory."""
    ping = {
        "source": [number[source] for source, _, _, _ in answer["pings"]],
        "destination": [number[destination] for _, destination, _, _ in answer["pings"]],
        "got": [
            "full" if full is not None else "none" if small is None else "small"
            for _, _, full, small in answer["pings"]
        ],
    }
    return Heard(
        pl.DataFrame(ping, schema=PING),
        {(number[s], number[d]): tuple(hop and sys.intern(hop) for hop in hops) for s, d, hops in answer["traces"]},
        {number[source]: said for source, said in answer["errors"].items()},
    )


def gather(by_node: Mapping[str, Sequence[Rail]], heard: Iterable[Heard]) -> Answers:
    """What was heard from each node -> Answers."""
    told = list(heard)
    return Answers(
        list(chain.from_iterable(by_node.values())),
        pl.concat([pl.DataFrame(schema=PING), *(one.ping for one in told)]),
        {pair: hops for one in told for pair, hops in one.trace.items()},
        {rail: said for one in told for rail, said in one.errors.items()},
    )


def judge_paths(answers: Answers, ways: Ways, owner: Mapping[str, str]) -> tuple[Finding, ...]:
    """Answers, the ways of the plan and the device of each address -> findings, by cause and not by pair."""
    pings = _placed(answers.ping.lazy(), answers.rails, ways)
    # Two rails have a way between them if they are in one network, and rails of no switch are in none.
    planned = (pl.col("network") == pl.col("network of destination")).fill_null(value=False)
    uncalled = pings.filter(~planned, ~LOST)
    asked = pings.filter(planned)
    heard = asked.filter(pl.col("source").is_in(list(answers.errors)), ~LOST).select(pl.col("source").unique())
    unsent = sorted(set(answers.errors) - set(_all(heard)["source"]))
    tried = asked.filter(~pl.col("source").is_in(unsent))
    found = [_unsent(answers.rails[rail], answers.errors[rail]) for rail in unsent]
    found += _between_leaves(
        uncalled, lambda where, count: Finding(
            "PATH-003", Severity.CRITICAL, where[0], f"reaches {where[1]}, to which the plan has no way ({count} such)",
            "a route that leaks from another fabric, or cables that are not where they should be",
        ),
    )  # fmt: skip
    dead, lost = _dead_ends(tried, answers.rails)
    found += dead
    cross, lost = _cross_rail(tried, lost)
    found += cross
    found += _between_leaves(
        lost, lambda where, count: Finding(
            "PATH-001", Severity.CRITICAL, where[0], f"{count} pings to {where[1]} were not answered",
            "BGP on both, and the links between: `vtysh -c 'show bgp summary'`",
        ),
    )  # fmt: skip
    found += _between_leaves(
        tried.filter(pl.col("got") == "small"), lambda where, count: Finding(
            "PATH-004", Severity.CRITICAL, where[0], f"only small packets reach {where[1]} ({count} pairs of rails)",
            "a port on the way has a smaller MTU than planned",
        ),
    )  # fmt: skip
    found += _odd_ways(answers, ways, owner)
    return tuple(sorted(found))


def _placed(pings: pl.LazyFrame, rails: Sequence[Rail], ways: Ways) -> pl.LazyFrame:
    """Pings -> the same with node, port, leaf (the node where it has none) and network of both rails."""
    of = networks(ways)
    rows = [(rail.node, rail.port, ways.leaf.get(rail.end, rail.node), of.get(rail.end)) for rail in rails]
    what = dict.fromkeys(("node", "port", "leaf", "network"), pl.Categorical)
    ends = pl.DataFrame(rows, schema=what, orient="row").lazy().with_row_index("rail")
    return pings.join(ends, left_on="source", right_on="rail").join(
        ends, left_on="destination", right_on="rail", suffix=" of destination"
    )


def _all(rows: pl.LazyFrame) -> pl.DataFrame:
    """What becomes of the pings -> all of it, worked out a batch of pings at a time."""
    return rows.collect(engine="streaming")


def _unsent(rail: Rail, said: str) -> Finding:
    return Finding(
        "PATH-006",
        Severity.UNKNOWN,
        f"{rail.node}:{rail.port}",
        f"nothing could be sent from its address: {said}",
        "converge role rdma_nic",
    )


def _dead_ends(tried: pl.LazyFrame, rails: Sequence[Rail]) -> tuple[list[Finding], pl.LazyFrame]:
    """Ends of which every ping failed, in one direction or both -> findings, and the lost pings they do not explain."""
    dead: dict[int, dict[str, int]] = defaultdict(dict)
    lost = tried.filter(LOST)
    for side, way in (("source", "reaches nobody"), ("destination", "answers nobody")):
        counts = _all(tried.group_by(side).agg(asked=pl.len(), failed=LOST.sum()))
        # Where all is lost, no single end is to blame; and one ping alone does not say which of its two ends is.
        if counts["failed"].sum() < counts["asked"].sum():
            silent = counts.filter(pl.col("failed") == pl.col("asked"), pl.col("failed") > 1)
            lost = lost.filter(~pl.col(side).is_in(silent[side].implode()))
            for rail, failed in silent.select(side, "failed").iter_rows():
                dead[rail][way] = failed
    found = [
        Finding(
            "PATH-001",
            Severity.CRITICAL,
            f"{rails[rail].node}:{rails[rail].port}",
            f"{' and '.join(failed)}: {sum(failed.values())} pings lost",
            "its address, its rule and route (`ip route get`), the port of its leaf and the route that leaf announces",
        )
        for rail, failed in dead.items()
    ]
    return found, lost


def _cross_rail(tried: pl.LazyFrame, lost: pl.LazyFrame) -> tuple[list[Finding], pl.LazyFrame]:
    """Nodes that reach others along rails but never across -> findings, and what they do not explain."""
    across = pl.col("port") != pl.col("port of destination")
    asked = tried.group_by("node").agg(asked=across.sum(), along=(~across & ~LOST).sum())
    failed = lost.filter(across).group_by("node").agg(failed=pl.len())
    bound = _all(asked.join(failed, on="node").filter(pl.col("along") > 0, pl.col("failed") == pl.col("asked")))
    found = [
        Finding(
            "PATH-002",
            Severity.CRITICAL,
            node,
            f"no rail reaches another rail of another node: {count} pings lost, while along its rails it does",
            "the route to the fabric's prefix in each rail's table: `ip route show table 100`; converge role rdma_nic",
        )
        for node, count in bound.select("node", "failed").iter_rows()
    ]
    return found, lost.filter(~(across & pl.col("node").is_in(bound["node"].implode())))


def _between_leaves(pings: pl.LazyFrame, tell: Callable[[tuple[str, str], int], Finding]) -> list[Finding]:
    """Pings -> one finding for each pair of leaves between which they run."""
    counts = _all(pings.group_by("leaf", "leaf of destination").len())
    return [tell((source, destination), count) for source, destination, count in counts.iter_rows()]


def _odd_ways(answers: Answers, ways: Ways, owner: Mapping[str, str]) -> list[Finding]:
    """Traces -> a finding for each switch that no way of the plan has, and one a node for ways not fully seen."""
    odd: dict[tuple[str, str], list[tuple[Rail, Rail]]] = defaultdict(list)
    blind, all_of = Counter[str](), Counter[str]()
    for pair, hops in sorted(answers.trace.items()):
        source, destination = (answers.rails[number] for number in pair)
        allowed = ways.between(source.end, destination.end)
        reached = bool(hops) and owner.get(str(hops[-1])) == destination.node
        if not reached:
            continue  # The pings tell.
        all_of[source.node] += 1
        crossed = hops[:-1]
        for number, hop in enumerate(crossed):
            switch = owner.get(hop, hop) if hop else None
            if switch and switch not in (allowed[number] if number < len(allowed) else ()):
                odd[switch, source.node].append((source, destination))
                break
        else:
            if len(crossed) < len(allowed):
                odd["fewer switches than planned", source.node].append((source, destination))
            blind[source.node] += None in crossed
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


def _odd(switch: str, node: str, pairs: Sequence[tuple[Rail, Rail]], ways: Ways) -> Finding:
    source, far = pairs[0]
    hops = ways.between(source.end, far.end)
    planned = " -> ".join("|".join(_some(sorted(hop))) for hop in hops) or "no way at all"
    return Finding(
        "PATH-003",
        Severity.CRITICAL,
        node,
        f"from {source.port} to {far.node}:{far.port} by {switch}, the plan has {planned} ({len(pairs)} such)",
        "a route that leaks from another fabric, or cables that are not where they should be",
    )


def _some(names: list[str]) -> list[str]:
    left = len(names) - SHOWN_AT_MOST
    return names[:SHOWN_AT_MOST] + ([f"{left} more"] if left > 0 else [])
