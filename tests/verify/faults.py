"""What can be wrong with a node: fault -> the check that tells it, and words of its message. Data only.

`says` changes what commands print: (exit status, text), or pairs of old and new text, each replaced where it stands
first. `report` (of the first GPU) and `faults` stand in the hardware file that the doubles read; the check must then
say the same. A fault may have either or both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fake_host import COPIES, DRIVES, LSCPU, MEMORY, NIC_LINKS, write_of

SMI_PAGE = "nvidia-smi -q -x"


class Fault(NamedTuple):
    """`severity` is that of the finding where it is not what the code has."""

    name: str
    code: str
    words: str
    severity: str = ""
    says: dict[str, tuple[Any, ...]] | None = None
    report: dict[str, str] | None = None
    faults: dict[str, Any] | None = None


def tag(name: str, old: str, new: str) -> dict[str, tuple[Any, ...]]:
    """An element of the page of the first GPU -> the same with another text."""
    return {SMI_PAGE: (f"<{name}>{old}</{name}>", f"<{name}>{new}</{name}>")}


XID = "NVRM: Xid (PCI:0000:18:00): {}, pid=1, name=x, "
DCGM = '{"DCGM GPU Diagnostic": {"test_categories": [{"tests": [{"name": "Inforom", "results": [%s]}]}]}}'
REASON = "clocks_event_reason_"

SUPPLIES = "ipmitool sdr type 'Power Supply'"
FLAP = "mlx5_core 0000:1a:00.0 rail0: Link down"

FAULTS = (
    Fault(
        "uncorrected SRAM errors",
        "HOST-060",
        "GPU 0 (00000000:18:00.0): 1 SRAM uncorrected errors since the driver was loaded, allowed are 0",
        says=tag("sram_uncorrectable_secded", "0", "1"),
        report={"ecc.errors.uncorrected.volatile.sram": "1", "ecc.errors.uncorrected.aggregate.sram": "1"},
    ),
    Fault(
        "uncorrected DRAM errors",
        "HOST-060",
        "GPU 0 (00000000:18:00.0): 2 DRAM uncorrected errors since the driver was loaded",
        says=tag("dram_uncorrectable", "0", "2"),
        report={"ecc.errors.uncorrected.volatile.dram": "2"},
    ),
    Fault(
        "too many corrected SRAM errors",
        "HOST-060",
        "10001 SRAM corrected errors since the driver was loaded, allowed are 10000",
        says=tag("sram_correctable", "0", "10001"),
        report={"ecc.errors.corrected.volatile.sram": "10001"},
    ),
    Fault(
        "too many corrected DRAM errors",
        "HOST-060",
        "20000001 DRAM corrected errors",
        says=tag("dram_correctable", "0", "20000001"),
        report={"ecc.errors.corrected.aggregate.dram": "20000001"},
    ),
    Fault(
        "ECC off",
        "HOST-060",
        "GPU 0 (00000000:18:00.0): ECC is off",
        says=tag("current_ecc", "Enabled", "Disabled"),
        report={"ecc.mode.current": "Disabled"},
    ),
    Fault(
        "SRAM beyond NVIDIA's threshold",
        "HOST-060",
        "uncorrected SRAM errors are beyond NVIDIA's own threshold",
        says=tag("sram_threshold_exceeded", "No", "Yes"),
    ),
    Fault(
        "rows to be remapped",
        "HOST-061",
        "GPU 0 (00000000:18:00.0): rows wait to be remapped",
        says=tag("remapped_row_pending", "No", "Yes"),
        report={"remapped_rows.pending": "Yes"},
    ),
    Fault(
        "remapping failed",
        "HOST-061",
        "rows could not be remapped",
        says=tag("remapped_row_failure", "No", "Yes"),
        report={"remapped_rows.failure": "Yes"},
    ),
    Fault(
        "spare rows used up",
        "HOST-061",
        "513 rows remapped for uncorrectable errors, allowed are 512",
        says=tag("remapped_row_unc", "0", "513"),
        report={"remapped_rows.uncorrectable": "513"},
    ),
    Fault(
        "GPU off the bus",
        "HOST-062",
        "XID 79 (GPU has fallen off the bus) on 0000:18:00 1 min ago",
        severity="critical",
        says={"dmesg": (0, "[  940.000000] " + XID.format(79) + "GPU has fallen off the bus.\n")},
        faults={"kernel_log": [XID.format(79) + "GPU has fallen off the bus."]},
    ),
    Fault(
        "an XID that is only suspect",
        "HOST-062",
        "XID 94 (Contained ECC error) on 0000:18:00",
        severity="warning",
        says={"dmesg": (0, "[  940.000000] " + XID.format(94) + "Contained ECC error\n")},
        faults={"kernel_log": [XID.format(94) + "Contained ECC error"]},
    ),
    Fault(
        "thermal slowdown",
        "HOST-063",
        "GPU 0 (00000000:18:00.0): clocks are held down by hw_slowdown, hw_thermal_slowdown (0x48)",
        says={
            SMI_PAGE: (
                f"{REASON}hw_slowdown>Not ",
                f"{REASON}hw_slowdown>",
                f"{REASON}hw_thermal_slowdown>Not ",
                f"{REASON}hw_thermal_slowdown>",
            )
        },
        report={"clocks_event_reasons.active": "0x0000000000000048"},
    ),
    Fault(
        "power brake",
        "HOST-063",
        "clocks are held down by hw_power_brake_slowdown (0x80)",
        says=tag(f"{REASON}hw_power_brake_slowdown", "Not Active", "Active"),
        report={"clocks_event_reasons.active": "0x0000000000000084"},
    ),
    Fault(
        "an NVLink down",
        "HOST-064",
        "GPU 0 (00000000:18:00.0): NVLink 3, 17 not active",
        says={
            "nvidia-smi nvlink -s": (
                "Link 3: 26.562 GB/s",
                "Link 3: <inactive>",
                "Link 17: 26.562 GB/s",
                "Link 17: <inactive>",
            )
        },
        faults={"nvlinks_inactive": {"0": [3, 17]}},
    ),
    Fault(
        "an NVLink missing",
        "HOST-064",
        "GPU 0 (00000000:18:00.0): expected 18 NVLinks, seen 17",
        says={"nvidia-smi nvlink -s": ("\t Link 17: 26.562 GB/s\n", "")},
    ),
    Fault(
        "a slow NVLink",
        "HOST-064",
        "GPU 0 (00000000:18:00.0): NVLink 5 (13.281 GB/s) slower than 26.562 GB/s",
        says={"nvidia-smi nvlink -s": ("Link 5: 26.562", "Link 5: 13.281")},
    ),
    Fault(
        "half the PCIe lanes",
        "HOST-065",
        "GPU 0 (00000000:18:00.0): expected PCIe Gen5 x16, seen Gen5 x8",
        says=tag("current_link_width", "16x", "8x"),
        report={"pcie.link.width.current": "8"},
    ),
    Fault(
        "a slow PCIe link",
        "HOST-065",
        "expected PCIe Gen5 x16, seen Gen4 x16",
        says=tag("current_link_gen", "5", "4"),
        report={"pcie.link.gen.current": "4"},
    ),
    Fault(
        "too hot",
        "HOST-066",
        "GPU 0 (00000000:18:00.0): 90 C, no margin left before it slows down",
        says={SMI_PAGE: ("31 C</gpu_temp>", "90 C</gpu_temp>", "<gpu_temp_tlimit>55", "<gpu_temp_tlimit>-3")},
        report={"temperature.gpu": "90"},
    ),
    Fault(
        "a power limit left behind",
        "HOST-066",
        "GPU 0 (00000000:18:00.0): power limit 500 W, by default 700 W",
        says=tag("current_power_limit", "700.00 W", "500.00 W"),
        report={"power.limit": "500.00"},
    ),
    Fault(
        "an old VBIOS",
        "HOST-067",
        "GPU 0 (00000000:18:00.0): expected gpu_vbios 96.00.89.00.01, seen 96.00.30.00.01",
        says=tag("vbios_version", "96.00.89.00.01", "96.00.30.00.01"),
        report={"vbios_version": "96.00.30.00.01"},
    ),
    Fault(
        "FEC off",
        "HOST-015",
        "expected RS-FEC, seen Off",
        says={"ethtool --show-fec rail0": ("Active FEC encoding: RS", "Active FEC encoding: Off")},
        faults={"nic_fec": {"rail0": "Off"}},
    ),
    Fault(
        "another FEC",
        "HOST-015",
        "expected RS-FEC, seen BaseR",
        says={"ethtool --show-fec rail0": ("Active FEC encoding: RS", "Active FEC encodings: BaseR")},
    ),
    Fault(
        "trust left at PCP",
        "HOST-016",
        "expected trust dscp, seen pcp",
        says={"mlnx_qos -i rail0": ("trust state: dscp", "trust state: pcp")},
    ),
    Fault(
        "PFC never set",
        "HOST-016",
        "expected trust dscp, seen pcp; expected PFC on priority 3 alone, seen none",
        says={"mlnx_qos -i rail0": (*("state: dscp", "state: pcp"), *("0   0   0   1", "0   0   0   0"))},
        faults={},
    ),
    Fault(
        "PFC on another priority too",
        "HOST-016",
        "expected PFC on priority 3 alone, seen 3, 5",
        says={"mlnx_qos -i rail0": ("enabled     0   0   0   1   0   0", "enabled     0   0   0   1   0   1")},
    ),
    Fault(
        "a NIC with half its lanes",
        "HOST-017",
        "PCIe Gen5 x8 carries 252 Gb/s of 400; the card is made for Gen5 x16",
        says={NIC_LINKS: ("x16 (ok)", "x8 (downgraded)")},
        faults={"nic_lanes": {"rail0": 8}},
    ),
    Fault(
        "a NIC in a slow slot",
        "HOST-017",
        "PCIe Gen4 x16 carries 252 Gb/s of 400",
        says={NIC_LINKS: ("32GT/s (ok)", "16GT/s (downgraded)")},
    ),
    Fault(
        "a NIC that could be faster",
        "HOST-017",
        "PCIe Gen5 x16, the card is made for Gen6 x16",
        severity="warning",
        says={NIC_LINKS: ("Speed 32GT/s, Width", "Speed 64GT/s, Width")},
    ),
    Fault(
        "old NIC firmware",
        "HOST-018",
        "expected firmware 28.39.1002, seen 28.36.1010",
        says={"ethtool -i rail0": ("28.39.1002", "28.36.1010")},
        faults={"nic_firmware": {"rail0": "28.36.1010 (MT_0000000834)"}},
    ),
    Fault(
        "a port that flaps",
        "HOST-019",
        "lost its carrier 6 times in 24 h, allowed are 5",
        says={"dmesg": (0, f"[  900.000000] {FLAP}\n" * 6)},
        faults={"kernel_log": [FLAP] * 6},
    ),
    Fault(
        "a DIMM missing",
        "HOST-070",
        "expected 2048 GiB of memory, seen 1920",
        says={MEMORY: ("2113400000", "2013265920")},
    ),
    Fault(
        "a DIMM mapped out",
        "HOST-070",
        "expected 2048 GiB of memory, seen 1944",
        faults={"memory_lost_gib": 64},
    ),
    Fault(
        "a drive missing",
        "HOST-071",
        "expected 2 NVMe drives, seen 1: 0000:c",
        says={DRIVES: ("use: nvme\n", "use: vfio-pci\n")},
        faults={"drives_lost": 1},
    ),
    Fault(
        "a power supply without power",
        "HOST-072",
        "PS2 Status (10.2): Power Supply AC lost",
        says={SUPPLIES: ("10.2 | Presence detected", "10.2 | Presence detected, Power Supply AC lost")},
        faults={"psus_dark": [2]},
    ),
    Fault(
        "a power supply that failed",
        "HOST-072",
        "PS3 Status (10.3): Failure detected",
        says={SUPPLIES: ("10.3 | Presence detected", "10.3 | Presence detected, Failure detected")},
        faults={"psus_failed": [3]},
    ),
    Fault(
        "a power supply missing",
        "HOST-072",
        "expected 4 power supplies, seen 3",
        says={SUPPLIES: ("10.4 | Presence detected", "10.4 |")},
        faults={"psus_lost": [4]},
    ),
    Fault(
        "a bad DIMM in the BMC's log",
        "HOST-073",
        "the BMC has logged Memory DIMM_A1: Uncorrectable ECC (",
        severity="critical",
        says={"ipmitool sel elist": ("DIMM_A1 | Correctable", "DIMM_A1 | Uncorrectable")},
        faults={"sel": ["Memory DIMM_A1 | Uncorrectable ECC | Asserted"]},
    ),
    Fault(
        "a power loss in the BMC's log",
        "HOST-073",
        "Power Supply PS2 Status: Power Supply AC lost (",
        severity="critical",
        says={"ipmitool sel elist": ("| Deasserted", "| Asserted")},
        faults={"sel": ["Power Supply PS2 Status | Power Supply AC lost | Asserted"]},
    ),
    Fault(
        "the BMC's log is filling up",
        "HOST-073",
        "the BMC's log has 40 entries, none of them severe",
        says={
            "ipmitool sel elist": (0, "   1 | 09/28/2025 | 14:30:00 | Memory A1 | Correctable ECC | Asserted\n" * 40)
        },
        faults={"sel": ["Memory A1 | Correctable ECC | Asserted"] * 40},
    ),
    Fault(
        "hugepages missing",
        "HOST-074",
        "expected 1024 hugepages of 2048 KiB, seen 512",
        says={"cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": ("1024", "512")},
    ),
    Fault(
        "ASPM left on",
        "HOST-075",
        "the kernel was started without pcie_aspm=off",
        says={"cat /proc/cmdline": (" pcie_aspm=off", "")},
    ),
    Fault(
        "a service down",
        "HOST-076",
        "nvidia-fabricmanager is failed; chrony is inactive",
        says={"systemctl is-active nvidia-fabricmanager lldpd chrony": (3, "failed\nactive\ninactive\n")},
    ),
    Fault(
        "a service down that only watches",
        "HOST-076",
        "chrony is failed",
        severity="warning",
        says={"systemctl is-active nvidia-fabricmanager lldpd chrony": (3, "active\nactive\nfailed\n")},
    ),
    Fault(
        "a CPU that is off",
        "HOST-078",
        "expected 2 CPUs, seen 1; expected 4 threads, seen 2",
        says={"lscpu --parse=SOCKET,CPU": (0, LSCPU.replace("1,2\n1,3\n", ""))},
        faults={"cpus_lost": [2]},
    ),
    Fault(
        "hyper-threading off",
        "HOST-078",
        "expected 4 threads, seen 2",
        says={"lscpu --parse=SOCKET,CPU": (0, LSCPU.replace("0,1\n", "").replace("1,3\n", ""))},
    ),
    Fault(
        "a disk full",
        "HOST-077",
        "/ is 97 % full",
        says={"df -P -l -x tmpfs -x devtmpfs -x squashfs -x overlay -x efivarfs": ("11%", "97%")},
    ),
    Fault(
        "slow copies to a GPU",
        "HOST-080",
        "host_to_device_memcpy_ce 26.0 GB/s (GPU 1), expected 50.4 and no less than 48",
        says={f"nvbandwidth -t {COPIES[0]}": ("55.33", "26.00")},
    ),
    Fault(
        "copies a little slow",
        "HOST-080",
        "device_to_host_memcpy_ce 49.0 GB/s (GPU 0), expected 50.4",
        severity="warning",
        says={f"nvbandwidth -t {COPIES[0]}": ("55.29", "49.00")},
    ),
    Fault(
        "slow reads between GPUs",
        "HOST-081",
        "the slowest pair of GPUs reads at 120.5 GB/s, expected 335",
        says={f"nvbandwidth -t {COPIES[1]}": ("390.19", "120.50")},
    ),
    Fault(
        "a slow all-reduce",
        "HOST-082",
        "an all-reduce runs at 330.2 GB/s, expected 460",
        says={"all_reduce_perf -b 16G -e 16G -g 8": ("bandwidth    : 476.045", "bandwidth    : 330.2")},
    ),
    Fault(
        "a wrong all-reduce",
        "HOST-082",
        "an all-reduce gave wrong sums",
        says={"all_reduce_perf -b 16G -e 16G -g 8": ("values : 0 OK", "values : 12 FAILED")},
    ),
    Fault(
        "slow RDMA writes",
        "HOST-083",
        "RDMA writes at 201 Gb/s, expected 380",
        says={write_of("mlx5_rail0"): ("394.61", "200.61")},
    ),
    Fault(
        "DCGM finds a corrupt inforom",
        "HOST-068",
        "Inforom on GPU 0: corrupt",
        says={"dcgmi diag -r 1 -j": (226, DCGM % '{"gpu_ids": "0", "status": "FAIL", "warnings": ["corrupt"]}')},
        severity="critical",
    ),
    Fault(
        "DCGM's double finds it on all",
        "HOST-068",
        "Inforom on GPU 0,1,2,3,4,5,6,7: corrupt",
        faults={"dcgm": {"Inforom": "corrupt"}},
        severity="critical",
    ),
)


def changed(says: dict[str, tuple[int, str]], fault: Fault) -> dict[str, tuple[int, str]]:
    """What the commands of a healthy node print -> what they print with a fault."""
    out = dict(says)
    for line, change in (fault.says or {}).items():
        if isinstance(change[0], int):
            out[line] = (change[0], change[1])
            continue
        rc, text = out[line]
        for old, new in zip(change[::2], change[1::2], strict=True):
            assert old in text, f"{line} has no {old}"
            text = text.replace(old, new, 1)
        out[line] = (rc, text)
    return out
