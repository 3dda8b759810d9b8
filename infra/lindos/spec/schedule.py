"""The planning and schedule sections of a site file: a top-down estimate, and what is ready when.

Both may be left out. Without `schedule` everything but the sources is ready from the first day.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lindos.catalogue.products import LENIENT
from lindos.spec.section import Day, Name, Section

Kilowatts = Annotated[float, Field(gt=0, le=1_000)]
Basis = Literal["tree", "planning"]
Load = Literal["nameplate", "measured"]


class Planning(Section):
    """The top-down estimate: so many kW of IT for each GPU, network and storage counted in, times PUE at the meter."""

    kw_per_gpu: Annotated[Kilowatts, Field(description="kW of IT per GPU at nameplate, network and storage included.")]
    measured_kw_per_gpu: Annotated[
        Kilowatts | None,
        Field(description="kW of IT per GPU as measured under training, network and storage included."),
    ] = None
    pue: Annotated[float, Field(ge=1, le=3, description="Power at the meter by power of IT.")]


class Ready(Section):
    """When the units of a fleet, or those that stand in a hall, can be energised: from the latest of these days."""

    fleet: Annotated[Name | None, Field(description="Units of this fleet.")] = None
    hall: Annotated[Name | None, Field(description="Units with a rack in this hall.")] = None
    racks_from: Annotated[Day | None, Field(description="Day on which the first of its units stands: 2024-07-01.")] = (
        None
    )
    units_per_week: Annotated[
        float | None, Field(gt=0, le=10_000, description="Units a week from then on; left out, all on that day.")
    ] = None
    cables_from: Annotated[Day | None, Field(description="Day from which its cables lie.")] = None
    cooling_from: Annotated[Day | None, Field(description="Day from which its cooling runs.")] = None


class Cap(Section):
    """A power cap that the operator sets on every GPU. A node then draws less by what its GPUs may not draw."""

    w: Annotated[int, Field(ge=50, le=5_000, description="Watts of a GPU, at most.")]
    start: Annotated[Day | None, Field(alias="from", description="First day of the cap.")] = None
    until: Annotated[Day | None, Field(description="First day without it.")] = None


class Gate(Section):
    """A hold point that every wave passes before the next one may begin."""

    name: Annotated[str, Field(min_length=1, max_length=40, description="Name of the gate, such as L4.")]
    days: Annotated[int, Field(ge=0, le=365, description="Days that it takes.")]


class Schedule(Section):
    """How the site is energised: what limits it, what is ready when, and what is waited for."""

    basis: Annotated[
        Basis, Field(description="tree: every device on the power train; planning: kw_per_gpu times pue.")
    ] = "tree"
    load: Annotated[
        Load, Field(description="What sources are held to: nameplate or measured; the power train is to nameplate.")
    ] = "nameplate"
    firm: Annotated[
        bool, Field(description="Count firm power alone: spare machines held back, derated for long and hot days.")
    ] = True
    reserve: Annotated[float, Field(ge=0, le=0.9, description="Share of the power available that is kept back.")] = 0.0
    units_per_wave: Annotated[
        int | None, Field(ge=1, le=100_000, description="Units of a wave, at most; left out, as many as fit.")
    ] = None
    gates: Annotated[
        tuple[Gate, ...], LENIENT, Field(max_length=16, description="Hold points of each wave, one after the other.")
    ] = ()
    ready: Annotated[
        tuple[Ready, ...], LENIENT, Field(max_length=320, description="What is ready when, by fleet or hall.")
    ] = ()
    caps: Annotated[
        tuple[Cap, ...], LENIENT, Field(max_length=64, description="Power caps of the GPUs: {w: 500, from: ...}.")
    ] = ()
    power_floor: Annotated[
        float | None,
        Field(gt=0, le=1, description="Power smoothing: share of its rating below which a GPU does not fall."),
    ] = None
