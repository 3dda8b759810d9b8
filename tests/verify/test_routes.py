"""Where a switch should forward: from the cable map, and what differs from it told by switch and kind of mistake."""

from __future__ import annotations

import json
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindos.finding import Severity
from lindos.verify.routes import MOST_LEAVES, command, forwarding, judge_routes, read, targets

COLUMNS = ["fabric", "tier", "a_device", "a_port", "b_device", "b_port"]


def clos(pods=2, leaves=2, spines=2, cores=2, links=1):
    """Cables of a folded Clos: every leaf to every spine of its pod, spine s of every pod to each core of group s."""
    rows, used = [], defaultdict(int)

    def link(tier, low, high):
        for _ in range(links):
            ends = []
            for device in (low, high):
                used[device] += 1
                ends += [device, f"etp{used[device]}"]
            rows.append(("rdma", tier, *ends))

    for p in range(pods):
        for leaf in range(leaves):
            link("node_leaf", f"p{p}n{leaf}", f"p{p}leaf{leaf}")
            for spine in range(spines):
                link("leaf_spine", f"p{p}leaf{leaf}", f"p{p}spine{spine}")
        for spine in range(spines):
            for core in range(cores):
                link("spine_core", f"p{p}spine{spine}", f"g{spine}core{core}")
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def walked(cables, switch, leaf, *, without=()):
    """By brute force: the first ports of all the shortest ways from switch to leaf that go up and then down only."""
    links = [r for r in cables.iter_rows() if r[1] != "node_leaf" and not {r[2], r[4]} & set(without)]
    ways, rim = [], [(switch, "up", None)]
    while rim and not ways:
        after = []
        for at, heading, first in rim:
            for _, _, low, low_port, high, high_port in links:
                if at == low and heading == "up":
                    after.append((high, "up", first or low_port))
                if at == high:
                    after.append((low, "down", first or high_port))
        ways = [first for at, _, first in after if at == leaf]
        rim = sorted(set(after))
    return set(ways)


@settings(deadline=None, max_examples=60)
@given(
    pods=st.integers(1, 3),
    leaves=st.integers(1, 3),
    spines=st.integers(1, 3),
    cores=st.integers(1, 2),
    links=st.integers(1, 2),
    data=st.data(),
)
def test_the_ports_are_those_of_the_shortest_ways_up_and_down(pods, leaves, spines, cores, links, data):
    cables = clos(pods, leaves, spines, cores, links)
    names = sorted({*cables["b_device"], *cables.filter(pl.col("tier") != "node_leaf")["a_device"]})
    down = data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    plan = forwarding(cables, "rdma", without=down)
    for switch in plan.switches():
        for leaf in plan.leaves:
            if leaf != switch:
                assert plan.ports(switch, leaf) == walked(cables, switch, leaf, without=down)


def test_a_spine_that_lost_its_link_to_a_leaf_has_no_way_round_by_another_leaf():
    """Another spine of the pod would refuse the route: it holds its own AS number."""
    cables = clos(pods=1).filter(~((pl.col("a_device") == "p0leaf0") & (pl.col("b_device") == "p0spine0")))
    assert forwarding(cables, "rdma").ports("p0spine0", "p0leaf0") == set()


@pytest.mark.parametrize("pods", [1, 30])
def test_each_switch_is_asked_about_a_bounded_number_of_other_leaves(pods):
    plan = forwarding(clos(pods, leaves=4), "rdma")
    asked = targets(plan)
    assert set(asked) == set(plan.switches())
    for switch, leaves in asked.items():
        assert switch not in leaves
        others = len(plan.leaves) - (switch in plan.leaves)
        assert len(leaves) == len(set(leaves)) <= MOST_LEAVES
        assert len(leaves) == others or len(leaves) > MOST_LEAVES // 2
    assert {leaf for leaves in asked.values() for leaf in leaves} == set(plan.leaves)


def as_planned(plan):
    return {s: {leaf: plan.ports(s, leaf) for leaf in leaves} for s, leaves in targets(plan).items()}


def test_a_fabric_that_forwards_as_planned_has_no_findings():
    plan = forwarding(clos(links=2), "rdma")
    assert judge_routes(plan, as_planned(plan)) == ()


def broken(change):
    plan = forwarding(clos(pods=1, links=2), "rdma")
    seen = as_planned(plan)
    change(seen["p0leaf0"])
    (found,) = judge_routes(plan, seen)
    assert (found.code, found.subject) == ("PATH-007", "p0leaf0")
    return found


def test_a_leaf_that_is_not_reached():
    found = broken(lambda routes: routes.update(p0leaf1=set()))
    assert (found.severity, found.message) == (Severity.CRITICAL, "has no route to p0leaf1")


def test_ports_that_are_not_used_are_named_with_their_far_end():
    found = broken(lambda routes: routes["p0leaf1"].discard("etp4"))
    assert found.severity == Severity.WARNING
    assert found.message == "forwards to p0leaf1, but not over etp4 (p0spine0)"


def test_a_port_that_the_plan_has_not():
    found = broken(lambda routes: routes["p0leaf1"].add("eth0"))
    assert found.severity == Severity.CRITICAL
    assert found.message == ("forwards to p0leaf1 over eth0 (to no switch of this fabric), which the plan has not")


MANY = [{"dst": "10.160.0.1", "nexthops": [{"gateway": "x", "dev": "etp9", "flags": []}, {"dev": "etp1", "flags": []}]}]
READ = {
    "several next hops": ([json.dumps(MANY)], [{"etp9", "etp1"}]),
    "one": (['[{"dst":"10.160.0.1","gateway":"172.16.4.1","dev":"etp52","flags":[]}]'], [{"etp52"}]),
    "a dead one": (
        ['[{"nexthops":[{"dev":"etp1","flags":["dead","linkdown"]},{"dev":"etp2","flags":[]}]}]'],
        [{"etp2"}],
    ),
    "none": (["[ ]", ""], [set(), set()]),
}


@pytest.mark.parametrize(("lines", "ports"), READ.values(), ids=READ)
def test_what_the_kernel_says_of_a_route(lines, ports):
    leaves = [f"leaf{i}" for i in range(len(lines))]
    assert read("".join(line + "\n" for line in lines), leaves) == dict(zip(leaves, ports, strict=True))


def test_an_answer_too_few_is_an_error_and_not_a_missing_route():
    with pytest.raises(ValueError, match="1 answers to 2 questions"):
        read("[]\n", ["leaf0", "leaf1"])


def test_every_address_is_asked_for_by_itself():
    assert "for a in 10.160.0.1 10.160.0.2;" in command(["10.160.0.1", "10.160.0.2"])
