"""Site file and facts -> the size of each fabric, declaration by declaration.

A training fabric is sized for its own growth; front end, storage and management for that of all of them, or for the
site's `grows_to` where that is more: then a training fabric that is appended within it moves nothing of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.clos import Clos, LeafPorts, fill_pods, fits, leaf_ports, one_tier, size_clos
from lindos.plan.infiniband import LIDS
from lindos.plan.rails import Block, Demand, UnitShape, size_rails, unit_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lindos.plan.facts import Facts, FleetFacts, NorthSouthFacts, SwitchFacts, TrainingFacts
    from lindos.spec.model import Spec

NETWORK_RACK_FREE_U = 2
"""Rack units kept free in a network rack: one for its out-of-band switch, one for the patch panel."""
Wanted = list[tuple["FleetFacts", int]]
"""Units in order of arrival, each with its fleet and nodes; 0 nodes where room is kept for one."""


@dataclass(frozen=True, slots=True)
class Step:
    """A declaration of growth: `need` are the units that stand before the next, `rooms` those that each training
    fabric keeps room for by then, `kept` those of the site.
    """

    need: Wanted
    rooms: dict[int, Wanted]
    kept: Wanted


@dataclass(frozen=True, slots=True)
class BlockLeaf:
    """A leaf beside training: side `side` of a block of slots for nodes or servers, which have a port on each side.

    It stands beside the first of them, `nth` of its kind in that home: a unit, or a rack of servers.
    """

    number: int
    block: int
    side: int
    home: int
    nth: int


@dataclass(frozen=True, slots=True)
class NorthSouth:
    """A network beside training: ports of its leaves, and its Clos."""

    facts: NorthSouthFacts
    leaf: LeafPorts
    clos: Clos


@dataclass(frozen=True, slots=True)
class Training:
    """A training fabric with the Clos of one plane; `slot_u`, `per_rack`: slots for switches of its network racks."""

    facts: TrainingFacts
    planes: int
    clos: Clos
    slot_u: int
    per_rack: int

    def placed(self, fleets: Iterable[FleetFacts]) -> list[tuple[UnitShape, int]]:
        """The fleet of each of its units, in order -> the leaves of each, and its pod."""
        down, shared = self.clos.leaf.down, self.facts.said.rails_per_leaf
        known: dict[int, UnitShape] = {}
        shapes = []
        for f in fleets:
            if f.number not in known:
                known[f.number] = unit_shape(_block(f), down, shared)
            shapes.append(known[f.number])
        return list(zip(shapes, fill_pods([s.leaves for s in shapes], self.clos.leaves_per_pod), strict=True))

    @property
    def cores(self) -> int:
        return self.planes * self.clos.groups * self.clos.cores_per_group


@dataclass(frozen=True, slots=True)
class SiteSizes:
    """The fabrics after one declaration; `full` are the units that the training fabrics keep room for, `kept` those
    that the site does. `training` are those that have arrived.
    """

    training: dict[int, Training]
    north_south: tuple[NorthSouth, ...]
    full: Wanted
    kept: Wanted


def _bought(fleets: Iterable[FleetFacts]) -> Wanted:
    return [
        (f, min(f.nodes - start, f.nodes_per_unit)) for f in fleets for start in range(0, f.nodes, f.nodes_per_unit)
    ]


def _with_room(units: Wanted, like: FleetFacts, gpus: int) -> Wanted:
    """Units and the GPUs to keep room for -> with the empty units that are lacking, in the shape of a fleet."""
    left = gpus - sum(f.gpus_per_unit for f, _ in units)
    return units + [(like, 0)] * max(0, ceil(left / like.gpus_per_unit))


def steps(spec: Spec, facts: Facts) -> list[Step]:
    """Every declaration of growth in order of arrival: that of each training fabric with its first fleet, and those of
    fleets that outgrew it.

    Room is counted in units like those of the fleet that declares it: that fleet stands, so that a fleet of another
    shape changes nothing of what was declared.
    """
    fleets, said = facts.fleets, spec.compute.fleets
    arrived: set[int] = set()
    declared = []
    for i, fleet in enumerate(fleets):
        gpus = said[i].grows_to or 0
        if fleet.fabric not in arrived:
            of_site = 0 if fleet.fabric else spec.grows_to or 0
            gpus = max(gpus, facts.training[fleet.fabric].said.grows_to or of_site)
        if gpus or fleet.fabric not in arrived:
            declared.append((i, gpus))
        arrived.add(fleet.fabric)
    rooms: dict[int, Wanted] = {}
    kept: Wanted = []
    out = []
    for (first, gpus), after in zip(declared, [*(i for i, _ in declared[1:]), len(fleets)], strict=True):
        like = fleets[first]
        mine = _bought(f for f in fleets[: first + 1] if f.fabric == like.fabric)
        rooms = rooms | {like.fabric: _with_room(mine, like, gpus)}
        if not like.fabric:
            kept = _with_room(rooms[0], like, spec.grows_to or 0)
        out.append(Step(_bought(fleets[:after]), rooms, kept))
    return out


def _block(fleet: FleetFacts, count: int = 1) -> Block:
    return Block(count, fleet.nodes_per_unit, fleet.rails, fleet.gpus_per_node)


def _clos(facts: Facts, fabric: TrainingFacts, wanted: Wanted) -> Clos:
    """A training fabric and its units at full size -> its Clos. InfeasibleError says what could be built instead."""
    said, switch = fabric.said, fabric.switch
    # A switch and what reduces collectives in it have a LID each, for every one of its ASICs.
    sharp = bool(said.infiniband and said.infiniband.sharp)
    return size_rails(
        Demand(
            name=fabric.name,
            blocks=tuple(_block(f, len(list(units))) for f, units in groupby(f for f, _ in wanted)),
            ports=switch.speeds,
            gbps=said.port_gbps,
            planes=said.planes,
            tiers=said.tiers,
            oversubscription=said.oversubscription,
            spine_oversubscription=said.spine_oversubscription,
            rails_per_leaf=said.rails_per_leaf,
            others=lambda: {n: p.speeds for n, p in facts.switches().items() if p.infiniband == switch.infiniband},
            lids=LIDS if switch.infiniband else None,
            switch_lids=switch.asics * (1 + sharp),
        )
    ).clos


def _of(wanted: Wanted, number: int) -> Wanted:
    return [u for u in wanted if u[0].fabric == number]


def _training(spec: Spec, facts: Facts, number: int, step: Step) -> tuple[Training, Wanted]:
    """A training fabric after a declaration: that of the room declared, or of what stands where that does not fit."""
    fabric, need = facts.training[number], _of(step.need, number)
    beside = (n.switch for n in facts.north_south)
    slot_u = max(s.device.u_height for s in (fabric.switch, *beside, facts.oob_aggregation, facts.oob_core) if s)
    # The racks of the first hall are the measure: a hall that is added later renames nothing.
    per_rack = (spec.halls[0].rack_height_u - NETWORK_RACK_FREE_U) // slot_u
    full = step.rooms[number]
    out = Training(fabric, fabric.said.planes, _clos(facts, fabric, full), slot_u, per_rack)
    if not fits([shape.leaves for shape, _ in out.placed(f for f, _ in need)], out.clos):
        full = need
        out = Training(fabric, fabric.said.planes, _clos(facts, fabric, full), slot_u, per_rack)
    return out, full


def site_sizes(spec: Spec, facts: Facts, step: Step, server_leaves: int) -> SiteSizes:
    """A declaration, and the leaves that storage servers need -> the fabrics of the site after it."""
    sized = {number: _training(spec, facts, number, step) for number in sorted(step.rooms)}
    training = {number: fabric for number, (fabric, _) in sized.items()}
    full = [unit for _, units in sized.values() for unit in units]
    every = [[u for room in step.rooms.values() for u in room], step.need, step.kept]
    north_south = []
    for fabric in facts.north_south:
        leaf = ports_of(fabric)
        leaves = max(len(node_leaves(units, fabric.name, leaf.down)) for units in every)
        leaves += server_leaves if fabric.name == facts.of_storage else 0
        clos = _size_north_south(fabric, leaf, leaves)
        north_south.append(NorthSouth(fabric, leaf, clos))
    return SiteSizes(training, tuple(north_south), full, step.kept)


def node_starts(wanted: Wanted, down: int) -> list[int]:
    """Units in order of arrival, ports down of a leaf beside training -> the node slot at which each begins.

    A new building begins with a leaf of its own: what it holds hangs on no leaf of another building.
    """
    out, at = [], 0
    building = wanted[0][0].building if wanted else None
    for fleet, _ in wanted:
        if fleet.building != building:
            building, at = fleet.building, ceil(at / down) * down
        out.append(at)
        at += fleet.nodes_per_unit
    return out


def block_leaves(homes: Iterable[tuple[int, int, int]], down: int) -> list[BlockLeaf]:
    """Homes in order of arrival (ports of an endpoint, first slot, slots) -> their leaves: one for each port of an
    endpoint, for every `down` slots.

    A leaf is numbered as it is first needed, so that a home with more ports adds leaves and renumbers none.
    """
    out: list[BlockLeaf] = []
    last, sides = -1, 0
    for home, (ports, start, slots) in enumerate(homes):
        nth = 0
        for block in range(start // down, (start + slots - 1) // down + 1):
            sides = sides if block == last else 0
            last = block
            for side in range(sides, ports):
                out.append(BlockLeaf(len(out), block, side, home, nth))
                nth += 1
            sides = max(sides, ports)
    return out


def node_leaves(wanted: Wanted, fabric: str, down: int) -> list[BlockLeaf]:
    """Units in order of arrival -> the leaves of a network beside training that their nodes hang on."""
    starts = node_starts(wanted, down)
    homes = ((f.nics[fabric].count, at, f.nodes_per_unit) for (f, _), at in zip(wanted, starts, strict=True))
    return block_leaves(homes, down)


def ports_of(fabric: NorthSouthFacts) -> LeafPorts:
    """A network beside training -> the ports of its leaves; the same whatever hangs there."""
    leaf = leaf_ports(fabric.switch.radix, fabric.oversubscription)
    if not leaf.down:
        raise InfeasibleError(
            Problem(
                f"fabric {fabric.name}: a leaf of {fabric.switch.radix} ports has none left for what hangs below it "
                f"at {fabric.oversubscription:g}:1",
                hint=f"raise fabrics: {fabric.name}: oversubscription, or take a switch with more ports",
            )
        )
    return leaf


def _size_north_south(fabric: NorthSouthFacts, leaf: LeafPorts, leaves: int) -> Clos:
    """One leaf alone, or the smallest Clos of independent leaves.

    The ports of a leaf that lead up are kept free where it is alone, so that another moves nothing of it.
    """
    radix = fabric.switch.radix
    if leaves <= 1:
        return one_tier(radix)
    spine = LeafPorts(radix - radix // 2, radix // 2)
    return size_clos(fabric.name, leaf, [1] * leaves, radix=radix, spine=spine)


def oob_spine(above: SwitchFacts, uplinks: int) -> LeafPorts:
    """The switch that joins access switches -> its ports as a spine, where there are cores."""
    up = max(uplinks, above.radix // 16)
    return LeafPorts(above.radix - up, up)


def size_oob(facts: Facts, access: int, uplinks: int) -> Clos:
    """Access switches at full size -> the out-of-band tree."""
    switch, above = facts.oob, facts.oob_aggregation
    if access == 1:
        return one_tier(switch.rj45 or switch.radix)
    if above is None:
        raise InfeasibleError(
            Problem(
                f"fabric oob: {access:,} access switches and nothing to join them",
                hint="fabrics: oob: aggregation: SWITCH, with ports of the speed of the access switch's uplinks",
            )
        )
    if uplinks > switch.radix:
        raise InfeasibleError(
            Problem(f"fabric oob: {uplinks} uplinks asked for, {switch.device.product} has {switch.radix}")
        )
    spine, top = oob_spine(above, uplinks), (facts.oob_core or above).radix
    try:
        return size_clos("oob", LeafPorts(switch.rj45, uplinks), [1] * access, radix=above.radix, spine=spine, core=top)
    except InfeasibleError as err:
        pods = ceil(access / spine.down)
        known = facts.switches().items()
        offers = sorted(n for n, p in known if not p.infiniband and p.speeds.get(above.gbps, 0) >= pods)
        told = f", such as {', '.join(offers)}" if offers else ""
        hint = f"fabrics: oob: core: a switch with {pods} ports of {above.gbps} Gb/s{told}; or more racks_per_switch"
        raise InfeasibleError([Problem(p.message, hint=hint) for p in err.problems]) from None
