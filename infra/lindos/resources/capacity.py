"""Plan -> what carries a limited load: power feeds of halls, lineups, substations, machines that take heat. A row each.

A lineup is a board of low voltage with the transformers above it and the UPS below. It is the part of a hall that one
loses at once, that a rack moves between, and that is bought, energised and shut down as one; its transformers alone
tell nothing more. Busways, tap boxes and rack PDUs are many: they are stages of their hall's feed. So are CDUs and
rear doors, a resource for those of a hall: each has its own capacity, and the one with the least room speaks for all.
A site's own stack has so few hundred resources, and a preview stays quick.

Every limit is told by stage of the train: what the parts of a stage may carry together, and of the one that is worst
off its reserve and its loading, with the nameplate that it carries when the worst other part is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.plan.feed import banks
from lindos.plan.flow import feeders
from lindos.plan.slices import ROW, digest_of, row_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lindos.check.view import View
    from lindos.plan import Plan

Row = dict[str, Any]

FEED = ("ring", "transformer", "board", "ups", "transfer_switch", "busway", "tap", "rack_pdu")
"""Stages of a feed within a hall, from the ring down."""
LINEUP = ("transformer", "board", "ups")
UPSTREAM = ("substation", "switchgear")
MACHINES = ("cdu", "rear_door", "air_handler", "pump", "chiller", "tower", "dry_cooler")
TENTH_KW = 100
"""Watts: reserves are told in tenths of a kilowatt, rounded down, so that none that is short looks even."""


def boards(plan: Plan) -> pl.DataFrame:
    """Plan -> its boards with the `lineup` of each, named as the board: power_node, lineup, hall, feed.

    The boards of a plant on one feed are one: its machines are shared out over all of them, so each carries the same.
    """
    nodes = plan.power_nodes.filter(pl.col("kind") == "board")
    of_plant = pl.col("power_node").str.replace(r"-?\d+$", "")
    return nodes.select(
        "power_node", "hall", "feed", lineup=pl.when(pl.col("hall").is_null()).then(of_plant).otherwise("power_node")
    )


def boards_by_feed(plan: Plan) -> pl.DataFrame:
    """Plan -> the same, all boards of a hall and feed in one `lineup`, for a site of too many to tell one by one."""
    of = pl.coalesce("hall", pl.lit("plants"))
    side = pl.when(pl.col("feed").is_null()).then(pl.lit("")).otherwise(pl.format("-{}", "feed"))
    return boards(plan).with_columns(lineup=pl.format("{}-lineups{}", of, side))


def shares(plan: Plan, lineup_of: pl.DataFrame) -> pl.DataFrame:
    """Plan and its boards by lineup -> a row a device, feed and lineup: its cords there, and the watts that come by
    them when all is well. All integers.

    The watts of what hangs on one busbar come by the cords of its power shelves.
    """
    own = plan.power_edges.filter(~pl.col("standby"))
    over = feeders(plan.power_nodes, own, "rack_pdu", ["board"]).unique()
    over = over.join(lineup_of.select(over="power_node", lineup="lineup"), on="over").select("lineup", pdu="rack_pdu")
    cords = plan.power_connections.join(over, on="pdu", how="left")
    cords = cords.group_by("device", "feed", "lineup").agg(cords=pl.len().cast(pl.Int64))
    cords = cords.join(banks(plan.loads), on="device").with_columns(all_cords=pl.col("cords").sum().over("bank"))
    shared = [
        (pl.col(f"bank_{w}") * pl.col("cords") // pl.col("all_cords")).alias(w) for w in ("nameplate_w", "typical_w")
    ]
    return cords.select("device", "feed", "lineup", "cords", *shared)


def feeds(view: View, shared: pl.DataFrame) -> tuple[Row, ...]:
    """View and shares -> a row a hall and power feed."""
    plan = view.plan
    home = plan.devices.select("device", "rack").join(plan.racks.select("rack", "hall"), on="rack")
    name = pl.format("{}-feed-{}", "hall", "feed")
    hung = shared.join(home, on="device").group_by("hall", "feed")
    frame = hung.agg(
        racks=pl.col("rack").n_unique(), cords=pl.col("cords").sum(), nameplate=_kw("nameplate_w"),
        typical=_kw("typical_w"), lineups=pl.col("lineup").drop_nulls().unique().sort(),
    ).with_columns(name=name)  # fmt: skip
    limits = _limits(_parts(view).filter(pl.col("kind").is_in(FEED)).with_columns(name=name), FEED)
    digests = _digests(_cords(plan).join(home, on="device").with_columns(name=name))
    return tuple(
        {
            "feed": row["name"],
            "hall": row["hall"],
            "side": row["feed"],
            "fed_by": row["lineups"],
            "racks": row["racks"],
            "cords": row["cords"],
            "load_kw": {"nameplate": row["nameplate"], "typical": row["typical"]},
            **limits[row["name"]],
            "digest": digests[row["name"]],
        }
        for row in frame.sort("name").rows(named=True)
    )


def lineups(view: View, shared: pl.DataFrame, lineup_of: pl.DataFrame) -> tuple[Row, ...]:
    """View, shares and boards by lineup -> a row a lineup, in order of name."""
    plan = view.plan
    edges = plan.power_edges.select("parent", "child")
    on = lineup_of.select("power_node", name="lineup")
    kind = plan.power_nodes.select("power_node", kind=pl.col("kind").cast(pl.String))
    above = edges.join(on, left_on="child", right_on="power_node").select("name", power_node="parent")
    below = edges.join(on, left_on="parent", right_on="power_node").select("name", power_node="child")
    around = pl.concat([above, below]).join(kind.filter(pl.col("kind").is_in(LINEUP)), on="power_node")
    names = pl.concat([on.select("name", "power_node"), around.select("name", "power_node")])
    limits = _limits(_parts(view).join(names, on="power_node"), LINEUP)
    served = feeders(plan.power_nodes, plan.power_edges, "board", UPSTREAM).unique()
    served = served.join(on, left_on="board", right_on="power_node")
    racks = shared.join(plan.devices.select("device", "rack"), on="device")
    centres = feeders(plan.power_nodes, plan.power_edges, "motor_control", ["board"])
    centres = centres.join(on, left_on="over", right_on="power_node").select("name", power_node="motor_control")
    frame = lineup_of.join(plan.power_loads, on="power_node").group_by(name="lineup").agg(
        pl.col("hall", "feed").first(), nameplate=_kw("nameplate_w"), typical=_kw("typical_w")
    )  # fmt: skip
    for more in (
        served.group_by("name").agg(fed_by=pl.col("over").unique().sort()),
        racks.group_by(name="lineup").agg(racks=pl.col("rack").n_unique()),
        centres.unique().group_by("name").agg(motor_controls=pl.len()),
    ):
        frame = frame.join(more, on="name", how="left")
    hung = _cords(plan).join(shared.select("device", "feed", name="lineup"), on=["device", "feed"])
    digests = _digests(hung, centres.join(plan.power_loads, on="power_node"))
    return tuple(
        {
            "lineup": row["name"],
            **{k: row[k] for k in ("hall", "feed") if row[k] is not None},
            "fed_by": row["fed_by"] or [],
            "racks": row["racks"] or 0,
            "motor_controls": row["motor_controls"] or 0,
            "load_kw": {"nameplate": row["nameplate"], "typical": row["typical"]},
            **limits[row["name"]],
            "digest": digests.get(row["name"], digest_of([])),
        }
        for row in frame.sort("name").rows(named=True)
    )


def substations(view: View) -> tuple[Row, ...]:
    """View -> a row a substation or switchgear, with its own transformers; what feeds another comes before it."""
    plan = view.plan
    own = plan.power_nodes.select("power_node", kind=pl.col("kind").cast(pl.String))
    heads = own.filter(pl.col("kind").is_in(UPSTREAM))
    edges = plan.power_edges.join(heads, left_on="child", right_on="power_node").select("parent", name="child")
    edges = edges.join(own, left_on="parent", right_on="power_node")
    inside = edges.filter(pl.col("kind") == "substation_transformer").select("name", power_node="parent")
    both = pl.concat([heads.select("power_node", name="power_node"), inside.select("power_node", "name")])
    limits = _limits(_parts(view).join(both, on="power_node"), ("substation_transformer", *UPSTREAM))
    through = inside.join(plan.power_edges, left_on="power_node", right_on="child").select("name", "parent")
    fed = pl.concat([edges.filter(pl.col("kind") != "substation_transformer").select("name", "parent"), through])
    fed_by = dict(fed.group_by("name").agg(pl.col("parent").unique().sort()).iter_rows())
    loads = heads.join(plan.power_loads, on="power_node").join(view.train.depths, on="power_node")
    return tuple(
        {
            "substation": row["power_node"],
            "kind": row["kind"],
            "fed_by": fed_by.get(row["power_node"], []),
            "load_kw": {k: round(row[f"{k}_w"] / 1000, 1) for k in ("nameplate", "typical")},
            **limits[row["power_node"]],
        }
        for row in loads.sort("depth", "power_node").rows(named=True)
    )


def coolers(plan: Plan) -> tuple[Row, ...]:
    """Plan -> a row for all machines of one kind of a hall or a plant, in order of name; pumps by what they pump."""
    kind = pl.col("kind").cast(pl.String)
    of = pl.coalesce("plant", "hall")
    said = pl.format("{}-{}s", of, kind.str.replace("_", "-"))
    pumps = pl.format("{}s", pl.col("cooling_node").str.strip_chars_end("0123456789"))
    nodes = plan.cooling_nodes.filter(kind.is_in(MACHINES))
    nodes = nodes.with_columns(kind=kind, name=pl.when(kind == "pump").then(pumps).otherwise(said))
    known = pl.col("capacity_w").null_count() == 0
    frame = nodes.group_by("name").agg(
        pl.col("kind", "hall", "plant").first(), units=pl.len(), nameplate=_kw("heat_w"), typical=_kw("typical_heat_w"),
        capacity_kw=pl.when(known).then(_kw("capacity_w")),
        reserve_kw=pl.when(known).then(_least(pl.col("capacity_w") - pl.col("heat_w"))),
        loading_pct=pl.when(known).then(_most("heat_w")),
    )  # fmt: skip
    taken = plan.cooling_edges.select("child", "parent").join(
        nodes.select("name", parent="cooling_node"), on="parent"
    )  # what hangs on each machine: parts whose heat it takes
    heat = plan.cooling_nodes.select(child="cooling_node", gives="heat_w")
    digests = _digests(taken.join(heat, on="child").select("name", "parent", "child", "gives"))
    return tuple(
        {
            "cooler": row["name"],
            **{k: row[k] for k in ("kind", "hall", "plant", "units", "capacity_kw") if row[k] is not None},
            "load_kw": {"nameplate": row["nameplate"], "typical": row["typical"]},
            **{k: row[k] for k in ("reserve_kw", "loading_pct") if row[k] is not None},
            "digest": digests.get(row["name"], digest_of([])),
        }
        for row in frame.sort("name").rows(named=True)
    )


def _parts(view: View) -> pl.DataFrame:
    """View -> parts of the power train, with the nameplate that each carries in its worst case: `worst_w`."""
    worst = view.carried.group_by("power_node").agg(worst_w=pl.col("load_w").max().round().cast(pl.Int64))
    nodes = view.plan.power_nodes.with_columns(pl.col("kind").cast(pl.String))
    return nodes.join(worst, on="power_node", how="left")


def _limits(parts: pl.DataFrame, stages: tuple[str, ...]) -> Mapping[str, Row]:
    """Parts with the `name` of their resource -> resource -> by stage number of parts, capacity, least
    reserve and highest loading.
    """
    grouped = parts.filter(pl.col("name").is_not_null()).group_by("name", "kind")
    frame = grouped.agg(
        pl.len(), _kw("capacity_w"), reserve=_least(pl.col("capacity_w") - pl.col("worst_w")), most=_most("worst_w")
    )
    found = {(name, kind): rest for name, kind, *rest in frame.iter_rows()}
    out: dict[str, Row] = {}
    for name in frame["name"].unique().sort():
        mine = [s for s in stages if (name, s) in found]
        out[name] = {
            key: {stage: found[name, stage][i] for stage in mine}
            for i, key in enumerate(("parts", "capacity_kw", "reserve_kw", "loading_pct"))
        }
    return out


def _cords(plan: Plan) -> pl.DataFrame:
    """Plan -> its cords with what their device draws: device, psu, pdu, feed, phase, nameplate_w, typical_w."""
    return plan.power_connections.drop("slice").join(
        plan.loads.select("device", "nameplate_w", "typical_w"), on="device"
    )


def _digests(*frames: pl.DataFrame) -> dict[str, str]:
    """Rows with the `name` of what they hang on -> name -> digest of all rows that do."""
    texts: dict[str, list[str]] = {}
    for frame in frames:
        known = frame.drop_nulls("name")
        lines = known.select("name", text=row_text(known.drop("name")))
        for name, text in lines.group_by("name").agg(pl.col("text").sort().str.join(ROW)).iter_rows():
            texts.setdefault(name, []).append(text)
    return {name: digest_of(of) for name, of in texts.items()}


def _kw(column: str) -> pl.Expr:
    """A sum of watts -> kilowatts, one decimal."""
    return (pl.col(column).sum() / 1000).round(1)


def _least(watts: pl.Expr) -> pl.Expr:
    """Reserves -> the least of them in kilowatts, one decimal, rounded down."""
    return (watts.min() // TENTH_KW / 10).round(1)


def _most(column: str) -> pl.Expr:
    """Loads of parts -> the highest by capacity, in per cent, one decimal; of what carries nothing, 0."""
    return (pl.col(column) * 100 / pl.col("capacity_w")).fill_nan(0).max().round(1)
