"""What the lab's files say, to the letter. LINDOS_REGENERATE=1 writes them anew; the diff is the review.

Tables stand in for by their CSV; Parquet bytes differ between versions of its writer.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lindos.emit import artefacts
from lindos.plan import design_site
from lindos.rollout.build import swept

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parents[1] / "golden" / "lab"


def made() -> dict[str, bytes]:
    spec, plan = design_site(ROOT / "inventories" / "lab" / "site.yaml")
    files = (*artefacts(plan, spec.software), *swept(plan))
    return {a.path: a.data for a in files if not a.path.endswith(".parquet")}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    found = made()
    if os.environ.get("LINDOS_REGENERATE"):
        for old in sorted(GOLDEN.rglob("*"), reverse=True):
            old.unlink() if old.is_file() else old.rmdir()
        for path, data in found.items():
            (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / path).write_bytes(data)
    return found


def test_no_file_is_missing_and_none_is_new(files: dict[str, bytes]) -> None:
    assert {p.relative_to(GOLDEN).as_posix() for p in GOLDEN.rglob("*") if p.is_file()} == set(files)


@pytest.mark.parametrize("path", sorted(p.relative_to(GOLDEN).as_posix() for p in GOLDEN.rglob("*") if p.is_file()))
def test_file_is_what_it_was(files: dict[str, bytes], path: str) -> None:
    assert files[path].decode() == (GOLDEN / path).read_text()
