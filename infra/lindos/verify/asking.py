"""A site -> what every host, switch and BMC of it answers, asked side by side; who does not answer holds up nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lindos.drivers import redfish, runner
from lindos.verify.hosts import HostResult, check_host, probe_host, read_neighbours, read_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lindos.drivers.access import Access
    from lindos.drivers.redfish_documents import SystemState
    from lindos.errors import DriverError
    from lindos.verify.hosts import Neighbour
    from lindos.verify.site import Site
    from lindos.verify.zipapp import Zipapp

T = TypeVar("T")

WORKERS = 64
RETRY = runner.Retry(attempts=2, first_wait_s=1.0)


@dataclass(frozen=True, slots=True)
class Replies:
    """Who said what; by device. A device stands in its own mapping or in `silent`, under (kind, device)."""

    hosts: dict[str, HostResult] = field(default_factory=dict)
    switches: dict[str, tuple[Neighbour, ...]] = field(default_factory=dict)
    bmcs: dict[str, SystemState] = field(default_factory=dict)
    silent: dict[tuple[str, str], DriverError] = field(default_factory=dict)


def ask(
    site: Site, access: Access, zipapp: Zipapp, progress: Callable[[str], object], *, measure: bool = False
) -> Replies:
    """Asks every node, every switch and every node's BMC; with `measure` nodes for their rates too."""
    at, bmc_at = site.management(), site.bmcs()
    jobs = [("host", d) for d in site.expect if d in at]
    jobs += [("switch", d) for d in site.switches() if d in at]
    if access.knows_bmcs:
        jobs += [("bmc", d) for d in site.expect if d in bmc_at]

    def one(job: tuple[str, str]) -> Any:
        kind, device = job
        if kind == "host":
            return check_host(access.host(device, at[device]), site.expect[device], zipapp, measure=measure)
        if kind == "switch":
            return read_neighbours(access.host(device, at[device]))
        return redfish.read_state(access.bmc(device, bmc_at[device]))

    replies = Replies()
    into: dict[str, dict[str, Any]] = {"host": replies.hosts, "switch": replies.switches, "bmc": replies.bmcs}
    for outcome in _run(jobs, one, progress):
        kind, device = outcome.host
        if outcome.error is not None:
            replies.silent[outcome.host] = outcome.error
        else:
            into[kind][device] = outcome.value
    return replies


def probe(
    site: Site,
    access: Access,
    zipapp: Zipapp,
    wanted: Mapping[str, Mapping[str, Any]],
    read: Callable[[Mapping[str, Any]], T],
    progress: Callable[[str], object],
) -> tuple[dict[str, T], dict[str, DriverError]]:
    """What each node is to ask of the fabric -> its answers as `read` has them, and who could not be asked to."""
    at = site.management()
    outcomes = _run(
        [("paths", device) for device in wanted],
        lambda job: read(probe_host(access.host(job[1], at[job[1]]), wanted[job[1]], zipapp)),
        progress,
    )
    answers = {o.host[1]: o.value for o in outcomes if o.value is not None}
    return answers, {o.host[1]: o.error for o in outcomes if o.error is not None}


def ask_routes(
    site: Site, access: Access, wanted: Mapping[str, Mapping[str, str]], progress: Callable[[str], object]
) -> tuple[dict[str, dict[str, set[str]]], dict[str, DriverError]]:
    """Switch -> leaves and their loopbacks -> what each switch does with them, and who could not be asked."""
    at = site.management()
    outcomes = _run(
        [("routes", device) for device in wanted if device in at],
        lambda job: read_routes(access.host(job[1], at[job[1]]), wanted[job[1]]),
        progress,
    )
    answers = {o.host[1]: o.value for o in outcomes if o.value is not None}
    return answers, {o.host[1]: o.error for o in outcomes if o.error is not None}


def _run(
    jobs: list[tuple[str, str]], one: Callable[[tuple[str, str]], Any], progress: Callable[[str], object]
) -> tuple[runner.Outcome[tuple[str, str], Any], ...]:
    done = 0
    step = max(1, len(jobs) // 5)

    def tell(outcome: runner.Outcome[tuple[str, str], Any]) -> None:
        nonlocal done
        done += 1
        if outcome.error is not None:
            progress(str(outcome.error))
        if done % step == 0 or done == len(jobs):
            progress(f"{done} of {len(jobs)} asked")

    return runner.run(jobs, one, workers=WORKERS, retry=RETRY, tell=tell)
