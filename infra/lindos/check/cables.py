"""Rules of cables and optics. Codes start at CABLE-101: below are those of the comparison with what is plugged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue.products import Copper, Cordage, Optic
from lindos.check.rule import Broken, broken, cases, not_evaluated
from lindos.check.view import NAME, port_name
from lindos.plan.parts import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

END_SLACK_MM = 2_000
"""Slack at each end of a cable that leaves its rack."""


def _optics(view: View) -> pl.DataFrame:
    """Optics that the plan uses: part, known, form, gbps (of one link), links, medium, standard, reach_mm."""
    ends = [view.plan.cables[f"{e}_part"].drop_nulls() for e in ("a", "b")]
    known = set(view.catalogue.names("optic"))
    rows = []
    for part in pl.concat(ends).unique().sort():
        o = view.catalogue.get(Optic, part) if part in known else Optic()
        links, gbps = (int(n) for n in o.rate.rstrip("G").split("x")) if o.rate else (None, None)
        reach = None if o.max_m is None else round(o.max_m * 1000)
        rows.append((part, part in known, o.form, links, gbps, o.medium, o.standard, reach))
    schema = {
        "part": pl.String,
        "known": pl.Boolean,
        "form": pl.String,
        "links": pl.Int64,
        "gbps": pl.Int64,
        "medium": pl.String,
        "standard": pl.String,
        "reach_mm": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


KIND = ["medium", "product", "a_part", "b_part"]


def _metres_mm(metres: float | None) -> int | None:
    return None if metres is None else round(metres * 1000)


def _products(view: View) -> pl.DataFrame:
    """What the cables of the plan are made of: product, is_copper (with fixed ends), max_mm, lengths_mm."""
    rows: list[tuple[str, bool, int | None, list[int] | None]] = []
    for name in view.plan.cables["product"].unique().sort():
        kind = view.catalogue.kind(name)
        if kind not in {"copper", "cordage"}:
            rows.append((name, False, None, None))
            continue
        made: Copper | Cordage = (
            view.catalogue.get(Copper, name) if kind == "copper" else view.catalogue.get(Cordage, name)
        )
        lengths = [round(m * 1000) for m in made.lengths_m] if made.lengths_m else None
        rows.append((name, kind == "copper", _metres_mm(made.max_m), lengths))
    frame = pl.DataFrame(rows, schema=["product", "is_copper", "max_mm", "lengths_mm"], orient="row")
    return frame.cast({"max_mm": pl.Int64, "lengths_mm": pl.List(pl.Int64)})


def _kinds(view: View) -> pl.DataFrame:
    """Few combinations of product and optics serve all cables: each with the facts of the product, of the optics `a_`
    and `b_`, and the longest cable of it.
    """
    optics = _optics(view)
    frame = view.plan.cables.group_by(KIND).agg(longest_mm=pl.col("length_mm").max(), cables=pl.len())
    frame = frame.join(_products(view), on="product", how="left")
    for end in ("a", "b"):
        frame = frame.join(optics.rename({c: f"{end}_{c}" for c in optics.columns}), on=f"{end}_part", how="left")
    return frame


def _of_kinds(view: View, kinds: pl.DataFrame) -> pl.DataFrame:
    """The cables of these kinds, with the facts of the kind."""
    return view.plan.cables.join(kinds, on=KIND, nulls_equal=True).with_columns(pl.col("medium").cast(pl.String))


def _unknown_parts(view: View, column: str, fact: str, key: str) -> Broken:
    """The parts whose fact nobody gave (`key` in the catalogue), with how many ends they stand at."""
    optics = _optics(view).filter(pl.col(column).is_null())
    ends = pl.concat(view.plan.cables.select(part=f"{e}_part") for e in ("a", "b"))
    frame = ends.join(optics, on="part", how="semi").group_by("part").len()
    return not_evaluated(
        f"optics without {fact}",
        cases(frame, "part", pl.format("its " + fact + " is not known; it stands at {} ends of cables", "len")),
        f"give it: assumptions: - {{product: PART, kind: optic, facts: {{{key}: ...}}, reason: ...}}",
    )


def the_ports_of_a_cage_share_one_module(view: View) -> Iterator[Broken]:
    """All links out of one cage have the same optic, medium and speed, because one module serves them.

    A twin-port optic ends in two connectors of one kind: multimode beside single mode in one cage cannot be bought.
    Source: NVIDIA LinkX documentation of twin-port OSFP optics.
    What to do: give all cables of a cage the reach of the longest, or move the long ones to cages of their own.
    """
    split = view.ends.filter(pl.col("lane_groups") > 1).with_columns(pl.coalesce("part", "product"))
    what = ["part", "medium", "rate_gbps", "form", "lane_groups"]
    # Few combinations serve all cages, so each gets a number: a cage with two numbers needs two modules.
    kinds = split.select(what).unique(maintain_order=True).with_row_index("kind")
    numbered = split.select("socket", *what).join(kinds, on=what, nulls_equal=True)
    torn = (
        numbered.group_by("socket")
        .agg(low=pl.col("kind").min(), high=pl.col("kind").max())
        .filter(pl.col("low") != pl.col("high"))
    )
    mixed = (
        split.join(torn, on="socket", how="semi")
        .group_by("device", "cage")
        .agg(
            shown=pl.format("{} ({} {}G)", "part", pl.col("medium").fill_null("no medium"), "rate_gbps")
            .unique()
            .sort()
            .str.join(" beside "),
        )
    )
    mixed = mixed.with_columns(subject=pl.format("{} cage {}", pl.col("device").cast(pl.String), "cage"))
    yield broken(
        "cages that need two kinds of module",
        mixed,
        "subject",
        pl.format("one module serves this cage, but its links ask for {}", "shown"),
        "cables that share a cage take one optic, one medium, one speed",
    )


def the_optics_of_a_cable_speak_with_each_other(view: View) -> Iterator[Broken]:
    """Both ends of a cable have optics of one standard and medium, of the speed of its links, that fit their cages.

    Single mode (DR4) and multimode (SR4) never interoperate; air-cooled cages take finned-top OSFP, NICs QSFP112 or
    flat-top OSFP.
    Source: NVIDIA LinkX documentation; the optics of the catalogue.
    What to do: take the optic of the other end's standard, in the form of the cage.
    """
    hint = "pair optics of one standard and medium, in the form that each cage takes"
    kinds = _kinds(view)
    lone = _of_kinds(view, kinds.filter(pl.col("a_part").is_null() != pl.col("b_part").is_null()))
    told = pl.format("has {} at one end and none at the other", pl.coalesce("a_part", "b_part"))
    yield broken("cables with an optic at one end only", lone, "cable", told, hint)
    fibre = pl.col("medium").cast(pl.String)
    dark = _of_kinds(
        view, kinds.filter(fibre.is_in(["MM", "SM"]), pl.col("a_part").is_null(), pl.col("b_part").is_null())
    )
    yield broken(
        "fibres without an optic", dark, "cable", pl.format("is {} fibre, with no optic at either end", "medium"), hint
    )
    differ = pl.any_horizontal(
        pl.col("a_standard") != pl.col("b_standard"),
        pl.col("a_medium") != pl.col("b_medium"),
        pl.col("a_medium") != fibre,
        pl.col("b_medium") != fibre,
        pl.col("a_gbps") != pl.col("b_gbps"),
    )
    deaf = _of_kinds(view, kinds.filter(differ))
    ends = [
        pl.format("{} ({} {} {}G)", *(f"{e}_{c}" for c in ("part", "medium", "standard", "gbps"))) for e in ("a", "b")
    ]
    told = pl.format("{} on {} fibre to {}", ends[0], "medium", ends[1])
    yield broken("cables whose ends do not speak with each other", deaf, "cable", told, hint)
    yield _unknown_parts(view, "standard", "standard", "standard")
    wrong, told = _unfit(view)
    yield broken("ports with an optic that does not fit", wrong, "subject", told, hint)
    yield broken(
        "copper cables that do not fit their cages",
        _unfit_copper(view),
        "link",
        pl.format(
            "{} does not join {} ports of {} with {} ports of {}", "product", "a_groups", "a_form", "b_groups", "b_form"
        ),
        "a copper cable is sold for the cages at its ends: take fibre where none fits",
    )


def _unfit_copper(view: View) -> pl.DataFrame:
    """Links by copper with fixed ends that is not sold for the cages at both ends."""
    coppers = {c.product: c for c in parts_of(view.catalogue).coppers}
    links = view.links.filter(pl.col("product").is_in(view.catalogue.names("copper")))
    cages = view.ports.select("at", pl.col("form").cast(pl.String), groups="lane_groups")
    for end in ("a", "b"):
        links = links.join(cages.rename({c: f"{end}_{c}" for c in cages.columns}), on=f"{end}_at", how="left")
    ends = ["product", "a_form", "a_groups", "b_form", "b_groups", "rate_gbps"]
    rows = []
    for row in links.select(ends).unique(maintain_order=True).rows():
        name, a_form, a_groups, b_form, b_groups, gbps = row
        copper = coppers.get(name)
        if not copper or not (
            copper.fits(a_form, a_groups, b_form, b_groups, gbps)
            or copper.fits(b_form, b_groups, a_form, a_groups, gbps)
        ):
            rows.append(row)
    return links.join(pl.DataFrame(rows, schema=links.select(ends).schema, orient="row"), on=ends, nulls_equal=True)


def _unfit(view: View) -> tuple[pl.DataFrame, pl.Expr]:
    """Ports whose optic is of another form, speed or number of links than their cage, and what to say of them."""
    optics = _optics(view).select("part", "form", "links", "gbps").drop_nulls()
    what = ["part", "form", "rate_gbps", "lane_groups"]
    fits = optics.select(
        "part",
        pl.col("form").cast(NAME),
        rate_gbps=pl.col("gbps").cast(pl.UInt32),
        lane_groups=pl.col("links").cast(pl.UInt8),
    )
    plugged = view.ends.filter(pl.col("part").is_not_null() & pl.col("cage").is_not_null())
    unfit = plugged.select(what).unique().join(fits, on=what, how="anti").join(optics, on="part", suffix="_optic")
    cage = pl.format("a {} cage of {}x{}G", pl.col("form").cast(pl.String), "lane_groups", "rate_gbps")
    optic = pl.format("{}, which is {} of {}x{}G", "part", "form_optic", "links", "gbps")
    return plugged.join(unfit, on=what).with_columns(subject=port_name()), pl.format("{} has {}", cage, optic)


def a_cable_is_within_the_reach_of_its_parts(view: View) -> Iterator[Broken]:
    """No cable is longer than its optics and what it is made of reach.

    Past its reach a link comes up and loses packets when the hall is warm.
    Source: max_m of the optics, copper cables and cordage of the catalogue (NVIDIA LinkX documentation; TIA-568 for
    100 m of twisted pair).
    What to do: take the optic of longer reach, or place the racks closer together.
    """
    reach = pl.min_horizontal("a_reach_mm", "b_reach_mm", "max_mm")
    kinds = _kinds(view).with_columns(reach=reach)
    far = _of_kinds(view, kinds.filter(pl.col("longest_mm") > pl.col("reach")))
    far = far.filter(pl.col("length_mm") > pl.col("reach"))
    optics = pl.format("{} and {}", pl.col("a_part").fill_null("none"), pl.col("b_part").fill_null("none"))
    bare = pl.col("a_part").is_null() & pl.col("b_part").is_null()
    who = pl.when(bare).then(pl.format("{} reaches", "product")).otherwise(pl.format("{} reach", optics))
    told = pl.format("{} m of {}, {} {} m", pl.col("length_mm") / 1000, "medium", who, pl.col("reach") / 1000)
    hint = "an optic of longer reach, or racks closer together (halls, placement)"
    yield broken("cables past the reach of their parts", far, "cable", told, hint)
    yield _unknown_parts(view, "reach_mm", "reach", "max_m")
    strange = kinds.filter(pl.col("max_mm").is_null()).group_by("product").agg(pl.col("cables").sum())
    yield not_evaluated(
        "products without a known reach",
        cases(strange, "product", pl.format("{} cables are of it, and its reach is not known", "cables")),
        "give it: assumptions: - {product: NAME, kind: cordage, facts: {max_m: ...}, reason: ...}",
    )


def a_cable_is_of_a_length_that_is_sold(view: View) -> Iterator[Broken]:
    """Every cable has a length in which its product is sold.

    Source: lengths_m of the copper cables and the cordage of the catalogue.
    What to do: take the next longer one that is sold, or give the product the lengths that your supplier makes.
    """
    kinds = _kinds(view).filter(pl.col("lengths_mm").is_not_null())
    odd = _of_kinds(view, kinds).filter(~pl.col("length_mm").is_in(pl.col("lengths_mm")))
    yield broken(
        "cables of a length that is not sold",
        odd,
        "cable",
        pl.format("{} m of {}, which is not sold in this length", pl.col("length_mm") / 1000, "product"),
        "assumptions: - {product: NAME, facts: {lengths_m: [...]}, reason: ...} says what is sold",
    )


def a_cable_covers_its_route(view: View) -> Iterator[Broken]:
    """A cable is at least as long as its route, and the route as the way between its ends: trays, floor and slack.

    The way is measured again from where the devices stand: up to the tray, along and across, down again, 2 m of
    slack at each end; inside a rack straight up.
    Source: geometry; 2 m of slack at each end is the custom of the trade.
    What to do: buy the next longer cable; a placement that changed asks for new lengths.
    """
    hint = "the length follows from where the racks stand; design the site again after moving one"
    short = view.plan.cables.filter(pl.col("length_mm") < pl.col("route_mm"))
    told = pl.format("{} m long on a route of {} m", pl.col("length_mm") / 1000, pl.col("route_mm") / 1000)
    yield broken("cables shorter than their route", short, "cable", told, hint)
    trays = view.plan.halls.select("tray_height_mm", hall="hall")
    racks = view.plan.racks.select("rack", "hall").join(trays, on="hall")
    spots = view.devices.select("device", "rack", "x_mm", "y_mm", "z_mm").join(racks, on="rack").drop("hall")
    spots = spots.with_columns(pl.col("rack").cast(NAME))
    frame = view.links.select("cable", "a_device", "b_device", "length_mm", "route_mm")
    for end in ("a", "b"):
        mine = spots.rename({c: f"{end}_{c}" for c in spots.columns})
        frame = frame.join(mine, on=f"{end}_device", maintain_order="left")
    floor = sum((pl.col(f"a_{c}_mm") - pl.col(f"b_{c}_mm")).abs() for c in ("x", "y"))
    rise = sum((pl.col(f"{e}_tray_height_mm") - pl.col(f"{e}_z_mm")).abs() for e in ("a", "b"))
    inside = (pl.col("a_z_mm") - pl.col("b_z_mm")).abs()
    way = pl.when(pl.col("a_rack") == pl.col("b_rack")).then(inside).otherwise(floor + rise + 2 * END_SLACK_MM)
    less = frame.select("cable", "length_mm", "route_mm", way_mm=way).filter(
        pl.col("way_mm") > pl.col("route_mm"), pl.col("length_mm") >= pl.col("route_mm")
    )
    less = less.group_by("cable").agg(pl.col("length_mm").first(), pl.col("way_mm").max())
    yield broken(
        "cables that do not cover the way between their ends",
        less,
        "cable",
        pl.format(
            "{} m long, its ends are {} m apart by way of the trays",
            pl.col("length_mm") / 1000,
            pl.col("way_mm") / 1000,
        ),
        hint,
    )


def every_link_lies_in_a_cable(view: View) -> Iterator[Broken]:
    """Every link has its cable, every cable carries the links that it says, and lies in one slice and one fabric.

    Source: the cable schedule is what people pull by; a row too few is found when the hall is full.
    What to do: report this, it is a fault of the design and not of the site file.
    """
    links, cables = view.links, view.plan.cables
    hint = "cables and links of a plan must tell the same story"
    bare = links.filter(pl.col("cable_fabric").is_null())
    yield broken("links without a cable", bare, "link", pl.format("its cable {} is not in the plan", "cable"), hint)
    held = cables.select("cable", "links").join(links.group_by("cable").agg(n=pl.len()), on="cable", how="left")
    held = held.with_columns(pl.col("n").fill_null(0)).filter(pl.col("n") != pl.col("links"))
    told = pl.format("should carry {} links, {} lie in it", "links", "n")
    yield broken("cables with another number of links than they say", held, "cable", told, hint)
    both = links.filter(pl.col("fabric") != pl.col("cable_fabric"))
    told = pl.format("is of fabric {}, a link of {} lies in it", "cable_fabric", "fabric")
    yield broken("cables with links of another fabric", both.unique(["cable", "fabric"]), "cable", told, hint)
