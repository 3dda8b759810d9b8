"""The cable map -> which switches a packet may cross on its way from one rail port to another."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lindos.verify.mistakes import End


@dataclass(slots=True)
class Ways:
    """Switches and how they are joined. `leaf`: the switch at the other end of a node's rail port."""

    leaf: dict[End, str]
    near: dict[str, set[str]]
    _far: dict[str, dict[str, int]] = field(default_factory=dict)

    def between(self, source: End, destination: End) -> list[set[str]]:
        """Two rail ports -> for each hop, the switches that lie on a shortest way; empty where there is none."""
        first, last = self.leaf.get(source), self.leaf.get(destination)
        if first is None or last is None:
            return []
        there, back = self._distances(first), self._distances(last)
        if last not in there:
            return []
        length = there[last]
        hops: list[set[str]] = [set() for _ in range(length + 1)]
        for switch, steps in there.items():
            if steps + back.get(switch, length + 1) == length:
                hops[steps].add(switch)
        return hops

    def _distances(self, start: str) -> dict[str, int]:
        if start not in self._far:
            found = {start: 0}
            todo = deque([start])
            while todo:
                at = todo.popleft()
                for other in sorted(self.near[at]):
                    if other not in found:
                        found[other] = found[at] + 1
                        todo.append(other)
            self._far[start] = found
        return self._far[start]


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
