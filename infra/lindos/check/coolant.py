"""Rules of the liquids that carry heat: how warm, how cold, how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue.products import Node, NvSwitch
from lindos.check.cooling import GIVE
from lindos.check.rule import Broken, broken, cases, not_evaluated, one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

DEW_POINT_K = 2.0
"""Water stays this much above the dew point (HPE QuickSpecs of liquid-cooled doors)."""
ZERO_MK = 273_150


def _celsius(column: str) -> pl.Expr:
    return ((pl.col(column) - ZERO_MK) / 1000).round(1)


def coolant_is_cold_enough_for_what_it_cools(view: View) -> Iterator[Broken]:
    """The coolant that CDUs deliver is no warmer than their devices take, and no colder than the CDUs can.

    Nearer to the facility water than the approach at which they were rated, CDUs take less than is said of them.
    Source: coolant_c_max of nodes and trays, approach_k of CDUs; supply temperatures of `cooling:`.
    What to do: colder facility water (cooling: facility: supply_c), or CDUs of less approach.
    """
    cdus = view.plan.cooling_nodes.filter(pl.col("kind") == "cdu", pl.col("heat_w") > 0)
    supply = cdus["supply_mk"].max()
    names = {
        kind: view.plan.devices.filter(pl.col("kind") == kind)["product"].unique().sort().to_list()
        for kind in ("node", "nvswitch")
    }
    limits = [(name, view.catalogue.get(Node, name).coolant_c_max) for name in names["node"]]
    limits += [(name, view.catalogue.get(NvSwitch, name).coolant_c_max) for name in names["nvswitch"]]
    known = pl.DataFrame(limits, schema={"product": pl.String, "limit": pl.Float64}, orient="row")
    warm = view.plan.cooling_connections.filter(pl.col("medium") == "liquid").join(
        view.plan.devices.select("device", "product"), on="device"
    )
    counts = warm.group_by("product").len().join(known, on="product")
    yield not_evaluated(
        "products that take coolant of unknown temperature",
        cases(
            counts.filter(pl.col("limit").is_null()),
            "product",
            pl.format("its coolant_c_max is not known, {} of them are cooled by liquid", "len"),
        ),
        GIVE.format("NODE", "coolant_c_max"),
    )
    degrees = ((int(supply) if isinstance(supply, int) else ZERO_MK) - ZERO_MK) / 1000
    hot = counts.filter(pl.col("limit") < degrees)
    told = pl.format(f"takes coolant of {{}} degrees, CDUs deliver {degrees:g}", "limit")
    yield broken("products that get too warm a coolant", hot, "product", told, "cooling: facility: supply_c, colder")
    yield not_evaluated(
        "CDUs of unknown approach",
        cases(
            cdus.filter(pl.col("approach_mk").is_null()).group_by("product").len(),
            "product",
            pl.format("its approach_k is not known, the plan has {} of them", "len"),
        ),
        GIVE.format("CDU", "approach_k"),
    )
    water = view.plan.cooling_nodes.select(parent="cooling_node", water_mk="supply_mk")
    water = view.plan.cooling_edges.join(water, on="parent").select("water_mk", cooling_node="child")
    near = cdus.join(water, on="cooling_node").with_columns(approach=pl.col("supply_mk") - pl.col("water_mk"))
    near = near.filter(pl.col("approach") < pl.col("approach_mk")).group_by("product", "approach", "approach_mk").len()
    told = pl.format(
        "is rated at {} K above the facility water, {} of them deliver at {} K",
        pl.col("approach_mk") / 1000,
        "len",
        pl.col("approach") / 1000,
    )
    yield broken("CDUs that deliver too cold", near, "product", told, "cooling: technology: more approach_k")


def water_is_warmer_than_the_dew_point(view: View) -> Iterator[Broken]:
    """The facility water stays 2 K above the highest dew point of the halls, so that nothing drips.

    Source: HPE QuickSpecs of liquid-cooled doors; ASHRAE recommends dew points of at most 15 degrees.
    What to do: warmer facility water, or drier halls (cooling: air: dew_point_c).
    """
    hint = "cooling: facility: supply_c, warmer; or air: dew_point_c, drier"
    if view.spec is None:
        said = one(view.plan.site, "the dew point of its halls is written in the site file, which is not at hand")
        yield not_evaluated("sites without a dew point", said, "check the site file, not the build folder")
        return
    dew = view.spec.cooling.air.dew_point_c
    wet = view.plan.cooling_nodes.filter(pl.col("kind").is_in(["rear_door", "air_handler", "pump"]))
    cold = wet.filter(pl.col("supply_mk") - ZERO_MK < (dew + DEW_POINT_K) * 1000)
    told = pl.format(f"gets water of {{}} degrees, the dew point of the halls is {dew:g}", _celsius("supply_mk"))
    yield broken("parts on which water condenses", cold, "cooling_node", told, hint)


def the_weather_allows_what_the_plant_delivers(view: View) -> Iterator[Broken]:
    """A plant without chillers delivers no colder water than the weather of the design day allows.

    That is its wet bulb (towers) or dry bulb (dry coolers) and the approach.
    Source: `cooling: ambient`, and approaches of 4 K for towers, 8 K for dry coolers.
    What to do: warmer facility water, or chillers.
    """
    supply = view.plan.cooling_nodes.filter(pl.col("kind").is_in(["tower", "dry_cooler", "chiller"]))
    supply = supply.group_by("plant").agg(pl.col("supply_mk").min())
    plants = view.plan.plants.filter(pl.col("load") == "nameplate", pl.col("work_w") == 0).join(supply, on="plant")
    short = plants.filter(pl.col("coldest_mk") > pl.col("supply_mk"))
    told = pl.format(
        "delivers {} degrees, on the design day no colder than {}", _celsius("supply_mk"), _celsius("coldest_mk")
    )
    hint = "cooling: facility: supply_c, warmer; or plant: kind: water_chiller"
    yield broken("plants that the weather keeps too warm", short, "plant", told, hint)


def pipes_keep_within_their_velocity(view: View) -> Iterator[Broken]:
    """No liquid flows faster in a pipe than its loop allows.

    Source: velocity_m_s of `cooling: facility` and `cooling: technology`, against erosion and noise.
    What to do: a wider pipe, or leave its size out.
    """
    pipes = view.plan.cooling_pipes
    fast = pipes.filter(pl.col("velocity_mm_s") > pl.col("velocity_max_mm_s"))
    speeds = ((pl.col(c) / 1000).round(2) for c in ("velocity_mm_s", "velocity_max_mm_s"))
    told = pl.format("DN {}: {} m/s of at most {} m/s", "nominal_mm", *speeds)
    hint = "cooling: a wider pipe (main_dn, row_dn, branch_dn, manifold_dn, header_dn), or leave its size out"
    yield broken("pipes in which liquid flows too fast", fast, "pipe", told, hint)
