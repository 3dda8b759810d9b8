"""Machines and what should run -> machines that do: switched on and off, started again after a reboot."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lindos.errors import DriverError
from lindos.twin.containers import CUT_OFF, REBOOTED, SWITCHED_OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lindos.twin.hall import Device
    from lindos.twin.machine import Machine

WORKERS = 2
"""Machines that boot or stop at the same time; booting one keeps a core busy."""

RETRY_S = 5.0

log = logging.getLogger("twin")


class Upkeep:
    """Compares machines with what they should be; each is worked on by one thread at a time."""

    def __init__(
        self,
        machines: Mapping[str, Machine],
        should_run: Callable[[Device], bool],
        switched_off: Callable[[str], None],
        wake: Callable[[], None],
    ) -> None:
        self._machines = machines
        self._should_run = should_run
        self._switched_off = switched_off
        self._wake = wake
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="power")
        self._busy: set[str] = set()
        self._restarts: dict[str, bool] = {}
        self._gentle: set[str] = set()
        self._ran: set[str] = set()
        self._not_before: dict[str, float] = {}
        self.errors: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is being switched right now."""
        with self._lock:
            return bool(self._busy)

    def restart(self, name: str, *, graceful: bool) -> None:
        """Off and on again, soon."""
        with self._lock:
            self._restarts[name] = graceful

    def shut_down(self, name: str) -> None:
        """The next power-off of this machine asks its system first."""
        with self._lock:
            self._gentle.add(name)

    def restarting(self, name: str) -> bool:
        with self._lock:
            return name in self._restarts

    def tick(self) -> None:
        """Looks at every machine once and starts whatever it needs."""
        for name, machine in self._machines.items():
            with self._lock:
                idle = name not in self._busy and self._not_before.get(name, 0.0) <= time.monotonic()
            if idle:
                try:
                    self._look_at(name, machine)
                except DriverError as error:
                    self._fail(name, str(error))

    def unsettled(self) -> list[str]:
        """Machines that are not yet what they should be."""
        with self._lock:
            moving = self._busy | self._restarts.keys()
        return [n for n, m in self._machines.items() if n in moving or m.runs != self._should_run(m.device)]

    def close(self) -> None:
        """Finishes what is being switched."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _look_at(self, name: str, machine: Machine) -> None:
        runs = machine.runs
        if name in self._ran and not runs:
            go_on = self._ended(name, machine.exit_status)
            self._ran.discard(name)
            if not go_on:
                return
        should = self._should_run(machine.device)
        if runs:
            self._ran.add(name)
        with self._lock:
            graceful = self._restarts.get(name)
        if should and runs and graceful is not None:
            self._submit(name, "restarted", lambda: self._off_and_on(machine, graceful=graceful))
        elif should and not runs:
            self._submit(name, "on", machine.on)
        elif not should and (runs or machine.leftovers):
            with self._lock:
                gentle = name in self._gentle
            self._submit(name, "off", lambda: machine.off(graceful=gentle))

    def _ended(self, name: str, status: int | None) -> bool:
        """A system that ended by itself, and how -> whether to go on with it at once."""
        if status in SWITCHED_OFF:
            log.info("%s was switched off from inside", name)
            self._switched_off(name)
        elif status not in {None, REBOOTED, CUT_OFF}:
            self._fail(name, f"its system ended with status {status}")
            return False
        return True

    def _fail(self, name: str, said: str) -> None:
        """Keeps what went wrong for whoever asks, and leaves the machine alone for a while."""
        self.errors[name] = said
        self._not_before[name] = time.monotonic() + RETRY_S
        log.warning("%s: %s", name, said)

    def _off_and_on(self, machine: Machine, *, graceful: bool) -> None:
        machine.off(graceful=graceful)
        if self._should_run(machine.device):
            machine.on()

    def _submit(self, name: str, becomes: str, switch: Callable[[], None]) -> None:
        with self._lock:
            self._busy.add(name)
        self._ran.discard(name)
        self._pool.submit(self._switch, name, becomes, switch)

    def _switch(self, name: str, becomes: str, switch: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            switch()
            self.errors.pop(name, None)
            if becomes != "off":
                self._ran.add(name)
            log.info("%s is %s after %.1f s", name, becomes, time.monotonic() - began)
        except DriverError as error:
            self._fail(name, f"not {becomes}: {error}")
        except Exception as error:
            self._fail(name, f"not {becomes}: {error!r}")
            log.exception("a bug")
        finally:
            with self._lock:
                self._busy.discard(name)
                self._gentle.discard(name)
                self._restarts.pop(name, None)
            self._wake()
