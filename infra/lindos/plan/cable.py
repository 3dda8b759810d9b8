"""Links and coordinates -> physical cables: route, medium, parts, length to buy, labels, bundles, load of the trays.

Route: up to the tray, through the trays (route.py), down again, with slack at both ends; inside a rack straight up or
down. Medium and parts by reach (media.py). Cables that run from one rack to one other are pulled in bundles, aisle by
aisle, the longest first: they lie at the bottom of the tray, and shorter ones leave it from above.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.label import label, spots
from lindos.plan.media import choose
from lindos.plan.route import fill_trays, lay_routes

if TYPE_CHECKING:
    from lindos.plan.parts import Parts
    from lindos.plan.place import Floor

SLACK_MM = 2_000
"""At each end of a cable that leaves its rack."""
RACK_SLACK_MM = 400
"""In all, for a cable that stays in its rack."""
BUNDLE = 24
"""Cables of a bundle: what TIA-568 tests as a bundle of twisted pair, and about 18 mm of fibre jumpers."""
ROWS_OF_AN_AISLE = 2


@dataclass(frozen=True, slots=True)
class Cabling:
    """`links` with the cable of each and what choosing it took; `modules`, one a cage: device, cage, part; the other
    tables as in the plan.
    """

    links: pl.DataFrame
    modules: pl.DataFrame
    cables: pl.DataFrame
    bundles: pl.DataFrame
    trays: pl.DataFrame
    halls: pl.DataFrame


def _ends(links: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """Links with rack and height of both ends; names of devices and racks as Enum, which join and group as numbers."""
    names, racks = pl.Enum(devices["device"]), pl.Enum(devices["rack"].unique(maintain_order=True))
    spot = devices.select(
        pl.col("device").cast(names),
        pl.col("rack").cast(racks),
        "z_mm",
        rise_mm=(pl.col("tray_height_mm") - pl.col("z_mm")).abs(),
    )
    out = links.with_columns(pl.col("a_device", "b_device").cast(names))
    for end in ("a", "b"):
        out = out.join(
            spot.rename({c: f"{end}_{c}" for c in spot.columns}), on=f"{end}_device", how="left", maintain_order="left"
        )
    return out


def _measured(links: pl.DataFrame, routes: pl.DataFrame) -> pl.DataFrame:
    """Links with both ends -> with the pair of racks that each joins, and `route_mm`, slack included."""
    known = routes.select(
        pl.col("a_rack").cast(links.schema["a_rack"]),
        pl.col("b_rack").cast(links.schema["b_rack"]),
        "pair",
        trays_mm=pl.col("along_mm") + pl.col("across_mm"),
    )
    frame = links.join(known, on=["a_rack", "b_rack"], how="left", maintain_order="left")
    inside = (pl.col("a_z_mm") - pl.col("b_z_mm")).abs() + RACK_SLACK_MM
    outside = pl.col("a_rise_mm") + pl.col("trays_mm") + pl.col("b_rise_mm") + 2 * SLACK_MM
    return frame.with_columns(route_mm=pl.when(pl.col("a_rack") == pl.col("b_rack")).then(inside).otherwise(outside))


def _cables(links: pl.DataFrame) -> pl.DataFrame:
    """Links with their cables -> one row a cable, and `bundle_key`, `nth`: its bundle, and its place there."""
    bought = ["length_mm", "medium", "product", "polarity", "breakout", "part", "a_part", "b_part"]
    same = ["fabric", "tier", "pair", *bought, "slice"]
    if links["cable"].n_unique() == len(links):
        cables = links.select("cable", "route_mm", *same, links=pl.lit(1))
    else:
        cables = links.group_by("cable", maintain_order=True).agg(
            pl.len().alias("links"), pl.col("route_mm").max(), *(pl.col(c).first() for c in same)
        )
    texts = [pl.col(c).cast(pl.Enum(cables[c].unique(maintain_order=True))) for c in ("fabric", "tier", "product")]
    kept = cables.with_columns(texts)
    nth = kept.select(pl.int_range(pl.len()).over("pair", "fabric", "tier", "product")).to_series()
    return cables.with_columns(chunk=nth // BUNDLE)


def _bundles(cables: pl.DataFrame, routes: pl.DataFrame, site: str) -> pl.DataFrame:
    """Cables with pair and chunk -> bundles, numbered within the pair, with route, aisle and pull order."""
    key = ["pair", "fabric", "tier", "product", "medium", "chunk"]
    frame = cables.group_by(key, maintain_order=True).agg(
        cables=pl.len(), length_mm=pl.col("length_mm").max(), route_mm=pl.col("route_mm").max()
    )
    frame = frame.join(routes, on="pair", maintain_order="left")
    nth = pl.int_range(1, pl.len() + 1).over("pair", "fabric", "medium")
    short = [pl.col(f"{e}_rack").str.strip_prefix(f"{site}-") for e in ("a", "b")]
    row = pl.col("a_row").str.split("-r").list
    frame = frame.with_columns(
        bundle=pl.format(
            "{}/{}/{}-{}{}", *short, "fabric", pl.col("medium").str.to_lowercase(), nth.cast(pl.String).str.zfill(2)
        ),
        aisle=pl.format(
            "{}-aisle{}",
            pl.col("a_row").str.strip_suffix(pl.lit("-r") + row.last()),
            ((row.last().cast(pl.Int64) - 1) // ROWS_OF_AN_AISLE + 1).cast(pl.String).str.zfill(2),
        ),
    )
    order = frame.select("bundle", "aisle", "route_mm").sort(
        "aisle", "route_mm", "bundle", descending=[False, True, False]
    )
    pull = order.select("bundle", pull=pl.int_range(1, pl.len() + 1).over("aisle"))
    return frame.join(pull, on="bundle", maintain_order="left")


def _modules(links: pl.DataFrame) -> pl.DataFrame:
    """Links with the parts at both ends -> the modules in cages: device, cage, part."""
    ends = [links.select(device=f"{e}_device", cage=f"{e}_cage", part=f"{e}_part") for e in ("a", "b")]
    plugged = pl.concat(ends).filter(pl.col("part").is_not_null())
    return plugged.unique(["device", "cage"], maintain_order=True).with_columns(pl.col("device").cast(pl.String))


def _area(parts: Parts) -> pl.Expr:
    """Cross-section of a cable by its product, in square micrometres; 0 where nobody gave its diameter."""
    area = {p: round(pi / 4 * d * d * 1_000_000) for p, d in parts.diameters_mm.items()}
    return pl.col("product").replace_strict(area, default=0, return_dtype=pl.Int64)


def _levels(halls: pl.DataFrame, trays: pl.DataFrame) -> pl.DataFrame:
    """Halls and the load of their trays -> halls with levels: as many as are needed where the site file is silent."""
    most = trays.group_by("hall").agg(most_mm2=pl.col("area_mm2").max())
    frame = halls.join(most, on="hall", how="left", maintain_order="left")
    need = (
        (pl.col("most_mm2").fill_null(0) * 100 / (pl.col("tray_mm2") * pl.col("tray_fill_pct").cast(pl.Int64)))
        .ceil()
        .clip(1)
    )
    open_ = pl.col("tray_levels") == 0
    return frame.with_columns(
        tray_levels=pl.when(open_).then(need.cast(pl.UInt16)).otherwise("tray_levels"),
        tray_mm2=pl.when(open_).then(pl.col("tray_mm2") * need.cast(pl.Int64)).otherwise("tray_mm2"),
    ).drop("most_mm2")


def cable(links: pl.DataFrame, devices: pl.DataFrame, floor: Floor, parts: Parts, site: str) -> Cabling:
    """Links, placed devices, the floor and what can be bought -> Cabling.

    A cable is named after its first link. CatalogueError where no parts join two cages, InfeasibleError where a cable
    would be too long for any, or a cage would need two modules.
    """
    frame = _ends(links, devices)
    pairs = frame.select("a_rack", "b_rack").unique(maintain_order=True).cast(pl.String)
    routes = lay_routes(pairs, floor)
    chosen = choose(_measured(frame, routes), parts)
    cables = _cables(chosen)
    bundles = _bundles(cables, routes, site)
    weights = cables.group_by("pair").agg(cables=pl.len().cast(pl.Int64), area_um2=_area(parts).sum())
    trays = fill_trays(routes.join(weights, on="pair", maintain_order="left"), floor)
    places = spots(devices, floor.halls["hall"]).with_columns(pl.col("device").cast(frame.schema["a_device"]))
    labelled = label(chosen, places).with_columns(pl.col("a_device", "b_device").cast(pl.String))
    key = ["pair", "fabric", "tier", "product", "chunk"]
    return Cabling(
        links=labelled,
        modules=_modules(chosen),
        cables=cables.join(bundles.select(*key, "bundle"), on=key, maintain_order="left"),
        bundles=bundles,
        trays=trays,
        halls=_levels(floor.halls, trays),
    )
