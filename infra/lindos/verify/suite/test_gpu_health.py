"""How the GPUs do: memory, errors in the kernel log, clocks, links, heat, firmware, and what DCGM finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import nvidia
from . import thresholds as limit
from .codes import CRITICAL, WARNING
from .outcome import Broken, NotExpected, Unmeasured, Waits
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Expected = dict[str, Any]

REPLACE = "drain the node and have the GPU replaced"
FATAL = re.compile(r"\bFatal\b")
RESET = "drain the node, then reset the GPU (`nvidia-smi -r`) or reboot; if it comes back, have the GPU replaced"


@check("HOST-060")
def test_memory_errors(facts: Facts) -> None:
    told, blind, hint = [], [], RESET
    for name, gpu in _pages(facts):
        mode, volatile, aggregate = gpu.get("ecc_mode/current_ecc", ""), *(nvidia.ecc(gpu, s) for s in SCOPES)
        if mode == "Disabled":
            told.append(f"{name}: ECC is off")
            hint = "`nvidia-smi -e 1`, then reset the GPU"
        elif mode != "Enabled" or all(v is None for v in (*volatile.values(), *aggregate.values())):
            blind.append(name)
        told += [f"{name}: {words}" for words in _memory_errors(volatile, aggregate)]
        if gpu.get("ecc_errors/aggregate/sram_threshold_exceeded") == "Yes":
            told.append(f"{name}: uncorrected SRAM errors are beyond NVIDIA's own threshold")
            hint = REPLACE
    if told:
        raise Broken("; ".join(told), hint=hint)
    if blind:
        raise Unmeasured(f"{', '.join(blind)}: the driver counts no memory errors")


SCOPES = ("volatile", "aggregate")


def _memory_errors(volatile: dict[str, float | None], aggregate: dict[str, float | None]) -> list[str]:
    """Errors since the driver was loaded, and ever -> what is too much of them, each kind once."""
    most = {
        "SRAM uncorrected": 0,
        "SRAM corrected": limit.SRAM_CORRECTED_MAX,
        "DRAM corrected": limit.DRAM_CORRECTED_MAX,
    }
    # Rows with uncorrected DRAM errors are remapped at the next reset, so only those of this run count.
    scopes = ((" since the driver was loaded", volatile, most | {"DRAM uncorrected": 0}), (" ever", aggregate, most))
    found = {
        kind: f"{counts[kind]:.0f} {kind} errors{since}, allowed are {allowed[kind]}"
        for since, counts, allowed in reversed(scopes)
        for kind in allowed
        if (counts[kind] or 0) > allowed[kind]
    }
    return list(found.values())


@check("HOST-061")
def test_remapped_rows(facts: Facts) -> None:
    pending, bad, blind = [], [], []
    for name, gpu in _pages(facts):
        row = {key: gpu.get(f"remapped_rows/remapped_row_{key}", "") for key in ("unc", "pending", "failure")}
        used = nvidia.number(row["unc"])
        if used is None and row["failure"] not in {"Yes", "No"}:
            blind.append(name)
        if row["failure"] == "Yes":
            bad.append(f"{name}: rows could not be remapped")
        if used is not None and used > limit.ROWS_REMAPPED_MAX:
            bad.append(
                f"{name}: {used:.0f} rows remapped for uncorrectable errors, allowed are {limit.ROWS_REMAPPED_MAX}"
            )
        if row["pending"] == "Yes":
            pending.append(f"{name}: rows wait to be remapped")
    if bad or pending:
        raise Broken(
            "; ".join(bad + pending), hint=REPLACE if bad else "drain the node and reset the GPU: it remaps then"
        )
    if blind:
        raise Unmeasured(f"{', '.join(blind)}: the driver tells of no remapped rows")


@check("HOST-062")
def test_no_xid(facts: Facts) -> None:
    recent = [x for x in facts.xids() if x.age_s is None or x.age_s <= limit.XID_WINDOW_S]
    fatal = [x for x in recent if x.code in limit.XIDS or (x.code in limit.XIDS_OF_LINKS and FATAL.search(x.text))]
    some = fatal or [x for x in recent if x.code not in limit.XIDS_OF_JOBS]
    if some:
        last = {(x.code, x.pci): x for x in some}
        told = [
            f"XID {x.code} ({limit.XIDS.get(x.code, x.text or 'see the XID catalogue')}) on {x.pci}{_ago(x)}"
            for x in last.values()
        ]
        hint = "power the node off and on" if any(x.code == 79 for x in some) else RESET
        raise Broken("; ".join(told), hint=f"`dmesg | grep Xid`; {hint}", severity=CRITICAL if fatal else WARNING)


def _ago(xid: nvidia.Xid) -> str:
    return "" if xid.age_s is None else f" {xid.age_s / 60:.0f} min ago"


@check("HOST-063")
def test_no_clock_is_held_down(facts: Facts) -> None:
    told, blind = [], []
    for name, gpu in _pages(facts):
        reasons = nvidia.throttles(gpu)
        if reasons is None:
            blind.append(name)
        elif held := [r for r in reasons if r not in limit.THROTTLES_ACCEPTED]:
            bits = sum(limit.THROTTLES.get(r, 0) for r in held)
            told.append(f"{name}: clocks are held down by {', '.join(held)} ({bits:#x})")
    if told:
        hint = "thermal: coolant, fans, cold plate; power brake: PSUs and feeds; settings: `nvidia-smi -rac`, `-rgc`"
        raise Broken("; ".join(told), hint=hint)
    if blind:
        raise Unmeasured(f"{', '.join(blind)}: the driver does not tell what holds clocks down")


@check("HOST-064")
def test_nvlinks_are_active(expected: Expected, facts: Facts) -> None:
    model = limit.GPUS.get(expected["gpu"]["model"])
    want = expected["gpu"].get("nvlinks", model.nvlinks if model else None)
    if want is None:
        raise NotExpected("how many NVLinks this GPU has is not known")
    pages = _pages(facts)
    found = facts.nvlinks()
    told = []
    fastest = max((s for links in found.values() for s in links.values() if s is not None), default=0.0)
    for index, (name, _) in enumerate(pages):
        links = found.get(index, {})
        down = [str(n) for n, speed in sorted(links.items()) if not speed]
        slow = [f"{n} ({s:g} GB/s)" for n, s in sorted(links.items()) if s and s < fastest]
        if len(links) != want:
            told.append(f"{name}: expected {want} NVLinks, seen {len(links)}")
        if down:
            told.append(f"{name}: NVLink {', '.join(down)} not active")
        if slow:
            told.append(f"{name}: NVLink {', '.join(slow)} slower than {fastest:g} GB/s")
    if told:
        hint = "is the fabric manager running? `nvidia-smi nvlink -e`; XID 74 in dmesg; else a GPU or its baseboard"
        raise Broken("; ".join(told), hint=hint)


@check("HOST-065")
def test_gpus_have_their_pcie_lanes(expected: Expected, facts: Facts) -> None:
    model = limit.GPUS.get(expected["gpu"]["model"])
    if model is None or not model.pcie_width:
        raise NotExpected("how this GPU is joined to its host is not known")
    told, blind = [], []
    for name, gpu in _pages(facts):
        at = "pci/pci_gpu_link_info"
        width, now, most = (
            nvidia.number(gpu.get(f"{at}/{part}"))
            for part in ("link_widths/current_link_width", "pcie_gen/current_link_gen", "pcie_gen/max_link_gen")
        )
        # A GPU at rest may lower the speed of its link; what the slot and the GPU agreed on stays.
        gen = now if gpu.get("performance_state") == "P0" else most
        if width is None or gen is None:
            blind.append(name)
        elif width < model.pcie_width or gen < model.pcie_gen:
            told.append(
                f"{name}: expected PCIe Gen{model.pcie_gen} x{model.pcie_width}, seen Gen{gen:.0f} x{width:.0f}"
            )
    if told:
        raise Broken("; ".join(told), hint="reseat the GPU or its riser; `lspci -vv`, LnkSta; AER errors in dmesg")
    if blind:
        raise Unmeasured(f"{', '.join(blind)}: the driver does not tell of the PCIe link")


@check("HOST-066")
def test_temperature_and_power(facts: Facts) -> None:
    told, blind = [], []
    for name, gpu in _pages(facts):
        heat = {key: nvidia.number(gpu.get(f"temperature/gpu_temp{key}")) for key in ("", "_slow_threshold", "_tlimit")}
        now, slow, margin = heat.values()
        power = [
            nvidia.number(_either(gpu, "power_readings", part))
            for part in ("current_power_limit", "default_power_limit")
        ]
        if now is None:
            blind.append(name)
        elif slow is not None and now >= slow:
            told.append(f"{name}: {now:.0f} C, slows down at {slow:.0f} C")
        elif margin is not None and margin <= 0:
            told.append(f"{name}: {now:.0f} C, no margin left before it slows down")
        if None not in power and power[0] < power[1]:  # type: ignore[operator]
            told.append(f"{name}: power limit {power[0]:.0f} W, by default {power[1]:.0f} W")
    if told:
        raise Broken("; ".join(told), hint="heat: coolant and fans; a limit left behind: `nvidia-smi -pl`")
    if blind:
        raise Unmeasured(f"{', '.join(blind)}: the driver tells no temperature")


def _either(gpu: nvidia.Gpu, group: str, part: str) -> str | None:
    """Power stood below `power_readings` up to release 530 or so, where the limit in force had another name."""
    older = {"current_power_limit": "power_limit"}.get(part, part)
    return gpu.get(f"gpu_{group}/{part}") or gpu.get(f"{group}/{part}") or gpu.get(f"{group}/{older}")


FIRMWARE = {"gpu_vbios": "vbios_version", "gpu_inforom": "inforom_version/img_version"}
"""Name in the site's `software` -> where the driver tells of it."""


@check("HOST-067")
def test_gpu_firmware(expected: Expected, facts: Facts) -> None:
    wanted = {name: str(v) for name, v in expected.get("software", {}).items() if name in FIRMWARE}
    if not wanted:
        raise NotExpected(f"no GPU firmware is wanted: `software` of the site names no {' or '.join(FIRMWARE)}")
    told = [
        f"{name}: expected {what} {want}, seen {gpu.get(FIRMWARE[what]) or 'none'}"
        for name, gpu in _pages(facts)
        for what, want in sorted(wanted.items())
        if gpu.get(FIRMWARE[what]) != want
    ]
    if told:
        raise Broken("; ".join(told), hint="update the baseboard's firmware, then power the node off and on")


@check("HOST-068")
def test_dcgm_finds_nothing(facts: Facts) -> None:
    _pages(facts)
    found = facts.diagnoses(1)
    bad = [d for d in found if d.status in {"fail", "warn"}]
    if bad:
        told = [f"{d.test}{f' on {d.where}' if d.where else ''}: {d.text or d.status}" for d in bad]
        failed = any(d.status == "fail" for d in bad)
        raise Broken("; ".join(told), hint="`dcgmi diag -r 2`", severity=CRITICAL if failed else WARNING)
    if not any(d.status == "pass" for d in found):
        raise Unmeasured("DCGM skipped every test")


def _pages(facts: Facts) -> list[tuple[str, nvidia.Gpu]]:
    """What to call each GPU, and its page. With none of them every question would pass, so they wait for the count."""
    try:
        pages = facts.gpu_pages()
    except Broken:
        pages = []
    if not pages:
        raise Waits("HOST-001")
    return [(f"GPU {index} ({page['id']})", page) for index, page in enumerate(pages)]
