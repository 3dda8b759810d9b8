"""What a rule is, what it says, and how equal complaints are told once.

    Rule = code + judge;   judge: View -> Broken, ...;   Broken -> Finding, ...

A judge knows no code and counts nothing: it hands over the frame of subjects that break the rule in one way, and
`findings` words them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from lindos.check.view import View
from lindos.finding import Finding, Severity

TOLD_ONE_BY_ONE = 20
"""Subjects that break a rule in one way and get a finding each; more of them are one finding with a count."""
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Broken:
    """Subjects that break a rule in one way: a frame of `subject` and `message`, a row each; often empty.

    `what` names them all where they are too many to be told one by one: "rail ports without a link".
    """

    severity: Severity
    what: str
    cases: pl.DataFrame
    hint: str


Judge = Callable[[View], Iterator[Broken]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A design rule: its code, stable and never reused, and the function that judges a plan."""

    code: str
    judge: Judge

    @property
    def name(self) -> str:
        """The rule as a sentence, in snake case."""
        return self.judge.__name__

    @property
    def documentation(self) -> str:
        """What the rule asks for, why, by which source, and what to do."""
        return inspect.cleandoc(self.judge.__doc__ or "")


def cases(frame: pl.DataFrame, subject: str, message: pl.Expr) -> pl.DataFrame:
    """Rows that break a rule -> `subject` (a column of them) and `message`."""
    return frame.select(pl.col(subject).cast(pl.String).alias("subject"), message.alias("message"))


def broken(what: str, frame: pl.DataFrame, subject: str, message: pl.Expr, hint: str) -> Broken:
    """Rows that break a rule, the column of their subjects, what to say of each -> Broken, critical."""
    return Broken(Severity.CRITICAL, what, cases(frame, subject, message), hint)


def one(subject: str, message: str) -> pl.DataFrame:
    """A single case."""
    return pl.DataFrame({"subject": [subject], "message": [message]})


def not_evaluated(what: str, cases: pl.DataFrame, hint: str) -> Broken:
    """A rule without its fact: never a pass, and said so."""
    return Broken(Severity.UNKNOWN, f"{what}, not evaluated", cases, hint)


def findings(rule: Rule, view: View) -> Iterator[Finding]:
    """A rule and the plan -> its findings, in order of subject; many of one kind are one with a count and examples."""
    for broken in rule.judge(view):
        count = len(broken.cases)
        rows = broken.cases.sort("subject", "message").head(TOLD_ONE_BY_ONE).rows()
        if count <= TOLD_ONE_BY_ONE:
            for subject, message in rows:
                yield Finding(rule.code, broken.severity, subject, message, broken.hint)
            continue
        first = "; ".join(f"{subject}: {message}" for subject, message in rows[:EXAMPLES])
        told = f"{count:,} {broken.what}, the first: {first}"
        yield Finding(rule.code, broken.severity, view.plan.site, told, broken.hint)
