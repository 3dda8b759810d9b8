"""What a rule or a check says about one subject; `check` and `verify` speak in the same words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is. UNKNOWN: could not be evaluated or measured here, which is never a pass."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One broken rule or failed check.

    `code` is stable and never reused (`FABRIC-003`); `subject` is the plan's name of what it is about;
    `message` says what was expected and what was seen; `hint` what to do.
    """

    code: str
    severity: Severity
    subject: str
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        return {k: str(v) for k, v in asdict(self).items()}
