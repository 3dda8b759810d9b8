"""Plan -> one-line diagrams as SVG: of the site from sources to halls, and of each hall from its rings to its racks.

What repeats is drawn once with a count. Parts under a bus are of one level; each says what feeds it.
A part that carries more than it may is framed twice and says OVER.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.plan.flow import feeders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

WIDTH, HEIGHT, MARGIN, LINE = 250, 150, 40, 15
"""Pixels of a cell, around the drawing, and from one line of text to the next."""
STYLE = (
    "text{font:12px sans-serif;fill:#000}.head{font-size:18px;font-weight:bold}.name{font-weight:bold}"
    ".part{fill:#fff;stroke:#000}.over{fill:none;stroke:#000;stroke-width:3}.wire{stroke:#000;fill:none}"
    ".bus{stroke:#000;stroke-width:4}.standby{stroke:#000;fill:none;stroke-dasharray:5 4}"
)
SUPPLY = ("utility", "generator", "battery")


@dataclass(slots=True)
class Drawing:
    """Elements of an SVG as they are drawn."""

    items: list[str] = field(default_factory=list)
    width: int = 0
    height: int = 0

    def _reach(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, int(x)), max(self.height, int(y))

    def text(self, x: float, y: float, *lines: str, kind: str = "") -> None:
        for n, line in enumerate(lines):
            style = kind if n == 0 else ""
            attribute = f' class="{style}"' if style else ""
            self.items.append(f'<text x="{x:g}" y="{y + n * LINE:g}"{attribute}>{escape(line)}</text>')
            self._reach(x + 7.5 * len(line), y + n * LINE)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "wire") -> None:
        self.items.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>')
        self._reach(max(x1, x2), max(y1, y2))

    def box(self, x: float, y: float, width: float, height: float, *, over: bool = False) -> None:
        self.items.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" class="part"/>')
        if over:
            self.items.append(
                f'<rect x="{x - 4:g}" y="{y - 4:g}" width="{width + 8:g}" height="{height + 8:g}" class="over"/>'
            )
        self._reach(x + width, y + height)

    def transformer(self, x: float, y: float) -> None:
        """Two windings, from y to y + 30."""
        for top in (y + 10, y + 20):
            self.items.append(f'<circle cx="{x:g}" cy="{top:g}" r="10" class="wire"/>')

    def svg(self, title: str) -> bytes:
        width, height = self.width + MARGIN, self.height + MARGIN
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}"><title>{escape(title)}</title><style>{STYLE}</style>'
            f'<rect width="{width}" height="{height}" fill="#fff"/>'
        )
        return "\n".join([head, *self.items, "</svg>", ""]).encode()


def _load(row: Mapping[str, Any]) -> str:
    """A part -> what it carries of what it may, and whether that is too much."""
    load, may = int(row["nameplate_w"]), int(row["capacity_w"])
    return f"{load / 1000:,.0f} of {may / 1000:,.0f} kW ({load / may:.0%}){' OVER' if load > may else ''}"


def _over(row: Mapping[str, Any]) -> bool:
    return bool(row["nameplate_w"] > row["capacity_w"])


def _parts(plan: Plan) -> pl.DataFrame:
    """Parts with what they carry, by kind as text."""
    frame = plan.power_nodes.join(plan.power_loads, on="power_node", how="left", maintain_order="left")
    return frame.with_columns(pl.col("kind").cast(pl.String))


def _volts(volts: int | None) -> str:
    return "" if volts is None else f"{volts / 1000:g} kV" if volts >= 1000 else f"{volts} V"


def _machines(row: Mapping[str, Any]) -> str:
    """A source -> its kind, and how many machines where there are several."""
    count = f"{row['count']} x " if row["count"] != 1 else ""
    return f"{count}{row['kind']} {_volts(row['volts'])}".strip()


def _fed_by(plan: Plan, parts: list[str], supplies: Mapping[str, str]) -> str:
    """Names of parts -> "fed by" what feeds them, machines of one source told once."""
    over = plan.power_edges.filter(pl.col("child").is_in(parts))["parent"].to_list()
    return f"fed by {', '.join(dict.fromkeys(supplies.get(name, name) for name in over))}"


def _site(plan: Plan, parts: pl.DataFrame) -> bytes:
    """The site from its sources to its halls, level by level; each box says what feeds it."""
    drawing = Drawing()
    drawing.text(MARGIN, MARGIN, f"{plan.site}: one-line diagram", "loads at nameplate, all being well", kind="head")
    name = pl.when(pl.col("kind") == "generator").then(pl.col("power_node").str.replace(r"-\d+$", ""))
    of = parts.filter(pl.col("kind").is_in(SUPPLY)).with_columns(name=name.otherwise("power_node"))
    source = dict(of.select("power_node", "name").iter_rows())
    machines = of.group_by("name", "kind", maintain_order=True).agg(
        pl.len().alias("count"), pl.col("capacity_w").sum(), pl.col("nameplate_w").sum(), pl.col("volts").first()
    )
    levels: list[tuple[str, list[tuple[bool, list[str]]]]] = []
    boxes = [(_over(row), [row["name"], _machines(row), _load(row)]) for row in machines.rows(named=True)]
    levels.append(("Sources", boxes))
    for title, kinds in UPPER:
        boxes = [
            (_over(row), [row["power_node"], f"{row['kind'].replace('_', ' ')} {_volts(row['volts'])}", _load(row),
                          *_wrapped(_fed_by(plan, [row["power_node"]], source))])
            for row in parts.filter(pl.col("kind").is_in(kinds)).rows(named=True)
        ]  # fmt: skip
        levels.append((title, boxes))
    levels.append(("Halls", [(False, _told(plan, parts, hall, source)) for hall in plan.halls["hall"]]))
    boxes = []
    for row in parts.filter(pl.col("kind") == "motor_control").rows(named=True):
        over = plan.power_edges.filter(pl.col("child") == row["power_node"])["parent"].to_list()
        boxes.append((_over(row), [row["power_node"], f"motor control centre {_volts(row['volts'])}", _load(row),
                                   f"by {len(over)} transformers"]))  # fmt: skip
    levels.append(("Cooling plants", boxes))
    y = 2 * MARGIN + 20
    for title, boxes in levels:
        y = _level(drawing, y, title, boxes) if boxes else y
    return drawing.svg(f"{plan.site}: one-line diagram")


def _level(drawing: Drawing, y: int, title: str, boxes: list[tuple[bool, list[str]]]) -> int:
    """Boxes side by side, so many to a line, under a bus with a title -> where the next level begins."""
    drawing.text(MARGIN, y, title, kind="name")
    y += 8
    for start in range(0, len(boxes), ABREAST):
        line = boxes[start : start + ABREAST]
        high = max(len(told) for _, told in line) * LINE + 14
        drawing.line(MARGIN, y, MARGIN + len(line) * WIDTH - 20, y, "bus")
        for n, (over, told) in enumerate(line):
            x = MARGIN + n * WIDTH
            drawing.line(x + 60, y, x + 60, y + 14)
            drawing.box(x, y + 14, WIDTH - 20, high, over=over)
            drawing.text(x + 8, y + 32, *told, kind="name")
        y += high + 34
    return y + 16


def _told(plan: Plan, parts: pl.DataFrame, hall: str, source: Mapping[str, str]) -> list[str]:
    """A hall -> what stands in its box."""
    mine = parts.filter(pl.col("hall") == hall)
    has = dict(mine.group_by("kind").len().iter_rows())
    drawn = int(mine.filter(pl.col("kind") == "rack_pdu")["nameplate_w"].sum())
    racks = plan.racks.filter(pl.col("hall") == hall).height
    rings = mine.filter(pl.col("kind") == "ring")["power_node"].to_list()
    told = [f"{has[k]:,} {word}" for k, word in KINDS if has.get(k)]
    fed = _wrapped(_fed_by(plan, rings, source)) if rings else ["nothing stands there"]
    return [f"hall {hall}", *told, f"{racks:,} racks", f"{drawn / 1e6:,.2f} MW of IT", *fed]


def _wrapped(text: str) -> list[str]:
    """Text -> lines that a box holds, three at most."""
    return wrap(text, 34, max_lines=3, placeholder=" ...")


ABREAST = 6
UPPER = (
    ("Transformers of substations", ["substation_transformer"]),
    ("Substations and switchgear", ["substation", "switchgear"]),
)
KINDS = (
    ("ring", "rings"), ("transformer", "transformers"), ("board", "boards"), ("ups", "UPS"),
    ("transfer_switch", "transfer switches"), ("busway", "busways"), ("tap", "tap boxes"), ("rack_pdu", "rack PDUs"),
)  # fmt: skip


def _hung(plan: Plan, parts: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """Boards -> busways, racks and PDUs on them, those that they stand by for among them."""
    ways = feeders(parts, plan.power_edges, "busway", ["board"]).unique()
    taps = plan.power_edges.join(
        parts.filter(pl.col("kind") == "tap").select("rack", child="power_node"), on="child"
    ).select("rack", "child", busway="parent")
    frame = ways.join(taps, on="busway", how="left").group_by("over").agg(
        pl.col("busway").n_unique(), pl.col("rack").n_unique(), pl.col("child").n_unique()
    )  # fmt: skip
    return {board: (busways, racks, pdus) for board, busways, racks, pdus in frame.sort("over").iter_rows()}


def _hall(plan: Plan, parts: pl.DataFrame, hall: str) -> bytes:
    """A hall: a line of transformers and boards under each ring, the rings of a feed below each other."""
    mine = parts.filter(pl.col("hall") == hall)
    facts = {row["power_node"]: row for row in mine.rows(named=True)}
    hung, edges = _hung(plan, mine), plan.power_edges
    inside = edges.filter(pl.col("child").is_in(list(facts)))
    below: dict[str, list[str]] = {}
    for parent, child in inside.select("parent", "child").iter_rows():
        below.setdefault(parent, []).append(child)
    rings = mine.filter(pl.col("kind") == "ring").with_columns(
        side=pl.col("power_node").str.extract(r"-ring-(.+?)-?c?\d+$")
    )
    drawing = Drawing()
    racks = plan.racks.filter(pl.col("hall") == hall).height
    drawing.text(MARGIN, MARGIN, f"{plan.site} hall {hall}: {racks:,} racks, one-line diagram",
                 "loads at nameplate, all being well; dashed: stands by", kind="head")  # fmt: skip
    widest = max((len(below.get(r, [])) for r in rings["power_node"]), default=1)
    for side, (_, members) in enumerate(rings.group_by("side", maintain_order=True)):
        left = MARGIN + side * (widest * WIDTH + MARGIN)
        for turn, ring in enumerate(members.rows(named=True)):
            y = 2 * MARGIN + 25 + turn * HEIGHT
            over = edges.filter(pl.col("child") == ring["power_node"])["parent"].to_list()
            drawing.text(left, y - 6, f"{ring['power_node']}  {_volts(ring['volts'])}  {_load(ring)}, fed by "
                         f"{', '.join(over)}", kind="name")  # fmt: skip
            drawing.line(left, y, left + len(below.get(ring["power_node"], [])) * WIDTH - 30, y, "bus")
            for n, trafo in enumerate(below.get(ring["power_node"], [])):
                _lineup(drawing, left + n * WIDTH, y, facts, below, hung, trafo)
    return drawing.svg(f"{plan.site} {hall}: one-line diagram")


def _lineup(
    drawing: Drawing, x: float, y: float, facts: Mapping[str, Mapping[str, Any]], below: Mapping[str, list[str]],
    hung: Mapping[str, tuple[int, int, int]], trafo: str,
) -> None:  # fmt: skip
    """A transformer under its ring, its board, its UPS, and counts of what hangs there."""
    drawing.line(x + 20, y, x + 20, y + 12)
    drawing.box(x + 15, y + 12, 10, 10)  # the breaker
    drawing.line(x + 20, y + 22, x + 20, y + 28)
    drawing.transformer(x + 20, y + 28)
    drawing.line(x + 20, y + 58, x + 20, y + 72)
    if _over(facts[trafo]):
        drawing.items.append(f'<rect x="{x + 4:g}" y="{y + 24:g}" width="32" height="38" class="over"/>')
    drawing.text(x + 40, y + 32, trafo, f"to {_volts(facts[trafo]['volts'])}", _load(facts[trafo]),
                 kind="name")  # fmt: skip
    board = below[trafo][0]
    drawing.line(x, y + 72, x + WIDTH - 40, y + 72, "bus")
    told = [board + (" OVER" if _over(facts[board]) else "")]
    if _over(facts[board]):
        drawing.box(x, y + 76, WIDTH - 40, 2, over=True)
    told += [f"{part}: {_load(facts[part])}" for part in below.get(board, []) if facts[part]["kind"] == "ups"]
    busways, racks, pdus = hung.get(board, (0, 0, 0))
    idle = not int(facts[board]["nameplate_w"])
    drawing.line(x + 20, y + 72, x + 20, y + 92, "standby" if idle else "wire")
    told.append(f"{busways} busways, {racks} racks, {pdus} PDUs" + (", stands by" if idle else ""))
    drawing.text(x + 30, y + 92, *told)


def one_line(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """one_line.svg: the site; one_line/<hall>.svg: every hall."""
    parts = _parts(plan)
    yield Artefact("one_line.svg", _site(plan, parts))
    for hall in plan.halls["hall"]:
        if hall in set(parts["hall"].drop_nulls()):
            yield Artefact(f"one_line/{hall}.svg", _hall(plan, parts, hall))
