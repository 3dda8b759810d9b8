"""Every role, on a real node over SSH: check mode on the bare node, converge, converge again, and what daemons read.

The site's playbook runs whole, as `lindos up` runs it, and each role is judged by its own part of it.
While a role is being written, LINDOS_ROLES=package_repository,base does the same with those alone.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import testinfra

from . import node as nodes
from .given import ADDRESS, DRIVER, HOST, write_build
from .listing import CHOSEN as ROLES
from .listing import some_left_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testinfra.host import Host

# What a node is made of, as one text: the files that roles may write, with their digests.
SNAPSHOT = """
find /etc /usr /run/systemd/system /run/reboot-required -xdev -type f \\
    ! -name '*.pyc' ! -path '/usr/share/*' -exec sha256sum {} + 2>/dev/null | sort
dpkg-query --show; systemctl list-unit-files --no-legend; ip -brief address; ip rule
sysctl net.ipv4.conf.rail0 net.ipv4.tcp_rmem vm.swappiness
"""

whole = pytest.mark.skipif(some_left_out(), reason="not run: LINDOS_ROLES leaves roles out")

# Roles that do nothing unless it is asked for at the command line.
ASKED_FOR = {"reboot"}
BUSY = [role for role in ROLES if role not in ASKED_FOR]

CHECKS = [
    pytest.param(getattr(module, name), id=f"{role}-{name.removeprefix('check_')}")
    for role in ROLES
    for module in (importlib.import_module(f".checks.{role}", __package__),)
    for name in vars(module)
    if name.startswith("check_")
]


class Cycle:
    """The node, and what each converge of the cycle said."""

    def __init__(self, node: nodes.Node) -> None:
        self.node = node
        before = node.sh(SNAPSHOT)
        self.checked = self.converge(check=True)
        self.written_by_check = _differing(before, node.sh(SNAPSHOT))
        self.converged = self.converge()
        self.again = self.converge(again=True)
        self.resumed = self.converge()

    def converge(self, **question: Any) -> dict[str, Any]:
        """`lindos.rollout.converge` in the operator's namespace -> its answer."""
        asked = self.node.folder / "question.json"
        asked.write_text(json.dumps({"root": str(self.node.folder), **question}))
        path = f"{nodes.REPOSITORY / 'infra'}:{nodes.REPOSITORY / 'tests'}"
        done = self.node.operate(sys.executable, "-m", "roles.operate", str(asked), PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
        return {**json.loads(done.stdout), "progress": done.stderr.splitlines()}


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycle]:
    """A bare node that went through the cycle."""
    folder = tmp_path_factory.mktemp("roles")
    write_build(folder / "build" / "lab", ROLES)
    node = nodes.start(folder)
    try:
        yield Cycle(node)
    finally:
        nodes.close(node)


@pytest.fixture(scope="module")
def host(cycle: Cycle) -> Host:
    """The converged node as testinfra sees it."""
    return testinfra.get_host(f"podman://{cycle.node.name}")


@pytest.mark.parametrize("role", BUSY)
def test_a_check_on_a_bare_node_says_what_would_change(cycle: Cycle, role: str) -> None:
    assert cycle.checked["trouble"] == []
    assert _changes(cycle.checked, role) > 0


def test_a_check_writes_nothing(cycle: Cycle) -> None:
    assert cycle.written_by_check == []


@pytest.mark.parametrize("role", BUSY)
def test_a_converge_changes_the_node(cycle: Cycle, role: str) -> None:
    assert cycle.converged["trouble"] == []
    assert _changes(cycle.converged, role) > 0


@pytest.mark.parametrize("role", ROLES)
def test_a_second_converge_changes_nothing(cycle: Cycle, role: str) -> None:
    assert cycle.again["trouble"] == []
    assert cycle.again["converged"] == [HOST]
    assert [e["task"] for e in cycle.again["events"] if e["role"] == role] == []


def test_a_host_that_is_as_planned_is_not_touched(cycle: Cycle) -> None:
    assert (cycle.resumed["untouched"], cycle.resumed["converged"]) == ([HOST], [])


def test_tasks_go_through_mitogen(cycle: Cycle) -> None:
    assert not any("Mitogen" in line for line in cycle.again["progress"])


@pytest.mark.parametrize("check", CHECKS)
def test_the_node_is_as_planned(host: Host, check: Callable[[Host], None]) -> None:
    check(host)


@pytest.mark.skipif("base" not in ROLES, reason="not run: LINDOS_ROLES leaves out base")
def test_an_operator_comes_in_by_key_and_by_nothing_else(cycle: Cycle) -> None:
    ssh = ("ssh", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={cycle.node.folder / 'known_hosts'}")
    to, key = f"ada@{ADDRESS}", ("-i", str(cycle.node.folder / "key"), "-o", "IdentitiesOnly=yes")
    done = cycle.node.operate(*ssh, *key, to, "id -un; sudo -n id -un; ulimit -u")
    assert done.stdout.split() == ["ada", "root", "4000"], done.stderr
    without = cycle.node.operate(*ssh, "-o", "PubkeyAuthentication=no", to, "true")
    assert without.returncode == 255
    assert "Permission denied (publickey)" in without.stderr


@pytest.mark.skipif("reboot" not in ROLES, reason="not run: LINDOS_ROLES leaves out reboot")
def test_a_node_is_rebooted_where_people_say_so_and_no_job_runs(cycle: Cycle) -> None:
    """As far as a check goes: what a reboot of this node ends is its container."""
    assert [e["task"] for e in cycle.converged["events"] if e["role"] == "reboot"] == []
    cycle.node.sh("touch /run/reboot-required")
    wanted: dict[str, Any] = {"check": True, "tags": ["reboot"], "variables": {"reboot_wanted": True}}
    said = cycle.converge(**wanted)
    assert (said["trouble"], [e["task"] for e in said["events"] if e["status"] == "changed"]) == (
        [],
        ["Reboot, and wait"],
    )
    cycle.node.sh("cp /bin/sleep /tmp/slurmstepd; systemd-run --quiet --unit=step /tmp/slurmstepd 600")
    ((role, _, reason),) = cycle.converge(**wanted)["trouble"]
    cycle.node.sh("systemctl stop step.service; rm /run/reboot-required")
    assert role == "reboot"
    assert f"{HOST} is not rebooted: it has jobs: " in reason
    assert _changes(cycle.converge(**wanted)) == 0, "nothing asks for it any more"


@pytest.mark.skipif("reboot" not in ROLES, reason="not run: LINDOS_ROLES leaves out reboot")
def test_words_of_a_command_line_mean_what_they_say(cycle: Cycle) -> None:
    """`-e reboot_wanted=false` gives roles a word, which is no truth value."""

    def told(**words: str) -> dict[str, Any]:
        return cycle.converge(check=True, tags=["reboot"], variables=words)

    step = "cp /bin/sleep /tmp/slurmstepd; systemd-run --quiet --unit=step /tmp/slurmstepd 600"
    cycle.node.sh(f"touch /run/reboot-required; {step}")
    unwanted = told(reboot_wanted="false", reboot_despite_jobs="true")
    refused = told(reboot_wanted="true", reboot_despite_jobs="false")
    done = told(reboot_wanted="true", reboot_despite_jobs="true")
    cycle.node.sh("systemctl stop step.service; rm /run/reboot-required")
    assert (unwanted["trouble"], _changes(unwanted)) == ([], 0)
    assert "it has jobs: " in refused["trouble"][0][2]
    assert (done["trouble"], _changes(done)) == ([], 1)


@whole
def test_ansible_by_hand_works_as_well(cycle: Cycle) -> None:
    done = cycle.node.operate(
        *("ansible-playbook", "-i", "build/lab/inventory", "-i", "inventories/lab", "roles/site.yml"),
        *("--tags", "lldp,nccl"),
    )
    assert done.returncode == 0, done.stdout
    assert "changed=0 " in done.stdout
    assert "WARNING" not in done.stderr


@whole
def test_what_was_changed_by_hand_is_put_right(cycle: Cycle, host: Host) -> None:
    for command in (
        "ip address del 10.0.0.1/31 dev rail0",
        "ip rule del from 10.16.0.1 lookup 101",
        "ip link set rail1 mtu 1500",
        "ip route del 10.128.0.0/12 dev fe0",
        "sysctl --write net.ipv4.conf.rail1.arp_ignore=0",
        "sysctl --write vm.swappiness=60",
        "setpci -s 18:00.0 ECAP_ACS+6.w=001d",
        "mlnx_qos -i rail1 --trust pcp",
    ):
        host.check_output(command)
    roles = ["frontend_network", "node_tuning", "rdma_nic", "roce_qos"]
    said = cycle.converge(tags=roles)
    assert said["trouble"] == []
    assert {role for role in roles if _changes(said, role)} == set(roles)
    for role in roles:
        module = importlib.import_module(f".checks.{role}", __package__)
        for name, check in vars(module).items():
            if name.startswith("check_"):
                check(host)


@whole
def test_a_cable_that_is_out_stops_no_role(cycle: Cycle, host: Host) -> None:
    far = ("ip", "-n", cycle.node.far, "link", "set")
    nodes.run(*far, "leaf1", "down")
    nodes.run(*far, "spine0", "down")
    try:
        said = cycle.converge(tags=["frontend_network", "rdma_nic"])
        assert (said["trouble"], _changes(said)) == ([], 0)
        assert "10.16.0.1/31" in host.check_output("ip -4 address show rail1")
    finally:
        nodes.run(*far, "leaf1", "up")
        nodes.run(*far, "spine0", "up")


@whole
def test_a_dscp_goes_where_the_switches_have_it_go(cycle: Cycle, host: Host) -> None:
    """By its upper three bits DSCP 34 would be of priority 4."""
    other = {"roce_qos_dscp": 34, "roce_qos_priority": 5, "roce_qos_cnp_dscp": 10, "roce_qos_cnp_priority": 7}
    try:
        assert cycle.converge(tags=["roce_qos"], variables=other)["trouble"] == []
        shown = host.check_output("mlnx_qos -i rail1")
        for line in ("prio:5 dscp:34,", "prio:7 dscp:10,", "enabled     0   0   0   0   0   1   0   0"):
            assert line in shown
        assert host.check_output("cma_roce_tos -d mlx5_rail1") == str(34 * 4 + 2)
        assert [e["task"] for e in cycle.converge(tags=["roce_qos"], variables=other)["events"]] == []
    finally:
        assert cycle.converge(tags=["roce_qos"])["trouble"] == []


@whole
def test_ports_that_the_system_names_get_theirs_by_slot_at_the_next_boot(cycle: Cycle, host: Host) -> None:
    ports = {"rail0": "enp26s0np0", "rail1": "enp42s0np0", "fe0": "enp58s0np0"}
    roles = ["frontend_network", "rdma_nic"]
    slots: dict[str, Any] = {
        "rdma_nic_slots": {"rail0": "0000:1A:00.0", "rail1": "0000:2a:00.0"},
        "frontend_network_slots": {"fe0": "0000:3a:00.0"},
    }
    pending = host.file("/run/reboot-required").exists
    for name, other in ports.items():
        host.check_output(f"ip link set {name} down && ip link set {name} name {other}")
    try:
        host.check_output("rm -f /run/reboot-required")
        for role, names in (("rdma_nic", "rail0, rail1"), ("frontend_network", "fe0")):
            ((failed, _, reason),) = cycle.converge(tags=[role])["trouble"]
            assert failed == role
            assert f"none of {names} is here, only " in reason
            assert f"give {role}_slots in the variables of group product_smc_sys_421ge_tnhr2_lcc" in reason
        assert cycle.converge(tags=roles, variables=slots)["trouble"] == []
        assert host.file("/run/reboot-required").exists
        link = host.file("/etc/systemd/network/05-rdma-nic-rail0.link").content_string
        assert "[Match]\nPath=pci-0000:1a:00.0\n" in link
        assert "\nName=rail0\n" in link
        assert "\nName=fe0\n" in host.file("/etc/systemd/network/06-frontend-fe0.link").content_string
        assert [e["task"] for e in cycle.converge(tags=roles, variables=slots)["events"]] == []
        # After that boot nothing waits any more, and a node that still has none of them is told.
        host.check_output("rm /run/reboot-required")
        assert {role for role, *_ in cycle.converge(tags=["rdma_nic"], variables=slots)["trouble"]} == {"rdma_nic"}
    finally:
        for name, other in ports.items():
            host.check_output(f"ip link set {other} down && ip link set {other} name {name} && ip link set {name} up")
        assert cycle.converge(tags=roles)["trouble"] == []
        host.check_output("touch /run/reboot-required" if pending else "rm -f /run/reboot-required")
    assert host.run("ls /etc/systemd/network/*.link").rc != 0


@whole
def test_a_fabric_manager_of_another_release_fails_by_name(cycle: Cycle) -> None:
    said = cycle.converge(tags=["fabric_manager"], variables={"fabric_manager_version": "570.124.06"})
    ((role, _, reason),) = said["trouble"]
    assert role == "fabric_manager"
    assert f"fabric_manager_version is 570.124.06 and gpu_driver_version {DRIVER}: they must be one release" in reason
    assert any(HOST in line and "must be one release" in line for line in said["progress"])


@whole
@pytest.mark.parametrize("release", ["570.124.06", "580.65.06"])
def test_driver_and_fabric_manager_move_together(cycle: Cycle, host: Host, release: str) -> None:
    """Back to an earlier release, and on to the next branch. Last, for the node is not as planned any more."""
    said = cycle.converge(tags=["gpu_driver", "fabric_manager"], variables={"gpu_driver_version": release})
    assert said["trouble"] == []
    shown = host.check_output("nvidia-smi --query-gpu=driver_version --format=csv,noheader")
    assert set(shown.split()) == {release}
    assert host.check_output("nv-fabricmanager --version").endswith(release)
    assert host.service("nvidia-fabricmanager").is_running
    query = "dpkg-query --show --showformat '${Package}=${Version}\n' '*nvidia-*' | grep -v container"
    installed = host.check_output(query).split()
    assert {line.rpartition("=")[2] for line in installed if not line.endswith("=")} == {f"{release}-0ubuntu1"}


def _changes(said: dict[str, Any], role: str | None = None) -> int:
    return sum(e["status"] == "changed" and role in {None, e["role"]} for e in said["events"])


def _differing(before: str, after: str) -> list[str]:
    return sorted(set(before.splitlines()) ^ set(after.splitlines()))
