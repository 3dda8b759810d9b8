"""What a BMC does with a ResetType, by the state its machine is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from small_hall import write_small_hall

from lindos.twin.hall import Hall, read_hall
from lindos.twin.management import ManagedNode
from lindos.twin.power import Supply
from lindos.twin.redfish_tree import DIALECTS
from lindos.twin.wishes import Wishes

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Supply((1, 2, 3, 4), frozenset({1, 2, 3, 4}), 2)
WEAK = Supply((1, 2, 3, 4), frozenset({1}), 2)


@dataclass
class House:
    """A hall that obeys and remembers."""

    hall: Hall
    state: str = "Off"
    fed: Supply = WHOLE
    wishes: Wishes = field(default_factory=Wishes)
    done: list[str] = field(default_factory=list)

    def supply(self, name: str) -> Supply:
        return self.fed

    def power_state(self, name: str) -> str:
        return self.state

    def switch(self, name: str, *, on: bool, graceful: bool) -> None:
        self.done.append(f"{'on' if on else 'off'}{' gently' if graceful else ''}")

    def restart(self, name: str, *, graceful: bool) -> None:
        self.done.append(f"restart{' gently' if graceful else ''}")


@pytest.fixture
def house(tmp_path: Path) -> House:
    write_small_hall(tmp_path, "s")
    return House(read_hall(tmp_path, "s"))


def button(house: House, node: str) -> ManagedNode:
    return ManagedNode(house, house.hall.by_name[node])


@pytest.mark.parametrize(
    ("state", "reset_type", "done"),
    [
        ("Off", "On", "on"),
        ("Off", "ForceOn", "on"),
        ("Off", "PushPowerButton", "on"),
        ("On", "PushPowerButton", "off gently"),
        ("On", "ForceOff", "off"),
        ("On", "GracefulShutdown", "off gently"),
        ("PoweringOn", "ForceOff", "off"),
        ("On", "ForceRestart", "restart"),
        ("On", "GracefulRestart", "restart gently"),
        ("On", "PowerCycle", "restart"),
    ],
)
def test_a_reset_type_does_what_it_says(house: House, state: str, reset_type: str, done: str) -> None:
    house.state = state

    assert button(house, "s-n02").reset(reset_type) is None

    assert house.done == [done]
    assert button(house, "s-n02").view().power_state == state


def test_an_interrupt_changes_no_power(house: House) -> None:
    house.state = "On"

    assert button(house, "s-n02").reset("Nmi") is None
    assert house.done == []


@pytest.mark.parametrize(("state", "reset_type"), [("On", "On"), ("Off", "ForceOff"), ("Off", "ForceRestart")])
def test_what_makes_no_sense_is_answered_in_the_vendors_way(house: House, state: str, reset_type: str) -> None:
    house.state = state
    dell, other = DIALECTS["dell"], DIALECTS["supermicro"]

    answers = [button(house, node).reset(reset_type) for node in ("s-n02", "s-n01")]

    assert answers[0] == (dell.on_when_on if state == "On" else dell.off_when_off)
    assert answers[0] is not None
    assert answers[1] == (other.on_when_on if state == "On" else other.off_when_off)
    assert house.done == []


def test_a_node_with_too_few_live_psus_is_not_switched_on(house: House) -> None:
    house.fed = WEAK

    refusal = button(house, "s-n02").reset("On")

    assert refusal is not None
    assert refusal.status == 409
    assert "too few" in refusal.message
    assert house.done == []


def test_the_time_of_the_last_reset_is_shown(house: House) -> None:
    node = button(house, "s-n01")
    assert node.view().last_reset == ""

    node.reset("On")

    assert node.view().last_reset.endswith("+00:00")
