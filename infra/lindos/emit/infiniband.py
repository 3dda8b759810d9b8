"""Plan -> what an InfiniBand fabric is managed and checked by, a folder a subnet: ib/FABRIC, or ib/FABRIC-pl0, ...

    fabric.topo         how it is cabled, as ibdiagnet and UFM compare it with what they discover (man ibdm-topo-file)
    ports.csv           what the plan and the subnet call each port; `lindos verify` reads it
    node-name-map       GUID -> name, for ibnetdiscover, iblinkinfo and OpenSM
    root_guids.conf     the roots of the tree, for the routing engine
    partitions.conf     P_Keys (OpenSM, doc/partition-config.txt)
    NAME.opensm.conf    of each subnet manager on a host;  NAME.mlnxos: of each on a switch, commands of its CLI

GUIDs are not in a plan: they are observed, by where their owner is plugged in, and what is not yet known is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.plan.infiniband import DEFAULT_PKEY, port_number, top

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

HEAD = "# {what} of subnet {subnet}, site {site}\n# generated, edits are lost; not validated by a device\n"
MTU_4096 = 5
"""As the IBTA codes it, and partitions.conf takes it."""
SHARP = {True: 2, False: 1}
"""2 enables the reduction of collectives on all switches that can, 1 disables it."""
CONF = "/etc/opensm"
"""Where OpenSM looks; UFM keeps the same files in its own folder."""
LANES = 4
HCA = "mlx5_{}"
"""Port of a node -> its RDMA device: `mlx5_rail0`. Not `mlx5_0`: so the kernel counts, over all NICs in the order in
which it finds them, and a name that another device has cannot be given.
"""
NAMED = 64
"""Names of those without a GUID that are listed; the rest are counted. ports.csv has them all."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A plane of an InfiniBand fabric. `ports`: device, port, number (of a switch) or hca (of a node), in order."""

    fabric: str
    plane: int
    name: str
    links: pl.DataFrame
    ports: pl.DataFrame
    roots: list[str]
    managers: list[tuple[str, int, bool]]
    """Name, priority, whether it is a switch of the plan"""


def subnets(plan: Plan) -> Iterator[Subnet]:
    """Plan -> its subnets, in order of fabrics and planes."""
    kinds = plan.devices.select("device", "kind", "product", plane=pl.col("plane").cast(pl.Int64).fill_null(0))
    switches = set(plan.devices.filter(pl.col("kind") == "switch")["device"])
    for fabric in plan.fabrics.filter(pl.col("link_layer") == "infiniband")["fabric"]:
        links = plan.links.filter(pl.col("fabric") == fabric).with_columns(pl.col("plane").cast(pl.Int64).fill_null(0))
        roots = top(plan.devices, fabric)
        planes = links["plane"].unique().sort().to_list()
        for plane in planes:
            mine = links.filter(pl.col("plane") == plane)
            managers = plan.subnet_managers.filter(pl.col("fabric") == fabric, pl.col("plane") == plane)
            yield Subnet(
                fabric=fabric,
                plane=plane,
                name=fabric if len(planes) == 1 else f"{fabric}-pl{plane}",
                links=mine,
                ports=_ports(plan, mine, kinds),
                roots=roots.filter(plane=plane)["device"].to_list(),
                managers=[
                    (m, p, m in switches)
                    for m, p in managers.sort("priority", descending=True).select("manager", "priority").iter_rows()
                ],
            )


def _ports(plan: Plan, links: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    """Links of a subnet -> both ends: device, port, product, number of a switch's port, hca of a node's, and `panel`,
    as a topology file calls it.
    """
    ends = pl.concat(links.select("rail", "plane", device=f"{e}_device", port=f"{e}_port") for e in ("a", "b"))
    frame = ends.join(kinds.select("device", "kind", "product"), on="device", how="left", maintain_order="left")
    cages = plan.ports.select("device", "port", "cage", "lane_group", "lane_groups")
    frame = frame.join(cages, on=["device", "port"], how="left", maintain_order="left")
    switch = pl.col("kind") == "switch"
    number = pl.when(switch).then(port_number(pl.col("cage"), pl.col("lane_group"), pl.col("lane_groups")))
    frame = frame.with_columns(number=number, hca=pl.when(~switch).then(pl.format(HCA, "port")))
    panel = pl.when(switch).then(pl.format("P{}", "number")).otherwise(pl.format("{}/P1", "hca"))
    return frame.select("device", "port", "product", "number", "hca", panel=panel).sort(
        "device", "number", "hca", maintain_order=True
    )


def _system(plan: Plan, subnet: Subnet) -> pl.Expr:
    """Columns `product` and `hcas` -> the type of a system as a topology file has it: MQM9700, or HCA_mlx5_8."""
    fabric = plan.fabrics.filter(pl.col("fabric") == subnet.fabric).row(0, named=True)
    return (
        pl.when(pl.col("hca").is_null())
        .then(pl.lit(fabric["system"]))
        .otherwise(pl.format("HCA_mlx5_{}", pl.col("hca").drop_nulls().n_unique().over("device")))
    )


def topology(plan: Plan, subnet: Subnet) -> str:
    """Plan and a subnet -> its topology file: a section a switch, a line a port: `P1 -4x-100G-> TYPE NAME PORT`."""
    ports = subnet.ports.with_columns(system=_system(plan, subnet))
    near = ports.select("device", "port", "system", "panel", "number")
    far = ports.select(far_device="device", far_port="port", far_system="system", far_panel="panel")
    links = subnet.links.select("a_device", "a_port", "b_device", "b_port", "rate_gbps")
    turned = links.select(
        a_device="b_device", a_port="b_port", b_device="a_device", b_port="a_port", rate_gbps="rate_gbps"
    )
    both = pl.concat([links, turned]).rename(
        {"a_device": "device", "a_port": "port", "b_device": "far_device", "b_port": "far_port"}
    )
    frame = near.filter(pl.col("number").is_not_null()).join(both, on=["device", "port"], maintain_order="left")
    frame = frame.join(far, on=["far_device", "far_port"], maintain_order="left").sort("device", "number")
    lane = (pl.col("rate_gbps").cast(pl.Int64) // LANES).cast(pl.String)
    line = pl.format("   {} -4x-{}G-> {} {} {}", "panel", lane, "far_system", "far_device", "far_panel")
    sections = (
        frame.with_columns(line=line)
        .group_by("system", "device", maintain_order=True)
        .agg(pl.col("line").str.join("\n"))
    )
    text = sections.select(pl.format("{} {}\n{}\n", "system", "device", "line"))
    return "\n".join(text.to_series())


def _guid_lines(names: list[str], guids: Mapping[str, str], line: str) -> list[str]:
    """Names in order -> a line for each whose GUID is known, and a comment for each whose is not, with their number."""
    missing = [n for n in names if n not in guids]
    out = [line.format(guid=guids[n], name=n) for n in names if n in guids]
    if missing:
        out.append(
            f"# {len(missing):,} of {len(names):,} GUIDs are not known yet: lindos verify SITE --ibnetdiscover FILE"
        )
        out += [f"# missing: {n}" for n in missing[:NAMED]]
    return out


def nodes(subnet: Subnet) -> list[str]:
    """A subnet -> what has a GUID in it, as its node description says it: `leaf`, `node mlx5_rail0`."""
    named = subnet.ports.select(
        pl.when(pl.col("hca").is_null()).then("device").otherwise(pl.format("{} {}", "device", "hca"))
    )
    return named.to_series().unique(maintain_order=True).to_list()


def _partitions(plan: Plan, subnet: Subnet) -> Iterator[str]:
    """A line a partition. All ports are full members of the default one, as without a file; members of others are
    told by GUID, which is for people to say.
    """
    for name, pkey in plan.partitions.filter(pl.col("fabric") == subnet.fabric).select("partition", "pkey").iter_rows():
        members = "ALL=full, ALL_SWITCHES=full, SELF=full" if pkey == DEFAULT_PKEY else "ALL_CAS=full, SELF=full"
        ipoib = ", ipoib" if pkey == DEFAULT_PKEY else ""
        yield f"{name}=0x{pkey:04x}{ipoib}, mtu={MTU_4096}, defmember=full : {members} ;"


def _opensm(routing: str, priority: int, *, sharp: bool) -> Iterator[str]:
    """Lines of opensm.conf that differ from what OpenSM does by itself."""
    yield f"routing_engine {routing}"
    yield f"root_guid_file {CONF}/root_guids.conf"
    yield f"partition_config_file {CONF}/partitions.conf"
    yield f"node_name_map_name {CONF}/node-name-map"
    yield f"sm_priority {priority}"
    yield "use_ucast_cache TRUE"
    if routing.startswith("ar_") or sharp:
        yield "# NVIDIA's OpenSM only, as is its adaptive routing"
        yield f"sharp_enabled {SHARP[sharp]}"


def _mlnxos(routing: str, priority: int, roots: list[str], guids: Mapping[str, str]) -> Iterator[str]:
    """Commands of MLNX-OS in configuration mode."""
    yield f"ib sm routing-engines {routing}"
    yield from _guid_lines(roots, guids, "ib sm root-guid {guid}")
    yield f"ib sm sm-priority {priority}"
    yield "ib sm"


def _files(plan: Plan, subnet: Subnet, guids: Mapping[str, str]) -> Iterator[tuple[str, str, list[str]]]:
    """File, what it is, its lines."""
    told = plan.fabrics.filter(pl.col("fabric") == subnet.fabric).row(0, named=True)
    yield "node-name-map", "names of GUIDs", _guid_lines(nodes(subnet), guids, '{guid} "{name}"')
    yield "root_guids.conf", "roots", _guid_lines(subnet.roots, guids, "{guid} # {name}")
    yield "partitions.conf", "partitions", list(_partitions(plan, subnet))
    for name, priority, switch in subnet.managers:
        if switch:
            lines = _mlnxos(told["routing"], priority, subnet.roots, guids)
            yield f"{name}.mlnxos", f"subnet manager {name}", list(lines)
        else:
            lines = _opensm(told["routing"], priority, sharp=bool(told["sharp"]))
            yield f"{name}.opensm.conf", f"subnet manager {name}", list(lines)


def infiniband(plan: Plan, guids: Mapping[str, str]) -> Iterator[Artefact]:
    """Plan and GUIDs by node description, as far as they are known -> the files of every subnet."""
    for subnet in subnets(plan):
        folder = f"ib/{subnet.name}"
        head = HEAD.format(what="cabling", subnet=subnet.name, site=plan.site)
        yield Artefact(f"{folder}/fabric.topo", f"{head}\n{topology(plan, subnet)}".encode())
        known = subnet.ports.select("device", "port", "number", "hca")
        yield Artefact(f"{folder}/ports.csv", known.write_csv().encode())
        for file, what, lines in _files(plan, subnet, guids):
            head = HEAD.format(what=what, subnet=subnet.name, site=plan.site)
            yield Artefact(f"{folder}/{file}", (head + "\n".join(lines) + "\n").encode())
