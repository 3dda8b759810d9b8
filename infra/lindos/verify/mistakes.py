"""Ends joined by plan and ends joined as heard -> the separate mistakes, and the moves that undo each.

Planned and heard edges alternate along every chain or ring:

    e0 -planned- e1 -heard- e2 -planned- e3 -heard- e0    a ring of two: two cables swapped
    e0 -planned- e1 -heard- e2                            e1's cable sits in e2 and belongs into e0
    e0 -planned- e1 -heard- e2 -planned- e3               as above, and e2 and e3 have no cable

What is neither chain nor ring (an end that hears two, or is heard by two) is a tangle: no moves are named.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

End = tuple[str, str]
"""Device and port."""


class Kind(StrEnum):
    """What went wrong with a set of cables."""

    SWAP = "swap"
    ROTATION = "rotation"
    WRONG_PORT = "wrong_port"
    WRONG_DEVICE = "wrong_device"
    MISSING = "missing"
    DARK = "dark"
    UNEXPECTED = "unexpected"
    CHAIN = "chain"
    TANGLE = "tangle"


@dataclass(frozen=True, slots=True)
class Move:
    """The cable end that sits in `at` belongs into `to`; with no `to` it is unplugged."""

    at: End
    to: End | None


@dataclass(frozen=True, slots=True)
class Link:
    """A planned link and its row in the plan; `a` is the lower end."""

    a: End
    b: End
    row: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that went wrong: the planned links it spoils, what was heard instead, and what to do.

    `kept` are the ends that stay while the other end of their cable moves, in the order of the walk.
    `lay` are the links that have no cable once all moves are made.
    """

    kind: Kind
    links: tuple[Link, ...]
    heard: tuple[tuple[End, End], ...] = ()
    moves: tuple[Move, ...] = ()
    kept: tuple[End, ...] = ()
    lay: tuple[Link, ...] = ()

    @classmethod
    def missing(cls, a: End, b: End, row: int) -> Mistake:
        """Planned link of which neither end hears anything -> a cable to lay, plug or repair."""
        link = Link(a, b, row)
        return cls(Kind.MISSING, (link,), lay=(link,))

    @classmethod
    def dark(cls, device: str, links: tuple[Link, ...]) -> Mistake:
        """A device that was not read, and its links, of which no other end hears anything -> one mistake."""
        return cls(Kind.DARK, links, kept=((device, ""),))


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where plan and world disagree: ends by number (`names`), wrong links as (a, b, row), heard pairs."""

    names: Mapping[int, End]
    planned: Sequence[tuple[int, int, int]]
    heard: Sequence[tuple[int, int]]


@dataclass(slots=True)
class _Graph:
    """Ends and their edges; a healthy end has at most one of each sort."""

    plan: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    link: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    lower: set[int] = field(default_factory=set)


def trace(outlook: Outlook) -> tuple[Mistake, ...]:
    """Disagreement -> mistakes with their moves; every wrong link and heard pair stands in exactly one."""
    graph = _Graph()
    for a, b, row in outlook.planned:
        graph.plan[a].append(b)
        graph.plan[b].append(a)
        graph.link[min(a, b), max(a, b)] = (a, b, row)
        graph.lower.add(a)
    for x, y in outlook.heard:
        graph.heard[x].append(y)
        if x != y:
            graph.heard[y].append(x)
    seen: set[int] = set()
    mistakes = []
    for end in sorted(graph.plan.keys() | graph.heard.keys()):
        if end not in seen:
            members = _component(graph, end)
            seen.update(members)
            mistakes.append(_mistake(graph, members, outlook.names))
    return tuple(mistakes)


def _component(graph: _Graph, start: int) -> list[int]:
    members, todo = {start}, [start]
    while todo:
        end = todo.pop()
        for other in (*graph.plan.get(end, ()), *graph.heard.get(end, ())):
            if other not in members:
                members.add(other)
                todo.append(other)
    return sorted(members)


def _mistake(graph: _Graph, members: list[int], names: Mapping[int, End]) -> Mistake:
    if any(_tangled(graph, end) for end in members):
        return _tangle(graph, members, names)
    walk, ring = _walk(graph, members)
    first_is_plan = walk[1] in graph.plan.get(walk[0], ())
    kept = walk[1::2] if first_is_plan else walk[1:-1:2]
    pairs = [(walk[i], walk[i + 1]) for i in range(len(walk) - 1)]
    plan_pairs = pairs[0::2] if first_is_plan else pairs[1::2]
    heard_pairs = pairs[1::2] if first_is_plan else pairs[0::2]
    links = tuple(_link(graph, pair, names) for pair in plan_pairs)
    moves, lay = _moves(walk, links, names, first_is_plan=first_is_plan)
    return Mistake(
        kind=_kind(links, heard_pairs, moves, ring=ring),
        links=links,
        heard=tuple((names[x], names[y]) for x, y in heard_pairs),
        moves=moves,
        kept=tuple(names[k] for k in kept[: len(heard_pairs)]),
        lay=lay,
    )


def _tangled(graph: _Graph, end: int) -> bool:
    plan, heard = graph.plan.get(end, []), graph.heard.get(end, [])
    return len(plan) > 1 or len(heard) > 1 or end in heard or bool(set(plan) & set(heard))


def _walk(graph: _Graph, members: list[int]) -> tuple[list[int], bool]:
    """Members of a chain or ring -> ends in order, and whether a ring (its first end stands last again).

    The walk starts so that the ends that stay put are the lower ones, where the shape leaves a choice.
    """
    tips = [e for e in members if len(graph.plan.get(e, ())) + len(graph.heard.get(e, ())) == 1]
    if not tips:
        start = next((graph.plan[e][0] for e in members if e in graph.lower), members[0])
        return _follow(graph, start, start), True
    walks = [_follow(graph, tip, None) for tip in tips]
    plan_first = [w for w in walks if w[1] in graph.plan.get(w[0], ())]
    if len(plan_first) == 1:
        return plan_first[0], False
    return next((w for w in walks if w[1] in graph.lower), walks[0]), False


def _follow(graph: _Graph, start: int, stop: int | None) -> list[int]:
    """Alternate edges from `start`: by plan first where there is a plan, until the chain or ring ends."""
    walk = [start]
    by_plan = bool(graph.plan.get(start))
    while True:
        onward = (graph.plan if by_plan else graph.heard).get(walk[-1])
        if not onward:
            return walk
        walk.append(onward[0])
        if walk[-1] == stop:
            return walk
        by_plan = not by_plan


def _link(graph: _Graph, pair: tuple[int, int], names: Mapping[int, End]) -> Link:
    a, b, row = graph.link[min(pair), max(pair)]
    return Link(names[a], names[b], row)


def _moves(
    walk: list[int], links: tuple[Link, ...], names: Mapping[int, End], *, first_is_plan: bool
) -> tuple[tuple[Move, ...], tuple[Link, ...]]:
    """Walk -> the moves that undo it, and the links that still lack a cable then."""
    if first_is_plan:
        moves = tuple(Move(names[walk[i + 2]], names[walk[i]]) for i in range(0, len(walk) - 2, 2))
        return moves, links[len(moves) :]
    moves = tuple(Move(names[walk[i]], names[walk[i + 2]]) for i in range(0, len(walk) - 2, 2))
    return (*moves, Move(names[walk[-2]], None), Move(names[walk[-1]], None)), ()


def _kind(
    links: tuple[Link, ...],
    heard: list[tuple[int, int]],
    moves: tuple[Move, ...],
    *,
    ring: bool,
) -> Kind:
    if ring:
        return Kind.SWAP if len(links) == 2 else Kind.ROTATION
    if not links:
        return Kind.UNEXPECTED
    if len(links) == len(heard) == 1:
        (move,) = moves
        right_device = move.to is not None and move.to[0] == move.at[0]
        return Kind.WRONG_PORT if right_device else Kind.WRONG_DEVICE
    return Kind.CHAIN


def _tangle(graph: _Graph, members: list[int], names: Mapping[int, End]) -> Mistake:
    pairs = sorted({(min(x, y), max(x, y)) for x in members for y in graph.plan.get(x, ())})
    heard = sorted({(min(x, y), max(x, y)) for x in members for y in graph.heard.get(x, ())})
    return Mistake(
        kind=Kind.TANGLE,
        links=tuple(_link(graph, pair, names) for pair in pairs),
        heard=tuple((names[x], names[y]) for x, y in heard),
    )
