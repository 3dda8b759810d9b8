"""A node -> what its checks say: the suite is there already or is put there, and runs in one round trip."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindos.drivers import ssh
from lindos.errors import DriverError
from lindos.finding import Finding, Severity
from lindos.observation import Observation
from lindos.verify import routes
from lindos.verify.suite import parsers
from lindos.verify.summary import NotExpected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lindos.verify.zipapp import Zipapp

PLACE = "/usr/local/lib/lindos/verify.pyz"
"""Where role node_validation puts it as well."""

NOT_THERE = 44
RESULT_EXITS = range(4)
CHECK_S = 300.0
MEASURE_S = 1800.0
"""For all benchmarks of a node together, one after the other."""
PROBE_S = 180.0

Neighbour = tuple[str, str, str, str]
"""Device, port, neighbour, the neighbour's port."""


@dataclass(frozen=True, slots=True)
class HostResult:
    """What the checks of one host came to. `neighbours` is None where LLDP could not be read."""

    host: str
    findings: tuple[Finding, ...]
    observations: tuple[Observation, ...]
    checks: int
    neighbours: tuple[Neighbour, ...] | None
    doubled: bool
    shipped: bool
    passed: frozenset[tuple[str, str]]
    """Code and subject of each check that passed."""
    not_expected: tuple[NotExpected, ...] = ()


def check_host(host: ssh.Host, expectation: Mapping[str, Any], zipapp: Zipapp, *, measure: bool = False) -> HostResult:
    """A host and what is expected of it -> what its checks say; with `measure` also of rates, which disturbs jobs."""
    request = json.dumps({host.device: expectation}).encode()
    with ssh.connect(host) as connection:
        verb = f"check --expect-host {shlex.quote(host.device)}{' --measure' if measure else ''}"
        ran, shipped = _run(connection, zipapp, verb, request, CHECK_S + (MEASURE_S if measure else 0))
    if ran.rc not in RESULT_EXITS or not ran.out.strip():
        raise _no_result(host.device, ran)
    try:
        return read_result(json.loads(ran.out), shipped=shipped)
    except (ValueError, KeyError, TypeError) as error:
        said = f"its result is not understood: {error}"
        raise DriverError(host.device, "run the checks", said, retryable=False) from None


def probe_host(host: ssh.Host, request: Mapping[str, Any], zipapp: Zipapp) -> dict[str, Any]:
    """A host and addresses to ask -> who answered (see suite/probe.py)."""
    with ssh.connect(host) as connection:
        ran, _ = _run(connection, zipapp, "probe", json.dumps(request).encode(), PROBE_S)
    if ran.rc != 0:
        raise _no_result(host.device, ran)
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


def read_neighbours(host: ssh.Host) -> tuple[Neighbour, ...]:
    """A switch -> what its ports hear over LLDP."""
    text = ""
    try:
        with ssh.connect(host) as connection:
            text = connection.check("PATH=$PATH:/usr/sbin:/sbin lldpctl -f json")
        return tuple((host.device, *heard) for heard in parsers.neighbours(text))
    except ValueError:
        said = f"`lldpctl` said what is not understood: {' '.join(text.split())[:80]}"
        raise DriverError(host.device, "read its neighbours", said, retryable=False) from None


def read_routes(host: ssh.Host, leaves: Mapping[str, str]) -> dict[str, set[str]]:
    """A switch, and leaves with their loopbacks -> leaf -> the ports over which the switch forwards to it."""
    try:
        with ssh.connect(host) as connection:
            return routes.read(connection.check(routes.command(list(leaves.values()))), list(leaves))
    except ValueError as error:
        raise DriverError(host.device, "read its routes", f"not understood: {error}", retryable=False) from None


def read_result(result: Mapping[str, Any], *, shipped: bool = False) -> HostResult:
    """The JSON of suite/record.py -> HostResult."""
    host = result["host"]
    heard = result["neighbours"]
    return HostResult(
        host=host,
        findings=tuple(Finding(**f | {"severity": Severity(f["severity"])}) for f in result["findings"]),
        observations=tuple(Observation(**o) for o in result["observations"]),
        checks=result["checks"],
        neighbours=None if heard is None else tuple((host, *n) for n in heard),
        doubled=bool(result["doubled_tools"]),
        shipped=shipped,
        passed=frozenset((p["code"], p["subject"]) for p in result["passed"]),
        not_expected=tuple(NotExpected(**told) for told in result["not_expected"]),
    )


def _run(connection: ssh.Connection, zipapp: Zipapp, verb: str, stdin: bytes, timeout_s: float) -> tuple[ssh.Ran, bool]:
    """Runs the suite if the host has these very bytes of it; puts them there first if not."""
    held = f"echo '{zipapp.sha256}  {PLACE}' | sha256sum --check --status 2>/dev/null"
    line = f"{held} || exit {NOT_THERE}; exec python3 {PLACE} {verb}"
    ran = connection.run(line, stdin=stdin, timeout_s=timeout_s)
    if ran.rc != NOT_THERE:
        return ran, False
    connection.check(["mkdir", "-p", PLACE.rpartition("/")[0]])
    connection.put(PLACE, zipapp.data, mode=0o755)
    return connection.run(line, stdin=stdin, timeout_s=timeout_s), True


def _no_result(device: str, ran: ssh.Ran) -> DriverError:
    said = " ".join((ran.err or ran.out).split())[-300:] or "nothing"
    hint = "the checks need python3 on the host" if "not found" in said else ""
    return DriverError(device, "run the checks", f"exit {ran.rc}, said: {said}", retryable=False, hint=hint)
