"""Racks with what is in them, their door and the coolant in their manifold -> what stands on the floor, in kg."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.hydraulics import BORES_MM

if TYPE_CHECKING:
    from lindos.plan.facts import DeviceFacts, Facts
    from lindos.plan.layout import Layout

FILLED_C = 20.0
"""Degrees at which racks are filled."""


def _coolant_kg(pipes: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Manifolds -> rack, coolant_kg: the volume of the pipe, of which the rack holds supply and return."""
    frame = pipes.filter(pl.col("kind") == "manifold")
    name = frame["coolant"].first()
    density = facts.coolants[name].at(FILLED_C).density if isinstance(name, str) else 0.0
    mass = {n: pi / 4 * (mm / 1000) ** 2 * density / 1000 for n, mm in BORES_MM.items()}
    return frame.select(
        rack=pl.col("pipe").str.strip_suffix("-manifold"),
        coolant_kg=pl.col("length_mm")
        * pl.col("pipes")
        * pl.col("nominal_mm").replace_strict(mass, return_dtype=pl.Float64),
    )


def weigh(
    layout: Layout, facts: Facts, products: list[DeviceFacts], devices: pl.DataFrame, pipes: pl.DataFrame
) -> pl.DataFrame:
    """Layout, facts, products of devices, devices, pipes -> rack, filled_kg.

    A rack that is delivered with its nodes weighs what its product weighs; any other its frame and its devices. Null
    where a part of that is not known. Coolant in cold plates and hoses is not counted.
    """
    known = {p.product: p.weight_kg for p in products if p.weight_kg is not None}
    each = pl.col("product").replace_strict(known, default=None, return_dtype=pl.Float64)
    inside = (
        devices.with_columns(kg=each)
        .group_by("rack")
        .agg(devices_kg=pl.when(pl.col("kg").is_not_null().all()).then(pl.col("kg").sum()))
    )
    rows = []
    for r in layout.racks:
        fleet = r.unit.fleet if r.unit and r.kind == "compute" else None
        door = fleet.door if fleet else None
        rows.append(
            (
                r.name,
                fleet and fleet.rack_kg,
                fleet and fleet.frame_kg,
                r.kind == "cooling",
                0.0 if door is None else door.weight_kg,
            )
        )
    schema = {
        "rack": pl.String,
        "product_kg": pl.Float64,
        "frame_kg": pl.Float64,
        "own": pl.Boolean,
        "door_kg": pl.Float64,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame = frame.join(inside, on="rack", how="left", maintain_order="left")
    frame = frame.join(_coolant_kg(pipes, facts), on="rack", how="left", maintain_order="left")
    # A CDU in the row is its own cabinet.
    bare = pl.coalesce("frame_kg", pl.when("own").then(0.0))
    dry = pl.coalesce("product_kg", bare + pl.col("devices_kg"))
    total = dry + pl.col("door_kg") + pl.col("coolant_kg").fill_null(0)
    return frame.select("rack", filled_kg=total.ceil().cast(pl.Int64))
