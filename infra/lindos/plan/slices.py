"""Tables -> slices and digests.

A slice is what one stack manages: a unit with its leaves and CDUs, the spines of a pod, a group of cores of one plane,
the front end, storage, the out-of-band switches of a pod, the services. Its digest covers the rows of its own devices:
where they stand, what they draw, their cords, addresses and both ends of their links, which say all of a port that its
product does not. The cables of a link belong to the slice of the lower device.

Digests are taken over canonical text of the rows in key order, quantities as integers; never over file bytes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from hashlib import _Hash as Hash

FIELD, ROW, END = "\x1f", "\x1e", "\x1d"


def row_text(frame: pl.DataFrame) -> pl.Expr:
    """Every column of a row as one text; a null is told from an empty text."""
    return pl.concat_str([pl.col(c).cast(pl.String).fill_null("\x00") for c in frame.columns], separator=FIELD)


def digest_of(texts: Iterable[str]) -> str:
    """Texts in order -> sha256, hexadecimal."""
    out = sha256()
    for text in texts:
        out.update(f"{text}{END}".encode())
    return out.hexdigest()


LOGICAL = ("fabric", "tier", "a_device", "a_port", "b_device", "b_port", "rate_gbps")
"""What both ends of a link have to know of it."""
DIGESTED = (
    "addresses", "asns", "cables", "cooling_connections", "devices", "gpus", "links", "links from below", "loads",
    "power_connections", "racks", "switches", "units",
)  # fmt: skip
"""What slices are digested over, in this order."""


def _rows_of_slices(tables: dict[str, pl.DataFrame], name: str) -> tuple[pl.DataFrame, list[str]]:
    """Tables and one of DIGESTED -> its rows with their `slice`, and the columns that count."""
    home = tables["devices"].select("device", "slice")
    if name == "links":
        return tables["links"], [*LOGICAL, "a_label", "b_label"]
    if name == "links from below":
        above = home.select(b_device="device", b_slice="slice")
        above = tables["links"].select(*LOGICAL, "slice").join(above, on="b_device", maintain_order="left")
        above = above.filter(pl.col("b_slice") != pl.col("slice"))
        return above.select(*LOGICAL, slice="b_slice"), list(LOGICAL)
    if "slice" in tables[name].columns:
        # The plane of a device is in its name.
        return tables[name], [c for c in tables[name].columns if c not in ("slice", "plane")]
    return tables[name].join(home, on="device", maintain_order="left"), tables[name].columns


def _digests(tables: dict[str, pl.DataFrame], name: str) -> dict[str, bytes]:
    """Tables and one of DIGESTED -> sha256 over the rows of each slice, in order of their text."""
    frame, columns = _rows_of_slices(tables, name)
    lines = frame.select("slice", row_text(frame.select(columns)).alias("text"))
    texts = lines.group_by("slice").agg(pl.col("text").sort().str.join(ROW))
    return {s: sha256(text.encode()).digest() for s, text in texts.iter_rows()}


def slice_digests(tables: dict[str, pl.DataFrame]) -> dict[str, str]:
    """Tables by name -> digest of each slice: sha256 over those of its tables, hexadecimal.

    Most of a table's work runs on one core, so two tables go side by side; no more, because their texts take
    gigabytes at a million GPUs.
    """
    out: dict[str, Hash] = {}
    with ThreadPoolExecutor(2) as pool:
        for name, digests in zip(DIGESTED, pool.map(lambda n: _digests(tables, n), DIGESTED), strict=True):
            for slice_, digest in digests.items():
                out.setdefault(slice_, sha256()).update(name.encode() + b"\0" + digest)
    return {s: digest.hexdigest() for s, digest in sorted(out.items())}


KINDS = {"a": "unit", "p": "pod", "g": "core"}


def _kind() -> pl.Expr:
    """frontend, oob-p001 and services say it themselves; a0001, blackwell-p001 and g001-pl0 by a letter."""
    head = pl.col("slice").str.split("-").list.first()
    letter = pl.col("slice").str.extract(r"(?:^|-)([apg])\d+(?:-pl\d+)?$")
    said = head.is_in(["frontend", "storage", "oob", "services"])
    return pl.when(said).then(head).otherwise(letter.replace_strict(KINDS, default=None, return_dtype=pl.String))


def slices(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Tables by name -> one row a slice, with what it holds and its digest; in the order of the devices."""
    devices, gpus = tables["devices"], tables["gpus"]
    watts = (
        devices.select("device", "slice")
        .join(tables["loads"], on="device")
        .group_by("slice")
        .agg(pl.col("nameplate_w").sum())
    )
    frame = devices.group_by("slice", maintain_order=True).agg(
        fabric=pl.col("fabric").drop_nulls().first(),
        devices=pl.len(),
        nodes=(pl.col("kind") == "node").sum(),
        switches=(pl.col("kind") == "switch").sum(),
        racks=pl.col("rack").n_unique(),
    )
    frame = frame.with_columns(kind=_kind())
    for name, counted in (("gpus", gpus), ("cables", tables["cables"])):
        frame = frame.join(
            counted.group_by("slice").agg(pl.len().alias(name)), on="slice", how="left", maintain_order="left"
        )
    frame = frame.join(watts, on="slice", how="left", maintain_order="left")
    digests = slice_digests(tables)
    return frame.with_columns(
        pl.col("gpus", "cables", "nameplate_w").fill_null(0),
        digest=pl.col("slice").replace_strict(digests, return_dtype=pl.String),
    )


def plan_digest(site: str, tables: dict[str, pl.DataFrame]) -> str:
    """Digest of the whole plan: every slice, and the tables that no slice holds."""
    texts = [site]
    loose = [
        "halls",
        "rows",
        "bundles",
        "trays",
        "power_nodes",
        "power_edges",
        "power_loads",
        "cooling_nodes",
        "cooling_edges",
        "cooling_pipes",
        "plants",
        "plant_loads",
        "efficiency",
        "fabrics",
        "subnet_managers",
        "partitions",
        "cages",
        "waves",
        "pools",
        "bom",
    ]
    for name in (*loose, "slices"):
        frame = tables[name]
        lines = frame.select(row_text(frame).alias("text")).sort("text")["text"]
        texts.append(name + ROW + ROW.join(lines))
    return digest_of(texts)
