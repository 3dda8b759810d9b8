"""A plan as the rules look at it: its tables, and the joins that several rules share, made once.

Names of devices and ports are categorical here, and a port is one number (`at`): a hundred thousand GPUs have a
million ends of links and addresses, and joins over pairs of strings would take most of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lindos.catalogue import Catalogue, load_catalogue
from lindos.plan.address import RAIL_PREFIX_LEN, TRAINING
from lindos.plan.address6 import RAIL_PREFIX_LEN6
from lindos.plan.feed import banks
from lindos.plan.outage import Train
from lindos.spec.load import assumed_products

if TYPE_CHECKING:
    from lindos.check.loadflow import Hall
    from lindos.plan.tables import Plan
    from lindos.spec.model import Spec

NAME = pl.Categorical
FLOW = {
    "power_node": pl.String, "kind": pl.String, "amps": pl.Float64, "loading_pct": pl.Float64, "loss_w": pl.Float64,
    "drop_pct": pl.Float64, "branch_pct": pl.Float64, "total_pct": pl.Float64, "hall": pl.String, "lost": pl.String,
    "load": pl.String,
}  # fmt: skip
FAULT = {"power_node": pl.String, "kind": pl.String, "most_ka": pl.Float64, "least_ka": pl.Float64}


def number(address: pl.Expr) -> pl.Expr:
    """Dotted quads -> numbers; null where the text is none."""
    part = address.str.split_exact(".", 3).struct
    a, b, c, d = (part.field(f"field_{i}").cast(pl.Int64, strict=False) for i in range(4))
    return a * 2**24 + b * 2**16 + c * 2**8 + d


def number6(address: pl.Expr, prefix: str) -> pl.Expr:
    """Texts of IPv6 addresses -> their numbers in a site's prefix; null where the text is no such address."""
    form = rf"^{prefix}:([0-9a-f]{{1,4}})::(?:([1-9a-f][0-9a-f]{{0,3}}):)?([0-9a-f]{{1,4}})?$"
    subnet, high, low = (address.str.extract(form, group) for group in (1, 2, 3))
    parts = (part.str.to_integer(base=16, strict=False) for part in (subnet, high.fill_null("0"), low.fill_null("0")))
    a, b, c = parts
    return a * 2**32 + b * 2**16 + c


class Family(NamedTuple):
    """A family of addresses: its width, and the lengths of the prefixes of a link and of a rail."""

    name: str
    bits: int
    link: int
    rail: int


IPV4 = Family("IPv4", 32, 31, RAIL_PREFIX_LEN)
IPV6 = Family("IPv6", 128, 127, RAIL_PREFIX_LEN6)


def at(device: str, port: str) -> pl.Expr:
    """Two columns of names -> one number for a port, the same in all frames of this process."""
    return pl.col(device).to_physical().cast(pl.UInt64) * 2**32 + pl.col(port).to_physical().cast(pl.UInt64)


def port_name(end: str = "") -> pl.Expr:
    """Columns `device` and `port` (or `a_device`, `a_port`) -> device:port."""
    return pl.format("{}:{}", pl.col(f"{end}device").cast(pl.String), pl.col(f"{end}port").cast(pl.String))


@dataclass(frozen=True)
class View:
    """The plan and, where it is at hand, the site file: what was asked for is written there only."""

    plan: Plan
    spec: Spec | None = None
    halls: tuple[str, ...] | None = None
    """Halls whose load flow is asked for; None for all."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """Products, with the assumptions of the site where the site file is at hand."""
        return load_catalogue(assumed_products(self.spec) if self.spec else None)

    @cached_property
    def devices(self) -> pl.DataFrame:
        """The devices of the plan, by categorical name."""
        return self.plan.devices.with_columns(pl.col("device").cast(NAME))

    @cached_property
    def switches(self) -> pl.DataFrame:
        """Switches by coordinates: device, fabric, role, unit, plane, asn, `nth` (number in its pod, unit or group)
        and `home`: pod of a spine, group of a core, with the plane where there are several.
        """
        name = pl.col("device").cast(pl.String)
        frame = self.devices.filter(pl.col("kind") == "switch").select(
            "device",
            "fabric",
            "role",
            "unit",
            "plane",
            nth=name.str.extract(r"(\d+)$").cast(pl.Int64),
            home=pl.when(pl.col("role") != "leaf").then(name.str.extract(r"-([pg]\d+(?:-pl\d+)?)-(?:spine|core)\d+$")),
        )
        asns = self.plan.asns.with_columns(pl.col("device").cast(NAME))
        return frame.join(asns, on="device", how="left", maintain_order="left")

    @cached_property
    def links(self) -> pl.DataFrame:
        """The links of the plan with what is known of their cable (null where the plan lacks it, as `cable_fabric`),
        and `a_at`, `b_at` for the ports at both ends.
        """
        frame = self.plan.links.with_columns(pl.col("a_device", "a_port", "b_device", "b_port").cast(NAME))
        facts = ["medium", "product", "bundle", "a_part", "b_part", "route_mm", "length_mm"]
        cables = self.plan.cables.select("cable", *facts, cable_fabric="fabric")
        return frame.join(cables, on="cable", how="left", maintain_order="left").with_columns(
            a_at=at("a_device", "a_port"), b_at=at("b_device", "b_port")
        )

    @cached_property
    def routed(self) -> pl.Expr:
        """Whether the `fabric` of a row is routed: InfiniBand has no addresses, no AS numbers and no sessions."""
        ours = self.plan.fabrics.filter(pl.col("link_layer") == "infiniband")["fabric"].to_list()
        return ~pl.col("fabric").is_in(ours)

    @cached_property
    def between_switches(self) -> pl.DataFrame:
        """Links between switches with number, home, ASN, plane of both ends: a_nth, a_home, a_asn, a_on, b_nth, ..."""
        frame = self.links.filter(pl.col("tier") != "node_leaf")
        facts = self.switches.select("device", "nth", "home", "asn", on="plane")
        for end in ("a", "b"):
            mine = facts.rename({c: f"{end}_{c}" for c in facts.columns})
            frame = frame.join(mine, on=f"{end}_device", how="left", maintain_order="left")
        return frame

    @cached_property
    def rail_links(self) -> pl.DataFrame:
        """Links of rail NICs: link, rail, plane, node and its unit, leaf with its unit, plane and number in it, whether
        it is one of the fabric.
        """
        links = self.links.filter(TRAINING, pl.col("tier") == "node_leaf")
        frame = links.select("link", "fabric", "rail", "plane", "a_port", node="a_device", leaf="b_device")
        nodes = self.devices.select("unit", node="device")
        leaves = self.devices.select(
            leaf="device",
            on_leaf=(pl.col("role") == "leaf") & TRAINING.fill_null(value=False),
            leaf_unit="unit",
            leaf_plane="plane",
            leaf_nth=pl.col("device").cast(pl.String).str.extract(r"leaf(\d+)$").cast(pl.Int64),
        )
        return frame.join(nodes, on="node", how="left", maintain_order="left").join(
            leaves, on="leaf", how="left", maintain_order="left"
        )

    @cached_property
    def ports(self) -> pl.DataFrame:
        """The ports of the plan with `at`, and `socket`: one number for a cage of a device."""
        frame = self.plan.ports.with_columns(pl.col("device", "port", "form").cast(NAME))
        socket = pl.col("device").to_physical().cast(pl.UInt64) * 2**20 + pl.col("cage").cast(pl.UInt64)
        return frame.with_columns(at=at("device", "port"), socket=socket)

    @cached_property
    def ends(self) -> pl.DataFrame:
        """Both ends of every link: device, port, at, link, rate_gbps, medium, product, part, and the cage, lane groups,
        form and socket of the port (null where the plan lacks the port).
        """
        said = ["link", "rate_gbps", "medium", "product"]
        both = pl.concat(
            self.links.select(*said, device=f"{e}_device", port=f"{e}_port", at=f"{e}_at", part=f"{e}_part")
            for e in ("a", "b")
        )
        cages = self.ports.select("at", "cage", "lane_group", "lane_groups", "form", "socket")
        if len(both) == len(cages) and both["at"].equals(cages["at"]):
            return pl.concat([both, cages.drop("at")], how="horizontal")  # as a plan lists them: no need to search
        return both.join(cages, on="at", how="left", maintain_order="left")

    @cached_property
    def addresses(self) -> pl.DataFrame:
        """Addresses with `ip`, `first` and `last` of their prefix and `gate`, the gateway, as numbers, and `at`."""
        size = pl.lit(2, dtype=pl.Int64).pow(32 - pl.col("prefix_len").cast(pl.Int64))
        return (
            self.plan.addresses.lazy()
            .with_columns(pl.col("device", "port").cast(NAME))
            .with_columns(
                ip=number(pl.col("address")), gate=number(pl.col("gateway")), size=size, at=at("device", "port")
            )
            .with_columns(first=pl.col("ip") // pl.col("size") * pl.col("size"))
            .with_columns(last=pl.col("first") + pl.col("size") - 1)
            .drop("size")
            .collect()
        )

    @cached_property
    def addresses6(self) -> pl.DataFrame:
        """The addresses of IPv6, in the columns of `addresses`; numbers are those in the site's prefix, of a /64 and
        an address in it at 32 bits each, null where the text is no such address.
        """
        of = {"address6": "address", "prefix_len6": "prefix_len", "gateway6": "gateway"}
        frame = self.plan.addresses.filter(pl.col("address6").is_not_null()).drop(list(of.values())).rename(of)
        heads = pl.col("address").str.extract(r"^(fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}):")
        prefix = frame.select(heads.mode().sort().first().alias("head"))["head"].item() if len(frame) else None
        size = pl.lit(2, dtype=pl.Int64).pow((128 - pl.col("prefix_len").cast(pl.Int64)).clip(0, 32))
        return (
            frame.with_columns(pl.col("device", "port").cast(NAME))
            .with_columns(
                ip=number6(pl.col("address"), prefix or ""),
                gate=number6(pl.col("gateway"), prefix or ""),
                size=size,
                at=at("device", "port"),
            )
            .with_columns(first=pl.col("ip") // pl.col("size") * pl.col("size"))
            .with_columns(last=pl.col("first") + pl.col("size") - 1)
            .drop("size")
        )

    @cached_property
    def families(self) -> list[tuple[Family, pl.DataFrame]]:
        """The families of addresses that the site has, each with its addresses."""
        return [(IPV4, self.addresses), *([(IPV6, self.addresses6)] if len(self.addresses6) else [])]

    @cached_property
    def addressed_links(self) -> pl.DataFrame:
        """`addressed` in IPv4."""
        return self.addressed(self.addresses)

    def addressed(self, addresses: pl.DataFrame) -> pl.DataFrame:
        """Links with address, first of prefix and length of both ends (a_ip, a_first, a_prefix_len, b_...), null
        where there is none; `managed` links end on a bridge of their access switch, which has one address for all;
        `bare` ones are those between switches of an unnumbered fabric.
        """
        place = addresses.select("at", "ip", "first", "prefix_len")
        if place["at"].n_unique() != len(place):
            place = place.sort("ip").unique("at", keep="first")
        managed = (pl.col("fabric") == "oob") & (pl.col("tier") == "node_leaf")
        bare = self.plan.fabrics.filter("unnumbered")["fabric"].implode()
        frame = self.links.with_columns(
            managed=managed,
            bare=pl.col("fabric").is_in(bare) & (pl.col("tier") != "node_leaf"),
            b_place=pl.when(managed).then(pl.lit("br-oob").cast(NAME)).otherwise("b_port"),
        )
        frame = frame.with_columns(b_at=at("b_device", "b_place"))
        for end in ("a", "b"):
            mine = place.rename({c: f"{end}_{c}" for c in place.columns})
            frame = frame.join(mine, on=f"{end}_at", how="left", maintain_order="left")
        return frame

    @cached_property
    def feeds(self) -> list[str]:
        """Feeds of the power tree, in order."""
        return self.plan.power_nodes["feed"].drop_nulls().unique().sort().to_list()

    @cached_property
    def cords(self) -> pl.DataFrame:
        """Every cord with what its device draws: device, psu, pdu, feed, nameplate_w, psus, psu_rating_w, busbar, ...
        and its bank: what hangs on the same supplies, with their sum of watts.
        """
        cords = self.plan.power_connections.drop("slice")
        draws = self.plan.loads.drop("typical_w", "liquid_w").join(banks(self.plan.loads), on="device", how="left")
        return cords.join(draws, on="device", how="left", maintain_order="left")

    @cached_property
    def train(self) -> Train:
        """The power train, to ask what is lost when parts of it are."""
        plan = self.plan
        return Train(plan.power_nodes, plan.power_edges, plan.power_connections, plan.loads)

    @cached_property
    def outages(self) -> pl.DataFrame:
        """The loss of every part between the sources and the tap boxes -> the banks that lose supplies, as of
        Train.touched; `scenario` is the part that is lost.
        """
        return self.train.touched(self.train.dark(self.train.single_losses))

    @cached_property
    def carried(self) -> pl.DataFrame:
        """Every part of the power train with its nameplate load when all is well (`lost` is null), and in the worst
        loss of another part that raises it: power_node, kind, feed, capacity_w, lost, load_w.
        """
        parts = self.plan.power_nodes.select("power_node", "kind", "feed", "capacity_w")
        loads = self.plan.power_loads.select("power_node", "nameplate_w")
        return self.train.worst(loads, "nameplate_w").join(parts, on="power_node")

    @cached_property
    def halls_flows(self) -> tuple[Hall, ...]:
        """Load flow and short circuits hall by hall; none without the site file. Takes seconds a hall."""
        from lindos.check.loadflow import load_flow  # noqa: PLC0415  # only what asks for it waits for pandapower

        if self.spec is None:
            return ()
        have = self.plan.power_nodes["hall"].drop_nulls().unique().implode()
        wanted = self.plan.halls.filter(pl.col("hall").is_in(have))["hall"].to_list()
        chain = self.spec.power.chain
        names = [h for h in wanted if self.halls is None or h in self.halls]
        return tuple(load_flow(self.plan, self.train, chain, hall) for hall in names)

    @cached_property
    def flows(self) -> pl.DataFrame:
        """Parts in every load flow at nameplate: what `Flow.parts` says, hall, lost, load."""
        flows = [f for h in self.halls_flows for f in h.flows if f.load == "nameplate"]
        frames = [
            f.parts.with_columns(hall=pl.lit(f.hall), lost=pl.lit(f.lost, dtype=pl.String), load=pl.lit(f.load))
            for f in flows
        ]
        return pl.concat([pl.DataFrame(schema=FLOW), *frames], how="diagonal")

    @cached_property
    def faults(self) -> pl.DataFrame:
        """Short circuits of all halls: power_node, kind, most_ka, least_ka."""
        return pl.concat([pl.DataFrame(schema=FAULT), *(h.faults for h in self.halls_flows)])
