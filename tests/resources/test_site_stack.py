"""A site's own stack by the real CLI: what a moved rack shows, and what the policy pack refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scratch_project import write_project

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[2]
STACK = "lab"

PROGRAM = """\
import json
from pathlib import Path
from lindos.resources.components import Cooler, Lineup
from lindos.resources.program import run

def build():
    rows = json.loads((Path(__file__).parent / "rows.json").read_text())
    for row in rows:
        (Lineup if "lineup" in row else Cooler)(row, None)
    return {}

run(build)
"""


@dataclass
class Project:
    """A project of its own, with its state beside it."""

    root: Path

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", "--non-interactive", "--color=never", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False, timeout=300)

    def steps(self) -> dict[str, dict[str, Any]]:
        """A preview -> name of each resource that would change -> its step."""
        done = self.pulumi("preview", "--stack", STACK, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        steps = json.loads(done.stdout)["steps"]
        return {s["urn"].rpartition("::")[2]: s for s in steps if s["op"] != "same" and "lindos:index:" in s["urn"]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    write_project(tmp_path, (ROOT / "infra/__main__.py").read_text(), monkeypatch)
    shutil.copytree(ROOT / "inventories/lab", tmp_path / "inventories/lab")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "infra"), *sys.path]))
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    monkeypatch.setenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    made = Project(tmp_path)
    assert made.pulumi("stack", "init", STACK).returncode == 0
    return made


def test_a_moved_rack_shows_its_kilowatts_and_nothing_of_what_stays(project: Project) -> None:
    up = project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
    assert up.returncode == 0, up.stdout + up.stderr
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--stack", STACK)
    assert refreshed.returncode == 0, refreshed.stdout + refreshed.stderr
    same = project.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    assert same.returncode == 0, same.stdout + same.stderr

    path = project.root / "inventories/lab/site.yaml"
    path.write_text(path.read_text() + "\nplacement: [{rack: lab-a0002-r01, hall: h1, row: 1, position: 4}]\n")
    steps = project.steps()
    assert {n for n, s in steps.items() if s["op"] == "create"} == {"h1-board-a2", "h1-board-b2"}
    left = steps["h1-board-a4"]
    assert left["op"] == "update"
    changed = {"load_kw.nameplate", "load_kw.typical", "reserve_kw.board", "reserve_kw.transformer", "racks", "digest"}
    assert changed <= left["detailedDiff"].keys()
    old, new, there = (s["inputs"] for s in (left["oldState"], left["newState"], steps["h1-board-a2"]["newState"]))
    gone = old["load_kw"]["nameplate"] - new["load_kw"]["nameplate"]
    assert gone == pytest.approx(there["load_kw"]["nameplate"], abs=0.15)
    assert new["reserve_kw"]["board"] > old["reserve_kw"]["board"]
    assert set(new["fed_by"]) == set(there["fed_by"]) == {"substation-a"}
    assert not steps.keys() & {"h1", "a0001", "services", "h1-board-a1", "h1-board-b3", "h1-cdus", "h1-plant-board-a"}
    depends = {urn.rpartition("::")[2] for urn in steps["a0002"]["newState"]["dependencies"]}
    assert {"h1-board-a2", "h1-board-b2"} <= depends


LINEUP = {
    "lineup": "h1-board-a1", "fed_by": [], "racks": 9, "motor_controls": 0, "digest": "d",
    "load_kw": {"nameplate": 700, "typical": 585}, "parts": {"board": 1}, "capacity_kw": {"board": 1500},
    "reserve_kw": {"board": 800}, "loading_pct": {"board": 46.7},
}  # fmt: skip
CDUS = {
    "cooler": "h1-cdus", "kind": "cdu", "units": 4, "digest": "d", "load_kw": {"nameplate": 700, "typical": 585},
    "capacity_kw": 1000, "reserve_kw": 75.0, "loading_pct": 70.0,
}  # fmt: skip


def test_the_pack_refuses_what_is_overloaded_and_warns_of_what_is_nearly(project: Project) -> None:
    (project.root / "infra/__main__.py").write_text(PROGRAM)
    percent = project.root / "percent.json"
    percent.write_text(json.dumps({"headroom": {"percent": 95}}))

    def preview(*rows: dict[str, Any], more: tuple[str, ...] = ()) -> tuple[int, str]:
        (project.root / "infra/rows.json").write_text(json.dumps(rows))
        done = project.pulumi("preview", "--stack", STACK, "--policy-pack", str(ROOT / "policy"), *more)
        return done.returncode, done.stdout + done.stderr

    code, said = preview(LINEUP, CDUS)
    assert code == 0, said
    assert "[mandatory]" not in said
    assert "[advisory]" not in said

    over = LINEUP | {"reserve_kw": {"board": -12.5}, "loading_pct": {"board": 100.8}}
    code, said = preview(over, CDUS | {"reserve_kw": -7.5, "loading_pct": 103.0})
    assert code != 0
    assert "[mandatory]  within-limits  (lindos:index:Lineup: h1-board-a1)" in said
    assert "board: 12.5 kW more than one of them may carry in the worst case" in said
    assert "cdu: 7.5 kW more than one of them may carry in the worst case" in said

    near = LINEUP | {"reserve_kw": {"board": 120.0}, "loading_pct": {"board": 92.0}}
    code, said = preview(near, CDUS)
    assert code == 0, said
    assert "[advisory]  headroom  (lindos:index:Lineup: h1-board-a1)" in said
    assert "board: loaded with 92.0 % of what it may carry, more than 90 %" in said

    code, said = preview(near, CDUS, more=("--policy-pack-config", str(percent)))
    assert code == 0, said
    assert "[advisory]" not in said
