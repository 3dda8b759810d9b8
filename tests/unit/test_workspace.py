"""What two runs of one site must not do at once, one of them does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lindos.errors import LindosError, Problem
from lindos.workspace import alone

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from lindos.workspace import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
    print("let go", flush=True)
"""


def refuse(who: str) -> LindosError:
    return LindosError(Problem(f"{who} has it"))


def holder(lock: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that holds the lock for a while."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, lock, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_waits(tmp_path: Path) -> None:
    with holder(tmp_path / "new" / "lock", 0.3) as first, alone(tmp_path / "new" / "lock"):
        assert first.stdout is not None
        assert first.stdout.readline() == "let go\n"


def test_who_does_not_want_to_wait_is_told_of_the_holder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock, 60) as first:
        with pytest.raises(LindosError, match=f"process {first.pid} has it"), alone(lock, refuse=refuse):
            pytest.fail("two behind one lock")
        first.kill()
        first.wait()
        with alone(lock, refuse=refuse):
            assert lock.read_text() == str(os.getpid())
