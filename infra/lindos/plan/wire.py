"""Devices by coordinates -> links: every fabric's ports and what each is joined to.

A link row carries port numbers (from 0, at the fabric's speed) until `name_ports` turns them into names. Everything
is arithmetic on coordinates, so appended units add rows and change none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem

if TYPE_CHECKING:
    from lindos.plan.clos import Clos
    from lindos.plan.facts import Facts, SwitchFacts
    from lindos.plan.layout import Layout
    from lindos.plan.populate import Population


@dataclass(frozen=True, slots=True)
class Wiring:
    """`links` and `ports` as in the plan, links without their cable."""

    links: pl.DataFrame
    """link, fabric, tier, rail, a_device, a_port, a_number, b_device, b_port, b_number, rate_gbps, slice, segment"""
    ports: pl.DataFrame


LINK = [
    "fabric",
    "tier",
    "rail",
    "a_device",
    "a_port",
    "a_number",
    "b_device",
    "b_port",
    "b_number",
    "rate_gbps",
    "slice",
    "segment",
]


def port_name(number: pl.Expr, groups: int, first_cage: int) -> pl.Expr:
    """Port number -> etp5 where a cage is one port, etp5a, etp5b, ... where it is split; as SONiC aliases name them."""
    cage = (number // groups + first_cage).cast(pl.String)
    if groups == 1:
        return pl.format("etp{}", cage)
    letter = (number % groups).replace_strict(dict(enumerate("abcdefgh")), return_dtype=pl.String)
    return pl.format("etp{}{}", cage, letter)


def _times(frame: pl.DataFrame, **sizes: int) -> pl.DataFrame:
    """A frame -> each row once for every combination of the numbers given, the last running fastest."""
    for name, size in sizes.items():
        frame = frame.with_columns(pl.lit(list(range(size)), dtype=pl.List(pl.Int64)).alias(name)).explode(name)
    return frame


def _finish(frame: pl.DataFrame, fabric: str, tier: str, gbps: int) -> pl.DataFrame:
    optional = {"rail": pl.Int64, "segment": pl.Int64, "a_number": pl.Int64}
    extra = [pl.lit(None, dtype=t).alias(n) for n, t in optional.items() if n not in frame.columns]
    return frame.with_columns(
        fabric=pl.lit(fabric), tier=pl.lit(tier), rate_gbps=pl.lit(gbps, dtype=pl.Int64), *extra
    ).select(LINK)


def _node_leaf_rdma(layout: Layout, parts: Population, gbps: int, groups: int) -> pl.DataFrame:
    """Rail r of every node of a unit to the leaf of that rail in the unit: rail i -> leaf i where a leaf has one rail."""
    per_leaf = layout.rails_per_leaf
    shape = pl.DataFrame(
        [(u.number, u.leaves_per_rail, u.nodes_per_leaf, u.leaf_slot, u.fleet.rails) for u in layout.units],
        schema=["unit_number", "leaves_per_rail", "nodes_per_leaf", "leaf_slot", "rails"], orient="row",
    )  # fmt: skip
    most = max(u.fleet.rails for u in layout.units)
    frame = _times(
        parts.nodes.select("device", "unit_number", "in_unit", "slice").join(
            shape, on="unit_number", maintain_order="left"
        ),
        rail=most,
    )
    nth = pl.col("in_unit") // pl.col("nodes_per_leaf")
    frame = frame.filter(pl.col("rail") < pl.col("rails")).with_columns(
        leaf=pl.col("rail") // per_leaf * pl.col("leaves_per_rail") + nth,
        b_number=pl.col("in_unit") % pl.col("nodes_per_leaf") * per_leaf + pl.col("rail") % per_leaf,
        segment=pl.col("leaf_slot") + nth,
        a_device="device",
        a_port=pl.format("rail{}", "rail"),
    )
    leaves = parts.leaves.select("unit_number", leaf="in_unit", b_device="device")
    frame = frame.join(leaves, on=["unit_number", "leaf"], maintain_order="left").with_columns(
        b_port=port_name(pl.col("b_number"), groups, 1)
    )
    return _finish(frame, "rdma", "node_leaf", gbps)


def _leaf_spine(
    fabric: str, clos: Clos, leaves: pl.DataFrame, spines: pl.DataFrame, leaf: SwitchFacts, spine: SwitchFacts
) -> pl.DataFrame:
    """Leaves (device, pod, in_pod, slice) and spines (device, pod, number): `leaf_spine` links between each pair.

    Uplinks take the last cages of a leaf, so that its down ports can grow and no cage serves both.
    """
    if clos.tiers < 2:
        return pl.DataFrame()
    frame = _times(leaves, number=clos.spines_per_pod, k=clos.leaf_spine).join(
        spines, on=["pod", "number"], suffix="_spine", maintain_order="left"
    )
    first_up = max(clos.leaf.down if leaf.rj45 == 0 else 0, leaf.radix - -(-clos.leaf.up // leaf.groups) * leaf.groups)
    frame = frame.with_columns(
        a_device="device",
        a_number=first_up + pl.col("number") * clos.leaf_spine + pl.col("k"),
        b_device="device_spine",
        b_number=pl.col("in_pod") * clos.leaf_spine + pl.col("k"),
    ).with_columns(
        a_port=port_name(pl.col("a_number"), leaf.groups, 1 + leaf.rj45),
        b_port=port_name(pl.col("b_number"), spine.groups, 1 + spine.rj45),
    )
    return _finish(frame, fabric, "leaf_spine", leaf.gbps)


def _spine_core(
    fabric: str, clos: Clos, spines: pl.DataFrame, cores: pl.DataFrame, switch: SwitchFacts
) -> pl.DataFrame:
    """Spine s of every pod to each core of group s, `spine_core` links a pair; a pod has its ports on every core."""
    if clos.tiers < 3:
        return pl.DataFrame()
    joined = cores.select("group", core="number", b_device="device")
    frame = _times(spines, core=clos.cores_per_group, k=clos.spine_core).with_columns(group="number")
    frame = frame.join(joined, on=["group", "core"], maintain_order="left").with_columns(
        a_device="device",
        a_number=clos.spine_down + pl.col("core") * clos.spine_core + pl.col("k"),
        b_number=pl.col("pod") * clos.spine_core + pl.col("k"),
    )
    frame = frame.with_columns(
        a_port=port_name(pl.col("a_number"), switch.groups, 1 + switch.rj45),
        b_port=port_name(pl.col("b_number"), switch.groups, 1 + switch.rj45),
    )
    return _finish(frame, fabric, "spine_core", switch.gbps)


def _node_leaf_frontend(layout: Layout, facts: Facts, parts: Population) -> pl.DataFrame:
    """Front-end port p of a node to side p of the leaf pair (or single leaf) that serves its block of nodes."""
    homes, down = layout.frontend_homes, layout.frontend.leaf.down
    if not homes:
        return pl.DataFrame()
    has = {f.number: f.frontend_ports for f in facts.fleets}
    frame = _times(parts.nodes.select("device", "fleet", "node_slot", "slice"), side=homes)
    frame = frame.filter(pl.col("side") < pl.col("fleet").replace_strict(has, return_dtype=pl.Int64)).with_columns(
        number=pl.col("node_slot") // down * homes + pl.col("side"),
        b_number=pl.col("node_slot") % down,
        a_device="device",
        a_port=pl.format("fe{}", "side"),
    )
    leaves = parts.frontend.filter(tier="leaf").select("number", b_device="device")
    frame = frame.join(leaves, on="number", maintain_order="left").with_columns(
        segment="number", b_port=port_name(pl.col("b_number"), facts.frontend.groups, 1)
    )
    return _finish(frame, "frontend", "node_leaf", facts.frontend.gbps)


def _managed(facts: Facts, parts: Population) -> pl.DataFrame:
    """Every management port of the site: device, port, rack, u, slice."""
    devices = parts.devices.filter(
        pl.col("fabric").is_null() | (pl.col("fabric") != "oob") | (pl.col("role") != "leaf")
    )
    out = []
    for fleet in facts.fleets:
        mine = parts.nodes.filter(fleet=fleet.number).select("device", "rack", "u", "slice")
        names = [f"mgmt{i}" for i in range(min(1, fleet.host_mgmt_ports))] + ["bmc"] * min(1, fleet.bmc_ports)
        out += [mine.with_columns(a_port=pl.lit(name), nth=pl.lit(i)) for i, name in enumerate(names)]
    rest = devices.filter(pl.col("kind") != "node").select("device", "rack", "u", "slice")
    out.append(rest.with_columns(a_port=pl.lit("eth0"), nth=pl.lit(0)))
    return pl.concat(out)


def _node_leaf_oob(layout: Layout, facts: Facts, parts: Population, racks_per_switch: int) -> pl.DataFrame:
    """Every management port to the access switch of its rack; ports run with the rack and up its rack units."""
    racks = pl.DataFrame(
        [(r.name, r.oob_scope, r.oob_index) for r in layout.racks],
        schema=["rack", "scope", "rack_index"],
        orient="row",
    )
    share = (facts.oob.rj45 or facts.oob.radix) // racks_per_switch
    frame = (
        _managed(facts, parts)
        .join(racks, on="rack", maintain_order="left")
        .sort("scope", "rack_index", "u", "device", "nth", maintain_order=True)
    )
    frame = frame.with_columns(nth=pl.int_range(pl.len()).over("rack"))
    full = frame.filter(pl.col("nth") >= share)
    if len(full):
        rack, n = full.group_by("rack", maintain_order=True).len().row(0)
        raise InfeasibleError(
            Problem(
                f"fabric oob: rack {rack} has {share + n} management ports, its share of {facts.oob.device.product} is {share}",
                hint="lower fabrics.oob.racks_per_switch",
            )
        )
    frame = frame.with_columns(
        index=pl.col("rack_index") // racks_per_switch,
        b_number=pl.col("rack_index") % racks_per_switch * share + pl.col("nth"),
        a_device="device",
    )
    leaves = parts.oob.filter(tier="leaf").select("scope", "index", b_device="device")
    frame = frame.join(leaves, on=["scope", "index"], maintain_order="left").with_columns(
        b_port=pl.format("etp{}", pl.col("b_number") + 1)
    )
    return _finish(frame, "oob", "node_leaf", 1)


def _forms(facts: Facts, parts: Population) -> pl.DataFrame:
    """Form of the socket at the lower end of a link, by device and port kind (letters of the port name)."""
    out = []
    for fleet in facts.fleets:
        mine = parts.nodes.filter(fleet=fleet.number).select("device")
        out += [
            mine.with_columns(port_kind=pl.lit(k), form=pl.lit(f))
            for k, f in (("rail", fleet.nic_form), ("fe", fleet.frontend_form))
        ]
    return pl.concat(out)


def _ends(links: pl.DataFrame, end: str) -> pl.DataFrame:
    return links.select(
        "fabric", "tier", "rate_gbps", device=f"{end}_device", port=f"{end}_port", number=f"{end}_number", upper=pl.lit(end == "b")
    )  # fmt: skip


def _ports(links: pl.DataFrame, facts: Facts, parts: Population) -> pl.DataFrame:
    """Both ends of every link -> the ports in use, with the cage that each sits in."""
    above = facts.oob_aggregation or facts.oob
    table = [
        ("rdma", t, u, facts.rdma, 0)
        for t in ("node_leaf", "leaf_spine", "spine_core")
        for u in (False, True)
        if (t, u) != ("node_leaf", False)
    ]
    table += [("frontend", t, u, facts.frontend, 0) for _, t, u, *_ in table]
    table += [
        ("oob", "leaf_spine", False, facts.oob, facts.oob.rj45),
        ("oob", "leaf_spine", True, above, above.rj45),
        ("oob", "spine_core", False, above, above.rj45),
        ("oob", "spine_core", True, above, above.rj45),
    ]
    cages = pl.DataFrame(
        [(f, t, u, s.groups, s.form, first) for f, t, u, s, first in table],
        schema=["fabric", "tier", "upper", "groups", "cage_form", "first"],
        orient="row",
    )
    both = pl.concat([_ends(links, "a"), _ends(links, "b")]).join(
        cages, on=["fabric", "tier", "upper"], how="left", maintain_order="left"
    )
    both = both.with_columns(port_kind=pl.col("port").str.strip_chars("0123456789")).join(
        _forms(facts, parts), on=["device", "port_kind"], how="left", maintain_order="left"
    )
    groups = pl.col("groups").fill_null(1)
    # A port of a node or an RJ45 socket is a cage of its own, counted in the order of its device's ports.
    own = (
        pl.when(pl.col("number").is_null())
        .then(pl.int_range(pl.len()).over("device"))
        .otherwise(pl.col("number") // groups + pl.col("first").fill_null(0))
    )
    return both.select(
        "device", "port", "rate_gbps", "fabric",
        cage=own + 1,
        lane_group=pl.col("number").fill_null(0) % groups,
        lane_groups=groups,
        form=pl.coalesce("cage_form", "form", pl.lit("RJ45")),
    )  # fmt: skip


def wire(layout: Layout, facts: Facts, parts: Population, racks_per_switch: int) -> Wiring:
    """Layout, facts and population -> Wiring: all links of all fabrics and the ports that carry them."""
    fe, oob, above = parts.frontend, parts.oob, facts.oob_aggregation or facts.oob
    leaf_cols, spine_cols, core_cols = (
        ["device", "pod", "in_pod", "slice"],
        ["device", "pod", "number", "slice"],
        ["device", "group", "number"],
    )
    frames = [
        _node_leaf_rdma(layout, parts, facts.rdma.gbps, facts.rdma.groups),
        _leaf_spine(
            "rdma",
            layout.rdma,
            parts.leaves.select(leaf_cols),
            parts.spines.select("device", "pod", "number"),
            facts.rdma,
            facts.rdma,
        ),
        _spine_core("rdma", layout.rdma, parts.spines.select(spine_cols), parts.cores.select(core_cols), facts.rdma),
        _node_leaf_frontend(layout, facts, parts),
        _leaf_spine(
            "frontend",
            layout.frontend,
            fe.filter(tier="leaf").select(leaf_cols),
            fe.filter(tier="spine").select("device", "pod", "number"),
            facts.frontend,
            facts.frontend,
        ),
        _spine_core(
            "frontend",
            layout.frontend,
            fe.filter(tier="spine").select(spine_cols),
            fe.filter(tier="core").select(core_cols),
            facts.frontend,
        ),
        _node_leaf_oob(layout, facts, parts, racks_per_switch),
        _leaf_spine(
            "oob",
            layout.oob,
            oob.filter(tier="leaf").select(leaf_cols),
            oob.filter(tier="spine").select("device", "pod", "number"),
            facts.oob,
            above,
        ),
        _spine_core(
            "oob",
            layout.oob,
            oob.filter(tier="spine").select(spine_cols),
            oob.filter(tier="core").select(core_cols),
            above,
        ),
    ]
    links = pl.concat([f for f in frames if len(f)]).with_columns(link=pl.format("{}:{}", "a_device", "a_port"))
    return Wiring(links=links, ports=_ports(links, facts, parts))
