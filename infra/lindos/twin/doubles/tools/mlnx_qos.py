"""`mlnx_qos -i INTERFACE [--trust T] [--pfc BITS] [--dscp2prio set,DSCP,PRIORITY]`: a port's classes of traffic."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

from . import hardware, state

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIORITIES = 8
DSCPS = 64
DEFAULTS = {"trust": "pcp", "pfc": "0,0,0,0,0,0,0,0"}
DEFAULTS |= {f"dscp {dscp}": str(dscp // PRIORITIES) for dscp in range(DSCPS)}


def main() -> int:
    """-> exit code; prints the port's settings, after those it was told."""
    hardware.say_double("mlnx_qos")
    parser = argparse.ArgumentParser(prog="mlnx_qos", add_help=False)
    parser.add_argument("-i", "--interface", required=True)
    parser.add_argument("--trust", choices=("pcp", "dscp"))
    parser.add_argument("-f", "--pfc")
    parser.add_argument("--dscp2prio")
    arguments = parser.parse_args()
    if not state.hca_of(arguments.interface):
        print(f"Interface {arguments.interface} does not exist or is not a Mellanox port", file=sys.stderr)
        return 1
    if arguments.pfc is not None and not re.fullmatch(r"[01](,[01]){7}", arguments.pfc):
        print(f"pfc: '{arguments.pfc}' is not {PRIORITIES} values of 0 or 1", file=sys.stderr)
        return 2
    told = {"trust": arguments.trust, "pfc": arguments.pfc}
    if arguments.dscp2prio is not None:
        mapped = re.fullmatch(r"set,(\d+),([0-7])", arguments.dscp2prio)
        if mapped is None or int(mapped[1]) >= DSCPS:
            print(f"dscp2prio: '{arguments.dscp2prio}' is not set,DSCP,PRIORITY", file=sys.stderr)
            return 2
        # The driver trusts DSCP as soon as it maps one.
        told |= {f"dscp {int(mapped[1])}": mapped[2], "trust": "dscp"}
    told = {key: value for key, value in told.items() if value is not None}
    settings = state.load("mlnx_qos")
    mine = {**settings.get(arguments.interface, {}), **told}
    if told:
        state.save("mlnx_qos", {**settings, arguments.interface: mine})
    print("\n".join(_page({**DEFAULTS, **mine})))
    return 0


def _page(now: dict[str, str]) -> Iterator[str]:
    yield "DCBX mode: OS controlled"
    yield f"Priority trust state: {now['trust']}"
    if now["trust"] == "dscp":
        yield "dscp2prio mapping:"
        for priority in range(PRIORITIES):
            mine = [f"{dscp:02}," for dscp in reversed(range(DSCPS)) if now[f"dscp {dscp}"] == str(priority)]
            for at in range(0, len(mine), 8):
                yield f"\tprio:{priority} dscp:" + "".join(mine[at : at + 8])
    yield "PFC configuration:"
    yield "\tpriority    " + "   ".join(str(p) for p in range(PRIORITIES))
    yield "\tenabled     " + "   ".join(now["pfc"].split(",")) + "   "
