"""Tables -> slices and digests.

A slice is what one stack manages: a unit with its leaves and CDUs, the spines of a pod, a group of cores of one plane,
the front end, storage, the out-of-band switches of a pod, the services. Its digest covers the rows of its own devices:
where they stand, what they draw, their cords, addresses and both ends of their links, which say all of a port that its
product does not. The cables of a link belong to the slice of the lower device.

Digests are taken over canonical text of the rows in key order, quantities as integers; never over file bytes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from hashlib import _Hash as Hash

FIELD, ROW, END = "\x1f", "\x1e", "\x1d"


def row_text(frame: pl.DataFrame) -> pl.Expr:
    """Every column of a row as one text; a null is told from an empty text."""
    return pl.concat_str([pl.col(c).cast(pl.String).fill_null("\x00") for c in frame.columns], separator=FIELD)


def digest_by(frame: pl.DataFrame, by: str, columns: list[str]) -> pl.DataFrame:
    """Rows -> one text a value of `by`: its rows in order of their text."""
    lines = frame.select(pl.col(by).alias("slice"), row_text(frame.select(columns)).alias("text"))
    return lines.group_by("slice").agg(pl.col("text").sort().str.join(ROW))


def digest_of(texts: Iterable[str]) -> str:
    """Texts in order -> sha256, hexadecimal."""
    out = sha256()
    for text in texts:
        out.update(f"{text}{END}".encode())
    return out.hexdigest()


def _digested(tables: dict[str, pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Tables by name -> what slices are digested over, in the order in which it is: name, one text a slice.

    One at a time: the texts of a million GPUs take gigabytes.
    """
    home = tables["devices"].select("device", "slice")

    def own(name: str, frame: pl.DataFrame, columns: list[str]) -> tuple[str, pl.DataFrame]:
        return name, digest_by(frame, "slice", columns)

    logical = ["fabric", "tier", "a_device", "a_port", "b_device", "b_port", "rate_gbps"]
    for name in (
        "addresses", "asns", "cables", "cooling_connections", "devices", "gpus", "links", "links from below", "loads",
        "power_connections", "racks", "switches", "units",
    ):  # fmt: skip
        if name == "links":
            yield own(name, tables["links"], [*logical, "a_label", "b_label"])
        elif name == "links from below":
            above = home.select(b_device="device", b_slice="slice")
            above = tables["links"].select(*logical, "slice").join(above, on="b_device", maintain_order="left")
            above = above.filter(pl.col("b_slice") != pl.col("slice")).select(*logical, slice="b_slice")
            yield own(name, above, logical)
        elif "slice" in tables[name].columns:
            # The plane of a device is in its name.
            yield own(name, tables[name], [c for c in tables[name].columns if c not in ("slice", "plane")])
        else:
            frame = tables[name].join(home, on="device", maintain_order="left")
            yield own(name, frame, tables[name].columns)


def slice_digests(tables: dict[str, pl.DataFrame]) -> dict[str, str]:
    """Tables by name -> digest of each slice: sha256 over its texts, hexadecimal."""
    digests: dict[str, Hash] = {}
    for name, frame in _digested(tables):
        for slice_, text in frame.iter_rows():
            digests.setdefault(slice_, sha256()).update(f"{name}{ROW}{text}{END}".encode())
    return {s: digest.hexdigest() for s, digest in sorted(digests.items())}


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
