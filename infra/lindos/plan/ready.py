"""The schedule section -> the day from which each unit can be energised, and the days on which anything changes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lindos.plan.draw import Tables
    from lindos.spec.model import Spec
    from lindos.spec.schedule import Ready

FIRST = date.min
"""Stands for the time before any day that a site file names."""


def ready_days(spec: Spec, tables: Tables) -> dict[str, date]:
    """Units in order of arrival -> the first day on which racks, cables and cooling of each are ready.

    A unit waits for every entry that speaks of its fleet or of a hall where it has a rack. With `units_per_week`, the
    units of an entry follow each other in order of arrival.
    """
    days = dict.fromkeys(tables.units["unit"], FIRST)
    standing = tables.racks.drop_nulls("unit").select("unit", "hall").unique()
    for said in spec.schedule.ready:
        mine = tables.units.filter(pl.col("fleet") == said.fleet) if said.fleet else tables.units
        if said.hall:
            mine = mine.join(standing.filter(pl.col("hall") == said.hall), on="unit", how="semi", maintain_order="left")
        for i, unit in enumerate(mine["unit"]):
            days[unit] = max(days[unit], _from(said, i))
    return days


def _from(said: Ready, number: int) -> date:
    """An entry and the number of a unit in it, from 0 -> the day on which it is ready."""
    start = said.racks_from or FIRST
    if said.units_per_week and said.racks_from:
        start += timedelta(days=int(number * 7 / said.units_per_week))
    return max(start, said.cables_from or FIRST, said.cooling_from or FIRST)


def days_of_change(spec: Spec, ready: Iterable[date]) -> list[date]:
    """The site file -> every day on which something begins or ends, in order; first the time before all of them."""
    power, schedule = spec.power, spec.schedule
    spans = [(s.start, s.until) for s in power.sources] + [(c.start, c.until) for c in schedule.caps]
    days = {FIRST, *ready}
    days |= {d for span in spans for d in span if d}
    days |= {p.start for p in power.upstream if p.start}
    return sorted(days)
