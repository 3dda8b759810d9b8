"""Spec and the tables of a plan -> how the site is energised: the waves, and what each day of change allows.

The limits of a day are those of the power train (nameplate against what each part carries), of the sources that
deliver on it (firm or nameplate; the load as it is said), of the cooling, and of the step that a unit is. How many of
the units that are on may train together is a limit of its own (plan/swing.py). All parts that stand are alive: what the
loss of one does is for the design rules to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lindos.errors import Problem, SpecError
from lindos.plan.draw import COLUMNS, UPSTREAM, Draws, Tables, capped
from lindos.plan.energise import Limits, Running, Wave, energise, running
from lindos.plan.ready import FIRST, days_of_change, ready_days
from lindos.plan.supply import MEGA, Supply, available_mw, exact, lives, supplies
from lindos.plan.swing import GpuWatts, gpu_watts
from lindos.plan.train import machines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from fractions import Fraction

    from lindos.catalogue import Catalogue
    from lindos.plan.tables import Plan
    from lindos.spec.model import Spec
    from lindos.spec.schedule import Cap


@dataclass(frozen=True, slots=True)
class Variant:
    """What a schedule is held to: tree or planning, nameplate or measured load, firm power or all of it."""

    basis: str
    load: str
    firm: bool

    def __str__(self) -> str:
        power = "firm power" if self.firm else "nameplate power"
        return f"{self.basis}, load {self.load if self.load == 'nameplate' else 'as measured'}, {power}"


class Schedule:
    """How a site is energised, held to `variant`; other questions of the same site share what is computed once."""

    def __init__(self, spec: Spec, tables: Tables, gpu_w: Mapping[str, GpuWatts], variant: Variant) -> None:
        if variant.basis == "planning" and (
            spec.planning is None or (variant.load == "measured" and spec.planning.measured_kw_per_gpu is None)
        ):
            raise SpecError(
                Problem(
                    f"a schedule by {variant.basis} ({variant.load}) needs the figures of it",
                    hint="planning: {kw_per_gpu: ..., measured_kw_per_gpu: ..., pue: ...} in the site file",
                )
            )
        self.spec, self.tables, self.gpu_w, self.variant = spec, tables, gpu_w, variant
        self.pod_of: dict[str, str] = dict(tables.units.select("unit", "pod").iter_rows())
        self.gpus_of: dict[str, int] = dict(tables.units.select("unit", "gpus").iter_rows())
        self._limits: dict[object, Limits] = {}

    def held_to(self, variant: Variant) -> Schedule:
        """The same site, held to something else."""
        if variant == self.variant:
            return self
        other = Schedule(self.spec, self.tables, self.gpu_w, variant)
        other.__dict__["draws"] = self.draws
        return other

    @cached_property
    def draws(self) -> Draws:
        return Draws(self.tables)

    @property
    def column(self) -> str:
        """The column of a load that sources are held to."""
        return "nameplate_w" if self.variant.load == "nameplate" else "typical_w"

    def loads(self, cap_w: int | None) -> pl.DataFrame:
        """Loads of devices under a power cap."""
        return capped(self.tables, {p: (g.count, g.tdp_w or 0.0) for p, g in self.gpu_w.items()}, cap_w)

    @cached_property
    def ready(self) -> dict[str, date]:
        """Units in order of arrival with the day from which each is ready."""
        return ready_days(self.spec, self.tables)

    @cached_property
    def days(self) -> list[date]:
        """Days on which anything changes; FIRST is the time before all of them, where something delivers by then."""
        days = days_of_change(self.spec, self.ready.values())
        return days if supplies(self.spec.power, FIRST) else days[1:]

    @cached_property
    def _run(self) -> tuple[list[Wave], dict[date, Running]]:
        said = self.spec.schedule
        hold = sum(g.days for g in said.gates)
        return energise(self.days, self.limits, self.ready, self.pod_of, hold, said.units_per_wave)

    @property
    def waves(self) -> list[Wave]:
        """The waves in order of day."""
        return self._run[0]

    def on(self, day: date) -> Running | None:
        """What is on at the end of a day; None before the first."""
        past = [d for d in self._run[1] if d <= day]
        return self._run[1][max(past)] if past else None

    def gpus(self, on: Running | None) -> int:
        """What is on -> its GPUs."""
        return sum(self.gpus_of[u] for u in on.units) if on else 0

    def supplies(self, day: date) -> tuple[Supply, ...]:
        return supplies(self.spec.power, day)

    def given_mw(self, day: date) -> Fraction:
        """What the sources give on a day by this variant, without the reserve."""
        return available_mw(self.supplies(day), firm=self.variant.firm)

    def cap(self, day: date) -> Cap | None:
        """The power cap of a day: the lowest of those in force."""
        return min(
            (c for c in self.spec.schedule.caps if lives(c.start, c.until, day)), key=lambda c: c.w, default=None
        )

    def possible(self, day: date) -> tuple[Running, int]:
        """A day -> the units that could be on if all were ready, and the GPUs: theirs, and as many of the next unit as
        the same limits allow.
        """
        limits = self.limits(day)
        on, _ = running(limits, self.pod_of, (), self.pod_of)
        gpus, nxt = self.gpus(on), next((u for u in self.pod_of if u not in set(on.units)), None)
        if nxt in limits.at and on.units and nxt not in limits.dark:
            assert nxt is not None
            at = limits.at[nxt]
            room = limits.may_w[at] - on.load_w[at]
            for pod in on.groups_of(nxt)[1:]:
                room -= np.array(
                    [dict(zip(limits.at.get(pod, ()), limits.watts.get(pod, ()), strict=True)).get(i, 0.0) for i in at]
                )
            share = float(np.min(room / np.maximum(limits.watts[nxt], 1e-9)))
            gpus += int(min(1.0, max(0.0, share)) * self.gpus_of[nxt])
        return on, gpus

    def limits(self, day: date) -> Limits:
        """The limits of a day; days on which nothing of them differs share one."""
        given, cap = self.supplies(day), self.cap(day)
        dead = tuple(p.name for p in self.spec.power.upstream if not lives(p.start, None, day))
        key = (given, cap.w if cap else None, dead)
        if key not in self._limits:
            make = self._by_planning if self.variant.basis == "planning" else self._by_tree
            self._limits[key] = make(given, cap.w if cap else None, dead)
        return self._limits[key]

    def _share(self) -> Fraction:
        return 1 - exact(self.spec.schedule.reserve)

    def _by_planning(self, given: tuple[Supply, ...], _cap: int | None, _dead: tuple[str, ...]) -> Limits:
        """Top-down: every GPU draws the same, and nothing else does; a cap has no effect on a figure per GPU."""
        planning, firm = self.spec.planning, self.variant.firm
        assert planning is not None
        kw = planning.kw_per_gpu if self.variant.load == "nameplate" else planning.measured_kw_per_gpu
        each, other = (float(exact(k or planning.kw_per_gpu) * exact(planning.pue) * 1000)
                       for k in (planning.kw_per_gpu, planning.measured_kw_per_gpu))  # fmt: skip
        mine = each if kw == planning.kw_per_gpu else other
        watts = {u: n * mine for u, n in self.gpus_of.items()}
        return Limits(
            parts=(_names(given),), what=(_power(self.variant),),
            may_w=np.array([float(available_mw(given, firm=firm) * self._share() * MEGA)]),
            at=dict.fromkeys(watts, np.zeros(1, dtype=np.int64)), watts={u: np.array([w]) for u, w in watts.items()},
            common=(True,), dark=frozenset(), site_w=watts,
            both_w={u: (n * each, n * other) for u, n in self.gpus_of.items()}, step_w=self._step_w(given),
        )  # fmt: skip

    def _step_w(self, given: tuple[Supply, ...]) -> float:
        return float(sum(s.step_mw(firm=self.variant.firm) for s in given) * MEGA)

    def _by_tree(self, given: tuple[Supply, ...], cap_w: int | None, dead: tuple[str, ...]) -> Limits:
        firm = self.variant.firm
        several = machines(self.spec.power)
        gives = {s.name: float(s.given_mw(firm=firm)) * MEGA for s in given}
        each_w = {m: gives.get(name, 0.0) / len(some) for name, some in several.items() for m in some}
        off = [m for m, w in each_w.items() if w == 0]
        standing = self.tables.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(UPSTREAM))["power_node"]
        off += standing.filter(standing.str.replace(r"-tr\d+$", "").is_in(dead)).to_list()
        loads = self.loads(cap_w)
        inside, outside, dark = self.draws.of_train(loads, cap_w, off, each_w)
        of = {m: name for name, some in several.items() for m in some}
        taken = outside.filter(pl.col("part").is_in(list(of))).with_columns(pl.col("part").replace(of))
        site = taken.group_by("group").agg(pl.col(COLUMNS).sum()).sort("group")
        taken = taken.group_by("group", "part").agg(w=pl.col(self.column).sum())
        upstream = outside.filter(~pl.col("part").is_in(list(of)))
        train = pl.concat([inside, upstream]).select("group", "part", w="nameplate_w")
        rows = pl.concat([taken, train, self.draws.of_cooling(loads, cap_w).select("group", "part", w="heat_w")])
        return self._assemble(rows, self._parts(given, gives), frozenset(dark), site, self._step_w(given))

    def _parts(self, given: tuple[Supply, ...], gives: dict[str, float]) -> pl.DataFrame:
        """Every part that can limit: part, what, may_w, and whether all units have it in common."""
        share, all_of_them = float(self._share()), pl.lit(value=True)
        own = [(s.name, _power(self.variant), gives[s.name] * share) for s in given]
        schema = {"part": pl.String, "what": pl.String, "may_w": pl.Float64}
        nodes = self.tables.power_nodes.select(
            part="power_node", what=pl.col("kind").cast(pl.String).str.replace_all("_", " "),
            may_w=pl.col("capacity_w").cast(pl.Float64), common=pl.lit(value=False),
        )  # fmt: skip
        cooling = self.tables.cooling_nodes.drop_nulls("capacity_w").select(
            part="cooling_node", what=pl.col("kind").cast(pl.String).str.replace_all("_", " "),
            may_w=pl.col("capacity_w").cast(pl.Float64), common=pl.lit(value=False),
        )  # fmt: skip
        sources = pl.DataFrame(own, schema=schema, orient="row").with_columns(common=all_of_them)
        return pl.concat([sources, nodes.join(sources, on="part", how="anti"), cooling])

    def _assemble(
        self, rows: pl.DataFrame, facts: pl.DataFrame, dark: frozenset[str], site: pl.DataFrame, step_w: float
    ) -> Limits:
        # What carries all groups together limits nothing.
        sums = rows.group_by("part").agg(total=pl.col("w").sum())
        facts = facts.join(sums, on="part", how="inner", maintain_order="left").filter(
            pl.col("total") > pl.col("may_w")
        )
        facts = facts.with_row_index("at")
        rows = rows.join(facts.select("part", "at"), on="part").sort("group", "at")
        counts = rows.group_by("group", maintain_order=True).len()
        ends = np.cumsum(counts["len"].to_numpy())[:-1]
        places, drawn = (np.split(rows[c].to_numpy(), ends) for c in ("at", "w"))
        at, watts = (dict(zip(counts["group"], some, strict=False)) for some in (places, drawn))  # none: one empty
        column = 0 if self.variant.load == "nameplate" else 1
        both = {g: (n, t) for g, n, t in site.iter_rows()}
        return Limits(
            parts=tuple(facts["part"]), what=tuple(facts["what"]), common=tuple(facts["common"]),
            may_w=facts["may_w"].to_numpy(), at=at, watts=watts, dark=dark,
            site_w={g: w[column] for g, w in both.items()}, both_w=both, step_w=step_w,
        )  # fmt: skip


def _names(given: tuple[Supply, ...]) -> str:
    return ", ".join(s.name for s in given if s.makes) or "no source"


def _power(variant: Variant) -> str:
    return "firm power" if variant.firm else "nameplate power"


def tables_of(made: Plan | Mapping[str, pl.DataFrame]) -> Tables:
    """A plan, or its tables by name -> those that a schedule follows from."""
    names = Tables.__dataclass_fields__
    get = made.__getitem__ if isinstance(made, dict) else lambda name: getattr(made, name)
    return Tables(**{name: pl.DataFrame(get(name)) for name in names})


def schedule(
    spec: Spec, made: Plan | Mapping[str, pl.DataFrame], catalogue: Catalogue, variant: Variant | None = None
) -> Schedule:
    """Spec, a plan and the catalogue -> its schedule, held to what the site file says or to another variant."""
    said = spec.schedule
    return Schedule(
        spec, tables_of(made), gpu_watts(spec, catalogue), variant or Variant(said.basis, said.load, said.firm)
    )


WAVE = {
    "wave": pl.String, "date": pl.Date, "kind": pl.String, "units": pl.Int64, "members": pl.String, "gpus": pl.Int64,
    "units_on": pl.Int64, "gpus_on": pl.Int64, "before_nameplate_w": pl.Int64, "before_typical_w": pl.Int64,
    "after_nameplate_w": pl.Int64, "after_typical_w": pl.Int64, "given_w": pl.Int64, "reserve_w": pl.Int64,
    "step_w": pl.Int64, "step_allowed_w": pl.Int64, "at_once": pl.Int64, "ramp_s": pl.Int64, "hold_until": pl.Date,
    "limit": pl.String, "basis": pl.String,
}  # fmt: skip


def _runs(units: tuple[str, ...], order: dict[str, int]) -> str:
    """Units -> their names, neighbours in order of arrival as a range: a0001..a0017, a0020."""
    out: list[list[str]] = []
    for unit in sorted(units, key=order.__getitem__):
        if out and order[unit] == order[out[-1][-1]] + 1:
            out[-1] = [out[-1][0], unit]
        else:
            out.append([unit])
    return ", ".join("..".join(run) for run in out)


def waves(made: Schedule) -> pl.DataFrame:
    """A schedule -> its waves, a row each. A wave is named by the first of its units, and by how often that came on."""
    order = {u: i for i, u in enumerate(made.pod_of)}
    seen: dict[tuple[str, str], int] = {}
    rows = []
    for wave in made.waves:
        first = min(wave.units, key=order.__getitem__)
        times = seen[wave.kind, first] = seen.get((wave.kind, first), 0) + 1
        limits, given = wave.running.limits, made.given_mw(wave.day)
        loads = [limits.load_w(units, made.pod_of) for units in (wave.before, wave.after)]
        column = 0 if made.variant.load == "nameplate" else 1
        step = max(limits.site_w.get(u, 0.0) for u in wave.units)
        allowed = limits.step_w or 0.0
        ramps = [s.ramp_mw_per_min for s in made.supplies(wave.day) if s.makes]
        ramp = sum(r for r in ramps if r is not None) if ramps and None not in ramps else None
        change = abs(loads[1][column] - loads[0][column])
        refused = wave.running.refused
        rows.append(
            (
                f"{wave.kind}-{first}" + (f"-{times}" if times > 1 else ""), _day(wave.day), wave.kind, len(wave.units),
                _runs(wave.units, order), sum(made.gpus_of[u] for u in wave.units), len(wave.after),
                sum(made.gpus_of[u] for u in wave.after), *loads[0], *loads[1], round(given * MEGA),
                round(given * MEGA * exact(made.spec.schedule.reserve)), round(step), round(allowed),
                max(1, int(allowed / step)) if step else len(wave.units),
                ceil(change / float(ramp * MEGA) * 60) if ramp else None, _day(wave.hold_until),
                f"{refused.what} of {refused.part}" if refused else "", str(made.variant),
            )
        )  # fmt: skip
    return pl.DataFrame(rows, schema=WAVE, orient="row")


def _day(day: date) -> date | None:
    return None if day == FIRST else day
