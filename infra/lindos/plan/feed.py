"""Devices and their place -> loads, the power tree down to the rack PDUs, and a cord for every power supply.

Each feed is sized to carry everything alone. What hangs where follows from hall, row and position, so that moving a
rack changes the cords and edges of that rack only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lindos.plan.facts import DeviceFacts
    from lindos.plan.parts import OpticFacts
    from lindos.spec.model import Spec

CONTINUOUS = 0.8
"""A breaker carries 80 % of its rating continuously (NEC, loads of 3 h and more)."""


@dataclass(frozen=True, slots=True)
class Power:
    nodes: pl.DataFrame
    edges: pl.DataFrame
    connections: pl.DataFrame


def three_phase_w(volts: int, amps: int) -> int:
    """Line-to-line volts and breaker amps -> watts it carries continuously: sqrt(3) V A 0.8."""
    return int(sqrt(3) * volts * amps * CONTINUOUS)


def loads(
    devices: pl.DataFrame, products: Sequence[DeviceFacts], modules: pl.DataFrame, optics: Sequence[OpticFacts]
) -> pl.DataFrame:
    """Devices with the facts of their products, and the modules in their cages -> watts of each device.

    A maximum covers a switch with every cage full; its typical figure is without optics, so those in use are added.
    A node's figures cover its NICs. What has no power supply hangs on the busbar of its rack, as do power shelves.
    """
    facts = pl.DataFrame(
        [
            (p.product, p.nameplate_w, p.typical_w, p.liquid_share, p.psus, p.psu_rating_w, p.psus_needed)
            for p in {p.product: p for p in products}.values()
        ],
        schema={
            "product": pl.String, "nameplate_w": pl.Int64, "typical_w": pl.Int64, "liquid_share": pl.Float64,
            "psus": pl.Int64, "psu_rating_w": pl.Int64, "psus_needed": pl.Int64,
        },
        orient="row",
    )  # fmt: skip
    watts = {o.part: o.power_w for o in optics}
    drawn = modules.group_by("device").agg(
        optics_w=pl.col("part").replace_strict(watts, return_dtype=pl.Float64).sum().round()
    )
    out = devices.select("device", "kind", "product", "rack").join(
        facts, on="product", how="left", maintain_order="left"
    )
    out = out.join(drawn, on="device", how="left", maintain_order="left")
    extra = pl.when(pl.col("kind") == "switch").then(pl.col("optics_w").fill_null(0)).otherwise(0).cast(pl.Int64)
    return out.select(
        "device",
        "nameplate_w",
        (pl.col("typical_w") + extra).clip(upper_bound=pl.col("nameplate_w")).alias("typical_w"),
        (pl.col("nameplate_w") * pl.col("liquid_share")).round().cast(pl.Int64).alias("liquid_w"),
        "psus",
        "psu_rating_w",
        "psus_needed",
        pl.when((pl.col("psus") == 0) | (pl.col("kind") == "shelf")).then(pl.col("rack")).alias("busbar"),
    )


def banks(loads: pl.DataFrame) -> pl.DataFrame:
    """Loads -> device, `bank`, `bank_nameplate_w`, `bank_typical_w`: what hangs on the same power supplies, in all.

    A bank is a device with its own supplies, or everything on one busbar, named by it.
    """
    frame = loads.select("device", "nameplate_w", "typical_w", bank=pl.coalesce("busbar", "device"))
    sums = frame.group_by("bank").agg(
        bank_nameplate_w=pl.col("nameplate_w").sum(), bank_typical_w=pl.col("typical_w").sum()
    )
    return frame.select("device", "bank").join(sums, on="bank", how="left", maintain_order="left")


def _cords(devices: pl.DataFrame, watts: pl.DataFrame, feeds: Sequence[str], per_feed: int) -> pl.DataFrame:
    """Every PSU to a feed in turn, and within its feed to the PDUs of the rack in turn.

    In a network rack the turn is that of the slot, so that a switch added below moves no cord. All PSUs of a power
    shelf hang on its one input, and the shelves of a rack take feeds and PDUs in turn.
    """
    frame = devices.select("device", "kind", "rack", "u", "slot", "slice").join(
        watts.select("device", "psus"), on="device", maintain_order="left"
    )
    shelf = pl.when(pl.col("kind") == "shelf").then(pl.col("u").rank("ordinal").over("rack", "kind") - 1)
    frame = frame.with_columns(shelf=shelf.cast(pl.Int64))
    frame = frame.with_columns(psu=pl.int_ranges(0, pl.col("psus"))).explode("psu").drop_nulls("psu")
    frame = frame.with_columns(side=pl.coalesce("shelf", "psu") % len(feeds))
    frame = frame.sort("rack", "u", "device", "psu", maintain_order=True)
    in_turn = pl.coalesce(
        pl.col("shelf") // len(feeds),
        pl.col("slot") + pl.col("psu") // len(feeds),
        pl.int_range(pl.len()).over("rack", "side"),
    )
    frame = frame.with_columns(nth=in_turn % per_feed)
    feed = pl.col("side").replace_strict(dict(enumerate(feeds)), return_dtype=pl.String)
    return frame.select(
        "device",
        pl.col("psu") + 1,
        pl.format("{}-pdu-{}{}", "rack", feed, pl.col("nth") + 1).alias("pdu"),
        feed.alias("feed"),
        "slice",
        "rack",
    )


def _busways(spec: Spec, racks: pl.DataFrame, heaviest_w: int) -> tuple[pl.DataFrame, int]:
    """Racks -> with the busway of their position (from 0 in the row) and its transformer (from 0 in the hall)."""
    chain = spec.power.chain
    busway_w = three_phase_w(chain.busway.volts, chain.busway.amps)
    transformer_w = int(chain.transformer_kva * 1000 * chain.power_factor)
    racks_per_busway = max(1, busway_w // max(1, heaviest_w))
    width = pl.col("hall").replace_strict(
        {h.name: -(-h.racks_per_row // racks_per_busway) for h in spec.halls}, return_dtype=pl.Int64
    )
    per_transformer = max(1, transformer_w // busway_w)
    frame = racks.with_columns(busway=(pl.col("position") - 1) // racks_per_busway)
    row = pl.col("row").str.split("-r").list.last().cast(pl.Int64) - 1
    return frame.with_columns(transformer=(row * width + pl.col("busway")) // per_transformer), racks_per_busway


def feed(spec: Spec, devices: pl.DataFrame, racks: pl.DataFrame, watts: pl.DataFrame) -> Power:
    """Spec, placed devices and racks, loads -> Power: tree, edges and cords."""
    power, chain = spec.power, spec.power.chain
    cords = _cords(devices, watts, power.feeds, chain.rack_pdu.per_feed)
    per_rack = (
        devices.select("device", "rack").join(watts, on="device").group_by("rack").agg(pl.col("nameplate_w").sum())
    )
    placed, _ = _busways(spec, racks, int(per_rack["nameplate_w"].max() or 0))  # type: ignore[arg-type]  # a sum of integers
    pdus = (
        cords.select("pdu", "feed", "rack").unique(maintain_order=True).join(placed, on="rack", maintain_order="left")
    )
    pdus = pdus.with_columns(
        busway_name=pl.format("{}-bus-{}{}", "row", "feed", pl.col("busway") + 1),
        board_name=pl.format("{}-board-{}{}", "hall", "feed", pl.col("transformer") + 1),
        transformer_name=pl.format("{}-tr-{}{}", "hall", "feed", pl.col("transformer") + 1),
        substation_name=pl.format("substation-{}", "feed"),
    )
    busway_w = three_phase_w(chain.busway.volts, chain.busway.amps)
    transformer_w = int(chain.transformer_kva * 1000 * chain.power_factor)
    none = pl.lit(None, dtype=pl.String)
    nodes, edges = [], []

    def level(kind: str, name: str, parent: str | None, capacity: int, hall: pl.Expr, rack: pl.Expr) -> None:
        frame = pdus.select(
            power_node=name,
            kind=pl.lit(kind),
            feed="feed",
            hall=hall,
            rack=rack,
            capacity_w=pl.lit(capacity, dtype=pl.Int64),
            parent=parent or "feed",
        )
        frame = frame.unique("power_node", maintain_order=True)
        nodes.append(frame.drop("parent"))
        if parent:
            edges.append(frame.select(parent="parent", child="power_node"))

    level(
        "rack_pdu",
        "pdu",
        "busway_name",
        three_phase_w(chain.rack_pdu.volts, chain.rack_pdu.amps),
        pl.col("hall"),
        pl.col("rack"),
    )
    level("busway", "busway_name", "board_name", busway_w, pl.col("hall"), none)
    level("board", "board_name", "transformer_name", transformer_w, pl.col("hall"), none)
    level("transformer", "transformer_name", "substation_name", transformer_w, pl.col("hall"), none)
    substations = pdus.select("substation_name", "feed").unique(maintain_order=True)
    count = dict(nodes[-1].group_by("feed").len().iter_rows())
    nodes.append(
        pl.DataFrame(
            [(n, "substation", f, None, None, transformer_w * count[f]) for n, f in substations.iter_rows()],
            schema=nodes[0].schema,
            orient="row",
        )
    )
    sources = [(s.name, s.kind, None, None, None, int(s.mw * s.count * 1_000_000)) for s in power.sources]
    nodes.append(pl.DataFrame(sources, schema=nodes[0].schema, orient="row"))
    edges.append(
        pl.DataFrame(
            [(s.name, n) for s in power.sources for n in substations["substation_name"]],
            schema=["parent", "child"],
            orient="row",
        )
    )
    return Power(nodes=pl.concat(reversed(nodes)), edges=pl.concat(reversed(edges)), connections=cords.drop("rack"))
