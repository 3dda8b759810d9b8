"""Plan -> what its networks carry: oversubscription of switches, and what storage can read and write through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.plan.tables import Plan

GBPS_PER_GBS = 8
"""Gb/s that carry a GB/s."""


def ratios(links: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """Links and devices -> switches below another tier: fabric, role, device, down and up in Gb/s, ratio.

    What hangs below counts, not the ports that are kept free. Management is left out.
    """
    lazy = links.lazy().filter(pl.col("fabric") != "oob")
    up = lazy.filter(pl.col("tier") != "node_leaf").group_by(device="a_device").agg(up=pl.col("rate_gbps").sum())
    down = lazy.group_by(device="b_device").agg(down=pl.col("rate_gbps").sum())
    who = devices.lazy().filter(pl.col("kind") == "switch")
    who = who.select("device", "fabric", role=pl.col("role").cast(pl.String))
    return who.join(up, on="device").join(down, on="device").with_columns(ratio=pl.col("down") / pl.col("up")).collect()


def fullest_leaves(plan: Plan) -> dict[str, float]:
    """Plan -> the oversubscription of the fullest leaf of each fabric that has spines."""
    leaves = ratios(plan.links, plan.devices).filter(role="leaf").group_by("fabric").agg(pl.col("ratio").max())
    return {str(fabric): ratio for fabric, ratio in leaves.sort("fabric").iter_rows()}


@dataclass(frozen=True, slots=True)
class StorageRates:
    """GB/s of all storage servers together: what they read and write (None where it is not known of one of them), what
    their ports carry, what the uplinks of their leaves carry (None where one leaf serves all), and what the ports of
    the nodes in the same network do.
    """

    fabric: str
    servers: int
    racks: int
    read_gbs: float | None
    write_gbs: float | None
    ports_gbs: float
    uplinks_gbs: float | None
    nodes_gbs: float


def storage_rates(plan: Plan) -> StorageRates | None:
    """Plan -> StorageRates, or None where it has no storage servers."""
    pools = plan.pools
    if pools.is_empty():
        return None
    fabric = pools["fabric"][0]
    kinds = plan.devices.select(a_device="device", kind="kind")
    below = plan.links.filter(pl.col("fabric") == fabric, pl.col("tier") == "node_leaf")
    below = below.select("a_device", "b_device", "rate_gbps").join(kinds, on="a_device")
    servers = below.filter(pl.col("kind") == "storage")
    ups = plan.links.filter(pl.col("fabric") == fabric, pl.col("tier") == "leaf_spine")
    ups = ups.join(servers.select(a_device="b_device").unique(), on="a_device", how="semi")

    def carried(frame: pl.DataFrame) -> float:
        return int(frame["rate_gbps"].sum()) / GBPS_PER_GBS

    def total(column: str) -> float | None:
        known = pools[column].null_count() == 0
        return float((pools[column] * pools["servers"]).sum()) if known else None

    return StorageRates(
        fabric=fabric,
        servers=int(pools["servers"].sum()),
        racks=int(pools["racks"].sum()),
        read_gbs=total("read_gbs"),
        write_gbs=total("write_gbs"),
        ports_gbs=carried(servers),
        uplinks_gbs=carried(ups) if len(ups) else None,
        nodes_gbs=carried(below.filter(pl.col("kind") == "node")),
    )
