"""Rules of the floor: racks on positions, devices in rack units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, cases, not_evaluated, one
from lindos.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View


def devices_of_a_rack_do_not_overlap(view: View) -> Iterator[Broken]:
    """No two devices of a rack take the same rack unit.

    Source: EIA-310 rack units.
    What to do: fewer devices in this rack, or products of other heights.
    """
    spans = view.plan.devices.select(
        "device", "rack", low=pl.col("u").cast(pl.Int64), high=pl.col("u").cast(pl.Int64) + pl.col("height_u") - 1
    )
    spans = spans.sort("rack", "low", "high", "device").with_columns(
        below=pl.col("high").cum_max().shift().over("rack"), other=pl.col("device").shift().over("rack")
    )
    clash = spans.filter(pl.col("low") <= pl.col("below"))
    yield broken(
        "devices that overlap with another in their rack",
        clash,
        "device",
        pl.format("takes U{} to U{} of {}, but {} ends at U{}", "low", "high", "rack", "other", "below"),
        "each rack unit holds one device",
    )


def every_device_fits_into_its_rack(view: View) -> Iterator[Broken]:
    """Every device stands in a rack of the plan, between its lowest and highest rack unit, where the rack stands.

    Source: EIA-310 rack units.
    What to do: a higher rack (halls: rack_height_u), or fewer devices in it.
    """
    racks = view.plan.racks.select("rack", "x_mm", "y_mm", rack_u="height_u")
    frame = view.plan.devices.join(racks, on="rack", how="left", suffix="_rack").with_columns(
        top=pl.col("u").cast(pl.Int64) + pl.col("height_u") - 1
    )
    homeless = frame.filter(pl.col("rack_u").is_null())
    hint = "every device stands in a rack of the plan and within its height"
    yield broken("devices without a rack", homeless, "device", pl.format("no rack '{}' in the plan", "rack"), hint)
    tall = frame.filter((pl.col("top") > pl.col("rack_u")) | (pl.col("u") < 1))
    yield broken(
        "devices that do not fit into their rack",
        tall,
        "device",
        pl.format("takes U{} to U{} of a rack of {}", "u", "top", "rack_u"),
        hint,
    )
    away = frame.filter((pl.col("x_mm") != pl.col("x_mm_rack")) | (pl.col("y_mm") != pl.col("y_mm_rack")))
    yield broken(
        "devices that are not where their rack is",
        away,
        "device",
        pl.format("lies at {}, {} mm and its rack {} at {}, {} mm", "x_mm", "y_mm", "rack", "x_mm_rack", "y_mm_rack"),
        hint,
    )


def a_position_holds_one_rack(view: View) -> Iterator[Broken]:
    """No two racks stand on one position of a row.

    Source: geometry; a placement that names a taken spot must not pass.
    What to do: move one of them with `placement:`.
    """
    spot = ["hall", "row", "position"]
    held = (
        view.plan.racks.group_by(spot).agg(n=pl.len(), who=pl.col("rack").sort().str.join(", ")).filter(pl.col("n") > 1)
    )
    held = held.with_columns(subject=pl.format("{} position {}", "row", "position"))
    yield broken(
        "positions with several racks",
        held,
        "subject",
        pl.format("{} racks stand here: {}", "n", "who"),
        "move all but one of them (placement)",
    )


def every_rack_stands_in_the_grid_of_its_hall(view: View) -> Iterator[Broken]:
    """Every rack stands in a row that its hall has, on a position that the row has.

    Source: geometry.
    What to do: give the hall more rows or longer ones, or move the rack with `placement:`.
    """
    rows = view.plan.rows.select("row", row_hall="hall")
    widths = view.plan.halls.select("hall", "racks_per_row")
    frame = view.plan.racks.join(rows, on="row", how="left").join(widths, on="hall", how="left")
    astray = frame.filter(
        pl.col("row_hall").ne_missing(pl.col("hall"))
        | pl.col("racks_per_row").is_null()
        | (pl.col("position") < 1)
        | (pl.col("position") > pl.col("racks_per_row"))
    )
    yield broken(
        "racks outside the grid of their hall",
        astray,
        "rack",
        pl.format(
            "stands in row {} on position {}, hall {} has {} positions a row",
            "row",
            "position",
            "hall",
            pl.col("racks_per_row").cast(pl.String).fill_null("no"),
        ),
        "halls: more rows or racks_per_row",
    )


def _standing(view: View, limit: str) -> pl.DataFrame:
    """Racks on a floor with a limit of its own, and what the hall states of it."""
    halls = view.plan.halls.select("hall", limit, "rack_pitch_mm", "row_pitch_mm")
    return view.plan.racks.join(halls, on="hall", how="left").filter(pl.col(limit).is_not_null())


def a_rack_is_no_heavier_than_the_floor_carries(view: View) -> Iterator[Broken]:
    """A rack weighs no more than a position of its hall carries; where the hall states no limit, none is held.

    It is weighed with what it is delivered with, or its frame and its devices, with its rear door and the coolant in
    its manifold. Network racks are weighed where their frame is known only: what is in them counts for most of it.
    Source: weight_kg of the rack in the catalogue; rack_kg of the hall in the site file.
    What to do: a stronger floor, or spread the racks.
    """
    frame = _standing(view, "rack_kg")
    unknown = frame.filter(pl.col("product").is_not_null(), pl.col("filled_kg").is_null()).group_by("product").len()
    yield not_evaluated(
        "racks of unknown weight",
        cases(
            unknown, "product", pl.format("its weight is not known, {} of them stand on a floor with a limit", "len")
        ),
        "give it in the site file: assumptions: - {product: RACK, facts: {weight_kg: ...}, reason: ...}",
    )
    yield broken(
        "racks that are too heavy for the floor",
        frame.filter(pl.col("filled_kg") > pl.col("rack_kg")),
        "rack",
        pl.format("weighs {} kg, a position of hall {} carries {} kg", "filled_kg", "hall", "rack_kg"),
        "halls: more rack_kg, or lighter racks here",
    )


def the_floor_carries_its_rows(view: View) -> Iterator[Broken]:
    """A rack, spread over its width and its share of the aisles, loads a square metre no more than the hall states.

    Source: floor_kg_m2 of the hall, as structural engineers state a uniform load; pitches of racks and rows.
    What to do: a stronger floor, wider aisles (row_pitch_m), or lighter racks.
    """
    frame = _standing(view, "floor_kg_m2")
    unknown = frame.filter(pl.col("filled_kg").is_null()).group_by("hall").len()
    yield not_evaluated(
        "floors under racks of unknown weight",
        cases(unknown, "hall", pl.format("the weight of {} of its racks is not known", "len")),
        "give weight_kg of the racks, or frame_kg and that of all devices in them, under assumptions:",
    )
    area = pl.col("rack_pitch_mm") * pl.col("row_pitch_mm") / 1e6
    loaded = frame.with_columns(load=(pl.col("filled_kg") / area).round().cast(pl.Int64))
    yield broken(
        "racks that load the floor too much",
        loaded.filter(pl.col("load") > pl.col("floor_kg_m2")),
        "rack",
        pl.format("loads {} kg/m2, the floor of hall {} carries {}", "load", "hall", "floor_kg_m2"),
        "halls: wider row_pitch_m, or lighter racks here",
    )


def _declaring(view: View) -> tuple[str, int] | None:
    """The fleet that declares what the site grows to in the end, and those GPUs; None where nothing is declared."""
    if view.spec is None:
        return None
    fleets = view.spec.compute.fleets
    said = [(fleets[0].name, view.spec.grows_to or 0), *((f.name, f.grows_to or 0) for f in fleets)]
    last = [(name, gpus) for name, gpus in said if gpus]
    return last[-1] if last else None


def a_site_keeps_within_what_it_declares(view: View) -> Iterator[Broken]:
    """The GPUs of all fleets are no more than `grows_to`, and the halls can hold what it declares.

    Fabrics, shared racks and out-of-band network are sized for `grows_to`; a site that has more is sized by what it
    has, and each addition may then move cables. Room is counted in whole units like those of the fleet that declares
    it. Positions are compared by number alone: racks of one unit stand side by side, so the floor can hold less.
    Source: arithmetic; halls can be added later, so a floor that is too small is no mistake yet.
    What to do: give the fleet that outgrows the site a `grows_to` of its own, and look at `lindos diff OLD NEW`; add
    halls before the fleets that need them.
    """
    said = _declaring(view)
    if view.spec is None or said is None:
        return
    fleet, gpus = said
    site, have = view.plan.site, view.spec.gpus
    if have > gpus:
        yield Broken(
            Severity.WARNING,
            "sites that outgrew what they declare",
            one(site, f"has {have:,} GPUs, {gpus:,} are declared: what is added next may move cables that are plugged"),
            "give the fleet that outgrows it a grows_to of its own; lindos diff OLD NEW shows what moves",
        )
        return
    units = view.plan.units.filter(pl.col("fleet") == fleet)
    like = units.filter(pl.col("whole")).head(1)
    if like.is_empty():
        return
    each = int(like["gpus"].item())
    left = gpus - int(view.plan.units.select(pl.col("whole").cast(pl.Int64) * pl.col("gpus")).sum().item())
    partial = view.plan.units.filter(~pl.col("whole"))
    more = max(0, -(-left // each) - len(partial))
    racks = more * len(view.plan.racks.filter(pl.col("unit") == like["unit"].item()))
    positions = int(view.plan.halls.select(pl.col("rows").cast(pl.Int64) * pl.col("racks_per_row")).sum().item())
    free = positions - len(view.plan.racks)
    if racks > free:
        yield Broken(
            Severity.INFO,
            "floors too small for what is declared",
            one(
                site,
                f"{gpus:,} GPUs are declared: {more:,} units more of fleet {fleet} take {racks:,} racks, "
                f"the halls have {free:,} free positions",
            ),
            "add halls before the fleets that need them, or declare less",
        )
