"""`cma_roce_tos -d DEVICE [-t TOS]`: the type of service of connections of the RDMA connection manager."""

from __future__ import annotations

import argparse
import sys

from . import hardware, state


def main() -> int:
    """-> exit code; prints the value that holds."""
    hardware.say_double("cma_roce_tos")
    parser = argparse.ArgumentParser(prog="cma_roce_tos", add_help=False)
    parser.add_argument("-d", dest="device", required=True)
    parser.add_argument("-p", dest="port", default="1")
    parser.add_argument("-t", dest="tos", type=int)
    arguments = parser.parse_args()
    hca = state.hca_of(arguments.device)
    if not hca:
        print(f"Could not find device {arguments.device}", file=sys.stderr)
        return 1
    settings = state.load("cma_roce_tos")
    if arguments.tos is not None:
        settings[hca] = {"tos": str(arguments.tos)}
        state.save("cma_roce_tos", settings)
    print(settings.get(hca, {}).get("tos", "0"))
    return 0
