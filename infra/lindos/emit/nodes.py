"""Plan -> what each GPU node is to be: shared by the inventory and the expectations, so that they cannot differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lindos.emit.infiniband import HCA
from lindos.plan.address import RAIL_PREFIX_LEN, dotted
from lindos.plan.address6 import plan_prefix6, rail_prefix6
from lindos.plan.outfit import Outfit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.plan.tables import Plan

FIRST_TABLE = 100
"""Routing table of the first rail port; each has one of its own, in order of rails and their planes."""


class HcaView(NamedTuple):
    """A rail port of InfiniBand: its RDMA device, and where it is plugged in. It has no address."""

    name: str
    hca: str
    rail: int
    rate_gbps: int
    peer_device: str
    peer_port: str


class PortView(NamedTuple):
    """A network port of a node; rail, hca, rail_prefix and table are those of a rail port, as is `pfc_priority`, null
    where nothing is lossless; those that end in 6 are those of a site with IPv6.
    """

    name: str
    purpose: str
    address: str
    prefix_len: int
    gateway: str
    mtu: int
    rate_gbps: int
    peer_device: str
    peer_port: str
    rail: int | None
    hca: str | None
    rail_prefix: str | None
    table: int | None
    pfc_priority: int | None
    address6: str | None
    prefix_len6: int | None
    gateway6: str | None
    rail_prefix6: str | None

    def told(self) -> dict[str, Any]:
        """The fields by name, without those of a family that the site has not."""
        return {name: value for name, value in self._asdict().items() if value is not None or not name.endswith("6")}


@dataclass(frozen=True, slots=True)
class HostView:
    """A GPU node: what it is, where it is reached, and its ports in order."""

    device: str
    vendor: str
    product: str
    unit: str
    slice: str
    digest: str
    gpus: int
    gpu: str
    psus: int
    outfit: Outfit
    mgmt: str | None
    bmc: str | None
    ports: tuple[PortView, ...]
    hcas: tuple[HcaView, ...]


def _hcas(plan: Plan) -> dict[str, list[HcaView]]:
    """Nodes on InfiniBand -> their rail ports in order."""
    ours = plan.fabrics.filter(pl.col("link_layer") == "infiniband").select("fabric")
    links = plan.links.filter(pl.col("rail").is_not_null()).join(ours, on="fabric", how="semi", maintain_order="left")
    frame = links.sort("a_device", "rail", "plane", maintain_order=True).with_columns(hca=pl.format(HCA, "a_port"))
    frame = frame.select("a_device", "a_port", "hca", "rail", "rate_gbps", "b_device", "b_port")
    out: dict[str, list[HcaView]] = {}
    for device, *rest in frame.iter_rows():
        out.setdefault(device, []).append(HcaView(*rest))
    return out


def _ports(plan: Plan) -> pl.DataFrame:
    """Every addressed port of a node with the far end of its link."""
    mine = plan.addresses.join(
        plan.devices.filter(pl.col("kind") == "node").select("device"),
        on="device",
        how="semi",
        maintain_order="left",
    )
    far = plan.links.select(
        "rail",
        "plane",
        "rate_gbps",
        "fabric",
        device="a_device",
        port="a_port",
        peer_device="b_device",
        peer_port="b_port",
    )
    far = far.join(
        plan.fabrics.select("fabric", mtu="host_mtu", pfc_priority="priority"),
        on="fabric",
        how="left",
        maintain_order="left",
    )
    frame = mine.join(far, on=["device", "port"], how="left", maintain_order="left")
    base = pl.col("rail").cast(pl.Int64) * 2 ** (32 - RAIL_PREFIX_LEN) + 10 * 2**24
    planes = pl.col("plane").max().over("device").fill_null(0).cast(pl.Int64) + 1
    frame = frame.with_columns(nic=pl.col("rail").cast(pl.Int64) * planes + pl.col("plane").fill_null(0))
    return frame.with_columns(rail_prefix=pl.format("{}/{}", dotted(base), pl.lit(RAIL_PREFIX_LEN)))


def _port(row: dict[str, Any], prefix: str | None) -> PortView:
    rail = row["rail"]
    return PortView(
        name=row["port"], purpose=row["purpose"], address=row["address"], prefix_len=row["prefix_len"],
        gateway=row["gateway"],
        mtu=row["mtu"], rate_gbps=row["rate_gbps"],
        peer_device=row["peer_device"], peer_port=row["peer_port"], rail=rail,
        hca=None if rail is None else HCA.format(row["port"]), rail_prefix=row["rail_prefix"],
        table=None if rail is None else FIRST_TABLE + row["nic"],
        pfc_priority=None if rail is None else row["pfc_priority"],
        address6=row["address6"], prefix_len6=row["prefix_len6"], gateway6=row["gateway6"],
        rail_prefix6=None if rail is None or prefix is None else rail_prefix6(prefix, rail),
    )  # fmt: skip


def host_views(plan: Plan) -> Iterator[HostView]:
    """Plan -> the view of every GPU node, in the order of devices."""
    ports: dict[str, list[PortView]] = {}
    prefix = plan_prefix6(plan.addresses)
    for row in _ports(plan).iter_rows(named=True):
        ports.setdefault(row["device"], []).append(_port(row, prefix))
    gpus = {d: (n, p) for d, n, p in plan.gpus.group_by("device").agg(pl.len(), pl.col("product").first()).iter_rows()}
    hcas = _hcas(plan)
    psus = dict(plan.loads.filter(pl.col("busbar").is_null()).select("device", "psus").iter_rows())
    outfits = {unit: Outfit(*told) for unit, *told in plan.units.select("unit", *Outfit._fields).iter_rows()}
    digests = dict(plan.slices.select("slice", "digest").iter_rows())
    for row in plan.devices.filter(pl.col("kind") == "node").iter_rows(named=True):
        mine = ports.get(row["device"], [])
        reach = {p.purpose: p.address for p in mine}
        count, model = gpus[row["device"]]
        yield HostView(
            device=row["device"], vendor=row["vendor"], product=row["product"], unit=row["unit"], slice=row["slice"],
            digest=digests[row["slice"]], gpus=count, gpu=model,
            psus=psus.get(row["device"], 0), outfit=outfits[row["unit"]], mgmt=reach.get("mgmt"), bmc=reach.get("bmc"),
            ports=tuple(mine), hcas=tuple(hcas.get(row["device"], ())),
        )  # fmt: skip
