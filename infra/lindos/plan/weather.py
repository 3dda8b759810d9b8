"""Moist air: what it holds, and how much of a tower's heat goes by evaporation. Degrees C, Pa, kg/kg, J/kg.

Source: ASHRAE Handbook of Fundamentals, psychrometrics, at sea level.
"""

from __future__ import annotations

from math import exp, log

PRESSURE = 101_325.0
LATENT = 2_501_000.0
"""Heat of evaporation at 0 degrees, J/kg."""
VAPOUR_HEAT = 1_860.0
AIR_HEAT = 1_006.0
WATER_HEAT = 4_186.0


def saturation_pressure(celsius: float) -> float:
    """Degrees -> pressure of saturated water vapour in Pa, over water (Hyland and Wexler, 1983)."""
    t = celsius + 273.15
    return exp(
        -5.8002206e3 / t + 1.3914993 - 4.8640239e-2 * t + 4.1764768e-5 * t**2 - 1.4452093e-8 * t**3 + 6.5459673 * log(t)
    )


def saturated(celsius: float) -> float:
    """Degrees -> kg of water in a kg of dry air that is saturated."""
    p = saturation_pressure(celsius)
    return 0.621945 * p / (PRESSURE - p)


def humidity(dry_bulb_c: float, wet_bulb_c: float) -> float:
    """Dry and wet bulb -> kg of water in a kg of dry air."""
    num = (2501 - 2.326 * wet_bulb_c) * saturated(wet_bulb_c) - 1.006 * (dry_bulb_c - wet_bulb_c)
    return max(0.0, num / (2501 + 1.86 * dry_bulb_c - 4.186 * wet_bulb_c))


def enthalpy(dry_bulb_c: float, water: float) -> float:
    """Dry bulb and kg of water in a kg of dry air -> J in the kg of dry air."""
    return AIR_HEAT * dry_bulb_c + water * (LATENT + VAPOUR_HEAT * dry_bulb_c)


def evaporated(watts: float, leaving_c: float, dry_bulb_c: float, wet_bulb_c: float) -> float:
    """Heat of a tower, degrees of the air that leaves it saturated, weather -> kg of water that evaporate in a second.

    Air takes up heat by the rise of its enthalpy and water by that of its humidity; what evaporates is made up for
    with water of the wet bulb's temperature, which brings its own heat. As Merkel (1925): air leaves saturated.
    """
    if watts <= 0:
        return 0.0
    before, after = humidity(dry_bulb_c, wet_bulb_c), saturated(leaving_c)
    gain = enthalpy(leaving_c, after) - enthalpy(dry_bulb_c, before)
    water = after - before
    heat = gain - water * WATER_HEAT * wet_bulb_c
    if heat <= 0 or water <= 0:
        return watts / (LATENT - (WATER_HEAT - VAPOUR_HEAT) * leaving_c)  # air that cannot warm: by evaporation alone
    return watts * water / heat
