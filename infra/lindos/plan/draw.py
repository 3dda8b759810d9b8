"""What each group of devices draws from every part of the power train that lives, and from the cooling.

Groups come on as a whole: a unit, a pod's spines with the first of its units, and all else of a site, which has to be
on before any unit. What they draw is a sparse frame (group, part, watts), so that a set of groups draws its sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lindos.plan.feed import banks
from lindos.plan.flow import MILLION, depths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FIXED = "fixed"
"""The group of all that belongs to no unit and to no pod."""
COLUMNS = ("nameplate_w", "typical_w")
UPSTREAM = ("utility", "generator", "battery", "substation", "substation_transformer", "switchgear")
"""Parts outside the halls: what stands there and what it gives changes from day to day."""


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
    cooling_connections: pl.DataFrame
    plant_loads: pl.DataFrame


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

    A node draws less by what its GPUs may not draw: gpus (tdp - cap). What was measured is held to no more than that,
    and what a node gives to liquid falls by the same share.
    """
    if cap_w is None:
        return tables.loads
    less = {p: round(n * max(0.0, tdp - cap_w)) for p, (n, tdp) in gpu_w.items()}
    saved = tables.devices.select(
        "device", saved=pl.col("product").replace_strict(less, default=0, return_dtype=pl.Int64)
    )
    frame = tables.loads.join(saved, on="device", how="left", maintain_order="left")
    now = pl.col("nameplate_w") - pl.col("saved")
    kept = (pl.col("liquid_w") * now / pl.col("nameplate_w")).round().cast(pl.Int64)
    liquid = pl.when(pl.col("saved") > 0).then(kept).otherwise("liquid_w")
    frame = frame.with_columns(nameplate_w=now, liquid_w=liquid)
    return frame.with_columns(pl.min_horizontal("typical_w", "nameplate_w").alias("typical_w")).drop("saved")


def spread(hung: pl.DataFrame, edges: pl.DataFrame, facts: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """(group, part, columns) of what hangs on parts, edges (parent, child, share), and depth and loss of parts -> what
    each group draws from every part that these edges lead to, where it hangs included.
    """
    pending, out = hung.join(facts, on="part"), []
    deepest = pending["depth"].max()
    for depth in range(int(deepest) if isinstance(deepest, int) else -1, -1, -1):
        here, rest = pending.filter(pl.col("depth") == depth), pending.filter(pl.col("depth") < depth)
        here = here.group_by("group", "part", "depth", "loss").agg(pl.col(c).sum() for c in columns)
        out.append(here.select("group", "part", *columns))
        ways = here.join(edges.select("parent", "share", part="child"), on="part")
        drawn = [pl.col(c) * (1 + pl.col("loss")) * pl.col("share") for c in columns]
        up = ways.select("group", *drawn, part="parent").join(facts, on="part")
        pending = pl.concat([rest, up.select(rest.columns)])
    return pl.concat(out) if out else hung.select("group", "part", *columns)


def shares(edges: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """Edges (parent, child, standby) and parents that live with their `weight` -> edges with `share`: a standby parent
    carries only where no other lives.
    """
    frame = edges.join(weights, on="parent")
    own = pl.when(pl.col("standby")).then(0.0).otherwise(pl.col("weight"))
    frame = frame.with_columns(own=own).with_columns(first=own.sum().over("child"))
    used = pl.when(pl.col("first") > 0).then("own").otherwise("weight")
    return (
        frame.with_columns(used=used)
        .select("parent", "child", share=pl.col("used") / pl.col("used").sum().over("child"))
        .filter(pl.col("share") > 0)
    )


class Draws:
    """What each group of a plan draws of every part; what does not change from day to day is computed once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._below: dict[object, tuple[pl.DataFrame, list[str]]] = {}
        self._heat: dict[int | None, pl.DataFrame] = {}

    @cached_property
    def _facts(self) -> pl.DataFrame:
        """Parts in order: part, depth, loss, weight, outside (of the halls)."""
        nodes = self.tables.power_nodes
        return depths(nodes, self.tables.power_edges).select(
            "depth", part="power_node", loss=nodes["loss_ppm"] / MILLION, weight=nodes["capacity_w"].cast(pl.Float64),
            outside=nodes["kind"].cast(pl.String).is_in(UPSTREAM),
        )  # fmt: skip

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Where parent and child of each edge stand among the parts."""
        at = self._facts.select("part").with_row_index("at")
        ends = [self.tables.power_edges.select(part=c).join(at, on="part", how="left", maintain_order="left")["at"]
                for c in ("parent", "child")]  # fmt: skip
        return ends[0].to_numpy(), ends[1].to_numpy()

    def _alive(self, dead: Iterable[str]) -> np.ndarray:
        """Parts that are not there -> whether a source still reaches each part."""
        depth, gone = self._facts["depth"].to_numpy(), self._facts["part"].is_in(list(dead)).to_numpy()
        parent, child = self._ends
        lit: np.ndarray = (depth == 0) & ~gone
        for level in range(1, int(depth.max(initial=0)) + 1):
            mine = depth[child] == level
            np.logical_or.at(lit, child[mine], lit[parent[mine]] & ~gone[child[mine]])
        return lit

    def of_train(
        self, loads: pl.DataFrame, cap_w: int | None, dead: Iterable[str], weight_w: Mapping[str, float]
    ) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
        """Loads under a cap, parts that are not there, and what sources give -> (group, part, nameplate_w, typical_w)
        within the halls and outside, losses on the way included; and the groups that have no way to run.
        """
        lit = self._alive(dead)
        living = self._facts.filter(pl.Series(lit))
        edges = self.tables.power_edges
        inner = living.filter(~pl.col("outside")).select("weight", parent="part")
        key = (cap_w, tuple(np.flatnonzero(~lit & ~self._facts["outside"].to_numpy())))
        if key not in self._below:
            hung, dark = _hung(self.tables, loads, living)
            hung = pl.concat(
                [hung, self.of_motors(loads, cap_w).filter(pl.col("part").is_in(living["part"].implode()))]
            )
            self._below[key] = spread(hung, shares(edges, inner), self._facts.drop("weight", "outside"), COLUMNS), dark
        below, dark = self._below[key]
        outer = living.filter("outside").with_columns(
            weight=pl.col("part").replace_strict(weight_w, default=pl.col("weight"), return_dtype=pl.Float64)
        )
        ways = shares(edges, outer.select("weight", parent="part"))
        trunks = below.join(ways.select(part="child"), on="part", how="semi")
        above = spread(trunks, ways, self._facts.drop("weight", "outside"), COLUMNS)
        return below, above.join(outer.select("part"), on="part", how="semi"), dark

    def of_cooling(self, loads: pl.DataFrame, cap_w: int | None) -> pl.DataFrame:
        """Loads under a cap -> heat that each group gives to every part of the cooling at nameplate: (group, part,
        heat_w).
        """
        if cap_w not in self._heat:
            self._heat[cap_w] = self._cooling(loads)
        return self._heat[cap_w]

    def _cooling(self, loads: pl.DataFrame) -> pl.DataFrame:
        tables = self.tables
        given = (
            pl.when(pl.col("medium") == "liquid").then("liquid_w").otherwise(pl.col("nameplate_w") - pl.col("liquid_w"))
        )
        frame = tables.cooling_connections.join(loads, on="device").join(groups(tables), on="device")
        hung = frame.group_by("group", part="cooling_node").agg(heat_w=given.cast(pl.Float64).sum())
        nodes = tables.cooling_nodes.select("capacity_w", power_node="cooling_node")
        facts = depths(nodes, tables.cooling_edges).select("depth", part="power_node", loss=pl.lit(0.0))
        weights = nodes.select(parent="power_node", weight=pl.col("capacity_w").cast(pl.Float64).fill_null(1.0))
        ways = shares(tables.cooling_edges.with_columns(standby=pl.lit(value=False)), weights)
        return spread(hung, ways, facts, ["heat_w"]).filter(pl.col("heat_w") > 0)

    def of_plants(self, loads: pl.DataFrame, cap_w: int | None) -> pl.DataFrame:
        """Loads under a cap -> what the machines of each plant draw for each group: (group, plant, nameplate_w,
        typical_w).

        The plant follows the heat: for a watt of it, it draws what it draws when all is on.
        """
        nodes = self.tables.cooling_nodes.drop_nulls("plant").select("plant", part="cooling_node")
        last = nodes.join(self.tables.cooling_edges.select(part="child"), on="part", how="anti")
        mine, full = (
            self.of_cooling(some, cap).join(last, on="part").group_by("group", "plant").agg(pl.col("heat_w").sum())
            for some, cap in ((loads, cap_w), (self.tables.loads, None))
        )
        heat = mine.join(full.group_by("plant").agg(all_w=pl.col("heat_w").sum()), on="plant")
        whole = self.tables.plant_loads.group_by("plant").agg(pl.col(COLUMNS).sum())
        share = pl.col("heat_w") / pl.col("all_w")
        return heat.join(whole, on="plant").select("group", "plant", *(pl.col(c) * share for c in COLUMNS))

    def of_motors(self, loads: pl.DataFrame, cap_w: int | None) -> pl.DataFrame:
        """The same by the motor control centres, which share the machines of their plant evenly."""
        centres = self.tables.power_nodes.filter(pl.col("kind").cast(pl.String) == "motor_control").select(
            part="power_node", plant=pl.col("power_node").str.replace(r"-mcc\d+$", "")
        )
        centres = centres.with_columns(n=pl.len().over("plant"))
        frame = self.of_plants(loads, cap_w).join(centres, on="plant")
        return frame.select("group", "part", *(pl.col(c) / pl.col("n") for c in COLUMNS))


def _hung(tables: Tables, loads: pl.DataFrame, living: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Loads and living parts -> what each group draws from each rack PDU, and the groups that cannot run: a bank of
    theirs has fewer living supplies than it needs.
    """
    of_bank = banks(loads).join(groups(tables), on="device").join(loads, on="device")
    cords = tables.power_connections.join(banks(loads).select("device", "bank"), on="device")
    lit = pl.col("pdu").is_in(living["part"].implode())
    cords = cords.with_columns(alive=lit)
    plugs = cords.group_by("bank").agg(all=pl.len().cast(pl.Int64), left=pl.col("alive").sum().cast(pl.Int64))
    own = pl.col("busbar").null_count() == pl.len()
    needed = of_bank.group_by("bank").agg(needed=pl.when(own).then(pl.col("psus_needed").max().cast(pl.Int64)))
    few = (pl.col("left") < pl.col("all")) & (pl.col("left") < pl.col("needed").fill_null(1))
    short = plugs.join(needed, on="bank", how="left").filter((pl.col("left") == 0) | few)
    dark = of_bank.join(short, on="bank", how="semi")["group"].unique().sort().to_list()
    each = cords.filter("alive").group_by("bank", "pdu").agg(n=pl.len().cast(pl.Int64))
    mine = of_bank.group_by("bank", "group").agg(pl.col(COLUMNS).sum())
    frame = each.join(plugs, on="bank").join(mine, on="bank")
    drawn = [(pl.col(c) * pl.col("n") / pl.col("left")).sum().alias(c) for c in COLUMNS]
    return frame.group_by("group", part="pdu").agg(drawn), dark
