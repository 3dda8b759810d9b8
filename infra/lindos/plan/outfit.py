"""A fleet and its product -> what a node of it has beside GPUs and NICs, as far as anybody said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lindos.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.catalogue import Node
    from lindos.spec.model import Fleet


class Outfit(NamedTuple):
    """Of one node; None where neither the fleet nor the product says it. Memory in GiB: 2048 GB of modules are 2048."""

    memory_gib: int | None
    nvme: int | None
    cpus: int | None
    threads: int | None


def outfit(fleet: Fleet, node: Node) -> Outfit:
    """What was bought, as the site file says it; else what the product always has."""
    return Outfit(
        node.memory_gb if fleet.memory_gb is None else fleet.memory_gb,
        node.nvme if fleet.nvme is None else fleet.nvme,
        node.cpus if fleet.cpus is None else fleet.cpus,
        node.threads if fleet.threads is None else fleet.threads,
    )


def uneven(fleet: Fleet, found: Outfit) -> Iterator[Problem]:
    """A fleet and its outfit -> what is wrong with it: sockets have the same number of threads each."""
    if found.cpus and found.threads and found.threads % found.cpus:
        yield Problem(
            f"fleet '{fleet.name}': {found.threads} threads are not the same number on each of {found.cpus} CPUs",
            hint="`threads` counts those of all CPUs of a node: nproc on one that is whole",
        )
