"""What each group of devices draws from every part of the power train that lives, and from the cooling.

Groups come on as a whole: a unit, a pod's spines with the first of its units, and all else of a site, which has to be on
before any unit. What they draw is a sparse frame (group, part, watts), so that a set of groups draws its sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lindos.plan.feed import banks
from lindos.plan.flow import MILLION, depths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIXED = "fixed"
"""The group of all that belongs to no unit and to no pod."""
COLUMNS = ("nameplate_w", "typical_w")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a plan that a schedule follows from."""

    units: pl.DataFrame
    racks: pl.DataFrame
    devices: pl.DataFrame
    loads: pl.DataFrame
    power_nodes: pl.DataFrame
    power_edges: pl.DataFrame
    power_connections: pl.DataFrame
    cooling_nodes: pl.DataFrame
    cooling_edges: pl.DataFrame


def groups(tables: Tables) -> pl.DataFrame:
    """Devices and units -> device, `group`: its unit, or its pod (spines, and the management switches of the pod), or
    `fixed`.
    """
    units, pods = tables.units["slice"].implode(), tables.units["pod"].unique().implode()
    pod = pl.col("slice").str.strip_prefix("oob-")
    home = pl.when(pl.col("slice").is_in(units)).then("slice").when(pod.is_in(pods)).then(pod).otherwise(pl.lit(FIXED))
    return tables.devices.select("device", group=home)


def capped(tables: Tables, gpu_w: Mapping[str, tuple[int, float]], cap_w: int | None) -> pl.DataFrame:
    """Loads, GPUs and TDP of each product of a node, and a power cap -> loads under the cap.

    A node draws less by what its GPUs may not draw: gpus (tdp - cap). What was measured is held to no more than that.
    """
    if cap_w is None:
        return tables.loads
    less = {p: round(n * max(0.0, tdp - cap_w)) for p, (n, tdp) in gpu_w.items()}
    saved = tables.devices.select(
        "device", saved=pl.col("product").replace_strict(less, default=0, return_dtype=pl.Int64)
    )
    frame = tables.loads.join(saved, on="device", how="left", maintain_order="left")
    frame = frame.with_columns(nameplate_w=pl.col("nameplate_w") - pl.col("saved"))
    return frame.with_columns(pl.min_horizontal("typical_w", "nameplate_w").alias("typical_w")).drop("saved")


def alive(tables: Tables, dead: Iterable[str]) -> pl.DataFrame:
    """Parts and those that are not there -> power_node, depth, `alive`: whether a source still reaches it."""
    frame = depths(tables.power_nodes, tables.power_edges)
    at = {name: i for i, name in enumerate(frame["power_node"])}
    gone = np.zeros(len(at), dtype=bool)
    gone[[at[name] for name in dead]] = True
    depth = frame["depth"].to_numpy()
    parent, child = (
        tables.power_edges[c].replace_strict(at, return_dtype=pl.Int64).to_numpy() for c in ("parent", "child")
    )
    lit = (depth == 0) & ~gone
    for level in range(1, int(depth.max(initial=0)) + 1):
        mine = depth[child] == level
        np.logical_or.at(lit, child[mine], lit[parent[mine]] & ~gone[child[mine]])
    return frame.with_columns(alive=pl.Series(lit))


def _hung(tables: Tables, loads: pl.DataFrame, lit: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Loads and living parts -> what each group draws from each rack PDU, and the groups that cannot run: a bank of
    theirs has fewer living supplies than it needs.
    """
    of_bank = banks(loads).join(groups(tables), on="device").join(loads, on="device")
    cords = tables.power_connections.join(banks(loads).select("device", "bank"), on="device")
    cords = cords.join(lit.select("alive", pdu="power_node"), on="pdu", how="left")
    plugs = cords.group_by("bank").agg(all=pl.len().cast(pl.Int64), left=pl.col("alive").sum().cast(pl.Int64))
    needed = of_bank.group_by("bank").agg(
        needed=pl.when(pl.col("busbar").null_count() == pl.len()).then(pl.col("psus_needed").max().cast(pl.Int64)),
    )
    short = plugs.join(needed, on="bank", how="left").filter(
        (pl.col("left") == 0) | ((pl.col("left") < pl.col("all")) & (pl.col("left") < pl.col("needed").fill_null(1)))
    )
    dark = of_bank.join(short, on="bank", how="semi")["group"].unique().sort().to_list()
    each = cords.filter("alive").group_by("bank", "pdu").agg(n=pl.len().cast(pl.Int64))
    mine = of_bank.group_by("bank", "group").agg(pl.col(COLUMNS).sum())
    frame = each.join(plugs, on="bank").join(mine, on="bank")
    drawn = [(pl.col(c) * pl.col("n") / pl.col("left")).sum().alias(c) for c in COLUMNS]
    return frame.group_by("group", power_node="pdu").agg(drawn), dark


def _shares(tables: Tables, lit: pl.DataFrame, weight_w: Mapping[str, float]) -> pl.DataFrame:
    """Living parts -> edges with `share`; a standby parent carries where no other lives. `weight_w` is said of parts
    that give another power than their rating.
    """
    weights = tables.power_nodes.select(parent="power_node", weight=pl.col("capacity_w").cast(pl.Float64))
    weights = weights.with_columns(weight=pl.col("parent").replace_strict(weight_w, default=pl.col("weight")))
    frame = tables.power_edges.join(weights, on="parent").join(lit.select("alive", parent="power_node"), on="parent")
    frame = frame.join(lit.select("depth", child="power_node"), on="child").filter("alive")
    own = pl.when(pl.col("standby")).then(0.0).otherwise(pl.col("weight"))
    frame = frame.with_columns(own=own, first=own.sum().over("child"))
    used = pl.when(pl.col("first") > 0).then("own").otherwise("weight")
    return frame.with_columns(used=used).with_columns(share=pl.col("used") / pl.col("used").sum().over("child"))


def draws(
    tables: Tables, loads: pl.DataFrame, dead: Iterable[str], weight_w: Mapping[str, float]
) -> tuple[pl.DataFrame, list[str]]:
    """Loads, parts that are not there, and what sources give -> (group, power_node, nameplate_w, typical_w) of every
    part that a group draws from, losses below it included; and the groups that have no way to run.

    `*_loss_w` beside them is what is lost in the part itself.
    """
    lit = alive(tables, dead)
    hung, dark = _hung(tables, loads, lit)
    edges = _shares(tables, lit, weight_w).filter(pl.col("share") > 0)
    facts = lit.select("power_node", "depth").join(
        tables.power_nodes.select("power_node", loss=pl.col("loss_ppm") / MILLION), on="power_node"
    )
    pending, out = hung.join(facts, on="power_node"), []
    for depth in range(int(facts["depth"].max() or 0), -1, -1):  # type: ignore[arg-type]  # whole numbers
        here, rest = pending.filter(pl.col("depth") == depth), pending.filter(pl.col("depth") < depth)
        here = here.group_by("group", "power_node", "depth", "loss").agg(pl.col(COLUMNS).sum())
        out.append(here)
        ways = here.join(edges.select("parent", "share", power_node="child"), on="power_node")
        up = ways.select("group", *(pl.col(c) * (1 + pl.col("loss")) * pl.col("share") for c in COLUMNS), power_node="parent")
        pending = pl.concat([rest, up.join(facts, on="power_node").select(rest.columns)])
    lost = [(pl.col(c) * pl.col("loss")).alias(f"{c.removesuffix('_w')}_loss_w") for c in COLUMNS]
    return pl.concat(out).select("group", "power_node", *COLUMNS, *lost), dark


def heat(tables: Tables) -> pl.DataFrame:
    """Cooling edges -> (group, cooling_node, liquid_w) of each group with liquid heat."""
    frame = tables.cooling_edges.join(tables.loads.select("device", "liquid_w"), on="device").join(
        groups(tables), on="device"
    )
    return frame.group_by("group", "cooling_node").agg(pl.col("liquid_w").sum())
