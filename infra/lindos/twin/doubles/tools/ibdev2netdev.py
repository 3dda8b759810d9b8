"""`ibdev2netdev`: which interface is which RDMA device, and whether its link is up."""

from __future__ import annotations

import sys

from . import hardware


def main() -> int:
    """-> exit code; prints a line a device."""
    hardware.say_double("ibdev2netdev")
    for nic in sorted((n for n in hardware.read().nics if n.hca), key=lambda n: (len(n.hca), n.hca)):
        device = f"{nic.hca} ({nic.pci})" if "-v" in sys.argv[1:] else nic.hca
        print(f"{device} port 1 ==> {nic.name} ({'Up' if hardware.carrier(nic.name) else 'Down'})")
    return 0
