"""The named sites come out as what is public of them, and arithmetic on it, demands; and they break no rule."""

from __future__ import annotations

import csv
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lindos.check import check
from lindos.cli import counts
from lindos.plan import Plan, design_site

if TYPE_CHECKING:
    from lindos.spec import Spec

HERE = Path(__file__).parent
ROWS = list(csv.DictReader((HERE / "named_sites.csv").open()))
SITES = {name: {r["what"]: int(r["value"]) for r in rows} for name, rows in groupby(ROWS, lambda r: r["site"])}


@cache
def designed(site: str) -> tuple[Spec, Plan]:
    return design_site(HERE.parents[1] / "inventories" / site / "site.yaml")


def figures(plan: Plan) -> dict[str, int]:
    """A plan -> what its site is known by."""
    found = counts(plan)
    out = {name: n for name, n in found.items() if isinstance(n, int)}
    out |= {f"{fabric} {tier}": n for fabric, tiers in found["switches"].items() for tier, n in tiers.items()}
    draw = plan.loads.join(plan.devices.filter(kind="node").select("device"), on="device", how="semi")
    out["nodes kW nameplate"] = int(draw["nameplate_w"].sum()) // 1000
    whole = plan.units.filter("whole")["unit"].head(1).implode()
    first = plan.racks.filter(pl.col("unit").is_in(whole))
    out["racks of a row"] = len(first.filter(kind="compute"))
    out["other racks of a row"] = len(first) - out["racks of a row"]
    assert first["row"].n_unique() == 1
    return out


@pytest.mark.parametrize("site", SITES)
def test_a_named_site_has_the_figures_that_are_known_of_it(site: str) -> None:
    found, wanted = figures(designed(site)[1]), SITES[site]
    assert {what: found[what] for what in wanted} == wanted


@pytest.mark.parametrize("site", SITES)
def test_a_named_site_breaks_no_other_rule(site: str) -> None:
    spec, plan = designed(site)
    assert {f.code for f in check(plan, spec)} == set()
