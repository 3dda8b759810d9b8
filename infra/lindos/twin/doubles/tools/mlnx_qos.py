"""`mlnx_qos -i INTERFACE [--trust T] [--pfc BITS]`: what a port trusts and which priorities pause."""

from __future__ import annotations

import argparse
import re
import sys

from . import hardware, state

PRIORITIES = 8
DEFAULTS = {"trust": "pcp", "pfc": "0,0,0,0,0,0,0,0"}


def main() -> int:
    """-> exit code; prints the port's settings, after those it was told."""
    hardware.say_double("mlnx_qos")
    parser = argparse.ArgumentParser(prog="mlnx_qos", add_help=False)
    parser.add_argument("-i", "--interface", required=True)
    parser.add_argument("--trust", choices=("pcp", "dscp"))
    parser.add_argument("-f", "--pfc")
    arguments = parser.parse_args()
    if not state.hca_of(arguments.interface):
        print(f"Interface {arguments.interface} does not exist or is not a Mellanox port", file=sys.stderr)
        return 1
    if arguments.pfc is not None and not re.fullmatch(r"[01](,[01]){7}", arguments.pfc):
        print(f"pfc: '{arguments.pfc}' is not {PRIORITIES} values of 0 or 1", file=sys.stderr)
        return 2
    settings = state.load("mlnx_qos")
    asked = {"trust": arguments.trust, "pfc": arguments.pfc}
    told = {key: value for key, value in asked.items() if value is not None}
    now = {**DEFAULTS, **settings.get(arguments.interface, {}), **told}
    if told:
        state.save("mlnx_qos", {**settings, arguments.interface: now})
    print(_page(now["trust"], now["pfc"].split(",")))
    return 0


def _page(trust: str, pfc: list[str]) -> str:
    return "\n".join(
        (
            "DCBX mode: OS controlled",
            f"Priority trust state: {trust}",
            "PFC configuration:",
            "\tpriority    " + "   ".join(str(p) for p in range(PRIORITIES)),
            "\tenabled     " + "   ".join(pfc) + "   ",
        )
    )
