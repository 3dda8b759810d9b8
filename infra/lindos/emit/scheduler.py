"""Plan -> the topology that Slurm places jobs by, and the GPUs that it hands out.

A tree for each training fabric: the leaves of a unit are one switch to Slurm, because each node has a rail on every one
of them; above them the spines of a pod, above those the cores. Fabrics are not joined: Slurm spans no job over two.
Where nodes share NVLink, their domains are the blocks of a second topology, as topology/block wants them.
Sources: topology.conf(5), topology.yaml(5), gres.conf(5) of Slurm.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING

import polars as pl
import yaml
from ClusterShell.NodeSet import NodeSet

from lindos.emit.artefact import Artefact
from lindos.plan.address import TRAINING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lindos.plan.tables import Plan

LAST_NUMBER = re.compile(r"(\d+)$")
HEAD = "# {what} of {site}, plan {digest}\n# generated, edits are lost\n"


@cache
def _folded(endings: tuple[str, ...]) -> tuple[str, ...]:
    """Ends of names -> the same as expressions of one range a dimension; most units have the same, so they are kept."""
    # A letter in front, because a name that is all digits is none.
    folded = _parts(str(NodeSet.fromlist([f"x{e}" for e in endings])))
    # Slurm reads several ranges only where one of them ends the name.
    return tuple(LAST_NUMBER.sub(r"[\1]", part[1:]) if "[" in part else part[1:] for part in folded)


def _parts(text: str) -> Iterator[str]:
    """An expression -> its parts between the commas that stand outside of brackets."""
    start = depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def hostlist(names: Iterable[str]) -> str:
    """Names -> one expression of Slurm's: `site-a0001-r[01-08]-n[01-08]`. A range ends each name, as Slurm asks."""
    every = sorted(names)
    first, last = every[0], every[-1]
    head = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    # Not within a number: the ranges are of whole ones.
    head = head.rstrip("0123456789") if len(every) > 1 else head
    return ",".join(head + part for part in _folded(tuple(name.removeprefix(head) for name in every)))


def _homes(plan: Plan) -> pl.DataFrame:
    """Plan -> each unit with its pod, its training fabric, and how many tiers of switches that has."""
    links = plan.links.filter(TRAINING)
    tiers = links.group_by("fabric").agg(tiers=pl.col("tier").n_unique())
    leaves = plan.devices.filter(role="leaf").drop_nulls("unit").select("unit", "fabric").unique()
    leaves = leaves.join(tiers, on="fabric")
    return plan.units.select("unit", "pod").join(leaves, on="unit", maintain_order="left")


def _switches(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Plan -> switches of the tree from below: name, `nodes` or `children`, and which."""
    nodes = plan.devices.filter(kind="node").group_by("unit").agg(pl.col("device"))
    homes = _homes(plan)
    for unit, devices in homes.join(nodes, on="unit", maintain_order="left").select("unit", "device").iter_rows():
        yield unit, "nodes", hostlist(devices)
    above = homes.filter(pl.col("tiers") > 1).group_by("fabric", "pod", "tiers", maintain_order=True).agg("unit")
    for pod, units in above.select("pod", "unit").iter_rows():
        yield pod, "children", hostlist(units)
    cores = above.filter(pl.col("tiers") > 2).group_by("fabric", maintain_order=True).agg("pod")
    for fabric, pods in cores.iter_rows():
        yield f"{fabric}-core", "children", hostlist(pods)


def _blocks(plan: Plan) -> list[tuple[str, list[str]]]:
    """Plan -> NVLink domains of more than one node, with their nodes."""
    domains = plan.devices.filter(kind="node").drop_nulls("nvlink_domain")
    frame = domains.group_by("nvlink_domain", maintain_order=True).agg("device").filter(pl.col("device").list.len() > 1)
    return [(name, devices) for name, devices in frame.iter_rows()]


def _topologies(switches: list[tuple[str, str, str]], blocks: list[tuple[str, list[str]]]) -> list[dict[str, object]]:
    """Switches and blocks -> what topology.yaml holds: the tree by default, and blocks where nodes share NVLink."""
    tree = [{"switch": name, kind: which} for name, kind, which in switches]
    out: list[dict[str, object]] = [{"topology": "fabric", "cluster_default": True, "tree": {"switches": tree}}]
    if blocks:
        listed = [{"block": name, "nodes": hostlist(devices)} for name, devices in blocks]
        base = min(len(devices) for _, devices in blocks)
        out.append({"topology": "nvlink", "block": {"block_sizes": [base], "blocks": listed}})
    return out


def _gres(plan: Plan) -> Iterator[str]:
    """Plan -> lines of gres.conf: nodes with the same GPUs together, a line a unit."""
    gpus = plan.gpus.group_by("device").agg(pl.len(), pl.col("product").first())
    nodes = plan.devices.filter(kind="node").select("device", "unit").join(gpus, on="device", maintain_order="left")
    alike = nodes.group_by("unit", "len", "product", maintain_order=True).agg("device")
    for count, product, devices in alike.select("len", "product", "device").iter_rows():
        files = f"/dev/nvidia[0-{count - 1}]" if count > 1 else "/dev/nvidia0"
        yield f"NodeName={hostlist(devices)} Name=gpu Type={product} File={files}\n"


def scheduler(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """slurm/: topology.conf for any Slurm, topology.yaml for 25.05 and later (which then leaves the former unread), and
    gres.conf. Both name the same switches.
    """
    switches = list(_switches(plan))
    words = {"nodes": "Nodes", "children": "Switches"}
    head = HEAD.format(what="{}", site=plan.site, digest=plan.digest)
    lines = "".join(f"SwitchName={name} {words[kind]}={which}\n" for name, kind, which in switches)
    yield Artefact("slurm/topology.conf", (head.format("The fabric for topology/tree") + lines).encode())
    told = yaml.dump(_topologies(switches, _blocks(plan)), Dumper=yaml.CSafeDumper, sort_keys=False, width=1_000_000)
    yield Artefact("slurm/topology.yaml", (head.format("The fabric") + "---\n" + told).encode())
    yield Artefact("slurm/gres.conf", (head.format("The GPUs") + "".join(_gres(plan))).encode())
