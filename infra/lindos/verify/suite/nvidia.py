"""What NVIDIA's tools and driver print -> plain data. Pure, and tolerant of older and newer releases.

A value that a tool does not have is None: tools write N/A, [N/A], [Not Supported], ERR! and more in its place.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any, NamedTuple

Gpu = dict[str, str]
"""Path of an element below <gpu> -> its text: `ecc_errors/volatile/dram_correctable` -> `0`."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_HEAD = re.compile(r"GPU (\d+):")
_LINK = re.compile(r"Link (\d+): *(.*)")
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)\): (\d+)(?:, *pid=[^,]*)?(?:, *name=[^,]*)?(?:, *(.*))?")
_STAMP = re.compile(r"\[ *(\d+\.\d+)\] ?")


def number(text: str | None) -> float | None:
    """`700.00 W`, `16x`, `28 C`, `0` -> the number; None for every way of saying that there is none."""
    found = _NUMBER.match((text or "").strip())
    return float(found.group()) if found else None


def gpus(text: str) -> list[Gpu]:
    """`nvidia-smi -q -x` -> each GPU, in the order of their indexes. Raises ValueError for what is no such page."""
    try:
        log = ET.fromstring(text)  # noqa: S314 - what the driver of this very host prints
    except ET.ParseError:
        raise ValueError(" ".join(text.split()) or "nothing") from None
    found = []
    for gpu in log.findall("gpu"):
        values = {"id": gpu.get("id", "")}
        _collect(gpu, "", values)
        found.append(values)
    return found


def _collect(element: ET.Element, path: str, into: Gpu) -> None:
    for child in element:
        below = f"{path}/{child.tag}" if path else child.tag
        into[below] = (child.text or "").strip()
        _collect(child, below, into)


def ecc(gpu: Gpu, scope: str) -> dict[str, float | None]:
    """A GPU, `volatile` or `aggregate` -> errors by memory and kind, None for what its driver does not count.

    Uncorrected SRAM errors are one number up to Ampere and two (parity, SECDED) since; before Turing there are only
    single and double bits of everything.
    """
    at = f"ecc_errors/{scope}"

    def of(*names: str) -> float | None:
        values = [v for v in (number(gpu.get(f"{at}/{name}")) for name in names) if v is not None]
        return sum(values) if values else None

    uncorrected = ("sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded")
    return {
        "SRAM corrected": of("sram_correctable"),
        "SRAM uncorrected": of(*uncorrected),
        "DRAM corrected": of("dram_correctable", "single_bit/device_memory"),
        "DRAM uncorrected": of("dram_uncorrectable", "double_bit/device_memory"),
    }


def throttles(gpu: Gpu) -> list[str] | None:
    """A GPU -> the reasons that now hold its clocks down, without their prefix; None where it does not tell.

    They were called throttle reasons up to release 530 or so, event reasons since.
    """
    told = {
        name.rpartition("_reason_")[2]: value
        for name, value in gpu.items()
        if re.match(r"clocks_(event|throttle)_reasons/clocks_(event|throttle)_reason_", name)
    }
    known = {name: value for name, value in told.items() if value in {"Active", "Not Active"}}
    return [name for name, value in known.items() if value == "Active"] if known else None


def nvlinks(text: str) -> dict[int, dict[int, float | None]]:
    """`nvidia-smi nvlink -s` -> GPU -> link -> GB/s each way, None for a link that is not active."""
    found: dict[int, dict[int, float | None]] = {}
    links: dict[int, float | None] = {}
    for line in text.splitlines():
        if head := _HEAD.match(line.strip()):
            links = found.setdefault(int(head.group(1)), {})
        elif link := _LINK.match(line.strip()):
            links[int(link.group(1))] = number(link.group(2))
    return found


class Xid(NamedTuple):
    """An XID in the kernel log, without whose process it was; `age_s` is None where the log has no times."""

    age_s: float | None
    pci: str
    code: int
    text: str


def xids(log: str, uptime_s: float) -> list[Xid]:
    """`dmesg`, and seconds since boot -> the XIDs in it, oldest first."""
    found = []
    for line in log.splitlines():
        if told := _XID.search(line):
            stamp = _STAMP.search(line)
            age = max(uptime_s - float(stamp.group(1)), 0.0) if stamp else None
            found.append(Xid(age, told.group(1), int(told.group(2)), (told.group(3) or "").strip()))
    return found


class Diagnosis(NamedTuple):
    """A test of DCGM on some GPUs: `status` is pass, fail, warn, skip or what else it says."""

    test: str
    where: str
    status: str
    text: str


RUNS_ON = frozenset({1, 5})
"""Severities of errors with which a GPU can work: it is to be watched, or something is to be configured (dcgm_errors.h:
DCGM_ERROR_MONITOR, DCGM_ERROR_CONFIG).
"""


def diagnoses(text: str) -> list[Diagnosis]:
    """`dcgmi diag -j` -> what each test came to. Raises ValueError for what is no such report.

    Lines may stand before the JSON. DCGM 3 calls the report `DCGM GPU Diagnostic` and names GPUs by `gpu_ids`, DCGM 4
    `DCGM Diagnostic` and names an entity; tests stand in categories, with a null for each that did not run.
    """
    at = text.find("{")
    try:
        page = json.loads(text[at:]) if at >= 0 else None
    except ValueError:
        page = None
    reports = [v for k, v in page.items() if k.startswith("DCGM") and isinstance(v, dict)] if page else []
    found = []
    for report in reports:
        for category in report.get("test_categories") or ():
            for test in category.get("tests") or ():
                found += _diagnoses(test or {})
    if not found:
        said = [str(report[key]) for report in reports for key in ("runtime_error", "Error") if key in report]
        raise ValueError("; ".join(said) or " ".join(text.split()) or "nothing")
    return found


def _diagnoses(test: dict[str, Any]) -> list[Diagnosis]:
    """A test -> what it came to, for each entity. DCGM 4 sums up: what is about none, maybe the rest again."""
    results: list[dict[str, Any]] = list(test.get("results") or ())
    if summary := test.get("test_summary"):
        known = {w["warning"] for result in results for w in _warnings(result)}
        own = [w for w in _warnings(summary) if w["warning"] not in known]
        if own or summary.get("status") not in {result.get("status") for result in results}:
            results.append(summary | {"warnings": own})
    return [_diagnosis(test["name"], result) for result in results]


def _diagnosis(test: str, result: dict[str, Any]) -> Diagnosis:
    entity = result.get("gpu_ids", result.get("entity_id", ""))
    where = f"{result.get('entity_group', 'GPU')} {entity}" if entity != "" else ""
    told = _warnings(result)
    status = str(result.get("status", "")).lower().removesuffix("ed").removesuffix("ning")
    # `dcgmi` prints Fail for a warning too.
    if status == "fail" and told and all(w.get("error_severity") in RUNS_ON for w in told):
        status = "warn"
    return Diagnosis(test, where, "skip" if status == "skipp" else status, "; ".join(w["warning"] for w in told))


def _warnings(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Each with its text as `warning`: releases told one text, a list of texts, and a list of records."""
    told = result.get("warnings") or []
    each = [told] if isinstance(told, str) else told
    return [{"warning": ""} | w if isinstance(w, dict) else {"warning": str(w)} for w in each]
