"""Plan -> what every switch is to do, in words of no operating system: one view, from which all dialects are rendered.

plan -> Told: a row a switch, a row a port     vectorised, for the whole site
Told -> chunks -> SwitchView, ...              typed, a few hundred at a time, in whichever process renders them

A dialect adds how its operating system says it, and nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lindos.plan.address import BLOCKS6 as ADDRESS_BLOCKS6
from lindos.plan.address import OOB
from lindos.plan.address6 import SLOT_PREFIX_LEN6, beside, plan_prefix6
from lindos.plan.roce import Roce
from lindos.plan.switches import ROCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.plan.tables import Plan

BLOCKS = {
    "rdma": ("10.0.0.0/9", "10.160.0.0/12"),
    "frontend": ("10.128.0.0/12", "10.160.0.0/12"),
    "storage": ("10.176.0.0/12", "10.160.0.0/12"),
    "oob": ("10.192.0.0/10", "10.160.0.0/12"),
}
"""What a switch of a fabric accepts and passes on: addresses of its endpoints, and loopbacks (lindos.plan.address).

An island's fabric, `rdma-NAME`, has those of the first."""
BLOCKS6 = {
    "rdma": (":1::/64", ":4::/64"),
    "frontend": (":2::/64", ":4::/64"),
    "storage": (":7::/64", ":4::/64"),
    "oob": ("::/48",),
}
"""The same in IPv6, behind the prefix of the site (lindos.plan.address6)."""


class Timers(NamedTuple):
    """When a neighbour counts as gone: by BGP itself, and by BFD after `lost` packets that were due `every_ms`."""

    keepalive_s: int
    hold_s: int
    lost: int
    every_ms: int


HARDWARE = Timers(keepalive_s=3, hold_s=9, lost=3, every_ms=300)
"""A switch whose ASIC or a processor of its own answers BFD: 0.9 s, as is usual between leaf and spine.

One session a link to another switch; how many an ASIC holds nobody publishes, so no rule can count them.
"""
SOFTWARE = HARDWARE._replace(every_ms=1000)
"""A switch that is a process among others: a busy machine lets it wait for longer than 0.9 s, and every session would
be taken for lost at once. 3 s are still a third of the hold time."""


class PortView(NamedTuple):
    """A port with a link. `below` tells an endpoint (a host, what is managed) from another switch, a BGP peer then.

    `sonic_port`, `lane` and `mode` are those of its part of the cage, null where SONiC does not know the product.
    """

    name: str
    cage: int
    lane_group: int
    lane_groups: int
    rate_gbps: int
    below: bool
    address: str | None
    prefix_len: int | None
    address6: str | None
    prefix_len6: int | None
    length_m: int
    far_device: str
    far_port: str
    far_address: str | None
    far_address6: str | None
    far_asn: int | None
    far_role: str | None
    far_hwsku: str | None
    far_loopback: str | None
    far_loopback6: str | None
    far_mgmt: str | None
    far_mgmt6: str | None
    cage_lanes: int | None
    sonic_port: int | None
    lane: int | None
    lanes: int | None
    mode: str | None

    @property
    def description(self) -> str:
        return f"{self.far_device}:{self.far_port}"


class ManagementView(NamedTuple):
    """The management port's address and gateway, in both families where the site has both."""

    address: str
    prefix_len: int
    gateway: str | None
    address6: str | None = None
    prefix_len6: int | None = None
    gateway6: str | None = None


@dataclass(frozen=True, slots=True)
class BridgeView:
    """The ports of an access switch are one segment, with its own address in it."""

    name: str
    address: str
    prefix_len: int
    ports: tuple[PortView, ...]
    address6: str | None = None
    prefix_len6: int | None = None


class SpareView(NamedTuple):
    """A part of a cage as SONiC numbers it, whether anything is plugged in or not."""

    cage: int
    lane_group: int
    lane_groups: int
    sonic_port: int
    lane: int
    lanes: int
    mode: str


@dataclass(frozen=True, slots=True)
class SwitchView:
    """All that a switch is told. `asn` None where it speaks to no other switch; `paths` its ECMP width; links to other
    switches that are `unnumbered` have no address.

    `servers` keep time, take logs and answer DHCP; `roce` None where nothing is lossless.
    """

    site: str
    device: str
    slice: str
    digest: str
    fabric: str
    role: str
    product: str
    nos: str
    platform: str | None
    hwsku: str | None
    buffer_bytes: int | None
    mtu: int
    adaptive_routing: bool
    unnumbered: bool
    roce: Roce | None
    loopback: str
    loopback6: str | None
    asn: int | None
    management: ManagementView | None
    bridge: BridgeView | None
    ports: tuple[PortView, ...]
    spare: tuple[SpareView, ...]
    announced: tuple[str, ...]
    announced6: tuple[str, ...]
    accepted: tuple[str, ...]
    accepted6: tuple[str, ...]
    servers: tuple[str, ...]

    @property
    def peers(self) -> list[PortView]:
        """Ports with a BGP session."""
        return [] if self.asn is None else [p for p in self.ports if not p.below]

    @property
    def paths(self) -> int:
        """Sessions, and so equal paths at most."""
        return max(1, len(self.peers))


@dataclass(frozen=True)
class Told:
    """A row a switch (`box` counts them), a row a port in order of box and cage, the cages of the products, servers."""

    site: str
    boxes: pl.DataFrame
    ports: pl.DataFrame
    cages: pl.DataFrame
    servers: tuple[str, ...]
    prefix6: str | None

    def chunk(self, start: int, count: int) -> Told:
        """The switches from `start` on, with their ports."""
        first, last = (self.ports["box"].search_sorted(n) for n in (start, start + count))
        ports = self.ports.slice(int(first), int(last) - int(first))
        return Told(self.site, self.boxes.slice(start, count), ports, self.cages, self.servers, self.prefix6)


def servers(plan: Plan) -> tuple[str, ...]:
    """Plan -> management addresses of the control hosts, in order."""
    hosts = plan.devices.filter(pl.col("role") == "control").select("device")
    spots = plan.addresses.filter(pl.col("purpose") == "mgmt").join(hosts, on="device", how="semi")
    return tuple(spots.sort("device")["address"])


def _segments(plan: Plan) -> pl.DataFrame:
    """Switch -> the prefixes of its endpoints, `announced` and `announced6`: /24 (/120) a leaf slot, /26 (/64) an
    out-of-band access switch.
    """
    part = pl.col("address").str.split(".").list
    prefix = (
        pl.when(pl.col("prefix_len") == 31)
        .then(pl.format("{}.0/24", part.head(3).list.join(".")))
        .otherwise(pl.format("{}.{}/26", part.head(3).list.join("."), part.last().cast(pl.Int64) // 64 * 64))
    )
    gateways = plan.addresses.filter(pl.col("purpose") == "gateway").with_columns(announced=prefix)
    found = gateways.select("device", "announced").unique(maintain_order=True)
    ip, length = pl.col("announced").str.split("/").list.first(), pl.col("announced").str.split("/").list.last()
    bytes_ = [ip.str.split(".").list.get(i).cast(pl.Int64) * 2 ** (24 - 8 * i) for i in range(4)]
    found = found.with_columns(ip=pl.sum_horizontal(bytes_), prefix_len=32, gateway=pl.lit(None, dtype=pl.String))
    found = beside(found, plan_prefix6(plan.addresses), ADDRESS_BLOCKS6, OOB)
    length6 = length.replace_strict({"24": str(SLOT_PREFIX_LEN6), "26": "64"}, return_dtype=pl.String)
    found = found.with_columns(announced6=pl.format("{}/{}", "address6", length6))
    return found.group_by("device", maintain_order=True).agg("announced", pl.col("announced6").drop_nulls())


def _boxes(plan: Plan) -> pl.DataFrame:
    """Plan -> a row a switch that is told by file, in the order of devices; those of InfiniBand hear of their subnet
    manager.
    """
    told = plan.switches.filter(pl.col("nos").is_not_null()).select("device")
    of = plan.addresses
    loopback = of.filter(pl.col("purpose") == "loopback").select("device", loopback="address", loopback6="address6")
    spot = ["address", "prefix_len", "address6", "prefix_len6"]
    managed = of.filter(pl.col("purpose") == "mgmt").select(
        "device", **{f"mgmt_{c}": pl.col(c) for c in (*spot, "gateway", "gateway6")}
    )
    bridge = of.filter(pl.col("port") == "br-oob").select("device", **{f"bridge_{c}": pl.col(c) for c in spot})
    frame = plan.devices.join(told, on="device", how="semi", maintain_order="left")
    frame = frame.select("device", "slice", "fabric", "role", "product")
    for part in (
        plan.switches,
        plan.asns,
        loopback,
        managed.unique("device", keep="first", maintain_order=True),
        bridge,
        _segments(plan),
    ):
        frame = frame.join(part, on="device", how="left", maintain_order="left")
    digests = plan.slices.select("slice", "digest")
    return frame.join(digests, on="slice", how="left", maintain_order="left").with_row_index("box")


def _ports(plan: Plan, boxes: pl.DataFrame) -> pl.DataFrame:
    """Plan and its switches -> a row a port of theirs that has a link, in order of box and cage."""
    end = {"a_device": "device", "a_port": "port", "b_device": "far_device", "b_port": "far_port"}
    turned = {"b_device": "device", "b_port": "port", "a_device": "far_device", "a_port": "far_port"}
    lengths = plan.cables.select("cable", length_m=(pl.col("length_mm") / 1000).ceil().cast(pl.Int64))
    order = ["device", "port", "far_device", "far_port", "tier", "rate_gbps", "cable"]
    both = pl.concat([plan.links.rename(end).select(order), plan.links.rename(turned).select(order)])
    both = both.filter(pl.col("port") != "eth0").join(lengths, on="cable", how="left", maintain_order="left")
    box = boxes.select("device", "box", "product")
    both = both.join(box, on="device", how="inner", maintain_order="left")
    number = plan.ports.select("device", "port", "cage", "lane_group", "lane_groups")
    both = both.join(number, on=["device", "port"], how="left", maintain_order="left")
    spot = plan.addresses.select("device", "port", "address", "prefix_len", "address6", "prefix_len6")
    both = both.join(spot, on=["device", "port"], how="left", maintain_order="left")
    far = spot.select(far_device="device", far_port="port", far_address="address", far_address6="address6")
    both = both.join(far, on=["far_device", "far_port"], how="left", maintain_order="left")
    both = both.join(_far(plan), on="far_device", how="left", maintain_order="left")
    numbered = plan.cages.with_columns(pl.col("sonic_port", "sonic_lane", "lanes").cast(pl.Int64))
    both = both.join(numbered, on=["product", "cage", "lane_groups"], how="left", maintain_order="left")
    share = pl.col("lanes") // pl.col("lane_groups").cast(pl.Int64)
    shift = pl.col("lane_group").cast(pl.Int64) * share
    both = both.with_columns(
        below=pl.col("tier") == "node_leaf", cage_lanes="lanes", lanes=share,
        sonic_port=pl.col("sonic_port") + shift, lane=pl.col("sonic_lane") + shift,
    )  # fmt: skip
    columns = ["box", pl.col("port").alias("name"), *PortView._fields[1:]]
    return both.sort("box", "cage", "lane_group", maintain_order=True).select(columns)


def _far(plan: Plan) -> pl.DataFrame:
    """Plan -> what a switch is told of a neighbour that is a switch too."""
    of = plan.addresses.select("device", "purpose", "address", "address6")
    loopback = of.filter(pl.col("purpose") == "loopback").select(
        "device", far_loopback="address", far_loopback6="address6"
    )
    managed = of.filter(pl.col("purpose") == "mgmt").unique("device", keep="first", maintain_order=True)
    frame = plan.asns.select("device", far_asn="asn").join(
        plan.devices.select("device", far_role=pl.col("role").cast(pl.String)), on="device", how="left"
    )
    hwsku = plan.switches.select("device", far_hwsku="hwsku")
    for part in (hwsku, loopback, managed.select("device", far_mgmt="address", far_mgmt6="address6")):
        frame = frame.join(part, on="device", how="left")
    return frame.rename({"device": "far_device"})


def told(plan: Plan) -> Told:
    """Plan -> what its switches are told, as frames."""
    boxes = _boxes(plan)
    return Told(plan.site, boxes, _ports(plan, boxes), plan.cages, servers(plan), plan_prefix6(plan.addresses))


def _spares(cages: pl.DataFrame) -> dict[str, dict[tuple[int, int], list[SpareView]]]:
    """Cages -> product -> cage and number of parts -> those parts."""
    out: dict[str, dict[tuple[int, int], list[SpareView]]] = {}
    for product, cage, groups, port, lane, lanes, mode in cages.iter_rows():
        share = lanes // groups
        parts = [SpareView(cage, k, groups, port + k * share, lane + k * share, share, mode) for k in range(groups)]
        out.setdefault(product, {})[cage, groups] = parts
    return out


def _spare(parts: dict[tuple[int, int], list[SpareView]], ports: tuple[PortView, ...]) -> tuple[SpareView, ...]:
    """Parts of a product's cages and the ports in use -> those not in use, cages without any split as most are."""
    used = {(p.cage, p.lane_group) for p in ports}
    split = {p.cage: p.lane_groups for p in ports}
    usual = max(split.values(), key=list(split.values()).count, default=1)
    out: list[SpareView] = []
    for cage in sorted({cage for cage, _ in parts}):
        groups = split.get(cage, usual)
        found = parts.get((cage, groups)) or parts[cage, min(g for c, g in parts if c == cage)]
        out += [part for part in found if (cage, part.lane_group) not in used]
    return tuple(out)


def _view(what: Told, row: dict[str, Any], ports: tuple[PortView, ...], spare: tuple[SpareView, ...]) -> dict[str, Any]:
    """A row of a switch and its ports -> the fields of its view."""
    bridge = None
    spot = ("address", "prefix_len", "address6", "prefix_len6")
    if row["bridge_address"] is not None:
        below = tuple(p for p in ports if p.below)
        bridge = BridgeView("br-oob", ports=below, **{c: row[f"bridge_{c}"] for c in spot})
    managed = None
    if row["mgmt_address"] is not None:
        managed = ManagementView(**{c: row[f"mgmt_{c}"] for c in (*spot, "gateway", "gateway6")})
    block = row["fabric"].split("-")[0]
    same = (
        "device",
        "slice",
        "digest",
        "fabric",
        "role",
        "product",
        "nos",
        "platform",
        "hwsku",
        "loopback",
        "loopback6",
    )
    numbers = ("mtu", "buffer_bytes", "adaptive_routing", "unnumbered")
    return {
        **{name: row[name] for name in (*same, *numbers)},
        "site": what.site,
        "roce": None if row["priority"] is None else Roce(**{c: row[c] for c in ROCE}),
        "asn": row["asn"] if any(not p.below for p in ports) else None,
        "management": managed,
        "bridge": bridge,
        "ports": ports,
        "spare": spare,
        "announced": tuple(row["announced"] or ()),
        "announced6": tuple(row["announced6"] or ()),
        "accepted": BLOCKS[block],
        "accepted6": tuple(f"{what.prefix6}{end}" for end in BLOCKS6[block]) if what.prefix6 else (),
    }


def views(what: Told) -> Iterator[SwitchView]:
    """Told -> the view of every switch, in the order of devices."""
    parts = _spares(what.cages)
    seen: dict[tuple[str, tuple[tuple[int, int, int], ...]], tuple[SpareView, ...]] = {}
    mine: dict[int, list[PortView]] = {}
    for box, *rest in what.ports.iter_rows():
        mine.setdefault(box, []).append(PortView(*rest))
    for row in what.boxes.iter_rows(named=True):
        ports = tuple(mine.pop(row["box"], ()))
        key = (row["product"], tuple((p.cage, p.lane_group, p.lane_groups) for p in ports))
        if key not in seen:
            seen[key] = _spare(parts.get(row["product"], {}), ports)
        yield SwitchView(servers=what.servers, **_view(what, row, ports, seen[key]))
