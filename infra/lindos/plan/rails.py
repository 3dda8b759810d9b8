"""What a training fabric has to join -> its sizes: leaves of each unit, tiers, spines, cores; or what would do.

Numbers only: no site file, no catalogue. A unit's rail i goes to a leaf of its own, or shares one with its
neighbours where a leaf has room. Every plane is a whole copy of the fabric, at its share of the NIC's speed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.clos import Clos, divisors, fill_pods, leaf_ports, one_tier, size_clos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PLANES = (1, 2, 4)
TIERS = (1, 2, 3)
RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8)
"""Oversubscriptions that are tried where a fabric cannot be built: 7 is the most that a large one is known with."""


@dataclass(frozen=True, slots=True)
class Block:
    """`count` units in a row of one shape: nodes, rails of a node, GPUs of a node."""

    count: int
    nodes: int
    rails: int
    gpus: int = 8


@dataclass(frozen=True, slots=True)
class Demand:
    """What a training fabric has to join at full size, in order of arrival, and with what.

    `ports` are the ports of its switch by speed in Gb/s. `rails_per_leaf` None: as many as a leaf has room for.
    `tiers` None: the fewest that reach. `others` tells of further switches: name -> ports by speed.
    `lids` is how many addresses a plane has where it is a subnet of InfiniBand, and `switch_lids` what a switch takes.
    """

    name: str
    blocks: tuple[Block, ...]
    ports: Mapping[int, int]
    gbps: int
    planes: int = 1
    tiers: int | None = None
    oversubscription: float = 1
    spine_oversubscription: float = 1
    rails_per_leaf: int | None = None
    others: Callable[[], Mapping[str, Mapping[int, int]]] = dict
    lids: int | None = None
    switch_lids: int = 1

    @property
    def nics(self) -> int:
        return sum(b.count * b.nodes * b.rails for b in self.blocks)

    @property
    def plane_gbps(self) -> int:
        return self.gbps // self.planes

    @property
    def radix(self) -> int:
        return self.ports[self.plane_gbps]

    @property
    def gpus(self) -> int:
        return sum(b.count * b.nodes * b.gpus for b in self.blocks)


@dataclass(frozen=True, slots=True)
class UnitShape:
    """Leaves of one unit in each plane: `per_rail` for each group of `rails_per_leaf` rails."""

    leaves: int
    per_rail: int
    nodes_per_leaf: int
    rails_per_leaf: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """A sized fabric: the Clos of one plane, and the shape of a unit of each block."""

    planes: int
    clos: Clos
    shapes: tuple[UnitShape, ...]
    leaves: int
    pods: int

    def count(self) -> dict[str, int]:
        """Switches and links in all planes at full size; node links are those that the leaves have ports for."""
        clos, spines = self.clos, self.pods * self.clos.spines_per_pod
        one = {
            "leaf": self.leaves,
            "spine": spines,
            "core": clos.groups * clos.cores_per_group,
            "leaf_spine": self.leaves * clos.spines_per_pod * clos.leaf_spine,
            "spine_core": spines * clos.cores_per_group * clos.spine_core,
        }
        return {k: n * self.planes for k, n in one.items()}


def unit_shape(block: Block, down: int, rails_per_leaf: int | None) -> UnitShape:
    """A unit's block, ports down of a leaf -> its leaves. A leaf takes whole nodes: all its rails of each."""
    shared = rails_per_leaf or max(k for k in divisors(block.rails) if k == 1 or k * block.nodes <= down)
    per_rail = ceil(block.nodes / (down // shared))
    return UnitShape(block.rails // shared * per_rail, per_rail, ceil(block.nodes / per_rail), shared)


def _checked(demand: Demand) -> None:
    """InfeasibleError where a leaf cannot take what it is asked to: speeds, rails, ports."""
    if demand.plane_gbps * demand.planes != demand.gbps or demand.plane_gbps not in demand.ports:
        offer = ", ".join(f"{n} x {s}G" for s, n in sorted(demand.ports.items()))
        share = f" ({demand.gbps}G over {demand.planes} planes)" if demand.planes > 1 else ""
        raise InfeasibleError(
            Problem(
                f"fabric {demand.name}: its switch has no ports of {demand.gbps / demand.planes:g} Gb/s{share}",
                hint=f"it offers: {offer}",
            )
        )
    down = leaf_ports(demand.radix, demand.oversubscription).down
    shared = demand.rails_per_leaf or 1
    problems = [
        Problem(
            f"fabric {demand.name}: {rails} rails do not divide into leaves of {shared} rails",
            hint=f"rails_per_leaf: {' or '.join(map(str, divisors(rails)))}, or auto",
        )
        for rails in sorted({b.rails for b in demand.blocks})
        if rails % shared
    ]
    if down < shared:
        problems.append(
            Problem(
                f"fabric {demand.name}: a leaf with {down} ports down cannot take {shared} rails of one node",
                hint="lower rails_per_leaf",
            )
        )
    if problems:
        raise InfeasibleError(problems)


def _single(demand: Demand) -> Sizes | None:
    """One unit on one leaf, or on one leaf a rail group where one tier is asked for; None where it is more."""
    if sum(b.count for b in demand.blocks) != 1:
        return None
    block = next(b for b in demand.blocks if b.count)
    shape = unit_shape(block, demand.radix, demand.rails_per_leaf)
    if shape.per_rail > 1 or (shape.leaves > 1 and demand.tiers != 1):
        return None
    shapes = tuple(shape if b is block else unit_shape(b, demand.radix, demand.rails_per_leaf) for b in demand.blocks)
    return Sizes(demand.planes, one_tier(demand.radix, shape.leaves), shapes, shape.leaves, 1)


def _addressed(demand: Demand, sizes: Sizes) -> None:
    """InfeasibleError where a plane has more ports and switches than a subnet of InfiniBand has addresses."""
    if demand.lids is None:
        return
    n = sizes.count()
    switches = (n["leaf"] + n["spine"] + n["core"]) // sizes.planes
    need = demand.nics + switches * demand.switch_lids
    if need > demand.lids:
        raise InfeasibleError(
            Problem(
                f"fabric {demand.name}: {demand.nics:,} NIC ports and {switches:,} switches need {need:,} LIDs, "
                f"an InfiniBand subnet has {demand.lids:,}: {need - demand.lids:,} too many",
                hint="a subnet ends at its unicast LIDs, 0x0001 to 0xBFFF, whatever the switches could join",
            )
        )


def _size(demand: Demand) -> Sizes:
    """Demand -> sizes; InfeasibleError names the limit."""
    sizes = _joined(demand)
    _addressed(demand, sizes)
    return sizes


def _joined(demand: Demand) -> Sizes:
    """Demand -> the sizes that its ports allow."""
    _checked(demand)
    single = _single(demand) if demand.tiers in (None, 1) else None
    if single is not None:
        return single
    radix = demand.radix
    if demand.tiers == 1:
        units = sum(b.count for b in demand.blocks)
        nodes = max(b.nodes for b in demand.blocks)
        most = radix // (demand.rails_per_leaf or 1)
        what = f"{units:,} units" if units > 1 else f"a unit of {nodes:,} nodes: {nodes - most:,} too many"
        raise InfeasibleError(
            Problem(f"fabric {demand.name}: one tier of radix {radix} is one unit of up to {most} nodes, not {what}")
        )
    leaf = leaf_ports(radix, demand.oversubscription)
    shapes = tuple(unit_shape(b, leaf.down, demand.rails_per_leaf) for b in demand.blocks)
    leaves = [s.leaves for b, s in zip(demand.blocks, shapes, strict=True) for _ in range(b.count)]
    clos = size_clos(
        demand.name,
        leaf,
        leaves,
        radix=radix,
        spine=leaf_ports(radix, demand.spine_oversubscription),
        tiers=demand.tiers,
    )
    pods = fill_pods(leaves, clos.leaves_per_pod)[-1] + 1
    return Sizes(demand.planes, clos, shapes, sum(leaves), pods)


def _works(demand: Demand) -> bool:
    try:
        _size(demand)
    except InfeasibleError:
        return False
    return True


def _first(demand: Demand, units: int) -> Demand:
    """The demand of its first units."""
    blocks = []
    for block in demand.blocks:
        blocks.append(replace(block, count=min(block.count, units)))
        units -= blocks[-1].count
    return replace(demand, blocks=tuple(b for b in blocks if b.count))


def _most(demand: Demand) -> int:
    """How many of the first units can be built, found by halving: what joins more joins fewer."""
    low, high = 0, sum(b.count for b in demand.blocks)
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if _works(_first(demand, middle)) else (low, middle)
    return low


def _told(sizes: Sizes) -> str:
    """Sizes -> what that takes, in few words."""
    n = sizes.count()
    parts = [f"{n[t]:,} {t}" for t in ("leaf", "spine", "core") if n[t]]
    return f"{', '.join(parts)} switches"


def _alternatives(demand: Demand) -> Iterator[str]:
    """A demand that cannot be built -> what could be, each change alone, as it would stand in the site file."""
    changes = [(f"tiers: {t}", replace(demand, tiers=t)) for t in TIERS if demand.tiers and t != demand.tiers]
    changes += [(f"planes: {p}", replace(demand, planes=p)) for p in PLANES if p > demand.planes]
    changes += [
        (f"oversubscription: {r:g}", replace(demand, oversubscription=r)) for r in RATIOS if r > demand.oversubscription
    ]
    if demand.rails_per_leaf:
        changes.append(("rails_per_leaf: auto", replace(demand, rails_per_leaf=None)))
    changes += [(f"switch: {name}", replace(demand, ports=ports)) for name, ports in demand.others().items()]
    seen: set[str] = set()
    for text, other in changes:
        key = text.split(":")[0]
        if key not in seen and _works(other):
            seen.add(key)
            yield f"{text} ({_told(_size(other))})"
    most = _most(demand)
    if most:
        few = _first(demand, most)
        yield f"{few.gpus:,} GPUs in {most:,} unit{'s' * (most > 1)} ({_told(_size(few))})"
        units = sum(b.count for b in demand.blocks)
        yield f"{ceil(units / most)} fabrics (islands) of up to {few.gpus:,} GPUs"


def size_rails(demand: Demand) -> Sizes:
    """Demand -> sizes. InfeasibleError says which limit by how much, and what could be built instead."""
    try:
        return _size(demand)
    except InfeasibleError as err:
        first, *rest = err.problems
        hints = [h for h in (first.hint, *(f"what can be built: {a}" for a in _alternatives(demand))) if h]
        raise InfeasibleError([Problem(first.message, hint="\n  hint: ".join(hints)), *rest]) from None
