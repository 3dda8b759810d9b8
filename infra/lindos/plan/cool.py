"""Devices -> CDUs and which of them takes the liquid heat of which node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.plan.facts import Facts


def cool(devices: pl.DataFrame, watts: pl.DataFrame, facts: Facts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Placed devices and loads -> cooling nodes and edges; the nodes of a rack share its CDUs in turn."""
    capacity = {f.cdu.product: f.cdu_w for f in facts.fleets if f.cdu}
    cdus = devices.filter(kind="cdu").select(
        "rack",
        cooling_node="device",
        kind=pl.lit("cdu"),
        capacity_w=pl.col("product").replace_strict(capacity, return_dtype=pl.Int64, default=None),
    )
    warm = devices.select("device", "rack").join(
        watts.filter(pl.col("liquid_w") > 0).select("device"), on="device", maintain_order="left"
    )
    count = cdus.group_by("rack").agg(cdus=pl.len().cast(pl.Int64))
    share = warm.join(count, on="rack", maintain_order="left").with_columns(
        nth=pl.int_range(pl.len()).over("rack") % pl.col("cdus")
    )
    numbered = cdus.with_columns(nth=pl.int_range(pl.len()).over("rack"))
    edges = share.join(numbered, on=["rack", "nth"], maintain_order="left").select("cooling_node", "device")
    return cdus.select("cooling_node", "kind", "rack", "capacity_w"), edges
