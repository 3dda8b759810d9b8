"""A million GPUs: the sizes of all fabrics from the layout alone, and every rule on a copy with small fleets.

The whole design takes a minute; `tools/bench.py colossus-1m` measures it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from lindos.catalogue import load_catalogue
from lindos.check import check
from lindos.errors import InfeasibleError
from lindos.plan import Plan, design
from lindos.plan.address import UPLINK_BITS
from lindos.plan.facts import gather
from lindos.plan.layout import Layout, lay_out
from lindos.spec import Spec, load_spec
from lindos.spec.load import assumed_products

SITES = Path(__file__).parents[2] / "inventories"
SMALL = 4_032
"""GPUs of a fleet in the small copy: a whole number of units of seven racks of 72 and of nodes of eight."""
FABRICS = [
    # fabric, units, leaves, pods, cores; 64 spines a pod
    ("rdma", 392, 3_136, 49, 2_048),
    ("rdma-b200", 216, 1_728, 27, 1_024),
    *((f"rdma-b300-{i}", 220, 1_760, 28, 1_024) for i in (1, 2, 3, 4)),
    *((f"rdma-b300-{i}", 248, 1_984, 31, 1_024) for i in (5, 6)),
]


@cache
def site(name: str) -> Spec:
    return load_spec(SITES / name / "site.yaml")


def laid_out(spec: Spec) -> Layout:
    return lay_out(spec, gather(spec, load_catalogue(assumed_products(spec))))


@cache
def layout() -> Layout:
    return laid_out(site("colossus-1m"))


@cache
def small() -> tuple[Spec, Plan]:
    """The site with a pod of each fleet, none of it declared to grow."""
    spec = site("colossus-1m")
    fleets = tuple(f.model_copy(update={"gpus": SMALL, "grows_to": None}) for f in spec.compute.fleets)
    update = {"grows_to": None, "compute": spec.compute.model_copy(update={"fleets": fleets})}
    spec = spec.model_copy(update=update)
    return spec, design(spec, load_catalogue(assumed_products(spec)))


def test_a_million_gpus_stand_there() -> None:
    spec = site("colossus-1m")
    assert spec.gpus == sum(u.nodes * u.fleet.gpus_per_node for u in layout().units) == 1_002_368
    planned = sum(f.gpus for f in spec.compute.fleets if f.building in ("c2-1", "c2-2"))
    assert 550_000 <= planned <= 555_000


def test_it_starts_with_colossus_200k_as_it_stands() -> None:
    """But for the name of the building, and one level of trays."""
    old, new = site("colossus-200k"), site("colossus-1m")
    for was, now in zip(old.compute.fleets, new.compute.fleets, strict=False):
        assert now.model_copy(update={"building": None}) == was
    for before, after in zip(old.halls, new.halls, strict=False):
        assert after.model_copy(update={"building": None, "trays": before.trays}) == before
    assert new.power.sources[: len(old.power.sources)] == old.power.sources
    assert (old.grows_to, old.fabrics.rdma) == (new.grows_to, new.fabrics.rdma)


@pytest.mark.parametrize(("name", "units", "leaves", "pods", "cores"), FABRICS)
def test_an_island_is_at_most_32_pods_of_64_leaves(name: str, units: int, leaves: int, pods: int, cores: int) -> None:
    number = next(i for i, t in enumerate(layout().training) if t.facts.name == name)
    fabric, mine = layout().training[number], [u for u in layout().units if u.pod.fabric == number]
    found = (len(mine), sum(u.leaves for u in mine), len({u.pod.number for u in mine}), fabric.cores)
    assert found == (units, leaves, pods, cores)
    assert fabric.clos.spines_per_pod == 64
    assert max(u.nodes_per_leaf for u in mine) <= 64


def test_links_of_both_tiers_have_addresses() -> None:
    """64 uplinks leave a bit of their field to the switches: 16,384 of each tier."""
    most = 2 ** (13 + UPLINK_BITS - 6)
    spines = sum(layout().training[p.fabric].clos.spines_per_pod for p in layout().pods)
    assert sum(u.leaves for u in layout().units) == 15_872 <= most
    assert spines == 16_000 <= most


def test_the_management_network_of_a_million_needs_larger_cores() -> None:
    spec = site("colossus-1m")
    assert layout().oob.pods == 240
    oob = spec.fabrics.oob.model_copy(update={"core": None})
    with pytest.raises(InfeasibleError) as caught:
        laid_out(spec.model_copy(update={"fabrics": spec.fabrics.model_copy(update={"oob": oob})}))
    [problem] = caught.value.problems
    assert problem.message.endswith("make 239 pods, and cores of radix 128 join 128: 111 pods too many")
    assert problem.hint is not None
    assert problem.hint.startswith("fabrics: oob: core: a switch with 239 ports of 100 Gb/s, such as ")
    assert "sn5600" in problem.hint


def test_cores_of_the_management_network_are_what_the_site_file_says() -> None:
    _, plan = small()
    boxes = plan.devices.filter(kind="switch", fabric="oob").group_by("role").agg("product")
    assert {role: set(found) for role, found in boxes.iter_rows()} == {
        "leaf": {"sn2201"}, "spine": {"sn4700"}, "core": {"sn5600"},
    }  # fmt: skip
    up = plan.links.filter(fabric="oob", tier="spine_core")
    assert not up.select("b_device", "b_port").is_duplicated().any()
    spread = up.group_by("a_device").agg(n=up["b_device"].n_unique())
    assert len(spread) == plan.devices.filter(fabric="oob", role="spine").height


def test_a_copy_with_small_fleets_breaks_no_other_rule() -> None:
    spec, plan = small()
    assert len(plan.gpus) == SMALL * len(spec.compute.fleets)
    # By how much GB200 and GB300 swing in training is not published.
    assert {f.code for f in check(plan, spec)} == {"POWER-017"}
