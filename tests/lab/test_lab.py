"""The lab as `make lab` leaves it: its ledger, its stacks, its roles, its paths, and what faults do to them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
WITH = str(ROOT / "tools" / "with-env")
SPINE = "lab-p001-spine01"
LEAF = "lab-a0001-leaf00"
NODE = "lab-a0002-r01-n02"


def lindos(*words: str, ok: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    said = subprocess.run([WITH, "lindos", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert said.returncode in ok, said.stdout + said.stderr
    return said


def inside(*words: str, ok: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """A command where the operator sits."""
    return lindos("twin", "exec", "lab", "--", *words, ok=ok)


@pytest.fixture
def healed():
    """Whatever is broken in a test is whole after it."""
    yield
    lindos("twin", "heal", "lab")


def test_the_ledger_counts_every_gpu_and_calls_doubles_by_their_name() -> None:
    book = json.loads(lindos("status", "lab", "--json").stdout)
    stages = {row["stage"]: row for row in book["stages"]}
    assert stages["designed"]["gpus"] == 32
    assert stages["validated"]["gpus"] == stages["validated"]["doubled"] == 32
    assert stages["os"]["gpus"] == 32
    assert stages["os"]["doubled"] == 0
    assert stages["schedulable"]["gpus"] == 0
    assert not stages["schedulable"]["measured"]


@pytest.mark.parametrize("stack", ["lab", "lab.a0001", "lab.oob-p001"])
def test_a_second_up_changes_nothing(stack: str) -> None:
    inside("pulumi", "preview", "-s", stack, "--refresh", "--expect-no-changes", "--non-interactive")


def test_a_node_switched_off_behind_our_back_is_drift_and_comes_back() -> None:
    """Off over Redfish by somebody else: refresh shows it, up switches it on again, and only that."""
    address = next(
        line.split(",")[3]
        for line in (ROOT / "build/lab/addresses.csv").read_text().splitlines()
        if line.startswith(f"{NODE},bmc,")
    )
    code = (
        "import os; from lindos.drivers.redfish import Bmc, set_power;"
        f"set_power(Bmc({NODE!r}, {address!r}, os.environ['LINDOS_BMC_USER'], os.environ['LINDOS_BMC_PASSWORD'],"
        " verify=False), 'Off')"
    )
    inside("python", "-c", code)
    shown = inside("pulumi", "preview", "-s", "lab.a0002", "--refresh", "--diff", "--non-interactive").stdout
    assert NODE in shown
    assert "1 to update" in shown
    said = inside("pulumi", "up", "-s", "lab.a0002", "--refresh", "--yes", "--non-interactive").stdout
    assert "1 updated" in said
    inside("lindos", "up", "lab", ok=(0, 1))
    book = json.loads(lindos("status", "lab", "--json").stdout)
    assert {row["stage"]: row["gpus"] for row in book["stages"]}["validated"] == 32


def test_plain_ansible_says_that_nothing_is_to_do() -> None:
    """The same roles without Lindos around them, in check mode, over one node."""
    said = inside(
        "ansible-playbook",
        "-i",
        "build/lab/inventory",
        "-i",
        "inventories/lab",
        "--check",
        "--limit",
        "lab-a0001-r01-n01",
        "roles/site.yml",
    ).stdout
    recap = next(line for line in said.splitlines() if line.startswith("lab-a0001-r01-n01"))
    assert "changed=0" in recap
    assert "failed=0" in recap
    assert "unreachable=0" in recap


def paths_against_the_plan(without: str | None = None) -> list[dict[str, str]]:
    """What differs between the ways packets take and those of the plan, less a switch that is down."""
    code = (
        "import json, sys; from pathlib import Path; from lindos.verify import prove_paths; from lindos.workspace import Workspace;"
        "result = prove_paths(Workspace(Path('.').resolve(), 'lab'), without=sys.argv[1:]);"
        "print(json.dumps({'checks': result.checks_run, 'findings': [f.as_dict() for f in result.findings]}))"
    )
    proof = json.loads(inside("python", "-c", code, *([without] if without else [])).stdout.splitlines()[-1])
    # 4 nodes, 8 rails each, to 8 rails of 3 others.
    assert proof["checks"] >= 4 * 8 * 3 * 8
    return [f for f in proof["findings"] if f["severity"] != "unknown"]


def settled(without: str | None = None) -> list[dict[str, str]]:
    """The same, once BGP has had its hold time and found its sessions again."""
    for _ in range(6):
        told = paths_against_the_plan(without)
        if not told:
            break
        time.sleep(5)
    return told


def test_packets_take_the_ways_of_the_plan_and_all_of_them() -> None:
    assert paths_against_the_plan() == []


@pytest.mark.usefixtures("healed")
@pytest.mark.parametrize("switch", [SPINE, LEAF])
def test_with_a_switch_down_they_take_those_that_are_left(switch: str) -> None:
    """What the plan without it predicts is what is measured: who is cut off, and over which ports the rest goes."""
    lindos("twin", "inject", "lab", "switch-down", switch)
    assert settled(without=switch) == []
    missed = {f["code"] for f in paths_against_the_plan()}
    assert "PATH-007" in missed
    assert ("PATH-001" in missed) == (switch == LEAF)


@pytest.mark.usefixtures("healed")
def test_swapped_cables_are_named_as_the_swap_they_are() -> None:
    lindos("twin", "inject", "lab", "swap-cables", "lab-a0001-r01-n01:rail2", "lab-a0001-r01-n01:rail3")
    told: list[dict[str, str]] = []
    for _ in range(12):
        # A port forgets its old neighbour after four intervals of LLDP, and until then hears both.
        said = json.loads(inside("lindos", "verify", "lab", "--json", ok=(1,)).stdout)
        told = [f for f in said["findings"] if f["code"].startswith("CABLE-") and f["severity"] == "critical"]
        if len(told) == 1 and "swapped" in told[0]["message"]:
            break
        time.sleep(10)
    assert len(told) == 1, told
    assert told[0]["message"].startswith("rails 2 and 3 swapped on lab-a0001-r01-n01")


def test_nothing_of_the_lab_is_in_the_namespace_of_this_machine() -> None:
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout)
    assert not [link["ifname"] for link in links if link["ifname"].startswith(("etp", "rail", "br-oob", "mgmt", "fe"))]
    assert os.environ.get("LINDOS_BMC_PASSWORD") is None


def machines() -> tuple[set[str], set[str]]:
    """Nodes of the twin that run, and all of them."""
    rows = [line.split() for line in lindos("twin", "status", "lab").stdout.splitlines() if " node " in line]
    return {r[0] for r in rows if r[2] == "runs"}, {r[0] for r in rows}


@pytest.mark.parametrize(
    ("lost", "faults"),
    [
        (["feed a"], [["feed-loss", "a"]]),
        (["rack lab-a0002-r01"], [["pdu-loss", "lab-a0002-r01-pdu-a1"], ["pdu-loss", "lab-a0002-r01-pdu-b1"]]),
        (["feed a", "lab-a0001-r01-pdu-b1"], [["feed-loss", "a"], ["pdu-loss", "lab-a0001-r01-pdu-b1"]]),
    ],
    ids=["a feed", "a rack", "a feed and a PDU of the other"],
)
def test_what_loses_its_power_is_what_the_sweep_says(lost: list[str], faults: list[list[str]], healed: None) -> None:
    """The twin follows the cords of its power supplies, the sweep the power train of the plan."""
    ran, all_nodes = machines()
    assert ran == all_nodes
    of = [word for component in lost for word in ("--of", component)]
    told = json.loads(lindos("check", "lab", *of, "--json").stdout)
    drops = {n["device"] for n in told["nodes"] if n["does"] == "drops"}
    for fault in faults:
        lindos("twin", "inject", "lab", *fault)
    runs, _ = machines()
    assert all_nodes - runs == drops
    assert told["loss"]["nodes_dropped"] == len(drops)
