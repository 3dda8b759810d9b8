"""Rules of heat: every watt has a way out, all on it balances, and what takes it can, also after a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, cases, not_evaluated
from lindos.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

MEDIA = {"liquid": ("liquid_w", "liquid_typical_w"), "air": ("air_w", "typical_air_w")}
GIVES_MORE = ["pump", "chiller"]
"""Kinds whose own work leaves them as heat beside what came."""
SLACK_W = 2
"""Rounding of whole watts where heat is shared."""


def _kw(column: str) -> pl.Expr:
    return (pl.col(column) / 1000).round(1)


def liquid_heat_is_a_part_of_the_draw(view: View) -> Iterator[Broken]:
    """The heat of a device that goes to liquid is at most what it draws; the rest goes to air.

    Source: conservation of energy: heat to liquid and heat to air are the power drawn.
    What to do: correct `liquid_fraction` of the product.
    """
    loads = view.plan.loads
    off = loads.filter((pl.col("liquid_w") > pl.col("nameplate_w")) | (pl.col("liquid_w") < 0))
    hint = "liquid_fraction lies between 0 and 1"
    told = pl.format("{} W to liquid of {} W drawn", "liquid_w", "nameplate_w")
    yield broken("devices that give more heat than they draw", off, "device", told, hint)
    typical = loads.filter((pl.col("liquid_typical_w") > pl.col("typical_w")) | (pl.col("liquid_typical_w") < 0))
    told = pl.format("{} W to liquid of {} W drawn under training", "liquid_typical_w", "typical_w")
    yield broken("devices that give more heat than they draw under training", typical, "device", told, hint)


def _given(view: View) -> pl.DataFrame:
    """Devices and media with heat: device, rack, unit, hall, medium, heat_w, typical_heat_w."""
    loads = view.plan.loads.with_columns(
        air_w=pl.col("nameplate_w") - pl.col("liquid_w"), typical_air_w=pl.col("typical_w") - pl.col("liquid_typical_w")
    )
    both = pl.concat(
        loads.select("device", medium=pl.lit(m), heat_w=w, typical_heat_w=typical) for m, (w, typical) in MEDIA.items()
    )
    halls = view.plan.racks.select("rack", "hall")
    homes = view.plan.devices.select("device", "rack", "unit").join(halls, on="rack", how="left")
    return both.filter(pl.col("heat_w") > 0).join(homes, on="device", how="left")


def every_device_gives_its_heat_to_one_part(view: View) -> Iterator[Broken]:
    """A device gives its heat to the manifold and to the door of its own rack, or to the room of its hall.

    From the manifold it goes on to CDUs of the rack or of its unit.
    Source: the Colossus rack as seen in public: one CDU at the bottom of a rack of eight nodes, the rest by the rear
    door; CDUs in the row for racks of more than 100 kW.
    What to do: give the rack its `cdu`.
    """
    hint = "give the rack of these nodes a CDU: assumptions: - {product: RACK, facts: {cdu: ..., cdus: 1}, reason: ...}"
    nodes = view.plan.cooling_nodes.select("cooling_node", "kind", node_rack="rack", node_hall="hall")
    said = view.plan.cooling_connections.select("device", "medium", "cooling_node").with_columns(
        pl.col("medium").cast(pl.String)
    )
    counts = said.group_by("device", "medium").agg(n=pl.len())
    frame = _given(view).join(counts, on=["device", "medium"], how="left").with_columns(pl.col("n").fill_null(0))
    told = pl.format("{} W go to {}, and {} parts take them", "heat_w", "medium", "n")
    yield broken("devices whose heat not one part takes", frame.filter(pl.col("n") != 1), "device", told, hint)
    unknown = said.join(nodes, on="cooling_node", how="anti")
    told = pl.format("gives heat to {}, which is not in the plan", "cooling_node")
    yield broken("devices on a part that the plan does not have", unknown, "device", told, hint)
    homes = _given(view).select("device", "medium", "rack", "hall")
    hung = said.join(nodes, on="cooling_node").join(homes, on=["device", "medium"])
    far = hung.filter(
        (pl.col("node_rack").is_not_null() & (pl.col("node_rack") != pl.col("rack")))
        | (pl.col("node_hall") != pl.col("hall"))
    )
    told = pl.format("stands in {} of hall {} and gives its heat to {}", "rack", "hall", "cooling_node")
    yield broken("devices that give their heat to a part elsewhere", far, "device", told, hint)
    # Whose CDU it is: that of the rack, or of the unit.
    units = view.plan.racks.select("rack", "unit")
    kinds = nodes.select("cooling_node", "kind", rack="node_rack").join(units, on="rack", how="left")
    edges = view.plan.cooling_edges
    deep = edges.join(edges.select(child="parent", low="child"), on="child").select("parent", child="low")
    below = pl.concat([edges, deep]).join(
        kinds.filter(pl.col("kind") == "manifold"), left_on="child", right_on="cooling_node"
    )
    of_cdus = kinds.filter(pl.col("kind") == "cdu").select(parent="cooling_node", cdu_unit="unit")
    abroad = below.join(of_cdus, on="parent").filter(pl.col("unit").ne_missing(pl.col("cdu_unit")))
    told = pl.format(
        "belongs to unit {} and hangs on {} of unit {}",
        pl.col("unit").fill_null("none"),
        "parent",
        pl.col("cdu_unit").fill_null("none"),
    )
    yield broken("racks on the CDU of another unit", abroad, "child", told, hint)
    cooled = below.join(of_cdus, on="parent").select(cooling_node="child")
    bare = kinds.filter(pl.col("kind") == "manifold").join(cooled, on="cooling_node", how="anti")
    yield broken("manifolds that no CDU cools", bare, "cooling_node", pl.lit("hangs on no CDU"), hint)


def _kilowatts(column: str) -> pl.Expr:
    return pl.col(column) / 1000


def a_cdu_takes_the_heat_of_its_devices(view: View) -> Iterator[Broken]:
    """The liquid heat of all devices on a CDU, at nameplate, is at most what the CDU can take.

    CDUs that stand side by side on one header share it.
    Source: cooling_kw of the CDU in the catalogue.
    What to do: a larger CDU, a second one, or fewer nodes a rack.
    """
    frame = view.plan.cooling_nodes.filter(pl.col("kind") == "cdu")
    unknown = frame.filter(pl.col("capacity_w").fill_null(0) <= 0)
    yield not_evaluated(
        "CDUs without a capacity",
        cases(unknown, "cooling_node", pl.lit("what it can take is not known")),
        "give cooling_kw of the CDU in the site file",
    )
    over = frame.filter((pl.col("capacity_w") > 0) & (pl.col("heat_w") > pl.col("capacity_w")))
    told = pl.format("takes {} kW, its devices give {} kW", _kilowatts("capacity_w"), _kilowatts("heat_w"))
    yield broken(
        "CDUs with more heat than they take", over, "cooling_node", told, "a larger CDU, or two of them (racks: cdus)"
    )


def heat_is_conserved(view: View) -> Iterator[Broken]:
    """What a part takes is what the parts and devices before it give, and what its own fans and pumps draw.

    This holds at nameplate and as measured under training.
    Source: conservation of energy.
    What to do: tell the authors; a plan that was not changed by hand balances.
    """
    plan, hint = view.plan, "what comes in has to go out: design the plan again"
    for heat, power, load in (
        ("heat_w", "power_w", "nameplate"),
        ("typical_heat_w", "typical_power_w", "typical"),
    ):
        kind = pl.col("kind").cast(pl.String)
        nodes = plan.cooling_nodes.with_columns(own=pl.col(power).fill_null(0)).select(
            "cooling_node",
            takes=pl.col(heat) - pl.when(kind.is_in(["rear_door", "air_handler"])).then("own").otherwise(0),
            gives=pl.col(heat) + pl.when(kind.is_in(GIVES_MORE)).then("own").otherwise(0),
        )
        edges = plan.cooling_edges.join(nodes.select(parent="cooling_node", takes="takes"), on="parent")
        edges = edges.join(nodes.select(child="cooling_node", gives="gives"), on="child")
        shared = pl.len().over("child") > 1
        sums = edges.filter(~shared).group_by(cooling_node="parent").agg(pl.col("takes").first(), pl.col("gives").sum())
        parts = edges.filter(shared).group_by(cooling_node="child").agg(pl.col("takes").sum(), pl.col("gives").first())
        devices = plan.cooling_connections.with_columns(pl.col("medium").cast(pl.String)).join(
            _given(view).select("device", "medium", gives=heat), on=["device", "medium"], how="left"
        )
        devices = devices.group_by("cooling_node").agg(pl.col("gives").sum())
        first = devices.join(nodes.select("cooling_node", "takes"), on="cooling_node")
        columns = ["cooling_node", "takes", "gives"]
        off = pl.concat(f.select(columns) for f in (sums, parts, first))
        off = off.filter((pl.col("takes") - pl.col("gives")).abs() > SLACK_W)
        told = pl.format(f"{load}: {{}} W come, {{}} W are taken", "gives", "takes")
        yield broken(f"parts whose heat does not balance at {load}", off, "cooling_node", told, hint)


def _stages(view: View) -> pl.DataFrame:
    """Parts whose heat others share: cooling_node, kind (of these), units, capacity_w, largest_w, heat_w in all.

    Null capacity where one of them has none that is known.
    """
    nodes = view.plan.cooling_nodes.select("cooling_node", "kind", "capacity_w", "heat_w")
    takes = nodes.filter(pl.col("kind").is_in(["cdu", "air_handler", "pump", "chiller", "tower", "dry_cooler"]))
    edges = view.plan.cooling_edges.join(takes, left_on="parent", right_on="cooling_node")
    known = pl.col("capacity_w").is_not_null().all()
    return edges.group_by(cooling_node="child").agg(
        pl.col("kind").first().cast(pl.String),
        units=pl.len(),
        capacity_w=pl.when(known).then(pl.col("capacity_w").sum()),
        largest_w=pl.when(known).then(pl.col("capacity_w").max()),
        heat_w=pl.col("heat_w").sum(),
    )


def doors_air_handlers_and_plants_take_their_heat(view: View) -> Iterator[Broken]:
    """A rear door takes what its rack gives to air; air handlers, pumps and plants take what comes to them.

    All at nameplate, units of a stage together.
    Source: cooling_kw of the door in the catalogue; sizes and counts of `cooling:` in the site file.
    What to do: a larger door; more units (cooling: plant: count, air: count) or larger ones (unit_kw).
    """
    doors = view.plan.cooling_nodes.filter(pl.col("kind") == "rear_door")
    nameless = doors.filter(pl.col("capacity_w").is_null())
    yield not_evaluated(
        "rear doors of unknown capacity",
        cases(nameless, "cooling_node", pl.format("no product is named that takes its {} kW", _kw("heat_w"))),
        "name the door: assumptions: - {product: RACK, facts: {rear_door: ...}, reason: ...}",
    )
    small = doors.filter(pl.col("heat_w") > pl.col("capacity_w"))
    told = pl.format("takes {} kW, its rack gives {} kW to air", _kw("capacity_w"), _kw("heat_w"))
    yield broken("rear doors with more heat than they take", small, "cooling_node", told, "a larger door (rear_door)")
    stages = _stages(view).filter(pl.col("kind") != "cdu")
    over = stages.filter(pl.col("heat_w") > pl.col("capacity_w"))
    told = pl.format(
        "its {} x {} take {} kW, {} kW come",
        "units",
        pl.col("kind").str.replace("_", " "),
        _kw("capacity_w"),
        _kw("heat_w"),
    )
    hint = "cooling: more units (count) or larger ones (unit_kw)"
    yield broken("parts of the plant with more heat than they take", over, "cooling_node", told, hint)


def one_unit_lost_stops_no_more_than_a_rack(view: View) -> Iterator[Broken]:
    """Where several racks hang on units side by side, those left when the largest is lost take all the heat.

    Units are CDUs in the row, air handlers, pumps, chillers, towers and dry coolers, heat is that at nameplate. A CDU
    or a door in a rack may take its rack with it.
    Source: N+1, as CDUs, pumps and plants of training halls are built.
    What to do: one more of them (unit: cdus, cooling: plant: spare, pumps: spare, air: spare).
    """
    stages = _stages(view)
    nodes = view.plan.cooling_nodes.select("cooling_node", own="kind")
    several = stages.join(nodes, on="cooling_node", how="left").filter(pl.col("own").cast(pl.String) != "manifold")
    left = pl.col("capacity_w") - pl.col("largest_w")
    short = several.filter(left < pl.col("heat_w")).with_columns(left=left)
    told = pl.format(
        "one of {} x {} lost: the others take {} kW of {} kW",
        "units",
        pl.when(pl.col("kind") == "cdu").then(pl.lit("CDU")).otherwise(pl.col("kind").str.replace("_", " ")),
        _kw("left"),
        _kw("heat_w"),
    )
    hint = "one more of them: unit: cdus, or cooling: spare of plant, pumps or air"
    yield Broken(
        Severity.WARNING, "parts that do not survive the loss of one unit", cases(short, "cooling_node", told), hint
    )
    unknown = several.filter(pl.col("capacity_w").is_null())
    yield not_evaluated(
        "stages of unknown capacity",
        cases(unknown, "cooling_node", pl.lit("what its units can take is not known")),
        "give cooling_kw of the CDU in the site file",
    )
    edges = view.plan.cooling_edges.join(
        view.plan.cooling_nodes.filter(pl.col("kind") == "manifold").select(child="cooling_node"), on="child"
    )
    wide = edges.group_by(cooling_node="parent").agg(racks=pl.len()).filter(pl.col("racks") > 1)
    wide = wide.join(view.plan.cooling_nodes.filter(pl.col("kind") == "cdu"), on="cooling_node")
    told = pl.format("{} racks hang on it alone", "racks")
    yield broken("CDUs that take several racks with them", wide, "cooling_node", told, "join the racks to several CDUs")


def _unknown(frame: pl.DataFrame, by: str, fact: str, count: str) -> pl.DataFrame:
    """Rows of products without a fact -> a case a product."""
    few = frame.group_by(by).len()
    return cases(few, by, pl.format(f"its {fact} is not known, the plan has {{}} {count}", "len"))


GIVE = "give it in the site file: assumptions: - {{product: {}, facts: {{{}: ...}}, reason: ...}}"


def a_cdu_delivers_the_flow_of_its_devices(view: View) -> Iterator[Broken]:
    """The flow that all devices on a CDU ask for at nameplate is within what its pumps deliver.

    Source: OCP: 1.5 L/min for each kW, or cooling: technology: flow_lpm_per_kw; flow_lpm of the CDU.
    What to do: a CDU of more flow, or less flow a kW where the nodes' vendor allows it.
    """
    cdus = view.plan.cooling_nodes.filter(pl.col("kind") == "cdu", pl.col("heat_w") > 0)
    yield not_evaluated(
        "CDUs of unknown flow",
        _unknown(cdus.filter(pl.col("flow_max_ml_s").is_null()), "product", "flow_lpm", "of them"),
        GIVE.format("CDU", "flow_lpm"),
    )
    over = cdus.filter(pl.col("flow_ml_s") > pl.col("flow_max_ml_s"))
    litres = ((pl.col(c) * 60 / 1000).round(1) for c in ("flow_max_ml_s", "flow_ml_s"))
    told = pl.format("delivers {} L/min, its devices ask for {} L/min", *litres)
    yield broken("CDUs of too little flow", over, "cooling_node", told, "a CDU of more flow, or one more of them")


def a_cdu_overcomes_the_pressure_of_its_loop(view: View) -> Iterator[Broken]:
    """Manifolds, headers and cold plates on a CDU take no more pressure than its pumps build up outside it.

    Source: Darcy and Weisbach for pipes; coolant_kpa of nodes and head_kpa of the CDU.
    What to do: wider manifolds or headers (cooling: technology), or a CDU of more head.
    """
    cdus = view.plan.cooling_nodes.filter(pl.col("kind") == "cdu", pl.col("heat_w") > 0)
    yield not_evaluated(
        "CDUs of unknown head",
        _unknown(cdus.filter(pl.col("head_pa").is_null()), "product", "head_kpa", "of them"),
        GIVE.format("CDU", "head_kpa"),
    )
    yield not_evaluated(
        "CDUs whose cold plates take an unknown pressure",
        cases(
            cdus.filter(pl.col("pressure_pa").is_null()).group_by("product").len(),
            "product",
            pl.format("coolant_kpa of what hangs on {} of them is not known", "len"),
        ),
        GIVE.format("NODE", "coolant_kpa"),
    )
    over = cdus.filter(pl.col("pressure_pa") > pl.col("head_pa"))
    told = pl.format("builds up {} kPa, its loop takes {} kPa", _kw("head_pa"), _kw("pressure_pa"))
    yield broken("CDUs of too little head", over, "cooling_node", told, "wider pipes, or a CDU of more head")


def a_cdu_survives_the_loss_of_a_pump(view: View) -> Iterator[Broken]:
    """A CDU has a pump more than it needs for its flow.

    Source: pumps of the CDU; vendors build CDUs with redundant pumps.
    What to do: a CDU with redundant pumps.
    """
    cdus = view.plan.cooling_nodes.filter(pl.col("kind") == "cdu", pl.col("heat_w") > 0)
    unknown = cdus.filter(pl.col("pumps").is_null() | pl.col("pumps_needed").is_null())
    yield not_evaluated(
        "CDUs of unknown pumps",
        _unknown(unknown, "product", "number of pumps", "of them"),
        GIVE.format("CDU", "pumps"),
    )
    bare = cdus.filter(pl.col("pumps") <= pl.col("pumps_needed"))
    told = pl.format("needs {} of its {} pumps", "pumps_needed", "pumps")
    hint = "a CDU with redundant pumps"
    yield Broken(Severity.WARNING, "CDUs without a spare pump", cases(bare, "cooling_node", told), hint)
