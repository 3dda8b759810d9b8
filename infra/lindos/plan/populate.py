"""Layout, facts and floor -> racks and devices: what stands in which rack unit.

Compute racks: CDUs at the bottom, nodes above, the out-of-band switches at the top. Where a rack has them, half of its
power shelves stand below and half above its nodes, and the NVSwitch trays amid these. Network racks: switches from
the bottom, the out-of-band switch at the top. Every frame is built from coordinates by expressions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.layout import CONTROL, SHARED, core_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.plan.clos import Clos
    from lindos.plan.facts import DeviceFacts, Facts, FleetFacts
    from lindos.plan.layout import Layout
    from lindos.plan.place import Floor
    from lindos.plan.sizing import BlockLeaf

U_MM = 44.45


@dataclass(frozen=True, slots=True)
class Population:
    """`devices` as in the plan plus `slot`, the place in a network rack, counted with those kept free for growth.

    The frames of single kinds carry the coordinates that wiring needs.
    """

    devices: pl.DataFrame
    nodes: pl.DataFrame
    """device, unit_number, in_unit, fleet, rack, slice"""
    leaves: pl.DataFrame
    """device, unit_number, fabric, plane, pod, in_unit, in_pod, serial, slice; `in_unit` counts those of one plane"""
    spines: pl.DataFrame
    """device, fabric, plane, pod, pod_serial, number, serial, slice"""
    cores: pl.DataFrame
    """device, fabric, plane, group, number, slice"""
    north_south: pl.DataFrame
    """device, fabric, tier, scope (side), index (block of slots), pod, number, group; `number` of a leaf for storage
    servers counts from -1 down: it is one from the end of whatever holds it"""
    servers: pl.DataFrame
    """device, pool, rack, u, server_slot, slot, slice"""
    oob: pl.DataFrame
    """device, tier, scope, index, pod, in_pod, group, number"""


def unit_name(number: pl.Expr) -> pl.Expr:
    """Unit number from 0 -> a0001, a0002, ..."""
    return pl.format("a{}", (number + 1).cast(pl.String).str.zfill(4))


def _n(expr: str, width: int, first: int = 1) -> pl.Expr:
    return (pl.col(expr) + first).cast(pl.String).str.zfill(width)


def _grid(**sizes: int) -> pl.DataFrame:
    """Sizes by name -> every combination, the last name running fastest."""
    frame = pl.DataFrame({"_": [0]})
    for name, size in sizes.items():
        frame = frame.join(pl.DataFrame({name: range(size)}, schema={name: pl.Int64}), how="cross")
    return frame.drop("_")


def _units_frame(layout: Layout) -> pl.DataFrame:
    frame = pl.DataFrame(
        [
            (
                u.number, u.fleet.number, u.nodes, u.racks, u.pod.fabric, u.pod.number, u.pod.name, u.planes,
                u.leaf_in_pod, u.leaf_number, u.leaves, u.fleet.nodes_per_rack, u.switches_per_rack,
            )
            for u in layout.units
        ],
        schema=[
            "unit_number", "fleet", "nodes", "unit_racks", "fabric", "pod", "pod_name", "planes",
            "leaf_in_pod", "leaf_number", "unit_leaves", "nodes_per_rack", "switches_per_rack",
        ],
        orient="row",
    )  # fmt: skip
    return frame.with_columns(unit=unit_name(pl.col("unit_number")))


@dataclass(frozen=True, slots=True)
class _Elevation:
    """Lowest rack unit of each kind in a rack of a fleet, from the bottom up."""

    shelves_low: int
    nodes_low: int
    trays: int
    nodes_high: int
    shelves_high: int
    pitch: int


def _elevation(fleet: FleetFacts) -> _Elevation:
    """A fleet -> where its CDUs end and everything else starts in a rack."""
    pitch = fleet.node.u_height + fleet.gap_u
    shelf_u = fleet.shelf.u_height if fleet.shelf else 0
    tray_u = fleet.nvswitch.u_height if fleet.nvswitch else 0
    shelves_low = 1 + fleet.cdus_per_rack * (fleet.cdu.u_height if fleet.cdu else 0)
    nodes_low = shelves_low + fleet.shelves_per_rack // 2 * shelf_u
    trays = nodes_low + fleet.nodes_below * pitch
    nodes_high = trays + fleet.nvswitches_per_rack * tray_u
    shelves_high = nodes_high + (fleet.nodes_per_rack - fleet.nodes_below) * pitch
    return _Elevation(shelves_low, nodes_low, trays, nodes_high, shelves_high, pitch)


def _nodes(site: str, units: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    spots = [
        (f.number, f.nodes_below, *(getattr(_elevation(f), c) for c in ("nodes_low", "nodes_high", "pitch")))
        for f in facts.fleets
    ]
    spot = pl.DataFrame(spots, schema=["fleet", "below", "low", "high", "pitch"], orient="row")
    frame = (
        units.select(
            "unit_number",
            "unit",
            "fleet",
            "nodes_per_rack",
            pod="pod_name",
            in_unit=pl.int_ranges(0, pl.col("nodes")),
        )
        .explode("in_unit")
        .with_columns(
            rack_number=pl.col("in_unit") // pl.col("nodes_per_rack"),
            in_rack=pl.col("in_unit") % pl.col("nodes_per_rack"),
        )
        .join(spot, on="fleet", maintain_order="left")
    )
    above = pl.col("high") + (pl.col("in_rack") - pl.col("below")) * pl.col("pitch")
    return frame.select(
        "unit_number",
        "in_unit",
        "fleet",
        "unit",
        "pod",
        pl.format("{}-{}-r{}-n{}", pl.lit(site), "unit", _n("rack_number", 2), _n("in_rack", 2)).alias("device"),
        pl.format("{}-{}-r{}", pl.lit(site), "unit", _n("rack_number", 2)).alias("rack"),
        u=pl.when(pl.col("in_rack") < pl.col("below"))
        .then(pl.col("low") + pl.col("in_rack") * pl.col("pitch"))
        .otherwise(above),
        slice=pl.col("unit"),
    )


def _in_racks(site: str, units: pl.DataFrame, fleet: FleetFacts, count: int, word: str) -> pl.DataFrame:
    """`count` devices in each rack of a fleet's nodes, counted from the bottom: device, rack, nth, fleet, unit, pod."""
    mine = units.filter(fleet=fleet.number).select(
        "unit", "fleet", pod="pod_name", rack_number=pl.int_ranges("unit_racks")
    )
    frame = mine.explode("rack_number").join(_grid(nth=count), how="cross")
    rack = pl.format("{}-{}-r{}", pl.lit(site), "unit", _n("rack_number", 2))
    return frame.select(
        pl.format("{}-{}{}", rack, pl.lit(word), _n("nth", 2)).alias("device"),
        rack.alias("rack"), "nth", "fleet", "unit", "pod", slice="unit",
    )  # fmt: skip


def _fixtures(
    layout: Layout, units: pl.DataFrame, fleet: FleetFacts
) -> Iterator[tuple[DeviceFacts, str, str, pl.DataFrame]]:
    """A fleet -> what its racks hold beside nodes: facts, kind, role and frame of CDUs, power shelves, NVSwitches."""
    at, nth, site = _elevation(fleet), pl.col("nth"), layout.site
    if fleet.cdu and fleet.cdus_per_rack:
        frame = _in_racks(site, units, fleet, fleet.cdus_per_rack, "cdu")
        yield fleet.cdu, "cdu", "cooling", frame.with_columns(u=1 + nth * fleet.cdu.u_height)
    if fleet.cdu and fleet.cdus_per_unit:
        yield fleet.cdu, "cdu", "cooling", _row_cdus(layout, fleet)
    if fleet.shelf:
        low, height = fleet.shelves_per_rack // 2, fleet.shelf.u_height
        below, above = at.shelves_low + nth * height, at.shelves_high + (nth - low) * height
        frame = _in_racks(site, units, fleet, fleet.shelves_per_rack, "shelf")
        yield fleet.shelf, "shelf", "power", frame.with_columns(u=pl.when(nth < low).then(below).otherwise(above))
    if fleet.nvswitch:
        frame = _in_racks(site, units, fleet, fleet.nvswitches_per_rack, "nvsw")
        yield fleet.nvswitch, "nvswitch", "nvlink", frame.with_columns(u=at.trays + nth * fleet.nvswitch.u_height)


def _row_cdus(layout: Layout, fleet: FleetFacts) -> pl.DataFrame:
    """A CDU in each cooling rack of a fleet; the rack is the CDU's own cabinet and has its name."""
    rows = [
        (r.name, r.name, r.number - 1, fleet.number, r.unit.name, r.unit.pod.name, 1)
        for r in layout.racks
        if r.kind == "cooling" and r.unit and r.unit.fleet.number == fleet.number
    ]
    names = ["device", "rack", "nth", "fleet", "unit", "pod", "u"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(slice="unit")


def _stack(frame: pl.DataFrame, layout: Layout, per_rack: pl.Expr | None = None) -> pl.DataFrame:
    """Switches with `order` in their row of racks -> rack_number and u, stacked from the bottom."""
    slots = {i: t.per_rack for i, t in enumerate(layout.training)}
    heights = {i: t.slot_u for i, t in enumerate(layout.training)}
    whole, slot_u = (pl.col("fabric").replace_strict(x, return_dtype=pl.Int64) for x in (slots, heights))
    per_rack = whole if per_rack is None else per_rack
    return frame.with_columns(rack_number=pl.col("order") // per_rack, u=1 + pl.col("order") % per_rack * slot_u)


def _of_plane(layout: Layout) -> pl.Expr:
    """The part of a switch's name that says its plane; nothing where its fabric has one."""
    several = [i for i, t in enumerate(layout.training) if t.planes > 1]
    return pl.when(pl.col("fabric").is_in(several)).then(pl.format("pl{}-", "plane")).otherwise(pl.lit(""))


def _leaves(site: str, layout: Layout, units: pl.DataFrame) -> pl.DataFrame:
    frame = units.select(
        "unit_number", "unit", "fabric", "pod", "pod_name", "leaf_in_pod", "leaf_number", "unit_leaves",
        "switches_per_rack", order=pl.int_ranges(0, pl.col("unit_leaves") * pl.col("planes")),
    ).explode("order")  # fmt: skip
    frame = frame.with_columns(
        plane=pl.col("order") // pl.col("unit_leaves"), in_unit=pl.col("order") % pl.col("unit_leaves")
    )
    return _stack(frame, layout, pl.col("switches_per_rack")).select(
        "unit_number",
        "unit",
        "fabric",
        "plane",
        "pod",
        "pod_name",
        "in_unit",
        "u",
        pl.format("{}-{}-{}leaf{}", pl.lit(site), "unit", _of_plane(layout), _n("in_unit", 2, 0)).alias("device"),
        pl.format("{}-{}-net{}", pl.lit(site), "unit", _n("rack_number", 2)).alias("rack"),
        in_pod=pl.col("leaf_in_pod") + pl.col("in_unit"),
        serial=pl.col("leaf_number") + pl.col("order"),
        slice=pl.col("unit"),
    )


def _spines(site: str, layout: Layout) -> pl.DataFrame:
    rows = [
        (pod.fabric, pod.number, pod.name, pod.serial, pod.first_spine, fabric.clos.spines_per_pod, fabric.planes)
        for pod in layout.pods
        for fabric in (layout.training[pod.fabric],)
    ]
    names = ["fabric", "pod", "pod_name", "pod_serial", "first_spine", "spines", "planes"]
    pods = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64) | {"pod_name": pl.String}, orient="row")
    frame = pods.with_columns(order=pl.int_ranges(0, pl.col("spines") * pl.col("planes"))).explode("order")
    frame = frame.drop_nulls("order").with_columns(
        plane=pl.col("order") // pl.col("spines"), number=pl.col("order") % pl.col("spines")
    )
    return _stack(frame, layout).select(
        "fabric",
        "plane",
        "pod",
        "pod_name",
        "pod_serial",
        "number",
        "u",
        pl.format("{}-{}-{}spine{}", pl.lit(site), "pod_name", _of_plane(layout), _n("number", 2)).alias("device"),
        pl.format("{}-{}-net{}", pl.lit(site), "pod_name", _n("rack_number", 2)).alias("rack"),
        serial=pl.col("first_spine") + pl.col("order"),
        slice="pod_name",
    )


def _cores(site: str, layout: Layout) -> pl.DataFrame:
    frames = [
        _grid(plane=t.planes, group=t.clos.groups, number=t.clos.cores_per_group).with_columns(
            # By number first: a group that grows takes the numbers after all that stand.
            serial=(pl.col("number") * t.planes + pl.col("plane")) * t.clos.groups + pl.col("group"),
            order=pl.Series([layout.slots[t.facts.prefix + SHARED][k] for k in core_keys(t)], dtype=pl.Int64),
            fabric=pl.lit(i, dtype=pl.Int64),
            prefix=pl.lit(t.facts.prefix),
        )
        for i, t in enumerate(layout.training)
    ]
    plane = _of_plane(layout)
    return _stack(pl.concat(frames), layout).select(
        "fabric",
        "plane",
        "group",
        "number",
        "u",
        pl.format("{}-{}g{}-{}core{}", pl.lit(site), "prefix", _n("group", 3), plane, _n("number", 2)).alias("device"),
        pl.format("{}-{}net{}", pl.lit(site), "prefix", _n("rack_number", 2)).alias("rack"),
        pl.format("{}g{}{}", "prefix", _n("group", 3), pl.lit("-") + plane).str.strip_chars_end("-").alias("slice"),
        serial="serial",
    )


def _shared_spot(layout: Layout, slot: int) -> tuple[str, int]:
    """Slot in the shared racks -> rack and lowest rack unit."""
    per_rack, slot_u = layout.training[0].per_rack, layout.training[0].slot_u
    return f"{layout.site}-net{slot // per_rack + 1:02}", 1 + slot % per_rack * slot_u


FABRIC_SCHEMA = {
    "device": pl.String, "tier": pl.String, "scope": pl.Int64, "index": pl.Int64, "pod": pl.Int64, "in_pod": pl.Int64,
    "group": pl.Int64, "number": pl.Int64, "rack": pl.String, "u": pl.Int64, "unit": pl.String, "slice": pl.String,
    "home": pl.String,
}  # fmt: skip
"""Switches of a fabric whose leaves are no rail leaves: `in_pod` of a leaf, `number` of a spine in its pod and of a
core in its `group`; `scope`, `index` of an access switch, and of a leaf beside training its side and its block."""


def _upper(fabric: str, layout: Layout, clos: Clos, pods: list[int], slice_: str) -> list[tuple[object, ...]]:
    """Spines and cores of the front-end or out-of-band fabric, in the shared racks."""

    def row(name: str, tier: str, pod: int, group: int, number: int) -> tuple[object, ...]:
        coordinates = (pod, number) if tier == "spine" else (group, number)
        spot = _shared_spot(layout, layout.slots[SHARED][f"{fabric}-{tier}", *coordinates])
        return (f"{layout.site}-{fabric}-{name}", tier, 0, 0, pod, 0, group, number, *spot, None, slice_, None)

    spines = [row(f"p{p + 1:03}-spine{s + 1:02}", "spine", p, s, s) for p in pods for s in range(clos.spines_per_pod)]
    cores = [
        row(f"g{g + 1:03}-core{c + 1:02}", "core", 0, g, c)
        for g in range(clos.groups)
        for c in range(clos.cores_per_group)
    ]
    return spines + cores


def _north_south(layout: Layout, which: int) -> pl.DataFrame:
    """The switches of a network beside training. Leaves stand beside the first node or server that they serve."""
    fabric, site = layout.north_south[which], layout.site
    name, prefix, clos = fabric.facts.name, fabric.facts.prefix, fabric.clos
    rows: list[tuple[object, ...]] = []
    pods: set[int] = set()

    def leaf(told: str, x: BlockLeaf, place: int, *spot: object) -> None:
        pod, in_pod = clos.spot(place)
        pods.add(pod)
        device = f"{site}-{prefix}-{told}leaf{x.number + 1:04}"
        rows.append((device, "leaf", x.side, x.block, pod, in_pod, 0, place, *spot, name, None))

    for x in fabric.node_leaves:
        unit = layout.units[x.home]
        rack, at = divmod(unit.beside[which] + x.nth, unit.switches_per_rack)
        u = 1 + at * layout.training[unit.pod.fabric].slot_u
        leaf("", x, x.number, f"{site}-{unit.name}-net{rack + 1:02}", u, unit.name)
    for x in fabric.server_leaves:
        home = layout.servers.racks[x.home]
        leaf("svc-", x, -1 - x.number, f"{site}-{home.name}", 1 + x.nth * home.leaf_u, None)
    if clos.tiers > 1 and rows:
        rows += _upper(prefix, layout, clos, sorted(pods), name)
    return pl.DataFrame(rows, schema=FABRIC_SCHEMA, orient="row").with_columns(fabric=pl.lit(name))


def _servers(layout: Layout) -> pl.DataFrame:
    """Storage servers stand above the leaves of their rack, each in a slot of its own."""
    rows = []
    for rack in layout.servers.racks:
        first = 1 + rack.leaves * rack.leaf_u
        for i in range(rack.servers):
            name = f"{layout.site}-{rack.name}"
            u = first + i * rack.pool.device.u_height
            rows.append((f"{name}-n{i + 1:02}", rack.pool.number, name, u, rack.first_slot + i, rack.leaves + i))
    numbers = ("pool", "u", "server_slot", "slot")
    names = ["device", "pool", "rack", "u", "server_slot", "slot"]
    schema = {n: pl.Int64 if n in numbers else pl.String for n in names}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(slice=pl.lit("storage"))


def _oob(layout: Layout, racks_per_switch: int, top_u: dict[str, int], height_u: int) -> pl.DataFrame:
    """Access switches at the top of the first rack that each serves; the layer above in the shared racks."""
    clos, site = layout.oob, layout.site
    rows: list[tuple[object, ...]] = []
    pods: dict[int, None] = {}
    seen: set[tuple[str, int]] = set()
    for rack in layout.racks:
        u = top_u[rack.name]
        for share in range(rack.oob_shares):
            scope, index = key = (rack.scope, (rack.oob_index + share) // racks_per_switch)
            if key in seen:
                continue
            seen.add(key)
            pod, in_pod = layout.oob_spots[key]
            pods[pod] = None
            name, home = f"{site}-{scope}-oob{index + 1:02}", scope.removesuffix(f"-{SHARED}")
            slice_ = "oob-shared" if scope == SHARED else f"oob-{home}"
            spot = (pod, in_pod, 0, index, rack.name, u, None, slice_, scope)
            rows.append((name, "leaf", *layout.oob_number(scope, index), *spot))
            u -= height_u
    if clos.tiers > 1:
        rows += _upper("oob", layout, clos, sorted(pods), "oob-shared")
    return pl.DataFrame(rows, schema=FABRIC_SCHEMA, orient="row")


def _control(layout: Layout, count: int) -> pl.DataFrame:
    rows = [
        (f"{layout.site}-ctl{i + 1:02}", *_shared_spot(layout, layout.slots[SHARED][CONTROL, i, 0]))
        for i in range(count)
    ]
    return pl.DataFrame(
        rows, schema={"device": pl.String, "rack": pl.String, "u": pl.Int64}, orient="row"
    ).with_columns(slice=pl.lit("services"))


def _same_facts(frame: pl.DataFrame, facts: DeviceFacts, **constants: str | None) -> pl.DataFrame:
    """Devices of one product -> with product, vendor, height and the constants given."""
    return frame.with_columns(
        product=pl.lit(facts.product), vendor=pl.lit(facts.vendor), height_u=pl.lit(facts.u_height),
        **{k: pl.lit(v, dtype=pl.String) for k, v in constants.items()},
    )  # fmt: skip


COLUMNS = [
    "device",
    "kind",
    "role",
    "product",
    "vendor",
    "fabric",
    "slice",
    "unit",
    "pod",
    "plane",
    "rack",
    "u",
    "height_u",
    "nvlink_domain",
]


def _devices(
    layout: Layout, facts: Facts, parts: Population, units: pl.DataFrame, control: pl.DataFrame
) -> pl.DataFrame:
    """Frames of single kinds -> one frame of devices, in the order of the walk."""
    out: list[pl.DataFrame] = []

    def add(
        frame: pl.DataFrame, device: DeviceFacts, kind: str, role: str, fabric: str | None, **extra: pl.Expr
    ) -> None:
        frame = _same_facts(frame, device, kind=kind, role=role, fabric=fabric).with_columns(**extra)
        texts = dict.fromkeys(("unit", "pod", "nvlink_domain"), pl.String)
        for name, kind_of in (*texts.items(), ("plane", pl.Int64)):
            if name not in frame.columns:
                frame = frame.with_columns(pl.lit(None, dtype=kind_of).alias(name))
        numbers = ("u", "height_u", "plane")
        out.append(frame.select(pl.col(c).cast(pl.Int64) if c in numbers else pl.col(c) for c in COLUMNS))

    for fleet in facts.fleets:
        domain = pl.col("rack") if fleet.nvswitch else pl.col("device")
        add(parts.nodes.filter(fleet=fleet.number), fleet.node, "node", "gpu", None, nvlink_domain=domain)
        for device, kind, role, frame in _fixtures(layout, units, fleet):
            joined = pl.when(pl.lit(kind) == "nvswitch").then(pl.col("rack"))
            add(frame, device, kind, role, None, nvlink_domain=joined)
    pod = pl.col("pod_name")
    for number, training in enumerate(facts.training):
        device, name = training.switch.device, training.name
        add(parts.leaves.filter(fabric=number).drop("fabric"), device, "switch", "leaf", name, pod=pod)
        add(parts.spines.filter(fabric=number).drop("fabric"), device, "switch", "spine", name, pod=pod)
        add(parts.cores.filter(fabric=number).drop("fabric"), device, "switch", "core", name)
    beside = [
        (n.name, parts.north_south.filter(fabric=n.name).drop("fabric"), (n.switch,) * 3) for n in facts.north_south
    ]
    oob = (facts.oob, facts.oob_aggregation or facts.oob, facts.oob_core or facts.oob)
    for fabric, frame, tiers in (*beside, ("oob", parts.oob, oob)):
        for role, switch in zip(("leaf", "spine", "core"), tiers, strict=True):
            add(
                frame.filter(tier=role),
                switch.device,
                "switch",
                role,
                fabric,
                pod=pl.lit(None, dtype=pl.String),
            )
    servers = [(parts.servers.filter(pool=p.number), p.device, "storage", "storage") for p in facts.pools]
    servers += [(control, facts.control, "service", "control")] if facts.control else []
    for frame, device, kind, role in servers:
        add(frame, device, kind, role, None)
    return pl.concat(out)


def _slots_of_server_racks(
    layout: Layout, devices: pl.DataFrame, servers: pl.DataFrame, oob_height_u: int
) -> pl.DataFrame:
    """device, slot: in a rack of storage servers its leaves, its servers, then its out-of-band switches, each with the
    place that it has when the rack is full.
    """
    racks = pl.DataFrame(
        [(f"{layout.site}-{r.name}", r.leaf_u, r.leaves + r.capacity) for r in layout.servers.racks],
        schema={"rack": pl.String, "leaf_u": pl.Int64, "full": pl.Int64},
        orient="row",
    )
    others = devices.filter(kind="switch").join(racks, on="rack", maintain_order="left")
    above = (pl.col("height_u_rack").cast(pl.Int64) - pl.col("u")) // oob_height_u
    nth = (pl.col("u") - 1) // pl.col("leaf_u")
    at = pl.when(pl.col("fabric") == "oob").then(pl.col("full") + above).otherwise(nth).cast(pl.Int64)
    return pl.concat([servers.select("device", "slot"), others.select("device", slot=at)])


def populate(layout: Layout, facts: Facts, floor: Floor, *, racks_per_switch: int, control: int) -> Population:
    """Layout, facts and floor -> Population: every device with rack, rack units and position in the hall.

    InfeasibleError where the devices of a rack do not fit into it.
    """
    site = layout.site
    units = _units_frame(layout)
    top = dict(floor.racks.select("rack", "height_u").iter_rows())
    parts = Population(
        devices=pl.DataFrame(),
        nodes=_nodes(site, units, facts),
        leaves=_leaves(site, layout, units),
        spines=_spines(site, layout),
        cores=_cores(site, layout),
        north_south=pl.concat([_north_south(layout, i) for i in range(len(layout.north_south))]),
        servers=_servers(layout),
        oob=_oob(layout, racks_per_switch, top, facts.oob.device.u_height),
    )
    devices = _devices(layout, facts, parts, units, _control(layout, control)).join(
        floor.racks, on="rack", how="left", suffix="_rack", maintain_order="left"
    )
    tall = devices.filter(pl.col("u") + pl.col("height_u") - 1 > pl.col("height_u_rack"))
    if len(tall):
        first = tall.row(0, named=True)
        raise InfeasibleError(
            Problem(
                f"rack {first['rack']}: {first['device']} would end at U{first['u'] + first['height_u'] - 1} "
                f"of {first['height_u_rack']} ({len(tall)} devices do not fit)",
                hint="fewer nodes a rack, or a higher rack (halls: rack_height_u)",
            )
        )
    slot_u = {r.name: r.slot_u for r in layout.racks if r.slot_u}
    beside = {
        r.name: layout.training[r.unit.pod.fabric].per_rack + r.number - 1
        for r in layout.racks
        if r.kind == "cooling" and r.unit
    }
    in_slots = pl.col("rack").replace_strict(slot_u, default=None, return_dtype=pl.Int64)
    in_server_rack = _slots_of_server_racks(layout, devices, parts.servers, facts.oob.device.u_height)
    return replace(
        parts,
        devices=devices.join(in_server_rack, on="device", how="left", maintain_order="left").with_columns(
            z_mm=((pl.col("u") - 1 + pl.col("height_u") / 2) * U_MM).round().cast(pl.Int64),
            # A row CDU is managed from the network rack beside it, past the slots of that rack.
            slot=pl.coalesce(
                "slot",
                (pl.col("u") - 1) // in_slots,
                pl.col("rack").replace_strict(beside, default=None, return_dtype=pl.Int64),
            ),
        ),
    )
