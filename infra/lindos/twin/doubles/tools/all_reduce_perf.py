"""`all_reduce_perf -b SIZE -e SIZE [-g GPUS]`: a page as nccl-tests prints it, about a sum that nobody made.

The rate is that of a sound machine of eight H100, or `all_reduce_gbps` among the faults of the hardware file;
`all_reduce_wrong` there is the number of wrong results.
"""

from __future__ import annotations

import argparse

from . import hardware

SOUND_GBPS = 476.0
FLOAT_BYTES = 4
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def main() -> int:
    """-> exit code; prints the page."""
    hardware.say_double("all_reduce_perf")
    parser = argparse.ArgumentParser(prog="all_reduce_perf", add_help=False)
    parser.add_argument("-b", "--minbytes", default="32M")
    parser.add_argument("-e", "--maxbytes", default="32M")
    parser.add_argument("-f", "--stepfactor", type=int, default=2)
    parser.add_argument("-g", "--ngpus", type=int, default=1)
    parser.add_argument("-n", "--iters", type=int, default=20)
    parser.add_argument("-w", "--warmup_iters", type=int, default=5)
    arguments = parser.parse_args()
    machine = hardware.read()
    if arguments.ngpus > len(machine.gpus):
        print(f"invalid number of GPUs: {arguments.ngpus} asked for, {len(machine.gpus)} there")
        return 1
    smallest, largest = _bytes(arguments.minbytes), _bytes(arguments.maxbytes)
    print("# Lindos twin double of all_reduce_perf: nothing was measured")
    print(
        f"# nThread 1 nGpus {arguments.ngpus} minBytes {smallest} maxBytes {largest} "
        f"step: {arguments.stepfactor}(factor) warmup iters: {arguments.warmup_iters} iters: {arguments.iters} "
        "agg iters: 1 validation: 1 graph: 0"
    )
    print(f"#{'':61}out-of-place{'':23}in-place")
    column = f"{'time':>9}{'algbw':>8}{'busbw':>8}{'#wrong':>7}"
    print(f"#{'size':>11}{'count':>14}{'type':>10}{'redop':>8}{'root':>8}{column}{column}")
    print(f"#{'(B)':>11}{'(elements)':>14}{'':26}" + f"{'(us)':>9}{'(GB/s)':>8}{'(GB/s)':>8}{'':7}" * 2)
    bus = float(machine.faults.get("all_reduce_gbps", SOUND_GBPS))
    wrong = int(machine.faults.get("all_reduce_wrong", 0))
    size = smallest
    while size <= largest:
        print(_row(size, arguments.ngpus, bus, wrong))
        size *= max(arguments.stepfactor, 2)
    print(f"# Out of bounds values : {wrong} {'FAILED' if wrong else 'OK'}")
    print(f"# Avg bus bandwidth    : {bus:g}\n#")
    return 1 if wrong else 0


def _row(size: int, gpus: int, bus: float, wrong: int) -> str:
    """A row: busbw = algbw * 2 (n - 1) / n, and algbw = size / time: doc/PERFORMANCE.md of nccl-tests."""
    algorithm = bus * gpus / (2 * (gpus - 1)) if gpus > 1 else bus
    half = f"{size / algorithm / 1e3:>9.1f}{algorithm:>8.2f}{bus:>8.2f}{wrong:>7}"
    return f"{size:>12}{size // FLOAT_BYTES:>14}{'float':>10}{'sum':>8}{-1:>8}{half}{half}"


def _bytes(text: str) -> int:
    unit = text[-1].upper() if text[-1].isalpha() else ""
    return int(text.removesuffix(text[-1]) if unit else text) * UNITS[unit]
