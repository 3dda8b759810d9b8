"""A fleet and its product -> what a node of it has beside GPUs and NICs, as far as anybody said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lindos.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.catalogue import Node
    from lindos.spec.model import Fleet

KIB = {"2M": 2048, "1G": 1024 * 1024}
"""Size of a huge page, as the kernel's command line has it -> KiB, by which the kernel names it under /sys."""


class Outfit(NamedTuple):
    """Of one node; None where neither the fleet nor the product says it. Memory in GiB: 2048 GB of modules are 2048.

    Huge pages of 2 MiB and 1 GiB, as many as it sets aside.
    """

    memory_gib: int | None
    nvme: int | None
    cpus: int | None
    threads: int | None
    hugepages_2m: int | None
    hugepages_1g: int | None

    @property
    def hugepages(self) -> dict[str, int]:
        """Size as the kernel's command line has it (`2M`, `1G`) -> number of pages, of the sizes that were named."""
        named = {"2M": self.hugepages_2m, "1G": self.hugepages_1g}
        return {size: count for size, count in named.items() if count is not None}


def outfit(fleet: Fleet, node: Node) -> Outfit:
    """What was bought, as the site file says it; else what the product always has."""
    return Outfit(
        node.memory_gb if fleet.memory_gb is None else fleet.memory_gb,
        node.nvme if fleet.nvme is None else fleet.nvme,
        node.cpus if fleet.cpus is None else fleet.cpus,
        node.threads if fleet.threads is None else fleet.threads,
        fleet.hugepages.get("2M"),
        fleet.hugepages.get("1G"),
    )


def uneven(fleet: Fleet, found: Outfit) -> Iterator[Problem]:
    """A fleet and its outfit -> what is wrong with it: sockets have the same number of threads each, and not all memory
    is set aside as huge pages.
    """
    if found.cpus and found.threads and found.threads % found.cpus:
        yield Problem(
            f"fleet '{fleet.name}': {found.threads} threads are not the same number on each of {found.cpus} CPUs",
            hint="`threads` counts those of all CPUs of a node: nproc on one that is whole",
        )
    aside_gib = sum(KIB[size] * count for size, count in found.hugepages.items()) / KIB["1G"]
    if found.memory_gib and aside_gib >= found.memory_gib:
        yield Problem(
            f"fleet '{fleet.name}': huge pages of {aside_gib:,g} GiB leave a node nothing of {found.memory_gib:,} GiB",
            hint="`hugepages` counts pages of a whole node: {1G: 64} are 64 GiB",
        )
