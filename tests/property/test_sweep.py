"""What each loss takes down, against a slow walk over every part, against the twin, and against what was promised."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from test_plan_invariants import built, random_sites, sites

from lindos.check import sweep as losses
from lindos.check.view import View
from lindos.emit.schedules import addresses, cables, devices, power_cords
from lindos.emit.tables import tables
from lindos.twin.faults import Faults, read_fault
from lindos.twin.hall import read_hall
from lindos.twin.power import runs, supplies

if TYPE_CHECKING:
    from lindos.plan import Plan

LAB = Path(__file__).parents[2] / "inventories/lab/site.yaml"
some_sites = settings(random_sites, max_examples=max(1, random_sites.max_examples // 5))
REDUNDANCY = ("2N", "N+1", "3N/2", "4N/3", "catcher", "N")


@st.composite
def fed_sites(draw: st.DrawFn) -> dict[str, Any]:
    """Sites of any redundancy, with and without UPS; blocks of 3N/2 and 4N/3 take two feeds."""
    site = draw(sites(several=False))
    word = draw(st.sampled_from(REDUNDANCY))
    if word in ("3N/2", "4N/3") and len(site["power"]["feeds"]) != 2:
        word = "2N"
    chain = site["power"]["chain"] | {
        "redundancy": word,
        "blocks": draw(st.integers(1, 3)),
        "transformer": {"kva": 1_000},
    }
    chain |= {"ups": {}} if draw(st.booleans()) else {}
    return site | {"power": site["power"] | {"chain": chain}}


@dataclass
class Site:
    """What every walk over a plan asks of it."""

    plan: Plan

    @cached_property
    def above(self) -> dict[str, list[tuple[str, bool]]]:
        out: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        for parent, child, standby in self.plan.power_edges.select("parent", "child", "standby").iter_rows():
            out[child].append((parent, standby))
        return out

    @cached_property
    def banks(self) -> dict[str, list[dict[str, Any]]]:
        out: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.plan.loads.to_dicts():
            out[row["busbar"] or row["device"]].append(row)
        return out

    @cached_property
    def cords(self) -> dict[str, list[str]]:
        out: dict[str, list[str]] = defaultdict(list)
        bank = {row["device"]: name for name, rows in self.banks.items() for row in rows}
        for device, pdu in self.plan.power_connections.select("device", "pdu").iter_rows():
            out[bank[device]].append(pdu)
        return out

    @cached_property
    def below(self) -> dict[str, list[str]]:
        out: dict[str, list[str]] = defaultdict(list)
        for child, parents in list(self.above.items()):
            for parent, _ in parents:
                out[parent].append(child)
        return out

    @cached_property
    def capacity(self) -> dict[str, int]:
        return dict(self.plan.power_nodes.select("power_node", "capacity_w").iter_rows())

    @cached_property
    def loss(self) -> dict[str, float]:
        return {n: ppm / 1e6 for n, ppm in self.plan.power_nodes.select("power_node", "loss_ppm").iter_rows()}

    @cached_property
    def nodes(self) -> dict[str, dict[str, Any]]:
        return {r["cooling_node"]: r for r in self.plan.cooling_nodes.to_dicts()}

    @cached_property
    def takers(self) -> dict[str, list[str]]:
        out: dict[str, list[str]] = defaultdict(list)
        for parent, child in self.plan.cooling_edges.select("parent", "child").iter_rows():
            out[child].append(parent)
        return out

    @cached_property
    def up(self) -> dict[str, set[str]]:
        out: dict[str, set[str]] = defaultdict(set)
        for row in self.plan.links.filter(pl.col("tier") != "node_leaf").iter_rows(named=True):
            out[row["a_device"]].add(row["b_device"])
        return out

    @cached_property
    def links(self) -> list[dict[str, Any]]:
        kind = dict(self.plan.devices.select("device", "kind").iter_rows())
        return [r for r in self.plan.links.filter(tier="node_leaf").to_dicts() if kind[r["a_device"]] == "node"]


@dataclass
class Walk:
    """One loss, followed part by part: what the sweep computes for all losses at once."""

    site: Site
    parts: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    coolers: set[str] = field(default_factory=set)
    known: dict[str, bool] = field(default_factory=dict)
    loads: dict[str, float] = field(default_factory=dict)

    def dark(self, part: str) -> bool:
        if part not in self.known:
            above = self.site.above[part]
            self.known[part] = part in self.parts or (bool(above) and all(self.dark(p) for p, _ in above))
        return self.known[part]

    @cached_property
    def runs(self) -> dict[str, bool]:
        """Banks -> whether what is left carries them; all drawn supplies have a rating, and all of a bank the same."""
        out = {}
        for bank, rows in self.site.banks.items():
            left = sum(not self.dark(p) for p in self.site.cords[bank])
            rating = next(r["psu_rating_w"] for r in rows if r["psus"])
            if rows[0]["busbar"]:
                enough = left * rating >= sum(r["nameplate_w"] for r in rows)
            else:
                enough = left >= rows[0]["psus_needed"]
            out[bank] = left == len(self.site.cords[bank]) or (left > 0 and enough)
        return out

    @cached_property
    def down(self) -> set[str]:
        powerless = {r["device"] for bank, rows in self.site.banks.items() for r in rows if not self.runs[bank]}
        first = powerless | self.devices
        gone = self.coolers | first | self.stopped
        nodes, parents = self.site.nodes, self.site.takers

        def falls(name: str) -> bool:
            if name in gone:
                return True
            lost = [p for p in parents[name] if falls(p)]
            left = [nodes[p]["capacity_w"] for p in parents[name] if p not in lost]
            known = all(nodes[p]["capacity_w"] is not None for p in parents[name])
            return bool(lost) and (not left or (known and sum(left) < nodes[name]["heat_w"]))

        hot = {
            d
            for d, node in self.site.plan.cooling_connections.select("device", "cooling_node").iter_rows()
            if falls(node)
        }
        return first | hot

    @cached_property
    def stopped(self) -> set[str]:
        """Machines of a plant whose motor control centre is dark; those of a kind take the centres in turn."""
        home = {(r["kind"], r["hall"]): r["plant"] for r in self.site.plan.plant_loads.to_dicts() if r["hall"]}
        centres: dict[str, list[str]] = defaultdict(list)
        for name in self.site.plan.power_nodes.filter(kind="motor_control")["power_node"]:
            centres[name.rpartition("-mcc")[0]].append(name)
        turns: dict[tuple[str, str], int] = defaultdict(int)
        out = set()
        for row in self.site.plan.cooling_nodes.sort("cooling_node").to_dicts():
            kind, plant = row["kind"], row["plant"] or home.get((row["kind"], row["hall"]))
            if kind not in losses.COOLERS or kind == "cdu" or plant not in centres:
                continue
            if self.dark(centres[plant][turns[plant, kind] % len(centres[plant])]):
                out.add(row["cooling_node"])
            turns[plant, kind] += 1
        return out

    @cached_property
    def counts(self) -> dict[str, int]:
        plan, up = self.site.plan, self.site.up

        def leads(switch: str) -> bool:
            return switch not in self.down and (not up[switch] or any(leads(s) for s in up[switch]))

        lead = {leaf: leads(leaf) for leaf in {r["b_device"] for r in self.site.links}}
        off = [r for r in self.site.links if r["a_device"] not in self.down and not lead[r["b_device"]]]
        rails = [r for r in off if r["fabric"].startswith("rdma")]
        nodes = {r["device"]: r["unit"] for r in plan.devices.filter(kind="node").to_dicts()}
        dropped = {n for n in nodes if n in self.down}
        broken = {nodes[n] for n in dropped} | {nodes[r["a_device"]] for r in rails}
        home = {r["a_device"]: r["fabric"] for r in self.site.links if r["fabric"].startswith("rdma")}
        on = {unit: home.get(n) for n, unit in nodes.items()}
        left: dict[str | None, int] = defaultdict(int)
        for unit, gpus in plan.units.select("unit", "gpus").iter_rows():
            left[on[unit]] += 0 if unit in broken else gpus
        bmc = dict(plan.addresses.filter(purpose="bmc").select("device", "port").iter_rows())
        ends = {(r["a_device"], r["a_port"]): r["b_device"] for r in self.site.links if r["fabric"] == "oob"}
        bank = {r["device"]: name for name, rows in self.site.banks.items() for r in rows}
        lit = {n for n in nodes if any(not self.dark(p) for p in self.site.cords[bank[n]])}
        unreached = [n for n in lit if (n, bmc.get(n)) in ends and not lead[ends[n, bmc[n]]]]
        gpus = dict(plan.gpus.group_by("device").len().iter_rows())
        return {
            "nodes_dropped": len(dropped), "gpus_lost": sum(gpus[n] for n in dropped), "rails_lost": len(rails),
            "ports_lost": sum(r["fabric"] != "oob" for r in off) - len(rails), "oob_dark": len(unreached),
            "units_whole": len(plan.units) - len(broken), "gpus_trainable": max(left.values()),
        }  # fmt: skip

    def load(self, part: str) -> float:
        """Watts that a part delivers, from the cords up."""
        if part not in self.loads:
            below = sum(self.drawn(child, part) for child in self.site.below[part])
            self.loads[part] = 0.0 if self.dark(part) else self.hung.get(part, 0.0) + below
        return self.loads[part]

    def drawn(self, child: str, part: str) -> float:
        alive = [(p, s) for p, s in self.site.above[child] if not self.dark(p)]
        mine = [p for p, s in alive if not s] or [p for p, _ in alive]
        if part not in mine:
            return 0.0
        capacity = self.site.capacity[part] / sum(self.site.capacity[p] for p in mine)
        return self.load(child) * (1 + self.site.loss[child]) * capacity

    @cached_property
    def hung(self) -> dict[str, float]:
        out: dict[str, float] = defaultdict(float)
        motors = self.site.plan.power_loads.join(
            self.site.plan.power_nodes.filter(kind="motor_control"), on="power_node"
        )
        out |= dict(motors.select("power_node", "nameplate_w").iter_rows())
        for bank, pdus in self.site.cords.items():
            lit = [p for p in pdus if not self.dark(p)]
            for pdu in lit if self.runs[bank] else ():
                out[pdu] += sum(r["nameplate_w"] for r in self.site.banks[bank]) / len(lit)
        return out


def walk(site: Site, fails: pl.DataFrame, component: str) -> Walk:
    rows = fails.filter(component=component)
    parts, devices, coolers = (set(rows[c].drop_nulls()) for c in ("power_node", "device", "cooler"))
    return Walk(site, parts, devices, coolers)


def few_of_each(lost: pl.DataFrame, kinds: int = 2) -> pl.DataFrame:
    """The first and the last component of every kind."""
    ends = pl.concat(
        [lost.group_by("kind", maintain_order=True).head(kinds - 1), lost.group_by("kind", maintain_order=True).tail(1)]
    )
    return ends.select(lost.columns).unique("component", keep="first", maintain_order=True)


@some_sites
@given(fed_sites())
def test_the_sweep_says_what_a_slow_walk_over_every_part_says(site: dict[str, Any]) -> None:
    spec, plan = built(site)
    view = View(plan, spec)
    lost, fails = losses.components(view)
    lost = few_of_each(lost)
    said = {row["component"]: row for row in losses.losses(view, lost, fails).to_dicts()}
    here = Site(plan)
    well = Walk(here)
    assert said.keys() == set(lost["component"])
    for name, row in said.items():
        slow = walk(here, fails, name)
        assert {k: row[k] for k in slow.counts} == slow.counts, name
        more = {p: slow.load(p) for p in here.capacity if slow.load(p) > well.load(p) + 1}
        worst = max((w / here.capacity[p] for p, w in more.items() if w > here.capacity[p] + 0.5), default=None)
        assert (row["overloaded_pct"] is None) == (worst is None), name
        if worst:
            assert row["overloaded_pct"] == pytest.approx(100 * worst, abs=0.11), name


@some_sites
@given(fed_sites(), st.data())
def test_two_failures_lose_at_least_what_each_loses(site: dict[str, Any], data: st.DataObject) -> None:
    spec, plan = built(site)
    view = View(plan, spec)
    lost, fails = losses.components(view)
    names = lost["component"].to_list()
    one, other = (data.draw(st.sampled_from(names)) for _ in range(2))
    both = pl.concat([fails, *(fails.filter(component=c).with_columns(component=pl.lit("both")) for c in (one, other))])
    asked = pl.concat(
        [lost.filter(pl.col("component").is_in([one, other])), lost.head(1).with_columns(component=pl.lit("both"))]
    )
    said = {row["component"]: row for row in losses.losses(view, asked, both).to_dicts()}
    for part in (one, other):
        for column in ("nodes_dropped", "gpus_lost", "leaves_dark", "spines_dark", "cores_dark"):
            assert said["both"][column] >= said[part][column], (column, part)
        for column in ("units_whole", "gpus_trainable"):
            assert said["both"][column] <= said[part][column], (column, part)


@some_sites
@given(fed_sites())
def test_a_pair_that_is_not_told_loses_what_its_parts_lose_alone(site: dict[str, Any]) -> None:
    spec, plan = built(site)
    view = View(plan, spec)
    told, _ = losses.pairs(view)
    lost, fails = losses.components(view)
    names = list(plan.power_nodes.filter(~pl.col("kind").is_in(losses.BELOW_BLOCKS))["power_node"].sort())
    dark = view.train.dark(pl.DataFrame({"scenario": names, "power_node": names}))
    inside = set(dark.select("scenario", "power_node").iter_rows())
    quiet = [
        (a, b) for a in names for b in names
        if a < b and f"{a} + {b}" not in set(told["component"]) and not {(a, b), (b, a)} & inside
    ][:40]  # fmt: skip
    if not quiet:
        return
    more = pl.concat(
        fails.filter(component=end).with_columns(component=pl.lit(f"{a} + {b}")) for a, b in quiet for end in (a, b)
    )
    pairs = pl.DataFrame({"component": [f"{a} + {b}" for a, b in quiet]}).with_columns(
        kind=pl.lit("pair"), feed=pl.lit(None, dtype=pl.String), hall=pl.lit(None, dtype=pl.String)
    )
    alone = fallen(view, lost.filter(pl.col("component").is_in(names)), fails)
    for component, both in fallen(view, pairs, more).items():
        a, b = component.split(" + ")
        gone = {what for what in (alone[a] | alone[b]) - both if what[0] == "bmc"}  # with the power of their node
        assert both == (alone[a] | alone[b]) - gone, component


def fallen(view: View, lost: pl.DataFrame, fails: pl.DataFrame) -> dict[str, set[tuple[str, str]]]:
    """Losses -> the devices that each takes down, those that lead nowhere any more, and the BMCs that are cut off."""
    found = losses.Swept(view, lost, fails)
    what = {"down": found.down, "cut": found.cut, "bmc": found.unreached()}
    out: dict[str, set[tuple[str, str]]] = {name: set() for name in lost["component"]}
    for word, frame in what.items():
        for component, device in frame.join(found.numbers, on="scenario").select("component", "device").iter_rows():
            out[component].add((word, device))
    return out


@st.composite
def labs(draw: st.DrawFn) -> dict[str, Any]:
    """The lab with other power supplies and feeds."""
    site: dict[str, Any] = YAML(typ="safe", pure=True).load(LAB.read_text())
    site["power"]["feeds"] = ["a", "b", "c"][: draw(st.integers(1, 3))]
    site["power"]["chain"]["rack_pdu"]["per_feed"] = draw(st.integers(1, 2))
    for product in ("dell_xe9680", "smc_sys_421ge_tnhr2_lcc", "lab_switch_16"):
        count = draw(st.integers(1, 6))
        psu = {"count": count, "needed": draw(st.integers(1, count)), "rating_w": 12_000}
        psu |= {"throttle": {"lost": draw(st.integers(1, count)), "to": 0.5}} if draw(st.booleans()) else {}
        fact = next(a for a in site["assumptions"] if a["product"] == product)
        fact["facts"] = fact["facts"] | {"psu": psu}
    return site


@settings(random_sites, max_examples=12)
@given(labs(), st.data())
def test_the_twin_finds_by_its_cords_the_nodes_that_the_sweep_tells(site: dict[str, Any], data: st.DataObject) -> None:
    spec, plan = built(site)
    with TemporaryDirectory() as folder:
        for emitter in (tables, devices, cables, addresses, power_cords):
            for artefact in emitter(plan, {}):
                file = Path(folder) / artefact.path
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(artefact.data)
        hall = read_hall(Path(folder), plan.site)
    view = View(plan, spec)
    _, fails = losses.components(view)
    pdus = data.draw(st.sets(st.sampled_from(hall.pdus), min_size=2, max_size=4))
    feeds = [([("feed-loss", f)], fails.filter(component=f"feed {f}")) for f in hall.feeds]
    mixed = ([("pdu-loss", p) for p in sorted(pdus)], fails.filter(pl.col("component").is_in(sorted(pdus))))
    nodes = {d.name for d in hall.of_kind("node")}
    for broken, failed in [*feeds, mixed]:
        faults = Faults(tuple(read_fault(hall, kind, [word]) for kind, word in broken))
        live = supplies(hall, faults)
        down = {d.name for d in hall.of_kind("node", "switch") if not runs(d, live[d.name], faults, nodes)}
        lost = pl.DataFrame({"component": ["lost"], "kind": ["drawn"]}).with_columns(
            feed=pl.lit(None, dtype=pl.String), hall=pl.lit(None, dtype=pl.String)
        )
        fails_here = failed.with_columns(component=pl.lit("lost"))
        hit = losses.nodes_hit(view, lost, fails_here).filter(does="drops", why="power")
        (row,) = losses.losses(view, lost, fails_here).to_dicts()
        assert set(hit["device"]) == down & nodes
        dark = [d for d in hall.of_kind("switch") if d.name in down and d.fabric != "oob"]
        assert row["leaves_dark"] + row["spines_dark"] == len(dark)
