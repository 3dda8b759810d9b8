"""GPUs of the machine -> what `nvidia-smi` says of each, as fields and as pages."""

from __future__ import annotations

import time
from xml.sax.saxutils import escape

from . import hardware

Report = dict[str, str]

PRODUCTS = {
    "h100_sxm": ("NVIDIA H100 80GB HBM3", 81559, 700, "5"),
    "h200_sxm": ("NVIDIA H200", 143771, 700, "5"),
    "b200_sxm": ("NVIDIA B200", 183359, 1000, "5"),
    "b300_sxm": ("NVIDIA B300 SXM6 AC", 275040, 1100, "6"),
    "gb200_gpu": ("NVIDIA GB200", 189471, 1200, "5"),
    "gb300_gpu": ("NVIDIA GB300", 284208, 1400, "6"),
}
"""Model of the plan -> product name, memory in MiB, power limit in W, PCIe generation."""

NVLINKS = 18
SLOWDOWN_C = 87

UNITS = {
    "memory.total": "MiB",
    "memory.used": "MiB",
    "memory.free": "MiB",
    "power.draw": "W",
    "power.limit": "W",
    "power.default_limit": "W",
    "utilization.gpu": "%",
    "utilization.memory": "%",
    "clocks.sm": "MHz",
    "clocks.max.sm": "MHz",
}

ECC = [
    f"{kind}.{scope}.{memory}"
    for kind in ("corrected", "uncorrected")
    for scope in ("volatile", "aggregate")
    for memory in ("sram", "dram", "total")
]

REASONS = {
    "gpu_idle": 0x1,
    "applications_clocks_setting": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
    "sync_boost": 0x10,
    "sw_thermal_slowdown": 0x20,
    "display_clocks_setting": 0x100,
}
"""Reasons for lower clocks, in the order of the page -> bit of `clocks_event_reasons.active`."""

ALIASES = {
    "gpu_name": "name",
    "gpu_bus_id": "pci.bus_id",
    "gpu_uuid": "uuid",
    "gpu_serial": "serial",
    "clocks_throttle_reasons.active": "clocks_event_reasons.active",
    "enforced.power.limit": "power.limit",
}


def reports(machine: hardware.Hardware, driver: str) -> list[Report]:
    """The machine, its driver -> fields of each GPU, as `--query-gpu` names them."""
    daemons = _daemons()
    return [{**_fields(gpu, driver, len(machine.gpus)), **daemons, **_told(gpu)} for gpu in machine.gpus]


def cuda(driver: str) -> str:
    """Driver release -> the newest CUDA it runs."""
    return {"570": "12.8", "580": "13.0"}.get(driver.partition(".")[0], "12.4")


def _told(gpu: hardware.Gpu) -> Report:
    return {field: str(value) for field, value in gpu.report.items()}


def _fields(gpu: hardware.Gpu, driver: str, count: int) -> Report:
    name, memory_mib, limit_w, generation = PRODUCTS.get(gpu.model, (gpu.model, 81559, 700, "5"))
    domain, _, rest = gpu.pci.partition(":")
    return {
        "index": str(gpu.index),
        "count": str(count),
        "name": name,
        "uuid": gpu.uuid if gpu.uuid.startswith("GPU-") else f"GPU-{gpu.uuid}",
        "serial": gpu.serial,
        "pci.bus_id": f"{domain:0>8}:{rest}".upper(),
        "driver_version": driver,
        "vbios_version": "96.00.89.00.01",
        "inforom.img": "G520.0200.00.05",
        "memory.total": str(memory_mib),
        "memory.used": "1",
        "memory.free": str(memory_mib - 1),
        "temperature.gpu": "28",
        "power.draw": "68.00",
        "power.limit": f"{limit_w}.00",
        "power.default_limit": f"{limit_w}.00",
        "utilization.gpu": "0",
        "utilization.memory": "0",
        "pstate": "P0",
        "compute_mode": "Default",
        "mig.mode.current": "Disabled",
        "clocks.sm": "345",
        "clocks.max.sm": "1980",
        "clocks_event_reasons.active": "0x0000000000000001",
        "pcie.link.gen.current": generation,
        "pcie.link.gen.max": generation,
        "pcie.link.width.current": "16",
        "pcie.link.width.max": "16",
        "ecc.mode.current": "Enabled",
        **dict.fromkeys((f"ecc.errors.{part}" for part in ECC), "0"),
        "remapped_rows.correctable": "0",
        "remapped_rows.uncorrectable": "0",
        "remapped_rows.pending": "No",
        "remapped_rows.failure": "No",
    }


FIELDS = frozenset(_fields(hardware.Gpu(0, "h100_sxm", "", "", ":"), "", 0))
"""What a GPU can be asked for, beside what its daemons decide."""


def _daemons() -> Report:
    """What holds only while a daemon runs; systemd takes a daemon's folder below /run away with it."""
    run = hardware.root() / "run"
    managed = (run / "nvidia-fabricmanager/nv-fabricmanager.pid").exists()
    daemon = run / "nvidia-persistenced"
    kept = (daemon / "nvidia-persistenced.pid").exists() and not (daemon / "no-persistence-mode").exists()
    return {
        "persistence_mode": "Enabled" if kept else "Disabled",
        "fabric.state": "Completed" if managed else "In Progress",
        "fabric.status": "Success" if managed else "N/A",
    }


def xml(gpus: list[Report], driver: str) -> str:
    """Reports -> the part of `nvidia-smi -q -x` that tells what a GPU is and how it does."""
    lines = [
        '<?xml version="1.0" ?>',
        '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">',
        "<nvidia_smi_log>",
        f"\t<timestamp>{time.strftime('%a %b %e %H:%M:%S %Y')}</timestamp>",
        f"\t<driver_version>{driver}</driver_version>",
        f"\t<cuda_version>{cuda(driver)}</cuda_version>",
        f"\t<attached_gpus>{gpus[0]['count']}</attached_gpus>",
    ]
    for gpu in gpus:
        lines += [f'\t<gpu id="{escape(gpu["pci.bus_id"])}">', *_elements(_tree(gpu), 2), "\t</gpu>"]
    return "\n".join([*lines, "</nvidia_smi_log>", ""])


Tree = dict[str, "str | Tree"]


def _tree(gpu: Report) -> Tree:
    return {
        "product_name": gpu["name"],
        "persistence_mode": gpu["persistence_mode"],
        "mig_mode": {"current_mig": gpu["mig.mode.current"], "pending_mig": gpu["mig.mode.current"]},
        "serial": gpu["serial"],
        "uuid": gpu["uuid"],
        "minor_number": gpu["index"],
        "vbios_version": gpu["vbios_version"],
        "inforom_version": {"img_version": gpu["inforom.img"]},
        "pci": {
            "pci_bus_id": gpu["pci.bus_id"],
            "pci_gpu_link_info": {
                "pcie_gen": {
                    "max_link_gen": gpu["pcie.link.gen.max"],
                    "current_link_gen": gpu["pcie.link.gen.current"],
                },
                "link_widths": {
                    "max_link_width": f"{gpu['pcie.link.width.max']}x",
                    "current_link_width": f"{gpu['pcie.link.width.current']}x",
                },
            },
        },
        "performance_state": gpu["pstate"],
        "fb_memory_usage": {part: f"{gpu[f'memory.{part}']} MiB" for part in ("total", "used", "free")},
        "utilization": {
            "gpu_util": f"{gpu['utilization.gpu']} %",
            "memory_util": f"{gpu['utilization.memory']} %",
        },
        "ecc_mode": {"current_ecc": gpu["ecc.mode.current"], "pending_ecc": gpu["ecc.mode.current"]},
        "clocks_event_reasons": {
            f"clocks_event_reason_{name}": _active(gpu["clocks_event_reasons.active"], bit)
            for name, bit in REASONS.items()
        },
        "ecc_errors": {scope: _errors(gpu, scope) for scope in ("volatile", "aggregate")},
        "remapped_rows": {
            "remapped_row_corr": gpu["remapped_rows.correctable"],
            "remapped_row_unc": gpu["remapped_rows.uncorrectable"],
            "remapped_row_pending": gpu["remapped_rows.pending"],
            "remapped_row_failure": gpu["remapped_rows.failure"],
        },
        "temperature": {
            "gpu_temp": f"{gpu['temperature.gpu']} C",
            "gpu_temp_tlimit": _margin(gpu["temperature.gpu"]),
        },
        "gpu_power_readings": {
            "power_draw": f"{gpu['power.draw']} W",
            "current_power_limit": f"{gpu['power.limit']} W",
            "default_power_limit": f"{gpu['power.default_limit']} W",
        },
        "clocks": {"sm_clock": f"{gpu['clocks.sm']} MHz"},
        "fabric": {"state": gpu["fabric.state"], "status": gpu["fabric.status"]},
    }


def _active(bits: str, bit: int) -> str:
    try:
        return "Active" if int(bits, 16) & bit else "Not Active"
    except ValueError:
        return "N/A"


def _margin(temperature: str) -> str:
    return f"{SLOWDOWN_C - int(temperature)} C" if temperature.isdigit() else "N/A"


def _errors(gpu: Report, scope: str) -> Tree:
    names = {"sram_correctable": "corrected.{}.sram", "sram_uncorrectable_parity": "uncorrected.{}.sram"}
    names |= {"dram_correctable": "corrected.{}.dram", "dram_uncorrectable": "uncorrected.{}.dram"}
    found: Tree = {name: gpu[f"ecc.errors.{part.format(scope)}"] for name, part in names.items()}
    return found | {"sram_uncorrectable_secded": "0"}


def nvlinks(gpus: list[Report], inactive: dict[str, list[int]]) -> str:
    """Reports, and which links of which GPU are down -> `nvidia-smi nvlink -s`. A link of NVLink 5 is twice as fast."""
    lines = []
    for gpu in gpus:
        lines.append(f"GPU {gpu['index']}: {gpu['name']} (UUID: {gpu['uuid']})")
        speed = "26.562 GB/s" if "NVIDIA H" in gpu["name"] else "50 GB/s"
        down = inactive.get(gpu["index"], [])
        lines += [f"\t Link {link}: {'<inactive>' if link in down else speed}" for link in range(NVLINKS)]
    return "\n".join(lines)


def _elements(tree: Tree, depth: int) -> list[str]:
    indent = "\t" * depth
    lines: list[str] = []
    for name, value in tree.items():
        if isinstance(value, str):
            lines.append(f"{indent}<{name}>{escape(value)}</{name}>")
        else:
            lines += [f"{indent}<{name}>", *_elements(value, depth + 1), f"{indent}</{name}>"]
    return lines


def long(gpus: list[Report], driver: str) -> str:
    """Reports -> `nvidia-smi -q`, one line a field."""
    head = {"Timestamp": time.strftime("%a %b %e %H:%M:%S %Y"), "Driver Version": driver}
    head |= {"CUDA Version": cuda(driver), "Attached GPUs": gpus[0]["count"]}
    lines = ["", "==============NVSMI LOG==============", ""]
    lines += [f"{title:<42}: {value}" for title, value in head.items()]
    for gpu in gpus:
        lines += [f"GPU {gpu['pci.bus_id']}", *_lines(_tree(gpu), 1)]
    return "\n".join([*lines, ""])


def _lines(tree: Tree, depth: int) -> list[str]:
    indent = "    " * depth
    lines: list[str] = []
    for name, value in tree.items():
        title = indent + name.replace("_", " ").title().replace("Uuid", "UUID").replace("Gpu", "GPU")
        lines += [f"{title:<42}: {value}"] if isinstance(value, str) else [title, *_lines(value, depth + 1)]
    return lines


RULE = "+-----------------------------------------------------------------------------------------+"
ROW = "+-----------------------------------------+------------------------+----------------------+"


def page(gpus: list[Report], driver: str) -> str:
    """Reports -> the plain page."""
    lines = [
        time.strftime("%a %b %e %H:%M:%S %Y       "),
        RULE,
        f"| NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} CUDA Version: {cuda(driver):<9}|",
        "|-----------------------------------------+------------------------+----------------------+",
        "| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |",
        "| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |",
        "|                                         |                        |               MIG M. |",
        "|=========================================+========================+======================|",
    ]
    for gpu in gpus:
        on = "On" if gpu["persistence_mode"] == "Enabled" else "Off"
        power = f"{float(gpu['power.draw']):.0f}W / {float(gpu['power.limit']):>4.0f}W"
        memory = f"{gpu['memory.used']}MiB / {gpu['memory.total']:>6}MiB"
        uncorrected = gpu["ecc.errors.uncorrected.volatile.total"]
        left = (
            f" {gpu['index']:>3}  {gpu['name']:<30.30} {on:<3} ",
            f" N/A  {gpu['temperature.gpu']:>3}C    {gpu['pstate']:<3} {power:>22}",
            "",
        )
        middle = (f"   {gpu['pci.bus_id']} Off ", f" {memory:>22} ", "")
        right = (f"{uncorrected:>21}", f"{gpu['utilization.gpu'] + '%':>8} {gpu['compute_mode']:>12}")
        rows = zip(left, middle, (*right, f"{gpu['mig.mode.current']:>21}"), strict=True)
        lines += [f"|{a:<41}|{b:<24}|{c:<22}|" for a, b, c in rows]
        lines.append(ROW)
    return "\n".join(lines)
