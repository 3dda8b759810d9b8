"""Facts -> units, pods and racks by logical coordinates: what exists, before it is known where it stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.clos import Clos, LeafPorts, fill_pods, fits, leaf_ports, one_tier, size_clos
from lindos.plan.rails import Block, Demand, UnitShape, size_rails, unit_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.plan.facts import Facts, FleetFacts
    from lindos.spec.model import RdmaFabric, Spec

NETWORK_RACK_FREE_U = 2
"""Rack units kept free in a network rack: one for its out-of-band switch, one for the patch panel."""
CONTROL_ROOM = 16
"""Slots of the shared racks kept for control hosts: as many as a site file may ask for."""


@dataclass(frozen=True, slots=True)
class UnitLayout:
    """One scalable unit. Numbers from 0; `node_slot`, `leaf_slot` are where its nodes and rail leaves start."""

    number: int
    fleet: FleetFacts
    nodes: int
    racks: int
    pod: int
    leaf_in_pod: int
    leaves: int
    leaves_per_rail: int
    nodes_per_leaf: int
    rails_per_leaf: int
    leaf_slot: int
    node_slot: int
    rack_in_pod: int
    network_racks: int
    switches_per_rack: int
    oob_shares: int

    @property
    def positions(self) -> int:
        """Rack positions of a whole unit: nodes, network and row CDUs."""
        return self.fleet.racks_per_unit + self.network_racks + self.fleet.cdus_per_unit

    @property
    def oob_slots(self) -> int:
        """Shares of out-of-band access switches that a whole unit takes."""
        return self.fleet.racks_per_unit * self.oob_shares + self.network_racks

    @property
    def whole(self) -> bool:
        return self.nodes == self.fleet.nodes_per_unit


@dataclass(frozen=True, slots=True)
class RackLayout:
    """A rack by its logical home. `group` racks that belong together stand in one row; `oob_scope` 0 is shared.

    `oob_index` is where its shares of out-of-band access switches start in its scope, `oob_shares` how many it has; a
    rack of kind cooling hangs on the switch of a network rack beside it.
    """

    name: str
    kind: str
    unit: UnitLayout | None
    pod: int | None
    number: int
    oob_scope: int
    oob_index: int
    oob_shares: int
    nodes: int
    group: str


@dataclass(frozen=True, slots=True)
class FrontendLeaf:
    """Side `side` of block `block` of nodes; it stands beside its first node, `nth` of its kind in that unit."""

    number: int
    block: int
    side: int
    unit: int
    nth: int


SharedKey = tuple[str, int, int]
"""A device of the shared racks: its kind (core, fe-spine, fe-core, oob-spine, oob-core, control) and coordinates."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Units, pods and racks of a site, and the sizes of its fabrics.

    `shared` is the slot of every device that the shared racks keep room for; `oob_spots` the out-of-band pod and the
    place in it of access switch (scope, index).
    """

    site: str
    units: tuple[UnitLayout, ...]
    pods: int
    rdma: Clos
    frontend: Clos
    oob: Clos
    frontend_leaves: tuple[FrontendLeaf, ...]
    spine_racks_per_pod: int
    slot_u: int
    switches_per_rack: int
    shared: dict[SharedKey, int]
    oob_spots: dict[tuple[int, int], tuple[int, int]]
    racks: tuple[RackLayout, ...]


Wanted = list[tuple["FleetFacts", int]]
"""Units in order of arrival, each with its fleet and nodes; 0 nodes where room is kept for one."""


@dataclass(frozen=True, slots=True)
class Step:
    """A declaration of growth: `need` are the units that stand before the next, `room` those it keeps room for."""

    need: Wanted
    room: Wanted


def _bought(fleets: tuple[FleetFacts, ...]) -> Wanted:
    return [
        (f, min(f.nodes - start, f.nodes_per_unit)) for f in fleets for start in range(0, f.nodes, f.nodes_per_unit)
    ]


def _steps(spec: Spec, facts: Facts) -> list[Step]:
    """Every declaration of growth in order of arrival: that of the site, and those of fleets that outgrew it.

    Room is counted in units like those of the fleet that declares it: that fleet stands, so that a fleet of another
    shape changes nothing of what was declared.
    """
    fleets = spec.compute.fleets
    said = [(0, max(spec.grows_to or 0, fleets[0].grows_to or 0))]
    said += [(i, f.grows_to) for i, f in enumerate(fleets) if i and f.grows_to]
    out = []
    for (first, gpus), after in zip(said, [*(i for i, _ in said[1:]), len(fleets)], strict=True):
        room, like = _bought(facts.fleets[: first + 1]), facts.fleets[first]
        left = gpus - sum(f.gpus_per_unit for f, _ in room)
        room += [(like, 0)] * max(0, ceil(left / like.gpus_per_unit))
        out.append(Step(_bought(facts.fleets[:after]), room))
    return out


def _block(fleet: FleetFacts, count: int = 1) -> Block:
    return Block(count, fleet.nodes_per_unit, fleet.rails, fleet.gpus_per_node)


def _size_rdma(said: RdmaFabric, facts: Facts, wanted: Wanted) -> Clos:
    """What the site file says of a training fabric and its units at full size -> its Clos."""
    return size_rails(
        Demand(
            name="rdma",
            blocks=tuple(_block(f, len(list(units))) for f, units in groupby(f for f, _ in wanted)),
            ports=facts.rdma.speeds,
            gbps=said.port_gbps,
            tiers=said.tiers,
            oversubscription=said.oversubscription,
            spine_oversubscription=said.spine_oversubscription,
            rails_per_leaf=said.rails_per_leaf,
            others=facts.switches,
        )
    ).clos


def _shapes(said: RdmaFabric, clos: Clos, wanted: Wanted) -> list[UnitShape]:
    """Units and their training fabric -> the leaves of each."""
    return [unit_shape(_block(f), clos.leaf.down, said.rails_per_leaf) for f, _ in wanted]


def _frontend_ports(facts: Facts, ratio: float, node_slots: int) -> LeafPorts:
    """Ports of a front-end leaf: all go down where one switch serves every node."""
    homes = max((f.frontend_ports for f in facts.fleets), default=0)
    if homes <= 1 and node_slots <= facts.frontend.radix:
        return LeafPorts(facts.frontend.radix, 0)
    return leaf_ports(facts.frontend.radix, ratio)


def _size_frontend(facts: Facts, ports: LeafPorts, leaves: int) -> Clos:
    """One switch where all fits on it, else the smallest Clos of independent leaves."""
    radix = facts.frontend.radix
    if not ports.up or not leaves:
        return one_tier(radix)
    return size_clos("frontend", ports, [1] * leaves, spine_radix=radix, spine_up=radix // 2, core_radix=radix)


def _size_oob(facts: Facts, access: int, uplinks: int) -> Clos:
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
    leaf, up = LeafPorts(switch.rj45, uplinks), max(uplinks, above.radix // 16)
    return size_clos("oob", leaf, [1] * access, spine_radix=above.radix, spine_up=up, core_radix=above.radix)


def _network_racks(fleet: FleetFacts, switches: int, per_rack: int) -> tuple[int, int]:
    """Switches that stand in a unit -> its network racks and how many stand in each: full ones, or as many as asked."""
    need, asked = ceil(switches / per_rack), fleet.network_racks_per_unit
    if asked is None:
        return need, per_rack
    if asked < need:
        raise InfeasibleError(
            Problem(
                f"fleet '{fleet.name}': {switches} switches of a unit do not fit into {asked} network racks "
                f"of {per_rack} each",
                hint=f"unit: network_racks: {need}",
            )
        )
    return asked, ceil(switches / asked)


def _units(
    wanted: Wanted,
    shapes: list[UnitShape],
    clos: Clos,
    frontend: LeafPorts,
    per_rack: int,
    spine_racks: int,
    oob_share: int,
) -> tuple[UnitLayout, ...]:
    """Walk the units in order of arrival and hand out slots; appended units change none before them."""
    homed = Counter(leaf.unit for leaf in _frontend_leaves(wanted, frontend.down))
    starts = _node_starts(wanted, frontend.down)
    out: list[UnitLayout] = []
    leaf_slot = 0
    pod, leaf_in_pod, rack_in_pod = -1, 0, 0
    for number, ((fleet, nodes), shape, in_pod) in enumerate(
        zip(wanted, shapes, fill_pods([s.leaves for s in shapes], clos.leaves_per_pod), strict=True)
    ):
        if in_pod != pod:
            pod, leaf_in_pod, rack_in_pod = in_pod, 0, spine_racks
        # Room as if every leaf that serves a node of the unit stood here, whichever unit came before.
        beside = fleet.frontend_ports * (fleet.nodes_per_unit // max(1, frontend.down) + 1)
        net, per_net = _network_racks(fleet, shape.leaves + max(beside, homed.get(number, 0)), per_rack)
        out.append(
            UnitLayout(
                number=number,
                fleet=fleet,
                nodes=nodes,
                racks=ceil(nodes / fleet.nodes_per_rack),
                pod=pod,
                leaf_in_pod=leaf_in_pod,
                leaves=shape.leaves,
                leaves_per_rail=shape.per_rail,
                nodes_per_leaf=shape.nodes_per_leaf,
                rails_per_leaf=shape.rails_per_leaf,
                leaf_slot=leaf_slot,
                node_slot=starts[number],
                rack_in_pod=rack_in_pod,
                network_racks=net,
                switches_per_rack=per_net,
                oob_shares=max(1, ceil(fleet.mgmt_ports_per_rack / oob_share)),
            )
        )
        leaf_slot += shape.per_rail
        leaf_in_pod += shape.leaves
        rack_in_pod += out[-1].oob_slots
    return tuple(out)


def _unit_racks(home: str, unit: UnitLayout) -> list[RackLayout]:
    """A unit -> its racks side by side. Network racks and row CDUs stand in its middle: the longest run to a node is
    half the unit.
    """
    fleet, pod, scope, group = unit.fleet, unit.pod, unit.pod + 1, f"a{unit.number}"
    compute = [
        RackLayout(
            f"{home}-r{r + 1:02}", "compute", unit, pod, r + 1, scope, unit.rack_in_pod + r * unit.oob_shares,
            unit.oob_shares, min(fleet.nodes_per_rack, unit.nodes - r * fleet.nodes_per_rack), group,
        )
        for r in range(unit.racks)
    ]  # fmt: skip
    net_index = unit.rack_in_pod + fleet.racks_per_unit * unit.oob_shares
    network = [
        RackLayout(f"{home}-net{i + 1:02}", "network", unit, pod, i + 1, scope, net_index + i, 1, 0, group)
        for i in range(unit.network_racks)
    ]
    cooling = [
        RackLayout(f"{home}-cdu{i + 1:02}", "cooling", unit, pod, i + 1, scope, net_index, 0, 0, group)
        for i in range(fleet.cdus_per_unit)
    ]
    middle = fleet.racks_per_unit // 2
    return [*compute[:middle], *network, *cooling, *compute[middle:]]


def _node_starts(wanted: Wanted, down: int) -> list[int]:
    """Units in order of arrival -> the node slot at which each begins.

    A new building begins with a front-end leaf of its own: what it holds hangs on no leaf of another building.
    """
    out, at, building = [], 0, wanted[0][0].building
    for fleet, _ in wanted:
        if fleet.building != building:
            building, at = fleet.building, ceil(at / down) * down
        out.append(at)
        at += fleet.nodes_per_unit
    return out


def _frontend_leaves(wanted: Wanted, down: int) -> list[FrontendLeaf]:
    """Units in order of arrival -> the front-end leaves: one for each port of a node, for every `down` node slots.

    A leaf is numbered as it is first needed, so that a fleet with more ports adds leaves and renumbers none.
    """
    out: list[FrontendLeaf] = []
    last, sides = -1, 0
    for unit, ((fleet, _), start) in enumerate(zip(wanted, _node_starts(wanted, down), strict=True)):
        nth = 0
        for block in range(start // down, (start + fleet.nodes_per_unit - 1) // down + 1):
            sides = sides if block == last else 0
            last = block
            for side in range(sides, fleet.frontend_ports):
                out.append(FrontendLeaf(len(out), block, side, unit, nth))
                nth += 1
            sides = max(sides, fleet.frontend_ports)
    return out


def _pod_racks(site: str, pod: int, spine_racks: int) -> list[RackLayout]:
    """The racks of a pod's spines."""
    return [
        RackLayout(f"{site}-p{pod + 1:03}-net{i + 1:02}", "network", None, pod, i + 1, pod + 1, i, 1, 0, f"p{pod}s{i}")
        for i in range(spine_racks)
    ]


class _Walk:
    """Racks, shared slots and access switches as they are handed out in order of arrival; nothing is taken back."""

    def __init__(self, site: str, per_rack: int, spine_racks: int, racks_per_switch: int) -> None:
        self._site, self._per_rack = site, per_rack
        self._spine_racks, self._racks_per_switch = spine_racks, racks_per_switch
        self.racks: list[RackLayout] = []
        self.shared: dict[SharedKey, int] = {}
        self.access: dict[tuple[int, int], int] = {}
        self._shared_racks = 0
        self._pod = -1

    def _rack_places(self, scope: int, first: int, count: int) -> None:
        """Shares of a scope, those kept for partial units included -> a place for each access switch they need."""
        for share in range(first, first + count):
            self.access.setdefault((scope, share // self._racks_per_switch), len(self.access))

    def add_shared(self, keys: Iterator[SharedKey]) -> None:
        """The shared racks of one declaration: what earlier ones hold stays there."""
        start = self._shared_racks * self._per_rack
        new = [k for k in keys if k not in self.shared]
        self.shared.update((k, start + i) for i, k in enumerate(new))
        first, count = self._shared_racks, ceil(len(new) / self._per_rack)
        self.racks += [
            RackLayout(f"{self._site}-net{i + 1:02}", "network", None, None, i + 1, 0, i, 1, 0, f"net{i}")
            for i in range(first, first + count)
        ]
        self._rack_places(0, first, count)
        self._shared_racks += count

    def add_unit(self, unit: UnitLayout) -> None:
        """A unit with its racks, and its pod's spines before the first."""
        if unit.pod != self._pod:
            self._pod = unit.pod
            self.racks += _pod_racks(self._site, unit.pod, self._spine_racks)
            self._rack_places(unit.pod + 1, 0, self._spine_racks)
        self.racks += _unit_racks(f"{self._site}-a{unit.number + 1:04}", unit)
        self._rack_places(unit.pod + 1, unit.rack_in_pod, unit.oob_slots)


def _shared_keys(rdma: Clos, frontend: Clos, frontend_pods: int, scopes: int, uplinks: int) -> Iterator[SharedKey]:
    """Sizes -> everything that the shared racks keep room for, in order.

    Out-of-band: a set of `uplinks` spines for each scope and as many cores again is the most there can be.
    """
    yield from (("core", g, c) for g in range(rdma.groups) for c in range(rdma.cores_per_group))
    yield from (("fe-spine", p, s) for p in range(frontend_pods) for s in range(frontend.spines_per_pod))
    yield from (("fe-core", g, c) for g in range(frontend.groups) for c in range(frontend.cores_per_group))
    yield from (("oob-spine", p, s) for p in range(scopes) for s in range(uplinks))
    yield from (("oob-core", g, c) for g in range(uplinks) for c in range(scopes))
    yield from (("control", i, 0) for i in range(CONTROL_ROOM))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The fabrics of one declaration, and the units that it keeps room for."""

    rdma: Clos
    frontend_ports: LeafPorts
    frontend: Clos
    frontend_pods: int
    scopes: int
    full: tuple[UnitLayout, ...]


def _size(spec: Spec, facts: Facts, step: Step, per_rack: int, oob_share: int) -> _Sizes:
    """A declaration -> its fabrics: those of the room declared, or of the units that stand where they do not fit."""
    fabrics, rdma, wanted = spec.fabrics, spec.fabrics.rdma, step.room
    clos, needed = (_size_rdma(rdma, facts, wanted) for wanted in (step.room, step.need))
    if not fits([s.leaves for s in _shapes(rdma, clos, step.need)], clos):
        clos, wanted = needed, step.need
    nodes = max(sum(f.nodes_per_unit for f, _ in units) for units in (step.room, step.need))
    below = _frontend_ports(facts, fabrics.frontend.oversubscription, nodes)
    leaves = max(len(_frontend_leaves(units, below.down)) for units in (step.room, step.need))
    frontend = _size_frontend(facts, below, leaves)
    spine_racks = ceil(clos.spines_per_pod / per_rack)
    full = _units(wanted, _shapes(rdma, clos, wanted), clos, below, per_rack, spine_racks, oob_share)
    pods = fill_pods([s.leaves for s in _shapes(rdma, clos, step.need)], clos.leaves_per_pod)[-1] + 1
    scopes = 1 + max(full[-1].pod + 1, pods)
    return _Sizes(clos, below, frontend, ceil(leaves / frontend.leaves_per_pod), scopes, full)


def _access_switches(walk: _Walk, full: tuple[UnitLayout, ...], spine_racks: int, per_switch: int) -> int:
    """What stands and what room is kept for -> access switches at full size."""
    ends: dict[int, int] = {}
    for unit in full:
        ends[unit.pod] = unit.rack_in_pod + unit.oob_slots
    shared = sum(1 for scope, _ in walk.access if not scope)
    return max(len(walk.access), shared + sum(ceil(max(e, spine_racks) / per_switch) for e in ends.values()))


def lay_out(spec: Spec, facts: Facts) -> Layout:
    """Spec and facts -> Layout: units and racks by coordinates, fabrics sized for the declared growth.

    InfeasibleError where a fabric cannot join what is asked for.
    """
    fabrics = spec.fabrics
    heights = [
        facts.rdma.device.u_height,
        facts.frontend.device.u_height,
        facts.oob_aggregation.device.u_height if facts.oob_aggregation else 1,
    ]
    slot_u = max(heights)
    # The racks of the first hall are the measure: a hall that is added later renames nothing.
    per_rack = (spec.halls[0].rack_height_u - NETWORK_RACK_FREE_U) // slot_u
    per_switch = fabrics.oob.racks_per_switch
    oob_share = max(1, (facts.oob.rj45 or facts.oob.radix) // per_switch)
    steps = _steps(spec, facts)
    sizes = [_size(spec, facts, step, per_rack, oob_share) for step in steps]
    now, need = sizes[-1], steps[-1].need
    spine_racks = ceil(now.rdma.spines_per_pod / per_rack)
    shapes = _shapes(fabrics.rdma, now.rdma, need)
    units = _units(need, shapes, now.rdma, now.frontend_ports, per_rack, spine_racks, oob_share)
    walk, done = _Walk(spec.site, per_rack, spine_racks, per_switch), 0
    for step, sized in zip(steps, sizes, strict=True):
        keys = _shared_keys(sized.rdma, sized.frontend, sized.frontend_pods, sized.scopes, fabrics.oob.uplinks)
        walk.add_shared(keys)
        for unit in units[done : len(step.need)]:
            walk.add_unit(unit)
        done = len(step.need)
    oob = _size_oob(facts, _access_switches(walk, now.full, spine_racks, per_switch), fabrics.oob.uplinks)
    return Layout(
        site=spec.site,
        units=units,
        pods=units[-1].pod + 1,
        rdma=now.rdma,
        frontend=now.frontend,
        oob=oob,
        frontend_leaves=tuple(_frontend_leaves(need, now.frontend_ports.down)),
        spine_racks_per_pod=spine_racks,
        slot_u=slot_u,
        switches_per_rack=per_rack,
        shared=walk.shared,
        oob_spots={key: divmod(place, oob.leaves_per_pod) for key, place in walk.access.items()},
        racks=tuple(walk.racks),
    )
