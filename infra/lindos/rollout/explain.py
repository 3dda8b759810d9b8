"""The code of a finding -> what it is about, in the words of the rule or check that made it."""

from __future__ import annotations

import difflib

from lindos.check import LOAD_FLOW, RULES
from lindos.check import explain as explain_rule
from lindos.errors import Problem, SpecError
from lindos.verify.codes import CODES


def explain_code(code: str) -> str:
    """Code -> text for a person; SpecError with the nearest codes where there is none of that name."""
    wanted = code.upper()
    if wanted in CODES:
        return f"{wanted}: {CODES[wanted]}"
    rules = [rule.code for rule in (*RULES, *LOAD_FLOW)]
    if wanted in rules:
        return explain_rule(wanted)
    near = difflib.get_close_matches(wanted, [*rules, *CODES], 3, 0.4)
    raise SpecError(Problem(f"no rule or check '{code}'", hint=f"nearest: {', '.join(near) or ', '.join(rules)}"))
