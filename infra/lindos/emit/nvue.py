"""The view of a switch -> Cumulus Linux as NVUE takes it by `nv config replace`. Not validated by a device.

Written as text, a function a section, because a YAML writer takes a hundred times as long; names and addresses need no
quotes. Keys as in the Cumulus Linux user guide, 5.1 to 5.14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.emit.intent import HARDWARE
from lindos.plan.roce import Roce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.emit.intent import BridgeView, ManagementView, PortView, SwitchView

VLAN = 10
BRIDGE = "br_default"
GROUP = "fabric"
RS_FEC_GBPS = 100
PRESET = Roce(priority=3, dscp=26, cnp_priority=6, cnp_dscp=48)
"""What `nv set qos roce` sets by itself."""


def port_name(port: PortView) -> str:
    """Cage 5 -> swp5, its second part of two -> swp5s1."""
    return f"swp{port.cage}" if port.lane_groups == 1 else f"swp{port.cage}s{port.lane_group}"


def _bridge(view: SwitchView) -> Iterator[str]:
    if view.bridge is not None:
        yield f"    bridge:\n      domain:\n        {BRIDGE}:\n          vlan:\n            '{VLAN}': {{}}"


def _address(at: PortView | ManagementView | BridgeView) -> str:
    """The addresses of a port, in each family."""
    first = f"        ip:\n          address:\n            {at.address}/{at.prefix_len}: {{}}"
    return f"{first}\n            {at.address6}/{at.prefix_len6}: {{}}" if at.address6 else first


def _port(view: SwitchView, port: PortView) -> Iterator[str]:
    yield f"      {port_name(port)}:"
    if view.bridge is not None and port.below:
        yield f"        bridge:\n          domain:\n            {BRIDGE}:\n              access: {VLAN}"
    yield f"        description: {port.description}"
    if port.address is not None:
        yield _address(port)
    yield "        link:"
    if port.rate_gbps >= RS_FEC_GBPS:
        yield f"          auto-negotiate: off\n          fec: rs\n          mtu: {view.mtu}"
        yield f"          speed: {port.rate_gbps}G"
    else:
        yield f"          auto-negotiate: on\n          mtu: {view.mtu}"
    if view.adaptive_routing and not port.below:
        yield "        router:\n          adaptive-routing:\n            enable: on"
    yield "        type: swp"


def _loopbacks(view: SwitchView) -> list[str]:
    return [f"{view.loopback}/32", *([f"{view.loopback6}/128"] if view.loopback6 else [])]


def _interfaces(view: SwitchView) -> Iterator[str]:
    yield "    interface:"
    if (managed := view.management) is not None:
        yield f"      eth0:\n{_address(managed)}"
        if managed.gateway:
            yield f"          gateway:\n            {managed.gateway}: {{}}"
            if managed.gateway6:
                yield f"            {managed.gateway6}: {{}}"
        yield "          vrf: mgmt\n        type: eth"
    loopbacks = [f"            {lo}: {{}}" for lo in _loopbacks(view)]
    yield from ("      lo:\n        ip:\n          address:", *loopbacks, "        type: loopback")
    split: set[int] = set()
    for port in view.ports:
        if port.lane_groups > 1 and port.cage not in split:
            split.add(port.cage)
            yield f"      swp{port.cage}:\n        link:\n          breakout:\n            {port.lane_groups}x:"
            lanes = f"lanes-per-port: '{port.cage_lanes // port.lane_groups}'" if port.cage_lanes else "{}"
            yield f"              {lanes}\n        type: swp"
        yield from _port(view, port)
    if (bridge := view.bridge) is not None:
        yield f"      vlan{VLAN}:\n{_address(bridge)}"
        yield f"        type: svi\n        vlan: {VLAN}"


def _quality(view: SwitchView) -> Iterator[str]:
    """The lossless class; the headroom is that of the longest cable, for NVUE's RoCE has one length for all ports."""
    if (roce := view.roce) is None:
        return
    yield "    qos:"
    if roce != PRESET:
        yield "      egress-queue-mapping:\n        default-global:\n          switch-priority:"
        for tc in range(8):
            queue = tc if tc in (roce.priority, roce.cnp_priority) else 0
            yield f"            '{tc}':\n              traffic-class: {queue}"
        yield "      mapping:\n        default-global:\n          dscp:"
        for dscp, tc in enumerate(roce.dscp_to_tc()):
            yield f"            '{dscp}':\n              switch-priority: {tc}"
        yield "          trust: l3"
    longest = max((p.length_m for p in view.ports), default=0)
    yield f"      pfc:\n        default-global:\n          cable-length: {longest}"
    yield f"          switch-priority:\n            '{roce.priority}': {{}}"
    yield "      roce:\n        enable: on\n        mode: lossless"


def _router(view: SwitchView) -> Iterator[str]:
    if view.asn is None:
        return
    yield "    router:"
    if view.adaptive_routing:
        yield "      adaptive-routing:\n        enable: on"
    yield f"      bgp:\n        autonomous-system: {view.asn}\n        enable: on\n        router-id: {view.loopback}"


def _services(view: SwitchView) -> Iterator[str]:
    if not view.servers:
        return
    vrf = "mgmt" if view.management is not None else "default"
    servers = [f"            {server}: {{}}" for server in view.servers]
    yield "    service:"
    if view.bridge is not None:
        yield "      dhcp-relay:\n        default:\n          interface:"
        names = [f"vlan{VLAN}", *(port_name(p) for p in view.peers)]
        yield from (f"            {name}: {{}}" for name in names)
        yield from ("          server:", *servers)
    for name in ("ntp", "syslog"):
        yield from (f"      {name}:\n        {vrf}:\n          server:", *servers)


def _system(view: SwitchView) -> Iterator[str]:
    yield f"    system:\n      hostname: {view.device}"


def _group(name: str, families: list[str]) -> Iterator[str]:
    """A peer group: its times, and the families of addresses that it has otherwise than IPv4 alone."""
    keepalive_s, hold_s, lost, every_ms = HARDWARE
    yield f"              {name}:"
    if families:
        yield "                address-family:"
    for family, state in (told.split(": ") for told in families):
        yield f"                  {family}:\n                    enable: {state}"
    yield f"                bfd:\n                  detect-multiplier: {lost}\n                  enable: on"
    yield f"                  min-rx-interval: {every_ms}\n                  min-tx-interval: {every_ms}"
    yield f"                timers:\n                  hold: {hold_s}\n                  keepalive: {keepalive_s}"


def _routing(view: SwitchView) -> Iterator[str]:
    if view.asn is None:
        return
    yield "    vrf:\n      default:\n        router:\n          bgp:"
    yield "            address-family:"
    loopbacks = _loopbacks(view)
    told = {"ipv4-unicast": (loopbacks[0], *view.announced)}
    if view.loopback6:
        told["ipv6-unicast"] = (loopbacks[1], *view.announced6)
    for family, prefixes in told.items():
        yield f"              {family}:\n                enable: on"
        yield f"                multipaths:\n                  ebgp: {view.paths}\n                network:"
        yield from (f"                  {prefix}: {{}}" for prefix in prefixes)
    yield "            enable: on\n            neighbor:"
    groups = {GROUP: ["ipv6-unicast: on"] if view.loopback6 and view.unnumbered else []}
    if view.loopback6 and not view.unnumbered:
        groups[f"{GROUP}6"] = ["ipv4-unicast: off", "ipv6-unicast: on"]
    ends = [(p, port_name(p) if view.unnumbered else p.far_address, GROUP) for p in view.peers]
    ends += [(p, p.far_address6, f"{GROUP}6") for p in view.peers if p.far_address6]
    for port, name, group in ends:
        yield f"              {name}:\n                description: {port.description}"
        yield f"                peer-group: {group}"
        if view.unnumbered:
            yield "                remote-as: external\n                type: unnumbered"
        else:
            yield f"                remote-as: {port.far_asn}\n                type: numbered"
    yield "            path-selection:\n              multipath:\n                aspath-ignore: on"
    yield "            peer-group:"
    for group, families in groups.items():
        yield from _group(group, families)
    # A leaf's own prefix stands in no table of its own: a route to nowhere lets BGP announce it.
    if view.announced and view.bridge is None:
        yield "          static:"
        routes = [(prefix, "ipv4") for prefix in view.announced] + [(prefix, "ipv6") for prefix in view.announced6]
        for prefix, family in routes:
            yield f"            {prefix}:\n              address-family: {family}-unicast\n              via:"
            yield "                blackhole:\n                  type: blackhole"


SECTIONS = (_bridge, _interfaces, _quality, _router, _services, _system, _routing)


def nvue(view: SwitchView) -> str:
    """The view of a switch -> the document that `nv config replace` takes."""
    head = (
        f"# {view.device} of {view.site}, slice {view.slice} {view.digest}",
        "# generated, edits are lost; not validated by a device: try it on one with `nv config diff` first",
        "- set:",
    )
    return "\n".join((*head, *(line for section in SECTIONS for line in section(view)))) + "\n"
