"""lldpd names a port as the cable map does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from roles.given import ADDRESS, HOST

if TYPE_CHECKING:
    from testinfra.host import Host


def check_every_port_is_named_by_its_interface(host: Host) -> None:
    shown = json.loads(host.check_output("lldpcli -f json0 show interfaces"))
    ports = {port["name"]: port["port"][0]["id"][0] for port in shown["lldp"][0]["interface"]}
    assert {
        name: (i["type"], i["value"]) for name, i in ports.items() if name in {"mgmt0", "fe0", "rail0", "rail1"}
    } == {name: ("ifname", name) for name in ("mgmt0", "fe0", "rail0", "rail1")}


def check_the_system_has_the_name_of_the_plan(host: Host) -> None:
    chassis = json.loads(host.check_output("lldpcli -f json0 show chassis"))["local-chassis"][0]["chassis"][0]
    assert chassis["name"][0]["value"] == HOST
    assert chassis["mgmt-ip"][0]["value"] == ADDRESS


def check_lldpd_starts_at_boot(host: Host) -> None:
    assert host.service("lldpd").is_running
    assert host.service("lldpd").is_enabled
