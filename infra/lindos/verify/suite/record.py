"""What the checks of one host came to: the JSON that travels back, and the exit status of a Nagios plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from .codes import CODES, CRITICAL, DRIVER, DRIVER_TOOLS, UNKNOWN, WARNING

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = 1

EXITS = {CRITICAL: 2, WARNING: 1, UNKNOWN: 3}
"""Worst first: what was not measured never hides what is broken."""

WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}

Json = dict[str, Any]
F = TypeVar("F", bound="Callable[..., None]")


@dataclass(slots=True)
class Record:
    """Collects outcomes while the checks of `host` run. Findings have the fields of lindos.finding."""

    host: str
    passed: list[Json] = field(default_factory=list)
    waits: list[Json] = field(default_factory=list)
    findings: list[Json] = field(default_factory=list)
    not_expected: list[Json] = field(default_factory=list)
    gpus_seen: int | None = None
    doubled_tools: frozenset[str] = frozenset()
    system: str = ""
    blind: set[str] = field(default_factory=set)
    """Codes that could not be measured, and in `stood_in` those for which a stand-in is to blame."""
    stood_in: set[str] = field(default_factory=set)

    def passes(self, code: str, subject: str, *, doubled: bool) -> None:
        self.passed.append({"code": code, "subject": subject, "doubled": doubled})

    def wait(self, code: str, subject: str, behind: str) -> None:
        self.waits.append({"code": code, "subject": subject, "behind": behind})

    def leave(self, code: str, subject: str, why: str) -> None:
        self.not_expected.append({"code": code, "subject": subject, "why": why})

    def find(self, code: str, subject: str, message: str, hint: str = "", severity: str = "") -> None:
        """One Finding, as severe as its code; the same twice is told once, as severe as the worse."""
        severity = severity or CODES[code][0]
        for told in self.findings:
            if (told["code"], told["subject"], told["message"]) == (code, subject, message):
                told["severity"] = min(told["severity"], severity, key=list(EXITS).index)
                return
        self.findings.append({"code": code, "severity": severity, "subject": subject, "message": message, "hint": hint})

    def as_dict(self, seconds: float, neighbours: list[tuple[str, str, str]] | None) -> Json:
        """Run time, and what LLDP heard (None: not readable) -> the result, to be read by lindos.verify."""
        return {
            "format": FORMAT,
            "host": self.host,
            "exit": self.exit_status(),
            "checks": len(self.passed) + len(self.waits) + len(self.findings),
            "passed": self.passed,
            "waits": self.waits,
            "not_expected": self.not_expected,
            "findings": _together(self.findings, self.host),
            "observations": [self._os(), self._driver(), self._validated()],
            "neighbours": neighbours,
            "doubled_tools": sorted(self.doubled_tools),
            "seconds": round(seconds, 3),
        }

    def exit_status(self) -> int:
        """-> the exit status of a Nagios plugin; a run in which nothing passed is never clean."""
        seen = {f["severity"] for f in self.findings}
        worst = next((status for severity, status in EXITS.items() if severity in seen), 0)
        return worst or (EXITS[UNKNOWN] if self.waits or not self.passed else 0)

    def summary(self) -> str:
        """-> the one line that Nagios shows."""
        word = WORDS[self.exit_status()]
        return f"{self.host} {word}: {len(self.passed)} passed, {len(self.findings)} findings"

    def _os(self) -> Json:
        return {"device": self.host, "what": "os", "seen": True, "doubled": False, "detail": self.system}

    def _driver(self) -> Json:
        """The evidence for stage `driver`: True, False, or how many GPUs are there if only some lack."""
        told = [f for f in self.findings if f["code"] in DRIVER or _names_tool(f)]
        broken = [f["code"] for f in told if f["severity"] != UNKNOWN]
        seen: bool | int | None = True
        if broken == ["HOST-001"] and self.gpus_seen is not None:
            seen = self.gpus_seen
        elif broken:
            seen = False
        elif DRIVER - {p["code"] for p in (*self.passed, *self.not_expected)}:
            seen = None
        return self._seen("driver", seen, told, doubled=bool(DRIVER_TOOLS & self.doubled_tools))

    def _validated(self) -> Json:
        """The evidence for stage `validated`: nothing critical is broken, and nothing critical went unmeasured."""
        broken = [f for f in self.findings if f["severity"] == CRITICAL]
        blind = [f for f in self.findings if f["code"] in self.blind and CODES[f["code"]][0] == CRITICAL]
        waits = any(CODES[w["code"]][0] == CRITICAL for w in self.waits)
        seen = False if broken else None if blind or waits or not self.passed else True
        doubled = bool(self.stood_in) or any(p["doubled"] for p in self.passed)
        return self._seen("validated", seen, broken or blind, doubled=doubled)

    def _seen(self, what: str, seen: bool | int | None, told: list[Json], *, doubled: bool) -> Json:
        detail = "; ".join(sorted(f"{f['code']}: {f['message']}" for f in told))
        return {"device": self.host, "what": what, "seen": seen, "doubled": doubled, "detail": detail}


RECORD = pytest.StashKey[Record]()


def check(code: str) -> Callable[[F], F]:
    """Makes a test the check of a code; its parameter `nic` or `rail`, if any, belongs to the subject."""

    def name(function: F) -> F:
        function.code_of_check = code  # type: ignore[attr-defined]
        return function

    return name


def _names_tool(finding: Json) -> bool:
    return finding["code"] == "HOST-000" and finding["message"].split()[0] in DRIVER_TOOLS


def _together(findings: list[Json], host: str) -> list[Json]:
    """The same finding on several ports -> one finding of the host that names the ports."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for f in findings:
        groups.setdefault((f["code"], f["severity"], f["message"]), []).append(f)
    told = []
    for group in groups.values():
        ports = [f["subject"].partition(":")[2] for f in group]
        one = group[0]
        if len(group) > 1 and all(ports):
            one = one | {"subject": host, "message": f"{', '.join(ports)}: {one['message']}"}
        told.append(one)
    return told
