"""Nodes -> nodes as planned: the roles, in waves of units, with a budget for failures, resumed where they stopped.

A host that would be given what it was last given is not touched (see memory.py); hosts of a wave that was cut short
count as given nothing. `.lindos/<site>/logs/converge-<time>.jsonl` holds a line for each wave that began and ended and
for each task that changed or failed, with the seconds since the run began.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import yaml

from lindos.drivers import ansible
from lindos.errors import DriverError, Problem, SpecError
from lindos.rollout.memory import Marks, Memory, SshMarks
from lindos.rollout.waves import Host, Wave, hosts_of, suite_of, waves_of
from lindos.verify import zipapp
from lindos.workspace import alone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path
    from typing import Any, TextIO

    from lindos.workspace import Workspace

LARGEST_WAVE = 200
BUDGET = 0.1

Run = Callable[[ansible.Play, Callable[[ansible.Event], None]], ansible.PlayResult]


@dataclass(frozen=True, slots=True)
class ConvergeResult:
    """What became of the hosts: `untouched` were as planned before, `left` never begun, and `stopped` says why."""

    converged: tuple[str, ...]
    untouched: tuple[str, ...]
    failed: tuple[ansible.HostOutcome, ...]
    left: tuple[str, ...]
    changed: int
    waves: int
    seconds: float
    log: Path
    stopped: str = ""

    @property
    def ok(self) -> bool:
        return not self.failed and not self.left


@dataclass(frozen=True, slots=True)
class Rollout:
    """How to go about it. `check` only says what would change; `tags` picks roles, `variables` overrides theirs.

    `again` goes to hosts that were given the same before as well. `budget` is the share of a wave that may fail.
    """

    check: bool = False
    again: bool = False
    tags: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    largest_wave: int = LARGEST_WAVE
    budget: float = BUDGET
    run: Run = ansible.play
    marks: Marks = field(default_factory=SshMarks)

    @property
    def partial(self) -> bool:
        """Whether it leaves a host that was not given all that is planned."""
        return self.check or bool(self.tags) or bool(self.variables)


@dataclass(frozen=True, slots=True)
class _Before:
    """What is remembered, and by it who was as planned when the run began."""

    memory: Memory
    stood: frozenset[str]


@dataclass(slots=True)
class _Tally:
    converged: list[str] = field(default_factory=list)
    failed: list[ansible.HostOutcome] = field(default_factory=list)
    changed: int = 0
    begun: int = 0
    stopped: str = ""


def converge(
    workspace: Workspace,
    *,
    limit: str | Collection[str] | None = None,
    units: Collection[str] | None = None,
    check: bool = False,
    rollout: Rollout = Rollout(),
    progress: Callable[[str], None],
) -> ConvergeResult:
    """A site's workspace -> its hosts as the roles have them; `progress` hears a line for people.

    `limit` names hosts or groups, `*` standing for anything, and `units` units; without either it is every host
    with a role. A wave of which more than the budget fails is the last.
    """
    begin = time.monotonic()
    rollout = replace(rollout, check=check or rollout.check)
    _refuse_unknown(workspace, rollout.tags)
    ship_suite(workspace)
    limit = limit.split(",") if isinstance(limit, str) else limit
    chosen = _chosen(hosts_of(workspace), limit or (), units or ())
    # What is remembered of the hosts of a site is one file.
    with alone(workspace.state / "converge.lock", refuse=lambda who: _taken(workspace, who)):
        return _converge(workspace, chosen, rollout, progress, begin)


def _taken(workspace: Workspace, who: str) -> DriverError:
    hint = "wait for its end, or name all units that you want in one run: --unit can be repeated"
    return DriverError(workspace.site, "converge", f"{who} is at it", retryable=True, hint=hint)


def _converge(
    workspace: Workspace, chosen: tuple[Host, ...], rollout: Rollout, progress: Callable[[str], None], begin: float
) -> ConvergeResult:
    memory = Memory(workspace.state / "converged.json", rollout.marks)
    # Whoever was given a part of the same again is still as planned; not so with variables of one's own.
    asked = not (rollout.check or rollout.again or rollout.variables)
    stood = memory.as_planned(chosen) if asked else frozenset[str]()
    done = frozenset[str]() if rollout.partial else stood
    pending = [host for host in chosen if host.name not in done]
    waves = waves_of(pending, rollout.largest_wave)
    log, tally = _log_file(workspace), _Tally()
    if pending and (why := ansible.strategy().why):
        progress(f"converge: without Mitogen, and slower: {why}")
    with log.open("w") as lines:
        reporter = _Reporter(progress, lines, begin)
        try:
            _roll(workspace, waves, rollout, _Before(memory, stood), reporter, tally)
        finally:
            left = len(pending) - len(tally.converged) - len(tally.failed)
            reporter.say(_summary(tally, len(done), left, check=rollout.check))
            reporter.say(f"each change and failure is in {log}")
    return ConvergeResult(
        converged=tuple(tally.converged),
        untouched=tuple(host.name for host in chosen if host.name in done),
        failed=tuple(tally.failed),
        left=tuple(host.name for wave in waves for host in wave.hosts)[tally.begun :],
        changed=tally.changed,
        waves=len(waves),
        seconds=time.monotonic() - begin,
        log=log,
        stopped=tally.stopped,
    )


def _refuse_unknown(workspace: Workspace, tags: Iterable[str]) -> None:
    """Tags of which one is no role's: an error, for Ansible would do nothing and call that success."""
    roles = {path.parent.parent.name for path in (workspace.root / "roles").glob("*/meta/argument_specs.yml")}
    if unknown := sorted(set(tags) - roles - {"install"}):
        raise SpecError(
            Problem(f"there is no role {', '.join(unknown)}", hint=f"roles: {', '.join(sorted(roles)) or 'none here'}")
        )


def read_settings(given: Iterable[str]) -> dict[str, Any]:
    """NAME=VALUE as typed -> variables of roles by name; a value is YAML, as it would be in group_vars."""
    told: dict[str, Any] = {}
    for setting in given:
        name, sign, value = setting.partition("=")
        if not sign or not name.isidentifier():
            raise SpecError(
                Problem(f"--set {setting}: this is no NAME=VALUE", hint="for example --set reboot_wanted=true")
            )
        try:
            told[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SpecError(Problem(f"--set {name}: {value!r} is no YAML", hint=" ".join(str(error).split()))) from None
    return told


def _summary(tally: _Tally, done: int, left: int, *, check: bool) -> str:
    """A run that has ended, however it did -> a line for people."""
    would = "would be " if check else ""
    told = f"{len(tally.converged):,} {would}converged with {tally.changed:,} changes, {len(tally.failed):,} failed"
    return told + (f", {left:,} left" if left else "") + (f", {done:,} were done before" if done else "")


def _roll(
    workspace: Workspace,
    waves: tuple[Wave, ...],
    rollout: Rollout,
    before: _Before,
    reporter: _Reporter,
    tally: _Tally,
) -> None:
    """Waves -> what comes of them in the tally, one after the other until the budget is spent."""
    for number, wave in enumerate(waves, 1):
        reporter.begin(wave, f"wave {number} of {len(waves)}, {wave.name}: {len(wave.hosts)} hosts")
        if not rollout.check:
            # Whoever is cut short from here on has been given some of the new and may keep some of the old.
            before.memory.forget(wave.hosts)
        try:
            result = rollout.run(_request(workspace, wave, rollout), reporter)
        except DriverError as error:
            reporter.broken(wave, str(error))
            raise
        good = {outcome.host for outcome in result.hosts if outcome.ok}
        bad = [outcome for outcome in result.hosts if not outcome.ok]
        tally.begun += len(wave.hosts)
        tally.changed += sum(outcome.changed for outcome in result.hosts)
        tally.converged += [host.name for host in wave.hosts if host.name in good]
        tally.failed += bad
        if not rollout.check:
            whole = good & before.stood if rollout.partial else good
            before.memory.remember([host for host in wave.hosts if host.name in whole])
        reporter.end(wave, result, check=rollout.check)
        if len(bad) > rollout.budget * len(wave.hosts) and number < len(waves):
            tally.stopped = (
                f"{len(bad)} of {len(wave.hosts)} hosts of wave {wave.name} failed, more than {rollout.budget:.0%}"
            )
            reporter.say(f"stopped: {tally.stopped}")
            break


def _log_file(workspace: Workspace) -> Path:
    stamp = f"{time.strftime('%Y%m%dT%H%M%S')}-{time.monotonic_ns() // 1000 % 10**6:06}"
    log = workspace.state / "logs" / f"converge-{stamp}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    return log


def _chosen(hosts: tuple[Host, ...], limit: Collection[str], units: Collection[str]) -> tuple[Host, ...]:
    """Every host with a role -> those asked for; a pattern that fits no host, group or unit is an error."""
    by_limit = {pattern: {h for h in hosts if _fits(pattern, {h.name, *h.groups})} for pattern in limit}
    by_unit = {pattern: {h for h in hosts if _fits(pattern, {h.unit})} for pattern in units}
    if unknown := sorted(pattern for pattern, found in (by_limit | by_unit).items() if not found):
        raise SpecError(
            Problem(
                f"no host, group or unit of that name has a role: {', '.join(unknown)}",
                hint="names are those of the emitted inventory (inventory/hosts.json)",
            )
        )
    for wanted in (by_limit, by_unit):
        if wanted:
            asked = set[Host]().union(*wanted.values())
            hosts = tuple(host for host in hosts if host in asked)
    return hosts


def _fits(pattern: str, names: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def ship_suite(workspace: Workspace) -> None:
    """The check suite, where role node_validation takes it from; left alone while it is the same."""
    if not (workspace.root / "roles" / "node_validation").is_dir():
        return
    path, data = suite_of(workspace), zipapp.build(workspace.state / "verify").data
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(data)
        fresh.replace(path)


def _request(workspace: Workspace, wave: Wave, rollout: Rollout) -> ansible.Play:
    return ansible.Play(
        playbook=workspace.root / "roles" / "site.yml",
        inventories=(workspace.build / "inventory", workspace.inventory),
        limit=tuple(host.name for host in wave.hosts),
        folder=workspace.root,
        work=workspace.state / "runs",
        check=rollout.check,
        tags=rollout.tags,
        variables=rollout.variables,
    )


class _Reporter:
    """Hears each task. People are told of each role that begins and, once, why a host failed; the log has the rest."""

    def __init__(self, progress: Callable[[str], None], lines: TextIO, began: float) -> None:
        self._progress = progress
        self._lines = lines
        self._began = began
        self._wave = ""
        self._role = ""
        self._failed: set[str] = set()
        self._changed: Counter[str] = Counter()

    def say(self, line: str) -> None:
        self._progress(f"converge: {line}")

    def begin(self, wave: Wave, line: str) -> None:
        """A wave begins."""
        self._wave, self._role = wave.name, ""
        self._failed.clear()
        self._changed.clear()
        self.say(line)
        self._log({"wave": wave.name, "status": "begun", "hosts": [host.name for host in wave.hosts]})

    def __call__(self, event: ansible.Event) -> None:
        if event.role and event.role != self._role and event.status != "skipped":
            self._role = event.role
            self.say(f"wave {self._wave}: {event.role}")
        if event.bad:
            self._fail(event)
        if event.status == "changed":
            self._changed[_where(event)] += 1
        if event.bad or event.status == "changed":
            self._log({"wave": self._wave, **asdict(event)})

    def end(self, wave: Wave, result: ansible.PlayResult, *, check: bool) -> None:
        """A wave has ended: what came of it, and of each host that failed without a word."""
        for outcome in result.hosts:
            if outcome.trouble and outcome.host not in self._failed:
                self._fail(outcome.trouble)
                self._log({"wave": wave.name, **asdict(outcome.trouble)})
        if check:
            for where, hosts in self._changed.items():
                self.say(f"would change: {where}, on {hosts} of {len(wave.hosts)} hosts")
        bad = sum(not outcome.ok for outcome in result.hosts)
        told = {"done": len(result.hosts) - bad, "failed": bad, "changed": sum(o.changed for o in result.hosts)}
        self._log({"wave": wave.name, "status": "ended", **told})
        counts = f"{told['done']} done, {bad} failed, {told['changed']} changes in {result.seconds:.0f} s"
        self.say(f"wave {wave.name}: {counts}")

    def broken(self, wave: Wave, reason: str) -> None:
        """A wave that did not happen as a whole."""
        self._log({"wave": wave.name, "status": "broken", "reason": reason})

    def _fail(self, event: ansible.Event) -> None:
        """One line a host: the first task that failed is why, what fails after it follows from it."""
        if event.host not in self._failed:
            self._failed.add(event.host)
            self.say(": ".join(part for part in (event.host, _where(event), event.reason) if part))

    def _log(self, record: Mapping[str, Any]) -> None:
        self._lines.write(json.dumps({"at_s": round(time.monotonic() - self._began, 3), **record}) + "\n")
        self._lines.flush()


def _where(event: ansible.Event) -> str:
    return f"{event.role}: {event.task}" if event.role else event.task
