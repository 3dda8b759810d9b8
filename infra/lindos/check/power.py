"""Rules of the power train: supplies and feeds, what survives the loss of a feed, what each part of it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, cases, not_evaluated, one
from lindos.finding import Severity
from lindos.plan.feed import PHASES, banks, hung
from lindos.plan.flow import carry, depths
from lindos.plan.outage import SOURCES
from lindos.plan.train import CONTINUOUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

UNEVEN = 0.1
"""Phases of a rack PDU lie within so much of each other (practice of the trade)."""
_HALF_A_WATT = 0.5
"""Shares of a supply are fractions of a watt; sums of them are compared with this tolerance."""


def _kw(watts: pl.Expr) -> pl.Expr:
    """Watts -> kilowatts as text, one decimal."""
    return (watts / 1000).round(1).cast(pl.String)


def _spread(view: View) -> pl.DataFrame:
    """Banks, each a device with its own supplies or a busbar: device (the busbar's name), kind, what is shared out,
    cords, and how many of them hang on each feed at least and at most (0 where a feed of the site has none).

    The inputs of a busbar are its power shelves; all supplies of a shelf hang on one.
    """
    inputs = pl.when(pl.col("busbar").first().is_null()).then(pl.len()).otherwise(pl.col("device").n_unique())
    each = view.cords.group_by("bank", "busbar", "feed").agg(n=inputs)
    frame = each.group_by("bank", "busbar").agg(
        cords=pl.col("n").sum(),
        on=pl.col("feed").sort().str.join(", "),
        feeds=pl.len(),
        low=pl.col("n").min(),
        high=pl.col("n").max(),
    )
    what = pl.when(pl.col("busbar").is_null()).then(pl.lit("power supplies")).otherwise(pl.lit("power shelves"))
    frame = frame.with_columns(what=what).rename({"bank": "device"})
    return frame.join(view.plan.devices.select("device", "kind"), on="device", how="left")


def every_power_supply_has_one_cord(view: View) -> Iterator[Broken]:
    """Every power supply of every device has a cord, into a rack PDU of the device's own rack and of the cord's feed.

    Source: the power schedule is what people plug by, and what a lost feed takes down follows from it.
    What to do: report this, cords follow from the supplies of the product.
    """
    hint = "one cord a supply, into a PDU of the rack that the device stands in"
    cords = view.plan.power_connections.group_by("device").agg(cords=pl.len())
    frame = view.plan.loads.join(cords, on="device", how="full", coalesce=True).with_columns(
        pl.col("cords", "psus").fill_null(0)
    )
    off = frame.filter(pl.col("cords") != pl.col("psus"))
    yield broken(
        "devices with another number of cords than power supplies",
        off,
        "device",
        pl.format("{} power supplies, {} cords", "psus", "cords"),
        hint,
    )
    pdus = view.plan.power_nodes.filter(pl.col("kind") == "rack_pdu").select(
        pdu="power_node", pdu_rack="rack", pdu_feed="feed"
    )
    home = view.plan.devices.select("device", "rack")
    wrong = view.plan.power_connections.join(home, on="device", how="left").join(pdus, on="pdu", how="left")
    wrong = wrong.filter(pl.col("pdu_rack").ne_missing(pl.col("rack")) | pl.col("pdu_feed").ne_missing(pl.col("feed")))
    wrong = wrong.with_columns(subject=pl.format("{} psu {}", "device", "psu"))
    yield broken(
        "cords into a PDU of another rack or feed",
        wrong,
        "subject",
        pl.format(
            "of rack {} and feed {}, its PDU {} is of rack {} and feed {}",
            "rack",
            "feed",
            "pdu",
            pl.col("pdu_rack").fill_null("none"),
            pl.col("pdu_feed").fill_null("none"),
        ),
        hint,
    )


def every_device_has_power(view: View) -> Iterator[Broken]:
    """A device has power supplies of its own, or it hangs on the busbar of its own rack, which power shelves feed.

    Source: trays of an NVL72 rack have no supplies; the shelves of the rack feed them over its busbar.
    What to do: give the rack its power shelves, or the device its power supplies.
    """
    loads = view.plan.loads.join(view.plan.devices.select("device", "kind", "rack"), on="device", how="left")
    fed = loads.filter(pl.col("kind") == "shelf", pl.col("psus") > 0).select("busbar").unique()
    bare = loads.filter(pl.col("psus") == 0)
    hint = "give the rack `shelf` and `shelves`, or the device its `psu` (assumptions: facts)"
    dark = bare.join(fed, on="busbar", how="anti", nulls_equal=False)
    yield broken(
        "devices that nothing powers",
        dark,
        "device",
        pl.format(
            "has no power supply, and no power shelf feeds {}",
            pl.when(pl.col("busbar").is_null()).then(pl.lit("it")).otherwise(pl.format("busbar {}", "busbar")),
        ),
        hint,
    )
    astray = loads.filter(pl.col("busbar").is_not_null() & (pl.col("busbar") != pl.col("rack")))
    yield broken(
        "devices on the busbar of another rack",
        astray,
        "device",
        pl.format("stands in {} and hangs on busbar {}", "rack", "busbar"),
        hint,
    )


def power_supplies_of_a_device_spread_over_the_feeds(view: View) -> Iterator[Broken]:
    """The power supplies of a device are shared out over the feeds as evenly as their number allows.

    PSU redundancy is not feed redundancy: supplies that hang on one feed go down together. The power shelves of a
    busbar are shared out in the same way, each with all its supplies.
    Source: arithmetic of redundancy: what hangs on one feed is lost with it.
    What to do: spread the cords; a device with one supply hangs on one feed, whatever is done.
    """
    feeds = len(view.feeds)
    frame = _spread(view)
    least = pl.min_horizontal("cords", pl.lit(feeds))
    bunched = frame.filter(
        (pl.col("feeds") < least)
        | (pl.col("high") - pl.when(pl.col("feeds") < feeds).then(0).otherwise(pl.col("low")) > 1)
    ).filter(pl.col("cords") > 1)
    yield broken(
        "devices whose power supplies crowd on a feed",
        bunched,
        "device",
        pl.format(
            f"{{}} of {feeds} feeds ({{}}) have its {{}} {{}}, one of them {{}}",
            "feeds",
            "on",
            "cords",
            "what",
            "high",
        ),
        "share the supplies out over all feeds",
    )
    if feeds == 1:
        yield Broken(
            Severity.WARNING,
            "sites",
            one(view.plan.site, f"the only feed is '{view.feeds[0]}': its loss takes everything down"),
            "power: feeds: [a, b], if the site is to survive the loss of one",
        )


def a_switch_hangs_on_two_feeds(view: View) -> Iterator[Broken]:
    """No switch has all its power supplies on one feed.

    A node that goes down takes its own GPUs; a leaf takes a rail of a whole unit, and a spine a share of a pod.
    Source: training halls run 2N on network, storage and pumps, and N or N+1 on nodes (practice of the trade).
    What to do: take a switch with two supplies and plug them into different feeds.
    """
    if len(view.feeds) == 1:
        yield not_evaluated(
            "sites", one(view.plan.site, "has one feed, so no switch can hang on two"), "power: feeds: [a, b]"
        )
        return
    alone = _spread(view).filter((pl.col("kind") == "switch") & (pl.col("feeds") == 1))
    yield broken(
        "switches on one feed",
        alone,
        "device",
        pl.format("{} of {} power supplies on feed {}", "cords", "cords", "on"),
        "plug the supplies of a switch into different feeds",
    )


def a_device_survives_the_loss_of_any_feed(view: View) -> Iterator[Broken]:
    """After the loss of any one feed the power supplies that are left carry the device.

    They carry it when as many are left as the maker says are needed. Where their ratings together stay below the
    nameplate all the same, the device runs on throttled: an XE9680 on three of six supplies clamps its GPUs to a
    quarter of their clocks. Where neither number nor rating is known, this is not evaluated. What hangs on one busbar
    is carried by all its power shelves together.
    Source: a DGX H100 (six of 3.3 kW, 4+2, user guide) on two feeds keeps three: 9.9 kW of 10.2 kW.
    What to do: three feeds, more or larger supplies, or accept that the loss of a feed stops these devices.
    """
    if len(view.feeds) == 1:
        yield not_evaluated(
            "sites", one(view.plan.site, "has one feed, and nothing survives its loss"), "power: feeds: [a, b]"
        )
        return
    frame = _left(view)
    unknown = frame.filter(pl.col("psus_needed").is_null() & pl.col("psu_rating_w").is_null()).group_by("product").len()
    yield not_evaluated(
        "products without facts of their power supplies",
        cases(
            unknown,
            "product",
            pl.format("neither how many supplies are needed nor their rating is known, for {} devices", "len"),
        ),
        "give it in the site file: assumptions: - {product: NAME, facts: {psu: {needed: ...}}, reason: ...}",
    )
    enough = pl.col("left") >= pl.col("psus_needed")
    dead = (~enough).fill_null(pl.col("left_w") < pl.col("nameplate_w")).fill_null(value=False)
    left = pl.format("feed {} lost: {} of {} power supplies", "feed", "left", "psus")
    watts = (
        pl.when(pl.col("left_w").is_not_null()).then(pl.format(" ({} kW)", _kw(pl.col("left_w")))).otherwise(pl.lit(""))
    )
    needs = pl.coalesce(pl.col("psus_needed").cast(pl.String), pl.format("{} kW", _kw(pl.col("nameplate_w"))))
    told = pl.format("{} are left{}, it needs {}", left, watts, needs)
    hint = "more feeds, or more or larger power supplies"
    yield broken("devices that go down with a feed", frame.filter(dead), "device", told, hint)
    slow = frame.filter(~dead & (pl.col("left_w") < pl.col("nameplate_w")))
    watts = pl.format("{} kW of {} kW nameplate", _kw(pl.col("left_w")), _kw(pl.col("nameplate_w")))
    yield Broken(
        Severity.WARNING,
        "devices that run throttled after the loss of a feed",
        cases(slow, "device", pl.format("{} carry {}, so it runs on throttled", left, watts)),
        "larger power supplies or a third feed keep full clocks through the loss of one",
    )


def _left(view: View) -> pl.DataFrame:
    """Devices and busbars in their worst case: the feed lost that takes most power supplies, how many are left, their
    watts; `psus_needed` of a busbar is not known, its watts decide.
    """
    of = pl.when(pl.col("psu_rating_w").null_count() == 0).then(pl.col("psu_rating_w").sum())
    cords = view.cords.with_columns(pl.when(pl.col("busbar").is_null()).then("psus_needed").alias("psus_needed"))
    alive = cords.group_by("bank", "feed").agg(
        pl.col("device", "psus_needed", "bank_nameplate_w").first(), lost=pl.len().cast(pl.Int64), lost_w=of
    )
    worst = alive.sort("lost", "feed", descending=[True, False]).unique("bank", keep="first", maintain_order=True)
    loads = view.plan.loads.join(banks(view.plan.loads), on="device")
    each = pl.col("psus").cast(pl.Int64)
    have = loads.group_by("bank").agg(psus=each.sum(), all_w=(each * pl.col("psu_rating_w")).sum())
    frame = worst.join(have, on="bank").join(view.plan.devices.select("device", "product"), on="device")
    frame = frame.with_columns(left=pl.col("psus") - pl.col("lost"), left_w=pl.col("all_w") - pl.col("lost_w"))
    rating = pl.when(pl.col("lost_w").is_not_null()).then(1).alias("psu_rating_w")
    return frame.with_columns(rating, device="bank", nameplate_w="bank_nameplate_w")


def _overloaded(view: View, kinds: list[str], what: str, hint: str) -> Iterator[Broken]:
    """Parts of these kinds that carry more than they may, each in its worst case."""
    frame = view.carried.filter(pl.col("kind").is_in(kinds), pl.col("load_w") > pl.col("capacity_w") + _HALF_A_WATT)
    worst = frame.sort("load_w", "lost", descending=[True, False]).unique(
        "power_node", keep="first", maintain_order=True
    )
    when = (
        pl.when(pl.col("lost").is_null())
        .then(pl.lit("when all is well"))
        .otherwise(pl.format("when {} is lost", "lost"))
    )
    yield broken(
        what,
        worst,
        "power_node",
        pl.format("carries {} kW {}, it may carry {} kW", _kw(pl.col("load_w")), when, _kw(pl.col("capacity_w"))),
        hint,
    )


def a_rack_pdu_carries_its_rack_when_another_part_is_lost(view: View) -> Iterator[Broken]:
    """No rack PDU and no tap box carries more than 80 % of its breaker, whatever other part is lost.

    After the loss of any one part above the tap boxes each device draws all its nameplate through the supplies that
    are left.
    Source: NEC 210.20(A), loads of three hours and more; usable watts of three phases = sqrt(3) V A 0.8.
    What to do: larger PDUs, more of them on a feed, or fewer nodes a rack.
    """
    yield from _overloaded(
        view,
        ["tap", "rack_pdu"],
        "rack PDUs and tap boxes over what they may carry",
        "power: chain: rack_pdu: more amps, or more per_feed",
    )


def a_rack_draws_no_more_than_it_and_its_place_are_built_for(view: View) -> Iterator[Broken]:
    """A rack draws no more than its product is rated for, and no more than power and cooling of its position allow.

    The rating of a rack covers what it is delivered with: nodes, NVSwitch trays, CDUs. A position has to carry all
    that stands on it, out-of-band switches and network racks included; where the hall states no limit, none is held.
    Source: power_w_max of the rack in the catalogue; rack_kw of the hall in the site file.
    What to do: fewer nodes a rack, or a hall that is built for such racks.
    """
    drawn = view.plan.devices.select("device", "kind", "rack").join(
        view.plan.loads.select("device", "nameplate_w"), on="device"
    )
    own = ~pl.col("kind").is_in(["switch", "service"])
    sums = drawn.group_by("rack").agg(all_w=pl.col("nameplate_w").sum(), own_w=pl.col("nameplate_w").filter(own).sum())
    frame = view.plan.racks.join(sums, on="rack").join(
        view.plan.halls.select("hall", place_w="rack_w"), on="hall", how="left"
    )
    yield broken(
        "racks that draw more than their product is rated for",
        frame.filter(pl.col("own_w") > pl.col("rated_w")),
        "rack",
        pl.format("draws {} kW, {} is rated for {} kW", _kw(pl.col("own_w")), "product", _kw(pl.col("rated_w"))),
        "fewer nodes a rack, or the figures of node and rack do not belong together",
    )
    yield broken(
        "racks that draw more than their position is built for",
        frame.filter(pl.col("all_w") > pl.col("place_w")),
        "rack",
        pl.format(
            "draws {} kW, a position of hall {} is built for {} kW",
            _kw(pl.col("all_w")),
            "hall",
            _kw(pl.col("place_w")),
        ),
        "halls: more rack_kw, or lighter racks here",
    )


def a_busway_carries_its_racks_when_another_part_is_lost(view: View) -> Iterator[Broken]:
    """No busway carries more than 80 % of its rating, whatever other part is lost.

    Source: NEC 215.3, loads of three hours and more; usable watts of three phases = sqrt(3) V A 0.8.
    What to do: a larger busway, or lighter racks side by side.
    """
    yield from _overloaded(view, ["busway"], "busways over what they may carry", "power: chain: busway: more amps")


def what_feeds_the_halls_carries_them_when_another_part_is_lost(view: View) -> Iterator[Broken]:
    """No part between the sources and the busways carries more than it may, whatever other part is lost.

    Source: arithmetic of redundancy: a block of 2N carries half and alone the whole, one of 4N/3 three quarters.
    What to do: larger transformers, more of what is short, or more halls of fewer racks.
    """
    kinds = ["ring", "transformer", "board", "ups", "transfer_switch", "motor_control"]
    yield from _overloaded(
        view,
        kinds,
        "parts of the halls' power train over what they may carry",
        "power: chain: a larger transformer (kva), more amps of the ring, or another redundancy",
    )
    yield from _overloaded(
        view,
        ["substation", "substation_transformer", "switchgear"],
        "substations and switchgear over what they may carry",
        "power: upstream: more mw, or more transformers; without it each feed has what its halls' transformers carry",
    )


def every_part_carries_what_hangs_on_it(view: View) -> Iterator[Broken]:
    """What a part delivers is what the parts and cords below it draw, losses counted in.

    No part feeds itself by any way round.
    Source: conservation of energy.
    What to do: report this, loads follow from the cords.
    """
    plan, hint = view.plan, "loads of the power train follow from cords, shares and losses"
    try:
        depths(plan.power_nodes, plan.power_edges)
    except ValueError as err:
        yield Broken(Severity.CRITICAL, "sites", one(plan.site, str(err)), hint)
        return
    columns = ["nameplate_w", "typical_w"]
    draws = banks(plan.loads)
    cords = plan.power_connections.join(draws, on="device").with_columns(n=pl.len().over("bank"))
    shares = cords.select("pdu", *((pl.col(f"bank_{c}") / pl.col("n")).alias(c) for c in columns))
    true = carry(plan.power_nodes, plan.power_edges, hung(plan.power_nodes, shares, plan.plant_loads), columns)
    both = plan.power_loads.join(true, on="power_node", how="full", suffix="_true", coalesce=True)
    for column in columns:
        off = both.filter((pl.col(column) - pl.col(f"{column}_true")).abs().fill_null(2) > 1)
        yield broken(
            f"parts whose {column.removesuffix('_w')} load is not what hangs on them",
            off,
            "power_node",
            pl.format(
                "stands for {} kW, {} kW hang on it",
                _kw(pl.col(column)).fill_null("no"),
                _kw(pl.col(f"{column}_true")).fill_null("no"),
            ),
            hint,
        )


def phases_of_a_rack_pdu_are_balanced(view: View) -> Iterator[Broken]:
    """The phases of a rack PDU are balanced as far as its supplies can be dealt out.

    No phase carries more than a third of what the PDU may, and phases lie within 10 % of their mean. Eight equal
    supplies on three phases are 3, 3 and 2, whatever is done: what is less than 10 % of the rating of a phase is let
    pass.
    Source: practice of the trade; a phase has a third of sqrt(3) V A 0.8.
    What to do: supplies by threes on a PDU, or larger PDUs.
    """
    cords = view.cords.with_columns(w=pl.col("bank_nameplate_w") / pl.len().over("bank"))
    all_of_it = cords.group_by("pdu").agg(
        mean=pl.col("w").sum() / PHASES, whole=pl.col("w").filter(pl.col("phase").is_null()).sum()
    )
    each = cords.drop_nulls("phase").group_by("pdu", "phase").agg(w=pl.col("w").sum())
    most = each.sort("w", "phase").group_by("pdu").agg(pl.col("w", "phase").last())
    frame = most.join(all_of_it, on="pdu").join(
        view.plan.power_nodes.select(pdu="power_node", may=pl.col("capacity_w") / PHASES), on="pdu", how="left"
    )
    frame = frame.with_columns(high=pl.col("w") + pl.col("whole") / PHASES)
    off = pl.col("high") - pl.col("mean")
    yield broken(
        "rack PDUs with a phase over what it may carry",
        frame.filter(pl.col("high") > pl.col("may") + _HALF_A_WATT),
        "pdu",
        pl.format("phase {} carries {} kW, it may carry {} kW", "phase", _kw(pl.col("high")), _kw(pl.col("may"))),
        "power: chain: rack_pdu: more amps, or more per_feed",
    )
    uneven = (off > UNEVEN * pl.col("mean")) & (off > UNEVEN * pl.col("may") / CONTINUOUS)
    yield Broken(
        Severity.WARNING,
        "rack PDUs whose phases are out of balance",
        cases(
            frame.filter(uneven),
            "pdu",
            pl.format("phase {} carries {} kW, the mean is {} kW", "phase", _kw(pl.col("high")), _kw(pl.col("mean"))),
        ),
        "supplies by threes on a PDU",
    )


def every_cord_leads_back_to_a_source(view: View) -> Iterator[Broken]:
    """From every rack PDU the train leads up to a utility, generator or battery, on one feed below the boards.

    Source: the train of plan/train.py, from sources to rack PDUs.
    What to do: report this, the train follows from hall, row and position.
    """
    hint = "each part of the train has its parents, of its own feed, up to the sources"
    nodes = view.plan.power_nodes.select("power_node", "kind", "feed")
    edges = view.plan.power_edges.join(nodes.rename({"power_node": "parent", "feed": "above"}), on="parent", how="left")
    parents = edges.group_by(power_node="child").agg(
        parents=(~pl.col("standby")).sum(),
        unknown=pl.col("kind").is_null().sum(),
        side=pl.col("above").drop_nulls().sort().first(),
    )
    frame = nodes.filter(~pl.col("kind").cast(pl.String).is_in(SOURCES))
    frame = frame.join(parents, on="power_node", how="left").with_columns(pl.col("parents", "unknown").fill_null(0))
    several = (pl.col("parents") > 1) & pl.col("kind").cast(pl.String).is_in(["busway", "tap", "rack_pdu"])
    yield broken(
        "parts of the power train that hang on no parent or on several",
        frame.filter((pl.col("parents") == 0) | several | (pl.col("unknown") > 0)),
        "power_node",
        pl.format("a {} with {} parents, {} of them not in the plan", "kind", "parents", "unknown"),
        hint,
    )
    yield broken(
        "parts of the power train on another feed than their parent",
        frame.filter(pl.col("side") != pl.col("feed")),
        "power_node",
        pl.format("of feed {}, its parent is of feed {}", "feed", "side"),
        hint,
    )


def sources_carry_the_nameplate_load(view: View) -> Iterator[Broken]:
    """All sources together, without the spare machines, carry the nameplate of everything that draws power.

    Losses on the way count as well. This compares what the site will have in the end; what may run on which day is
    for the schedule to say. Batteries make no power.
    Source: firm capacity counts no machine that is held back.
    What to do: more sources, or fewer GPUs until they are there.
    """
    have = view.plan.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(SOURCES))
    load = int(have.join(view.plan.power_loads, on="power_node")["nameplate_w"].sum())
    makes = have.filter(pl.col("kind") != "battery")
    firm, note = int(makes["capacity_w"].sum()), " (spare machines counted in, the site file is not at hand)"
    if view.spec is not None:
        firm = round(sum(s.mw * (s.count - s.spare) for s in view.spec.power.sources if s.kind != "battery") * 1e6)
        note = ""
    if load > firm:
        short = (load - firm) / 1e6
        yield Broken(
            Severity.WARNING,
            "sites",
            one(
                view.plan.site,
                f"draws {load / 1e6:,.3f} MW nameplate, all sources give {firm / 1e6:,.3f} MW{note}: "
                f"{short:,.3f} MW short",
            ),
            "power: sources: more of them; until then the schedule has to hold back GPUs",
        )
