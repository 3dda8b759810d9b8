"""The policy pack's judgements, as functions of properties; and that what is designed passes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lindos.check.view import View
from lindos.plan import design_site
from lindos.resources.computed import COOLER, FEED, HALL, LINEUP, SLICE, SUBSTATION
from lindos.resources.limits import near_its_limit, over_its_limit, untrue
from lindos.resources.views import site_view

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab" / "site.yaml"
LOAD = {"nameplate": 700.0, "typical": 585.0}
BOARD: dict[str, Any] = {
    "lineup": "h1-board-a1",
    "load_kw": LOAD,
    "parts": {"transformer": 1, "board": 1},
    "capacity_kw": {"transformer": 1500.0, "board": 1500.0},
    "reserve_kw": {"transformer": 160.0, "board": 160.0},
    "loading_pct": {"transformer": 89.3, "board": 89.3},
}
CDUS: dict[str, Any] = {
    "cooler": "h1-cdus", "kind": "cdu", "units": 4, "capacity_kw": 1000.0, "load_kw": LOAD, "reserve_kw": 20.0,
    "loading_pct": 92.0,
}  # fmt: skip
ROOM: dict[str, Any] = {
    "hall": "h1",
    "positions": 40,
    "racks": 40,
    "nameplate_kw": 900.0,
    "typical_kw": 800.0,
    "liquid_kw": 700.0,
}
UNIT: dict[str, Any] = {
    "slice": "a0001",
    "nameplate_kw": 24.1,
    "feeds_kw": {"a": 12.1, "b": 12.1},
    "lineups_kw": {"x": 12.0, "y": 12.1},
}


def judged(token: str, props: dict[str, Any]) -> dict[str, list[str]]:
    """A kind and properties -> policy -> what it reports."""
    said = {
        "within-limits": list(over_its_limit(token, props)),
        "headroom": list(near_its_limit(token, props)),
        "possible": list(untrue(token, props)),
    }
    return {policy: lines for policy, lines in said.items() if lines}


CASES: dict[str, tuple[str, dict[str, Any], dict[str, list[str]]]] = {
    "all is well": (LINEUP.token, BOARD, {}),
    "nothing is known": (COOLER.token, {"cooler": "h1-cdus", "kind": "cdu", "units": 4, "load_kw": LOAD}, {}),
    "a board that is short when another is lost": (
        LINEUP.token,
        BOARD | {"reserve_kw": {"transformer": 160.0, "board": -10.5}, "loading_pct": {"transformer": 89.3, "board": 100.7}},
        {"within-limits": ["board: 10.5 kW more than one of them may carry in the worst case"]},
    ),
    "a transformer that is short when all is well": (
        LINEUP.token,
        BOARD | {"capacity_kw": {"transformer": 690.0}, "reserve_kw": {}},
        {"within-limits": ["transformer: carries 700.0 kW nameplate, may carry 690.0 kW"]},
    ),
    "a feed whose rack PDUs are short": (
        FEED.token,
        BOARD | {"reserve_kw": {"rack_pdu": -0.1, "busway": 3.0}, "loading_pct": {}},
        {"within-limits": ["rack pdu: 0.1 kW more than one of them may carry in the worst case"]},
    ),
    "a substation near its limit": (
        SUBSTATION.token,
        BOARD | {"loading_pct": {"substation": 90.1}},
        {"headroom": ["substation: loaded with 90.1 % of what it may carry, more than 90 %"]},
    ),
    "at the limit, but not over it": (
        LINEUP.token,
        BOARD | {"reserve_kw": {"board": 0.0}, "loading_pct": {"board": 100.0}},
        {"headroom": ["board: loaded with 100.0 % of what it may carry, more than 90 %"]},
    ),
    "CDUs near their limit": (
        COOLER.token, CDUS, {"headroom": ["cdu: loaded with 92.0 % of what it may carry, more than 90 %"]},
    ),
    "a CDU above its capacity": (
        COOLER.token,
        CDUS | {"reserve_kw": -7.5, "loading_pct": 103.0},
        {"within-limits": ["cdu: 7.5 kW more than one of them may carry in the worst case"]},
    ),
    "more drawn than nameplate": (
        LINEUP.token,
        BOARD | {"load_kw": {"nameplate": 700.0, "typical": 700.2}},
        {"possible": ["draws 700.2 kW under training, more than its nameplate of 700.0 kW"]},
    ),
    "a hall that is full": (HALL.token, ROOM, {}),
    "more racks than positions": (HALL.token, ROOM | {"racks": 41}, {"possible": ["41 racks stand on 40 positions"]}),
    "more heat than power": (
        HALL.token, ROOM | {"liquid_kw": 900.2}, {"possible": ["gives more heat to the coolant than it draws"]},
    ),
    "a slice that is fed": (SLICE.token, UNIT, {}),
    "watts that come by no lineup": (
        SLICE.token, UNIT | {"lineups_kw": {"x": 12.0}}, {"possible": ["24.2 kW come by its feeds, 12.0 kW by its lineups"]},
    ),
    "less than nothing": (SLICE.token, UNIT | {"gpus": -8}, {"possible": ["gpus is -8.0, below nothing"]}),
    "what is not ours": ("aws:s3:Bucket", BOARD | {"reserve_kw": {"board": -1.0}, "racks": -1}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("token", "props", "said"), CASES.values(), ids=CASES.keys())
def test_what_the_pack_says(token: str, props: dict[str, Any], said: dict[str, list[str]]) -> None:
    assert judged(token, props) == said


def test_how_near_is_near_can_be_said() -> None:
    near = "loaded with 89.3 % of what it may carry, more than 80 %"
    assert list(near_its_limit(LINEUP.token, BOARD, 80)) == [f"board: {near}", f"transformer: {near}"]
    assert list(near_its_limit(COOLER.token, CDUS, 95)) == []


def test_the_lab_is_refused_nothing() -> None:
    view = site_view(View(design_site(LAB)[1]))
    for kind, rows in (
        (HALL, view.halls), (SUBSTATION, view.substations), (LINEUP, view.lineups), (FEED, view.feeds),
        (COOLER, view.coolers), (SLICE, view.slices),
    ):  # fmt: skip
        for row in rows:
            assert judged(kind.token, row).keys() <= {"headroom"}, row
