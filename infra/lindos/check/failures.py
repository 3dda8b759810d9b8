"""Rules about single failures: what no one part of the power train, and no one rack, may take down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, cases, not_evaluated, one
from lindos.check.sweep import components, unreached
from lindos.finding import Severity
from lindos.plan.feed import banks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

COMMON = {"N": Severity.INFO, "N+1": Severity.WARNING}
"""Where the busways of all feeds of a zone hang on one board by design: of N that is said, of N+1 warned of."""

PANELS = ["transformer", "board", "ups", "transfer_switch", "busway"]


def _weight(view: View) -> Severity:
    return COMMON.get(view.spec.power.chain.redundancy, Severity.CRITICAL) if view.spec else Severity.CRITICAL


def _down(view: View) -> pl.DataFrame:
    """Devices that go down with a part of the power train: scenario (its name), device and facts of both."""
    dead = view.outages.filter(~pl.col("runs")).join(banks(view.plan.loads), on="bank")
    facts = view.plan.devices.select("device", "kind", "role", "fabric", "plane", "pod")
    parts = view.plan.power_nodes.select(scenario="power_node", part=pl.col("kind").cast(pl.String))
    return dead.join(facts, on="device").join(parts, on="scenario")


def no_part_feeds_all_spines_of_a_plane(view: View) -> Iterator[Broken]:
    """No board, transformer, UPS, transfer switch or busway takes all spines of a plane of a pod down with it.

    Leaves then have no way up, and the pod trains with nobody. Where busways of all feeds hang on one board by design,
    this is said (N) or warned of (N+1); with one feed there is no other way.
    Source: single points of failure; the spines of a plane carry all that leaves it.
    What to do: spines of a plane in racks of different zones, or a redundancy that gives each feed a board of its own.
    """
    home = ["fabric", "plane", "pod"]
    spines = view.plan.devices.filter(pl.col("kind") == "switch", pl.col("role") == "spine")
    there = spines.group_by(home).agg(spines=pl.len())
    lost = _down(view).filter(pl.col("role") == "spine", pl.col("part").is_in(PANELS))
    lost = lost.group_by("scenario", *home).len().join(there, on=home, nulls_equal=True)
    lost = lost.filter(pl.col("len") == pl.col("spines")) if len(view.feeds) > 1 else lost.clear()
    where = pl.format("{} (plane {})", "fabric", pl.col("plane").fill_null(0))
    pod = pl.col("pod").fill_null("the site")
    told = pl.format("its loss takes all {} spines of {} in {} down", "spines", where, pod)
    hint = "spines of a plane in racks of several zones, or power: chain: redundancy: 2N"
    yield Broken(_weight(view), "parts that feed all spines of a plane", cases(lost, "scenario", told), hint)


def power_supplies_of_a_leaf_hang_on_more_than_one_busway(view: View) -> Iterator[Broken]:
    """The power supplies of a leaf lead to more than one busway, and to more than one board.

    Two supplies on one busway are lost together, and a rail of a whole unit with them. Where busways of all feeds hang
    on one board by design, this is said (N) or warned of (N+1); with one feed there is no other way.
    Source: practice of the trade: network gear has A and B from separate boards.
    What to do: other feeds for its PDUs, or a redundancy that gives each feed a board of its own.
    """
    lost = _down(view).filter(pl.col("role") == "leaf", pl.col("part").is_in(["busway", "board"]))
    lost = lost.filter(pl.col("left") == 0, pl.col("psus") > 1)
    lost = lost if len(view.feeds) > 1 else lost.clear()
    first = lost.sort("device", pl.col("part") != "busway", "scenario").unique("device", maintain_order=True)
    told = pl.format("all {} power supplies hang on {} {}", "psus", "part", "scenario")
    hint = "plug its supplies into PDUs of busways and boards that fail apart (power: chain: redundancy: 2N)"
    yield Broken(_weight(view), "leaves whose power supplies fail together", cases(first, "device", told), hint)


def redundancy_holds_what_it_promises(view: View) -> Iterator[Broken]:
    """With 2N, N+1, 3N/2, 4N/3 and catcher the loss of any one transformer, board or UPS drops no node.

    A node that goes down with a whole feed is told by POWER-004, a part that carries too much by POWER-005 to 007. N
    promises nothing: what it loses is said. Of N+1 the transformers are there twice and their board is not, so that
    the loss of a board is warned of. With one feed nothing is promised.
    Source: what the words mean: each of them survives the loss of one block.
    What to do: power: chain: redundancy: 2N, or more and smaller halls, if the loss of one part is to drop nothing.
    """
    if view.spec is None:
        missing = one(view.plan.site, "what redundancy was asked for stands in the site file, which is not at hand")
        yield not_evaluated("sites", missing, "check by the site file")
        return
    pdus = view.plan.power_nodes.filter(pl.col("kind") == "rack_pdu")
    feed = pdus.select("power_node", scenario="feed")
    own = view.train.touched(view.train.dark(feed)).filter(~pl.col("runs")).select("bank").unique()
    nodes = _down(view).filter(pl.col("kind") == "node", pl.col("part").is_in(["transformer", "board", "ups"]))
    nodes = nodes.join(own, on="bank", how="anti")
    nodes = nodes if len(view.feeds) > 1 else nodes.clear()
    lost = nodes.group_by("scenario", "part").agg(nodes=pl.len())
    word = view.spec.power.chain.redundancy
    told = pl.format(f"the loss of this {{}} drops {{}} nodes; redundancy is {word}", "part", "nodes")
    hint = "power: chain: redundancy: 2N survives the loss of any one part"
    yield Broken(_weight(view), "parts whose loss drops nodes", cases(lost, "scenario", told), hint)


def bmcs_are_reached_when_another_rack_is_off(view: View) -> Iterator[Broken]:
    """When the power of a rack is off, the management controllers of nodes in other racks are still reached.

    The access switch of a rack and the switches above it hang on some rack's PDUs: who works on that rack, or loses it,
    is blind to all that it serves.
    Source: out-of-band is what one mends the rest with, so it must not fail with it.
    What to do: two switches above each access switch (uplinks: 2), which the plan puts into two racks, unless
    `placement:` or the lack of a second rack keeps them together; an access switch for each rack (racks_per_switch: 1).
    """
    lost, fails = components(view)
    mine = lost.filter(pl.col("kind") == "rack")
    off = unreached(view, mine, fails).join(mine, on="component")
    place = view.plan.devices.select("device", "rack")
    bmcs = view.plan.addresses.filter(pl.col("purpose") == "bmc").select("device", "port")
    links = view.plan.links.join(bmcs, left_on=["a_device", "a_port"], right_on=["device", "port"], how="semi")
    ends = links.select(device="a_device", leaf="b_device").join(place, on="device")
    ends = ends.join(place.select(leaf="device", own="rack"), on="leaf").filter(pl.col("rack") != pl.col("own"))
    served = ends.group_by(rack="own").agg(served=pl.col("device").n_unique())
    few = off.with_columns(rack=pl.col("component").str.strip_prefix("rack ")).join(served, on="rack", how="left")
    above = pl.col("nodes").cast(pl.Int64) > pl.col("served").fill_null(0).cast(pl.Int64)
    cause = (
        pl.when(above)
        .then(pl.lit("all switches above their access switches stand"))
        .otherwise(pl.lit("their access switch stands"))
    )
    said = pl.format("when it is off, the BMCs of {} nodes in other racks are not reached: {} in it", "nodes", cause)
    hint = (
        "fabrics: oob: uplinks: 2 puts switches above into two racks; racks_per_switch: 1 is one access switch a rack"
    )
    yield Broken(
        Severity.WARNING, "racks that take the way to other racks' BMCs with them", cases(few, "rack", said), hint
    )
