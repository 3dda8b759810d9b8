"""Which plug sits in which port, by the cable map and what was done to it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lindos.twin.hall import Cable, End
from lindos.twin.wiring import Plug, mac, plugs

CABLES = [Cable(f"c{n}", End("node", f"rail{n}"), End("leaf", f"etp{n}")) for n in range(6)]
PORTS = [end for cable in CABLES for end in (cable.a, cable.b)]
SWAPS = st.lists(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)), max_size=8)


def ends(found: list[Plug]) -> Counter[End | None]:
    return Counter(end for plug in found for end in (plug.a, plug.b))


def test_untouched_cables_are_as_the_map_has_them() -> None:
    assert plugs(CABLES) == [Plug(c.name, c.a, c.b) for c in CABLES]


def test_swapped_plugs_change_places() -> None:
    found = {p.cable: p for p in plugs(CABLES, [(End("node", "rail3"), End("node", "rail4"))])}

    assert found["c3"] == Plug("c3", End("node", "rail4"), End("leaf", "etp3"))
    assert found["c4"] == Plug("c4", End("node", "rail3"), End("leaf", "etp4"))
    assert found["c0"] == Plug("c0", End("node", "rail0"), End("leaf", "etp0"))


def test_swaps_follow_one_another() -> None:
    one, two, three = (End("leaf", f"etp{n}") for n in (1, 2, 3))

    found = {p.cable: p.b for p in plugs(CABLES, [(one, two), (two, three)])}

    # 1 went to port 2 and from there to 3; 3 came to 2; 2 stayed in 1.
    assert (found["c1"], found["c2"], found["c3"]) == (three, one, two)


@given(SWAPS)
def test_swapping_never_loses_or_doubles_a_port(swaps: list[tuple[End, End]]) -> None:
    assert ends(plugs(CABLES, swaps)) == Counter(PORTS)


@given(SWAPS)
def test_swapping_back_in_reverse_restores_the_map(swaps: list[tuple[End, End]]) -> None:
    assert plugs(CABLES, [*swaps, *reversed(swaps)]) == plugs(CABLES)


def test_a_cut_cable_leaves_two_loose_ends() -> None:
    found = [p for p in plugs(CABLES, cuts=[End("leaf", "etp2")]) if p.cable == "c2"]

    assert found == [Plug("c2", End("node", "rail2"), None), Plug("c2", None, End("leaf", "etp2"))]


def test_the_cut_hits_what_is_in_the_port_now() -> None:
    swap = (End("leaf", "etp1"), End("leaf", "etp2"))

    cut = {p.cable for p in plugs(CABLES, [swap], [End("leaf", "etp2")]) if p.a is None or p.b is None}

    assert cut == {"c1"}


@given(SWAPS, st.lists(st.sampled_from(PORTS), max_size=3))
def test_marks_tell_pairs_apart_and_fit_an_interface_group(swaps: list[tuple[End, End]], cuts: list[End]) -> None:
    found = {*plugs(CABLES), *plugs(CABLES, swaps, cuts)}

    marks = {plug.mark for plug in found}

    assert len(marks) == len(found)
    assert all(0 < mark < 2**31 for mark in marks)


def test_mac_addresses_are_local_unicast_and_differ() -> None:
    found = {mac(port) for port in PORTS}

    assert len(found) == len(PORTS)
    assert all(int(address[:2], 16) & 0b11 == 0b10 for address in found)
