"""Every limit of the checks, by product where it differs, each with where it comes from. Data only.

A limit that nobody has published is None: the check then says that nothing is expected, and never passes by it.
"""

from __future__ import annotations

from typing import NamedTuple


class Gpu(NamedTuple):
    """A GPU of the plan: its name in `nvidia-smi`, its links, and the rates below which it fails or warns.

    Rates in GB/s: copies between host and GPU (`nvbandwidth`, copy engine), reads from a GPU over NVLink, and the bus
    rate of an all-reduce over the eight GPUs of a node at 16 GB.
    """

    name: str
    nvlinks: int
    pcie_gen: int
    pcie_width: int = 16
    host_copy_fail: float | None = None
    host_copy_warn: float | None = None
    peer_read_fail: float | None = None
    all_reduce_fail: float | None = None
    rdma_write_share: float | None = None


GPUS = {
    # Rates: Azure/azurehpc-health-checks, conf/nd96isr_h100_v5.conf and nd96isr_h200_v5.conf. 476 GB/s of all-reduce
    # and 390 Gb/s a NIC are usual; H200 machines are held to less by their own configuration.
    "h100_sxm": Gpu("NVIDIA H100 80GB HBM3", 18, 5, 16, 48.0, 50.4, 335.0, 460.0, 380 / 400),
    "h200_sxm": Gpu("NVIDIA H200", 18, 5, 16, 48.0, 50.4, 335.0, 431.0, 360 / 400),
    # Links: NVIDIA's data sheets; no rates for acceptance are published.
    "b200_sxm": Gpu("NVIDIA B200", 18, 5),
    "b300_sxm": Gpu("NVIDIA B300", 18, 6),
    # A superchip reaches its GPUs over NVLink-C2C; what PCIe says of them is no measure.
    "gb200_gpu": Gpu("NVIDIA GB200", 18, 0, 0),
    "gb300_gpu": Gpu("NVIDIA GB300", 18, 0, 0),
}
"""The plan's model -> what is expected of one. A name may go on after that (`NVIDIA B300 SXM6 AC`)."""

# Memory errors: Azure/azurehpc-health-checks, azure_gpu_ecc.nhc.
SRAM_CORRECTED_MAX = 10_000
DRAM_CORRECTED_MAX = 20_000_000
ROWS_REMAPPED_MAX = 512
"""Uncorrectable remappings after which a GPU has no spare rows to speak of: it is replaced."""

ALL_REDUCE_GPUS = 8
"""GPUs of a node for which the rate of an all-reduce is published."""

XID_WINDOW_S = 2 * 3600
XIDS = {
    48: "double-bit ECC error",
    56: "display engine error",
    57: "error in programming the memory interface",
    58: "unstable memory interface",
    62: "internal microcontroller halt",
    63: "row remapping recorded",
    64: "row remapping could not be recorded",
    65: "video processor exception",
    68: "NVDEC exception",
    69: "graphics engine class error",
    73: "NVENC error",
    74: "NVLink error",
    79: "GPU has fallen off the bus",
    80: "corrupted data sent to the GPU",
    81: "VGA subsystem error",
    92: "high single-bit ECC error rate",
    95: "uncontained memory error",
    119: "GSP does not answer",
    120: "GSP error",
    140: "unrecovered ECC error",
}
"""XIDs that fail a node: Azure/azurehpc-health-checks, azure_gpu_xid.nhc, and those that came since, which NVIDIA's XID
catalogue has a GPU reset for; meanings from there."""

XIDS_OF_LINKS = frozenset(range(144, 151))
"""Errors of NVLink 5; of each the driver says whether it is fatal or not (NVIDIA's XID catalogue)."""

XIDS_OF_JOBS = frozenset({8, 13, 31, 43, 45, 137})
"""XIDs that programs cause, and that say nothing of a GPU. All that stand in none of these lists warn."""

MEMORY_SHARE_MIN = 0.96
"""Of what is planned: the kernel keeps up to 64 B a page of 4 KiB for itself, firmware some more."""

KERNEL_ARGUMENTS = (("iommu=pt", "iommu.passthrough=1"), ("pcie_aspm=off",))
"""Wanted on every GPU node, as role node_tuning has it, one of each: x86 and Arm say the same in other words."""

WATCHING = frozenset({"chrony", "lldpd", "nvidia-dcgm", "nvidia-dcgm-exporter", "lindos-validation.timer"})
"""Services that look at a node or keep its books: without them jobs run on, so that losing one is a warning."""

EVENTS_MAX = 40
"""Entries at which the log of a BMC is to be read and cleared: imbue-ai/cluster-health."""

EVENTS_TOLD = 5

DISK_USED_MAX_PCT = 95
"""Azure/azurehpc-health-checks, check_fs_used."""

RS_FEC_FROM_GBPS = 200
"""Links of 50 or 100 Gb/s PAM4 lanes always run RS-FEC: IEEE 802.3bs, 802.3ck."""

CARRIER_WINDOW_S = 24 * 3600
CARRIER_LOSSES_MAX = 5
"""Azure/azurehpc-health-checks, azure_ib_link_flapping.nhc."""

THROTTLES = {
    "display_clocks_setting": 0x100,
    "hw_power_brake_slowdown": 0x80,
    "hw_thermal_slowdown": 0x40,
    "sw_thermal_slowdown": 0x20,
    "sync_boost": 0x10,
    "hw_slowdown": 0x8,
    "sw_power_cap": 0x4,
    "applications_clocks_setting": 0x2,
    "gpu_idle": 0x1,
}
"""Reasons for lower clocks -> bit in NVML (nvml.h, nvmlClocksEventReasons)."""

THROTTLES_ACCEPTED = frozenset({"gpu_idle", "sw_power_cap"})
"""Reasons of a healthy GPU: Azure/azurehpc-health-checks, azure_gpu_clock_throttling.nhc."""
