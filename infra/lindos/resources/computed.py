"""Halls, what carries their power and takes their heat, fabrics, slices: computed from the plan; their diff is the
site's physical diff.
"""

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

LOAD = Field("when all is well: `nameplate`, and `typical` as measured under training", "object", "number")

BY_STAGE = {
    "parts": _counts("parts, by stage of the train"),
    "capacity_kw": Field("what the parts of a stage may carry continuously, together", "object", "number"),
    "reserve_kw": Field(
        "least reserve of any part of a stage: its capacity less its nameplate when the worst other part is lost",
        "object",
        "number",
    ),
    "loading_pct": Field("highest loading of any part of a stage, in the same case", "object", "number"),
}

SUBSTATION = Kind(
    "lindos:index:Substation",
    "A substation with its transformers, or a switchgear: what stands between the sources and the halls.",
    {
        "substation": Field("name of the substation or switchgear", identity=True),
        "kind": Field("substation or switchgear", choices=("substation", "switchgear")),
        "fed_by": _names("sources and parts that it hangs on"),
        "load_kw": LOAD,
        **BY_STAGE,
    },
)

LINEUP = Kind(
    "lindos:index:Lineup",
    "A low-voltage board with its transformers and UPS; all of a plant and feed; of a large site, of a hall and feed",
    {
        "lineup": Field("name of the board or boards", identity=True),
        "hall": Field("hall that it feeds; none feeds cooling plants", required=False),
        "feed": Field("feed that it belongs to, where it serves one", required=False),
        "fed_by": _names("substations that it hangs on"),
        "racks": _count("racks with a cord that leads to it"),
        "motor_controls": _count("motor control centres of cooling plants that hang on it"),
        "load_kw": LOAD,
        **BY_STAGE,
        "digest": Field("digest of what hangs on it: cords, their PDU and phase, what their devices draw"),
    },
)

FEED = Kind(
    "lindos:index:PowerFeed",
    "One power feed of a hall, and what hangs on it while all feeds are there.",
    {
        "feed": Field("name of the feed", identity=True),
        "hall": Field("hall that it feeds"),
        "side": Field("which of the hall's feeds"),
        "fed_by": _names("lineups that its racks hang on"),
        "racks": _count("racks with a cord into it"),
        "cords": _count("power cords into it"),
        "load_kw": LOAD,
        **BY_STAGE,
        "digest": Field("digest of what hangs on it, whichever lineup it comes by"),
    },
)

COOLER = Kind(
    "lindos:index:Cooler",
    "The machines of one kind that take heat in a hall or a plant: CDUs, rear doors, air handlers, pumps, chillers.",
    {
        "cooler": Field("name of the machines", identity=True),
        "kind": Field("cdu, rear_door, air_handler, pump, chiller, tower or dry_cooler"),
        "hall": Field("hall where they stand", required=False),
        "plant": Field("plant that they belong to", required=False),
        "units": _count("machines"),
        "capacity_kw": Field(
            "heat that they can take together; left out where it is not known", "number", required=False
        ),
        "load_kw": LOAD,
        "reserve_kw": Field("least reserve of any one of them, at nameplate", "number", required=False),
        "loading_pct": Field("highest loading of any one of them, at nameplate", "number", required=False),
        "digest": Field("digest of what hangs on them, and its heat"),
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
        "lineups_kw": Field("nameplate by lineup", type="object", items="number"),
        "rows": _names("rows of the halls where its devices stand"),
        "digest": Field("digest of the slice"),
    },
)

COMPUTED = (HALL, SUBSTATION, LINEUP, FEED, COOLER, FABRIC, SLICE)
