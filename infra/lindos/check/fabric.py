"""Rules of the fabrics: rails, striping, ports, uplinks, oversubscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.check.rule import Broken, broken, not_evaluated, one
from lindos.check.view import NAME, port_name
from lindos.finding import Severity
from lindos.plan.address import TRAINING
from lindos.plan.ratios import ratios

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View
    from lindos.spec.model import FrontendFabric, RdmaFabric

_SAME = 1e-9
"""Ratios closer than this are equal."""


def every_rail_port_is_on_one_leaf_port(view: View) -> Iterator[Broken]:
    """The rail port beside each GPU has exactly one link in each plane, and that ends on a leaf of a training fabric.

    A GPU without its own way into the fabric holds up every job that spans nodes: all-reduce runs at the pace of
    the slowest rail.
    Source: the rail-optimised fabrics of NVIDIA's DGX SuperPOD reference architectures.
    What to do: complete the links of the rail ports named, in plan/wire.py or in the fleet's `rails`.
    """
    wanted = view.plan.gpus.lazy().select("rail", "unit", node=pl.col("device").cast(NAME)).unique()
    wanted = wanted.join(_planes(view).lazy(), on="unit", how="left").with_columns(pl.col("planes").fill_null(1))
    wanted = wanted.with_columns(plane=pl.int_ranges(0, "planes", dtype=pl.UInt8)).explode("plane")
    seen = view.rail_links.lazy().group_by("node", "rail", "plane").agg(n=pl.len(), leaves=pl.col("on_leaf").sum())
    frame = wanted.join(seen, on=["node", "rail", "plane"], how="left").with_columns(pl.col("n", "leaves").fill_null(0))
    frame = frame.filter((pl.col("n") != 1) | (pl.col("leaves") != 1))
    lost = frame.with_columns(port=pl.format("{}:{}", "node", _rail_port())).collect()
    hint = "every rail NIC takes one cable to one port of a rail leaf"
    none = lost.filter(pl.col("n") == 0)
    yield broken(
        "rail ports without a link", none, "port", pl.lit("expected one link to a leaf, the plan has none"), hint
    )
    many = lost.filter(pl.col("n") > 1)
    yield broken(
        "rail ports with several links",
        many,
        "port",
        pl.format("expected one link to a leaf, the plan has {}", "n"),
        hint,
    )
    astray = lost.filter(pl.col("n") == 1)
    yield broken(
        "rail ports that end on no leaf", astray, "port", pl.lit("its link ends on a device that is no leaf"), hint
    )


def _planes(view: View) -> pl.DataFrame:
    """Unit -> `planes` of the training fabric that it is on, as many as its leaves have."""
    leaves = view.switches.filter(TRAINING, role="leaf").with_columns(pl.col("plane").fill_null(0))
    return leaves.group_by("unit").agg(planes=pl.col("plane").max().cast(pl.Int64) + 1)


def _rail_port() -> pl.Expr:
    """rail, plane, planes -> rail0, or rail0p1 where a NIC has several planes."""
    several = pl.format("rail{}p{}", "rail", "plane")
    return pl.when(pl.col("planes") > 1).then(several).otherwise(pl.format("rail{}", "rail"))


def _rails_per_leaf(view: View, links: pl.DataFrame) -> pl.Expr:
    """As the site file says; where it leaves that open, rails share a leaf only if one takes the whole unit.

    Without the site file it is what most leaves carry.
    """
    if view.spec is None:
        each = links.group_by("leaf").agg(rails=pl.col("rail").n_unique())["rails"]
        return pl.lit(int(each.mode().sort()[0]) if len(each) else 1, dtype=pl.Int64)
    stated = {name: fabric.rails_per_leaf for name, fabric in view.spec.fabrics.training.items()}
    said = pl.col("fabric").replace_strict(stated, default=None, return_dtype=pl.Int64)
    return pl.coalesce(said, (pl.col("rails") // pl.col("leaves")).cast(pl.Int64).clip(lower_bound=1))


def rail_i_is_on_leaf_i_of_its_own_unit(view: View) -> Iterator[Broken]:
    """Rail i of every node goes to the leaf of rail i in the node's own unit, whatever other rails that leaf carries.

    Same-rail traffic then takes one hop, and NVLink carries what crosses rails (PXN). A swapped pair of rails works
    and costs half the bandwidth of the unit.
    Leaf n of a unit with L leaves in a plane, r rails and k rails a leaf serves the rails n // (L k / r) * k and the
    k - 1 after.
    Source: the rail-optimised fabrics of NVIDIA's DGX SuperPOD reference architectures; NCCL's PXN.
    What to do: put the rail back on its leaf; look for two rails that changed places.
    """
    links = view.rail_links.filter("on_leaf")
    per_leaf = _rails_per_leaf(view, links)
    hint = "rail i belongs to leaf i of the unit that the node stands in"
    abroad = links.filter(pl.col("leaf_unit").ne_missing(pl.col("unit")))
    yield broken(
        "rail links to a leaf of another unit",
        abroad,
        "link",
        pl.format(
            "ends on {} of unit {}, its node is of unit {}", "leaf", pl.col("leaf_unit").fill_null("none"), "unit"
        ),
        hint,
    )
    leaves = view.switches.filter(TRAINING, role="leaf").group_by("unit").agg(leaves=pl.col("nth").n_unique())
    rails = view.plan.gpus.group_by("unit").agg(rails=pl.col("rail").n_unique())
    home = links.filter(pl.col("leaf_unit") == pl.col("unit")).join(leaves, on="unit").join(rails, on="unit")
    shared = pl.col("shared")
    home = home.with_columns(pl.col("rail", "leaves", "rails").cast(pl.Int64)).with_columns(shared=per_leaf)
    alike = (pl.col("leaves") * shared // pl.col("rails")).clip(lower_bound=1)
    swapped = home.with_columns(serves=pl.col("leaf_nth") // alike * shared)
    swapped = swapped.filter(pl.col("rail") // shared * shared != pl.col("serves"))
    several = pl.format("rails {} to {}", "serves", pl.col("serves") + shared - 1)
    serves = pl.when(shared > 1).then(several).otherwise(pl.format("rail {}", "serves"))
    yield broken(
        "rail links on the leaf of another rail",
        swapped,
        "link",
        pl.format("rail {} ends on {}, which serves {}", "rail", "leaf", serves),
        hint,
    )
    named = links.join(_planes(view), on="unit", how="left").with_columns(pl.col("planes").fill_null(1))
    named = named.filter(pl.col("a_port").cast(pl.String) != _rail_port())
    yield broken(
        "rail links out of a port of another name",
        named,
        "link",
        pl.format("is of rail {}, but leaves the node by port {}", "rail", "a_port"),
        hint,
    )


def _pairs(view: View, tier: str, below: str, above: str) -> pl.DataFrame:
    """Every (lower, upper) switch that should be or is joined at a tier: fabric, home, a_device, b_device, n, usual.

    `home` is the pod or group of the lower switch, which is that of most of its links; `usual` the number of links
    that most pairs of this home have.
    """
    links = view.between_switches.lazy().filter(pl.col("tier") == tier)
    count = links.group_by("fabric", "a_device", "b_device", "b_home").agg(n=pl.len())
    mine = (
        count.group_by("fabric", "a_device", "b_home")
        .agg(pl.col("n").sum())
        .sort("n", "b_home", descending=[True, False])
        .unique(["fabric", "a_device"], keep="first", maintain_order=True)
        .select("fabric", "a_device", home="b_home")
    )
    switches = view.switches.lazy()
    lower = (
        switches.filter(pl.col("role") == below)
        .select("fabric", a_device="device")
        .join(mine, on=["fabric", "a_device"])
    )
    upper = switches.filter(pl.col("role") == above).select("fabric", "home", b_device="device")
    wanted = lower.join(upper, on=["fabric", "home"])
    frame = wanted.join(
        count.select("a_device", "b_device", "n", "b_home"), on=["a_device", "b_device"], how="full", coalesce=True
    ).with_columns(pl.col("n").fill_null(0))
    usual = (
        frame.filter(pl.col("home").is_not_null())
        .group_by("fabric", "home", "n")
        .agg(pairs=pl.len())
        .sort("pairs", "n", descending=True)
        .unique(["fabric", "home"], keep="first", maintain_order=True)
        .select("fabric", "home", usual="n")
    )
    return frame.join(usual, on=["fabric", "home"], how="left").collect()


def _uneven(frame: pl.DataFrame, lower: str, upper: str, of: str, hint: str) -> Iterator[Broken]:
    pair = frame.with_columns(
        pair=pl.format("{} to {}", pl.col("a_device").cast(pl.String), pl.col("b_device").cast(pl.String))
    )
    stray = pair.filter(pl.col("home").is_null())
    yield broken(
        f"pairs of a {lower} and a {upper} of another {of}",
        stray,
        "pair",
        pl.format(
            f"{{}} links, but the {upper} belongs to {of} {{}} and the {lower} does not",
            "n",
            pl.col("b_home").fill_null("unknown"),
        ),
        hint,
    )
    other = pair.filter(pl.col("home").is_not_null() & (pl.col("n") != pl.col("usual")))
    yield broken(
        f"pairs of {lower} and {upper} with another number of links than the rest of their {of}",
        other,
        "pair",
        pl.format(f"{{}} links, every other {lower} and {upper} of {of} {{}} has {{}}", "n", "home", "usual"),
        hint,
    )


def leaves_stripe_evenly_over_the_spines_of_their_pod(view: View) -> Iterator[Broken]:
    """Every leaf of a pod has the same number of links to every spine of that pod, and none to spines of another.

    ECMP spreads flows evenly over ports, so an uneven stripe overloads the spine with fewer links and idles the
    others. A last pod with fewer leaves is fine as long as its own pairs are equal.
    Source: folded Clos arithmetic: the spine count must divide the uplinks of a leaf.
    What to do: choose spines that divide the uplinks of a leaf; a missing link shows as one pair with a link less.
    """
    yield from _uneven(
        _pairs(view, "leaf_spine", "leaf", "spine"),
        "leaf",
        "spine",
        "pod",
        "spines must divide the uplinks of a leaf, and every pair takes the same share",
    )


def spines_stripe_evenly_over_the_cores_of_their_group(view: View) -> Iterator[Broken]:
    """Every spine has the same number of links to every core of its group, and spines of one number share a group.

    A group (plane) joins the spines of one number in every pod; only then has each pod a way through each core, and
    traffic between two pods as many paths as the spine has uplinks.
    Source: folded Clos arithmetic: the cores of a group must divide the uplinks of a spine.
    What to do: choose cores that divide the uplinks of a spine, and give every pod its ports on every core.
    """
    frame = _pairs(view, "spine_core", "spine", "core")
    hint = "cores of a group must divide the uplinks of a spine; spine s of every pod belongs to one group"
    yield from _uneven(frame, "spine", "core", "group", hint)
    spines = view.switches.filter(role="spine").select("nth", "plane", a_device="device", pod="home")
    groups = frame.drop_nulls("home").select("fabric", "a_device", "home").unique().join(spines, on="a_device")
    usual = (
        groups.group_by("fabric", "plane", "nth", "home")
        .len()
        .sort("len", "home", descending=[True, False])
        .unique(["fabric", "plane", "nth"], keep="first")
        .select("fabric", "plane", "nth", usual="home")
    )
    torn = groups.join(usual, on=["fabric", "plane", "nth"], nulls_equal=True).filter(pl.col("home") != pl.col("usual"))
    yield broken(
        "spines in another group than the spines of their number in other pods",
        torn,
        "a_device",
        pl.format("is joined to group {}, spine {} of other pods to group {}", "home", "nth", "usual"),
        hint,
    )


def planes_meet_in_no_switch(view: View) -> Iterator[Broken]:
    """A NIC's port of a plane ends on a leaf of that plane, and leaves, spines and cores are joined within theirs.

    Each plane is a network of its own, so that the failure of a switch costs a NIC its share of one plane; a cable
    between two planes lets traffic of one into the other, by ways that nobody counted.
    Source: the twin-plane design of NVIDIA's DGX B300 SuperPOD reference architecture; Alibaba HPN (SIGCOMM 2024).
    What to do: put the link back into its plane; look for two ports of a NIC that changed places.
    """
    hint = "port p of a NIC, its leaf, that leaf's spines and their cores are of one plane"
    astray = view.rail_links.filter(pl.col("on_leaf") & (pl.col("plane") != pl.col("leaf_plane")))
    yield broken(
        "rail links to a leaf of another plane",
        astray,
        "link",
        pl.format("is of plane {}, but ends on {} of plane {}", "plane", "leaf", "leaf_plane"),
        hint,
    )
    across = view.between_switches.filter(pl.col("a_on") != pl.col("b_on"))
    ends = (pl.col(f"{e}_device").cast(pl.String) for e in ("a", "b"))
    yield broken(
        "links between switches of two planes",
        across,
        "link",
        pl.format("joins {} of plane {} with {} of plane {}", next(ends), "a_on", next(ends), "b_on"),
        hint,
    )


def a_port_is_used_once(view: View) -> Iterator[Broken]:
    """Every port carries one link, every end of a link is a port of the plan, and every port of the plan has a link.

    Two links in one port cannot be plugged; a link without a port, or a port without a link, is a hole in the
    schedules that people work from.
    Source: a socket takes one plug.
    What to do: give each link a port of its own.
    """
    hint = "each end of a link needs a port that no other link has"
    ends = view.ends
    lacking = ends.filter(pl.col("cage").is_null()).with_columns(subject=port_name())
    yield broken(
        "ends of links at ports that the plan does not have",
        lacking,
        "subject",
        pl.format("link {} ends here, but there is no such port", "link"),
        hint,
    )
    distinct = ends["at"].n_unique()
    if distinct != len(ends):
        twice = (
            ends.filter(pl.col("at").is_duplicated())
            .group_by("device", "port")
            .agg(n=pl.len(), who=pl.col("link").sort().head(3).str.join(", "))
        )
        yield broken(
            "ports with several links",
            twice.with_columns(subject=port_name()),
            "subject",
            pl.format("carries {} links: {}", "n", "who"),
            hint,
        )
    if distinct - lacking["at"].n_unique() != len(view.ports):
        idle = view.ports.join(ends, on="at", how="anti").with_columns(subject=port_name())
        yield broken(
            "ports without a link", idle, "subject", pl.lit("stands in the plan as used, but no link ends here"), hint
        )


def a_share_of_a_cage_is_used_once(view: View) -> Iterator[Broken]:
    """No two ports share the same lanes of a cage, and a cage is split into no more ports than it has lane groups.

    A 64-cage switch at half the cage speed has 128 ports but 64 sockets: numbering, fault domain and cable plan
    follow the cage.
    Source: port numbering of NVIDIA's SN5600 in SONiC (etp1a, etp1b, ...).
    What to do: number the ports so that each has its own lanes.
    """
    ports = view.ports.with_columns(lanes=pl.col("socket") * 2**8 + pl.col("lane_group"))
    hint = "ports of a cage are its lane groups: a, b, ..., each once"
    cage = pl.format("{} cage {}", pl.col("device").cast(pl.String), "cage")
    if ports["lanes"].n_unique() != len(ports):
        shared = (
            ports.filter(pl.col("lanes").is_duplicated())
            .group_by("lanes")
            .agg(pl.col("device", "cage").first(), who=pl.col("port").cast(pl.String).sort().str.join(", "))
        )
        yield broken(
            "lanes of cages with several ports",
            shared.with_columns(subject=cage),
            "subject",
            pl.format("ports {} use the same lanes", "who"),
            hint,
        )
    over = ports.filter(pl.col("lane_group") >= pl.col("lane_groups")).with_columns(subject=cage)
    yield broken(
        "ports past the lanes of their cage",
        over,
        "subject",
        pl.format("port {} is part {} of a cage split into {}", "port", pl.col("lane_group") + 1, "lane_groups"),
        hint,
    )


def every_uplink_is_an_equal_path(view: View) -> Iterator[Broken]:
    """A leaf or spine reaches the tier above over as many equal paths as it has uplinks: one speed, one session each.

    ECMP takes a path only where a BGP session runs, and treats all alike whatever their speed; so every uplink needs
    an address at both ends (but in a fabric with `bgp: unnumbered`) and the speed of its fellows, and switches of one
    tier the same number of uplinks.
    InfiniBand has no sessions: there its subnet manager balances what is equal in number and speed.
    Source: RFC 7938, section 6 (ECMP over all uplinks of a tier).
    What to do: complete the uplinks of the switch named; sizes follow from radix and oversubscription.
    """
    hint = "switches of one tier take the same number of uplinks, all of one speed, each with a /31"
    links = view.addressed_links.filter(pl.col("tier") != "node_leaf")
    both = pl.col("bare") | (pl.col("a_ip").is_not_null() & pl.col("b_ip").is_not_null())
    per = links.group_by("fabric", "tier", "a_device").agg(
        n=pl.len(),
        width=both.sum(),
        rates=pl.col("rate_gbps").n_unique(),
        low=pl.col("rate_gbps").min(),
        high=pl.col("rate_gbps").max(),
    )
    narrow = per.filter(pl.col("width") != pl.col("n"), view.routed)
    yield broken(
        "switches with uplinks that carry no session",
        narrow,
        "a_device",
        pl.format("{} uplinks, but only {} have an address at both ends", "n", "width"),
        hint,
    )
    mixed = per.filter(pl.col("rates") > 1)
    yield broken(
        "switches with uplinks of different speed",
        mixed,
        "a_device",
        pl.format("uplinks run at {} to {} Gb/s, ECMP takes them as equal", "low", "high"),
        hint,
    )
    odd = _odd_uplinks(view, per)
    yield broken(
        "switches with another number of uplinks than their fellows",
        odd,
        "a_device",
        pl.format("{} uplinks, each other {} of fabric {} has {}", "n", "role", "fabric", "usual"),
        hint,
    )


def _odd_uplinks(view: View, per: pl.DataFrame) -> pl.DataFrame:
    """Switches with uplinks (a_device, n) -> those with another number than most of their tier, none included."""
    tiers = view.links.filter(pl.col("tier") != "node_leaf").select("fabric", "tier").unique()
    tiers = tiers.with_columns(role=pl.col("tier").cast(pl.String).str.split("_").list.first())
    every = view.switches.select("fabric", "role", a_device="device").with_columns(pl.col("role").cast(pl.String))
    every = every.join(tiers, on=["fabric", "role"]).join(per.select("a_device", "n"), on="a_device", how="left")
    every = every.with_columns(pl.col("n").fill_null(0))
    usual = (
        every.group_by("fabric", "role", "n")
        .len()
        .sort("len", "n", descending=True)
        .unique(["fabric", "role"], keep="first", maintain_order=True)
        .select("fabric", "role", usual="n")
    )
    return every.join(usual, on=["fabric", "role"]).filter(pl.col("n") != pl.col("usual"))


def a_fabric_is_no_more_oversubscribed_than_stated(view: View) -> Iterator[Broken]:
    """What hangs below a leaf, by what it has upwards, is at most the oversubscription that the site file states.

    A spine of the training fabric has at most the `spine_oversubscription` stated; others have as much up as down.
    Ports that are kept free for growth do not count until something hangs there.
    Source: 1:1 east-west and 4:1 north-south in NVIDIA's reference architectures; here the site file decides.
    What to do: state what is really wanted, or take fewer endpoints a leaf.
    """
    seen = ratios(view.links, view.devices)
    if view.spec is None:
        fabrics = seen["fabric"].unique().sort().to_list()
        told = [
            (f, "the oversubscription asked for is written in the site file, which is not at hand") for f in fabrics
        ]
        frame = pl.DataFrame(told, schema={"subject": pl.String, "message": pl.String}, orient="row")
        yield not_evaluated("fabrics", frame, "check the site, not the plan alone")
        return
    asked_for = view.spec.fabrics
    every: dict[str, RdmaFabric | FrontendFabric] = {**asked_for.training, **asked_for.north_south}
    stated = {name: float(fabric.oversubscription) for name, fabric in every.items()}
    above = {name: float(fabric.spine_oversubscription) for name, fabric in asked_for.training.items()}
    asked = (
        pl.when(pl.col("role") == "leaf")
        .then(pl.col("fabric").replace_strict(stated, return_dtype=pl.Float64))
        .otherwise(pl.col("fabric").replace_strict(above, default=1.0, return_dtype=pl.Float64))
    )
    worse = seen.with_columns(asked=asked).filter(pl.col("ratio") > pl.col("asked") + _SAME)
    worse = worse.sort("fabric", "role", "ratio", "device", descending=[False, False, True, False])
    for (fabric, role), group in worse.partition_by("fabric", "role", as_dict=True, maintain_order=True).items():
        top = group.row(0, named=True)
        yield Broken(
            Severity.CRITICAL,
            f"{role} switches of one fabric",
            one(
                f"{view.plan.site} {fabric}",
                f"{top['asked']:g}:1 is {'stated' if role == 'leaf' else 'the most above the leaves'}, "
                f"but {len(group):,} of its {role} switches have more, the worst "
                f"{top['device']} with {top['down']:,} Gb/s down and {top['up']:,} Gb/s up ({top['ratio']:.2f}:1)",
            ),
            f"raise fabrics: {fabric}: oversubscription, or take a switch with more ports",
        )
