"""Racks on the floor, cords and the power section -> the power train from sources to rack PDUs.

What hangs where follows from hall, row and position, so that moving a rack changes the edges of that rack only. A
zone is what one pair of paths carries: so many busways side by side as its share of the transformers allows. How
zones hang on blocks (a transformer, its board, its UPS) is what the word for redundancy says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING

import polars as pl

from lindos.plan.flow import MILLION
from lindos.spec.power import SHARED, trunks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lindos.spec.model import Hall, Spec
    from lindos.spec.power import Chain, Power

CONTINUOUS = 0.8
"""A breaker carries 80 % of its rating continuously (NEC, loads of 3 h and more)."""
SUBSTATION_EFFICIENCY = 0.995
"""Large power transformers lose about half a per cent at load."""
NODE = {
    "power_node": pl.String, "kind": pl.String, "feed": pl.String, "hall": pl.String, "rack": pl.String,
    "volts": pl.Int64, "capacity_w": pl.Int64, "loss_ppm": pl.Int64,
}  # fmt: skip
EDGE = {"parent": pl.String, "child": pl.String, "standby": pl.Boolean}


def three_phase_w(volts: float, amps: float) -> int:
    """Line-to-line volts and breaker amps -> watts it carries continuously: sqrt(3) V A 0.8."""
    return int(sqrt(3) * volts * amps * CONTINUOUS)


def loss_ppm(efficiency: float) -> int:
    """Efficiency -> losses by a million of what is delivered."""
    return round((1 / efficiency - 1) * MILLION)


def transformer_w(chain: Chain) -> int:
    """What a transformer of a hall delivers, in watts."""
    return int(chain.transformer.kva * 1000 * chain.power_factor)


def zone_w(chain: Chain) -> int:
    """What may hang on the paths of one zone, in watts.

    x blocks carry the load of x - 1 and have x (x - 1) / 2 pairs, so each pair has 2 / x of a block.
    """
    blocks = SHARED.get(chain.redundancy)
    return transformer_w(chain) * 2 // blocks if blocks else transformer_w(chain)


@dataclass(frozen=True, slots=True)
class Block:
    """Transformers of a hall and the board that they feed. `number` counts from 0; with 2N, those of its `feed`."""

    number: int
    feed: str | None = None
    catcher: bool = False

    @property
    def name(self) -> str:
        return f"{self.feed or ''}{'c' * self.catcher}{self.number + 1}"


@dataclass(frozen=True, slots=True)
class Path:
    """How the busways of a feed in a zone are fed: by what, and by what else when that is lost."""

    block: Block
    reserve: Block | None = None


@dataclass(frozen=True, slots=True)
class Machines:
    """What the machines of a plant draw, and over how many centres they have to be spread."""

    watts: int
    centres: int


@dataclass(slots=True)
class _Parts:
    """Parts and edges as they are found, each once, in order."""

    nodes: dict[str, tuple[object, ...]] = field(default_factory=dict)
    edges: dict[tuple[str, str], bool] = field(default_factory=dict)

    def part(
        self, name: str, kind: str, capacity_w: int, *, feed: str | None = None, hall: str | None = None,
        volts: int | None = None, efficiency: float = 1.0,
    ) -> str:  # fmt: skip
        self.nodes.setdefault(name, (name, kind, feed, hall, None, volts, capacity_w, loss_ppm(efficiency)))
        return name

    def join(self, parent: str, child: str, *, standby: bool = False) -> None:
        self.edges.setdefault((parent, child), standby)


def position_w(hall: Hall, power: Power) -> int:
    """What may stand at a position of a hall, in watts: what the hall says, or else what its PDUs carry without a feed.

    It does not depend on what stands there: a heavier rack that comes later divides no busway anew.
    """
    pdu = power.chain.rack_pdu
    feed_w = three_phase_w(pdu.volts, pdu.amps) * pdu.per_feed
    return max(1, round(hall.rack_kw * 1000) if hall.rack_kw else feed_w * max(1, len(power.feeds) - 1))


def zoned(spec: Spec, racks: pl.DataFrame) -> pl.DataFrame:
    """Racks with a place -> with `busway` in their row and `zone` in their hall, both from 0."""
    chain = spec.power.chain
    busway_w = three_phase_w(chain.busway.volts, chain.busway.amps)
    per_zone_w = zone_w(chain) * chain.busway.efficiency * (chain.ups.efficiency if chain.ups else 1)
    per_busway, per_zone, per_row = {}, {}, {}
    for hall in spec.halls:
        most = position_w(hall, spec.power)
        per_busway[hall.name] = max(1, busway_w // most)
        per_zone[hall.name] = max(1, int(per_zone_w // min(busway_w, most * per_busway[hall.name])))
        per_row[hall.name] = -(-hall.racks_per_row // per_busway[hall.name])

    def of(table: dict[str, int]) -> pl.Expr:
        return pl.col("hall").replace_strict(table, return_dtype=pl.Int64)

    row = pl.col("row").str.split("-r").list.last().cast(pl.Int64) - 1
    frame = racks.with_columns(busway=(pl.col("position").cast(pl.Int64) - 1) // of(per_busway))
    return frame.with_columns(zone=(row * of(per_row) + pl.col("busway")) // of(per_zone))


def machines(power: Power) -> dict[str, list[str]]:
    """Sources -> the names of the machines of each."""
    return {
        s.name: [s.name] if s.count == 1 else [f"{s.name}-{i + 1:0{max(2, len(str(s.count)))}}" for i in range(s.count)]
        for s in power.sources
    }


def _upstream(parts: _Parts, power: Power) -> dict[str, list[str]]:
    """Sources and what stands between them and the halls -> the parts that serve each trunk."""
    outlets = machines(power)
    for s in power.sources:
        for machine in outlets[s.name]:
            parts.part(machine, s.kind, int(s.mw * 1_000_000), volts=int(s.kv * 1000) if s.kv else None)
    if not power.upstream:
        return {t: [f"substation-{t}"] for t in trunks_of(power.chain.redundancy, power.feeds)}
    serving: dict[str, list[str]] = {t: [] for t in trunks_of(power.chain.redundancy, power.feeds)}
    for part in power.upstream:
        volts = int(part.kv * 1000) if part.kv else None
        above = [f"{part.name}-tr{i + 1}" for i in range(part.transformers)] if part.kind == "substation" else []
        parts.part(part.name, part.kind, int(part.mw * 1_000_000) * max(1, len(above)), volts=volts)
        for name in above:
            parts.part(
                name, "substation_transformer", int(part.mw * 1_000_000), volts=volts, efficiency=SUBSTATION_EFFICIENCY
            )
            parts.join(name, part.name)
        for below in above or [part.name]:
            for name in part.fed_by:
                for outlet in outlets.get(name, [name]):
                    parts.join(outlet, below)
        for feed in part.feeds:
            serving[feed].append(part.name)
    return serving


def _paths(chain: Chain, feeds: Sequence[str], zone: int) -> dict[str, Path]:
    """The paths of a zone, from 0 in its hall, by feed."""
    if chain.redundancy == "2N":
        return {f: Path(Block(zone, f)) for f in feeds}
    if chain.redundancy == "N+1":
        return {f: Path(Block(zone // chain.blocks)) for f in feeds}
    if chain.redundancy == "catcher":
        return {f: Path(Block(zone), Block(zone // chain.blocks, catcher=True)) for f in feeds}
    if blocks := SHARED.get(chain.redundancy):
        pairs = list(combinations(range(blocks), 2))
        group, pair = divmod(zone, len(pairs))
        return {f: Path(Block(group * blocks + i)) for f, i in zip(feeds, pairs[pair], strict=True)}
    return {f: Path(Block(zone)) for f in feeds}


def _transformers(chain: Chain, over: Sequence[str], block: Block, zones: int) -> Iterator[tuple[str, str, int]]:
    """A block with so many zones -> name, trunk and number on that trunk of each of its transformers.

    Blocks take the trunks in turn, so that neighbours are not lost together.
    """
    if block.feed:
        yield block.name, block.feed, block.number
    elif chain.redundancy == "N+1":
        for i in range(zones + 1):
            turn, at = divmod(block.number * (chain.blocks + 1) + i, len(over))
            yield f"{block.name}-{i + 1}", over[at], turn
    else:
        turn, at = divmod(block.number + block.catcher, len(over))
        yield block.name, over[at], turn


def _blocks(parts: _Parts, spec: Spec, placed: pl.DataFrame, serving: dict[str, list[str]]) -> dict[str, int]:
    """Zones of every hall -> their blocks and rings, joined to what serves them; watts of transformers by trunk."""
    power, chain = spec.power, spec.power.chain
    each_w, over = transformer_w(chain), trunks_of(power.chain.redundancy, power.feeds)
    ring_w = three_phase_w(chain.ring.kv * 1000, chain.ring.amps)
    per_ring = max(1, ring_w // each_w)
    standing = dict.fromkeys(over, 0)
    low, pair = chain.busway.volts, placed.select("hall", "zone").unique().sort("hall", "zone")
    zones: dict[tuple[str, Block], int] = {}
    for hall, zone in pair.iter_rows():
        for block in dict.fromkeys(b for p in _paths(chain, power.feeds, zone).values() for b in (p.block, p.reserve)):
            if block:
                zones[hall, block] = zones.get((hall, block), 0) + 1
    for (hall, block), count in zones.items():
        side = block.feed
        board_w = each_w * count if chain.redundancy == "N+1" else each_w
        board = parts.part(f"{hall}-board-{block.name}", "board", board_w, feed=side, hall=hall, volts=low)
        if chain.ups:
            ups = parts.part(
                f"{hall}-ups-{block.name}",
                "ups",
                board_w,
                feed=side,
                hall=hall,
                volts=low,
                efficiency=chain.ups.efficiency,
            )
            parts.join(board, ups)
        for name, trunk, turn in _transformers(chain, over, block, count):
            dash = "-" if block.catcher or trunk not in power.feeds else ""
            ring = f"{hall}-ring-{trunk}{dash}{'c' * block.catcher}{turn // per_ring + 1}"
            one = parts.part(
                f"{hall}-tr-{name}", "transformer", each_w, feed=side, hall=hall, volts=low,
                efficiency=chain.transformer.efficiency,
            )  # fmt: skip
            parts.join(one, board)
            parts.part(ring, "ring", ring_w, feed=trunk if trunk in power.feeds else None, hall=hall,
                       volts=int(chain.ring.kv * 1000))  # fmt: skip
            parts.join(ring, one)
            for outlet in serving[trunk]:
                parts.join(outlet, ring)
            standing[trunk] += each_w
    return standing


def _motor_control(
    parts: _Parts, spec: Spec, plants: Mapping[str, Machines], serving: dict[str, list[str]], standing: dict[str, int]
) -> None:
    """Machines of each plant -> its motor control centres, each on a board of every feed that carries it alone.

    There are so many centres that the loss of one costs no more machines than are spare. What a board carries does not
    depend on how many there are, so that a plant that grows moves none.
    """
    chain, each_w = spec.power.chain, transformer_w(spec.power.chain)
    over = trunks_of(chain.redundancy, spec.power.feeds)
    low, ring_w = chain.busway.volts, three_phase_w(chain.ring.kv * 1000, chain.ring.amps)
    centre_w = min(each_w, three_phase_w(low, chain.busway.amps))
    per_ring, per_board = max(1, ring_w // each_w), each_w // centre_w
    for plant, machines in plants.items():
        for n in range(max(machines.centres, -(-machines.watts // centre_w)) if machines.watts else 0):
            centre = parts.part(f"{plant}-mcc{n + 1}", "motor_control", centre_w, volts=low)
            k = n // per_board
            for trunk in dict.fromkeys(over[(k + i) % len(over)] for i in range(min(2, len(over)))):
                side = trunk if trunk in spec.power.feeds else None
                dash = "" if side else "-"
                board = f"{plant}-plant-board-{trunk}{dash}{k + 1}"
                parts.join(board, centre)
                if board in parts.nodes:
                    continue
                parts.part(board, "board", each_w, feed=side, volts=low)
                one = parts.part(
                    f"{plant}-plant-tr-{trunk}{dash}{k + 1}", "transformer", each_w, feed=side, volts=low,
                    efficiency=chain.transformer.efficiency,
                )  # fmt: skip
                ring = parts.part(
                    f"{plant}-plant-ring-{trunk}{dash}{k // per_ring + 1}", "ring", ring_w, feed=side,
                    volts=int(chain.ring.kv * 1000),
                )  # fmt: skip
                parts.join(one, board)
                parts.join(ring, one)
                for outlet in serving[trunk]:
                    parts.join(outlet, ring)
                standing[trunk] += each_w


def _busways(parts: _Parts, spec: Spec, placed: pl.DataFrame) -> None:
    """Busways of every zone on what feeds them."""
    chain = spec.power.chain
    busway_w = three_phase_w(chain.busway.volts, chain.busway.amps)
    last = "ups" if chain.ups else "board"
    found = placed.select("hall", "row", "busway", "zone").unique().sort("hall", "row", "busway")
    for hall, row, busway, zone in found.iter_rows():
        for feed, path in _paths(chain, spec.power.feeds, zone).items():
            name = parts.part(
                f"{row}-bus-{feed}{busway + 1}", "busway", busway_w, feed=feed, hall=hall, volts=chain.busway.volts,
                efficiency=chain.busway.efficiency,
            )  # fmt: skip
            if path.reserve is None:
                parts.join(f"{hall}-{last}-{path.block.name}", name)
                continue
            switch = parts.part(
                f"{hall}-sts-{feed}{zone + 1}", "transfer_switch", transformer_w(chain), feed=feed, hall=hall,
                volts=chain.busway.volts,
            )  # fmt: skip
            parts.join(f"{hall}-{last}-{path.block.name}", switch)
            parts.join(f"{hall}-{last}-{path.reserve.name}", switch, standby=True)
            parts.join(switch, name)


def _pdus(spec: Spec, placed: pl.DataFrame, cords: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Racks and cords -> rack PDUs and the tap boxes that feed them, and their edges."""
    pdu = spec.power.chain.rack_pdu
    frame = cords.select("pdu", "feed", "rack").unique(maintain_order=True)
    frame = frame.join(placed.select("rack", "hall", "row", "busway"), on="rack", maintain_order="left")
    frame = frame.with_columns(
        tap=pl.col("pdu").str.replace("-pdu-", "-tap-"),
        over=pl.format("{}-bus-{}{}", "row", "feed", pl.col("busway") + 1),
    )
    watts = pl.lit(three_phase_w(pdu.volts, pdu.amps), dtype=pl.Int64)

    def level(name: str, kind: str) -> pl.DataFrame:
        return frame.select(
            pl.col(name).alias("power_node"), pl.lit(kind).alias("kind"), "feed", "hall", "rack",
            pl.lit(pdu.volts, dtype=pl.Int64).alias("volts"), watts.alias("capacity_w"),
            pl.lit(0, dtype=pl.Int64).alias("loss_ppm"),
        )  # fmt: skip

    no = pl.lit(value=False)
    edges = [
        frame.select(parent="over", child="tap", standby=no),
        frame.select(parent="tap", child="pdu", standby=no),
    ]
    return pl.concat([level("tap", "tap"), level("pdu", "rack_pdu")]), pl.concat(edges)


def train(
    spec: Spec, racks: pl.DataFrame, cords: pl.DataFrame, plants: Mapping[str, Machines]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Spec, placed racks, cords (pdu, feed, rack), machines of plants -> the train: nodes and edges."""
    parts = _Parts()
    serving = _upstream(parts, spec.power)
    placed = zoned(spec, racks)
    standing = _blocks(parts, spec, placed, serving)
    _motor_control(parts, spec, plants, serving, standing)
    if not spec.power.upstream:
        for trunk, watts in standing.items():
            if watts:
                name = parts.part(
                    f"substation-{trunk}", "substation", watts, feed=trunk if trunk in spec.power.feeds else None,
                    volts=int(spec.power.chain.ring.kv * 1000), efficiency=SUBSTATION_EFFICIENCY,
                )  # fmt: skip
                for several in machines(spec.power).values():
                    for machine in several:
                        parts.join(machine, name)
    _busways(parts, spec, placed)
    pdus, pdu_edges = _pdus(spec, placed, cords)
    nodes = pl.DataFrame(list(parts.nodes.values()), schema=NODE, orient="row")
    edges = pl.DataFrame([(*pair, standby) for pair, standby in parts.edges.items()], schema=EDGE, orient="row")
    return pl.concat([nodes, pdus]), pl.concat([edges, pdu_edges])
