"""Facts -> units, pods and racks by logical coordinates: what exists, before it is known where it stands.

Units, pods, racks, slots and access switches are handed out in order of arrival over the whole site: growth of one
training fabric moves and renumbers nothing of another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.clos import one_tier
from lindos.plan.sizing import Wanted, node_leaves, node_starts, site_sizes, size_oob, steps
from lindos.plan.storage import servers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lindos.plan.clos import Clos, LeafPorts
    from lindos.plan.facts import Facts, FleetFacts, NorthSouthFacts
    from lindos.plan.sizing import BlockLeaf, NorthSouth, SiteSizes, Training
    from lindos.plan.storage import Servers
    from lindos.spec.model import Spec

CONTROL_ROOM = 16
"""Slots of the shared racks kept for control hosts: as many as a site file may ask for."""
SEATS = 128
"""Nodes in one slot of the address plan: a leaf with more takes several slots."""
SWITCHES = 128
"""Access switches under one scope number of the address plan: a scope with more takes several numbers."""
SCOPES = 511
"""Numbers of scopes in the address plan, but for the last, which has no /64 in IPv6; those of storage count from the
end."""
STORAGE = "st"
"""Scope of the racks of storage servers."""
SHARED = "net"
"""Scope of the racks that all share; those of an island alone are `NAME-net`."""

CONTROL = "control"
SIDES = (0, 1)
Key = tuple[str, int, int]
"""A device that racks keep a slot for: its kind (core, fe-spine, st-spine, oob-core, control, ...) and place."""


def side_of(key: Key) -> int:
    """A device that racks keep a slot for -> the side that it stands on: what stands for it is on the other, 0 or 1.

    The spines of a pod take the sides in turn; of cores both those of a spine and those of a leaf do. Control hosts
    stand on one: a site so small that it has nothing else for the other has one rack.
    """
    kind, first, second = key
    if kind == CONTROL:
        return 0
    return (second if kind.endswith("spine") else first + second) % 2


@dataclass(frozen=True, slots=True)
class PodLayout:
    """A pod of a training fabric: `number` in that fabric, `serial` and `first_spine` by arrival over the site."""

    name: str
    fabric: int
    number: int
    serial: int
    first_spine: int


@dataclass(frozen=True, slots=True)
class UnitLayout:
    """One scalable unit. Numbers from 0; `node_slots`, `leaf_slot` are where its nodes and rail leaves start.

    `leaves` are those of one plane; `leaf_number` counts all before it, `slots_per_leaf` are in the address plan.
    Of each network beside training: `node_slots`, and `beside`, its first slot for such leaves in its network racks.
    """

    number: int
    fleet: FleetFacts
    nodes: int
    racks: int
    pod: PodLayout
    planes: int
    leaf_in_pod: int
    leaves: int
    leaves_per_rail: int
    nodes_per_leaf: int
    rails_per_leaf: int
    leaf_number: int
    leaf_slot: int
    slots_per_leaf: int
    node_slots: tuple[int, ...]
    beside: tuple[int, ...]
    rack_in_pod: int
    network_racks: int
    switches_per_rack: int
    oob_shares: int

    @property
    def name(self) -> str:
        return f"a{self.number + 1:04}"

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
    """A rack by its logical home. `group` racks that belong together stand in one row.

    `oob_index` is where its shares of out-of-band access switches start in its `scope`, `oob_shares` how many it has; a
    rack of kind cooling hangs on the switch of a network rack beside it. `slot_u`, `slots`: of a network rack, the
    rack units of a slot for a switch and how many there are; else 0. `side`: of racks that stand for each other, on
    which side it is.
    """

    name: str
    kind: str
    unit: UnitLayout | None
    pod: str | None
    number: int
    scope: str
    oob_index: int
    oob_shares: int
    nodes: int
    group: str
    slot_u: int = 0
    slots: int = 0
    side: int = 0


@dataclass(frozen=True, slots=True)
class NorthSouthLayout:
    """A network beside training: its leaves for nodes, by unit, and for storage servers, by rack of them."""

    facts: NorthSouthFacts
    leaf: LeafPorts
    clos: Clos
    node_leaves: tuple[BlockLeaf, ...]
    server_leaves: tuple[BlockLeaf, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Units, pods and racks of a site, and the sizes of its fabrics.

    `slots` tells of every device that shared racks keep room for where it has its slot, by their scope; `oob_spots`
    the out-of-band pod and the place in it of access switch (scope, index); `oob_numbers` the number in the address
    plan of every `SWITCHES` access switches of a scope. `pod_leaves` is how many leaves of a plane each pod was to
    have when it was declared, `pods_declared` how many pods each scope of shared racks was to serve.
    """

    site: str
    units: tuple[UnitLayout, ...]
    pods: tuple[PodLayout, ...]
    training: tuple[Training, ...]
    north_south: tuple[NorthSouthLayout, ...]
    servers: Servers
    oob: Clos
    slots: dict[str, dict[Key, int]]
    oob_spots: dict[tuple[str, int], tuple[int, int]]
    oob_numbers: dict[tuple[str, int], int]
    racks: tuple[RackLayout, ...]
    pod_leaves: dict[str, int]
    pods_declared: dict[str, int]

    def oob_number(self, scope: str, index: int) -> tuple[int, int]:
        """An access switch of a scope -> scope number and index of its addresses."""
        block, rest = divmod(index, SWITCHES)
        return self.oob_numbers[scope, block], rest


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


def _spine_racks(fabric: Training) -> int:
    return ceil(fabric.clos.spines_per_pod * fabric.planes / fabric.per_rack)


@dataclass(slots=True)
class _At:
    """Where the walk over the units stands in one training fabric."""

    nth: int = 0
    pod: PodLayout | None = None
    leaf_in_pod: int = 0
    rack_in_pod: int = 0


def _units(
    wanted: Wanted, training: tuple[Training, ...], north_south: tuple[NorthSouth, ...], oob_share: int
) -> tuple[UnitLayout, ...]:
    """Walk the units in order of arrival and hand out slots; appended units change none before them."""
    homed = [Counter(leaf.home for leaf in node_leaves(wanted, n.facts.name, n.leaf.down)) for n in north_south]
    starts = [node_starts(wanted, n.leaf.down) for n in north_south]
    out: list[UnitLayout] = []
    leaf_number = leaf_slot = pods = spines = 0
    walk = [_At() for _ in training]
    placed = [fabric.placed([f for f, _ in wanted if f.fabric == i]) for i, fabric in enumerate(training)]
    for number, (fleet, nodes) in enumerate(wanted):
        fabric, at = training[fleet.fabric], walk[fleet.fabric]
        shape, in_pod = placed[fleet.fabric][at.nth]
        if at.pod is None or in_pod != at.pod.number:
            at.pod = PodLayout(f"{fabric.facts.prefix}p{in_pod + 1:03}", fleet.fabric, in_pod, pods, spines)
            at.leaf_in_pod, at.rack_in_pod = 0, _spine_racks(fabric)
            pods, spines = pods + 1, spines + fabric.planes * fabric.clos.spines_per_pod
        switches, beside = shape.leaves * fabric.planes, []
        for n, here in zip(north_south, homed, strict=True):
            beside.append(switches)
            # Room as if every leaf that serves a node of the unit stood here, whichever unit came before.
            most = fleet.nics[n.facts.name].count * (fleet.nodes_per_unit // n.leaf.down + 1)
            switches += max(most, here.get(number, 0))
        net, per_net = _network_racks(fleet, switches, fabric.per_rack)
        span = ceil(shape.nodes_per_leaf / SEATS)
        out.append(
            UnitLayout(
                number=number,
                fleet=fleet,
                nodes=nodes,
                racks=ceil(nodes / fleet.nodes_per_rack),
                pod=at.pod,
                planes=fabric.planes,
                leaf_in_pod=at.leaf_in_pod,
                leaves=shape.leaves,
                leaves_per_rail=shape.per_rail,
                nodes_per_leaf=shape.nodes_per_leaf,
                rails_per_leaf=shape.rails_per_leaf,
                leaf_number=leaf_number,
                leaf_slot=leaf_slot,
                slots_per_leaf=span,
                node_slots=tuple(start[number] for start in starts),
                beside=tuple(beside),
                rack_in_pod=at.rack_in_pod,
                network_racks=net,
                switches_per_rack=per_net,
                oob_shares=max(1, ceil(fleet.mgmt_ports_per_rack / oob_share)),
            )
        )
        leaf_number += shape.leaves * fabric.planes
        leaf_slot += shape.per_rail * fabric.planes * span
        at.nth += 1
        at.leaf_in_pod += shape.leaves
        at.rack_in_pod += out[-1].oob_slots
    return tuple(out)


def _network(
    home: str, scope: str, group: str, fabric: Training, pod: str | None, first: int, sides: Sequence[int]
) -> list[RackLayout]:
    """Network racks of one home that is no unit, from the `first` on, by their sides; each is a group of its own."""
    return [
        RackLayout(
            f"{home}-net{i + 1:02}", "network", None, pod, i + 1, scope, i, 1, 0, f"{group}{i}", fabric.slot_u,
            fabric.per_rack, side,
        )
        for i, side in enumerate(sides, start=first)
    ]  # fmt: skip


def _unit_racks(site: str, unit: UnitLayout, fabric: Training) -> list[RackLayout]:
    """A unit -> its racks side by side. Network racks and row CDUs stand in its middle: the longest run to a node is
    half the unit.
    """
    home, fleet, pod, group = f"{site}-{unit.name}", unit.fleet, unit.pod.name, f"a{unit.number}"
    compute = [
        RackLayout(
            f"{home}-r{r + 1:02}", "compute", unit, pod, r + 1, pod, unit.rack_in_pod + r * unit.oob_shares,
            unit.oob_shares, min(fleet.nodes_per_rack, unit.nodes - r * fleet.nodes_per_rack), group,
        )
        for r in range(unit.racks)
    ]  # fmt: skip
    net_index = unit.rack_in_pod + fleet.racks_per_unit * unit.oob_shares
    network = [
        RackLayout(
            f"{home}-net{i + 1:02}", "network", unit, pod, i + 1, pod, net_index + i, 1, 0, group, fabric.slot_u,
            fabric.per_rack,
        )
        for i in range(unit.network_racks)
    ]  # fmt: skip
    cooling = [
        RackLayout(f"{home}-cdu{i + 1:02}", "cooling", unit, pod, i + 1, pod, net_index, 0, 0, group)
        for i in range(fleet.cdus_per_unit)
    ]
    middle = fleet.racks_per_unit // 2
    return [*compute[:middle], *network, *cooling, *compute[middle:]]


def _server_racks(site: str, servers: Servers) -> list[RackLayout]:
    return [
        RackLayout(
            f"{site}-{r.name}", "storage", None, None, r.number + 1, STORAGE, r.oob_index, r.oob_shares, 0, r.name
        )
        for r in servers.racks
    ]


class _Walk:
    """Racks, slots and access switches as they are handed out in order of arrival; nothing is taken back."""

    def __init__(self, site: str, training: tuple[Training, ...], racks_per_switch: int) -> None:
        self._site, self._training, self._racks_per_switch = site, training, racks_per_switch
        self.racks: list[RackLayout] = []
        self.slots: dict[str, dict[Key, int]] = {}
        self.access: dict[tuple[str, int], int] = {}
        self.numbers: dict[tuple[str, int], int] = {}
        self.pods: dict[str, PodLayout] = {}
        self.sides: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self._homes: Counter[str] = Counter()
        self._filled: Counter[tuple[str, int]] = Counter()

    def _rack_places(self, scope: str, first: int, count: int) -> None:
        """Racks of a scope, those kept for partial units included -> a place for each access switch they need."""
        for rack in range(first, first + count):
            index = rack // self._racks_per_switch
            self.access.setdefault((scope, index), len(self.access))
            self.numbers.setdefault((scope, index // SWITCHES), len(self.numbers))

    def _more(self, number: int, keys: Iterable[Key]) -> tuple[str, list[list[Key]], list[int]]:
        """Racks of a fabric that are no unit's and no pod's -> their scope, and for each side the keys that it does not
        hold yet, and how many racks these take beside the free slots of those that stand.

        More keys never take fewer racks, whatever the order in which they come.
        """
        fabric = self._training[number]
        scope = fabric.facts.prefix + SHARED
        held = self.slots.get(scope, {})
        new = [[k for k in keys if k not in held and side_of(k) == side] for side in SIDES]
        full = [len(self.sides[scope, side]) * fabric.per_rack for side in SIDES]
        after = [self._filled[scope, side] + len(mine) for side, mine in zip(SIDES, new, strict=True)]
        return scope, new, [max(0, ceil((n - room) / fabric.per_rack)) for n, room in zip(after, full, strict=True)]

    def add_slots(self, number: int, keys: Iterable[Key]) -> None:
        """What racks that are no unit's and no pod's hold, after one declaration: what earlier ones hold stays there.

        Those of the first training fabric are shared by all; an island has racks of its own for its cores.
        """
        fabric = self._training[number]
        scope, new, more = self._more(number, keys)
        first, per_rack, held = self._homes[scope], fabric.per_rack, self.slots.setdefault(scope, {})
        opened = [side for nth in range(max(more)) for side in SIDES if nth < more[side]]
        for rack, side in enumerate(opened, start=first):
            self.sides[scope, side].append(rack)
        for side, mine in zip(SIDES, new, strict=True):
            for at, key in enumerate(mine, start=self._filled[scope, side]):
                held[key] = self.sides[scope, side][at // per_rack] * per_rack + at % per_rack
            self._filled[scope, side] += len(mine)
        home = f"{self._site}-{fabric.facts.prefix}".removesuffix("-")
        self.racks += _network(home, scope, scope, fabric, None, first, opened)
        self._rack_places(scope, first, len(opened))
        self._homes[scope] += len(opened)

    def access_after(self, keys: Mapping[int, Iterable[Key]]) -> int:
        """Keys by training fabric -> access switches of racks that are no unit's and no pod's, once they hold these."""
        racks = self._homes.copy()
        for number, mine in keys.items():
            scope, _, more = self._more(number, mine)
            racks[scope] += sum(more)
        return sum(ceil(n / self._racks_per_switch) for n in racks.values())

    def add_unit(self, unit: UnitLayout) -> None:
        """A unit with its racks, and its pod's spines before the first."""
        pod, fabric = unit.pod, self._training[unit.pod.fabric]
        if pod.name not in self.pods:
            self.pods[pod.name] = pod
            racks = _spine_racks(fabric)
            self.racks += _network(
                f"{self._site}-{pod.name}", pod.name, f"{pod.name}s", fabric, pod.name, 0, [0] * racks
            )
            self._rack_places(pod.name, 0, racks)
        self.racks += _unit_racks(self._site, unit, fabric)
        self._rack_places(pod.name, unit.rack_in_pod, unit.oob_slots)


def core_keys(fabric: Training) -> list[Key]:
    """The cores of a training fabric, plane by plane and group by group, as racks keep slots for them."""
    return [
        (f"core{plane or ''}", g, c)
        for plane in range(fabric.planes)
        for g in range(fabric.clos.groups)
        for c in range(fabric.clos.cores_per_group)
    ]


def _upper(prefix: str, clos: Clos) -> list[Key]:
    """The spines and cores of a network beside training, as racks keep slots for them."""
    return [
        *((f"{prefix}-spine", p, s) for p in range(clos.pods) for s in range(clos.spines_per_pod)),
        *((f"{prefix}-core", g, c) for g in range(clos.groups) for c in range(clos.cores_per_group)),
    ]


def _shared(sizes: SiteSizes, oob: Clos, without_storage: Clos) -> list[Key]:
    """Sizes and the out-of-band tree, also as it is without storage servers -> everything that the shared racks keep
    room for, in order.
    """
    frontend, *storage = sizes.north_south
    keys = [
        *(core_keys(sizes.training[0]) if 0 in sizes.training else ()),
        *_upper("fe", frontend.clos),
        *_upper("oob", without_storage),
        *((CONTROL, i, 0) for i in range(CONTROL_ROOM)),
        # What a site may get later stands last, so that it moves nothing.
        *(key for network in storage for key in _upper(network.facts.prefix, network.clos)),
        *_upper("oob", oob),
    ]
    return list(dict.fromkeys(keys))


def _access_switches(units: Iterable[UnitLayout], training: Sequence[Training], per_switch: int) -> int:
    """Units and their fabrics -> access switches of their pods, room for what is lacking of partial units included."""
    ends: dict[str, int] = {}
    for unit in units:
        ends[unit.pod.name] = max(unit.rack_in_pod + unit.oob_slots, _spine_racks(training[unit.pod.fabric]))
    return sum(ceil(end / per_switch) for end in ends.values())


def _room(oob: Clos, pods: int) -> Clos:
    """The out-of-band tree, and pods of training -> what slots are kept for: where it has cores, a set of spines for
    each pod and as many cores. So a core of another radix moves nothing that comes later.
    """
    if not oob.groups:
        return oob
    return replace(oob, pods=max(oob.pods, pods), cores_per_group=max(oob.cores_per_group, pods))


def _manage(
    facts: Facts, walk: _Walk, sizes: SiteSizes, *, uplinks: int, access: int, of_room: int, pods: int
) -> tuple[Clos, dict[int, list[Key]]]:
    """Access switches of pods, and those that storage servers keep room for, and how many pods -> the out-of-band tree,
    and by training fabric what racks that are no unit's and no pod's keep room for: the tree stands there, and manages
    them as well.
    """
    islands = {n: core_keys(fabric) for n, fabric in sizes.training.items() if n}
    none = one_tier(0)
    own = walk.access_after({0: _shared(sizes, none, none), **islands})
    while True:
        oob, without = (size_oob(facts, own + access + n, uplinks) for n in (of_room, 0))
        keys = {0: _shared(sizes, _room(oob, pods), _room(without, pods)), **islands}
        most = walk.access_after(keys)
        if most <= own:
            return oob, keys
        own = most


def lay_out(spec: Spec, facts: Facts) -> Layout:
    """Spec and facts -> Layout: units and racks by coordinates, fabrics sized for the declared growth.

    InfeasibleError where a fabric cannot join what is asked for.
    """
    per_switch = spec.fabrics.oob.racks_per_switch
    oob_share = max(1, (facts.oob.rj45 or facts.oob.radix) // per_switch)
    declared = steps(spec, facts)
    servers = servers_of(spec, facts)
    sizes = [site_sizes(spec, facts, step, servers.kept_leaves) for step in declared]
    now, bought = sizes[-1], declared[-1].need
    training = tuple(now.training[n] for n in sorted(now.training))
    units = _units(bought, training, now.north_south, oob_share)
    of_room = ceil(servers.kept_shares / per_switch)
    walk, done = _Walk(spec.site, training, per_switch), 0
    pod_leaves: dict[str, int] = {}
    pods_declared: dict[str, int] = {}
    rooms = []
    for step, sized in zip(declared, sizes, strict=True):
        fabrics = tuple(sized.training.get(n, now.training[n]) for n in sorted(now.training))
        need, full, kept = (
            _units(wanted, fabrics, sized.north_south, oob_share) for wanted in (step.need, sized.full, sized.kept)
        )
        access = max(_access_switches(each, fabrics, per_switch) for each in (need, full, kept))
        rooms.append((fabrics, full, {"access": access, "pods": len({u.pod.name for u in full})}))
    manage = partial(_manage, facts, uplinks=spec.fabrics.oob.uplinks, of_room=of_room)
    manage(_Walk(spec.site, training, per_switch), now, **rooms[-1][2])  # a limit is told of all, not of a step
    for step, sized, (fabrics, full, counts) in zip(declared, sizes, rooms, strict=True):
        oob, keys = manage(walk, sized, **counts)
        for number, mine in keys.items():
            walk.add_slots(number, mine)
        room: Counter[str] = Counter()
        served: Counter[str] = Counter()
        for unit in full:
            served[fabrics[unit.pod.fabric].facts.prefix + SHARED] += unit.pod.name not in room
            room[unit.pod.name] += unit.leaves
        pods_declared = dict(served) | pods_declared
        for unit in units[done : len(step.need)]:
            pod_leaves.setdefault(unit.pod.name, room[unit.pod.name])
            walk.add_unit(unit)
        done = len(step.need)
    of_servers = range(ceil(sum(r.oob_shares for r in servers.racks) / per_switch))
    return Layout(
        site=spec.site,
        units=units,
        pods=tuple(walk.pods.values()),
        training=training,
        north_south=tuple(
            NorthSouthLayout(
                n.facts,
                n.leaf,
                n.clos,
                tuple(node_leaves(bought, n.facts.name, n.leaf.down)),
                servers.leaves if n.facts.name == facts.of_storage else (),
            )
            for n in now.north_south
        ),
        servers=servers,
        oob=oob,
        slots=walk.slots,
        # Those of storage count from the end: neither they nor the others move when more come.
        oob_spots={key: oob.spot(place) for key, place in walk.access.items()}
        | {(STORAGE, i): oob.spot(-1 - i) for i in of_servers},
        oob_numbers=walk.numbers | {(STORAGE, i // SWITCHES): SCOPES - 1 - i // SWITCHES for i in of_servers},
        racks=(*walk.racks, *_server_racks(spec.site, servers)),
        pod_leaves=pod_leaves,
        pods_declared=pods_declared,
    )
