"""Devices by coordinates -> links: every fabric's ports and what each is joined to.

Everything is arithmetic on coordinates and port numbers (from 0, at the fabric's speed), so appended units add rows
and change none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.layout import SEATS

if TYPE_CHECKING:
    from lindos.plan.clos import Clos
    from lindos.plan.facts import Facts, SwitchFacts
    from lindos.plan.layout import Layout
    from lindos.plan.populate import Population

FIRST_MANAGEMENT_CAGE = 1001
"""Management ports are in no cage of the face plate; they are counted from here."""


LEAVES, SPINES, CORES = (
    ["device", "pod", "in_pod", "slice"],
    ["device", "pod", "number", "slice"],
    ["device", "group", "number"],
)
"""What wiring takes of the switches of a tier."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """`links` carry both ends with number, cage and form; `ports` as in the plan."""

    links: pl.DataFrame
    ports: pl.DataFrame


END = ["device", "port", "number", "cage", "lane_group", "groups", "form"]
LINK = [
    "fabric", "tier", "rail", "plane", *(f"a_{c}" for c in END), *(f"b_{c}" for c in END), "rate_gbps", "slice",
    "segment", "seat", "infiniband",
]  # fmt: skip
"""A link of an endpoint has a `segment`, the slot of its leaf in the address plan, and a `seat` there."""


def port_name(number: pl.Expr, groups: int, first_cage: int, port: str | None = None) -> pl.Expr:
    """Port number -> etp5 where a cage is one port, etp5a, etp5b, ... where it is split; as SONiC aliases name them.
    A switch of InfiniBand says how it calls a `port`: IB1/{cage}/{part}.
    """
    cage = (number // groups + first_cage).cast(pl.String)
    if port is not None:
        return pl.format(port.format(cage="{}", part="{}"), cage, number % groups + 1)
    if groups == 1:
        return pl.format("etp{}", cage)
    letter = (number % groups).replace_strict(dict(enumerate("abcdefgh")), return_dtype=pl.String)
    return pl.format("etp{}{}", cage, letter)


def _times(frame: pl.DataFrame, **sizes: int) -> pl.DataFrame:
    """A frame -> each row once for every combination of the numbers given, the last running fastest."""
    for name, size in sizes.items():
        frame = frame.with_columns(pl.lit(list(range(size)), dtype=pl.List(pl.Int64)).alias(name)).explode(name)
    return frame


def _on_switch(end: str, switch: SwitchFacts) -> dict[str, pl.Expr]:
    """An end of a link whose port number is known -> name, cage and form of that port on its switch."""
    number, groups, first = pl.col(f"{end}_number"), switch.groups, 1 + switch.rj45
    return {
        f"{end}_port": port_name(number, groups, first, switch.port),
        f"{end}_cage": number // groups + first,
        f"{end}_lane_group": number % groups,
        f"{end}_groups": pl.lit(groups, dtype=pl.Int64),
        f"{end}_form": pl.lit(switch.form),
    }


def _on_node(form: pl.Expr, port: pl.Expr, cage: pl.Expr) -> dict[str, pl.Expr]:
    """The lower end of a link where it is no switch port: a NIC or a management port, each a cage of its own."""
    none, zero = pl.lit(None, dtype=pl.Int64), pl.lit(0, dtype=pl.Int64)
    return {
        "a_form": form,
        "a_port": port,
        "a_cage": cage,
        "a_number": none,
        "a_lane_group": zero,
        "a_groups": zero + 1,
    }


def _finish(frame: pl.DataFrame, fabric: str, tier: str, gbps: int, upper: SwitchFacts) -> pl.DataFrame:
    """Rows with a lower end and the number of an upper port -> links of one tier."""
    optional = ("rail", "plane", "segment", "seat")
    none = [pl.lit(None, dtype=pl.Int64).alias(n) for n in optional if n not in frame.columns]
    same = {
        "fabric": pl.lit(fabric), "tier": pl.lit(tier), "rate_gbps": pl.lit(gbps, dtype=pl.Int64),
        "infiniband": pl.lit(upper.infiniband),
    }  # fmt: skip
    return frame.with_columns(*none, **same, **_on_switch("b", upper)).select(LINK)


def _node_leaf_training(layout: Layout, facts: Facts, parts: Population, number: int) -> pl.DataFrame:
    """Rail r of every node to the leaf of that rail in its unit: rail i -> leaf i where a leaf has one rail.

    A NIC of several planes is one cage with a port for each; where a cage serves several NICs, it holds all of theirs.
    """
    fabric = layout.training[number]
    shape = pl.DataFrame(
        [
            (
                u.number, u.leaves_per_rail, u.nodes_per_leaf, u.rails_per_leaf, u.leaf_slot, u.slots_per_leaf,
                u.fleet.rails, u.fleet.nic_form, u.fleet.rails_per_cage,
            )
            for u in layout.units
            if u.pod.fabric == number
        ],
        schema=[
            "unit_number", "leaves_per_rail", "nodes_per_leaf", "shared", "leaf_slot", "slots_per_leaf",
            "rails", "nic_form", "per_cage",
        ],
        orient="row",
    )  # fmt: skip
    fleets = [f.number for f in facts.fleets if f.fabric == number]
    nodes = parts.nodes.filter(pl.col("fleet").is_in(fleets)).select("device", "unit_number", "in_unit", "slice")
    nodes = nodes.join(shape, on="unit_number", maintain_order="left")
    nth, rail, shared = pl.col("in_unit") // pl.col("nodes_per_leaf"), pl.col("rail"), pl.col("shared")
    most = max(f.rails for f in facts.fleets if f.fabric == number)
    frame = _times(nodes, rail=most, plane=fabric.planes).filter(rail < pl.col("rails"))
    seat, plane = pl.col("in_unit") % pl.col("nodes_per_leaf"), pl.col("plane")
    per_cage = pl.col("per_cage")
    port = pl.format("rail{}", "rail") if fabric.planes == 1 else pl.format("rail{}p{}", "rail", "plane")
    frame = frame.with_columns(
        in_unit=rail // shared * pl.col("leaves_per_rail") + nth,
        b_number=seat * shared + rail % shared,
        seat=seat % SEATS,
        segment=pl.col("leaf_slot")
        + (plane * pl.col("leaves_per_rail") + nth) * pl.col("slots_per_leaf")
        + seat // SEATS,
        a_device="device",
        **_on_node(pl.col("nic_form"), port, rail // per_cage + 1)
        | {"a_lane_group": rail % per_cage * fabric.planes + plane, "a_groups": per_cage * fabric.planes},
    )
    leaves = parts.leaves.filter(fabric=number).select("unit_number", "plane", "in_unit", b_device="device")
    frame = frame.join(leaves, on=["unit_number", "plane", "in_unit"], maintain_order="left")
    switch = fabric.facts.switch
    return _finish(frame, fabric.facts.name, "node_leaf", switch.gbps, switch)


def _training(layout: Layout, facts: Facts, parts: Population) -> list[pl.DataFrame]:
    """The links of every training fabric, tier by tier; each plane is wired for itself."""
    out = []
    for number, fabric in enumerate(layout.training):
        name, clos, switch = fabric.facts.name, fabric.clos, fabric.facts.switch
        out.append(_node_leaf_training(layout, facts, parts, number))
        planes = [
            tuple(f.filter(fabric=number, plane=p) for f in (parts.leaves, parts.spines, parts.cores))
            for p in range(fabric.planes)
        ]
        for leaves, spines, _ in planes:
            low, high = leaves.select(*LEAVES, "plane"), spines.select("device", "pod", "number")
            out.append(_leaf_spine(name, clos, low, high, switch, switch))
        for _, spines, cores in planes:
            out.append(_spine_core(name, clos, spines.select(*SPINES, "plane"), cores.select(CORES), switch, switch))
    return out


def _stripe(up: int, uppers: int, radix: int, groups: int, lower: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Uplinks of switch number `lower`, switches above, their ports and ports a cage -> for uplink `k`: which of those
    above, and its port there.

    Uplinks are dealt round the switches above, whole cages where a pair has that many links, so that no cage serves
    two. With twice the switches above, every second pass goes to the new ones: the other half of the cables keeps
    both its ports.
    """
    whole = gcd(groups, up // uppers)
    cage = pl.col("k") // whole
    above = cage % uppers
    return above, (cage - above) * radix // up * whole + lower * whole + pl.col("k") % whole


def _stripe_shared(up: int, uppers: int, radix: int, groups: int, lower: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """As `_stripe`, where a pair of switches has less than a cage of links: which uplink goes where, and its port.

    The first share of each cage stays where all of it went with fewer switches above. There, cages are shared by the
    first half of the switches below with the second, which comes when more than half of the fabric stands.
    """
    each = up // uppers
    cages, share = radix // groups, pl.col("k") % groups
    above = pl.col("k") // groups + share // each * (up // groups)
    return above, lower % cages * groups + lower // cages * each + share % each


def _leaf_spine(
    fabric: str, clos: Clos, leaves: pl.DataFrame, spines: pl.DataFrame, leaf: SwitchFacts, spine: SwitchFacts
) -> pl.DataFrame:
    """Leaves (device, pod, in_pod, slice) and spines (device, pod, number): `leaf_spine` links between each pair.

    Uplinks take the last cages of a leaf, so that its down ports can grow and no cage serves both.
    """
    if clos.tiers < 2:
        return pl.DataFrame()
    down = 0 if leaf.rj45 else clos.leaf.down
    first_up = max(down, leaf.radix - -(-clos.leaf.up // leaf.groups) * leaf.groups)
    above, port = _stripe(clos.leaf.up, clos.spines_per_pod, clos.spine_down, spine.groups, pl.col("in_pod"))
    frame = _times(leaves, k=clos.leaf.up).with_columns(number=above)
    frame = frame.join(spines.rename({"device": "b_device"}), on=["pod", "number"], maintain_order="left").with_columns(
        a_device="device",
        a_number=first_up + pl.col("k"),
        b_number=port,
    )
    return _finish(frame.with_columns(**_on_switch("a", leaf)), fabric, "leaf_spine", leaf.gbps, spine)


def _spine_core(
    fabric: str, clos: Clos, spines: pl.DataFrame, cores: pl.DataFrame, switch: SwitchFacts, top: SwitchFacts
) -> pl.DataFrame:
    """Spine s of every pod to each core of group s, `spine_core` links a pair; a pod has its ports on every core."""
    if clos.tiers < 3:
        return pl.DataFrame()
    joined = cores.select("group", core="number", b_device="device")
    groups, each = switch.groups, clos.spine_core
    shared = groups == top.groups and each < groups and groups % each == 0 and clos.spine_up % groups == 0
    stripe = _stripe_shared if shared else _stripe
    above, port = stripe(clos.spine_up, clos.cores_per_group, top.radix, gcd(groups, top.groups), pl.col("pod"))
    frame = _times(spines, k=clos.spine_up).with_columns(group="number", core=above)
    frame = frame.join(joined, on=["group", "core"], maintain_order="left").with_columns(
        a_device="device",
        a_number=clos.spine_down + pl.col("k"),
        b_number=port,
    )
    return _finish(frame.with_columns(**_on_switch("a", switch)), fabric, "spine_core", switch.gbps, top)


def _node_leaf_north_south(layout: Layout, facts: Facts, parts: Population, which: int) -> pl.DataFrame:
    """Port p of a node or storage server to side p of the leaves that serve its block of slots."""
    fabric = layout.north_south[which]
    name, prefix, down = fabric.facts.name, fabric.facts.prefix, fabric.leaf.down
    leaves = parts.north_south.filter(fabric=name, tier="leaf")
    number = pl.col("number")
    ends = [
        (_node_ends(layout, facts, parts, which), leaves.filter(number >= 0)),
        (_server_ends(facts, parts) if name == facts.of_storage else pl.DataFrame(), leaves.filter(number < 0)),
    ]
    out = []
    side = pl.col("side")
    for each, mine in ends:
        if each.is_empty() or mine.is_empty():
            continue
        most = int(each["ports"].max() or 0)  # type: ignore[arg-type]  # a whole number
        frame = (
            _times(each, side=most)
            .filter(side < pl.col("ports"))
            .with_columns(
                block=pl.col("end_slot") // down,
                b_number=pl.col("end_slot") % down,
                a_device="device",
                **_on_node(pl.col("form"), pl.format(f"{prefix}{{}}", "side"), side + pl.col("before") + 1),
            )
        )
        spots = mine.select(block="index", side="scope", segment="number", b_device="device")
        joined = frame.join(spots, on=["block", "side"], maintain_order="left")
        out.append(_finish(joined, name, "node_leaf", fabric.facts.switch.gbps, fabric.facts.switch))
    return pl.concat(out) if out else pl.DataFrame()


def _node_ends(layout: Layout, facts: Facts, parts: Population, which: int) -> pl.DataFrame:
    """Nodes as they hang on a network beside training: device, slice, end_slot, ports, form, and `before`, the sockets
    of a node that are counted before these: those of its rails, and of the networks before.
    """
    name = layout.north_south[which].facts.name
    earlier = [n.facts.name for n in layout.north_south[:which]]
    shape = pl.DataFrame(
        [
            (f.number, f.nics[name].count, f.nics[name].form, f.rails + sum(f.nics[e].count for e in earlier))
            for f in facts.fleets
        ],
        schema=["fleet", "ports", "form", "before"],
        orient="row",
    )
    starts = pl.DataFrame(
        [(u.number, u.node_slots[which]) for u in layout.units], schema=["unit_number", "start"], orient="row"
    )
    nodes = parts.nodes.join(shape, on="fleet", maintain_order="left")
    nodes = nodes.join(starts, on="unit_number", maintain_order="left")
    return nodes.select("device", "slice", "ports", "form", "before", end_slot=pl.col("start") + pl.col("in_unit"))


def _server_ends(facts: Facts, parts: Population) -> pl.DataFrame:
    """Storage servers as they hang on their network, as `_node_ends`."""
    shape = pl.DataFrame(
        [(p.number, p.nics.count, p.nics.form) for p in facts.pools],
        schema={"pool": pl.Int64, "ports": pl.Int64, "form": pl.String},
        orient="row",
    )
    servers = parts.servers.join(shape, on="pool", maintain_order="left")
    return servers.select("device", "slice", "ports", "form", before=pl.lit(0, dtype=pl.Int64), end_slot="server_slot")


def _after(layout: Layout, rack: pl.Expr) -> pl.Expr:
    """The rack of a storage server -> its places for ports of leaves and servers: where those of the BMCs begin."""
    ends = {f"{layout.site}-{r.name}": r.capacity for r in layout.servers.racks}
    return rack.replace_strict(ends, return_dtype=pl.Int64)


def _managed(layout: Layout, facts: Facts, parts: Population) -> pl.DataFrame:
    """Every management port of the site: device, name, rack, u, slice, slot, and its number on the device."""
    out = []
    for fleet in facts.fleets:
        mine = parts.nodes.filter(fleet=fleet.number).select(
            "device", "rack", "u", "slice", slot=pl.lit(None, dtype=pl.Int64)
        )
        names = [n for n, count in (("mgmt0", fleet.host_mgmt_ports), ("bmc", fleet.bmc_ports)) if count]
        out += [mine.with_columns(name=pl.lit(n), nth=pl.lit(i, dtype=pl.Int64)) for i, n in enumerate(names)]
    # An out-of-band access switch is managed in band: its own bridge holds its address.
    access = (pl.col("fabric") == "oob").fill_null(value=False) & (pl.col("role") == "leaf")
    # A switch of InfiniBand may have no management of its own: its subnet manager tells it all.
    mute = pl.col("product").is_in([t.switch.device.product for t in facts.training if not t.switch.mgmt_ports])
    rest = parts.devices.filter(pl.col("kind") != "node", ~access, ~mute).select("device", "rack", "u", "slice", "slot")
    several = {p.number: p.bmc_ports for p in facts.pools if p.bmc_ports}
    both = parts.servers.filter(pl.col("pool").is_in(list(several)))
    if len(both):
        # The BMCs of a rack come after all other ports of it, in the order of its servers.
        slot, nth = _after(layout, pl.col("rack")) + pl.col("slot"), pl.lit(1, dtype=pl.Int64)
        out.append(both.select("device", "rack", "u", "slice", slot=slot, name=pl.lit("bmc"), nth=nth))
    out.append(rest.with_columns(name=pl.lit("eth0"), nth=pl.lit(0, dtype=pl.Int64)))
    with_bmc = [f.nvswitch.product for f in facts.fleets if f.nvswitch and f.nvswitch_bmc_ports]
    bmcs = parts.devices.filter(pl.col("kind") == "nvswitch", pl.col("product").is_in(with_bmc))
    out.append(bmcs.select("device", "rack", "u", "slice", "slot", name=pl.lit("bmc"), nth=pl.lit(1, dtype=pl.Int64)))
    return pl.concat(out)


def _node_leaf_oob(layout: Layout, facts: Facts, parts: Population, racks_per_switch: int) -> pl.DataFrame:
    """Every management port to an access switch of its rack; ports run with the rack and up its rack units.

    In a network rack a port belongs to a slot, so that a switch added below moves no cable and no address.
    """
    racks = pl.DataFrame(
        [(r.name, r.scope, r.oob_index, max(1, r.oob_shares)) for r in layout.racks],
        schema=["rack", "home", "rack_index", "shares"],
        orient="row",
    )
    share = (facts.oob.rj45 or facts.oob.radix) // racks_per_switch
    frame = _managed(layout, facts, parts).join(racks, on="rack", maintain_order="left")
    frame = frame.sort("home", "rack_index", "u", "device", "nth", maintain_order=True)
    frame = frame.with_columns(in_rack=pl.coalesce("slot", pl.int_range(pl.len()).over("rack")))
    full = frame.filter(pl.col("in_rack") >= share * pl.col("shares"))
    if len(full):
        rack, n = full.group_by("rack", maintain_order=True).agg(pl.col("in_rack").max() + 1).row(0)
        raise InfeasibleError(
            Problem(
                f"fabric oob: rack {rack} needs {n} management ports, "
                f"its share of {facts.oob.device.product} is {share}",
                hint="lower fabrics.oob.racks_per_switch",
            )
        )
    at = pl.col("rack_index") + pl.col("in_rack") // share
    frame = frame.with_columns(
        at=at // racks_per_switch,
        b_number=at % racks_per_switch * share + pl.col("in_rack") % share,
        a_device="device",
        **_on_node(pl.lit("RJ45"), pl.col("name"), pl.col("nth") + FIRST_MANAGEMENT_CAGE),
    )
    leaves = parts.oob.filter(tier="leaf").select("home", at="number", b_device="device")
    frame = frame.join(leaves, on=["home", "at"], maintain_order="left")
    return _finish(frame, "oob", "node_leaf", 1, replace(facts.oob, groups=1, form="RJ45", rj45=0))


def _ports(links: pl.DataFrame) -> pl.DataFrame:
    """Both ends of every link -> the ports in use."""
    columns = [*(c for c in END if c not in ("number", "groups"))]
    ends = [
        links.select(
            *(pl.col(f"{e}_{c}").alias(c) for c in columns),
            pl.col(f"{e}_groups").alias("lane_groups"),
            "rate_gbps",
            "fabric",
        )
        for e in ("a", "b")
    ]
    return pl.concat(ends)


def wire(layout: Layout, facts: Facts, parts: Population, racks_per_switch: int) -> Wiring:
    """Layout, facts and population -> Wiring: all links of all fabrics and the ports that carry them."""
    oob, above = parts.oob, facts.oob_aggregation or facts.oob
    leaf_cols, spine_cols, core_cols = LEAVES, SPINES, CORES
    frames = _training(layout, facts, parts)
    for which, fabric in enumerate(layout.north_south):
        name, switch = fabric.facts.name, fabric.facts.switch
        mine = {tier: parts.north_south.filter(fabric=name, tier=tier) for tier in ("leaf", "spine", "core")}
        spines = mine["spine"].select("device", "pod", "number")
        frames += [
            _node_leaf_north_south(layout, facts, parts, which),
            _leaf_spine(name, fabric.clos, mine["leaf"].select(leaf_cols), spines, switch, switch),
            _spine_core(
                name, fabric.clos, mine["spine"].select(spine_cols), mine["core"].select(core_cols), switch, switch
            ),
        ]
    frames += [
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
            facts.oob_core or above,
        ),
    ]
    links = pl.concat([f for f in frames if len(f)]).with_columns(link=pl.format("{}:{}", "a_device", "a_port"))
    return Wiring(links=links, ports=_ports(links))
