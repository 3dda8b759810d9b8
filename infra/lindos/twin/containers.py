"""Podman, as far as the twin needs it: system containers that keep their disk while they are off."""

from __future__ import annotations

import ctypes
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.errors import DriverError
from lindos.twin import netns
from lindos.twin.places import IMAGE, LABEL, NETNS
from lindos.twin.process import end, run, started_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

RUNC = Path("/run/runc")
PATIENCE_S = 3.0
"""How long the end of a container's last run may take before it gets help."""

SWITCHED_OFF = frozenset({0, 130})
"""Exit status of a system that was powered off from inside: its init dies of SIGINT."""

REBOOTED = 129
"""Exit status of a system that was rebooted from inside: its init dies of SIGHUP."""

CUT_OFF = 137
"""Exit status of a system whose power was cut."""

WATCHES_EACH = 4
"""Inotify instances of a running system: systemd has three, D-Bus one. Without, systemd ends as soon as it starts."""

_FLAGS = (
    "--systemd=always",
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=4096:4096",
    # SYS_BOOT ends the container's own PID namespace only, and tells a reboot from a power-off.
    "--cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN,SYS_BOOT",
    "--no-hosts",
    "--dns=none",
    "--stop-signal=SIGRTMIN+3",
)


@dataclass(frozen=True, slots=True)
class Container:
    """A machine's container: `name` is also that of its network namespace; `mounts` are (host, inside), read-only."""

    name: str
    site: str
    hostname: str
    mounts: tuple[tuple[Path, str], ...] = field(default=())


def podman(*words: str, tried: str, check: bool = True, timeout_s: float = 120.0) -> str:
    """A podman command line -> what it printed."""
    return run(["podman", *words], tried=tried, check=check, timeout_s=timeout_s).stdout.strip()


def need_image() -> None:
    """Stops here if there is no image to make machines from."""
    if run(["podman", "image", "exists", IMAGE], tried="look for the image", check=False).returncode != 0:
        raise DriverError(
            "twin", "find the machines' image", f"no {IMAGE} here", retryable=False, hint="tools/node-image/build"
        )


def need_watches(machines: int, *, available: Callable[[int], int] | None = None) -> None:
    """Stops here if the kernel would not let that many more machines run at once."""
    wanted = machines * WATCHES_EACH
    free = (available or _watches_available)(wanted)
    if free < wanted:
        limit = Path("/proc/sys/fs/inotify/max_user_instances").read_text().strip()
        said = f"{machines} more machines need {wanted} inotify instances; {free} of root's {limit} are left"
        hint = f"sysctl -w fs.inotify.max_user_instances={max(1024, 2 * int(limit))}, or take another twin down"
        raise DriverError("twin", "make room for the machines", said, retryable=False, hint=hint)


def _watches_available(wanted: int) -> int:
    """How many inotify instances can be had, up to `wanted`: found out by taking them for a moment."""
    libc = ctypes.CDLL(None)
    taken: list[int] = []
    while len(taken) < wanted and (handle := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
        taken.append(handle)
    for handle in taken:
        os.close(handle)
    return len(taken)


def create(container: Container) -> None:
    """A Container -> an installed disk; nothing runs yet. A disk whose creation was cut off gives way."""
    volumes = [f"--volume={host}:{inside}:ro" for host, inside in container.mounts]
    words = (
        "--runtime=runc",
        "create",
        f"--name={container.name}",
        f"--label={LABEL}={container.site}",
        f"--hostname={container.hostname}",
        f"--network=ns:{NETNS / container.name}",
        *_FLAGS,
        *volumes,
        IMAGE,
        "/bin/sh",
        "/etc/lindos-twin/boot",
    )
    tried = f"create {container.name}"
    try:
        podman(*words, tried=tried)
    except DriverError as error:
        if "already in use" not in error.said:
            raise
        remove((container.name,))
        podman(*words, tried=tried)


def exists(name: str) -> bool:
    return run(["podman", "container", "exists", name], tried=f"look for {name}", check=False).returncode == 0


def start(name: str) -> None:
    """Boots the container; what an earlier start left when it was cut off half-way is swept up first."""
    if not sweep({name}, patience_s=PATIENCE_S):
        raise DriverError(name, "start", "an earlier start of it cannot be swept up", retryable=True)
    podman("--runtime=runc", "start", name, tried=f"start {name}")


def stop(name: str, *, grace_s: int) -> None:
    """Asks the system to shut down, and cuts it off when `grace_s` is over; 0 cuts at once."""
    words = ("kill", "--signal=KILL") if grace_s == 0 else ("stop", f"--time={grace_s}")
    podman(*words, name, tried=f"stop {name}", check=False, timeout_s=grace_s + 60)


def exit_status(name: str) -> int | None:
    """How a container that no longer runs has ended; None if there is none.

    Podman hears of the end from the container's watchman, a moment after it happened.
    """
    deadline = time.monotonic() + PATIENCE_S
    words = ("container", "inspect", "--format={{.State.Running}} {{.State.ExitCode}}", name)
    while True:
        running, _, status = podman(*words, tried=f"ask for {name}", check=False).partition(" ")
        if running != "true":
            return int(status) if running == "false" else None
        if time.monotonic() > deadline:
            raise DriverError(name, "ask how it ended", "podman says that it runs, and it does not", retryable=True)
        time.sleep(0.05)


def runs(name: str, record: Path) -> bool:
    """Whether the container's first process lives, without asking podman.

    `record` is a file that `note_start` wrote. It is believed only while that very process lives in the container's own
    network namespace.
    """
    try:
        pid, since = (int(word) for word in record.read_text().split())
    except (FileNotFoundError, ValueError):
        return False
    return started_at(pid) == since and netns.identity_of(pid) == netns.identity(name) is not None


def note_start(name: str, record: Path) -> None:
    """A container whose start has come to its end -> the record of its first process, for `runs`.

    Without that end there is no record: if podman is killed, runc's own first process waits in the same place for a
    start that never comes.
    """
    words = ("container", "inspect", "--format={{.State.Pid}}", name)
    pid = int(podman(*words, tried=f"ask for {name}"))
    fresh = record.with_name(record.name + ".new")
    fresh.write_text(f"{pid} {started_at(pid) or 0}")
    fresh.replace(record)


def of_site(prefix: str) -> tuple[str, ...]:
    """Names of all containers whose name starts so: running or not, and disks whose creation was cut off."""
    found: set[str] = set()
    for kind in ("--all", "--external"):
        listed = podman("ps", "--all", kind, "--format=json", tried="list containers")
        found |= {name for row in json.loads(listed or "[]") for name in row["Names"] or ()}
    return tuple(sorted(name for name in found if name.startswith(prefix)))


def remove(names: tuple[str, ...]) -> None:
    """Containers and their disks -> gone."""
    for first in range(0, len(names), 16):
        part = names[first : first + 16]
        podman("rm", "--force", "--time=0", "--volumes", *part, tried="remove containers", check=False)


def runtime_states(prefix: str) -> dict[str, str]:
    """Containers that runc knows of, by id, with the name of their network namespace, if that starts so.

    Podman forgets one that it was starting when it was killed; runc does not.
    """
    found: dict[str, str] = {}
    for path in RUNC.glob("*/state.json"):
        try:
            namespaces = json.loads(path.read_text())["config"]["namespaces"]
        except (OSError, ValueError, KeyError):
            continue
        for name in (Path(n["path"]).name for n in namespaces if n["type"] == "NEWNET" and n.get("path")):
            if name.startswith(prefix):
                found[path.parent.name] = name
    return found


def monitors(prefix: str) -> dict[int, str]:
    """Podman's watchmen, by process id, with the name of the container each watches, if that starts so."""
    found: dict[int, str] = {}
    for path in Path("/proc").iterdir():
        try:
            words = (path / "cmdline").read_text().split("\0") if path.name.isdigit() else []
        except (OSError, UnicodeDecodeError):
            continue
        if words and Path(words[0]).name == "conmon" and "-n" in words:
            name = words[words.index("-n") + 1]
            if name.startswith(prefix):
                found[int(path.name)] = name
    return found


def sweep(names: Collection[str], *, patience_s: float) -> bool:
    """Names of containers that do not run -> whether nothing is left of their last run.

    A run that has ended is cleaned up by its own watchman, in a moment; only one that has none needs help.
    """
    deadline = time.monotonic() + patience_s
    while states := [key for key, name in runtime_states("").items() if name in names]:
        if time.monotonic() > deadline:
            for key in states:
                run(["runc", "delete", "--force", key], tried="sweep up", check=False)
            break
        time.sleep(0.05)
    for pid, name in monitors("").items():
        started = started_at(pid)
        while name in names and started is not None and started_at(pid) == started:
            if time.monotonic() > deadline:
                end(pid, started, patience_s=1.0)
            time.sleep(0.05)
    return not any(name in names for name in (*runtime_states("").values(), *monitors("").values()))
