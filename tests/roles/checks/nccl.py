"""NCCL reads the settings that follow from the fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.given import NCCL

if TYPE_CHECKING:
    from testinfra.host import Host


def check_every_job_reads_the_fabrics_settings(host: Host) -> None:
    lines = host.file("/etc/nccl.conf").content_string.splitlines()
    assert dict(line.split("=", 1) for line in lines if not line.startswith("#")) == {
        # The second `=` is NCCL's: this name and no other that begins like it.
        "NCCL_IB_HCA": "=mlx5_rail0,mlx5_rail1",
        "NCCL_SOCKET_IFNAME": "=fe0",
        "NCCL_IB_TC": "106",
        "NCCL_CROSS_NIC": "0",
        "NCCL_IB_QPS_PER_CONNECTION": "4",
        "NCCL_TOPO_FILE": "/etc/nccl-topology.xml",
    }


def check_the_tree_that_jobs_are_pointed_to_is_there(host: Host) -> None:
    assert host.file("/etc/nccl-topology.xml").content_string.startswith('<system version="1">')


def check_the_release_is_the_one_asked_for(host: Host) -> None:
    assert host.package("libnccl2").version.startswith(f"{NCCL}-")
    assert host.package("libnccl2").version.endswith("+cuda12.9")
    assert host.file("/usr/lib/x86_64-linux-gnu/libnccl.so.2").linked_to.endswith(f"libnccl.so.{NCCL}")
    assert "libnccl2" in host.check_output("apt-mark showhold").split()
