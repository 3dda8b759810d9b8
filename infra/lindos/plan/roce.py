"""The lossless class of a RoCE fabric: one model, from which hosts and every dialect of a switch are told.

    DSCP of RDMA data -> traffic class -> priority group and queue of one number, which PFC pauses and ECN marks
    DSCP of notifications (CNP) -> a strict queue of their own; network control (CS6, CS7) goes with them
    all else -> traffic class 0

Thresholds: Cumulus Linux user guide, RoCE lossless (ECN from 150 kB, certain at 1.5 MB, half of the link by ETS each).
The watchdog's times are those of SONiC's `pfcwd start_default`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ECT0 = 2
"""The bits below the DSCP that say "can be marked"; without them a switch drops where it should mark."""
CONTROL_DSCPS = (48, 56)
"""Network control (CS6, CS7): BGP and BFD must not wait behind data."""
ECN_MIN_BYTES = 150_000
ECN_MAX_BYTES = 1_500_000
ECN_PERCENT = 100
WEIGHT = 50
"""Share of data and of all else, in per cent of what the strict queue leaves."""
WATCHDOG_MS = 200


@dataclass(frozen=True, slots=True)
class Roce:
    """Priority and DSCP of data, and of congestion notifications."""

    priority: int
    dscp: int
    cnp_priority: int
    cnp_dscp: int

    @property
    def traffic_class(self) -> int:
        """The byte of the IP header that RDMA data carries: 26 -> 106."""
        return self.dscp << 2 | ECT0

    def dscp_to_tc(self) -> list[int]:
        """Traffic class of every DSCP, 0 to 63."""
        classes = [0] * 64
        for dscp in (*CONTROL_DSCPS, self.cnp_dscp):
            classes[dscp] = self.cnp_priority
        classes[self.dscp] = self.priority
        return classes

    def tc_to_pg(self) -> list[int]:
        """Priority group of every traffic class, 0 to 7: only the lossless class has one of its own."""
        return [tc if tc == self.priority else 0 for tc in range(8)]


def headroom_bytes(table: Mapping[int, int], length_m: float) -> int | None:
    """Metres -> bytes of an ASIC, and metres of cable -> bytes that one port's lossless priority needs.

    What is in flight grows with the cable, so between two rows the need is taken as linear, rounded up; below the
    first it is the first's. None past the last row: nobody published it.
    """
    rows = sorted(table.items())
    if not rows or length_m > rows[-1][0]:
        return None
    if length_m <= rows[0][0]:
        return rows[0][1]
    low, high = next((a, b) for a, b in pairwise(rows) if length_m <= b[0])
    return math.ceil(low[1] + (high[1] - low[1]) * (length_m - low[0]) / (high[0] - low[0]))
