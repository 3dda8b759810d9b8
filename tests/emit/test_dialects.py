"""Three dialects say the same, and what they say is the plan: read back, compared with its tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
import yaml
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.check import check
from lindos.drivers.nos import FILES
from lindos.emit.artefacts import artefacts, work
from lindos.emit.dialects import ALWAYS, DIALECTS, switches
from lindos.emit.intent import HARDWARE, SOFTWARE
from lindos.emit.inventory import lossless
from lindos.emit.write import write_build
from lindos.errors import CatalogueError
from lindos.finding import Severity
from lindos.plan import Plan, design
from lindos.plan.switches import cages
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec
from lindos.workspace import Workspace

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SITE = YAML(typ="safe", pure=True).load((HERE / "dialects" / "site.yaml").read_text())
GOLDEN = ROOT / "tests" / "golden" / "demo"
SHOWN = ("demo-a0001-leaf00", "demo-p001-oob01")


def planned(**changes: Any) -> Plan:
    spec = Spec.model_validate(merge(SITE, changes))
    return design(spec, load_catalogue(assumed_products(spec)))


class Said(NamedTuple):
    """What a file says of one port: its address, and the peer and ASN at the far end; of a bridged one nothing.

    Of an unnumbered one, that the peer is whoever stands at the far end, in another AS.
    """

    address: str | None
    peer: str | None
    asn: int | None


Ports = dict[str, Said]
BARE = Said(None, "external", None)


def expected(plan: Plan) -> dict[str, Ports]:
    """The tables of the plan -> what is to be said of every port of every switch."""
    boxes = set(plan.devices.filter(pl.col("kind") == "switch")["device"])
    spots = {
        (d, p): f"{a}/{n}" for d, p, a, n in plan.addresses.select("device", "port", "address", "prefix_len").rows()
    }
    asns = dict(plan.asns.iter_rows())
    bare = set(plan.fabrics.filter("unnumbered")["fabric"])
    out: dict[str, Ports] = {}
    for fabric, tier, *ends in plan.links.select("fabric", "tier", "a_device", "a_port", "b_device", "b_port").rows():
        for device, port, far, far_port in (ends, [*ends[2:], *ends[:2]]):
            if device not in boxes or port == "eth0":
                continue
            peer = spots[far, far_port].split("/")[0] if tier != "node_leaf" and fabric not in bare else None
            said = (
                BARE
                if fabric in bare and tier != "node_leaf"
                else Said(spots.get((device, port)), peer, asns[far] if peer else None)
            )
            assert port not in out.setdefault(device, {})
            out[device][port] = said
    return out


def from_sonic(files: dict[str, str]) -> Ports:
    d = json.loads(files["config_db.json"])
    address = {k.split("|")[0]: k.split("|")[1] for k in d.get("INTERFACE", {}) if "|" in k}
    neighbours = d.get("BGP_NEIGHBOR", {})
    peers = {n["local_addr"]: (far, int(n["asn"])) for far, n in neighbours.items() if "|" not in far}
    bare = {far.split("|")[1]: n["peer_type"] for far, n in neighbours.items() if "|" in far}
    members = {k.split("|")[1] for k in d.get("VLAN_MEMBER", {})}
    out: Ports = {}
    for name, row in d["PORT"].items():
        if row["admin_status"] == "up":
            assert [name in address, name in members, name in bare].count(True) == 1
            if name in bare:
                out[row["alias"]] = Said(None, bare.pop(name), None)
                continue
            spot = address.get(name)
            out[row["alias"]] = Said(spot, *peers.pop(spot.split("/")[0] if spot else "", (None, None)))
    assert not peers
    assert not bare
    assert len(out) == sum(row["admin_status"] == "up" for row in d["PORT"].values())
    return out


def from_cumulus(files: dict[str, str]) -> Ports:
    told = yaml.load(files["nvue.yaml"], Loader=yaml.CSafeLoader)[0]["set"]
    neighbours = told.get("vrf", {}).get("default", {}).get("router", {}).get("bgp", {}).get("neighbor", {})
    waiting = dict(neighbours)
    out: Ports = {}
    for name, row in told["interface"].items():
        found = re.fullmatch(r"swp(\d+)(?:s(\d))?", name)
        if found is None or "breakout" in row["link"]:
            continue
        alias = f"etp{found[1]}{'abcdefgh'[int(found[2])] if found[2] else ''}"
        spot = next(iter(row["ip"]["address"])) if "ip" in row else None
        if waiting.get(name, {}).get("type") == "unnumbered":
            out[alias] = Said(spot, waiting.pop(name)["remote-as"], None)
            continue
        assert (spot is None) == ("bridge" in row)
        far = next((a for a, n in neighbours.items() if n["description"] == row["description"]), None)
        asn = waiting.pop(far)["remote-as"] if far else None
        out[alias] = Said(spot, far, asn)
    assert not waiting
    return out


def from_frr(files: dict[str, str]) -> Ports:
    blocks = re.findall(r"^iface (\S+)\n((?: +.*\n)+)", files["interfaces"], re.MULTILINE)
    address = {n: re.search(r"address (\S+)", b)[1] for n, b in blocks if "address" in b}  # type: ignore[index]
    asn = {a: int(n) for a, n in re.findall(r"neighbor (\S+) remote-as (\d+)", files["frr.conf"])}
    peers = {d: a for a, d in re.findall(r"neighbor (\S+) description (\S+)", files["frr.conf"])}
    group = re.search(r"neighbor FABRIC remote-as (\S+)", files["frr.conf"])
    bare = set(re.findall(r"neighbor (\S+) interface peer-group FABRIC", files["frr.conf"]))
    out: Ports = {}
    for name, far in re.findall(r"^interface (\S+)\n description (\S+)", files["frr.conf"], re.MULTILINE):
        if group and name in bare:
            assert peers.pop(far) == name
            out[name] = Said(address.get(name), group[1], None)
            continue
        peer = peers.pop(far, None)
        out[name] = Said(address.get(name), peer, asn.pop(peer) if peer else None)
    assert not peers
    assert not asn
    return out


READ = {"sonic": from_sonic, "cumulus": from_cumulus, "frr": from_frr}


def said(plan: Plan, dialect: str) -> dict[str, Ports]:
    files: dict[str, dict[str, str]] = {}
    for artefact in switches(plan, [dialect]):
        _, device, name = artefact.path.split("/")
        files.setdefault(device, {})[name] = artefact.data.decode()
    return {device: READ[dialect](mine) for device, mine in files.items()}


@pytest.mark.parametrize(
    ("gpus", "rails", "uplinks", "oversubscription"), [(8, 8, 1, 1), (40, 2, 3, 2), (48, 1, 4, 1), (32, 4, 2, 4)]
)
def test_three_dialects_say_what_the_plan_says(gpus: int, rails: int, uplinks: int, oversubscription: int) -> None:
    """Every port of the plan once in each dialect, with the same address, peer and ASN."""
    fleet = SITE["compute"]["fleets"][0] | {"gpus": gpus}
    plan = planned(
        compute={"fleets": [fleet]},
        fabrics={
            "rdma": {"rails_per_leaf": rails, "oversubscription": oversubscription}, "oob": {"uplinks": uplinks},
        },
    )  # fmt: skip
    wanted = expected(plan)
    for dialect in DIALECTS:
        assert said(plan, dialect) == wanted, dialect


@pytest.mark.parametrize("bare", [("rdma",), ("oob", "frontend"), ("rdma", "frontend", "oob")])
def test_three_dialects_say_the_same_of_links_without_addresses(bare: tuple[str, ...]) -> None:
    plan = planned(fabrics={name: {"bgp": "unnumbered"} for name in bare})
    wanted = expected(plan)
    assert BARE in {said for ports in wanted.values() for said in ports.values()}
    for dialect in DIALECTS:
        assert said(plan, dialect) == wanted, dialect
    assert not [f for f in check(plan) if f.severity is Severity.CRITICAL]


def test_times_are_told_from_one_place() -> None:
    plan = planned(fabrics={"rdma": {"bgp": "unnumbered"}})
    files = {a.path.rsplit("/", 1)[1]: a.data.decode() for a in switches(plan, DIALECTS) if "a0001-leaf00" in a.path}
    group = json.loads(files["config_db.json"])["BGP_PEER_GROUP"]["default|FABRIC"]
    nvue = yaml.load(files["nvue.yaml"], Loader=yaml.CSafeLoader)[0]["set"]["vrf"]["default"]["router"]["bgp"]
    cumulus = nvue["peer-group"]["fabric"]
    for times in (group["keepalive"], group["holdtime"]), tuple(str(v) for v in cumulus["timers"].values())[::-1]:
        assert times == (str(HARDWARE.keepalive_s), str(HARDWARE.hold_s))
    assert cumulus["bfd"]["min-rx-interval"] == int(group["required_minimum_receive"]) == HARDWARE.every_ms
    assert f"  receive-interval {SOFTWARE.every_ms}\n" in files["frr.conf"]
    assert "bfdd=yes" in files["daemons"]


@pytest.mark.parametrize("product", ["sn5600"])
@pytest.mark.parametrize(("gbps", "hwsku"), [(400, "Mellanox-SN5600-O128")])
def test_the_hardware_sku_follows_product_and_speed(product: str, gbps: int, hwsku: str) -> None:
    plan = planned(fabrics={"rdma": {"switch": product, "port_gbps": gbps}})
    boxes = plan.switches.join(plan.devices.filter(pl.col("fabric") == "rdma"), on="device", how="semi")
    assert set(boxes["hwsku"]) == {hwsku}
    assert set(boxes["nos"]) == {"sonic"}


@pytest.mark.parametrize(
    ("product", "cage", "parts", "port", "lane", "mode"),
    [
        ("sn5640", 13, 2, 96, 96, "2x400G[200G]"),
        ("sn5640", 28, 8, 216, 216, "8x100G[50G]"),
        ("sn5610", 33, 4, 256, 256, "4x200G[100G]"),
    ],
)
def test_cages_are_numbered_as_platform_json_numbers_them(
    product: str, cage: int, parts: int, port: int, lane: int, mode: str
) -> None:
    row = cages(load_catalogue(), pl.DataFrame({"product": [product]})).filter(cage=cage, lane_groups=parts)
    assert row.select("sonic_port", "sonic_lane", "lanes", "mode").rows() == [(port, lane, 8, mode)]


def test_the_site_file_chooses_the_operating_system() -> None:
    plan = planned(fabrics={"rdma": {"nos": "cumulus"}, "oob": {"nos": "frr"}})
    homes = plan.switches.join(plan.devices.select("device", "fabric"), on="device")
    assert dict(homes.select("fabric", pl.col("nos").cast(pl.String)).unique().iter_rows()) == {
        "rdma": "cumulus", "frontend": "sonic", "oob": "frr",
    }  # fmt: skip
    names: dict[str, set[str]] = {}
    for artefact in switches(plan):
        _, device, name = artefact.path.split("/")
        names.setdefault(device, set()).add(name)
    for device, nos in plan.switches.select("device", pl.col("nos").cast(pl.String)).iter_rows():
        assert names[device] == {*DIALECTS[nos].files, *DIALECTS[ALWAYS].files}


def test_sonic_on_a_product_that_it_does_not_know_names_the_facts() -> None:
    mine = {"switch": "arista_7060x6_64pe", "port_gbps": 400, "nos": "sonic"}
    facts = {"power_w_max": 2000, "power_w_typical": 900, "psu": {"count": 2, "needed": 1}}
    said_so = [*SITE["assumptions"], {"product": "arista_7060x6_64pe", "reason": "only for this test", "facts": facts}]
    with pytest.raises(CatalogueError) as raised:
        planned(fabrics={"rdma": mine}, assumptions=said_so)
    told = raised.value.render()
    for fact in ("sonic_platform", "sonic_hwsku.400", "sonic_ports"):
        assert f"switch 'arista_7060x6_64pe': {fact} is not known" in told


def test_hosts_are_told_what_switches_are() -> None:
    plan = planned(fabrics={"rdma": {"roce": {"priority": 4, "dscp": 34, "cnp_priority": 5, "cnp_dscp": 40}}})
    assert lossless(plan) == {
        "roce_qos_priority": 4, "roce_qos_dscp": 34, "roce_qos_cnp_priority": 5, "roce_qos_cnp_dscp": 40,
        "nccl_ib_traffic_class": 34 * 4 + 2, "nccl_parameters": {"IB_ADAPTIVE_ROUTING": 1},
    }  # fmt: skip
    files = {a.path: a.data.decode() for a in switches(plan, ["sonic", "cumulus"])}
    d = json.loads(files["switches/demo-a0001-leaf00/config_db.json"])
    assert d["DSCP_TO_TC_MAP"]["ROCE"]["34"] == "4"
    assert d["DSCP_TO_TC_MAP"]["ROCE"]["26"] == "0"
    assert d["PORT_QOS_MAP"]["Ethernet0"]["pfc_enable"] == "4"
    assert [k for k in d["BUFFER_QUEUE"] if k.startswith("Ethernet0|")] == [
        f"Ethernet0|{q}" for q in ("0-3", "5-6", "4")
    ]
    qos = yaml.load(files["switches/demo-a0001-leaf00/nvue.yaml"], Loader=yaml.CSafeLoader)[0]["set"]["qos"]
    assert qos["mapping"]["default-global"]["dscp"]["34"] == {"switch-priority": 4}
    assert qos["pfc"]["default-global"]["switch-priority"] == {"4": {}}


def test_a_dialect_that_was_not_asked_for_is_not_written() -> None:
    plan = planned()
    assert {a.path.rsplit("/", 1)[1] for a in switches(plan, ["cumulus"])} == {"nvue.yaml"}


def test_the_driver_and_the_dialects_know_the_same_files() -> None:
    assert {name: set(d.files) for name, d in DIALECTS.items()} == {name: set(f) for name, f in FILES.items()}


def test_several_processes_write_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lindos.emit.dialects.BATCH", 5)
    plan = planned()
    batches, rest = work(plan, {})
    assert len(batches) > 2
    workspace = Workspace(tmp_path, plan.site)
    write_build(plan, batches, rest, workspace, "inputs")
    written = json.loads((workspace.build / "manifest.json").read_text())["files"]
    assert {p: f["sha256"] for p, f in written.items()} == {
        a.path: sha256(a.data).hexdigest() for a in artefacts(plan, {})
    }


def test_a_wrong_dialect_is_told_with_those_there_are() -> None:
    command = [sys.executable, "-m", "lindos.cli", "emit", "lab", "--dialect", "junos"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stderr for name in DIALECTS)


@pytest.mark.parametrize("device", SHOWN)
@pytest.mark.parametrize("dialect", ["sonic", "cumulus"])
def test_file_is_what_it_was(device: str, dialect: str) -> None:
    """LINDOS_REGENERATE=1 writes them anew; the diff is the review."""
    for artefact in switches(planned(), [dialect]):
        _, name, file = artefact.path.split("/")
        if name == device:
            golden = GOLDEN / name / file
            if os.environ.get("LINDOS_REGENERATE"):
                golden.parent.mkdir(parents=True, exist_ok=True)
                golden.write_bytes(artefact.data)
            assert artefact.data.decode() == golden.read_text()


@pytest.mark.parametrize("bgp", ["numbered", "unnumbered"])
def test_three_dialects_have_the_same_addresses_of_ipv6(bgp: str) -> None:
    """Every address of a switch in the plan stands in each dialect, and each link's session with its far end."""
    fabrics = {name: {"bgp": bgp} for name in ("rdma", "frontend", "oob")}
    plan = planned(fabrics=fabrics, addresses={"family": "dual", "prefix6": "fd12:3456:789a::/48"})
    assert not [f for f in check(plan) if f.severity is Severity.CRITICAL]
    boxes = plan.devices.filter(pl.col("kind") == "switch").select("device")
    mine = plan.addresses.filter(pl.col("port") != "eth0").join(boxes, on="device")
    own = {d: set(rows) for d, rows in mine.group_by("device").agg("address6").iter_rows()}
    spots = {(d, p): a for d, p, a in mine.select("device", "port", "address6").iter_rows()}
    ends = plan.links.filter(pl.col("tier") != "node_leaf").select("a_device", "a_port", "b_device", "b_port").rows()
    far: dict[str, set[str]] = {}
    for a, a_port, b, b_port in ends:
        if (a, a_port) in spots:
            far.setdefault(a, set()).add(spots[b, b_port])
            far.setdefault(b, set()).add(spots[a, a_port])
    assert bool(far) == (bgp == "numbered")
    six = r"(fd12:3456:789a:[0-9a-f:]+)"
    for artefact in switches(plan, DIALECTS):
        _, device, file = artefact.path.split("/")
        text = artefact.data.decode()
        if file == "config_db.json":
            d = json.loads(text)
            rows = {
                k for t in ("INTERFACE", "LOOPBACK_INTERFACE", "VLAN_INTERFACE") for k in d.get(t, {}) if "fd12" in k
            }
            assert {k.split("|")[1].split("/")[0] for k in rows} == own[device]
            assert {k for k in d.get("BGP_NEIGHBOR", {}) if k.startswith("fd12")} == far.get(device, set())
        elif file == "interfaces":
            assert set(re.findall(rf"address {six}/", text)) == own[device]
        elif file == "frr.conf":
            assert set(re.findall(rf"neighbor {six} remote-as", text)) == far.get(device, set())
        elif file == "nvue.yaml":
            told = yaml.load(text, Loader=yaml.CSafeLoader)[0]["set"]
            rows = {
                a for n, row in told["interface"].items() if n != "eth0" for a in row.get("ip", {}).get("address", {})
            }
            assert {a.split("/")[0] for a in rows if ":" in a} == own[device]
            bgp_told = told.get("vrf", {}).get("default", {}).get("router", {}).get("bgp", {})
            assert {n for n in bgp_told.get("neighbor", {}) if ":" in n} == far.get(device, set())


def test_hosts_are_told_both_families() -> None:
    """What the roles read: the NIC's address, its gateway and the rail's prefix; nothing of IPv6 where there is none."""
    plan = planned(addresses={"family": "dual", "prefix6": "fd12:3456:789a::/48"})
    told = {a.path: json.loads(a.data) for a in artefacts(plan, {}) if a.path.startswith("inventory/")}
    assert told["inventory/hosts.json"]["all"]["vars"]["rdma_nic_fabric_prefix6"] == "fd12:3456:789a:1::/64"
    nic = next(iter(told["inventory/host_vars/a0001.json"].values()))["rdma_nic_interfaces"][1]
    six = {name: nic[name] for name in ("address6", "prefix_len6", "gateway6", "rail_prefix6")}
    assert six == {
        "address6": "fd12:3456:789a:1::10:1", "prefix_len6": 127, "gateway6": "fd12:3456:789a:1::10:0",
        "rail_prefix6": "fd12:3456:789a:1::10:0/108",
    }  # fmt: skip
    plain = [a.data.decode() for a in artefacts(planned(), {}) if a.path.startswith("inventory/")]
    assert len(plain) > 1
    assert not any("address6" in text for text in plain)
