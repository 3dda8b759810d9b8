"""The GPUs, their driver and the manager of their switches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from . import parsers
from .outcome import Broken, NotExpected, Unmeasured, Waits
from .record import RECORD, check
from .thresholds import GPUS

if TYPE_CHECKING:
    import pytest

    from .facts import Facts

Expected = dict[str, Any]

FABRIC_MANAGER = "nvidia-fabricmanager"


@check("HOST-001")
def test_as_many_gpus_as_planned(expected: Expected, facts: Facts, pytestconfig: pytest.Config) -> None:
    want, seen = expected["gpu"]["count"], len(facts.gpus())
    pytestconfig.stash[RECORD].gpus_seen = seen
    if seen != want:
        raise Broken(
            f"expected {want} GPUs, seen {seen}",
            hint="look for XID 79 (fallen off the bus) in dmesg; power the node off and on, then open a case",
        )


@check("HOST-002")
def test_every_gpu_is_of_the_planned_model(expected: Expected, facts: Facts) -> None:
    model = expected["gpu"]["model"]
    if model not in GPUS:
        raise Unmeasured(f"what nvidia-smi calls a {model} is not known here", hint="add it to thresholds.py")
    other = Counter(g["name"] for g in _gpus(facts) if not _is(g["name"], GPUS[model].name))
    if other:
        seen = ", ".join(f"{number} x {name}" for name, number in sorted(other.items()))
        raise Broken(f"expected {GPUS[model].name}, seen {seen}", hint="the node is another product than planned")


@check("HOST-003")
def test_the_driver_is_of_the_wanted_release(expected: Expected, facts: Facts) -> None:
    want = _wanted(expected)
    other = sorted({g["driver_version"] for g in _gpus(facts)} - {want})
    if other:
        raise Broken(
            f"expected driver {want}, seen {', '.join(other)}",
            hint="converge role gpu_driver; if it was, the old module is still loaded: reboot the node",
        )


@check("HOST-004")
def test_the_fabric_manager_is_of_the_drivers_release(expected: Expected, facts: Facts) -> None:
    _managed(expected)
    want = _wanted(expected)
    seen = parsers.release(facts.ask("nv-fabricmanager", "--version"))
    if seen != want:
        raise Broken(f"expected fabric manager {want}, seen {seen}", hint="converge role fabric_manager")


@check("HOST-005")
def test_the_fabric_manager_runs(expected: Expected, facts: Facts) -> None:
    _managed(expected)
    facts.run("nv-fabricmanager", "--version")
    _, state, _ = facts.run("systemctl", f"is-active {FABRIC_MANAGER}")
    if state.strip() != "active":
        raise Broken(
            f"nvidia-fabricmanager is {state.strip() or 'not there'}",
            hint="journalctl -u nvidia-fabricmanager; its release must be the driver's",
        )


@check("HOST-006")
def test_persistence_mode_is_on(facts: Facts) -> None:
    off = [g["index"] for g in _gpus(facts) if g["persistence_mode"] != "Enabled"]
    if off:
        raise Broken(f"persistence mode is off on GPU {', '.join(off)}", hint="start nvidia-persistenced")


def _gpus(facts: Facts) -> list[dict[str, str]]:
    """The GPUs. With none of them every question would pass, so they all wait for the count."""
    try:
        found = facts.gpus()
    except Broken:
        found = []
    if not found:
        raise Waits("HOST-001")
    return found


def _managed(expected: Expected) -> None:
    """Nodes whose GPUs share NVLink over trays have no NVSwitches to manage."""
    if FABRIC_MANAGER not in expected.get("services", (FABRIC_MANAGER,)):
        raise NotExpected("the NVSwitches of this node's GPUs are managed elsewhere")


def _is(name: str, known: str) -> bool:
    # What is plugged in as a card goes by the same name, and then says so.
    return name == known or (name.startswith(f"{known} ") and not {"NVL", "PCIe"} & set(name.split()))


def _wanted(expected: Expected) -> str:
    want = expected.get("software", {}).get("gpu_driver")
    if not want:
        raise Unmeasured("no GPU driver release is wanted", hint="name it in the site file")
    return str(want)
