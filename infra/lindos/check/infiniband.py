"""Rules of InfiniBand fabrics: what their ends speak, who manages their subnets, LIDs, partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue import Node, Switch
from lindos.check.rule import Broken, broken, not_evaluated
from lindos.plan.infiniband import DEFAULT_PKEY, LIDS, MANAGERS, lids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

WORDS = {"ethernet": "Ethernet", "infiniband": "InfiniBand"}
TEXT = {"subject": pl.String, "message": pl.String}


def _switch(view: View, product: str) -> Switch | None:
    """A switch by its product; None where it is one of the site file's own, and that is not at hand."""
    return view.catalogue.get(Switch, product) if view.catalogue.kind(product) == "switch" else None


def _node(view: View, product: str) -> Node | None:
    return view.catalogue.get(Node, product) if view.catalogue.kind(product) == "node" else None


def _spoken(view: View) -> pl.DataFrame:
    """Fabric, product, first device, its kind: every switch product of a fabric, every node product on one."""
    devices = view.plan.devices.select("device", "product")
    switches = view.plan.devices.filter(pl.col("kind") == "switch").select("fabric", "device", "product")
    ends = view.plan.links.filter(pl.col("rail").is_not_null()).select("fabric", device="a_device")
    nodes = ends.unique().join(devices, on="device")
    both = pl.concat([f.with_columns(kind=pl.lit(k)) for k, f in (("switch", switches), ("node", nodes))])
    return both.group_by("fabric", "kind", "product").agg(pl.col("device").min()).sort("fabric", "kind", "product")


def both_ends_of_a_link_speak_one_link_layer(view: View) -> Iterator[Broken]:
    """Switches and rail NICs of a fabric speak its link layer: InfiniBand or Ethernet.

    Cables, cages and optics are the same for both, so that a wrong pair can be plugged and never comes up.
    Source: the products' data sheets (facts `link_layer` of a switch and `nics_ew.link_layers` of a node).
    What to do: take a switch or a node of the other kind, or give the fact of the product under `assumptions:`.
    """
    layers = dict(view.plan.fabrics.select("fabric", pl.col("link_layer").cast(pl.String)).iter_rows())
    wrong: list[tuple[str, str]] = []
    unknown: list[tuple[str, str]] = []
    speaks: tuple[str, ...] | None
    for fabric, kind, product, device in _spoken(view).iter_rows():
        layer = layers.get(fabric, "ethernet")
        if kind == "switch":
            switch = _switch(view, product)
            speaks = (switch.link_layer or "ethernet",) if switch else None
        else:
            node = _node(view, product)
            said = node.nics_ew.link_layers if node and node.nics_ew else None
            # NICs of which nothing is said speak Ethernet; whether more is not known.
            speaks = said or (("ethernet",) if node and layer == "ethernet" else None)
        if speaks is None:
            unknown.append((product, f"what its ports speak on fabric {fabric} is not known"))
        elif layer not in speaks:
            words = " and ".join(WORDS[s] for s in speaks)
            wrong.append((device, f"{product} speaks {words}, fabric {fabric} is {WORDS[layer]}"))
    hint = "one link layer for a fabric: the switch decides"
    yield broken(
        "products that do not speak what their fabric does",
        pl.DataFrame(wrong, schema=TEXT, orient="row"), "subject", pl.col("message"), hint,
    )  # fmt: skip
    silent = pl.DataFrame(unknown, schema=TEXT, orient="row")
    yield not_evaluated("link layers of products", silent, "assumptions: facts: {nics_ew: {link_layers: [...]}}")


def _subnets(view: View) -> pl.DataFrame:
    """A row a subnet: fabric, plane, product of its switches, `switches`, `leaves`, `nics`, `sharp`, `subject`."""
    ours = view.plan.fabrics.filter(pl.col("link_layer") == "infiniband").select("fabric", "sharp")
    plane = pl.col("plane").cast(pl.Int64).fill_null(0)
    switches = view.plan.devices.filter(pl.col("kind") == "switch").select("fabric", "product", "role", plane=plane)
    switches = switches.group_by("fabric", "plane").agg(
        pl.col("product").min(), switches=pl.len().cast(pl.Int64), leaves=(pl.col("role") == "leaf").sum()
    )
    nics = view.plan.links.filter(pl.col("tier") == "node_leaf").select("fabric", plane=plane)
    nics = nics.group_by("fabric", "plane").agg(nics=pl.len().cast(pl.Int64))
    frame = ours.join(switches, on="fabric").join(nics, on=["fabric", "plane"], how="left")
    several = pl.len().over("fabric") > 1
    name = pl.when(several).then(pl.format("{} plane {}", "fabric", "plane")).otherwise("fabric")
    return frame.with_columns(pl.col("nics").fill_null(0), pl.col("sharp").fill_null(value=False), subject=name).sort(
        "fabric", "plane"
    )


def _free_ports(view: View, fabric: str, plane: int, product: str) -> int | None:
    """Ports of the leaves of a subnet that no link takes; None where its product is not known."""
    switch = _switch(view, product)
    if switch is None or switch.cages is None:
        return None
    leaves = view.plan.devices.filter(
        pl.col("fabric") == fabric, pl.col("role") == "leaf", pl.col("plane").cast(pl.Int64).fill_null(0) == plane
    ).select("device")
    used = view.plan.ports.filter(pl.col("fabric") == fabric).join(leaves, on="device", how="semi")
    rates = used["rate_gbps"].unique().to_list()
    ports = (switch.max_logical or {}).get(rates[0], switch.cages.count) if len(rates) == 1 else switch.cages.count
    return max(0, len(leaves) * ports - len(used))


def a_subnet_has_a_manager_and_one_that_stands_by(view: View) -> Iterator[Broken]:
    """Every subnet has two subnet managers with different priorities, each where it can run and with a port it can use.

    Without a subnet manager no port of InfiniBand gets a LID, and no packet is forwarded; with one alone, its failure
    leaves the fabric as it stands until somebody comes; where one switch is the whole subnet, one will do. A plane of a
    fabric is a subnet of its own.
    A managed switch runs one for a number of nodes (switches and NICs): 2,048 for a QM9700; above that, and on
    externally managed switches (QM9790), hosts run it with UFM or OpenSM, and each takes a port of a leaf.
    Source: NVIDIA QM97xx user manual (management of subnets); IBTA, volume 1, chapter 14. In NVIDIA's DGX SuperPOD of
    four units one system is left out, and its ports go to UFM.
    What to do: infiniband: {subnet_manager: host, hosts: [ufm01, ufm02]}, and leave ports of the leaves for them.
    """
    hint = "fabrics: rdma: infiniband: {subnet_manager: host, hosts: [ufm01, ufm02]}"
    managers = view.plan.subnet_managers
    mine = dict(view.plan.devices.filter(pl.col("kind") == "switch").select("device", "fabric").iter_rows())
    few: list[tuple[str, str]] = []
    cannot: list[tuple[str, str]] = []
    crowded: list[tuple[str, str]] = []
    unknown: list[tuple[str, str]] = []
    for row in _subnets(view).iter_rows(named=True):
        subject, product, nodes = row["subject"], row["product"], row["nics"] + row["switches"]
        ours = managers.filter(pl.col("fabric") == row["fabric"], pl.col("plane") == row["plane"])
        count, switch = ours["priority"].n_unique(), _switch(view, product)
        if row["leaves"] > 1 and row["switches"] == row["leaves"]:
            few.append(
                (subject, f"{row['leaves']} leaves that nothing joins are as many subnets, each without a spare")
            )
        # Where one switch is the whole subnet, nothing is left to manage once it fails.
        need = min(MANAGERS, row["switches"])
        if count < need:
            alone = switch is not None and (switch.managed is False or switch.subnet_nodes == 0)
            few.append((subject, f"{count} of {need} subnet managers{f'; {product} runs none' if alone else ''}"))
        inside = {m: mine[m] for m in ours["manager"] if m in mine}
        cannot += [(m, f"manages {subject}, and is a switch of {f}") for m, f in inside.items() if f != row["fabric"]]
        limit = switch.subnet_nodes if switch else None
        if inside and limit is None:
            unknown.append((product, f"how many nodes its subnet manager takes is not known; {subject} has {nodes:,}"))
        elif inside and limit is not None and nodes > limit:
            held = f"{row['nics']:,} NICs and {row['switches']:,} switches"
            told = f"{held}, the subnet manager of {product} takes {limit:,}"
            crowded.append((subject, f"{told}: {nodes - limit:,} too many"))
        hosts, free = len(ours) - len(inside), _free_ports(view, row["fabric"], row["plane"], product)
        if hosts and free is not None and free < hosts:
            crowded.append((subject, f"{hosts} hosts manage it, and {free or 'no'} ports of its leaves are free"))
    for what, rows, advice in (
        ("subnets with too few managers", few, hint),
        ("subnet managers in another fabric", cannot, "a manager sees the subnet that it is plugged into"),
        ("subnets that their managers cannot serve", crowded, f"{hint}; leave out a node, and its ports are free"),
    ):
        yield broken(what, pl.DataFrame(rows, schema=TEXT, orient="row"), "subject", pl.col("message"), advice)
    silent = pl.DataFrame(unknown, schema=TEXT, orient="row").unique(maintain_order=True)
    yield not_evaluated("limits of subnet managers", silent, f"assumptions: facts: {{subnet_nodes: ...}}, or {hint}")


def a_subnet_has_a_lid_for_every_port(view: View) -> Iterator[Broken]:
    """The NIC ports, switches and managing hosts of a subnet are no more than its unicast LIDs: 49,151.

    A switch takes one for each of its ASICs, and another for each where it reduces collectives (SHARP).
    Source: IBTA, volume 1, section 4.1.3 (unicast LIDs 0x0001 to 0xBFFF).
    What to do: several fabrics (islands), or planes.
    """
    managers = view.plan.subnet_managers
    mine = set(view.plan.devices["device"])
    over: list[tuple[str, str]] = []
    for row in _subnets(view).iter_rows(named=True):
        ours = managers.filter(pl.col("fabric") == row["fabric"], pl.col("plane") == row["plane"])
        hosts = sum(m not in mine for m in ours["manager"])
        switch = _switch(view, row["product"])
        asics = (switch.asics if switch else None) or 1
        need = lids(row["nics"] + hosts, row["switches"], asics, sharp=row["sharp"])
        if need > LIDS:
            over.append((row["subject"], f"needs {need:,} LIDs, a subnet has {LIDS:,}: {need - LIDS:,} too many"))
    yield broken(
        "subnets without a LID for every port",
        pl.DataFrame(over, schema=TEXT, orient="row"), "subject", pl.col("message"), "several islands, or planes",
    )  # fmt: skip


def infiniband_has_no_address_and_no_autonomous_system(view: View) -> Iterator[Broken]:
    """No port of an InfiniBand fabric has an address, and none of its switches a loopback or an AS number.

    Its ports have LIDs, which the subnet manager gives; an address there is a mistake that hosts would be told.
    Source: IBTA, volume 1, chapter 4; IP over InfiniBand is no part of these designs.
    What to do: report this, only what is routed takes addresses.
    """
    hint = "addresses and AS numbers are Ethernet's"
    ours = view.plan.fabrics.filter(pl.col("link_layer") == "infiniband").select("fabric")
    ports = view.plan.ports.join(ours, on="fabric", how="semi").select("device", "port")
    held = view.plan.addresses.join(ports, on=["device", "port"], how="semi")
    boxes = view.plan.devices.join(ours, on="fabric", how="semi").select("device")
    loops = view.plan.addresses.filter(pl.col("purpose") == "loopback").join(boxes, on="device", how="semi")
    both = pl.concat([held, loops]).with_columns(subject=pl.format("{}:{}", "device", "port"))
    yield broken("addresses on InfiniBand", both, "subject", pl.format("has the address {}", "address"), hint)
    told = view.plan.asns.join(boxes, on="device", how="semi")
    yield broken("AS numbers of InfiniBand switches", told, "device", pl.format("has the AS number {}", "asn"), hint)


def a_partition_has_a_key_of_its_own(view: View) -> Iterator[Broken]:
    """Every partition of a fabric has another P_Key, and one of them is the default partition.

    Two partitions with one key are one: who was to be kept apart is not.
    Source: IBTA, volume 1, section 10.9; OpenSM, doc/partition-config.txt (entries of one key are merged).
    What to do: give `infiniband: partitions:` different keys.
    """
    frame = view.plan.partitions.with_columns(key=pl.col("pkey").cast(pl.Int64))
    twice = (
        frame.group_by("fabric", "key")
        .agg(n=pl.len(), who=pl.col("partition").sort().str.join(", "))
        .filter(pl.col("n") > 1)
    )
    hint = "partitions: [{name: ..., pkey: '0x2001'}], each another key"
    yield broken("keys of several partitions", twice, "fabric", pl.format("partitions {} share one key", "who"), hint)
    ours = view.plan.fabrics.filter(pl.col("link_layer") == "infiniband").select("fabric")
    none = ours.join(frame.filter(pl.col("key") == DEFAULT_PKEY), on="fabric", how="anti")
    yield broken("fabrics without a default partition", none, "fabric", pl.lit("has no default partition"), hint)
