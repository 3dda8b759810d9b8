"""The one file that travels: same bytes for same sources, runs with a bare Python, tells the same as pytest does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fake_host import EXPECTED, HCA, HOST, FakeHost, healthy

from lindos.verify.suite.facts import DOUBLED
from lindos.verify.zipapp import build

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"


@pytest.fixture
def archive(tmp_path, zipapp):
    path = tmp_path / "verify.pyz"
    path.write_bytes(zipapp.data)
    return path


def run(archive, tmp_path, host, *arguments, expect=None, scratch="/tmp"):
    """The archive on a machine with these tools, without site-packages and without this project."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    host.write(tools)
    return subprocess.run(
        [PYTHON, "-I", str(archive), "check", *arguments],
        input=json.dumps(expect or {HOST: EXPECTED}),
        env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_sources_make_the_same_bytes(tmp_path):
    one, other = build(), build(tmp_path)
    assert one == other
    assert build(tmp_path) == one


def test_the_archive_holds_what_it_needs_and_nothing_of_this_project(archive):
    with zipfile.ZipFile(archive) as inside:
        names = inside.namelist()
    assert "__main__.py" in names
    assert "_pytest/config/__init__.pyc" in names
    assert not [n for n in names if n.startswith("lindos")]
    assert sum(n.startswith("pygments/lexers/") and n.endswith(".py") for n in names) == 4


def test_a_healthy_host_is_clean(archive, tmp_path):
    ran = run(archive, tmp_path, FakeHost())
    result = json.loads(ran.stdout)
    assert result["findings"] == []
    assert (ran.returncode, result["exit"], result["waits"]) == (0, 0, [])
    assert {o["what"]: o["seen"] for o in result["observations"]} == {"os": True, "driver": True, "validated": True}
    assert not any(o["doubled"] for o in result["observations"])
    assert ["rail0", "x-a0001-leaf00", "etp1"] in result["neighbours"]
    assert result["checks"] == len(result["passed"]) == 33 + 3 * 9 + 2 * 7


def test_nothing_is_left_on_the_host(archive, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run(archive, tmp_path, FakeHost(), scratch=scratch)
    assert list(scratch.iterdir()) == []


def test_a_sick_host_is_told_with_its_exit_status(archive, tmp_path):
    smi = next(k for k in healthy() if k.startswith("nvidia-smi"))
    seven = "".join(healthy()[smi][1].splitlines(keepends=True)[:7])
    ran = run(archive, tmp_path, FakeHost(healthy() | {smi: (0, seven)}))
    result = json.loads(ran.stdout)
    assert ran.returncode == 2
    assert [(f["code"], f["severity"], f["subject"]) for f in result["findings"]] == [("HOST-001", "critical", HOST)]
    seen = {o["what"]: o["seen"] for o in result["observations"]}
    assert (seen["driver"], seen["validated"]) == (7, False)


def test_a_warning_and_an_unknown_have_exit_statuses_of_their_own(archive, tmp_path):
    warning = run(archive, tmp_path, FakeHost(healthy() | {"cat /run/reboot-required": (0, "yes")}))
    assert warning.returncode == 1
    unknown = run(archive, tmp_path, FakeHost(healthy() | {"chronyc -c tracking": (1, "506 Cannot talk")}))
    assert unknown.returncode == 3
    result = json.loads(unknown.stdout)
    assert [(f["code"], f["severity"]) for f in result["findings"]] == [("HOST-041", "unknown")]
    assert {o["what"]: o["seen"] for o in result["observations"]}["validated"] is True


def test_a_host_without_its_tools_passes_nothing_by_it(archive, tmp_path):
    ran = run(archive, tmp_path, FakeHost(missing={"nvidia-smi", "lldpctl", "chronyc"}))
    result = json.loads(ran.stdout)
    told = {f["message"]: f["severity"] for f in result["findings"]}
    assert told == {
        "nvidia-smi is not installed": "critical",
        "lldpctl is not installed": "critical",
        "chronyc is not installed": "warning",
    }
    assert result["neighbours"] is None
    assert {p["code"] for p in result["passed"]}.isdisjoint({"HOST-001", "HOST-041", "HOST-050", "HOST-051"})
    assert {w["code"] for w in result["waits"]} >= {"HOST-001", "HOST-002", "HOST-041", "HOST-050"}
    seen = {o["what"]: o["seen"] for o in result["observations"]}
    assert (seen["driver"], seen["validated"]) == (False, False)


def test_the_same_on_many_ports_is_told_once(archive, tmp_path):
    ran = run(archive, tmp_path, FakeHost(healthy() | {"ip -j address show": (0, "[]")}))
    result = json.loads(ran.stdout)
    assert [(f["code"], f["message"]) for f in result["findings"]] == [
        ("HOST-010", "rail0, rail1, fe0: no interface of this name")
    ]


def test_what_a_double_says_is_marked(archive, tmp_path):
    marker = json.dumps({"tools": ["nvidia-smi"]})
    result = json.loads(run(archive, tmp_path, FakeHost(healthy() | {f"cat {DOUBLED}": (0, marker)})).stdout)
    assert {o["what"]: o["doubled"] for o in result["observations"]} == {
        "os": False,
        "driver": True,
        "validated": True,
    }
    asks_it = {"HOST-001", "HOST-002", "HOST-003", "HOST-006", *(f"HOST-06{n}" for n in (0, 1, 3, 4, 5, 6, 7, 8))}
    assert {p["code"] for p in result["passed"] if p["doubled"]} == asks_it


def test_a_rate_that_a_virtual_port_has_not_makes_the_result_a_doubled_one(archive, tmp_path):
    result = json.loads(
        run(archive, tmp_path, FakeHost(healthy() | {"sh -c 'ls -d /sys/class/net/*/device'": (2, "")})).stdout
    )
    assert [f["code"] for f in result["findings"]] == [
        *("HOST-014", "HOST-015", "HOST-017", "HOST-018", "HOST-025"),
    ]
    validated = next(o for o in result["observations"] if o["what"] == "validated")
    assert (validated["seen"], validated["doubled"]) == (True, True)


def test_rates_are_measured_only_where_that_is_asked_for(archive, tmp_path):
    rates = {f"HOST-08{n}" for n in range(4)}
    usual = json.loads(run(archive, tmp_path, FakeHost()).stdout)
    assert {n["code"] for n in usual["not_expected"]} >= rates
    assert rates.isdisjoint(p["code"] for p in usual["passed"])
    asked = json.loads(run(archive, tmp_path, FakeHost(), "--measure").stdout)
    assert rates <= {p["code"] for p in asked["passed"]}


def test_what_the_plan_does_not_name_changes_no_exit_status(archive, tmp_path):
    software = {name: version for name, version in EXPECTED["software"].items() if name != "gpu_vbios"}
    other = {HOST: EXPECTED | {"software": software}}
    result = json.loads(run(archive, tmp_path, FakeHost(), expect=other).stdout)
    told = {(n["code"], n["subject"]): n["why"] for n in result["not_expected"]}
    assert "names no gpu_vbios or gpu_inforom" in told["HOST-067", HOST]
    assert "HOST-067" not in {p["code"] for p in result["passed"]}
    assert (result["exit"], result["findings"]) == (0, [])


def test_a_critical_check_that_cannot_be_measured_leaves_validation_open(archive, tmp_path):
    other = {HOST: EXPECTED | {"gpu": {"count": 8, "model": "z9000"}}}
    result = json.loads(run(archive, tmp_path, FakeHost(), expect=other).stdout)
    seen = {o["what"]: o["seen"] for o in result["observations"]}
    assert (seen["driver"], seen["validated"]) == (None, None)
    assert result["exit"] == 3


def test_a_check_that_breaks_by_itself_is_no_pass(archive, tmp_path):
    result = json.loads(
        run(archive, tmp_path, FakeHost(healthy() | {"ip -4 -j rule show": (0, '[{"src": 1}, 7]')})).stdout
    )
    (found,) = result["findings"]
    assert (found["code"], found["severity"]) == ("HOST-020", "unknown")
    assert "the check itself failed: " in found["message"]
    assert result["exit"] == 3


@pytest.mark.parametrize(("hcas", "passed"), [([HCA], True), ([], False)])
def test_a_node_without_rails_of_ethernet_is_checked_all_the_same(archive, tmp_path, hcas, passed):
    ports = [n for n in EXPECTED["nics"] if n["purpose"] != "rail"]
    result = json.loads(
        run(archive, tmp_path, FakeHost(), expect={HOST: EXPECTED | {"nics": ports, "hcas": hcas}}).stdout
    )
    assert (result["findings"], result["exit"]) == ([], 0)
    told = {one["code"] for kind in ("passed", "waits", "not_expected") for one in result[kind]}
    assert {"HOST-016", "HOST-020", "HOST-083"}.isdisjoint(told)
    assert ("HOST-024" in told) == passed
    assert ({"code": "HOST-024", "subject": f"{HOST}:rail0", "doubled": False} in result["passed"]) == passed
    assert "HOST-078" in {p["code"] for p in result["passed"]}


def test_the_host_is_named_where_the_file_knows_several(archive, tmp_path):
    both = {HOST: EXPECTED, "other": EXPECTED | {"host": "other"}}
    assert (
        json.loads(run(archive, tmp_path, FakeHost(), "--expect-host", "other", expect=both).stdout)["host"] == "other"
    )
    for arguments in ((), ("--expect-host", "nobody")):
        ran = run(archive, tmp_path, FakeHost(), *arguments, expect=both)
        assert ran.returncode == 3
        assert ran.stdout == ""
        assert "the checks did not run" in ran.stderr


def test_plain_pytest_over_any_backend_says_the_same(tmp_path):
    """The canary: the same checks, told by pytest, over a connection that testinfra makes."""
    tools = tmp_path / "tools"
    tools.mkdir()
    FakeHost(healthy() | {"cat /run/reboot-required": (0, "yes")}).write(tools)
    (tmp_path / "expect.json").write_text(json.dumps({HOST: EXPECTED}))
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(ROOT / "infra/lindos/verify/suite"), "--hosts=local://"),
            *(f"--expect={tmp_path / 'expect.json'}", f"--result={tmp_path / 'result.json'}", "-p", "no:cacheprovider"),
        ],
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout
    assert "HOST-042 broken: a reboot is asked for" in ran.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert [f["code"] for f in result["findings"]] == ["HOST-042"]
    assert result["exit"] == 1


def test_the_checks_import_only_what_travels_with_them():
    """Standard library, pytest and testinfra; else the archive would not run."""
    allowed = set(sys.stdlib_module_names) | {"pytest", "testinfra", "suite"}
    for path in (ROOT / "infra/lindos/verify/suite").glob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and not words[1].startswith("."):
                assert words[1].split(".")[0] in allowed, f"{path.name}: {line}"
