"""Plan -> what mechanical contractors work from, as CSV: what takes heat, pipes, machines of the plant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.emit.artefact import Artefact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

ZERO_MK = 273_150


def _kilo(column: str, name: str) -> pl.Expr:
    return (pl.col(column) / 1000).round(3).alias(name)


def _celsius(column: str, name: str) -> pl.Expr:
    return ((pl.col(column) - ZERO_MK) / 1000).round(2).alias(name)


def _litres(column: str, name: str) -> pl.Expr:
    return (pl.col(column) * 60 / 1000).round(2).alias(name)


def cooling(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """cooling.csv: every part that takes heat, where, from how many parts before it, to which behind it."""
    behind = plan.cooling_edges.group_by(cooling_node="child").agg(gives_to=pl.col("parent").sort().str.join(" "))
    places = plan.racks.select("rack", "row", "position")
    frame = plan.cooling_nodes.join(places, on="rack", how="left", maintain_order="left")
    frame = frame.join(behind, on="cooling_node", how="left", maintain_order="left")
    columns = [
        "cooling_node", "kind", "product", "plant", "hall", "row", "position", "rack",
        _kilo("capacity_w", "capacity_kw"), _kilo("heat_w", "heat_kw"), _kilo("typical_heat_w", "typical_heat_kw"),
        "coolant", _litres("flow_ml_s", "flow_lpm"), _celsius("supply_mk", "supply_c"),
        _celsius("return_mk", "return_c"), _kilo("pressure_pa", "pressure_kpa"), _kilo("power_w", "power_kw"),
        _kilo("typical_power_w", "typical_power_kw"), "pumps", "pumps_needed", "gives_to",
    ]  # fmt: skip
    yield Artefact("cooling.csv", frame.select(columns).write_csv().encode())


def pipes(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """pipes.csv: every pipe with size, length there and back, flow, velocity and pressure drop."""
    columns = [
        "pipe", "kind", "hall", "coolant", "nominal_mm", "pipes", _kilo("length_mm", "length_m"),
        _litres("flow_ml_s", "flow_lpm"), _kilo("velocity_mm_s", "velocity_m_s"),
        _kilo("pressure_pa", "pressure_kpa"),
    ]  # fmt: skip
    yield Artefact("pipes.csv", plan.cooling_pipes.select(columns).write_csv().encode())


def plant_loads(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """plant_loads.csv: what the machines of the plants draw, for motor control centres."""
    columns = [
        "name", "kind", "plant", "hall", "count", "needed", _kilo("nameplate_w", "nameplate_kw"),
        _kilo("typical_w", "typical_kw"),
    ]  # fmt: skip
    yield Artefact("plant_loads.csv", plan.plant_loads.select(columns).write_csv().encode())
