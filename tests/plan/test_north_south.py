"""Front end and storage: their sizes, their racks, and what cannot be built in the words that say so."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.emit.intent import told, views
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.plan.clos import LeafPorts, leaf_ports, size_clos
from lindos.plan.ratios import fullest_leaves, storage_rates
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

STORE = Path(__file__).parents[1] / "rules/store.yaml"


def said(**other: Any) -> dict[str, Any]:
    """The site of tests/rules with other values."""
    site: dict[str, Any] = YAML(typ="safe", pure=True).load(STORE.read_text())
    return merge(site, other)


def built(site: dict[str, Any]) -> Plan:
    spec = Spec.model_validate(site)
    return design(spec, load_catalogue(assumed_products(spec)))


@cache
def store() -> Plan:
    return built(said())


@pytest.mark.parametrize(
    ("endpoints", "down", "up", "leaves", "tiers", "spines", "cores"),
    [
        (12_544, 100, 25, 126, 2, 25, 0),  # 100,352 GPUs at 4:1: one pod, 25 divides 25
        (16_384, 100, 25, 164, 3, 25, 50),  # 131,072: past the 128 ports of a spine, so three pods
        (250, 100, 25, 3, 2, 5, 0),
    ],
)
def test_a_front_end_of_128_ports_stripes_evenly(
    endpoints: int, down: int, up: int, leaves: int, tiers: int, spines: int, cores: int
) -> None:
    leaf = leaf_ports(128, 4)
    assert leaf == LeafPorts(down, up)
    assert -(-endpoints // down) == leaves
    clos = size_clos("frontend", leaf, [1] * leaves, radix=128, spine=LeafPorts(64, 64))
    assert (clos.tiers, clos.spines_per_pod, clos.groups * clos.cores_per_group) == (tiers, spines, cores)
    assert clos.leaf.up % clos.spines_per_pod == 0
    assert clos.places >= leaves
    assert len({clos.spot(place) for place in range(leaves - clos.places, leaves)}) == clos.places, "from both ends"


def test_a_pair_of_leaves_is_told_of_the_ports_of_each_device() -> None:
    """A node or server with two ports stands in the intents of two leaves, with its address at each."""
    plan = store()
    seen: dict[str, list[tuple[str, str | None]]] = {}
    for view in views(told(plan)):
        if view.fabric == "storage" and view.role == "leaf":
            for port in (p for p in view.ports if p.below):
                seen.setdefault(port.far_device, []).append((view.device, port.far_address))
    assert len(seen) == 4 + 5
    for ends in seen.values():
        assert len({leaf for leaf, _ in ends}) == 2
        assert len({address for _, address in ends} - {None}) == 2


def test_storage_has_addresses_of_its_own_prefix() -> None:
    plan = store()
    mine = plan.addresses.filter(pl.col("purpose").cast(pl.String) == "storage")
    assert len(mine) == 2 * (4 + 5)
    assert mine["address"].str.starts_with("10.176.").sum() + mine["address"].str.starts_with("10.191.").sum() == 18
    on_front_end = built(said(fabrics={"storage": None}))
    assert on_front_end.addresses.filter(pl.col("purpose").cast(pl.String) == "storage").is_empty()
    servers = on_front_end.addresses.filter(
        pl.col("device").str.contains("-st-r"), pl.col("port").str.starts_with("fe")
    )
    assert set(servers["purpose"].cast(pl.String)) == {"frontend"}


def test_what_storage_does_and_what_its_network_carries() -> None:
    rates = storage_rates(store())
    assert rates is not None
    assert (rates.servers, rates.racks, rates.read_gbs, rates.write_gbs) == (5, 2, 300, 150)
    assert (rates.ports_gbs, rates.uplinks_gbs, rates.nodes_gbs) == (5 * 2 * 50, 4 * 4 * 50, 4 * 2 * 50)
    assert fullest_leaves(store()) == {"storage": 1.0}


@pytest.mark.parametrize(
    ("other", "racks"),
    [
        ({}, [4, 1]),
        ({"compute": {"storage": {"pools": [{"name": "flash", "product": "tiny_server", "count": 30}]}}}, [16, 14]),
        ({"halls": [{"name": "h1", "rows": 4, "racks_per_row": 8, "rack_kw": 4}]}, [3, 2]),
    ],
    ids=["as asked", "what the PDUs of a feed carry", "what the position is built for"],
)
def test_servers_of_a_rack(other: dict[str, Any], racks: list[int]) -> None:
    if "halls" in other:
        other["compute"] = {"storage": {"pools": [{"name": "flash", "product": "tiny_server", "count": 5}]}}
    plan = built(said(**other))
    assert plan.devices.filter(kind="storage").group_by("rack", maintain_order=True).len()["len"].to_list() == racks


def pool(count: int, **more: Any) -> dict[str, Any]:
    return {"storage": {"pools": [{"name": "flash", "product": "tiny_server", "count": count} | more]}}


CANNOT: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another speed": (
        {},
        {"ports": {200: 2}},
        "pool 'flash': tiny_server has no ports of 400 Gb/s, the speed of fabrics.storage",
    ),
    "too many a rack": (
        {"compute": pool(60, per_rack=40)},
        {},
        (
            "pool 'flash': 40 servers do not fit into a rack: they take 63 of 48 rack units; "
            "they draw 40.5 kW, the rack PDUs of a feed carry 17.3 kW"
        ),
    ),
    "none in a rack": (
        {"halls": [{"name": "h1", "rows": 4, "racks_per_row": 8, "rack_kw": 1}], "compute": pool(5)},
        {},
        (
            "pool 'flash': not one tiny_server with its leaves fits into a rack: "
            "they draw 1.8 kW, a position is built for 1 kW"
        ),
    ),
    "no floor": (
        {"halls": [{"name": "h1", "rows": 2, "racks_per_row": 3}], "compute": pool(20, per_rack=4)},
        {},
        "hall h1 has no place for 2 of 5 racks of storage servers (6 positions; shared racks stand amid them)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_built_says_why(case: str) -> None:
    other, facts, text = CANNOT[case]
    site = said(**other)
    for entry in site["assumptions"]:
        if entry["product"] == "tiny_server":
            entry["facts"] |= facts
    with pytest.raises(InfeasibleError) as err:
        built(site)
    assert [p.message for p in err.value.problems] == [text]
    assert all(p.hint for p in err.value.problems)
