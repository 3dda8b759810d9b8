"""Rules of what is pulled and bought: labels, bundles, trays, modules and the bill of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue import Switch
from lindos.catalogue.products import Copper, Cordage, Optic
from lindos.check.rule import Broken, broken, cases, not_evaluated
from lindos.finding import Severity
from lindos.plan.cable import BUNDLE
from lindos.plan.label import LONGEST, PRINTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

WORST = 10
"""Trays that are told one by one, from the fullest."""


def labels_are_unique_and_printable(view: View) -> Iterator[Broken]:
    """Every end of a cable has a label of its own, in letters that every label printer has, short enough for a flag.

    Source: ANSI/TIA-606-D asks for a unique identifier at both ends; a flag of 50 mm holds two lines of 30 characters.
    What to do: shorter names of halls; two ports with one label stand in one rack unit.
    """
    hint = "labels follow from hall, row, position, rack unit and port: no two ports may share all of these"
    ends = pl.concat(
        view.plan.links.select("link", "cable", label=f"{e}_label", end=pl.lit(e)) for e in ("a", "b")
    ).unique(["cable", "label"], maintain_order=True)  # the head of a splitter has one label for all its links
    twice = ends.filter(pl.col("label").is_duplicated()).group_by("label").agg(
        n=pl.len(), first=pl.col("link").min()
    )  # fmt: skip
    told = pl.format("stands at {} ends of cables, the first of link {}", "n", "first")
    yield broken("labels at several ends", twice, "label", told, hint)
    lines = ends.with_columns(line=pl.col("label").str.split(" / "))
    longest = lines.with_columns(n=pl.col("line").list.eval(pl.element().str.len_chars()).list.max())
    yield broken(
        "labels that do not fit a flag",
        longest.filter(pl.col("n") > LONGEST),
        "label",
        pl.format(f"has a line of {{}} characters, a flag holds {LONGEST}", "n"),
        "give halls shorter names",
    )
    odd = ends.filter(~pl.col("label").str.contains(f"^{PRINTABLE.pattern}$"))
    told = pl.format("of link {} is not two ends of plain letters", "link")
    yield broken("labels that cannot be printed", odd, "label", told, hint)


def a_bundle_joins_one_rack_with_one_other(view: View) -> Iterator[Broken]:
    """All cables of a bundle run from its one rack to its other, are of one medium, and no more than can be dressed.

    Source: the custom of the trade; TIA-568 tests bundles of 24 cables.
    What to do: report this, it is a fault of the design and not of the site file.
    """
    hint = "bundles and cables of a plan must tell the same story"
    plan = view.plan
    held = plan.cables.group_by("bundle").agg(n=pl.len())
    counted = plan.bundles.join(held, on="bundle", how="full", coalesce=True).with_columns(pl.col("n").fill_null(0))
    wrong = counted.filter(pl.col("cables").ne_missing(pl.col("n")))
    told = pl.format("should hold {} cables, {} lie in it", pl.col("cables").fill_null(0), "n")
    yield broken("bundles with another number of cables than they say", wrong, "bundle", told, hint)
    thick = counted.filter(pl.col("n") > BUNDLE)
    yield broken(
        "bundles that are too thick", thick, "bundle", pl.format(f"holds {{}} cables, {BUNDLE} are the most", "n"), hint
    )
    racks = plan.devices.select("device", "rack")
    frame = plan.links.select("cable", "a_device", "b_device")
    for end in ("a", "b"):
        mine = racks.rename({"device": f"{end}_device", "rack": f"{end}_at"})
        frame = frame.join(mine, on=f"{end}_device", how="left", maintain_order="left")
    frame = frame.join(plan.cables.select("cable", "bundle", "medium"), on="cable")
    bundles = plan.bundles.select("bundle", "a_rack", "b_rack", bundle_medium="medium")
    frame = frame.join(bundles, on="bundle", how="inner")
    away = frame.filter((pl.col("a_at") != pl.col("a_rack")) | (pl.col("b_at") != pl.col("b_rack")))
    told = pl.format("runs from {} to {}, its bundle {} from {} to {}", "a_at", "b_at", "bundle", "a_rack", "b_rack")
    yield broken("cables in a bundle of other racks", away.unique("cable"), "cable", told, hint)
    mixed = frame.filter(pl.col("medium") != pl.col("bundle_medium")).unique("cable")
    told = pl.format("is of {} in bundle {} of {}", "medium", "bundle", "bundle_medium")
    yield broken("cables in a bundle of another medium", mixed, "cable", told, hint)


def trays_hold_their_cables(view: View) -> Iterator[Broken]:
    """No stretch of tray is filled beyond its limit, and the trays carry exactly what the bundles lay into them.

    Round cables fill a tray when they take half of its cross-section; room is left to pull the next ones.
    Source: NEC 392.22(A)(2), 50 % for signal cables in trays; 40 % when new is the custom of the trade.
    What to do: wider or deeper trays, more levels, more of them across (halls: trays), or racks closer together.
    """
    halls = view.plan.halls.select("hall", "tray_mm2", "tray_fill_pct")
    stretches = view.plan.trays.join(halls, on="hall").with_columns(
        used=pl.col("area_mm2") * 100 / pl.col("tray_mm2"),
        limit_mm2=pl.col("tray_mm2") * pl.col("tray_fill_pct") // 100,
    )
    full = stretches.filter(pl.col("area_mm2") > pl.col("limit_mm2")).sort("used", "tray", descending=[True, False])
    worst = full.unique("tray", keep="first", maintain_order=True)
    told = pl.format(
        "{} cables take {} % of it between {} and {} m, {} % are allowed; the worst {} of {} trays that are too full",
        "cables",
        pl.col("used").round(1),
        pl.col("from_mm") / 1000,
        pl.col("to_mm") / 1000,
        "tray_fill_pct",
        pl.lit(min(WORST, len(worst))),
        pl.lit(len(worst)),
    )
    hint = "halls: trays: {width_m, depth_m, levels, across}: wider, deeper, more levels, or more of them across"
    yield broken("trays that are too full", worst.head(WORST), "tray", told, hint)
    laid = view.plan.bundles.filter(pl.col("path").is_not_null())
    way = laid.select((pl.col("cables").cast(pl.Int64) * (pl.col("along_mm") + pl.col("across_mm"))).sum()).item()
    length = pl.col("to_mm") - pl.col("from_mm")
    carried = view.plan.trays.select((pl.col("cables").cast(pl.Int64) * length).sum()).item()
    odd = pl.DataFrame({"subject": [view.plan.site], "way": [way / 1e6], "carried": [carried / 1e6]})
    yield broken(
        "trays that carry something else",
        odd.filter(pl.lit(way != carried)),
        "subject",
        pl.format("bundles lay {} km into trays, which carry {} km", "way", "carried"),
        "bundles and trays of a plan must tell the same story",
    )
    yield _thickness_unknown(view)


def _thickness_unknown(view: View) -> Broken:
    """Products in trays whose diameter nobody gave."""
    trayed = view.plan.bundles.filter(pl.col("path").is_not_null()).select("bundle")
    used = view.plan.cables.join(trayed, on="bundle", how="semi").group_by("product").len().sort("product")
    rows = []
    for name, n in used.rows():
        kind = view.catalogue.kind(name)
        if kind == "copper":
            thick = view.catalogue.get(Copper, name).diameter_mm
        else:
            thick = view.catalogue.get(Cordage, name).diameter_mm if kind == "cordage" else None
        if thick is None:
            rows.append((name, n))
    frame = pl.DataFrame(rows, schema=["product", "n"], orient="row", infer_schema_length=None)
    told = pl.format("its diameter is not known; {} cables of it lie in trays", "n")
    return not_evaluated(
        "cables of unknown diameter in trays",
        cases(frame.cast({"product": pl.String}), "product", told),
        "give it: assumptions: - {product: NAME, facts: {diameter_mm: ...}, reason: ...}",
    )


def _modules(view: View) -> pl.DataFrame:
    """Every module in a cage of a switch, with its watts and those that its cage allows: device, product, part,
    module_w, cage_w.
    """
    plugged = view.ends.filter(pl.col("part").is_not_null() & pl.col("cage").is_not_null()).unique(["device", "cage"])
    boxes = view.devices.filter(pl.col("kind") == "switch").select("device", box="product")
    frame = plugged.select("device", "part").join(boxes, on="device")
    known = set(view.catalogue.names("optic"))
    watts = {p: view.catalogue.get(Optic, p).power_w if p in known else None for p in frame["part"].unique()}
    cages = {
        b: view.catalogue.get(Switch, b).cages for b in frame["box"].unique() if view.catalogue.kind(b) == "switch"
    }
    allowed = {b: c.module_w_max if c else None for b, c in cages.items()}
    return frame.with_columns(
        module_w=pl.col("part").replace_strict(watts, default=None, return_dtype=pl.Float64),
        cage_w=pl.col("box").replace_strict(allowed, default=None, return_dtype=pl.Float64),
    )


def modules_are_within_the_power_of_their_switch(view: View) -> Iterator[Broken]:
    """No module draws more than its cage allows, and the draw of a switch includes its modules.

    A typical figure of a switch is measured with passive cables; at 64 cages of 17 W the modules draw more than the
    switch. Racks and feeds sum up what the devices draw.
    Source: module_w_max of the switches and power_w of the optics of the catalogue (NVIDIA SN5000 hardware manual).
    What to do: optics of less power, fewer cages in use, or a switch whose cages take them; where the maximum of a
    switch leaves out its modules, give power_w_max with them.
    """
    modules = _modules(view)
    hot = modules.filter(pl.col("module_w") > pl.col("cage_w")).group_by("box", "part", "module_w", "cage_w").len()
    hot = hot.with_columns(subject=pl.format("{} in {}", "part", "box"))
    told = pl.format("draws {} W, a cage allows {} W; {} of them", "module_w", "cage_w", "len")
    hint = "take an optic of less power, or a switch whose cages allow more"
    yield broken("modules that draw more than their cage allows", hot, "subject", told, hint)
    drawn = modules.group_by("device").agg(modules_w=pl.col("module_w").sum()).cast({"device": pl.String})
    boxes = view.plan.devices.filter(pl.col("kind") == "switch").select("device", "product").join(drawn, on="device")
    typical = {
        b: view.catalogue.get(Switch, b).power_w_typical for b in boxes["product"].unique()
        if view.catalogue.kind(b) == "switch"
    }  # fmt: skip
    boxes = boxes.join(view.plan.loads.select("device", "typical_w", "nameplate_w"), on="device").with_columns(
        own_w=pl.col("product").replace_strict(typical, default=None, return_dtype=pl.Float64)
    )
    unknown = boxes.filter(pl.col("own_w").is_null()).group_by("product").len()
    told = pl.format("its typical draw is not known; it stands {} times", "len")
    give = "give it: assumptions: - {product: NAME, kind: switch, facts: {power_w_typical: ...}, reason: ...}"
    yield not_evaluated("switches of unknown draw", cases(unknown, "product", told), give)
    dark = modules.filter(pl.col("module_w").is_null()).group_by("part").len()
    told = pl.format("its draw is not known; {} of them are plugged into switches", "len")
    give = "give it: assumptions: - {product: PART, kind: optic, facts: {power_w: ...}, reason: ...}"
    yield not_evaluated("modules of unknown draw", cases(dark, "part", told), give)
    boxes = boxes.filter(pl.col("own_w").is_not_null())
    need = pl.col("own_w") + pl.col("modules_w")
    low = boxes.filter(pl.col("typical_w") < pl.min_horizontal(need, "nameplate_w").floor())
    told = pl.format("is planned with {} W, it draws {} W and its modules {} W", "typical_w", "own_w", "modules_w")
    yield broken("switches whose draw leaves out their modules", low, "device", told, "report this, it is a fault")
    past = boxes.filter(need > pl.col("nameplate_w"))
    told = pl.format(
        "draws {} W and its modules {} W, more than its maximum of {} W", "own_w", "modules_w", "nameplate_w"
    )
    yield Broken(Severity.WARNING, "switches whose maximum leaves out their modules", cases(past, "device", told), hint)


def the_bill_counts_what_the_plan_holds(view: View) -> Iterator[Broken]:
    """The bill of materials has as many of each part as the other tables of the plan, and as many spares as it says.

    Source: what is not ordered is missed when the hall is full of people who wait for it.
    What to do: report this, it is a fault of the design and not of the site file.
    """
    plan, kind = view.plan, pl.col("kind").cast(pl.String)
    modules = view.ends.filter(pl.col("part").is_not_null()).unique("socket")
    held = [
        plan.devices.select(kind=kind, part="product"),
        plan.cables.select(kind=pl.lit("cable"), part="part"),
        modules.select(kind=pl.lit("optic"), part="part"),
    ]
    counted = pl.concat(held).group_by("kind", "part").agg(n=pl.len())
    rows = plan.bom.with_columns(kind=kind).filter(pl.col("kind").is_in(counted["kind"].unique().implode()))
    both = counted.join(rows, on=["kind", "part"], how="full", coalesce=True)
    wrong = both.filter(pl.col("n").ne_missing(pl.col("quantity").cast(pl.UInt32)))
    hint = "bill and tables of a plan must tell the same story"
    told = pl.format("{} on the bill, {} in the plan", pl.col("quantity").fill_null(0), pl.col("n").fill_null(0))
    yield broken("parts with another number on the bill", wrong, "part", told, hint)
    short = plan.bom.filter(pl.col("ordered") != pl.col("quantity") + pl.col("spares"))
    told = pl.format("{} ordered for {} and {} spares", "ordered", "quantity", "spares")
    yield broken("parts of which another number is ordered", short, "part", told, hint)
