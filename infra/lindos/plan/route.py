"""Where racks stand -> the way of a cable between each two: along a row, across the hall, along a row.

A tray runs over every row, and some across the rows of a hall. A cable rises to the tray of its row, runs to the tray
across that makes its way shortest, over to the row of its far end, along that and down. Where several trays across
are equally good, pairs of racks take turns by their positions, which does not change when racks are added. Between
halls of a building the tray of a row runs on through the wall on its own line; between buildings a duct runs on from
a tray across, and on the line of the row at the far end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.plan.place import Floor

ENDS = ("a", "b")
FAR = 2**62


def _halls(floor: Floor) -> pl.DataFrame:
    """Halls with hall_number, building, nth (from 0 in the building), y0_mm, and the x that is theirs: to the next."""
    return floor.halls.with_row_index("hall_number").select(
        pl.col("hall_number").cast(pl.Int64),
        "hall",
        "rows",
        "row_pitch_mm",
        building=pl.col("building").fill_null(""),
        nth=pl.int_range(pl.len()).over("building"),
        y0_mm="y_mm",
        start_mm="x_mm",
        end_mm=pl.col("x_mm").shift(-1).over("building").fill_null(FAR),
    )


def _spots(pairs: pl.DataFrame, floor: Floor) -> pl.DataFrame:
    """Pairs of racks -> with hall (number and place in its building), building, row, position, x and y of both."""
    halls = _halls(floor).select("hall", "hall_number", "building", "nth")
    spot = floor.racks.select("rack", "hall", "row", "position", "x_mm", "y_mm").join(halls, on="hall").drop("hall")
    for end in ENDS:
        mine = spot.rename({c: f"{end}_{c}" for c in spot.columns})
        pairs = pairs.join(mine, on=f"{end}_rack", how="left", maintain_order="left")
    return pairs


def _turns(frame: pl.DataFrame, across: pl.DataFrame) -> pl.DataFrame:
    """Pairs of racks in different rows -> the tray across that each takes: pair, turn, turn_hall, turn_mm."""
    one = pl.col("a_building") == pl.col("b_building")
    need = frame.select("pair", "a_hall_number", "b_hall_number", "a_x_mm", "b_x_mm", "a_y_mm", "b_y_mm",
                        one=one, turns=pl.col("a_position") + pl.col("b_position"))  # fmt: skip
    near = need.join(across, left_on="a_hall_number", right_on="turn_hall", coalesce=False)
    other = need.filter("one", pl.col("a_hall_number") != pl.col("b_hall_number"))
    far = other.join(across, left_on="b_hall_number", right_on="turn_hall", coalesce=False)
    low, high = pl.min_horizontal("a_y_mm", "b_y_mm"), pl.max_horizontal("a_y_mm", "b_y_mm")
    reached = ~pl.col("one") | ((low >= pl.col("from_mm")) & (high <= pl.col("to_mm")))
    way = (pl.col("a_x_mm") - pl.col("turn_mm")).abs() + (pl.col("b_x_mm") - pl.col("turn_mm")).abs()
    both = pl.concat([near, far]).filter(reached).with_columns(way=way)
    best = both.filter(pl.col("way") == pl.col("way").min().over("pair")).sort("pair", "turn_mm", "turn")
    best = best.with_columns(nth=pl.int_range(pl.len()).over("pair"), n=pl.len().over("pair"))
    return best.filter(pl.col("nth") == pl.col("turns") % pl.col("n")).select("pair", "turn", "turn_hall", "turn_mm")


def lay_routes(pairs: pl.DataFrame, floor: Floor) -> pl.DataFrame:
    """Pairs of racks (a_rack, b_rack) -> with pair (a number), `path` through the trays, null inside a rack, along_mm
    and across_mm, the coordinates of both, and the tray across (turn, turn_hall, turn_mm), null where none is needed.
    """
    frame = _spots(pairs.with_row_index("pair"), floor)
    moved = frame.filter(pl.col("a_rack") != pl.col("b_rack"), pl.col("a_y_mm") != pl.col("b_y_mm"))
    frame = frame.join(_turns(moved, floor.across), on="pair", how="left", maintain_order="left")
    straight = (pl.col("a_x_mm") - pl.col("b_x_mm")).abs()
    bent = (pl.col("a_x_mm") - pl.col("turn_mm")).abs() + (pl.col("b_x_mm") - pl.col("turn_mm")).abs()
    one_row = pl.col("a_row") == pl.col("b_row")
    return frame.with_columns(
        along_mm=pl.coalesce(bent, straight),
        across_mm=(pl.col("a_y_mm") - pl.col("b_y_mm")).abs(),
        path=pl.when(pl.col("a_rack") != pl.col("b_rack")).then(
            pl.coalesce(
                pl.format("{} > {} > {}", "a_row", "turn", "b_row"),
                pl.when(one_row).then(pl.col("a_row")).otherwise(pl.format("{} > {}", "a_row", "b_row")),
            )
        ),
    )


def _row_runs(routes: pl.DataFrame, floor: Floor) -> pl.DataFrame:
    """Routes -> what runs along rows, hall by hall: tray, from_mm, to_mm, and what the cables weigh.

    What leaves a building is counted to the tray by which it leaves.
    """
    halls = _halls(floor)
    whole, one = pl.col("turn").is_null(), pl.col("a_building") == pl.col("b_building")
    turn = halls.select(turn_hall="hall_number", turn_nth="nth")
    routes = routes.join(turn, on="turn_hall", how="left", maintain_order="left")
    runs = []
    for end, other in (("a", "b"), ("b", "a")):
        mine = routes if end == "a" else routes.filter(~whole)
        last = pl.when(~one).then(f"{end}_nth").when(whole).then(f"{other}_nth").otherwise("turn_nth")
        runs.append(
            mine.select(
                "cables",
                "area_um2",
                one=one,
                building=f"{end}_building",
                y=f"{end}_y_mm",
                n0=pl.min_horizontal(f"{end}_nth", last),
                n1=pl.max_horizontal(f"{end}_nth", last) + 1,
                x0=f"{end}_x_mm",
                x1=pl.when(whole).then(f"{other}_x_mm").otherwise("turn_mm"),
            )
        )
    frame = pl.concat(runs).with_columns(nth=pl.int_ranges("n0", "n1")).explode("nth")
    frame = frame.join(halls, on=["building", "nth"], maintain_order="left")
    row = (pl.col("y") - pl.col("y0_mm") + pl.col("row_pitch_mm") // 2) // pl.col("row_pitch_mm")
    low, high = pl.min_horizontal("x0", "x1"), pl.max_horizontal("x0", "x1")
    split = pl.col("one") & (pl.col("n1") - pl.col("n0") > 1)
    return frame.select(
        "cables",
        "area_um2",
        "hall",
        kind=pl.lit("row"),
        tray=pl.format("{}-r{}", "hall", (row.clip(0, pl.col("rows") - 1) + 1).cast(pl.String).str.zfill(2)),
        from_mm=pl.when(split).then(pl.max_horizontal(low, "start_mm")).otherwise(low),
        to_mm=pl.when(split).then(pl.min_horizontal(high, "end_mm")).otherwise(high),
    )


def _across_runs(routes: pl.DataFrame, floor: Floor) -> pl.DataFrame:
    names = floor.halls.with_row_index("turn_hall").select(pl.col("turn_hall").cast(pl.Int64), "hall")
    bent = routes.filter(pl.col("turn").is_not_null()).join(names, on="turn_hall", maintain_order="left")
    return bent.select(
        "cables",
        "area_um2",
        "hall",
        kind=pl.lit("across"),
        tray="turn",
        from_mm=pl.min_horizontal("a_y_mm", "b_y_mm"),
        to_mm=pl.max_horizontal("a_y_mm", "b_y_mm"),
    )


def fill_trays(routes: pl.DataFrame, floor: Floor) -> pl.DataFrame:
    """Routes with `cables` and `area_um2` (the cross-section of all their cables) -> every stretch of tray between
    two changes of load: tray, hall, kind, from_mm, to_mm, cables, area_mm2.

    A stretch ends where a cable enters or leaves: along x over a row, along y across.
    """
    laid = routes.filter(pl.col("path").is_not_null())
    runs = pl.concat([_row_runs(laid, floor), _across_runs(laid, floor)]).filter(pl.col("from_mm") < pl.col("to_mm"))
    starts = runs.select("tray", "hall", "kind", at="from_mm", cables=pl.col("cables"), area=pl.col("area_um2"))
    ends = runs.select("tray", "hall", "kind", at="to_mm", cables=-pl.col("cables"), area=-pl.col("area_um2"))
    events = pl.concat([starts, ends]).group_by("tray", "hall", "kind", "at").agg(pl.col("cables", "area").sum())
    carried = events.sort("tray", "at").with_columns(
        pl.col("cables", "area").cum_sum().over("tray"), to_mm=pl.col("at").shift(-1).over("tray")
    )
    return carried.filter(pl.col("cables") > 0).select(
        "tray", "hall", "kind", "to_mm", "cables", from_mm="at", area_mm2=pl.col("area") // 1_000_000
    )
