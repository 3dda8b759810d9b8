"""A whole look at a site: the lab as committed, its nodes as hosts on loopback, its switches and BMCs as they answer."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from fake_host import EXPECTED, HOST, FakeHost, healthy

from lindos.drivers.access import Access
from lindos.drivers.redfish_documents import Power, SystemState
from lindos.drivers.ssh import Host
from lindos.errors import DriverError
from lindos.finding import Finding, Severity
from lindos.ledger import read_ledger
from lindos.observation import Observation, read_observations
from lindos.verify import asking, hosts, run, verify
from lindos.verify.asking import Replies
from lindos.verify.codes import CODES
from lindos.verify.hosts import HostResult
from lindos.verify.routes import forwarding
from lindos.workspace import Workspace

GOLDEN = Path(__file__).parents[1] / "golden" / "lab"
N1, N2 = "lab-a0001-r01-n01", "lab-a0001-r01-n02"
ACCESS = Access({"LINDOS_BMC_USER": "u", "LINDOS_BMC_PASSWORD": "p"})


@pytest.fixture
def lab(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "build" / "lab")
    (tmp_path / "build" / "lab" / "manifest.json").touch()
    return Workspace(tmp_path, "lab")


def state(node):
    dell = "a0002" in node
    return SystemState(
        power=Power.ON,
        manufacturer="Dell Inc." if dell else "Supermicro",
        model="PowerEdge XE9680" if dell else "SYS-421GE-TNHR2-LCC",
        serial=node,
        health="OK",
        bmc_firmware="1",
        path="/",
        reset_types=(),
        doubled=True,
    )


class World:
    """A hall that is as planned, until a test changes something."""

    def __init__(self) -> None:
        rows = pl.read_csv(GOLDEN / "cables.csv").filter(~pl.col("a_port").is_in(["bmc"]))
        self.cables = {
            (a, p): (b, q) for a, p, b, q in rows.select("a_device", "a_port", "b_device", "b_port").iter_rows()
        }
        self.silent: dict[tuple[str, str], DriverError] = {}
        self.bmc = state
        self.findings: dict[str, list[Finding]] = {}
        self.lost: set[str] = set()
        self.asked_paths: dict = {}
        self.asked_routes: dict = {}
        self.unused: set[str] = set()

    def heard(self, device):
        pairs = [(x, y) for a, b in self.cables.items() for x, y in ((a, b), (b, a))]
        dark = {d for (kind, d), e in self.silent.items() if kind != "bmc" and e.tried.startswith("log in")}
        return tuple((*x, *y) for x, y in pairs if x[0] == device and y[0] not in dark)

    def result(self, host, wanted):
        rails = [n["name"] for n in wanted["nics"] if n["purpose"] == "rail"]
        return HostResult(
            host=host,
            findings=tuple(self.findings.get(host, ())),
            observations=tuple(Observation(host, what, seen=True) for what in ("os", "driver", "validated")),
            checks=40,
            neighbours=self.heard(host),
            doubled=False,
            shipped=False,
            passed=frozenset(("HOST-022", f"{host}:{r}") for r in rails if f"{host}:{r}" not in self.lost),
        )

    def ask(self, site, access, zipapp, progress, *, measure=False):
        replies = Replies(silent=self.silent)
        self.measured = measure
        for host, wanted in site.expect.items():
            if ("host", host) not in self.silent:
                replies.hosts[host] = self.result(host, wanted)
            if ("bmc", host) not in self.silent and access.knows_bmcs:
                replies.bmcs[host] = self.bmc(host)
        for switch in site.switches():
            if ("switch", switch) not in self.silent:
                replies.switches[switch] = self.heard(switch)
        return replies

    def probe(self, site, access, zipapp, wanted, read, progress):
        self.asked_paths = wanted
        fine = {
            node: read({"pings": [[s, d, 0.1, None] for s, d in request["pings"]], "traces": [], "errors": {}})
            for node, request in wanted.items()
        }
        return fine, {}

    def ask_routes(self, site, access, wanted, progress):
        routes = {}
        for switch, leaves in wanted.items():
            plan = forwarding(site.cables, *site.devices.filter(device=switch)["fabric"])
            routes[switch] = {leaf: plan.ports(switch, leaf) - self.unused for leaf in leaves}
        self.asked_routes |= routes
        return routes, {}


@pytest.fixture
def world(monkeypatch, zipapp):
    made = World()
    monkeypatch.setattr(run, "build", lambda _: zipapp)
    monkeypatch.setattr(run, "ask", made.ask)
    monkeypatch.setattr(run, "probe", made.probe)
    monkeypatch.setattr(run, "ask_routes", made.ask_routes)
    return made


def codes(result, *without):
    return [f.code for f in result.findings if f.code not in {"CABLE-010", *without}]


def reached(lab, stage):
    gpus = pl.DataFrame(
        [
            (f"{n}-g{i}", n, i)
            for path in (lab.build / "expect").glob("*.json")
            for n in json.loads(path.read_text())
            for i in range(8)
        ],
        schema={"gpu": pl.String, "device": pl.String, "index": pl.UInt8},
        orient="row",
    )
    return next(r for r in read_ledger(gpus, lab.evidence).rows if r.stage == stage)


def error(device, tried="log in over SSH at 192.0.2.1:22 as root", said="timed out"):
    return DriverError(device, tried, said, retryable=True)


def test_a_hall_as_planned(lab, world):
    result = verify(lab, access=ACCESS)
    assert codes(result) == []
    # Of every fabric that has more than one leaf: RDMA and out-of-band.
    assert {"lab-a0001-leaf00", "lab-p001-spine02", "lab-p001-oob01"} <= set(world.asked_routes)

    assert reached(lab, "validated").gpus == 32
    assert reached(lab, "bmc").doubled == 32
    assert reached(lab, "schedulable").gpus == 0
    pings = sum(len(r["pings"]) for r in world.asked_paths.values())
    assert pings == 4 * 3 * 8 * 8
    routes = sum(len(leaves) for leaves in world.asked_routes.values())
    assert result.checks_run == 4 * 40 + 4 + 88 + pings + routes


def test_a_switch_that_uses_some_of_its_uplinks_is_told_and_one_that_is_silent_is_not_asked(lab, world):
    world.silent["switch", "lab-a0002-leaf00"] = error("lab-a0002-leaf00")
    world.unused = {"etp9"}
    told = [f for f in verify(lab, access=ACCESS).findings if f.code == "PATH-007"]
    assert "lab-a0001-leaf00" in {f.subject for f in told}
    assert all("but not over etp9" in f.message for f in told)
    assert "lab-a0002-leaf00" not in world.asked_routes


def test_cables_that_send_no_lldp_are_told_as_not_measured(lab, world):
    found = [f for f in verify(lab, access=ACCESS).findings if f.code == "CABLE-010"]
    assert [(f.severity, f.subject) for f in found] == [(Severity.UNKNOWN, "ports without LLDP")]


def test_a_node_that_does_not_answer_holds_up_nobody(lab, world):
    world.silent[("host", N1)] = error(N1)
    result = verify(lab, access=ACCESS)
    (found,) = [f for f in result.findings if f.code != "CABLE-010"]
    assert (found.code, found.subject) == ("REACH-001", N1)
    assert "timed out" in found.message
    assert found.message.endswith("; is dark: heard on none of its 10 cables")
    assert reached(lab, "os").gpus == 24
    assert N1 not in world.asked_paths


def test_a_node_on_which_the_checks_do_not_run(lab, world):
    world.silent[("host", N1)] = error(N1, "run the checks", "exit 127, said: python3: not found")
    found = next(f for f in verify(lab, access=ACCESS).findings if f.subject == N1)
    assert found.code == "REACH-002"
    assert reached(lab, "os").not_measured == 8


def test_a_node_that_is_off_is_told_once(lab, world):
    world.silent[("host", N1)] = error(N1)
    world.bmc = lambda node: replace(state(node), power=Power.OFF if node == N1 else Power.ON)
    result = verify(lab, access=ACCESS)
    assert [(f.code, f.subject) for f in result.findings if f.code != "CABLE-010"] == [("BMC-004", N1)]
    assert reached(lab, "powered").gpus == 24


def test_a_dead_bmc_of_a_node_that_runs(lab, world):
    world.silent[("bmc", N1)] = error(N1, "read /redfish/v1/", "no answer")
    assert codes(verify(lab, access=ACCESS)) == ["BMC-001"]
    assert (reached(lab, "powered").gpus, reached(lab, "bmc").gpus) == (32, 24)


def test_no_bmc_is_asked_without_credentials(lab, world):
    result = verify(lab, access=Access({}))
    (found,) = [f for f in result.findings if f.code.startswith("REACH")]
    assert (found.code, found.severity) == ("REACH-004", Severity.UNKNOWN)
    assert not reached(lab, "bmc").measured


def test_swapped_rails_are_told_as_rails_and_keep_the_node_from_cabled(lab, world):
    a, b = (N2, "rail3"), (N2, "rail4")
    world.cables[a], world.cables[b] = world.cables[b], world.cables[a]
    noise = Finding("HOST-050", Severity.CRITICAL, f"{N2}:rail3", "hears another")
    world.findings[N2] = [noise]
    result = verify(lab, access=ACCESS)
    (found,) = [f for f in result.findings if f.code != "CABLE-010"]
    assert found.message == f"rails 3 and 4 swapped on {N2}: 2 moves"
    assert reached(lab, "cabled").gpus == 24


def test_a_dead_leaf_is_told_once_and_blocks_its_nodes(lab, world):
    leaf = "lab-a0002-leaf01"
    world.silent[("switch", leaf)] = error(leaf)
    result = verify(lab, access=ACCESS)
    (found,) = [f for f in result.findings if f.code != "CABLE-010"]
    assert (found.code, found.subject) == ("REACH-003", leaf)
    assert found.message.endswith("is dark: heard on none of its 17 cables")
    assert reached(lab, "cabled").gpus == 16


def test_rails_whose_leaf_does_not_answer_are_not_asked_further(lab, world):
    world.lost = {f"{N1}:rail3"}
    verify(lab, access=ACCESS)
    assert len(world.asked_paths[N1]["pings"]) == 3 * 7 * 8
    assert len(world.asked_paths[N2]["pings"]) == 2 * 8 * 8 + 8 * 7


def test_a_look_at_one_host_keeps_what_is_known_of_the_others(lab, world):
    world.findings[N2] = [Finding("HOST-003", Severity.CRITICAL, N2, "expected driver 2, seen 1")]
    verify(lab, access=ACCESS)
    world.silent[("host", N1)] = error(N1)
    del world.findings[N2]
    result = verify(lab, hosts=[N1], access=ACCESS)
    assert codes(result) == ["REACH-001"]
    kept = json.loads((lab.evidence / "findings" / "verify.json").read_text())
    assert {(f["code"], f["subject"]) for f in kept if f["code"] != "CABLE-010"} == {
        ("REACH-001", N1),
        ("HOST-003", N2),
    }
    os_of = {o.device: o.seen for o in read_observations(lab.evidence / "verify.jsonl") if o.what == "os"}
    assert os_of == {N1: False, N2: True, "lab-a0002-r01-n01": True, "lab-a0002-r01-n02": True}


def test_a_look_at_one_host_takes_over_no_findings_of_others_who_look(lab, world):
    """Theirs are in a file of their own: copied, they would outlive it."""
    verify(lab, access=ACCESS)
    theirs = [Finding("X-001", Severity.CRITICAL, N2, "seen by another").as_dict()]
    (lab.evidence / "findings" / "other.json").write_text(json.dumps(theirs))
    verify(lab, hosts=[N1], access=ACCESS)
    kept = json.loads((lab.evidence / "findings" / "verify.json").read_text())
    assert "X-001" not in {f["code"] for f in kept}


def test_a_look_at_one_host_does_not_find_the_others_cables_strange(lab, world):
    assert codes(verify(lab, hosts=[N1], access=ACCESS)) == []


def test_every_code_that_is_told_is_explained():
    assert all(sentence.endswith(".") for sentence in CODES.values())
    told = set()
    for path in (Path(run.__file__).parent).rglob("*.py"):
        told |= {
            w.strip('"') for w in path.read_text().replace(",", " ").replace("(", " ").split() if w.startswith('"')
        }
    assert {w for w in told if w[:-3] in {"BMC-", "CABLE-", "HOST-", "PATH-", "REACH-"}} <= set(CODES)


class TestOneHost:
    """check_host against a machine that speaks SSH and has the tools."""

    @pytest.fixture
    def host(self, box, tmp_path, monkeypatch):
        monkeypatch.setattr(hosts, "PLACE", str(tmp_path / "remote" / "verify.pyz"))
        FakeHost().write(box.tools)
        return Host(HOST, box.address, key=box.key)

    def test_the_suite_is_put_there_once_and_then_it_is_one_command(self, host, box, zipapp):
        first = hosts.check_host(host, EXPECTED, zipapp)
        assert first.shipped
        box.commands.clear()
        second = hosts.check_host(host, EXPECTED, zipapp)
        assert not second.shipped
        assert len(box.commands) == 1
        assert second.findings == ()
        assert replace(second, shipped=True) == first

    def test_another_version_takes_the_place_of_the_last(self, host, box, zipapp):
        place = Path(hosts.PLACE)
        place.parent.mkdir()
        place.write_bytes(b"older")
        assert hosts.check_host(host, EXPECTED, zipapp).shipped
        assert place.read_bytes() == zipapp.data

    def test_findings_and_neighbours_come_back(self, host, box, zipapp):
        FakeHost(healthy() | {"cat /run/reboot-required": (0, "yes")}).write(box.tools)
        result = hosts.check_host(host, EXPECTED, zipapp)
        assert [(f.code, f.severity) for f in result.findings] == [("HOST-042", Severity.WARNING)]
        assert (HOST, "rail0", "x-a0001-leaf00", "etp1") in result.neighbours
        assert ("HOST-022", f"{HOST}:rail0") in result.passed

    def test_a_host_without_python_says_so(self, host, box, zipapp):
        box.tool("python3", "echo 'sh: 1: exec: python3: not found' >&2; exit 127\n")
        with pytest.raises(DriverError, match="exit 127") as told:
            hosts.check_host(host, EXPECTED, zipapp)
        assert told.value.problems[0].hint == "the checks need python3 on the host"

    def test_a_result_that_is_none_is_an_error(self, host, box, zipapp):
        box.tool("python3", "echo '{}'\n")
        with pytest.raises(DriverError, match="its result is not understood"):
            hosts.check_host(host, EXPECTED, zipapp)

    def test_the_prober_runs_there_too(self, host, zipapp):
        request = {
            "pings": [["127.0.0.1", "127.0.0.2"]],
            "traces": [],
            "bytes": 1500,
            "max_ttl": 2,
            "rounds": 1,
            "wait_s": 1.0,
        }
        answer = hosts.probe_host(host, request, zipapp)
        assert answer["pings"][0][2] is not None

    def test_a_switch_tells_its_neighbours(self, host):
        assert (HOST, "fe0", "x-fe-leaf0001", "etp1") in hosts.read_neighbours(host)

    def test_all_are_asked_and_the_silent_are_named(self, lab, host, box, zipapp, monkeypatch):
        site = run.read_site(lab)
        at = {N1: box.address, "lab-a0001-leaf00": box.address}
        monkeypatch.setattr(type(site), "management", lambda _: at)
        monkeypatch.setattr(asking, "RETRY", asking.runner.ONCE)
        access = Access({"LINDOS_SSH_KEY": str(box.key)})
        said = []
        replies = asking.ask(site, access, zipapp, said.append)
        assert set(replies.hosts) == {N1}
        assert set(replies.switches) == {"lab-a0001-leaf00"}
        at[N1] = "127.0.0.1:1"
        replies = asking.ask(site, access, zipapp, said.append)
        assert set(replies.silent) == {("host", N1)}
        assert any(N1 in line for line in said)


def test_rates_are_measured_where_that_is_asked_for(lab, world):
    verify(lab, access=ACCESS)
    assert not world.measured
    verify(lab, access=ACCESS, measure=True)
    assert world.measured
