"""`ibdev2netdev`: which interface is which RDMA device, and whether its link is up."""

from __future__ import annotations

import sys

from . import hardware


def main() -> int:
    """-> exit code; prints a line a device."""
    hardware.say_double("ibdev2netdev")
    for nic in sorted((n for n in hardware.read().nics if n.hca), key=lambda n: (len(n.hca), n.hca)):
        device = f"{nic.hca} ({nic.pci})" if "-v" in sys.argv[1:] else nic.hca
        print(f"{device} port 1 ==> {nic.name} ({_state(nic.name)})")
    return 0


def _state(name: str) -> str:
    path = hardware.root() / "sys/class/net" / name / "operstate"
    return "Up" if path.exists() and path.read_text().strip() == "up" else "Down"
