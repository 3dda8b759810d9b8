"""Halls, power feeds, fabrics, slices: computed from the plan; their diff is the site's physical diff."""

from __future__ import annotations

from lindos.resources.kinds import Field, Kind


def _count(doc: str) -> Field:
    return Field(doc, type="integer")


def _kw(doc: str) -> Field:
    return Field(doc, type="number")


def _counts(doc: str) -> Field:
    return Field(doc, type="object", items="integer")


def _names(doc: str) -> Field:
    return Field(doc, type="array")


HALL = Kind(
    "lindos:index:Hall",
    "A data hall and what stands in it.",
    {
        "hall": Field("name of the hall", identity=True),
        "rows": _count("rows of rack positions"),
        "positions": _count("rack positions in all"),
        "racks": _count("racks that stand there"),
        "nodes": _count("nodes in these racks"),
        "gpus": _count("GPUs in these racks"),
        "nameplate_kw": _kw("sum of nameplates of what stands there"),
        "typical_kw": _kw("sum of what it draws under training"),
        "liquid_kw": _kw("heat that goes into the coolant"),
        "cooling_kw": _kw("what the coolant distribution units there can take"),
    },
)

FEED = Kind(
    "lindos:index:PowerFeed",
    "One power feed of a hall, and what hangs on it while all feeds are there.",
    {
        "feed": Field("name of the feed", identity=True),
        "hall": Field("hall that it feeds"),
        "side": Field("which of the hall's feeds"),
        "racks": _count("racks with a cord into it"),
        "cords": _count("power cords into it"),
        "nameplate_kw": _kw("its share of the nameplates of what it feeds"),
        "typical_kw": _kw("its share of what that draws under training"),
        "capacity_kw": Field("what it may carry continuously, by stage of its train", type="object", items="number"),
        "parts": _counts("pieces of its train, by stage"),
    },
)

FABRIC = Kind(
    "lindos:index:Fabric",
    "A network fabric: its switches, links and cables.",
    {
        "fabric": Field("name of the fabric", identity=True),
        "switches": _counts("switches by role"),
        "links": _counts("links by tier"),
        "cables": _counts("cables by tier; one that carries two links is one"),
        "cable_m": Field("metres of cable to buy, by tier", type="object", items="number"),
        "parts": _counts("cables by part and length"),
    },
)

SLICE = Kind(
    "lindos:index:Slice",
    "What one stack manages: a unit, a pod's spines, a core group, or what all share; of a large site, a whole pod.",
    {
        "slice": Field("name of the slice", identity=True),
        "kind": Field("unit, pod, core, frontend, storage, oob or services"),
        "fabric": Field("fabric it belongs to", required=False),
        "devices": _count("devices in all"),
        "nodes": _count("nodes"),
        "gpus": _count("GPUs"),
        "switches": _count("switches"),
        "racks": _count("racks of its own"),
        "cables": _count("cables of its own"),
        "cable_m": Field("metres of these cables", type="number"),
        "nameplate_kw": _kw("sum of nameplates"),
        "feeds_kw": Field("nameplate by power feed", type="object", items="number"),
        "rows": _names("rows of the halls where its devices stand"),
        "digest": Field("digest of the slice"),
    },
)

COMPUTED = (HALL, FEED, FABRIC, SLICE)
