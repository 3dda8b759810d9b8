"""The cable map -> over which ports each switch should forward to each leaf; what it does, compared with that.

Shortest ways are not enough to tell: BGP goes up and then down, never down and up again, because the spines of a pod
share an AS number.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl

from lindos.finding import Finding, Severity
from lindos.verify.ways import peers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

CODES = {"PATH-007": "A switch forwards to each leaf over every port that the plan has for it, and over no other."}

MOST_LEAVES = 32
"""Leaves that one switch is asked about; in a larger fabric they are spread over it."""
SHOWN_AT_MOST = 4

Neighbours = dict[str, dict[str, set[str]]]
"""Switch -> neighbour -> own ports that lead to it."""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The switches of one fabric, each with its neighbours above and below it, and the leaves."""

    leaves: tuple[str, ...]
    up: Neighbours
    down: Neighbours
    _above: dict[str, dict[str, int]] = field(default_factory=dict)

    def switches(self) -> list[str]:
        return sorted({*self.leaves, *self.up, *self.down})

    def ports(self, switch: str, leaf: str) -> set[str]:
        """A switch and a leaf that is another -> the ports over which it forwards there; none where there is no way."""
        above = self._having_below(leaf)
        if switch in above:
            nearer = [far for far in self.down.get(switch, {}) if above.get(far) == above[switch] - 1]
            return {port for far in nearer for port in self.down[switch][far]}
        steps = {far: self._steps(far, leaf) for far in self.up.get(switch, {})}
        best = min((s for s in steps.values() if s is not None), default=None)
        return {port for far, s in steps.items() if s == best and s is not None for port in self.up[switch][far]}

    def _steps(self, switch: str, leaf: str) -> int | None:
        above = self._having_below(leaf)
        if switch in above:
            return above[switch]
        found = [s for far in self.up.get(switch, {}) if (s := self._steps(far, leaf)) is not None]
        return min(found) + 1 if found else None

    def _having_below(self, leaf: str) -> dict[str, int]:
        """A leaf -> every switch that has it below, and how many steps."""
        if leaf not in self._above:
            found, rim = {leaf: 0}, [leaf]
            while rim:
                rim = sorted({far for at in rim for far in self.up.get(at, {})} - set(found))
                found |= dict.fromkeys(rim, max(found.values()) + 1)
            self._above[leaf] = found
        return self._above[leaf]


def forwarding(cables: pl.DataFrame, fabric: str, *, without: Collection[str] = ()) -> Forwarding:
    """Rows of cables.csv -> the Forwarding of one fabric; `without` are switches that are known to be down."""
    mine = cables.filter(pl.col("fabric") == fabric, ~pl.col("b_device").is_in(sorted(without)))
    leaves = mine.filter(pl.col("tier") == "node_leaf")["b_device"].unique().sort().to_list()
    up: Neighbours = defaultdict(lambda: defaultdict(set))
    down: Neighbours = defaultdict(lambda: defaultdict(set))
    between = mine.filter(pl.col("tier") != "node_leaf", ~pl.col("a_device").is_in(sorted(without)))
    for low, low_port, high, high_port in between.select("a_device", "a_port", "b_device", "b_port").iter_rows():
        up[low][high].add(low_port)
        down[high][low].add(high_port)
    return Forwarding(tuple(leaves), dict(up), dict(down))


def targets(plan: Forwarding) -> dict[str, list[str]]:
    """A fabric -> for each of its switches, the leaves that it is asked about: all others, or some spread over all."""
    asked = {}
    for number, switch in enumerate(plan.switches()):
        if switch in plan.leaves:
            others = peers(plan.leaves.index(switch), len(plan.leaves), MOST_LEAVES)
        else:
            few = min(MOST_LEAVES, len(plan.leaves))
            others = [(number + i * len(plan.leaves) // few) % len(plan.leaves) for i in range(few)]
        asked[switch] = [plan.leaves[i] for i in others]
    return asked


def command(addresses: Sequence[str]) -> str:
    """Loopbacks -> what to run on a switch that forwards by the kernel's table: one line of JSON an address."""
    words = " ".join(addresses)
    return f"PATH=$PATH:/usr/sbin:/sbin; for a in {words}; do ip -j route show $a/32 | tr -d '\\n'; echo; done"


def read(text: str, leaves: Sequence[str]) -> dict[str, set[str]]:
    """What `command` printed -> leaf -> ports. ValueError where it is not understood."""
    lines = text.splitlines()
    if len(lines) != len(leaves):
        message = f"{len(lines)} answers to {len(leaves)} questions"
        raise ValueError(message)
    found: dict[str, set[str]] = {}
    for leaf, line in zip(leaves, lines, strict=True):
        routes = json.loads(line or "[]")
        hops = chain.from_iterable(route.get("nexthops", [route]) for route in routes)
        found[leaf] = {hop["dev"] for hop in hops if "dev" in hop and "dead" not in hop.get("flags", [])}
    return found


def judge_routes(plan: Forwarding, seen: Mapping[str, Mapping[str, set[str]]]) -> tuple[Finding, ...]:
    """What is planned, and switch -> leaf -> the ports that it uses -> a finding a switch and kind of mistake."""
    found = []
    for switch, routes in sorted(seen.items()):
        far = {
            port: name
            for near in (plan.up, plan.down)
            for name, ports in near.get(switch, {}).items()
            for port in ports
        }
        none, fewer, odd = [], [], []
        unused, strange = set[str](), set[str]()
        for leaf, used in sorted(routes.items()):
            wanted = plan.ports(switch, leaf)
            if wanted and not used:
                none.append(leaf)
            elif missing := wanted - used:
                fewer.append(leaf)
                unused |= missing
            if more := used - wanted:
                odd.append(leaf)
                strange |= more
        if none:
            found.append(_told(switch, Severity.CRITICAL, f"has no route to {_some(none)}"))
        if fewer:
            by = _some([f"{port} ({far[port]})" for port in sorted(unused)])
            found.append(_told(switch, Severity.WARNING, f"forwards to {_some(fewer)}, but not over {by}"))
        if odd:
            by = _some([f"{port} ({far.get(port, 'to no switch of this fabric')})" for port in sorted(strange)])
            found.append(
                _told(switch, Severity.CRITICAL, f"forwards to {_some(odd)} over {by}, which the plan has not")
            )
    return tuple(sorted(found))


def _told(switch: str, severity: Severity, message: str) -> Finding:
    hint = "the sessions of those ports: `vtysh -c 'show bgp summary'`; the links themselves"
    return Finding("PATH-007", severity, switch, message, hint)


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    left = len(shown) - SHOWN_AT_MOST
    return ", ".join(shown[:SHOWN_AT_MOST]) + (f" and {left} more" if left > 0 else "")
