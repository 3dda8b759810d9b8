"""The real Pulumi CLI with the real provider: a project of its own, state in a folder of the test, BMCs on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scratch_project import write_project

from lindos.rollout.stacks import StackResult, drive

if TYPE_CHECKING:
    from collections.abc import Callable

    from redfish_double import FakeBmc

    StartBmc = Callable[..., FakeBmc]

pytestmark = pytest.mark.cli

INFRA = Path(__file__).resolve().parents[2] / "infra"
STACK = "lab.a0001"

PROGRAM = """\
import json
from pathlib import Path
from lindos.resources.components import Devices
from lindos.resources.program import run
from lindos.resources.views import SliceView

def build():
    rows = json.loads((Path(__file__).parent / "rows.json").read_text())
    Devices(SliceView("a0001", "d1", tuple(rows), ()))
    return {"digest": "d1"}

run(build)
"""


@dataclass
class Project:
    """A project whose stack has a node a BMC."""

    root: Path
    told: list[str] = field(default_factory=list)

    def declare(self, **bmcs: FakeBmc) -> None:
        rows = [
            {
                "device": name,
                "bmc": fake.url,
                "vendor": fake.vendor,
                "product": "p",
                "rack": "lab-a0001-r01",
                "u": 1,
                "power": "on",
                "on_destroy": "retain" if name == "kept" else "power-off",
            }
            for name, fake in bmcs.items()
        ]
        (self.root / "infra/rows.json").write_text(json.dumps(rows))

    def run(self, verb: Any, stack: str = STACK) -> StackResult:
        self.told.clear()
        (result,) = drive(verb, [stack], self.root, tell=self.told.append)
        return result

    def _latest(self) -> dict[str, Any]:
        path = self.root / f"state/.pulumi/stacks/lindos/{STACK}.json"
        latest: dict[str, Any] = json.loads(path.read_text())["checkpoint"]["latest"]
        return latest

    def pending(self) -> list[str]:
        """Operations that the state holds as begun."""
        return [p["resource"]["urn"] for p in self._latest().get("pending_operations") or []]

    def state(self) -> dict[str, dict[str, Any]]:
        """Name -> resource, as the state file has it."""
        resources = self._latest().get("resources") or []
        return {r["urn"].rpartition("::")[2]: r for r in resources if r["type"].startswith("lindos:index:")}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    write_project(tmp_path, PROGRAM, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(INFRA))
    monkeypatch.setenv("LINDOS_BMC_USER", "lindos")
    monkeypatch.setenv("LINDOS_BMC_PASSWORD", "a-secret")
    monkeypatch.delenv("LINDOS_BMC_CA", raising=False)
    return Project(tmp_path)


def test_a_stack_lives_from_preview_to_destruction(project: Project, bmc: StartBmc) -> None:
    n01, kept = bmc("dell", doubled=True), bmc("supermicro", power="On")
    project.declare(n01=n01, kept=kept)

    preview = project.run("preview")
    assert (preview.ok, preview.changes) == (True, {"create": 4})
    assert n01.requests == kept.requests == []
    assert f"{STACK}: Node n01 create" in project.told

    up = project.run("up")
    assert (up.ok, up.changes, up.problems) == (True, {"create": 4}, ())
    assert (n01.power, n01.resets, kept.resets) == ("On", ["On"], [])
    assert f"{STACK}: n01: power Off -> On" in project.told
    assert project.state()["n01"]["id"] == "n01"
    assert project.state()["n01"]["outputs"]["serial"] == "CNIVC0042"

    again = project.run("preview")
    assert (again.ok, again.changed) == (True, False)

    n01.set_power("Off")
    assert project.run("refresh").ok
    assert project.state()["n01"]["outputs"]["power_state"] == "Off"
    drift = project.run("preview")
    assert drift.changes == {"same": 3, "update": 1}
    assert f"{STACK}: Node n01 update" in project.told
    assert project.run("up").ok
    assert (n01.power, n01.resets) == ("On", ["On", "On"])

    destroyed = project.run("destroy")
    assert destroyed.ok
    assert (n01.power, kept.power) == ("Off", "On")
    assert project.state() == {}

    written = [p for folder in ("state", "home", "stacks") for p in (project.root / folder).rglob("*") if p.is_file()]
    assert written
    assert [p for p in written if b"a-secret" in p.read_bytes()] == []


def test_one_dead_bmc_stops_no_other_node_and_the_next_run_goes_on(project: Project, bmc: StartBmc) -> None:
    good, dead, slow = bmc("dell"), bmc("supermicro"), bmc("dell")
    dead.failing = [404] * 100
    reset = slow._reset

    def then_lock_us_out(kind: str) -> Any:
        slow.password = "changed"
        return reset(kind)

    slow._reset = then_lock_us_out  # type: ignore[method-assign]
    project.declare(good=good, dead=dead, slow=slow)

    up = project.run("up")
    assert not up.ok
    assert good.power == "On"
    assert any("dead: read /redfish/v1/: HTTP 404" in p for p in up.problems)
    assert any("slow: wait for power On: " in p or "HTTP 401" in p for p in up.problems)
    assert f"{STACK}: failed: dead" in project.told
    # Nothing of the dead one was touched; the other was, and is kept with the reason why it is not ready.
    assert set(project.state()) == {"good", "slow"}
    assert "HTTP 401" in project.state()["slow"]["initErrors"][0]

    dead.failing, slow.password = [], "a-secret"
    slow._reset = reset  # type: ignore[method-assign]
    assert project.run("up").ok
    assert {fake.power for fake in (good, dead, slow)} == {"On"}
    assert good.resets == ["On"]
    assert "initErrors" not in project.state()["slow"]

    dead.failing = [503] * 1000
    refreshed = project.run("refresh")
    assert refreshed.ok
    assert project.state()["dead"]["outputs"]["power_state"] == "Unreachable"
    assert any("HTTP 503" in line for line in project.told)


def test_a_run_that_was_killed_bars_nothing_and_the_next_goes_on(project: Project, bmc: StartBmc) -> None:
    slow = bmc("supermicro", lag=10_000)
    project.declare(slow=slow)
    program = (
        "import sys; from pathlib import Path; from lindos.rollout.stacks import drive;"
        "drive('up', [sys.argv[1]], Path(sys.argv[2]), tell=lambda line: print(line, flush=True))"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, STACK, str(project.root)], start_new_session=True)
    deadline = time.monotonic() + 120
    while not slow.resets:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(project.pending()) == 1
    slow.lag = slow._left = 0

    up = project.run("up")
    assert up.ok, up.problems
    assert slow.power == "On"
    assert slow.resets == ["On"]
    assert f"{STACK}: the run before was killed; its lock is taken away" in project.told
    assert project.state()["slow"]["outputs"]["power_state"] == "On"
    assert project.pending() == []


def test_a_program_that_fails_is_a_result_with_its_words(project: Project) -> None:
    (project.root / "infra/__main__.py").write_text("import pulumi\nraise pulumi.RunError('the halls are full')\n")
    result = project.run("preview")
    assert not result.ok
    assert any("the halls are full" in p for p in result.problems)


def test_to_destroy_what_never_was_is_nothing_to_do(project: Project) -> None:
    result = project.run("destroy", "lab.a0042")
    assert (result.ok, result.changed) == (True, False)
    assert project.told[-1].endswith(": nothing to do")
