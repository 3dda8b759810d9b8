"""GPUs that train together, and the sources of a day -> by how much all of them fall and rise at once, and how many
units sources let do so.

Training is synchronous: between computing and communicating the GPUs of a job fall and rise together, within a second
and over and over. What keeps the swing small, as far as products offer it: a power floor, below which a GPU does not
fall (`schedule: power_floor` in the site file), and energy storage in power supplies, which is always at work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue.load import Needs
from lindos.catalogue.products import Gpu, Node
from lindos.errors import InfeasibleError, Problem
from lindos.plan.energise import HALF_A_WATT
from lindos.plan.supply import MEGA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from lindos.catalogue import Catalogue
    from lindos.plan.schedule import Schedule
    from lindos.spec.model import Spec


@dataclass(frozen=True, slots=True)
class GpuWatts:
    """GPUs of a node product, their TDP, and by how much one of them swings in training: without any smoothing, as the
    site file has it, and with all that the product offers. None where nobody knows.
    """

    name: str
    count: int
    tdp_w: float | None
    bare_w: float | None
    swing_w: float | None
    best_w: float | None


def _least(*some: float | None) -> float | None:
    return min((s for s in some if s is not None), default=None)


def _watts(name: str, count: int, gpu: Gpu, floor: float | None) -> GpuWatts:
    """A GPU and the power floor of the site file -> its swing, in all three ways."""
    bare, tdp = gpu.swing_w, gpu.tdp_w
    stored = tdp * gpu.storage_peak_cut if tdp and gpu.storage_peak_cut else 0.0
    kept = None if bare is None else max(0.0, bare - stored)
    held, best = (tdp * (1 - f) if tdp and f else None for f in (floor, gpu.power_floor_max))
    return GpuWatts(name, count, tdp, bare, _least(kept, held), _least(kept, held, best))


def gpu_watts(spec: Spec, catalogue: Catalogue) -> dict[str, GpuWatts]:
    """Spec and catalogue -> watts of the GPUs of each node product.

    A cap needs the TDP and a power floor what the GPU can hold (CatalogueError); neither can go beyond what a GPU does
    (InfeasibleError).
    """
    needs, wrong, out = Needs(catalogue), [], {}
    schedule = spec.schedule
    for fleet in spec.compute.fleets:
        node = catalogue.get(Node, fleet.node)
        gpu = catalogue.get(Gpu, node.gpu) if node.gpu else Gpu()
        name = node.gpu or fleet.node
        if schedule.caps or schedule.power_floor:
            needs(gpu.tdp_w, "gpu", name, "tdp_w")
        for cap in schedule.caps:
            if gpu.min_w is not None and cap.w < gpu.min_w:
                message = f"a cap of {cap.w} W is below the {gpu.min_w:g} W that a {node.gpu} takes at least"
                wrong.append(Problem(message, hint=f"schedule: caps: w: {gpu.min_w:g} or more"))
        most = gpu.power_floor_max
        if schedule.power_floor and gpu.tdp_w:
            if most is None:
                needs(None, "gpu", name, "power_floor_max")
            elif schedule.power_floor > most:
                message = f"a power floor of {schedule.power_floor:g} is above the {most:g} that a {node.gpu} can hold"
                wrong.append(Problem(message, hint=f"schedule: power_floor: {most:g} or less"))
        out[fleet.node] = _watts(name, node.gpus or 0, gpu, schedule.power_floor)
    needs.settle()
    if wrong:
        raise InfeasibleError(dict.fromkeys(wrong))
    return out


@dataclass(frozen=True, slots=True)
class Swing:
    """What the units that are on swing by when they train together (bare, as set, with all smoothing on offer; None
    where a fact is missing), what sources take of it, and how many of the units, with their GPUs, may train together.

    `missing` names the GPUs whose swing nobody knows: nothing is evaluated then.
    """

    gpus_on: int
    bare_w: float | None
    swing_w: float | None
    best_w: float | None
    takes_w: float
    units: int | None
    gpus: int | None
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether some of the units that are on have to wait with training together."""
        return self.gpus is not None and self.gpus < self.gpus_on


def swing(made: Schedule, day: date, units: Sequence[str]) -> Swing:
    """A schedule, a day and the units that are on, in order -> Swing."""
    watts = pl.DataFrame(
        [(p, *(None if w is None else g.count * w for w in (g.bare_w, g.swing_w, g.best_w)))
         for p, g in made.gpu_w.items()],
        schema={"product": pl.String, "bare": pl.Float64, "held": pl.Float64, "best": pl.Float64}, orient="row",
    )  # fmt: skip
    nodes = made.tables.devices.filter(pl.col("kind") == "node").select("unit", "product")
    nodes = nodes.join(watts.with_columns(pl.col("product").cast(nodes.schema["product"])), on="product")
    order = pl.DataFrame({"unit": list(units)}, schema={"unit": pl.String})
    sums = {c: pl.when(pl.col(c).null_count() == 0).then(pl.col(c).sum()) for c in ("bare", "held", "best")}
    each = order.join(nodes.group_by("unit").agg(**sums), on="unit", how="left", maintain_order="left")
    takes = float(sum(s.swing_mw(firm=made.variant.firm) for s in made.supplies(day)) * MEGA)
    missing = sorted({g.name for g in made.gpu_w.values() if g.swing_w is None})
    bare, held, best = (None if each[c].null_count() else float(each[c].sum()) for c in ("bare", "held", "best"))
    gpus_on = sum(made.gpus_of[u] for u in units)
    fit = gpus = None
    if held is not None:
        fit = int((each["held"].cum_sum() <= takes + HALF_A_WATT).sum())
        gpus = sum(made.gpus_of[u] for u in units[:fit])
    return Swing(gpus_on, bare, held, best, takes, fit, gpus, () if held is not None else tuple(missing))
