"""Heat in the facility water of the halls -> plants: pumps, what rejects the heat, what both draw, water.

A plant serves a hall, a building or the site. Its stages stand in a row; units of a stage stand side by side, share
what comes, and one header joins them to the stage before:

    halls -> P-facility -> pumps -> P-rejection -> chillers [-> P-condenser -> pumps -> P-tower -> towers]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.hydraulics import ZERO_C, pump_power
from lindos.plan.reject import CONDENSER_RISE_K, Rejected, reject, weathers

if TYPE_CHECKING:
    from lindos.plan.facts import Facts
    from lindos.spec.cooling import Cooling
    from lindos.spec.model import Spec

LOADS = ("nameplate", "typical")
"""Nameplate on the design day; what was measured under training, in the mean weather of the year."""


def affinity(watts: int, typical: int, nameplate: int) -> int:
    """What pumps or fans draw at nameplate, and the heat of both loads -> what they draw at the typical load.

    Affinity laws: speed goes with the flow, power with its cube.
    """
    return round(watts * (typical / nameplate) ** 3) if nameplate else 0


def share(whole: int, count: int, nth: int) -> int:
    """A whole number, how many share it, one of them from 0 -> its part; the parts add up to the whole."""
    return whole // count + (nth < whole % count)


@dataclass(frozen=True, slots=True)
class Plants:
    """Nodes and edges of all plants; a row a plant and load in `plants`; a row a kind of machine in `loads`."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    plants: pl.DataFrame
    loads: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Water:
    """What flows through a stage: mL/s at nameplate, mK, Pa."""

    coolant: str
    flow_ml_s: int
    supply_mk: int
    return_mk: int
    pressure_pa: int | None = None


class _Builder:
    """The stages of one plant as they are built, from the halls outwards."""

    def __init__(self, plant: str, hall: str | None) -> None:
        self.plant, self.hall = plant, hall
        self.nodes: list[dict[str, object]] = []
        self.edges: list[tuple[str, str]] = []
        self.loads: list[dict[str, object]] = []
        self._below: list[str] = []

    def header(self, word: str, heat: tuple[int, int], water: _Water) -> str:
        """A header that takes what the units before it give."""
        name = f"{self.plant}-{word}"
        self._node(name, "header", heat, water, flow_ml_s=water.flow_ml_s)
        self.edges += [(name, below) for below in self._below]
        self._below = [name]
        return name

    def stage(
        self,
        kind: str,
        count: int,
        needed: int,
        each_w: int,
        heat: tuple[int, int],
        drawn: tuple[int, int],
        water: _Water,
    ) -> None:
        """Units side by side behind the last header, that share heat and flow."""
        header, word = self._below[0], {"pump": "pump", "dry_cooler": "dry"}.get(kind, kind)
        names = [f"{header if kind == 'pump' else self.plant}-{word}{i + 1:02}" for i in range(count)]
        for i, name in enumerate(names):
            self._node(
                name, kind, (share(heat[0], count, i), share(heat[1], count, i)), water, capacity_w=each_w,
                flow_ml_s=share(water.flow_ml_s, count, i), power_w=share(drawn[0], count, i),
                typical_power_w=share(drawn[1], count, i),
            )  # fmt: skip
        self.edges += [(name, header) for name in names]
        self._below = names
        self.loads.append(
            {
                "name": f"{header if kind == 'pump' else self.plant}-{word}s",
                "kind": kind, "plant": self.plant, "hall": self.hall, "count": count, "needed": min(needed, count),
                "nameplate_w": drawn[0], "typical_w": drawn[1],
            }
        )  # fmt: skip

    def _node(self, name: str, kind: str, heat: tuple[int, int], water: _Water, **more: object) -> None:
        self.nodes.append(
            {
                "cooling_node": name, "kind": kind, "plant": self.plant, "hall": self.hall, "heat_w": heat[0],
                "typical_heat_w": heat[1], "coolant": water.coolant, "supply_mk": water.supply_mk,
                "return_mk": water.return_mk, "pressure_pa": water.pressure_pa, **more,
            }
        )  # fmt: skip


def _pumps(
    out: _Builder, word: str, heat: tuple[int, int], water: _Water, cooling: Cooling
) -> tuple[tuple[int, int], tuple[int, int]]:
    """A header and its pumps -> what the pumps draw, and the heat past them: what they draw warms the water."""
    said = cooling.pumps
    out.header(word, heat, water)
    drawn = round(pump_power(water.flow_ml_s / 1e6, water.pressure_pa or 0, said.efficiency))
    power = (drawn, affinity(drawn, heat[1], heat[0]))
    out.stage("pump", said.needed + said.spare, said.needed, -(-heat[0] // said.needed), heat, power, water)
    return power, (heat[0] + power[0], heat[1] + power[1])


def _plant(
    name: str, hall: str | None, heat: tuple[int, int], head_pa: int, cooling: Cooling, facts: Facts
) -> tuple[_Builder, list[dict[str, object]]]:
    """A plant, the heat that halls give to its water, what its pumps overcome -> its stages, a row of each load."""
    out, said, water = _Builder(name, hall), cooling.plant, cooling.facility
    liquid = facts.coolants[water.coolant].at(water.supply_c + water.rise_k / 2)
    cold = round((water.supply_c + ZERO_C) * 1000)
    loop = _Water(
        water.coolant, round(liquid.flow(heat[0], water.rise_k) * 1e6), cold, cold + round(water.rise_k * 1000), head_pa
    )
    _, past = _pumps(out, "facility", heat, loop, cooling)
    gone = {n: reject(w, cooling, weather) for w, (n, weather) in zip(past, weathers(cooling).items(), strict=True)}
    day, year = gone["nameplate"], gone["typical"]
    each = round(said.unit_kw * 1000)
    out.header("rejection", past, loop)
    fans = (round(day.fan_w), round(year.fan_w))
    work = (round(day.chiller_w), round(year.chiller_w))
    needed = -(-past[0] // each)
    rejected = (past[0] + work[0], past[1] + work[1])
    if said.kind in ("chiller", "water_chiller"):
        drawn = work if said.kind == "water_chiller" else (work[0] + fans[0], work[1] + fans[1])
        out.stage("chiller", said.count or needed + said.spare, needed, each, past, drawn, loop)
    if said.kind == "water_chiller":
        outside = facts.coolants["water"]
        warm = round((day.coldest_c + ZERO_C) * 1000)
        flow = outside.at(day.coldest_c + CONDENSER_RISE_K / 2).flow(rejected[0], CONDENSER_RISE_K)
        open_loop = _Water(
            outside.name,
            round(flow * 1e6),
            warm,
            warm + round(CONDENSER_RISE_K * 1000),
            round(water.equipment_kpa * 1000),
        )
        _, rejected = _pumps(out, "condenser", rejected, open_loop, cooling)
        out.header("tower", rejected, open_loop)
        needed = -(-rejected[0] // each)
        out.stage("tower", needed + said.spare, needed, each, rejected, fans, open_loop)
    elif said.kind in ("tower", "dry"):
        kind = "tower" if said.kind == "tower" else "dry_cooler"
        out.stage(kind, said.count or needed + said.spare, needed, each, past, fans, loop)
    rows = [_row(name, load, w, gone[load]) for load, w in zip(LOADS, past, strict=True)]
    return out, rows


def _row(name: str, load: str, heat_w: int, gone: Rejected) -> dict[str, object]:
    return {
        "plant": name,
        "load": load,
        "heat_w": heat_w,
        "work_w": round(gone.chiller_w),
        "cop_milli": None if gone.cop is None else round(gone.cop * 1000),
        "coldest_mk": round((gone.coldest_c + ZERO_C) * 1000),
        "water_ml_h": round(gone.water_kg_s * 3600 * 1000),
    }


def _served(spec: Spec) -> dict[str, str]:
    """Hall -> the plant that it hangs on."""
    per = spec.cooling.plant.per
    if per == "hall":
        return {h.name: h.name for h in spec.halls}
    return {h.name: (h.building or spec.site) if per == "building" else spec.site for h in spec.halls}


def _fans(nodes: pl.DataFrame, served: dict[str, str], kind: str) -> list[dict[str, object]]:
    """What rear doors or air handlers of each hall draw, as a row of the loads."""
    mine = nodes.filter(pl.col("kind") == kind).group_by("hall", maintain_order=True)
    sums = mine.agg(
        pl.col("power_w", "typical_power_w", "heat_w").sum(), count=pl.len(), each=pl.col("capacity_w").min()
    )
    return [
        {
            "name": f"{r['hall']}-{'doors' if kind == 'rear_door' else 'air-handlers'}",
            "kind": kind, "plant": served[r["hall"]], "hall": r["hall"], "count": r["count"],
            "needed": r["count"] if kind == "rear_door" else min(r["count"], -(-r["heat_w"] // r["each"])),
            "nameplate_w": r["power_w"], "typical_w": r["typical_power_w"],
        }
        for r in sums.rows(named=True)
        if r["power_w"]
    ]  # fmt: skip


def plants(spec: Spec, facts: Facts, inside: pl.DataFrame, heads: dict[str, int]) -> Plants:
    """Site file, facts, nodes inside the halls, Pa that pumps overcome for each hall -> Plants."""
    served = _served(spec)
    takers = inside.filter(pl.col("kind").is_in(["cdu", "rear_door", "air_handler"])).with_columns(
        serves=pl.col("hall").replace_strict(served, return_dtype=pl.String)
    )
    nodes, edges, rows, loads = [], [], [], []
    sums = takers.group_by("serves", maintain_order=True).agg(pl.col("heat_w", "typical_heat_w").sum())
    for name, heat, typical in sums.iter_rows():
        halls = [h for h, plant in served.items() if plant == name]
        head = max(heads.get(h, 0) for h in halls)
        out, mine = _plant(name, halls[0] if len(halls) == 1 else None, (heat, typical), head, spec.cooling, facts)
        nodes += out.nodes
        edges += out.edges
        loads += out.loads
        rows += mine
    text = ("cooling_node", "kind", "plant", "hall", "coolant")
    numbers = [
        "heat_w", "typical_heat_w", "supply_mk", "return_mk", "pressure_pa", "capacity_w", "flow_ml_s", "power_w",
        "typical_power_w",
    ]  # fmt: skip
    schema = dict.fromkeys(text, pl.String) | dict.fromkeys(numbers, pl.Int64)
    hung = takers.select(parent=pl.format("{}-facility", "serves"), child="cooling_node")
    more = [*_fans(inside, served, "rear_door"), *_fans(inside, served, "air_handler")]
    said = {"plant": pl.String, "load": pl.String} | dict.fromkeys(
        ("heat_w", "work_w", "cop_milli", "coldest_mk", "water_ml_h"), pl.Int64
    )
    of_loads = dict.fromkeys(("name", "kind", "plant", "hall"), pl.String) | dict.fromkeys(
        ("count", "needed", "nameplate_w", "typical_w"), pl.Int64
    )
    return Plants(
        nodes=pl.DataFrame(nodes, schema=schema, orient="row"),
        edges=pl.concat([hung, pl.DataFrame(edges, schema=hung.schema, orient="row")]),
        plants=pl.DataFrame(rows, schema=said, orient="row"),
        loads=pl.DataFrame([*more, *loads], schema=of_loads, orient="row"),
    )
