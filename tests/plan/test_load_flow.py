"""Load flow and short circuits, against ohm's law by hand, the conservation of energy, and each other."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import acos, isclose, sin, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.catalogue.load import merge
from lindos.check.loadflow import Floor, Hall, cases, load_flow, load_loss_pct, network
from lindos.check.view import View
from lindos.errors import InfeasibleError
from lindos.plan import design
from lindos.plan.design import SCHEMAS
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

if TYPE_CHECKING:
    from lindos.plan import Plan

LAB = Path(__file__).parents[2] / "inventories/lab/site.yaml"


def designed(**chain: Any) -> tuple[Spec, Plan]:
    site = merge(YAML(typ="safe", pure=True).load(LAB.read_text()), {"power": {"chain": chain}})
    spec = Spec.model_validate(site)
    return spec, design(spec, load_catalogue(assumed_products(spec)))


@cache
def lab() -> tuple[Spec, Plan]:
    return designed()


def flows(spec: Spec, plan: Plan) -> Hall:
    return load_flow(plan, View(plan, spec).train, spec.power.chain, "h1")


def test_one_path_is_what_ohms_law_makes_of_it() -> None:
    """Feed b lost: ring, transformer, busway and cord of one rack, from the source down, by hand."""
    spec, plan = designed(ring={"length_m": 2_000}, busway={"r_mohm_per_m": 3}, rack_pdu={"cord_m": 10})
    chain = spec.power.chain
    made = flows(spec, plan)
    flow = next(f for f in made.flows if (f.lost, f.load) == ("b", "nameplate"))
    case = next(c for c in cases(plan, View(plan, spec).train, "h1") if c.lost == "b")
    lines = network(plan, case, Floor.of(plan, "h1"), chain).lines
    pdu = "lab-a0002-r01-pdu-a1"
    path = flow.path(pdu).split(" > ")
    assert [p.removeprefix("lab-a0002-") for p in path] == [
        "h1-ring-a1", "h1-tr-a4", "h1-board-a4", "h1-r02-bus-a2", "r01-tap-a1", "r01-pdu-a1",
    ]  # fmt: skip
    # All that hangs on the board a4: one busway, whose racks draw one after the other.
    watts = dict(case.drawn.select("power_node", "nameplate_w").iter_rows())
    volts, tall = 415.0, 13_800.0
    apart = lines.filter(pl.col("part") == "h1-r02-bus-a2")
    cords = lines.filter(pl.col("kind") == "tap", pl.col("above").is_in(apart["below"].implode()))
    s_of = {c: complex(watts[c], watts[c] * sin(acos(chain.power_factor)) / chain.power_factor) for c in cords["below"]}
    v = dict.fromkeys([*apart["above"], *apart["below"], *cords["below"]], complex(volts / sqrt(3)))

    def ohms(row: dict[str, Any]) -> complex:
        return complex(row["r_mohm_per_m"], row["x_mohm_per_m"]) * row["length_m"] / 1000

    board = apart["above"][0]
    z_pu = complex(
        load_loss_pct(chain) / 100, sqrt(chain.transformer.impedance_pct**2 - load_loss_pct(chain) ** 2) / 100
    )
    z_tr = z_pu * volts**2 / (chain.transformer.kva * 1000)
    z_ring = [ohms(r) * (volts / tall) ** 2 for r in lines.filter(pl.col("part") == "h1-ring-a1").iter_rows(named=True)]
    for _ in range(50):  # currents from voltages, voltages from currents
        into = {}
        for row in cords.iter_rows(named=True):
            i = (s_of[row["below"]] / 3 / v[row["below"]]).conjugate()
            into[row["above"]] = into.get(row["above"], 0) + i
            v[row["below"]] = v[row["above"]] - i * ohms(row)
        way = list(apart.iter_rows(named=True))
        for n, row in enumerate(way):
            v[row["below"]] = v[row["above"]] - sum(into.get(r["below"], 0) for r in way[n:]) * ohms(row)
        total = sum(into.values())
        v[board] = complex(volts / sqrt(3)) - total * z_tr
    ring_share = sum(abs(z) for z in z_ring) * abs(total) * 3 / (volts / sqrt(3))
    assert ring_share < 1e-3  # next to nothing at this load: left out by hand
    row = flow.parts.filter(pl.col("power_node") == path[4]).row(0, named=True)
    drop = (abs(v[board]) - abs(v[pdu])) / (volts / sqrt(3)) * 100
    assert drop > 0.3
    assert isclose(row["drop_pct"], drop, rel_tol=0.01)
    assert isclose(row["total_pct"], (1 - abs(v[pdu]) / (volts / sqrt(3))) * 100, rel_tol=0.03)
    assert isclose(row["amps"], abs(s_of[pdu]) / 3 / abs(v[pdu]), rel_tol=0.005)


def test_a_short_circuit_is_voltage_by_impedance() -> None:
    """At a board: source, ring cable and transformer in series, with IEC 60909's factors c = 1.1 and K_T."""
    spec, plan = lab()
    chain, faults = spec.power.chain, flows(spec, plan).faults
    at = dict(faults.filter(pl.col("kind") == "board").select("power_node", "most_ka").iter_rows())
    volts, mva = 415.0, chain.transformer.kva / 1000
    z_tr = chain.transformer.impedance_pct / 100 * volts**2 / (mva * 1e6)
    x_t = sqrt(chain.transformer.impedance_pct**2 - load_loss_pct(chain) ** 2) / 100
    corrected = z_tr * 0.95 * 1.1 / (1 + 0.6 * x_t)
    z_source = 1.1 * volts**2 / (chain.ring.fault_mva * 1e6)
    by_hand = 1.1 * volts / sqrt(3) / (corrected + z_source) / 1000
    assert isclose(at["h1-board-a1"], by_hand, rel_tol=0.01)
    ring = faults.filter(pl.col("kind") == "ring")["most_ka"][0]
    assert isclose(ring, chain.ring.fault_mva / (sqrt(3) * chain.ring.kv), rel_tol=0.001)


CHAINS = st.fixed_dictionaries(
    {
        "redundancy": st.sampled_from(["N", "N+1", "2N", "3N/2", "4N/3", "catcher"]),
        "ups": st.sampled_from([None, {"efficiency": 0.96}]),
        "transformer": st.builds(dict, kva=st.integers(75, 500), impedance_pct=st.floats(4, 8)),
        "ring": st.builds(dict, length_m=st.floats(10, 3_000)),
        "busway": st.builds(dict, r_mohm_per_m=st.floats(0.05, 1.5)),
    }
)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(chain=CHAINS)
def test_what_goes_in_comes_out_or_is_lost_and_more_load_loses_more(chain: dict[str, Any]) -> None:
    spec, plan = designed(**{k: v for k, v in chain.items() if v is not None})
    made = flows(spec, plan)
    assert made.flows
    assert not made.collapsed
    for flow in made.flows:
        assert isclose(flow.in_w - flow.out_w, flow.loss_w, abs_tol=0.1), (flow.lost, flow.load)
        assert flow.parts["loss_w"].min() >= 0  # type: ignore[operator]
        taps = flow.parts.filter(pl.col("kind") == "tap")
        assert (taps["drop_pct"] >= taps["branch_pct"] - 1e-9).all()
        assert (taps["total_pct"] >= taps["drop_pct"] - 1e-9).all() or chain["ups"]
    pdus = plan.power_nodes.filter(pl.col("kind") == "rack_pdu")["power_node"]
    assert set(made.flows[0].above) >= set(pdus)
    more = pl.DataFrame(plan.power_loads).with_columns(pl.col("nameplate_w", "typical_w") * 3 // 2)
    heavier = flows(spec, replace(plan, power_loads=SCHEMAS["power_loads"].cast(more)))
    well = [h.flows[0].parts.sort("power_node") for h in (made, heavier)]
    taps = [p.filter(pl.col("kind") == "tap", pl.col("amps") > 0) for p in well]
    assert (taps[1]["drop_pct"] > taps[0]["drop_pct"]).all()
    assert well[1]["loss_w"].sum() > well[0]["loss_w"].sum()
    assert (made.faults["most_ka"] >= made.faults["least_ka"]).all()


def test_a_lost_feed_leaves_the_other_with_everything() -> None:
    spec, plan = lab()
    made = flows(spec, plan)
    assert [(f.lost, f.load) for f in made.flows] == [
        (lost, load) for lost in (None, "a", "b") for load in ("nameplate", "typical")
    ]
    well, lost = made.flows[0], made.flows[2]
    assert isclose(well.out_w, lost.out_w, rel_tol=1e-6)
    kinds = lost.parts.join(plan.power_nodes.select("power_node", "feed"), on="power_node")
    assert kinds["feed"].unique().to_list() == ["b"]


def test_windings_that_lose_more_than_their_impedance_are_refused() -> None:
    spec, _ = designed(transformer={"impedance_pct": 1, "efficiency": 0.95})
    with pytest.raises(InfeasibleError, match=r"loses 4.17 % in its windings cannot have .* of 1 %"):
        load_loss_pct(spec.power.chain)
