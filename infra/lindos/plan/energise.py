"""Units in order of arrival and what limits them on each day -> waves: which units come on and go off when.

First come, first served: units that are ready are taken in order of arrival until what all have in common, such as the
power of the sources, is used up; one that a part of its own hall keeps off is passed over. Other orders may fit a few
more; this one moves nobody when a date moves. What is on stays on; when power falls, what came on last goes off first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from lindos.plan.draw import FIXED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HALF_A_WATT = 0.5
"""Shares are fractions of a watt; sums of them are compared with this tolerance."""
SAME = 1e-9
"""Parts that are over by the same share, but for rounding, bind together."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What keeps the next unit off: a part, what it would carry and what it may; `common` if all units need it."""

    part: str
    what: str
    would_w: float = 0.0
    may_w: float = 0.0
    common: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """A day: parts with what each may carry, and what each group draws of them.

    `at` and `watts` of a group are the places of its parts and what it draws there. `site_w` is what it draws from all
    sources together, `both_w` the same at nameplate and as measured. `step_w` is what a unit may draw at once, None
    where nothing limits it.
    """

    parts: tuple[str, ...]
    what: tuple[str, ...]
    common: tuple[bool, ...]
    may_w: np.ndarray
    at: dict[str, np.ndarray]
    watts: dict[str, np.ndarray]
    dark: frozenset[str]
    site_w: dict[str, float]
    both_w: dict[str, tuple[float, float]]
    step_w: float | None

    def load_w(self, units: Iterable[str], pod_of: dict[str, str]) -> tuple[int, int]:
        """Units that are on -> what the site draws from its sources, at nameplate and as measured."""
        units = tuple(units)
        groups = [FIXED, *units, *dict.fromkeys(pod_of[u] for u in units)]
        sums = [sum(self.both_w.get(g, (0.0, 0.0))[i] for g in groups) for i in (0, 1)]
        return round(sums[0]), round(sums[1])


@dataclass(slots=True)
class Running:
    """What is on, in the order in which it came on, and what parts carry of it."""

    limits: Limits
    pod_of: dict[str, str]
    units: list[str] = field(default_factory=list)
    pods: dict[str, int] = field(default_factory=dict)
    load_w: np.ndarray = field(default_factory=lambda: np.zeros(0))
    refused: Limit | None = None
    last: Limit = Limit("", "")

    def begin(self) -> bool:
        """Switches on what has to be on first; whether there is power for it."""
        self.load_w = np.zeros(len(self.limits.parts))
        self.refused = self._over(FIXED)
        if self.refused:
            return False
        self._add(FIXED)
        return True

    def groups_of(self, unit: str) -> tuple[str, ...]:
        """What comes on with a unit: itself, and its pod where it is the first of it."""
        pod = self.pod_of[unit]
        return (unit,) if self.pods.get(pod) or pod not in self.limits.site_w else (unit, pod)

    def step_w(self, unit: str) -> float:
        """What the site draws more when this unit comes on."""
        return sum(self.limits.site_w.get(g, 0.0) for g in self.groups_of(unit))

    def take(self, unit: str) -> bool:
        """Switches a unit on if every limit lets it; else what keeps it off is `refused`, the first of a day."""
        groups = self.groups_of(unit)
        over = self._over(*groups)
        if over:
            self.refused, self.last = self.refused or over, over
            return False
        for group in groups:
            self._add(group)
        self.units.append(unit)
        pod = self.pod_of[unit]
        self.pods[pod] = self.pods.get(pod, 0) + 1
        return True

    def _add(self, group: str) -> None:
        if group in self.limits.at:
            self.load_w[self.limits.at[group]] += self.limits.watts[group]

    def _over(self, *groups: str) -> Limit | None:
        """Groups that would come on together -> the limit that they would break by most, if any."""
        limits = self.limits
        for group in groups:
            if group in limits.dark:
                return Limit(group, "no way to a source: too few of its power supplies would be fed")
        step = sum(limits.site_w.get(g, 0.0) for g in groups)
        if FIXED not in groups and limits.step_w is not None and step > limits.step_w + HALF_A_WATT:
            return Limit("load step", "what generators and batteries take at once", step, limits.step_w, common=True)
        known = [g for g in groups if g in limits.at]
        if not known:
            return None
        at = np.concatenate([limits.at[g] for g in known])
        more = np.concatenate([limits.watts[g] for g in known])
        if len(known) > 1:
            at, back = np.unique(at, return_inverse=True)
            more = np.bincount(back, weights=more)
        would, may = self.load_w[at] + more, limits.may_w[at]
        over = np.flatnonzero(would > may + HALF_A_WATT)
        if not len(over):
            return None
        by = would[over] / np.maximum(may[over], 1.0)
        worst = over[by >= by.max() * (1 - SAME)]
        names = ", ".join(limits.parts[i] for i in at[worst])
        return Limit(
            names, limits.what[at[worst[0]]], float(would[worst].sum()), float(may[worst].sum()),
            common=any(limits.common[i] for i in at[over]),
        )  # fmt: skip


def running(
    limits: Limits, pod_of: dict[str, str], stays: Iterable[str], candidates: Iterable[str], most: int | None = None
) -> tuple[Running, int]:
    """Limits, units that were on, units that may come on, and how many at most -> what is on then, and how many of it
    came on now.
    """
    on = Running(limits, pod_of)
    if not on.begin():
        return on, 0
    for unit in stays:
        if not on.take(unit) and on.last.common:
            break
    on.refused, stayed = None, len(on.units)
    for unit in candidates:
        if most is not None and len(on.units) - stayed >= most:
            break
        if not on.take(unit) and on.last.common:
            break
    return on, len(on.units) - stayed


@dataclass(frozen=True, slots=True)
class Wave:
    """Units that come on, or go off, together on a day; what was on before and what is after, by its limits."""

    day: date
    kind: str
    units: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    running: Running
    hold_until: date


def energise(
    days: Sequence[date], limits_on: Callable[[date], Limits], ready: dict[str, date], pod_of: dict[str, str],
    hold_days: int, units_per_wave: int | None,
) -> tuple[list[Wave], dict[date, Running]]:  # fmt: skip
    """Days of change, the limits of each, units with the day from which they are ready -> waves, and what is on at the
    end of each day.

    After a wave has come on, the next waits `hold_days`; what has to go off does not wait.
    """
    waves: list[Wave] = []
    state: dict[date, Running] = {}
    last: Running | None = None
    waiting, free = sorted(days, reverse=True), date.min
    while waiting:
        day = waiting.pop()
        while waiting and waiting[-1] == day:
            waiting.pop()
        was = last.units if last else []
        on_before = set(was)
        candidates = [u for u, d in ready.items() if d <= day and u not in on_before] if day >= free else []
        on, more = running(limits_on(day), pod_of, was, candidates, units_per_wave)
        stayed = set(on.units)
        gone = tuple(u for u in was if u not in stayed)
        kept = tuple(on.units[: len(on.units) - more])
        if gone:
            waves.append(Wave(day, "off", gone, tuple(was), kept, on, day))
        if more:
            free = day + timedelta(days=hold_days) if day > date.min else day
            waves.append(Wave(day, "on", tuple(on.units[-more:]), kept, tuple(on.units), on, free))
            if units_per_wave is not None or hold_days:
                waiting = sorted({*waiting, free}, reverse=True)
        last = state[day] = on
    return waves, state
