"""Rules of the load that falls and rises with the phases of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, cases, not_evaluated, one
from lindos.finding import Severity
from lindos.plan.ready import FIRST
from lindos.plan.schedule import schedule
from lindos.plan.swing import swing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View


def sources_take_the_swing_of_training(view: View) -> Iterator[Broken]:
    """On every day on which power or units change, sources take the swing of all units that are on, in one job.

    GPUs of a job fall and rise together, within a second: an engine takes 10 to 25 % of its rating at once, a battery
    all it has, a utility what it gives unless the site file states a step or a ramp. GPUs whose swing nobody knows are
    not evaluated.
    Source: engines by practice of the trade; arXiv 2508.14318 on swings of training and what keeps them small.
    What to do: batteries, a power floor where the GPUs offer one (schedule: power_floor), or smaller jobs until then.
    """
    if view.spec is None:
        missing = one(view.plan.site, "sources and their steps stand in the site file, which is not at hand")
        yield not_evaluated("sites", missing, "check by the site file")
        return
    made = schedule(view.spec, view.plan, view.catalogue)
    rows: list[tuple[str, str]] = []
    unknown: set[str] = set()
    for day in made.days:
        on = made.on(day)
        said = swing(made, day, on.units if on else ())
        unknown |= set(said.missing)
        if said.holds and said.swing_w is not None and said.best_w is not None:
            best = "" if said.best_w == said.swing_w else f" ({said.best_w / 1e6:,.3f} MW with all smoothing on offer)"
            told = f"{said.gpus_on:,} GPUs that train together swing by {said.swing_w / 1e6:,.3f} MW{best}"
            told += f", sources take {said.takes_w / 1e6:,.3f} MW: {said.gpus:,} GPUs may"
            rows.append((view.plan.site, f"{'before' if day == FIRST else day.isoformat()}: {told}"))
    frame = pl.DataFrame(rows, schema={"subject": pl.String, "message": pl.String}, orient="row")
    hint = "a battery among power: sources, schedule: power_floor where the GPUs offer it, or smaller jobs until then"
    yield Broken(Severity.WARNING, "days on which sources do not take the swing",
                 cases(frame, "subject", pl.col("message")), hint)  # fmt: skip
    names = pl.DataFrame({"subject": sorted(unknown)}, schema={"subject": pl.String})
    silent = cases(names, "subject", pl.lit("by how much it swings in training is not known"))
    yield not_evaluated("GPUs without a swing", silent, "assumptions: facts: swing_w of the GPU, with a reason")
