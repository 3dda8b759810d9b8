"""What changed -> the order of work, how many links are out of service at once, and what bisection is left.

What is new is built dark, beside what runs. Then what stands is changed batch by batch: cables between spines and
cores one group of cores at a time, those between leaves and spines one spine at a time, those of nodes one unit at a
time. Last, the new comes into service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.diff.compare import Change, Tables

HOME = r"(p\d+)(?:-pl\d+)?-spine\d+$"
"""The pod in the name of a spine; a leaf is a home of its own."""
CORE = r"-core\d+$"
"""What follows the group in the name of a core."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the work. `links_out` is the most that are out of service at once within it, `batches` how often.

    `bisection_left` is the least, while a batch is open, of what the links of that fabric and tier that run carry
    between two halves of the site, by what they carried before; `switch_left` the least share of its uplinks that a
    running switch keeps. None where no link that runs is touched.
    """

    what: str
    batches: int = 1
    links_out: int = 0
    bisection_left: float | None = None
    switch_left: float | None = None

    def as_dict(self) -> dict[str, str | int | float | None]:
        return {
            "what": self.what,
            "batches": self.batches,
            "links_out": self.links_out,
            "bisection_left": self.bisection_left,
            "switch_left": self.switch_left,
        }


def count(n: int, one: str, many: str = "") -> str:
    """A number and its noun: 1 cable, 2,048 cables."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def moved_cables(changes: dict[str, Change], old: Tables, new: Tables) -> pl.DataFrame:
    """Links of both plans whose upper end is another -> with both ends, and the `batch` in which they move."""
    columns = ["link", "fabric", "tier", "a_device", "a_port", "b_device", "b_port", "cable"]
    moved = changes["links"].told("moved").select("link", "b_device_was", "b_port_was")
    frame = new["links"].select(columns).join(moved, on="link", maintain_order="left")
    below = old["devices"].select(a_device="device", below="slice")
    frame = frame.join(below, on="a_device", how="left", maintain_order="left")
    for tables, end in ((old, "_was"), (new, "")):
        bought = tables["cables"].select("cable", *(pl.col(c).alias(c + end) for c in ("part", "a_part")))
        links = tables["links"].select("link", "cable").join(moved.select("link"), on="link", how="semi")
        frame = frame.join(links.join(bought, on="cable").drop("cable"), on="link", how="left", maintain_order="left")
    tier = pl.col("tier").cast(pl.String)
    by_group = pl.when(tier == "spine_core").then(pl.col("b_device_was").str.replace(CORE, ""))
    batch = by_group.when(tier == "node_leaf").then(pl.coalesce("below", "a_device")).otherwise("b_device_was")
    return frame.with_columns(tier, batch=batch).drop("below")


def _halves(links: pl.DataFrame) -> pl.DataFrame:
    """Links of one tier -> with `family`, the switches above that serve the same ones below, and `half` of those.

    Families are found by the first switch above; halves are the homes below (pods, or leaves) in order of name.
    """
    home = pl.coalesce(pl.col("a_device").str.extract(HOME), "a_device")
    frame = links.with_columns(home=home, family=pl.col("b_device_was").str.replace(r"(core|spine)\d+$", ""))
    rank = pl.col("home").rank("dense").over("family")
    return frame.with_columns(half=rank * 2 <= rank.max().over("family"))


def _carried(links: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Links as they are plugged -> by `keys`, Gb/s between the halves: through each switch above its smaller side."""
    sides = links.group_by(*keys, "above", "half").agg(pl.col("rate_gbps").cast(pl.Int64).sum())
    sides = sides.group_by(*keys, "above").agg(
        least=pl.when(pl.len() == 2).then(pl.col("rate_gbps").min()).otherwise(0)
    )
    return sides.group_by(*keys).agg(gbps=pl.col("least").sum())


def _least(family: pl.DataFrame) -> int:
    """Links of a family, some with their `turn` -> the least Gb/s between its halves while one of its batches is open.

    Batches of several families do not meet, so each is followed through its own turns, one state at a time.
    """
    turns = family["turn"].drop_nulls().unique().sort()
    plugged = pl.when(pl.col("turn") < pl.col("open")).then("b_device_now").otherwise("b_device_was")
    states = family.join(turns.to_frame("open"), how="cross").filter(pl.col("turn").ne_missing(pl.col("open")))
    carried = _carried(states.with_columns(above=plugged), "open")
    return min(carried["gbps"]) if len(carried) == len(turns) else 0


def bisection(running: pl.DataFrame, moved: pl.DataFrame) -> tuple[float, float]:
    """Links of one tier that run, and those of them that move -> the least bisection and switch share that is left.

    Batches go one after the other: those before are plugged as planned, the one that is open carries nothing.
    """
    frame = _halves(running.rename({"b_device": "b_device_was"})).join(
        moved.select("link", "batch", b_device_now="b_device"), on="link", how="left", maintain_order="left"
    )
    order = moved.select("batch").unique().sort("batch").with_row_index("turn")
    frame = frame.join(order, on="batch", how="left", maintain_order="left").with_columns(
        above=pl.col("b_device_was"), turn=pl.col("turn").cast(pl.Int64)
    )
    whole = dict(_carried(frame, "family").iter_rows())
    before = sum(whole.values())
    touched = frame.filter(pl.col("turn").is_not_null().any().over("family"))
    lost = max((whole[family["family"][0]] - _least(family) for family in touched.partition_by("family")), default=0)
    left = frame.group_by("a_device").agg(pl.len().alias("uplinks"))
    out = frame.drop_nulls("batch").group_by("a_device", "batch").agg(pl.len().alias("out"))
    share = out.join(left, on="a_device").select((1 - pl.col("out") / pl.col("uplinks")).min()).item()
    return (before - lost) / before if before else 1.0, share


def _moves(old: Tables, moved: pl.DataFrame) -> list[Step]:
    """Cables that move, from the top down."""
    steps = []
    for tier, batch in (("spine_core", "group of cores"), ("leaf_spine", "spine"), ("node_leaf", "unit")):
        for fabric, part in sorted(
            (key[0], frame) for key, frame in moved.filter(pl.col("tier") == tier).partition_by(
                "fabric", as_dict=True, maintain_order=True).items()
        ):  # fmt: skip
            sizes = part.group_by("batch").len()
            left: tuple[float | None, float | None] = (None, None)
            if tier != "node_leaf":
                running = old["links"].filter(pl.col("fabric") == fabric, pl.col("tier").cast(pl.String) == tier)
                left = bisection(running.select("link", "a_device", "b_device", "rate_gbps"), part)
            cables = count(len(part), f"{tier.replace('_', '-')} cable")
            anew = [
                f"{n:,} of them with another {noun}"
                for column, noun in (("part", "cable"), ("a_part", "optic below"))
                if (n := len(part.filter(pl.col(column).ne_missing(pl.col(f"{column}_was")))))
            ]
            what = f"move {cables} of fabric {fabric}, one {batch} at a time"
            what += f"; {' and '.join(anew)}" if anew else ""
            steps.append(Step(what, len(sizes), int(sizes["len"].max() or 0), *left))  # type: ignore[arg-type]  # counts
    return steps


def _out_by(old: Tables, devices: pl.DataFrame, batch: str) -> tuple[int, int]:
    """Devices (device, and a column of batches) that go off -> batches, and the most links out in one of them."""
    ends = [old["links"].select("link", device=f"{e}_device").join(devices, on="device") for e in ("a", "b")]
    links = pl.concat(ends).select("link", batch).unique().group_by(batch).len()
    return devices[batch].n_unique(), int(links["len"].max() or 0)  # type: ignore[arg-type]  # counts


def _offline(old: Tables, changes: dict[str, Change]) -> list[Step]:
    """Racks and devices that move or are replaced, and those that are taken away: off while it lasts."""
    steps = []
    home = old["devices"].select("device", rack="rack")
    racks = changes["racks"].told("moved").select("rack")
    if len(racks):
        inside = home.join(racks, on="rack", how="semi")
        _, most = _out_by(old, inside, "rack")
        steps.append(Step(f"move {count(len(racks), 'rack')}, one at a time, its devices off", len(racks), most))
    for verb, words in (("moved", "move"), ("replaced", "replace")):
        mine = changes["devices"].told(verb).select("device")
        if len(mine):
            batches, most = _out_by(old, home.join(mine, on="device", how="semi"), "device")
            what = f"{words} {count(len(mine), 'device')}, one at a time"
            steps.append(Step(f"{what} to another place in the racks" if verb == "moved" else what, batches, most))
    gone = changes["devices"].removed.select("device")
    if len(gone):
        batches, most = _out_by(old, home.join(gone, on="device", how="semi"), "device")
        steps.append(Step(f"take away {count(len(gone), 'device')}, one at a time", batches, most))
    return steps


def order_of_work(old: Tables, changes: dict[str, Change], told: pl.DataFrame, moved: pl.DataFrame) -> list[Step]:
    """Changes, what switches that run are told, cables that move -> the steps in order."""
    steps = []
    came = changes["devices"].added
    racks, links = changes["racks"].added, changes["links"].added
    if len(changes["halls"].added):
        steps.append(Step(f"build {count(len(changes['halls'].added), 'hall')}"))
    if len(came) or len(racks):
        parts = [count(len(racks), "rack"), count(len(came), "device")]
        fresh = links
        for end in ("a_device", "b_device"):
            fresh = fresh.join(came.select(pl.col("device").alias(end)), on=end, how="semi")
        dark = f"{count(len(fresh), 'link')} among them"
        steps.append(Step(f"set up {' with '.join(parts)} and plug {dark}, dark"))
    steps += _moves(old, moved)
    steps += _offline(old, changes)
    again = changes["addresses"].told("renumbered")
    if len(again):
        ends = pl.concat(old["links"].select("link", device=f"{e}_device", port=f"{e}_port") for e in ("a", "b"))
        hit = ends.join(again.select("device", "port"), on=["device", "port"], how="semi")["link"].n_unique()
        steps.append(
            Step(f"renumber {count(len(again), 'address', 'addresses')}: their links go down and come back", 1, hit)
        )
    if len(came):
        ports, switches = int(told["ports_added"].sum()), int(told["switches"].sum())
        sessions = int(told["sessions_added"].sum())
        new_gpus = len(changes["gpus"].added)
        what = f"bring the new into service: {count(new_gpus, 'GPU')}"
        if switches:
            what += f"; {count(ports, 'free port')} and {count(sessions, 'session')} on switches that run"
        steps.append(Step(what))
    return steps
