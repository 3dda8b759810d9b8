"""What the YAML reader stumbled over -> the place, what is wrong there, and what to do, in a person's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lindos.catalogue.wording import shorten
from lindos.errors import Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError, StreamMark

    from lindos.spec.source import Source


class Told(NamedTuple):
    """What is told. `{line}` in a message is where the unfinished part begins; `early`: the caret stands there too."""

    message: str
    hint: str
    early: bool = False


OPEN_QUOTE = Told("the quote that opens in line {line} is never closed", "close it", early=True)

TOLD: dict[str, Told] = {
    "character '\\t'": Told("a tab stands here", "YAML is indented with spaces; make each tab two spaces"),
    "mapping values are not allowed": Told(
        "a ':' stands where no key can be",
        "text that holds ': ' goes in quotes; or does this line begin in the wrong column?",
    ),
    "could not find expected ':'": Told(
        "this is no key: its ':' is missing", "a key is written 'key: value'", early=True
    ),
    "expected ',' or": Told(
        "the bracket that opens in line {line} is not closed, or a ',' between its entries is missing",
        "write [a, b] or {key: value, key: value}",
        early=True,
    ),
    "expected the node content": Told("a value is missing here", "an entry or a closing bracket is expected"),
    "found unexpected end of stream": OPEN_QUOTE,
    "found unexpected document separator": OPEN_QUOTE,
    "block end": Told(
        "this does not line up with what stands above",
        "lines of one level begin in one column; what belongs to a key stands further to the right",
    ),
    "sequence entries are not allowed": Told(
        "a list cannot begin here", "put the '- ' on a line of its own, below its key"
    ),
    "that cannot start any token": Told("a value cannot begin with this character", "put the text in quotes"),
    "unknown escape character": Told(
        "in double quotes a '\\' begins an escape, and this is none", "use single quotes, or write '\\\\'"
    ),
}
"""Part of the reader's message -> what is told."""


def not_yaml(source: Source, err: MarkedYAMLError) -> Problem:
    """The reader's error -> the Problem that a person reads."""
    said = " ".join(str(part) for part in (err.problem, err.context) if part)
    opened: StreamMark | None = err.context_mark
    mark: StreamMark | None = err.problem_mark or opened
    place = source.at(mark.line, mark.column) if mark else source.at(0, 0)
    told = next((told for part, told in TOLD.items() if part in said), None)
    if told:
        line = opened.line + 1 if opened else place.line
        if told.early and opened and (line != place.line or told is OPEN_QUOTE):
            place = source.at(opened.line, opened.column)
        return Problem(told.message.replace("{line}", str(line)), told.hint, place)
    return Problem(
        f"this is not YAML: {shorten(said, 120)}", "check the quotes, brackets and indentation near here", place
    )
