"""Links with the length of their routes -> what carries each: the medium, the module at each end, the length bought.

A cage holds one module, so all links out of it have one technology. Links that are joined by the cages they share,
directly or through others, form an island; an island takes the cheapest technology that fits each of its links:
copper with fixed ends, then twisted pair, multimode, single mode, each by reach. Within a technology every cage takes
the module of the shortest reach that is enough for its cables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lindos.errors import CatalogueError, InfeasibleError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lindos.plan.parts import CordageFacts, OpticFacts, Parts

KIND = ["a_form", "a_groups", "b_form", "b_groups", "rate_gbps", "infiniband"]
"""What tells one kind of link from another: the cage at each end, links of a cage, speed, link layer."""
SOCKET = "RJ45"
COST = {"DAC": 0, "ACC": 1, "TP": 2, "MM": 3, "SM": 4}
"""Order in which media are tried: what costs and draws least comes first."""
POLARITY = {("MPO", "MPO"): "B", ("LC", "LC"): "A-B"}
"""Connectors at both ends -> polarity of a jumper by TIA-568: transceivers cross within an MPO, between two fibres."""
BROKEN_OUT = "LC duplex"
"""Connector of a single link behind a breakout module."""
FEMALE = "MPO"
"""Transceivers have pins in their MPO sockets, so jumpers come without."""

Cage = tuple[str, int, int]
"""Form, links of a cage, Gb/s of a link."""


@dataclass(frozen=True, slots=True)
class Technology:
    """One way of carrying a link. `standard` is that of the optics; `product` is what is bought by length.

    `breakout`: connectors of several links end in breakout modules of their racks, and jumpers run between these.
    """

    medium: str
    standard: str
    product: str
    lengths_mm: tuple[int, ...]
    breakout: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """A technology for one kind of link: the longest cable, and how many links leave by a connector at each end."""

    kind: int
    technology: Technology
    limit_mm: int
    a_share: int
    b_share: int
    connectors: tuple[str, str] | None
    grade: str
    a_fan: int = 1
    b_fan: int = 1
    """Links of a connector behind a breakout module."""

    def order(self) -> tuple[int, int, bool, str]:
        technology = self.technology
        return (COST[technology.medium], self.limit_mm, technology.breakout, technology.product)

    def part(self) -> str:
        """What to order, but for the length."""
        if self.connectors is None:
            return self.technology.product.upper()
        a, b = (f"{c} female" if c.startswith(FEMALE) else c for c in self.connectors)
        most, least = max(self.a_share, self.b_share), min(self.a_share, self.b_share)
        if most > least:
            head, tail = (a, b) if self.a_share > self.b_share else (b, a)
            return f"{head} to {most // least} x {tail} {self.grade}"
        ends = a if a == b else f"{b} to {a}"
        polarity = self.polarity()
        return f"{ends} type {polarity} {self.grade}" if polarity else f"{ends} {self.grade}"

    def bought(self) -> tuple[str, str, bool, str | None, str]:
        """Medium, product, whether by breakout modules, polarity, part."""
        technology = self.technology
        return (technology.medium, technology.product, technology.breakout, self.polarity(), self.part())

    def polarity(self) -> str | None:
        """Polarity of a straight jumper, None where there is none to choose."""
        if self.connectors is None or self.a_share != self.b_share:
            return None
        a, b = (c.split("-")[0].split(" ")[0] for c in self.connectors)
        return POLARITY.get((a, b))


Families = dict[tuple[Cage, str, str], list["OpticFacts"]]
"""Cage, medium, standard -> the optics that fit, by reach; all of one connector."""


def _families(optics: Iterable[OpticFacts]) -> Families:
    """Where optics of one standard differ in their connector, those of the furthest-reaching one are kept."""
    out: Families = {}
    for o in sorted(optics, key=lambda o: (o.max_mm, o.power_w, o.part)):
        out.setdefault(((o.form, o.links, o.gbps), o.medium, o.standard), []).append(o)
    shape = {k: (f[-1].connector, f[-1].links_per_connector) for k, f in out.items()}
    return {k: [o for o in f if (o.connector, o.links_per_connector) == shape[k]] for k, f in out.items()}


def _limit(lengths_mm: tuple[int, ...], reach_mm: int) -> int:
    """The longest that is sold within a reach, in mm; 0 where none is."""
    return max((n for n in lengths_mm if n <= reach_mm), default=0)


def _by_jumper(
    kind: int, cordage: CordageFacts, reach_mm: int, a: OpticFacts | None = None, b: OpticFacts | None = None
) -> list[Way]:
    """The ways by jumpers between two optics, or two sockets where there are none.

    All links of a connector may run to one other, or to one rack over the legs of one cable. Where they run further
    apart, the connector takes a breakout module in its rack, and a jumper runs from there for each link.
    """
    limit = _limit(cordage.lengths_mm, min(reach_mm, cordage.max_mm))
    technology = Technology(cordage.medium, a.standard if a else "", cordage.product, cordage.lengths_mm)
    if not a or not b:
        return [Way(kind, technology, limit, 1, 1, (SOCKET, SOCKET), cordage.grade)]
    shares, ends = (a.links_per_connector, b.links_per_connector), (a.connector, b.connector)
    out = [Way(kind, technology, limit, *shares, ends, cordage.grade)]
    if max(shares) > 1:
        patched = replace(technology, breakout=True)
        single = (a.connector if shares[0] == 1 else BROKEN_OUT, b.connector if shares[1] == 1 else BROKEN_OUT)
        out.append(Way(kind, patched, limit, 1, 1, single, cordage.grade, *shares))
    return out


def _by_copper(parts: Parts, kind: int, a: Cage, b: Cage, *, infiniband: bool) -> list[Way]:
    """The ways by copper with fixed ends, either of which may be the head."""
    out = []
    for copper in parts.coppers:
        if copper.infiniband_only and not infiniband:
            continue
        technology = Technology(copper.type, "", copper.product, copper.lengths_mm)
        leg = copper.links // copper.tails
        for head, tail, shares in ((b, a, (leg, copper.links)), (a, b, (copper.links, leg))):
            if copper.fits(head[0], head[1], tail[0], tail[1], a[2]):
                limit = _limit(copper.lengths_mm, copper.reach_mm(head[0]))
                out.append(Way(kind, technology, limit, *shares, None, ""))
                break
    return out


def _ways(parts: Parts, families: Families, kind: int, a: Cage, b: Cage, *, infiniband: bool) -> list[Way]:
    """Every technology that joins two cages."""
    out = _by_copper(parts, kind, a, b, infiniband=infiniband)
    if (a[0], b[0]) == (SOCKET, SOCKET) and (cord := parts.cordage.get("TP")):
        out += _by_jumper(kind, cord, cord.max_mm)
    for (cage, medium, standard), mine in families.items():
        other, cordage = families.get((b, medium, standard)), parts.cordage.get(medium)
        if cage == a and other and cordage:
            out += _by_jumper(kind, cordage, min(mine[-1].max_mm, other[-1].max_mm), mine[-1], other[-1])
    return [way for way in out if way.limit_mm]


def _kinds(links: pl.DataFrame, parts: Parts, families: Families) -> tuple[pl.DataFrame, list[Way]]:
    """Kinds of link, numbered, and every way of carrying each; CatalogueError where there is none."""
    kinds = links.select(KIND).unique(maintain_order=True).with_row_index("kind")
    ways: list[Way] = []
    problems = []
    for kind, a_form, a_groups, b_form, b_groups, gbps, infiniband in kinds.iter_rows():
        a, b = (a_form, a_groups, gbps), (b_form, b_groups, gbps)
        mine = _ways(parts, families, kind, a, b, infiniband=infiniband)
        ways += sorted(mine, key=Way.order)
        if not mine:
            problems.append(
                Problem(
                    f"no pair of optics joins {b_groups}x{gbps}G in {b_form} with {a_groups}x{gbps}G in {a_form}",
                    hint="give the optic in the site file: assumptions: - {product: NAME, kind: optic, "
                    "facts: {form, rate, medium, standard, connector, max_m}, reason: ...}",
                )
            )
    if problems:
        raise CatalogueError(problems)
    return kinds, ways


def islands(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Edges between nodes `a` and `b` (numbers from 0) -> for each edge the lowest node that it hangs together with.

    Roots are hooked to lower roots and paths halved, all edges at once: rounds grow with the logarithm of the longest
    chain.
    """
    label = np.arange(max(a.max(initial=-1), b.max(initial=-1)) + 1)
    while True:
        low = np.minimum(label[a], label[b])
        if (label[a] == label[b]).all():
            return low
        np.minimum.at(label, label[a], low)
        np.minimum.at(label, label[b], low)
        while not np.array_equal(shorter := label[label], label):
            label = shorter


def _cages(frame: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Links -> numbers of the cages at both ends, from 0 without gaps."""
    width = max(frame["a_cage"].max() or 0, frame["b_cage"].max() or 0) + 1  # type: ignore[operator]  # integers
    at = [(frame[f"{e}_device"].to_physical().cast(pl.Int64) * width + frame[f"{e}_cage"]).to_numpy() for e in "ab"]
    seen = np.zeros(max(x.max(initial=-1) for x in at) + 1, dtype=np.int64)
    for x in at:
        seen[x] = 1
    dense = seen.cumsum() - 1
    return dense[at[0]], dense[at[1]]


def _connector(end: str, share: pl.Expr) -> list[pl.Expr]:
    """What tells one connector of a cage from another, where `share` links leave by each."""
    return [pl.col(f"{end}_device"), pl.col(f"{end}_cage"), (pl.col(f"{end}_lane_group") // share).alias("nth")]


def _in_one_cable(frame: pl.DataFrame, way: Way) -> pl.Series:
    """Links -> whether one cable can carry all links of the connector of each: straight to one other connector, in
    the order in which they leave, or over legs that end in one rack.
    """
    a, b = (frame.select(at=pl.struct(_connector(e, pl.lit(s))).rank("dense"))["at"]
            for e, s in (("a", way.a_share), ("b", way.b_share)))  # fmt: skip
    ends = frame.select("a_rack", "b_rack", "a_lane_group", "b_lane_group").with_columns(a=a, b=b)
    if way.a_share == way.b_share:
        even = pl.col("a_lane_group") % way.a_share == pl.col("b_lane_group") % way.b_share
        pairs = (pl.col("b").n_unique().over("a") == 1) & (pl.col("a").n_unique().over("b") == 1)
        return ends.select(pairs & even).to_series()
    head, tail = ("a", "b") if way.a_share > way.b_share else ("b", "a")
    if min(way.a_share, way.b_share) > 1:
        return pl.Series([False]).new_from_index(0, len(frame))
    return ends.select(pl.col(f"{tail}_rack").n_unique().over(head) == 1).to_series()


def _fits(frame: pl.DataFrame, ways: list[Way], technologies: list[Technology]) -> NDArray[np.uint64]:
    """Links -> the technologies that fit each by itself, one bit for each in order."""
    kind, route = frame["kind"].to_numpy(), frame["route_mm"].to_numpy()
    out = np.zeros(len(frame), dtype=np.uint64)
    for way in ways:
        able = (kind == way.kind) & (route <= way.limit_mm)
        if max(way.a_share, way.b_share) > 1 and able.any():
            mine = np.flatnonzero(kind == way.kind)
            able[mine] &= _in_one_cable(frame[mine], way).to_numpy()
        out[able] |= np.uint64(1 << technologies.index(way.technology))
    return out


def _lost(frame: pl.DataFrame, alone: NDArray[np.uint64], lost: NDArray[np.bool_], ways: list[Way]) -> Problem:
    """What to say of links that no technology carries: too long, or joined by a cage to links that need another."""
    far = lost & (alone == 0)
    if not far.any():
        first = frame.filter(pl.Series(lost)).sort("link").row(0, named=True)
        return Problem(
            f"{int(lost.sum()):,} links share cages with links that need another module; the first is {first['link']} "
            f"in cage {first['b_cage']} of {first['b_device']}, {first['route_mm'] / 1000:.0f} m long",
            hint="a cage holds one module: place what one cage joins equally far away (halls, placement), or add an "
            "optic that serves all of its links",
        )
    worst = frame.filter(pl.Series(far)).sort("route_mm", "link", descending=True).row(0, named=True)
    best = max((w for w in ways if w.kind == worst["kind"]), key=lambda w: w.limit_mm)
    what = " ".join(filter(None, (best.technology.medium, best.technology.standard)))
    return Problem(
        f"{int(far.sum()):,} cables are too long for any medium that fits; the longest is {worst['link']} to "
        f"{worst['b_device']} with {worst['route_mm'] / 1000:.0f} m, and {what} reaches furthest with "
        f"{best.limit_mm / 1000:g} m",
        hint="place the racks closer together (halls, placement), or add an optic of longer reach",
    )


@dataclass(frozen=True, slots=True)
class _Joined:
    """The links whose cages hold several ports: which they are, and their cages at both ends."""

    rows: NDArray[np.int64]
    a: NDArray[np.int64]
    b: NDArray[np.int64]


def _joined(frame: pl.DataFrame) -> _Joined:
    rows = np.flatnonzero(((frame["a_groups"] > 1) | (frame["b_groups"] > 1)).to_numpy())
    return _Joined(rows, *_cages(frame[rows]))


def _modules(
    frame: pl.DataFrame, families: Families, technologies: list[Technology], chosen: pl.DataFrame, joined: _Joined
) -> dict[str, pl.Series]:
    """Links with technology and length -> `a_part` and `b_part`: the module that reaches just far enough."""
    length = chosen["length_mm"].to_numpy()
    longest = np.zeros(max(joined.a.max(initial=-1), joined.b.max(initial=-1)) + 1, dtype=np.int64)
    for cages in (joined.a, joined.b):
        np.maximum.at(longest, cages, length[joined.rows])
    names: list[str] = []
    kinds = chosen.select("kind", "technology").with_columns(frame.select(KIND)).unique(["kind", "technology"])
    both = chosen["kind"].to_numpy().astype(np.int64) * len(technologies) + chosen["technology"].to_numpy()
    out = {}
    for end, cages in (("a", joined.a), ("b", joined.b)):
        need = length.copy()
        need[joined.rows] = longest[cages]
        part = np.full(len(frame), -1, dtype=np.int64)
        for row in kinds.sort("kind", "technology").rows(named=True):
            t = technologies[row["technology"]]
            cage = (row[f"{end}_form"], row[f"{end}_groups"], row["rate_gbps"])
            family = families.get((cage, t.medium, t.standard))
            if family:
                mine = both == row["kind"] * len(technologies) + row["technology"]
                part[mine] = len(names) + np.searchsorted([o.max_mm for o in family], need[mine])
                names += [o.part for o in family]
        index = pl.Series(part).replace(-1, None)
        out[f"{end}_part"] = pl.Series(names, dtype=pl.String).gather(index)
    return out


def choose(links: pl.DataFrame, parts: Parts) -> pl.DataFrame:
    """Links with both ends and `route_mm` -> with medium, product, part, polarity, breakout, a_part, b_part,
    length_mm, and `cable`, the name of the first link that the same cable carries.

    CatalogueError where no parts join two cages, InfeasibleError where none reaches or a cage would need two modules.
    """
    families = _families(parts.optics)
    kinds, ways = _kinds(links, parts, families)
    frame = links.join(kinds, on=KIND, maintain_order="left")
    technologies = list(dict.fromkeys(w.technology for w in sorted(ways, key=Way.order)))
    alone = _fits(frame, ways, technologies)
    fits, joined = alone.copy(), _joined(frame)
    home = islands(joined.a, joined.b)
    common = np.full(home.max(initial=-1) + 1, ~np.uint64(0))
    np.bitwise_and.at(common, home, alone[joined.rows])
    fits[joined.rows] = common[home]
    if (lost := fits == 0).any():
        raise InfeasibleError(_lost(frame, alone, lost, ways))
    technology = np.log2((fits & (~fits + np.uint64(1))).astype(np.float64)).astype(np.int64)
    length = np.zeros(len(frame), dtype=np.int64)
    for i, t in enumerate(technologies):
        mine = technology == i
        length[mine] = np.array(t.lengths_mm)[np.searchsorted(t.lengths_mm, frame["route_mm"].to_numpy()[mine])]
    way_at = {(w.kind, technologies.index(w.technology)): i for i, w in enumerate(ways)}
    number = np.full((len(kinds), len(technologies)), -1)
    for at, i in way_at.items():
        number[at] = i
    way = pl.Series(number[frame["kind"].to_numpy(), technology])
    chosen = pl.DataFrame({"kind": frame["kind"], "technology": technology, "length_mm": length})
    table = pl.DataFrame(
        [(*w.bought(), w.a_share, w.b_share, w.a_fan, w.b_fan) for w in ways],
        schema=["medium", "product", "breakout", "polarity", "stem", "a_share", "b_share", "a_fan", "b_fan"],
        orient="row",
    )[way]
    frame = pl.concat([frame, table, chosen.select("length_mm")], how="horizontal")
    frame = _gather_links(frame)
    chosen = chosen.with_columns(frame["length_mm"])
    return _name(frame.with_columns(**_modules(frame, families, technologies, chosen, joined)))


def _gather_links(frame: pl.DataFrame) -> pl.DataFrame:
    """Links -> with `cable`: links that leave by one connector lie in one cable, as long as the longest needs."""
    split = (pl.col("a_share") > 1) | (pl.col("b_share") > 1)
    if not frame.select(split.any()).item():
        return frame.with_columns(cable="link")
    numbered = frame.select("link", "length_mm", "a_share", "b_share", *(
        f"{e}_{c}" for e in ("a", "b") for c in ("device", "cage", "lane_group")
    )).with_row_index("order")  # fmt: skip
    turned = pl.col("a_share") > pl.col("b_share")
    ends = zip(_connector("a", pl.col("a_share")), _connector("b", pl.col("b_share")), strict=True)
    head = {f"head_{i}": pl.when(turned).then(a).otherwise(b) for i, (a, b) in enumerate(ends)}
    gathered = numbered.filter(split).with_columns(**head).select(
        "order", pl.col("length_mm").max().over(list(head)), cable=pl.col("link").first().over(list(head))
    )  # fmt: skip
    single = numbered.filter(~split).select("order", "length_mm", cable="link")
    both = pl.concat([single, gathered]).sort("order").drop("order")
    return pl.concat([frame.drop("length_mm"), both], how="horizontal")


def _name(frame: pl.DataFrame) -> pl.DataFrame:
    """Links -> with `part`, what to order: `MPO-12/APC female type B OM4 15 m`."""
    metres = (pl.col("length_mm") / 1000).round(1).cast(pl.String).str.strip_suffix(".0")
    named = frame.select("stem", "length_mm").unique(maintain_order=True)
    named = named.with_columns(part=pl.format("{} {} m", "stem", metres))
    return frame.join(named, on=["stem", "length_mm"], maintain_order="left")
