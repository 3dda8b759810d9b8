"""Cables that are not where the plan has them: told by the name of the mistake, undone by the moves it names."""

from __future__ import annotations

import time
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindos.finding import Severity
from lindos.verify.cabling import cabling
from lindos.verify.mistakes import Kind

RACKS = {f"x-a0001-r{r:02d}-n{n:02d}": f"x-a0001-r{r:02d}" for r in (1, 2) for n in range(1, 9)}
LEAF = "x-a0001-leaf{:02d}"


def unit(nodes=RACKS, rails=8) -> list[tuple]:
    """Nodes with rail NICs; rail i goes to leaf i, port by node."""
    return [
        ((node, f"rail{rail}"), (LEAF.format(rail), f"etp{number}"))
        for number, node in enumerate(nodes, 1)
        for rail in range(rails)
    ]


def plan(links) -> pl.DataFrame:
    return pl.DataFrame(
        [(*a, *b) for a, b in links],
        schema=dict.fromkeys(("a_device", "a_port", "b_device", "b_port"), pl.String),
        orient="row",
    )


def heard(cables, *, deaf=()) -> pl.DataFrame:
    """Both ends of each cable hear each other, but for the ends in `deaf`."""
    rows = [(*x, *y) for a, b in cables for x, y in ((a, b), (b, a)) if x not in deaf]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("device", "port", "peer_device", "peer_port"), pl.String), orient="row"
    )


def swapped(links, *pairs):
    """Links with the far ends of each named pair of near ends exchanged."""
    far = dict(links)
    for one, other in pairs:
        far[one], far[other] = far[other], far[one]
    return list(far.items())


def apply(cables, moves):
    """Cables with all moves made at once."""
    to = {m.at: m.to for m in moves}
    assert len(to) == len(list(moves)), "an end is moved twice"
    after = {frozenset({to.get(x, x), to.get(y, y)}) for x, y in cables}
    return {c for c in after if c != frozenset({None})}


def moves_of(result):
    return [move for told in result.told for m in told.mistakes for move in m.moves]


def only(findings):
    (finding,) = findings
    return finding


N1, N2 = "x-a0001-r01-n01", "x-a0001-r01-n02"


def test_a_clean_hall_has_no_findings():
    links = unit()
    result = cabling(plan(links), heard(links), racks=RACKS)
    assert result.findings == ()
    assert set(result.links["state"]) == {"right"}


def test_two_rails_swapped_on_one_node_are_told_as_rails():
    links = unit()
    cables = swapped(links, ((N2, "rail3"), (N2, "rail4")))
    found = only(cabling(plan(links), heard(cables), racks=RACKS).findings)
    assert (found.code, found.severity, found.subject) == ("CABLE-001", Severity.CRITICAL, N2)
    assert found.message == f"rails 3 and 4 swapped on {N2}: 2 moves"
    assert found.hint == "swap the ends at x-a0001-leaf04:etp2 and x-a0001-leaf03:etp2"


def test_the_same_swap_on_a_rack_is_told_once():
    links = unit()
    of_rack = [n for n, r in RACKS.items() if r == "x-a0001-r01"]
    cables = swapped(links, *(((n, "rail3"), (n, "rail4")) for n in of_rack))
    found = only(cabling(plan(links), heard(cables), racks=RACKS).findings)
    assert found.subject == "x-a0001-r01"
    assert found.message == "rails 3 and 4 swapped on 8 nodes of rack x-a0001-r01: 16 moves"


def test_the_same_swap_in_two_racks_is_told_for_each():
    links = unit()
    cables = swapped(links, *(((n, "rail3"), (n, "rail4")) for n in RACKS))
    found = cabling(plan(links), heard(cables), racks=RACKS).findings
    assert [f.subject for f in found] == ["x-a0001-r01", "x-a0001-r02"]


def test_two_nodes_in_each_others_place_are_told_once():
    links = unit()
    cables = swapped(links, *(((N1, f"rail{r}"), (N2, f"rail{r}")) for r in range(8)))
    found = only(cabling(plan(links), heard(cables), racks=RACKS).findings)
    assert found.code == "CABLE-001"
    assert found.message == f"{N1} and {N2} are swapped on rails 0, 1, 2, 3, 4, 5, 6 and 7: 16 moves"


def test_two_cables_of_different_nodes_and_rails_are_told_as_a_pair():
    links = unit()
    cables = swapped(links, ((N1, "rail0"), (N2, "rail5")))
    found = only(cabling(plan(links), heard(cables), racks=RACKS).findings)
    assert found.message == (
        f"the cables of {N1}:rail0 and {N2}:rail5 are swapped: "
        f"{N1}:rail0 hears x-a0001-leaf05:etp2; {N2}:rail5 hears x-a0001-leaf00:etp1"
    )
    assert found.hint == "swap the ends at x-a0001-leaf05:etp2 and x-a0001-leaf00:etp1"


def test_a_rotation_of_rails_is_told_in_its_direction():
    links = unit()
    far = dict(links)
    # rail 1's cable sits where rail 2's belongs, and so on round.
    ring = [(N1, "rail1"), (N1, "rail2"), (N1, "rail3")]
    far.update({ring[0]: far[ring[1]], ring[1]: far[ring[2]], ring[2]: far[ring[0]]})
    found = only(cabling(plan(links), heard(far.items()), racks=RACKS).findings)
    assert found.code == "CABLE-002"
    assert found.message == (
        f"rails 1, 2 and 3 rotated on {N1}, each in the place of the next (1 -> 2 -> 3 -> 1): 3 moves"
    )
    assert found.hint.startswith("move x-a0001-leaf02:etp1 to x-a0001-leaf01:etp1; ")


def test_a_wrong_port_of_the_right_switch():
    links = unit()
    cables = [(a, (b[0], "etp60")) if a == (N1, "rail2") else (a, b) for a, b in links]
    found = only(cabling(plan(links), heard(cables)).findings)
    assert (found.code, found.subject) == ("CABLE-003", f"{N1}:rail2")
    assert found.message == "reaches x-a0001-leaf02 in port etp60, planned is port etp1"
    assert found.hint == "move x-a0001-leaf02:etp60 to etp1"


def test_a_wrong_device():
    links = unit()
    cables = [(a, ("x-a0002-leaf02", "etp1")) if a == (N1, "rail2") else (a, b) for a, b in links]
    found = only(cabling(plan(links), heard(cables)).findings)
    assert (found.code, found.subject) == ("CABLE-004", f"{N1}:rail2")
    assert "reaches x-a0002-leaf02:etp1, planned is x-a0001-leaf02:etp1" in found.message


def test_a_cable_that_nobody_hears():
    links = unit()
    result = cabling(plan(links), heard(links[1:]))
    found = only(result.findings)
    assert (found.code, found.subject) == ("CABLE-005", f"{N1}:rail0")
    assert result.links["state"].to_list() == ["missing"] + ["right"] * (len(links) - 1)


def test_a_cable_that_only_one_end_hears():
    links = unit()
    found = only(cabling(plan(links), heard(links, deaf=[(N1, "rail0")])).findings)
    assert (found.code, found.severity) == ("CABLE-006", Severity.WARNING)
    assert found.message.startswith(f"x-a0001-leaf00:etp1 hears {N1}:rail0, which hears nothing")


def test_a_cable_that_is_not_planned():
    links = unit()
    stray = (("x-a0001-leaf00", "etp63"), ("x-a0001-leaf01", "etp63"))
    found = only(cabling(plan(links), heard([*links, stray])).findings)
    assert (found.code, found.severity) == ("CABLE-007", Severity.WARNING)


def test_a_row_shifted_by_one_port_is_one_finding():
    links = unit(list(RACKS)[:4], rails=1)
    cables = [(a, (LEAF.format(0), f"etp{n}")) for n, (a, _) in enumerate(links, 2)]
    result = cabling(plan(links), heard(cables))
    found = only(result.findings)
    assert found.code == "CABLE-008"
    assert found.message.startswith("4 cables out of place: ")
    assert apply(cables, moves_of(result)) == {frozenset(x) for x in links}


def test_a_stranger_in_the_middle_is_a_tangle_without_moves():
    links = unit(list(RACKS)[:2], rails=1)
    (a1, b1), (_, b2) = links
    both_hear_one = pl.concat(
        [heard(links), plan([(a1, b2)]).rename(dict(zip(plan([]).columns, heard([]).columns, strict=True)))]
    )
    result = cabling(plan(links), both_hear_one)
    found = only(result.findings)
    assert found.code == "CABLE-009"
    assert moves_of(result) == []
    assert set(result.links["state"]) == {"wrong"}
    assert b1[1] in found.message


def test_a_port_that_hears_itself_is_a_tangle():
    links = unit([N1], rails=1)
    (a, _b) = links[0]
    found = only(cabling(plan(links), heard([(a, a)])).findings)
    assert found.code == "CABLE-009"


def test_a_device_that_was_not_read_is_not_said_to_hear_nothing():
    links = unit([N1], rails=2)
    result = cabling(plan(links), heard([]), asked=[])
    found = only(result.findings)
    assert (found.code, found.severity, found.subject) == ("CABLE-010", Severity.UNKNOWN, N1)
    assert found.message.startswith("2 cables not judged")


def test_one_read_end_is_enough():
    links = unit([N1], rails=2)
    hears = heard(links[:1]).filter(pl.col("device") == N1)
    result = cabling(plan(links), hears, asked=[N1])
    assert result.links["state"].to_list() == ["right", "missing"]
    assert only(result.findings).code == "CABLE-005"


def test_a_device_that_is_silent_on_all_its_cables_is_dark():
    links = unit(list(RACKS)[:3], rails=4)
    others = {*RACKS, *(LEAF.format(r) for r in range(4))} - {N2}
    cables = [c for c in links if c[0][0] != N2]
    found = only(cabling(plan(links), heard(cables), asked=others).findings)
    assert (found.code, found.subject) == ("CABLE-011", N2)
    assert found.message == "is dark: heard on none of its 4 cables"


def test_a_device_that_was_not_read_but_is_heard_is_not_dark():
    links = unit(list(RACKS)[:3], rails=4)
    others = {*RACKS, *(LEAF.format(r) for r in range(4))} - {N2}
    cables = [c for c in links if c[0] not in {(N2, "rail1"), (N2, "rail2")}]
    found = cabling(plan(links), heard(cables, deaf=[(N2, f"rail{r}") for r in range(4)]), asked=others).findings
    assert [(f.code, f.subject) for f in found] == [("CABLE-005", f"{N2}:rail1"), ("CABLE-005", f"{N2}:rail2")]


def test_a_port_without_lldp_is_not_missing():
    bmc, oob = (N1, "bmc"), ("x-oob-leaf0001", "etp1")
    result = cabling(plan([(bmc, oob)]), heard([]), mute=[bmc])
    assert only(result.findings).severity is Severity.UNKNOWN
    assert result.links["state"].to_list() == ["unmeasured"]


def test_a_port_without_lldp_is_right_where_it_is_heard():
    bmc, oob = (N1, "bmc"), ("x-oob-leaf0001", "etp1")
    result = cabling(plan([(bmc, oob)]), heard([(bmc, oob)], deaf=[oob]), mute=[bmc])
    assert result.findings == ()


def test_hundreds_of_thousands_of_links_take_seconds():
    nodes = [f"x-a{u:04d}-r{r:02d}-n{n:02d}" for u in range(1, 197) for r in range(1, 9) for n in range(1, 9)]
    links = unit(nodes, rails=24)
    far = dict(links)
    for one, other in pairwise(list(far)[:6000:50]):
        far[one], far[other] = far[other], far[one]
    planned, seen = plan(links), heard(far.items())
    start = time.perf_counter()
    result = cabling(planned, seen)
    seconds = time.perf_counter() - start
    assert planned.height > 300_000
    assert (result.links["state"] == "wrong").sum() == 120
    assert seconds < 20, f"{seconds:.1f} s"


ENDS = st.integers(2, 12)


@st.composite
def any_world(draw):
    """A plan of n links, spare ports on both sides, and any way at all to plug some cables."""
    n = draw(ENDS)
    spare = draw(st.integers(0, 3))
    port = st.integers(0, 2)
    near = [(f"n{draw(port)}", f"rail{i}") for i in range(n + spare)]
    far = [(f"s{draw(port)}", f"etp{i}") for i in range(n + spare)]
    links = list(zip(near[:n], far[:n], strict=True))
    shape = draw(st.sampled_from(["permuted", "anything"]))
    if shape == "permuted":
        moved = draw(st.permutations(far))
        cables = list(zip(near, moved, strict=True))
    else:
        ends = draw(st.permutations(near + far))
        cables = [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)]
    dropped = draw(st.sets(st.integers(0, len(cables) - 1)))
    return links, [c for i, c in enumerate(cables) if i not in dropped]


@given(any_world())
@settings(max_examples=400, deadline=None)
def test_the_moves_named_restore_the_plan(world):
    links, cables = world
    result = cabling(plan(links), heard(cables))
    after = apply(cables, moves_of(result))
    lay = {frozenset((x.a, x.b)) for t in result.told for m in t.mistakes for x in m.lay}
    assert after | lay == {frozenset(x) for x in links}
    assert not after & lay


@given(any_world())
@settings(max_examples=400, deadline=None)
def test_every_wrong_link_is_told_exactly_once_and_no_right_one_ever(world):
    links, cables = world
    result = cabling(plan(links), heard(cables))
    told = [x.row for t in result.told for m in t.mistakes for x in m.links]
    plugged = {frozenset(c) for c in cables}
    wrong = [i for i, link in enumerate(links) if frozenset(link) not in plugged]
    assert sorted(told) == wrong
    assert [i for i, s in enumerate(result.links["state"]) if s != "right"] == wrong
    strange = {c for c in plugged if c not in {frozenset(x) for x in links}}
    explained = [frozenset(h) for t in result.told for m in t.mistakes for h in m.heard]
    assert sorted(map(sorted, explained)) == sorted(map(sorted, strange))
    assert Kind.TANGLE not in {m.kind for t in result.told for m in t.mistakes}


@given(any_world(), st.data())
@settings(max_examples=200, deadline=None)
def test_the_order_of_what_was_heard_does_not_matter(world, data):
    links, cables = world
    seen = heard(cables)
    order = data.draw(st.permutations(range(seen.height)))
    assert cabling(plan(links), seen).findings == cabling(plan(links), seen[list(order)]).findings


@given(any_world(), st.data())
@settings(max_examples=200, deadline=None)
def test_nonsense_from_the_world_is_still_told_once_a_link(world, data):
    """Whatever ports claim to hear, no link is told twice, and none that is right on both sides is told."""
    links, cables = world
    ends = sorted({e for pair in (*links, *cables) for e in pair})
    claims = data.draw(st.lists(st.tuples(st.sampled_from(ends), st.sampled_from(ends)), max_size=20))
    seen = pl.concat([heard(cables), heard(claims).filter(pl.lit(value=True))])
    result = cabling(plan(links), seen)
    told = [x.row for t in result.told for m in t.mistakes for x in m.links]
    assert len(told) == len(set(told))
    assert sorted(told) == [i for i, s in enumerate(result.links["state"]) if s in {"wrong", "missing"}]


@pytest.mark.parametrize("code", ["CABLE-003", "CABLE-004"])
def test_codes_tell_port_from_device(code):
    other = ("x-a0001-leaf02", "etp60") if code == "CABLE-003" else ("x-a0001-leaf05", "etp60")
    links = unit([N1])
    cables = [(a, other) if a == (N1, "rail2") else (a, b) for a, b in links]
    assert only(cabling(plan(links), heard(cables)).findings).code == code
