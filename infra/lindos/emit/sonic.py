"""The view of a switch -> SONiC's config_db.json, as its YANG models want it (sonic-buildimage, sonic-yang-models).

Built as data, a function a section: the sections of JSON have no order and no text around them that a template could
hold. One row stands in one line, so that a difference between two files is the difference between two switches.
SONiC has two schemas for BGP. Neighbours by address are bgpcfgd's: `name` is found again in DEVICE_NEIGHBOR_METADATA,
and there is no BFD, because its model has no field for it; a cut cable shows by its light. Neighbours by interface, on
links without addresses, are those of the FRR management framework, which is told all of BGP: groups, policy and BFD.
What only the switch knows (its MAC, its serial number) it fills in itself.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lindos.emit.intent import HARDWARE
from lindos.errors import CatalogueError, Problem
from lindos.plan.roce import ECN_MAX_BYTES, ECN_MIN_BYTES, ECN_PERCENT, WATCHDOG_MS, WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lindos.emit.intent import PortView, SpareView, SwitchView
    from lindos.plan.roce import Roce

Row = str
"""A line of a table: a key and its fields, as JSON."""
Table = tuple[str, str]
"""The name of a table, and its rows."""

SCHEMA = "version_202411_01"
"""The database version that these tables are written for; a newer SONiC migrates them when it starts."""
VLAN = 10
"""The segment of an out-of-band access switch."""
MAP = "ROCE"
GROUP = "FABRIC"
"""Peer group, route map and prefix list of the links to other switches."""
VRF = "default"
MOST_NTP = 10
"""Time servers that the model takes."""
HASHED = ("DST_IP", "SRC_IP", "IP_PROTOCOL", "L4_DST_PORT", "L4_SRC_PORT")
TYPES = {"leaf": "ToRRouter", "spine": "LeafRouter", "core": "SpineRouter"}
MANAGEMENT = "MgmtToRRouter"
RS_FEC_GBPS = 100
"""From this speed on a link has Reed-Solomon forward error correction."""
RATE = re.compile(r"\d+x(\d+)G")


def _row(key: str, **fields: str | list[str]) -> Row:
    return f'"{key}": {json.dumps(fields)}'


def _table(name: str, rows: Iterable[Row]) -> Table:
    return name, ",\n    ".join(rows)


def router_type(fabric: str, role: str) -> str:
    """Fabric and role -> the type of device in SONiC's words."""
    return MANAGEMENT if (fabric, role) == ("oob", "leaf") else TYPES[role]


def _device(view: SwitchView) -> Iterator[Table]:
    managed = view.unnumbered and view.asn is not None
    metadata = {
        "hostname": view.device,
        "hwsku": str(view.hwsku),
        "platform": str(view.platform),
        "type": router_type(view.fabric, view.role),
        "default_bgp_status": "up",
        "default_pfcwd_status": "disable",
        "docker_routing_config_mode": "unified" if managed else "separated",
        "frr_mgmt_framework_config": "true" if managed else "false",
        "synchronous_mode": "enable",
        "bgp_router_id": view.loopback,
    }
    if view.asn is not None:
        metadata |= {"bgp_asn": str(view.asn), "suppress-fib-pending": "enabled"}
    if view.loopback6 is not None:
        metadata["bgp_adv_lo_prefix_as_128"] = "true"
    if view.roce is not None:
        metadata["buffer_model"] = "dynamic"
    yield _table("DEVICE_METADATA", [_row("localhost", **metadata)])
    yield _table("VERSIONS", [_row("DATABASE", VERSION=SCHEMA)])
    relays = "enabled" if view.bridge and view.servers else "disabled"
    states = {"bgp": "enabled", "dhcp_relay": relays, "lldp": "enabled"}
    yield _table("FEATURE", [_row(name, auto_restart="enabled", state=state) for name, state in states.items()])


def _lanes(lane: int, lanes: int) -> str:
    return ",".join(map(str, range(lane, lane + lanes)))


def _port(view: SwitchView, port: PortView, lane: int, lanes: int) -> Row:
    subport = port.lane_group + 1 if port.lane_groups > 1 else 0
    fec = '"fec": "rs", ' if port.rate_gbps >= RS_FEC_GBPS else ""
    negotiates = "off" if port.rate_gbps >= RS_FEC_GBPS else "on"
    return (
        f'"Ethernet{port.sonic_port}": {{"admin_status": "up", "alias": "{port.name}", "autoneg": "{negotiates}", '
        f'"description": "{port.description}", {fec}"index": "{port.cage}", "lanes": "{_lanes(lane, lanes)}", '
        f'"mtu": "{view.mtu}", "speed": "{port.rate_gbps * 1000}", "subport": "{subport}"}}'
    )


def _spare_port(view: SwitchView, part: SpareView) -> Row:
    letter = "abcdefgh"[part.lane_group] if part.lane_groups > 1 else ""
    rate = RATE.match(part.mode)
    return _row(
        f"Ethernet{part.sonic_port}", admin_status="down", alias=f"etp{part.cage}{letter}", index=str(part.cage),
        lanes=_lanes(part.lane, part.lanes), mtu=str(view.mtu), speed=f"{rate[1] if rate else 0}000",
        subport=str(part.lane_group + 1 if part.lane_groups > 1 else 0),
    )  # fmt: skip


def _ports(view: SwitchView) -> Iterator[Table]:
    rows: list[tuple[int, Row]] = [(part.sonic_port, _spare_port(view, part)) for part in view.spare]
    modes = {part.cage: (part.sonic_port, part.mode) for part in reversed(view.spare)}
    for port in view.ports:
        if port.sonic_port is None or port.lane is None or port.lanes is None:
            raise CatalogueError(_unknown(view, port))
        rows.append((port.sonic_port, _port(view, port, port.lane, port.lanes)))
        parent = port.sonic_port - port.lane_group * port.lanes
        modes[port.cage] = (parent, str(port.mode))
    for part in view.spare:
        modes[part.cage] = (part.sonic_port - part.lane_group * part.lanes, part.mode)
    yield _table("BREAKOUT_CFG", [_row(f"Ethernet{n}", brkout_mode=mode) for _, (n, mode) in sorted(modes.items())])
    yield _table("PORT", [row for _, row in sorted(rows)])


def _unknown(view: SwitchView, port: PortView) -> Problem:
    """A port that SONiC has no name for -> which fact is missing."""
    what = f"cage {port.cage} split into {port.lane_groups}"
    return Problem(
        f"switch '{view.product}': sonic_ports says nothing of {what}, which is {view.device}:{port.name}",
        hint="give sonic_platform, sonic_hwsku and sonic_ports with that mode under `assumptions:`, or another nos",
    )


def _addresses(view: SwitchView) -> Iterator[Table]:
    routed = [p for p in view.ports if p.address is not None]
    bare = view.peers if view.unnumbered else []
    if routed or bare:
        rows = [f'"Ethernet{p.sonic_port}": {{}}' for p in routed]
        rows += [f'"Ethernet{p.sonic_port}": {{"ipv6_use_link_local_only": "enable"}}' for p in bare]
        rows += [f'"Ethernet{p.sonic_port}|{p.address}/{p.prefix_len}": {{}}' for p in routed]
        rows += [f'"Ethernet{p.sonic_port}|{p.address6}/{p.prefix_len6}": {{}}' for p in routed if p.address6]
        yield _table("INTERFACE", rows)
    six = [_row(f"Loopback0|{view.loopback6}/128")] if view.loopback6 else []
    yield _table("LOOPBACK_INTERFACE", [_row("Loopback0"), _row(f"Loopback0|{view.loopback}/32"), *six])
    if (managed := view.management) is not None:
        yield _table("MGMT_PORT", [_row("eth0", admin_status="up", alias="eth0", description="management")])
        gateway = {"gwaddr": managed.gateway} if managed.gateway else {}
        rows = [_row(f"eth0|{managed.address}/{managed.prefix_len}", **gateway)]
        if managed.address6:
            gateway = {"gwaddr": managed.gateway6} if managed.gateway6 else {}
            rows.append(_row(f"eth0|{managed.address6}/{managed.prefix_len6}", **gateway))
        yield _table("MGMT_INTERFACE", rows)


def _bridge(view: SwitchView) -> Iterator[Table]:
    if (bridge := view.bridge) is None:
        return
    name = f"Vlan{VLAN}"
    relay = {"dhcp_servers": list(view.servers)} if view.servers else {}
    yield _table("VLAN", [_row(name, vlanid=str(VLAN), admin_status="up", description="out of band", **relay)])
    six = [_row(f"{name}|{bridge.address6}/{bridge.prefix_len6}")] if bridge.address6 else []
    yield _table("VLAN_INTERFACE", [_row(name), _row(f"{name}|{bridge.address}/{bridge.prefix_len}"), *six])
    yield _table("VLAN_MEMBER", [_row(f"{name}|Ethernet{p.sonic_port}", tagging_mode="untagged") for p in bridge.ports])


def _neighbours(view: SwitchView) -> Iterator[Table]:
    if not view.ports:
        return
    rows = [f'"Ethernet{p.sonic_port}": {{"name": "{p.far_device}", "port": "{p.far_port}"}}' for p in view.ports]
    yield _table("DEVICE_NEIGHBOR", rows)
    known: dict[str, Mapping[str, str]] = {}
    for port in view.ports:
        if port.below or port.far_device in known or port.far_role is None:
            continue
        facts = {
            "hwsku": port.far_hwsku, "lo_addr": port.far_loopback, "lo_addr_v6": port.far_loopback6,
            "mgmt_addr": port.far_mgmt, "mgmt_addr_v6": port.far_mgmt6,
        }  # fmt: skip
        kind = router_type(view.fabric, port.far_role)
        known[port.far_device] = {k: v for k, v in facts.items() if v is not None} | {"type": kind}
    if known:
        yield _table("DEVICE_NEIGHBOR_METADATA", [_row(name, **facts) for name, facts in known.items()])


def _by_address(view: SwitchView) -> Iterator[Table]:
    """The sessions of bgpcfgd, one a family."""
    times = f'"holdtime": "{HARDWARE.hold_s}", "keepalive": "{HARDWARE.keepalive_s}"'
    ends = [(p, p.address, p.far_address) for p in view.peers]
    ends += [(p, p.address6, p.far_address6) for p in view.peers if p.far_address6]
    rows = (
        f'"{far}": {{"admin_status": "up", "asn": "{p.far_asn}", {times}, "local_addr": "{near}", '
        f'"name": "{p.far_device}"}}'
        for p, near, far in ends
    )
    yield _table("BGP_NEIGHBOR", rows)


def _by_interface(view: SwitchView) -> Iterator[Table]:
    """The sessions of the FRR management framework, with all that it needs to be told besides."""
    keepalive_s, hold_s, lost, every_ms = (str(n) for n in HARDWARE)
    networks = {"ipv4_unicast": (f"{view.loopback}/32", *view.announced)}
    if view.loopback6:
        networks["ipv6_unicast"] = (f"{view.loopback6}/128", *view.announced6)
    own = {"local_asn": str(view.asn), "router_id": view.loopback}
    yield _table("BGP_GLOBALS", [_row(VRF, load_balance_mp_relax="true", log_nbr_state_changes="true", **own)])
    yield _table("BGP_GLOBALS_AF", [_row(f"{VRF}|{af}", max_ebgp_paths=str(view.paths)) for af in networks])
    yield _table(
        "BGP_GLOBALS_AF_NETWORK", [_row(f"{VRF}|{af}|{prefix}") for af, mine in networks.items() for prefix in mine]
    )
    times = {"keepalive": keepalive_s, "holdtime": hold_s, "detection_multiplier": lost}
    pace = {"desired_minimum_tx_interval": every_ms, "required_minimum_receive": every_ms}
    group = _row(f"{VRF}|{GROUP}", bfd="true", capability_ext_nexthop="true", **times, **pace)
    yield _table("BGP_PEER_GROUP", [group])
    policy = {"route_map_in": [GROUP], "route_map_out": [GROUP]}
    yield _table("BGP_PEER_GROUP_AF", [_row(f"{VRF}|{GROUP}|{af}", admin_status="up", **policy) for af in networks])
    names = [f"{VRF}|Ethernet{p.sonic_port}" for p in view.peers]
    said = f'"peer_group_name": "{GROUP}", "peer_type": "external"'
    rows = (f'"{n}": {{"name": "{p.far_device}", {said}}}' for n, p in zip(names, view.peers, strict=True))
    yield _table("BGP_NEIGHBOR", rows)
    yield _table("BGP_NEIGHBOR_AF", (f'"{n}|{af}": {{"admin_status": "up"}}' for n in names for af in networks))
    yield from _policy(view)


def _policy(view: SwitchView) -> Iterator[Table]:
    """What is accepted and passed on: FRR drops all routes of a neighbour in another AS without a policy."""
    sets = [(GROUP, "IPv4", 32, view.accepted, "match_prefix_set")]
    if view.accepted6:
        sets.append((f"{GROUP}6", "IPv6", 128, view.accepted6, "match_ipv6_prefix_set"))
    yield _table("PREFIX_SET", [_row(name, mode=mode) for name, mode, *_ in sets])
    spans = [f"{name}|{block}|{block.split('/')[1]}..{bits}" for name, _, bits, mine, _ in sets for block in mine]
    yield _table("PREFIX", [_row(span, action="permit") for span in spans])
    yield _table("ROUTE_MAP_SET", [_row(GROUP)])
    rules = [{"route_operation": "permit", match: name} for name, *_, match in sets]
    yield _table("ROUTE_MAP", [_row(f"{GROUP}|{10 * i}", **rule) for i, rule in enumerate(rules, start=1)])


def _routing(view: SwitchView) -> Iterator[Table]:
    if view.asn is None:
        return
    yield from _by_interface(view) if view.unnumbered else _by_address(view)
    # The prefix of a VLAN is announced by itself; that of a leaf's /31s is not, so it stands as a route to nowhere.
    if view.announced and view.bridge is None:
        routes = [
            _row(f"default|{p}", advertise="true", blackhole="true", distance="250")
            for p in (*view.announced, *view.announced6)
        ]
        yield _table("STATIC_ROUTE", routes)
    fields = list(HASHED)
    hashes: dict[str, str | list[str]] = {
        "ecmp_hash": fields,
        "ecmp_hash_algorithm": "CRC",
        "lag_hash": fields,
        "lag_hash_algorithm": "CRC",
    }
    yield _table("SWITCH_HASH", [_row("GLOBAL", **hashes)])


def _services(view: SwitchView) -> Iterator[Table]:
    if not view.servers:
        return
    yield _table("NTP", [_row("global", admin_state="enabled", dhcp="disabled", server_role="disabled", vrf="default")])
    servers = [_row(s, association_type="server", iburst="on", resolve_as=s) for s in view.servers[:MOST_NTP]]
    yield _table("NTP_SERVER", servers)
    yield _table("SYSLOG_SERVER", [_row(s, port="514", protocol="udp") for s in view.servers])


def _maps(roce: Roce) -> Iterator[Table]:
    classes = {str(dscp): str(tc) for dscp, tc in enumerate(roce.dscp_to_tc())}
    groups = {str(tc): str(pg) for tc, pg in enumerate(roce.tc_to_pg())}
    same = {str(n): str(n) for n in range(8)}
    lossless = str(roce.priority)
    yield _table("DSCP_TO_TC_MAP", [_row(MAP, **classes)])
    yield _table("TC_TO_PRIORITY_GROUP_MAP", [_row(MAP, **groups)])
    yield _table("TC_TO_QUEUE_MAP", [_row(MAP, **same)])
    yield _table("MAP_PFC_PRIORITY_TO_QUEUE", [_row(MAP, **same)])
    yield _table("PFC_PRIORITY_TO_PRIORITY_GROUP_MAP", [_row(MAP, **{lossless: lossless})])
    dwrr = {"type": "DWRR", "weight": str(WEIGHT)}
    yield _table("SCHEDULER", [_row("data", **dwrr), _row("other", **dwrr), _row("notifications", type="STRICT")])
    limits = {"min_threshold": ECN_MIN_BYTES, "max_threshold": ECN_MAX_BYTES, "drop_probability": ECN_PERCENT}
    colours = ("green", "yellow", "red")
    profile = {f"{c}_{name}": str(value) for c in colours for name, value in limits.items()}
    yield _table("WRED_PROFILE", [_row(MAP, ecn="ecn_all", **{f"wred_{c}_enable": "true" for c in colours}, **profile)])
    yield _table("DEFAULT_LOSSLESS_BUFFER_PARAMETER", [_row(MAP, default_dynamic_th="0", over_subscribe_ratio="0")])


def _pools(buffer_bytes: int | None) -> Iterator[Table]:
    size = {"size": str(buffer_bytes)} if buffer_bytes else {}
    yield _table(
        "BUFFER_POOL",
        [
            _row("ingress_lossless_pool", mode="dynamic", type="ingress"),
            _row("egress_lossless_pool", mode="dynamic", type="egress", **size),
            _row("egress_lossy_pool", mode="dynamic", type="egress"),
        ],
    )
    yield _table(
        "BUFFER_PROFILE",
        [
            _row("ingress_lossless_profile", dynamic_th="7", pool="ingress_lossless_pool", size="0"),
            _row("ingress_lossy_profile", dynamic_th="3", pool="ingress_lossless_pool", size="0"),
            _row("egress_lossless_profile", dynamic_th="7", pool="egress_lossless_pool", size="0"),
            _row("egress_lossy_profile", dynamic_th="7", pool="egress_lossy_pool", size="9216"),
            _row("q_lossy_profile", dynamic_th="3", pool="egress_lossy_pool", size="0"),
        ],
    )


def _spans(lossless: int) -> list[str]:
    """Queues 0 to 6 but the lossless one, as ranges: 3 -> 0-2, 4-6. Queue 7 stays with the system."""
    spans = [(a, b) for a, b in ((0, lossless - 1), (lossless + 1, 6)) if a <= b]
    return [str(a) if a == b else f"{a}-{b}" for a, b in spans]


@lru_cache(maxsize=64)
def _lossless(ports: tuple[str, ...], roce: Roce, buffer_bytes: int | None) -> tuple[Table, ...]:
    """Ports, the lossless class and the ASIC's memory -> all tables that say no more than that: the same on thousands
    of switches.
    """
    n, other = roce.priority, _spans(roce.priority)
    maps = {"dscp_to_tc_map": MAP, "tc_to_queue_map": MAP, "tc_to_pg_map": MAP, "pfc_to_queue_map": MAP}
    maps |= {"pfc_to_pg_map": MAP, "pfc_enable": str(n), "pfcwd_sw_enable": str(n)}
    queues: list[Row] = []
    for port in ports:
        queues.append(_row(f"{port}|0", scheduler="other"))
        queues.append(_row(f"{port}|{n}", scheduler="data", wred_profile=MAP))
        queues.append(_row(f"{port}|{roce.cnp_priority}", scheduler="notifications"))
    watch = {"action": "drop", "detection_time": str(WATCHDOG_MS), "restoration_time": str(WATCHDOG_MS)}
    held = [_row(f"{p}|{s}", profile="q_lossy_profile") for p in ports for s in other]
    held += [_row(f"{p}|{n}", profile="egress_lossless_profile") for p in ports]
    # "NULL": the size of the headroom is computed on the switch from speed, MTU and the length of the cable.
    groups = [_row(f"{p}|0", profile="ingress_lossy_profile") for p in ports]
    groups += [_row(f"{p}|{n}", profile="NULL") for p in ports]
    ingress, egress = (f"{way}_lossless_profile,{way}_lossy_profile" for way in ("ingress", "egress"))
    return (
        *_maps(roce),
        _table("PORT_QOS_MAP", [_row("global", dscp_to_tc_map=MAP), *(_row(p, **maps) for p in ports)]),
        _table("QUEUE", queues),
        *_pools(buffer_bytes),
        _table("BUFFER_PG", groups),
        _table("BUFFER_QUEUE", held),
        _table("BUFFER_PORT_INGRESS_PROFILE_LIST", [_row(p, profile_list=ingress) for p in ports]),
        _table("BUFFER_PORT_EGRESS_PROFILE_LIST", [_row(p, profile_list=egress) for p in ports]),
        _table("PFC_WD", [_row("GLOBAL", POLL_INTERVAL=str(WATCHDOG_MS)), *(_row(p, **watch) for p in ports)]),
    )


def _quality(view: SwitchView) -> Iterator[Table]:
    if view.roce is None:
        return
    ports = tuple(f"Ethernet{p.sonic_port}" for p in view.ports)
    yield from _lossless(ports, view.roce, view.buffer_bytes)
    lengths = {name: f"{port.length_m}m" for name, port in zip(ports, view.ports, strict=True)}
    yield _table("CABLE_LENGTH", [_row(MAP, **lengths)])


SECTIONS = (_device, _ports, _addresses, _bridge, _neighbours, _routing, _services, _quality)


def config_db(view: SwitchView) -> str:
    """The view of a switch -> config_db.json. CatalogueError where SONiC has no name for one of its ports."""
    tables = [table for section in SECTIONS for table in section(view)]
    texts = (f'  "{name}": {{\n    {rows}\n  }}' for name, rows in sorted(tables))
    return "{\n" + ",\n".join(texts) + "\n}\n"
