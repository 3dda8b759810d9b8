"""The table of losses -> what people read: equal losses in one line, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.check.sweep import COLUMNS, COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EFFECTS = [c for c in COLUMNS if c not in ("component", "kind", "feed", "hall", "overloaded", "gpus_before")]
"""What makes two losses of one kind equal."""
WORDS = {
    "nodes_dropped": "nodes down",
    "gpus_lost": "GPUs lost",
    "rails_lost": "rail ports lost",
    "ports_lost": "other ports lost",
    "leaves_dark": "leaves dark",
    "spines_dark": "spines dark",
    "cores_dark": "cores dark",
    "oob_dark": "BMCs not reached",
}


def lines(table: pl.DataFrame, worst: int) -> Iterator[str]:
    """Losses, the worst first, and how many kinds of them to tell -> lines: GPUs left, what fails, what goes."""
    loss = pl.any_horizontal(pl.col(c) > 0 for c in COUNTS) | pl.col("overloaded").is_not_null()
    some = table.filter(loss)
    groups = some.group_by("kind", *EFFECTS, maintain_order=True).agg(
        pl.len(), pl.col("component").first(), pl.col("overloaded").first()
    )
    before = int(table["gpus_before"].max() or 0)  # type: ignore[arg-type]  # whole numbers
    none = len(table) - len(some)
    yield f"{len(table):,} losses, {none:,} of them take nothing down; {before:,} GPUs train together when all is well"
    if len(groups):
        yield ""
        yield f"  {'GPUs left':>9}  {'times':>6}  {'what is lost':42}  what goes with it"
    for row in groups.head(worst).iter_rows(named=True):
        first = f"{row['kind']}: {row['component'].removeprefix(row['kind'] + ' ')}"
        yield f"  {row['gpus_trainable']:>9,}  {row['len']:>6,}  {first:42}  {', '.join(_goes(row))}"
    if len(groups) > worst:
        yield f"  ... and {len(groups) - worst:,} more kinds of loss (--worst)"


def _goes(row: dict[str, Any]) -> Iterator[str]:
    for column, word in WORDS.items():
        if row[column]:
            yield f"{row[column]:,} {word}"
    if row["nodes_throttled"]:
        to = f"{100 * row['throttled_to']:.0f} % ({row['throttled_by']})"
        yield f"{row['nodes_throttled']:,} nodes throttled to {to}"
    if row["overloaded"]:
        yield f"{row['overloaded']} carries {row['overloaded_pct']:.0f} % of what it may"


def hit_lines(row: dict[str, Any], hit: pl.DataFrame) -> Iterator[str]:
    """A loss and the nodes that feel it -> lines: what goes with it, then each node."""
    goes = ", ".join(_goes(row)) or "takes nothing down"
    yield f"{row['component']}: {goes}"
    yield f"{row['gpus_trainable']:,} of {row['gpus_before']:,} GPUs are left to train together"
    wide = max((len(d) for d in hit["device"]), default=0)
    for node in hit.iter_rows(named=True):
        yield f"  {node['device']:{wide}}  {node['does']:11}  {node['why']}"


def feed_lines(losses: pl.DataFrame) -> Iterator[str]:
    """What each product does when a feed is lost -> lines; of devices with one fate the measured draw of the hungriest,
    because that of switches varies with their optics.
    """
    head = ("product", "feed", "devices", "supplies", "kW left", "nameplate", "measured", "then")
    rows: list[Sequence[str]] = [head]
    fate = [c for c in losses.columns if c not in ("feed", "typical_w", "devices")]
    alike = losses.group_by(*fate, "feed", maintain_order=True).agg(pl.col("devices").sum(), pl.col("typical_w").max())
    same = [*fate, "devices", "typical_w"]
    for r in alike.group_by(same, maintain_order=True).agg(pl.col("feed").sort().str.join(", ")).iter_rows(named=True):
        left = "" if r["left_w"] is None else f"{r['left_w'] / 1000:.1f}"
        supplies = f"{r['left']} of {r['psus']}"
        rows.append((r["product"], r["feed"], f"{r['devices']:,}", supplies, left, f"{r['nameplate_w'] / 1000:.1f}",
                     f"{r['typical_w'] / 1000:.1f}", _then(r)))  # fmt: skip
    wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        text = [
            cell.rjust(w) if 1 < i < len(head) - 1 else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, wide, strict=True))
        ]
        yield f"  {'  '.join(text)}".rstrip()


def _then(row: dict[str, Any]) -> str:
    if not row["runs"]:
        return "drops"
    if row["held_by"] is None:
        return "runs"
    share = f"{100 * row['may']:.0f} %"
    if row["held_by"] == "nameplate":
        return f"runs, at {share} of its nameplate at most"
    return f"throttles to {share} ({row['held_by']})"
