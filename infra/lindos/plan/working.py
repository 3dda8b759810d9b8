"""A schedule and a day -> the working of its figures: the top-down estimate, the tree, and what makes the difference
between the two, line by line, in whole watts that add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.draw import FIXED, groups
from lindos.plan.supply import available_mw, exact, gpus_by_planning

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

    from lindos.plan.energise import Running
    from lindos.plan.schedule import Schedule

CASES = (("nameplate", "nameplate", False), ("measured", "measured", False), ("firm", "nameplate", True))
"""What people ask for: name, load, firm power alone."""
FIXED_PARTS = {"core": "cores", "frontend": "front end", "storage": "storage", "oob": "management network",
               "services": "services"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One answer: megawatts at hand, GPUs, whole units and their GPUs, and what keeps more of them off."""

    case: str
    mw: Fraction
    gpus: int
    units: int
    whole_gpus: int
    limit: str


def _limit(on: Running) -> str:
    return f"{on.refused.what} of {on.refused.part}" if on.refused else ""


def by_tree(made: Schedule, day: date) -> list[Figure]:
    """A schedule and a day -> what could be on by the tree if all units were ready, case by case."""
    out = []
    for case, load, firm in CASES:
        asked = made.held_to(replace(made.variant, basis="tree", load=load, firm=firm))
        on, gpus = asked.possible(day)
        out.append(Figure(case, asked.given_mw(day), gpus, len(on.units), made.gpus(on), _limit(on)))
    return out


def by_planning(made: Schedule, day: date) -> list[Figure]:
    """A schedule and a day -> what the top-down estimate says, case by case; whole units in order of arrival."""
    planning, out = made.spec.planning, []
    for case, load, firm in CASES if planning else ():
        assert planning is not None
        mw = available_mw(made.supplies(day), firm=firm)
        gpus = gpus_by_planning(planning, mw * (1 - exact(made.spec.schedule.reserve)), measured=load == "measured")
        if gpus is not None:
            units = whole = 0
            for n in made.gpus_of.values():
                if whole + n > gpus:
                    break
                units, whole = units + 1, whole + n
            out.append(Figure(case, mw, gpus, units, whole, ""))
    return out


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the comparison; of `planning_w` there is only what the estimate tells apart."""

    what: str
    planning_w: int | None
    tree_w: int


def compare(made: Schedule, day: date, load: str, on: Running) -> list[Line]:
    """A schedule, a day, a load and what is on -> what the same GPUs draw by planning and by the tree.

    Lines that planning does not tell apart are summed before they are compared; the last line is the sum of all.
    """
    tree = made.held_to(replace(made.variant, basis="tree", load=load))
    column, cap = tree.column, tree.cap(day)
    cap_w = cap.w if cap else None
    with_it = {FIXED, *on.units, *(made.pod_of[u] for u in on.units)}
    frame = made.tables.devices.select("device", "kind", "slice").join(groups(made.tables), on="device")
    frame = frame.filter(pl.col("group").is_in(list(with_it))).join(tree.loads(cap_w), on="device")
    frame = frame.with_columns(what=_what(made))
    drawn: dict[str, int] = dict(frame.group_by("what", maintain_order=True).agg(pl.col(column).sum()).iter_rows())
    site_w = tree.limits(day).load_w(on.units, made.pod_of)[0 if column == "nameplate_w" else 1]
    plant_w = round(
        tree.draws.of_plants(tree.loads(cap_w), cap_w).filter(pl.col("group").is_in(list(with_it)))[column].sum()
    )
    it_w, nodes = sum(drawn.values()), drawn.pop("GPU nodes", 0)
    planning, gpus = made.spec.planning, made.gpus(on)
    kw = (planning.kw_per_gpu if load == "nameplate" else planning.measured_kw_per_gpu) if planning else None
    estimate = None if kw is None or planning is None else (
        round(gpus * exact(kw) * 1000), round(gpus * exact(kw) * (exact(planning.pue) - 1) * 1000)
    )  # fmt: skip
    return [
        Line("GPU nodes", nodes if estimate else None, nodes),
        Line("network, storage and services", estimate[0] - nodes if estimate else None, it_w - nodes),
        *(Line(f"  {what}", None, watts) for what, watts in drawn.items()),
        Line("losses and cooling plant", estimate[1] if estimate else None, site_w - it_w),
        Line("  losses of the power train", None, site_w - it_w - plant_w),
        Line("  cooling plant", None, plant_w),
        Line("at the meter", sum(estimate) if estimate else None, site_w),
    ]


def _what(made: Schedule) -> pl.Expr:
    """What a device is counted under."""
    units = made.tables.units["unit"].implode()
    node, rest = pl.lit("GPU nodes"), pl.lit("leaves, CDUs and the rest of the units")
    in_unit = pl.when(pl.col("kind").cast(pl.String) == "node").then(node).otherwise(rest)
    head = pl.col("slice").str.split("-").list.first()
    fixed = head.replace_strict(FIXED_PARTS, default=FIXED_PARTS["core"], return_dtype=pl.String)
    pods = pl.lit("spines and management of the pods")
    return (
        pl.when(pl.col("group").is_in(units)).then(in_unit).when(pl.col("group") == FIXED).then(fixed).otherwise(pods)
    )
