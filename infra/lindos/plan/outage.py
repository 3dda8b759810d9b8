"""Parts of the power train that fail together -> what goes dark, what is left of every bank of power supplies, and
what the parts that live then carry.

A scenario is a name and the parts that fail in it. Everything here is a frame of (scenario, thing), and holds only what
a scenario touches, so that ten thousand scenarios of a large site stay small.
A part goes dark when it fails or when all its parents are dark. A bank (a device with its own supplies, or a busbar
with its shelves) draws what it drew by the cords that live, and nothing when too few are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from lindos.plan.feed import banks
from lindos.plan.flow import MILLION, depths

SOURCES = ("utility", "generator", "battery")
HALF_A_WATT = 0.5
"""Shares are fractions of a watt; sums of them are compared with this tolerance."""


def fallen(edges: pl.DataFrame, failed: pl.DataFrame, spare: pl.DataFrame | None = None) -> pl.DataFrame:
    """Edges of a graph without rings (parent, child) and what fails (scenario, name) -> with all that falls with it.

    A child falls when all its parents have. With `spare` (name, spare_w; edges then have the capacity of their parent
    as `weight`) it falls as well when those that are lost carried more than it can spare; where that is null, it is
    not asked.
    """
    # Names as numbers: joins of numbers are several times as fast, and most of a sweep is spent here.
    names = pl.Enum(pl.concat([edges["parent"], edges["child"], failed["name"]]).unique(maintain_order=True))
    weight = pl.col("weight") if spare is not None else pl.lit(0.0).alias("weight")
    edges = edges.select(pl.col("parent", "child").cast(names), weight)
    known = edges.group_by("child").agg(parents=pl.len().cast(pl.Int64), spare_w=pl.lit(None, dtype=pl.Float64).first())
    if spare is not None:
        given = spare.select(pl.col("name").cast(names, strict=False), "spare_w").drop_nulls("name")
        known = known.drop("spare_w").join(given, left_on="child", right_on="name", how="left")
    enough = (pl.col("weight") > pl.col("spare_w") + HALF_A_WATT).fill_null(value=False)
    out = near = failed.select("scenario", pl.col("name").cast(names)).unique()
    hit: pl.DataFrame | None = None
    while len(near):
        # Each part that falls is counted once, in the step in which it does.
        below = near.join(edges, left_on="name", right_on="parent").select(
            "scenario", "child", "weight", n=pl.lit(1, dtype=pl.Int64)
        )
        below = below.join(out, left_on=["scenario", "child"], right_on=["scenario", "name"], how="anti")
        lost = (below if hit is None else pl.concat([hit, below])).group_by("scenario", "child").agg(
            pl.col("weight", "n").sum()
        )  # fmt: skip
        falls = lost.join(known, on="child").filter((pl.col("n") == pl.col("parents")) | enough)
        near = falls.select("scenario", name="child")
        hit = lost.join(near, left_on=["scenario", "child"], right_on=["scenario", "name"], how="anti")
        out = pl.concat([out, near])
    return out.with_columns(pl.col("name").cast(pl.String))


def hurt(edges: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Edges of a graph (parent, child) and all that falls (scenario, name) -> what lives and has lost a parent, in the
    same columns.
    """
    below = gone.join(edges.select("parent", "child"), left_on="name", right_on="parent")
    below = below.select("scenario", name="child").unique()
    return below.join(gone, on=["scenario", "name"], how="anti")


@dataclass(frozen=True)
class Train:
    """The power train of a plan, with the joins that every question about it shares."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    cords: pl.DataFrame
    loads: pl.DataFrame

    @cached_property
    def depths(self) -> pl.DataFrame:
        """power_node and its `depth` below the sources."""
        return depths(self.nodes, self.edges)

    @cached_property
    def parents(self) -> pl.DataFrame:
        """Edges with the depth of their child, and of their parent the capacity as `weight`."""
        weight = self.nodes.select(parent="power_node", weight=pl.col("capacity_w").cast(pl.Float64))
        frame = self.edges.join(weight, on="parent", how="left")
        return frame.join(self.depths, left_on="child", right_on="power_node", how="left")

    @cached_property
    def deepest(self) -> int:
        """Edges from a source to the farthest rack PDU."""
        return int(self.parents["depth"].max() or 0)  # type: ignore[arg-type]  # whole numbers

    @cached_property
    def banks(self) -> pl.DataFrame:
        """Banks with what they draw (nameplate_w, typical_w), what their supplies give, how many are needed, and when
        they throttle: bank, psus, psus_w, psus_needed, throttle_lost, throttle_pct. Null where it is not known; of a
        busbar only the watts are.
        """
        each = self.loads.join(banks(self.loads), on="device")
        count = pl.col("psus").cast(pl.Int64)
        rating = pl.when(pl.col("psu_rating_w").filter(count > 0).null_count() == 0).then(
            (count * pl.col("psu_rating_w")).sum()
        )
        own = pl.when(pl.col("busbar").null_count() == pl.len())
        return each.group_by("bank").agg(
            nameplate_w=pl.col("bank_nameplate_w").first(), typical_w=pl.col("bank_typical_w").first(),
            psus=count.sum(), psus_w=rating,
            **{c: own.then(pl.col(c).first().cast(pl.Int64)) for c in ("psus_needed", "throttle_lost", "throttle_pct")},
        )  # fmt: skip

    @cached_property
    def plugs(self) -> pl.DataFrame:
        """Banks and PDUs: how many cords go from one to the other, and what their supplies give: bank, pdu, n, n_w."""
        rating = self.loads.select("device", "psu_rating_w").join(
            banks(self.loads).select("device", "bank"), on="device"
        )
        frame = self.cords.select("device", "pdu").join(rating, on="device")
        return frame.group_by("bank", "pdu").agg(n=pl.len().cast(pl.Int64), n_w=pl.col("psu_rating_w").sum())

    def dark(self, failed: pl.DataFrame) -> pl.DataFrame:
        """Scenarios with the parts that fail (scenario, power_node) -> with all that goes dark."""
        start = failed.select("scenario", name="power_node")
        return fallen(self.edges.select("parent", "child"), start).select("scenario", power_node="name")

    def touched(self, dark: pl.DataFrame) -> pl.DataFrame:
        """Dark parts -> the banks that lose supplies: scenario, bank, lost, left, left_w (null: not known), facts
        of the bank, `runs`: whether what is left carries it, and of what runs the share that it may go on with
        (`may`) and what holds it to that (`held_by`).

        It runs when as many supplies are left as are needed, or, where that is not known, when they give its nameplate.
        Where neither is known, what has a supply left runs. What runs is held by its own "power brake" where it has
        one, by "measured draw" where less is left than it draws under training, by "nameplate" where less than that.
        """
        lost = dark.join(self.plugs, left_on="power_node", right_on="pdu").group_by("scenario", "bank")
        frame = lost.agg(lost=pl.col("n").sum(), lost_w=pl.col("n_w").sum()).join(self.banks, on="bank")
        frame = frame.with_columns(left=pl.col("psus") - pl.col("lost"), left_w=pl.col("psus_w") - pl.col("lost_w"))
        enough = (pl.col("left") >= pl.col("psus_needed")).fill_null(pl.col("left_w") >= pl.col("nameplate_w"))
        frame = frame.with_columns(runs=(pl.col("left") > 0) & enough.fill_null(value=True)).drop("lost_w")
        brake = pl.when(pl.col("lost") >= pl.col("throttle_lost")).then(pl.col("throttle_pct") / 100)
        watts = (pl.col("left_w") / pl.col("nameplate_w")).clip(upper_bound=1.0)
        measured = pl.when(pl.col("left_w") < pl.col("typical_w")).then(pl.lit("measured draw"))
        held = pl.when(brake <= watts.fill_null(1.0)).then(pl.lit("power brake")).when(watts < 1).then(
            measured.otherwise(pl.lit("nameplate"))
        )  # fmt: skip
        may = pl.min_horizontal(brake, watts).fill_null(1.0)
        running = pl.col("runs")
        return frame.with_columns(may=pl.when(running).then(may), held_by=pl.when(running).then(held))

    def carried(self, dark: pl.DataFrame, column: str, loads: pl.DataFrame) -> pl.DataFrame:
        """Dark parts (scenario, power_node), `nameplate_w` or `typical_w`, and what parts deliver when all is well
        (power_node and the column) -> the parts whose load changes: scenario, power_node, `was` and `load_w`.

        Dark parts deliver nothing. A part whose parent goes dark draws from those that are left, standby ones last.
        """
        lit = dark.with_columns(dark=pl.lit(value=True))
        turned = dark.join(self.edges, left_on="power_node", right_on="parent").select("scenario", power_node="child")
        facts = self.nodes.select("power_node", loss=1 + pl.col("loss_ppm") / MILLION)
        facts = facts.join(self.depths, on="power_node").join(
            loads.select("power_node", was=pl.col(column).cast(pl.Float64)), on="power_node"
        )
        pending = [
            frame.select("scenario", "power_node", more=more)
            for frame, more in (
                (self._shifted(dark, column), pl.col("more")),
                (dark, pl.lit(0.0)),
                (turned, pl.lit(0.0)),
            )
        ]
        out = []
        for depth in range(self.deepest, -1, -1):
            waiting = pl.concat(pending).group_by("scenario", "power_node").agg(pl.col("more").sum())
            waiting = waiting.join(facts, on="power_node")
            here, rest = waiting.filter(pl.col("depth") == depth), waiting.filter(pl.col("depth") < depth)
            here = here.join(lit, on=["scenario", "power_node"], how="left")
            here = here.with_columns(load_w=pl.when(pl.col("dark")).then(0.0).otherwise(pl.col("was") + pl.col("more")))
            out.append(here.select("scenario", "power_node", "was", "load_w"))
            pending = [rest.select("scenario", "power_node", "more"), self._drawn(here, lit)]
        return pl.concat(out)

    @cached_property
    def single_losses(self) -> pl.DataFrame:
        """One scenario for every part between the sources and the tap boxes: scenario and power_node, its name."""
        ends = [*SOURCES, "tap", "rack_pdu"]
        trunk = self.nodes.filter(~pl.col("kind").cast(pl.String).is_in(ends))
        return trunk.select("power_node", scenario="power_node")

    def worst(self, loads: pl.DataFrame, column: str) -> pl.DataFrame:
        """What parts deliver when all is well (power_node and the column) -> a row a part with that (`lost` is null),
        and one with the worst loss of another part that raises it: power_node, lost, load_w.
        """
        then = self.carried(self.dark(self.single_losses), column, loads)
        near = self.depths.select(scenario="power_node", depth="depth")
        then = then.filter(pl.col("load_w") > pl.col("was") + 1).join(near, on="scenario")
        order = [-pl.col("load_w").round(), -pl.col("depth"), pl.col("scenario")]
        worst = then.sort(order).unique("power_node", keep="first", maintain_order=True)
        well = loads.select("power_node", lost=pl.lit(None, dtype=pl.String), load_w=pl.col(column).cast(pl.Float64))
        return pl.concat([well, worst.select("power_node", lost="scenario", load_w="load_w")])

    def _shifted(self, dark: pl.DataFrame, column: str) -> pl.DataFrame:
        """Dark parts -> by how much what hangs on each living PDU changes: scenario, power_node, more."""
        touched = self.touched(dark).join(self.plugs, on="bank")
        alive = touched.join(dark, left_on=["scenario", "pdu"], right_on=["scenario", "power_node"], how="anti")
        now = pl.when(pl.col("runs")).then(pl.col(column) * pl.col("n") / pl.col("left")).otherwise(0.0)
        return alive.select("scenario", power_node="pdu", more=now - pl.col(column) * pl.col("n") / pl.col("psus"))

    def _drawn(self, here: pl.DataFrame, lit: pl.DataFrame) -> pl.DataFrame:
        """Parts with what they deliver (`load_w`) and did (`was`) -> by how much their parents' load changes."""
        ways = here.select("scenario", "loss", "was", "load_w", child="power_node").join(
            self.parents.select("parent", "child", "standby", "weight"), on="child"
        )
        ways = ways.join(lit, left_on=["scenario", "parent"], right_on=["scenario", "power_node"], how="left")
        own, alive = ~pl.col("standby"), pl.col("dark").is_null()

        def share(*some: pl.Expr) -> pl.Expr:
            """The share of a way where only these count; nothing where none does."""
            weight = pl.when(pl.all_horizontal(some)).then(pl.col("weight")).otherwise(0.0)
            return (weight / weight.sum().over("scenario", "child")).fill_nan(None)

        then = pl.coalesce(share(own, alive), share(alive), pl.lit(0.0))
        more = pl.col("loss") * (pl.col("load_w") * then - pl.col("was") * share(own).fill_null(0.0))
        return ways.select("scenario", power_node="parent", more=more)
