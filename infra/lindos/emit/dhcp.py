"""Plan -> DHCP for whatever hangs on the out-of-band network: an address, a name, and what to begin with.

Keyed by what is known before anything answers: the port that a device is plugged into, which the access switch adds to
a request (option 82, circuit id `<access switch>:<port>`, as SONiC's relay writes it). The control hosts serve the
build folder over HTTP. Access switches have no port of another access switch: they are configured by hand.

The same twice: for Kea, and for dnsmasq as a site of a few racks may prefer.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.emit.intent import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

LEASE_S = 3_600
"""An hour: a NIC that was exchanged gets the address of its port when the lease of the old one is over."""
CUMULUS_URL = 239
"""The option in which Cumulus Linux looks for its script."""
ROLES = ("gpu", "storage", "control")
"""Devices that get an operating system over the network; a script and a seed for each role."""
IPXE_CLASS = "iPXE"
"""The user class (option 77) in which iPXE says that it is there already."""


class Firmware(NamedTuple):
    """What asks first: `architecture` is its number in option 93 (RFC 4578, IANA's registry of processor types)."""

    name: str
    architecture: int
    http: bool
    file: str


FIRMWARE = (
    Firmware("x86_64-http", 16, True, "os/ipxe/x86_64/ipxe.efi"),
    Firmware("arm64-http", 19, True, "os/ipxe/arm64/ipxe.efi"),
    Firmware("x86_64-pxe", 7, False, "ipxe/x86_64/ipxe.efi"),
    Firmware("x86_64-pxe9", 9, False, "ipxe/x86_64/ipxe.efi"),
    Firmware("arm64-pxe", 11, False, "ipxe/arm64/ipxe.efi"),
    Firmware("bios-pxe", 0, False, "ipxe/x86_64/undionly.kpxe"),
)
"""UEFI that fetches over HTTP, UEFI and BIOS that fetch over TFTP (below the folder os/); one boots as it can.

7 stands for x86-64 with every firmware that was ever built, 9 is what the RFC meant."""


def _managed(plan: Plan) -> pl.DataFrame:
    """Plan -> a row a port that is plugged into an access switch, in order of its ports, and what it gets."""
    managed = plan.addresses.filter(pl.col("purpose").is_in(["mgmt", "bmc"])).select(
        "device", "port", "purpose", "address", "prefix_len"
    )
    links = plan.links.filter(pl.col("fabric") == "oob", pl.col("tier") == "node_leaf").select(
        "b_device", "b_port", device="a_device", port="a_port"
    )
    frame = links.join(managed, on=["device", "port"], how="inner", maintain_order="left")
    frame = frame.join(plan.switches.select("device", "nos"), on="device", how="left", maintain_order="left")
    roles = plan.devices.select("device", role=pl.col("role").cast(pl.String))
    frame = frame.join(roles, on="device", how="left", maintain_order="left")
    numbers = plan.ports.select(b_device="device", b_port="port", cage="cage", lane_group="lane_group")
    frame = frame.join(numbers, on=["b_device", "b_port"], how="left", maintain_order="left")
    bmc = pl.col("purpose") == "bmc"
    told = pl.when(pl.col("nos").is_in(["sonic", "cumulus"])).then("nos").when(pl.col("role").is_in(ROLES)).then("role")
    return frame.sort("b_device", "cage", "lane_group").select(
        "b_device",
        "address",
        "prefix_len",
        circuit=pl.format("{}:{}", "b_device", "b_port"),
        name=pl.when(bmc).then(pl.format("{}-bmc", "device")).otherwise("device"),
        kind=pl.when(~bmc).then(told),
    )


def _subnets(plan: Plan, managed: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """A segment an access switch, with its gateway and its reservations; nobody else gets an address."""
    mine: dict[str, list[dict[str, Any]]] = {}
    for row in managed.iter_rows(named=True):
        entry: dict[str, Any] = {
            "circuit-id": f"'{row['circuit']}'", "hostname": row["name"], "ip-address": row["address"],
        }  # fmt: skip
        if row["kind"] is not None:
            entry["client-classes"] = [row["kind"]]
        mine.setdefault(row["b_device"], []).append(entry)
    gateways = plan.addresses.filter(pl.col("port") == "br-oob").select("device", "address", "prefix_len")
    for number, (device, gateway, length) in enumerate(gateways.iter_rows(), start=1):
        a, b, c, d = (int(part) for part in gateway.split("."))
        size = 2 ** (32 - length)
        yield {
            "id": number,
            "subnet": f"{a}.{b}.{c}.{d // size * size}/{length}",
            "user-context": {"access-switch": device},
            "option-data": [{"name": "routers", "data": gateway}],
            "reservations": mine.get(device, []),
        }


def _boot(name: str, test: str, file: str, *more: dict[str, Any], server: str = "") -> dict[str, Any]:
    """A class of clients that begin with `file`, which is in the header and in option 67: firmware reads either."""
    data = [{"name": "boot-file-name", "data": file}, *more]
    return {"name": name, "test": test, "boot-file-name": file, "option-data": data} | (
        {"next-server": server} if server else {}
    )


def _classes(url: str, server: str) -> Iterator[dict[str, Any]]:
    """What a device gets besides its address, by what it says of itself (ONIE, firmware, iPXE) or is in the plan."""
    yield {
        "name": "onie",
        "test": "substring(option[60].hex,0,11) == 'onie_vendor'",
        "option-data": [{"name": "www-server", "data": server}],
    }
    yield {"name": "sonic", "option-data": [{"name": "boot-file-name", "data": f"{url}/ztp/ztp.json"}]}
    script = {"code": CUMULUS_URL, "name": "cumulus-provision-url", "data": f"{url}/ztp/cumulus.sh"}
    yield {"name": "cumulus", "option-data": [script]}
    # What UEFI asks for over HTTP it takes only from a server that says the same word.
    client = {"name": "vendor-class-identifier", "data": "HTTPClient", "always-send": True}
    loaded = f"option[77].hex == '{IPXE_CLASS}'"
    for way in FIRMWARE:
        test = f"option[93].hex == 0x{way.architecture:04x} and not ({loaded})"
        if way.http:
            yield _boot(way.name, test, f"{url}/{way.file}", client)
        else:
            yield _boot(way.name, test, way.file, server=server)
    for role in ROLES:
        yield {"name": role}
        # KNOWN has Kea wait with the test until it has looked for the reservation, which gives the role.
        yield _boot(f"{role}-ipxe", f"member('KNOWN') and {loaded} and member('{role}')", f"{url}/boot/{role}.ipxe")


def _kea(plan: Plan, managed: pl.DataFrame, server: str) -> str:
    """Plan and what is plugged in -> Kea's configuration: what holds for all, and a subnet a line.

    A machine asks as its firmware, as iPXE, as an installer and as what was installed, each under a client id of its
    own: it is known by its port and its MAC address instead. All requests come through relays.
    """
    head = {
        "interfaces-config": {
            "interfaces": ["*"],
            "dhcp-socket-type": "udp",
            # After a power failure the server is up before its port has a carrier; it looks again for ten minutes.
            "service-sockets-max-retries": 120,
            "service-sockets-retry-wait-time": 5000,
        },
        "valid-lifetime": LEASE_S,
        "match-client-id": False,
        "host-reservation-identifiers": ["circuit-id"],
        "option-def": [{"name": "cumulus-provision-url", "code": CUMULUS_URL, "type": "string"}],
        "client-classes": list(_classes(f"http://{server}", server)),
    }
    fields = [f'    "{name}": {json.dumps(value)}' for name, value in head.items()]
    subnets = ",\n      ".join(json.dumps(subnet) for subnet in _subnets(plan, managed))
    fields.append(f'    "subnet4": [\n      {subnets}\n    ]')
    return '{\n  "Dhcp4": {\n' + ",\n".join(fields) + "\n  }\n}\n"


def _dnsmasq(plan: Plan, managed: pl.DataFrame, server: str) -> Iterator[str]:
    """Plan and what is plugged in -> dnsmasq's configuration, line by line.

    A port is a tag; the tag has a range of one address. The router is the relay that asks, which dnsmasq does unasked.
    """
    url = f"http://{server}"
    yield f"# DHCP of site {plan.site}; generated, edits are lost."
    yield "port=0"
    yield "dhcp-authoritative"
    yield "dhcp-vendorclass=set:onie,onie_vendor"
    yield f"dhcp-userclass=set:ipxe,{IPXE_CLASS}"
    yield f"dhcp-option=tag:onie,72,{server}"
    yield f"dhcp-option=tag:sonic,option:bootfile-name,{url}/ztp/ztp.json"
    yield f"dhcp-option=tag:cumulus,{CUMULUS_URL},{url}/ztp/cumulus.sh"
    for way in FIRMWARE:
        yield f"dhcp-match=set:{way.name},option:client-arch,{way.architecture}"
        if way.http:
            yield f"dhcp-option-force=tag:{way.name},tag:!ipxe,60,HTTPClient"
            yield f"dhcp-boot=tag:{way.name},tag:!ipxe,{url}/{way.file}"
        else:
            yield f"dhcp-boot=tag:{way.name},tag:!ipxe,{way.file},,{server}"
    for role in ROLES:
        yield f"dhcp-boot=tag:{role},tag:ipxe,{url}/boot/{role}.ipxe"
    for number, row in enumerate(managed.iter_rows(named=True), start=1):
        kind = "" if row["kind"] is None else f"set:{row['kind']},"
        mask = ipaddress.ip_network(f"0.0.0.0/{row['prefix_len']}").netmask
        yield f"dhcp-circuitid=set:p{number},{row['circuit']}"
        yield f"dhcp-range=tag:p{number},{kind}{row['address']},{row['address']},{mask},{LEASE_S}"
        yield f"dhcp-option=tag:p{number},12,{row['name']}"


def dhcp(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """dhcp/: where a site has control hosts that can serve it."""
    found = servers(plan)
    if found:
        managed = _managed(plan)
        yield Artefact("dhcp/kea-dhcp4.json", _kea(plan, managed, found[0]).encode())
        yield Artefact("dhcp/dnsmasq.conf", "".join(f"{line}\n" for line in _dnsmasq(plan, managed, found[0])).encode())
