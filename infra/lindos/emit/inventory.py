"""Plan -> Ansible inventory as JSON, which Ansible reads several times faster than YAML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.plan.address import FABRIC_BLOCK, FRONTEND_BLOCK, STORAGE_BLOCK
from lindos.plan.address6 import fabric_prefix6, frontend_prefix6, plan_prefix6, storage_prefix6
from lindos.plan.roce import Roce
from lindos.plan.switches import ROCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lindos.emit.nodes import HostView, PortView
    from lindos.plan.tables import Plan

ROLE_GROUPS = (
    "package_repository",
    "node_tuning",
    "lldp",
    "frontend_network",
    "rdma_nic",
    "roce_qos",
    "gpu_driver",
    "fabric_manager",
    "nccl",
    "node_validation",
)
"""Group = role = feature: every GPU node is in each of these through gpu_node."""
ETHERNET_ROLES = ("rdma_nic", "roce_qos")
"""Roles that set up rails of Ethernet: nodes on InfiniBand are in none of them."""


PURPOSES = ("rail", "frontend", "storage")


def _port(port: PortView) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": port.name,
        "address": port.address,
        "prefix_len": port.prefix_len,
        "gateway": port.gateway,
        "mtu": port.mtu,
    }
    if port.rail is not None:
        out |= {"rail": port.rail, "hca": port.hca, "rail_prefix": port.rail_prefix, "table": port.table}
    told = {name: value for name, value in port.told().items() if name.endswith("6")}
    if port.purpose == "storage":
        out |= {"destinations": [STORAGE_BLOCK]}
        if address6 := told.get("address6"):
            out |= {"destinations6": [storage_prefix6(":".join(address6.split(":")[:3]))]}
    return out | told


def _host_vars(host: HostView) -> dict[str, Any]:
    ports = {purpose: [_port(p) for p in host.ports if p.purpose == purpose] for purpose in PURPOSES}
    return {
        "ansible_host": host.mgmt,
        "lindos_unit": host.unit,
        "lindos_slice": host.slice,
        "lindos_slice_digest": host.digest,
        "node_vendor": host.vendor,
        "node_product": host.product,
        "gpu_count": host.gpus,
        "gpu_model": host.gpu,
        "bmc_address": host.bmc,
        "rdma_nic_interfaces": ports["rail"],
        "frontend_network_interfaces": ports["frontend"] + ports["storage"],
        "nccl_ib_hca": [p["hca"] for p in ports["rail"]] + [p.hca for p in host.hcas],
        "nccl_socket_ifname": ports["frontend"][0]["name"] if ports["frontend"] else "mgmt0",
    } | ({"infiniband_hcas": [p._asdict() for p in host.hcas]} if host.hcas else {})


def lossless(plan: Plan, name: str = "rdma") -> dict[str, Any]:
    """Plan and a training fabric -> its lossless class as the roles know it: what its switches are told. InfiniBand
    loses nothing by itself: there it is no traffic class, and whether switches reduce collectives.
    """
    fabric = plan.fabrics.filter(fabric=name)
    if fabric.is_empty():
        return {}
    told = fabric.row(0, named=True)
    if told["link_layer"] == "infiniband":
        return {"nccl_ib_traffic_class": 0} | ({"nccl_parameters": {"COLLNET_ENABLE": 1}} if told["sharp"] else {})
    if told["priority"] is None:
        return {}
    roce = Roce(**{column: told[column] for column in ROCE})
    out: dict[str, Any] = {f"roce_qos_{column}": told[column] for column in ROCE}
    out["nccl_ib_traffic_class"] = roce.traffic_class
    return out | ({"nccl_parameters": {"IB_ADAPTIVE_ROUTING": 1}} if told["adaptive_routing"] else {})


def _of_islands(plan: Plan) -> dict[str, dict[str, Any]]:
    """Plan -> the units of islands, each with what its hosts are told otherwise than those of the first fabric."""
    leaves = plan.devices.filter(pl.col("fabric").str.starts_with("rdma-"), role="leaf").drop_nulls("unit")
    usual, other = lossless(plan), {}
    for fabric in leaves["fabric"].unique().sort():
        # What only the first fabric has is taken back.
        told = {"nccl_parameters": {}} | lossless(plan, fabric)
        other[fabric] = {name: value for name, value in told.items() if usual.get(name, {}) != value}
    homes = leaves.select("unit", "fabric").unique().sort("unit")
    return {unit: other[fabric] for unit, fabric in homes.iter_rows() if other[fabric]}


def _routed_units(plan: Plan) -> list[str] | None:
    """Plan -> the units whose rails are Ethernet; None where those of all are."""
    ours = plan.fabrics.filter(pl.col("link_layer") == "infiniband").select("fabric")
    if ours.is_empty():
        return None
    leaves = plan.devices.filter(role="leaf").drop_nulls("unit").join(ours, on="fabric", how="semi")
    return plan.units.filter(~pl.col("unit").is_in(leaves["unit"].unique().implode()))["unit"].to_list()


def inventory(plan: Plan, views: Iterable[HostView], software: Mapping[str, str]) -> Iterator[Artefact]:
    """inventory/hosts.json: groups by vendor, unit and role; what a host is told by its plan."""
    vendors: dict[str, dict[str, Any]] = {}
    units: dict[str, dict[str, Any]] = {u: {} for u in plan.units["unit"]}
    nodes: dict[str, dict[str, Any]] = {}
    for host in views:
        nodes[host.device] = _host_vars(host)
        vendors.setdefault(host.vendor, {})[host.device] = {}
        units[host.unit][host.device] = {}
    children: dict[str, Any] = {"gpu_node": {"hosts": nodes}}
    children |= {f"vendor_{v}": {"hosts": hosts} for v, hosts in sorted(vendors.items())}
    told = _of_islands(plan)
    children |= {u: {"hosts": hosts} | ({"vars": told[u]} if u in told else {}) for u, hosts in units.items()}
    routed = _routed_units(plan)
    for role in ROLE_GROUPS:
        some = routed is not None and role in ETHERNET_ROLES
        children[role] = {"children": {u: {} for u in routed or ()} if some else {"gpu_node": {}}}
    everywhere = {
        "lindos_site": plan.site,
        "lindos_digest": plan.digest,
        "frontend_network_destinations": [FRONTEND_BLOCK],
        "rdma_nic_fabric_prefix": FABRIC_BLOCK,
    }
    if (prefix := plan_prefix6(plan.addresses)) is not None:
        everywhere["rdma_nic_fabric_prefix6"] = fabric_prefix6(prefix)
        everywhere["frontend_network_destinations6"] = [frontend_prefix6(prefix)]
    everywhere |= lossless(plan)
    everywhere |= {f"{name}_version": version for name, version in sorted(software.items())}
    text = json.dumps({"all": {"vars": everywhere, "children": children}}, indent=None, separators=(",", ":"))
    yield Artefact("inventory/hosts.json", text.encode())
