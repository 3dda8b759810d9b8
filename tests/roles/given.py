"""What the roles are given in these tests: an emitted inventory for one node, in the shape that emit writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lindos.emit.inventory import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = "lab-a0001-r01-n01"
ADDRESS = "10.192.0.10"
BMC_ADDRESS = "10.192.0.11"
DRIVER = "570.133.20"
NCCL = "2.27.3"
RAILS = 2


def node_variables() -> dict[str, Any]:
    """-> variables of the node, two rails of it."""
    return {
        "ansible_host": ADDRESS,
        "lindos_unit": "a0001",
        "lindos_slice": "a0001",
        "lindos_slice_digest": "0" * 64,
        "node_vendor": "supermicro",
        "node_product": "smc_sys_421ge_tnhr2_lcc",
        "gpu_count": 8,
        "gpu_model": "h100_sxm",
        "bmc_address": BMC_ADDRESS,
        "rdma_nic_interfaces": [_rail(rail) for rail in range(RAILS)],
        "frontend_network_interfaces": [
            {"name": "fe0", "address": "10.128.0.1", "prefix_len": 31, "gateway": "10.128.0.0", "mtu": 9000}
        ],
        "nccl_ib_hca": [f"mlx5_rail{rail}" for rail in range(RAILS)],
        "nccl_socket_ifname": "fe0",
    }


def infiniband() -> dict[str, Any]:
    """-> variables of the same node on InfiniBand, as emit writes them beside the others."""
    hcas = [
        {
            "name": f"rail{rail}",
            "hca": f"mlx5_rail{rail}",
            "rail": rail,
            "rate_gbps": 800,
            "peer_device": f"lab-a0001-leaf0{rail}",
            "peer_port": "IB1/1/1",
        }
        for rail in range(RAILS)
    ]
    slots = {"rail0": "0000:1A:00.0", "rail1": "0000:2A:00.0"}
    return node_variables() | {"rdma_nic_interfaces": [], "infiniband_hcas": hcas, "ib_host_slots": slots}


def _rail(rail: int) -> dict[str, Any]:
    base = f"10.{16 * rail}.0"
    return {
        "name": f"rail{rail}",
        "rail": rail,
        "hca": f"mlx5_rail{rail}",
        "address": f"{base}.1",
        "prefix_len": 31,
        "gateway": f"{base}.0",
        "rail_prefix": f"{base}.0/12",
        "table": 100 + rail,
        "mtu": 9000,
    }


def inventory(roles: list[str], **software: str) -> dict[str, Any]:
    """Roles -> hosts.json: every node in the group of every role."""
    versions = {"gpu_driver": DRIVER, "nccl": NCCL} | software
    return {
        "all": {
            "vars": {
                "lindos_site": "lab",
                "lindos_digest": "1" * 64,
                "frontend_network_destinations": ["10.128.0.0/12"],
                "rdma_nic_fabric_prefix": "10.0.0.0/9",
                "base_time_servers": ["10.192.0.2"],
                "bmc_ntp_servers": ["10.192.0.2"],
                "firmware_manifest": {"smc_sys_421ge_tnhr2_lcc": {"BIOS": "2.4", "BMC": "01.03.16", "Retimer": "1.0"}},
                **{f"{name}_version": version for name, version in versions.items()},
            },
            "children": {
                "gpu_node": {"hosts": {HOST: node_variables()}},
                "a0001": {"hosts": {HOST: {}}},
                "ib_host": {},
                **{role: {"children": {"gpu_node": {}}} for role in roles},
            },
        }
    }


def decided(key: str) -> dict[str, Any]:
    """A public key -> what people of this site decide beyond what the lab's do."""
    return {
        "base_operators": [
            {"name": "ada", "keys": [key], "uid": 2001},
            {"name": "visitor", "keys": [key], "sudo": False},
        ],
        # As in a virtual machine, which sees no PCIe tree.
        "nccl_topology_file": "{{ playbook_dir | dirname }}/inventories/lab/topology.xml",
        # Beside engines that need no more than the list of GPUs.
        "container_toolkit_runtimes": ["containerd", "docker"],
        "nccl_cuda": "12.9",
        # Other than what the container was given, to be seen.
        "base_nofile": 1024,
        "base_nproc": "4000",
        "node_tuning_hugepages": {"2M": 512, "1G": 4},
        "storage_client_mounts": [
            {"path": "/mnt/data-sets", "server": "10.192.0.2", "export": "/data", "nconnect": 8, "options": ["ro"]},
        ],
        "slurm_node_controllers": [ADDRESS],
        "base_hosts": {"192.0.2.7": ["mirror", "mirror.lab"]},
    }


MUNGE_KEY = "a cluster has one key, and this is the one of these tests\n"

# What people have on their controller before the roles come: here it is the node itself.
SLURM_CONF = f"""
ClusterName=lab
SlurmctldHost={HOST}({ADDRESS})
SlurmctldParameters=enable_configless
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TopologyPlugin=topology/tree
SelectType=select/cons_tres
GresTypes=gpu
ReturnToService=2
MailProg=/bin/true
NodeName=DEFAULT Gres=gpu:h100_sxm:8
NodeName={HOST} NodeAddr={ADDRESS}
NodeName=lab-a0001-r01-n02,lab-a0002-r01-n[01-02] NodeAddr=192.0.2.1 State=FUTURE
PartitionName=all Nodes=ALL Default=YES
"""


def expectation(roles: Iterable[str] = ()) -> dict[str, Any]:
    """Roles that the node has -> what the plan expects of it."""
    node = node_variables()
    return {
        "host": HOST,
        "unit": "a0001",
        "vendor": "supermicro",
        "product": node["node_product"],
        "gpu": {"count": 8, "model": "h100_sxm"},
        "psus": 4,
        "memory_gib": 2048,
        "nvme_drives": 10,
        "cpus": 2,
        "threads": 224,
        "software": {"gpu_driver": DRIVER, "nccl": NCCL},
        "nics": [
            *({**nic, "purpose": "rail", "rate_gbps": 400} for nic in node["rdma_nic_interfaces"]),
            *({**nic, "purpose": "frontend", "rate_gbps": 400} for nic in node["frontend_network_interfaces"]),
        ],
        "services": list(dict.fromkeys(unit for role in roles for unit in SERVICES.get(role, ()))),
        "nccl": {"NCCL_IB_HCA": "=mlx5_rail0,mlx5_rail1", "NCCL_SOCKET_IFNAME": "=fe0"},
    }


def write_build(build: Path, roles: list[str], variables: dict[str, Any] | None = None) -> None:
    """A folder -> build/lab, as far as roles and rollout read it: what the host is told lies beside its groups.

    `variables` are those of another node than `node_variables` tells of.
    """
    groups = inventory(roles)
    told = groups["all"]["children"]["gpu_node"].pop("hosts")
    told[HOST] = variables or told[HOST]
    groups["all"]["children"]["gpu_node"]["children"] = {"a0001": {}}
    (build / "inventory" / "host_vars").mkdir(parents=True)
    (build / "inventory" / "hosts.json").write_text(json.dumps(groups))
    (build / "inventory" / "host_vars" / "a0001.json").write_text(json.dumps(told))
    (build / "slurm").mkdir()
    for emitted in (Path(__file__).parents[1] / "golden" / "lab" / "slurm").iterdir():
        (build / "slurm" / emitted.name).write_text(emitted.read_text())
    (build / "expect").mkdir()
    (build / "expect" / "a0001.json").write_text(json.dumps({HOST: expectation(roles)}))
