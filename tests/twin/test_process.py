"""Processes: run, told apart for good, ended; and locks that end with their holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lindos.errors import DriverError
from lindos.twin.lock import holder, only_one, seize, sign, tidy
from lindos.twin.process import end, run, started_at


def sleeper(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words or ["sleep", "60"])


def test_a_failure_quotes_what_was_said() -> None:
    with pytest.raises(DriverError, match="try it: no luck today") as caught:
        run(["sh", "-c", "echo no luck today >&2; exit 3"], tried="try it")

    assert caught.value.retryable


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(DriverError, match="no-such-program"):
        run(["no-such-program"], tried="try it")


def test_patience_has_an_end() -> None:
    began = time.monotonic()

    with pytest.raises(DriverError, match=r"not done after 0\.2 s"):
        run(["sleep", "30"], tried="wait", timeout_s=0.2)

    assert time.monotonic() - began < 5


def test_what_was_started_dies_with_a_kill_of_the_starter(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    code = f"from lindos.twin.process import run; run(['sh', '-c', 'echo $$ >{noted}; exec sleep 60'], tried='x')"
    starter = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not (noted.exists() and noted.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    started = int(noted.read_text())
    assert started_at(started) is not None

    starter.kill()
    starter.wait()

    while started_at(started) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert started_at(started) is None


def test_a_process_is_known_by_its_start(tmp_path: Path) -> None:
    mine = started_at(os.getpid())

    assert mine is not None
    assert started_at(os.getpid()) == mine
    assert started_at(2**22 + 1) is None


def test_a_dead_process_that_nobody_collected_does_not_count() -> None:
    process = sleeper("true")
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)

    assert started_at(process.pid) is None
    process.wait()


def test_an_id_that_was_used_again_is_left_alone() -> None:
    process = sleeper()
    started = started_at(process.pid)
    assert started is not None

    assert end(process.pid, started - 1, patience_s=0.1)

    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_process_is_asked_before_it_is_killed() -> None:
    process = sleeper("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done")
    time.sleep(0.3)
    started = started_at(process.pid)
    assert started is not None

    assert end(process.pid, started, patience_s=5)

    assert process.wait() == 7


def test_one_that_does_not_listen_is_killed() -> None:
    process = sleeper("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    time.sleep(0.3)
    started = started_at(process.pid)
    assert started is not None

    assert end(process.pid, started, patience_s=0.2)

    assert process.wait() == -signal.SIGKILL


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "s.lock"

    with only_one(path, "s"):
        assert holder(path) == (os.getpid(), started_at(os.getpid()))
        with pytest.raises(DriverError, match=f"process {os.getpid()}"), only_one(path, "s"):
            pass

    with only_one(path, "s"):
        pass


HOLD = """
import sys, time
from pathlib import Path
from lindos.twin.lock import seize, sign
handle = seize(Path(sys.argv[1]))
sign(handle)
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_a_kill_of_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "s.lock"
    other = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD), str(path)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    assert seize(path) is None
    assert holder(path) == (other.pid, started_at(other.pid))

    other.kill()
    other.wait()
    other.stdout.close()

    assert holder(path) is None
    handle = seize(path)
    assert handle is not None
    os.close(handle)


def test_a_lock_lives_on_in_the_child_it_was_handed_to(tmp_path: Path) -> None:
    path = tmp_path / "s.lock"
    handle = seize(path)
    assert handle is not None
    child = subprocess.Popen(["sleep", "60"], pass_fds=[handle])
    os.close(handle)

    assert seize(path) is None

    child.kill()
    child.wait()
    again = seize(path, wait_s=2)
    assert again is not None
    os.close(again)


def test_a_lock_on_a_file_that_was_removed_is_worth_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.lock"
    first = seize(path)
    assert first is not None
    tidy(path)

    second = seize(path)

    assert second is not None
    assert path.stat().st_ino == os.fstat(second).st_ino
    os.close(first)
    os.close(second)


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"pid": 1, "started": -1}'])
def test_an_unreadable_signature_is_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.lock").write_text(text)

    assert holder(tmp_path / "s.lock") is None


def test_a_signature_replaces_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "s.lock"
    path.write_text("x" * 500)
    handle = seize(path)
    assert handle is not None

    sign(handle)

    assert holder(path) == (os.getpid(), started_at(os.getpid()))
    os.close(handle)
