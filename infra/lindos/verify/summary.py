"""What a look at a site came to -> what people and programs are told of it: passed, broken, and what is neither.

Two things are neither: what the plan does not name, so that there is nothing to compare, and what this machine cannot
measure. Both are told by check, with how many nodes they are of, so that nobody takes them for a pass.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from lindos.finding import Severity
from lindos.verify.suite.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lindos.finding import Finding
    from lindos.verify.run import VerifyResult

REASONS_TOLD = 3

_PORTS = re.compile(r"\w+(, \w+)+: ")
"""What stands before the message of a finding that is the same on several ports of a node."""


class NotExpected(NamedTuple):
    """A check that had nothing to compare, on a node or a port of it, and why."""

    code: str
    subject: str
    why: str


class Aside(NamedTuple):
    """A check that neither passed nor failed: on how many nodes, and for which reasons, the most frequent first."""

    code: str
    nodes: int
    why: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def is_unmeasured(finding: Finding) -> bool:
    """Whether it says that a check of a node could not be made there."""
    return finding.severity is Severity.UNKNOWN and finding.code in CODES


def not_measurable(findings: Iterable[Finding]) -> tuple[Aside, ...]:
    """Findings -> the checks of nodes that could not be made, in order of their codes."""
    mine = (f for f in findings if is_unmeasured(f))
    return _asides((f.code, f.subject, _PORTS.sub("", f.message, count=1)) for f in mine)


def not_expected(told: Iterable[NotExpected]) -> tuple[Aside, ...]:
    """Checks that had nothing to compare, one by one -> the same by check, in order of their codes."""
    return _asides(told)


def _asides(told: Iterable[tuple[str, str, str]]) -> tuple[Aside, ...]:
    nodes: dict[str, set[str]] = {}
    why: dict[str, Counter[str]] = {}
    for code, subject, reason in told:
        nodes.setdefault(code, set()).add(subject.partition(":")[0])
        why.setdefault(code, Counter())[reason] += 1
    ranked = {code: sorted(found, key=lambda r: (-found[r], r)) for code, found in why.items()}
    return tuple(Aside(code, len(nodes[code]), tuple(ranked[code])) for code in sorted(nodes))


def as_dict(result: VerifyResult) -> dict[str, Any]:
    """A result -> what `lindos verify --json` prints."""
    return {
        "seconds": round(result.seconds, 3),
        "checks": result.checks_run,
        "passed": result.passed,
        "findings": [f.as_dict() for f in result.findings],
        "not_expected": [a.as_dict() for a in not_expected(result.not_expected)],
        "not_measurable": [a.as_dict() for a in not_measurable(result.findings)],
    }


def lines(site: str, result: VerifyResult) -> Iterator[str]:
    """A result -> what stands below its findings: what is neither right nor wrong, then the sum."""
    unasked, blind = not_expected(result.not_expected), not_measurable(result.findings)
    if unasked:
        yield "not expected: neither site file nor catalogue says it, so there is nothing to compare"
        yield from _listed(unasked)
    if blind:
        yield "not measurable here: neither right nor wrong, and no pass"
        yield from _listed(blind)
    other = Counter(f.severity for f in result.findings if not is_unmeasured(f))
    wrong = ", ".join(f"{other[severity]:,} {severity}" for severity in Severity if other[severity]) or "no findings"
    yield (
        f"{site}: {result.checks_run:,} checks in {result.seconds:.1f} s: {result.passed:,} passed, {wrong}, "
        f"{len(blind)} kinds not measurable here, {len(unasked)} not expected"
    )


def _listed(asides: tuple[Aside, ...]) -> Iterator[str]:
    for code, nodes, why in asides:
        yield f"  {code}  {nodes:,} {'node' if nodes == 1 else 'nodes'}: {CODES[code][1]}"
        for reason in why[:REASONS_TOLD]:
            yield f"            {reason}"
        if len(why) > REASONS_TOLD:
            yield f"            and {len(why) - REASONS_TOLD} more reasons"
