"""`ethtool PORT`, `--show-fec PORT` and `-i PORT` of the ports that the hardware file gives a rate.

What stands behind them here is a veth, which has none of that. All else is the real tool's to answer.
"""

from __future__ import annotations

import sys

from . import hardware

FIRMWARE = "28.39.1002 (MT_0000000834)"
TELLS = {"--show-fec": "fec", "-i": "driver", "--driver": "driver"}


def main() -> int:
    """-> exit code; prints what was asked for."""
    *options, name = sys.argv[1:] or [""]
    machine = hardware.read()
    nic = next((n for n in machine.nics if n.name == name and n.rate_gbps), None)
    what = TELLS.get(options[0]) if len(options) == 1 else None if options else "settings"
    if nic is None or what is None:
        return hardware.real("ethtool")
    hardware.say_double("ethtool")
    up = hardware.carrier(name)
    if what == "fec":
        code = machine.faults.get("nic_fec", {}).get(name, "RS" if up else "None")
        print(f"FEC parameters for {name}:\nSupported/Configured FEC encodings: Auto RS BaseR")
        print(f"Active FEC encoding: {code}")
    elif what == "driver":
        print(f"driver: mlx5_core\nfirmware-version: {machine.faults.get('nic_firmware', {}).get(name, FIRMWARE)}")
        print(f"bus-info: {nic.pci}")
    else:
        print(f"Settings for {name}:\n\tSpeed: {f'{nic.rate_gbps * 1000}Mb/s' if up else 'Unknown!'}")
        print(f"\tDuplex: {'Full' if up else 'Unknown! (255)'}\n\tLink detected: {'yes' if up else 'no'}")
    return 0
