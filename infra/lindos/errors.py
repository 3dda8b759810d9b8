"""The errors a user can meet.

    LindosError
      SpecError        your file is wrong            exit 2
      CatalogueError   we do not know this product   exit 2
      InfeasibleError  valid, but cannot be built    exit 1
      DriverError      the world said no             exit 3

Each carries `problems`: all that one phase found, shown together. A bug stays a traceback.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_AT_MOST = 50
"""Problems printed in one go; the rest are counted."""

SHOWN_WIDTH, SHOWN_BEFORE = 120, 80
"""Characters shown of a long line, and how many of them stand before the spot."""


def _columns(character: str) -> int:
    """Columns that a character takes in a terminal."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a file: 1-based line and column, the text of that line, the dotted path of the value."""

    file: str
    line: int
    column: int
    text: str = ""
    path: str = ""

    def excerpt(self) -> list[str]:
        """Place -> its line and a caret below the spot; of a long line the part around it, nothing unprintable."""
        start = max(0, self.column - 1 - SHOWN_BEFORE) if len(self.text) > SHOWN_WIDTH else 0
        shown = self.text[start : start + SHOWN_WIDTH]
        clean = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
        before = clean[: self.column - 1 - start]
        indent = "".join("\t" if c == "\t" else " " * _columns(c) for c in before)
        number = f"{self.line:>4}"
        return [f"  {number} | {clean}", f"  {' ' * len(number)} | {indent}^"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where (if in a file), and what to do."""

    message: str
    hint: str = ""
    place: Place | None = None

    def render(self) -> str:
        """Problem -> a few lines for a person: place, message, source line with caret, hint."""
        lines: list[str] = []
        if self.place is None:
            lines.append(self.message)
        else:
            at = self.place
            where = f"{at.file}:{at.line}:{at.column}"
            lines.append(f"{where}: {at.path}: {self.message}" if at.path else f"{where}: {self.message}")
            if at.text.strip():
                lines += at.excerpt()
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class LindosError(Exception):
    """Root of what a user can meet; `problems` holds every problem of the phase."""

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "error"

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(p.message for p in self.problems))

    def render(self) -> str:
        """Error -> the text a user reads on stderr."""
        shown = [f"{self.title}: {p.render()}" for p in self.problems[:SHOWN_AT_MOST]]
        left = len(self.problems) - SHOWN_AT_MOST
        if left > 0:
            shown.append(f"... and {left} more")
        return "\n".join(shown)


class SpecError(LindosError):
    """What the operator wrote is wrong: the site file, or the words of a command."""

    exit_code = 2


class CatalogueError(LindosError):
    """A product, or a fact of a product, is not known."""

    exit_code = 2
    title = "catalogue"


class InfeasibleError(LindosError):
    """What is asked for is valid, but cannot be built: which limit, by how much."""

    exit_code = 1
    title = "cannot be built"


class DriverError(LindosError):
    """The world said no: which device, what was tried, whether another try can help."""

    exit_code = 3
    title = "device"

    def __init__(self, device: str, tried: str, said: str, *, retryable: bool, hint: str = "") -> None:
        self.device = device
        self.tried = tried
        self.said = said
        self.retryable = retryable
        super().__init__(Problem(f"{device}: {tried}: {said}", hint=hint))
