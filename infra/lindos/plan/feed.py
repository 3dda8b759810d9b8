"""Devices and their place -> loads, a cord and a phase for every power supply, and the power train above them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lindos.plan.flow import carry
from lindos.plan.train import Machines, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lindos.plan.facts import DeviceFacts
    from lindos.plan.parts import OpticFacts
    from lindos.spec.model import Spec

PHASES = 3
SINGLE_PHASE_A = 32
"""Amps of the largest single-phase coupler in use (IEC 60309); a supply that draws more has all three phases."""


@dataclass(frozen=True, slots=True)
class Power:
    nodes: pl.DataFrame
    edges: pl.DataFrame
    loads: pl.DataFrame
    connections: pl.DataFrame


def loads(
    devices: pl.DataFrame, products: Sequence[DeviceFacts], modules: pl.DataFrame, optics: Sequence[OpticFacts]
) -> pl.DataFrame:
    """Devices with the facts of their products, and the modules in their cages -> watts of each device.

    A maximum covers a switch with every cage full; its typical figure is without optics, so those in use are added.
    A node's figures cover its NICs. What has no power supply hangs on the busbar of its rack, as do power shelves.
    """
    facts = pl.DataFrame(
        [
            (
                p.product,
                p.nameplate_w,
                p.typical_w,
                p.liquid_share,
                p.psus,
                p.psu_rating_w,
                p.psus_needed,
                p.throttle_lost,
                p.throttle_pct,
            )
            for p in {p.product: p for p in products}.values()
        ],
        schema={
            "product": pl.String,
            "nameplate_w": pl.Int64,
            "typical_w": pl.Int64,
            "liquid_share": pl.Float64,
            "psus": pl.Int64,
            "psu_rating_w": pl.Int64,
            "psus_needed": pl.Int64,
            "throttle_lost": pl.Int64,
            "throttle_pct": pl.Int64,
        },
        orient="row",
    )
    watts = {o.part: o.power_w for o in optics}
    drawn = modules.group_by("device").agg(
        optics_w=pl.col("part").replace_strict(watts, return_dtype=pl.Float64).sum().round()
    )
    out = devices.select("device", "kind", "product", "rack").join(
        facts, on="product", how="left", maintain_order="left"
    )
    out = out.join(drawn, on="device", how="left", maintain_order="left")
    extra = pl.when(pl.col("kind") == "switch").then(pl.col("optics_w").fill_null(0)).otherwise(0).cast(pl.Int64)
    out = out.with_columns((pl.col("typical_w") + extra).clip(upper_bound=pl.col("nameplate_w")))
    return out.select(
        "device",
        "nameplate_w",
        "typical_w",
        (pl.col("nameplate_w") * pl.col("liquid_share")).round().cast(pl.Int64).alias("liquid_w"),
        (pl.col("typical_w") * pl.col("liquid_share")).round().cast(pl.Int64).alias("liquid_typical_w"),
        "psus",
        "psu_rating_w",
        "psus_needed",
        "throttle_lost",
        "throttle_pct",
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
        "kind",
        "u",
        "slot",
        turn=pl.col("psu") // len(feeds) // per_feed,
    )


def _phases(cords: pl.DataFrame) -> pl.DataFrame:
    """Cords of a site with their watts (`cord_w`) -> with `phase` of their outlet, 1 to 3, null where it has all three.

    In a network rack slots take the phases in turn, so that a switch that comes later moves none. In any other, what
    stands in it from the first day comes first, then node by node, so that a node that comes later moves none: each
    onto the phase of its PDU that carries least. Racks begin with each phase in turn, so that what is left over evens
    out along the busway.
    """
    later = pl.col("kind").is_in(["node", "nvswitch", "shelf"])
    frame = cords.with_row_index("at").sort("pdu", later, "u", "device", "psu")
    frame = frame.with_columns(
        nth=pl.int_range(pl.len()).over("pdu"), group=pl.col("pdu").rle_id().cast(pl.Int64),
        first=pl.col("rack").str.extract(r"(\d+)$").cast(pl.Int64).fill_null(0) % PHASES,
    )  # fmt: skip
    group, watts, first, nth, whole = (frame[c].to_numpy() for c in ("group", "cord_w", "first", "nth", "three_phase"))
    carried = np.zeros((int(group.max(initial=-1)) + 1, PHASES))
    phase = np.zeros(len(frame), dtype=np.int64)
    order = np.argsort(nth, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(nth[order])) + 1):
        turned = (np.arange(PHASES)[None, :] + first[mine][:, None]) % PHASES
        least = np.argmin(np.take_along_axis(carried[group[mine]], turned, axis=1), axis=1)
        phase[mine] = turned[np.arange(len(mine)), least]
        carried[group[mine], phase[mine]] += np.where(whole[mine], 0, watts[mine])
    by_slot = (pl.col("slot") + pl.col("turn")) % PHASES
    one = pl.coalesce(by_slot, pl.Series(phase)) + 1
    return frame.with_columns(phase=pl.when(~pl.col("three_phase")).then(one)).sort("at")


def hung(nodes: pl.DataFrame, cords: pl.DataFrame, plants: pl.DataFrame) -> pl.DataFrame:
    """Parts of the train, cords with their watts (pdu, nameplate_w, typical_w) and loads of the plants -> what hangs on
    each rack PDU and each motor control centre: power_node, nameplate_w, typical_w.

    The centres of a plant share its machines evenly.
    """
    columns = ["nameplate_w", "typical_w"]
    racks = cords.group_by(power_node="pdu", maintain_order=True).agg(pl.col(columns).sum().cast(pl.Float64))
    centres = nodes.filter(pl.col("kind") == "motor_control").select(
        "power_node", plant=pl.col("power_node").str.replace(r"-mcc\d+$", "")
    )
    drawn = plants.group_by("plant", maintain_order=True).agg(pl.col(columns).sum().cast(pl.Float64))
    motors = centres.join(drawn, on="plant", how="left", maintain_order="left")
    motors = motors.with_columns(pl.col(columns) / pl.len().over("plant"))
    return pl.concat([racks, motors.select("power_node", *columns)])


def feed(spec: Spec, devices: pl.DataFrame, racks: pl.DataFrame, watts: pl.DataFrame, plants: pl.DataFrame) -> Power:
    """Spec, placed devices and racks, loads of devices and of the cooling plants -> Power: the train, what each part of
    it carries, and the cords.
    """
    power = spec.power
    cords = _cords(devices, watts, power.feeds, power.chain.rack_pdu.per_feed)
    draws = banks(watts).join(watts.select("device", "psus", "psus_needed", "psu_rating_w"), on="device")
    cords = cords.join(draws, on="device", how="left", maintain_order="left")
    single_w = power.chain.rack_pdu.volts / sqrt(3) * SINGLE_PHASE_A
    most = pl.coalesce("psu_rating_w", pl.col("bank_nameplate_w") / pl.coalesce("psus_needed", "psus"))
    cords = cords.with_columns(
        cord_w=pl.col("bank_nameplate_w") / pl.len().over("bank"),
        typical_w=pl.col("bank_typical_w") / pl.len().over("bank"),
        three_phase=most > single_w,
    )
    spare = pl.col("count").cast(pl.Int64) - pl.col("needed").cast(pl.Int64)
    count = pl.col("count").cast(pl.Int64)
    centres = pl.when(spare > 0).then((count + spare - 1) // spare.clip(1)).otherwise(1)
    drawn = plants.group_by("plant", maintain_order=True).agg(pl.col("nameplate_w").sum(), centres.max())
    machines = {plant: Machines(watts, most) for plant, watts, most in drawn.iter_rows()}
    nodes, edges = train(spec, racks, cords, machines)
    shares = cords.select("pdu", "typical_w", nameplate_w="cord_w")
    carried = carry(nodes, edges, hung(nodes, shares, plants), ["nameplate_w", "typical_w"])
    plugged = _phases(cords).select("device", "psu", "pdu", "feed", "phase", "slice")
    return Power(nodes=nodes, edges=edges, loads=carried, connections=plugged)
