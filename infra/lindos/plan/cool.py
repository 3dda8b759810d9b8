"""Placed devices and their heat -> what takes it: the cooling graph from device to the outside air.

    cold plates -> manifold of the rack -> CDUs of the rack                        -+
                                        -> header of the unit -> CDUs of its row   -+-> facility water -> pumps -> plant
    air         -> rear door, or the room -> air handlers of the hall              -+

What hangs where follows from rack, unit and hall, so that a rack that is added or moved changes what is its own.
The plant behind it, its sizes and what it draws are those of `plant`; pipes and pressures those of `pipework`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.hydraulics import ZERO_C
from lindos.plan.pipework import heads, pipework, technology_pressure
from lindos.plan.plant import affinity, plants, share

if TYPE_CHECKING:
    from lindos.plan.facts import Facts
    from lindos.plan.layout import Layout
    from lindos.plan.place import Floor
    from lindos.spec.cooling import Cooling
    from lindos.spec.model import Spec

HEAT = ("heat_w", "typical_heat_w")
"""Columns of heat: at nameplate, and as measured under training."""
AIR = 1.2 * 1006
"""J that warm a cubic metre of air by a kelvin: 1.2 kg/m3 and 1,006 J/(kg K) at 20 degrees."""


@dataclass(frozen=True, slots=True)
class CoolingTables:
    """The frames of the cooling graph; the names are those of the tables of a plan."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    connections: pl.DataFrame
    pipes: pl.DataFrame
    plants: pl.DataFrame
    plant_loads: pl.DataFrame


def technology_supply_c(cooling: Cooling) -> float:
    """Degrees of the coolant that CDUs deliver."""
    said = cooling.technology
    return cooling.facility.supply_c + said.approach_k if said.supply_c is None else said.supply_c


def _heat(devices: pl.DataFrame, watts: pl.DataFrame, racks: pl.DataFrame) -> pl.DataFrame:
    """Devices with rack, unit, slice, hall and row, and their heat by medium: liquid_w, air_w and typical_ of both."""
    drawn = watts.select(
        "device",
        "liquid_w",
        typical_liquid_w="liquid_typical_w",
        air_w=pl.col("nameplate_w") - pl.col("liquid_w"),
        typical_air_w=pl.col("typical_w") - pl.col("liquid_typical_w"),
    )
    frame = devices.select("device", "kind", "product", "rack", "unit", "slice")
    frame = frame.join(racks, on="rack", how="left", maintain_order="left")
    return frame.join(drawn, on="device", how="left", maintain_order="left")


def _sums(heat: pl.DataFrame, by: list[str], medium: str) -> pl.DataFrame:
    """Heat of one medium by group, in order: heat_w, typical_heat_w."""
    return heat.group_by(by, maintain_order=True).agg(
        heat_w=pl.col(f"{medium}_w").sum(), typical_heat_w=pl.col(f"typical_{medium}_w").sum()
    )


@dataclass(frozen=True, slots=True)
class _Liquid:
    """Nodes, edges and connections of what cold plates give; `cdus` are the nodes of the CDUs, with their heat."""

    inner: pl.DataFrame
    cdus: pl.DataFrame
    edges: pl.DataFrame
    connections: pl.DataFrame


def _milli(value: float | None) -> int | None:
    return None if value is None else round(value * 1000)


def _limits(facts: Facts) -> pl.DataFrame:
    """CDU products -> what each can do; null where it is not known."""
    known = {f.cdu_limits.product: f.cdu_limits for f in facts.fleets if f.cdu_limits}
    rows = [
        (
            c.product,
            c.cooling_w or None,
            _milli(c.approach_k),
            _milli(c.flow_lpm and c.flow_lpm / 60),
            _milli(c.head_kpa),
            c.pumps,
            c.pumps_needed,
        )
        for c in known.values()
    ]
    names = ["product", "capacity_w", "approach_mk", "flow_max_ml_s", "head_pa", "pumps", "pumps_needed"]
    return pl.DataFrame(rows, schema={n: pl.String if n == "product" else pl.Int64 for n in names}, orient="row")


def _shared(column: str) -> pl.Expr:
    """A whole number that the rows of a child share -> the part of each; the parts add up to the whole."""
    count, nth = pl.len().over("child").cast(pl.Int64), pl.int_range(pl.len()).over("child")
    return pl.col(column) // count + (nth < pl.col(column) % count).cast(pl.Int64)


def _liquid(site: str, heat: pl.DataFrame, facts: Facts) -> _Liquid:
    """Devices with heat -> what is between them and the facility water."""
    warm = heat.filter(pl.col("liquid_w") > 0)
    cdus = heat.filter(pl.col("kind") == "cdu").select("rack", "unit", "hall", "row", "product", cooling_node="device")
    beside = cdus.join(warm, on="rack", how="semi")
    in_row = cdus.join(warm, on="rack", how="anti").drop_nulls("unit")
    manifolds = _sums(warm, ["rack", "unit", "hall", "row"], "liquid").with_columns(
        cooling_node=pl.format("{}-manifold", "rack"), header=pl.format(f"{site}-{{}}-header", "unit")
    )
    own = manifolds.join(beside, on="rack", how="semi", maintain_order="left")
    served = manifolds.join(beside, on="rack", how="anti", maintain_order="left")
    served = served.join(in_row, on="unit", how="semi", maintain_order="left")
    headers = served.group_by(["header", "unit"], maintain_order=True).agg(
        pl.col("hall").first(), pl.col("row").first(), *(pl.col(c).sum() for c in HEAT)
    )
    # What hangs together shares its heat over its CDUs, which are of one product.
    groups = [
        own.select("rack", *HEAT, child="cooling_node").join(beside, on="rack", maintain_order="left"),
        headers.select("unit", *HEAT, child="header").join(in_row, on="unit", maintain_order="left"),
    ]
    said = ["child", "cooling_node", "rack", "unit", "hall", "row", "product", *HEAT]
    shared = pl.concat(g.select(said) for g in groups).with_columns(_shared(c) for c in HEAT)
    idle = cdus.join(shared, on="cooling_node", how="anti").with_columns(
        pl.lit(0, dtype=pl.Int64).alias(c) for c in HEAT
    )
    taken = pl.concat([shared.drop("child"), idle.select(said[1:])]).with_columns(kind=pl.lit("cdu"))
    inner = [
        pl.concat([own, served]).select("cooling_node", "rack", "hall", "row", *HEAT, kind=pl.lit("manifold")),
        headers.select("hall", "row", *HEAT, cooling_node="header", kind=pl.lit("header")),
    ]
    edges = [
        served.select(parent="header", child="cooling_node"),
        shared.select(parent="cooling_node", child="child"),
    ]
    held = pl.concat([own, served]).select("rack", "cooling_node")
    return _Liquid(
        inner=pl.concat(inner, how="diagonal"),
        cdus=taken.join(_limits(facts), on="product", how="left", maintain_order="left"),
        edges=pl.concat(edges),
        connections=warm.join(held, on="rack", maintain_order="left").select(
            "device", "cooling_node", "slice", medium=pl.lit("liquid")
        ),
    )


def _doors(layout: Layout) -> pl.DataFrame:
    """Racks with an exchanger in the rear door: rack, product, capacity_w, fan_w."""
    rows = [
        (r.name, d.product, d.cooling_w or None, d.fan_w)
        for r in layout.racks
        if r.kind == "compute" and r.unit and (d := r.unit.fleet.door)
    ]
    schema = {"rack": pl.String, "product": pl.String, "capacity_w": pl.Int64, "fan_w": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True, slots=True)
class _Air:
    """Rear doors and air handlers with the heat that they give to the water, that of their fans counted in; rooms."""

    rooms: pl.DataFrame
    takers: pl.DataFrame
    edges: pl.DataFrame
    connections: pl.DataFrame


def _handlers(rooms: pl.DataFrame, cooling: Cooling) -> pl.DataFrame:
    """Rooms -> their air handlers, each with its share of the heat and what its fans draw."""
    said = cooling.air
    each = round(said.unit_kw * 1000)
    rows = []
    for room, hall, watts, typical in rooms.select("cooling_node", "hall", *HEAT).iter_rows():
        fans = round(watts / (AIR * said.rise_k) * said.pressure_pa / said.efficiency)
        count = said.count or -(-(watts + fans) // each) + said.spare
        slow = affinity(fans, typical, watts)
        sums = (watts + fans, typical + slow, fans, slow)
        rows += [
            (room, f"{hall}-ah{i + 1:02}", "air_handler", hall, each, *(share(w, count, i) for w in sums))
            for i in range(count)
        ]
    names = ["parent_of", "cooling_node", "kind", "hall", "capacity_w", *HEAT, "power_w", "typical_power_w"]
    text = ("parent_of", "cooling_node", "kind", "hall")
    return pl.DataFrame(rows, schema={n: pl.String if n in text else pl.Int64 for n in names}, orient="row")


def _air(heat: pl.DataFrame, doors: pl.DataFrame, cooling: Cooling) -> _Air:
    """Devices with heat, racks with a door -> who takes what they give to air."""
    warm = heat.filter(pl.col("air_w") > 0)
    behind = warm.join(doors, on="rack", how="semi", maintain_order="left")
    free = warm.join(doors, on="rack", how="anti", maintain_order="left")
    fan = pl.col("fan_w")
    hung = _sums(behind, ["rack", "hall", "row"], "air").join(doors, on="rack", maintain_order="left")
    hung = hung.select(
        "rack", "hall", "row", "product", "capacity_w", *(pl.col(c) + fan for c in HEAT),
        cooling_node=pl.format("{}-door", "rack"), kind=pl.lit("rear_door"), power_w=fan, typical_power_w=fan,
    )  # fmt: skip
    rooms = _sums(free, ["hall"], "air").with_columns(cooling_node=pl.format("{}-room", "hall"), kind=pl.lit("room"))
    handlers = _handlers(rooms, cooling)
    connections = [
        behind.select("device", "slice", cooling_node=pl.format("{}-door", "rack")),
        free.select("device", "slice", cooling_node=pl.format("{}-room", "hall")),
    ]
    return _Air(
        rooms=rooms,
        takers=pl.concat([hung, handlers.drop("parent_of")], how="diagonal_relaxed"),
        edges=handlers.select(parent="cooling_node", child="parent_of"),
        connections=pl.concat(connections).with_columns(medium=pl.lit("air")),
    )


def _temperatures(nodes: pl.DataFrame, cooling: Cooling, rise_k: float) -> pl.DataFrame:
    """Nodes inside the halls -> with name, supply and return (mK) of the liquid that takes their heat."""
    cold, water = technology_supply_c(cooling), cooling.facility
    technology = pl.col("kind").is_in(["manifold", "header", "cdu"])
    said = {
        "coolant": (cooling.technology.coolant, water.coolant),
        "supply_mk": (round((cold + ZERO_C) * 1000), round((water.supply_c + ZERO_C) * 1000)),
        "return_mk": (round((cold + rise_k + ZERO_C) * 1000), round((water.supply_c + water.rise_k + ZERO_C) * 1000)),
    }
    wet = pl.col("kind") != "room"
    return nodes.with_columns(
        pl.when(wet).then(pl.when(technology).then(pl.lit(a)).otherwise(pl.lit(b))).alias(name)
        for name, (a, b) in said.items()
    )


def _flows(nodes: pl.DataFrame, facts: Facts, cooling: Cooling) -> pl.DataFrame:
    """Nodes -> with the flow of the liquid that takes their heat, in mL/s."""
    water = facts.coolants[cooling.facility.coolant].at(cooling.facility.supply_c + cooling.facility.rise_k / 2)
    per_w = water.flow(1, cooling.facility.rise_k) * 1e6
    cold = cooling.technology.flow_lpm_per_kw / 60
    technology = pl.col("kind").is_in(["manifold", "header", "cdu"])
    flow = pl.col("heat_w") * pl.when(technology).then(cold).otherwise(per_w)
    return nodes.with_columns(flow_ml_s=pl.when(pl.col("kind") != "room").then(flow.round().cast(pl.Int64)))


def cool(
    spec: Spec, layout: Layout, facts: Facts, floor: Floor, devices: pl.DataFrame, watts: pl.DataFrame
) -> CoolingTables:
    """Spec, layout, facts, floor, placed devices and their loads -> CoolingTables.

    A device that nothing takes the liquid heat of has no connection for it: the rules tell.
    """
    cooling = spec.cooling
    heat = _heat(devices, watts, floor.racks.select("rack", "hall", "row"))
    liquid = _liquid(spec.site, heat, facts)
    air = _air(heat, _doors(layout), cooling)
    technology = facts.coolants[cooling.technology.coolant].at(technology_supply_c(cooling) + 5)
    rise_k = technology.rise(1000, cooling.technology.flow_lpm_per_kw / 60_000)
    takers = pl.concat([liquid.cdus, air.takers], how="diagonal_relaxed")
    inside = _temperatures(pl.concat([liquid.inner, air.rooms, takers], how="diagonal_relaxed"), cooling, rise_k)
    inside = _flows(inside, facts, cooling)
    pipes = pipework(spec, facts, floor, inside, liquid.edges)
    inside = technology_pressure(inside, pipes, liquid, heat, facts, cooling)
    built = plants(spec, facts, inside, heads(pipes, cooling))
    return CoolingTables(
        nodes=pl.concat([inside, built.nodes], how="diagonal_relaxed"),
        edges=pl.concat([liquid.edges, air.edges, built.edges]),
        connections=pl.concat([liquid.connections.select(air.connections.columns), air.connections]),
        pipes=pipes,
        plants=built.plants,
        plant_loads=built.loads,
    )
