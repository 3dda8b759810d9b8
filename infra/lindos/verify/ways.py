"""The cable map -> which switches a packet may cross on its way from one rail port to another."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lindos.verify.mistakes import End


FAR = 255
"""Steps to a switch that cannot be reached."""


@dataclass(slots=True)
class Ways:
    """Switches and how they are joined. `leaf`: the switch at the other end of a node's rail port."""

    leaf: dict[End, str]
    near: dict[str, set[str]]
    _between: dict[tuple[str, str], list[set[str]]] = field(default_factory=dict)
    _far: dict[str, bytes] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)

    def between(self, source: End, destination: End) -> list[set[str]]:
        """Two rail ports -> for each hop, the switches that lie on a shortest way; empty where there is none."""
        first, last = self.leaf.get(source), self.leaf.get(destination)
        if first is None or last is None:
            return []
        if (first, last) not in self._between:
            self._between[first, last] = self._hops(first, last)
        return self._between[first, last]

    def _hops(self, first: str, last: str) -> list[set[str]]:
        steps = self._steps(last)
        number = self._number
        if steps[number[first]] == FAR:
            return []
        hops = [{first}]
        for left in reversed(range(steps[number[first]])):
            around = set[str]().union(*(self.near[switch] for switch in hops[-1]))
            hops.append({switch for switch in around if steps[number[switch]] == left})
        return hops

    def _steps(self, last: str) -> bytes:
        """A switch -> how far it is from each, by their numbers. Bytes: a large site asks for a thousand of these."""
        if not self._number:
            self._number = {switch: n for n, switch in enumerate(dict.fromkeys([*self.near, *self.leaf.values()]))}
        if last not in self._far:
            steps = bytearray([FAR]) * len(self._number)
            seen, here, far = set[str](), {last}, 0
            while here:
                for switch in here:
                    steps[self._number[switch]] = far
                seen |= here
                here = set[str]().union(*(self.near.get(switch, ()) for switch in here)) - seen
                far += 1
            self._far[last] = bytes(steps)
        return self._far[last]


def ways(cables: pl.DataFrame, *, without: Collection[str] = ()) -> Ways:
    """Rows of cables.csv -> the Ways of the training fabrics, `rdma` and one an island (`rdma-NAME`).

    Between two islands, and between two planes of one, there are none. `without` are switches known to be down.
    """
    down = sorted(without)
    training = (pl.col("fabric") == "rdma") | pl.col("fabric").str.starts_with("rdma-")
    mine = cables.filter(training, ~pl.col("a_device").is_in(down), ~pl.col("b_device").is_in(down))
    hosts = mine.filter(pl.col("tier") == "node_leaf")
    leaf = {
        (device, port): switch for device, port, switch in hosts.select("a_device", "a_port", "b_device").iter_rows()
    }
    near: dict[str, set[str]] = defaultdict(set)
    between = mine.filter(pl.col("tier") != "node_leaf").select("a_device", "b_device").unique()
    for one, other in between.iter_rows():
        near[one].add(other)
        near[other].add(one)
    return Ways(leaf, near)


def networks(planned: Ways) -> dict[End, str]:
    """Ways -> for each rail port the network that it is in, by its first switch: a plane of a training fabric."""
    name: dict[str, str] = {}
    for switch in sorted({*planned.near, *planned.leaf.values()}):
        if switch not in name:
            name[switch] = switch
            todo = deque([switch])
            while todo:
                for other in planned.near.get(todo.popleft(), ()):
                    if other not in name:
                        name[other] = switch
                        todo.append(other)
    return {end: name[leaf] for end, leaf in planned.leaf.items()}


def peers(number: int, of: int, most: int) -> list[int]:
    """Node `number` of `of` -> the nodes to ask: all others, or `most` of them at distances that grow.

    Every node is asked by as many as it asks; the nearest share its leaf, the farthest cross the whole fabric.
    """
    others = of - 1
    if others <= most:
        steps: Sequence[int] = range(1, of)
    else:
        steps = sorted({round(others ** (i / max(most - 1, 1))) for i in range(most)})
    return [(number + step) % of for step in steps]
