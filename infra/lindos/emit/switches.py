"""Plan -> switch configurations. A view says everything that a switch is told; the templates hold no logic of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lindos.emit.artefact import Artefact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

TEMPLATES = Path(__file__).parents[3] / "templates"
FILES = {
    "frr.conf": "device.j2",
    "interfaces": "interfaces.file.j2",
    "lldpd.conf": "lldpd.conf.j2",
    "daemons": "daemons.j2",
}
"""File on the switch -> its template."""
SWITCH_MTU = 9216
BLOCKS = {
    "rdma": ("10.0.0.0/9", "10.160.0.0/12"),
    "frontend": ("10.128.0.0/12", "10.160.0.0/12"),
    "oob": ("10.192.0.0/10", "10.160.0.0/12"),
}
"""What a switch of a fabric accepts and passes on: addresses of its endpoints, and loopbacks (lindos.plan.address)."""


@dataclass(frozen=True, slots=True)
class PortView:
    name: str
    description: str
    address: str | None
    prefix_len: int | None
    mtu: int


@dataclass(frozen=True, slots=True)
class PeerView:
    address: str
    asn: int
    description: str


@dataclass(frozen=True, slots=True)
class BridgeView:
    name: str
    address: str
    prefix_len: int
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SwitchView:
    """All that a switch is told. `asn` None where it speaks to no other switch; `paths` its ECMP width."""

    site: str
    device: str
    slice: str
    digest: str
    loopback: str
    asn: int | None
    ports: tuple[PortView, ...]
    peers: tuple[PeerView, ...]
    announced: tuple[str, ...]
    accepted: tuple[str, ...]
    paths: int
    bridge: BridgeView | None


def _ends(plan: Plan) -> pl.DataFrame:
    """Both ends of every link that end on a switch: device, port, far end, address, and the peer if it is one."""
    columns = {"a_device": "device", "a_port": "port", "b_device": "far_device", "b_port": "far_port"}
    turned = {"b_device": "device", "b_port": "port", "a_device": "far_device", "a_port": "far_port"}
    order = ["device", "port", "far_device", "far_port", "tier", "fabric"]
    both = pl.concat([plan.links.rename(columns).select(order), plan.links.rename(turned).select(order)])
    both = both.filter(pl.col("port") != "eth0").join(
        plan.asns.select("device"), on="device", how="semi", maintain_order="left"
    )
    spot = plan.addresses.select("device", "port", "address", "prefix_len")
    both = both.join(spot, on=["device", "port"], how="left", maintain_order="left")
    far = spot.select(far_device="device", far_port="port", far_address="address")
    both = both.join(far, on=["far_device", "far_port"], how="left", maintain_order="left")
    peers = plan.asns.select(far_device="device", far_asn="asn")
    both = both.join(peers, on="far_device", how="left", maintain_order="left")
    number = plan.ports.select("device", "port", "cage", "lane_group")
    return both.join(number, on=["device", "port"], how="left", maintain_order="left").sort(
        "device", "cage", "lane_group", maintain_order=True
    )


def _segments(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Switch -> the prefixes of its endpoints: /24 a leaf slot, /26 an out-of-band access switch."""
    gateways = plan.addresses.filter(pl.col("purpose") == "gateway").with_columns(
        prefix=pl.when(pl.col("prefix_len") == 31)
        .then(pl.format("{}.0/24", pl.col("address").str.split(".").list.head(3).list.join(".")))
        .otherwise(
            pl.format(
                "{}.{}/26",
                pl.col("address").str.split(".").list.head(3).list.join("."),
                pl.col("address").str.split(".").list.last().cast(pl.Int64) // 64 * 64,
            )
        )
    )
    grouped = gateways.group_by("device", maintain_order=True).agg(pl.col("prefix").unique(maintain_order=True))
    return {device: tuple(prefixes) for device, prefixes in grouped.iter_rows()}


def views(plan: Plan) -> Iterator[SwitchView]:
    """Plan -> the view of every switch, in the order of devices."""
    ends = _ends(plan)
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in ends.partition_by("device", maintain_order=True):
        rows[part["device"][0]] = part.rows(named=True)
    segments = _segments(plan)
    loopbacks = dict(plan.addresses.filter(pl.col("purpose") == "loopback").select("device", "address").iter_rows())
    bridges = {
        d: (a, n)
        for d, a, n in plan.addresses.filter(pl.col("port") == "br-oob")
        .select("device", "address", "prefix_len")
        .iter_rows()
    }
    asns, digests = dict(plan.asns.iter_rows()), dict(plan.slices.select("slice", "digest").iter_rows())
    for device, slice_, fabric in (
        plan.devices.filter(pl.col("kind") == "switch").select("device", "slice", "fabric").iter_rows()
    ):
        mine = rows.get(device, [])
        peers = [r for r in mine if r["tier"] != "node_leaf"]
        bridge = bridges.get(device)
        below = tuple(r["port"] for r in mine if r["tier"] == "node_leaf")
        yield SwitchView(
            site=plan.site,
            device=device,
            slice=slice_,
            digest=digests[slice_],
            loopback=loopbacks[device],
            asn=asns[device] if peers else None,
            ports=tuple(
                PortView(r["port"], f"{r['far_device']}:{r['far_port']}", r["address"], r["prefix_len"], SWITCH_MTU)
                for r in mine
            ),
            peers=tuple(PeerView(r["far_address"], r["far_asn"], f"{r['far_device']}:{r['far_port']}") for r in peers),
            announced=segments.get(device, ()),
            accepted=BLOCKS[fabric],
            paths=max(1, len(peers)),
            bridge=BridgeView("br-oob", *bridge, below) if bridge else None,
        )


def switches(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """switches/<device>/...: what FRR on Debian is told, ready to be pushed."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES / "frr"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # configuration, no HTML
    )  # configuration, no HTML
    templates = {name: env.get_template(template) for name, template in FILES.items()}
    for view in views(plan):
        for name, template in templates.items():
            yield Artefact(f"switches/{view.device}/{name}", template.render(view=view).encode(), view.slice)
