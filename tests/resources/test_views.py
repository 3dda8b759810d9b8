"""What stacks declare, against the tables of the plan that it is taken from."""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lindos.check.view import View
from lindos.emit import artefacts
from lindos.plan import design_site
from lindos.resources import capacity
from lindos.resources.computed import FABRIC, FEED, HALL, SLICE
from lindos.resources.node import NODE
from lindos.resources.switch import SWITCH
from lindos.resources.views import site_view, slice_view, slices

if TYPE_CHECKING:
    from lindos.plan import Plan
    from lindos.resources.views import Row, SiteView

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab" / "site.yaml"


def plan_of(text: str, folder: Path) -> Plan:
    path = folder / "site.yaml"
    path.write_text(text)
    return design_site(path)[1]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return design_site(LAB)[1]


@pytest.fixture(scope="module")
def view(plan: Plan) -> SiteView:
    return site_view(View(plan))


def by_name(rows: tuple[Row, ...], key: str) -> dict[str, Row]:
    return {row[key]: row for row in rows}


def test_every_row_is_what_its_kind_asks_for(plan: Plan, view: SiteView) -> None:
    declared = [(HALL, view.halls), (FEED, view.feeds), (FABRIC, view.fabrics), (SLICE, view.slices)]
    for name in plan.slices["slice"]:
        mine = slice_view(plan, name, "retain")
        declared += [(NODE, mine.nodes), (SWITCH, mine.switches)]
    for kind, rows in declared:
        for row in rows:
            assert kind.check(row) == (row, []), kind.token


def test_halls_hold_all_racks_and_watts(plan: Plan, view: SiteView) -> None:
    (hall,) = view.halls
    assert (hall["rows"], hall["positions"], hall["racks"]) == (2, 12, 6)
    assert (hall["nodes"], hall["gpus"]) == (4, 32)
    assert hall["nameplate_kw"] == round(plan.loads["nameplate_w"].sum() / 1000, 1)
    assert hall["typical_kw"] == round(plan.loads["typical_w"].sum() / 1000, 1)
    assert hall["cooling_kw"] == 250.0


def test_feeds_share_every_cord_and_watt_out_between_them(plan: Plan, view: SiteView) -> None:
    assert [f["feed"] for f in view.feeds] == ["h1-feed-a", "h1-feed-b"]
    assert sum(f["cords"] for f in view.feeds) == len(plan.power_connections)
    total = plan.loads["nameplate_w"].sum() / 1000
    assert math.isclose(sum(f["load_kw"]["nameplate"] for f in view.feeds), total, abs_tol=0.2)
    for feed in view.feeds:
        nodes = plan.power_nodes.filter((pl.col("feed") == feed["side"]) & (pl.col("hall") == "h1"))
        assert feed["parts"]["rack_pdu"] == len(nodes.filter(pl.col("kind") == "rack_pdu")) == 6
        busways = nodes.filter(pl.col("kind") == "busway")["capacity_w"].sum()
        assert feed["capacity_kw"]["busway"] == round(busways / 1000, 1)


def test_fabrics_hold_every_switch_link_and_cable(plan: Plan, view: SiteView) -> None:
    assert [f["fabric"] for f in view.fabrics] == ["frontend", "oob", "rdma"]
    rdma = view.fabrics[2]
    assert rdma["switches"] == {"leaf": 4, "spine": 2}
    assert rdma["links"] == {"leaf_spine": 32, "node_leaf": 32}
    assert sum(sum(f["switches"].values()) for f in view.fabrics) == len(
        plan.devices.filter(pl.col("kind") == "switch")
    )
    assert sum(sum(f["links"].values()) for f in view.fabrics) == len(plan.links)
    assert sum(sum(f["cables"].values()) for f in view.fabrics) == len(plan.cables)
    assert sum(sum(f["parts"].values()) for f in view.fabrics) == len(plan.cables)
    metres = sum(sum(f["cable_m"].values()) for f in view.fabrics)
    assert metres == plan.cables["length_mm"].sum() / 1000


def test_slices_add_up_to_the_site(plan: Plan, view: SiteView) -> None:
    assert [s["slice"] for s in view.slices] == plan.slices["slice"].to_list()
    assert sum(s["devices"] for s in view.slices) == len(plan.devices)
    assert sum(s["gpus"] for s in view.slices) == len(plan.gpus)
    assert sum(s["cables"] for s in view.slices) == len(plan.cables)
    unit = by_name(view.slices, "slice")["a0001"]
    assert unit["rows"] == ["h1-r02"]
    assert unit["nameplate_kw"] == 24.1
    assert math.isclose(sum(unit["feeds_kw"].values()), 24.12, abs_tol=0.1)
    assert unit["lineups_kw"] == {"h1-board-a3": 12.1, "h1-board-b3": 12.1}


def test_every_node_and_switch_is_in_exactly_one_slice_and_can_be_reached(plan: Plan) -> None:
    found: list[str] = []
    addresses = set(plan.addresses["address"])
    for name in plan.slices["slice"]:
        mine = slice_view(plan, name, "retain")
        found += [row["device"] for row in (*mine.nodes, *mine.switches)]
        assert {row["bmc"] for row in mine.nodes} | {row["address"] for row in mine.switches} <= addresses
    spoken_to = plan.devices.filter(pl.col("kind").is_in(["node", "switch"]))["device"]
    assert sorted(found) == sorted(spoken_to)


def test_the_files_of_a_switch_are_those_that_emit_writes_for_the_whole_site(plan: Plan) -> None:
    written = {a.path: sha256(a.data).hexdigest() for a in artefacts(plan, {}) if a.path.startswith("switches/")}
    seen: dict[str, str] = {}
    for name in plan.slices["slice"]:
        for row in slice_view(plan, name, "retain").switches:
            assert row["folder"] == f"build/lab/switches/{row['device']}"
            seen |= {f"switches/{row['device']}/{file}": sha for file, sha in row["files"].items()}
    assert seen == written


def test_a_node_says_what_its_deletion_does(plan: Plan) -> None:
    assert {n["on_destroy"] for n in slice_view(plan, "a0001", "power-off").nodes} == {"power-off"}


def test_a_slice_that_does_not_exist_is_a_key_error(plan: Plan) -> None:
    with pytest.raises(KeyError, match="a0099"):
        slice_view(plan, "a0099", "retain")


def test_moving_a_rack_changes_its_slices_and_what_they_stand_in_and_no_node(
    plan: Plan, view: SiteView, tmp_path: Path
) -> None:
    exception = "placement:\n  - {rack: lab-a0002-r01, hall: h1, row: 1, position: 4}\n"
    moved = plan_of(LAB.read_text().replace("power:\n  sources", exception + "power:\n  sources"), tmp_path)
    then = site_view(View(moved))

    def changed(key: str, old: tuple[Row, ...], new: tuple[Row, ...]) -> set[str]:
        before, after = by_name(old, key), by_name(new, key)
        return {name for name in before | after if before.get(name) != after.get(name)}

    # The two nodes' cables run to leaves of their own unit, the front end's and the out-of-band leaf.
    assert "a0002" in changed("slice", view.slices, then.slices)
    assert not changed("slice", view.slices, then.slices) & {"a0001", "services", "oob-shared"}
    assert changed("hall", view.halls, then.halls) == set()
    assert slice_view(moved, "a0002", "retain").nodes == slice_view(plan, "a0002", "retain").nodes
    assert slice_view(moved, "a0001", "retain") == slice_view(plan, "a0001", "retain")


def test_growing_the_site_adds_slices_and_renames_no_device(tmp_path: Path) -> None:
    room = (
        LAB.read_text()
        .replace("grows_to: 32", "grows_to: 48")
        .replace("rows: 2,", "rows: 3,")
        .replace("mw: 0.1", "mw: 0.2")
    )
    small = plan_of(room, tmp_path)
    grown = plan_of(room.replace("rack: lab_rack_air, gpus: 16", "rack: lab_rack_air, gpus: 32"), tmp_path)
    assert set(grown.slices["slice"]) - set(small.slices["slice"]) == {"a0003"}
    for name in ("a0001", "a0002"):
        assert slice_view(grown, name, "retain").nodes == slice_view(small, name, "retain").nodes


def pods(plan: Plan) -> tuple[Row, ...]:
    return slices(plan, capacity.shares(plan, capacity.boards_by_feed(plan)))


def test_a_site_of_many_slices_is_told_by_pods(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lindos.resources.views.SLICES", 3)
    rows = by_name(pods(plan), "slice")
    assert len(rows) < len(plan.slices)
    assert all(SLICE.check(row) == (row, []) for row in rows.values())
    for column in ("devices", "nodes", "gpus", "switches"):
        assert sum(row[column] for row in rows.values()) == plan.slices[column].sum()
    assert sum(row["cables"] for row in rows.values()) == len(plan.cables)
    pod, home = rows["p001"], set(plan.units.filter(pod="p001")["unit"]) | {"p001", "oob-p001"}
    inside = plan.slices.filter(pl.col("slice").is_in(home))
    assert (pod["kind"], pod["gpus"]) == ("pod", inside["gpus"].sum())
    assert math.isclose(pod["nameplate_kw"] * 1000, inside["nameplate_w"].sum(), abs_tol=100)


def test_what_changes_in_one_slice_shows_in_its_pod_alone(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lindos.resources.views.SLICES", 3)
    digest = pl.when(pl.col("slice") == "a0001").then(pl.lit("0" * 64)).otherwise("digest")
    other = replace(plan, slices=plan.slices.with_columns(digest=digest))  # type: ignore[arg-type]  # the same schema
    was, now = pods(plan), pods(other)
    assert [r["slice"] for r, s in zip(was, now, strict=True) if r != s] == ["p001"]
