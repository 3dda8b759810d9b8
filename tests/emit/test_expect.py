"""What is expected of a node beside its GPUs: as the site file says, else as its product has it, else nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.emit.expect import expectations
from lindos.emit.inventory import ROLE_GROUPS, SERVICES, inventory
from lindos.emit.nodes import host_views
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

ROOT = Path(__file__).parents[2]
OUTFIT = ("memory_gib", "nvme_drives", "cpus", "threads")


def designed(site: Path, **said: Any) -> Plan:
    """A site file, and what its first fleet is said to be otherwise -> its plan."""
    told = YAML(typ="safe", pure=True).load(site.read_text())
    told["compute"]["fleets"][0] |= said
    spec = Spec.model_validate(told)
    return design(spec, load_catalogue(assumed_products(spec)))


def expected(plan: Plan) -> dict[str, Any]:
    """A plan -> what is expected of its first node."""
    first = next(expectations(plan, host_views(plan), {}))
    return next(iter(json.loads(first.data).values()))


LAB, TRAYS = ROOT / "inventories/lab/site.yaml", ROOT / "tests/rules/trays.yaml"

OUTFITS = [
    (LAB, {}, (2048, 10, 2, 224)),
    (LAB, {"memory_gb": 1024, "nvme": 0, "cpus": 1, "threads": 96}, (1024, 0, 1, 96)),
    (TRAYS, {}, (None, None, 2, 144)),
    (TRAYS, {"memory_gb": 960, "nvme": 5}, (960, 5, 2, 144)),
]


@pytest.mark.parametrize(("site", "said", "outfit"), OUTFITS)
def test_a_node_is_to_have_what_was_bought(site: Path, said: dict[str, Any], outfit: tuple[int | None, ...]) -> None:
    found = expected(designed(site, **said))
    assert tuple(found.get(what) for what in OUTFIT) == outfit
    assert None not in found.values()


def test_whatever_a_check_reads_of_an_expectation_is_there_on_some_site() -> None:
    """A key that nothing emits is a branch that no node ever takes. `measure` is asked for on the command line."""
    said = [(LAB, {"hugepages": {"1G": 64}}), (ROOT / "tests/infiniband/superpod.yaml", {})]
    emitted = {key for site, more in said for key in expected(designed(site, **more))}
    suite = "".join(path.read_text() for path in sorted((ROOT / "infra/lindos/verify/suite").glob("*.py")))
    read = set(re.findall(r'expected(?:\.get\(|\[|, )"(\w+)"', suite))
    assert read - emitted == {"measure"}


def test_huge_pages_are_expected_and_set_aside_where_a_fleet_names_them() -> None:
    plan = designed(LAB, hugepages={"1G": 64, "2M": 0})
    assert expected(plan)["hugepages"] == {"1048576": 64, "2048": 0}
    told = {a.path: json.loads(a.data) for a in inventory(plan, host_views(plan), {})}
    wanted = {
        host: v.get("node_tuning_hugepages")
        for u in ("a0001", "a0002")
        for host, v in told[f"inventory/host_vars/{u}.json"].items()
    }
    assert list(wanted.values()) == [{"1G": 64, "2M": 0}] * 2 + [None] * 2
    assert "hugepages" not in expected(designed(LAB))


def test_what_was_bought_counts_in_the_digest_of_its_units_alone() -> None:
    def digests(**said: Any) -> dict[str, str]:
        return dict(designed(LAB, **said).slices.select("slice", "digest").iter_rows())

    before, after = digests(), digests(memory_gb=1024)
    assert {name for name in before if before[name] != after[name]} == {"a0001"}


def test_only_nodes_with_nvswitches_of_their_own_manage_them() -> None:
    for site, runs in ((LAB, True), (TRAYS, False)):
        plan = designed(site)
        groups = json.loads(next(inventory(plan, host_views(plan), {})).data)["all"]["children"]
        assert bool(groups["fabric_manager"]["children"]) == runs
        assert ("nvidia-fabricmanager" in expected(plan)["services"]) == runs


def test_services_are_those_of_the_roles_of_a_node() -> None:
    assert set(SERVICES) <= set(ROLE_GROUPS)
    wanted = [unit for role in ROLE_GROUPS for unit in SERVICES.get(role, ())]
    assert expected(designed(LAB))["services"] == list(dict.fromkeys(wanted))


def test_threads_are_the_same_number_on_each_cpu() -> None:
    with pytest.raises(InfeasibleError, match="225 threads are not the same number on each of 2 CPUs"):
        designed(LAB, threads=225)


def test_huge_pages_leave_a_node_memory() -> None:
    with pytest.raises(InfeasibleError, match="huge pages of 2,048 GiB leave a node nothing of 2,048 GiB"):
        designed(LAB, hugepages={"1G": 2047, "2M": 512})
