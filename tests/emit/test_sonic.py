"""config_db.json is what SONiC's YANG models take, and its lossless class is whole.

Our own table of what the models demand runs always. Where LINDOS_SONIC_YANG names a folder with the models
themselves (those of sonic-buildimage, and the two of the IETF) and `yanglint` is at hand, they judge as well.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from config_db import Document, faults, instance

from lindos.emit.intent import SwitchView, told, views
from lindos.emit.sonic import config_db
from lindos.errors import CatalogueError
from lindos.plan import design_site
from lindos.plan.store import design_spec
from lindos.spec.model import Addressing

SITE = Path(__file__).parent / "dialects" / "site.yaml"
SPEC, PLAN = design_site(SITE)
VIEWS = {view.device: view for view in views(told(PLAN))}


def variant(bgp: str, family: str) -> dict[str, SwitchView]:
    """The views of the same site, its links with or without addresses, in one family of them or both."""
    names = ("rdma", "frontend", "oob")
    fabrics = {name: getattr(SPEC.fabrics, name).model_copy(update={"bgp": bgp}) for name in names}
    spec = SPEC.model_copy(
        update={"fabrics": SPEC.fabrics.model_copy(update=fabrics), "addresses": Addressing(family=family)}
    )
    return {view.device: view for view in views(told(design_spec(spec)))}


BARE = variant("unnumbered", "ipv4")
VARIANTS = {
    "numbered": VIEWS, "unnumbered": BARE, "dual": variant("numbered", "dual"),
    "dual-unnumbered": variant("unnumbered", "dual"),
}  # fmt: skip
LEAF, SPINE, ACCESS = "demo-a0001-leaf00", "demo-p001-spine01", "demo-p001-oob01"
MODELS = os.environ.get("LINDOS_SONIC_YANG")


def document(device: str, views_of: dict[str, SwitchView] = VIEWS) -> Document:
    found: Document = json.loads(config_db(views_of[device]))
    return found


@pytest.mark.parametrize("views_of", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("device", sorted(VIEWS))
def test_the_models_find_no_fault(device: str, views_of: dict[str, SwitchView]) -> None:
    assert faults(document(device, views_of)) == []


def test_links_without_addresses_are_those_of_the_management_framework() -> None:
    """Neighbours by interface, with BFD and policy; the host's link keeps its /31."""
    d = document(LEAF, BARE)
    assert d["DEVICE_METADATA"]["localhost"]["frr_mgmt_framework_config"] == "true"
    peers = {key.split("|")[1] for key in d["BGP_NEIGHBOR"]}
    assert peers == {f"Ethernet{p.sonic_port}" for p in BARE[LEAF].peers}
    assert all(row["peer_type"] == "external" for row in d["BGP_NEIGHBOR"].values())
    assert {key.split("|")[0] for key in d["INTERFACE"] if "|" in key} & peers == set()
    assert {n for n, row in d["INTERFACE"].items() if row == {"ipv6_use_link_local_only": "enable"}} == peers
    assert d["BGP_GLOBALS"]["default"]["local_asn"] == str(BARE[LEAF].asn)
    assert d["BGP_GLOBALS_AF"]["default|ipv4_unicast"] == {"max_ebgp_paths": str(len(peers))}
    assert f"default|ipv4_unicast|{BARE[LEAF].loopback}/32" in d["BGP_GLOBALS_AF_NETWORK"]
    group = d["BGP_PEER_GROUP"]["default|FABRIC"]
    assert (group["bfd"], group["detection_multiplier"], group["required_minimum_receive"]) == ("true", "3", "300")
    assert "frr_mgmt_framework_config" in document(LEAF)["DEVICE_METADATA"]["localhost"]
    assert "BGP_GLOBALS" not in document(LEAF)


def test_no_more_time_servers_than_the_model_takes() -> None:
    fields = {name: getattr(VIEWS[LEAF], name) for name in SwitchView.__slots__}
    many = SwitchView(**fields | {"servers": tuple(f"10.192.0.{n}" for n in range(2, 14))})
    assert len(json.loads(config_db(many))["NTP_SERVER"]) == 10


BREAKS: list[tuple[str, str, str, Any]] = [
    (LEAF, "PORT|Ethernet0", "mtu", "9217"),
    (LEAF, "PORT|Ethernet0", "speed", "1600001"),
    (LEAF, "PORT|Ethernet0", "lanes", None),
    (LEAF, "PORT|Ethernet0", "lanes", "4,5,6,7"),
    (LEAF, "PORT|Ethernet0", "alias", "etp1b"),
    (LEAF, "PORT|Ethernet0", "mac_address", "x"),
    (LEAF, "QUEUE|Ethernet0|3", "scheduler", "nobody"),
    (LEAF, "QUEUE|Ethernet0|3", "wred_profile", "AZURE"),
    (LEAF, "PORT_QOS_MAP|Ethernet0", "tc_to_pg_map", "AZURE"),
    (LEAF, "PORT_QOS_MAP|Ethernet0", "pfc_enable", "3;4"),
    (LEAF, "WRED_PROFILE|ROCE", "green_max_threshold", "149999"),
    (LEAF, "WRED_PROFILE|ROCE", "red_drop_probability", "101"),
    (LEAF, "CABLE_LENGTH|ROCE", "Ethernet0", "5"),
    (LEAF, "CABLE_LENGTH|ROCE", "Ethernet1", "5m"),
    (LEAF, "DSCP_TO_TC_MAP|ROCE", "64", "0"),
    (LEAF, "DSCP_TO_TC_MAP|ROCE", "26", "16"),
    (LEAF, "PFC_WD|Ethernet0", "detection_time", "100"),
    (LEAF, "PFC_WD|Ethernet0", "restoration_time", "60001"),
    (LEAF, "BUFFER_PROFILE|q_lossy_profile", "pool", "nobody"),
    (LEAF, "BUFFER_PG|Ethernet0|3", "profile", "some_profile"),
    (LEAF, "BUFFER_PORT_INGRESS_PROFILE_LIST|Ethernet0", "profile_list", "ingress_lossless_profile,nobody"),
    (LEAF, "DEVICE_METADATA|localhost", "type", "Leaf"),
    (LEAF, "DEVICE_METADATA|localhost", "synchronous_mode", "disable"),
    (LEAF, "DEVICE_METADATA|localhost", "bgp_asn", "4294967296"),
    (LEAF, "BGP_NEIGHBOR|100.64.0.1", "bfd", "true"),
    (LEAF, "VERSIONS|DATABASE", "VERSION", "version_24_11"),
    (LEAF, "SWITCH_HASH|GLOBAL", "ecmp_hash", ["SRC_PORT"]),
    (ACCESS, "VLAN|Vlan10", "vlanid", "11"),
    (ACCESS, "VLAN_MEMBER|Vlan10|Ethernet0", "tagging_mode", None),
]


@pytest.mark.parametrize(("device", "row", "name", "value"), BREAKS)
def test_the_models_find_what_is_broken(device: str, row: str, name: str, value: Any) -> None:
    broken = copy.deepcopy(document(device))
    table, key = row.split("|", 1)
    broken[table][key].pop(name, None)
    if value is not None:
        broken[table][key][name] = value
    assert len(faults(broken)) == 1


@pytest.mark.parametrize("device", [LEAF, SPINE])
def test_data_is_lossless_end_to_end_and_nothing_else_is(device: str) -> None:
    """DSCP 26 -> TC 3 -> PG 3 -> queue 3, paused by PFC and marked by ECN; CNP in a strict queue."""
    d = document(device)
    tc = {int(dscp): int(c) for dscp, c in d["DSCP_TO_TC_MAP"]["ROCE"].items()}
    assert sorted(tc) == list(range(64))
    assert [dscp for dscp, c in tc.items() if c == 3] == [26]
    assert (tc[48], tc[46], tc[0]) == (6, 0, 0)
    assert {c: pg for c, pg in d["TC_TO_PRIORITY_GROUP_MAP"]["ROCE"].items() if pg != "0"} == {"3": "3"}
    assert d["TC_TO_QUEUE_MAP"]["ROCE"]["3"] == d["MAP_PFC_PRIORITY_TO_QUEUE"]["ROCE"]["3"] == "3"
    used = [n for n, row in d["PORT"].items() if row["admin_status"] == "up"]
    assert used
    for port in used:
        assert d["PORT_QOS_MAP"][port]["pfc_enable"] == d["PORT_QOS_MAP"][port]["pfcwd_sw_enable"] == "3"
        assert d["QUEUE"][f"{port}|3"] == {"scheduler": "data", "wred_profile": "ROCE"}
        assert d["SCHEDULER"][d["QUEUE"][f"{port}|6"]["scheduler"]]["type"] == "STRICT"
        assert d["BUFFER_PG"][f"{port}|3"]["profile"] == "NULL"
        assert d["BUFFER_QUEUE"][f"{port}|3"]["profile"] == "egress_lossless_profile"
    assert set(d["CABLE_LENGTH"]["ROCE"]) == set(used)
    assert "BUFFER_PG" not in document(ACCESS)


def test_ports_are_numbered_as_the_hardware_sku_numbers_them() -> None:
    """port_config.ini of Mellanox-SN5600-O128 and ACS-SN2201, platform.json of SN4700."""
    leaf = document(LEAF)
    assert leaf["DEVICE_METADATA"]["localhost"]["hwsku"] == "Mellanox-SN5600-O128"
    assert sorted(leaf["PORT"], key=lambda n: int(n[8:])) == [f"Ethernet{n}" for n in range(0, 512, 4)]
    fields = {"alias": "etp33b", "lanes": "260,261,262,263", "index": "33", "speed": "400000", "subport": "2"}
    assert fields.items() <= leaf["PORT"]["Ethernet260"].items()
    assert leaf["BREAKOUT_CFG"]["Ethernet256"] == {"brkout_mode": "2x400G[200G,100G,50G,40G,25G,10G]"}
    access = document(ACCESS)
    assert len(access["PORT"]) == 52
    assert {"alias": "etp48", "lanes": "188", "index": "48", "speed": "1000"}.items() <= access["PORT"][
        "Ethernet47"
    ].items()
    fields = {"alias": "etp52", "lanes": "204,205,206,207", "index": "52", "speed": "100000"}
    assert fields.items() <= access["PORT"]["Ethernet60"].items()
    joint = next(v.device for v in VIEWS.values() if v.product == "sn4700")
    part = next(iter(row for row in document(joint)["PORT"].values() if row["alias"] == "etp2c"))
    assert {"lanes": "12,13", "index": "2", "speed": "100000", "subport": "3"}.items() <= part.items()


def test_what_only_reality_knows_is_not_written() -> None:
    assert not {"mac", "serial"} & set(document(LEAF)["DEVICE_METADATA"]["localhost"])
    assert all("mac" not in row for row in document(LEAF)["PORT"].values())


def test_a_port_without_a_name_in_sonic_says_which_fact_is_missing() -> None:
    view = VIEWS[LEAF]
    nameless = view.ports[0]._replace(sonic_port=None)
    fields = {name: getattr(view, name) for name in SwitchView.__slots__} | {"ports": (nameless, *view.ports[1:])}
    with pytest.raises(CatalogueError) as raised:
        config_db(SwitchView(**fields))
    told_so = raised.value.render()
    assert "switch 'sn5600': sonic_ports says nothing of cage 1 split into 2" in told_so
    assert "under `assumptions:`" in told_so


@pytest.mark.skipif(not MODELS, reason="not run: LINDOS_SONIC_YANG names no folder of SONiC's YANG models")
@pytest.mark.skipif(shutil.which("yanglint") is None, reason="not run: yanglint (libyang) is not installed")
@pytest.mark.parametrize("views_of", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("device", sorted(VIEWS))
def test_libyang_takes_it(device: str, views_of: dict[str, SwitchView], tmp_path: Path) -> None:
    file = tmp_path / "config_db.json"
    file.write_text(json.dumps(instance(document(device, views_of))))
    models = sorted(str(p) for p in Path(str(MODELS)).glob("sonic-*.yang"))
    command = ["yanglint", "-p", str(MODELS), "-t", "config", *models, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
