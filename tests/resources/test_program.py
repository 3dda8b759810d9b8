"""The program of a stack: which site and slice it is, what it refuses, what it exports."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from lindos.finding import Finding, Severity
from lindos.resources import program
from lindos.resources.program import Stack, planned, this_stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the lab's site file."""
    (tmp_path / "inventories/lab").mkdir(parents=True)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "inventories/lab/site.yaml").write_text((ROOT / "inventories/lab/site.yaml").read_text())
    monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(tmp_path))
    return tmp_path


def named(monkeypatch: pytest.MonkeyPatch, stack: str, **config: str) -> Stack:
    monkeypatch.setattr(pulumi, "get_stack", lambda: stack)
    pulumi.runtime.set_all_config({f"lindos:{key}": value for key, value in config.items()})
    return this_stack()


def test_a_stack_is_named_after_its_site_and_slice(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = project / "inventories/lab/site.yaml"
    assert named(monkeypatch, "lab") == Stack(project, "lab", None, site, "retain")
    assert named(monkeypatch, "lab.oob-p001").slice == "oob-p001"


def test_a_slice_inherits_plain_values_from_the_file_of_its_site(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "stacks/Pulumi.lab.yaml").write_text(
        "config:\n  lindos:destroy: power-off\n  lindos:bmc_password: {secure: v1:abc}\n  other:key: x\n"
    )
    assert named(monkeypatch, "lab.a0001").destroy == "power-off"
    assert named(monkeypatch, "lab.a0001", destroy="retain").destroy == "retain"
    assert program._config_file(project / "stacks/Pulumi.lab.yaml") == {"destroy": "power-off"}


def test_the_path_of_the_site_is_configuration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "inventories/lab").rename(project / "elsewhere")
    with pytest.raises(pulumi.RunError, match=r"no site file at .*inventories/lab"):
        named(monkeypatch, "lab")
    assert named(monkeypatch, "lab", site="elsewhere").site_file == project / "elsewhere/site.yaml"


def test_what_a_destruction_does_is_one_of_two(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="lindos:destroy is 'wipe', must be one of retain, power-off"):
        named(monkeypatch, "lab", destroy="wipe")


def test_a_stack_of_another_site_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = named(monkeypatch, "dev", site="inventories/lab")
    with pytest.raises(pulumi.RunError, match=r"is of site lab, this stack is of dev"):
        planned(stack)


def test_a_plan_that_breaks_a_rule_is_refused_and_the_rule_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = named(monkeypatch, "lab")
    found = (
        Finding("POWER-004", Severity.WARNING, "n1", "is only a warning"),
        Finding("FABRIC-003", Severity.CRITICAL, "lab-a0001-leaf00", "9 uplinks to 4 spines", "make them divide"),
    )
    monkeypatch.setattr(program, "check_view", lambda _view: found)
    with pytest.raises(pulumi.RunError) as caught:
        planned(stack)
    assert str(caught.value) == (
        "lab breaks the rules of the field:\n"
        "FABRIC-003 lab-a0001-leaf00: 9 uplinks to 4 spines\n"
        "  hint: make them divide"
    )


def test_many_findings_are_counted_not_listed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = named(monkeypatch, "lab")
    found = tuple(Finding("X-001", Severity.CRITICAL, f"n{i}", "wrong") for i in range(25))
    monkeypatch.setattr(program, "check_view", lambda _view: found)
    with pytest.raises(pulumi.RunError, match=r"X-001 n19: wrong\n... and 5 more$"):
        planned(stack)


def test_the_lab_passes_and_exports_the_digests(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = named(monkeypatch, "lab.a0001")
    view = planned(stack)
    monkeypatch.setattr(program, "Devices", lambda view: view)
    assert program.declare(view, stack) == {
        "site": "lab",
        "digest": view.plan.digest,
        "slice": "a0001",
        "slice_digest": view.plan.slices["digest"][0],
    }


def test_a_slice_that_does_not_exist_is_refused_with_those_that_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = named(monkeypatch, "lab.a0099")
    with pytest.raises(pulumi.RunError, match=r"lab has no slice 'a0099'; it has a0001, a0002, p001"):
        program.declare(planned(stack), stack)


def test_the_program_is_short() -> None:
    assert len((ROOT / "infra/__main__.py").read_text().splitlines()) <= 25
