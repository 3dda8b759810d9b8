"""A published SuperPOD on InfiniBand as a whole site: its counts, its ports, and what it has no need of."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.check import check
from lindos.emit import artefacts
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.plan.infiniband import LIDS
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

if TYPE_CHECKING:
    from lindos.finding import Finding

HERE = Path(__file__).parent
SITE = YAML(typ="safe", pure=True).load((HERE / "superpod.yaml").read_text())


def spec_of(**changes: Any) -> Spec:
    return Spec.model_validate(merge(SITE, changes))


def designed(spec: Spec) -> Plan:
    return design(spec, load_catalogue(assumed_products(spec)))


@cache
def superpod() -> tuple[Spec, Plan, dict[str, bytes]]:
    spec = spec_of()
    plan = designed(spec)
    return spec, plan, {a.path: a.data for a in artefacts(plan, {})}


def fleet(**changes: Any) -> dict[str, Any]:
    return {"compute": {"fleets": [SITE["compute"]["fleets"][0] | changes]}}


def test_it_is_as_published() -> None:
    """DGX SuperPOD reference architecture (RA-11333), four units: 127 systems, 32 leaves, 16 spines."""
    _, plan, _ = superpod()
    roles = plan.devices.filter(pl.col("fabric") == "rdma").group_by("role").len()
    tiers = plan.links.filter(pl.col("fabric") == "rdma").group_by("tier").len()
    assert dict(roles.iter_rows()) == {"leaf": 32, "spine": 16}
    assert dict(tiers.iter_rows()) == {"node_leaf": 1016, "leaf_spine": 1024}


def test_a_system_has_four_twin_transceivers_for_its_eight_rails() -> None:
    _, plan, _ = superpod()
    rails = plan.ports.filter(pl.col("port").str.starts_with("rail"))
    assert rails.group_by("device", "cage").len()["len"].unique().to_list() == [2]
    parts = dict(plan.bom.filter(pl.col("kind") == "optic").select("part", "quantity").iter_rows())
    flat = {p: n for p, n in parts.items() if p.endswith("-flt")}
    assert sum(flat.values()) == 127 * 4


def judged(plan: Plan, spec: Spec) -> list[Finding]:
    """What breaks rules of fabrics and hosts; where management switches stand (OOB-001) and by how much GPUs swing
    (POWER-017) is no matter of InfiniBand.
    """
    return [f for f in check(plan, spec) if f.code not in ("OOB-001", "POWER-017")]


def test_it_breaks_no_rule() -> None:
    spec, plan, _ = superpod()
    assert judged(plan, spec) == []


def test_infiniband_has_no_addresses_no_as_numbers_and_no_switch_files() -> None:
    _, plan, files = superpod()
    boxes = plan.devices.filter(pl.col("fabric") == "rdma")["device"]
    for table in (plan.addresses, plan.asns):
        held = table.filter(pl.col("device").is_in(boxes.implode()))
        assert set(held.get_column("purpose") if "purpose" in held.columns else ()) <= {"mgmt"}
    assert "rail" not in set(plan.addresses["purpose"])
    assert not [p for p in files if p.startswith("switches/") and p.split("/")[1] in set(boxes)]


def test_ports_are_named_and_numbered_as_the_subnet_has_them() -> None:
    """IB1/19/2 is port 38 of a QM9700, as UFM translates it."""
    _, _, files = superpod()
    rows = list(csv.DictReader(io.StringIO(files["ib/rdma/ports.csv"].decode())))
    numbers = {(r["device"], r["port"]): r["number"] for r in rows}
    for port, number in (("IB1/1/1", "1"), ("IB1/19/2", "38"), ("IB1/32/2", "64")):
        assert numbers["superpod-p001-spine01", port] == number
    assert {r["hca"] for r in rows if r["port"] == "rail3"} == {"mlx5_rail3"}


def test_the_topology_file_is_the_plan() -> None:
    """Every line of a section read back: `P1 -4x-100G-> TYPE NAME PORT` (man ibdm-topo-file)."""
    _, plan, files = superpod()
    line = re.compile(r"   (\S+) -4x-100G-> (\S+) (\S+) (\S+)")
    said: set[frozenset[tuple[str, str]]] = set()
    system, kinds = "", Counter[str]()
    for text in files["ib/rdma/fabric.topo"].decode().splitlines():
        if text.startswith("MQM9700 "):
            system = text.split()[1]
        elif found := line.fullmatch(text):
            near, kind, far, port = found.groups()
            kinds[kind] += 1
            said.add(frozenset({(system, near), (far, port)}))
        else:
            assert not text or text.startswith("#"), text
    assert kinds == {"HCA_mlx5_8": 1016, "MQM9700": 2 * 1024}
    links = plan.links.filter(pl.col("fabric") == "rdma")
    panel = {
        (d, p): f"P{n}" if n else f"{h}/P1"
        for d, p, n, h in csv.reader(io.StringIO(files["ib/rdma/ports.csv"].decode()))
    }
    ends = links.select("a_device", "a_port", "b_device", "b_port").iter_rows()
    assert said == {frozenset({(a, panel[a, ap]), (b, panel[b, bp])}) for a, ap, b, bp in ends}


def test_hosts_are_told_of_infiniband_and_not_of_roce() -> None:
    _, _, files = superpod()
    inventory = json.loads(files["inventory/hosts.json"])["all"]
    told = [json.loads(text) for path, text in files.items() if path.startswith("inventory/host_vars/")]
    hosts = {host: variables for unit in told for host, variables in unit.items()}
    assert len(hosts) == 127
    assert all(not h["rdma_nic_interfaces"] and len(h["infiniband_hcas"]) == 8 for h in hosts.values())
    assert not any(k.startswith("roce_qos") for k in inventory["vars"])
    assert inventory["children"]["roce_qos"] == inventory["children"]["rdma_nic"] == {"children": {}}
    assert set(inventory["children"]["ib_host"]["children"]) == set(inventory["children"]["gpu_node"]["children"])
    assert inventory["children"]["nccl"] == {"children": {"gpu_node": {}}}
    wanted = json.loads(files["expect/a0001.json"])["superpod-a0001-r01-n01"]
    assert {n["purpose"] for n in wanted["nics"]} == {"frontend", "mgmt"}
    assert [h["hca"] for h in wanted["hcas"]] == [f"mlx5_rail{i}" for i in range(8)]


def test_guids_that_are_known_are_named_and_those_that_are_not_are_counted() -> None:
    _, plan, _ = superpod()
    known = {"superpod-p001-spine01": "0xb0cf0e0300d74440", "superpod-a0001-r01-n01 mlx5_rail0": "0xe09d73030025f5da"}
    files = {a.path: a.data.decode() for a in artefacts(plan, {}, guids=known) if a.path.startswith("ib/")}
    assert '0xe09d73030025f5da "superpod-a0001-r01-n01 mlx5_rail0"' in files["ib/rdma/node-name-map"]
    assert "# 1,062 of 1,064 GUIDs are not known yet" in files["ib/rdma/node-name-map"]
    roots = files["ib/rdma/root_guids.conf"].splitlines()
    assert [r for r in roots if not r.startswith("#")] == ["0xb0cf0e0300d74440 # superpod-p001-spine01"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (fleet(gpus=1_024), "2 hosts manage it, and no ports of its leaves are free"),
        ({"fabrics": {"rdma": {"switch": "qm9790", "infiniband": {"subnet_manager": "switch"}}}}, "qm9790 runs none"),
    ],
    ids=["128 systems leave no port for UFM", "an externally managed switch runs no subnet manager"],
)
def test_a_subnet_manager_needs_a_home(changes: dict[str, Any], told: str) -> None:
    spec = spec_of(**changes)
    (found,) = [f for f in check(designed(spec), spec) if f.code == "IB-002"]
    assert told in found.message


def test_an_externally_managed_switch_has_no_management_port() -> None:
    spec = spec_of(fabrics={"rdma": {"switch": "qm9790"}})
    plan = designed(spec)
    boxes = plan.devices.filter(pl.col("product") == "qm9790")["device"]
    assert not plan.links.filter(pl.col("a_device").is_in(boxes.implode()), pl.col("fabric") == "oob").height
    assert judged(plan, spec) == []


def test_a_subnet_ends_at_its_lids() -> None:
    """64 ports in three tiers join 65,536 NICs, and a subnet has 49,151 unicast LIDs."""
    spec = spec_of(**fleet(gpus=60_032), halls=[{"name": "h1", "rows": 300, "racks_per_row": 12, "rack_height_u": 52}])
    with pytest.raises(InfeasibleError) as caught:
        designed(spec)
    text = caught.value.render()
    need = 60_160 + 4_792
    assert f"need {need:,} LIDs, an InfiniBand subnet has {LIDS:,}: {need - LIDS:,} too many" in text
    assert "2 fabrics (islands) of up to 45,056 GPUs" in text


def test_a_site_of_one_link_layer_is_not_offered_switches_of_the_other() -> None:
    spec = spec_of(**fleet(gpus=60_032), halls=[{"name": "h1", "rows": 300, "racks_per_row": 12, "rack_height_u": 52}])
    with pytest.raises(InfeasibleError) as caught:
        designed(spec)
    assert "switch: sn" not in caught.value.render()


def test_xdr_is_as_published_and_breaks_no_rule() -> None:
    """DGX B300 with XDR, one unit of 72 on Q3400: eight leaves, four spines; a cage carries two ports of 800 Gb/s."""
    spec = Spec.model_validate(YAML(typ="safe", pure=True).load((HERE / "xdr.yaml").read_text()))
    plan = designed(spec)
    assert judged(plan, spec) == []
    roles = plan.devices.filter(pl.col("fabric") == "rdma").group_by("role").len()
    assert dict(roles.iter_rows()) == {"leaf": 8, "spine": 4}
    files = {a.path: a.data.decode() for a in artefacts(plan, {}) if a.path.startswith("ib/")}
    assert "   P1 -4x-200G-> HCA_mlx5_8 xdr-a0001-r01-n01 mlx5_rail0/P1\n" in files["ib/rdma/fabric.topo"]
    assert "xdr-a0001-leaf00,sw37p2,74," in files["ib/rdma/ports.csv"]
    assert "sharp_enabled 2" in files["ib/rdma/ufm01.opensm.conf"]


def test_a_switch_without_a_subnet_manager_needs_hosts_that_run_one() -> None:
    site = YAML(typ="safe", pure=True).load((HERE / "xdr.yaml").read_text())
    spec = Spec.model_validate(merge(site, {"fabrics": {"rdma": {"infiniband": {"subnet_manager": "switch"}}}}))
    (found,) = judged(designed(spec), spec)
    assert found.message == "0 of 2 subnet managers; q3400_ra runs none"
