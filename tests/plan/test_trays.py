"""Racks of trays: what is published of an NVL72 rack comes out of its parts, wherever such racks stand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.check import check
from lindos.check.view import View
from lindos.errors import InfeasibleError
from lindos.finding import Severity
from lindos.plan import Plan, design
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

HERE = Path(__file__).parent
TRAYS: dict[str, Any] = YAML(typ="safe", pure=True).load((HERE.parent / "rules/trays.yaml").read_text())


def designed(fleet: dict[str, Any] | None = None, **said: Any) -> tuple[Spec, Plan]:
    """The site of tests/rules/trays.yaml with other values -> its spec and plan."""
    site = merge(TRAYS, said)
    site["compute"] = {**site["compute"], "fleets": [site["compute"]["fleets"][0] | (fleet or {})]}
    spec = Spec.model_validate(site)
    return spec, design(spec, load_catalogue(assumed_products(spec)))


def count(plan: Plan, **where: str) -> int:
    return len(plan.devices.filter(**where))


@pytest.mark.parametrize(
    "row", list(csv.DictReader((HERE / "nvl72_rack.csv").open())), ids=lambda r: f"{r['fact']} of {r['rack']}"
)
def test_a_rack_of_trays_has_what_was_published_of_it(row: dict[str, str]) -> None:
    node, frontend = row["rack"] + "_tray", {"count": 2, "gbps": 400, "cage": "QSFP112"}
    # No 800G optic is in the catalogue: the faster rails run at half their speed here.
    facts = {"nics_ns": frontend, "nics_ew": {"count": 4, "gbps": 400}}
    said = [
        {"product": row["rack"], "reason": "a CDU for tests.", "facts": {"cdu": "row_cdu"}},
        {"product": node, "reason": "NICs for tests.", "facts": facts},
    ]
    others = [a for a in TRAYS["assumptions"] if not a["product"].startswith("gb200")]
    _, plan = designed({"node": node, "rack": row["rack"], "gpus": 72}, assumptions=[*said, *others])
    rack = "trays-a0001-r01"
    mine = plan.devices.filter(rack=rack).join(plan.loads, on="device")
    left = mine.filter(kind="shelf").join(plan.power_connections.filter(feed="a"), on="device")
    found = {
        "GPUs": len(plan.gpus),
        "compute trays": count(plan, rack=rack, kind="node"),
        "NVSwitch trays": count(plan, rack=rack, kind="nvswitch"),
        "power shelves": count(plan, rack=rack, kind="shelf"),
        "power supplies": mine.filter(kind="shelf")["psus"].sum(),
        "management switches": count(plan, rack=rack, kind="switch"),
        "rails": plan.gpus["rail"].n_unique(),
        "RDMA ports": len(plan.links.filter(tier="node_leaf", fabric="rdma")),
        "NVLink domains": plan.devices["nvlink_domain"].n_unique() - 1,
        "kW nameplate": round(mine.filter(pl.col("busbar").is_not_null())["nameplate_w"].sum() / 1000),
        "kW typical": round(mine.filter(pl.col("busbar").is_not_null())["typical_w"].sum() / 1000),
        "kW of one feed's shelves": left["psu_rating_w"].sum() // 1000,
    }
    assert found[row["fact"]] == int(row["value"]), row["source"]


def test_a_unit_of_eight_racks_has_three_leaves_a_rail_with_48_ports_down_each() -> None:
    """8 x 18 trays on leaves of 64 ports down: 144 / 64 takes three."""
    halls = [{"name": "h1", "rows": 3, "racks_per_row": 20}]
    _, plan = designed(
        {"gpus": 8 * 72, "unit": {"racks": 8}},
        halls=halls,
        power={"sources": [{"name": "g", "kind": "utility", "mw": 5}]},
    )
    links = plan.links.filter(tier="node_leaf", fabric="rdma")
    assert count(plan, fabric="rdma", role="leaf") == 12
    assert set(links.group_by("b_device").len()["len"]) == {48}
    assert set(links.group_by("rail").agg(pl.col("b_device").n_unique())["b_device"]) == {3}


@pytest.mark.parametrize(
    ("racks", "said", "cdus"), [(1, None, 2), (2, None, 2), (4, None, 3), (8, None, 5), (8, 6, 6)], ids=str
)
def test_a_row_has_the_cdus_that_its_heat_takes_and_one_spare(racks: int, said: int | None, cdus: int) -> None:
    """A rack gives 132 kW x 0.87 = 115 kW to liquid, and a CDU of the site takes 300 kW."""
    halls = [{"name": "h1", "rows": 3, "racks_per_row": 20}]
    unit = {"racks": racks} | ({"cdus": said} if said else {})
    spec, plan = designed(
        {"gpus": racks * 72, "unit": unit}, halls=halls, power={"sources": [{"name": "g", "kind": "utility", "mw": 5}]}
    )
    assert count(plan, kind="cdu") == cdus
    assert len(plan.racks.filter(kind="cooling")) == cdus
    assert len(plan.cooling_connections.filter(medium="liquid")) == racks * 27
    assert [f for f in check(plan, spec) if f.code.startswith("COOL")] == []
    cabinet = plan.racks.filter(kind="cooling")["rack"].implode()
    assert plan.devices.filter(pl.col("rack").is_in(cabinet))["kind"].unique().to_list() == ["cdu"]


@pytest.mark.parametrize(("shelves", "dead"), [(8, False), (7, False), (6, True), (9, False)], ids=str)
def test_half_of_the_shelves_carry_a_rack_when_a_feed_is_lost(shelves: int, dead: bool) -> None:
    """132 kW take four shelves of 33 kW; of seven on two feeds the larger share may be lost, which leaves three."""
    assumed = [
        a if a["product"] != "gb200_nvl72" else merge(a, {"facts": {"shelves": shelves}}) for a in TRAYS["assumptions"]
    ]
    spec, plan = designed(assumptions=assumed)
    said = [f for f in check(plan, spec) if f.code == "POWER-004" and f.severity is Severity.CRITICAL]
    left = shelves // 2
    expected = {f"trays-a0001-r0{n}" for n in (1, 2)} if left * 33_000 < 131_994 else set()
    assert {f.subject for f in said} == expected
    assert dead <= bool(expected)
    # Whatever is lost, the rack PDUs that are left carry all of the rack.
    train = View(plan).train
    failed = pl.DataFrame({"scenario": ["a", "b"], "power_node": ["substation-a", "substation-b"]})
    then = train.carried(train.dark(failed), "nameplate_w", plan.power_loads)
    assert not then.filter(pl.col("power_node").str.contains("-pdu-")).is_empty()
    runs = train.touched(train.dark(failed)).filter(~pl.col("runs"))
    assert {b for b in runs["bank"] if "-r0" in b} == expected


@pytest.mark.parametrize(
    ("gpus", "hint"), [(148, "nearest: 144 or 216"), (36, "at least 72")], ids=["two racks and a tray", "half a rack"]
)
def test_an_nvlink_domain_is_bought_whole(gpus: int, hint: str) -> None:
    with pytest.raises(InfeasibleError) as caught:
        designed({"gpus": gpus})
    (problem,) = caught.value.problems
    assert problem.message == (
        f"fleet 'nvl': {gpus} GPUs are no whole number of gb200_nvl72 with 72 GPUs each, "
        "and the GPUs of such a rack are one NVLink domain"
    )
    assert problem.hint == hint


def test_racks_without_a_cdu_are_told_and_leave_no_edge_to_nothing() -> None:
    assumed = [a for a in TRAYS["assumptions"] if a["product"] != "gb200_nvl72"]
    spec, plan = designed(assumptions=assumed)
    assert "cdu" not in plan.cooling_nodes["kind"].to_list()
    (said,) = [f for f in check(plan, spec) if f.code == "COOL-002"]
    assert said.message.startswith("54 devices whose heat not one part takes")


@pytest.mark.parametrize(("asked", "each"), [(1, 6), (2, 3), (3, 2)], ids=str)
def test_the_switches_of_a_unit_are_shared_out_over_the_racks_asked_for(asked: int, each: int) -> None:
    """Four leaves of rails and two of the front end."""
    _, plan = designed({"unit": {"racks": 2, "network_racks": asked}})
    held = plan.devices.filter(pl.col("kind") == "switch", pl.col("fabric") != "oob", unit="a0001")
    assert len(held) == 6
    assert held.group_by("rack").len()["len"].max() == each
    assert len(plan.racks.filter(kind="network", unit="a0001")) == asked


def test_network_racks_that_do_not_hold_the_switches_of_a_unit_are_told() -> None:
    with pytest.raises(InfeasibleError) as caught:
        designed({"unit": {"racks": 2, "network_racks": 1}}, halls=[TRAYS["halls"][0] | {"rack_height_u": 10}])
    assert [(p.message, p.hint) for p in caught.value.problems] == [
        ("fleet 'nvl': 6 switches of a unit do not fit into 1 network racks of 4 each", "unit: network_racks: 2")
    ]
