"""`lspci -Dvv -d ::0200` and `lspci -Dk -d ::0108`: the NICs with their PCIe links, and the NVMe drives.

All else is the real tool's to answer, which tells of the machine below.
"""

from __future__ import annotations

import sys

from . import hardware

GTS = {200: 16, 400: 32, 800: 64}
"""Rate of a port in Gb/s, up to -> GT/s of a lane that its card is made for; all have 16 lanes."""

LANES = 16


def main() -> int:
    """-> exit code; prints a block a device."""
    machine = hardware.read()
    if sys.argv[1:] == ["-Dvv", "-d", "::0200"]:
        hardware.say_double("lspci")
        print("\n".join(_nic(nic, machine) for nic in machine.nics if nic.rate_gbps))
    elif sys.argv[1:] == ["-Dk", "-d", "::0108"] and machine.nvme:
        hardware.say_double("lspci")
        for number in range(machine.nvme - machine.faults.get("drives_lost", 0)):
            print(f"0000:{0xC0 + number:02x}:00.0 Non-Volatile memory controller: Lindos twin double of a drive")
            print("\tKernel driver in use: nvme")
    else:
        return hardware.real("lspci")
    return 0


def _nic(nic: hardware.Nic, machine: hardware.Hardware) -> str:
    made = next((gts for rate, gts in GTS.items() if nic.rate_gbps <= rate), max(GTS.values()))
    lanes = machine.faults.get("nic_lanes", {}).get(nic.name, LANES)
    state = "ok" if lanes == LANES else "downgraded"
    return (
        f"{nic.pci} Ethernet controller: Mellanox Technologies ConnectX (Lindos twin double)\n"
        f"\t\tLnkCap:\tPort #0, Speed {made}GT/s, Width x{LANES}, ASPM not supported\n"
        f"\t\tLnkSta:\tSpeed {made}GT/s (ok), Width x{lanes} ({state})\n"
        "\tKernel driver in use: mlx5_core\n"
    )
