"""What is no readable site file at all: what its author is told, without waiting and without filling the memory."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from lindos.errors import Place, SpecError
from lindos.spec import load_spec
from lindos.spec.source import LARGEST, MOST_TOLD, Source, dotted

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 60
"""CPU seconds for a file of the largest size made to be slow to read; on an idle machine it takes 8."""


def told(path: Path) -> str:
    """A path that is no site file -> the whole text that is shown."""
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    return caught.value.render()


def test_a_missing_site_is_told_with_the_sites_that_are_there(tmp_path: Path) -> None:
    """A typing mistake in a site's name is answered with the nearest name, another name with all of them."""
    for site in ("lab", "colossus-100k"):
        (tmp_path / site).mkdir()
        (tmp_path / site / "site.yaml").touch()
    near, far = tmp_path / "colosus-100k" / "site.yaml", tmp_path / "memphis" / "site.yaml"
    assert told(near) == f"error: {near}: there is no such file\n  hint: did you mean 'colossus-100k'?"
    assert told(far) == f"error: {far}: there is no such file\n  hint: sites here: colossus-100k, lab"
    nowhere = tmp_path / "a" / "b" / "site.yaml"
    assert told(nowhere) == f"error: {nowhere}: there is no such file\n  hint: give the path of a site file"


def test_a_folder_is_told_with_the_file_that_would_be_in_it(tmp_path: Path) -> None:
    """Naming the folder of a site is a common slip."""
    assert f"the site file in it would be {tmp_path / 'site.yaml'}" in told(tmp_path)


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a device without an end, a link to itself, a file as a folder, an endless name."""
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    (tmp_path / "file").touch()
    zero = tmp_path / "zero"
    zero.symlink_to("/dev/zero")
    assert "is no ordinary file" in told(pipe)
    assert "is no ordinary file" in told(zero)
    assert "cannot be read: Too many levels of symbolic links" in told(loop)
    assert "cannot be read: Not a directory" in told(tmp_path / "file" / "site.yaml")
    assert "cannot be read: File name too long" in told(tmp_path / ("n" * 300))
    assert "cannot be read" in told(tmp_path / "a\0b")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, so the refusal is put in here."""
    path = tmp_path / "site.yaml"
    path.write_text("lindos: 1\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert "cannot be read: Permission denied" in told(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """100 MB are told with their size; the largest size that is read is read."""
    path = tmp_path / "site.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    begin = time.process_time()
    assert "100,000,000 bytes are too much for a site file" in told(path)
    assert time.process_time() - begin < 1
    path.write_bytes(b"#" * (LARGEST - 1) + b"\n")
    assert "the file is empty" in told(path)
    path.write_bytes(b"#" * LARGEST + b"\n")
    assert "too much for a site file" in told(path)


@pytest.mark.parametrize(
    "piece",
    ["[", "{a: ", "? ", "- ", "-\n", "a: b\n", "[],", "*a ", "&a ", "!a ", "'", '"\\', "#\n", "\n", "a_{i}: 1\n",
     "a_{i}: &a{i} [*a{j}, *a{j}]\n", "placement: [{{rack: r{i}}}]\n", "? a\n", "k{i}: {{rack: r{i}}}\n", "|\n ", "%TAG ! a\n"],
)  # fmt: skip
def test_a_file_made_to_be_slow_is_refused_in_bounded_time(piece: str, tmp_path: Path) -> None:
    """A piece repeated until the file is as large as may be: told within the time that a person waits."""
    one = piece if "{i}" not in piece else ""
    many = one * (LARGEST // len(one)) if one else "".join(piece.format(i=i, j=i - 1) for i in range(LARGEST // 16))
    path = tmp_path / "site.yaml"
    path.write_text(many[:LARGEST])
    begin = time.process_time()
    assert told(path)
    assert time.process_time() - begin < PATIENCE_S


def test_looking_for_more_ends_with_so_many_problems(tmp_path: Path) -> None:
    """Of thousands of mistakes some hundred are noted, the first fifty are shown, the others counted."""
    path = tmp_path / "site.yaml"
    path.write_text("".join(f"key_{i}: 1\n" for i in range(5_000)))
    text = told(path)
    assert text.endswith(f"... and {MOST_TOLD - 50} more")


def test_a_path_is_written_as_people_write_it() -> None:
    """Steps -> dotted."""
    assert dotted(("compute", "fleets", 0, "gpus")) == "compute.fleets[0].gpus"
    assert dotted(()) == ""


def test_a_place_is_inside_the_file() -> None:
    """The end of the file is the end of its last line, whatever stands there."""
    source = Source("site.yaml", "a: 1\nbc: 2\n")
    assert source.at(2, 0) == Place("site.yaml", 2, 6, "bc: 2")
    assert source.at(0, 99).column == 5
    assert source.at_offset(6) == Place("site.yaml", 2, 2, "bc: 2")
    assert Source("site.yaml", "").at(0, 0) == Place("site.yaml", 1, 1, "")


def test_the_caret_stands_below_its_character() -> None:
    """Behind tabs, wide letters, accents that take no room, in long lines, below a number of any width."""
    for text, column in (("a: \t[x", 5), ("名: x", 4), ("é: x", 4), ("e\u0301: x", 5), ("y" * 500 + "x", 501)):
        line, caret = Place("f", 12345, column, text).excerpt()
        assert line.startswith("  12345 | ")
        assert caret.endswith("^")
        shown = line[: line.rindex("[" if "[" in text else "x")]
        wide = sum(2 if c == "名" else 0 if c == "\u0301" else 1 for c in shown)
        assert len(caret) - 1 == wide
        assert caret.count("\t") == shown.count("\t")
