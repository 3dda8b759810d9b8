"""Two plans and what changed -> the physical diff: how many of each thing before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.diff.compare import Change, Tables


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of thing: how many before and after, and of those that stand how many move or change."""

    group: str
    what: str
    before: float
    after: float
    added: int
    removed: int
    touched: int

    @property
    def differs(self) -> bool:
        return self.before != self.after or bool(self.added or self.removed or self.touched)

    def as_dict(self) -> dict[str, str | float | int]:
        return {
            "group": self.group,
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "added": self.added,
            "removed": self.removed,
            "moved_or_changed": self.touched,
        }


def _things(tables: Tables) -> dict[str, pl.DataFrame]:
    """Tables -> rows to count by group: `name` and `what` kind it is."""
    text = {c: pl.col(c).cast(pl.String) for c in ("kind", "role", "fabric", "product", "tier")}
    devices = tables["devices"]

    def of(kind: str, *parts: str) -> pl.DataFrame:
        what = pl.concat_str([text[p] for p in parts], separator=" ")
        return devices.filter(text["kind"] == kind).select(name="device", what=what)

    first = tables["links"].select("cable", "fabric", "tier").unique("cable", keep="first", maintain_order=True)
    lanes = tables["cables"].select("cable", "medium").join(first, on="cable", maintain_order="left")
    return {
        "racks": tables["racks"].select(name="rack", what=text["kind"]),
        "nodes": of("node", "product"),
        "GPUs": tables["gpus"].select(name="gpu", what="product"),
        "switches": of("switch", "fabric", "role", "product"),
        "CDUs": of("cdu", "product"),
        "services": of("service", "product"),
        "storage servers": of("storage", "product"),
        "cables": lanes.select(name="cable", what=pl.concat_str("fabric", text["tier"], "medium", separator=" ")),
    }


def _touched(changes: dict[str, Change]) -> dict[str, pl.DataFrame]:
    devices = changes["devices"].changed.select(name="device")
    cables = pl.concat([changes["links"].changed.select(name="link"), changes["cables"].changed.select(name="cable")])
    return {
        "racks": changes["racks"].changed.select(name="rack"),
        "GPUs": changes["gpus"].changed.select(name="gpu"),
        "cables": cables.unique(),
        **dict.fromkeys(("nodes", "switches", "CDUs", "services", "storage servers"), devices),
    }


def _modules(tables: Tables) -> pl.DataFrame:
    """Optics by part: modules, one a cage that has one."""
    parts = tables["cables"].select("cable", "a_part", "b_part")
    links = tables["links"].select("a_device", "a_port", "b_device", "b_port", "cable")
    links = links.join(parts, on="cable", maintain_order="left")
    ends = pl.concat(links.select(device=f"{e}_device", port=f"{e}_port", part=f"{e}_part") for e in ("a", "b"))
    cages = tables["ports"].select("device", "port", "cage")
    if len(ends) == len(cages) and all(ends[c].equals(cages[c]) for c in ("device", "port")):
        ends = ends.with_columns(cages["cage"])  # as a plan lists them: no need to search
    else:
        ends = ends.join(cages, on=["device", "port"])
    return ends.drop_nulls("part").group_by("part").agg(pl.struct("device", "cage").n_unique().alias("n"))


def _counted(group: str, old: pl.DataFrame, new: pl.DataFrame, touched: pl.DataFrame) -> list[Line]:
    """Rows of both plans -> a line a kind, in order of its name."""
    counts = [frame.group_by("what").len(name) for frame, name in ((old, "before"), (new, "after"))]
    added = new.join(old.select("name"), on="name", how="anti").group_by("what").len("added")
    removed = old.join(new.select("name"), on="name", how="anti").group_by("what").len("removed")
    changed = new.join(touched, on="name", how="semi").group_by("what").len("touched")
    frame = counts[0]
    for more in (counts[1], added, removed, changed):
        frame = frame.join(more, on="what", how="full", coalesce=True)
    frame = frame.fill_null(0).sort("what").select("what", "before", "after", "added", "removed", "touched")
    return [Line(group, *row) for row in frame.iter_rows()]


def physical(old: Tables, new: Tables, changes: dict[str, Change]) -> list[Line]:
    """Tables of two plans and their changes -> a line for each kind of thing that differs."""
    was, now, touched = _things(old), _things(new), _touched(changes)
    lines = [line for group in was for line in _counted(group, was[group], now[group], touched[group])]
    optics = _modules(old).join(_modules(new), on="part", how="full", coalesce=True, suffix="_new").fill_null(0)
    for part, before, after in optics.sort("part").iter_rows():
        lines.append(Line("optics", part, before, after, max(0, after - before), max(0, before - after), 0))
    for column, what in (("nameplate_w", "nameplate"), ("typical_w", "typical")):
        before, after = (round(int(t["loads"][column].sum()) / 1000, 1) for t in (old, new))
        lines.append(Line("kW", what, before, after, 0, 0, 0))
    return [line for line in lines if line.differs]
