"""Any site with InfiniBand: its subnets hold together, and an island of Ethernet beside it is as it was."""

from __future__ import annotations

import json
import os
from collections import Counter
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.check import check
from lindos.diff.compare import bare, compare
from lindos.diff.switches import reconfigured
from lindos.emit import artefacts
from lindos.emit.infiniband import subnets, topology
from lindos.errors import DriverError, InfeasibleError
from lindos.finding import Severity
from lindos.plan import Plan, design
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec
from lindos.twin.hall import read_hall

ROOT = Path(__file__).parents[2]
SITE = YAML(typ="safe", pure=True).load((ROOT / "tests/rules/subnets.yaml").read_text())
GOLDEN = ROOT / "tests/golden/subnets"


def planned(**changes: Any) -> tuple[Spec, Plan]:
    spec = Spec.model_validate(merge(SITE, changes))
    return spec, design(spec, load_catalogue(assumed_products(spec)))


@cache
def files() -> dict[str, bytes]:
    found = {a.path: a.data for a in artefacts(planned()[1], {})}
    if os.environ.get("LINDOS_REGENERATE"):
        for held in [p for p in GOLDEN.rglob("*") if p.is_file()]:
            held.write_bytes(found[held.relative_to(GOLDEN).as_posix()])
    return found


@st.composite
def sites(draw: st.DrawFn) -> dict[str, Any]:
    """Fleets on InfiniBand of any size that the floor holds, one or two planes, rails that share leaves or do not."""
    planes, shared = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2]))
    cages = draw(st.sampled_from([4, 8, 16]))
    gpus = 2 * draw(st.integers(1, 12))
    products = deepcopy(SITE["assumptions"])
    for product in products:
        if product["product"] == "tiny_quantum":
            product["facts"] |= {
                "cages": {"count": cages, "type": "OSFP", "gbps": 800},
                "max_logical": {400: 2 * cages},
                "subnet_nodes": draw(st.sampled_from([0, 2048])),
            }
        if product["product"] == "tiny_node" and planes == 1:
            product["facts"]["nics_ew"] |= {"gbps": 400}
    fleets = deepcopy(SITE["compute"]["fleets"])
    fleets[0] |= {"gpus": gpus, "unit": {"racks": draw(st.integers(1, 2))}}
    rdma = SITE["fabrics"]["rdma"] | {"planes": planes, "port_gbps": 400 * planes, "rails_per_leaf": shared}
    return {
        "compute": SITE["compute"] | {"fleets": fleets},
        "fabrics": SITE["fabrics"] | {"rdma": rdma | {"grows_to": max(gpus, 16)}},
        "assumptions": products,
    }


@given(sites())
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_subnets_hold_what_the_plan_says_of_them(site: dict[str, Any]) -> None:
    try:
        spec, plan = planned(**site)
    except InfeasibleError:
        reject()
    made = list(subnets(plan))
    planes = site["fabrics"]["rdma"]["planes"]
    assert len(made) == planes
    links = plan.links.filter(pl.col("fabric") == "rdma")
    assert sum(s.links.height for s in made) == links.height
    ours = set(plan.devices.filter(pl.col("fabric") == "rdma")["device"])
    assert not ours & set(plan.asns["device"])
    ports = plan.ports.filter(pl.col("fabric") == "rdma")
    assert plan.addresses.join(ports, on=["device", "port"], how="semi").is_empty()
    seen: Counter[str] = Counter()
    for subnet in made:
        numbered = subnet.ports.drop_nulls("number")
        assert numbered.select("device", "number").is_unique().all()
        assert numbered["number"].is_between(1, 2 * 16).all()
        for node, devices in subnet.ports.drop_nulls("hca").group_by("device").agg("hca").iter_rows():
            seen.update(f"{node} {d}" for d in devices)
        lines = [line for line in topology(plan, subnet).splitlines() if "->" in line]
        between = subnet.links.filter(pl.col("tier") != "node_leaf").height
        assert len(lines) == subnet.links.height + between
    assert set(seen.values()) == {1}
    said = [f for f in check(plan, spec) if f.code != "POWER-017"]  # by how much GPUs swing is no matter of fabrics
    found = {(f.code, f.severity) for f in said if f.severity is not Severity.WARNING}
    quantum = next(p for p in site["assumptions"] if p["product"] == "tiny_quantum")
    homeless = quantum["facts"]["subnet_nodes"] == 0
    assert found == ({("IB-002", Severity.CRITICAL)} if homeless else set())


def test_an_island_of_ethernet_beside_infiniband_is_told_all_that_it_needs() -> None:
    inventory = json.loads(files()["inventory/hosts.json"])["all"]
    told = inventory["children"]
    assert (
        set(told["rdma_nic"]["children"])
        == set(told["roce_qos"]["children"])
        == {"subnets-a0004", "subnets-a0005"} & set(told["rdma_nic"]["children"])
        | {u for u in told if u in ("a0004", "a0005")}
    )
    assert inventory["vars"]["nccl_ib_traffic_class"] == 0
    assert inventory["vars"]["nccl_parameters"] == {"COLLNET_ENABLE": 1}
    assert told["a0004"]["vars"]["roce_qos_priority"] == 4
    assert told["a0004"]["vars"]["nccl_ib_traffic_class"] != 0
    host = json.loads(files()["inventory/host_vars/a0004.json"])["subnets-a0004-r01-n01"]
    assert len(host["rdma_nic_interfaces"]) == 2
    assert "infiniband_hcas" not in host
    switches = {p.split("/")[1] for p in files() if p.startswith("switches/")}
    assert "subnets-a0004-leaf00" in switches
    assert not [s for s in switches if "-pl" in s]


def test_growth_tells_no_switch_of_infiniband_anything() -> None:
    _, was = planned()
    fleets = deepcopy(SITE["compute"]["fleets"])
    _, now = planned(compute=SITE["compute"] | {"fleets": [*fleets, fleets[0] | {"name": "more", "gpus": 4}]})
    old, new = (bare(plan, keep_site=True) for plan in (was, now))
    changes = compare(old, new)
    assert changes["links"].added.filter(pl.col("fabric") == "rdma").height == 4 * 2 + 2 * 2 * 4
    told = set(reconfigured(old, new, changes)["slice"])
    ours = set(now.devices.filter(pl.col("fabric") == "rdma", pl.col("role") == "spine")["slice"])
    assert ours
    assert not told & ours


def test_the_twin_says_that_it_cannot_stand_in(tmp_path: Path) -> None:
    for path, data in files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    with pytest.raises(DriverError, match="fabric rdma is InfiniBand, and cables of the twin are veth pairs"):
        read_hall(tmp_path, "subnets")


@pytest.mark.parametrize("path", sorted(p.relative_to(GOLDEN).as_posix() for p in GOLDEN.rglob("*") if p.is_file()))
def test_file_is_what_it_was(path: str) -> None:
    """LINDOS_REGENERATE=1 writes them anew, as tests/emit/test_golden.py does with the lab's."""
    assert files()[path].decode() == (GOLDEN / path).read_text()


def test_every_file_of_a_subnet_is_looked_at() -> None:
    held = {p.relative_to(GOLDEN).as_posix() for p in GOLDEN.rglob("*") if p.is_file()}
    assert held == {p for p in files() if p.startswith("ib/rdma-pl1/")}
