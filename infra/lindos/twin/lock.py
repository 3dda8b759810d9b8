"""One hand at a time: a lock on a site's twin that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lindos.errors import DriverError
from lindos.twin.places import RUN
from lindos.twin.process import started_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def seize(path: Path, *, wait_s: float = 0.0) -> int | None:
    """A lock file -> its handle, locked; None if somebody else holds it for longer than `wait_s`.

    The lock ends when the last copy of the handle is closed, so also with a kill -9.
    """
    deadline = time.monotonic() + wait_s
    while True:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the file: a lock on a file without a name is worth nothing.
            if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
                return handle
        except BlockingIOError:
            pass
        os.close(handle)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.05)


def sign(handle: int) -> None:
    """Writes into a lock file who holds it: process id and start time."""
    text = json.dumps({"pid": os.getpid(), "started": started_at(os.getpid())})
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)


def holder(path: Path) -> tuple[int, int] | None:
    """A lock file -> (process id, start time) of the one who signed it, if that process still lives."""
    try:
        signed = json.loads(path.read_text())
        pid, started = int(signed["pid"]), int(signed["started"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return (pid, started) if started_at(pid) == started else None


@contextmanager
def only_one(path: Path, site: str, *, wait_s: float = 1.0) -> Iterator[int]:
    """Holds the lock of a site's twin for as long as the context lasts.

    It waits a moment for it: a child of a command that was killed has the handle too, until it comes to its exec.
    """
    handle = seize(path, wait_s=wait_s)
    if handle is None:
        who = holder(path)
        said = f"another command is at work on it{f' (process {who[0]})' if who else ''}"
        raise DriverError(f"twin of {site}", "get hold of it", said, retryable=True)
    try:
        sign(handle)
        yield handle
    finally:
        os.close(handle)


def tidy(*paths: Path) -> None:
    """Files under /run/lindos that nobody needs any more -> gone, and the folder with the last of them."""
    for path in paths:
        path.unlink(missing_ok=True)
    with suppress(OSError):
        RUN.rmdir()
