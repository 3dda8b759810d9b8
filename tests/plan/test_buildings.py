"""A site of several buildings: each fleet stands in its own, and what joins them crosses the site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.check import check
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

TALL: dict[str, Any] = YAML(typ="safe", pure=True).load((Path(__file__).parents[1] / "rules/tall.yaml").read_text())


def site(corners: list[tuple[int, int]], rows: int = 16, gpus: int = 20) -> dict[str, Any]:
    """The three-tier site of tests/rules in so many buildings, each with a fleet of its own."""
    first = TALL["compute"]["fleets"][0] | {"gpus": gpus}
    names = [f"b{i + 1}" for i in range(len(corners))]
    power = TALL["power"] | {"sources": [{"name": "grid", "kind": "utility", "mw": 1}]}
    return TALL | {
        "compute": TALL["compute"] | {"fleets": [first | {"name": f"f{b}", "building": b} for b in names]},
        "buildings": [{"name": b, "x_m": x, "y_m": y} for b, (x, y) in zip(names, corners, strict=True)],
        "halls": [{"name": f"{b}-h1", "rows": rows, "racks_per_row": 8, "building": b} for b in names],
        "power": power,
    }


def designed(said: dict[str, Any]) -> tuple[Spec, Plan]:
    spec = Spec.model_validate(said)
    return spec, design(spec, load_catalogue(assumed_products(spec)))


@pytest.mark.parametrize("corners", [[(0, 0)], [(0, 0), (60, 0)], [(10, 5), (10, 70)], [(50, 0), (0, 0)]], ids=str)
def test_a_fleet_stands_in_its_building_and_racks_where_the_building_is(corners: list[tuple[int, int]]) -> None:
    spec, plan = designed(site(corners))
    racks = plan.racks.join(plan.halls.select("hall", "building", hall_x="x_mm", hall_y="y_mm"), on="hall")
    nodes = racks.filter(kind="compute")
    assert set(nodes.select("fleet", "building").rows()) == {(f"fb{i + 1}", f"b{i + 1}") for i in range(len(corners))}
    for i, (x, y) in enumerate(corners):
        mine = racks.filter(building=f"b{i + 1}")
        assert mine["hall_x"].min() == x * 1000
        assert mine["hall_y"].min() == y * 1000
        assert mine["x_mm"].min() >= x * 1000
        assert mine["y_mm"].min() >= y * 1000
    shared = racks.filter(pl.col("unit").is_null() & pl.col("pod").is_null())
    assert shared["building"].unique().to_list() == ["b1"]
    assert [f.code for f in check(plan, spec) if f.code.startswith(("FLOOR", "CABLE"))] == []


def test_cables_between_buildings_are_as_long_as_the_way() -> None:
    near, far = (designed(site([(0, 0), (x, 40)]))[1].cables["route_mm"].max() for x in (100, 250))
    assert far - near == 150_000  # type: ignore[operator]  # lengths of plans that have cables


def test_buildings_farther_apart_than_any_optic_reaches_are_told() -> None:
    with pytest.raises(InfeasibleError, match="cables are too long for any medium that fits"):
        designed(site([(0, 0), (2_500, 0)]))


def test_buildings_that_stand_in_each_other_are_told() -> None:
    with pytest.raises(InfeasibleError) as caught:
        designed(site([(0, 0), (3, 20), (100, 0)]))
    (problem,) = caught.value.problems
    assert problem.message == (
        "buildings 'b1' and 'b2' stand in each other: the halls of 'b1' take 6 x 48 m from x 0 m, y 0 m, "
        "and 'b2' begins at x 3 m, y 20 m"
    )
    assert problem.hint == "buildings: other x_m or y_m; rows run along x"


def test_a_building_that_is_full_is_named() -> None:
    with pytest.raises(InfeasibleError) as caught:
        designed(site([(0, 0), (100, 0)], rows=2))
    assert "the halls of building b1 are full" in caught.value.problems[0].message
    assert "(16 positions;" in caught.value.problems[0].message
