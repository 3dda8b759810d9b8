"""Plan -> the schedules that installers work from, as CSV: devices, cables, addresses, power cords.

A row carries the first twelve digits of the digest of its slice, so that a reprint shows which rows are stale.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl

from lindos.emit.artefact import Artefact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

SHORT = 12


def stamped(plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with a slice -> with `slice_digest`."""
    digests = plan.slices.select("slice", slice_digest=pl.col("digest").str.head(SHORT))
    return frame.join(digests, on="slice", how="left", maintain_order="left")


def _csv(name: str, frame: pl.DataFrame) -> Artefact:
    return Artefact(name, frame.write_csv().encode())


def devices(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """devices.csv: what stands where, and what a switch runs."""
    places = plan.racks.select("rack", "hall", "row", "position")
    runs = plan.switches.select("device", "nos")
    frame = plan.devices.join(places, on="rack", how="left", maintain_order="left")
    frame = frame.join(runs, on="device", how="left", maintain_order="left")
    columns = [
        "device",
        "kind",
        "role",
        "vendor",
        "product",
        "fabric",
        "slice",
        "unit",
        "rack",
        "u",
        "height_u",
        "hall",
        "row",
        "position",
        "nos",
        "slice_digest",
    ]
    yield _csv("devices.csv", stamped(plan, frame).select(columns))


def cables(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """cables.csv: one row a link, with its cable; a splitter that carries two links stands in two rows."""
    laid = plan.bundles.select("bundle", "path", "aisle")
    bought = plan.cables.select("cable", "bundle", "length_mm", "medium", "part", "polarity", "a_part", "b_part")
    bought = bought.join(laid, on="bundle", how="left", maintain_order="left")
    frame = plan.links.join(bought, on="cable", how="left", maintain_order="left").with_columns(
        length_m=pl.col("length_mm") / 1000
    )
    columns = [
        "cable", "link", "fabric", "tier", "a_device", "a_port", "a_label", "b_device", "b_port", "b_label",
        "length_m", "medium", "part", "polarity", "a_part", "b_part", "rate_gbps", "bundle", "path", "aisle", "slice",
        "slice_digest",
    ]  # fmt: skip
    yield _csv("cables.csv", stamped(plan, frame).select(columns))


def addresses(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """addresses.csv: every address, its prefix and its gateway, in both families where the site has both."""
    columns = ["device", "port", "purpose", "address", "prefix_len", "gateway", "address6", "prefix_len6", "gateway6"]
    columns += ["slice", "slice_digest"]
    yield _csv("addresses.csv", stamped(plan, plan.addresses).select(columns))


def power_cords(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """power_cords.csv: every power supply, its PDU, feed and phase (none: all three), and how many the device needs."""
    needed = plan.loads.select("device", "psus_needed")
    frame = plan.power_connections.join(needed, on="device", how="left", maintain_order="left")
    yield _csv(
        "power_cords.csv",
        stamped(plan, frame).select("device", "psu", "pdu", "feed", "phase", "psus_needed", "slice", "slice_digest"),
    )


def schedule(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """schedule.csv: the waves in which units come on and go off, in order."""
    yield _csv("schedule.csv", plan.waves)


def losses(table: pl.DataFrame, columns: Mapping[str, str]) -> Iterator[Artefact]:
    """The table of losses, and what its columns say -> sweep.csv, and sweep.parquet with the words as its metadata."""
    yield _csv("sweep.csv", table)
    file = io.BytesIO()
    table.write_parquet(file, compression="zstd", statistics=False, metadata=dict(columns))
    yield Artefact("sweep.parquet", file.getvalue())
