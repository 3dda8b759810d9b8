"""A file backend's housekeeping: locks that a killed run left behind, history that nobody prunes."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = "lindos"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Backend:
    """State in files below `folder`."""

    folder: Path

    @staticmethod
    def of(url: str, root: Path) -> Backend | None:
        """A backend's URL -> Backend, None where state is not in files of this machine."""
        if not url.startswith("file://"):
            return None
        path = Path(url.removeprefix("file://").partition("?")[0]).expanduser()
        return Backend((root / path) / ".pulumi")

    def knows(self, stack: str) -> bool:
        """Does the stack exist?"""
        folder = self.folder / "stacks" / PROJECT
        return any((folder / f"{stack}.json{packed}").is_file() for packed in ("", ".gz", ".zst"))

    def begun(self, stack: str) -> int:
        """How many operations the state holds as begun and never ended; packed state is not looked into."""
        try:
            checkpoint = json.loads((self.folder / "stacks" / PROJECT / f"{stack}.json").read_text())["checkpoint"]
        except (OSError, ValueError, KeyError):
            return 0
        return len((checkpoint.get("latest") or {}).get("pending_operations") or [])

    def free(self, stack: str, tell: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
        """Takes away locks of processes of this machine that are gone; waits a while for one that is not.

        A run that was killed cannot take its lock away, and would bar the stack for good. Locks of other machines are
        left: the CLI names them.
        """
        deadline = time.monotonic() + patience_s
        told = False
        for lock in sorted((self.folder / "locks" / "organization" / PROJECT / stack).glob("*.json")):
            while (holder := _holder(lock)) is not None and _lives(holder):
                if not told:
                    tell(f"waiting for process {holder}, which is at this stack")
                    told = True
                if time.monotonic() > deadline:
                    raise DriverError(
                        stack,
                        "lock the stack",
                        f"process {holder} has held it for more than {patience_s:.0f} s",
                        retryable=True,
                        hint=f"wait for it, or end it with `kill {holder}`",
                    )
                time.sleep(0.2)
            if holder is not None:
                tell("the run before was killed; its lock is taken away")
                lock.unlink(missing_ok=True)
                Path(f"{lock}.attrs").unlink(missing_ok=True)

    def prune(self, stack: str, keep: int) -> None:
        """Keeps the last updates of a stack's history; each is three copies of its state, and none is ever removed."""
        for part in ("history", "backups"):
            folder = self.folder / part / PROJECT / stack
            runs: dict[str, list[Path]] = {}
            for path in folder.glob("*"):
                stamp = next((word for word in path.name.replace("-", ".").split(".") if len(word) >= 18), "")
                runs.setdefault(stamp, []).append(path)
            for stamp in sorted(s for s in runs if s.isdigit())[:-keep]:
                for path in runs[stamp]:
                    path.unlink(missing_ok=True)


def _holder(lock: Path) -> int | None:
    """A lock -> the process of this machine that holds it, None where it is another machine's, or gone."""
    with suppress(OSError, ValueError, TypeError):
        content = json.loads(lock.read_text())
        if content.get("hostname") == socket.gethostname():
            return int(content["pid"])
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # What has ended and was not asked after yet holds nothing any more.
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True
