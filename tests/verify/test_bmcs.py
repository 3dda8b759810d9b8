"""What a BMC says of its machine, against the plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lindos.drivers.redfish_documents import Power, SystemState
from lindos.errors import DriverError
from lindos.finding import Severity
from lindos.verify.bmcs import judge_bmc, judge_silence, names_product

WANTED = {"host": "n1", "vendor": "dell", "product": "dell_xe9680"}
GOOD = SystemState(
    power=Power.ON,
    manufacturer="Dell Inc.",
    model="PowerEdge XE9680",
    serial="ABC123",
    health="OK",
    bmc_firmware="7.10",
    path="/redfish/v1/Systems/System.Embedded.1",
    reset_types=("On",),
    doubled=False,
)


def seen(observations):
    return {o.what: o.seen for o in observations}


def test_the_machine_of_the_plan():
    findings, evidence = judge_bmc(WANTED, GOOD)
    assert findings == []
    assert seen(evidence) == {"racked": True, "powered": True, "bmc": True}
    assert evidence[0].detail == "Dell Inc. PowerEdge XE9680 ABC123"


@pytest.mark.parametrize(
    ("change", "code", "severity", "what"),
    [
        ({"manufacturer": "Supermicro"}, "BMC-002", Severity.CRITICAL, "racked"),
        ({"manufacturer": ""}, "BMC-002", Severity.CRITICAL, "racked"),
        ({"model": "PowerEdge XE9680L"}, "BMC-003", Severity.WARNING, None),
        ({"power": Power.OFF}, "BMC-004", Severity.CRITICAL, "powered"),
        ({"power": Power.UNKNOWN}, "BMC-004", Severity.CRITICAL, "powered"),
        ({"health": "Warning"}, "BMC-005", Severity.WARNING, None),
        ({"health": "Critical"}, "BMC-005", Severity.CRITICAL, None),
    ],
)
def test_another_machine_or_a_sick_one(change, code, severity, what):
    (found,), evidence = judge_bmc(WANTED, replace(GOOD, **change))
    assert (found.code, found.severity, found.subject) == (code, severity, "n1")
    assert seen(evidence) == {k: k != what for k in ("racked", "powered", "bmc")}
    assert all(o.detail.startswith(code) for o in evidence if o.seen is False)


def test_a_doubles_word_is_marked():
    _, evidence = judge_bmc(WANTED, replace(GOOD, doubled=True))
    assert all(o.doubled for o in evidence)


ERROR = DriverError("n1", "read /redfish/v1/", "no answer from https://192.0.2.1 in 20 s", retryable=True)


def test_a_silent_bmc_of_a_silent_machine_says_nothing_of_it():
    (found,), evidence = judge_silence("n1", ERROR, host_answers=False, doubled=False)
    assert (found.code, found.severity) == ("BMC-001", Severity.CRITICAL)
    assert "no answer from https://192.0.2.1 in 20 s" in found.message
    assert seen(evidence) == {"racked": None, "powered": None, "bmc": False}


def test_a_machine_that_answers_is_there_and_on_whatever_its_bmc_does():
    _, evidence = judge_silence("n1", ERROR, host_answers=True, doubled=True)
    assert seen(evidence) == {"racked": True, "powered": True, "bmc": False}
    assert [o.doubled for o in evidence] == [True, True, False]


@pytest.mark.parametrize(
    ("model", "product", "same"),
    [
        ("PowerEdge XE9680", "dell_xe9680", True),
        ("PowerEdge XE9680L", "dell_xe9680", False),
        ("PowerEdge XE9680", "dell_xe9680l", False),
        ("SYS-421GE-TNHR2-LCC", "smc_sys_421ge_tnhr2_lcc", True),
        ("SYS-821GE-TNHR", "smc_sys_421ge_tnhr2_lcc", False),
        ("", "dell_xe9680", False),
    ],
)
def test_products_by_the_names_that_bmcs_give(model, product, same):
    assert names_product(model, product) is same
