"""Rules of what a load flow shows: voltage drop, currents, short circuits against their breakers. Judged on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, not_evaluated, one
from lindos.plan.train import CONTINUOUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

FEEDER_PCT = 5.0
BRANCH_PCT = 3.0
_TOLERANCE = 1e-6


def _no_facts(view: View) -> Iterator[Broken]:
    """Where the site file is not at hand, nothing is known of impedances and breakers."""
    alone = one(view.plan.site, "impedances and breakers are written in the site file, which is not at hand")
    yield not_evaluated("sites", alone if view.spec is None else alone.clear(), "lindos check SITE --load-flow")


def _when(frame: pl.DataFrame) -> pl.DataFrame:
    """Parts of several load flows -> each part in its worst one (`worst`), with `when` in words."""
    lost = pl.when(pl.col("lost").is_null()).then(pl.lit("when all is well"))
    return (
        frame.sort("worst", "load", "lost", descending=[True, False, False], nulls_last=True)
        .unique("power_node", keep="first", maintain_order=True)
        .with_columns(when=lost.otherwise(pl.format("when {} is lost", "lost")))
    )


def _told(column: str) -> pl.Expr:
    return pl.col(column).round(1).cast(pl.String)


def voltage_stays_within_its_limits(view: View) -> Iterator[Broken]:
    """From board to rack PDU no more than 5 % of the voltage is lost, from tap box to rack PDU no more than 3 %.

    All being well and with each trunk of the hall lost in turn, at nameplate. What transformers and rings lose is
    left out: taps of the transformers make up for it. A power train too weak for its load has no solution at all.
    Source: NEC 210.19 and 215.2, informational notes: 3 % of a branch circuit, 5 % with its feeder.
    What to do: shorter or larger busways and cables, or a transformer nearer to its rows.
    """
    yield from _no_facts(view)
    hint = "power: chain: busway: more amps, rack_pdu: more amps or a shorter cord_m"
    frame = _when(view.flows.with_columns(worst=pl.col("drop_pct")).filter(pl.col("kind") == "tap"))
    over = frame.filter(pl.col("worst") > FEEDER_PCT + _TOLERANCE)
    yield broken(
        "rack PDUs at which too much voltage is lost on the way from the board", over, "power_node",
        pl.format("{} % of the voltage is lost from the board to here {}, {} % may be", _told("worst"), "when",
                  pl.lit(f"{FEEDER_PCT:g}")), hint,
    )  # fmt: skip
    branch = _when(view.flows.with_columns(worst=pl.col("branch_pct")).filter(pl.col("kind") == "tap"))
    over = branch.filter(pl.col("worst") > BRANCH_PCT + _TOLERANCE)
    yield broken(
        "cables from tap box to rack PDU that lose too much voltage", over, "power_node",
        pl.format("{} % of the voltage is lost from tap box to rack PDU {}, {} % may be", _told("worst"), "when",
                  pl.lit(f"{BRANCH_PCT:g}")), "power: chain: rack_pdu: a shorter cord_m, or a thicker cable",
    )  # fmt: skip
    halls = [(h.hall, lost, load) for h in view.halls_flows for lost, load in h.collapsed]
    none = pl.DataFrame(halls, schema={"hall": pl.String, "lost": pl.String, "load": pl.String}, orient="row")
    when = pl.when(pl.col("lost").is_null()).then(pl.lit("when all is well"))
    yield broken(
        "load flows without a solution", none, "hall",
        pl.format("its power train cannot carry its {} load {}: the voltage collapses", "load",
                  when.otherwise(pl.format("when {} is lost", "lost"))),
        "power: chain: larger transformers, busways and cables",
    )  # fmt: skip


def currents_stay_within_ratings(view: View) -> Iterator[Broken]:
    """No transformer and no UPS carries more than its kVA, no ring, busway or tap breaker more than 80 % of its amps.

    In the load flow, with losses, reactive power and the lower voltage, at nameplate, all being well and with each
    trunk of the hall lost in turn.
    Source: NEC 215.3, loads of three hours and more on breakers.
    What to do: larger parts, or fewer racks on them.
    """
    yield from _no_facts(view)
    limit = pl.when(pl.col("kind").is_in(["transformer", "ups"])).then(100.0).otherwise(CONTINUOUS * 100)
    frame = view.flows.with_columns(worst=pl.col("loading_pct") - limit, limit=limit)
    over = _when(frame.filter(pl.col("worst") > _TOLERANCE))
    yield broken(
        "parts that carry more current than they may", over, "power_node",
        pl.format("{} A are {} % of its rating {}, {} % may be", pl.col("amps").round(0).cast(pl.Int64),
                  _told("loading_pct"), "when", pl.col("limit").cast(pl.Int64)),
        "power: chain: more kva of the transformer, more amps of ring, busway or rack_pdu",
    )  # fmt: skip


def breakers_break_the_short_circuit_behind_them(view: View) -> Iterator[Broken]:
    """The three-phase short circuit at a breaker is no larger than what it can break.

    Breakers of rings stand where the ring begins, those of busways in the board, those of rack PDUs in the tap box.
    All sources and all parallel transformers are alive, and a UPS is bypassed. Computed by IEC 60909, largest case;
    what motors add is left out.
    Source: NEC 110.9: interrupting rating; IEC 60909-0.
    What to do: breakers of a higher rating, transformers of a higher impedance or fewer in parallel.
    """
    yield from _no_facts(view)
    chain = view.spec.power.chain if view.spec else None
    known: dict[str, float | None] = {}
    if chain:
        ring, board, tap = chain.ring.breaker_ka, chain.busway.breaker_ka, chain.rack_pdu.breaker_ka
        known = {"ring": ring, "board": board, "tap": tap}
    frame = view.faults.filter(pl.col("kind").is_in(["ring", "board", "tap"])).with_columns(
        breaks=pl.col("kind").replace_strict(known, default=None, return_dtype=pl.Float64)
    )
    yield not_evaluated(
        "sites", one(
            view.plan.site, "what the breakers in the tap boxes break is not known; the short circuit there has up to "
            f"{max(frame.filter(pl.col('kind') == 'tap')['most_ka'], default=0.0):.1f} kA",
        ).filter(pl.lit("tap" in known and known["tap"] is None)),
        "power: chain: rack_pdu: {breaker_ka: ...}",
    )  # fmt: skip
    yield broken(
        "breakers with a short circuit behind them that they cannot break",
        frame.filter(pl.col("most_ka") > pl.col("breaks")), "power_node",
        pl.format("a short circuit here has {} kA, its breaker breaks {} kA", _told("most_ka"), "breaks"),
        "power: chain: a higher breaker_ka, or a transformer of a higher impedance_pct",
    )  # fmt: skip


def short_circuits_trip_their_breakers(view: View) -> Iterator[Broken]:
    """The least three-phase short circuit at the far end of a busway or cable makes its breaker trip at once.

    On the weakest sources, with conductors hot. A fault to earth may have less: how the site is earthed is not known.
    Source: IEC 60364-4-43: what protects a line trips at the least fault at its end; IEC 60909-0.
    What to do: shorter or thicker conductors, or a lower setting of the breaker.
    """
    yield from _no_facts(view)
    chain = view.spec.power.chain if view.spec else None
    trips: dict[str, float] = {}
    if chain:
        busway, tap = chain.busway, chain.rack_pdu
        trips = {"busway": busway.amps * busway.trips_at / 1000, "tap": tap.amps * tap.trips_at / 1000}
    frame = view.faults.with_columns(trips=pl.col("kind").replace_strict(trips, default=None, return_dtype=pl.Float64))
    yield broken(
        "breakers that a short circuit at the far end does not trip",
        frame.filter(pl.col("least_ka") < pl.col("trips")), "power_node",
        pl.format("a short circuit at its far end has {} kA, its breaker trips at {} kA", pl.col("least_ka").round(2),
                  pl.col("trips").round(2)),
        "power: chain: larger conductors, or a lower trips_at",
    )  # fmt: skip
