"""What SONiC's YANG models demand of the tables that Lindos writes, in a table of our own.

From sonic-net/sonic-buildimage, src/sonic-yang-models: for each table its module, its lists by their keys, and its
fields. `faults` holds a config_db.json against it; `instance` turns one into the JSON that a YANG validator reads.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = dict[str, Any]
Document = dict[str, dict[str, Fields]]


@dataclass(frozen=True)
class Kind:
    """How a value is written: `pattern` in CONFIG_DB, `yang` how JSON of RFC 7951 encodes it."""

    pattern: str = ".*"
    low: int | None = None
    high: int | None = None
    table: str | None = None
    yang: str = "text"

    def fault(self, value: str, document: Document) -> str | None:
        if not re.fullmatch(self.pattern, value):
            return f"{value!r} is not of the form {self.pattern}"
        if self.low is not None and self.high is not None and not self.low <= int(value) <= self.high:
            return f"{value} is not from {self.low} to {self.high}"
        if self.table and value not in {key.split("|")[0] for key in document.get(self.table, {})}:
            return f"{value!r} is not in {self.table}"
        return None


def number(low: int, high: int, yang: str = "number") -> Kind:
    return Kind(r"-?\d+", low, high, yang=yang)


def ref(table: str) -> Kind:
    return Kind(table=table)


def one_of(*words: str) -> Kind:
    return Kind("|".join(words))


TEXT, NAME = Kind(), Kind(r"[a-zA-Z0-9][-a-zA-Z0-9_]{0,31}")
BYTES = number(0, 2**64 - 1, "text")
BOOL = Kind("true|false", yang="bool")
UP = one_of("up", "down")
ENABLED = one_of("enabled", "disabled")
PORT, PREFIX, ADDRESS = ref("PORT"), Kind(yang="prefix"), Kind(yang="address")
QUEUE = Kind(r"[0-9](-[0-9])?")


@dataclass(frozen=True)
class Table:
    """`lists` in YANG by the names of their keys; `keys` their kinds; `inner` is the list of a map: name, key, value."""

    module: str
    lists: dict[str, dict[str, Kind]]
    fields: dict[str, Kind] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    inner: tuple[str, str, str, Kind, Kind] | None = None
    """List, key, value, and the kinds of both."""


def _map(module: str, table: str, key: str, value: str, kind: Kind, to: Kind) -> Table:
    return Table(module, {f"{table}_LIST": {"name": NAME}}, inner=(table, key, value, kind, to))


VRF, AF, SPAN = ref("BGP_GLOBALS"), one_of("ipv4_unicast", "ipv6_unicast"), Kind(r"exact|\d+\.\.\d+")
MEMBER = {"peer_group_name": TEXT, "peer_type": one_of("internal", "external")}
DSCP, TC = Kind("6[0-3]|[1-5]?[0-9]"), number(0, 15)
PRIORITY = Kind("[0-7]")
PROFILE_LIST = Kind(yang="references")
THRESHOLD = {f"{c}_{n}_threshold": BYTES for c in ("green", "yellow", "red") for n in ("min", "max")}

TABLES: dict[str, Table] = {
    "DEVICE_METADATA": Table(
        "sonic-device_metadata",
        {"": {"localhost": one_of("localhost")}},
        {
            "hostname": Kind(".{1,63}"), "hwsku": Kind(".{1,255}"), "platform": Kind(".{1,255}"),
            "type": one_of("ToRRouter", "LeafRouter", "SpineRouter", "MgmtToRRouter"), "bgp_asn": number(0, 2**32 - 1),
            "default_bgp_status": UP, "default_pfcwd_status": one_of("enable", "disable"),
            "docker_routing_config_mode": one_of("separated", "unified", "split", "split-unified"),
            "frr_mgmt_framework_config": BOOL, "synchronous_mode": one_of("enable", "disable"), "bgp_adv_lo_prefix_as_128": BOOL,
            "bgp_router_id": ADDRESS, "suppress-fib-pending": ENABLED, "buffer_model": one_of("dynamic", "traditional"),
        },
    ),
    "VERSIONS": Table(
        "sonic-versions", {"": {"container": one_of("DATABASE")}}, {"VERSION": Kind(r"version_[1-9][0-9]{5}_[0-9]{2}")}
    ),
    "FEATURE": Table("sonic-feature", {"FEATURE_LIST": {"name": Kind(".{1,32}")}}, {"state": TEXT, "auto_restart": TEXT}),
    "BREAKOUT_CFG": Table("sonic-breakout_cfg", {"BREAKOUT_CFG_LIST": {"port": TEXT}}, {"brkout_mode": Kind(".{1,64}")}),
    "PORT": Table(
        "sonic-port",
        {"PORT_LIST": {"name": Kind(r"Ethernet\d+")}},
        {
            "alias": Kind(".{1,128}"), "lanes": Kind(r"\d+(,\d+)*"), "speed": number(1, 1_600_000),
            "index": number(0, 65535), "mtu": number(68, 9216), "description": Kind(".{0,255}"), "admin_status": UP,
            "autoneg": one_of("on", "off"), "fec": one_of("rs", "fc", "none", "auto"), "subport": number(0, 8),
        },
        ("lanes", "speed"),
    ),
    "INTERFACE": Table(
        "sonic-interface", {"INTERFACE_LIST": {"name": PORT}, "INTERFACE_IPPREFIX_LIST": {"name": PORT, "ip-prefix": PREFIX}},
        {"ipv6_use_link_local_only": one_of("enable", "disable")},
    ),
    "LOOPBACK_INTERFACE": Table(
        "sonic-loopback-interface",
        {
            "LOOPBACK_INTERFACE_LIST": {"name": Kind(r"Loopback\d+")},
            "LOOPBACK_INTERFACE_IPPREFIX_LIST": {"name": ref("LOOPBACK_INTERFACE"), "ip-prefix": PREFIX},
        },
    ),
    "MGMT_PORT": Table(
        "sonic-mgmt_port", {"MGMT_PORT_LIST": {"name": Kind(r"eth\d+")}},
        {"admin_status": UP, "alias": TEXT, "description": TEXT},
    ),
    "MGMT_INTERFACE": Table(
        "sonic-mgmt_interface", {"MGMT_INTERFACE_LIST": {"name": ref("MGMT_PORT"), "ip_prefix": PREFIX}}, {"gwaddr": ADDRESS}
    ),
    "VLAN": Table(
        "sonic-vlan", {"VLAN_LIST": {"name": Kind(r"Vlan([2-9]|[1-9]\d{1,2}|[1-3]\d{3}|40\d\d)")}},
        {"vlanid": number(2, 4094), "admin_status": UP, "description": Kind(".{1,255}"), "dhcp_servers": ADDRESS},
    ),
    "VLAN_INTERFACE": Table(
        "sonic-vlan",
        {
            "VLAN_INTERFACE_LIST": {"name": ref("VLAN")},
            "VLAN_INTERFACE_IPPREFIX_LIST": {"name": ref("VLAN"), "ip-prefix": PREFIX},
        },
    ),
    "VLAN_MEMBER": Table(
        "sonic-vlan", {"VLAN_MEMBER_LIST": {"name": ref("VLAN"), "port": PORT}},
        {"tagging_mode": one_of("tagged", "untagged", "priority_tagged")}, ("tagging_mode",),
    ),
    "DEVICE_NEIGHBOR": Table(
        "sonic-device_neighbor", {"DEVICE_NEIGHBOR_LIST": {"peer_name": PORT}},
        {"name": Kind(".{1,255}"), "port": Kind(".{1,255}")},
    ),
    "DEVICE_NEIGHBOR_METADATA": Table(
        "sonic-device_neighbor_metadata", {"DEVICE_NEIGHBOR_METADATA_LIST": {"name": Kind(".{1,255}")}},
        {"hwsku": Kind(".{1,255}"), "lo_addr": ADDRESS, "mgmt_addr": ADDRESS, "lo_addr_v6": ADDRESS,
         "mgmt_addr_v6": ADDRESS, "type": TEXT},
    ),
    "BGP_NEIGHBOR": Table(
        "sonic-bgp-neighbor",
        {"BGP_NEIGHBOR_TEMPLATE_LIST": {"neighbor": ADDRESS}, "BGP_NEIGHBOR_LIST": {"vrf_name": VRF, "neighbor": PORT}},
        {
            "asn": number(1, 2**32 - 1), "name": ref("DEVICE_NEIGHBOR_METADATA"), "local_addr": ADDRESS,
            "keepalive": number(0, 65535), "holdtime": number(0, 65535), "admin_status": UP, **MEMBER,
        },
    ),
    "BGP_NEIGHBOR_AF": Table(
        "sonic-bgp-neighbor",
        {"BGP_NEIGHBOR_AF_LIST": {"vrf_name": VRF, "neighbor": PORT, "afi_safi": AF}}, {"admin_status": UP},
    ),
    "BGP_GLOBALS": Table(
        "sonic-bgp-global", {"BGP_GLOBALS_LIST": {"vrf_name": one_of("default")}},
        {
            "router_id": ADDRESS, "local_asn": number(1, 2**32 - 1), "load_balance_mp_relax": BOOL,
            "log_nbr_state_changes": BOOL,
        },
    ),
    "BGP_GLOBALS_AF": Table(
        "sonic-bgp-global", {"BGP_GLOBALS_AF_LIST": {"vrf_name": VRF, "afi_safi": AF}}, {"max_ebgp_paths": number(1, 256)}
    ),
    "BGP_GLOBALS_AF_NETWORK": Table(
        "sonic-bgp-global", {"BGP_GLOBALS_AF_NETWORK_LIST": {"vrf_name": VRF, "afi_safi": AF, "ip_prefix": PREFIX}}
    ),
    "BGP_PEER_GROUP": Table(
        "sonic-bgp-peergroup", {"BGP_PEER_GROUP_LIST": {"vrf_name": VRF, "peer_group_name": TEXT}},
        {
            "keepalive": number(0, 65535), "holdtime": number(0, 65535), "bfd": BOOL, "capability_ext_nexthop": BOOL,
            "detection_multiplier": number(2, 255), "desired_minimum_tx_interval": number(50, 60000),
            "required_minimum_receive": number(50, 60000),
        },
    ),
    "BGP_PEER_GROUP_AF": Table(
        "sonic-bgp-peergroup",
        {"BGP_PEER_GROUP_AF_LIST": {"vrf_name": VRF, "peer_group_name": TEXT, "afi_safi": AF}},
        {"admin_status": UP, "route_map_in": ref("ROUTE_MAP_SET"), "route_map_out": ref("ROUTE_MAP_SET")},
    ),
    "PREFIX_SET": Table(
        "sonic-routing-policy-sets", {"PREFIX_SET_LIST": {"name": TEXT}}, {"mode": one_of("IPv4", "IPv6")}
    ),
    "PREFIX": Table(
        "sonic-routing-policy-sets",
        {"PREFIX_NOSEQ_LIST": {"name": ref("PREFIX_SET"), "ip_prefix": PREFIX, "masklength_range": SPAN}},
        {"action": one_of("permit", "deny")},
    ),
    "ROUTE_MAP_SET": Table("sonic-route-map", {"ROUTE_MAP_SET_LIST": {"name": TEXT}}),
    "ROUTE_MAP": Table(
        "sonic-route-map", {"ROUTE_MAP_LIST": {"name": TEXT, "stmt_name": number(1, 65535)}},
        {"route_operation": one_of("permit", "deny"), "match_prefix_set": ref("PREFIX_SET"),
         "match_ipv6_prefix_set": ref("PREFIX_SET")},
    ),
    "STATIC_ROUTE": Table(
        "sonic-static-route", {"STATIC_ROUTE_LIST": {"vrf_name": one_of("default"), "prefix": PREFIX}},
        {"advertise": Kind("true|false"), "blackhole": Kind("true|false"), "distance": Kind(r"25[0-5]|2[0-4]\d|[01]?\d?\d")},
    ),
    "SWITCH_HASH": Table(
        "sonic-hash", {"": {"container": one_of("GLOBAL")}},
        {
            **dict.fromkeys(
                ("ecmp_hash", "lag_hash"), one_of("DST_IP", "SRC_IP", "IP_PROTOCOL", "L4_DST_PORT", "L4_SRC_PORT")
            ),
            **dict.fromkeys(("ecmp_hash_algorithm", "lag_hash_algorithm"), one_of("CRC", "XOR", "RANDOM")),
        },
    ),
    "NTP": Table(
        "sonic-ntp", {"": {"container": one_of("global")}},
        {"admin_state": ENABLED, "dhcp": ENABLED, "server_role": ENABLED, "vrf": one_of("default", "mgmt")},
    ),
    "NTP_SERVER": Table(
        "sonic-ntp", {"NTP_SERVER_LIST": {"server_address": ADDRESS}},
        {"association_type": one_of("server", "pool"), "iburst": one_of("on", "off"), "resolve_as": ADDRESS},
    ),
    "SYSLOG_SERVER": Table(
        "sonic-syslog", {"SYSLOG_SERVER_LIST": {"server_address": ADDRESS}},
        {"port": number(0, 65535), "protocol": one_of("tcp", "udp")},
    ),
    "DSCP_TO_TC_MAP": _map("sonic-dscp-tc-map", "DSCP_TO_TC_MAP", "dscp", "tc", DSCP, TC),
    "TC_TO_QUEUE_MAP": _map("sonic-tc-queue-map", "TC_TO_QUEUE_MAP", "tc", "qindex", TC, Kind("[0-9]")),
    "TC_TO_PRIORITY_GROUP_MAP": _map(
        "sonic-tc-priority-group-map", "TC_TO_PRIORITY_GROUP_MAP", "tc", "pg", TC, PRIORITY
    ),
    "MAP_PFC_PRIORITY_TO_QUEUE": _map(
        "sonic-pfc-priority-queue-map", "MAP_PFC_PRIORITY_TO_QUEUE", "pfc_priority", "qindex", PRIORITY, PRIORITY
    ),
    "PFC_PRIORITY_TO_PRIORITY_GROUP_MAP": _map(
        "sonic-pfc-priority-priority-group-map", "PFC_PRIORITY_TO_PRIORITY_GROUP_MAP", "pfc_priority", "pg", PRIORITY,
        PRIORITY,
    ),
    "PORT_QOS_MAP": Table(
        "sonic-port-qos-map", {"PORT_QOS_MAP_LIST": {"ifname": Kind(r"global|Ethernet\d+")}},
        {
            "dscp_to_tc_map": ref("DSCP_TO_TC_MAP"), "tc_to_queue_map": ref("TC_TO_QUEUE_MAP"),
            "tc_to_pg_map": ref("TC_TO_PRIORITY_GROUP_MAP"), "pfc_to_queue_map": ref("MAP_PFC_PRIORITY_TO_QUEUE"),
            "pfc_to_pg_map": ref("PFC_PRIORITY_TO_PRIORITY_GROUP_MAP"),
            "pfc_enable": Kind("([0-7](,[0-7])*)?"), "pfcwd_sw_enable": Kind("([0-7](,[0-7])*)?"),
        },
    ),
    "SCHEDULER": Table(
        "sonic-scheduler", {"SCHEDULER_LIST": {"name": TEXT}},
        {"type": one_of("DWRR", "WRR", "STRICT"), "weight": number(1, 100)},
    ),
    "QUEUE": Table(
        "sonic-queue", {"QUEUE_LIST": {"ifname": PORT, "qindex": QUEUE}},
        {"scheduler": ref("SCHEDULER"), "wred_profile": ref("WRED_PROFILE")},
    ),
    "WRED_PROFILE": Table(
        "sonic-wred-profile", {"WRED_PROFILE_LIST": {"name": NAME}},
        {
            "ecn": one_of("ecn_none", "ecn_green", "ecn_yellow", "ecn_red", "ecn_all"), **THRESHOLD,
            **{f"wred_{c}_enable": BOOL for c in ("green", "yellow", "red")},
            **{f"{c}_drop_probability": number(0, 100, "text") for c in ("green", "yellow", "red")},
        },
    ),
    "BUFFER_POOL": Table(
        "sonic-buffer-pool", {"BUFFER_POOL_LIST": {"name": TEXT}},
        {"type": one_of("ingress", "egress", "both"), "mode": one_of("static", "dynamic"), "size": BYTES}, ("type", "mode"),
    ),
    "BUFFER_PROFILE": Table(
        "sonic-buffer-profile", {"BUFFER_PROFILE_LIST": {"name": TEXT}},
        {"dynamic_th": number(-8, 7), "size": BYTES, "pool": ref("BUFFER_POOL")}, ("size", "pool"),
    ),
    "BUFFER_PG": Table(
        "sonic-buffer-pg", {"BUFFER_PG_LIST": {"port": PORT, "pg_num": Kind("[0-7](-[0-7])?")}},
        {"profile": Kind("NULL|.+_profile")},
    ),
    "BUFFER_QUEUE": Table(
        "sonic-buffer-queue", {"BUFFER_QUEUE_LIST": {"port": PORT, "qindex": QUEUE}}, {"profile": ref("BUFFER_PROFILE")}
    ),
    "BUFFER_PORT_INGRESS_PROFILE_LIST": Table(
        "sonic-buffer-port-ingress-profile-list", {"BUFFER_PORT_INGRESS_PROFILE_LIST_LIST": {"port": PORT}},
        {"profile_list": PROFILE_LIST},
    ),
    "BUFFER_PORT_EGRESS_PROFILE_LIST": Table(
        "sonic-buffer-port-egress-profile-list", {"BUFFER_PORT_EGRESS_PROFILE_LIST_LIST": {"port": PORT}},
        {"profile_list": PROFILE_LIST},
    ),
    "CABLE_LENGTH": _map("sonic-cable-length", "CABLE_LENGTH", "port", "length", PORT, Kind(r"\d+m")),
    "DEFAULT_LOSSLESS_BUFFER_PARAMETER": Table(
        "sonic-default-lossless-buffer-parameter", {"DEFAULT_LOSSLESS_BUFFER_PARAMETER_LIST": {"name": NAME}},
        {"default_dynamic_th": number(-8, 7), "over_subscribe_ratio": number(0, 65535)}, ("default_dynamic_th",),
    ),
    "PFC_WD": Table(
        "sonic-pfcwd", {"PFC_WD_LIST": {"ifname": Kind(r"GLOBAL|Ethernet\d+")}},
        {
            "action": one_of("drop", "forward", "alert"), "detection_time": number(100, 5000),
            "restoration_time": number(100, 60000), "POLL_INTERVAL": number(100, 1000),
        },
    ),
}  # fmt: skip


def _value_faults(kind: Kind, value: Any, document: Document) -> Iterator[str]:
    values = value if isinstance(value, list) else value.split(",") if kind.yang == "references" else [value]
    for each in values:
        if kind.yang in ("address", "prefix"):
            try:
                (ipaddress.ip_address if kind.yang == "address" else ipaddress.ip_interface)(each)
            except ValueError as error:
                yield str(error)
            if kind.yang == "prefix" and "/" not in each:
                yield f"{each} has no length"
        if kind.yang == "references" and each not in document["BUFFER_PROFILE"]:
            yield f"{each} is not in BUFFER_PROFILE"
        if (wrong := kind.fault(each, document)) is not None:
            yield wrong


def _row_faults(table: Table, key: str, fields: Fields, document: Document) -> Iterator[str]:
    parts = key.split("|")
    shape = next((keys for keys in table.lists.values() if len(keys) == len(parts)), None)
    if shape is None:
        yield f"a key of {len(parts)} parts"
        return
    for kind, part in zip(shape.values(), parts, strict=True):
        yield from _value_faults(kind, part, document)
    if table.inner:
        for name, value in fields.items():
            yield from _value_faults(table.inner[3], name, document)
            yield from _value_faults(table.inner[4], value, document)
        return
    yield from (f"{name} is missing" for name in table.needs if name not in fields)
    for name, value in fields.items():
        if name not in table.fields:
            yield f"no field {name}"
        else:
            yield from (f"{name}: {wrong}" for wrong in _value_faults(table.fields[name], value, document))


def _musts(document: Document) -> Iterator[str]:
    """Conditions of the models that look at more than one value."""
    for name, row in document.get("WRED_PROFILE", {}).items():
        for colour in ("green", "yellow", "red"):
            if int(row[f"{colour}_max_threshold"]) < int(row[f"{colour}_min_threshold"]):
                yield f"WRED_PROFILE|{name}: {colour} maximum below the minimum"
    poll = int(document.get("PFC_WD", {}).get("GLOBAL", {}).get("POLL_INTERVAL", 0))
    for name, row in document.get("PFC_WD", {}).items():
        if name != "GLOBAL" and min(int(row["detection_time"]), int(row["restoration_time"])) < poll:
            yield f"PFC_WD|{name}: shorter than the time between polls"
    for table in ("INTERFACE", "VLAN_INTERFACE", "LOOPBACK_INTERFACE"):
        rows = document.get(table, {})
        yield from (f"{table}|{key}: no row {key.split('|')[0]}" for key in rows if key.split("|")[0] not in rows)
    for key in document.get("VLAN_MEMBER", {}):
        if key.split("|")[1] in document.get("INTERFACE", {}):
            yield f"VLAN_MEMBER|{key}: the port is routed"
    for name, row in document.get("VLAN", {}).items():
        if name != f"Vlan{row['vlanid']}":
            yield f"VLAN|{name}: vlanid is {row['vlanid']}"
    if len(document.get("NTP_SERVER", {})) > 10:
        yield "NTP_SERVER: more than 10"
    metadata = document["DEVICE_METADATA"]["localhost"]
    managed = metadata["frr_mgmt_framework_config"] == "true"
    if managed != ("BGP_GLOBALS" in document) or any(
        ("|" in key) != managed for key in document.get("BGP_NEIGHBOR", {})
    ):
        yield "BGP: two schemas at once"
    for key, row in document.get("BGP_NEIGHBOR", {}).items():
        group = f"default|{row['peer_group_name']}" if "peer_group_name" in row else None
        if group and group not in document.get("BGP_PEER_GROUP", {}):
            yield f"BGP_NEIGHBOR|{key}: no group {group}"
    if metadata.get("suppress-fib-pending") == "enabled" and metadata.get("synchronous_mode") != "enable":
        yield "DEVICE_METADATA: suppress-fib-pending wants synchronous mode"
    lanes = [lane for row in document.get("PORT", {}).values() for lane in row["lanes"].split(",")]
    if len(lanes) != len(set(lanes)):
        yield "PORT: a lane belongs to two ports"
    aliases = [row["alias"] for row in document.get("PORT", {}).values()]
    if len(aliases) != len(set(aliases)):
        yield "PORT: two ports have one alias"
    for key, row in document.get("BUFFER_PG", {}).items():
        if row["profile"] != "NULL" and row["profile"] not in document["BUFFER_PROFILE"]:
            yield f"BUFFER_PG|{key}: no profile {row['profile']}"


def faults(document: Document) -> list[str]:
    """config_db.json -> everything that the models would refuse."""
    out: list[str] = []
    for name, rows in document.items():
        if name not in TABLES:
            out.append(f"{name}: no such table")
            continue
        for key, fields in rows.items():
            out += [f"{name}|{key}: {wrong}" for wrong in _row_faults(TABLES[name], key, fields, document)]
    return out or list(_musts(document))


def _encoded(kind: Kind, value: Any) -> Any:
    if isinstance(value, list):
        return [_encoded(kind, v) for v in value]
    if kind.yang == "number":
        return int(value)
    if kind.yang == "bool":
        return value == "true"
    return value.split(",") if kind.yang == "references" else value


def _entry(table: Table, key: str, fields: Fields) -> tuple[str, Fields]:
    """A row -> the list that it belongs to, and its entry."""
    parts = key.split("|")
    name, shape = next((n, keys) for n, keys in table.lists.items() if len(keys) == len(parts))
    if name == "":
        return name, {key: {n: _encoded(table.fields[n], v) for n, v in fields.items()}}
    entry: Fields = {n: _encoded(kind, p) for (n, kind), p in zip(shape.items(), parts, strict=True)}
    if table.inner:
        inner, at, value, kind, to = table.inner
        entry[inner] = [{at: _encoded(kind, k), value: _encoded(to, v)} for k, v in fields.items()]
        return name, entry
    return name, entry | {n: _encoded(table.fields[n], v) for n, v in fields.items()}


def instance(document: Document) -> dict[str, Any]:
    """config_db.json -> the same as an instance of the YANG models, as JSON of RFC 7951."""
    out: dict[str, Any] = {}
    for name, rows in document.items():
        table = TABLES[name]
        container = out.setdefault(f"{table.module}:{table.module}", {}).setdefault(name, {})
        for key, fields in rows.items():
            where, entry = _entry(table, key, fields)
            if where:
                container.setdefault(where, []).append(entry)
            else:
                container |= entry
    return out
