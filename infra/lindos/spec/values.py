"""The text of a site file -> plain values: text, numbers, true and false, lists, mappings.

YAML 1.2, and less of it than YAML allows: one document, no tags, no merge keys, each key once, no value left out,
numbers in decimals, at most `DEEPEST` levels. Whole numbers may be grouped: 131_072. An alias is the value that it
refers to, never a copy, so that aliases of aliases cost nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from lindos.catalogue.nearest import did_you_mean
from lindos.catalogue.wording import shorten
from lindos.errors import Problem, SpecError
from lindos.spec.source import dotted
from lindos.spec.syntax import not_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.spec.source import Source, Steps

DEEPEST = 24
"""Levels of lists and mappings; the format has eight."""

LONGEST_NUMBER = 30
"""Characters of a number; anything counted here fits into twenty."""


class Wrong:
    """Stands for a value that a problem was told of already, so that nothing else complains of it."""


WRONG = Wrong()
OPEN = Wrong()
"""Stands for a value whose end is not reached yet."""

START = "start with 'lindos: 1' and 'site: NAME'"
NULL = re.compile(r"~|null|Null|NULL|")
TRUE, FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)", re.ASCII)
DECIMAL = re.compile(r"[-+]?(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
UNCLEAR = re.compile(r"[-+]?(?:0[xob][0-9a-fA-F_]+|0[0-9_]+|[0-9][0-9_]*_)", re.ASCII)


class _Reader:
    """Walks the events of the YAML reader once and builds the values."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.events: Iterator[Any] = YAML(typ="safe", pure=True).parse(source.text)
        self.anchors: dict[str, Any] = {}

    def document(self) -> Any:
        """The first document of the stream -> its value; None where there is none."""
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                if event.version and tuple(event.version) != (1, 2):
                    line = next((i for i, text in enumerate(self.source.lines) if text.startswith("%YAML")), 0)
                    message = "a site file is read as YAML 1.2"
                    self.source.add_at(self.source.at(line, 0), message, "take the '%YAML' line out")
                break
        else:
            return None
        first = next(self.events)
        if isinstance(first, ScalarEvent) and not first.value and first.implicit[0]:
            return None
        value = self._value(first, ())
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self._tell(event, (), "a second document begins here", "one file is one site; take the '---' out")
                break
        return value

    def _tell(self, event: Any, path: Steps, message: str, hint: str = "") -> None:
        mark = event.start_mark
        self.source.add_at(self.source.at(mark.line, mark.column, dotted(path)), message, hint)

    def _value(self, event: Any, path: Steps) -> Any:
        """An event that begins a value -> the value; events up to its end are consumed."""
        self.source.marks[path] = (event.start_mark.line, event.start_mark.column)
        if isinstance(event, AliasEvent):
            return self._alias(event, path)
        if event.ctag is not None:
            self._tell(
                event,
                path,
                f"the tag {shorten(str(event.ctag).replace('tag:yaml.org,2002:', '!!'))} is not read here",
                "take it out; what stands in quotes is text, what looks like a number is one",
            )
        if len(path) >= DEEPEST:
            raise self._too_deep(event)
        if event.anchor:
            self.anchors[event.anchor] = OPEN
        if isinstance(event, SequenceStartEvent):
            value: Any = self._list(path)
        elif isinstance(event, MappingStartEvent):
            value = self._mapping(path)
        else:
            value = WRONG if event.ctag is not None else self._scalar(event, path)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _too_deep(self, event: Any) -> SpecError:
        message = f"lists and mappings stand more than {DEEPEST} deep in each other here"
        self._tell(event, (), message, "the format has eight levels at most; is a bracket left open?")
        return self.source.error()

    def _alias(self, event: AliasEvent, path: Steps) -> Any:
        if event.anchor not in self.anchors:
            hint = did_you_mean(event.anchor, self.anchors, "put text that begins with '*' in quotes")
            self._tell(event, path, f"there is no anchor '&{shorten(event.anchor)}' above", hint)
            return WRONG
        value = self.anchors[event.anchor]
        if value is OPEN:
            self._tell(event, path, f"'*{shorten(event.anchor)}' stands inside the value that it refers to")
            return WRONG
        return value

    def _list(self, path: Steps) -> list[Any]:
        out: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            out.append(self._value(event, (*path, len(out))))
        return out

    def _mapping(self, path: Steps) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path)
            if key is WRONG:
                self._skip(next(self.events))
                continue
            here = (*path, key)
            if key in out:
                first = self.source.keys[here][0] + 1
                self._tell(
                    event,
                    here,
                    f"'{shorten(str(key))}' stands here twice",
                    f"it stands first in line {first}; keep one",
                )
                self._skip(next(self.events))
                continue
            self.source.keys[here] = (event.start_mark.line, event.start_mark.column)
            out[key] = self._value(next(self.events), here)
        return out

    def _key(self, event: Any, path: Steps) -> Any:
        """The event of a key -> a word or a whole number; WRONG, and told, where it is neither."""
        if not isinstance(event, ScalarEvent):
            self._tell(event, path, "a key must be a word", "lists, mappings and aliases cannot be keys")
            self._skip(event)
            return WRONG
        if event.value == "<<" and event.implicit[0]:
            self._tell(event, path, "merge keys ('<<') are not read", "YAML 1.2 has none; write the keys out here")
            self.source.partial.add(path)
            return WRONG
        plain = event.implicit[0]
        if event.ctag is None and (not plain or not _is_other(event.value)):
            return int(event.value.replace("_", "")) if plain and _is_whole(event.value) else event.value
        self._tell(
            event,
            path,
            f"a key must be a word, not {shorten(event.value) or 'nothing'}",
            "a key is written 'key: value'",
        )
        return WRONG

    def _skip(self, event: Any) -> None:
        """Consume a value without looking at it."""
        depth = 0
        while True:
            depth += isinstance(event, SequenceStartEvent | MappingStartEvent)
            depth -= isinstance(event, SequenceEndEvent | MappingEndEvent)
            if not depth:
                return
            if depth > DEEPEST:
                raise self._too_deep(event)
            event = next(self.events)

    def _scalar(self, event: ScalarEvent, path: Steps) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            self.source.written[path] = f'"{shorten(text)}"'
            return text
        self.source.written[path] = text
        if NULL.fullmatch(text):
            name = f"'{shorten(path[-1])}'" if path and isinstance(path[-1], str) else "this entry"
            self.source.add(path, f"{name} has no value", "give it one, or take it out", key=True)
            return WRONG
        if UNCLEAR.fullmatch(text):
            self.source.add(
                path,
                f"{shorten(text)} could be read in two ways",
                "write a plain decimal number, or put it in quotes if it is text",
            )
            return WRONG
        if len(text) > LONGEST_NUMBER and DECIMAL.fullmatch(text):
            self.source.add(
                path, f"{shorten(text)} is too long for a number", "no number here takes more than a few digits"
            )
            return WRONG
        return _plain(text)


def _is_whole(text: str) -> bool:
    return WHOLE.fullmatch(text) is not None and len(text) <= LONGEST_NUMBER


def _is_other(text: str) -> bool:
    """Whether a plain scalar is something that is neither text nor a whole number."""
    if _is_whole(text):
        return False
    return any(p.fullmatch(text) for p in (NULL, TRUE, FALSE, DECIMAL, NO_NUMBER, UNCLEAR))


def _plain(text: str) -> Any:
    """A scalar without quotes -> its value by the core schema of YAML 1.2; whole numbers may be grouped by '_'."""
    if TRUE.fullmatch(text):
        return True
    if FALSE.fullmatch(text):
        return False
    if _is_whole(text):
        return int(text.replace("_", ""))
    if NO_NUMBER.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text.replace("_", "")) if DECIMAL.fullmatch(text) else text


def read_values(source: Source) -> dict[Any, Any]:
    """Source -> the mapping that stands in it; SpecError where it is not YAML or no mapping."""
    reader = _Reader(source)
    try:
        value = reader.document()
    except MarkedYAMLError as err:
        source.problems.append(not_yaml(source, err))
        raise source.error() from None
    except (YAMLError, ValueError) as err:
        source.problems.append(Problem(f"this is not YAML: {shorten(str(err), 120)}", place=source.at(0, 0)))
        raise source.error() from None
    if value is None:
        raise SpecError([*source.problems, Problem("the file is empty", START, source.at(0, 0))])
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "one value"
        message = f"a site file holds keys and values, and this is {what}"
        raise SpecError([*source.problems, Problem(message, START, source.place(()))])
    return value
