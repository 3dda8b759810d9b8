"""Rules of ownership: slices that stacks manage, units that can train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View


def every_device_is_in_exactly_one_slice(view: View) -> Iterator[Broken]:
    """Every device stands in the plan once and belongs to a slice of the plan, so that one stack manages it.

    Source: each stack manages its own slice of the plan; a device in two would be fought over, in none forgotten.
    What to do: report this, the slice follows from the coordinates of the device.
    """
    hint = "every device belongs to one slice"
    twice = view.plan.devices.group_by("device").agg(n=pl.len(), who=pl.col("slice").unique().sort().str.join(", "))
    twice = twice.filter(pl.col("n") > 1)
    yield broken(
        "devices that stand in the plan more than once",
        twice,
        "device",
        pl.format("stands in the plan {} times, in slices {}", "n", "who"),
        hint,
    )
    lost = view.plan.devices.join(view.plan.slices, on="slice", how="anti")
    yield broken("devices of no slice", lost, "device", pl.format("no slice '{}' in the plan", "slice"), hint)


def a_slice_counts_what_it_holds(view: View) -> Iterator[Broken]:
    """The counts of a slice are those of its rows: devices, nodes, switches, GPUs, racks, cables and watts.

    Source: counts are what `pulumi preview` shows as the physical diff.
    What to do: report this, counts follow from the tables.
    """
    devices = view.plan.devices.join(view.plan.loads.select("device", "nameplate_w"), on="device", how="left")
    counts = [
        devices.group_by("slice").agg(
            devices=pl.len(),
            nodes=(pl.col("kind") == "node").sum(),
            switches=(pl.col("kind") == "switch").sum(),
            racks=pl.col("rack").n_unique(),
            nameplate_w=pl.col("nameplate_w").sum(),
        ),
        view.plan.gpus.group_by("slice").agg(gpus=pl.len()),
        view.plan.cables.group_by("slice").agg(cables=pl.len()),
    ]
    both: pl.DataFrame = view.plan.slices
    for held in counts:
        both = both.join(held, on="slice", how="left", suffix="_held")
    for name in (c for held in counts for c in held.columns if c != "slice"):
        off = both.with_columns(held=pl.col(f"{name}_held").fill_null(0)).filter(pl.col(name) != pl.col("held"))
        told = pl.format(f"says {{}} {name}, its rows come to {{}}", name, "held")
        hint = "counts of a slice are taken from its rows"
        yield broken(f"slices with another number of {name} than they say", off, "slice", told, hint)


def every_unit_has_complete_rails(view: View) -> Iterator[Broken]:
    """Every node of a unit is on every rail of that unit, and the unit has the nodes and GPUs that it says.

    A unit is the smallest set of nodes that can train; a rail that lacks a node lets that node's traffic cross the
    spine.
    Source: admission is by whole units; a unit is defined by its complete rails.
    What to do: complete the rails of the unit named.
    """
    units = view.plan.units
    nodes = view.plan.devices.filter(pl.col("kind") == "node").group_by("unit").agg(n=pl.len())
    rails = view.plan.gpus.select("unit", "rail").unique()
    links = view.rail_links.select("node", "unit", "rail").unique().group_by("unit", "rail").agg(wired=pl.len())
    frame = (
        rails.join(nodes, on="unit")
        .join(links, on=["unit", "rail"], how="left")
        .with_columns(pl.col("wired").fill_null(0))
    )
    gaps = frame.filter(pl.col("wired") != pl.col("n")).with_columns(subject=pl.format("{} rail {}", "unit", "rail"))
    hint = "every node of a unit takes part in every rail"
    yield broken(
        "rails of units that lack nodes",
        gaps,
        "subject",
        pl.format("{} of {} nodes are on this rail", "wired", "n"),
        hint,
    )
    gpus = view.plan.gpus.group_by("unit").agg(g=pl.len())
    said = (
        units.join(nodes, on="unit", how="left")
        .join(gpus, on="unit", how="left")
        .with_columns(pl.col("n", "g").fill_null(0))
    )
    off = said.filter((pl.col("nodes") != pl.col("n")) | (pl.col("gpus") != pl.col("g")))
    yield broken(
        "units with other counts than they say",
        off,
        "unit",
        pl.format("says {} nodes with {} GPUs, has {} with {}", "nodes", "gpus", "n", "g"),
        hint,
    )


def an_nvlink_domain_is_one_rack_of_one_unit(view: View) -> Iterator[Broken]:
    """The nodes of one NVLink domain stand in one rack and belong to one unit, and NVSwitch trays join them there.

    NVLink ends at the rack, and a scheduler gives out units; a domain that two units share would be torn between jobs.
    A node whose GPUs are joined inside it is a domain of its own.
    Source: NVL72 racks: 18 trays and 9 NVSwitch trays are one domain of 72 GPUs.
    What to do: make a unit of whole racks; report a domain that spans racks.
    """
    hint = "a domain is a node, or a rack with NVSwitch trays; a unit holds whole domains"
    nodes = view.plan.devices.filter(pl.col("kind") == "node").with_columns(domain="nvlink_domain")
    none = nodes.filter(pl.col("domain").is_null())
    yield broken("nodes of no NVLink domain", none, "device", pl.lit("belongs to no NVLink domain"), hint)
    frame = (
        nodes.drop_nulls("domain")
        .group_by("domain")
        .agg(
            nodes=pl.len(),
            racks=pl.col("rack").n_unique(),
            units=pl.col("unit").n_unique(),
            who=pl.col("unit").unique().sort().str.join(", "),
            rack=pl.col("rack").first(),
        )
    )
    torn = frame.filter((pl.col("racks") > 1) | (pl.col("units") > 1))
    yield broken(
        "NVLink domains over several racks or units",
        torn,
        "domain",
        pl.format("its {} nodes stand in {} racks of units {}", "nodes", "racks", "who"),
        hint,
    )
    trays = view.plan.devices.filter(pl.col("kind") == "nvswitch").select(domain="nvlink_domain").unique()
    bare = frame.filter(pl.col("nodes") > 1).join(trays, on="domain", how="anti")
    yield broken(
        "NVLink domains of several nodes without NVSwitch trays",
        bare,
        "domain",
        pl.format("no NVSwitch tray joins its {} nodes", "nodes"),
        hint,
    )
