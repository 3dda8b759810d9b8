"""Stacks and a verb -> what became of each: `pulumi preview`, `up`, `refresh` or `destroy` for many stacks.

Each stack is a process of its own, driven through the Automation API over the project as it lies there, so that
`pulumi up -s STACK` by hand does the very same.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pulumi import automation
from pulumi.automation._stack import StackInitMode  # has no public name; the SDK is pinned

from lindos.errors import DriverError
from lindos.rollout.state import Backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pulumi.automation.events import EngineEvent

Verb = Literal["preview", "up", "refresh", "destroy"]

KIND = "lindos:index:"

ENVIRONMENT = {
    "PULUMI_CONFIG_PASSPHRASE": "lindos-lab",
    "PULUMI_CREDENTIAL_STORE": "plaintext",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_CI_DETECTION": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
    "PULUMI_SUPPRESS_NEO_LINK": "true",
    "PULUMI_NEO": "false",
    "PULUMI_LOG_ROTATION_MAX_AGE_DAYS": "1",
    "PULUMI_LOG_ROTATION_MAX_TOTAL_MB": "50",
}
"""What makes a run quiet and offline, where the environment does not say otherwise; `tools/env` says the same."""

PROBLEMS_KEPT = 50
LINES_TOLD = 1000
"""Lines of progress told of one stack; what fails is told in any case."""

DEVICES_AT_ONCE = 64
HISTORY_KEPT = 20

COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")

DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "same": "unchanged",
    "refresh": "looked at",
    "import": "adopted",
}


@dataclass(frozen=True, slots=True)
class StackResult:
    """What became of one stack. `changes` counts resources by what was done to them; `problems` says what failed."""

    stack: str
    verb: Verb
    ok: bool
    seconds: float
    changes: Mapping[str, int]
    problems: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return any(count for change, count in self.changes.items() if change not in {"same", "refresh", "read"})


@dataclass(slots=True)
class _Ear:
    """Hears the engine of one stack: tells lines as they happen, keeps counts and the last problems."""

    stack: str
    verb: Verb
    tell: Callable[[str], None]
    told: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    problems: deque[str] = field(default_factory=lambda: deque(maxlen=PROBLEMS_KEPT))

    def hear(self, event: EngineEvent) -> None:
        """One event of the engine -> at most one line."""
        if event.summary_event is not None:
            self.changes = {str(op): int(n) for op, n in (event.summary_event.resource_changes or {}).items()}
        elif event.diagnostic_event is not None:
            self._diagnostic(event.diagnostic_event)
        elif event.res_outputs_event is not None and self.verb != "preview":
            self._step(event.res_outputs_event.metadata)
        elif event.resource_pre_event is not None and self.verb == "preview":
            self._step(event.resource_pre_event.metadata)
        elif event.res_op_failed_event is not None:
            self.say(f"failed: {_name(event.res_op_failed_event.metadata.urn)}", must=True)

    def say(self, line: str, *, must: bool = False) -> None:
        self.told += 1
        if must or self.told < LINES_TOLD:
            self.tell(f"{self.stack}: {line}")
        elif self.told == LINES_TOLD:
            self.tell(f"{self.stack}: ... and more")

    def _diagnostic(self, diagnostic: Any) -> None:
        text = COLOUR.sub("", diagnostic.message or "").strip()
        if not text or diagnostic.severity not in {"info", "warning", "error", "info#err"}:
            return
        name = _name(diagnostic.urn or "")
        line = text if not name or name in text else f"{name}: {text}"
        if diagnostic.severity == "error":
            self.problems.append(line)
        self.say(line, must=diagnostic.severity == "error")

    def _step(self, metadata: Any) -> None:
        op = str(getattr(metadata.op, "value", metadata.op))
        if metadata.type.startswith(KIND) and op not in {"same", "refresh"}:
            word = op if self.verb == "preview" else DONE.get(op, op)
            self.say(f"{metadata.type.removeprefix(KIND)} {_name(metadata.urn)} {word}")


def drive(
    verb: Verb,
    stacks: Sequence[str],
    root: Path,
    *,
    tell: Callable[[str], None] = lambda _line: None,
    at_once: int = 2,
    refresh: bool = False,
    environment: Mapping[str, str] | None = None,
) -> tuple[StackResult, ...]:
    """A verb, stacks and the project's folder -> what became of each stack, in the order given.

    Stacks that do not exist are created, but by `destroy` and `refresh`, which have nothing to do there. One device
    that fails does not stop the others of its stack, nor a stack another. With `refresh`, `up` and `preview` look at
    the world first.
    """
    env = _environment(root, environment or {})
    command = _command(env)
    backend = Backend.of(env["PULUMI_BACKEND_URL"], root)
    alone = threading.Lock()  # The CLI keeps the selected stack in one file a project.

    def one(stack: str) -> StackResult:
        ear = _Ear(stack, verb, tell)
        start = time.monotonic()
        try:
            if backend is not None:
                backend.free(stack, lambda line: ear.say(line, must=True))
            with alone:
                handle = _open(
                    _Workspace(root, env | checkpoints(stack), command, backend),
                    stack,
                    create=verb in {"up", "preview"},
                )
            if handle is not None:
                if verb != "preview" and backend is not None and (begun := backend.begun(stack)):
                    ear.say(f"the run before left {begun} operations begun; they are done again", must=True)
                    _forget_begun(handle)
                _operate(handle, ear, refresh)
            ok = True
        except (automation.CommandError, DriverError) as error:
            ok = False
            if not ear.problems:
                ear.problems.extend(_last_words(error))
                ear.say(ear.problems[-1], must=True)
        if backend is not None:
            backend.prune(stack, HISTORY_KEPT)
        seconds = time.monotonic() - start
        ear.say(_summary(verb, ear.changes, seconds, ok=ok), must=True)
        return StackResult(stack, verb, ok, seconds, ear.changes, tuple(ear.problems))

    if not stacks:
        return ()
    with ThreadPoolExecutor(max_workers=max(1, min(at_once, len(stacks)))) as pool:
        return tuple(pool.map(one, stacks))


class _Workspace(automation.LocalWorkspace):
    """Every command names its stack, so one that is known need not be selected first: a CLI start less."""

    def __init__(
        self, root: Path, env: Mapping[str, str], command: automation.PulumiCommand, backend: Backend | None
    ) -> None:
        super().__init__(work_dir=str(root), env_vars=env, pulumi_command=command)
        self._backend = backend

    def select_stack(self, stack_name: str) -> None:
        if self._backend is None or not self._backend.knows(stack_name):
            super().select_stack(stack_name)


class _Stack(automation.Stack):
    """Its events tell all we want to know, so the CLI is not started three times more to say it again."""

    def outputs(self) -> automation.OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:
        del show_secrets
        return automation.UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


def _open(workspace: _Workspace, stack: str, *, create: bool) -> _Stack | None:
    mode = StackInitMode.CREATE_OR_SELECT if create else StackInitMode.SELECT
    try:
        return _Stack(stack, workspace, mode)
    except automation.StackNotFoundError:
        return None


def _forget_begun(handle: automation.Stack) -> None:
    """Takes operations that a killed run had begun out of the state.

    The CLI keeps them for a person to judge. There is nothing to judge: what was being created is adopted, and what
    was being changed or deleted is still in the state as it was.
    """
    state = handle.export_stack()
    state.deployment = {k: v for k, v in (state.deployment or {}).items() if k != "pending_operations"}
    handle.import_stack(state)


def _operate(handle: automation.Stack, ear: _Ear, refresh: bool) -> None:
    common: dict[str, Any] = {
        "on_event": ear.hear,
        "color": "never",
        "parallel": DEVICES_AT_ONCE,
        "suppress_outputs": True,
        "suppress_progress": True,
    }
    if ear.verb == "up":
        handle.up(continue_on_error=True, refresh=refresh, **common)
    elif ear.verb == "preview":
        handle.preview(refresh=refresh, **common)
    elif ear.verb == "refresh":
        handle.refresh(**common)
    else:
        handle.destroy(continue_on_error=True, **common)


def _environment(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The project's folder and what the caller wants -> what the CLI is given on top of our own environment."""
    env = {key: value for key, value in ENVIRONMENT.items() if key not in os.environ}
    if "PULUMI_CONFIG_PASSPHRASE_FILE" in os.environ:
        env.pop("PULUMI_CONFIG_PASSPHRASE", None)
    here = str(Path(sys.executable).parent)
    env["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
    env["LINDOS_ROOT"] = str(root)
    env["PULUMI_BACKEND_URL"] = os.environ.get("PULUMI_BACKEND_URL", f"file://{root}/.lindos/pulumi")
    env["PULUMI_HOME"] = os.environ.get("PULUMI_HOME", f"{root}/.lindos/pulumi-home")
    env |= given
    Path(env["PULUMI_HOME"]).mkdir(parents=True, exist_ok=True)
    if env["PULUMI_BACKEND_URL"].startswith("file:///"):
        Path(env["PULUMI_BACKEND_URL"].removeprefix("file://")).mkdir(parents=True, exist_ok=True)
    return env


def _command(env: Mapping[str, str]) -> automation.PulumiCommand:
    """The CLI on PATH; a DriverError where there is none."""
    found = shutil.which("pulumi", path=env["PATH"])
    if found is None:
        raise DriverError("pulumi", "find the CLI on PATH", "there is none", retryable=False, hint="make setup")
    folder = Path(found).parent
    return automation.PulumiCommand(root=str(folder.parent) if folder.name == "bin" else None)


def checkpoints(stack: str) -> dict[str, str]:
    """A stack -> how often its state is written: with every step, or for a site's own, all computed, at the end."""
    return {} if "." in stack else {"PULUMI_SKIP_CHECKPOINTS": "true"}


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _last_words(error: automation.CommandError | DriverError) -> list[str]:
    """What was said before it was given up, where no event tells: lines with an error in them, or the last."""
    if isinstance(error, DriverError):
        return error.render().splitlines()
    lines = [line.strip() for line in COLOUR.sub("", str(error)).splitlines() if line.strip()]
    return [line for line in lines if line.startswith("error:")][-5:] or lines[-3:] or ["the CLI said nothing"]


def _summary(verb: Verb, changes: Mapping[str, int], seconds: float, *, ok: bool) -> str:
    words = DONE if verb in {"up", "destroy"} else {}
    parts = [f"{n} {words.get(op, op)}" for op, n in sorted(changes.items()) if n] or ["nothing to do"]
    return f"{verb} {'done' if ok else 'FAILED'} in {seconds:.0f} s: {', '.join(parts)}"
