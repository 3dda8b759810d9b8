"""Waves, budget and resume, with a playbook that only pretends."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lindos.drivers import ansible
from lindos.emit.inventory import ranges
from lindos.errors import DriverError, SpecError
from lindos.rollout.converge import ConvergeResult, Rollout, converge, read_settings
from lindos.rollout.waves import hosts_of, waves_of
from lindos.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from lindos.rollout.waves import Host


class Site:
    """A workspace of `units` units of `nodes` nodes, and a playbook that fails on the hosts in `broken`."""

    def __init__(self, root: Path, units: int = 3, nodes: int = 2) -> None:
        self.workspace = Workspace(root, "lab")
        self.broken: set[str] = set()
        self.plays: list[tuple[str, ...]] = []
        self.marks: dict[str, str] = {}
        self.silent: set[str] = set()
        self.mute: set[str] = set()
        self.refused: tuple[str, ...] = ()
        self.said: list[str] = []
        names = {f"a{u:04}": [f"lab-a{u:04}-r01-n{n:02}" for n in range(1, nodes + 1)] for u in range(1, units + 1)}
        self.nodes = {host: {"lindos_unit": unit, "mtu": 9000} for unit, hosts in names.items() for host in hosts}
        self.emit()
        for path in ("roles/nccl/meta/argument_specs.yml", "roles/site.yml", "ansible.cfg"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("---\n")

    def emit(self, digest: str = "1") -> None:
        units: dict[str, list[str]] = {}
        for host, variables in self.nodes.items():
            units.setdefault(str(variables["lindos_unit"]), []).append(host)
        groups: dict[str, object] = {unit: {"hosts": dict.fromkeys(ranges(hosts))} for unit, hosts in units.items()}
        groups |= {"gpu_node": {"children": dict.fromkeys(units)}, "nccl": {"children": {"gpu_node": {}}}}
        aside = {"switch": {"hosts": {"lab-a0001-leaf00": {}}}}
        inventory = {"all": {"vars": {"lindos_digest": digest}, "children": {**groups, **aside}}}
        folder = self.workspace.build / "inventory"
        (folder / "host_vars").mkdir(parents=True, exist_ok=True)
        (folder / "hosts.json").write_text(json.dumps(inventory))
        for unit, hosts in units.items():
            told = {host: self.nodes[host] for host in hosts}
            (folder / "host_vars" / f"{unit}.json").write_text(json.dumps(told))

    def play(self, request: ansible.Play, tell: Callable[[ansible.Event], None]) -> ansible.PlayResult:
        self.plays.append(request.limit)
        if set(request.limit) & set(self.refused):
            raise DriverError("ansible", "run site.yml", "it took too long and was stopped", retryable=True)
        outcomes = []
        for host in request.limit:
            if host in self.mute:
                outcomes.append(ansible.HostOutcome(host, 0, 0, ansible.Event(host, "", "", "unreachable", "no play")))
                continue
            trouble = ansible.Event(host, "nccl", "Install", "failed", "no disk") if host in self.broken else None
            event = trouble or ansible.Event(host, "nccl", "Install", "changed")
            tell(event)
            outcomes.append(ansible.HostOutcome(host, 1, int(trouble is None), trouble))
        return ansible.PlayResult(tuple(outcomes), "linear", 1.0)

    def read(self, hosts: Iterable[Host]) -> dict[str, str]:
        return {host.name: self.marks[host.name] for host in hosts if host.name in self.marks}

    def write(self, hosts: Iterable[Host]) -> frozenset[str]:
        took = {host.name: host.inputs for host in hosts if host.name not in self.silent}
        self.marks |= took
        return frozenset(took)

    def clear(self, hosts: Iterable[Host]) -> None:
        for host in hosts:
            self.marks.pop(host.name, None)

    def converge(self, largest: int = 2, **asked: object) -> ConvergeResult:
        self.plays.clear()
        named = {key: asked.pop(key) for key in ("limit", "units", "check") if key in asked}
        rollout = Rollout(largest_wave=largest, run=self.play, marks=self, **asked)
        return converge(self.workspace, rollout=rollout, progress=self.said.append, **named)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_only_hosts_with_a_role_are_converged(site: Site) -> None:
    assert {host.name for host in hosts_of(site.workspace)} == set(site.nodes)
    assert {host.unit for host in hosts_of(site.workspace)} == {"a0001", "a0002", "a0003"}
    assert all({"nccl", "gpu_node", "all"} <= host.groups for host in hosts_of(site.workspace))


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(2, [2, 2, 2]), (4, [2, 4]), (5, [2, 4]), (6, [6]), (100, [6]), (1, [2, 2, 2])],
)
def test_waves_are_whole_units_and_the_first_of_many_is_one(site: Site, largest: int, sizes: list[int]) -> None:
    waves = waves_of(hosts_of(site.workspace), largest)
    assert [len(wave.hosts) for wave in waves] == sizes
    assert [host for wave in waves for host in wave.hosts] == list(hosts_of(site.workspace))
    for wave in waves:
        for unit in {host.unit for host in wave.hosts}:
            assert sum(host.unit == unit for host in wave.hosts) == 2


def test_a_second_run_touches_nobody(site: Site) -> None:
    assert site.converge().converged == tuple(site.nodes)
    second = site.converge()
    assert (second.converged, second.untouched, site.plays) == ((), tuple(site.nodes), [])
    assert second.ok


def test_a_disk_that_was_imaged_anew_is_converged_anew(site: Site) -> None:
    site.converge()
    del site.marks["lab-a0002-r01-n02"]
    assert site.converge().converged == ("lab-a0002-r01-n02",)


def test_a_host_that_another_run_gave_something_else_is_converged_anew(site: Site) -> None:
    site.converge()
    site.marks["lab-a0002-r01-n02"] = "of another checkout"
    assert site.converge().converged == ("lab-a0002-r01-n02",)


def test_a_host_that_takes_no_mark_is_not_taken_for_done(site: Site) -> None:
    site.silent = {"lab-a0001-r01-n01"}
    site.converge()
    assert site.converge().converged == ("lab-a0001-r01-n01",)


def test_again_goes_to_everybody(site: Site) -> None:
    site.converge()
    assert site.converge(again=True).converged == tuple(site.nodes)


def test_a_change_goes_to_the_hosts_it_concerns(site: Site) -> None:
    site.converge()
    site.nodes["lab-a0002-r01-n01"]["mtu"] = 4200
    site.emit()
    assert site.converge().converged == ("lab-a0002-r01-n01",)


def test_the_digest_of_the_plan_alone_concerns_nobody(site: Site) -> None:
    site.converge()
    site.emit(digest="2")
    assert site.converge().converged == ()


@pytest.mark.parametrize("path", ["roles/nccl/tasks/main.yml", "ansible.cfg", "inventories/lab/group_vars/all.yml"])
def test_what_every_host_is_given_concerns_everybody(site: Site, path: str) -> None:
    site.converge()
    file = site.workspace.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("--- # another\n")
    assert site.converge().converged == tuple(site.nodes)


def test_a_wave_over_its_budget_is_the_last(site: Site) -> None:
    site.broken = {"lab-a0001-r01-n02"}
    result = site.converge()
    assert not result.ok
    assert result.converged == ("lab-a0001-r01-n01",)
    assert [outcome.host for outcome in result.failed] == ["lab-a0001-r01-n02"]
    assert result.left == tuple(sorted(site.nodes))[2:]
    assert result.stopped == "1 of 2 hosts of wave a0001 failed, more than 10%"
    assert "converge: lab-a0001-r01-n02: nccl: Install: no disk" in site.said


def test_within_its_budget_a_wave_is_followed_by_the_next(site: Site) -> None:
    site.broken = {"lab-a0001-r01-n02"}
    result = site.converge(budget=0.5)
    assert (len(result.converged), result.left, result.stopped) == (5, (), "")
    assert not result.ok


def test_a_run_resumes_with_what_is_not_done(site: Site) -> None:
    site.broken = {"lab-a0002-r01-n01"}
    site.converge()
    site.broken = set()
    result = site.converge()
    assert result.untouched == ("lab-a0001-r01-n01", "lab-a0001-r01-n02", "lab-a0002-r01-n02")
    assert result.converged == ("lab-a0002-r01-n01", "lab-a0003-r01-n01", "lab-a0003-r01-n02")


def test_a_host_that_fails_is_no_longer_as_planned(site: Site) -> None:
    site.converge()
    site.broken = {"lab-a0001-r01-n01"}
    site.converge(again=True, budget=1.0)
    site.broken = set()
    assert site.converge().converged == ("lab-a0001-r01-n01",)


@pytest.mark.parametrize("asked", [{"check": True}, {"tags": ("nccl",)}, {"variables": {"nccl_version": "2"}}])
def test_a_part_of_a_converge_is_not_remembered(site: Site, asked: dict[str, object]) -> None:
    site.converge(**asked)
    assert site.converge().converged == tuple(site.nodes)
    assert site.converge(**asked).converged == tuple(site.nodes)


@pytest.mark.parametrize("asked", [{"check": True, "tags": ("nccl",)}, {"tags": ("nccl",)}])
def test_whoever_is_given_a_part_of_the_same_again_stays_done(site: Site, asked: dict[str, object]) -> None:
    site.converge()
    assert site.converge(**asked).converged == tuple(site.nodes)
    assert site.converge().untouched == tuple(site.nodes)


@pytest.mark.parametrize("failed", [False, True])
def test_whoever_was_given_something_else_or_only_a_part_is_converged_anew(site: Site, *, failed: bool) -> None:
    site.converge()
    one, two = tuple(site.nodes)[:2]
    site.broken = {one} if failed else set()
    site.converge(limit=[one], tags=("nccl",), variables={} if failed else {"nccl_version": "2"})
    assert one not in site.marks
    site.broken = set()
    again = site.converge()
    assert again.converged == (one,)
    assert two in again.untouched


def test_a_site_is_converged_by_one_at_a_time(site: Site) -> None:
    met: list[str] = []

    def play(request: ansible.Play, tell: Callable[[ansible.Event], None]) -> ansible.PlayResult:
        with pytest.raises(DriverError, match=f"process {os.getpid()} is at it") as caught:
            site.converge(units=["a0003"])
        met.append(caught.value.problems[0].hint)
        return site.play(request, tell)

    rollout = Rollout(largest_wave=2, run=play, marks=site)
    assert converge(site.workspace, rollout=rollout, units=["a0001"], progress=site.said.append).ok
    assert len(met) == 1


def test_hosts_groups_and_units_can_be_picked(site: Site) -> None:
    assert site.converge(units=["a0002"]).converged == ("lab-a0002-r01-n01", "lab-a0002-r01-n02")
    assert site.converge(limit=["lab-a0001-r01-n01"]).converged == ("lab-a0001-r01-n01",)
    assert site.converge(limit="*-a0001-*,a0002", again=True).converged == tuple(sorted(site.nodes))[:4]
    assert site.converge(limit=["gpu_node"], units=["a0003"]).converged == ("lab-a0003-r01-n01", "lab-a0003-r01-n02")


def test_a_name_that_is_nowhere_is_refused(site: Site) -> None:
    with pytest.raises(SpecError, match="no host, group or unit of that name has a role: a0009"):
        site.converge(units=["a0009"])


def test_a_role_that_is_nowhere_is_refused(site: Site) -> None:
    with pytest.raises(SpecError, match="there is no role ncll"):
        site.converge(tags=("ncll",))
    assert site.plays == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["reboot_wanted=true", "reboot_at_once=5%"], {"reboot_wanted": True, "reboot_at_once": "5%"}),
        (["base_time_servers=[10.0.0.1, ntp.example]"], {"base_time_servers": ["10.0.0.1", "ntp.example"]}),
        (["reboot_reason=a = b"], {"reboot_reason": "a = b"}),
        (["nccl_topology_file="], {"nccl_topology_file": None}),
    ],
)
def test_what_a_role_is_told_instead_is_yaml(given: list[str], told: dict[str, object]) -> None:
    assert read_settings(given) == told


@pytest.mark.parametrize(
    ("setting", "wrong"), [("reboot", "no NAME=VALUE"), ("re boot=1", "no NAME=VALUE"), ("a=[1", "no YAML")]
)
def test_a_setting_that_is_none_is_refused(setting: str, wrong: str) -> None:
    with pytest.raises(SpecError, match=wrong):
        read_settings([setting])


def test_what_is_not_emitted_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="holds no inventory") as caught:
        converge(Workspace(tmp_path, "lab"), progress=lambda _: None)
    assert "lindos emit lab" in caught.value.render()


def log_of(result: ConvergeResult) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.log.read_text().splitlines()]


def test_the_log_holds_a_line_for_each_wave_and_each_change(site: Site) -> None:
    result = site.converge()
    lines = log_of(result)
    assert [line["host"] for line in lines if "host" in line] == list(site.nodes)
    assert {line["status"] for line in lines if "host" in line} == {"changed"}
    waves = [(line["wave"], line["status"]) for line in lines if "host" not in line]
    assert waves == [(f"a000{n}", status) for n in (1, 2, 3) for status in ("begun", "ended")]
    assert [line["at_s"] for line in lines] == sorted(line["at_s"] for line in lines)
    assert result.log.is_relative_to(site.workspace.state / "logs")


def test_a_host_that_fails_has_one_line_with_its_task_and_reason(site: Site) -> None:
    site.broken, site.mute = {"lab-a0001-r01-n01"}, {"lab-a0002-r01-n02"}
    result = site.converge(budget=1.0)
    assert [line for line in site.said if "-r01-n" in line] == [
        "converge: lab-a0001-r01-n01: nccl: Install: no disk",
        "converge: lab-a0002-r01-n02: no play",
    ]
    bad = [line for line in log_of(result) if line["status"] in ("failed", "unreachable")]
    assert [(line["host"], line["task"], line["reason"]) for line in bad] == [
        ("lab-a0001-r01-n01", "Install", "no disk"),
        ("lab-a0002-r01-n02", "", "no play"),
    ]


def test_people_hear_of_waves_roles_and_the_end(site: Site) -> None:
    site.converge(units=["a0001"])
    site.said.clear()
    result = site.converge(limit=["*-a0001-*", "*-a0002-*"])
    assert [line.replace("in 1 s", "in N s") for line in site.said if "Mitogen" not in line] == [
        "converge: wave 1 of 1, a0002: 2 hosts",
        "converge: wave a0002: nccl",
        "converge: wave a0002: 2 done, 0 failed, 2 changes in N s",
        "converge: 2 converged with 2 changes, 0 failed, 2 were done before",
        f"converge: each change and failure is in {result.log}",
    ]


def test_a_check_says_what_would_change_where(site: Site) -> None:
    site.broken = {"lab-a0001-r01-n01"}
    site.converge(check=True, budget=0.5, units=["a0001"])
    assert "converge: would change: nccl: Install, on 1 of 2 hosts" in site.said
    assert "converge: 1 would be converged with 1 changes, 1 failed" in site.said


def test_a_wave_that_was_cut_short_is_begun_anew_though_its_hosts_were_done_before(site: Site) -> None:
    """Half of the new and half of the old is neither: going back to the old has to touch it again."""
    site.converge()
    for variables in site.nodes.values():
        variables["mtu"] = 4200
    site.emit()
    site.refused = ("lab-a0002-r01-n01",)
    with pytest.raises(DriverError, match="took too long"):
        site.converge()
    assert "converge: 2 converged with 2 changes, 0 failed, 4 left" in site.said
    assert [line["status"] for line in _last_log(site)][-1] == "broken"
    site.refused = ()
    for variables in site.nodes.values():
        variables["mtu"] = 9000
    site.emit()
    assert site.converge().converged == tuple(site.nodes)[:4]


def _last_log(site: Site) -> list[dict[str, Any]]:
    log = max((site.workspace.state / "logs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in log.read_text().splitlines()]


def _play(folder: Path, tasks: str, tmp: Path) -> ansible.Play:
    (folder / "ansible.cfg").write_text("[defaults]\ninterpreter_python = auto_silent\n")
    (folder / "hosts.yml").write_text("all: {hosts: {one: {ansible_connection: local}}}\n")
    (folder / "site.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    return ansible.Play(folder / "site.yml", (folder / "hosts.yml",), ("one",), folder, tmp / "runs")


RAN_OUT = "the run ended before play 'last'; see the other hosts"


@pytest.mark.parametrize(
    ("fails", "reasons"), [("never", ["", ""]), ("one", ["broken", RAN_OUT]), ("two", ["", "broken"])]
)
def test_a_host_that_did_not_see_the_last_play_is_not_done(tmp_path: Path, fails: str, reasons: list[str]) -> None:
    """Ansible ends a run when all hosts of one play have failed, though the others have done nothing wrong."""
    play = _play(tmp_path, "", tmp_path)
    (tmp_path / "hosts.yml").write_text("all: {vars: {ansible_connection: local}, hosts: {one: , two: }}\n")
    tasks = [
        {"ansible.builtin.debug": {"msg": "here"}},
        {"ansible.builtin.fail": {"msg": "broken"}, "when": f"inventory_hostname == '{fails}'"},
    ]
    plays = [
        {"name": name, "hosts": hosts, "gather_facts": False, "tasks": tasks if name != "before" else tasks[:1]}
        for name, hosts in (("before", "two"), ("first", "one"), ("last", "all"))
    ]
    play.playbook.write_text(json.dumps(plays))
    both = replace(play, limit=("one", "two"))
    outcomes = ansible.play(both, lambda _: None, ansible.Strategy("linear")).hosts
    assert [o.trouble.reason if o.trouble else "" for o in outcomes] == reasons


def test_a_failing_task_says_which_and_why(tmp_path: Path) -> None:
    tasks = '    - name: Ask\n      ansible.builtin.fail: {msg: "no\\n disk"}\n'
    events: list[ansible.Event] = []
    result = ansible.play(_play(tmp_path, tasks, tmp_path), events.append, ansible.Strategy("linear"))
    (outcome,) = result.hosts
    assert outcome.trouble is not None
    assert (outcome.trouble.task, outcome.trouble.status, outcome.trouble.reason) == ("Ask", "failed", "no disk")
    assert [event.status for event in events] == ["failed"]


@pytest.mark.parametrize(
    ("inventory", "who"), [("{}", "robot robot.key"), ("{ansible_user: people}", "people robot.key")]
)
def test_hosts_are_reached_as_the_inventory_says_or_else_the_environment(
    inventory: str, who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINDOS_SSH_USER", "robot")
    monkeypatch.setenv("LINDOS_SSH_KEY", "~/robot.key")
    tasks = """    - ansible.builtin.fail:
        msg: "{{ ansible_user }} {{ lookup('ansible.builtin.config', 'DEFAULT_PRIVATE_KEY_FILE') | basename }}"
"""
    play = _play(tmp_path, tasks, tmp_path)
    (tmp_path / "hosts.yml").write_text(f"all:\n  vars: {inventory}\n  hosts: {{one: {{ansible_connection: local}}}}\n")
    (outcome,) = ansible.play(play, lambda _: None, ansible.Strategy("linear")).hosts
    assert outcome.trouble is not None
    assert outcome.trouble.reason == who


def test_a_playbook_that_does_not_parse_is_no_hosts_fault(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"ansible: run site\.yml on 1 hosts: .*no_such_module") as caught:
        ansible.play(
            _play(tmp_path, "    - no_such_module: {}\n", tmp_path), lambda _: None, ansible.Strategy("linear")
        )
    assert not caught.value.retryable


def test_mitogen_is_used_where_it_knows_this_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    how = ansible.strategy()
    assert how.name == "mitogen_linear"
    assert how.plugins is not None
    assert (how.plugins / "mitogen_linear.py").is_file()
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.99.1")
    assert ansible.strategy() == ansible.Strategy("linear", why="Mitogen is not known to work with ansible-core 2.99.1")


def test_a_host_that_goes_in_the_middle_of_a_loop_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    tasks = "  - ansible.builtin.command: 'true'\n    loop: [first, second]\n"
    play = _play(tmp_path, tasks, tmp_path)
    gone = "ansible_host: 127.0.0.1, ansible_port: 1, ansible_ssh_common_args: '-F none'"
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{one: {{{gone}}}}}}}\n")
    (outcome,) = ansible.play(play, lambda _: None, ansible.Strategy("linear")).hosts
    assert outcome.trouble is not None
    assert outcome.trouble.status == "unreachable"
    assert outcome.trouble.reason.startswith("first: ")
    assert "Connection refused" in outcome.trouble.reason
