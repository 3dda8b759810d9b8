"""Plan -> what those who buy and pull cables work from: bill of materials, load of the trays, a pull list an aisle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.emit.schedules import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan


def bom(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """bom.csv: every part with how many stand in the design, spares, and what to order in all."""
    frame = plan.bom.with_columns(length_m=pl.col("length_mm") / 1000)
    columns = ["kind", "part", "length_m", "quantity", "spares", "ordered", "unit"]
    yield Artefact("bom.csv", frame.select(columns).write_csv().encode())


def trays(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """trays.csv: every stretch of tray between two changes of its load, and how full it is, the fullest first."""
    halls = plan.halls.select("hall", "tray_mm2", limit_pct="tray_fill_pct")
    frame = plan.trays.join(halls, on="hall", how="left", maintain_order="left").with_columns(
        from_m=pl.col("from_mm") / 1000,
        to_m=pl.col("to_mm") / 1000,
        fill_pct=(pl.col("area_mm2") * 100 / pl.col("tray_mm2")).round(1),
    )
    columns = ["tray", "hall", "kind", "from_m", "to_m", "cables", "area_mm2", "fill_pct", "limit_pct"]
    order = frame.sort("area_mm2", "tray", "from_mm", descending=[True, False, False])
    yield Artefact("trays.csv", order.select(columns).write_csv().encode())


def _lines(plan: Plan) -> pl.DataFrame:
    """Plan -> the lines of all pull lists in order: aisle, text; a heading for each bundle, then its cables."""
    bundles = plan.bundles.with_columns(
        way=pl.col("path").fill_null("in the rack"), metres=(pl.col("length_mm") / 1000).round(1)
    ).sort("aisle", "pull")
    heads = bundles.select(
        "aisle",
        "pull",
        nth=pl.lit(0, dtype=pl.Int64),
        text=pl.format("\n{}. {}  {} cables, the longest {} m  {}", "pull", "bundle", "cables", "metres", "way"),
    )
    # One label a cable and end: a splitter has its head's, and one for each of its legs.
    links = plan.links.select("cable", "a_label", "b_label")
    laid = links.join(plan.cables.select("cable", "bundle", "part"), on="cable", maintain_order="left")
    laid = laid.join(bundles.select("bundle", "aisle", "pull"), on="bundle", maintain_order="left")
    body = laid.with_columns(nth=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("aisle", "pull")).select(
        "aisle",
        "pull",
        "nth",
        text=pl.format("   [ ] {}  |  {}  |  {}", "a_label", "b_label", "part"),
    )
    return pl.concat([heads, body]).sort("aisle", "pull", "nth").select("aisle", "text")


def pull_lists(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """pull/AISLE.txt: the bundles of an aisle in the order in which they are pulled, with all labels."""
    said = plan.bundles.group_by("aisle").agg(bundles=pl.len(), cables=pl.col("cables").cast(pl.Int64).sum())
    counts = {aisle: (n, cables) for aisle, n, cables in said.rows()}
    texts = _lines(plan).group_by("aisle", maintain_order=True).agg(pl.col("text").str.join("\n"))
    for aisle, text in texts.rows():
        bundles, cables = counts[aisle]
        head = (
            f"{plan.site} {aisle}: {bundles:,} bundles, {cables:,} cables  (design {plan.digest[:SHORT]})\n"
            "Pull in this order: the longest lie at the bottom of the trays. Label both ends before you pull.\n"
            "[ ] label at this end  |  label at the far end  |  part"
        )
        yield Artefact(f"pull/{aisle}.txt", f"{head}\n{text}\n".encode())
