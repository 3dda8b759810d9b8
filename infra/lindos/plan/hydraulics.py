"""Coolants and pipes: heat -> flow -> size of pipe -> pressure drop -> pump power. SI units throughout.

Properties of coolants are points of the catalogue, made with CoolProp: its import takes four seconds, a plan less.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import ceil, exp, log, log10, pi

ZERO_C = 273.15
ROUGHNESS_M = 45e-6
"""Commercial steel (Moody, 1944)."""
FITTINGS = 1.5
"""Bends, tees and valves of a pipe as a share of its length, added to it: half as much again."""
FRICTION_PA_M = 400.0
"""Friction of a straight metre of pipe up to which pipes are chosen (ASHRAE Fundamentals: 100 to 400 Pa/m)."""
LAMINAR = 2300.0
"""Reynolds number below which flow in a pipe is laminar."""

BORES_MM: dict[int, float] = {
    15: 15.80, 20: 20.93, 25: 26.64, 32: 35.05, 40: 40.89, 50: 52.50, 65: 62.71, 80: 77.93, 100: 102.26, 125: 128.19,
    150: 154.05, 200: 202.72, 250: 254.51, 300: 303.22, 350: 333.35, 400: 381.00, 450: 428.65, 500: 477.82,
    600: 574.65, 750: 742.94, 900: 895.34, 1050: 1047.74, 1200: 1200.14,
}  # fmt: skip
"""Nominal size -> inner diameter in mm: steel pipe of schedule 40, from 750 of standard wall (ASME B36.10)."""


@dataclass(frozen=True, slots=True)
class Liquid:
    """A coolant at one temperature: kg/m3, J/(kg K), Pa s."""

    density: float
    heat: float
    viscosity: float

    def flow(self, watts: float, rise_k: float) -> float:
        """Heat and rise -> m3/s: V = Q / (rho c dT)."""
        return watts / (self.density * self.heat * rise_k)

    def rise(self, watts: float, flow_m3_s: float) -> float:
        """Heat and flow -> the rise in K."""
        return watts / (self.density * self.heat * flow_m3_s)


@dataclass(frozen=True, slots=True)
class Coolant:
    """A coolant by the points of its properties: degrees C, kg/m3, J/(kg K), Pa s; degrees rise."""

    name: str
    points: tuple[tuple[float, float, float, float], ...]

    def at(self, celsius: float) -> Liquid:
        """Degrees C -> properties between the two points beside it, viscosity by its logarithm; past the ends those
        of the last point.
        """
        degrees = [p[0] for p in self.points]
        i = min(max(bisect_right(degrees, celsius), 1), len(degrees) - 1)
        (t0, d0, h0, v0), (t1, d1, h1, v1) = self.points[i - 1], self.points[i]
        x = min(1.0, max(0.0, (celsius - t0) / (t1 - t0)))
        return Liquid(d0 + x * (d1 - d0), h0 + x * (h1 - h0), exp(log(v0) + x * (log(v1) - log(v0))))

    def holds(self, celsius: float) -> bool:
        """Whether its points reach to this temperature."""
        return self.points[0][0] <= celsius <= self.points[-1][0]


def friction_factor(reynolds: float, roughness: float) -> float:
    """Reynolds number and relative roughness -> Darcy friction factor: 64/Re, and Haaland (1983) above 2,300."""
    if reynolds < LAMINAR:
        return 64.0 / reynolds
    return float((-1.8 * log10((roughness / 3.7) ** 1.11 + 6.9 / reynolds)) ** -2)


def velocity(flow_m3_s: float, bore_m: float) -> float:
    """Flow and inner diameter -> m/s."""
    return flow_m3_s / (pi / 4 * bore_m**2)


def pressure_drop(flow_m3_s: float, bore_m: float, length_m: float, liquid: Liquid) -> float:
    """A pipe with its fittings and what flows in it -> Pa, by Darcy and Weisbach: f L/d rho v^2/2."""
    if flow_m3_s <= 0:
        return 0.0
    v = velocity(flow_m3_s, bore_m)
    factor = friction_factor(liquid.density * v * bore_m / liquid.viscosity, ROUGHNESS_M / bore_m)
    return factor * length_m * FITTINGS / bore_m * liquid.density * v**2 / 2


def bore_for(flow_m3_s: float, fastest_m_s: float, liquid: Liquid) -> tuple[int, int]:
    """Flow, velocity limit and what flows -> the smallest nominal size that keeps within the limit and within the
    friction that is economic, and how many pipes side by side.
    """
    largest = max(BORES_MM)
    pipes = max(1, ceil(flow_m3_s / (open_area(largest) * fastest_m_s)))
    each = flow_m3_s / pipes
    fits = (
        n
        for n, mm in BORES_MM.items()
        if velocity(each, mm / 1000) <= fastest_m_s
        and pressure_drop(each, mm / 1000, 1, liquid) <= FRICTION_PA_M * FITTINGS
    )
    return next(fits, largest), pipes


def open_area(nominal: int) -> float:
    """Nominal size -> m2 that a pipe of it is open."""
    return pi / 4 * (BORES_MM[nominal] / 1000) ** 2


def pump_power(flow_m3_s: float, pascals: float, efficiency: float) -> float:
    """Flow, pressure and efficiency from wire to water -> W drawn."""
    return flow_m3_s * pascals / efficiency
