"""Links and places -> the text on the label at each end of each cable, in the manner of ANSI/TIA-606-D.

`h1-r02.03-U05:rail0 / h1-r02.02-U01:etp1a`: this end, then the far one; hall-row.position-U, and the port. Printed on
a flag of two lines, one an end. A connector that carries several links names the first and how many more: `etp1a+1`.
"""

from __future__ import annotations

import re

import polars as pl

LONGEST = 30
"""Characters of a line that a flag label of 50 mm holds in 6 point."""
PRINTABLE = re.compile(r"[A-Za-z0-9.:+/-]+ / [A-Za-z0-9.:+/-]+")
"""What every label printer has, and nothing that a shell, a spreadsheet or a bar code trips over."""
HALL = 6
"""Longest name of a hall that is written out; longer ones are cut and numbered."""


def hall_codes(halls: pl.Series) -> dict[str, str]:
    """Names of halls in order -> what stands for each on a label: h1, or nor2 for the second of `north-building`."""
    return {h: h if len(h) <= HALL else f"{h[:3]}{i + 1}" for i, h in enumerate(halls)}


def spots(devices: pl.DataFrame, halls: pl.Series) -> pl.DataFrame:
    """Devices with hall, row, position and u -> device, spot: `h1-r02.03-U05`."""
    row = pl.col("row").str.split("-r").list.last()
    return devices.select(
        "device",
        spot=pl.format(
            "{}-r{}.{}-U{}",
            pl.col("hall").replace_strict(hall_codes(halls), return_dtype=pl.String),
            row,
            pl.col("position").cast(pl.String).str.zfill(2),
            pl.col("u").cast(pl.String).str.zfill(2),
        ),
    )


def _text(near: str, far: str) -> pl.Expr:
    """Label at an end; where the connector there carries all links of the cable, it names the first of each end.

    The leg of a splitter meets one port at the far end, its head all of the legs.
    """
    more = (pl.len() - 1).over("cable")
    head = (more > 0) & (pl.col(f"{near}_share") >= pl.col(f"{far}_share"))
    ends = [pl.format("{}+{}", pl.col(f"{e}_end").first().over("cable"), more) for e in (near, far)]
    return pl.when(head).then(pl.format("{} / {}", *ends)).otherwise(pl.format("{} / {}", f"{near}_end", f"{far}_end"))


def label(links: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Links with cable, shares and ports, spots of devices -> with `a_label` and `b_label`."""
    frame = links
    for end in ("a", "b"):
        mine = places.rename({"device": f"{end}_device", "spot": f"{end}_spot"})
        frame = frame.join(mine, on=f"{end}_device", how="left", maintain_order="left")
    frame = frame.with_columns(pl.format("{}:{}", f"{e}_spot", f"{e}_port").alias(f"{e}_end") for e in ("a", "b"))
    ends, names = (("a", "b"), ("b", "a")), ("a_label", "b_label")
    plain = {
        name: pl.format("{} / {}", f"{near}_end", f"{far}_end") for name, (near, far) in zip(names, ends, strict=True)
    }
    split = (pl.col("a_share") > 1) | (pl.col("b_share") > 1)
    if not frame.select(split.any()).item():
        return frame.with_columns(**plain)
    # Few cables are split, so that what takes longer is done for those alone.
    numbered = frame.with_row_index("order")
    several = {name: _text(near, far) for name, (near, far) in zip(names, ends, strict=True)}
    texts = [numbered.filter(~split).select("order", **plain), numbered.filter(split).select("order", **several)]
    return pl.concat([frame, pl.concat(texts).sort("order").drop("order")], how="horizontal")
