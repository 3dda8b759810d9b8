"""Colossus from 100,000 to 200,000 GPUs: what moves follows from what had been declared."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lindos.diff import Difference, diff
from lindos.diff.declare import declared, last_declared
from lindos.plan import design_spec
from lindos.spec import load_spec

if TYPE_CHECKING:
    from lindos.spec.model import Spec

SITES = Path(__file__).parents[2] / "inventories"


@cache
def specs() -> tuple[Spec, Spec]:
    old, new = (load_spec(SITES / name / "site.yaml") for name in ("colossus-100k", "colossus-200k"))
    return old, new


@pytest.fixture(scope="module")
def undeclared() -> Difference:
    return diff(*(design_spec(spec) for spec in specs()))


def test_half_of_the_spine_core_cables_move_and_nothing_else(undeclared: Difference) -> None:
    """1,600 spines x 64 uplinks on 16 cores a plane; 32 a plane take every second pass over the cores."""
    told = undeclared.exceptions.group_by("noun", "verb").len().rows()
    assert told == [("cable", "moved", 51_200)]
    assert undeclared.moved.group_by("fabric", "tier").len().rows() == [("rdma", "spine_core", 51_200)]


def test_one_group_of_cores_at_a_time_leaves_all_but_a_128th(undeclared: Difference) -> None:
    """25 pods x 32 of 64 uplinks of a group; the halves of the site keep 63.5 of 64 groups."""
    [step] = [s for s in undeclared.steps if s.links_out]
    assert (step.batches, step.links_out) == (64, 25 * 32)
    assert step.bisection_left == pytest.approx(1 - 0.5 / 64)
    assert step.switch_left == 0.5


def test_the_physical_diff_adds_half_a_site(undeclared: Difference) -> None:
    lines = {(line.group, line.what): (line.before, line.after) for line in undeclared.lines}
    assert lines["GPUs", "h200_sxm"] == (0, 50_000)
    assert lines["switches", "rdma core sn5600"] == (1_024, 2_048)
    assert lines["switches", "rdma spine sn5600"] == (1_600, 3_136)
    assert not any(line.removed for line in undeclared.lines)


def test_the_second_half_is_sized_by_arrays_of_512_in_pods_of_8(undeclared: Difference) -> None:
    """200,000 / 512 = 391 arrays, 98 a fleet; 49 pods, so 49 links a plane and 32 cores of 128 ports for them."""
    lines = {line.what: line.after for line in undeclared.lines if line.group == "switches"}
    rdma = {tier: lines[f"rdma {tier} sn5600"] for tier in ("leaf", "spine", "core")}
    assert rdma == {"leaf": 392 * 8, "spine": 49 * 64, "core": 64 * 32}
    assert undeclared.added["units"] == 196


def test_what_is_declared_in_the_end_can_be_declared_from_the_first_day() -> None:
    room = last_declared(specs()[1])
    assert room.site == 200_704
    assert {declared(spec, room).grows_to for spec in specs()} == {200_704}
    assert not any(f.grows_to for spec in specs() for f in declared(spec, room).compute.fleets)
