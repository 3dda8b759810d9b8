"""What tools print, read and compared. The outputs are captured: iproute2 6.1, mlxconfig and mlnx_qos as documented."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from .listing import FOLDER


def _plugin(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / "filter_plugins" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NETDEV = _plugin("netdev")
NIC = _plugin("nvidia_nic")

WANTED = {
    "rail0": [
        "mtu 9000",
        "address 10.0.0.1/31",
        "route 10.0.0.0/12 via 10.0.0.0 table main",
        "route 10.0.0.0/9 via 10.0.0.0 table 100",
        "rule from 10.0.0.1 table 100",
    ],
    "fe0": ["address 10.128.0.1/31", "route 0.0.0.0/0 via 10.128.0.0 table main"],
}


def _link(name: str, address: str, mtu: int = 9000, *flags: str) -> dict[str, Any]:
    info = [{"family": "inet", "local": address, "prefixlen": 31, "scope": "global", "label": name}]
    return {"ifname": name, "flags": ["BROADCAST", "UP", "LOWER_UP", *flags], "mtu": mtu, "addr_info": info}


def _seen(links: list[dict[str, Any]], rules: list[dict[str, Any]], routes: list[dict[str, Any]]) -> str:
    """Three commands of a batch print three arrays, a line each."""
    return "\n".join(json.dumps(part) for part in (links, rules, routes))


LINKS = [_link("rail0", "10.0.0.1"), _link("fe0", "10.128.0.1")]
RULES = [
    {"priority": 0, "src": "all", "table": "local"},
    {"priority": 100, "src": "10.0.0.1", "table": "100", "protocol": "static"},
]
ROUTES = [
    {"dst": "default", "gateway": "10.128.0.0", "dev": "fe0", "protocol": "static", "metric": 100, "flags": []},
    {"dst": "10.0.0.0/31", "dev": "rail0", "protocol": "kernel", "scope": "link", "prefsrc": "10.0.0.1", "flags": []},
    {"dst": "10.0.0.0/12", "gateway": "10.0.0.0", "dev": "rail0", "protocol": "static", "flags": []},
    {"dst": "10.0.0.0/9", "gateway": "10.0.0.0", "dev": "rail0", "table": "100", "protocol": "static", "flags": []},
]


def test_a_node_as_wanted_has_no_drift() -> None:
    assert NETDEV.netdev_drift(WANTED, _seen(LINKS, RULES, ROUTES)) == []


@pytest.mark.parametrize(
    ("links", "rules", "routes", "missing"),
    [
        ([_link("rail0", "10.0.0.1", 1500), LINKS[1]], RULES, ROUTES, "rail0: mtu 9000"),
        ([_link("rail0", "10.0.0.3"), LINKS[1]], RULES, ROUTES, "rail0: address 10.0.0.1/31"),
        (LINKS, RULES[:1], ROUTES, "rail0: rule from 10.0.0.1 table 100"),
        (LINKS, RULES, ROUTES[1:], "fe0: route 0.0.0.0/0 via 10.128.0.0 table main"),
        (LINKS, RULES, ROUTES[:3], "rail0: route 10.0.0.0/9 via 10.0.0.0 table 100"),
    ],
)
def test_what_is_missing_is_named(links: Any, rules: Any, routes: Any, missing: str) -> None:
    seen = _seen(links, rules, routes)
    assert NETDEV.netdev_drift(WANTED, seen) == [missing]
    assert NETDEV.netdev_drifted(WANTED, seen) == [missing.partition(":")[0]]


def test_a_route_of_another_nic_is_not_this_ones() -> None:
    elsewhere = [{**route, "dev": "fe0"} if route["dst"] == "10.0.0.0/12" else route for route in ROUTES]
    assert NETDEV.netdev_drift(WANTED, _seen(LINKS, RULES, elsewhere)) == [
        "rail0: route 10.0.0.0/12 via 10.0.0.0 table main"
    ]


def test_what_configuration_cannot_mend_is_no_drift() -> None:
    """A NIC that is gone, and a cable that is out."""
    out = _link("fe0", "192.0.2.1", 1500, "NO-CARRIER")
    assert NETDEV.netdev_drift(WANTED, _seen([out], RULES, [])) == []


MLXCONFIG = """
Device #1:
----------

Device type:        ConnectX7
Configurations:                              Default         Current         Next Boot
*        KEEP_IB_LINK_UP_P2                  False(0)        True(1)         True(1)
         KEEP_LINK_UP_ON_BOOT_P2             False(0)        False(0)        False(0)
         ESWITCH_HAIRPIN_DESCRIPTORS         Array[0..7]     Array[0..7]     Array[0..7]
*        LINK_TYPE_P1                        IB(1)           IB(1)           ETH(2)
         CNP_DSCP_P1                         48              48              48
The '*' shows parameters with next value different from default/current value.
"""


def _sections(*texts: str) -> str:
    return "".join(f"# rail{at}\n{text}" for at, text in enumerate(texts))


def test_firmware_is_compared_by_what_the_next_boot_brings() -> None:
    printed = _sections(MLXCONFIG, MLXCONFIG.replace("ETH(2)", "IB(1) "))
    assert NIC.mlxconfig_drift(printed, {"LINK_TYPE_P1": 2, "CNP_DSCP_P1": 48}) == [
        {"device": "rail1", "settings": ["LINK_TYPE_P1=2"]}
    ]
    assert NIC.mlxconfig_drift(_sections(MLXCONFIG), {"CNP_DSCP_P1": 4, "KEEP_IB_LINK_UP_P2": 0}) == [
        {"device": "rail0", "settings": ["CNP_DSCP_P1=4", "KEEP_IB_LINK_UP_P2=0"]}
    ]


def test_what_does_not_hold_yet_waits_for_a_boot_whether_it_is_set_or_not() -> None:
    wanted: dict[str, object] = {"LINK_TYPE_P1": 2, "CNP_DSCP_P1": 48, "KEEP_IB_LINK_UP_P2": 0, "ATS_ENABLED": 0}
    assert NIC.mlxconfig_waiting(_sections(MLXCONFIG), wanted) == [
        {"device": "rail0", "settings": ["KEEP_IB_LINK_UP_P2=0", "LINK_TYPE_P1=2"]}
    ]
    # What was set and taken back before a boot waits for none, nor does what this NIC does not show.
    assert NIC.mlxconfig_waiting(_sections(MLXCONFIG), {"LINK_TYPE_P1": 1, "ATS_ENABLED": 0}) == []
    unknown = MLXCONFIG.replace("IB(1)           ETH(2)", "N/A             ETH(2)")
    assert NIC.mlxconfig_waiting(_sections(unknown), {"LINK_TYPE_P1": 2}) == []


def test_a_kind_of_nic_has_settings_of_its_own() -> None:
    wanted: dict[str, object] = {"CNP_DSCP_P1": 4, "ATS_ENABLED": 0}
    kinds: dict[str, dict[str, object]] = {
        "BlueField3": {"INTERNAL_CPU_OFFLOAD_ENGINE": 1},
        "ConnectX8": {"ATS_ENABLED": None},
    }
    for kind, settings in (
        ("ConnectX7", ["ATS_ENABLED=0", "CNP_DSCP_P1=4"]),
        ("BlueField3", ["ATS_ENABLED=0", "CNP_DSCP_P1=4", "INTERNAL_CPU_OFFLOAD_ENGINE=1"]),
        ("ConnectX8", ["CNP_DSCP_P1=4"]),
    ):
        printed = f"# rail0\n\nDevice #1:\n----------\n\nDevice type:        {kind}           \n"
        assert NIC.mlxconfig_drift(printed, wanted, kinds) == [{"device": "rail0", "settings": settings}]


def test_a_setting_the_firmware_does_not_show_is_set() -> None:
    assert NIC.mlxconfig_drift(_sections(MLXCONFIG), {"ATS_ENABLED": 0}) == [
        {"device": "rail0", "settings": ["ATS_ENABLED=0"]}
    ]


def test_a_node_without_the_tools_has_no_drift() -> None:
    assert NIC.mlxconfig_drift("", {"ATS_ENABLED": 0}) == []
    assert NIC.mlnx_qos_drifted("", {"trust": "dscp", "priority_of": {}}) == []


@pytest.mark.parametrize("colon", ["", ":"])
def test_a_ports_class_is_read(colon: str) -> None:
    printed = (
        "DCBX mode: OS controlled\nPriority trust state: dscp\ndefault priority:\nPFC configuration:\n"
        f"\tpriority{colon}    0   1   2   3   4   5   6   7\n"
        f"\tenabled{colon}     0   0   0   1   0   0   0   0   \n"
        f"\tbuffer{colon}      0   0   0   1   0   0   0   0   \n"
    )
    told = printed + "tos 106\n"
    others = [told.replace("state: dscp", "state: pcp"), told.replace("106", "0"), printed]
    assert NIC.mlnx_qos_drifted(_sections(told, *others), _class()) == ["rail1", "rail2", "rail3"]


MAPPED = """\
DCBX mode: OS controlled
Priority trust state: dscp
dscp2prio mapping:
\tprio:0 dscp:07,06,05,04,03,02,01,00,
\tprio:3 dscp:31,30,29,28,27,26,25,24,
\tprio:5 dscp:47,46,45,44,43,42,41,40,
\tprio:5 dscp:34,
default priority:
PFC configuration:
\tpriority    0   1   2   3   4   5   6   7
\tenabled     0   0   0   1   0   0   0   0
tos 106
"""


def _class(**more: Any) -> dict[str, Any]:
    return {"trust": "dscp", "pfc": "0,0,0,1,0,0,0,0", "priority_of": {"26": 3, "48": 6}, "tos": 106, **more}


def test_a_nic_maps_each_dscp_as_it_was_told() -> None:
    assert NIC.mlnx_qos_drifted(_sections(MAPPED), _class()) == []
    assert NIC.mlnx_qos_drifted(_sections(MAPPED), _class(priority_of={"34": 5})) == []
    # By itself it would take the upper three bits.
    assert NIC.mlnx_qos_drifted(_sections(MAPPED), _class(priority_of={"34": 4})) == ["rail0"]
    assert NIC.mlnx_qos_drifted(_sections(MAPPED), _class(priority_of={"26": 4})) == ["rail0"]


def test_a_tool_that_says_nothing_agrees_with_nothing() -> None:
    assert NIC.mlnx_qos_drifted(_sections(""), _class()) == ["rail0"]


@pytest.mark.parametrize(
    ("prefix", "address", "holds"),
    [
        ("0.0.0.0/0", "10.192.32.9", True),
        ("10.128.0.0/12", "10.143.255.255", True),
        ("10.128.0.0/12", "10.192.32.9", False),
        ("10.128.0.0/12", "node.example", False),
    ],
)
def test_a_prefix_that_holds_the_way_to_the_node_is_known(prefix: str, address: str, holds: bool) -> None:
    assert NETDEV.netdev_holds(prefix, address) is holds
