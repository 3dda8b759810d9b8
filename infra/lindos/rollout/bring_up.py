"""Site file -> a site brought up: build, stacks, nodes awaited and converged, everything verified, the ledger.

Every stage looks at what is there and does what is missing, so a run that was stopped anywhere is gone on with by
starting it again.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.check import check
from lindos.drivers import runner, ssh
from lindos.drivers.access import Access
from lindos.drivers.runner import Retry
from lindos.errors import DriverError, InfeasibleError, Problem
from lindos.finding import Severity
from lindos.ledger import read_ledger, render
from lindos.rollout.build import build
from lindos.rollout.converge import converge
from lindos.rollout.stacks import drive
from lindos.verify import verify
from lindos.verify.summary import is_unmeasured, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lindos.finding import Finding
    from lindos.plan import Plan
    from lindos.rollout.build import Built
    from lindos.workspace import Workspace

FINDINGS_TOLD = 20

BOOT = Retry(attempts=24, first_wait_s=1.0, factor=1.5, longest_wait_s=5.0)
"""How long a node that was powered on gets until it answers: about two minutes."""


@dataclass(slots=True)
class _Stages:
    """Says how long each stage took, and all of them at the end."""

    say: Callable[[str], None]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        self.say(f"== {name}")
        try:
            yield
        finally:
            self.say(f"== {name}: {time.monotonic() - start:.1f} s")


def stack_order(plan: Plan) -> list[list[str]]:
    """Plan -> its stacks in sets that may run side by side.

    The site first, which touches no device; then what carries management, from the shared part outwards; then the
    fabrics and units.
    """
    oob = [s for s, kind in plan.slices.select("slice", "kind").iter_rows() if kind == "oob"]
    # Services are machines that no stack manages yet.
    rest = [s for s, kind in plan.slices.select("slice", "kind").iter_rows() if kind not in ("oob", "services")]
    shared = [s for s in oob if s == "oob-shared"]
    sets = [shared, [s for s in oob if s not in shared], rest]
    return [[plan.site], *([f"{plan.site}.{s}" for s in part] for part in sets if part)]


def tell_findings(findings: tuple[Finding, ...], say: Callable[[str], None]) -> bool:
    """Findings to people, the worst first -> whether one is critical."""
    order = [Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN, Severity.INFO]
    ranked = sorted(findings, key=lambda f: order.index(f.severity))
    for finding in ranked[:FINDINGS_TOLD]:
        say(f"{finding.severity:8} {finding.code}  {finding.subject}: {finding.message}")
    if len(ranked) > FINDINGS_TOLD:
        say(f"... and {len(ranked) - FINDINGS_TOLD} more findings")
    return any(f.severity is Severity.CRITICAL for f in findings)


def _checked(built: Built, say: Callable[[str], None]) -> None:
    if tell_findings(check(built.plan, built.spec), say):
        raise InfeasibleError(
            Problem("the design breaks a rule that no site may break; nothing was touched", hint="lindos explain CODE")
        )


def _stacks(plan: Plan, workspace: Workspace, say: Callable[[str], None]) -> bool:
    """Every stack of the site, refreshed and brought up -> whether all went well; what fails is told and gone past."""
    good = True
    for part in stack_order(plan):
        # What a device is really like is looked at first: a node that was switched off is switched on again.
        results = drive("up", part, workspace.root, tell=say, refresh=part != [plan.site])
        good = good and all(r.ok for r in results)
    return good


def _await_nodes(plan: Plan, say: Callable[[str], None]) -> None:
    """Nodes that were powered on -> nodes that answer over SSH, or are told; Ansible would count them as failed."""
    access = Access.from_environment()
    reached = plan.addresses.filter(pl.col("purpose") == "mgmt").join(
        plan.devices.filter(pl.col("kind") == "node").select("device"), on="device", how="semi", maintain_order="left"
    )
    hosts = [access.host(device, address) for device, address in reached.select("device", "address").iter_rows()]
    outcomes = runner.run(hosts, lambda host: ssh.run(host, ["true"]), retry=BOOT)
    for silent in [o for o in outcomes if o.error is not None]:
        say(f"does not answer: {silent.error}")
    say(f"{sum(o.ok for o in outcomes)} of {len(outcomes)} nodes answer")


def bring_up(path: Path, workspace: Workspace, say: Callable[[str], None], show: Callable[[str], None]) -> int:
    """Site file -> exit code: 0 where everything is as planned, 1 with findings, 3 where a device refused."""
    stages, start, failed = _Stages(say), time.monotonic(), False
    with stages.stage("build"):
        built = build(path, workspace)
        say(f"{built.files:,} files, digest {built.plan.digest[:12]}")
    with stages.stage("check"):
        _checked(built, say)
    with stages.stage("stacks"):
        failed |= not _stacks(built.plan, workspace, say)
    with stages.stage("boot"):
        _await_nodes(built.plan, say)
    with stages.stage("converge"):
        try:
            failed |= not converge(workspace, progress=say).ok
        except DriverError as err:
            failed = True
            say(err.render())
    with stages.stage("verify"):
        verified = verify(workspace, progress=say)
        broken = tell_findings(tuple(f for f in verified.findings if not is_unmeasured(f)), say)
        for line in lines(workspace.site, verified):
            say(line)
    with stages.stage("ledger"):
        show(render(read_ledger(built.plan.gpus, workspace.evidence)))
    say(f"{built.plan.site}: {time.monotonic() - start:.0f} s in all")
    return 3 if failed else int(broken)
