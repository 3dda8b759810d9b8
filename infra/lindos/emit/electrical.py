"""Plan -> the electrician's schedules, as CSV: breakers with what they carry, rack PDUs with what hangs on a phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.emit.schedules import stamped
from lindos.plan.feed import PHASES, banks
from lindos.plan.outage import Train
from lindos.plan.train import CONTINUOUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

RATED = ("ring", "busway", "tap")
"""Parts whose breaker carries 80 % of its amps continuously; the others' stand for all of what the part delivers."""
BREAKERS = ("ring", "transformer", "ups", "motor_control", "busway", "tap")
"""Parts with a breaker of their own: where a ring begins, behind a transformer or a UPS, at a busway, in a tap box."""


def _kw(column: str) -> pl.Expr:
    return (pl.col(column) / 1000).round(1)


def breakers(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """breakers.csv: every breaker, what it feeds, its amps, what it may carry, carries, and carries at worst when
    another part is lost (`worst_kw`, `when_lost`: none where that is when all is well).
    """
    train = Train(plan.power_nodes, plan.power_edges, plan.power_connections, plan.loads)
    worst = train.worst(plan.power_loads.select("power_node", "nameplate_w"), "nameplate_w")
    worst = worst.sort("load_w", "lost", descending=True, nulls_last=True).unique("power_node", keep="first")
    feeds = plan.power_edges.sort("parent", "child").group_by(power_node="parent").agg(
        feeds=pl.col("child").str.join(" ")
    )  # fmt: skip
    kind = pl.col("kind").cast(pl.String)
    frame = plan.power_nodes.filter(kind.is_in(BREAKERS)).with_columns(kind)
    for more in (plan.power_loads, worst.select("power_node", "lost", "load_w"), feeds):
        frame = frame.join(more, on="power_node", how="left", maintain_order="left")
    whole = pl.when(kind.is_in(RATED)).then(CONTINUOUS).otherwise(1.0)
    frame = frame.select(
        breaker="power_node", kind="kind", hall="hall", feed="feed", feeds="feeds", volts="volts",
        amps=(pl.col("capacity_w") / (pl.col("volts") * whole * 3**0.5)).round(0).cast(pl.Int64),
        continuous_kw=_kw("capacity_w"), nameplate_kw=_kw("nameplate_w"), typical_kw=_kw("typical_w"),
        worst_kw=_kw("load_w"), when_lost="lost",
        reserve_kw=((pl.col("capacity_w") - pl.col("load_w")) / 1000).round(1),
    )  # fmt: skip
    yield Artefact("breakers.csv", frame.write_csv().encode())


def pdus(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """pdus.csv: every cord by PDU and phase (none: all three), its kW, and of the PDU what each phase carries and by
    how much the fullest is above their mean.
    """
    cords = plan.power_connections.join(banks(plan.loads), on="device", how="left", maintain_order="left")
    cords = cords.with_columns(w=pl.col("bank_nameplate_w") / pl.len().over("bank"))
    whole = pl.when(pl.col("phase").is_null()).then(pl.col("w") / PHASES).otherwise(0.0)
    each = [
        (pl.when(pl.col("phase") == n).then(pl.col("w")).otherwise(whole)).sum().over("pdu").alias(f"phase{n}_w")
        for n in range(1, PHASES + 1)
    ]
    names = [f"phase{n}_w" for n in range(1, PHASES + 1)]
    frame = cords.with_columns(each).with_columns(mean=pl.sum_horizontal(names) / PHASES, high=pl.max_horizontal(names))
    places = plan.power_nodes.select("volts", "rack", "hall", pdu="power_node")
    frame = stamped(plan, frame.join(places, on="pdu", how="left", maintain_order="left"))
    frame = frame.sort("pdu", "phase", "device", "psu").select(
        "pdu", "hall", "rack", "feed", "volts", "phase", "device", "psu", (pl.col("w") / 1000).round(3).alias("kw"),
        *((pl.col(n) / 1000).round(3).alias(n.replace("_w", "_kw")) for n in names),
        ((pl.col("high") / pl.col("mean") - 1) * 100).fill_nan(0.0).round(1).alias("imbalance_pct"), "slice",
        "slice_digest",
    )  # fmt: skip
    yield Artefact("pdus.csv", frame.write_csv().encode())
