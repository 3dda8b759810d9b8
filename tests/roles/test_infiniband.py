"""The cycle of a node whose rails are InfiniBand: the roles that a node on Ethernet is in none of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import testinfra

from . import node as nodes
from .checks import ib_host
from .given import HOST, infiniband, write_build
from .listing import NAMED, ON_INFINIBAND, some_left_out
from .test_roles import Cycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testinfra.host import Host

pytestmark = pytest.mark.skipif(
    some_left_out() and "ib_host" not in NAMED, reason="not run: LINDOS_ROLES leaves ib_host out"
)

CHECKS = [value for name, value in vars(ib_host).items() if name.startswith("check_")]


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycle]:
    """A bare node, cabled to InfiniBand, that went through the cycle."""
    folder = tmp_path_factory.mktemp("infiniband")
    write_build(folder / "build" / "lab", ON_INFINIBAND, infiniband())
    node = nodes.start(folder, nodes.ON_INFINIBAND)
    try:
        yield Cycle(node)
    finally:
        nodes.close(node)


@pytest.fixture(scope="module")
def host(cycle: Cycle) -> Host:
    """The converged node as testinfra sees it."""
    return testinfra.get_host(f"podman://{cycle.node.name}")


def test_a_check_on_a_bare_node_says_what_would_change_and_writes_nothing(cycle: Cycle) -> None:
    assert cycle.checked["trouble"] == []
    assert {e["role"] for e in cycle.checked["events"] if e["status"] == "changed"} == set(ON_INFINIBAND)
    assert cycle.written_by_check == []


def test_a_second_converge_changes_nothing(cycle: Cycle) -> None:
    assert (cycle.converged["trouble"], cycle.again["trouble"]) == ([], [])
    assert {e["role"] for e in cycle.converged["events"] if e["status"] == "changed"} == set(ON_INFINIBAND)
    assert cycle.again["converged"] == [HOST]
    assert [e["task"] for e in cycle.again["events"]] == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_node_is_as_planned(host: Host, check: Callable[[Host], None]) -> None:
    check(host)
