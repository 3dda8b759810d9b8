"""A host on loopback that speaks SSH (tests/drivers) and has the tools of a GPU node."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "drivers"))

from ssh_double import Box, serve_box

from lindos.verify.zipapp import Zipapp, build

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A host that runs commands for real, with a file system of its own below the test's folder."""
    with serve_box(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Zipapp:
    return build(tmp_path_factory.mktemp("zipapp"))
