"""Argument lists -> finished processes, which do not outlive the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 120.0


def run(
    argv: Sequence[str],
    *,
    tried: str,
    stdin: str | None = None,
    timeout_s: float = TIMEOUT_S,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """An argument list -> its exit status and output; a failure is a DriverError that quotes what it said.

    The kernel kills the process if the thread that waits for it dies, so a kill -9 of the twin leaves nobody who
    would go on building.
    """
    try:
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *argv],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DriverError(argv[0], tried, f"not done after {timeout_s:g} s", retryable=True) from None
    except FileNotFoundError as error:
        raise DriverError(argv[0], tried, f"{error.filename} is not installed", retryable=False) from None
    if check and done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-600:] or f"exit status {done.returncode}"
        raise DriverError(argv[0], tried, said, retryable=True)
    return done


def started_at(pid: int) -> int | None:
    """A process id -> when it started, in clock ticks since boot; None if there is no such process, or it is dead.

    Together with the id this names a process for good: ids are used again, start times are not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def end(pid: int, started: int, *, patience_s: float) -> bool:
    """A process, by id and start time -> whether it is gone: asked to end, and killed when patience runs out."""
    for sign, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + wait_s
        try:
            if started_at(pid) == started:
                os.kill(pid, sign)
        except ProcessLookupError:
            return True
        while started_at(pid) == started:
            if time.monotonic() >= deadline:
                break
            time.sleep(0.02)
        else:
            return True
    return started_at(pid) != started
