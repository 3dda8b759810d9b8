"""Two plans -> what was added, what is gone, and what of that which stands is not as it was.

Rows are joined by their names. A name begins with that of its site; where the two sites have different names, all
are compared without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.plan.tables import Plan

WAS = "_was"


@dataclass(frozen=True, slots=True)
class Compared:
    """How a table is compared: the columns that name a row, and what it means if others differ.

    `judged` is verb -> columns; the first verb with a difference is the one that is told. What a row hangs on (a
    column with the name of a device) goes with it: a row that is gone together with its device is not told again.
    """

    table: str
    noun: str
    plural: str
    key: tuple[str, ...]
    judged: dict[str, tuple[str, ...]]
    hangs_on: tuple[str, ...] = ()


COMPARED = (
    Compared("halls", "hall", "halls", ("hall",), {"moved": ("x_mm", "y_mm")}),
    Compared(
        "racks",
        "rack",
        "racks",
        ("rack",),
        {
            "moved": ("x_mm", "y_mm"),
            "at a place of another name": ("hall", "row", "position"),
            "changed": ("kind", "unit", "pod", "fleet", "product", "height_u"),
        },
    ),
    Compared(
        "devices",
        "device",
        "devices",
        ("device",),
        {
            "replaced": ("product",),
            "moved": ("rack", "u"),
            "changed": ("kind", "role", "fabric", "slice", "unit", "pod"),
        },
    ),
    Compared("gpus", "GPU", "GPUs", ("gpu",), {"replaced": ("product",), "changed": ("index", "rail")}, ("device",)),
    Compared(
        "ports",
        "port",
        "ports",
        ("device", "port"),
        {"changed": ("cage", "lane_group", "lane_groups", "form", "rate_gbps")},
        ("device",),
    ),
    Compared(
        "links",
        "cable",
        "cables",
        ("link",),
        {"moved": ("b_device", "b_port"), "changed": ("fabric", "tier", "rail", "rate_gbps")},
        ("a_device", "b_device"),
    ),
    Compared(
        "cables",
        "cable",
        "cables",
        ("cable",),
        {
            "replaced": ("links", "medium", "part", "a_part", "b_part"),
            "labelled anew": ("a_label", "b_label"),
        },
    ),
    Compared(
        "addresses", "address", "addresses", ("device", "port"), {"renumbered": ("address", "prefix_len")}, ("device",)
    ),
    Compared("asns", "AS number", "AS numbers", ("device",), {"renumbered": ("asn",)}, ("device",)),
    Compared(
        "power_connections", "power cord", "power cords", ("device", "psu"), {"moved": ("pdu", "phase")}, ("device",)
    ),
    Compared("power_edges", "power part", "power parts", ("child",), {"fed from another": ("parent",)}),
    Compared(
        "cooling_connections", "way of heat", "ways of heat", ("device", "medium"),
        {"cooled by another part": ("cooling_node",)}, ("device",)
    ),
    Compared("units", "unit", "units", ("unit",), {"changed": ("number", "fleet", "pod")}),
)  # fmt: skip
"""What is built cannot be renamed, renumbered, moved or plugged anew without people and an outage."""

NAMES = {
    "racks": ("rack",),
    "devices": ("device", "rack"),
    "gpus": ("gpu", "device"),
    "ports": ("device",),
    "links": ("link", "a_device", "b_device", "cable"),
    "cables": ("cable",),
    "addresses": ("device",),
    "asns": ("device",),
    "loads": ("device",),
    "power_nodes": ("power_node", "rack"),
    "power_edges": ("parent", "child"),
    "power_connections": ("device", "pdu"),
    "cooling_connections": ("device", "cooling_node"),
}
"""Columns of names that begin with that of the site."""

Tables = dict[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a table. `changed` has the key, `verb`, and each judged column as it is and (`_was`) was."""

    of: Compared
    added: pl.DataFrame
    removed: pl.DataFrame
    changed: pl.DataFrame

    def told(self, verb: str) -> pl.DataFrame:
        """The rows of one verb."""
        return self.changed.filter(pl.col("verb") == verb)


def bare(plan: Plan, *, keep_site: bool) -> Tables:
    """A plan -> its tables, names without the site's, one parent for each part of the power train."""
    out = dict(plan.tables())
    # What feeds a substation is a set that grows, and so are transformers side by side; below, a part hangs on one.
    grown = pl.col("kind").cast(pl.String).is_in(["substation", "substation_transformer", "switchgear"])
    train = out["power_nodes"].filter(~grown)
    ways = out["power_edges"].join(train, left_on="child", right_on="power_node", how="semi", maintain_order="left")
    out["power_edges"] = ways.group_by("child", maintain_order=True).agg(pl.col("parent").sort().first())
    # A cable is told once, by the labels of its first link.
    labels = out["links"].select("cable", "a_label", "b_label").unique("cable", keep="first", maintain_order=True)
    out["cables"] = out["cables"].join(labels, on="cable", how="left", maintain_order="left")
    if keep_site:
        return out
    prefix = f"{plan.site}-"
    return {
        name: frame.with_columns(pl.col(c).str.strip_prefix(prefix) for c in NAMES.get(name, ()))
        for name, frame in out.items()
    }


def _changed(both: pl.DataFrame, of: Compared) -> pl.DataFrame:
    """Rows that stand in both, with columns as they are and were -> those that differ, with the verb."""
    verb = pl.lit(None, dtype=pl.String)
    for word, columns in reversed(of.judged.items()):
        differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(c + WAS)) for c in columns)
        verb = pl.when(differs).then(pl.lit(word)).otherwise(verb)
    return both.with_columns(verb=verb).filter(pl.col("verb").is_not_null())


def compare_table(old: Tables, new: Tables, of: Compared) -> Change:
    """A table of both plans -> its Change."""
    key, values = list(of.key), [c for columns in of.judged.values() for c in columns]
    more = [c for c in of.hangs_on if c not in key and c not in values]
    was, now = old[of.table].select(*key, *values, *more), new[of.table].select(*key, *values)
    was_too = was.select(*key, *(pl.col(c).alias(c + WAS) for c in values), *more).with_row_index("at")
    both = now.join(was_too, on=key, how="left", maintain_order="left")
    kept = both["at"].is_not_null()
    still = pl.repeat(False, len(was), eager=True, dtype=pl.Boolean).scatter(both["at"].drop_nulls(), True)
    return Change(of, new[of.table].filter(~kept), was.filter(~still), _changed(both.filter(kept), of))


def compare(old: Tables, new: Tables) -> dict[str, Change]:
    """Tables of two plans -> Change of each table that is compared, consequences told once.

    A cable that moved is not said to be replaced or labelled anew as well, nor are the addresses at its ends
    renumbered: both follow the cable. What hung on a device that is gone went with it.
    """
    out = {of.table: compare_table(old, new, of) for of in COMPARED}
    gone = out["devices"].removed.select("device")
    for name, change in out.items():
        removed = change.removed
        for column in change.of.hangs_on:
            removed = removed.join(gone, left_on=column, right_on="device", how="anti", maintain_order="left")
        out[name] = Change(change.of, change.added, removed, change.changed)
    links = out["links"]
    touched = _touched(old, new, links)
    replug = pl.concat([old["links"], new["links"]]).join(
        pl.concat([links.told("moved").select("link"), links.removed.select("link")]), on="link", how="semi"
    )
    cables = out["cables"]
    lost = old["links"].join(gone, left_on="a_device", right_on="device", how="semi")
    lost_above = old["links"].join(gone, left_on="b_device", right_on="device", how="semi")
    known = pl.concat([replug.select("cable"), lost.select("cable"), lost_above.select("cable")])
    out["cables"] = Change(
        cables.of,
        cables.added,
        cables.removed.join(known, on="cable", how="anti", maintain_order="left"),
        cables.changed.join(known, on="cable", how="anti", maintain_order="left"),
    )
    for name in ("addresses", "ports"):
        change, ports = out[name], ["device", "port"]
        out[name] = Change(
            change.of,
            change.added,
            change.removed.join(touched, on=ports, how="anti", maintain_order="left"),
            change.changed.join(touched, on=ports, how="anti", maintain_order="left"),
        )
    return out


def _touched(old: Tables, new: Tables, links: Change) -> pl.DataFrame:
    """The ports that a cable leaves or comes to: of those that moved, are gone, or came."""
    moved = links.told("moved").select("link")
    keys = [(old, moved), (new, moved), (new, links.added.select("link"))]
    gone = old["links"].join(new["links"].select("link"), on="link", how="anti")
    frames = [tables["links"].join(which, on="link", how="semi") for tables, which in keys] + [gone]
    return pl.concat(
        f.select(device=f"{end}_device", port=f"{end}_port") for f in frames for end in ("a", "b")
    ).unique()


def renamed(old: Tables, new: Tables, devices: Change) -> pl.DataFrame:
    """Devices that are gone and devices that came, with one management address or loopback: device_was, device."""
    own = pl.col("purpose").cast(pl.String).is_in(["bmc", "mgmt", "loopback"])

    def spots(tables: Tables, which: pl.DataFrame) -> pl.DataFrame:
        frame = tables["addresses"].filter(own).select("device", "purpose", "address")
        return frame.join(which.select("device"), on="device", how="semi", maintain_order="left")

    was, now = spots(old, devices.removed), spots(new, devices.added)
    both = was.join(now, on=["purpose", "address"], suffix="_now", maintain_order="left")
    return both.select(device_was="device", device="device_now").unique("device_was", keep="first", maintain_order=True)
