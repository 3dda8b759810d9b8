"""Devices -> CDUs and which of them takes the liquid heat of which node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.plan.facts import Facts


def cool(devices: pl.DataFrame, watts: pl.DataFrame, facts: Facts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Placed devices and loads -> cooling nodes and edges.

    Devices share the CDUs of their rack in turn; racks without one share the row CDUs of their unit, rack by rack.
    A device that no CDU takes has no edge.
    """
    capacity = {f.cdu.product: f.cdu_w for f in facts.fleets if f.cdu}
    cdus = devices.filter(kind="cdu").select(
        "rack",
        "unit",
        cooling_node="device",
        kind=pl.lit("cdu"),
        capacity_w=pl.col("product").replace_strict(capacity, return_dtype=pl.Int64, default=None),
    )
    warm = devices.select("device", "rack", "unit").join(
        watts.filter(pl.col("liquid_w") > 0).select("device"), on="device", maintain_order="left"
    )
    edges = [
        _in_turn(warm.join(cdus, on="rack", how="semi", maintain_order="left"), cdus, "rack", "device"),
        _in_turn(warm.join(cdus, on="rack", how="anti", maintain_order="left"), cdus, "unit", "rack"),
    ]
    return cdus.select("cooling_node", "kind", "rack", "capacity_w"), pl.concat(edges)


def _in_turn(warm: pl.DataFrame, cdus: pl.DataFrame, home: str, each: str) -> pl.DataFrame:
    """Warm devices -> edges to the CDUs of their `home` in turn, one for all devices of `each`."""
    count = cdus.group_by(home).agg(cdus=pl.len().cast(pl.Int64))
    turn = (pl.col(each).rank("dense").over(home) - 1).cast(pl.Int64)
    share = warm.join(count, on=home, maintain_order="left").with_columns(nth=turn % pl.col("cdus"))
    numbered = cdus.with_columns(nth=pl.int_range(pl.len()).over(home))
    return share.join(numbered, on=[home, "nth"], maintain_order="left").select("cooling_node", "device")
