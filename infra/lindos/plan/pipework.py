"""Flows and the floor -> pipes, their sizes and pressure drops, and what pumps have to overcome.

Facility water: main to the hall and past its rows, header along each row, branch to each CDU and rear door.
Coolant of the racks: manifold in the rack, header of a unit beside its CDUs in the row.
Every pipe is reckoned with its whole flow from end to end, and there and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import polars as pl

from lindos.plan.hydraulics import BORES_MM, bore_for, pressure_drop, velocity

if TYPE_CHECKING:
    from lindos.plan.facts import Facts
    from lindos.plan.hydraulics import Liquid
    from lindos.plan.place import Floor
    from lindos.spec.cooling import Cooling
    from lindos.spec.model import Spec

U_MM = 44.45
BRANCH_MM = 5_000
"""From the header of a row to a rack or a CDU: under the floor or overhead, and down."""
OCP_LPM_PER_KW = 1.5
"""Flow at which the pressure drop of products is stated."""


class _Hung(Protocol):
    """What hangs on the CDUs: connections of devices, and edges between manifolds, headers and CDUs."""

    @property
    def connections(self) -> pl.DataFrame: ...

    @property
    def edges(self) -> pl.DataFrame: ...


def _technology(spec: Spec, floor: Floor, nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Manifolds and headers of the coolant -> pipe, kind, hall, length_mm, flow_ml_s."""
    racks = floor.racks.select("rack", "height_u", "x_mm", "y_mm")
    pitch = {h.name: round(h.rack_pitch_m * 1000) for h in spec.halls}
    upright = nodes.filter(pl.col("kind") == "manifold").join(racks, on="rack", maintain_order="left")
    manifolds = upright.select(
        "hall", "flow_ml_s", pipe="cooling_node", kind=pl.lit("manifold"),
        length_mm=(2 * pl.col("height_u") * U_MM).round().cast(pl.Int64),
    )  # fmt: skip
    # A header is as long as the racks and CDUs on it stand apart, along and across the rows.
    on = pl.concat([edges.select(pipe="parent", other="child"), edges.select(pipe="child", other="parent")])
    stands = nodes.select("rack", other="cooling_node").join(racks, on="rack")
    spread = on.join(stands, on="other").group_by("pipe").agg(
        span=pl.col("x_mm").max() - pl.col("x_mm").min() + pl.col("y_mm").max() - pl.col("y_mm").min()
    )  # fmt: skip
    headers = nodes.filter(pl.col("kind") == "header").rename({"cooling_node": "pipe"})
    headers = headers.join(spread, on="pipe", how="left", maintain_order="left").select(
        "hall", "flow_ml_s", "pipe", kind=pl.lit("header"),
        length_mm=2 * (pl.col("span") + pl.col("hall").replace_strict(pitch, return_dtype=pl.Int64)),
    )  # fmt: skip
    return pl.concat([manifolds, headers], how="diagonal_relaxed")


def _facility(spec: Spec, nodes: pl.DataFrame) -> pl.DataFrame:
    """Takers of heat -> mains, rows and branches of the facility water: pipe, kind, hall, length_mm, flow_ml_s."""
    water = spec.cooling.facility
    width = {h.name: 2 * round(1000 * h.racks_per_row * h.rack_pitch_m) for h in spec.halls}
    deep = {h.name: 2 * round(1000 * (water.distance_m + h.rows * h.row_pitch_m)) for h in spec.halls}
    takers = nodes.filter(pl.col("kind").is_in(["cdu", "rear_door", "air_handler"]))
    branches = takers.filter(pl.col("row").is_not_null()).select(
        "hall", "row", "facility_ml_s", pipe=pl.format("{}-branch", "cooling_node"), kind=pl.lit("branch"),
        length_mm=pl.lit(2 * BRANCH_MM, dtype=pl.Int64),
    )  # fmt: skip
    rows = branches.group_by("hall", "row", maintain_order=True).agg(pl.col("facility_ml_s").sum())
    rows = rows.with_columns(
        pipe=pl.format("{}-water", "row"), kind=pl.lit("row"),
        length_mm=pl.col("hall").replace_strict(width, return_dtype=pl.Int64),
    )  # fmt: skip
    mains = takers.group_by("hall", maintain_order=True).agg(pl.col("facility_ml_s").sum())
    mains = mains.with_columns(
        pipe=pl.format("{}-main", "hall"), kind=pl.lit("main"),
        length_mm=pl.col("hall").replace_strict(deep, return_dtype=pl.Int64),
    )  # fmt: skip
    frame = pl.concat([mains, rows.drop("row"), branches.drop("row")], how="diagonal_relaxed")
    return frame.rename({"facility_ml_s": "flow_ml_s"})


def _sized(frame: pl.DataFrame, liquid: Liquid, fastest: dict[str, float], said: dict[str, int | None]) -> pl.DataFrame:
    """Pipes with flow and length -> with nominal_mm, pipes side by side, velocity_mm_s, pressure_pa.

    A site has few kinds of pipe many times over: each is reckoned once.
    """
    kinds = frame.select("kind", "flow_ml_s", "length_mm").unique(maintain_order=True)
    out = []
    for kind, flow_ml_s, length_mm in kinds.iter_rows():
        flow = flow_ml_s / 1e6
        nominal, pipes = bore_for(flow, fastest[kind], liquid)
        if (bore := said.get(kind)) is not None:
            nominal, pipes = min(BORES_MM, key=lambda n: (abs(n - bore), n)), 1
        bore_m = BORES_MM[nominal] / 1000
        drop = pressure_drop(flow / pipes, bore_m, length_mm / 1000, liquid)
        out.append(
            (kind, flow_ml_s, length_mm, nominal, pipes, round(1000 * velocity(flow / pipes, bore_m)), round(drop))
        )
    names = ["kind", "flow_ml_s", "length_mm", "nominal_mm", "pipes", "velocity_mm_s", "pressure_pa"]
    schema = {n: pl.String if n == "kind" else pl.Int64 for n in names}
    sizes = pl.DataFrame(out, schema=schema, orient="row")
    return frame.join(sizes, on=["kind", "flow_ml_s", "length_mm"], how="left", maintain_order="left")


def pipework(spec: Spec, facts: Facts, floor: Floor, nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Site file, facts, floor, nodes inside the halls with flows and temperatures, edges -> pipes, sized."""
    cooling = spec.cooling
    facility, technology = cooling.facility, cooling.technology
    water = facts.coolants[facility.coolant].at(facility.supply_c + facility.rise_k / 2)
    wet = nodes.with_columns(
        facility_ml_s=(pl.col("heat_w") * water.flow(1, facility.rise_k) * 1e6).round().cast(pl.Int64)
    )
    warm = nodes.filter(pl.col("kind") == "cdu").select(pl.mean_horizontal("supply_mk", "return_mk").first())
    mean_c = (warm.item() or 293_150) / 1000 - 273.15
    inner = _sized(
        _technology(spec, floor, nodes, edges),
        facts.coolants[technology.coolant].at(mean_c),
        dict.fromkeys(("manifold", "header"), technology.velocity_m_s),
        {"manifold": technology.manifold_dn, "header": technology.header_dn},
    )
    outer = _sized(
        _facility(spec, wet),
        water,
        dict.fromkeys(("main", "row", "branch"), facility.velocity_m_s),
        {"main": facility.main_dn, "row": facility.row_dn, "branch": facility.branch_dn},
    )
    named = [
        (outer, facility.coolant, facility.velocity_m_s),
        (inner, technology.coolant, technology.velocity_m_s),
    ]
    return pl.concat(
        (
            f.with_columns(coolant=pl.lit(name), velocity_max_mm_s=pl.lit(round(fastest * 1000), dtype=pl.Int64))
            for f, name, fastest in named
        ),
        how="diagonal_relaxed",
    )


def heads(pipes: pl.DataFrame, cooling: Cooling) -> dict[str, int]:
    """Pipes -> hall -> Pa that pumps overcome on the way to the worst of its rows and back, equipment counted in."""
    worst = pipes.filter(pl.col("kind").is_in(["main", "row", "branch"])).group_by("hall", "kind")
    sums = worst.agg(pl.col("pressure_pa").max()).group_by("hall").agg(pl.col("pressure_pa").sum())
    equipment = round(cooling.facility.equipment_kpa * 1000)
    return {hall: pa + equipment for hall, pa in sums.iter_rows()}


def technology_pressure(
    nodes: pl.DataFrame, pipes: pl.DataFrame, hung: _Hung, heat: pl.DataFrame, facts: Facts, cooling: Cooling
) -> pl.DataFrame:
    """Nodes inside the halls -> with pressure_pa: of a CDU what its pumps overcome outside it, as far as it is known.

    That of cold plates goes with the square of their flow; where a product on the CDU states none, there is no sum.
    """
    scale = (cooling.technology.flow_lpm_per_kw / OCP_LPM_PER_KW) ** 2 * 1000
    products = [d for f in facts.fleets for d in (f.node, f.nvswitch) if d]
    stated = {d.product: round(d.coolant_kpa * scale) for d in products if d.coolant_kpa}
    plates = hung.connections.join(heat.select("device", "product"), on="device").with_columns(
        pa=pl.col("product").replace_strict(stated, default=None, return_dtype=pl.Int64)
    )
    worst = pl.when(pl.col("pa").is_not_null().all()).then(pl.col("pa").max())
    drop = pipes.select("pipe", "pressure_pa")
    racks = plates.group_by(pipe="cooling_node").agg(pa=worst).join(drop, on="pipe", how="left")
    racks = racks.select("pipe", pa=pl.col("pa") + pl.col("pressure_pa"))
    over = hung.edges.join(racks, left_on="child", right_on="pipe")  # on a CDU, or on the header of a unit
    headers = over.group_by(pipe="parent").agg(pa=worst)
    beyond = headers.join(drop, on="pipe", how="left")
    beyond = beyond.select("pipe", pa=pl.col("pa") + pl.col("pressure_pa").fill_null(0))
    far = hung.edges.join(beyond, left_on="child", right_on="pipe").select(cooling_node="parent", pressure_pa="pa")
    near = beyond.select(cooling_node="pipe", pressure_pa="pa")
    own = pipes.select(cooling_node="pipe", pressure_pa="pressure_pa")
    of_cdus = pl.concat([far, near]).join(nodes.filter(pl.col("kind") == "cdu"), on="cooling_node", how="semi")
    known = pl.concat([of_cdus, own]).unique("cooling_node", keep="first", maintain_order=True)
    return nodes.join(known, on="cooling_node", how="left", maintain_order="left")
