"""Coordinates -> addresses and ASNs, as bit fields of fixed width.

    rail NIC    10.0.0.0/9      rail 3 | leaf slot 12 | port 7 | end 1; a rail is a /12, a leaf slot a /24;
                                a leaf of another plane, or with more than 128 nodes, takes slots of its own
    front end   10.128.0.0/12   leaf 12 | port 7 | end 1
    storage     10.176.0.0/12   leaf 12 | port 7 | end 1
    their links 10.144.0.0/12   fabric 1 | tier 1 | switch 10 | uplink 7 | end 1
    loopbacks   10.160.0.0/12   fabric 2 | tier 2 | switch 16
    management  10.192.0.0/10   scope 9 | access switch 7 | host 6         an access switch is a /26, .1 its gateway
    rail links  100.64.0.0/10   tier 1 | switch 13 | uplink 7 | end 1      64 uplinks leave a bit to the switch
    oob links   172.16.0.0/12   leaf-spine 0 | scope 9 | switch 7 | uplink 2 | end 1
                                spine-core 1 | switch 12 | uplink 6 | end 1

Leaves of storage servers, and the access switches of their racks, count from the end of their field.
End 0 is the gateway or the upper switch's neighbour below, end 1 the NIC or the upper switch. Fields are sized for
the largest site of the class, never for today's count: growth renumbers nothing. A coordinate that does not fit its
field stops the design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.address6 import beside

if TYPE_CHECKING:
    from lindos.plan.layout import Layout
    from lindos.plan.populate import Population

FABRIC_BLOCK = "10.0.0.0/9"
"""All rail NICs of the fabric; a host routes it over its rails."""
FRONTEND_BLOCK = "10.128.0.0/12"
"""All front-end ports; what lies beyond them is for people to say."""
STORAGE_BLOCK = "10.176.0.0/12"
"""All ports of the storage fabric."""
RAIL_PREFIX_LEN = 12
UPLINK_BITS = 7
FEWER_LINKS = (
    "fewer planes or more ports a switch take fewer links; a fabric with `bgp: unnumbered` takes no address for them"
)
"""A /31 a link: a /10 has 1,048,576 links a tier, as many as a million GPUs take on one plane; no layout holds two."""
TRAINING = pl.col("fabric").str.starts_with("rdma")
"""Links and switches of the training fabrics."""


def ip(text: str) -> int:
    """Dotted quad -> number."""
    a, b, c, d = (int(x) for x in text.split("."))
    return a << 24 | b << 16 | c << 8 | d


RAIL, FRONTEND, FRONTEND_LINKS, LOOPBACK, STORAGE, OOB, RAIL_LINKS, OOB_LINKS = (
    ip(x)
    for x in (
        "10.0.0.0", "10.128.0.0", "10.144.0.0", "10.160.0.0", "10.176.0.0", "10.192.0.0", "100.64.0.0", "172.16.0.0",
    )
)  # fmt: skip
BLOCKS6 = (
    (RAIL, 1), (FRONTEND, 2), (FRONTEND_LINKS, 3), (LOOPBACK, 4), (RAIL_LINKS, 5), (OOB_LINKS, 6), (STORAGE, 7),
)  # fmt: skip
"""First number of a block, and its /64 in IPv6."""
NORTH_SOUTH = {"frontend": (FRONTEND, FRONTEND_LINKS), "storage": (STORAGE, FRONTEND_LINKS + 2**19)}
"""Networks beside training -> where the addresses of their endpoints and of their links begin."""
LEAF_BITS, LINK_BITS = 12, 10
"""Of the number of a leaf beside training: in the addresses of its endpoints, and in those of its links."""
KINDS = ("rdma", "frontend", "oob", "storage")
ASN_BASE = 4_200_000_000
ASN_BLOCK = 1_000_000
ASN_PLANE = 100_000
SWITCH_BITS = 16
CORES = 8_192
"""Numbers of cores of an island; islands take them from the end of the field, the first fabric from its start."""
"""One block a fabric and tier, in the order of `_ASN_TIERS`; 4-byte private range of RFC 6996."""
_ASN_TIERS = {(f, t): i * 3 + j for i, f in enumerate(KINDS) for j, t in enumerate(("leaf", "spine", "core"))}


def dotted(number: pl.Expr) -> pl.Expr:
    """Address as a number -> dotted quad."""
    return pl.format("{}.{}.{}.{}", number // 2**24, number // 2**16 % 256, number // 2**8 % 256, number % 256)


@dataclass(frozen=True, slots=True)
class Field:
    """A coordinate (a column), its width in bits, what to call it when it does not fit, and what then helps."""

    column: str
    bits: int
    what: str
    helps: str = "smaller units or several sites are a way out"


def packed(frame: pl.DataFrame, base: int, fields: list[Field]) -> pl.DataFrame:
    """Rows with coordinates -> with `ip`, their address as a number. InfeasibleError where a field is too narrow."""
    number = pl.lit(base, dtype=pl.Int64)
    problems = []
    top = frame.select(pl.col(f.column).max() for f in fields).row(0) if len(frame) else [0] * len(fields)
    shift = sum(f.bits for f in fields)
    for field, most in zip(fields, top, strict=True):
        shift -= field.bits
        number = number + pl.col(field.column).cast(pl.Int64) * 2**shift
        if most is not None and most >= 2**field.bits:
            problems.append(
                Problem(
                    f"addresses: {field.what} {most} does not fit its {field.bits} bits (0 to {2**field.bits - 1})",
                    hint=f"the address plan ends here; {field.helps}",
                )
            )
    if problems:
        raise InfeasibleError(problems)
    return frame.with_columns(ip=number)


def switch_numbers(layout: Layout, parts: Population) -> pl.DataFrame:
    """Every switch -> fabric, role, its number within fabric and tier, and the number that its ASN takes."""

    def kind(frame: pl.DataFrame, fabric: str, role: str, number: pl.Expr, asn: pl.Expr) -> pl.DataFrame:
        return frame.select(
            "device",
            pl.lit(fabric).alias("fabric"),
            pl.lit(role).alias("role"),
            number.cast(pl.Int64).alias("number"),
            asn.cast(pl.Int64).alias("asn_number"),
        )

    serial, plane = pl.col("serial"), pl.col("plane") * ASN_PLANE
    out = []
    for number, training in enumerate(layout.training):
        name, first = training.facts.name, number and 2**SWITCH_BITS - number * CORES
        of = {"fabric": number}
        out.append(kind(parts.leaves.filter(**of), name, "leaf", serial, serial))
        out.append(kind(parts.spines.filter(**of), name, "spine", serial, pl.col("pod_serial") + plane))
        out.append(kind(parts.cores.filter(**of), name, "core", serial + first, plane + number))
    _cores_fit(layout)
    _leaves_fit(layout)
    networks = [(n.facts.name, n.clos, parts.north_south.filter(fabric=n.facts.name)) for n in layout.north_south]
    for fabric, clos, frame in (*networks, ("oob", layout.oob, parts.oob)):
        spines, cores = frame.filter(tier="spine"), frame.filter(tier="core")
        out.append(kind(spines, fabric, "spine", pl.col("pod") * clos.spines_per_pod + pl.col("number"), pl.col("pod")))
        # By number first: a group that grows takes the numbers after all that stand.
        out.append(kind(cores, fabric, "core", pl.col("number") * clos.groups + pl.col("group"), pl.lit(0)))
    from_end = pl.col("number") % 2**SWITCH_BITS
    out += [kind(frame.filter(tier="leaf"), fabric, "leaf", from_end, from_end) for fabric, _, frame in networks]
    scope = pl.col("scope") * 128 + pl.col("index")
    out.append(kind(parts.oob.filter(tier="leaf"), "oob", "leaf", scope, scope))
    return pl.concat(out)


def _cores_fit(layout: Layout) -> None:
    """InfeasibleError where the cores of two training fabrics would take the same numbers."""
    islands = len(layout.training) - 1
    problems = [
        Problem(
            f"addresses: {t.cores:,} cores of fabric {t.facts.name} do not fit the {most:,} numbers that they have",
            hint="fewer planes, a switch with more ports, or fewer islands",
        )
        for i, t in enumerate(layout.training)
        for most in (CORES if i else 2**SWITCH_BITS - islands * CORES,)
        if t.cores > most
    ]
    if problems:
        raise InfeasibleError(problems)


def _leaves_fit(layout: Layout) -> None:
    """InfeasibleError where leaves of nodes and those of storage servers, which count from the end, would meet."""
    problems = []
    for fabric in layout.north_south:
        nodes, servers = len(fabric.node_leaves), len(fabric.server_leaves)
        most = 2**LEAF_BITS if fabric.clos.tiers == 1 else min(2**LEAF_BITS, places(fabric.leaf.up, LINK_BITS))
        if nodes + servers > most:
            problems.append(
                Problem(
                    f"addresses: {nodes:,} leaves of nodes and {servers:,} of storage servers do not fit the {most:,} "
                    f"places of fabric {fabric.facts.name}",
                    hint="the address plan ends here; a higher oversubscription takes fewer leaves",
                )
            )
    if problems:
        raise InfeasibleError(problems)


def _both_ends(frame: pl.DataFrame, low: str, high: str, *, low_is_gateway: bool) -> list[pl.DataFrame]:
    """Links whose `ip` is that of end 0 -> address rows of both ends (/31). End 0 is the upper device's for a NIC."""
    gateway = dotted(pl.col("ip"))
    if low_is_gateway:
        return [
            frame.select(
                device="a_device",
                port="a_port",
                purpose=pl.lit(low),
                ip=pl.col("ip") + 1,
                prefix_len=pl.lit(31),
                gateway=gateway,
                slice="slice",
            ),
            frame.select(
                device="b_device",
                port="b_port",
                purpose=pl.lit(high),
                ip="ip",
                prefix_len=pl.lit(31),
                gateway=pl.lit(None, dtype=pl.String),
                slice="slice",
            ),
        ]
    return [
        frame.select(
            device=f"{e}_device",
            port=f"{e}_port",
            purpose=pl.lit(low),
            ip=pl.col("ip") + i,
            prefix_len=pl.lit(31),
            gateway=pl.lit(None, dtype=pl.String),
            slice="slice",
        )
        for i, e in enumerate(("a", "b"))
    ]


def places(uplinks: int, bits: int) -> int:
    """Uplinks of a switch and bits of a switch number -> switches that have a place: no uplink needs a bit, they do."""
    return int(2 ** (bits + max(0, UPLINK_BITS - max(1, (uplinks - 1).bit_length()))))


def folded(frame: pl.DataFrame, bits: int) -> pl.DataFrame:
    """Links of one tier with `switch` and `uplink` -> the same where switches past their field take bits that no uplink
    needs; a number from the end of the 16 bits of a switch is one from the end of the places here.

    A leaf of 64 uplinks leaves a bit of the uplink field free, so that as many leaves again have a place.
    """
    if not len(frame):
        return frame.with_columns(end=pl.lit(0))
    most = int(frame["uplink"].max())  # type: ignore[arg-type]  # a whole number
    room, width = places(most + 1, bits), max(1, most.bit_length())
    switch = pl.col("switch")
    from_end = pl.when(switch >= 2 ** (SWITCH_BITS - 1)).then(switch - 2**SWITCH_BITS + room).otherwise(switch)
    frame = frame.with_columns(switch=from_end)
    fits = switch < room
    return frame.with_columns(
        switch=pl.when(fits).then(switch % 2**bits).otherwise(switch),
        uplink=pl.col("uplink") + pl.when(fits).then(switch // 2**bits * 2**width).otherwise(0),
        end=pl.lit(0),
    )


def _up(links: pl.DataFrame, numbers: pl.DataFrame, of: pl.Expr) -> pl.DataFrame:
    """Links between switches of some fabrics -> with `switch` (number of the lower one), `tier_bit` and `uplink`."""
    frame = links.filter(of & (pl.col("tier") != "node_leaf"))
    frame = frame.join(numbers.select(a_device="device", switch="number"), on="a_device", maintain_order="left")
    first = pl.col("a_number").min().over("fabric", "tier")
    return frame.with_columns(
        tier_bit=(pl.col("tier") == "spine_core").cast(pl.Int64), uplink=pl.col("a_number") - first
    )


def _management(links: pl.DataFrame, parts: Population) -> list[pl.DataFrame]:
    leaves = parts.oob.filter(tier="leaf").select("scope", "index", "slice", b_device="device")
    host = [
        Field("scope", 9, "pod"),
        Field("index", 7, "access switch of a pod"),
        Field("host", 6, "port of an access switch"),
    ]
    frame = links.filter(pl.col("fabric") == "oob", pl.col("tier") == "node_leaf").join(
        leaves.drop("slice"), on="b_device", maintain_order="left"
    )
    # .0 is the network, .1 the gateway.
    frame = packed(frame.with_columns(host=pl.col("b_number") + 2), OOB, host)
    purpose = pl.when(pl.col("a_port") == "bmc").then(pl.lit("bmc")).otherwise(pl.lit("mgmt"))
    hosts = frame.select(
        device="a_device",
        port="a_port",
        purpose=purpose,
        ip="ip",
        prefix_len=pl.lit(26),
        gateway=dotted(pl.col("ip") - pl.col("host") + 1),
        slice="slice",
    )
    gateways = packed(leaves.with_columns(host=pl.lit(1)), OOB, host)
    return [
        hosts,
        gateways.select(
            device="b_device",
            port=pl.lit("br-oob"),
            purpose=pl.lit("gateway"),
            ip="ip",
            prefix_len=pl.lit(26),
            gateway=pl.lit(None, dtype=pl.String),
            slice="slice",
        ),
    ]


def address(
    links: pl.DataFrame, parts: Population, numbers: pl.DataFrame, fabrics: pl.DataFrame, prefix6: str | None = None
) -> pl.DataFrame:
    """Links, population, switch numbers, fabrics and the IPv6 prefix of a site that has one -> every address of it.

    Links between the switches of an unnumbered fabric have none. InfeasibleError where the plan is full.
    """
    bare = fabrics.filter("unnumbered").select("fabric")
    numbered = links.join(bare, on="fabric", how="anti", maintain_order="left")
    slices = pl.concat(
        [f.select("device", "slice") for f in (parts.leaves, parts.spines, parts.cores, parts.north_south, parts.oob)]
    )
    rail = links.filter(TRAINING, pl.col("tier") == "node_leaf")
    rail = packed(
        rail.with_columns(end=pl.lit(0)),
        RAIL,
        [
            Field("rail", 3, "rail"),
            Field("segment", 12, "leaf slot"),
            Field("seat", 7, "port of a leaf"),
            Field("end", 1, "end"),
        ],
    )
    ends = []
    for fabric, (base, _) in NORTH_SOUTH.items():
        mine = links.filter(pl.col("fabric") == fabric, pl.col("tier") == "node_leaf")
        mine = mine.with_columns(segment=pl.col("segment") % 2**LEAF_BITS, end=pl.lit(0))
        fields = [Field("segment", LEAF_BITS, f"leaf of fabric {fabric}"), Field("b_number", 7, "port of a leaf")]
        mine = packed(mine, base, [*fields, Field("end", 1, "end")])
        ends += _both_ends(mine, fabric, "gateway", low_is_gateway=True)
    loop = numbers.with_columns(
        fabric_code=pl.col("fabric").replace_strict(
            {"frontend": 1, "oob": 2, "storage": 3}, default=0, return_dtype=pl.Int64
        ),
        role_code=pl.col("role").replace_strict({"leaf": 0, "spine": 1, "core": 2}, return_dtype=pl.Int64),
    ).join(slices, on="device", maintain_order="left")
    loop = packed(
        loop,
        LOOPBACK,
        [Field("fabric_code", 2, "fabric"), Field("role_code", 2, "tier"), Field("number", SWITCH_BITS, "switch")],
    )
    out = [
        *_both_ends(rail, "rail", "gateway", low_is_gateway=True),
        *ends,
        loop.select(
            "device",
            pl.lit("lo").alias("port"),
            pl.lit("loopback").alias("purpose"),
            "ip",
            pl.lit(32).alias("prefix_len"),
            pl.lit(None, dtype=pl.String).alias("gateway"),
            "slice",
        ),
        *_management(links, parts),
    ]
    networks = [
        (pl.col("fabric") == f, base, LINK_BITS, f"switch of fabric {f}") for f, (_, base) in NORTH_SOUTH.items()
    ]
    for of, base, bits, what in ((TRAINING, RAIL_LINKS, 13, "switch of the training fabrics"), *networks):
        up = _up(numbered, numbers, of)
        frame = packed(
            pl.concat([folded(up.filter(tier_bit=tier), bits) for tier in (0, 1)]), base,
            [
                Field("tier_bit", 1, "tier"),
                Field("switch", bits, what, FEWER_LINKS),
                Field("uplink", UPLINK_BITS, "uplink"),
                Field("end", 1, "end"),
            ],
        )  # fmt: skip
        out += _both_ends(frame, "link", "link", low_is_gateway=False)
    up = _up(numbered, numbers, pl.col("fabric") == "oob").with_columns(end=pl.lit(0))
    low = packed(
        up.filter(pl.col("tier_bit") == 0),
        OOB_LINKS,
        [Field("switch", 16, "access switch"), Field("uplink", 2, "uplink"), Field("end", 1, "end")],
    )
    high = packed(
        up.filter(pl.col("tier_bit") == 1),
        OOB_LINKS + 2**19,
        [Field("switch", 12, "out-of-band spine"), Field("uplink", 6, "uplink"), Field("end", 1, "end")],
    )
    out += _both_ends(low, "link", "link", low_is_gateway=False) + _both_ends(
        high, "link", "link", low_is_gateway=False
    )
    columns = ["device", "port", "purpose", "ip", "prefix_len", "gateway", "slice"]
    frame = pl.concat(
        [f.select(pl.col(c).cast(pl.Int64) if c in ("ip", "prefix_len") else pl.col(c) for c in columns) for f in out]
    )
    frame = beside(frame.with_columns(address=dotted(pl.col("ip"))), prefix6, BLOCKS6, OOB)
    return frame.drop("ip")


def asns(numbers: pl.DataFrame) -> pl.DataFrame:
    """Switch numbers -> ASNs: one a leaf, one for the spines of a pod, one for all cores of a fabric."""
    blocks = pl.DataFrame(
        [(f, t, ASN_BASE + i * ASN_BLOCK + 1) for (f, t), i in _ASN_TIERS.items()],
        schema=["block", "role", "base"],
        orient="row",
    )
    frame = numbers.with_columns(block=pl.when(TRAINING).then(pl.lit("rdma")).otherwise("fabric"))
    return frame.join(blocks, on=["block", "role"], maintain_order="left").select(
        "device", asn=pl.col("base") + pl.col("asn_number")
    )
