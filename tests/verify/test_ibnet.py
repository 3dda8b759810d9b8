"""What ibnetdiscover printed, held against the plan: the same mistakes by the same names as LLDP tells them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lindos.catalogue import load_catalogue
from lindos.drivers.access import Access
from lindos.emit import artefacts
from lindos.errors import SpecError
from lindos.finding import Severity
from lindos.observation import read_guids, read_observations, write_guids
from lindos.plan import design
from lindos.spec.load import assumed_products, load_spec
from lindos.verify import run
from lindos.verify.asking import Replies
from lindos.verify.cabling import cabling
from lindos.verify.ibnet import discovered, judge, read_discovered, read_ports
from lindos.verify.site import read_site
from lindos.workspace import Workspace

HERE = Path(__file__).parent
SITE = HERE.parent / "rules" / "subnets.yaml"
NODE, LEAF, SPINE = "subnets-a0001-r01-n01", "subnets-a0001-pl1-leaf00", "subnets-p001-pl1-spine01"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("subnets")
    spec = load_spec(SITE)
    plan = design(spec, load_catalogue(assumed_products(spec)))
    for made in artefacts(plan, {}):
        path = root / "build" / "subnets" / made.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.data)
    (root / "build" / "subnets" / "manifest.json").touch()
    return Workspace(root, "subnets")


class World:
    """The InfiniBand of a site as cabled, and what ibnetdiscover prints of it."""

    def __init__(self, workspace):
        self.build = workspace.build
        self.site = read_site(workspace)
        self.planned = self.site.cables.filter(pl.col("fabric") == "rdma")
        self.number = dict(self._numbers())
        rows = self.planned.select("a_device", "a_port", "b_device", "b_port").iter_rows()
        self.cables = {(a, p): (b, q) for a, p, b, q in rows}
        self.described = {}
        self.rate = "4xNDR"
        self.guids = {}
        self.asics = 1

    def _numbers(self):
        for (device, number), port in read_ports(self.build).items():
            yield (device, port), number

    def _key(self, device, number, asic):
        """What a node is by, as the subnet has it: a switch by itself, a node by its RDMA device."""
        name = device if number.isdigit() else f"{device} {number}"
        guid = self.guids.setdefault((name, asic), f"{0xB0CF0E0300000000 + len(self.guids):016x}")
        said = self.described.get(name, f"MF0;{name}:TINY/U{asic}" if number.isdigit() else name)
        return ("S" if number.isdigit() else "H", guid, said)

    def text(self):
        """Both planes as printed: a section a node."""
        nodes = {}
        for asic in range(1, self.asics + 1):
            for near, far in [*self.cables.items(), *((b, a) for a, b in self.cables.items())]:
                (kind, guid, said), (far_kind, far_guid, far_said) = (
                    self._key(device, self.number[device, port], asic) for device, port in (near, far)
                )
                mine, theirs = (n if n.isdigit() else "1" for n in (self.number[near], self.number[far]))
                head = f'{"Switch" if kind == "S" else "Ca"}\t65 "{kind}-{guid}"\t\t# "{said}"'
                own, lids = (f"[{mine}]", "") if kind == "S" else (f"[{mine}]({guid})", "lid 5 lmc 0 ")
                peer = f'"{far_kind}-{far_guid}"[{theirs}]' + (f"({far_guid})" if far_kind == "H" else "")
                nodes.setdefault(head, []).append(f'{own}\t{peer}\t\t# {lids}"{far_said}" lid 3 {self.rate}')
        return "\n\n".join("\n".join([head, *lines]) for head, lines in nodes.items())

    def found(self, guids=None):
        return discovered([self.text()], read_ports(self.build), guids or {})

    def says(self, guids=None):
        found = self.found(guids)
        cables = cabling(self.planned, found.heard, racks=self.site.racks())
        return [*cables.findings, *judge(found, self.planned, guids or {})]


@pytest.fixture
def world(workspace):
    return World(workspace)


def test_as_planned_is_no_finding(world):
    assert world.says() == []
    found = world.found()
    assert found.strangers == ()
    assert len(found.guids) == 20 + 24, "20 switches, 24 RDMA devices"
    assert f"{NODE} mlx5_rail0p1" in found.guids


def test_swapped_rails_are_named(world):
    one, other = (NODE, "rail0p1"), (NODE, "rail1p1")
    world.cables[one], world.cables[other] = world.cables[other], world.cables[one]
    (said,) = world.says()
    assert said.code == "CABLE-001"
    assert "rail" in said.message


def test_a_cable_in_the_other_port_of_a_cage_is_named(world):
    one, other = (LEAF, "IB1/3/1"), (LEAF, "IB1/3/2")
    world.cables[one], world.cables[other] = world.cables[other], world.cables[one]
    (said,) = world.says()
    assert (said.code, said.severity) == ("CABLE-001", Severity.CRITICAL)


def test_a_node_that_is_not_there_is_told_once(world):
    world.cables = {a: b for a, b in world.cables.items() if a[0] != NODE}
    said = world.says()
    assert {f.code for f in said} <= {"CABLE-005", "CABLE-011"}
    assert said


def test_a_link_that_lost_lanes_is_told(world):
    world.rate = "2xNDR"
    said = world.says()
    assert {f.code for f in said} == {"IBNET-001"}
    assert "runs at 200 of 400 Gb/s" in said[0].message
    assert len(said) == 72


def test_the_asics_of_a_switch_are_one_switch(world):
    """A cable of XDR runs over four of them, a quarter each."""
    world.asics, world.rate = 4, "1xNDR"
    assert world.says() == []


def test_descriptions_of_other_forms_are_understood(world):
    world.described = {
        LEAF: LEAF,
        SPINE: f"MF0;{SPINE}.example.com:MQM9700/U1",
        f"{NODE} mlx5_rail0p1": f"{NODE} HCA-2",
        f"{NODE} mlx5_rail1p1": f"{NODE}.example.com mlx5_3",
    }
    assert world.says() == []


def test_who_says_nothing_is_known_by_its_guid(world):
    seen = world.found().guids
    world.described = {
        LEAF: "Quantum-2 Mellanox Technologies",
        f"{NODE} mlx5_rail0p1": "ConnectX7 Mellanox Technologies",
    }
    strange = {f.subject for f in world.says() if f.code == "IBNET-003"}
    assert strange == set(world.described.values())
    assert world.says(seen) == []


def test_an_exchanged_switch_is_told(world):
    seen = world.found().guids | {LEAF: "0xdead"}
    (said,) = world.says(seen)
    assert (said.code, said.subject) == ("IBNET-002", LEAF)


def test_captured_output_is_read():
    """A QM9700 whose cages are split in four, with its aggregation node; GUIDs are made up."""
    text = (HERE / "captured_ibnetdiscover.txt").read_text()
    switch = "CNTSN-POD229-QM97-IB-02"
    ports = {(switch, "1"): "IB1/1/1", ("tj01-4090-node005", "mlx5_2"): "rail2"}
    found = discovered([text], ports, {})
    assert (switch, "IB1/1/1", "tj01-4090-node005", "rail2") in found.heard.rows()
    assert ("tj01-4090-node005", "rail2", switch, "IB1/1/1") in found.heard.rows()
    assert (switch, "port 2", "tj01-4090-node004", "mlx5_2") in found.heard.rows()
    assert found.heard.height == 4
    assert found.guids == {switch: "0x9c0591030085f0c0", "tj01-4090-node005 mlx5_2": "0xb83fd2030099a0b0"}
    assert found.strangers == ("tj01-4090-node004 mlx5_2",)
    assert found.rates[switch, "IB1/1/1"] == 200


def test_a_host_that_manages_the_subnet_is_no_stranger():
    text = (HERE / "captured_ibnetdiscover.txt").read_text()
    managers = frozenset({"tj01-4090-node004"})
    found = discovered([text], {("CNTSN-POD229-QM97-IB-02", "1"): "IB1/1/1"}, {}, managers)
    assert found.strangers == ("tj01-4090-node005 mlx5_2",)


@pytest.mark.parametrize(("text", "told"), [("nothing here", "no output of ibnetdiscover"), (None, "cannot be read")])
def test_what_is_no_such_file_is_told(tmp_path, text, told):
    file = tmp_path / "it"
    if text:
        file.write_text(text)
    with pytest.raises(SpecError, match=told):
        read_discovered(tmp_path, [str(file)], {})


def test_guids_are_kept_beside_what_else_was_observed(tmp_path):
    path = tmp_path / "observed.json"
    assert read_guids(path) == {}
    path.write_text('{"macs": {"a": "b"}}')
    write_guids(path, {"b": "0x2", "a": "0x1"})
    assert read_guids(path) == {"a": "0x1", "b": "0x2"}
    assert '"macs"' in path.read_text()


@pytest.fixture
def nobody(monkeypatch, zipapp):
    """Nobody answers over SSH, so that what remains is the subnets'."""
    monkeypatch.setattr(run, "build", lambda _: zipapp)
    monkeypatch.setattr(run, "ask", lambda *_, **__: Replies())
    monkeypatch.setattr(run, "_forwarded", lambda *_: run._Told([], []))
    monkeypatch.setattr(run, "probe", lambda *_: ({}, {}))


def cabled(workspace):
    seen = read_observations(workspace.evidence / "verify.jsonl")
    return {o.device: (o.seen, o.detail) for o in seen if o.what == "cabled"}


def test_without_discovery_cables_of_infiniband_are_not_measured(workspace, nobody):
    result = run.verify(workspace, access=Access({}))
    assert ("IBNET-004", Severity.UNKNOWN) in {(f.code, f.severity) for f in result.findings}
    assert {f.code for f in result.findings if f.code.startswith("CABLE")} <= {"CABLE-010", "CABLE-011"}
    assert cabled(workspace)[NODE][0] is None


def test_with_discovery_a_node_is_cabled_as_far_as_it_is(workspace, world, nobody):
    one, other = (NODE, "rail0p1"), (NODE, "rail1p1")
    world.cables[one], world.cables[other] = world.cables[other], world.cables[one]
    result = run.verify(workspace, access=Access({}), ibnet=world.found())
    assert "CABLE-001" in {f.code for f in result.findings}
    seen, why = cabled(workspace)[NODE]
    assert seen is False
    assert "CABLE-001" in why
