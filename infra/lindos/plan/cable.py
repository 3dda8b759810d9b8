"""Links and coordinates -> physical cables: route, length to buy, medium, parts, labels.

Route: up to the tray, along and across the hall, down again, with slack at both ends; inside a rack straight up or
down. Lengths round up to those that are sold. Medium by reach: multimode where both ends have an optic that reaches,
else single mode; RJ45 ports take copper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import CatalogueError, InfeasibleError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lindos.plan.facts import OpticFacts

SLACK_MM = 2_000
"""At each end of a cable that leaves its rack."""
RACK_SLACK_MM = 400
"""In all, for a cable that stays in its rack."""
SOLD_M = (
    1,
    2,
    3,
    5,
    7,
    10,
    15,
    20,
    25,
    30,
    40,
    50,
    60,
    80,
    100,
    120,
    150,
    200,
    250,
    300,
    350,
    400,
    450,
    500,
    750,
    1000,
    1500,
    2000,
)
TWISTED_PAIR_MM = 100_000
"""Longest channel of twisted pair at 1 Gb/s (TIA-568)."""


def _ends(links: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """Links with rack and coordinates of both ends; names of devices as Enum, which joins and groups as numbers."""
    names = pl.Enum(devices["device"])
    row = pl.col("position").cast(pl.String).str.zfill(2)
    spot = devices.select(
        pl.col("device").cast(names),
        "rack",
        "x_mm",
        "y_mm",
        "z_mm",
        "tray_height_mm",
        pl.format("{}.{}-U{}", "row", row, pl.col("u").cast(pl.String).str.zfill(2)).alias("spot"),
    )
    out = links.with_columns(pl.col("a_device", "b_device").cast(names))
    for end in ("a", "b"):
        out = out.join(
            spot.rename({c: f"{end}_{c}" for c in spot.columns}), on=f"{end}_device", how="left", maintain_order="left"
        )
    return out


def _route() -> pl.Expr:
    """Length of the way of a cable in mm, slack included."""

    def rise(end: str) -> pl.Expr:
        return (pl.col(f"{end}_tray_height_mm") - pl.col(f"{end}_z_mm")).abs()

    across = (pl.col("a_x_mm") - pl.col("b_x_mm")).abs() + (pl.col("a_y_mm") - pl.col("b_y_mm")).abs()
    inside = (pl.col("a_z_mm") - pl.col("b_z_mm")).abs() + RACK_SLACK_MM
    return (
        pl.when(pl.col("a_rack") == pl.col("b_rack"))
        .then(inside)
        .otherwise(rise("a") + across + rise("b") + 2 * SLACK_MM)
    )


def sold_length(route_mm: pl.Series) -> pl.Series:
    """Routes in mm -> the next length that is sold, in mm; null past the longest."""
    sold = pl.Series([*(m * 1000 for m in SOLD_M), None], dtype=pl.Int64)
    return sold.gather(sold[: len(SOLD_M)].search_sorted(route_mm, side="left"))


def _optic_choices(optics: Sequence[OpticFacts], kinds: pl.DataFrame) -> pl.DataFrame:
    """Kinds of link (forms and groups at both ends, speed) -> every pair of optics of one medium, with its reach.

    Among the parts that fit an end the shortest reach that is enough wins, so rows are ordered by medium and reach.
    """
    rows = []
    for a_form, a_groups, b_form, b_groups, gbps in kinds.iter_rows():
        for medium in ("MM", "SM"):
            a_fit = [o for o in optics if (o.form, o.links, o.gbps, o.medium) == (a_form, a_groups, gbps, medium)]
            b_fit = [o for o in optics if (o.form, o.links, o.gbps, o.medium) == (b_form, b_groups, gbps, medium)]
            for a in a_fit:
                rows += [
                    (
                        a_form,
                        a_groups,
                        b_form,
                        b_groups,
                        gbps,
                        medium,
                        min(a.max_mm, b.max_mm),
                        a.part,
                        b.part,
                        a.max_mm + b.max_mm,
                        a.links_per_connector,
                        b.links_per_connector,
                        a.connector,
                        b.connector,
                    )
                    for b in b_fit
                    if b.standard == a.standard
                ]
    names = [
        "a_form",
        "a_groups",
        "b_form",
        "b_groups",
        "rate_gbps",
        "medium",
        "reach_mm",
        "a_part",
        "b_part",
        "cost",
        "a_share",
        "b_share",
        "a_connector",
        "b_connector",
    ]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return frame.sort("medium", "reach_mm", "cost", "a_part", "b_part") if len(frame) else frame


KIND = ["a_form", "a_groups", "b_form", "b_groups", "rate_gbps"]


CHOSEN = ["medium", "a_part", "b_part", "a_share", "b_share", "a_connector", "b_connector"]


def _cage_reach(frame: pl.DataFrame) -> pl.DataFrame:
    """Lengths -> `reach_needed`: the longest cable of all whose ends share a cage, directly or through others.

    The halves of a cage hold one module, so what shares a cage has one medium. Settles in as many rounds as cages
    chain up; links that stripe over a leaf and a spine make chains of four.
    """
    out = frame.with_columns(reach_needed=pl.col("length_mm"))
    while True:
        wider = out.with_columns(pl.col("reach_needed").max().over("a_device", "a_cage")).with_columns(
            pl.col("reach_needed").max().over("b_device", "b_cage")
        )
        if wider["reach_needed"].equals(out["reach_needed"]):
            return wider
        out = wider


def _choose_optics(frame: pl.DataFrame, optics: Sequence[OpticFacts]) -> pl.DataFrame:
    """Optical links -> with medium and the part at each end."""
    kinds = frame.select(KIND).unique(maintain_order=True)
    choices = _optic_choices(optics, kinds)
    lacking = kinds if not len(choices) else kinds.join(choices.select(KIND).unique(), on=KIND, how="anti")
    if len(lacking):
        raise CatalogueError(
            Problem(
                f"no pair of optics joins {b_groups}x{gbps}G in {b_form} with {a_groups}x{gbps}G in {a_form}",
                hint="give the optic in the site file: assumptions: - {product: NAME, kind: optic, "
                "facts: {form, rate, medium, standard, connector, max_m}, reason: ...}",
            )
            for a_form, a_groups, b_form, b_groups, gbps in lacking.iter_rows()
        )
    # The first choice that reaches wins: multimode before single mode, then by reach.
    choices = choices.with_row_index("choice")
    frame = _cage_reach(frame).join(kinds.with_row_index("kind"), on=KIND, maintain_order="left")
    best = pl.lit(None, dtype=pl.UInt32)
    for kind, key in enumerate(kinds.iter_rows()):
        mine = choices.filter(pl.all_horizontal(pl.col(c) == v for c, v in zip(KIND, key, strict=True)))
        for choice, reach in reversed(mine.select("choice", "reach_mm").rows()):
            best = (
                pl.when((pl.col("kind") == kind) & (pl.col("reach_needed") <= reach))
                .then(pl.lit(choice, dtype=pl.UInt32))
                .otherwise(best)
            )
    return frame.with_columns(choice=best).join(
        choices.select("choice", *CHOSEN), on="choice", how="left", maintain_order="left"
    )


def _label(end: str, far: str) -> pl.Expr:
    """Label text in the manner of TIA-606: hall-row.position-U:port / far end."""
    return pl.format("{}:{} / {}:{}", f"{end}_spot", f"{end}_port", f"{far}_spot", f"{far}_port")


def _bundle(frame: pl.DataFrame) -> pl.DataFrame:
    """Links -> with the cable that carries each: a fan-out from one connector above is one cable."""
    fan = (pl.col("b_share") > 1) & (pl.col("a_share") == 1)
    connector = pl.col("b_lane_group") // pl.col("b_share").fill_null(1)
    whole = ["b_device", "b_cage", connector]
    return frame.with_columns(
        cable=pl.when(fan).then(pl.col("link").first().over(whole)).otherwise(pl.col("link")),
        length_mm=pl.when(fan).then(pl.col("length_mm").max().over(whole)).otherwise(pl.col("length_mm")),
    )


def _name_parts() -> pl.Expr:
    """What to order: connector, fibre and length."""
    fibre = {"MM": "OM4", "SM": "OS2", "CAT6A": "CAT6A"}
    length = pl.col("length_mm") // 1000
    ends = (
        pl.when(pl.col("a_connector") == pl.col("b_connector"))
        .then(pl.col("a_connector"))
        .otherwise(pl.format("{} to {}", "b_connector", "a_connector"))
    )
    return pl.format("{} {} {} m", ends, pl.col("medium").replace_strict(fibre, return_dtype=pl.String), length)


SOCKET = {
    "a_part": pl.lit(None, dtype=pl.String),
    "b_part": pl.lit(None, dtype=pl.String),
    "a_share": pl.lit(1, dtype=pl.Int64),
    "b_share": pl.lit(1, dtype=pl.Int64),
    "a_connector": pl.lit("RJ45"),
    "b_connector": pl.lit("RJ45"),
}
"""The ends of a twisted pair."""


def cable(links: pl.DataFrame, devices: pl.DataFrame, optics: Sequence[OpticFacts]) -> pl.DataFrame:
    """Links and placed devices -> links with the cable that carries each, its length, parts and labels.

    A cable is named after its first link. CatalogueError where no optics join two cages, InfeasibleError where a
    cable would be too long for any.
    """
    frame = _ends(links, devices).with_columns(route_mm=_route()).with_row_index("order")
    frame = frame.with_columns(sold_length(frame["route_mm"]).alias("length_mm"))
    pair = pl.col("a_form").eq("RJ45") | pl.col("b_form").eq("RJ45")
    reaches = pl.when(pl.col("length_mm") <= TWISTED_PAIR_MM).then(pl.lit("CAT6A"))
    copper = frame.filter(pair).with_columns(medium=reaches, **SOCKET)
    both = pl.concat([copper, _choose_optics(frame.filter(~pair), optics).select(copper.columns)]).sort("order")
    lost = both.filter(pl.col("medium").is_null())
    if len(lost):
        worst = lost.sort("route_mm", "link", descending=True).row(0, named=True)
        raise InfeasibleError(
            Problem(
                f"{len(lost):,} cables are too long for any medium that fits; the longest is {worst['link']} to "
                f"{worst['b_device']} with {worst['route_mm'] / 1000:.0f} m",
                hint="place the racks closer together (halls, placement), or add an optic of longer reach",
            )
        )
    named = _bundle(both).with_columns(part=_name_parts(), a_label=_label("a", "b"), b_label=_label("b", "a"))
    return named.with_columns(pl.col("a_device", "b_device").cast(pl.String))


def cables_of(links: pl.DataFrame) -> pl.DataFrame:
    """Links with their cables -> one row a cable."""
    same = ["fabric", "length_mm", "medium", "part", "a_part", "b_part", "a_label", "b_label", "slice"]
    if links["cable"].n_unique() == len(links):
        return links.with_columns(links=pl.lit(1)).select("cable", "links", "route_mm", *same)
    return links.group_by("cable", maintain_order=True).agg(
        pl.len().alias("links"), pl.col("route_mm").max(), *(pl.col(c).first() for c in same)
    )
