"""What a BMC says of its machine, against the plan -> evidence for `racked`, `powered` and `bmc`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lindos.drivers.redfish_documents import Power
from lindos.finding import Finding, Severity
from lindos.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lindos.drivers.redfish_documents import SystemState
    from lindos.errors import DriverError

CODES = {
    "BMC-001": "The BMC answers Redfish at its planned address.",
    "BMC-002": "The BMC at a node's planned address is of the planned vendor: another machine may stand there.",
    "BMC-003": "The BMC names the planned product.",
    "BMC-004": "The machine is powered on.",
    "BMC-005": "The BMC reports its machine's health as OK.",
}

ON = {Power.ON, Power.POWERING_ON}


def judge_bmc(expectation: Mapping[str, Any], state: SystemState) -> tuple[list[Finding], list[Observation]]:
    """An expectation and what the BMC says -> findings and evidence."""
    host, vendor, product = (str(expectation[key]) for key in ("host", "vendor", "product"))
    found = []
    right_vendor = vendor.lower() in state.manufacturer.lower()
    if not right_vendor:
        message = f"expected a machine of {vendor}, its BMC says {state.manufacturer or 'nothing'}"
        hint = "another machine stands there, or its BMC is plugged into another port of the access switch"
        found.append(Finding("BMC-002", Severity.CRITICAL, host, message, hint))
    elif not names_product(state.model, product):
        message = f"expected {product}, its BMC says {state.model or 'nothing'}"
        found.append(Finding("BMC-003", Severity.WARNING, host, message, "read the label; is it this node's place?"))
    if state.power not in ON:
        hint = "is it meant to be? else: both feeds, the power budget of the rack, the log of the BMC"
        found.append(Finding("BMC-004", Severity.CRITICAL, host, f"power is {state.power}", hint))
    if state.health not in {"OK", ""}:
        severity = Severity.CRITICAL if state.health == "Critical" else Severity.WARNING
        hint = "the log of the BMC names the part"
        found.append(Finding("BMC-005", severity, host, f"the BMC reports health {state.health}", hint))
    place = f"{state.manufacturer} {state.model} {state.serial}".strip()
    racked = next((f"{f.code}: {f.message}" for f in found if f.code == "BMC-002"), place)
    powered = next((f"{f.code}: {f.message}" for f in found if f.code == "BMC-004"), f"power is {state.power}")
    return found, [
        Observation(host, "racked", right_vendor, state.doubled, racked),
        Observation(host, "powered", state.power in ON, state.doubled, powered),
        Observation(host, "bmc", seen=True, doubled=state.doubled, detail=f"firmware {state.bmc_firmware}"),
    ]


def judge_silence(
    host: str, error: DriverError, *, host_answers: bool, doubled: bool
) -> tuple[list[Finding], list[Observation]]:
    """A BMC that does not answer -> finding and evidence; that its machine stands and runs may be seen otherwise."""
    message = f"the BMC does not answer: {error.tried}: {error.said}"
    hint = (
        error.problems[0].hint
        or "its cable, its address (DHCP), a reset of the BMC from the host: `ipmitool mc reset cold`"
    )
    finding = Finding("BMC-001", Severity.CRITICAL, host, message, hint)
    silent = "BMC-001: the BMC does not answer"
    seen = True if host_answers else None
    detail = "its system answers at the planned address" if host_answers else silent
    return [finding], [
        Observation(host, "racked", seen, doubled, detail),
        Observation(host, "powered", seen, doubled, detail),
        Observation(host, "bmc", seen=False, detail=silent),
    ]


def names_product(model: str, product: str) -> bool:
    """Whether a model as a BMC writes it (`PowerEdge XE9680`) is a product of the plan (`dell_xe9680`).

    Every word of the product that holds a digit must be a whole word of the model.
    """
    words = set(re.split(r"[^a-z0-9]+", model.lower()))
    wanted = {word for word in product.lower().split("_") if re.search(r"\d", word)}
    return bool(wanted) and wanted <= words
