"""What is told below the findings: what is neither right nor wrong, by check, and never as a pass."""

from __future__ import annotations

import json

from lindos.finding import Finding, Severity
from lindos.verify import VerifyResult
from lindos.verify.summary import NotExpected, as_dict, is_unmeasured, lines

BELOW = "the memory that a container sees is that of the machine below"


def finding(code: str, severity: Severity, node: str, message: str = BELOW) -> Finding:
    return Finding(code, severity, node, message, "a hint")


RESULT = VerifyResult(
    findings=(
        finding("HOST-003", Severity.CRITICAL, "x-n1", "expected driver 2, seen 1"),
        finding("HOST-014", Severity.UNKNOWN, "x-n1", "rail0, rail1: no device stands behind this interface"),
        finding("HOST-014", Severity.UNKNOWN, "x-n2:rail0", "no device stands behind this interface"),
        *(finding("HOST-070", Severity.UNKNOWN, f"x-n{n}") for n in range(1, 4)),
        *(finding("HOST-060", Severity.UNKNOWN, "x-n1", f"reason {n}") for n in range(5)),
        finding("REACH-004", Severity.UNKNOWN, "x", "no BMC was asked"),
    ),
    observations=(),
    checks_run=1234,
    seconds=1.25,
    passed=1000,
    not_expected=tuple(NotExpected("HOST-018", f"x-n1:rail{n}", "no NIC firmware is wanted") for n in range(8)),
)

TOLD = f"""\
not expected: neither site file nor catalogue says it, so there is nothing to compare
  HOST-018  1 node: The firmware of a rail NIC is that of the software manifest.
            no NIC firmware is wanted
not measurable here: neither right nor wrong, and no pass
  HOST-014  2 nodes: The link runs at its planned rate.
            no device stands behind this interface
  HOST-060  1 node: No GPU has uncorrected memory errors, or more corrected ones than wear explains.
            reason 0
            reason 1
            reason 2
            and 2 more reasons
  HOST-070  3 nodes: The node has its planned memory.
            {BELOW}
x: 1,234 checks in 1.2 s: 1,000 passed, 1 critical, 1 unknown, 3 kinds not measurable here, 1 not expected"""


def test_it_is_told_by_check_with_the_number_of_nodes() -> None:
    assert "\n".join(lines("x", RESULT)) == TOLD


def test_programs_are_told_the_same() -> None:
    told = json.loads(json.dumps(as_dict(RESULT)))
    assert [(a["code"], a["nodes"]) for a in told["not_measurable"]] == [
        ("HOST-014", 2),
        ("HOST-060", 1),
        ("HOST-070", 3),
    ]
    assert told["not_expected"] == [{"code": "HOST-018", "nodes": 1, "why": ["no NIC firmware is wanted"]}]
    assert (told["checks"], told["passed"], len(told["findings"])) == (1234, 1000, len(RESULT.findings))


def test_only_checks_of_nodes_are_summed_up() -> None:
    assert {f.code for f in RESULT.findings if not is_unmeasured(f)} == {"HOST-003", "REACH-004"}


def test_a_clean_site_is_told_in_one_line() -> None:
    clean = VerifyResult((), (), 40, 0.5, passed=40)
    (line,) = lines("x", clean)
    assert line.endswith("40 passed, no findings, 0 kinds not measurable here, 0 not expected")
