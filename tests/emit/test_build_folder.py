"""The build folder is replaced in one step, stamped by slice, and holds nothing that does not belong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.emit.inventory import inventory
from lindos.emit.nodes import host_views
from lindos.plan import design
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab" / "site.yaml"


def emit(root: Path, site: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "LINDOS_ROOT": str(root)}
    return subprocess.Popen([sys.executable, "-m", "lindos.cli", "emit", str(site)], env=env, stderr=subprocess.DEVNULL)


def whole(build: Path) -> dict[str, object]:
    """Assert that a build folder is what its manifest says, file by file; return the manifest."""
    manifest = json.loads((build / "manifest.json").read_text())
    found = {p.relative_to(build.resolve()).as_posix() for p in build.resolve().rglob("*") if p.is_file()}
    assert found == {*manifest["files"], "manifest.json"}
    for path, said in manifest["files"].items():
        assert sha256((build / path).read_bytes()).hexdigest() == said["sha256"], path
    return manifest


@pytest.fixture
def other_lab(tmp_path: Path) -> Path:
    """The lab with one rack moved: another plan, another digest."""
    file = tmp_path / "moved.yaml"
    text = LAB.read_text() + "\nplacement:\n  - {rack: lab-a0002-r01, hall: h1, row: 1, position: 6}\n"
    file.write_text(text)
    return file


def test_kill_at_any_moment_leaves_a_whole_build(tmp_path: Path, other_lab: Path) -> None:
    """Killed at moments spread over the run, the folder is the old build or the new one, and the next run cleans up."""
    root = tmp_path / "root"
    assert emit(root, LAB).wait() == 0
    build = root / "build" / "lab"
    first = whole(build)["digest"]
    start = time.monotonic()
    assert emit(root, other_lab).wait() == 0
    took = time.monotonic() - start
    second = whole(build)["digest"]
    assert first != second
    for turn in range(12):
        process = emit(root, LAB if turn % 2 else other_lab)
        time.sleep(took * (0.4 + 0.05 * turn))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert whole(build)["digest"] in (first, second)
    assert emit(root, LAB).wait() == 0
    assert whole(build)["digest"] == first
    kept = [p for p in (root / "build" / ".store" / "lab").iterdir() if p.is_dir()]
    assert kept == [build.resolve()]


def test_a_moved_rack_changes_the_stamps_of_its_slice_only(tmp_path: Path, other_lab: Path) -> None:
    root = tmp_path / "root"
    assert emit(root, LAB).wait() == 0
    before = whole(root / "build" / "lab")
    assert emit(root, other_lab).wait() == 0
    after = whole(root / "build" / "lab")
    changed = {s for s in before["slices"] if before["slices"][s]["digest"] != after["slices"][s]["digest"]}
    assert changed == {"a0002"}
    assert before["digest"] != after["digest"]


def test_every_file_of_a_slice_carries_its_digest(tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert emit(root, LAB).wait() == 0
    build = root / "build" / "lab"
    manifest = whole(build)
    for path, said in manifest["files"].items():
        if said["slice"] is not None:
            assert said["digest"] == manifest["slices"][said["slice"]]["digest"]
        if path.startswith("switches/") and not path.endswith(".json"):  # JSON has no comments
            assert said["digest"] in (build / path).read_text().splitlines()[0], path


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    mine = root / "build" / "lab"
    mine.mkdir(parents=True)
    (mine / "thesis.tex").write_text("years of work")
    process = subprocess.run(
        [sys.executable, "-m", "lindos.cli", "emit", str(LAB)],
        env={**os.environ, "LINDOS_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "is a folder that Lindos did not write" in process.stderr
    assert (mine / "thesis.tex").read_text() == "years of work"


def test_hosts_of_an_island_are_told_its_own_lossless_class() -> None:
    site = YAML(typ="safe", pure=True).load((ROOT / "tests/rules/isles.yaml").read_text())
    site["fabrics"]["islands"][0]["roce"] = {"priority": 4}
    spec = Spec.model_validate(site)
    plan = design(spec, load_catalogue(assumed_products(spec)))
    groups, *_ = inventory(plan, host_views(plan), {})
    told = json.loads(groups.data)["all"]
    units = {u: told["children"][u].get("vars", {}) for u in plan.units["unit"]}
    assert told["vars"]["roce_qos_priority"] == 3
    assert {u for u, v in units.items() if v == {"roce_qos_priority": 4}} == {"a0004", "a0005", "a0006"}
    assert {u for u, v in units.items() if not v} == {"a0001", "a0002", "a0003", "a0007", "a0008"}
