"""Heat of a plant and the weather -> what chillers, towers and dry coolers draw, and the water that they take.

chiller        water -> evaporator -> compressor -> condenser in the outside air
water_chiller  water -> evaporator -> compressor -> condenser -> tower
tower          water -> tower              dry   water -> dry cooler
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.hydraulics import ZERO_C
from lindos.plan.weather import evaporated

if TYPE_CHECKING:
    from lindos.spec.cooling import Cooling

EVAPORATOR_K = 3.0
"""The refrigerant boils this much below the water that leaves the chiller."""
CONDENSER_K = {"chiller": 15.0, "water_chiller": 8.0}
"""It condenses this much above the outside air, or above the water that comes from the tower."""
CARNOT = {"chiller": 0.50, "water_chiller": 0.765}
"""Share of Carnot's limit, fans of an air-cooled one included: the least that ASHRAE 90.1-2019 asks for at full load,
COP 2.985 of air-cooled chillers at 6.7 degrees of water and 35 of air, and 0.56 kW/ton (COP 6.28) of large centrifugal
ones at 6.7 degrees and 29.4 of tower water, between temperatures as above."""
LEAST_LIFT_K = 20.0
"""Compressors keep a pressure ratio: colder weather helps no further."""
APPROACH_K = {"water_chiller": 4.0, "tower": 4.0, "dry": 8.0}
"""Water leaves a tower this much above wet bulb, a dry cooler above dry bulb."""
FAN_W = {"water_chiller": 0.0127, "tower": 0.0127, "dry": 0.025}
"""W of fans for each W rejected: towers by ASHRAE 90.1-2019 (40.2 gal/min a hp, 95 to 85 F, wet bulb 75 F: 58.9 kW for
746 W); dry coolers about twice as much."""
CONDENSER_RISE_K = 5.5
"""By which water of a tower warms in the condenser (AHRI 550/590: 3 gal/min a ton)."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Degrees outside."""

    dry_bulb_c: float
    wet_bulb_c: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """What it takes to reject the heat of a plant. `coldest_c` is the water that the weather allows without a
    chiller; `water_kg_s` is made up for evaporation and blowdown.
    """

    chiller_w: float
    fan_w: float
    tower_heat_w: float
    water_kg_s: float
    cop: float | None
    coldest_c: float


def cop(kind: str, supply_c: float, sink_c: float) -> float:
    """Kind of chiller, degrees of the water it delivers and of what takes its heat -> cooling by work."""
    cold = supply_c - EVAPORATOR_K + ZERO_C
    lift = max(LEAST_LIFT_K, sink_c + CONDENSER_K[kind] + ZERO_C - cold)
    return CARNOT[kind] * cold / lift


def weathers(cooling: Cooling) -> dict[str, Weather]:
    """Loads -> the weather that goes with them: nameplate on the design day, typical in the mean of the year.

    InfeasibleError where a wet bulb is above its dry bulb.
    """
    said = cooling.ambient
    problems = [
        Problem(
            f"cooling: ambient: a wet bulb of {wet:g} degrees is above the dry bulb of {dry:g} {when}",
            hint="the wet bulb is the colder of the two, or as warm where the air is saturated",
        )
        for dry, wet, when in (
            (said.dry_bulb_c, said.wet_bulb_c, "on the design day"),
            (said.mean_dry_bulb_c, said.mean_wet_bulb_c, "in the mean of the year"),
        )
        if wet > dry
    ]
    if problems:
        raise InfeasibleError(problems)
    return {
        "nameplate": Weather(said.dry_bulb_c, said.wet_bulb_c),
        "typical": Weather(said.mean_dry_bulb_c, said.mean_wet_bulb_c),
    }


def coldest(cooling: Cooling, weather: Weather) -> float:
    """The coldest water that towers or dry coolers make; air-cooled chillers cool freely as dry coolers do."""
    kind = "dry" if cooling.plant.kind == "chiller" else cooling.plant.kind
    approach = cooling.plant.approach_k or APPROACH_K[kind]
    return (weather.dry_bulb_c if kind == "dry" else weather.wet_bulb_c) + approach


def reject(heat_w: float, cooling: Cooling, weather: Weather) -> Rejected:
    """Heat in the facility water, site file, weather -> Rejected."""
    plant, supply = cooling.plant, cooling.facility.supply_c
    cold = coldest(cooling, weather)
    chills = plant.kind in CARNOT and not (plant.free_cooling and cold <= supply)
    sink = weather.dry_bulb_c if plant.kind == "chiller" else cold
    ratio = (plant.cop or cop(plant.kind, supply, sink)) if chills else None
    work = heat_w / ratio if ratio else 0.0
    if plant.kind == "chiller":
        fans = 0.0 if chills else heat_w * FAN_W["dry"]
        return Rejected(work, fans, 0.0, 0.0, ratio, cold)
    rejected = heat_w + work
    water = 0.0
    if plant.kind != "dry":
        # Air leaves at the mean of the water that comes and goes.
        comes = cold + CONDENSER_RISE_K if chills else max(cold, supply) + cooling.facility.rise_k
        goes = cold if chills else max(cold, supply)
        once = evaporated(rejected, (comes + goes) / 2, weather.dry_bulb_c, weather.wet_bulb_c)
        water = once * plant.cycles / (plant.cycles - 1)
    return Rejected(work, rejected * FAN_W[plant.kind], rejected if water else 0.0, water, ratio, cold)
