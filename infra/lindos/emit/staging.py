"""A schedule -> what people read of it: the table of its dates, and the working of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lindos.plan.ready import FIRST
from lindos.plan.supply import available_mw
from lindos.plan.swing import swing
from lindos.plan.working import by_planning, by_tree, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from lindos.plan.schedule import Schedule
    from lindos.plan.supply import Supply
    from lindos.plan.swing import Swing
    from lindos.plan.working import Figure

ALL_ON = "none: every unit is on"
NOT_READY = "units that are not ready yet"


def _date(day: date) -> str:
    return "before" if day == FIRST else day.isoformat()


def _figures(figures: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    return {
        f.case: {"mw": float(f.mw), "gpus": f.gpus, "units": f.units, "whole_unit_gpus": f.whole_gpus}
        | ({"limit": f.limit} if f.limit else {})
        for f in figures
    }


def _limit(made: Schedule, day: date) -> str:
    """What keeps more units off at the end of a day."""
    on = made.on(day)
    if on is None:
        return ""
    if on.refused:
        return f"{on.refused.what} of {on.refused.part}"
    return ALL_ON if len(on.units) == len(made.pod_of) else NOT_READY


def dates(made: Schedule) -> list[date]:
    """The days of a schedule that people want to see: those on which power changes or a wave happens."""
    days = {w.day for w in made.waves}
    given: tuple[Supply, ...] | None = None
    for day in made.days:
        now = made.supplies(day)
        if now != given:
            days.add(day)
        given = now
    return sorted(days)


def _swing(made: Schedule, day: date) -> dict[str, Any]:
    """What the units that are on swing by when they train together; watts that nobody knows are None."""
    on = made.on(day)
    said = swing(made, day, on.units if on else ())
    mw = {"mw_without_smoothing": said.bare_w, "mw": said.swing_w, "mw_with_all_smoothing": said.best_w}
    return {
        "evaluated": not said.missing,
        **{name: None if w is None else w / 1e6 for name, w in mw.items()},
        "mw_sources_take": said.takes_w / 1e6,
        "units_together": said.units,
        "gpus_together": said.gpus,
        "limit": _holds(said),
    }


def _holds(said: Swing) -> str:
    """A swing -> in words whether units have to wait with training together."""
    if said.missing:
        return f"not evaluated: the swing of {', '.join(said.missing)} is not known (swing_w)"
    if said.holds:
        return f"load swing: hold jobs at {said.gpus:,} GPUs until sources take more, or GPUs swing less"
    return "none: all that is on may train together"


def as_dict(made: Schedule, days: Sequence[date]) -> dict[str, Any]:
    """A schedule and days of it -> the same as one JSON object; megawatts, GPUs, units."""
    column = 0 if made.column == "nameplate_w" else 1
    rows = []
    for day in days:
        on, given = made.on(day), made.supplies(day)
        load = made.limits(day).load_w(on.units, made.pod_of)[column] if on and on.units else 0
        rows.append(
            {
                "date": None if day == FIRST else day.isoformat(),
                "sources": [s.name for s in given],
                "mw_nameplate": float(available_mw(given, firm=False)),
                "mw_firm": float(available_mw(given, firm=True)),
                "units": len(on.units) if on else 0,
                "gpus": made.gpus(on),
                "mw_load": load / 1e6,
                "limit": _limit(made, day),
                "planning": _figures(by_planning(made, day)),
                "tree": _figures(by_tree(made, day)),
                "swing": _swing(made, day),
            }
        )
    return {
        "site": made.spec.site,
        "basis": made.variant.basis,
        "load": made.variant.load,
        "firm": made.variant.firm,
        "dates": rows,
        "waves": [
            {"date": None if w.day == FIRST else w.day.isoformat(), "kind": w.kind, "units": list(w.units)}
            for w in made.waves
        ],
    }


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of text -> lines; the first column and the last are set left, numbers between them right."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            c.ljust(w) if i in (0, len(row) - 1) else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def render(made: Schedule, days: Sequence[date]) -> str:
    """A schedule and days of it -> a table for people: what there is, what is on, and what could be on."""
    told = as_dict(made, days)
    rows = [("", "MW", "MW", "units", "GPUs", "MW", "what keeps more off")]
    rows += [("date", "nameplate", "firm", "on", "on", "drawn", "")]
    for day, row in zip(days, told["dates"], strict=True):
        rows.append(
            (
                _date(day), f"{row['mw_nameplate']:,.3f}", f"{row['mw_firm']:,.3f}", f"{row['units']:,}",
                f"{row['gpus']:,}", f"{row['mw_load']:,.3f}", row["limit"],
            )
        )  # fmt: skip
    lines = [f"{made.spec.site}: schedule by {made.variant}", "", *_columns(rows), ""]
    lines += ["GPUs that could be on if every unit were ready (units: whole ones)", ""]
    could: list[tuple[str, ...]] = [("date", "", "nameplate", "units", "measured", "units", "firm", "units", "")]
    for day, row in zip(days, told["dates"], strict=True):
        for basis in ("planning", "tree"):
            cells = [
                f"{row[basis][case][what]:,}" if case in row[basis] else "-"
                for case in ("nameplate", "measured", "firm")
                for what in ("gpus", "units")
            ]
            could.append((_date(day) if basis == "planning" else "", basis, *cells, ""))
    lines += _columns(could)
    lines += ["", "Load swing: what is on, if it trains as one job; a limit of its own beside those above", ""]
    swings: list[tuple[str, ...]] = [
        ("", "MW of", "with", "all smoothing", "MW that", "units", "GPUs", "what keeps more from training together"),
        ("date", "swing", "what is set", "on offer", "sources take", "together", "together", ""),
    ]
    for day, row in zip(days, told["dates"], strict=True):
        said = row["swing"]
        mw = (said["mw_without_smoothing"], said["mw"], said["mw_with_all_smoothing"], said["mw_sources_take"])
        counts = (said["units_together"], said["gpus_together"])
        swings.append(
            (
                _date(day), *("-" if w is None else f"{w:,.3f}" for w in mw),
                *("-" if n is None else f"{n:,}" for n in counts), said["limit"],
            )
        )  # fmt: skip
    lines += _columns(swings)
    if made.spec.planning is None:
        lines += ["", "planning: not in the site file; planning: {kw_per_gpu: ..., pue: ...} gives the estimate"]
    return "\n".join(lines)


def _source(s: Supply) -> str:
    """A source -> the working of what it gives."""
    if not s.makes:
        return f"  {s.name}: {s.kind}, makes no power; takes steps of {float(s.step_mw(firm=False)):,.3f} MW"
    spare = f" - {s.spare} spare" if s.spare else ""
    firm = f"{f'({s.count}{spare})' if spare else s.count} x {float(s.mw):g} MW x {float(s.derate):g}"
    firm += f" x {float(s.heat):.4g} for heat" if s.heat != 1 else ""
    return (
        f"  {s.name}: {s.count} x {float(s.mw):g} MW = {float(s.nameplate_mw):,.3f} MW nameplate; "
        f"firm {firm} = {float(s.firm_mw):,.3f} MW"
    )


def explain(made: Schedule, day: date) -> str:
    """A schedule and a day -> the working of its figures, line by line."""
    given, planning = made.supplies(day), made.spec.planning
    both = [float(available_mw(given, firm=firm)) for firm in (False, True)]
    lines = [f"{made.spec.site} on {_date(day)}: schedule by {made.variant}", "", "sources"]
    lines += [_source(s) for s in given]
    lines += [f"  together {both[0]:,.3f} MW nameplate, {both[1]:,.3f} MW firm", ""]
    if reserve := made.spec.schedule.reserve:
        lines += [f"  of it {reserve:.0%} are kept back", ""]
    lines.append("top down: GPUs = floor(MW / (PUE x kW of IT per GPU))")
    if planning is None:
        lines.append("  not in the site file: planning: {kw_per_gpu: ..., pue: ...}")
    for f in by_planning(made, day):
        assert planning is not None
        kw = planning.measured_kw_per_gpu if f.case == "measured" else planning.kw_per_gpu
        lines.append(
            f"  {f.case:9}  {float(f.mw):,.3f} MW / ({planning.pue:g} x {kw:g} kW) = {f.gpus:,} GPUs, "
            f"{f.units:,} whole units of {f.whole_gpus:,} GPUs"
        )
    lines += ["", "by the tree: every device on the power train, fixed load first, then unit by unit"]
    for f in by_tree(made, day):
        lines.append(
            f"  {f.case:9}  {float(f.mw):,.3f} MW: {f.gpus:,} GPUs, {f.units:,} whole units of {f.whole_gpus:,} GPUs; "
            f"{f'then {f.limit}' if f.limit else ALL_ON}"
        )
    on = made.on(day)
    if on is None:
        return "\n".join(lines)
    load = made.variant.load
    lines += ["", f"the {len(on.units):,} units of {made.gpus(on):,} GPUs that are on, in kW, load {load}", ""]
    rows = [("", "planning", "tree", "difference", "")]
    for line in compare(made, day, load, on):
        estimate = line.planning_w
        more = "" if estimate is None else f"{(line.tree_w - estimate) / 1000:+,.3f}"
        rows.append(
            (line.what, "" if estimate is None else f"{estimate / 1000:,.3f}", f"{line.tree_w / 1000:,.3f}", more, "")
        )
    lines += [f"  {text}" for text in _columns(rows)]
    if cap := made.cap(day):
        slower = "they compute slower by an amount that depends on the work, and is not estimated here"
        lines += ["", f"GPUs are capped at {cap.w} W: a node draws less by what they may not draw; {slower}"]
    return "\n".join(lines)
