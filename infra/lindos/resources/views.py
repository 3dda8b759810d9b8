"""Plan -> what each resource is declared with: one row a resource, its columns the inputs of the kind.

Decides nothing. Sums are taken over integers, so that the last digit is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lindos.emit.dialects import DIALECTS, switches
from lindos.resources import capacity
from lindos.resources.built import folder_of

if TYPE_CHECKING:
    import dataframely as dy

    from lindos.check.view import View
    from lindos.plan import Plan
    from lindos.plan.tables import Addresses, Devices, Links

Row = dict[str, Any]

SLICES = 600
"""A stack costs by the square of its resources: with more slices than this, a site's own stack tells of pods; and with
more slices and lineups together, of the lineups of a feed as one.
"""


@dataclass(frozen=True, slots=True)
class SiteView:
    """What the site's own stack declares."""

    site: str
    digest: str
    halls: tuple[Row, ...]
    substations: tuple[Row, ...]
    lineups: tuple[Row, ...]
    feeds: tuple[Row, ...]
    coolers: tuple[Row, ...]
    fabrics: tuple[Row, ...]
    slices: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class SliceView:
    """What the stack of one slice declares; `digest` is the slice's own."""

    name: str
    digest: str
    nodes: tuple[Row, ...]
    switches: tuple[Row, ...]


def site_view(view: View) -> SiteView:
    """A plan as the rules look at it -> what the site's own stack declares."""
    plan = view.plan
    told = _parts(plan)
    lineup_of = capacity.boards(plan)
    if told["part"].n_unique() + len(lineup_of) > SLICES:
        lineup_of = capacity.boards_by_feed(plan)
    shared = capacity.shares(plan, lineup_of)
    return SiteView(
        site=plan.site,
        digest=plan.digest,
        halls=halls(plan),
        substations=capacity.substations(view),
        lineups=capacity.lineups(view, shared, lineup_of),
        feeds=capacity.feeds(view, shared),
        coolers=capacity.coolers(plan),
        fabrics=fabrics(plan),
        slices=slices(plan, shared),
    )


def slice_view(plan: Plan, name: str, destroy: str) -> SliceView:
    """Plan, a slice and what a deletion does to a node -> what the slice's stack declares. KeyError if unknown."""
    found = plan.slices.filter(pl.col("slice") == name)
    if found.is_empty():
        raise KeyError(name)
    mine = narrow(plan, name)
    return SliceView(name, found["digest"][0], _nodes(mine, destroy), _switches(mine, found["digest"][0]))


def halls(plan: Plan) -> tuple[Row, ...]:
    """Plan -> a row a hall."""
    devices = plan.devices.join(plan.racks.select("rack", "hall"), on="rack").join(plan.loads, on="device")
    drawn = devices.group_by("hall").agg(
        nameplate_kw=_thousands("nameplate_w"),
        typical_kw=_thousands("typical_w"),
        liquid_kw=_thousands("liquid_w"),
    )
    standing = plan.racks.group_by("hall").agg(racks=pl.len(), nodes=_sum("nodes"), gpus=_sum("gpus"))
    cooled = plan.cooling_nodes.filter(pl.col("kind") == "cdu").group_by("hall")
    frame = plan.halls.select("hall", "rows", positions=pl.col("rows").cast(pl.Int64) * pl.col("racks_per_row"))
    for part in (standing, drawn, cooled.agg(cooling_kw=_thousands("capacity_w"))):
        frame = frame.join(part, on="hall", how="left", maintain_order="left")
    return _rows(frame.fill_null(0))


def fabrics(plan: Plan) -> tuple[Row, ...]:
    """Plan -> a row a fabric."""
    boxes = plan.devices.filter(pl.col("kind") == "switch")
    tiers = plan.links.select("cable", "tier").unique("cable", keep="first", maintain_order=True)
    cables = plan.cables.join(tiers, on="cable", how="left", maintain_order="left")
    counted = {
        "switches": _count(boxes, "role", pl.len()),
        "links": _count(plan.links, "tier", pl.len()),
        "cables": _count(cables, "tier", pl.len()),
        "cable_m": _count(cables, "tier", _thousands("length_mm")),
        "parts": _count(cables, "part", pl.len()),
    }
    names = sorted(set(plan.links["fabric"].unique()) | set(boxes["fabric"].drop_nulls().unique()))
    return tuple({"fabric": n, **{key: of.get(n, {}) for key, of in counted.items()}} for n in names)


def slices(plan: Plan, shared: pl.DataFrame) -> tuple[Row, ...]:
    """Plan and shares of its lineups -> a row a slice; with more than `SLICES` of them a row a pod, and one for all
    cores of a fabric.
    """
    parts = _parts(plan)
    part = parts.select("slice", "part")
    drawn = shared.join(plan.devices.select("device", "slice"), on="device").join(part, on="slice")
    feeds_kw, lineups_kw = (_drawn(drawn, by) for by in ("feed", "lineup"))
    lengths = plan.cables.select("slice", "length_mm").join(part, on="slice").group_by("part")
    stands = (
        plan.devices.select("slice", "rack").join(plan.racks.select("rack", "row"), on="rack").join(part, on="slice")
    )
    counts = ("devices", "nodes", "gpus", "switches", "cables")
    frame = parts.group_by("part", maintain_order=True).agg(
        pl.col("part_kind").first().alias("kind"),
        pl.col("fabric").drop_nulls().first(),
        *(_sum(c) for c in counts),
        pl.col("digest"),
        nameplate_kw=_thousands("nameplate_w"),
    )
    for more in (
        stands.group_by("part").agg(racks=pl.col("rack").n_unique(), rows=pl.col("row").unique().sort()),
        lengths.agg(cable_m=_thousands("length_mm")),
    ):
        frame = frame.join(more, on="part", how="left", maintain_order="left")
    rows = _rows(frame.rename({"part": "slice"}).with_columns(pl.col("cable_m").fill_null(0.0)))
    return tuple(
        {
            **row,
            "digest": _of_all(row["digest"]),
            "feeds_kw": feeds_kw.get(row["slice"], {}),
            "lineups_kw": lineups_kw.get(row["slice"], {}),
        }
        for row in rows
    )


def _drawn(drawn: pl.DataFrame, by: str) -> dict[str, dict[str, float]]:
    """Shares with the part that they belong to -> part -> what they come by -> kilowatts of nameplate."""
    out: dict[str, dict[str, float]] = {}
    summed = drawn.drop_nulls(by).group_by("part", by).agg(kw=_thousands("nameplate_w")).sort("part", by)
    for name, key, kw in summed.iter_rows():
        out.setdefault(name, {})[key] = kw
    return out


def _parts(plan: Plan) -> pl.DataFrame:
    """Plan -> its slices with the `part` of the site's stack that each is told in, and the kind of that.

    Few slices are parts themselves. Where they are many, a pod's part takes its units, its spines and its access
    switches, and all groups of cores of a fabric are one part.
    """
    frame: pl.DataFrame = plan.slices
    if len(frame) <= SLICES:
        return frame.with_columns(part="slice", part_kind="kind")
    pods = plan.units.select(slice="unit", home="pod")
    frame = frame.join(pods, on="slice", how="left", maintain_order="left")
    below = pl.col("slice").str.strip_prefix("oob-")
    known = pl.when(below.is_in(pods["home"].unique().implode())).then(below)
    cores = pl.when(pl.col("kind") == "core").then(pl.col("slice").str.replace(r"g\d+(-pl\d+)?$", "cores"))
    part = pl.coalesce("home", cores, known, "slice")
    kind = pl.when(known.is_not_null() | pl.col("home").is_not_null()).then(pl.lit("pod")).otherwise("kind")
    return frame.with_columns(part=part, part_kind=kind)


def _of_all(digests: list[str]) -> str:
    """Digests of the slices of a part -> that of the part: of one, its own."""
    return digests[0] if len(digests) == 1 else sha256("\n".join(digests).encode()).hexdigest()


def narrow(plan: Plan, name: str) -> Plan:
    """Plan -> the same with the devices of one slice, the links that touch them, and addresses of both."""
    devices = plan.devices.filter(pl.col("slice") == name)
    mine = devices["device"].implode()
    links = plan.links.filter(pl.col("a_device").is_in(mine) | pl.col("b_device").is_in(mine))
    near = pl.concat([devices["device"], links["a_device"], links["b_device"]]).unique().implode()
    return replace(
        plan,
        devices=cast("dy.DataFrame[Devices]", devices),
        links=cast("dy.DataFrame[Links]", links),
        addresses=cast("dy.DataFrame[Addresses]", plan.addresses.filter(pl.col("device").is_in(near))),
    )


def _nodes(mine: Plan, destroy: str) -> tuple[Row, ...]:
    bmcs = mine.addresses.filter(pl.col("purpose") == "bmc").select("device", bmc="address")
    nodes = mine.devices.filter(pl.col("kind") == "node").join(bmcs, on="device", maintain_order="left")
    frame = nodes.select("device", "bmc", "vendor", "product", "rack", "u")
    return _rows(frame.with_columns(power=pl.lit("on"), on_destroy=pl.lit(destroy)))


def _switches(mine: Plan, digest: str) -> tuple[Row, ...]:
    """A row a switch. One without a management port of its own is managed through the bridge that it is."""
    spots = mine.addresses.filter(
        (pl.col("purpose") == "mgmt") | ((pl.col("purpose") == "gateway") & (pl.col("port") == "br-oob"))
    )
    spots = spots.sort("device", "purpose", descending=[False, True]).unique("device", keep="first")
    boxes = mine.devices.filter(pl.col("kind") == "switch").join(
        spots.select("device", "address"), on="device", maintain_order="left"
    )
    # What InfiniBand's switches do is its subnet manager's to say: there is no configuration of theirs to hold.
    told = mine.switches.filter(pl.col("nos").is_not_null())
    boxes = boxes.join(told.select("device", "nos"), on="device", maintain_order="left")
    nos = dict(boxes.select("device", "nos").iter_rows())
    files: dict[str, dict[str, str]] = {}
    for artefact in switches(mine):
        _, device, name = artefact.path.split("/")
        if name in DIALECTS[nos[device]].files:
            files.setdefault(device, {})[name] = sha256(artefact.data).hexdigest()
    return tuple(
        {
            **row,
            "folder": folder_of(mine.site, row["device"]),
            "files": dict(sorted(files[row["device"]].items())),
            "digest": digest,
        }
        for row in _rows(boxes.select("device", "address", "product", "rack", "u", "nos"))
    )


def _count(frame: pl.DataFrame, by: str, what: pl.Expr) -> dict[str, dict[str, Any]]:
    """Rows of fabrics -> fabric -> value of `by` -> what is counted."""
    counted = frame.group_by("fabric", by).agg(what.alias("n")).with_columns(pl.col(by).cast(pl.String))
    out: dict[str, dict[str, Any]] = {}
    for fabric, key, n in counted.drop_nulls().sort("fabric", by).iter_rows():
        out.setdefault(fabric, {})[key] = n
    return out


def _sum(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int64).sum()


def _kilo(column: str) -> pl.Expr:
    return (pl.col(column) / 1000).round(1)


def _thousands(column: str) -> pl.Expr:
    return (pl.col(column).sum() / 1000).round(1)


def _rows(frame: pl.DataFrame) -> tuple[Row, ...]:
    return tuple({k: v for k, v in row.items() if v is not None} for row in frame.rows(named=True))
