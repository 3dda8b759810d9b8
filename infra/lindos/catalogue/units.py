"""The units that stand in keys, and what a person may have written in their place.

unit_of("rack_pitch_m")                -> "m"
in_unit_of("mw", "8000 kW")            -> "8"
same_quantity("kw", ["mw", "count"])   -> "mw"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

QUANTITIES: dict[str, dict[str, float]] = {
    "power": {"w": 1, "kw": 1e3, "mw": 1e6, "gw": 1e9},
    "apparent power": {"va": 1, "kva": 1e3, "mva": 1e6},
    "energy": {"kwh": 1e3, "mwh": 1e6, "gwh": 1e9},
    "length": {"mm": 1, "cm": 10, "m": 1e3, "km": 1e6, "ft": 304.8},
    "speed": {
        **dict.fromkeys(("mbps", "mb/s", "mbit/s"), 1),
        **dict.fromkeys(("gbps", "gb/s", "gbit/s", "g", "gbe"), 1e3),
        **dict.fromkeys(("tbps", "tb/s", "tbit/s", "t"), 1e6),
    },
    "voltage": {"v": 1, "volt": 1, "volts": 1, "kv": 1e3},
    "current": {"a": 1, "amp": 1, "amps": 1, "ka": 1e3},
    "mass": {"kg": 1, "t": 1e3, "lb": 0.45359237},
    "pressure": {"pa": 1, "kpa": 1e3, "bar": 1e5, "psi": 6894.757},
    "flow": {"lpm": 1, "l/min": 1, "gpm": 3.785412},
    "temperature": dict.fromkeys(("c", "degc"), 1),
}
"""Quantity -> unit in lower case -> how many of the smallest one it is."""

LABELS = {
    "w": "W", "kw": "kW", "mw": "MW", "kva": "kVA", "mwh": "MWh", "kg": "kg", "mm": "mm", "m": "metres", "gbps": "Gb/s",
    "tbps": "Tb/s", "volts": "V", "amps": "A", "gpus": "GPUs", "u": "rack units", "gb": "GB", "gbs": "GB/s",
    "c": "degrees", "k": "K", "pa": "Pa", "kpa": "kPa", "lpm": "L/min",
}  # fmt: skip
"""Part of a key -> the unit as people write it."""
COMPOUND = {
    "_m_s": "m/s", "_kg_m2": "kg/m2", "_kg_m3": "kg/m3", "_j_kgk": "J/(kg K)", "_lpm_per_kw": "L/min a kW",
}  # fmt: skip
"""End of a key -> a unit of several parts."""

WRITTEN = re.compile(r"((?:[0-9]{1,3}(?:[, ][0-9]{3})+|[0-9][0-9_]*)?(?:\.[0-9]+)?)\s*([A-Za-z/]*)\Z", re.ASCII)
LARGE = {"k": 1e3, "m": 1e6}


def unit_of(key: str) -> str:
    """A key -> the unit of its value as people write it, or '' where it has none."""
    if whole := next((unit for end, unit in COMPOUND.items() if key.endswith(end)), ""):
        return whole
    return next((LABELS[part] for part in reversed(key.split("_")) if part in LABELS), "")


def _quantities(unit: str) -> set[str]:
    return {name for name, units in QUANTITIES.items() if unit in units}


def _convert(number: float, said: str, wanted: str) -> float | None:
    shared = sorted(_quantities(said) & _quantities(wanted))
    return number * QUANTITIES[shared[0]][said] / QUANTITIES[shared[0]][wanted] if shared else None


def in_unit_of(key: str, text: str) -> str:
    """A key and what was written for it -> the bare number to write instead, or '' where that is not clear."""
    found = WRITTEN.match(text.strip())
    if found is None or not found[1]:
        return ""
    number, said = float(re.sub("[_, ]", "", found[1])), found[2].lower()
    wanted = next((part for part in reversed(key.split("_")) if _quantities(part)), "")
    if not said or said == wanted or unit_of(key).lower() == said:
        out: float | None = number
    elif (out := _convert(number, said, wanted)) is None and said in LARGE:
        out = number * LARGE[said]
    return "" if out is None else f"{out:.12g}"


def same_quantity(key: str, known: Iterable[str]) -> str:
    """An unknown key -> the known key that differs from it only in the unit, or ''."""
    mine = key.lower().split("_")
    for name in known:
        theirs = name.split("_")
        differ = [(a, b) for a, b in zip(mine, theirs, strict=False) if a != b]
        if len(mine) == len(theirs) and len(differ) == 1 and _quantities(differ[0][0]) & _quantities(differ[0][1]):
            return name
    return ""
