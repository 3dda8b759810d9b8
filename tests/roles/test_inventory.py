"""The emitted inventory as Ansible reads it: every variable reaches its host, and a play reads its own units alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.plugins.inventory import expand_hostname_range
from hypothesis import given
from hypothesis import strategies as st

from lindos.emit.inventory import names_of, ranges
from lindos.rollout.waves import hosts_of
from lindos.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
EMITTED = ROOT / "tests" / "golden" / "lab" / "inventory"


def ask(program: str, inventory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a program of Ansible answers in the project's folder."""
    return subprocess.run(
        [Path(sys.executable).parent / program, "-i", inventory, *arguments],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def told() -> dict[str, dict[str, Any]]:
    units = [json.loads(path.read_text()) for path in sorted((EMITTED / "host_vars").iterdir())]
    return {host: variables for unit in units for host, variables in unit.items()}


def holds(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    return {key: outer.get(key) for key in inner} == inner


@pytest.mark.parametrize("source", [EMITTED, EMITTED / "hosts.json"], ids=["folder", "file"])
def test_every_host_has_the_groups_and_variables_that_the_rollout_sees(tmp_path: Path, source: Path) -> None:
    answer = json.loads(ask("ansible-inventory", source, "--list").stdout)
    variables = answer["_meta"]["hostvars"]
    everywhere = json.loads((EMITTED / "hosts.json").read_text())["all"]["vars"]
    assert set(variables) == set(told())
    assert all(holds(variables[host], everywhere | given_to) for host, given_to in told().items())

    def below(group: str) -> set[str]:
        here = answer.get(group, {})
        return set(here.get("hosts", ())).union(*map(below, here.get("children", ())))

    workspace = Workspace(tmp_path, "lab")
    shutil.copytree(EMITTED, workspace.build / "inventory")
    (tmp_path / "roles").symlink_to(ROOT / "roles")
    hosts = hosts_of(workspace)
    assert {host.name: host.address for host in hosts} == {h: v["ansible_host"] for h, v in told().items()}
    groups = set(answer) - {"_meta", "ungrouped"}
    assert {host.name: host.groups for host in hosts} == {
        host: {group for group in groups if host in below(group)} for host in told()
    }


def test_a_play_reads_the_units_of_its_limit_and_no_other(tmp_path: Path) -> None:
    shutil.copytree(EMITTED, tmp_path / "inventory")
    (tmp_path / "inventory" / "host_vars" / "a0002.json").write_text("{")
    say = ("-c", "local", "-m", "ansible.builtin.debug", "-a", "var=bmc_address")
    fine = ask("ansible", tmp_path / "inventory", "a0001", *say)
    assert fine.returncode == 0, fine.stderr
    assert all(f"bmc_address: {told()[host]['bmc_address']}" in fine.stdout for host in told() if "a0001" in host)
    broken = ask("ansible", tmp_path / "inventory", "all", *say)
    assert broken.returncode != 0
    assert "host_vars/a0002.json" in broken.stderr + broken.stdout


def test_what_people_write_of_a_host_wins(tmp_path: Path) -> None:
    host = min(told())
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "groups.yml").write_text("all: {children: {canary: {}}}\n")
    (tmp_path / "host_vars" / f"{host}.yml").write_text("gpu_count: 7\n")
    shown = json.loads(ask("ansible-inventory", EMITTED, "-i", str(tmp_path), "--host", host).stdout)
    assert holds(shown, told()[host] | {"gpu_count": 7})


STEMS = st.sampled_from(["a-r01-n", "a-r02-n", "b-n", "x"])
NUMBERED = st.builds(lambda stem, width, n: f"{stem}{n:0{width}}", STEMS, st.integers(1, 3), st.integers(0, 1100))


@given(st.sets(NUMBERED | st.sampled_from(["login", "7", "x-"])))
def test_ranges_stand_for_the_names_they_were_made_of(names: set[str]) -> None:
    made = list(ranges(sorted(names)))
    spelt = [name for pattern in made for name in names_of(pattern)]
    assert sorted(spelt) == sorted(names)
    assert len(made) <= len(names)


@given(st.sets(NUMBERED, min_size=1))
def test_ansible_spells_a_range_the_same_way(names: set[str]) -> None:
    for pattern in ranges(names):
        spelt = expand_hostname_range(pattern) if "[" in pattern else [pattern]
        assert spelt == names_of(pattern)
