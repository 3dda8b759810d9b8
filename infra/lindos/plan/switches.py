"""Spec, catalogue, devices and ports -> what fabrics and their switches are told.

fabrics   what every host and switch of a fabric must agree on: MTU, lossless class, adaptive routing
switches  what one switch is told, its operating system and what that calls its hardware
cages     what SONiC calls the ports of a product's cages, for each way to split them

Facts of products are taken in here, so that what a switch is told needs the plan alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.catalogue import Node, Switch
from lindos.catalogue.load import Needs
from lindos.plan.infiniband import MTU
from lindos.spec.model import Infiniband, RdmaFabric, Roce

if TYPE_CHECKING:
    from lindos.catalogue import Catalogue
    from lindos.spec.model import Spec

HOST_MTU = 9_000
MANAGEMENT_MTU = 1_500
SWITCH_MTU = 9_216
"""The largest that SONiC's and Cumulus' models take."""
ROCE = ("priority", "dscp", "cnp_priority", "cnp_dscp")


def models(devices: pl.DataFrame, ports: pl.DataFrame) -> pl.DataFrame:
    """Devices and ports -> the products of each fabric's switches, with the speed of their fastest ports."""
    boxes = devices.filter(pl.col("kind") == "switch").select("device", "fabric", "product")
    fastest = ports.group_by("device").agg(gbps=pl.col("rate_gbps").max())
    frame = boxes.join(fastest, on="device", how="left").group_by("fabric", "product").agg(pl.col("gbps").max())
    return frame.sort("fabric", "product")


def _adaptive(spec: Spec, catalogue: Catalogue, fabric: str, products: list[str]) -> bool:
    """Whether all these switches can route by packet, and every NIC of the fabric takes packets in any order."""
    nics = [catalogue.get(Node, fleet.node).nics_ew for fleet in spec.compute.fleets if fleet.fabric == fabric]
    able = [catalogue.get(Switch, product).adaptive_routing for product in products]
    return all(able) and all(nic is not None and nic.out_of_order for nic in nics)


def _infiniband(catalogue: Catalogue, product: str) -> bool:
    return catalogue.get(Switch, product).link_layer == "infiniband"


def fabrics(spec: Spec, catalogue: Catalogue, boxes: pl.DataFrame) -> pl.DataFrame:
    """Spec and models -> one row a fabric; the columns of the lossless class are null where nothing is lossless, those
    of InfiniBand where it is Ethernet.
    """
    rows: list[dict[str, Any]] = []
    for (name,), mine in boxes.partition_by("fabric", as_dict=True, maintain_order=True).items():
        fabric = str(name)
        said = spec.fabrics.named.get(fabric)
        if isinstance(said, RdmaFabric) and _infiniband(catalogue, mine["product"][0]):
            told = said.infiniband or Infiniband()
            rows.append(
                {
                    "fabric": fabric,
                    "link_layer": "infiniband",
                    "mtu": MTU,
                    "host_mtu": MTU,
                    "unnumbered": False,
                    "adaptive_routing": told.routing.startswith("ar_"),
                    **dict.fromkeys(ROCE),
                    "routing": told.routing,
                    "sharp": told.sharp,
                    "system": catalogue.get(Switch, mine["product"][0]).system or mine["product"][0].upper(),
                }
            )
            continue
        roce = said.roce or Roce() if isinstance(said, RdmaFabric) else None
        rows.append(
            {
                "fabric": fabric,
                "link_layer": "ethernet",
                "mtu": SWITCH_MTU,
                "host_mtu": MANAGEMENT_MTU if fabric == "oob" else HOST_MTU,
                "unnumbered": said is not None and said.bgp == "unnumbered",
                "adaptive_routing": roce is not None and _adaptive(spec, catalogue, fabric, mine["product"].to_list()),
                **{column: getattr(roce, column, None) for column in ROCE},
                "routing": None,
                "sharp": None,
                "system": None,
            }
        )
    kinds = {**dict.fromkeys(ROCE, pl.Int64), "routing": pl.String, "sharp": pl.Boolean, "system": pl.String}
    return pl.DataFrame(rows, schema_overrides=kinds)


def _software(spec: Spec, catalogue: Catalogue, boxes: pl.DataFrame) -> pl.DataFrame:
    """Models -> with operating system, and with platform and hardware SKU where SONiC knows the product's ports."""
    needs = Needs(catalogue)
    rows: list[tuple[str | int | None, ...]] = []
    for fabric, product, gbps in boxes.iter_rows():
        asked = getattr(spec.fabrics.named.get(fabric), "nos", None)
        switch = catalogue.get(Switch, product)
        if _infiniband(catalogue, product):
            rows.append((fabric, product, None, None, None, switch.buffer_bytes))
            continue
        sku = (switch.sonic_hwsku or {}).get(gbps)
        if asked == "sonic":
            needs(switch.sonic_platform, "switch", product, "sonic_platform")
            needs(sku, "switch", product, f"sonic_hwsku.{gbps}")
            needs(switch.sonic_ports, "switch", product, "sonic_ports")
        known = bool(switch.sonic_platform and sku and switch.sonic_ports)
        names = (switch.sonic_platform, sku) if known else (None, None)
        rows.append((fabric, product, asked or ("sonic" if known else "frr"), *names, switch.buffer_bytes))
    needs.settle()
    text = dict.fromkeys(("fabric", "product", "nos", "platform", "hwsku"), pl.String)
    return pl.DataFrame(rows, schema={**text, "buffer_bytes": pl.Int64}, orient="row")


def switches(
    spec: Spec, catalogue: Catalogue, devices: pl.DataFrame, boxes: pl.DataFrame, told: pl.DataFrame
) -> pl.DataFrame:
    """Spec, devices, models and fabrics -> one row a switch. CatalogueError where the site file asks for SONiC and a
    fact of the product is missing.
    """
    mine = devices.filter(pl.col("kind") == "switch").select("device", "fabric", "product")
    software = _software(spec, catalogue, boxes)
    frame = mine.join(software, on=["fabric", "product"], how="left", maintain_order="left")
    return frame.join(told, on="fabric", how="left", maintain_order="left")


def cages(catalogue: Catalogue, boxes: pl.DataFrame) -> pl.DataFrame:
    """Models -> for each product whose ports SONiC knows, each cage and way to split it: its first port
    (Ethernet<sonic_port>), its first lane, its lanes and the breakout mode.
    """
    rows: list[tuple[str, int, int, int, int, int, str]] = []
    for product in boxes["product"].unique().sort():
        first = 1
        for block in catalogue.get(Switch, product).sonic_ports or ():
            for i in range(block.cages):
                port, lane = block.first_port + i * block.port_step, block.first_lane + i * block.lane_step
                rows += [(product, first + i, n, port, lane, block.lanes, m) for n, m in sorted(block.modes.items())]
            first += block.cages
    numbers = dict.fromkeys(("cage", "lane_groups", "sonic_port", "sonic_lane", "lanes"), pl.Int64)
    return pl.DataFrame(rows, schema={"product": pl.String, **numbers, "mode": pl.String}, orient="row")
