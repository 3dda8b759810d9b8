"""Plan -> Ansible inventory as JSON, which Ansible reads several times faster than YAML.

hosts.json holds groups and names alone; what a host is told lies in host_vars/UNIT.json, which the vars plugin
roles/vars_plugins/host_vars_by_group.py opens when a play comes to a host of the unit. Ansible builds every host it
reads before it heeds --limit: with variables in hosts.json a play on one unit of 12,500 hosts began after a minute.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.emit.intent import servers
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
    "base",
    "node_tuning",
    "lldp",
    "bmc",
    "firmware",
    "frontend_network",
    "rdma_nic",
    "roce_qos",
    "ib_host",
    "gpu_driver",
    "fabric_manager",
    "gpu_monitoring",
    "container_toolkit",
    "nccl",
    "mpi",
    "nccl_tests",
    "storage_client",
    "slurm_node",
    "reboot",
    "node_validation",
)
"""Group = role = feature: a GPU node is in each of these through gpu_node, but for those that only some are in."""
ETHERNET_ROLES = ("rdma_nic", "roce_qos")
"""Roles that set up rails of Ethernet: nodes on InfiniBand are in none of them."""
INFINIBAND_ROLES = ("ib_host",)
"""Roles that set up rails of InfiniBand: nodes on Ethernet are in none of them."""
SWITCHING_ROLES = ("fabric_manager",)
"""Roles of nodes with NVSwitches of their own: where GPUs share NVLink over trays, those run it."""

SERVICES = {
    "base": ("chrony",),
    "lldp": ("lldpd",),
    "frontend_network": ("systemd-networkd",),
    "rdma_nic": ("systemd-networkd",),
    "roce_qos": ("roce-qos",),
    "gpu_driver": ("nvidia-persistenced",),
    "fabric_manager": ("nvidia-fabricmanager",),
    "gpu_monitoring": ("nvidia-dcgm", "nvidia-dcgm-exporter"),
    "slurm_node": ("munge",),
    "node_validation": ("lindos-validation.timer",),
}
"""Role -> units of systemd that it leaves running: what is then expected of a node in its group."""


PEOPLES = ("topology",)
"""Groups of roles whose hosts are no part of the plan: people name them, in the site's groups.yml."""


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
    hcas = {"infiniband_hcas": [p._asdict() for p in host.hcas]} if host.hcas else {}
    # What a site file does not say is people's, in the variables of a group.
    aside = {"node_tuning_hugepages": host.outfit.hugepages} if host.outfit.hugepages else {}
    told = {
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
    }
    return told | hcas | aside


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


def _members(plan: Plan) -> dict[str, list[str] | None]:
    """Plan -> units that a role is for, by role; None where it is for those of all."""
    trays = plan.devices.filter(pl.col("role") == "nvlink").select("unit").unique()
    switching = None if trays.is_empty() else plan.units.join(trays, on="unit", how="anti")["unit"].to_list()
    routed = _routed_units(plan)
    others = [] if routed is None else [unit for unit in plan.units["unit"] if unit not in set(routed)]
    some = dict.fromkeys(ETHERNET_ROLES, routed) | dict.fromkeys(INFINIBAND_ROLES, others)
    some |= dict.fromkeys(SWITCHING_ROLES, switching)
    return {role: some.get(role) for role in ROLE_GROUPS}


def services(plan: Plan) -> dict[str, list[str]]:
    """Plan -> units of systemd that run on the nodes of each unit, by the roles that these have."""
    found: dict[str, list[str]] = {unit: [] for unit in plan.units["unit"]}
    for role, units in _members(plan).items():
        for unit in found if units is None else units:
            found[unit] += SERVICES.get(role, ())
    return {unit: list(dict.fromkeys(names)) for unit, names in found.items()}


_NUMBERED = re.compile(r"(.*\D)(\d+)")
_RANGE = re.compile(r"(.*)\[(\d+):(\d+)\]")


def ranges(names: Iterable[str]) -> Iterator[str]:
    """Host names -> the same as Ansible's ranges: x-n01, x-n02, x-n04 -> x-n[01:02], x-n04."""

    def run(numbered: tuple[int, tuple[str, int, int]]) -> tuple[str, int, int]:
        place, (stem, width, number) = numbered
        return stem, width, number - place

    split = []
    for name in names:
        if found := _NUMBERED.fullmatch(name):
            split.append((found[1], len(found[2]), int(found[2])))
        else:
            yield name
    for (stem, width, _), members in groupby(enumerate(sorted(split)), run):
        numbers = [number for _, (_, _, number) in members]
        first, last = f"{numbers[0]:0{width}}", f"{numbers[-1]:0{width}}"
        yield f"{stem}{first}" if first == last else f"{stem}[{first}:{last}]"


def names_of(pattern: str) -> list[str]:
    """A name or a range, as `ranges` gives them -> the names."""
    found = _RANGE.fullmatch(pattern)
    if not found:
        return [pattern]
    return [f"{found[1]}{number:0{len(found[2])}}" for number in range(int(found[2]), int(found[3]) + 1)]


def _groups(plan: Plan, units: Mapping[str, list[HostView]]) -> dict[str, Any]:
    """Units and their hosts, which are of one product -> groups: vendors, products and roles hold units, units hold
    hosts.
    """
    vendors: dict[str, dict[str, Any]] = {}
    products: dict[str, dict[str, Any]] = {}
    for unit, hosts in units.items():
        if hosts:
            vendors.setdefault(hosts[0].vendor, {})[unit] = {}
            products.setdefault(hosts[0].product, {})[unit] = {}
    groups: dict[str, Any] = {"gpu_node": {"children": {unit: {} for unit in units}}}
    groups |= {f"vendor_{vendor}": {"children": children} for vendor, children in sorted(vendors.items())}
    groups |= {f"product_{product}": {"children": children} for product, children in sorted(products.items())}
    told = _of_islands(plan)
    for unit, hosts in units.items():
        members: dict[str, Any] = {name: {} for name in ranges(host.device for host in hosts)}
        groups[unit] = {"hosts": members} | ({"vars": told[unit]} if unit in told else {})
    for role, some in _members(plan).items():
        groups[role] = {"children": {"gpu_node": {}} if some is None else {unit: {} for unit in some}}
    return groups | {role: {} for role in PEOPLES}


def inventory(plan: Plan, views: Iterable[HostView], software: Mapping[str, str]) -> Iterator[Artefact]:
    """inventory/hosts.json: groups by vendor, unit and role; inventory/host_vars/UNIT.json: what its hosts are told."""
    units: dict[str, list[HostView]] = {unit: [] for unit in plan.units["unit"]}
    for host in views:
        units[host.unit].append(host)
    everywhere = {
        "lindos_site": plan.site,
        "lindos_digest": plan.digest,
        "frontend_network_destinations": [FRONTEND_BLOCK],
        "rdma_nic_fabric_prefix": FABRIC_BLOCK,
    }
    if (prefix := plan_prefix6(plan.addresses)) is not None:
        everywhere["rdma_nic_fabric_prefix6"] = fabric_prefix6(prefix)
        everywhere["frontend_network_destinations6"] = [frontend_prefix6(prefix)]
    if time_servers := servers(plan):
        everywhere |= {name: list(time_servers) for name in ("base_time_servers", "bmc_ntp_servers")}
    everywhere |= lossless(plan)
    everywhere |= {f"{name}_version": version for name, version in sorted(software.items())}
    yield _json("inventory/hosts.json", {"all": {"vars": everywhere, "children": _groups(plan, units)}})
    for unit, hosts in units.items():
        if hosts:
            told = {host.device: _host_vars(host) for host in hosts}
            yield _json(f"inventory/host_vars/{unit}.json", told, hosts[0].slice)


def _json(path: str, told: Mapping[str, Any], slice_: str | None = None) -> Artefact:
    return Artefact(path, json.dumps(told, separators=(",", ":")).encode(), slice_)
