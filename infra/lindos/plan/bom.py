"""Tables -> the bill of materials: what to buy, how many stand in the design, how many spares beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lindos.plan.cable import Cabling
    from lindos.spec.model import Spares

EACH, RACKED = "each", "with its rack"
"""Units of sale: by the piece, or built into the rack that is delivered."""
BUILT_IN = ["node", "nvswitch", "shelf", "cdu"]
"""Kinds of device that come with a rack that is a product."""


def _count(frame: pl.DataFrame, kind: str | pl.Expr, part: str | pl.Expr, unit: str | pl.Expr = EACH) -> pl.DataFrame:
    """One row a thing -> one row a part, shortest first where it has a length."""
    said = {"kind": kind, "part": part, "unit": unit}
    length = pl.col("length_mm") if "length_mm" in frame.columns else pl.lit(None, dtype=pl.Int64)
    named = frame.with_columns(
        length_mm=length, **{k: pl.lit(v) if isinstance(v, str) else v.cast(pl.String) for k, v in said.items()}
    )
    by = [*said, "length_mm"]
    counted = named.group_by(by).agg(quantity=pl.len().cast(pl.Int64))
    stem = pl.col("part").str.replace(r" [0-9.]+ m$", "")
    return counted.sort("kind", stem, "length_mm", "part")


def _breakouts(links: pl.DataFrame) -> pl.DataFrame:
    """Links with their cables -> one row a breakout module: one for every connector whose links run apart."""
    ends = [
        links.filter("breakout", pl.col(f"{e}_fan") > 1).select(
            device=f"{e}_device", cage=f"{e}_cage", nth=pl.col(f"{e}_lane_group") // pl.col(f"{e}_fan")
        )
        for e in ("a", "b")
    ]
    return pl.concat(ends).unique(maintain_order=True)


def bill(tables: Mapping[str, pl.DataFrame], cabling: Cabling, spares: Spares) -> pl.DataFrame:
    """Tables of the plan, its cabling, rates of spares -> kind, part, length_mm, quantity, spares,
    ordered, unit.

    Spares are rounded up for every line, so that each kind of part has one where it has any.
    """
    racks, power = tables["racks"], tables["power_nodes"]
    delivered = racks.filter(pl.col("product").is_not_null())["rack"]
    built_in = pl.col("kind").is_in(BUILT_IN) & pl.col("rack").is_in(delivered.implode())
    unit = pl.when(built_in).then(pl.lit(RACKED)).otherwise(pl.lit(EACH))
    frame_of = pl.coalesce("product", pl.format("{} rack {}U", "kind", "height_u"))
    pdu = pl.format("rack PDU, three-phase, {} kW", (pl.col("capacity_w") / 1000).round(1))
    lines = [
        _count(racks.filter(pl.col("kind") != "cooling"), "rack", frame_of),
        _count(tables["devices"], pl.col("kind"), pl.col("product"), unit),
        _count(power.filter(pl.col("kind") == "rack_pdu"), "rack_pdu", pdu),
        _count(tables["power_connections"], "power_cord", "power cord"),
        _count(cabling.modules, "optic", pl.col("part")),
        _count(_breakouts(cabling.links), "breakout", "breakout module MPO-12 to LC duplex"),
        _count(tables["cables"], "cable", pl.col("part")),
    ]  # fmt: skip
    rates = spares.model_dump()
    rate = pl.col("kind").replace_strict(rates, default=0.0, return_dtype=pl.Float64)
    frame = pl.concat(lines).with_columns(spares=(pl.col("quantity") * rate - 1e-9).ceil().cast(pl.Int64))
    return frame.with_columns(ordered=pl.col("quantity") + pl.col("spares"))
