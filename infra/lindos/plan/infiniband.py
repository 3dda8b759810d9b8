"""What an InfiniBand fabric has instead of addresses and AS numbers: who manages its subnets, and its partitions.

Each plane of a fabric is a subnet: nothing joins it to another. Its ports get LIDs from the subnet manager, and GUIDs
are known only once somebody looks, so that neither is in the plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.spec.model import Infiniband

if TYPE_CHECKING:
    from lindos.plan.facts import Facts

MTU = 4_096
"""Bytes of a packet's payload: the largest that InfiniBand knows, and what all of these switches and NICs take."""
LIDS = 0xBFFF
"""Unicast LIDs of a subnet, 0x0001 to 0xBFFF: one for each NIC port and each switch (IBTA, volume 1)."""
MANAGERS = 2
"""A master and one that stands by; no more are recommended (NVIDIA QM97xx user manual)."""
PRIORITY = 15
"""Of the master, the highest; those that stand by follow."""
DEFAULT_PKEY = 0x7FFF
"""The partition that every subnet has."""
TIERS = ("core", "spine", "leaf")
"""From the top: whoever is there first is the root of the tree."""


def port_number(cage: pl.Expr, lane_group: pl.Expr, lane_groups: pl.Expr) -> pl.Expr:
    """A port by its cage -> the number that the subnet knows it by: 1, 2 in the first cage of two, and so on."""
    return (cage.cast(pl.Int64) - 1) * lane_groups.cast(pl.Int64) + lane_group.cast(pl.Int64) + 1


def lids(nics: int, switches: int, asics: int, *, sharp: bool) -> int:
    """Ports of NICs and switches of a subnet -> the LIDs that they take.

    Every ASIC is a switch of the subnet; what reduces collectives in it is an end node of its own.
    """
    return nics + switches * asics * (1 + sharp)


def said(facts: Facts) -> dict[str, Infiniband]:
    """Every InfiniBand fabric by name -> what the site file says of it, or what holds where it is silent."""
    return {t.name: t.said.infiniband or Infiniband() for t in facts.training if t.infiniband}


def top(devices: pl.DataFrame, fabric: str) -> pl.DataFrame:
    """Devices and a fabric -> the switches of its highest tier, in order, with their plane."""
    mine = devices.filter(pl.col("kind") == "switch", pl.col("fabric") == fabric)
    role = next((t for t in TIERS if (mine["role"] == t).any()), TIERS[-1])
    return mine.filter(pl.col("role") == role).select("device", pl.col("plane").fill_null(0))


def subnet_managers(facts: Facts, devices: pl.DataFrame) -> pl.DataFrame:
    """Facts and devices -> fabric, plane, manager, priority: the hosts that were named, or else the first two switches
    of the highest tier, where they can.
    """
    rows: list[tuple[str, int, str, int]] = []
    for training in facts.training:
        told = said(facts).get(training.name)
        if told is None:
            continue
        roots = top(devices, training.name)
        for plane in range(training.said.planes):
            names: list[str] = list(told.hosts)
            if told.subnet_manager == "switch":
                names = roots.filter(plane=plane)["device"].head(MANAGERS).to_list() if training.switch.manages else []
            rows += [(training.name, plane, name, PRIORITY - i) for i, name in enumerate(names)]
    schema = {"fabric": pl.String, "plane": pl.Int64, "manager": pl.String, "priority": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def partitions(facts: Facts) -> pl.DataFrame:
    """Facts -> fabric, partition, pkey; the default partition is the first of each fabric."""
    rows = [
        (fabric, name, pkey)
        for fabric, told in said(facts).items()
        for name, pkey in (("Default", DEFAULT_PKEY), *((p.name, int(p.pkey, 16)) for p in told.partitions))
    ]
    return pl.DataFrame(rows, schema={"fabric": pl.String, "partition": pl.String, "pkey": pl.Int64}, orient="row")
