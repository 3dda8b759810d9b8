"""A site file -> its text, the place of every value in it, and every problem found so far."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from lindos.catalogue.nearest import did_you_mean
from lindos.catalogue.wording import shorten
from lindos.errors import Place, Problem, SpecError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 256 * 1024
"""Bytes. A site file of a million GPUs is a few kilobytes; more is a mistake in the path."""

MOST_TOLD = 500
"""Problems noted of one file; a person fixes the first and looks again."""

Steps = tuple[str | int, ...]
"""Keys and list indexes that lead to a value."""

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def dotted(path: Steps) -> str:
    """('compute', 'fleets', 0, 'gpus') -> compute.fleets[0].gpus"""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{shorten(step)}"
    return out.removeprefix(".")


class Source:
    """The text of a site file, where each value of it stands, and what is wrong with it.

    `marks` and `keys` map a path to the 0-based line and column of the value and of its key; `written` maps it to
    the value as it stands in the file, within double quotes if it stands in quotes of any kind. `partial` holds paths
    of mappings of which not all was read.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.lines = text.splitlines() or [""]
        self.marks: dict[Steps, tuple[int, int]] = {}
        self.keys: dict[Steps, tuple[int, int]] = {}
        self.written: dict[Steps, str] = {}
        self.partial: set[Steps] = set()
        self.problems: list[Problem] = []

    def at(self, line: int, column: int, path: str = "") -> Place:
        """0-based line and column -> a place that is inside the file."""
        if line >= len(self.lines):
            line = len(self.lines) - 1
            column = len(self.lines[line])
        text = self.lines[line]
        return Place(self.file, line + 1, min(column, len(text)) + 1, text, path)

    def at_offset(self, offset: int) -> Place:
        """Offset in the text -> its place."""
        before = self.text[:offset].splitlines(keepends=True) or [""]
        if before[-1].endswith(("\n", "\r")):
            before.append("")
        return self.at(len(before) - 1, len(before[-1]))

    def place(self, path: Steps, *, key: bool = False) -> Place:
        """Path of a value (or of its key) -> its place; of the nearest ancestor that has one where it is absent."""
        marks = self.keys if key else self.marks
        near = path
        while near and near not in marks:
            near = near[:-1]
            marks = self.marks
        line, column = marks.get(near, (0, 0))
        return self.at(line, column, dotted(path))

    def add(self, path: Steps, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note one problem of a value, or of its key."""
        self.add_at(self.place(path, key=key), message, hint)

    def add_at(self, place: Place, message: str, hint: str = "") -> None:
        """Note one problem of a place. SpecError when so many are noted that looking for more is time lost."""
        self.problems.append(Problem(message, hint, place))
        if len(self.problems) >= MOST_TOLD:
            raise self.error()

    def error(self) -> SpecError:
        """Every problem noted, in the order of the file, each once."""

        def where(problem: Problem) -> tuple[int, int]:
            return (problem.place.line, problem.place.column) if problem.place else (0, 0)

        return SpecError(dict.fromkeys(sorted(self.problems, key=where)))


def _cannot_open(path: Path, err: OSError | ValueError) -> SpecError:
    if isinstance(err, FileNotFoundError):
        try:
            sites = sorted(p.parent.name for p in path.parent.parent.glob("*/" + path.name))
        except OSError:
            sites = []
        known = f"sites here: {', '.join(sites)}" if sites else "give the path of a site file"
        return SpecError(Problem(f"{path}: there is no such file", did_you_mean(path.parent.name, sites, known)))
    said = err.strerror if isinstance(err, OSError) and err.strerror else str(err)
    return SpecError(Problem(f"{path}: cannot be read: {said}", "give the path of a site file"))


def _read(path: Path) -> bytes:
    """Path -> what the file holds; SpecError where it is no ordinary file or too large to be a site file."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SpecError(Problem(f"{path}: is a folder", f"the site file in it would be {path / 'site.yaml'}"))
        if not stat.S_ISREG(mode):
            raise SpecError(Problem(f"{path}: is no ordinary file", "give the path of a site file"))
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as err:
        raise _cannot_open(path, err) from None
    if len(data) > LARGEST:
        size = f"{path.stat().st_size:,} bytes"
        hint = f"a site file is a few kilobytes, and {LARGEST:,} bytes at most; is this the right file?"
        raise SpecError(Problem(f"{path}: {size} are too much for a site file", hint))
    return data


def _decode(path: Path, data: bytes) -> str:
    """Bytes -> text; SpecError with the place of the first byte that is no UTF-8."""
    save = "save the file as UTF-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(Problem("this file is UTF-16", save, Source(str(path), "").at(0, 0)))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        source = Source(str(path), data.decode("utf-8-sig", errors="replace"))
        place = source.at_offset(len(data[: err.start].decode("utf-8-sig")))
        message = f"this is not UTF-8 text: byte {data[err.start]:#04x} stands here"
        raise SpecError(Problem(message, save, place)) from None


def read_source(path: Path) -> Source:
    """Path of a site file -> Source; SpecError where it cannot be read as text."""
    source = Source(str(path), _decode(path, _read(path)))
    bad = UNPRINTABLE.search(source.text)
    if bad:
        message = f"the character U+{ord(bad[0]):04X} cannot be printed and may not stand here"
        hint = "this looks like a binary file" if "\0" in source.text else "take it out"
        raise SpecError(Problem(message, hint, source.at_offset(bad.start())))
    return source
