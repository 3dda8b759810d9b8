"""Rules of what switches and hosts are told: breakouts, MTU, the lossless class and its headroom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue import Switch
from lindos.check.rule import Broken, broken, not_evaluated
from lindos.plan.roce import CONTROL_DSCPS, headroom_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.check.view import View

LARGEST_MTU = 9216
SAME = ("mtu", "priority", "dscp", "cnp_priority", "cnp_dscp")
"""What a switch is told and hosts rely on."""


def _switch(view: View, product: str) -> Switch | None:
    """A product of the plan; None where it is one of the site file's own, and that is not at hand."""
    return view.catalogue.get(Switch, product) if view.catalogue.kind(product) == "switch" else None


def a_cage_is_split_as_its_product_can(view: View) -> Iterator[Broken]:
    """A cage that carries several ports is split in a way that its product offers, and its ASIC does not refuse.

    A mode that a switch does not know keeps the whole cage down, and some are missing for a reason of the ASIC: the
    SN5600 has no 8x100G, because it knows 256 logical ports at most.
    Source: platform.json of the product in SONiC; `breakouts` and `no_breakouts` of the catalogue.
    What to do: take another speed for the fabric, or give `breakouts` of the product under `assumptions:`.
    """
    boxes = view.plan.devices.filter(pl.col("kind") == "switch").select("device", "product")
    ports = view.plan.ports.filter(pl.col("form") != "RJ45").join(boxes, on="device")
    kinds = ports.group_by("product", "lane_groups", "rate_gbps").agg(
        cages=pl.struct("device", "cage").n_unique(), device=pl.col("device").min()
    )
    rows: list[tuple[str, str]] = []
    unknown: list[tuple[str, str]] = []
    for product, groups, gbps, cages, device in kinds.sort("product", "lane_groups", "rate_gbps").iter_rows():
        switch = _switch(view, product)
        if switch is None:
            unknown.append((product, "the product is described in the site file, which is not at hand"))
            continue
        mode = f"{groups}x{gbps}G"
        refused = mode in (switch.no_breakouts or ())
        # Where no modes are published, the number of ports at a speed says how the cages split.
        sockets = switch.cages.count if switch.cages else 0
        counted = switch.breakouts is None and (switch.max_logical or {}).get(gbps) == sockets * groups
        if refused or (groups > 1 and not counted and mode not in (switch.breakouts or ())):
            offers = ", ".join(switch.breakouts or ()) or "none"
            rows.append((product, f"{cages:,} cages are split {mode}, the first on {device}; it offers: {offers}"))
    text = {"subject": pl.String, "message": pl.String}
    frame = pl.DataFrame(rows, schema=text, orient="row")
    hint = "another port_gbps, or a switch that splits its cages so"
    yield broken("products with cages split as they cannot be", frame, "subject", pl.col("message"), hint)
    silent = pl.DataFrame(unknown, schema=text, orient="row").unique(maintain_order=True)
    yield not_evaluated("products", silent, "check the site, not the plan alone")


def switches_take_what_hosts_send(view: View) -> Iterator[Broken]:
    """Every switch of a fabric has the fabric's MTU and lossless class, and its hosts send no larger frame.

    Hosts are configured from the fabric, a switch from its own row: one switch with another DSCP, priority or MTU on
    the way drops what all others keep, and only for flows that take it.
    Source: RoCE needs one priority and one DSCP end to end; the largest MTU of SONiC's YANG model is 9216.
    What to do: give the whole fabric one value, in `fabrics` of the site file.
    """
    boxes = view.plan.devices.filter(pl.col("kind") == "switch").select("device", "fabric")
    frame = view.plan.switches.join(boxes, on="device").join(view.plan.fabrics, on="fabric", suffix="_host")
    for name in SAME:
        other = frame.filter(pl.col(name).ne_missing(pl.col(f"{name}_host")))
        mine, theirs = (pl.col(c).cast(pl.String).fill_null("none") for c in (name, f"{name}_host"))
        told = pl.format(f"is told {name} {{}}, hosts and switches of fabric {{}} have {{}}", mine, "fabric", theirs)
        hint = "one MTU and one lossless class for a whole fabric"
        yield broken(f"switches with another {name} than their fabric", other, "device", told, hint)
    large = view.plan.fabrics.filter((pl.col("host_mtu") > pl.col("mtu")) | (pl.col("mtu") > LARGEST_MTU))
    told = pl.format("hosts send up to {} B, switches take {} B of at most {}", "host_mtu", "mtu", pl.lit(LARGEST_MTU))
    yield broken("fabrics with an MTU that does not fit", large, "fabric", told, "hosts 9000, switches 9216")


def data_and_notifications_have_a_class_each(view: View) -> Iterator[Broken]:
    """In a lossless fabric data and notifications of congestion differ in priority and DSCP, and data is no control.

    A notification that waits behind the data it is about comes too late; BGP in a class that pauses stops with it.
    Source: NVIDIA Cumulus Linux user guide, RoCE (CNP in a strict queue of its own); RFC 4594 (CS6 for routing).
    What to do: give fabrics: rdma: roce: other values.
    """
    lossless = view.plan.fabrics.filter(pl.col("priority").is_not_null())
    same = pl.any_horizontal(pl.col("priority") == pl.col("cnp_priority"), pl.col("dscp") == pl.col("cnp_dscp"))
    told = pl.format(
        "data has priority {} and DSCP {}, notifications {} and {}: both must differ",
        "priority", "dscp", "cnp_priority", "cnp_dscp",
    )  # fmt: skip
    hint = "fabrics: rdma: roce: {priority: 3, dscp: 26, cnp_priority: 6, cnp_dscp: 48}"
    yield broken("lossless classes shared with notifications", lossless.filter(same), "fabric", told, hint)
    control = lossless.filter(pl.col("dscp").is_in(CONTROL_DSCPS))
    yield broken(
        "lossless classes of network control",
        control,
        "fabric",
        pl.format("DSCP {} is that of network control", "dscp"),
        hint,
    )


def headroom_fits_the_buffer(view: View) -> Iterator[Broken]:
    """The headroom of all ports of a switch, for one lossless priority, fits into the packet memory of its ASIC.

    What is in flight when a pause is sent must find room, and it grows with speed and length of the cable: 128 ports
    of 400G need 32 MB at 5 m and 89 MB at 300 m, of the 158 MB of an SN5600. Without room the class is not lossless.
    Source: pg_profile_lookup.ini and egress_lossless_pool of the product in SONiC (facts `headroom`, `buffer_bytes`).
    What to do: shorter cables, fewer ports, or give the facts of the product under `assumptions:`.
    """
    boxes = view.plan.devices.filter(pl.col("kind") == "switch").select("device", "product")
    # FRR on Debian has no lossless class: a software switch pauses nothing.
    told = view.plan.switches.filter(pl.col("priority").is_not_null(), pl.col("nos") != "frr")
    told = told.select("device", "buffer_bytes")
    lengths = view.plan.cables.select("cable", metres=pl.col("length_mm") / 1000)
    lossless = view.plan.fabrics.filter(pl.col("priority").is_not_null()).select("fabric")
    links = view.plan.links.join(lossless, on="fabric", how="semi").join(lengths, on="cable")
    ends = pl.concat([links.select("rate_gbps", "metres", device=f"{end}_device") for end in ("a", "b")])
    used = (
        ends.join(boxes.join(told, on="device"), on="device").group_by("device", "product", "rate_gbps", "metres").len()
    )
    kinds = used.select("product", "rate_gbps", "metres").unique().sort("product", "rate_gbps", "metres")
    known = {product: _switch(view, product) for product in kinds["product"].unique()}
    tables = {product: (switch and switch.headroom) or {} for product, switch in known.items()}
    need = [headroom_bytes(tables[p].get(g, {}), m) for p, g, m in kinds.iter_rows()]
    per_port = kinds.with_columns(need=pl.Series(need, dtype=pl.Int64))
    frame = used.join(per_port, on=["product", "rate_gbps", "metres"]).join(told, on="device")
    unknown = frame.filter(pl.col("need").is_null() | pl.col("buffer_bytes").is_null())
    silent = unknown.group_by(subject="product").agg(n=pl.col("device").n_unique(), far=pl.col("metres").max())
    yield not_evaluated(
        "headroom of switches",
        silent.select(
            "subject",
            message=pl.format(
                "{} switches with cables of up to {} m: headroom or buffer_bytes of the product is not known for that",
                "n", pl.col("far").round(0).cast(pl.Int64),
            ),
        ),
        "give headroom: {400: {5: ..., 40: ..., 300: ...}} and buffer_bytes of the product under assumptions:",
    )  # fmt: skip
    sums = frame.join(unknown.select("device").unique(), on="device", how="anti").group_by("device").agg(
        need=(pl.col("need") * pl.col("len")).sum(), have=pl.col("buffer_bytes").first(), ports=pl.col("len").sum()
    )  # fmt: skip
    over = sums.filter(pl.col("need") > pl.col("have"))
    said = pl.format("{} ports need {} B of headroom, its ASIC has {} B in all", "ports", "need", "have")
    yield broken("switches without room for their headroom", over, "device", said, "shorter cables or fewer ports")
