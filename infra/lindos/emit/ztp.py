"""Plan -> what puts a configuration on a new switch: SONiC's and Cumulus' zero touch, and DHCP that leads there.

Keyed by what is known before anything answers: the port that a device is plugged into, which the access switch adds to
a request (option 82, circuit id `<access switch>:<port>`, as SONiC's relay writes it). The control hosts serve the
build folder over HTTP. Access switches have no port of another access switch: they are configured by hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.emit.intent import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

LEASE_S = 86_400
CUMULUS_URL = 239
"""The option in which Cumulus Linux looks for its script."""
SCRIPT = """\
#!/bin/bash
# Zero touch of Cumulus Linux for site {site}: fetches the configuration of this switch by the name DHCP gave it.
# generated, edits are lost; not validated by a device
# CUMULUS-AUTOPROVISIONING
set -euo pipefail
name=$(hostname -s)
file=$(mktemp --suffix=.yaml)
curl --fail --silent --show-error --retry 10 --retry-connrefused --output "$file" "{url}/switches/$name/nvue.yaml"
nv config replace "$file"
nv config apply --assume-yes
nv config save
exit 0
"""


def _ztp(url: str) -> dict[str, Any]:
    """The address of the build folder -> ztp.json: one for all, each switch asks for its own by its host name."""
    source = {"prefix": f"{url}/switches/", "identifier": "hostname", "suffix": "/config_db.json"}
    target = "/etc/sonic/config_db.json"
    section = {"dynamic-url": {"source": source, "destination": target}, "clear-config": True, "save-config": True}
    return {"ztp": {"01-configdb-json": section}}


def _classes(url: str, server: str) -> list[dict[str, Any]]:
    """What a device gets besides its address, by what it says of itself (ONIE) or is in the plan."""
    script = {"code": CUMULUS_URL, "name": "cumulus-provision-url", "data": f"{url}/ztp/cumulus.sh"}
    return [
        {
            "name": "onie",
            "test": "substring(option[60].hex,0,11) == 'onie_vendor'",
            "option-data": [{"name": "www-server", "data": server}],
        },
        {"name": "sonic", "option-data": [{"name": "boot-file-name", "data": f"{url}/ztp/ztp.json"}]},
        {"name": "cumulus", "option-data": [script]},
    ]


def _reservations(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Access switch -> a reservation for each device that is plugged into it, in order of ports."""
    managed = plan.addresses.filter(pl.col("purpose").is_in(["mgmt", "bmc"])).select(
        "device", "port", "purpose", "address"
    )
    links = plan.links.filter(pl.col("fabric") == "oob", pl.col("tier") == "node_leaf").select(
        "b_device", "b_port", device="a_device", port="a_port"
    )
    frame = links.join(managed, on=["device", "port"], how="inner", maintain_order="left")
    frame = frame.join(plan.switches.select("device", "nos"), on="device", how="left", maintain_order="left")
    numbers = plan.ports.select(b_device="device", b_port="port", cage="cage", lane_group="lane_group")
    frame = frame.join(numbers, on=["b_device", "b_port"], how="left", maintain_order="left")
    out: dict[str, list[dict[str, Any]]] = {}
    for row in frame.sort("b_device", "cage", "lane_group").iter_rows(named=True):
        name = f"{row['device']}-bmc" if row["purpose"] == "bmc" else row["device"]
        entry: dict[str, Any] = {
            "flex-id": f"'{row['b_device']}:{row['b_port']}'", "hostname": name, "ip-address": row["address"],
        }  # fmt: skip
        if row["nos"] in ("sonic", "cumulus"):
            entry["client-classes"] = [row["nos"]]
        out.setdefault(row["b_device"], []).append(entry)
    return out


def _subnets(plan: Plan) -> Iterator[dict[str, Any]]:
    """A segment a access switch, with its gateway and its reservations; nobody else gets an address."""
    mine = _reservations(plan)
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


def _kea(plan: Plan, url: str, server: str) -> str:
    """Plan -> the part of Kea's configuration that is the site's: classes, and a subnet a line."""
    head = {
        "valid-lifetime": LEASE_S,
        "host-reservation-identifiers": ["flex-id"],
        "hooks-libraries": [
            {
                "library": "libdhcp_flex_id.so",
                "parameters": {"identifier-expression": "relay4[1].hex", "replace-client-id": False},
            }
        ],
        "option-def": [{"name": "cumulus-provision-url", "code": CUMULUS_URL, "type": "string"}],
        "client-classes": _classes(url, server),
    }
    fields = [f'    "{name}": {json.dumps(value)}' for name, value in head.items()]
    subnets = ",\n      ".join(json.dumps(subnet) for subnet in _subnets(plan))
    fields.append(f'    "subnet4": [\n      {subnets}\n    ]')
    return '{\n  "Dhcp4": {\n' + ",\n".join(fields) + "\n  }\n}\n"


def zero_touch(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """ztp/: where a site has control hosts that can serve it."""
    found = servers(plan)
    if not found:
        return
    url = f"http://{found[0]}"
    yield Artefact("ztp/ztp.json", (json.dumps(_ztp(url), indent=2) + "\n").encode())
    yield Artefact("ztp/cumulus.sh", SCRIPT.format(site=plan.site, url=url).encode())
    yield Artefact("ztp/kea-dhcp4.json", _kea(plan, url, found[0]).encode())
