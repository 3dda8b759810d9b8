"""The power section on a day -> what each source gives: nameplate, firm, the step it takes, the ramp.

Firm: spare machines are held back, generators are derated to 0.9 of their rating for continuous duty, and by 1 % for
each 5.5 degrees that a hot day is above 25. Batteries make no power; they take steps. Numbers are exact until they are
watts, because what follows from them is rounded down to whole GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from lindos.spec.power import Power, Source
    from lindos.spec.schedule import Planning

MEGA = 1_000_000
DERATE = {"generator": Fraction(9, 10)}
"""Share of its rating that a machine runs at on and on, where the site file says nothing."""
STEP = {"generator": Fraction(1, 10)}
"""Share of its rating that a machine takes at once, where the site file says nothing: reciprocating engines take 10 to
25 %. A utility takes what it gives."""
HOT_C, PER_PERCENT_C = 25, Fraction(11, 2)


def exact(number: float) -> Fraction:
    """A number as it was written -> the same, exactly: 1.4 is 7/5."""
    return Fraction(str(number))


@dataclass(frozen=True, slots=True)
class Supply:
    """A source that delivers. `firm_share` is what is firm of its nameplate."""

    name: str
    kind: str
    count: int
    spare: int
    mw: Fraction
    derate: Fraction
    heat: Fraction
    step: Fraction
    ramp_mw_per_min: Fraction | None

    @property
    def makes(self) -> bool:
        """Whether it makes power, as a battery does not."""
        return self.kind != "battery"

    @property
    def nameplate_mw(self) -> Fraction:
        return self.mw * self.count if self.makes else Fraction(0)

    @property
    def firm_mw(self) -> Fraction:
        return self.mw * (self.count - self.spare) * self.derate * self.heat if self.makes else Fraction(0)

    def given_mw(self, *, firm: bool) -> Fraction:
        return self.firm_mw if firm else self.nameplate_mw

    def step_mw(self, *, firm: bool) -> Fraction:
        """What it takes at once of a load that comes or goes."""
        return self.mw * (self.count - self.spare if firm else self.count) * self.step

    def swing_mw(self, *, firm: bool) -> Fraction:
        """What it takes of a load that falls and rises within a second: the step, and of a utility no more than its
        ramp allows in that second, where one is stated.
        """
        step = self.step_mw(firm=firm)
        if self.kind != "utility" or self.ramp_mw_per_min is None:
            return step
        return min(step, self.ramp_mw_per_min / 60)


def _supply(source: Source) -> Supply:
    hot = max(Fraction(0), exact(source.ambient_c) - HOT_C) if source.ambient_c and source.kind == "generator" else 0
    return Supply(
        name=source.name, kind=source.kind, count=source.count, spare=source.spare, mw=exact(source.mw),
        derate=exact(source.derate) if source.derate else DERATE.get(source.kind, Fraction(1)),
        heat=1 - hot / PER_PERCENT_C / 100,
        step=exact(source.step) if source.step else STEP.get(source.kind, Fraction(1)),
        ramp_mw_per_min=exact(source.ramp_mw_per_min) if source.ramp_mw_per_min else None,
    )  # fmt: skip


def lives(start: date | None, until: date | None, day: date) -> bool:
    """Whether what begins and ends on these days is there on a day."""
    return (start is None or start <= day) and (until is None or day < until)


def supplies(power: Power, day: date) -> tuple[Supply, ...]:
    """The power section and a day -> the sources that deliver on it, in order."""
    return tuple(_supply(s) for s in power.sources if lives(s.start, s.until, day))


def available_mw(given: tuple[Supply, ...], *, firm: bool) -> Fraction:
    """Sources that deliver -> megawatts of all of them."""
    return sum((s.given_mw(firm=firm) for s in given), Fraction(0))


def gpus_by_planning(planning: Planning, mw: Fraction, *, measured: bool = False) -> int | None:
    """Top-down estimate and megawatts at the meter -> GPUs: floor(P / (PUE kW)). None without a measured figure."""
    kw = planning.measured_kw_per_gpu if measured else planning.kw_per_gpu
    return None if kw is None else int(mw * 1000 / (exact(planning.pue) * exact(kw)))
