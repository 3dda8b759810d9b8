"""Components that fail, one by one or in pairs -> what each loss takes down: one table, a row a loss.

    what fails -> parts without power -> supplies left -> devices that drop or throttle
               -> cooling that is lost -> devices that drop
               -> switches without power or without a way up -> rails, units, GPUs that train together

All losses are computed together, as frames of (scenario, thing) that hold only what a loss touches.
Each cause is followed once, in this order: a CDU without power cools nothing, a switch that is down leads nowhere; but
a device that stops draws and gives its heat all the same, and a part that carries more than it may is told, not
tripped.
Machines of a plant stop with the motor control centre that they hang on: those of a kind take its centres in turn.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.catalogue.nearest import did_you_mean
from lindos.errors import Problem, SpecError
from lindos.plan.address import TRAINING
from lindos.plan.feed import banks
from lindos.plan.outage import HALF_A_WATT, fallen, hurt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lindos.check.view import View
    from lindos.plan.tables import Plan

COOLERS = ("cdu", "rear_door", "air_handler", "pump", "chiller", "tower", "dry_cooler")
"""Parts of the cooling that can fail; headers, manifolds and rooms are pipes and air."""
BELOW_BLOCKS = ("busway", "tap", "rack_pdu")
OF_HALLS = ("ring", "transformer", "board", "ups", "transfer_switch")
SCENARIO = pl.UInt32
AT_ONCE = 500_000
"""Parts without power, over all losses, that are followed together: bounds the memory of many large losses."""
FAILS = {"component": pl.String, "power_node": pl.String, "device": pl.String, "cooler": pl.String}
COUNTS = (
    "nodes_dropped", "nodes_throttled", "gpus_lost", "rails_lost", "ports_lost", "leaves_dark", "spines_dark",
    "cores_dark", "oob_dark",
)  # fmt: skip


def components(view: View) -> tuple[pl.DataFrame, pl.DataFrame]:
    """View -> components (component, kind, feed, hall), and what fails with each (columns of FAILS).

    Every part of the power train, every feed as a whole, every rack as a whole, every switch, every CDU, rear door, air
    handler, pump and chiller.
    """
    plan = view.plan
    parts = plan.power_nodes.select(pl.col("kind").cast(pl.String), "feed", "hall", "rack", component="power_node")
    pdus = parts.filter(kind="rack_pdu")
    feeds = pl.DataFrame({"component": [f"feed {f}" for f in view.feeds], "feed": view.feeds}).with_columns(
        kind=pl.lit("feed")
    )
    racks = pdus.select("hall", component=pl.format("rack {}", "rack")).unique(maintain_order=True)
    place = plan.racks.select("rack", "hall")
    switches = plan.devices.filter(pl.col("kind") == "switch").select("rack", component="device")
    coolers = plan.cooling_nodes.filter(pl.col("kind").is_in(COOLERS))
    out = [
        parts.drop("rack"),
        feeds,
        racks.with_columns(kind=pl.lit("rack")),
        switches.join(place, on="rack", how="left", maintain_order="left")
        .drop("rack")
        .with_columns(kind=pl.lit("switch")),
        coolers.select("hall", pl.col("kind").cast(pl.String), component="cooling_node"),
    ]
    cdus = pl.when(pl.col("kind") == "cdu").then("cooling_node")
    fails = [
        parts.select("component", power_node="component"),
        parts.drop_nulls("feed").select(component=pl.format("feed {}", "feed"), power_node="component"),
        pdus.select(component=pl.format("rack {}", "rack"), power_node="component"),
        switches.select("component", device="component"),
        coolers.select(component="cooling_node", cooler="cooling_node", device=cdus),
    ]
    return (
        pl.concat(out, how="diagonal").select("component", "kind", "feed", "hall"),
        _failing(pl.concat(fails, how="diagonal")),
    )


def sweep(view: View) -> pl.DataFrame:
    """View -> what the loss of each component takes down, the worst first; columns as of `losses`."""
    return losses(view, *components(view))


def losses(view: View, lost: pl.DataFrame, fails: pl.DataFrame) -> pl.DataFrame:
    """Losses (component, kind, feed, hall) and what fails with each (of FAILS) -> what goes with it, the worst first.

    Columns and units are those of COLUMNS. What joins two units above their leaves' ways up is not asked.
    """
    out = pl.concat(_together(Swept(view, batch, fails), batch) for batch in _batches(view, lost, fails))
    worst = ["gpus_trainable", "gpus_lost", "nodes_throttled", "rails_lost", "ports_lost", "oob_dark", "overloaded_pct"]
    out = out.sort([*worst, "component"], descending=[False, *[True] * 6, False], nulls_last=True)
    return out.select(*COLUMNS)


def nodes_hit(view: View, lost: pl.DataFrame, fails: pl.DataFrame) -> pl.DataFrame:
    """Losses and what fails with each -> the nodes that feel it: component, device, does (drops, throttles, loses
    rails), why (power or cooling; what holds it and to which share; how many rail ports), in order.
    """
    return _hit(Swept(view, lost, fails))


def _hit(found: Swept) -> pl.DataFrame:
    """Losses -> the same as `nodes_hit`."""
    power = found.powerless.join(found.nodes, on="device").select("scenario", "device", why=pl.lit("power"))
    cooling = found.dropped.join(power, on=["scenario", "device"], how="anti")
    cooling = cooling.select("scenario", "device", why=pl.lit("cooling"))
    share = (100 * pl.col("may")).round().cast(pl.Int64)
    slow = found.slow.select("scenario", "device", why=pl.format("{}: {} %", "held_by", share))
    off = found.off_rails.group_by("scenario", "device").len()
    off = off.select("scenario", "device", why=pl.format("{} rail ports", "len"))
    hit = pl.concat(
        frame.with_columns(does=pl.lit(does))
        for frame, does in ((power, "drops"), (cooling, "drops"), (slow, "throttles"), (off, "loses rails"))
    )
    hit = hit.join(found.numbers, on="scenario").select("component", "device", "does", "why")
    return hit.sort("component", "device", "does")


def lost_together(view: View, names: Sequence[str]) -> tuple[dict[str, Any], pl.DataFrame]:
    """View and components as the sweep names them, lost at the same time -> the row of `losses`, and `nodes_hit`.

    SpecError where there is no such component, with the nearest names.
    """
    known, fails = components(view)
    every = known["component"].to_list()
    if strange := sorted(set(names) - set(every), key=list(names).index):
        hint = "the sweep names them: lindos check SITE --sweep --json"
        raise SpecError(
            [Problem(f"the sweep knows no component '{n}'", hint=did_you_mean(n, every, hint)) for n in strange]
        )
    together = " + ".join(names)
    kinds = known.filter(pl.col("component").is_in(names))["kind"].unique().sort()
    none = pl.lit(None, dtype=pl.String)
    lost = pl.DataFrame({"component": [together], "kind": [" + ".join(kinds)]}).with_columns(feed=none, hall=none)
    fails = fails.filter(pl.col("component").is_in(names)).with_columns(component=pl.lit(together))
    found = Swept(view, lost, fails)
    (row,) = _together(found, lost).select(*COLUMNS).to_dicts()
    return row, _hit(found)


def unreached(view: View, lost: pl.DataFrame, fails: pl.DataFrame) -> pl.DataFrame:
    """Losses and what fails with each -> those after which nodes with power have a BMC that nothing reaches: component,
    nodes.
    """
    found = Swept(view, lost, fails)
    count = found.unreached().group_by("scenario").agg(nodes=pl.len())
    return count.join(found.numbers, on="scenario").select("component", "nodes")


def _batches(view: View, lost: pl.DataFrame, fails: pl.DataFrame) -> list[pl.DataFrame]:
    """Losses -> the same in batches that leave at most so many parts without power together, or one loss alone."""
    failed = fails.drop_nulls("power_node").join(lost, on="component", how="semi")
    parts = failed.select("power_node", scenario="power_node").unique()
    # A loss of several parts leaves about as many dark as they do one by one.
    each = view.train.dark(parts).group_by(part="scenario").agg(n=pl.len())
    dark = failed.join(each, left_on="power_node", right_on="part").group_by("component").agg(pl.col("n").sum())
    frame = lost.join(dark, on="component", how="left", maintain_order="left")
    frame = frame.with_columns(batch=pl.col("n").fill_null(0).cum_sum() // AT_ONCE)
    return frame.drop("n").partition_by("batch", maintain_order=True, include_key=False)


def _together(found: Swept, lost: pl.DataFrame) -> pl.DataFrame:
    """Losses as they were followed, and as they were asked for -> the latter with the columns of a loss."""
    counts = lost.join(found.numbers, on="component", maintain_order="left")
    for frame in found.tables():
        counts = counts.join(frame, on="scenario", how="left", maintain_order="left")
    return counts.select(
        *lost.columns,
        *(pl.col(c).fill_null(0).cast(pl.Int64) for c in COUNTS),
        "throttled_to", "throttled_by", "overloaded", "overloaded_pct",
        units_whole=pl.col("units_whole").fill_null(len(found.units)),
        gpus_trainable=pl.col("gpus_trainable").fill_null(found.gpus_before),
        gpus_before=pl.lit(found.gpus_before, dtype=pl.Int64),
    )  # fmt: skip


def pairs(view: View) -> tuple[pl.DataFrame, pl.DataFrame]:
    """View -> pairs of parts above the busways that may lose more together than each alone, and what fails with each;
    frames as of `components`.

    Two parts do where each hurts the same thing and leaves it alive: a part of the power train, a bank of supplies, a
    part of the cooling or what it cools, a switch that has lost a way up, a BMC that has lost a port; or where their
    loss raises the load of one part of the halls. Any other pair loses what its two parts lose alone: whatever falls
    first by both together has lost something to each. A part and one that goes dark with it are no pair.
    """
    parts = view.plan.power_nodes.filter(~pl.col("kind").cast(pl.String).is_in(BELOW_BLOCKS))
    single = parts.select(pl.col("kind").cast(pl.String), "feed", "hall", component="power_node")
    found = Swept(view, single, _failing(single.select("component", power_node="component")))
    # Many things are hurt by the same losses: each set of them is paired once.
    sets = found.hurt().group_by("key").agg(pl.col("scenario").sort()).select(a="scenario").unique()
    both = sets.with_columns(b="a").explode("a").explode("b").filter(pl.col("a") < pl.col("b")).unique()
    for end in ("a", "b"):
        named = found.numbers.select(pl.col("component").alias(f"{end}_name"), pl.col("scenario").alias(end))
        both = both.join(named, on=end)
    both = both.select(a=pl.min_horizontal("a_name", "b_name"), b=pl.max_horizontal("a_name", "b_name"))
    dark = found.dark.join(found.numbers, on="scenario").select("component", "power_node")
    for one, other in (("a", "b"), ("b", "a")):
        both = both.join(dark, left_on=[one, other], right_on=["component", "power_node"], how="anti")
    both = both.with_columns(component=pl.format("{} + {}", "a", "b"))
    for end in ("a", "b"):
        mine = single.rename({c: f"{end}_{c}" for c in single.columns})
        both = both.join(mine, left_on=end, right_on=f"{end}_component")
    same = {c: pl.when(pl.col(f"a_{c}") == pl.col(f"b_{c}")).then(f"a_{c}") for c in ("feed", "hall")}
    lost = both.sort("a", "b").select("component", kind=pl.format("{} + {}", "a_kind", "b_kind"), **same)
    return lost, _failing(pl.concat(both.select("component", power_node=end) for end in ("a", "b")))


def _failing(some: pl.DataFrame) -> pl.DataFrame:
    """A frame with some of the columns of FAILS -> with all of them."""
    return some.select(
        pl.col(c).cast(t) if c in some.columns else pl.lit(None, dtype=t).alias(c) for c, t in FAILS.items()
    )


def feed_losses(view: View) -> pl.DataFrame:
    """View -> what the devices of each product do when a feed is lost, a row for each way that they are plugged in:
    product, kind, feed, devices, psus, left, left_w, nameplate_w, typical_w, runs, may (null: drops) and held_by.

    Of a busbar the product is that of its power shelves, and a device is a busbar.
    """
    failed = view.plan.power_nodes.drop_nulls("feed").select("power_node", scenario="feed")
    plugged = view.plan.loads.filter(pl.col("psus") > 0).join(banks(view.plan.loads), on="device")
    product = plugged.join(view.plan.devices.select("device", "kind", "product"), on="device")
    product = product.group_by("bank").agg(pl.col("kind", "product").sort_by("device").first())
    frame = view.train.touched(view.train.dark(failed)).join(product, on="bank").rename({"scenario": "feed"})
    by = ["kind", "product", "feed", "psus", "left", "left_w", "nameplate_w", "typical_w", "runs", "may", "held_by"]
    frame = frame.with_columns(pl.col("kind").cast(pl.String)).group_by(by).agg(devices=pl.len())
    return frame.sort(by, nulls_last=True)


COLUMNS = {
    "component": "what is lost: a part, `feed` or `rack` with its name, a switch, a cooler, or a pair of parts",
    "kind": "what kind of thing it is",
    "feed": "its feed, if it is of one",
    "hall": "its hall, if it is of one",
    "nodes_dropped": "nodes without power or cooling",
    "nodes_throttled": "nodes that go on below their nameplate",
    "throttled_to": "share of its nameplate that the worst of them keeps, 0 to 1",
    "throttled_by": "what holds it: power brake, measured draw or nameplate",
    "gpus_lost": "GPUs of the nodes that drop",
    "rails_lost": "rail ports of running nodes that lead nowhere; each plane of a rail counts",
    "ports_lost": "their ports on the front end and for storage that lead nowhere",
    "leaves_dark": "leaves that are down, out-of-band ones left out",
    "spines_dark": "spines that are down, out-of-band ones left out",
    "cores_dark": "cores that are down",
    "oob_dark": "nodes with power whose BMC nothing reaches",
    "overloaded": "the part that the loss brings farthest over what it may carry",
    "overloaded_pct": "what it then carries, in per cent of what it may",
    "units_whole": "units with every node and every rail",
    "gpus_trainable": "GPUs of the whole units of one training fabric, where they are most",
    "gpus_before": "the same when all is well",
}
"""The columns of a loss, in order: what each says."""


def _motors(plan: Plan) -> pl.DataFrame:
    """Plan -> the motor control centre of each machine of a plant: name, power_node."""
    machines = plan.cooling_nodes.select("hall", pl.col("kind").cast(pl.String), own="plant", name="cooling_node")
    halls = plan.plant_loads.select(pl.col("kind").cast(pl.String), "hall", "plant").drop_nulls("hall").unique()
    machines = machines.join(halls, on=["kind", "hall"], how="left", nulls_equal=True)
    machines = machines.with_columns(plant=pl.coalesce("own", "plant")).drop_nulls("plant")
    # Fans of rear doors hang on the PDUs of their rack.
    machines = machines.filter(pl.col("kind").is_in(COOLERS), ~pl.col("kind").is_in(["cdu", "rear_door"]))
    turn = pl.col("name").rank("dense").over("plant", "kind").cast(pl.Int64) - 1
    plant = pl.col("power_node").str.replace(r"-mcc\d+$", "")
    centres = plan.power_nodes.filter(pl.col("kind") == "motor_control").select("power_node", plant=plant)
    centres = centres.with_columns(nth=pl.int_range(pl.len()).over("plant"), of=pl.len().over("plant").cast(pl.Int64))
    counts = centres.select("plant", "of").unique()
    machines = machines.with_columns(turn=turn).join(counts, on="plant").with_columns(nth=pl.col("turn") % pl.col("of"))
    return machines.join(centres, on=["plant", "nth"]).select("name", "power_node")


def _end() -> pl.Expr:
    """The name of a device in the cooling, once for each medium that takes its heat."""
    return pl.format("{} {}", "device", pl.col("medium").cast(pl.String))


class Swept:
    """All losses together: the frames between a cause and what it takes down, each computed once."""

    def __init__(self, view: View, lost: pl.DataFrame, fails: pl.DataFrame) -> None:
        self.view, self.plan, self.train = view, view.plan, view.train
        self.numbers = lost.select("component").with_row_index("scenario")
        self.numbers = self.numbers.with_columns(pl.col("scenario").cast(SCENARIO))
        self.fails = fails.join(self.numbers, on="component")
        self.hung = banks(self.plan.loads).select("device", "bank")
        devices = self.plan.devices.select("device", "kind", "role", "fabric", "unit")
        gpus = self.plan.gpus.group_by("device").agg(gpus=pl.len())
        self.nodes = devices.filter(kind="node").join(gpus, on="device", how="left").select(
            "device", "unit", pl.col("gpus").fill_null(0)
        )  # fmt: skip
        self.switches = devices.filter(kind="switch").select("device", "role", "fabric")
        self.failed = self.fails.drop_nulls("power_node").select("scenario", "power_node")
        self.dark = self.train.dark(self.failed)
        self.touched = self.train.touched(self.dark)
        dead = self.touched.filter(~pl.col("runs"))
        self.powerless = dead.join(self.hung, on="bank").select("scenario", "device")
        self.stopped = pl.concat(
            [self.powerless, self.fails.drop_nulls("device").select("scenario", "device")]
        ).unique()
        self.pipes, self.warm = self._warm()
        ends = self.plan.cooling_connections.select("device", name=_end()).unique()
        hot = self.warm.join(ends, on="name").select("scenario", "device")
        self.down = pl.concat([self.stopped, hot]).unique()
        links = self.plan.links.filter(pl.col("tier") != "node_leaf")
        self.ways = links.select(parent="b_device", child="a_device").unique()
        dark = self.down.join(self.switches, on="device", how="semi").select("scenario", name="device")
        self.cut = fallen(self.ways, dark).select("scenario", device="name")

    @cached_property
    def dropped(self) -> pl.DataFrame:
        """Nodes that are down: scenario, device, unit, gpus."""
        return self.down.join(self.nodes, on="device")

    @cached_property
    def off_rails(self) -> pl.DataFrame:
        """Rail links of running nodes that lead nowhere."""
        return self._off(self.plan.links.filter(TRAINING, pl.col("tier") == "node_leaf"))

    @cached_property
    def slow(self) -> pl.DataFrame:
        """Nodes that run below their nameplate, with what is left of their bank."""
        slow = self.touched.filter(pl.col("runs"), pl.col("may") < 1).join(self.hung, on="bank")
        return slow.join(self.nodes, on="device").join(self.down, on=["scenario", "device"], how="anti")

    @cached_property
    def units(self) -> pl.DataFrame:
        """Units with GPUs: unit, gpus, and the training fabric that they are on."""
        fabric = self.plan.links.filter(TRAINING, pl.col("tier") == "node_leaf").select("fabric", device="a_device")
        fabric = fabric.unique("device", keep="first", maintain_order=True).join(self.nodes, on="device")
        fabric = fabric.group_by("unit").agg(pl.col("fabric").min())
        return self.plan.units.select("unit", pl.col("gpus").cast(pl.Int64)).join(fabric, on="unit", how="left")

    @property
    def gpus_before(self) -> int:
        """GPUs of the largest training fabric."""
        most = self.units.group_by("fabric").agg(pl.col("gpus").sum())["gpus"].max()
        return int(most or 0)  # type: ignore[arg-type]  # whole numbers

    def hurt(self) -> pl.DataFrame:
        """What lives and has lost something that two losses together may take down: scenario, key."""
        loads = self.plan.power_loads.select("power_node", "nameplate_w")
        raised = self.train.carried(self.dark, "nameplate_w", loads).filter(pl.col("load_w") > pl.col("was") + 1)
        halls = self.plan.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(OF_HALLS))
        ends = self._bmc_ends().group_by("device").agg("leaf").filter(pl.col("leaf").list.len() > 1).explode("leaf")
        ports = self.cut.join(ends, left_on="device", right_on="leaf").select("scenario", name="device_right")
        frames = {
            "part": hurt(self.train.edges, self.dark.rename({"power_node": "name"})),
            "bank": self.touched.filter("runs").select("scenario", name="bank"),
            "cooling": hurt(self.pipes, self.warm),
            "switch": hurt(self.ways, self.cut.rename({"device": "name"})),
            "bmc": ports.unique(),
            "load": raised.join(halls, on="power_node", how="semi").select("scenario", name="power_node"),
        }
        return pl.concat(f.select("scenario", key=pl.format(f"{w} {{}}", "name")) for w, f in frames.items()).unique()

    def _warm(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Edges of the cooling, down to each medium of a device, and all of it that falls: (parent, child, weight) and
        (scenario, name).
        """
        nodes, plan = self.plan.cooling_nodes, self.plan
        liquid, air = pl.col("liquid_w"), pl.col("nameplate_w") - pl.col("liquid_w")
        heat = plan.cooling_connections.join(plan.loads, on="device").select(
            name=_end(), parent="cooling_node", heat_w=pl.when(pl.col("medium") == "liquid").then(liquid).otherwise(air)
        )
        weight = nodes.select(parent="cooling_node", weight=pl.col("capacity_w").cast(pl.Float64))
        edges = pl.concat([plan.cooling_edges.select("parent", "child"), heat.select("parent", child="name")])
        edges = edges.join(weight, on="parent", how="left")
        given = pl.concat([nodes.select("heat_w", name="cooling_node"), heat.select("heat_w", "name")])
        # A parent of unknown capacity takes whatever comes.
        known = pl.when(pl.col("weight").null_count() == 0).then(pl.col("weight").sum())
        spare = edges.group_by(name="child").agg(all_w=known).join(given, on="name")
        spare = spare.select("name", spare_w=pl.col("all_w") - pl.col("heat_w"))
        named = self.fails.drop_nulls("cooler").select("scenario", name="cooler")
        cdus = self.stopped.join(nodes, left_on="device", right_on="cooling_node", how="semi")
        motors = self.dark.join(_motors(plan), on="power_node").select("scenario", "name")
        return edges, fallen(edges, pl.concat([named, cdus.select("scenario", name="device"), motors]), spare)

    def _off(self, links: pl.DataFrame) -> pl.DataFrame:
        """Links of nodes to leaves -> those of running nodes that lead nowhere: scenario, device, link."""
        ends = links.select("link", device="a_device", leaf="b_device").join(self.nodes, on="device", how="semi")
        off = self.cut.join(ends, left_on="device", right_on="leaf").select("scenario", "link", device="device_right")
        return off.join(self.down, on=["scenario", "device"], how="anti")

    def tables(self) -> list[pl.DataFrame]:
        """Frames of one row a scenario that lost something, with the columns of a loss."""
        return [
            self.dropped.group_by("scenario").agg(nodes_dropped=pl.len(), gpus_lost=pl.col("gpus").sum()),
            self._throttled(),
            self.off_rails.group_by("scenario").agg(rails_lost=pl.len()),
            self._beside().group_by("scenario").agg(ports_lost=pl.len()),
            self._dark_switches(),
            self.unreached().group_by("scenario").agg(oob_dark=pl.len()),
            self._overloaded(),
            self._trainable(),
        ]

    def _throttled(self) -> pl.DataFrame:
        """Nodes that run on less than their nameplate: how many, the least share, what holds the worst."""
        slow = self.slow.sort("may", "held_by").group_by("scenario", maintain_order=True)
        return slow.agg(
            nodes_throttled=pl.len(), throttled_to=pl.col("may").first(), throttled_by=pl.col("held_by").first()
        )

    def _beside(self) -> pl.DataFrame:
        """Ports of running nodes on the front end and the storage fabric that lead nowhere."""
        return self._off(self.plan.links.filter(~TRAINING, pl.col("fabric") != "oob", pl.col("tier") == "node_leaf"))

    def _dark_switches(self) -> pl.DataFrame:
        dark = self.down.join(self.switches.filter(pl.col("fabric") != "oob"), on="device")
        words = {"leaf": "leaves_dark", "spine": "spines_dark", "core": "cores_dark"}
        return dark.group_by("scenario").agg((pl.col("role") == r).sum().alias(c) for r, c in words.items())

    def _bmc_ends(self) -> pl.DataFrame:
        """Ports of the BMCs of nodes: device, leaf."""
        bmcs = self.plan.addresses.filter(pl.col("purpose") == "bmc").select("device", "port")
        ends = self.plan.links.join(bmcs, left_on=["a_device", "a_port"], right_on=["device", "port"], how="semi")
        return ends.select(device="a_device", leaf="b_device").join(self.nodes, on="device", how="semi")

    def unreached(self) -> pl.DataFrame:
        """Nodes with power whose BMC has no port left that leads anywhere: scenario, device."""
        ends = self._bmc_ends()
        has = ends.group_by("device").agg(has=pl.len())
        off = self.cut.join(ends, left_on="device", right_on="leaf").select("scenario", device="device_right")
        off = off.group_by("scenario", "device").len().join(has, on="device").filter(pl.col("len") == pl.col("has"))
        dead = self.touched.filter(pl.col("left") == 0).join(self.hung, on="bank")
        return off.join(dead, on=["scenario", "device"], how="anti")

    def _overloaded(self) -> pl.DataFrame:
        """The part that a loss brings farthest over what it may carry."""
        loads = self.plan.power_loads.select("power_node", "nameplate_w")
        then = self.train.carried(self.dark, "nameplate_w", loads).filter(pl.col("load_w") > pl.col("was") + 1)
        parts = self.plan.power_nodes.select("power_node", "capacity_w")
        over = then.join(parts, on="power_node").filter(pl.col("load_w") > pl.col("capacity_w") + HALF_A_WATT)
        over = over.with_columns(pct=(100 * pl.col("load_w") / pl.col("capacity_w")).round(1))
        over = over.sort(-pl.col("pct"), "power_node").group_by("scenario", maintain_order=True).first()
        return over.select("scenario", overloaded="power_node", overloaded_pct="pct")

    def _trainable(self) -> pl.DataFrame:
        """Units that are left whole, and the GPUs of the largest set of them on one fabric."""
        broken = pl.concat(f.select("scenario", "device") for f in (self.dropped, self.off_rails))
        broken = broken.join(self.nodes, on="device").select("scenario", "unit").unique().join(self.units, on="unit")
        gone = broken.group_by("scenario", "fabric").agg(n=pl.len(), lost=pl.col("gpus").sum())
        scenarios = gone.select("scenario").unique(maintain_order=True)
        fabrics = self.units.group_by("fabric", maintain_order=True).agg(pl.len(), pl.col("gpus").sum())
        frame = scenarios.join(fabrics, how="cross").join(gone, on=["scenario", "fabric"], how="left", nulls_equal=True)
        left = frame.with_columns(
            n=pl.col("len") - pl.col("n").fill_null(0), left=pl.col("gpus") - pl.col("lost").fill_null(0)
        )
        return left.group_by("scenario").agg(
            units_whole=pl.col("n").sum().cast(pl.Int64), gpus_trainable=pl.col("left").max()
        )
