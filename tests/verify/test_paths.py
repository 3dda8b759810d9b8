"""Rails that reach each other by the ways of the plan have no findings; what does not is told by its cause."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindos.finding import Severity
from lindos.verify.paths import (
    MOST_PINGS,
    TRACES,
    Answers,
    Rail,
    Requests,
    gather,
    judge_paths,
    numbers,
    pack,
    rails,
)
from lindos.verify.ways import Ways, networks, peers, ways

NODES, RAILS = ("u1n1", "u1n2", "u2n1"), 4


def leaf_of(node, rail):
    return f"{node[:2]}leaf{rail // 2}"


def address(node, rail):
    return f"10.{rail}.{node[1]}.{node[3]}"


def cables(extra=()):
    """Two rails a leaf, two leaves a unit, two spines over all."""
    rows = [("rdma", "node_leaf", n, f"rail{r}", leaf_of(n, r)) for n in NODES for r in range(RAILS)]
    leaves = sorted({row[4] for row in rows})
    rows += [("rdma", "leaf_spine", leaf, f"up{s}", f"spine{s}") for leaf in leaves for s in (1, 2)]
    rows += [("frontend", "node_leaf", n, "fe0", "feleaf") for n in NODES]
    return pl.DataFrame([*rows, *extra], schema=["fabric", "tier", "a_device", "a_port", "b_device"], orient="row")


WAYS = ways(cables())
BY_NODE = {n: [Rail(n, f"rail{r}", address(n, r), 9000) for r in range(RAILS)] for n in NODES}
OWNER = {address(n, r): n for n in NODES for r in range(RAILS)} | {
    **{f"192.0.2.{i}": device for i, device in enumerate(sorted(WAYS.near), 1)},
    "198.51.100.1": "feleaf",
}
AT = {device: address for address, device in OWNER.items()}


def hops(source, destination):
    """One of the planned ways, as addresses, and the destination."""
    return [AT[min(choice)] for choice in WAYS.between(source.end, destination.end)] + [destination.address]


def answers(lost=lambda _s, _d: False, small=lambda _s, _d: False, way=hops, errors=None) -> Answers:
    """What probers bring back from a fabric in which some pings are lost."""
    rail = {r.address: r for mine in BY_NODE.values() for r in mine}
    heard = []
    for node, request in Requests(BY_NODE).items():
        pings = [
            [
                s,
                d,
                None if lost(rail[s], rail[d]) or small(rail[s], rail[d]) else 0.1,
                0.1 if small(rail[s], rail[d]) else None,
            ]
            for s, d in request["pings"]
        ]
        traces = [[s, d, way(rail[s], rail[d])] for s, d in request["traces"]]
        answer = {"pings": pings, "traces": traces, "errors": (errors or {}).get(node, {})}
        heard.append(pack(answer, numbers(BY_NODE)))
    return gather(BY_NODE, heard)


def judge(**world):
    return judge_paths(answers(**world), WAYS, OWNER)


def test_every_rail_asks_every_rail_of_every_other_node():
    asked = Requests(BY_NODE)
    for node in NODES:
        wanted = {
            (address(node, r), address(n, q)) for n in NODES if n != node for r in range(RAILS) for q in range(RAILS)
        }
        assert {tuple(p) for p in asked[node]["pings"]} == wanted
        assert len(asked[node]["traces"]) == 2 * RAILS
        assert asked[node]["bytes"] == 9000


def test_in_a_large_fabric_each_node_asks_a_bounded_part_and_each_is_asked():
    large = {f"n{i:05d}": [Rail(f"n{i:05d}", f"rail{r}", f"{i}.{r}", 9000) for r in range(8)] for i in range(1000)}
    asked = Requests(large)
    assert max(len(r["pings"]) for r in asked.values()) <= MOST_PINGS
    assert max(len(r["traces"]) for r in asked.values()) <= TRACES
    targets = {d for r in asked.values() for _, d in r["pings"]}
    assert targets == {rail.address for mine in large.values() for rail in mine}


def test_a_ping_takes_some_bytes_until_it_is_judged_and_no_search_for_its_way(monkeypatch):
    """A site of 100,000 GPUs has 25 million of them, and a search for a way looks at hundreds of switches."""
    asked = []
    between = Ways.between
    monkeypatch.setattr(Ways, "between", lambda self, *ends: asked.append(ends) or between(self, *ends))
    heard = answers()
    asked.clear()
    assert heard.ping.height == sum(len(request["pings"]) for request in Requests(BY_NODE).values()) > len(heard.trace)
    assert heard.ping.estimated_size() <= 16 * heard.ping.height
    assert judge_paths(heard, WAYS, OWNER) == ()
    assert len(asked) <= len(heard.trace)


def test_a_request_is_made_when_it_is_looked_up():
    """All of a site of 100,000 GPUs together take gigabytes."""
    asked = Requests(BY_NODE)
    assert asked["u1n1"] == asked["u1n1"]
    assert asked["u1n1"]["pings"] is not asked["u1n1"]["pings"]


@given(st.integers(1, 3000), st.integers(1, 64))
def test_peers_are_others_each_once_and_evenly_asked(of, most):
    steps = [p for p in peers(0, of, most) if p]
    assert len(steps) == len(set(steps)) == len(peers(0, of, most)) <= max(most, 0)
    assert all(0 < s < of for s in steps)
    if of > 1:
        assert 1 in steps
        assert [(s + 7) % of for s in peers(0, of, most)] == peers(7 % of, of, most) or of <= 7


def test_ways_within_a_leaf_across_leaves_and_nowhere():
    assert WAYS.between(("u1n1", "rail0"), ("u1n2", "rail1")) == [{"u1leaf0"}]
    assert WAYS.between(("u1n1", "rail0"), ("u2n1", "rail3")) == [{"u1leaf0"}, {"spine1", "spine2"}, {"u2leaf1"}]
    assert WAYS.between(("u1n1", "fe0"), ("u1n2", "rail1")) == []
    island = ways(cables([("rdma", "node_leaf", "x", "rail0", "lonely")]))
    assert island.between(("x", "rail0"), ("u1n1", "rail0")) == []


def test_islands_have_ways_within_and_none_between():
    island = [
        ("rdma-b", "node_leaf", "b1n1", "rail0", "bleaf0"),
        ("rdma-b", "node_leaf", "b1n2", "rail0", "bleaf1"),
        ("rdma-b", "leaf_spine", "bleaf0", "up1", "bspine1"),
        ("rdma-b", "leaf_spine", "bleaf1", "up1", "bspine1"),
    ]
    found = ways(cables(island))
    assert found.between(("b1n1", "rail0"), ("b1n2", "rail0")) == [{"bleaf0"}, {"bspine1"}, {"bleaf1"}]
    assert found.between(("b1n1", "rail0"), ("u1n1", "rail0")) == []
    assert found.between(("u1n1", "rail0"), ("u2n1", "rail0")) == WAYS.between(("u1n1", "rail0"), ("u2n1", "rail0"))


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_way_has_one_hop_for_each_step_and_neighbours_follow_each_other(data):
    """In any tree of switches: each hop of the answer touches the next by a cable."""
    count = data.draw(st.integers(2, 12))
    switches = [f"s{i}" for i in range(count)]
    pairs = [(switches[data.draw(st.integers(0, i - 1))], switches[i]) for i in range(1, count)]
    pairs += data.draw(st.lists(st.tuples(st.sampled_from(switches), st.sampled_from(switches)), max_size=8))
    rows = [("rdma", "leaf_spine", a, "p", b) for a, b in pairs if a != b]
    rows += [("rdma", "node_leaf", "x", "rail0", "s0"), ("rdma", "node_leaf", "y", "rail0", switches[-1])]
    made = ways(pl.DataFrame(rows, schema=["fabric", "tier", "a_device", "a_port", "b_device"], orient="row"))
    way = made.between(("x", "rail0"), ("y", "rail0"))
    assert way[0] == {"s0"}
    assert way[-1] == {switches[-1]}
    for here, there in pairwise(way):
        assert all(made.near[s] & there for s in here)


def test_a_whole_fabric_has_no_findings():
    assert judge() == ()


def test_a_rail_that_neither_reaches_nor_answers_is_told_once():
    dead = ("u1n2", "rail2")
    (found,) = judge(lost=lambda s, d: dead in (s.end, d.end))
    assert (found.code, found.severity, found.subject) == ("PATH-001", Severity.CRITICAL, "u1n2:rail2")
    assert found.message == "reaches nobody and answers nobody: 16 pings lost"


def test_a_rail_that_answers_but_does_not_reach():
    (found,) = judge(lost=lambda s, _: s.end == ("u1n2", "rail2"))
    assert found.message == "reaches nobody: 8 pings lost"


def test_a_node_without_a_route_across_rails_is_told_as_that():
    (found,) = judge(lost=lambda s, d: s.node == "u1n1" and s.port != d.port)
    assert (found.code, found.subject) == ("PATH-002", "u1n1")
    assert "24 pings lost" in found.message


def test_two_leaves_that_do_not_reach_each_other_are_told_as_that():
    pair = {"u1leaf0", "u2leaf0"}
    found = judge(lost=lambda s, d: {leaf_of(s.node, int(s.port[-1])), leaf_of(d.node, int(d.port[-1]))} == pair)
    assert [(f.code, f.subject, f.message) for f in found] == [
        ("PATH-001", "u1leaf0", "8 pings to u2leaf0 were not answered"),
        ("PATH-001", "u2leaf0", "8 pings to u1leaf0 were not answered"),
    ]


def test_where_everything_is_lost_no_single_end_is_to_blame():
    found = judge(lost=lambda _s, _d: True)
    assert {f.code for f in found} == {"PATH-001"}
    assert all("leaf" in f.subject for f in found)


def test_packets_that_pass_only_when_small():
    found = judge(small=lambda s, d: (s.node, d.node) == ("u1n1", "u2n1"))
    assert {(f.code, f.subject) for f in found} == {("PATH-004", "u1leaf0"), ("PATH-004", "u1leaf1")}


def test_a_way_through_another_fabric():
    (found,) = judge(way=lambda s, d: ["198.51.100.1", d.address] if s.node == "u1n1" else hops(s, d))
    assert (found.code, found.severity, found.subject) == ("PATH-003", Severity.CRITICAL, "u1n1")
    assert found.message.startswith("from rail0 to u1n2:rail0 by feleaf, the plan has u1leaf0 (8 such)")


def test_a_way_by_an_address_of_nobody():
    (found,) = judge(way=lambda s, d: ["203.0.113.9", *hops(s, d)[1:]] if s.node == "u1n1" else hops(s, d))
    assert "by 203.0.113.9, the plan has" in found.message


def test_a_way_with_a_switch_too_many():
    found = judge(way=lambda s, d: [*hops(s, d)[:-1], AT["spine2"], d.address] if s.node == "u1n1" else hops(s, d))
    assert {f.code for f in found} == {"PATH-003"}


def test_a_way_that_skips_a_switch():
    (found,) = judge(way=lambda s, d: [d.address] if s.node == "u1n1" else hops(s, d))
    assert "by fewer switches than planned" in found.message


def test_a_switch_that_does_not_show_itself_is_not_measured():
    (found,) = judge(way=lambda s, d: [None, *hops(s, d)[1:]] if s.node == "u1n1" else hops(s, d))
    assert (found.code, found.severity, found.subject) == ("PATH-005", Severity.UNKNOWN, "u1n1")
    assert found.message.startswith("8 of 8 ways are seen in part only")


def test_a_trace_that_did_not_arrive_is_left_to_the_pings():
    assert judge(way=lambda _s, _d: []) == ()


def test_an_address_that_cannot_be_sent_from():
    errors = {"u1n1": {address("u1n1", 3): "Cannot assign requested address"}}
    found = judge(lost=lambda s, _: s.end == ("u1n1", "rail3"), errors=errors)
    assert [(f.code, f.severity, f.subject) for f in found] == [("PATH-006", Severity.UNKNOWN, "u1n1:rail3")]


@given(
    st.sets(
        st.tuples(st.sampled_from(NODES), st.integers(0, RAILS - 1), st.sampled_from(NODES), st.integers(0, RAILS - 1)),
        min_size=1,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_lost_ping_goes_untold(lost):
    """Whatever is lost, there is a critical finding that names an end, a node or a leaf of it."""

    def gone(s, d):
        return (s.node, int(s.port[-1]), d.node, int(d.port[-1])) in lost

    found = judge(lost=gone)
    told = {f.subject for f in found if f.severity is Severity.CRITICAL}
    for s, r, d, q in lost:
        if s != d:
            named = {f"{s}:rail{r}", f"{d}:rail{q}", s, leaf_of(s, r)}
            assert named & told


def test_rails_are_read_from_expectations_in_their_order():
    nics = [
        {"name": "rail1", "purpose": "rail", "rail": 1, "address": "b", "mtu": 9000},
        {"name": "fe0", "purpose": "frontend", "rail": None, "address": "c", "mtu": 9000},
        {"name": "rail0", "purpose": "rail", "rail": 0, "address": "a", "mtu": 9000},
    ]
    assert [r.port for r in rails({"n": {"nics": nics}})["n"]] == ["rail0", "rail1"]


@pytest.mark.parametrize("nodes", [{}, {"n": []}, {"n": BY_NODE["u1n1"]}])
def test_a_lone_node_asks_nobody(nodes):
    assert all(not request["pings"] for request in Requests(nodes).values())


def test_a_rail_asks_no_other_plane_and_no_other_training_fabric():
    """Two planes of one fabric, and an island beside them: three networks, and each stays among its own."""
    rows = [
        (f"{fabric}", "node_leaf", f"{fabric}-n{n}", f"rail0p{p}", f"{fabric}-leaf{p}")
        for fabric, planes in (("rdma", 2), ("rdma-isle", 1))
        for n in range(3)
        for p in range(planes)
    ]
    rows += [("rdma", "leaf_spine", f"rdma-leaf{p}", "up", f"rdma-spine{p}") for p in range(2)]
    made = ways(pl.DataFrame(rows, schema=["fabric", "tier", "a_device", "a_port", "b_device"], orient="row"))
    on = networks(made)
    assert len(set(on.values())) == 3
    expect = {
        node: {
            "nics": [
                {"name": port, "purpose": "rail", "rail": 0, "address": f"{node}:{port}", "mtu": 9000}
                for end, port in on
                if end == node
            ]
        }
        for node in {node for node, _ in on}
    }
    asked = Requests(rails(expect, on))
    pairs = {tuple(p) for request in asked.values() for p in (*request["pings"], *request["traces"])}
    network = {":".join(end): name for end, name in on.items()}
    assert pairs
    assert all(network[a] == network[b] for a, b in pairs)
    assert {a for a, _ in pairs} == set(network)
