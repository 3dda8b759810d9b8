"""What the stack of any site declares: rows that their kinds take, sums that agree, nothing that the pack refuses."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from test_plan_invariants import built, random_sites, sites

from lindos.check.view import View
from lindos.resources.computed import COOLER, FEED, HALL, LINEUP, SLICE, SUBSTATION
from lindos.resources.limits import over_its_limit, untrue
from lindos.resources.views import site_view


@random_sites
@given(sites())
def test_what_a_stack_declares_adds_up_and_is_refused_nothing(site: dict[str, Any]) -> None:
    spec, plan = built(site)
    view = site_view(View(plan, spec))
    lineups = {row["lineup"]: row for row in view.lineups}
    upstream = {row["substation"] for row in view.substations}
    for kind, rows in (
        (HALL, view.halls), (SUBSTATION, view.substations), (LINEUP, view.lineups), (FEED, view.feeds),
        (COOLER, view.coolers), (SLICE, view.slices),
    ):  # fmt: skip
        for row in rows:
            assert kind.check(row) == (row, []), kind.token
            assert list(untrue(kind.token, row)) == []
            assert list(over_its_limit(kind.token, row)) == []
    drawn = plan.loads["nameplate_w"].sum() / 1000
    cords = sum(len(row["lineups_kw"]) for row in view.slices)
    by_lineup = dict.fromkeys(lineups, 0.0)
    for row in view.slices:
        for name, kw in row["lineups_kw"].items():
            by_lineup[name] += kw
    assert math.isclose(sum(by_lineup.values()), drawn, abs_tol=0.05 * cords + 0.001 * len(plan.devices) * 4)
    for name, row in lineups.items():
        assert by_lineup[name] <= row["load_kw"]["nameplate"] + 0.05 * (cords + 1)
        assert set(row["fed_by"]) <= upstream
    assert sum(row["racks"] for row in view.feeds) <= len(plan.racks) * len(spec.power.feeds)
