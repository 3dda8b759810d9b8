"""What carries a limited load, against the tables of the plan: capacity, load, reserve, and what hangs on it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from lindos.check.view import View
from lindos.plan import design_site
from lindos.resources.computed import COOLER, FEED, LINEUP, SUBSTATION
from lindos.resources.views import site_view

if TYPE_CHECKING:
    from lindos.resources.views import Row, SiteView

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab" / "site.yaml"

UPSTREAM = [
    {"name": "s63", "kind": "substation", "fed_by": ["grid"], "mw": 5, "transformers": 2, "kv": 13.8, "feeds": ["a"]},
    {"name": "msg", "kind": "switchgear", "fed_by": ["s63"], "mw": 5, "kv": 13.8, "feeds": ["b"]},
]
CHAINS: dict[str, dict[str, Any]] = {
    "2N": {},
    "2N of two steps": {"upstream": UPSTREAM},
    "2N with UPS": {"chain": {"ups": {"minutes": 5}}},
    "N": {"chain": {"redundancy": "N"}},
    "N+1": {"chain": {"redundancy": "N+1", "transformer": {"kva": 30}}},
    "3N/2": {"chain": {"redundancy": "3N/2", "transformer": {"kva": 30}}},
    "4N/3": {"chain": {"redundancy": "4N/3", "transformer": {"kva": 30}}},
    "catcher": {"chain": {"redundancy": "catcher", "transformer": {"kva": 30}}},
}


def site(folder: Path, **power: Any) -> View:
    """The lab with other words under `power:` -> its view."""
    text = YAML(typ="safe").load(LAB.read_text())
    text["power"]["chain"] |= power.pop("chain", {})
    if text["power"]["chain"].get("redundancy") == "N":
        text["power"]["feeds"] = ["a"]
    text["power"] |= {k: v for k, v in power.items() if k != "placement"}
    if "placement" in power:
        text["placement"] = power["placement"]
    path = folder / "site.yaml"
    with path.open("w") as out:
        YAML().dump(text, out)
    return View(design_site(path)[1])


@pytest.fixture(scope="module", params=CHAINS.values(), ids=CHAINS.keys())
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> View:
    return site(tmp_path_factory.mktemp("site"), **request.param)


@pytest.fixture(scope="module")
def declared(view: View) -> SiteView:
    return site_view(view)


def worst_w(view: View, parts: pl.DataFrame) -> pl.DataFrame:
    """Some parts -> with what each carries in its worst case."""
    return parts.join(view.carried.group_by("power_node").agg(pl.col("load_w").max()), on="power_node")


def test_every_row_is_what_its_kind_asks_for(declared: SiteView) -> None:
    kinds = ((SUBSTATION, declared.substations), (LINEUP, declared.lineups), (FEED, declared.feeds))
    for kind, rows in (*kinds, (COOLER, declared.coolers)):
        assert rows
        for row in rows:
            assert kind.check(row) == (row, []), kind.token


def test_a_lineup_is_a_board_with_its_transformers_and_its_ups(view: View, declared: SiteView) -> None:
    nodes = view.plan.power_nodes.with_columns(pl.col("kind").cast(pl.String))
    loads = nodes.filter(pl.col("kind") == "board").join(view.plan.power_loads, on="power_node")
    of_halls = loads.drop_nulls("hall")
    assert [r["lineup"] for r in declared.lineups if "hall" in r] == of_halls["power_node"].sort().to_list()
    assert sum(row["parts"]["board"] for row in declared.lineups) == len(loads)
    for stage in ("transformer", "board", "ups"):
        rows = [row for row in declared.lineups if stage in row["parts"]]
        assert sum(row["parts"][stage] for row in rows) == len(nodes.filter(pl.col("kind") == stage))
        told = sum(row["capacity_kw"][stage] for row in rows) * 1000
        assert math.isclose(told, nodes.filter(pl.col("kind") == stage)["capacity_w"].sum(), abs_tol=50 * len(rows))
    for row in (row for row in declared.lineups if "hall" in row):
        (own,) = loads.filter(power_node=row["lineup"]).rows(named=True)
        assert row["load_kw"] == {k: round(own[f"{k}_w"] / 1000, 1) for k in ("nameplate", "typical")}
        assert (row.get("hall"), row.get("feed")) == (own["hall"], own["feed"])


def test_reserve_and_loading_are_those_of_the_part_that_is_worst_off(view: View, declared: SiteView) -> None:
    nodes = worst_w(view, view.plan.power_nodes.with_columns(pl.col("kind").cast(pl.String)))
    nodes = nodes.with_columns(
        left=pl.col("capacity_w") - pl.col("load_w"), pct=100 * pl.col("load_w") / pl.col("capacity_w")
    )
    for row in declared.feeds:
        for stage, reserve in row["reserve_kw"].items():
            mine = nodes.filter(hall=row["hall"], feed=row["side"], kind=stage)
            assert row["parts"][stage] == len(mine)
            least = mine["left"].min() / 1000
            assert reserve <= least + 0.001  # rounded down: what is short never looks even
            assert math.isclose(reserve, least, abs_tol=0.11)
            assert math.isclose(row["loading_pct"][stage], mine["pct"].max(), abs_tol=0.06)
    for row in (row for row in declared.lineups if "hall" in row):
        (own,) = nodes.filter(power_node=row["lineup"]).rows(named=True)
        assert math.isclose(row["reserve_kw"]["board"], own["left"] / 1000, abs_tol=0.11)


def test_boards_of_a_plant_are_one_lineup_a_feed_and_carry_its_machines(view: View, declared: SiteView) -> None:
    rows = [row for row in declared.lineups if "hall" not in row]
    centres = view.plan.power_nodes.filter(kind="motor_control").join(view.plan.power_loads, on="power_node")
    assert math.isclose(
        sum(row["load_kw"]["nameplate"] for row in rows),
        (centres["nameplate_w"] + centres["nameplate_loss_w"]).sum() / 1000,
        abs_tol=0.3,
    )
    assert len({row["lineup"] for row in rows}) == len(rows) <= 4
    ways = view.plan.power_edges.filter(pl.col("child").is_in(centres["power_node"].implode()))
    assert sum(row["motor_controls"] for row in rows) == len(ways)


def test_all_that_racks_draw_comes_by_lineups_and_feeds(view: View, declared: SiteView) -> None:
    total = view.plan.loads["nameplate_w"].sum() / 1000
    for key in ("feeds_kw", "lineups_kw"):
        assert math.isclose(sum(sum(row[key].values()) for row in declared.slices), total, abs_tol=1)
    assert math.isclose(sum(f["load_kw"]["nameplate"] for f in declared.feeds), total, abs_tol=0.3)
    by_name = {row["lineup"]: row for row in declared.lineups}
    for row in declared.slices:
        for name, kw in row["lineups_kw"].items():
            assert kw <= by_name[name]["load_kw"]["nameplate"] + 0.1
    assert {n for f in declared.feeds for n in f["fed_by"]} == {n for s in declared.slices for n in s["lineups_kw"]}
    assert {n for f in declared.feeds for n in f["fed_by"]} <= set(by_name)


def test_power_comes_down_the_tree(view: View, declared: SiteView) -> None:
    upstream = {row["substation"]: row for row in declared.substations}
    for row in declared.lineups:
        assert row["fed_by"]
        assert set(row["fed_by"]) <= set(upstream)
    for row in upstream.values():
        (own,) = view.plan.power_loads.filter(power_node=row["substation"]).rows(named=True)
        assert row["load_kw"]["nameplate"] == round(own["nameplate_w"] / 1000, 1)
        parts = set(view.plan.power_nodes["power_node"])
        assert row["fed_by"]
        assert set(row["fed_by"]) <= parts - {row["substation"]}


def test_what_feeds_another_comes_before_it(tmp_path: Path) -> None:
    steps = [(row["substation"], row["fed_by"]) for row in site_view(site(tmp_path, upstream=UPSTREAM)).substations]
    assert steps == [("s63", ["grid"]), ("msg", ["s63"])]


def test_coolers_hold_every_machine_and_its_heat(view: View, declared: SiteView) -> None:
    nodes = view.plan.cooling_nodes.filter(~pl.col("kind").is_in(["manifold", "header", "room"]))
    assert sum(row["units"] for row in declared.coolers) == len(nodes)
    heat = sum(row["load_kw"]["nameplate"] for row in declared.coolers)
    assert math.isclose(heat, nodes["heat_w"].sum() / 1000, abs_tol=0.5)
    (cdu,) = (row for row in declared.coolers if row["kind"] == "cdu")
    (one,) = nodes.filter(kind="cdu").rows(named=True)
    assert (cdu["cooler"], cdu["units"], cdu["capacity_kw"]) == ("h1-cdus", 1, 250.0)
    assert cdu["reserve_kw"] == (one["capacity_w"] - one["heat_w"]) // 100 / 10
    assert cdu["loading_pct"] == round(100 * one["heat_w"] / one["capacity_w"], 1)


def by_name(rows: tuple[Row, ...], key: str) -> dict[str, Row]:
    return {row[key]: row for row in rows}


def test_a_rack_that_moves_takes_its_kilowatts_from_lineup_to_lineup(tmp_path: Path) -> None:
    """Into the zone of lineups that were not there: four lineups change, and the feeds carry what they did."""
    was = site_view(site(tmp_path))
    there = site_view(site(tmp_path, placement=[{"rack": "lab-a0002-r01", "hall": "h1", "row": 1, "position": 4}]))
    old, new = by_name(was.lineups, "lineup"), by_name(there.lineups, "lineup")
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    (slice_was,), (slice_is,) = (
        [row for row in rows if row["slice"] == "a0002"] for rows in (was.slices, there.slices)
    )
    moved = {n for n in slice_was["lineups_kw"].keys() | slice_is["lineups_kw"].keys()
             if slice_was["lineups_kw"].get(n) != slice_is["lineups_kw"].get(n)}  # fmt: skip
    assert changed == moved
    assert len(changed) == 4
    for feed in ("a", "b"):
        mine = [n for n in changed if (new.get(n) or old[n])["feed"] == feed]
        loads = [
            [rows.get(n, {"load_kw": {"nameplate": 0.0}})["load_kw"]["nameplate"] for n in mine] for rows in (old, new)
        ]
        assert math.isclose(sum(loads[0]), sum(loads[1]), abs_tol=0.2)
        assert max(abs(a - b) for a, b in zip(*loads, strict=True)) > 5
    assert [f["digest"] for f in was.feeds] == [f["digest"] for f in there.feeds]
    assert [f["load_kw"] for f in was.feeds] == [f["load_kw"] for f in there.feeds]
    assert [c["digest"] for c in was.coolers] == [c["digest"] for c in there.coolers]


def test_the_digest_of_a_lineup_is_of_what_hangs_on_it(tmp_path: Path) -> None:
    view = site(tmp_path)
    plan = view.plan
    heavier = pl.when(pl.col("device") == "lab-a0002-r01-n01").then(1).otherwise(0)
    loads = plan.loads.with_columns(pl.col("typical_w") + heavier)
    other = View(replace(plan, loads=loads))  # type: ignore[arg-type]  # the same schema
    old, new = site_view(view).lineups, site_view(other).lineups
    hang = {n for row in site_view(view).slices if row["slice"] == "a0002" for n in row["lineups_kw"]}
    assert {a["lineup"] for a, b in zip(old, new, strict=True) if a["digest"] != b["digest"]} <= hang
    assert sum(a["digest"] != b["digest"] for a, b in zip(old, new, strict=True)) == 2


def test_a_site_of_too_many_lineups_tells_those_of_a_feed_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = site(tmp_path)
    every = site_view(view)
    monkeypatch.setattr("lindos.resources.views.SLICES", len(every.slices) + len(every.lineups) - 1)
    few = site_view(view)
    assert [row["lineup"] for row in few.lineups] == [
        "h1-lineups-a", "h1-lineups-b", "plants-lineups-a", "plants-lineups-b",
    ]  # fmt: skip
    assert few.slices[0]["lineups_kw"].keys() == {"h1-lineups-a", "h1-lineups-b"}
    for row in few.lineups:
        assert LINEUP.check(row) == (row, [])
    mine = [r for r in every.lineups if r.get("hall") == "h1" and r["feed"] == "a"]
    (told,) = (r for r in few.lineups if r["lineup"] == "h1-lineups-a")
    assert told["parts"] == {"transformer": len(mine), "board": len(mine)}
    assert told["reserve_kw"]["board"] == min(r["reserve_kw"]["board"] for r in mine)
    assert told["loading_pct"]["board"] == max(r["loading_pct"]["board"] for r in mine)
    assert math.isclose(told["load_kw"]["nameplate"], sum(r["load_kw"]["nameplate"] for r in mine), abs_tol=0.2)


def test_what_is_short_has_less_than_no_reserve_and_an_unknown_capacity_has_none(tmp_path: Path) -> None:
    view = site(tmp_path)
    plan = view.plan
    board = pl.col("power_node") == "h1-board-a3"
    small = plan.power_nodes.with_columns(pl.when(board).then(20_000).otherwise("capacity_w").alias("capacity_w"))
    cdu = pl.col("kind") == "cdu"
    unknown = plan.cooling_nodes.with_columns(pl.when(~cdu).then("capacity_w").alias("capacity_w"))
    other = View(replace(plan, power_nodes=small, cooling_nodes=unknown))  # type: ignore[arg-type]  # the same schemas
    told = site_view(other)
    row = by_name(told.lineups, "lineup")["h1-board-a3"]
    assert row["capacity_kw"]["board"] == 20.0
    assert row["reserve_kw"]["board"] < 0 < row["reserve_kw"]["transformer"]
    assert row["loading_pct"]["board"] > 100
    assert by_name(told.feeds, "feed")["h1-feed-a"]["reserve_kw"]["board"] == row["reserve_kw"]["board"]
    assert not by_name(told.coolers, "cooler")["h1-cdus"].keys() & {"capacity_kw", "reserve_kw", "loading_pct"}
