"""Power train of a hall -> load flow and short circuits, computed by pandapower. Slow to import: asked for, not always.

The network is symmetrical (positive sequence); how single-phase supplies load the phases is judged elsewhere. It begins
at what feeds the rings, with their short-circuit level. A ring is open at its far end, so that one arm carries it all:
the worst case. Transformers stand with their boards at the edge of the hall, in the middle of the rows that they feed.
A UPS holds its output at its nominal voltage; in a short circuit its bypass conducts.
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from math import acos, sqrt, tan
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.flow import feeders

if TYPE_CHECKING:
    from lindos.plan.outage import Train
    from lindos.plan.tables import Plan
    from lindos.spec.power import Chain

NEAR_M = 5.0
"""Metres of cable from one transformer of a ring to the next, at least."""
LOADS = ("nameplate", "typical")
HOT_C = 80.0
"""Degrees of a conductor at the end of a short circuit, for its least current (IEC 60909)."""
LINE = ("part", "kind", "above", "below", "length_m", "r_mohm_per_m", "x_mohm_per_m", "amps")


@dataclass(frozen=True, slots=True)
class Case:
    """Part of the hall's train that lives, and what its rack PDUs deliver: power_node, nameplate_w, typical_w.

    `lost` is the trunk (a feed, or a block of a group) whose rings are dark; None when all is well.
    """

    lost: str | None
    nodes: pl.DataFrame
    edges: pl.DataFrame
    drawn: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Flow:
    """One load flow. `parts`: power_node, kind, amps, loading_pct, loss_w, drop_pct (per cent of nominal from the
    board or UPS to the far end of the part), branch_pct (from the tap box on) and total_pct (from what feeds the ring).
    `above` is the part that feeds each.
    """

    hall: str
    lost: str | None
    load: str
    parts: pl.DataFrame
    in_w: float
    out_w: float
    above: dict[str, str]
    seconds: float

    @property
    def loss_w(self) -> float:
        """What all parts lose."""
        return float(self.parts["loss_w"].sum())

    def path(self, part: str) -> str:
        """A part -> its way from the ring."""
        way = [part]
        while way[-1] in self.above:
            way.append(self.above[way[-1]])
        return " > ".join(reversed(way))


@dataclass(frozen=True, slots=True)
class Hall:
    """What was computed of a hall: `flows` (none for a case in `collapsed`: it has no solution), `faults`
    (power_node, kind, most_ka: three-phase short circuits where its breaker stands, at most, and least_ka: at its far
    end, at least).
    """

    hall: str
    flows: tuple[Flow, ...]
    collapsed: tuple[tuple[str | None, str], ...]
    faults: pl.DataFrame
    plan_loss_w: int
    seconds: float


def trunk() -> pl.Expr:
    """Rings -> the trunk that each hangs on, from its name."""
    return pl.col("power_node").str.extract(r"-ring-(.+?)-?c?\d+$")


def cases(plan: Plan, train: Train, hall: str) -> list[Case]:
    """A hall -> all being well, then each of its trunks lost in turn, where anything is left."""
    nodes = plan.power_nodes.filter(pl.col("hall") == hall).with_columns(pl.col("kind").cast(pl.String))
    edges = plan.power_edges.filter(pl.col("child").is_in(nodes["power_node"].implode()))
    pdus = nodes.filter(pl.col("kind") == "rack_pdu").select("power_node")
    loads = plan.power_loads.select("power_node", "nameplate_w", "typical_w")
    out = [Case(None, nodes, edges.filter(~pl.col("standby")), pdus.join(loads, on="power_node"))]
    rings = nodes.filter(pl.col("kind") == "ring").select("power_node", scenario=trunk())
    dark = train.dark(rings)
    then = [
        train.carried(dark, column, loads).select("scenario", "power_node", pl.col("load_w").alias(column))
        for column in ("nameplate_w", "typical_w")
    ]
    for lost in rings["scenario"].unique().sort():
        gone = dark.filter(pl.col("scenario") == lost)["power_node"].implode()
        alive = nodes.filter(~pl.col("power_node").is_in(gone))
        if alive.filter(pl.col("kind") == "rack_pdu").is_empty():
            continue
        left = edges.filter(~pl.col("child").is_in(gone) & ~pl.col("parent").is_in(gone))
        left = left.filter(~pl.col("standby") | pl.col("standby").all().over("child"))
        drawn = pdus.filter(~pl.col("power_node").is_in(gone)).join(loads, on="power_node")
        for frame in then:
            mine = frame.filter(pl.col("scenario") == lost).drop("scenario")
            drawn = drawn.update(mine, on="power_node")
        out.append(Case(lost, alive, left, drawn))
    return out


@dataclass(frozen=True)
class Floor:
    """Where parts of a hall stand, in metres: boards by `y`, busways by row (`y`) with their racks (`x`, from the
    edge of the hall). From the whole train, so that nothing moves when a part is lost.
    """

    boards: dict[str, float]
    rows: pl.DataFrame

    @staticmethod
    def of(plan: Plan, hall: str) -> Floor:
        nodes = plan.power_nodes.filter(pl.col("hall") == hall).with_columns(pl.col("kind").cast(pl.String))
        edges = plan.power_edges
        place = plan.halls.select("hall", edge="x_mm")
        racks = plan.racks.join(place, on="hall").select(
            "rack", y=pl.col("y_mm") / 1000, x=(pl.col("x_mm") - pl.col("edge")) / 1000
        )
        taps = nodes.filter(pl.col("kind") == "tap").join(racks, on="rack")
        rows = taps.join(edges, left_on="power_node", right_on="child").select(
            "y", "x", tap="power_node", busway="parent"
        )
        middle = rows.group_by("busway").agg(pl.col("y").first())
        ys = feeders(nodes, edges, "busway", ["board"]).unique().join(middle, on="busway").group_by("over")
        return Floor(dict(ys.agg(pl.col("y").mean()).sort("over").iter_rows()), rows.sort("busway", "x", "tap"))


def _ring_lines(case: Case, floor: Floor, chain: Chain) -> pl.DataFrame:
    """Rings -> their cables: from what feeds them to the first transformer, and from one to the next along the hall."""
    trafos = case.nodes.filter(pl.col("kind") == "transformer").select("power_node")
    to_board = trafos.join(case.edges, left_on="power_node", right_on="parent").select("power_node", board="child")
    hung = to_board.join(case.edges, left_on="power_node", right_on="child").select(
        "power_node", "board", ring="parent"
    )
    hung = hung.with_columns(y=pl.col("board").replace_strict(floor.boards, default=0.0, return_dtype=pl.Float64))
    hung = hung.sort("ring", "y", "power_node")
    r, x = chain.ring.impedance_mohm_per_m
    before = pl.col("power_node").shift(1).over("ring")
    return hung.select(
        part="ring", kind=pl.lit("ring"), above=pl.coalesce(before, pl.format("{}:source", "ring")),
        below="power_node",
        length_m=(pl.col("y") - pl.col("y").shift(1).over("ring")).clip(lower_bound=NEAR_M)
        .fill_null(chain.ring.length_m), r_mohm_per_m=pl.lit(r), x_mohm_per_m=pl.lit(x),
        amps=pl.lit(float(chain.ring.amps)),
    )  # fmt: skip


def _low_lines(plan: Plan, case: Case, floor: Floor, chain: Chain) -> pl.DataFrame:
    """Busways and the cables from their tap boxes: a piece of busway from each place with tap boxes to the next."""
    supply = feeders(case.nodes, case.edges, "busway", ["ups"] if chain.ups else ["board"])
    board = feeders(case.nodes, case.edges, "busway", ["board"]).rename({"over": "board"})
    hall = plan.halls.filter(pl.col("hall") == case.nodes["hall"][0])
    rise = float(hall["tray_height_mm"][0]) / 1000
    points = floor.rows.join(supply, on="busway").join(board, on="busway", maintain_order="left")
    points = points.with_columns(
        point=pl.format("{}:{}", "busway", pl.col("x")),
        run=(pl.col("y") - pl.col("board").replace_strict(floor.boards, return_dtype=pl.Float64)).abs() + rise,
    )
    r, x = chain.busway.impedance_mohm_per_m
    way = points.unique("point", keep="first", maintain_order=True).sort("busway", "x")
    before = pl.col("point").shift(1).over("busway")
    pieces = way.select(
        part="busway", kind=pl.lit("busway"), above=pl.coalesce(before, "over"), below="point",
        length_m=(pl.col("x") - pl.col("x").shift(1).over("busway")).fill_null(pl.col("run") + pl.col("x")),
        r_mohm_per_m=pl.lit(r), x_mohm_per_m=pl.lit(x), amps=pl.lit(float(chain.busway.amps)),
    )  # fmt: skip
    r, x = chain.rack_pdu.impedance_mohm_per_m
    cords = points.join(case.edges, left_on="tap", right_on="parent").select(
        part="tap", kind=pl.lit("tap"), above="point", below="child",
        length_m=pl.lit(chain.rack_pdu.cord_m), r_mohm_per_m=pl.lit(r), x_mohm_per_m=pl.lit(x),
        amps=pl.lit(float(chain.rack_pdu.amps)),
    )  # fmt: skip
    return pl.concat([pieces, cords])


def load_loss_pct(chain: Chain) -> float:
    """What a transformer loses in its windings at full load, per cent of its kVA."""
    whole = (1 / chain.transformer.efficiency - 1) * chain.power_factor * 100
    share = whole * (1 - chain.transformer.no_load_share)
    if share >= chain.transformer.impedance_pct:
        raise InfeasibleError(
            Problem(
                f"a transformer that loses {share:.2f} % in its windings cannot have a short-circuit voltage of "
                f"{chain.transformer.impedance_pct:g} %",
                hint="power: chain: transformer: a higher efficiency, or a higher impedance_pct",
            )
        )
    return share


@cache
def _empty() -> Any:
    """A network without parts. To make one takes longer than to copy it or to solve a small one."""
    import pandapower as pp  # noqa: PLC0415

    return pp.create_empty_network(f_hz=60.0, add_stdtypes=False)


@dataclass
class Net:
    """A network of pandapower, and by which names its rows go."""

    net: Any
    lines: pl.DataFrame
    bus: dict[str, int]
    trafos: list[str]
    pdus: list[str]
    ups: list[str]
    boards_of_ups: list[str]


def network(plan: Plan, case: Case, floor: Floor, chain: Chain, *, bypass: bool = False) -> Net:
    """A case of a hall -> its network. `bypass`: UPS conduct, as in a short circuit."""
    import pandapower as pp  # noqa: PLC0415  # seconds to import, and only a load flow needs it

    lines = pl.concat(
        [f.select(*LINE) for f in (_ring_lines(case, floor, chain), _low_lines(plan, case, floor, chain))]
    )
    kind = {k: case.nodes.filter(pl.col("kind") == k)["power_node"].sort().to_list() for k in ("board", "ups")}
    high = pl.concat([lines.filter(pl.col("kind") == "ring")[c] for c in ("above", "below")]).unique().sort().to_list()
    low = lines.filter(pl.col("kind") != "ring")
    names = pl.concat([low["above"], low["below"]]).unique().sort().to_list()
    names = sorted({*names, *kind["board"], *kind["ups"]})
    net = deepcopy(_empty())
    at = pp.create_buses(net, len(high), vn_kv=chain.ring.kv).tolist()
    at += pp.create_buses(net, len(names), vn_kv=chain.busway.volts / 1000).tolist()
    bus = dict(zip(high + names, at, strict=True))
    if bypass:
        over = dict(case.edges.select("child", "parent").iter_rows())
        bus |= {u: bus[over[u]] for u in kind["ups"]}
    pp.create_lines_from_parameters(
        net, [bus[n] for n in lines["above"]], [bus[n] for n in lines["below"]],
        length_km=(lines["length_m"] / 1000).to_numpy(), r_ohm_per_km=lines["r_mohm_per_m"].to_numpy(),
        x_ohm_per_km=lines["x_mohm_per_m"].to_numpy(), c_nf_per_km=0.0, max_i_ka=(lines["amps"] / 1000).to_numpy(),
        endtemp_degree=HOT_C,
    )  # fmt: skip
    hung = case.edges.join(
        case.nodes.filter(pl.col("kind") == "transformer").select(parent="power_node"), on="parent"
    ).sort("parent")
    kva, loss = chain.transformer.kva, load_loss_pct(chain)
    idle_kw = loss / 100 * kva * chain.transformer.no_load_share / (1 - chain.transformer.no_load_share)
    pp.create_transformers_from_parameters(
        net, [bus[n] for n in hung["parent"]], [bus[n] for n in hung["child"]], sn_mva=kva / 1000,
        vn_hv_kv=chain.ring.kv, vn_lv_kv=chain.busway.volts / 1000, vkr_percent=loss,
        vk_percent=chain.transformer.impedance_pct, pfe_kw=idle_kw, i0_percent=idle_kw / kva * 100,
    )  # fmt: skip
    least = chain.ring.least_fault_mva or chain.ring.fault_mva / 2
    for name in high:
        if name.endswith(":source"):
            pp.create_ext_grid(
                net, bus[name], s_sc_max_mva=chain.ring.fault_mva, s_sc_min_mva=least, rx_max=0.1, rx_min=0.1
            )
    if not bypass:
        for name in kind["ups"]:
            pp.create_ext_grid(net, bus[name], s_sc_max_mva=1.0, s_sc_min_mva=1.0, rx_max=0.1, rx_min=0.1)
    over = dict(case.edges.select("child", "parent").iter_rows())
    pdus = lines.filter(pl.col("kind") == "tap")["below"].to_list()
    return Net(net, lines, bus, hung["parent"].to_list(), pdus, kind["ups"], [over[u] for u in kind["ups"]])


def _solve(made: Net, case: Case, chain: Chain, load: str) -> None:
    """Load flow into `made.net`. The UPS come first: what they draw follows from what they deliver."""
    import pandapower as pp  # noqa: PLC0415

    net, q = made.net, tan(acos(chain.power_factor))
    net.load = net.load.iloc[0:0]
    watts = dict(case.drawn.select("power_node", f"{load}_w").iter_rows())
    mw = np.array([watts[p] for p in made.pdus]) / 1e6
    pp.create_loads(net, [made.bus[p] for p in made.pdus], p_mw=mw, q_mvar=mw * q)
    pp.runpp(net, numba=False, init="flat", calculate_voltage_angles=False, trafo_model="t")
    if chain.ups and made.ups:
        sources = len(net.ext_grid) - len(made.ups)
        drawn = net.res_ext_grid.p_mw.to_numpy()[sources:] / chain.ups.efficiency
        pp.create_loads(net, [made.bus[b] for b in made.boards_of_ups], p_mw=drawn, q_mvar=drawn * q)
        pp.runpp(net, numba=False, init="flat", calculate_voltage_angles=False, trafo_model="t")


def _flow(made: Net, case: Case, chain: Chain, hall: str, load: str) -> Flow:
    """Network and case -> its load flow. LoadflowNotConverged of pandapower where there is none."""
    start = perf_counter()
    _solve(made, case, chain, load)
    net = made.net
    volts = {name: float(v) for name, v in zip(made.bus, net.res_bus.vm_pu.loc[list(made.bus.values())], strict=True)}
    pieces = made.lines.with_columns(
        i=pl.Series(net.res_line.i_ka.to_numpy() * 1000), loss=pl.Series(net.res_line.pl_mw.to_numpy() * 1e6),
        v=pl.col("below").replace_strict(volts, return_dtype=pl.Float64),
        over=pl.col("above").replace_strict(volts, return_dtype=pl.Float64),
    )  # fmt: skip
    parts = pieces.group_by("part", "kind", maintain_order=True).agg(
        amps=pl.col("i").max(), loading_pct=(pl.col("i") / pl.col("amps")).max() * 100, loss_w=pl.col("loss").sum(),
        top=pl.col("over").max(), bottom=pl.col("v").min(),
    )  # fmt: skip
    top = dict(parts.filter(pl.col("kind") == "busway").select("part", "top").iter_rows())
    tapped = dict(made.lines.filter(pl.col("kind") == "tap").select("part", pl.col("above").str.split(":").list.first())
                  .iter_rows())  # fmt: skip
    home = pl.when(pl.col("kind") == "tap").then(pl.col("part").replace(tapped)).otherwise("part")
    low = pl.col("kind") != "ring"
    lines = parts.select(
        power_node="part", kind="kind", amps="amps", loading_pct="loading_pct", loss_w="loss_w",
        drop_pct=pl.when(low).then((home.replace_strict(top, default=None, return_dtype=pl.Float64) - pl.col("bottom"))
                                   * 100),
        branch_pct=pl.when(pl.col("kind") == "tap").then((pl.col("top") - pl.col("bottom")) * 100),
        total_pct=(1 - pl.col("bottom")) * 100,
    )  # fmt: skip
    trafos = pl.DataFrame({
        "power_node": made.trafos, "kind": ["transformer"] * len(made.trafos),
        "amps": net.res_trafo.i_lv_ka.to_numpy() * 1000, "loading_pct": net.res_trafo.loading_percent.to_numpy(),
        "loss_w": net.res_trafo.pl_mw.to_numpy() * 1e6, "total_pct": (1 - net.res_trafo.vm_lv_pu.to_numpy()) * 100,
    })  # fmt: skip
    fed = net.res_ext_grid.p_mw.to_numpy() * 1e6
    sources = len(fed) - len(made.ups)
    ups_w = fed[sources:]
    lost = ups_w * (1 / chain.ups.efficiency - 1) if chain.ups else ups_w
    rating = chain.transformer.kva * 1000 * chain.power_factor
    ups = pl.DataFrame({
        "power_node": pl.Series(made.ups, dtype=pl.String), "kind": ["ups"] * len(made.ups),
        "amps": ups_w / chain.power_factor / sqrt(3) / chain.busway.volts, "loading_pct": ups_w / rating * 100,
        "loss_w": lost,
    })  # fmt: skip
    found = pl.concat([lines, trafos, ups], how="diagonal")
    drawn = float(case.drawn[f"{load}_w"].sum())
    here = case.edges.filter(pl.col("parent").is_in(case.nodes["power_node"].implode())).sort("child", "parent")
    above = dict(here.unique("child", keep="first", maintain_order=True).select("child", "parent").iter_rows())
    return Flow(hall, case.lost, load, found, float(fed[:sources].sum()), drawn, above, perf_counter() - start)


def _faults(plan: Plan, case: Case, floor: Floor, chain: Chain) -> pl.DataFrame:
    """All being well -> three-phase short-circuit currents at the far end of rings, boards, busways and rack PDUs."""
    import pandapower.shortcircuit as sc  # noqa: PLC0415

    made = network(plan, case, floor, chain, bypass=True)
    boards = case.nodes.filter(pl.col("kind") == "board")["power_node"].sort().to_list()
    ends = made.lines.group_by("part", "kind", maintain_order=True).agg(
        near=pl.col("above").first(), far=pl.col("below").last()
    )
    where = pl.concat([
        pl.DataFrame({"part": boards, "kind": ["board"] * len(boards), "near": boards, "far": boards}), ends,
    ])  # fmt: skip
    buses = sorted({made.bus[b] for b in (*where["near"], *where["far"])})
    out: dict[str, dict[int, float]] = {}
    for name in ("max", "min"):
        sc.calc_sc(made.net, bus=np.array(buses), case=name, fault="3ph", inverse_y=False, lv_tol_percent=10)
        out[name] = made.net.res_bus_sc.ikss_ka.loc[buses].to_dict()
    return where.select(
        power_node="part", kind="kind",
        most_ka=pl.Series([out["max"][made.bus[b]] for b in where["near"]]),
        least_ka=pl.Series([out["min"][made.bus[b]] for b in where["far"]]),
    )  # fmt: skip


def load_flow(plan: Plan, train: Train, chain: Chain, hall: str) -> Hall:
    """A hall of a plan -> its load flows, at nameplate and as measured, and its short circuits."""
    start = perf_counter()
    import pandapower as pp  # noqa: PLC0415

    floor, flows, collapsed = Floor.of(plan, hall), [], []
    every = cases(plan, train, hall)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=FutureWarning)  # pandapower's, of pandas
        for case in every:
            made = network(plan, case, floor, chain)
            for load in LOADS:
                try:
                    flows.append(_flow(made, case, chain, hall, load))
                except pp.LoadflowNotConverged:
                    collapsed.append((case.lost, load))
        faults = _faults(plan, every[0], floor, chain)
    losses = every[0].nodes.select("power_node").join(plan.power_loads, on="power_node")["nameplate_loss_w"].sum()
    return Hall(hall, tuple(flows), tuple(collapsed), faults, int(losses), perf_counter() - start)
