"""Cooling against physics: CoolProp, friction laws, moist air, water by hand; and heat that balances to the watt."""

from __future__ import annotations

from math import isclose, log10, sqrt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from CoolProp.CoolProp import HAPropsSI, PropsSI
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.catalogue.products import Coolant as CoolantFacts
from lindos.check import check
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.plan.efficiency import efficiency
from lindos.plan.hydraulics import BORES_MM, Coolant, bore_for, friction_factor, pressure_drop, velocity
from lindos.plan.plant import share
from lindos.plan.reject import cop, reject, weathers
from lindos.plan.weather import enthalpy, evaporated, humidity, saturated, saturation_pressure
from lindos.spec.cooling import Cooling
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

HERE = Path(__file__).parent
LAB: dict[str, Any] = YAML(typ="safe", pure=True).load((HERE.parents[1] / "inventories/lab/site.yaml").read_text())
TRAYS: dict[str, Any] = YAML(typ="safe", pure=True).load((HERE.parent / "rules/trays.yaml").read_text())
FLUIDS = {"water": "Water", "pg25": "INCOMP::MPG[0.257]"}
LATENT = 2.43e6
"""Heat of evaporation at 30 degrees, J/kg."""


def designed(site: dict[str, Any], **said: Any) -> tuple[Spec, Plan]:
    spec = Spec.model_validate(merge(site, said))
    return spec, design(spec, load_catalogue(assumed_products(spec)))


def coolant(name: str) -> Coolant:
    points = load_catalogue().get(CoolantFacts, name).points or ()
    return Coolant(name, tuple((p.c, p.density_kg_m3, p.heat_j_kgk, p.viscosity_upas / 1e6) for p in points))


@pytest.mark.parametrize("name", FLUIDS)
def test_coolants_are_those_of_coolprop(name: str) -> None:
    """Between its points too, at any temperature of a loop."""
    for tenths in range(20, 790, 7):
        celsius = tenths / 10
        mine = coolant(name).at(celsius)
        density, heat, viscosity = (PropsSI(p, "T", celsius + 273.15, "P", 3e5, FLUIDS[name]) for p in "DCV")
        assert isclose(mine.density, density, rel_tol=5e-4)
        assert isclose(mine.heat, heat, rel_tol=1e-3)
        assert isclose(mine.viscosity, viscosity, rel_tol=1e-2)


def test_twenty_five_per_cent_by_volume_is_25_7_by_mass() -> None:
    glycol, water = 1036.0, PropsSI("D", "T", 293.15, "P", 101325, "Water")
    assert round(0.25 * glycol / (0.25 * glycol + 0.75 * water), 3) == 0.257


@pytest.mark.parametrize(("name", "lpm"), [("water", 1.44), ("pg25", 1.50)])
def test_ten_kelvin_take_what_ocp_says(name: str, lpm: float) -> None:
    """OCP: 1.5 L/min a kW keep the rise within about 10 K."""
    flow = coolant(name).at(35).flow(1000, 10)
    assert round(flow * 60_000, 2) == pytest.approx(lpm, abs=0.015)
    assert coolant(name).at(35).rise(1000, flow) == pytest.approx(10)


@given(st.floats(5e3, 1e8), st.floats(1e-6, 0.03))
def test_haaland_is_within_two_per_cent_of_colebrook(reynolds: float, roughness: float) -> None:
    x = 8.0
    for _ in range(60):
        x = -2 * log10(roughness / 3.7 + 2.51 * x / reynolds)
    assert friction_factor(reynolds, roughness) == pytest.approx(x**-2, rel=0.025)


def test_laminar_flow_is_that_of_poiseuille() -> None:
    """The drop is 128 mu L Q / (pi d^4), and half as much again for fittings."""
    oil = coolant("pg25").at(0)
    flow, bore, length = 2e-6, 0.02, 10.0
    exact = 128 * oil.viscosity * length * flow / (3.141592653589793 * bore**4)
    assert pressure_drop(flow, bore, length, oil) == pytest.approx(1.5 * exact, rel=1e-9)


@given(st.floats(1e-5, 8), st.floats(0.5, 4))
def test_a_pipe_is_the_smallest_that_keeps_within_velocity_and_friction(flow: float, fastest: float) -> None:
    water = coolant("water").at(25)
    nominal, pipes = bore_for(flow, fastest, water)
    bore = BORES_MM[nominal] / 1000
    assert velocity(flow / pipes, bore) <= fastest * (1 + 1e-9)
    smaller = [n for n in BORES_MM if n < nominal]
    if smaller:
        less = BORES_MM[smaller[-1]] / 1000
        assert velocity(flow / pipes, less) > fastest or pressure_drop(flow / pipes, less, 1, water) > 600 - 1e-6


@settings(deadline=None)
@given(st.floats(5, 45), st.floats(0, 15))
def test_moist_air_is_that_of_coolprop(wet: float, depression: float) -> None:
    dry = wet + depression
    if humidity(dry, wet) < 1e-4:
        return
    exact = HAPropsSI("W", "T", dry + 273.15, "B", wet + 273.15, "P", 101325)
    assert humidity(dry, wet) == pytest.approx(exact, rel=0.02, abs=1e-4)
    assert saturated(wet) == pytest.approx(HAPropsSI("W", "T", wet + 273.15, "R", 1, "P", 101325), rel=0.01)
    rise = HAPropsSI("H", "T", dry + 273.15, "W", exact, "P", 101325) - HAPropsSI("H", "T", 273.15, "W", 0, "P", 101325)
    assert enthalpy(dry, exact) == pytest.approx(rise, rel=0.01, abs=150)
    assert saturation_pressure(wet) > 600


def test_a_tower_evaporates_what_the_latent_heat_says() -> None:
    """Into air that is saturated and as warm as it leaves but for a kelvin, nearly all heat goes by evaporation; dry hot
    air that is cooled on its way takes up more, cold air less.
    """
    heat = 1e6
    alone = heat / LATENT
    assert evaporated(heat, 30, 36, 20) > alone
    assert evaporated(heat, 30, 30, 24) == pytest.approx(alone, rel=0.03)
    assert 0.5 * alone < evaporated(heat, 20, 5, 4) < 0.8 * alone
    assert evaporated(0, 30, 30, 20) == 0


@pytest.mark.parametrize("cycles", [2.0, 4.0, 10.0])
def test_makeup_is_evaporation_and_blowdown(cycles: float) -> None:
    """Cycles are makeup by blowdown: with four, a third of what evaporates is blown down."""
    cooling = Cooling.model_validate({"plant": {"kind": "tower", "cycles": cycles}})
    gone = reject(1e6, cooling, weathers(cooling)["nameplate"])
    water = evaporated(1e6, gone.coldest_c + 5, 36, 26)
    assert gone.water_kg_s == pytest.approx(water * cycles / (cycles - 1))
    assert gone.water_kg_s / (gone.water_kg_s - water) == pytest.approx(cycles)
    # Litres by kWh of heat, as operators reckon: 3.6 MJ by the latent heat, and the blowdown.
    assert gone.water_kg_s * 3.6 == pytest.approx(3.6e6 / LATENT * cycles / (cycles - 1), rel=0.06)


def test_chillers_are_those_of_their_standard_and_better_with_warm_water() -> None:
    assert cop("chiller", 6.7, 35) == pytest.approx(2.985, rel=0.01)
    assert cop("water_chiller", 6.7, 29.4) == pytest.approx(6.28, rel=0.01)
    ratios = [cop("chiller", supply, 35) for supply in range(5, 40, 5)]
    assert ratios == sorted(ratios)
    assert len(set(ratios)) == len(ratios) or ratios[-1] < 8


@given(st.integers(0, 10**9), st.integers(1, 500))
def test_shares_add_up(whole: int, count: int) -> None:
    parts = [share(whole, count, i) for i in range(count)]
    assert sum(parts) == whole
    assert max(parts) - min(parts) <= 1


PLANTS = [
    {"plant": {"kind": "chiller"}},
    {"plant": {"kind": "chiller", "cop": 4, "per": "site", "count": 3}},
    {"plant": {"kind": "water_chiller", "unit_kw": 20, "free_cooling": True}},
    {"plant": {"kind": "tower"}, "facility": {"supply_c": 32}, "technology": {"coolant": "water"}},
    {"plant": {"kind": "dry", "per": "building"}, "facility": {"supply_c": 44.5}, "technology": {"supply_c": 50}},
]


@pytest.mark.parametrize("said", PLANTS, ids=[str(i) for i in range(len(PLANTS))])
@pytest.mark.parametrize("site", [LAB, TRAYS], ids=["lab", "trays"])
def test_heat_and_energy_balance(site: dict[str, Any], said: dict[str, Any]) -> None:
    """What devices draw and what fans and pumps of the halls add comes to the plants, and leaves them with their work."""
    spec, plan = designed(site, cooling=said)
    found = [f for f in check(plan, spec) if f.code.startswith("COOL") and f.code != "COOL-010"]
    assert found == []
    kind = pl.col("kind").cast(pl.String)
    nodes = plan.cooling_nodes
    for load, heat, power in (("nameplate", "heat_w", "power_w"), ("typical", "typical_heat_w", "typical_power_w")):
        fans = nodes.filter(kind.is_in(["rear_door", "air_handler"]))[power].sum()
        pumps = nodes.filter(pl.col("cooling_node").str.contains("facility-pump"))[power].sum()
        plants = plan.plants.filter(pl.col("load") == load)
        assert plants["heat_w"].sum() == plan.loads[f"{load}_w"].sum() + fans + pumps
        last = nodes.filter(kind.is_in(["tower", "dry_cooler"]))
        outer = nodes.filter(pl.col("cooling_node").str.contains("condenser-pump"))[power].sum() or 0
        if len(last):
            work = plants["work_w"].sum() if said["plant"]["kind"] == "water_chiller" else 0
            assert last[heat].sum() == plants["heat_w"].sum() + work + outer
        loads = plan.plant_loads[f"{load}_w"].sum()
        of_nodes = nodes.filter(pl.col("kind") != "cdu")[power].sum()
        assert loads == of_nodes
    wet = nodes.drop_nulls("flow_ml_s").filter(kind.is_in(["cdu", "rear_door", "air_handler"]), pl.col("heat_w") > 0)
    names = {spec.cooling.technology.coolant, spec.cooling.facility.coolant}
    for row in wet.rows(named=True):
        assert row["coolant"] in names
        middle = (row["supply_mk"] + row["return_mk"]) / 2000 - 273.15
        liquid = coolant(row["coolant"]).at(middle)
        carried = row["flow_ml_s"] / 1e6 * liquid.density * liquid.heat * (row["return_mk"] - row["supply_mk"]) / 1000
        assert carried == pytest.approx(row["heat_w"], rel=0.01, abs=60)


@settings(max_examples=10)
@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_pue_is_all_by_it(nameplate: int, typical: int) -> None:
    """The lab: CDUs are no IT, and losses of the power train count where they are known."""
    _, plan = LAB_PLAN
    told = efficiency(
        plan.devices, plan.loads, plan.plant_loads, plan.plants, {"nameplate": nameplate, "typical": typical}
    )
    for row, lost in zip(told.rows(named=True), (nameplate, typical), strict=True):
        drawn = plan.loads[f"{row['load']}_w"].sum()
        assert row["it_w"] == drawn - 3000
        all_w = drawn + plan.plant_loads[f"{row['load']}_w"].sum() + lost
        assert row["pue_ppm"] == all_w * 1_000_000 // row["it_w"]
        assert row["liquid_w"] + row["air_w"] == drawn


LAB_PLAN = designed(LAB)


def test_colder_weather_and_warmer_water_save_work() -> None:
    warm = designed(LAB, cooling={"facility": {"supply_c": 30}})[1].efficiency
    cold = LAB_PLAN[1].efficiency
    assert (warm["pue_ppm"] < cold["pue_ppm"]).all()
    assert cold["pue_ppm"][1] < cold["pue_ppm"][0]


def test_a_dry_plant_on_a_hot_day_is_told() -> None:
    spec, plan = designed(LAB, cooling={"plant": {"kind": "dry"}})
    (said,) = [f for f in check(plan, spec) if f.code == "COOL-012"]
    assert said.message == "delivers 20.0 degrees, on the design day no colder than 44.0"


def test_weather_that_cannot_be_is_told() -> None:
    with pytest.raises(InfeasibleError) as caught:
        designed(LAB, cooling={"ambient": {"wet_bulb_c": 40, "mean_wet_bulb_c": 18}})
    assert [p.message for p in caught.value.problems] == [
        "cooling: ambient: a wet bulb of 40 degrees is above the dry bulb of 36 on the design day",
        "cooling: ambient: a wet bulb of 18 degrees is above the dry bulb of 17 in the mean of the year",
    ]


def test_sizes_that_the_operator_gives_are_held_against_the_velocity() -> None:
    spec, plan = designed(LAB, cooling={"technology": {"manifold_dn": 15, "velocity_m_s": 1.5}})
    (said,) = [f for f in check(plan, spec) if f.code == "COOL-013"]
    flow = 16_320 * 25 / 1e6
    assert plan.cooling_pipes.filter(kind="manifold")["velocity_mm_s"].item() == round(
        1000 * velocity(flow / 1000, 0.0158)
    )
    assert said.subject == "lab-a0001-r01-manifold"


def test_without_spares_the_loss_of_one_unit_is_told() -> None:
    spec, plan = designed(LAB, cooling={"plant": {"spare": 0}, "air": {"spare": 0}, "pumps": {"spare": 0, "needed": 2}})
    assert {f.subject for f in check(plan, spec) if f.code == "COOL-006"} == {"h1-room", "h1-facility", "h1-rejection"}


def test_a_rack_weighs_its_parts_where_all_are_known() -> None:
    frame = {
        "product": "lab_rack_air",
        "kind": "rack",
        "reason": "a frame for this test.",
        "facts": {"nodes": 2, "cooling": "air", "frame_kg": 130},
    }
    assumed = [frame if a["product"] == "lab_rack_air" else a for a in LAB["assumptions"]]
    _, plan = designed(LAB, assumptions=assumed)
    assert (
        dict(plan.racks.select("rack", "filled_kg").iter_rows())["lab-a0002-r01"] == 359
    )  # 130 + 2 x 114.05, rounded up
    trays = designed(TRAYS)[1]
    manifold = trays.cooling_pipes.filter(kind="manifold").row(0, named=True)
    litres = 3.141592653589793 / 4 * BORES_MM[manifold["nominal_mm"]] ** 2 * manifold["length_mm"] / 1e6
    held = trays.racks.filter(product="gb200_nvl72")["filled_kg"].unique().to_list()
    assert held == [1360 + -int(-litres * 1.0199 // 1)]
    assert sqrt(litres) > 1
