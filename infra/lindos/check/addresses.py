"""Rules of addresses, out-of-band reach and BGP autonomous systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue import Switch
from lindos.check.rule import Broken, broken
from lindos.check.view import IPV4, IPV6, port_name
from lindos.plan.address import TRAINING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import Family, View

PRIVATE_ASNS = (4_200_000_000, 4_294_967_294)
"""4-byte private use, RFC 6996."""


def an_address_is_used_once(view: View) -> Iterator[Broken]:
    """No two ports of the site have the same address, in whatever fabric, and every address is one.

    Source: RFC 1122, section 3.2.1.3; a doubled address is found by the job that hangs.
    What to do: report this, addresses follow from coordinates and cannot meet.
    """
    hint = "addresses follow from coordinates; two that meet are a fault of the address plan"
    for family, frame in view.families:
        bad = frame.filter(pl.col("ip").is_null()).with_columns(subject=port_name())
        of = f"'{{}}' is no {family.name} address" + (" of the site's prefix" if family is IPV6 else "")
        yield broken("texts that are no address", bad, "subject", pl.format(of, "address"), hint)
        twice = frame.filter(pl.col("ip").is_duplicated() & pl.col("ip").is_not_null())
        held = twice.group_by("address").agg(n=pl.len(), who=port_name().sort().head(4).str.join(", "))
        yield broken(
            "addresses in use more than once", held, "address", pl.format("stands at {} ports: {}", "n", "who"), hint
        )


def a_gateway_is_the_neighbour_in_the_same_prefix(view: View) -> Iterator[Broken]:
    """A gateway lies in the prefix of its port, is another address than the port's, and some switch has it.

    A NIC's gateway is the leaf port at the other end of its cable; a management port's is the bridge of its access
    switch.
    Source: RFC 3021; a /31 for each rail NIC leaves no ARP between rails to get wrong.
    What to do: report this, gateways follow from the prefix.
    """
    for _, frame in view.families:
        yield from _gateways(view, frame)


def _gateways(view: View, addresses: pl.DataFrame) -> Iterator[Broken]:
    """The same of one family."""
    hint = "the gateway is the switch at the other end of the cable, in the same prefix"
    with_gate = addresses.filter(pl.col("gateway").is_not_null()).with_columns(subject=port_name())
    outside = ~pl.col("gate").is_between("first", "last")
    wrong = with_gate.filter(outside | pl.col("gate").is_null() | (pl.col("gate") == pl.col("ip")))
    yield broken(
        "gateways outside their prefix",
        wrong,
        "subject",
        pl.format("gateway {} is no neighbour of {}/{}", "gateway", "address", "prefix_len"),
        hint,
    )
    has = addresses.filter(pl.col("purpose") == "gateway").select("device", "ip")
    links = view.links.select(at="a_at", peer="b_device")
    frame = with_gate.join(wrong, on="at", how="anti").join(links, on="at", how="left")
    frame = frame.join(has.select(gate="ip", owner="device"), on="gate", how="left")
    orphan = frame.filter(pl.col("owner").ne_missing(pl.col("peer")))
    yield broken(
        "gateways that the switch at the other end does not have",
        orphan,
        "subject",
        pl.format(
            "gateway {} belongs to {}, the cable leads to {}",
            "gateway",
            pl.col("owner").cast(pl.String).fill_null("no switch"),
            pl.col("peer").cast(pl.String).fill_null("nothing"),
        ),
        hint,
    )


def prefixes_do_not_overlap(view: View) -> Iterator[Broken]:
    """Two prefixes of the site are the same or have no address in common.

    A /31 inside a management /26, or a loopback inside a rail segment, is routed twice.
    Source: the address plan of plan/address.py, whose fields are sized so that blocks cannot run into each other.
    What to do: report this, every block has its own field.
    """
    for family, frame in view.families:
        yield from _overlaps(family, frame)


def _overlaps(family: Family, addresses: pl.DataFrame) -> Iterator[Broken]:
    """The same of one family."""
    prefix = ["first", "last"]
    frame = addresses.select(prefix).drop_nulls().sort("first", "last", descending=[False, True])
    reach = pl.col("last").cum_max()
    before = frame.with_columns(
        in_last=reach.shift(), in_first=pl.when(pl.col("last") == reach).then("first").forward_fill().shift()
    )
    same = (pl.col("first") == pl.col("in_first")) & (pl.col("last") == pl.col("in_last"))
    clash = before.filter((pl.col("first") <= pl.col("in_last")) & ~same).unique()
    width = (pl.col("last") - pl.col("first") + 1).log(2).round().cast(pl.Int64)
    clash = clash.with_columns(prefix_len=family.bits - width)
    who = addresses.join(
        pl.concat([clash.select(prefix), clash.select(first="in_first", last="in_last")]), on=prefix, how="semi"
    )
    who = who.group_by(prefix).agg(who=port_name().sort().first())
    around = who.rename({"first": "in_first", "last": "in_last", "who": "other"})
    clash = clash.join(who, on=prefix).join(around, on=["in_first", "in_last"])
    yield broken(
        "prefixes that overlap with another",
        clash,
        "who",
        pl.format("its /{} overlaps with a prefix of {}", "prefix_len", "other"),
        "blocks of the address plan must not run into each other",
    )


def both_ends_of_a_link_share_its_prefix(view: View) -> Iterator[Broken]:
    """A routed link has a /31 of its own with one address at each end; a management port is in its switch's prefix.

    A link between switches of a fabric with `bgp: unnumbered` has no address at either end.
    Source: RFC 3021; RFC 8950 for links without.
    What to do: report this, both addresses follow from the link.
    """
    for family, addresses in view.families:
        yield from _ends(view, family, view.addressed_links if family is IPV4 else view.addressed(addresses))


def _ends(view: View, family: Family, links: pl.DataFrame) -> Iterator[Broken]:
    """The same of one family."""
    odd = links.filter("bare", pl.col("a_ip").is_not_null() | pl.col("b_ip").is_not_null())
    yield broken(
        "links with an address in a fabric that is unnumbered",
        odd,
        "link",
        pl.format("fabric {} is unnumbered, but this link has an address", "fabric"),
        "either every link between its switches is numbered or none",
    )
    frame = links.filter(~pl.col("bare"))
    hint = f"one /{family.link} a link, one address an end"
    bare = frame.filter(pl.col("a_ip").is_null() | pl.col("b_ip").is_null(), view.routed)
    far = pl.format("{}:{}", pl.col("b_device").cast(pl.String), pl.col("b_place").cast(pl.String))
    which = pl.when(pl.col("a_ip").is_null()).then(port_name("a_")).otherwise(far)
    yield broken("links without an address at both ends", bare, "link", pl.format("{} has no address", which), hint)
    apart = (pl.col("a_first") != pl.col("b_first")) | (pl.col("a_prefix_len") != pl.col("b_prefix_len"))
    wide = ~pl.col("managed") & (pl.col("a_prefix_len") != family.link)
    torn = frame.filter(apart | wide)
    yield broken(
        "links whose ends are in different prefixes",
        torn,
        "link",
        pl.format(
            "expected one {} for both ends; {} is in a /{} and {} in a /{}, not the same",
            pl.when("managed").then(pl.lit("prefix")).otherwise(pl.lit(f"/{family.link}")),
            port_name("a_"),
            "a_prefix_len",
            far,
            "b_prefix_len",
        ),
        hint,
    )


def a_rail_keeps_to_its_own_prefix(view: View) -> Iterator[Broken]:
    """All addresses of a rail lie in one /12 (in IPv6 one /108) and no other rail is in it.

    Hosts route a rail's prefix out of that rail's NIC; an address in another rail's prefix leaves by the wrong NIC and
    crosses the spine.
    Source: the address plan of plan/address.py; a host needs a route and a rule for each NIC.
    What to do: report this, the rail is a field of the address.
    """
    for family, addresses in view.families:
        yield from _rails(view, family, addresses)


def _rails(view: View, family: Family, addresses: pl.DataFrame) -> Iterator[Broken]:
    """The same of one family."""
    rails = view.links.filter(TRAINING, pl.col("tier") == "node_leaf").select("rail", at="a_at")
    frame = addresses.filter(pl.col("purpose") == "rail").join(rails, on="at")
    frame = frame.with_columns(block=pl.col("ip") // 2 ** (family.bits - family.rail))
    usual = (
        frame.group_by("rail", "block")
        .len()
        .sort("len", "block", descending=[True, False])
        .unique("rail", keep="first")
        .select("rail", usual="block")
    )
    off = frame.join(usual, on="rail").filter(pl.col("block") != pl.col("usual")).with_columns(subject=port_name())
    hint = "the rail is a field of the address"
    yield broken(
        "rail addresses outside the prefix of their rail",
        off,
        "subject",
        pl.format("{} of rail {} is not in the /{} of that rail", "address", "rail", pl.lit(family.rail)),
        hint,
    )
    shared = usual.group_by("usual").agg(n=pl.len(), rails=pl.col("rail").sort().cast(pl.String).str.join(", "))
    shared = shared.filter(pl.col("n") > 1).with_columns(subject=pl.lit(view.plan.site))
    yield broken(
        "prefixes with several rails", shared, "subject", pl.format("rails {} share one prefix", "rails"), hint
    )


def _without_management(view: View) -> list[str]:
    """Switches of InfiniBand that have no port for management: their subnet manager tells them all, in band."""
    mine = view.plan.devices.filter(~view.routed, pl.col("kind") == "switch")["product"].unique().sort()
    known = [p for p in mine if view.catalogue.kind(p) == "switch"]
    return [p for p in known if view.catalogue.get(Switch, p).mgmt_ports == 0]


def every_device_is_reached_out_of_band(view: View) -> Iterator[Broken]:
    """Every node has a BMC and a management port on the management network, every other device a management port.

    What cannot be reached when its fabric is down cannot be powered, installed or looked at. An access switch of the
    management network is reached by the gateway that it carries, an externally managed switch of InfiniBand in band.
    Source: the management network of NVIDIA's DGX SuperPOD reference architectures (BMCs, switch management, CDUs).
    What to do: give `bmc_ports` and `host_mgmt_ports` of the product, if it has them.
    """
    wanted = (
        view.plan.devices.lazy()
        .with_columns(
            purpose=pl.when(pl.col("kind") == "node")
            .then(["bmc", "mgmt"])
            .when((pl.col("fabric") == "oob") & (pl.col("role") == "leaf"))
            .then(["gateway"])
            .otherwise(["mgmt"]),
        )
        .filter(~pl.col("product").is_in(_without_management(view)))
        .select("device", "product", "purpose")
        .explode("purpose")
    )
    has = view.plan.addresses.lazy().select("device", pl.col("purpose").cast(pl.String)).unique()
    lost = wanted.join(has, on=["device", "purpose"], how="anti").collect()
    words = {"bmc": "address for its BMC", "mgmt": "management address", "gateway": "gateway for its ports"}
    what = pl.col("purpose").replace_strict(words, return_dtype=pl.String)
    yield broken(
        "devices that are not reached out of band",
        lost,
        "device",
        pl.format("{} has no {}", "product", what),
        "give the product its management ports: assumptions: facts: {bmc_ports: 1, host_mgmt_ports: 1}",
    )


def every_leaf_has_an_autonomous_system_of_its_own(view: View) -> Iterator[Broken]:
    """Every switch with a routed link has a private 4-byte ASN, and no two leaves have the same.

    Source: RFC 7938, section 5.2.1 (an ASN for each leaf); RFC 6996 (private range).
    What to do: report this, the ASN follows from the leaf's number.
    """
    hint = "one ASN a leaf, from the private 4-byte range"
    routed = view.addresses.filter(pl.col("purpose").is_in(["link", "loopback"])).select("device").unique()
    frame = view.switches.join(routed, on="device", how="semi")
    none = frame.filter(pl.col("asn").is_null())
    yield broken("switches without an ASN", none, "device", pl.lit("takes part in routing, but has no ASN"), hint)
    public = frame.filter(~pl.col("asn").is_between(*PRIVATE_ASNS))
    told = pl.format(f"ASN {{}} is not in the private range {PRIVATE_ASNS[0]} to {PRIVATE_ASNS[1]}", "asn")
    yield broken("switches with a public ASN", public, "device", told, hint)
    leaves = (
        frame.filter(role="leaf")
        .group_by("asn")
        .agg(n=pl.len(), who=pl.col("device").cast(pl.String).sort().head(4).str.join(", "))
    )
    same = leaves.filter((pl.col("n") > 1) & pl.col("asn").is_not_null()).with_columns(subject=pl.format("AS{}", "asn"))
    yield broken("ASNs with several leaves", same, "subject", pl.format("{} leaves have it: {}", "n", "who"), hint)


def no_path_meets_an_autonomous_system_twice(view: View) -> Iterator[Broken]:
    """On the way leaf, spine, core, spine, leaf no ASN comes twice, because BGP drops a route that has its own in it.

    So the ends of a link differ, tiers share none, and two pods below one core have spines of different ASNs. The
    spines of one pod may share theirs: no path takes two of them.
    Source: RFC 4271, section 9.1.2 (loops in AS_PATH); RFC 7938, section 5.2.1.
    What to do: report this, ASNs follow from tier, pod and leaf.
    """
    hint = "one ASN a leaf, one for the spines of a pod, one for the cores of a fabric"
    links = view.between_switches
    loop = links.filter(pl.col("a_asn") == pl.col("b_asn"))
    yield broken(
        "links inside one AS",
        loop,
        "link",
        pl.format(
            "both {} and {} are AS{}", pl.col("a_device").cast(pl.String), pl.col("b_device").cast(pl.String), "a_asn"
        ),
        hint,
    )
    tiers = (
        view.switches.drop_nulls("asn")
        .group_by("asn")
        .agg(
            n=pl.struct("fabric", "role").n_unique(),
            who=pl.col("device").cast(pl.String).sort().head(4).str.join(", "),
        )
    )
    across = tiers.filter(pl.col("n") > 1).with_columns(subject=pl.format("AS{}", "asn"))
    yield broken(
        "ASNs in several tiers", across, "subject", pl.format("stands in {} tiers or fabrics: {}", "n", "who"), hint
    )
    below = links.filter(pl.col("tier") == "spine_core", view.routed).select("b_device", "a_asn", "a_home").unique()
    met = below.group_by("b_device", "a_asn").agg(pods=pl.col("a_home").sort()).filter(pl.col("pods").list.len() > 1)
    yield broken(
        "cores that join pods of one ASN",
        met,
        "b_device",
        pl.format(
            "AS{} is that of the spines of pods {}, which reach each other here only",
            "a_asn",
            pl.col("pods").list.head(4).list.join(", "),
        ),
        hint,
    )
