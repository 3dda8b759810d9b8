"""Rules of cooling: where the heat of each device goes, and whether it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, cases, not_evaluated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View


def liquid_heat_is_a_part_of_the_draw(view: View) -> Iterator[Broken]:
    """The heat of a device that goes to liquid is at most what it draws; the rest goes to air.

    Source: conservation of energy: heat to liquid and heat to air are the power drawn.
    What to do: correct `liquid_fraction` of the product.
    """
    off = view.plan.loads.filter((pl.col("liquid_w") > pl.col("nameplate_w")) | (pl.col("liquid_w") < 0))
    yield broken(
        "devices that give more heat than they draw",
        off,
        "device",
        pl.format("{} W to liquid of {} W drawn", "liquid_w", "nameplate_w"),
        "liquid_fraction lies between 0 and 1",
    )


def every_device_with_liquid_heat_has_one_cdu(view: View) -> Iterator[Broken]:
    """A device that is cooled by liquid hangs on exactly one CDU, in its own rack where that has one, else in its unit.

    Source: the Colossus rack as seen in public: one CDU at the bottom of a rack of eight nodes; CDUs in the row for
    racks of more than 100 kW.
    What to do: give the rack its `cdu`.
    """
    hint = "give the rack of these nodes a CDU: assumptions: - {product: RACK, facts: {cdu: ..., cdus: 1}, reason: ...}"
    edges = view.plan.cooling_edges.group_by("device").agg(n=pl.len(), cdu=pl.col("cooling_node").first())
    warm = (
        view.plan.loads.filter(pl.col("liquid_w") > 0).select("device", "liquid_w").join(edges, on="device", how="left")
    )
    warm = warm.with_columns(n=pl.when(pl.col("cdu").is_null()).then(0).otherwise(pl.col("n")))
    off = warm.filter(pl.col("n") != 1)
    yield broken(
        "devices with liquid heat and not one CDU",
        off,
        "device",
        pl.format("{} W go to liquid, and {} CDUs take them", "liquid_w", "n"),
        hint,
    )
    unknown = view.plan.cooling_edges.drop_nulls("cooling_node").join(
        view.plan.cooling_nodes, on="cooling_node", how="anti"
    )
    yield broken(
        "devices on a CDU that the plan does not have",
        unknown,
        "device",
        pl.format("hangs on {}, which is not in the plan", "cooling_node"),
        hint,
    )
    racks = view.plan.devices.select("device", "rack", "unit")
    own = view.plan.cooling_nodes.select("rack").unique()
    far = view.plan.cooling_edges.join(
        view.plan.cooling_nodes.select("cooling_node", cdu_rack="rack"), on="cooling_node"
    )
    far = far.join(racks, on="device")
    abroad = far.join(racks.select(cooling_node="device", cdu_unit="unit"), on="cooling_node").filter(
        pl.col("unit").ne_missing(pl.col("cdu_unit"))
    )
    far = far.join(own, on="rack", how="semi").filter(pl.col("rack") != pl.col("cdu_rack"))
    yield broken(
        "devices on the CDU of another rack",
        far,
        "device",
        pl.format("stands in {}, which has a CDU, and hangs on {} in {}", "rack", "cooling_node", "cdu_rack"),
        hint,
    )
    yield broken(
        "devices on the CDU of another unit",
        abroad,
        "device",
        pl.format(
            "belongs to unit {} and hangs on {} of unit {}",
            pl.col("unit").fill_null("none"),
            "cooling_node",
            pl.col("cdu_unit").fill_null("none"),
        ),
        hint,
    )


def a_cdu_takes_the_heat_of_its_devices(view: View) -> Iterator[Broken]:
    """The liquid heat of all devices on a CDU, at nameplate, is at most what the CDU can take.

    Source: cooling_kw of the CDU in the catalogue.
    What to do: a larger CDU, a second one, or fewer nodes a rack.
    """
    heat = view.plan.cooling_edges.join(view.plan.loads.select("device", "liquid_w"), on="device")
    frame = view.plan.cooling_nodes.join(
        heat.group_by("cooling_node").agg(pl.col("liquid_w").sum(), n=pl.len()), on="cooling_node"
    )
    unknown = frame.filter(pl.col("capacity_w") <= 0)
    yield not_evaluated(
        "CDUs without a capacity",
        cases(unknown, "cooling_node", pl.lit("what it can take is not known")),
        "give cooling_kw of the CDU in the site file",
    )
    over = frame.filter((pl.col("capacity_w") > 0) & (pl.col("liquid_w") > pl.col("capacity_w")))
    told = pl.format("takes {} kW, {} devices give {} kW", pl.col("capacity_w") / 1000, "n", pl.col("liquid_w") / 1000)
    yield broken(
        "CDUs with more heat than they take", over, "cooling_node", told, "a larger CDU, or two of them (racks: cdus)"
    )
