"""A BMC's address and credentials -> what its machine is, and its power switched; spoken over DMTF Redfish.

Paths differ between vendors (`System.Embedded.1`, `1`), so nothing but `/redfish/v1/` is known beforehand:
all else is found by following links, and a power change uses a ResetType that the system itself offers.
"""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from lindos.drivers.redfish_documents import (
    Power,
    Psu,
    SystemState,
    action,
    dig,
    link,
    links,
    power,
    psu,
    text,
)
from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Bmc", "Machine", "Power", "Psu", "SystemState", "connect", "read_psus", "read_state", "set_power"]

ROOT = "/redfish/v1/"
PAGES = 64
"""Pages of one collection that are followed; a longer one is a loop."""


WAYS: dict[Power, tuple[str, ...]] = {
    Power.ON: ("On", "ForceOn", "PushPowerButton"),
    Power.OFF: ("ForceOff", "PushPowerButton"),
}
"""Reset types that lead to a power state for certain, the best first; before Off comes a GracefulShutdown."""

BETWEEN = {Power.POWERING_ON, Power.POWERING_OFF}


@dataclass(frozen=True, slots=True)
class Bmc:
    """Where a BMC answers and how to log in. `device` is the plan's name of its machine.

    `address` is an address, an address with a port, or a URL; without a scheme it means HTTPS. `verify` is a
    file of CA certificates, True for those of this machine, False to accept the self-signed one that a BMC is
    born with.
    """

    device: str
    address: str
    user: str
    password: str = field(repr=False)
    verify: Path | bool = False
    session: bool = False
    timeout_s: float = 20.0

    @property
    def url(self) -> str:
        return self.address if "://" in self.address else f"https://{self.address}"


@dataclass(frozen=True, slots=True)
class _Wait:
    deadline: float  # of the monotonic clock
    poll_s: float
    stop: threading.Event


@contextmanager
def connect(bmc: Bmc) -> Iterator[Machine]:
    """A BMC -> its Machine, logged in for as long as the context lasts."""
    verify = bmc.verify if isinstance(bmc.verify, bool) else ssl.create_default_context(cafile=str(bmc.verify))
    auth = None if bmc.session else (bmc.user, bmc.password)
    headers = {"Accept": "application/json", "OData-Version": "4.0"}
    with httpx.Client(
        base_url=bmc.url,
        auth=auth,
        headers=headers,
        verify=verify,
        timeout=bmc.timeout_s,
        trust_env=False,
        follow_redirects=True,
    ) as client:
        machine = Machine(bmc, client)
        token = machine.log_in() if bmc.session else None
        try:
            yield machine
        finally:
            if token is not None:
                machine.log_out(token)


def read_state(bmc: Bmc) -> SystemState:
    """A BMC -> the state of its machine."""
    with connect(bmc) as machine:
        return machine.state()


def read_psus(bmc: Bmc) -> tuple[Psu, ...]:
    """A BMC -> the power supplies of its machine."""
    with connect(bmc) as machine:
        return machine.psus()


def set_power(
    bmc: Bmc,
    want: Power,
    *,
    timeout_s: float = 300.0,
    poll_s: float = 2.0,
    stop: threading.Event | None = None,
) -> SystemState:
    """A BMC and a power state -> the state of its machine once it is there; nothing is asked if it is."""
    with connect(bmc) as machine:
        return machine.set_power(want, timeout_s=timeout_s, poll_s=poll_s, stop=stop)


class Machine:
    """The machine behind one BMC, over an open connection."""

    def __init__(self, bmc: Bmc, client: httpx.Client) -> None:
        self._bmc = bmc
        self._client = client
        self._root: dict[str, Any] | None = None
        self._path = ""

    def log_in(self) -> str:
        """Opens a session -> the path to close it with."""
        root = self._service_root()
        sessions = link(dig(root, "Links", "Sessions")) or f"{ROOT}SessionService/Sessions"
        body = {"UserName": self._bmc.user, "Password": self._bmc.password}
        answer = self._send("POST", sessions, "log in", body)
        self._client.headers["X-Auth-Token"] = answer.headers.get("X-Auth-Token", "")
        return httpx.URL(answer.headers.get("Location", "")).path or link(_json_of(answer)) or ""

    def log_out(self, session: str) -> None:
        """Closes a session; a BMC holds only a few, and one that is gone needs no closing."""
        if session:
            try:
                self._send("DELETE", session, "log out")
            except DriverError:
                return

    def state(self) -> SystemState:
        """Asks for the state of the machine."""
        system = self._system()
        return SystemState(
            power=power(system.get("PowerState")),
            manufacturer=text(system, "Manufacturer"),
            model=text(system, "Model"),
            serial=text(system, "SerialNumber"),
            health=text(dig(system, "Status"), "Health"),
            bmc_firmware=self._bmc_firmware(system),
            path=link(system) or "",
            reset_types=self._reset_types(system),
            doubled=dig(self._service_root(), "Oem", "Lindos", "Doubled") is True,
        )

    def psus(self) -> tuple[Psu, ...]:
        """Asks for the power supplies: `PowerSubsystem` where there is one, else the older `Power`."""
        system = self._system()
        supplies: list[dict[str, Any]] = []
        for chassis_path in links(dig(system, "Links", "Chassis")):
            chassis = self._get(chassis_path)
            if subsystem := link(chassis.get("PowerSubsystem")):
                if collection := link(self._get(subsystem).get("PowerSupplies")):
                    supplies += [self._get(path) for path in self._members(collection)]
            elif older := link(chassis.get("Power")):
                supplies += self._get(older).get("PowerSupplies") or []
        return tuple(psu(number, supply) for number, supply in enumerate(supplies, start=1))

    def reset(self, reset_type: str) -> None:
        """Sends one ResetType to the machine."""
        system = self._system()
        target = action(system).get("target") or f"{link(system)}/Actions/ComputerSystem.Reset"
        self._send("POST", target, f"reset ({reset_type})", {"ResetType": reset_type})

    def set_power(
        self,
        want: Power,
        *,
        timeout_s: float = 300.0,
        poll_s: float = 2.0,
        stop: threading.Event | None = None,
    ) -> SystemState:
        """Brings the machine to `want` and waits for it -> its state.

        One that is between two states is let settle first; a shutdown that is refused, or not done in half of
        the time, is forced.
        """
        start = time.monotonic()
        wait = _Wait(start + timeout_s, poll_s, stop or threading.Event())
        state = self.state()
        if state.power in BETWEEN:
            self._wait(wait, lambda power: power not in BETWEEN, f"settle before power {want}")
            state = self.state()
        if state.power == want:
            return state
        if want is Power.OFF and "GracefulShutdown" in state.reset_types:
            try:
                self._push(state, ("GracefulShutdown",), want)
                gentle = _Wait(start + timeout_s / 2, poll_s, wait.stop)
                self._wait(gentle, lambda power: power == want, "shut down")
                return self.state()
            except DriverError:
                if wait.stop.is_set():
                    raise
        self._push(state, WAYS[want], want)
        self._wait(wait, lambda power: power == want, f"wait for power {want}")
        return self.state()

    def _wait(self, wait: _Wait, done: Callable[[Power], bool], tried: str) -> None:
        """Asks for the power state until it will do; a BMC that is busy for a moment is asked again."""
        said = "no answer"
        while True:
            try:
                now = power(self._get(self._path).get("PowerState"))
                said = f"still {now}"
                if done(now):
                    return
            except DriverError as error:
                if not error.retryable:
                    raise
                said = error.said
            left = wait.deadline - time.monotonic()
            if left <= 0:
                raise DriverError(self._bmc.device, tried, said, retryable=True)
            if wait.stop.wait(min(wait.poll_s, left)):
                raise DriverError(self._bmc.device, tried, "cancelled", retryable=False)

    def _push(self, state: SystemState, ways: tuple[str, ...], goal: Power) -> None:
        """Sends the first of `ways` that the machine offers; where it says nothing of that, the first."""
        offered = [way for way in ways if way in state.reset_types] if state.reset_types else list(ways)
        if not offered:
            said = f"offers only {', '.join(state.reset_types)}"
            raise DriverError(self._bmc.device, f"reset ({ways[0]})", said, retryable=False)
        try:
            self.reset(offered[0])
        except DriverError:
            # A machine that got there meanwhile refuses what it was asked for; that is no failure.
            if self.state().power != goal:
                raise

    def _service_root(self) -> dict[str, Any]:
        if self._root is None:
            self._root = self._get(ROOT)
        return self._root

    def _system(self) -> dict[str, Any]:
        """The ComputerSystem that is the machine; a GPU baseboard lists itself beside it, but cannot boot."""
        systems = link(self._service_root().get("Systems"))
        if systems is None:
            raise self._odd(ROOT, "no Systems")
        found = [self._get(path) for path in self._members(systems)]
        able = [s for s in found if action(s) and s.get("SystemType", "Physical") == "Physical"] or found
        able = [s for s in able if "Boot" in s] or able
        if not able:
            raise self._odd(systems, "no member")
        self._path = link(able[0]) or ""
        return able[0]

    def _bmc_firmware(self, system: dict[str, Any]) -> str:
        managers = links(dig(system, "Links", "ManagedBy"))
        return text(self._get(managers[0]), "FirmwareVersion") if managers else ""

    def _reset_types(self, system: dict[str, Any]) -> tuple[str, ...]:
        reset = action(system)
        offered = reset.get("ResetType@Redfish.AllowableValues")
        if offered is None and (info := text(reset, "@Redfish.ActionInfo")):
            parameters = self._get(info).get("Parameters") or []
            offered = next((p.get("AllowableValues") for p in parameters if p.get("Name") == "ResetType"), None)
        return tuple(offered or ())

    def _members(self, collection: str) -> list[str]:
        paths: list[str] = []
        at: str | None = collection
        for _ in range(PAGES):
            if at is None:
                return paths
            page = self._get(at)
            paths += links(page.get("Members"))
            at = page.get("Members@odata.nextLink") or page.get("@odata.nextLink")
        raise self._odd(collection, f"more than {PAGES} pages")

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._send("GET", path, f"read {path}")
        body = _json_of(answer)
        if body is None:
            raise self._odd(path, "not a JSON object")
        return body

    def _send(self, method: str, path: str, tried: str, body: dict[str, str] | None = None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TimeoutException:
            said = f"no answer from {self._bmc.url} in {self._bmc.timeout_s:g} s"
            raise DriverError(self._bmc.device, tried, said, retryable=True) from None
        except httpx.RequestError as error:
            hint = "give the CA of the BMCs, or none" if "CERTIFICATE" in str(error) else ""
            said = f"{self._bmc.url}: {error}"
            raise DriverError(self._bmc.device, tried, said, retryable=not hint, hint=hint) from None
        if answer.is_success:
            return answer
        said = f"HTTP {answer.status_code}: {_said(answer)}"
        if answer.status_code in {401, 403}:
            hint = f"are the user name {self._bmc.user!r} and its password those of this BMC?"
            raise DriverError(self._bmc.device, tried, said, retryable=False, hint=hint)
        again = answer.status_code in {408, 425, 429} or answer.status_code >= 500
        raise DriverError(self._bmc.device, tried, said, retryable=again)

    def _odd(self, path: str, what: str) -> DriverError:
        return DriverError(self._bmc.device, f"read {path}", f"{what}: not a Redfish service?", retryable=False)


def _json_of(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _said(answer: httpx.Response) -> str:
    """What a BMC gives as the reason, from the extended error information if it has any."""
    error = dig(_json_of(answer), "error")
    more = dig(error, "@Message.ExtendedInfo")
    messages = [said for m in more if (said := text(m, "Message"))] if isinstance(more, list) else []
    return "; ".join(messages) or text(error, "message") or answer.reason_phrase or "no reason given"
