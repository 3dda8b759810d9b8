"""A kill -9 at any point: `up` goes on from there, and `down` leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from lab_operator import NOTHING, Lab, host_network, make_lab, traces

from lindos import twin
from lindos.drivers.redfish import Power
from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.lab

MOMENTS = [
    (None, 0.05),
    (None, 0.6),
    ("read the build files", 0.0),
    ("read the build files", 0.15),
    ("unpack", 0.0),
    ("unpack", 0.03),
    ("rack", 0.0),
    ("rack", 0.03),
    ("cable", 0.0),
    ("cable", 0.2),
    ("start the BMCs", 0.0),
    ("start the BMCs", 0.3),
    ("start the BMCs", 0.8),
    ("start the BMCs", 1.6),
]
"""The stage after whose report `up` is killed, and seconds more."""

DOWN = """
import sys
from pathlib import Path
from lindos.twin import down
from lindos.workspace import Workspace
down(Workspace(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Lab]:
    """The small hall, not built; whatever a test leaves of it is taken down."""
    found = make_lab(tmp_path, f"tk{os.getpid()}")
    yield found
    twin.down(found.workspace)
    assert traces(found.workspace.site) == NOTHING


def kill_up(lab: Lab, stage: str | None, seconds: float) -> bool:
    """Kills `up` at a moment -> whether it was still at work."""
    process = lab.start_up()
    assert process.stdout is not None
    if stage is not None:
        for line in process.stdout:
            if line.startswith(stage):
                break
        else:
            raise AssertionError(f"'{stage}' was never reported")
    time.sleep(seconds)
    at_work = process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    return at_work


@pytest.mark.parametrize(("stage", "seconds"), MOMENTS)
def test_down_after_a_kill_leaves_nothing(bare: Lab, stage: str | None, seconds: float) -> None:
    before = host_network()
    assert kill_up(bare, stage, seconds)

    twin.down(bare.workspace)

    assert traces(bare.workspace.site) == NOTHING
    assert not bare.place.state.exists()
    assert not (bare.workspace.evidence / "racked.jsonl").exists()
    assert host_network() == before


def test_up_goes_on_after_any_number_of_kills(bare: Lab) -> None:
    for stage, seconds in MOMENTS[2::3]:
        kill_up(bare, stage, seconds)

    twin.up(bare.workspace)
    bare.power("n02", Power.ON)

    assert bare.ssh_soon("n02", "hostname") == bare.name("n02")
    assert bare.running() == {"oob01", "leaf01", "spine01", "n02"}


def test_down_can_be_killed_and_repeated(bare: Lab) -> None:
    twin.up(bare.workspace)

    for seconds in (0.5, 0.9, 1.4):
        down = subprocess.Popen([sys.executable, "-c", DOWN, str(bare.workspace.root), bare.workspace.site])
        time.sleep(seconds)
        down.kill()
        down.wait()

    twin.down(bare.workspace)

    assert traces(bare.workspace.site) == NOTHING


def test_down_where_nothing_is_does_nothing(bare: Lab) -> None:
    told: list[str] = []

    twin.down(bare.workspace, progress=told.append)

    assert told[0].endswith("0 containers, 0 namespaces")
    assert twin.status(bare.workspace) == twin.TwinStatus(bare.workspace.site, up=False, namespaces=0)


def test_the_operator_is_told_that_nothing_is_up(bare: Lab) -> None:
    for ask in (lambda: twin.exec_(bare.workspace, ["true"]), lambda: twin.inject(bare.workspace, "feed-loss", "a")):
        with pytest.raises(DriverError, match="it is not up") as caught:
            ask()
        assert caught.value.problems[0].hint == f"lindos twin up {bare.workspace.site}"


def test_two_commands_do_not_get_in_each_others_way(bare: Lab) -> None:
    process = bare.start_up()
    assert process.stdout is not None
    process.stdout.readline()

    with pytest.raises(DriverError, match=f"another command is at work on it \\(process {process.pid}\\)"):
        twin.down(bare.workspace)

    assert process.wait() == 0
    process.stdout.close()
