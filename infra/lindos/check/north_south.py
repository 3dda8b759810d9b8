"""Rules of the networks beside training: front end and storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, not_evaluated, one
from lindos.finding import Severity
from lindos.plan.ratios import storage_rates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

FABRICS = ["frontend", "storage"]
_SAME = 1e-9
"""Ratios closer than this are equal."""


def _ends(view: View) -> pl.DataFrame:
    """Links of nodes and servers into these networks: link, fabric, device, product, leaf."""
    links = view.links.filter(pl.col("fabric").is_in(FABRICS), pl.col("tier") == "node_leaf")
    ends = links.select("link", "fabric", device="a_device", leaf="b_device")
    return ends.join(view.devices.select("device", "product"), on="device", how="left")


def ports_of_a_device_lead_to_leaves_of_their_own(view: View) -> Iterator[Broken]:
    """A node or server with several ports into a network beside training has each on another leaf.

    The loss of one leaf, or of one cable, then leaves it within reach by its other address; two ports on one leaf are
    bandwidth, not a second way. All devices of one product have the same number of ports in use.
    Source: two ports of a node to two switches, in NVIDIA's DGX SuperPOD and enterprise reference architectures.
    What to do: put port p on side p of the leaves that serve the device; look for two cables in one leaf.
    """
    ends = _ends(view)
    hint = "port p of a device goes to side p of the leaves of its block"
    device = ["fabric", "device", "product"]
    per = ends.group_by(device).agg(n=pl.len())
    doubled = ends.group_by(*device, "leaf").agg(same=pl.len()).filter(pl.col("same") > 1).join(per, on=device)
    yield broken(
        "devices with several ports on one leaf",
        doubled,
        "device",
        pl.format("{} of its {} ports in fabric {} end on {}", "same", "n", "fabric", pl.col("leaf").cast(pl.String)),
        hint,
    )
    most = per.group_by("fabric", "product").agg(most=pl.col("n").max())
    few = per.join(most, on=["fabric", "product"], nulls_equal=True).filter(pl.col("n") < pl.col("most"))
    yield broken(
        "devices with fewer ports in use than others of their product",
        few,
        "device",
        pl.format("in fabric {} its ports in use are {}, those of other {} are {}", "fabric", "n", "product", "most"),
        hint,
    )


def every_node_reaches_the_storage(view: View) -> Iterator[Broken]:
    """Where a site has storage servers, every node has a port in the network that they hang on.

    That is the storage fabric where the site file asks for one, else the front end. A node that reads its data
    through another's is no faster than that one.
    Source: the storage fabric, or the converged network, of NVIDIA's reference architectures.
    What to do: give the node ports for it (`nics_storage`, or `nics_ns` where storage hangs on the front end).
    """
    for fabric in view.plan.pools["fabric"].unique().sort():
        there = _ends(view).filter(pl.col("fabric") == fabric)
        nodes = view.devices.filter(pl.col("kind") == "node").join(there, on="device", how="anti")
        fact = "nics_storage" if fabric == "storage" else "nics_ns"
        yield broken(
            "nodes that do not reach the storage",
            nodes,
            "device",
            pl.format("{} has no port in fabric {}, on which the storage servers hang", "product", pl.lit(fabric)),
            f"give the product its ports: assumptions: facts: {{{fact}: {{count: 2, ...}}}}",
        )


def storage_is_not_held_back_by_its_network(view: View) -> Iterator[Broken]:
    """What storage servers can read, their ports, the uplinks of their leaves and the ports of the nodes carry.

    A stated oversubscription may well hold back more than half of what the servers could do: that is told, so that
    somebody has wanted it, and is no mistake. Without what a server reads nothing is said.
    Source: arithmetic: 8 Gb/s carry 1 GB/s, and storage traffic crosses the leaves of its servers.
    What to do: a lower oversubscription, fewer servers a leaf, or fewer servers; `read_gbs` of the product.
    """
    rates, site = storage_rates(view.plan), view.plan.site
    if rates is None:
        return
    hint = f"lower fabrics: {rates.fabric}: oversubscription, or leave it: it is told, not wrong"
    read = rates.read_gbs
    if read is None:
        products = view.plan.pools.filter(pl.col("read_gbs").is_null()).select("product").unique()
        says = pl.lit("what it reads is not known")
        give = "give it in the site file: assumptions: - {product: SERVER, facts: {read_gbs: ...}, reason: ...}"
        frame = products.select(subject="product", message=says)
        yield not_evaluated("storage servers whose rate is not known", frame, give)
        return
    ways = {"their ports": rates.ports_gbs, "the uplinks of their leaves": rates.uplinks_gbs}
    ways["the ports of the nodes"] = rates.nodes_gbs
    tight = {way: gbs for way, gbs in ways.items() if gbs and read > gbs * (1 + _SAME)}
    if tight:
        told = ", ".join(f"{way} carry {gbs:,.0f} GB/s ({read / gbs:.1f}:1)" for way, gbs in tight.items())
        message = f"{rates.servers:,} servers read {read:,.0f} GB/s, {told}"
        yield Broken(Severity.INFO, "storage held back by its network", one(f"{site} {rates.fabric}", message), hint)
