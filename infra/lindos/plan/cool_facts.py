"""Catalogue -> what cooling has to know of CDUs, rear doors and coolants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.catalogue import products
from lindos.catalogue.products import RearDoor
from lindos.plan.hydraulics import Coolant

if TYPE_CHECKING:
    from lindos.catalogue import Catalogue, Cdu, Rack
    from lindos.catalogue.load import Needs
    from lindos.spec.model import Spec


@dataclass(frozen=True, slots=True)
class CduFacts:
    """What a CDU can do; None where nobody published it."""

    product: str
    cooling_w: int
    approach_k: float | None
    flow_lpm: float | None
    head_kpa: float | None
    pumps: int | None
    pumps_needed: int | None


@dataclass(frozen=True, slots=True)
class DoorFacts:
    """The exchanger in the rear door of a rack; a door that no product is named of has no facts."""

    product: str | None
    cooling_w: int | None
    fan_w: int
    weight_kg: float | None


def cdu_facts(name: str, cdu: Cdu) -> CduFacts:
    """A CDU of the catalogue -> its facts in W; `settle` of the fleet tells where its cooling_kw is missing."""
    return CduFacts(
        product=name,
        cooling_w=round((cdu.cooling_kw or 0) * 1000),
        approach_k=cdu.approach_k,
        flow_lpm=cdu.flow_lpm,
        head_kpa=cdu.head_kpa,
        pumps=cdu.pumps.count if cdu.pumps else None,
        pumps_needed=cdu.pumps.needed if cdu.pumps else None,
    )


def door_facts(needs: Needs, catalogue: Catalogue, rack: Rack) -> DoorFacts | None:
    """A rack -> the exchanger in its rear door; None where it has none."""
    if rack.rear_door is None:
        return DoorFacts(None, None, 0, None) if rack.cooling == "dlc_rdhx" else None
    door, name = catalogue.get(RearDoor, rack.rear_door), rack.rear_door
    return DoorFacts(
        product=name,
        cooling_w=round((needs(door.cooling_kw, "rear_door", name, "cooling_kw") or 0) * 1000),
        fan_w=round(needs(door.fan_w, "rear_door", name, "fan_w") or 0),
        weight_kg=door.weight_kg,
    )


def coolants(needs: Needs, catalogue: Catalogue, spec: Spec) -> dict[str, Coolant]:
    """The coolants of both loops by name, and the water of towers."""
    said = spec.cooling
    out = {}
    for name in dict.fromkeys((said.technology.coolant, said.facility.coolant, "water")):
        points = needs(catalogue.get(products.Coolant, name).points, "coolant", name, "points") or ()
        out[name] = Coolant(name, tuple((p.c, p.density_kg_m3, p.heat_j_kgk, p.viscosity_upas / 1e6) for p in points))
    return out
