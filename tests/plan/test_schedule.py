"""A schedule keeps every limit on every day, and its figures are those that can be reckoned by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.emit.staging import dates, explain, render
from lindos.errors import CatalogueError, InfeasibleError, SpecError
from lindos.plan import design
from lindos.plan.draw import FIXED
from lindos.plan.schedule import Schedule, Variant, schedule, waves
from lindos.plan.supply import available_mw, gpus_by_planning, supplies
from lindos.plan.swing import Swing, swing
from lindos.plan.working import by_planning, by_tree, compare
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec
from lindos.spec.power import Power
from lindos.spec.schedule import Planning

if TYPE_CHECKING:
    from lindos.plan import Plan

ROOT = Path(__file__).parents[2]
TALL = YAML(typ="safe", pure=True).load((ROOT / "tests/rules/tall.yaml").read_text())
TREE = Variant("tree", "nameplate", firm=True)
GRID = {"name": "grid", "kind": "utility", "mw": 1.0}


def spec_of(**said: Any) -> Spec:
    return Spec.model_validate(merge(TALL, said))


SOURCES = [
    {"name": "grid", "kind": "utility", "mw": 0.016, "from": "2024-01-01"},
    {"name": "gen", "kind": "generator", "mw": 0.01, "count": 3, "spare": 1, "from": "2024-02-01", "step": 0.5},
    {"name": "more", "kind": "utility", "mw": 0.1, "from": "2024-03-01"},
]


@cache
def planned(machines: tuple[tuple[str, str, int], ...]) -> Plan:
    """The site of five units with these machines; what each gives and from when on is asked of the spec alone."""
    spec = spec_of(power={"sources": [{"name": n, "kind": k, "count": c, "mw": 1} for n, k, c in machines]})
    return design(spec, load_catalogue(assumed_products(spec)))


def staged(variant: Variant = TREE, **said: Any) -> Schedule:
    spec = spec_of(**({"power": {"sources": SOURCES}} | said))
    plan = planned(tuple((s.name, s.kind, s.count) for s in spec.power.sources))
    return schedule(spec, plan, load_catalogue(assumed_products(spec)), variant)


COLOSSUS = Power.model_validate(
    {
        "sources": [
            {"name": "grid", "kind": "utility", "mw": 8, "from": "2024-06-01"},
            {"name": "gen", "kind": "generator", "count": 14, "mw": 2.5, "spare": 1, "from": "2024-07-01"},
            {"name": "bess", "kind": "battery", "mw": 150, "mwh": 600, "from": "2024-07-01"},
        ]
    }
)
ESTIMATE = Planning(kw_per_gpu=1.40, measured_kw_per_gpu=1.155, pue=1.2)


@pytest.mark.parametrize(
    ("mw", "nameplate", "measured"),
    [("8", 4_761, 5_772), ("37.25", 22_172, 26_875), ("43", 25_595, 31_024), ("150", 89_285, 108_225), ("0", 0, 0)],
)
def test_the_top_down_estimate_is_rounded_down_to_whole_gpus(mw: str, nameplate: int, measured: int) -> None:
    assert gpus_by_planning(ESTIMATE, Fraction(mw)) == nameplate
    assert gpus_by_planning(ESTIMATE, Fraction(mw), measured=True) == measured
    assert nameplate // 512 == {"37.25": 43}.get(mw, nameplate // 512)


def test_the_estimate_is_exact_where_it_comes_out_even() -> None:
    """1.68 MW are 1,000 GPUs of 1.2 x 1.4 kW, and not 999 for a rounding of floats."""
    assert gpus_by_planning(ESTIMATE, Fraction("1.68")) == 1_000


@pytest.mark.parametrize(
    ("day", "nameplate", "firm"), [("2024-05-31", 0, 0), ("2024-06-01", 8, 8), ("2024-07-01", 43, Fraction("37.25"))]
)
def test_power_by_day_is_nameplate_or_firm_and_no_battery(day: str, nameplate: int, firm: Fraction) -> None:
    on = supplies(COLOSSUS, date.fromisoformat(day))
    assert available_mw(on, firm=False) == nameplate
    assert available_mw(on, firm=True) == firm


def test_heat_and_a_stated_derate_take_from_firm_power_alone() -> None:
    """36 degrees are 11 above 25: 2 % less; 0.8 of the rating."""
    said = {"name": "gen", "kind": "generator", "mw": 10, "derate": 0.8, "ambient_c": 36}
    on = supplies(Power.model_validate({"sources": [said]}), date(2024, 1, 1))
    assert available_mw(on, firm=True) == Fraction("7.84")
    assert available_mw(on, firm=False) == 10


def held(made: Schedule) -> None:
    """No day breaks a limit: what is on draws no more of any part than it may carry."""
    for day, on in made._run[1].items():
        limits = made.limits(day)
        groups = {FIXED, *on.units, *(made.pod_of[u] for u in on.units)} if on.units else set()
        load = np.zeros(len(limits.parts))
        for group in groups & set(limits.at):
            np.add.at(load, limits.at[group], limits.watts[group])
        assert (load <= limits.may_w + 1).all()
        assert not groups & limits.dark
        assert all(made.ready[u] <= day for u in on.units)
        given = float(made.given_mw(day)) * 1e6 * (1 - made.spec.schedule.reserve)
        site = limits.load_w(on.units, made.pod_of)[0 if made.column == "nameplate_w" else 1]
        assert not on.units or site <= given + 1


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    days = st.dates(date(2024, 1, 1), date(2024, 3, 1)).map(date.isoformat)
    sources = []
    for i, kind in enumerate(
        draw(st.lists(st.sampled_from(["utility", "generator", "battery"]), min_size=1, max_size=3))
    ):
        count = draw(st.integers(1, 4))
        start = draw(days)
        until = draw(st.none() | st.dates(date(2024, 3, 2), date(2024, 5, 1)).map(date.isoformat))
        sources.append(
            {
                "name": ("grid", "gen", "more")[i], "kind": kind, "mw": draw(st.integers(4, 60)) / 1000, "count": count,
                "spare": draw(st.integers(0, count)), "from": start, "until": until,
                "step": draw(st.none() | st.floats(0.05, 1)),
            }
        )  # fmt: skip
    section: dict[str, Any] = {
        "reserve": draw(st.sampled_from([0, 0.1])),
        "units_per_wave": draw(st.none() | st.integers(1, 3)),
        "gates": draw(st.sampled_from([[], [{"name": "L4", "days": 2}]])),
        "ready": draw(st.sampled_from([[], [{"fleet": "tiny", "racks_from": "2024-01-20", "units_per_week": 2}]])),
        "caps": draw(st.sampled_from([[], [{"w": 400, "from": "2024-02-10", "until": "2024-03-10"}]])),
    }
    return {"power": {"sources": sources}, "schedule": section}


VARIANTS = st.builds(
    Variant, basis=st.just("tree"), load=st.sampled_from(["nameplate", "measured"]), firm=st.booleans()
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(said=said(), variant=VARIANTS)
def test_no_wave_breaks_a_limit_and_waves_add_up(said: dict[str, Any], variant: Variant) -> None:
    """Whatever comes and goes: every limit holds, and each wave starts from what the ones before it left on."""
    made = staged(variant, **said)
    held(made)
    on: set[str] = set()
    for wave in made.waves:
        assert set(wave.before) == on
        on = on | set(wave.units) if wave.kind == "on" else on - set(wave.units)
        assert set(wave.after) == on
    table = waves(made)
    assert table["wave"].is_unique().all()
    assert (table["units_on"].to_list() or [0])[-1] == len(on)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(mw=st.integers(1, 100), more=st.integers(1, 50), variant=VARIANTS)
def test_more_power_never_means_fewer_units(mw: int, more: int, variant: Variant) -> None:
    def units(kilowatts: int) -> int:
        one = staged(variant, power={"sources": [SOURCES[0] | {"mw": kilowatts / 1000}]})
        return len(one.possible(date(2024, 6, 1))[0].units)

    assert units(mw) <= units(mw + more)


def test_what_all_units_draw_is_what_the_train_carries() -> None:
    """The sum over all groups is the load of every part of the power train in the plan: nothing is lost or counted twice."""
    made = staged(Variant("tree", "nameplate", firm=False))
    plan = planned(tuple((s.name, s.kind, s.count) for s in made.spec.power.sources))
    weights = dict(plan.power_nodes.select("power_node", pl.col("capacity_w").cast(pl.Float64)).iter_rows())
    inside, outside, dark = made.draws.of_train(made.tables.loads, None, [], weights)
    assert not dark
    sums = pl.concat([inside, outside]).group_by(power_node="part").agg(pl.col("nameplate_w").sum())
    both = plan.power_loads.join(sums, on="power_node", how="left", suffix="_here")
    off = (both["nameplate_w"] - both["nameplate_w_here"].fill_null(0.0)).abs()
    assert off.max() <= 1


def test_units_come_on_in_order_of_arrival_as_power_comes() -> None:
    made = staged()
    rows = waves(made).select("date", "kind", "members", "units_on").rows()
    assert [r[1] for r in rows] == ["on"] * len(rows)
    assert rows[-1][3] == 5
    assert [u for w in made.waves for u in w.units] == list(made.pod_of)


def test_when_power_falls_what_came_last_goes_off_first() -> None:
    short = [SOURCES[0] | {"mw": 0.1, "until": "2024-04-01"}, SOURCES[1] | {"count": 2, "spare": 0, "step": 1.0}]
    last = staged(power={"sources": short}).waves[-1]
    assert (last.day, last.kind) == (date(2024, 4, 1), "off")
    assert last.before == last.after + last.units


def test_a_change_of_a_date_keeps_the_waves_of_other_dates() -> None:
    later = [*SOURCES[:2], SOURCES[2] | {"from": "2024-03-15"}]
    before, after = waves(staged()), waves(staged(power={"sources": later}))
    same = before.filter(pl.col("date") < date(2024, 3, 1))
    assert len(same)
    assert after.filter(pl.col("date") < date(2024, 3, 1)).equals(same)
    moved = [f.filter(pl.col("date") >= date(2024, 3, 1)).drop("date", "hold_until") for f in (before, after)]
    assert moved[0].equals(moved[1]), "the wave itself is the same, on another day"


def test_waves_wait_for_gates_and_for_what_is_ready() -> None:
    said = {
        "units_per_wave": 2,
        "gates": [{"name": "L4", "days": 3}, {"name": "L5", "days": 1}],
        "ready": [{"hall": "h1", "racks_from": "2024-03-02", "cooling_from": "2024-03-10"}],
    }
    made = staged(schedule=said)
    assert [(w.day.isoformat(), len(w.units)) for w in made.waves] == [
        ("2024-03-10", 2), ("2024-03-14", 2), ("2024-03-18", 1),
    ]  # fmt: skip


def test_a_cap_takes_from_a_node_what_its_gpus_may_not_draw() -> None:
    """Two GPUs of 700 W capped at 400 W: 600 W less of 2,000; what was measured is held to no more than that."""
    made = staged(schedule={"caps": [{"w": 400}]})
    nodes = made.tables.devices.filter(pl.col("kind") == "node").select("device")
    drawn = made.loads(400).join(nodes, on="device")
    assert drawn["nameplate_w"].unique().to_list() == [1_400]
    assert drawn["typical_w"].unique().to_list() == [1_400]
    assert made.loads(None).join(nodes, on="device")["typical_w"].unique().to_list() == [1_500]


def test_a_load_step_larger_than_sources_take_keeps_a_unit_off() -> None:
    weak = [{"name": "gen", "kind": "generator", "mw": 0.1, "step": 0.01}]
    on = staged(power={"sources": weak}).possible(date(2024, 6, 1))[0]
    assert on.units == []
    assert on.refused is not None
    assert on.refused.part == "load step"


def test_a_battery_takes_the_step_that_generators_cannot() -> None:
    both = [
        {"name": "gen", "kind": "generator", "mw": 0.1, "step": 0.01},
        {"name": "bess", "kind": "battery", "mw": 0.1},
    ]
    assert staged(power={"sources": both}).possible(date(2024, 6, 1))[0].units


def swinging(
    sources: list[dict[str, Any]] | None = None, schedule: dict[str, Any] | None = None, **facts: Any
) -> Swing:
    """The five units of four GPUs, all on, on sources that take 10 kW at once if nothing else is said."""
    gpu = {"product": "h100_sxm", "reason": "recalled for a test of swings", "facts": facts}
    gen = {"name": "gen", "kind": "generator", "mw": 0.1, "step": 0.1}
    made = staged(power={"sources": sources or [gen]}, assumptions=[*TALL["assumptions"], gpu], schedule=schedule or {})
    on = made.on(date(2024, 6, 1))
    assert on is not None
    assert len(on.units) == 5
    return swing(made, date(2024, 6, 1), on.units)


GRID_100 = {"name": "grid", "kind": "utility", "mw": 0.1}


@pytest.mark.parametrize(
    ("said", "watts", "together"),
    [
        ({"swing_w": 800}, (16_000, 16_000, 16_000), 3),  # 12 GPUs are 9.6 kW
        ({"swing_w": 400}, (8_000, 8_000, 8_000), 5),
        ({"swing_w": 800, "power_floor_max": 0.9}, (16_000, 16_000, 1_400), 3),  # on offer, and not asked for
        ({"swing_w": 800, "power_floor_max": 0.9, "schedule": {"power_floor": 0.5}}, (16_000, 7_000, 1_400), 5),
        ({"swing_w": 100, "power_floor_max": 0.9, "schedule": {"power_floor": 0.5}}, (2_000, 2_000, 1_400), 5),
        ({"swing_w": 800, "storage_peak_cut": 0.3}, (16_000, 11_800, 11_800), 4),  # 16 GPUs are 9.44 kW
        ({"swing_w": 800, "sources": [GRID_100]}, (16_000, 16_000, 16_000), 5),  # no step is stated
        ({"swing_w": 800, "sources": [GRID_100 | {"step": 0.1}]}, (16_000, 16_000, 16_000), 3),
        ({"swing_w": 800, "sources": [GRID_100 | {"ramp_mw_per_min": 0.42}]}, (16_000, 16_000, 16_000), 2),  # 7 kW
        ({"swing_w": None, "power_floor_max": 0.9, "schedule": {"power_floor": 0.5}}, (None, 7_000, 1_400), 5),
    ],
)
def test_units_that_train_together_swing_no_more_than_sources_take(
    said: dict[str, Any], watts: tuple[float | None, ...], together: int
) -> None:
    found = swinging(**said)
    assert (found.bare_w, found.swing_w, found.best_w) == pytest.approx(watts)
    assert (found.units, found.gpus) == (together, 4 * together)
    assert found.holds == (together < 5)


def test_a_swing_that_nobody_knows_is_not_evaluated() -> None:
    found = swinging(swing_w=None)
    assert (found.units, found.swing_w, found.missing, found.holds) == (None, None, ("h100_sxm",), False)


def test_a_cap_lowers_the_heat_and_what_the_plant_draws() -> None:
    """Nodes give 1,400 of 2,000 W under the cap: their liquid heat, and what pumps draw for it, fall by the share."""
    made = staged(schedule={"caps": [{"w": 400}]})
    nodes = made.tables.devices.filter(pl.col("kind") == "node").select("device")
    was, now = (made.loads(cap).join(nodes, on="device")["liquid_w"].sum() for cap in (None, 400))
    assert now == pytest.approx(0.7 * was, abs=len(nodes))
    heat = [made.draws.of_cooling(made.loads(cap), cap)["heat_w"].sum() for cap in (None, 400)]
    assert heat[1] < heat[0]
    plant = [made.draws.of_plants(made.loads(cap), cap)["nameplate_w"].sum() for cap in (None, 400)]
    assert plant[1] < plant[0]
    assert plant[0] == pytest.approx(made.tables.plant_loads["nameplate_w"].sum())


@pytest.mark.parametrize(
    ("schedule_", "error", "words"),
    [
        ({"power_floor": 0.8}, CatalogueError, "power_floor_max is not known"),
        ({"caps": [{"w": 100}]}, InfeasibleError, "a cap of 100 W is below the 200 W"),
    ],
)
def test_what_a_gpu_cannot_do_is_told(schedule_: dict[str, Any], error: type[Exception], words: str) -> None:
    gpu = {"product": "h100_sxm", "reason": "recalled for a test of caps", "facts": {"min_w": 200}}
    with pytest.raises(error, match=words):
        staged(assumptions=[*TALL["assumptions"], gpu], schedule=schedule_)


def test_planning_is_asked_for_where_it_is_not_stated() -> None:
    with pytest.raises(SpecError, match="needs the figures of it"):
        staged(Variant("planning", "nameplate", firm=True))


PLANNING = {"kw_per_gpu": 1.4, "measured_kw_per_gpu": 1.1, "pue": 1.2}


def test_the_comparison_of_planning_and_tree_adds_up() -> None:
    """The lines of both columns sum to what is drawn at the meter, and details to their line."""
    made = staged(planning=PLANNING)
    day = date(2024, 6, 1)
    on = made.on(day)
    assert on is not None
    for load in ("nameplate", "measured"):
        lines = compare(made, day, load, on)
        main = [line for line in lines[:-1] if not line.what.startswith("  ")]
        assert sum(line.tree_w for line in main) == lines[-1].tree_w
        assert sum(line.planning_w or 0 for line in main) == lines[-1].planning_w
        assert sum(line.tree_w for line in lines if line.what.startswith("  ")) == lines[-1].tree_w - lines[0].tree_w
        column = 0 if load == "nameplate" else 1
        assert lines[-1].tree_w == made.limits(day).load_w(on.units, made.pod_of)[column]
        assert all(line.tree_w >= 0 for line in lines)


def test_people_read_dates_and_workings() -> None:
    made = staged(planning=PLANNING)
    text = render(made, dates(made))
    assert "schedule by tree, load nameplate, firm power" in text
    assert "2024-02-01" in text
    working = explain(made, date(2024, 2, 1))
    assert "gen: 3 x 0.01 MW = 0.030 MW nameplate; firm (3 - 1 spare) x 0.01 MW x 0.9 = 0.018 MW" in working
    figures = {f.case: f for f in by_planning(made, date(2024, 2, 1))}
    assert figures["firm"].gpus == int(Fraction("0.034") * 1000 / (Fraction("1.2") * Fraction("1.4")))
    assert [f.case for f in by_tree(made, date(2024, 2, 1))] == ["nameplate", "measured", "firm"]
