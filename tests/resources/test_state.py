"""The housekeeping of a file backend."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from lindos.errors import DriverError
from lindos.rollout.state import Backend


def lock(backend: Backend, stack: str, pid: int, hostname: str | None = None) -> Path:
    folder = backend.folder / "locks/organization/lindos" / stack
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pid}.json"
    path.write_text(json.dumps({"pid": pid, "hostname": hostname or socket.gethostname()}))
    Path(f"{path}.attrs").write_text("{}")
    return path


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path / ".pulumi")


def test_a_backend_is_found_by_its_url(tmp_path: Path) -> None:
    assert Backend.of("file:///var/state", tmp_path) == Backend(Path("/var/state/.pulumi"))
    assert Backend.of("file://.lindos/pulumi?create_dir=true", tmp_path) == Backend(tmp_path / ".lindos/pulumi/.pulumi")
    assert Backend.of("s3://bucket", tmp_path) is None


def test_the_lock_of_a_killed_run_is_taken_away(backend: Backend) -> None:
    told: list[str] = []
    path = lock(backend, "lab.a0001", gone())
    backend.free("lab.a0001", told.append)
    assert not path.exists()
    assert list(path.parent.iterdir()) == []
    assert told == ["the run before was killed; its lock is taken away"]


def test_the_lock_of_another_machine_is_left(backend: Backend) -> None:
    path = lock(backend, "lab", gone(), "elsewhere")
    backend.free("lab", pytest.fail)
    assert path.exists()


def test_a_run_that_is_still_at_it_is_waited_for_and_then_named(backend: Backend) -> None:
    path = lock(backend, "lab", os.getpid())
    told: list[str] = []
    with pytest.raises(DriverError, match=f"process {os.getpid()} has held it") as caught:
        backend.free("lab", told.append, patience_s=0.3)
    assert caught.value.retryable
    assert path.exists()
    assert told == [f"waiting for process {os.getpid()}, which is at this stack"]


def test_a_run_that_ends_meanwhile_is_no_failure(backend: Backend) -> None:
    process = subprocess.Popen(["sleep", "0.4"])
    path = lock(backend, "lab", process.pid)
    backend.free("lab", lambda _line: None, patience_s=10)
    assert not path.exists()
    process.wait()


def test_only_the_last_updates_are_kept_and_other_stacks_are_left(backend: Backend) -> None:
    for stack in ("lab", "lab.a0001"):
        for part, name in (
            ("history", "{}-{}.history.json"),
            ("history", "{}-{}.checkpoint.json"),
            ("backups", "{}.{}.json"),
        ):
            folder = backend.folder / part / "lindos" / stack
            folder.mkdir(parents=True, exist_ok=True)
            for run in range(5):
                (folder / name.format(stack, 1795313698789791230 + run)).touch()
    backend.prune("lab.a0001", keep=2)
    left = sorted(p.name for p in (backend.folder / "history/lindos/lab.a0001").iterdir())
    assert left == [
        f"lab.a0001-{1795313698789791230 + run}.{kind}.json" for run in (3, 4) for kind in ("checkpoint", "history")
    ]
    assert len(list((backend.folder / "backups/lindos/lab.a0001").iterdir())) == 2
    assert len(list((backend.folder / "history/lindos/lab").iterdir())) == 10


def test_a_stack_is_known_by_its_state(backend: Backend) -> None:
    folder = backend.folder / "stacks/lindos"
    folder.mkdir(parents=True)
    (folder / "lab.json.bak").touch()
    assert not backend.knows("lab")
    (folder / "lab.json").touch()
    assert backend.knows("lab")
    assert not backend.knows("lab.a0001")
