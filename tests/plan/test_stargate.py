"""Stargate Abilene: eight buildings, each a training fabric of its own. Two of them are designed here: the first, and
the one that is farthest from it.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from lindos.catalogue import load_catalogue
from lindos.check import check
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.spec import Spec, load_spec
from lindos.spec.load import assumed_products

SITE = Path(__file__).parents[2] / "inventories/stargate/site.yaml"
BUILT = ("b1", "b8")


@cache
def whole() -> Spec:
    return load_spec(SITE)


def cut(buildings: tuple[str, ...]) -> Spec:
    """The site file with these buildings alone."""
    spec = whole()
    fabrics = spec.fabrics.model_copy(update={"islands": tuple(i for i in spec.fabrics.islands if i.name in buildings)})
    mine = tuple(f for f in spec.compute.fleets if f.building in buildings)
    return spec.model_copy(
        update={
            "compute": spec.compute.model_copy(update={"fleets": mine}),
            "buildings": tuple(b for b in spec.buildings if b.name in buildings),
            "halls": tuple(h for h in spec.halls if h.building in buildings),
            "fabrics": fabrics,
        }
    )


@cache
def plan() -> Plan:
    spec = cut(BUILT)
    return design(spec, load_catalogue(assumed_products(spec)))


def test_the_site_has_what_was_announced() -> None:
    """Eight buildings of up to 50,000 GPUs, bought in whole racks of 72."""
    spec = whole()
    gpus = [f.gpus for f in spec.compute.fleets]
    assert len(spec.buildings) == len(gpus) == 8
    assert all(0 <= g - 50_000 < 72 and g % 72 == 0 for g in gpus)
    assert sum(s.mw for s in spec.power.sources if s.kind == "utility") == 1_200
    assert sum(s.mw * s.count for s in spec.power.sources if s.kind == "generator") == pytest.approx(360.5)


def test_a_building_has_695_racks_and_92_megawatts_of_them() -> None:
    racks = plan().racks.join(plan().halls.select("hall", "building"), on="hall").filter(kind="compute")
    assert dict(racks.group_by("building").len().iter_rows()) == dict.fromkeys(BUILT, 695)
    assert racks["rated_w"].sum() == len(BUILT) * 695 * 132_000
    drawn = plan().loads.filter(pl.col("busbar").is_not_null())["nameplate_w"].sum()
    assert round(drawn / 1e6 / len(BUILT)) == 92
    assert plan().devices.filter(kind="node")["nvlink_domain"].n_unique() == len(BUILT) * 695


@pytest.mark.parametrize("fabric", ["rdma", "rdma-b8"])
def test_a_building_is_a_fabric_of_18_pods(fabric: str) -> None:
    """87 units of 12 leaves; five units a pod, 64 spines each; 64 groups of 16 cores."""
    switches = plan().devices.filter(kind="switch", fabric=fabric)
    assert dict(switches.group_by("role").len().iter_rows()) == {"leaf": 87 * 12, "spine": 18 * 64, "core": 64 * 16}
    assert switches.filter(role="spine")["slice"].n_unique() == 18
    below = plan().links.filter(fabric=fabric, tier="node_leaf").group_by("b_device").len()
    assert below["len"].max() == 48


def test_no_training_cable_leaves_its_building_and_the_front_end_crosses_the_site() -> None:
    halls = plan().halls.select("hall", "building")
    home = (
        plan()
        .devices.select("device", "rack")
        .join(plan().racks.select("rack", "hall"), on="rack")
        .join(halls, on="hall")
    )
    frame = plan().links
    for end in ("a", "b"):
        frame = frame.join(
            home.select(pl.col("device").alias(f"{end}_device"), pl.col("building").alias(end)), on=f"{end}_device"
        )
    across = frame.filter(pl.col("a") != pl.col("b"))
    assert set(across["fabric"]) == {"frontend", "oob"}
    assert "node_leaf" not in set(across["tier"].cast(pl.String))
    assert plan().cables["length_mm"].max() <= 2_000_000  # type: ignore[operator]  # a plan has cables


def test_it_breaks_no_other_rule() -> None:
    # By how much GB200 and GB300 swing in training is not published.
    assert {f.code for f in check(plan(), cut(BUILT))} == {"POWER-017"}


def test_all_buildings_on_one_fabric_are_more_than_three_tiers_join() -> None:
    """What the site file says of it: 140 pods, and the cores have 128 ports."""
    spec = whole()
    fleets = tuple(f.model_copy(update={"island": None}) for f in spec.compute.fleets)
    fabrics = spec.fabrics.model_copy(update={"islands": ()})
    one = spec.model_copy(update={"compute": spec.compute.model_copy(update={"fleets": fleets}), "fabrics": fabrics})
    with pytest.raises(InfeasibleError) as caught:
        design(one, load_catalogue(assumed_products(one)))
    assert caught.value.problems[0].message.startswith(
        "fabric rdma: 8,352 leaves make 140 pods, and cores of radix 128"
    )


def test_buildings_of_a_line_are_farther_apart_than_dr4_reaches_end_to_end() -> None:
    corners = [b.x_m for b in whole().buildings if b.y_m == 0]
    assert all(b - a >= 300 for a, b in pairwise(corners))
    assert corners[-1] - corners[0] > 500
