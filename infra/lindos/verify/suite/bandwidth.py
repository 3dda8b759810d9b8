"""What benchmarks print -> the rates they measured. Pure."""

from __future__ import annotations

import re


def copies(text: str) -> dict[str, list[float]]:
    """`nvbandwidth -t TEST ...` -> test -> GB/s of each pair that it measured; a waived test is not there.

    Running device_to_device_memcpy_read_ce.
    memcpy CE GPU(row) -> GPU(column) bandwidth (GB/s)
               0         1
     0       N/A    276.07
     1    276.19       N/A
    """
    found: dict[str, list[float]] = {}
    test = ""
    for line in text.splitlines():
        if running := re.match(r"\s*[Rr]unning (\w+)\.?\s*$", line):
            test = running.group(1)
        elif test and re.match(r"\s*\d+(\s+(\d+\.\d+|N/A))+\s*$", line):
            found.setdefault(test, []).extend(float(cell) for cell in line.split()[1:] if cell != "N/A")
        elif line.startswith("SUM "):
            test = ""
    return found


def bus_rate(text: str) -> tuple[float | None, bool]:
    """`all_reduce_perf` -> GB/s of the bus on average, and whether every result was right."""
    rate = re.search(r"# Avg bus bandwidth *: *(\d+(\.\d+)?)", text)
    wrong = re.search(r"# Out of bounds values *: *(\d+)", text)
    return float(rate.group(1)) if rate else None, bool(wrong and wrong.group(1) == "0")


def write_rate(text: str) -> float | None:
    """`ib_write_bw --report_gbits` -> Gb/s on average at the largest message.

    #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
    8388608    5000             394.72             394.61             0.005880
    """
    if "BW average[Gb/sec]" not in text:
        return None
    rows = [line.split() for line in text.splitlines() if re.match(r"\s*\d+\s+\d+\s+\d+(\.\d+)?\s+\d+(\.\d+)?", line)]
    return float(rows[-1][3]) if rows else None
