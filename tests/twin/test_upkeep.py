"""Machines kept as they should be: switched, started again, left alone."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from lab_operator import soon

from lindos.errors import DriverError
from lindos.twin import containers
from lindos.twin.hall import Device
from lindos.twin.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Box:
    """A machine of no substance: does what it is told, and ends when a test says so."""

    def __init__(self) -> None:
        self.device = Device("s-n01", "node", "gpu", "dell", "x", "", "r", 1, 1, None, ())
        self.runs = False
        self.leftovers = False
        self.exit_status: int | None = None
        self.done: list[str] = []
        self.fails: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def on(self) -> None:
        self.gate.wait(5)
        if self.fails is not None:
            self.done.append("failed")
            raise self.fails
        self.done.append("on")
        self.runs = True

    def off(self, *, graceful: bool) -> None:
        self.done.append("off gently" if graceful else "off")
        self.runs = self.leftovers = False

    def end(self, status: int) -> None:
        """The system inside ends by itself."""
        self.exit_status, self.runs, self.leftovers = status, False, True


class Yard:
    """One Box under an Upkeep, with the wish of its owner."""

    def __init__(self) -> None:
        self.box, self.wanted = Box(), True
        machines: Any = {"s-n01": self.box}
        self.upkeep = Upkeep(machines, lambda _: self.wanted, self.forget, lambda: None)

    def forget(self, _: str) -> None:
        self.wanted = False

    def settle(self) -> None:
        def look() -> bool:
            self.upkeep.tick()
            return not self.upkeep.busy and not self.upkeep.unsettled() and not self.box.leftovers

        soon(look, within_s=5)


@pytest.fixture
def yard() -> Iterator[Yard]:
    found = Yard()
    yield found
    found.upkeep.close()


def test_what_should_run_is_switched_on_once(yard: Yard) -> None:
    yard.settle()
    yard.upkeep.tick()

    assert yard.box.done == ["on"]


@pytest.mark.parametrize(("gentle", "done"), [(False, "off"), (True, "off gently")])
def test_what_should_not_run_is_switched_off(yard: Yard, gentle: bool, done: str) -> None:
    yard.settle()
    yard.wanted = False
    if gentle:
        yard.upkeep.shut_down("s-n01")

    yard.settle()

    assert yard.box.done == ["on", done]


def test_gentleness_is_for_once(yard: Yard) -> None:
    yard.settle()
    yard.upkeep.shut_down("s-n01")
    for wanted in (False, True, False):
        yard.wanted = wanted
        yard.settle()

    assert yard.box.done == ["on", "off gently", "on", "off"]


def test_a_reboot_is_followed_by_a_start(yard: Yard) -> None:
    yard.settle()
    yard.box.end(containers.REBOOTED)
    yard.box.leftovers = False

    yard.settle()

    assert yard.wanted
    assert yard.box.done == ["on", "on"]


@pytest.mark.parametrize("status", sorted(containers.SWITCHED_OFF))
def test_a_shutdown_from_inside_is_a_wish(yard: Yard, status: int) -> None:
    yard.settle()
    yard.box.end(status)

    yard.settle()

    assert not yard.wanted
    assert yard.box.done == ["on", "off"]


def test_a_system_that_crashes_is_not_started_over_and_over(yard: Yard) -> None:
    yard.settle()
    yard.box.end(255)
    for _ in range(20):
        yard.upkeep.tick()
        time.sleep(0.01)

    assert yard.box.done == ["on"]
    assert yard.upkeep.errors == {"s-n01": "its system ended with status 255"}


def test_a_restart_is_off_and_on(yard: Yard) -> None:
    yard.settle()
    yard.upkeep.restart("s-n01", graceful=True)
    assert yard.upkeep.restarting("s-n01")

    yard.settle()

    assert yard.box.done == ["on", "off gently", "on"]
    assert not yard.upkeep.restarting("s-n01")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DriverError("podman", "start", "no", retryable=True), "not on: podman: start: no"),
        (KeyError("a bug"), "not on: KeyError('a bug')"),
    ],
)
def test_a_failure_is_kept_and_tried_again_later(
    yard: Yard, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lindos.twin.upkeep.RETRY_S", 0.2)
    yard.box.fails = error
    yard.upkeep.tick()
    soon(lambda: not yard.upkeep.busy)
    yard.upkeep.tick()
    assert yard.box.done == ["failed"]
    assert yard.upkeep.errors == {"s-n01": said}

    yard.box.fails = None
    yard.settle()

    assert yard.box.done == ["failed", "on"]
    assert yard.upkeep.errors == {}


def test_a_machine_is_worked_on_by_one_at_a_time(yard: Yard) -> None:
    yard.box.gate.clear()
    yard.upkeep.tick()
    yard.wanted = False
    yard.upkeep.tick()
    assert yard.upkeep.busy
    assert yard.upkeep.unsettled() == ["s-n01"]

    yard.box.gate.set()
    yard.settle()

    assert yard.box.done == ["on", "off"]


def nothing_left(_: int) -> int:
    return 3


@pytest.mark.parametrize(("machines", "available"), [(0, nothing_left), (2, lambda wanted: wanted)])
def test_room_for_the_machines_is_enough(machines: int, available: Callable[[int], int]) -> None:
    containers.need_watches(machines, available=available)


def test_machines_that_could_not_start_are_not_tried() -> None:
    with pytest.raises(DriverError, match="2 more machines need 8 inotify instances; 3 of root's") as caught:
        containers.need_watches(2, available=nothing_left)

    assert caught.value.problems[0].hint.startswith("sysctl -w fs.inotify.max_user_instances=")


def test_the_kernel_is_asked_and_gets_everything_back() -> None:
    assert [containers._watches_available(2) for _ in range(100)] == [2] * 100
