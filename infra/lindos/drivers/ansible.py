"""A playbook and hosts in, what became of each host out: one run of ansible-playbook, under ansible-runner.

Hosts are reached in the network namespace of the caller, as whom and with which key the inventory says, or else
LINDOS_SSH_USER and LINDOS_SSH_KEY. LINDOS_SSH_KNOWN_HOSTS names a file of host keys; any other key is refused.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import ansible_runner
import yaml

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MITOGEN_KNOWS = ((2, 10), (2, 20))
"""Releases of ansible-core that the pinned Mitogen has code for, first and last."""

ENDED = {0, 2, 4, 6}
"""Exit statuses of an ansible-playbook that came to its recap: all well, hosts that failed, did not answer, or both."""

_STATUS = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}

_LOGIN = {"ANSIBLE_REMOTE_USER": "LINDOS_SSH_USER", "ANSIBLE_PRIVATE_KEY_FILE": "LINDOS_SSH_KEY"}
"""How Ansible is told by whom and with which key hosts are reached, and by which name people tell it here."""


@dataclass(frozen=True, slots=True)
class Play:
    """What to run. `folder` holds ansible.cfg; `work` is a folder for the runner; `limit` names hosts.

    `patience_s`: how long it may say nothing. A site that reboots in turns takes hours, and is heard of in between.
    """

    playbook: Path
    inventories: tuple[Path, ...]
    limit: tuple[str, ...]
    folder: Path
    work: Path
    check: bool = False
    tags: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    forks: int = 50
    patience_s: int = 3600


@dataclass(frozen=True, slots=True)
class Event:
    """One task on one host has ended: `ok`, `changed`, `failed`, `unreachable` or `skipped`."""

    host: str
    role: str
    task: str
    status: str
    reason: str = ""
    seconds: float = 0.0

    @property
    def bad(self) -> bool:
        return self.status in {"failed", "unreachable"}


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What became of a host; `trouble` is the task that ended its run, if one did."""

    host: str
    tasks: int
    changed: int
    trouble: Event | None

    @property
    def ok(self) -> bool:
        return self.trouble is None


@dataclass(frozen=True, slots=True)
class PlayResult:
    """An outcome for each host of the limit, in its order; by which strategy, and how long it took."""

    hosts: tuple[HostOutcome, ...]
    strategy: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Strategy:
    """How tasks reach hosts; `why` says why it is not Mitogen, where it is not."""

    name: str
    plugins: Path | None = None
    why: str = ""


def strategy() -> Strategy:
    """-> Mitogen where it is installed and knows this ansible-core, else Ansible's own with the reason."""
    found = importlib.util.find_spec("ansible_mitogen")
    if found is None or not found.submodule_search_locations:
        return Strategy("linear", why="Mitogen is not installed")
    release = importlib.metadata.version("ansible-core")
    core = tuple(int(part) for part in release.split(".")[:2])
    if not MITOGEN_KNOWS[0] <= core <= MITOGEN_KNOWS[1]:
        return Strategy("linear", why=f"Mitogen is not known to work with ansible-core {release}")
    plugins = Path(found.submodule_search_locations[0]) / "plugins" / "strategy"
    if not (plugins / "mitogen_linear.py").is_file():
        return Strategy("linear", why=f"{plugins} holds no mitogen_linear")
    return Strategy("mitogen_linear", plugins)


def play(request: Play, tell: Callable[[Event], None], how: Strategy | None = None) -> PlayResult:
    """A Play -> PlayResult; `tell` hears of each task on each host as it ends.

    A host that fails is an outcome. DriverError where the run as a whole did not happen: a playbook that does
    not parse, a timeout.
    """
    how = how or strategy()
    begin = time.monotonic()
    listener = _Listener(_last_play(request.playbook), tell)
    request.work.mkdir(parents=True, exist_ok=True)
    limit = request.work / "limit"
    limit.write_text("".join(f"{host}\n" for host in request.limit))
    with _handed_over() as secrets:
        done = _run(request, limit, listener, _environment(request.folder, how) | secrets)
    outcomes = tuple(listener.outcome(host) for host in request.limit)
    if (
        done.status in {"timeout", "canceled"}
        or done.rc not in ENDED
        or (done.rc != 0 and not listener.troubled)
        or not listener.stats
    ):
        raise DriverError(
            "ansible",
            f"run {request.playbook.name} on {len(request.limit)} hosts",
            _last_words(done, listener),
            retryable=done.status == "timeout",
            hint=f"all it said is in {Path(done.config.artifact_dir) / 'stdout'}",
        )
    return PlayResult(outcomes, how.name, time.monotonic() - begin)


def _run(request: Play, limit: Path, listener: _Listener, environment: dict[str, str]) -> Any:
    """What a Play asks for, whom, who hears of it, and the environment -> ansible-runner's record of it."""
    return ansible_runner.run(
        private_data_dir=str(request.work),
        project_dir=str(request.folder),
        playbook=str(request.playbook),
        inventory=[str(path) for path in request.inventories],
        limit=f"@{limit}",
        extravars=dict(request.variables),
        cmdline="--check --diff" if request.check else None,
        tags=",".join(request.tags) or None,
        forks=request.forks,
        envvars=environment,
        settings={"job_timeout": 0, "idle_timeout": request.patience_s, "suppress_ansible_output": True},
        event_handler=listener,
        quiet=True,
        suppress_env_files=True,
        rotate_artifacts=20,
    )


MEMORY = Path("/dev/shm")  # noqa: S108  a file system that never reaches a disk
SECRETS = ("LINDOS_BMC_PASSWORD", "PULUMI_CONFIG_PASSPHRASE")


@contextmanager
def _handed_over() -> Iterator[dict[str, str]]:
    """-> environment that names a file with the BMCs' password, which is there, in memory, for as long as a play is."""
    password = os.environ.get("LINDOS_BMC_PASSWORD", "")
    with NamedTemporaryFile("w", prefix="lindos-", dir=MEMORY if MEMORY.is_dir() else None) as file:
        file.write(password)
        file.flush()
        yield {"LINDOS_BMC_PASSWORD_FILE": file.name} if password else {}


def _last_play(playbook: Path) -> str:
    """A playbook -> the name of its last play, as events have it; empty where it does not parse (Ansible tells)."""
    try:
        plays = yaml.safe_load(playbook.read_text())
        return str(plays[-1].get("name") or plays[-1]["hosts"])
    except (yaml.YAMLError, TypeError, LookupError, AttributeError):
        return ""


class _Listener:
    """Takes ansible-runner's events and keeps what is needed of each host; `last` is the name of the last play."""

    def __init__(self, last: str, tell: Callable[[Event], None]) -> None:
        self._last = last
        self._tell = tell
        self._tasks: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._trouble: dict[str, Event] = {}
        self._plays: set[str] = set()
        self.stats = False
        self.errors: list[str] = []

    def __call__(self, record: dict[str, Any]) -> bool:
        """An event -> whether ansible-runner should keep it as a file, which it never should."""
        kind = record.get("event", "")
        if kind in _STATUS:
            self._hear(_event(kind, record["event_data"]))
        elif kind == "playbook_on_play_start":
            self._plays.add(record["event_data"].get("name") or "")
        elif kind == "playbook_on_stats":
            self.stats = True
        elif kind in {"verbose", "error", "warning"} and "ERROR" in (said := record.get("stdout", "")):
            self.errors.append(said)
        return False

    def _hear(self, event: Event) -> None:
        self._tasks[event.host] += event.status != "skipped"
        self._changed[event.host] += event.status == "changed"
        if event.bad:
            self._trouble.setdefault(event.host, event)
        self._tell(event)

    @property
    def troubled(self) -> bool:
        """Whether a host is to blame."""
        return bool(self._trouble)

    def outcome(self, host: str) -> HostOutcome:
        """Host -> its outcome; one that no task ran on is in trouble, and so is each if the last play never began:
        Ansible ends a run as soon as all hosts of one play have failed, or more than that play bears.
        """
        trouble = self._trouble.get(host)
        if trouble is None and self._last not in self._plays:
            trouble = Event(host, "", "", "failed", f"the run ended before play '{self._last}'; see the other hosts")
        if trouble is None and not self._tasks[host]:
            trouble = Event(host, "", "", "unreachable", "no play of this playbook names it, or the run ended before")
        return HostOutcome(host, self._tasks[host], self._changed[host], trouble)


def _event(kind: str, data: dict[str, Any]) -> Event:
    result = data.get("res") or {}
    status = _STATUS[kind]
    if status == "failed" and data.get("ignore_errors"):
        status = "ok"
    if status == "ok" and result.get("changed"):
        status = "changed"
    reason = _reason(result) if status in {"failed", "unreachable"} else ""
    return Event(
        data["host"],
        data.get("role") or "",
        data.get("task") or "",
        status,
        reason,
        data.get("duration") or 0.0,
    )


_MITOGENS = "If you feel this is in error, please file a bug."
"""What Mitogen says of every connection that is lost."""


def _reason(result: dict[str, Any]) -> str:
    """Result of a failed task -> what it said, on one line; of a loop, what its first failed item said."""
    for item in result.get("results", ()):
        if item.get("failed") or item.get("unreachable"):
            label = item.get("_ansible_item_label", item.get("item"))
            return f"{label}: {_reason(item)}" if isinstance(label, str | int) else _reason(item)
    said = str(result.get("msg") or "").strip()
    if result.get("argument_errors"):
        said = "; ".join(map(str, result["argument_errors"]))
    if said in {"", "non-zero return code", "MODULE FAILURE"}:
        said = str(result.get("stderr") or result.get("stdout") or result.get("module_stderr") or said).strip()
    return " ".join(said.replace(_MITOGENS, "").split())[:500] or "it did not say why"


def _environment(folder: Path, how: Strategy) -> dict[str, str]:
    environment = {
        # The ansible-playbook of this installation comes first.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_STRATEGY": how.name,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        # ansible-runner writes the environment to disk, and no role needs these.
        **dict.fromkeys((name for name in SECRETS if name in os.environ), ""),
    }
    if how.plugins is not None:
        environment["ANSIBLE_STRATEGY_PLUGINS"] = str(how.plugins)
    # Not by variables of hosts, which would be templated anew for each task on each host.
    environment |= {theirs: value for theirs, ours in _LOGIN.items() if (value := os.environ.get(ours))}
    if known_hosts := os.environ.get("LINDOS_SSH_KNOWN_HOSTS"):
        environment["ANSIBLE_HOST_KEY_CHECKING"] = "True"
        environment["ANSIBLE_SSH_COMMON_ARGS"] = f"-o UserKnownHostsFile={known_hosts}"
    return environment


def _last_words(done: Any, listener: _Listener) -> str:
    if done.status == "timeout":
        return "nothing was heard of it for too long, and it was stopped"
    if listener.errors:
        return " ".join(listener.errors[0].split())[:500]
    said = [line for line in done.stdout.read().splitlines() if line.strip()]
    return f"{done.status}: {said[-1] if said else 'it said nothing'}"
