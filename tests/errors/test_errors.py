"""A broken site file -> the text that its author reads, to the letter.

A case is two files: `<case>.yaml` is wrong in some way, `<case>.txt` is what is said of it. To add one, write the
first; to accept what is said now of all of them, and to review it as a diff:

    LINDOS_REGENERATE=1 pytest tests/errors

Cases whose format is right stop at the catalogue: a fact is missing there.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lindos.catalogue import load_catalogue
from lindos.errors import CatalogueError, SpecError
from lindos.plan.facts import Facts, gather
from lindos.spec import load_spec
from lindos.spec.load import assumed_products

HERE = Path(__file__).parent
CASES = sorted(p.stem for p in HERE.glob("*.yaml"))
SLOWEST_S = 20


def read(file: Path) -> Facts:
    """A site file -> what the design needs to know, which is as far as a wrong file can come."""
    spec = load_spec(file)
    return gather(spec, load_catalogue(assumed_products(spec)))


@pytest.mark.parametrize("case", CASES)
def test_a_broken_site_file_is_told_in_these_words(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same text, exit code 2, in reasonable time."""
    monkeypatch.chdir(HERE)
    begin = time.process_time()
    with pytest.raises((SpecError, CatalogueError)) as caught:
        read(Path(f"{case}.yaml"))
    assert time.process_time() - begin < SLOWEST_S
    assert caught.value.exit_code == 2
    text = caught.value.render() + "\n"
    expected = HERE / f"{case}.txt"
    if os.environ.get("LINDOS_REGENERATE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_every_text_has_its_case() -> None:
    """A text whose site file was taken away is taken away as well."""
    assert {p.stem for p in HERE.glob("*.txt")} == set(CASES)
    assert len(CASES) > 50
