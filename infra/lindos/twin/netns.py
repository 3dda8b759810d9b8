"""Network namespaces with names, and what happens inside one. The host's own namespace is never written to."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lindos.errors import DriverError
from lindos.twin.places import NETNS
from lindos.twin.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_T = TypeVar("_T")


def named(prefix: str) -> set[str]:
    """Namespaces whose name starts so, half-made ones included."""
    try:
        return {path.name for path in NETNS.iterdir() if path.name.startswith(prefix)}
    except FileNotFoundError:
        return set()


def is_whole(name: str) -> bool:
    """Whether the name stands for a namespace, and is not the empty file that a kill in mid-creation leaves."""
    try:
        return (NETNS / name).stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False


def make(names: Iterable[str]) -> None:
    """Names -> namespaces with the loopback up; those that exist stay as they are."""
    missing = [name for name in names if not is_whole(name)]
    if not missing:
        return
    for name in missing:
        (NETNS / name).unlink(missing_ok=True)
    lines = "".join(f"netns add {name}\n" for name in missing)
    run(["ip", "-batch", "-"], stdin=lines, tried="make network namespaces")
    for name in missing:
        batch(name, ["link set lo up"], tried="bring up the loopback")


def remove(names: Iterable[str]) -> None:
    """Names -> nothing: namespaces go, and the cables with an end in them."""
    for name in names:
        if is_whole(name):
            run(["ip", "netns", "delete", name], tried=f"remove namespace {name}", check=False)
        (NETNS / name).unlink(missing_ok=True)


def batch(name: str, lines: Iterable[str], *, tried: str, force: bool = False) -> None:
    """Commands of `ip`, run inside a namespace in one process; `force` goes on after one that fails."""
    text = "".join(line + "\n" for line in lines)
    if text:
        argv = ["ip", "-n", name, *(["-force"] if force else []), "-batch", "-"]
        run(argv, stdin=text, tried=f"{tried} in {name}", check=not force)


def show(name: str, *question: str) -> list[dict[str, Any]]:
    """A question to `ip` (`link`, `address show dev x`) -> its answer as rows; none if the namespace is gone."""
    done = run(["ip", "-n", name, "-json", *question], tried=f"look into {name}", check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]") if done.returncode == 0 else []
    return [row for row in found if row]


def identity(name: str) -> int | None:
    """What the kernel calls the namespace: the inode that /proc/PID/ns/net of its processes shows."""
    return (NETNS / name).stat().st_ino if is_whole(name) else None


def identity_of(pid: int) -> int | None:
    """The same of a process; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None


def processes(names: Iterable[str]) -> dict[int, str]:
    """Namespaces -> processes that live in them, by id, with the name of the namespace."""
    wanted = {found: name for name in names if (found := identity(name)) is not None}
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()] if wanted else []
    return {pid: wanted[found] for pid in pids if (found := identity_of(pid)) in wanted}


def inside(name: str, do: Callable[[], _T]) -> _T:
    """A function -> what it returns, called by a thread that has entered the namespace.

    Sockets made there stay there, whoever uses them afterwards.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def enter_and_do() -> None:
        try:
            handle = os.open(NETNS / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(handle, CLONE_NEWNET) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), name)
            finally:
                os.close(handle)
            results.append(do())
        except BaseException as error:  # noqa: BLE001  carried over to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=enter_and_do, name=f"inside {name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def set_kernel(name: str, values: Mapping[str, str]) -> None:
    """Keys of the namespace's own network settings (`net/ipv4/ip_forward`) -> written there."""

    def write() -> None:
        for key, value in values.items():
            try:
                Path("/proc/sys", key).write_text(value)
            except OSError as error:
                raise DriverError(name, f"set {key}", str(error.strerror), retryable=False) from None

    if bad := [key for key in values if not key.startswith("net/")]:
        raise ValueError(f"not settings of a network namespace: {bad}")
    inside(name, write)
