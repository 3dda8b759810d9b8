"""Many hosts at once: order, retries, and what counts as a failure of the world."""

from __future__ import annotations

import threading

import pytest

from lindos.drivers.runner import ONCE, Retry, attempt, run
from lindos.errors import DriverError


def refusal(host: str, *, retryable: bool) -> DriverError:
    return DriverError(host, "knock", "no answer", retryable=retryable)


def test_outcomes_keep_the_order_of_the_hosts_whatever_finishes_first() -> None:
    last_is_done = threading.Event()

    def do(host: int) -> int:
        if host == 7:
            last_is_done.set()
        elif host == 0:
            assert last_is_done.wait(5)
        return host * host

    outcomes = run(range(8), do, workers=8)
    assert [o.host for o in outcomes] == list(range(8))
    assert [o.value for o in outcomes] == [n * n for n in range(8)]


def test_a_retryable_refusal_is_tried_again_with_growing_waits_up_to_a_limit() -> None:
    waits: list[float] = []
    left = [refusal("a", retryable=True)] * 4

    def do() -> str:
        if left:
            raise left.pop()
        return "in"

    retry = Retry(attempts=5, first_wait_s=1, factor=3, longest_wait_s=5)
    assert attempt(do, retry, waits.append) == "in"
    assert waits == [1, 3, 5, 5]


def test_a_refusal_that_no_retry_helps_is_not_tried_again() -> None:
    def do(host: str) -> str:
        raise refusal(host, retryable=False)

    (outcome,) = run(["a"], do, sleep=lambda _: pytest.fail("waited"))
    assert not outcome.ok
    assert outcome.attempts == 1
    assert outcome.error is not None
    assert str(outcome.error) == "a: knock: no answer"


def test_attempts_are_bounded_and_one_host_does_not_stop_the_others() -> None:
    told: list[str] = []

    def do(host: str) -> str:
        if host == "dead":
            raise refusal(host, retryable=True)
        return host.upper()

    outcomes = run(
        ["a", "dead", "b"],
        do,
        retry=Retry(attempts=3, first_wait_s=0),
        tell=lambda o: told.append(o.host),
        sleep=lambda _: None,
    )
    assert [(o.value, o.attempts) for o in outcomes] == [("A", 1), (None, 3), ("B", 1)]
    assert sorted(told) == ["a", "b", "dead"]


def test_a_bug_is_raised_and_not_filed_as_a_failure_of_the_world() -> None:
    with pytest.raises(ZeroDivisionError):
        run([0], lambda n: 1 / n, retry=ONCE)


def test_no_hosts_are_no_outcomes() -> None:
    assert run([], lambda _: pytest.fail("called")) == ()
