"""A callable and many hosts -> one outcome a host, in the order given. Only here are things retried."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

H = TypeVar("H")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` in all; the wait between two grows by `factor` from `first_wait_s` to `longest_wait_s`."""

    attempts: int = 3
    first_wait_s: float = 0.5
    factor: float = 2.0
    longest_wait_s: float = 10.0

    def wait_s(self, failed: int) -> float:
        """Number of tries that failed so far -> seconds to wait before the next."""
        return min(self.first_wait_s * self.factor ** (failed - 1), self.longest_wait_s)


USUAL = Retry()
ONCE = Retry(attempts=1)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[H, R]):
    """What became of one host: `value`, or the last `error`; `attempts` counts the tries."""

    host: H
    value: R | None
    error: DriverError | None
    attempts: int

    @property
    def ok(self) -> bool:
        return self.error is None


def attempt(do: Callable[[], R], retry: Retry = USUAL, sleep: Callable[[float], object] = time.sleep) -> R:
    """A callable -> its result, tried again while its DriverError says that another try can help."""
    failed = 0
    while True:
        try:
            return do()
        except DriverError as error:
            failed += 1
            if not error.retryable or failed >= retry.attempts:
                raise
        sleep(retry.wait_s(failed))


def run(
    hosts: Sequence[H],
    do: Callable[[H], R],
    *,
    workers: int = 32,
    retry: Retry = USUAL,
    tell: Callable[[Outcome[H, R]], object] | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> tuple[Outcome[H, R], ...]:
    """Hosts and what to do with one -> outcomes in the order of the hosts.

    A DriverError becomes an outcome; any other exception is a bug and is raised. `tell` hears of each outcome
    as it happens, in the thread it happened in.
    """

    def one(host: H) -> Outcome[H, R]:
        tries = 0

        def once() -> R:
            nonlocal tries
            tries += 1
            return do(host)

        outcome: Outcome[H, R]
        try:
            outcome = Outcome(host, attempt(once, retry, sleep), None, tries)
        except DriverError as error:
            outcome = Outcome(host, None, error, tries)
        if tell is not None:
            tell(outcome)
        return outcome

    if not hosts:
        return ()
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(hosts)))) as pool:
        return tuple(pool.map(one, hosts))
