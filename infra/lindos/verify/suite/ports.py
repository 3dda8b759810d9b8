"""What tools and the kernel tell of a NIC port -> plain data. Pure; None stands for what they do not tell."""

from __future__ import annotations

import re
from typing import NamedTuple

GT_PER_LANE = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}
"""Generation of PCIe -> GT/s of a lane."""

_STAMP = re.compile(r"\[ *(\d+\.\d+)\]")
_LOST = re.compile(r" (\S+): (?:Link down|NIC Link is Down|Lost carrier)$")


def active_fec(text: str) -> str | None:
    """`ethtool --show-fec` -> the code in force: `RS`, `BaseR`, `Off`, `None`, ...; None where it tells none.

    Releases before 4.20 or so wrote `Active FEC encodings`.
    """
    found = re.search(r"^Active FEC encodings?: *(\S.*?) *$", text, re.MULTILINE)
    return found.group(1) if found else None


def quality(text: str) -> tuple[str | None, tuple[int, ...] | None]:
    """`mlnx_qos -i PORT` -> what it trusts (`dscp`, `pcp`), and the priorities that may pause."""
    trust = re.search(r"^Priority trust state: *(\w+)", text, re.MULTILINE)
    pauses = re.search(r"^PFC configuration:.*?^\s*enabled((?:\s+[01]){8})", text, re.MULTILINE | re.DOTALL)
    bits = pauses.group(1).split() if pauses else None
    return (
        trust.group(1).lower() if trust else None,
        tuple(n for n, bit in enumerate(bits) if bit == "1") if bits else None,
    )


def firmware(text: str) -> str | None:
    """`ethtool -i` -> the release of a NIC's firmware, without its board: of `28.39.1002 (MT_0000000834)` the first."""
    found = re.search(r"^firmware-version: *(\d\S*)", text, re.MULTILINE)
    return found.group(1) if found else None


class PciLink(NamedTuple):
    """The PCIe link of a device: GT/s of a lane and lanes, now and at most."""

    gts: float
    lanes: int
    most_gts: float
    most_lanes: int

    @property
    def gbps(self) -> float:
        """What it carries: since Gen3 130 bits for 128 of data, before that 10 for 8."""
        return self.gts * self.lanes * (128 / 130 if self.gts >= GT_PER_LANE[3] else 0.8)

    def __str__(self) -> str:
        return f"Gen{generation(self.gts)} x{self.lanes}"


def generation(gts: float) -> int:
    """GT/s of a lane -> generation of PCIe."""
    return next((gen for gen, rate in reversed(GT_PER_LANE.items()) if gts >= rate), 0)


def bus(text: str) -> str | None:
    """`ethtool -i` -> the PCI address of a NIC."""
    found = re.search(r"^bus-info: *(\S+)", text, re.MULTILINE)
    return found.group(1) if found else None


_LINK = re.compile(r"Lnk(Cap|Sta):.*?Speed (\d+(?:\.\d+)?)GT/s.*?, Width x(\d+)")


def pci_links(text: str) -> dict[str, PciLink]:
    """`lspci -Dvv` -> PCI address -> its link; devices that tell of none (virtual functions, who is not root) are left.

    0000:1a:00.0 Ethernet controller: Mellanox Technologies MT2910 Family [ConnectX-7]
                    LnkCap: Port #0, Speed 32GT/s, Width x16, ASPM not supported
                    LnkSta: Speed 32GT/s (ok), Width x8 (downgraded)
    """
    found: dict[str, dict[str, tuple[float, int]]] = {}
    at = ""
    for line in text.splitlines():
        if line[:1].strip():
            at = line.split()[0]
        elif (told := _LINK.search(line)) and int(told[3]):
            found.setdefault(at, {})[told[1]] = (float(told[2]), int(told[3]))
    return {at: PciLink(*ends["Sta"], *ends["Cap"]) for at, ends in found.items() if len(ends) == 2}


def carrier_losses(log: str, uptime_s: float, window_s: float) -> dict[str, int]:
    """`dmesg`, seconds since boot, how far to look back -> interface -> how often it lost its carrier.

    mlx5_core 0000:1a:00.0 rail0: Link down      (as other drivers: NIC Link is Down)
    """
    found: dict[str, int] = {}
    for line in log.splitlines():
        stamp, lost = _STAMP.search(line), _LOST.search(line.rstrip())
        if lost and (stamp is None or uptime_s - float(stamp.group(1)) <= window_s):
            found[lost.group(1)] = found.get(lost.group(1), 0) + 1
    return found
