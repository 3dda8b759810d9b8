"""A twin of the smallest hall, shared by the tests that only use it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from lab_operator import NOTHING, Lab, host_network, make_lab, traces

from lindos import twin
from lindos.drivers.redfish import Power

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The small hall, standing; taken down at the end, when nothing may be left of it."""
    before = host_network()
    found = make_lab(tmp_path_factory.mktemp("lab"), f"tw{os.getpid()}")
    try:
        twin.up(found.workspace)
        yield found
        assert host_network() == before
    finally:
        twin.down(found.workspace)
    assert traces(found.workspace.site) == NOTHING
    assert not found.place.state.exists()


@pytest.fixture
def node(lab: Lab) -> Iterator[str]:
    """n01, switched on and answering."""
    lab.power("n01", Power.ON)
    lab.ssh_soon("n01", "true")
    yield "n01"
    twin.heal(lab.workspace)
