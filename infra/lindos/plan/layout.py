"""Facts -> units, pods and racks by logical coordinates: what exists, before it is known where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.clos import Clos, LeafPorts, fill_pods, leaf_ports, one_tier, size_clos
from lindos.plan.rails import Block, Demand, UnitShape, size_rails

if TYPE_CHECKING:
    from lindos.plan.facts import Facts, FleetFacts, SwitchFacts
    from lindos.spec.model import RdmaFabric, Spec

NETWORK_RACK_FREE_U = 2
"""Rack units kept free in a network rack: one for its out-of-band switch, one for the patch panel."""


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
class SharedSlots:
    """Where the switches of each kind start in the shared racks, counted in slots; sized for the full site."""

    frontend_spines: int
    frontend_cores: int
    oob: int
    services: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Units, pods and racks of a site, and the sizes of its fabrics."""

    site: str
    units: tuple[UnitLayout, ...]
    pods: int
    pods_full: int
    rdma: Clos
    frontend: Clos
    oob: Clos
    frontend_homes: int
    frontend_pods: int
    oob_per_scope: int
    oob_shared: int
    spine_racks_per_pod: int
    slot_u: int
    switches_per_rack: int
    shared: SharedSlots
    racks: tuple[RackLayout, ...]


def _unit_nodes(facts: Facts, grows_to: int) -> tuple[list[tuple[FleetFacts, int]], int]:
    """Every unit as (fleet, nodes), today's first and then those of the declared growth; how many are today's."""
    out: list[tuple[FleetFacts, int]] = []
    for fleet in facts.fleets:
        left = fleet.nodes
        while left > 0:
            out.append((fleet, min(left, fleet.nodes_per_unit)))
            left -= fleet.nodes_per_unit
    today = len(out)
    room = sum(f.gpus_per_unit for f, _ in out)
    last = facts.fleets[-1]
    out += [(last, 0)] * max(0, ceil((grows_to - room) / last.gpus_per_unit))
    return out, today


def _size_rdma(said: RdmaFabric, facts: Facts, wanted: list[tuple[FleetFacts, int]]) -> tuple[Clos, list[UnitShape]]:
    """What the site file says of a training fabric and its units at full size -> its Clos and the shape of each."""
    blocks = [(fleet, len(list(units))) for fleet, units in groupby(f for f, _ in wanted)]
    sizes = size_rails(
        Demand(
            name="rdma",
            blocks=tuple(Block(n, f.nodes_per_unit, f.rails, f.gpus_per_node) for f, n in blocks),
            ports=facts.rdma.speeds,
            gbps=said.port_gbps,
            tiers=said.tiers,
            oversubscription=said.oversubscription,
            spine_oversubscription=said.spine_oversubscription,
            rails_per_leaf=said.rails_per_leaf,
            others=facts.switches,
        )
    )
    return sizes.clos, [shape for (_, n), shape in zip(blocks, sizes.shapes, strict=True) for _ in range(n)]


def _flat_or_clos(name: str, switch: SwitchFacts, ratio: float, leaves_at: dict[int, list[int]]) -> Clos:
    """A fabric of independent leaves: one switch where all fits on it, else the smallest Clos."""
    ports = leaf_ports(switch.radix, ratio)
    if sum(leaves_at[switch.radix]) <= 1:
        return one_tier(switch.radix)
    return size_clos(
        name,
        ports,
        leaves_at[ports.down],
        spine_radix=switch.radix,
        spine_up=switch.radix // 2,
        core_radix=switch.radix,
    )


def _size_frontend(facts: Facts, ratio: float, node_slots: int) -> tuple[Clos, int]:
    homes = max((f.frontend_ports for f in facts.fleets), default=0)
    switch = facts.frontend
    leaves_at = {d: [homes] * ceil(node_slots / d) for d in (switch.radix, leaf_ports(switch.radix, ratio).down)}
    return _flat_or_clos("frontend", switch, ratio, leaves_at), homes


def _size_oob(facts: Facts, scopes: int, per_scope: int, shared: int, uplinks: int) -> Clos:
    """Access switches of every scope (pod, or shared racks) at full size -> the out-of-band tree."""
    switch, above = facts.oob, facts.oob_aggregation
    if scopes * per_scope + shared == 1:
        return one_tier(switch.rj45 or switch.radix)
    if above is None:
        raise InfeasibleError(
            Problem(
                f"fabric oob: {scopes * per_scope + shared:,} access switches and nothing to join them",
                hint="fabrics: oob: aggregation: SWITCH, with ports of the speed of the access switch's uplinks",
            )
        )
    if uplinks > switch.radix:
        raise InfeasibleError(
            Problem(f"fabric oob: {uplinks} uplinks asked for, {switch.device.product} has {switch.radix}")
        )
    leaf = LeafPorts(switch.rj45, uplinks)
    return size_clos(
        "oob",
        leaf,
        [per_scope] * scopes + [shared],
        spine_radix=above.radix,
        spine_up=max(uplinks, above.radix // 16),
        core_radix=above.radix,
    )


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
    wanted: list[tuple[FleetFacts, int]],
    shapes: list[UnitShape],
    clos: Clos,
    frontend: LeafPorts,
    per_rack: int,
    spine_racks: int,
    oob_share: int,
) -> tuple[UnitLayout, ...]:
    """Walk the units in order of arrival and hand out slots; appended units change none before them."""
    out: list[UnitLayout] = []
    leaf_slot = node_slot = 0
    pod, leaf_in_pod, rack_in_pod = -1, 0, 0
    for number, ((fleet, nodes), shape, in_pod) in enumerate(
        zip(wanted, shapes, fill_pods([s.leaves for s in shapes], clos.leaves_per_pod), strict=True)
    ):
        if in_pod != pod:
            pod, leaf_in_pod, rack_in_pod = in_pod, 0, spine_racks
        frontend_leaves = fleet.frontend_ports * (fleet.nodes_per_unit // max(1, frontend.down) + 1)
        net, per_net = _network_racks(fleet, shape.leaves + frontend_leaves, per_rack)
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
                node_slot=node_slot,
                rack_in_pod=rack_in_pod,
                network_racks=net,
                switches_per_rack=per_net,
                oob_shares=max(1, ceil(fleet.mgmt_ports_per_rack / oob_share)),
            )
        )
        leaf_slot += shape.per_rail
        node_slot += fleet.nodes_per_unit
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


def _racks(
    site: str, units: tuple[UnitLayout, ...], pods: int, spine_racks: int, shared_racks: int
) -> tuple[RackLayout, ...]:
    """Every rack in the order in which the floor is filled: shared, then pod by pod its spines and its units."""
    out = [
        RackLayout(f"{site}-net{i + 1:02}", "network", None, None, i + 1, 0, i, 1, 0, f"net{i}")
        for i in range(shared_racks)
    ]
    by_pod: dict[int, list[UnitLayout]] = {p: [] for p in range(pods)}
    for unit in units:
        by_pod[unit.pod].append(unit)
    for pod, members in by_pod.items():
        out += [
            RackLayout(
                f"{site}-p{pod + 1:03}-net{i + 1:02}",
                "network",
                None,
                pod,
                number=i + 1,
                oob_scope=pod + 1,
                oob_index=i,
                oob_shares=1,
                nodes=0,
                group=f"p{pod}s{i}",
            )
            for i in range(spine_racks)
        ]
        for unit in members:
            out += _unit_racks(f"{site}-a{unit.number + 1:04}", unit)
    return tuple(out)


def _shared_slots(clos: Clos, frontend: Clos, frontend_pods: int, scopes: int, uplinks: int) -> tuple[SharedSlots, int]:
    """Sizes -> where each kind starts in the shared racks, and slots in all (services and room for 8 more included)."""
    spines = clos.groups * clos.cores_per_group
    cores = spines + frontend_pods * frontend.spines_per_pod
    oob = cores + frontend.groups * frontend.cores_per_group
    # Out-of-band: a set of `uplinks` spines for each scope and as many cores again is the most there can be.
    services = oob + (scopes + 1) * uplinks * 2
    return SharedSlots(spines, cores, oob, services), services + 8


def lay_out(spec: Spec, facts: Facts) -> Layout:
    """Spec and facts -> Layout: units and racks by coordinates, fabrics sized for the declared growth.

    InfeasibleError where a fabric cannot join what is asked for.
    """
    fabrics = spec.fabrics
    everything, today = _unit_nodes(facts, max(spec.grows_to or 0, spec.gpus))
    clos, shapes = _size_rdma(fabrics.rdma, facts, everything)
    node_slots = sum(f.nodes_per_unit for f, _ in everything)
    frontend, homes = _size_frontend(facts, fabrics.frontend.oversubscription, node_slots)
    frontend_pods = ceil(homes * ceil(node_slots / frontend.leaf.down) / frontend.leaves_per_pod)

    heights = [
        facts.rdma.device.u_height,
        facts.frontend.device.u_height,
        facts.oob_aggregation.device.u_height if facts.oob_aggregation else 1,
    ]
    slot_u = max(heights)
    per_rack = (min(h.rack_height_u for h in spec.halls) - NETWORK_RACK_FREE_U) // slot_u
    spine_racks = ceil(clos.spines_per_pod / per_rack)
    per_switch = fabrics.oob.racks_per_switch
    oob_share = max(1, (facts.oob.rj45 or facts.oob.radix) // per_switch)
    full = _units(everything, shapes, clos, frontend.leaf, per_rack, spine_racks, oob_share)
    units, scopes, pods = full[:today], full[-1].pod + 1, full[today - 1].pod + 1

    shared, slots = _shared_slots(clos, frontend, frontend_pods, scopes, fabrics.oob.uplinks)
    shared_racks = ceil(slots / per_rack)
    per_scope = ceil(max(u.rack_in_pod + u.oob_slots for u in full) / per_switch)
    oob_shared = ceil(shared_racks / per_switch)
    return Layout(
        site=spec.site,
        units=units,
        pods=pods,
        pods_full=scopes,
        rdma=clos,
        frontend=frontend,
        oob=_size_oob(facts, scopes, per_scope, oob_shared, fabrics.oob.uplinks),
        frontend_homes=homes,
        frontend_pods=frontend_pods,
        oob_per_scope=per_scope,
        oob_shared=oob_shared,
        spine_racks_per_pod=spine_racks,
        slot_u=slot_u,
        switches_per_rack=per_rack,
        shared=shared,
        racks=_racks(spec.site, units, pods, spine_racks, shared_racks),
    )


def oob_position(layout: Layout, scope: int, index: int) -> tuple[int, int]:
    """Scope (0 shared, else pod from 1) and access switch in it -> (out-of-band pod, leaf in that pod).

    The shared scope comes after the pods of the declared growth, so that pods added within it move no port.
    """
    sizes = [layout.oob_per_scope] * layout.pods_full + [layout.oob_shared]
    pods = fill_pods(sizes, layout.oob.leaves_per_pod)
    place = (scope or len(sizes)) - 1
    if place >= layout.pods_full and scope:
        raise AssertionError("a scope past the declared growth")
    before = sum(size for size, pod in zip(sizes[:place], pods[:place], strict=True) if pod == pods[place])
    return pods[place], before + index
