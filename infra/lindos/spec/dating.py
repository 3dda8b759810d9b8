"""The days of a site file and what is ready when, against each other, from its plain values."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from lindos.catalogue.nearest import did_you_mean
from lindos.catalogue.wording import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.spec.source import Source, Steps

SPANS = (("power", "sources"), ("schedule", "caps"))
"""Lists of what begins `from` a day and is there `until` another."""


def _at(raw: Any, *steps: str) -> Any:
    for step in steps:
        raw = raw.get(step) if isinstance(raw, dict) else None
    return raw


def _entries(raw: Any, *steps: str) -> Iterator[tuple[Steps, dict[str, Any]]]:
    value = _at(raw, *steps)
    for i, entry in enumerate(value[:512] if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield (*steps, i), entry


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def check_days(source: Source, raw: Any) -> None:
    """Plain values -> days that contradict each other, and what a schedule speaks of that is not there, noted in the
    source.
    """
    for steps in SPANS:
        for path, entry in _entries(raw, *steps):
            start, until = _day(entry.get("from")), _day(entry.get("until"))
            if start and until and until <= start:
                message = f"ends on {until} and begins on {start}: it is never there"
                source.add((*path, "until"), message, "`until` is the first day without it, after `from`")
    known = {
        "fleet": [e["name"] for _, e in _entries(raw, "compute", "fleets") if isinstance(e.get("name"), str)],
        "hall": [e["name"] for _, e in _entries(raw, "halls") if isinstance(e.get("name"), str)],
    }
    for path, entry in _entries(raw, "schedule", "ready"):
        if "fleet" not in entry and "hall" not in entry:
            source.add(path, "whose units are these?", "fleet: NAME, or hall: NAME, or both")
        for key, names in known.items():
            name = entry.get(key)
            if isinstance(name, str) and names and name not in names:
                hint = did_you_mean(name, names, f"the {key}s are: {', '.join(names[:8])}")
                source.add((*path, key), f"there is no {key} '{shorten(name)}'", hint)
        if "units_per_week" in entry and "racks_from" not in entry:
            source.add((*path, "units_per_week"), "units a week, but from when on?", "racks_from: 2024-07-01")
    _by_planning(source, raw)


def _by_planning(source: Source, raw: Any) -> None:
    """A schedule by planning has the figures that it needs."""
    if _at(raw, "schedule", "basis") != "planning":
        return
    planning = _at(raw, "planning")
    if planning is None:
        source.add(("schedule", "basis"), "there is no planning to go by", "planning: {kw_per_gpu: 1.40, pue: 1.2}")
    elif (
        isinstance(planning, dict)
        and _at(raw, "schedule", "load") == "measured"
        and "measured_kw_per_gpu" not in planning
    ):
        source.add(("schedule", "load"), "planning has no measured figure", "planning: measured_kw_per_gpu: 1.155")
