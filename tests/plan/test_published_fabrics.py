"""Fabrics come out as their makers publish them, from the numbers that they state and one rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lindos.errors import InfeasibleError
from lindos.plan.rails import Block, Demand, size_rails

TABLES: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(
    (Path(__file__).parent / "published_fabrics.yaml").read_text()
)
ROWS = [
    ({k: v for k, v in table.items() if k not in ("rows", "stripes")}, row)
    for table in TABLES
    for row in table.get("rows", []) + table.get("stripes", [])
]
COUNTED = ("leaf", "spine", "core", "leaf_spine", "spine_core")


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{t['source'][:24]} {r['units']}" for t, r in ROWS])
def test_a_fabric_is_that_of_its_published_table(table: dict[str, Any], row: dict[str, Any]) -> None:
    said = {"rails": 8, "planes": 1} | table | row
    demand = Demand(
        name="rdma",
        blocks=(Block(said["units"], said["nodes"], said["rails"]),),
        ports={400: said["radix"]},
        gbps=400 * said["planes"],
        planes=said["planes"],
        rails_per_leaf=said.get("rails_per_leaf"),
    )
    sizes = size_rails(demand)
    assert {k: v for k, v in sizes.count().items() if k in row} == {k: row[k] for k in COUNTED if k in row}
    nics = said["units"] * said["nodes"] * said["rails"] * said["planes"]
    assert row.get("node_leaf", nics) == nics
    assert nics <= sizes.leaves * sizes.planes * sizes.clos.leaf.down


def test_every_source_says_what_it_is() -> None:
    assert all(len(t["source"]) > 40 for t in TABLES)


INFEASIBLE: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(
    (Path(__file__).parent / "infeasible_fabrics.yaml").read_text()
)


@pytest.mark.parametrize("case", INFEASIBLE, ids=lambda c: c["says"].split("\n")[0][32:72])
def test_a_fabric_that_cannot_be_built_says_which_limit_and_what_could_be(case: dict[str, Any]) -> None:
    asked = {k: v for k, v in case.items() if k not in ("units", "says", "others", "gbps")}
    demand = Demand(
        name="rdma",
        blocks=tuple(Block(*unit) for unit in case["units"]),
        ports={800: 64, 400: 128, 200: 256},
        gbps=case.get("gbps", 400),
        others=lambda: case.get("others", {}),
        **asked,
    )
    with pytest.raises(InfeasibleError) as said:
        size_rails(demand)
    assert said.value.render() + "\n" == case["says"]
