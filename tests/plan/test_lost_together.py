"""Losses asked for by name: the nodes that feel them, together, and what people read of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lindos.check.sweep import lost_together
from lindos.check.sweep_report import hit_lines
from lindos.check.view import View
from lindos.errors import SpecError
from lindos.plan import design_site

ROOT = Path(__file__).parents[2]
BOTH = {"lab-a0001-r01-n01", "lab-a0001-r01-n02"}
OTHERS = {"lab-a0002-r01-n01", "lab-a0002-r01-n02"}


@pytest.fixture(scope="module")
def view() -> View:
    spec, plan = design_site(ROOT / "inventories" / "lab" / "site.yaml")
    return View(plan, spec)


LOSSES: list[tuple[list[str], set[str], set[str]]] = [
    (["feed a"], set(), OTHERS),
    (["feed a", "feed b"], BOTH | OTHERS, set()),
    (["rack lab-a0001-r01"], BOTH, set()),
    (["lab-a0001-r01-pdu-a1"], set(), set()),
    (["lab-a0001-r01-pdu-a1", "lab-a0001-r01-pdu-b1"], BOTH, set()),
    (["feed a", "lab-a0001-r01-pdu-b1"], BOTH, OTHERS),
    (["lab-a0001-r01-cdu01"], BOTH, set()),
]


@pytest.mark.parametrize(("lost", "drops", "throttles"), LOSSES, ids=[" and ".join(lost) for lost, _, _ in LOSSES])
def test_the_nodes_that_feel_a_loss(view: View, lost: list[str], drops: set[str], throttles: set[str]) -> None:
    row, hit = lost_together(view, lost)
    assert set(hit.filter(does="drops")["device"]) == drops
    assert set(hit.filter(does="throttles")["device"]) == throttles
    assert (row["nodes_dropped"], row["nodes_throttled"]) == (len(drops), len(throttles))


def test_what_people_read(view: View) -> None:
    assert list(hit_lines(*lost_together(view, ["rack lab-a0001-r01"]))) == [
        "rack lab-a0001-r01: 2 nodes down, 16 GPUs lost",
        "16 of 32 GPUs are left to train together",
        "  lab-a0001-r01-n01  drops        power",
        "  lab-a0001-r01-n02  drops        power",
    ]
    assert next(hit_lines(*lost_together(view, ["lab-a0001-r01-pdu-a1"]))).endswith("takes nothing down")


def test_a_component_that_is_not_there_is_refused_with_the_nearest(view: View) -> None:
    with pytest.raises(SpecError) as found:
        lost_together(view, ["feed c", "feed a", "nothing of the kind"])
    assert str(found.value.render()).splitlines() == [
        "error: the sweep knows no component 'feed c'",
        "  hint: did you mean 'feed a'?",
        "error: the sweep knows no component 'nothing of the kind'",
        "  hint: the sweep names them: lindos check SITE --sweep --json",
    ]
