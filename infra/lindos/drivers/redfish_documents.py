"""Redfish documents -> values: what a BMC said, with every gap that real ones leave read as "" or None."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Power(StrEnum):
    """Values of `PowerState` of a ComputerSystem."""

    ON = "On"
    OFF = "Off"
    POWERING_ON = "PoweringOn"
    POWERING_OFF = "PoweringOff"
    PAUSED = "Paused"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class SystemState:
    """What a BMC says of its machine; "" where it says nothing. `doubled`: a stand-in answered."""

    power: Power
    manufacturer: str
    model: str
    serial: str
    health: str
    bmc_firmware: str
    path: str
    reset_types: tuple[str, ...]
    doubled: bool


@dataclass(frozen=True, slots=True)
class Psu:
    """One power supply, from 1 in the order of the chassis. `input_ok` is None where the BMC does not say."""

    number: int
    name: str
    present: bool
    health: str
    capacity_w: int | None
    input_ok: bool | None


def power(said: object) -> Power:
    return Power(said) if isinstance(said, str) and said in set(Power) else Power.UNKNOWN


def text(body: Any, key: str) -> str:
    value = dig(body, key)
    return value.strip() if isinstance(value, str) else ""


def link(reference: Any) -> str | None:
    path = reference.get("@odata.id") if isinstance(reference, dict) else None
    return path if isinstance(path, str) else None


def dig(body: Any, *keys: str) -> Any:
    """A document and keys -> what stands there; None wherever a BMC leaves out a level or says null."""
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def links(references: Any) -> list[str]:
    return [path for r in references or [] if (path := link(r))] if isinstance(references, list) else []


def action(system: dict[str, Any]) -> dict[str, Any]:
    """A ComputerSystem -> its reset action; empty where it has none."""
    found = dig(system, "Actions", "#ComputerSystem.Reset")
    return found if isinstance(found, dict) else {}


def psu(number: int, supply: dict[str, Any]) -> Psu:
    """A PowerSupply of either schema -> Psu."""
    status = dig(supply, "Status")
    capacity = supply.get("PowerCapacityWatts")
    volts = supply.get("LineInputVoltage")
    line = supply.get("LineInputStatus")
    return Psu(
        number=number,
        name=text(supply, "Name"),
        present=text(status, "State") != "Absent",
        health=text(status, "Health"),
        capacity_w=round(capacity) if isinstance(capacity, int | float) else None,
        input_ok=(line == "Normal") if line else (volts > 0 if isinstance(volts, int | float) else None),
    )
