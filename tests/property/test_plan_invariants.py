"""What holds for every site: its design breaks no rule, growth changes nothing that stands, digests never waver.

Sites are drawn at random: fleets of unlike nodes, partial units, switches of many radixes, split cages, one to three
feeds, air and liquid. LINDOS_EXAMPLES asks for another number of them, drawn afresh.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, event, given, reject, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lindos.catalogue import load_catalogue
from lindos.check import RULES, check
from lindos.check.rule import findings
from lindos.check.view import View
from lindos.diff import diff
from lindos.errors import InfeasibleError
from lindos.finding import Severity
from lindos.plan import Plan, design, design_site
from lindos.plan.facts import gather
from lindos.plan.flow import carry
from lindos.plan.layout import Layout, UnitLayout, lay_out
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

ROOT = Path(__file__).parents[2]
TALL = ROOT / "tests/rules/tall.yaml"
ASKED = os.environ.get("LINDOS_EXAMPLES")
# Drawn sites that cannot be built are rejected; should most of them be, the health check of Hypothesis says so.
random_sites = settings(
    max_examples=int(ASKED or 30), derandomize=not ASKED, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Shape:
    """What all fleets of a site share: feeds, what each training fabric has (rails of a leaf, planes), and the network
    that storage hangs on, where there is any: each node has a port there.
    """

    feeds: int
    rails_per_leaf: tuple[int | str, ...]
    planes: tuple[int, ...]
    storage: str | None


def supplies(feeds: int, watts: int) -> st.SearchStrategy[dict[str, int]]:
    """Power supplies that carry the device when the feed with most of them is lost."""

    def sized(count: int) -> dict[str, int]:
        left = max(1, count - -(-count // feeds))
        return {"count": count, "needed": left, "rating_w": -(-watts // left) + 10}

    return st.integers(min(2, feeds), 6).map(sized)


def assumed(product: str, kind: str, **facts: Any) -> dict[str, Any]:
    return {"product": product, "kind": kind, "reason": "drawn at random for a test", "facts": facts}


def east_west(rails: int, planes: int) -> dict[str, Any]:
    """NICs of a node, each with 400 Gb/s in every plane."""
    return {"count": rails, "gbps": 400 * planes, "cage": "QSFP112" if planes == 1 else "OSFP"}


@st.composite
def north_south(draw: st.DrawFn, shape: Shape) -> dict[str, Any]:
    """NICs of a node beside training: none to two ports, one at least where its storage is."""
    counts = {"nics_ns": "frontend", "nics_storage": "storage"}
    return {
        fact: {"count": draw(st.integers(1 if shape.storage == fabric else 0, 2)), "gbps": 400, "cage": "QSFP112"}
        for fact, fabric in counts.items()
    }


@st.composite
def pool(draw: st.DrawFn, number: int, feeds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pool of storage servers and its product: one to three ports each."""
    watts = draw(st.integers(200, 600))
    server = assumed(
        f"server_{number}", "storage", vendor="none", u_height=draw(st.integers(1, 4)), power_w_max=watts,
        power_w_typical=watts // 2, psu=draw(supplies(feeds, watts)), ports={400: draw(st.integers(1, 3))},
        cage="QSFP112", bmc_ports=draw(st.integers(0, 1)), read_gbs=20, write_gbs=10,
    )  # fmt: skip
    said = {"name": f"pool{number}", "product": f"server_{number}", "count": draw(st.integers(1, 40))}
    return said, server


@st.composite
def switch(draw: st.DrawFn, product: str, feeds: int, least: int, speed: int = 400) -> dict[str, Any]:
    """A switch whose ports are whole cages, or halves of OSFP cages."""
    radix = draw(st.sampled_from([r for r in (8, 16, 24, 32, 64, 128) if r >= least]))
    cages: dict[str, Any] = {"count": radix, "type": "QSFP112" if speed == 400 else "QSFP28", "gbps": speed}
    logical = {speed: radix}
    if speed == 400 and draw(st.booleans()):
        cages, logical = {"count": radix // 2, "type": "OSFP", "gbps": 800}, {800: radix // 2, 400: radix}
    return assumed(
        product, "switch", vendor="none", u_height=draw(st.integers(1, 2)), cages=cages, max_logical=logical,
        power_w_max=900, power_w_typical=500, psu=draw(supplies(feeds, 900)),
    )  # fmt: skip


@st.composite
def fleet(draw: st.DrawFn, number: int, shape: Shape, fabric: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A fleet and the products that it takes: nodes of 1 to 8 rails, air or liquid, units that may be partial."""
    shared, planes = shape.rails_per_leaf[fabric], shape.planes[fabric]
    rails = draw(st.sampled_from([r for r in (1, 2, 4, 8) if shared == "auto" or r % shared == 0]))
    gpus = rails * draw(st.integers(1, 2))
    per_rack, racks = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    liquid, watts = draw(st.booleans()), draw(st.integers(500, 12_000))
    if draw(st.booleans()):
        said, products = draw(trays(number, shape, rails, gpus, per_rack, racks, planes))
        return said | ({"island": "isle"} if fabric else {}), products
    node = assumed(
        f"node_{number}", "node", vendor=draw(st.sampled_from(["dell", "supermicro"])), u_height=draw(st.integers(1, 8)),
        power_w_max=watts, power_w_typical=watts // 2, psu=draw(supplies(shape.feeds, watts)), gpus=gpus, gpu="h100_sxm",
        nics_ew=east_west(rails, planes),
        **draw(north_south(shape)), host_mgmt_ports=1, bmc_ports=1, cooling="dlc" if liquid else "air", **({"liquid_fraction": 0.8} if liquid else {}),
    )  # fmt: skip
    rack = assumed(f"rack_{number}", "rack", nodes=per_rack, u={"gap": draw(st.integers(0, 1))})
    if liquid:
        rack["facts"] |= {"cdu": "cdu", "cdus": draw(st.integers(1, 2))}
    nodes = draw(st.integers(1, 3 * per_rack * racks))
    said = {
        "name": f"f{number}",
        "node": f"node_{number}",
        "rack": f"rack_{number}",
        "gpus": nodes * gpus,
        "unit": {"racks": racks},
        "rails": rails,
    } | ({"island": "isle"} if fabric else {})
    return said, [node, rack]


@st.composite
def trays(
    draw: st.DrawFn, number: int, shape: Shape, rails: int, gpus: int, per_rack: int, racks: int, planes: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A fleet of racks whose nodes have no power supplies: shelves feed a busbar, NVSwitch trays join them, and CDUs
    stand in the row.
    """
    watts, joined, liquid = draw(st.integers(500, 8_000)), draw(st.integers(0, 3)), draw(st.booleans())
    warm = {"cooling": "dlc", "liquid_fraction": 0.9} if liquid else {"cooling": "air"}
    node = assumed(
        f"node_{number}", "node", vendor="none", u_height=draw(st.integers(1, 2)), power_w_max=watts,
        power_w_typical=watts // 2, gpus=gpus, gpu="gb200_gpu", nics_ew=east_west(rails, planes),
        **draw(north_south(shape)), host_mgmt_ports=1, bmc_ports=1, **warm,
    )  # fmt: skip
    shelves, psus = draw(st.integers(max(2, shape.feeds), 6)), draw(st.integers(1, 4))
    left = shelves - -(-shelves // shape.feeds) or shelves
    carried = per_rack * watts + joined * 500
    shelf = assumed(
        f"shelf_{number}", "shelf", vendor="none", u_height=1,
        psu={"count": psus, "rating_w": -(-carried // (left * psus)) + 1},
    )  # fmt: skip
    facts = {
        "nodes": per_rack,
        "shelf": f"shelf_{number}",
        "shelves": shelves,
        "u": {"nodes_below": draw(st.integers(0, per_rack))},
    }
    products = [node, shelf]
    if joined:
        facts |= {"nvswitch": f"nvsw_{number}", "nvswitch_trays": joined}
        products.append(
            assumed(
                f"nvsw_{number}",
                "nvswitch",
                vendor="none",
                u_height=1,
                power_w_max=500,
                power_w_typical=300,
                bmc_ports=1,
                **warm,
            )
        )
    if liquid:
        facts |= {"cdu": "row_cdu"}
    nodes = per_rack * draw(st.integers(1, 3 * racks)) if joined else draw(st.integers(1, 3 * per_rack * racks))
    said = {
        "name": f"f{number}", "node": f"node_{number}", "rack": f"rack_{number}", "gpus": nodes * gpus,
        "unit": {"racks": racks}, "rails": rails,
    }  # fmt: skip
    return said, [*products, assumed(f"rack_{number}", "rack", **facts)]


@st.composite
def sites(draw: st.DrawFn, several: bool = True) -> dict[str, Any]:
    """A site file as data, generous with floor and power so that most of them can be built; `several` buildings or one."""
    fleets = draw(st.integers(1, 3))
    fabrics = draw(st.integers(1, min(2, fleets)))
    shape = Shape(
        draw(st.integers(1, 3)),
        tuple(draw(st.sampled_from([1, 2, 4, "auto"])) for _ in range(fabrics)),
        tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(fabrics)),
        draw(st.sampled_from([None, "frontend", "storage"])),
    )
    pools = [draw(pool(i, shape.feeds)) for i in range(draw(st.integers(1, 2)) if shape.storage else 0)]
    # The first fleet is on the first training fabric, the last on the island where there is one.
    on = [0, *(draw(st.integers(0, fabrics - 1)) for _ in range(fleets - 2)), fabrics - 1]
    drawn = [draw(fleet(i, shape, fabric)) for i, fabric in enumerate(on[-fleets:] if fleets > 1 else [0])]
    gpus = sum(f["gpus"] for f, _ in drawn)
    split = st.sampled_from([0.5, 1, 1.5, 2, 3, 4])
    products = [
        draw(switch("leaf_switch", shape.feeds, 8)),
        draw(switch("front_switch", shape.feeds, 8)),
        draw(switch("above_switch", shape.feeds, 32, speed=100)),
        assumed("cdu", "cdu", vendor="none", u_height=draw(st.integers(1, 4)), power_w_max=3000, cooling_kw=100, psu=draw(supplies(shape.feeds, 3000))),
        assumed("row_cdu", "cdu", placement="row", vendor="none", u_height=40, power_w_max=3000, cooling_kw=draw(st.integers(30, 200)), psu=draw(supplies(shape.feeds, 3000))),
        assumed("control", "service", vendor="none", u_height=1, power_w_max=500, power_w_typical=200, psu=draw(supplies(shape.feeds, 500))),
    ]  # fmt: skip
    training = [
        {
            "switch": "leaf_switch", "port_gbps": 400 * planes, "planes": planes, "oversubscription": draw(split),
            "spine_oversubscription": draw(st.sampled_from([1, 1, 2])), "rails_per_leaf": shared,
        }
        for shared, planes in zip(shape.rails_per_leaf, shape.planes, strict=True)
    ]  # fmt: skip
    access = {
        "product": "sn2201",
        "reason": "drawn at random for a test",
        "facts": {"power_w_max": 150, "psu": draw(supplies(shape.feeds, 150))},
    }
    redundancy = draw(
        st.sampled_from(["2N", "2N", "N", "N+1", *(["3N/2", "4N/3", "catcher"] if shape.feeds == 2 else [])])
    )
    ups = draw(st.sampled_from([{}, {"ups": {"minutes": 5}}]))
    houses = draw(st.sampled_from([(None,), (None,), ("b1", "b2")])) if several else (None,)
    in_house = [{} if house is None else {"building": house} for house in houses]
    return {
        "lindos": 1,
        "site": "drawn",
        "grows_to": draw(st.none() | st.integers(gpus, 4 * gpus)),
        "compute": {"fleets": [f | draw(st.sampled_from(in_house)) for f, _ in drawn], "services": {"product": "control", "control": draw(st.integers(1, 2))}} | ({"storage": {"pools": [said for said, _ in pools]}} if pools else {}),
        "buildings": [{"name": b, "x_m": 60 * i, "y_m": 10 * i} for i, b in enumerate(houses) if b],
        "halls": [
            {"name": f"{house.get('building', '')}h{i}", "rows": 40, "racks_per_row": draw(st.integers(12, 30)), "rack_height_u": draw(st.sampled_from([42, 48, 52]))} | house
            for house in in_house
            for i in range(draw(st.integers(1, 2)))
        ],
        "power": {
            "sources": [{"name": "grid", "kind": "utility", "mw": 1000}],
            "feeds": ["a", "b", "c"][: shape.feeds],
            "chain": {"redundancy": redundancy, "blocks": draw(st.integers(1, 4)), **ups, "transformer": {"kva": 9_000}, "busway": {"volts": 480, "amps": 2_000}, "rack_pdu": {"volts": 480, "amps": 200, "per_feed": draw(st.integers(1, 3))}},
        },
        "fabrics": {
            "rdma": training[0],
            "islands": [{"name": "isle"} | fabric for fabric in training[1:]],
            "frontend": {"switch": "front_switch", "port_gbps": 400, "oversubscription": draw(split)},
            **({"storage": {"switch": "front_switch", "port_gbps": 400, "oversubscription": draw(split)}} if shape.storage == "storage" else {}),
            "oob": {"switch": "sn2201", "aggregation": "above_switch", "racks_per_switch": draw(st.integers(1, 2)), "uplinks": draw(st.integers(1, 2))},
        },
        "assumptions": [*(p for _, ps in drawn for p in ps), *products, access, *(server for _, server in pools)],
    }  # fmt: skip


def designed(site: dict[str, Any]) -> tuple[Spec, Plan]:
    spec = Spec.model_validate(site)
    return spec, design(spec, load_catalogue(assumed_products(spec)))


def built(site: dict[str, Any]) -> tuple[Spec, Plan]:
    """A drawn site -> its design; one that cannot be built says why, and is not counted."""
    try:
        spec, plan = designed(site)
    except InfeasibleError as err:
        event(f"cannot be built: {err.problems[0].message.split(':')[0]}")
        reject()
    event(f"built with {sorted(plan.links.filter(fabric='rdma')['tier'].unique().to_list())}")
    return spec, plan


@random_sites
@given(sites())
def test_a_design_breaks_no_rule(site: dict[str, Any]) -> None:
    spec, plan = built(site)
    said = [f for f in check(plan, spec) if f.severity is Severity.CRITICAL]
    unknown = {f.code for f in check(plan, spec) if f.severity is Severity.UNKNOWN}
    assert said == []
    # Flow, head and pumps of drawn CDUs; the swing of drawn GPUs.
    no_data_sheet = {"COOL-007", "COOL-008", "COOL-009", "COOL-010", "POWER-017"}
    assert unknown - no_data_sheet <= ({"POWER-003", "POWER-004"} if len(spec.power.feeds) == 1 else set())


@random_sites
@given(sites())
def test_every_device_has_power_and_every_watt_comes_by_a_cord(site: dict[str, Any]) -> None:
    """With all feeds on, and after the loss of any one, rack PDUs carry what everything that runs draws."""
    _, plan = built(site)
    view = View(plan)
    pdus = plan.power_nodes.filter(kind="rack_pdu").join(plan.power_loads, on="power_node")
    drawn = plan.loads["nameplate_w"].sum()
    assert abs(pdus["nameplate_w"].sum() - drawn) <= len(pdus)
    busways = plan.power_nodes.filter(kind="busway")
    failed = busways.select("power_node", scenario="feed")  # whatever feeds it, a feed is lost with all its busways
    then = view.train.carried(view.train.dark(failed), "nameplate_w", plan.power_loads)
    down = view.train.touched(view.train.dark(failed)).filter(~pl.col("runs"))
    for feed in view.feeds:
        changed = pdus.join(then.filter(scenario=feed), on="power_node", how="left")
        now = changed.select(pl.coalesce("load_w", "nameplate_w").sum()).item()
        assert abs(now - (drawn - down.filter(scenario=feed)["nameplate_w"].sum())) <= len(pdus)
    hung = plan.cooling_connections.join(plan.loads, on="device")
    assert hung.filter(medium="liquid")["liquid_w"].sum() == plan.loads["liquid_w"].sum()
    balance = {rule.code: rule for rule in RULES}
    for code in ("COOL-001", "COOL-002", "COOL-004"):
        assert list(findings(balance[code], View(plan))) == []
    sides = plan.power_connections.group_by("device", maintain_order=True).agg(
        pl.col("feed").n_unique(), pl.col("pdu").n_unique()
    )
    shelves = sides.join(plan.devices.filter(kind="shelf"), on="device", how="semi")
    assert shelves.filter((pl.col("feed") != 1) | (pl.col("pdu") != 1)).is_empty()


def promised(plan: Plan) -> pl.DataFrame:
    """The parts that a site with more than N may lose one by one, as scenarios."""
    kinds = ["transformer", "board", "ups", "ring", "substation", "substation_transformer"]
    parts = plan.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(kinds))
    return parts.select("power_node", scenario="power_node")


@random_sites
@given(sites())
def test_power_is_conserved_and_redundancy_holds_what_it_promises(site: dict[str, Any]) -> None:
    """Every part delivers what hangs on it; the loss of one block darkens no rack PDU that a twin does not stand in for."""
    spec, plan = built(site)
    view = View(plan, spec)
    codes = {rule.code: rule for rule in RULES}
    assert list(findings(codes["POWER-012"], view)) == []
    sources = plan.power_nodes.filter(pl.col("kind") == "utility").join(plan.power_loads, on="power_node")
    drawn = plan.loads["nameplate_w"].sum() + plan.plant_loads["nameplate_w"].sum()
    assert abs(sources["nameplate_w"].sum() - drawn - plan.power_loads["nameplate_loss_w"].sum()) <= len(
        plan.power_nodes
    )
    assert (plan.power_loads["typical_w"] <= plan.power_loads["nameplate_w"]).all()
    dark = view.train.dark(promised(plan))
    pdus = plan.power_nodes.filter(kind="rack_pdu").select("power_node", "rack")
    lost = dark.join(pdus, on="power_node").group_by("scenario", "rack").len()
    whole = lost.join(pdus.group_by("rack").len("all"), on="rack").filter(pl.col("len") == pl.col("all"))
    kind = spec.power.chain.redundancy
    if kind == "catcher":
        upstream = whole.filter(~pl.col("scenario").str.contains("ring|substation"))  # two blocks may share a trunk
        assert upstream.is_empty()
    elif kind == "N+1":
        assert whole.filter(pl.col("scenario").str.contains("-tr-")).is_empty()
    elif kind != "N" and len(spec.power.feeds) > 1:
        assert whole.is_empty()


@settings(random_sites, max_examples=max(1, random_sites.max_examples // 3))
@given(sites(), st.data())
def test_more_load_lowers_the_load_of_no_part_and_reaches_a_source(site: dict[str, Any], data: st.DataObject) -> None:
    """What is plugged in anywhere is drawn from every way up to it, with the losses on the way, and from nothing else."""
    _, plan = built(site)
    nodes, edges = plan.power_nodes, plan.power_edges
    leaves = nodes.filter(pl.col("kind").cast(pl.String).is_in(["rack_pdu", "motor_control"]))["power_node"]
    base = plan.power_loads.filter(pl.col("power_node").is_in(leaves.implode()))
    demand = base.select("power_node", pl.col("nameplate_w").cast(pl.Float64))
    where, watts = data.draw(st.sampled_from(leaves.to_list())), data.draw(st.integers(1_000, 1_000_000))
    more = demand.with_columns(nameplate_w=pl.col("nameplate_w") + (pl.col("power_node") == where) * float(watts))
    before, after = (carry(nodes, edges, each, ["nameplate_w"]) for each in (demand, more))
    grown = before.join(after, on="power_node", suffix="_after").with_columns(
        more=pl.col("nameplate_w_after") - pl.col("nameplate_w"),
        lost=pl.col("nameplate_loss_w_after") - pl.col("nameplate_loss_w"),
    )
    assert (grown["more"] >= 0).all()
    assert (grown["lost"] >= 0).all()
    above, parents = {where}, edges.select("parent", "child").rows()
    for _ in range(len(nodes)):
        found = {parent for parent, child in parents if child in above} | above
        if found == above:
            break
        above = found
    assert set(grown.filter(pl.col("more") > 0)["power_node"]) <= above
    sources = nodes.join(edges.select(power_node="child"), on="power_node", how="anti").select("power_node")
    drawn = grown.join(sources, on="power_node")
    # Whole watts at each part.
    assert abs(drawn["more"].sum() - watts - (grown["lost"].sum() - drawn["lost"].sum())) <= len(nodes)


STANDS = {
    "devices": [
        "device",
        "kind",
        "role",
        "product",
        "fabric",
        "slice",
        "unit",
        "pod",
        "rack",
        "u",
        "x_mm",
        "y_mm",
        "z_mm",
    ],
    "racks": ["rack", "unit", "pod", "hall", "row", "position"],
    "gpus": ["gpu", "device", "index", "rail"],
    "ports": ["device", "port", "cage", "lane_group", "lane_groups", "form", "rate_gbps", "fabric"],
    "links": [
        "link",
        "fabric",
        "tier",
        "rail",
        "a_device",
        "a_port",
        "b_device",
        "b_port",
        "rate_gbps",
        "cable",
        "a_label",
        "b_label",
    ],
    # Not the bundle: that is how a crew pulls cables on one day, and what was pulled is not pulled again.
    "cables": ["cable", "fabric", "route_mm", "length_mm", "medium", "part", "a_part", "b_part"],
    "addresses": ["device", "port", "purpose", "address", "prefix_len", "gateway"],
    "asns": ["device", "asn"],
    "power_connections": ["device", "psu", "pdu", "feed"],
}
"""What is built cannot be renamed, renumbered, moved or plugged anew because the site grows."""


def laid_out(site: dict[str, Any]) -> Layout:
    spec = Spec.model_validate(site)
    try:
        return lay_out(spec, gather(spec, load_catalogue(assumed_products(spec))))
    except InfeasibleError:
        reject()


def rooms(site: dict[str, Any]) -> tuple[int, list[int], int]:
    """A site -> GPUs that it declares room for, those of each island, and servers: enough for all that it has.

    Room is counted in units like the first, and in racks like the first of servers. Others may take more of it for a
    GPU: nodes, leaves and racks; three times that covers what pods and pairs of leaves leave over.
    """
    layout = laid_out(site)
    units, racks = layout.units, layout.servers.racks

    def enough(mine: list[UnitLayout]) -> int:
        takes = [(u.fleet.nodes_per_unit, u.leaves, u.oob_slots) for u in mine]
        times = max(ceil(sum(each) / each[0]) for each in zip(*takes, strict=True))
        return 3 * times * mine[0].fleet.gpus_per_unit

    islands = [enough([u for u in units if u.pod.fabric == n]) for n in range(1, len(layout.training))]
    ports = [r.pool.nics.count for r in racks]
    servers = 2 * len(racks) * ceil(max(ports) / ports[0]) * racks[0].capacity if racks else 0
    return enough(list(units)), islands, servers


@st.composite
def growing_sites(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A site and the same with a fleet more, of any shape, and perhaps a hall more; both declare room for it.

    In one building, and rows close together: where a cable that comes later runs farther than multimode reaches, what
    shares a cage with it needs another medium, and nothing can promise that it does not.
    """
    site = draw(sites(several=False))
    fleets = site["compute"]["fleets"]
    training = [site["fabrics"]["rdma"], *site["fabrics"]["islands"]]
    shape = Shape(
        len(site["power"]["feeds"]),
        tuple(f["rails_per_leaf"] for f in training),
        tuple(f["planes"] for f in training),
        "storage" if "storage" in site["fabrics"] else "frontend" if "storage" in site["compute"] else None,
    )
    more, products = draw(fleet(len(fleets), shape, draw(st.integers(0, len(training) - 1))))
    # Room is kept in nodes like those of the first fleet: others have no more ports.
    facts = {p["product"]: p["facts"] for p in site["assumptions"]}
    for fact, fabric in (("nics_ns", "frontend"), ("nics_storage", "storage")):
        most = facts[fleets[0]["node"]][fact]["count"]
        products[0]["facts"][fact]["count"] = draw(st.integers(1 if shape.storage == fabric else 0, most))
    compute = site["compute"] | {"fleets": [*fleets, more]}
    if "storage" in compute:
        pools = compute["storage"]["pools"]
        said, server = draw(pool(len(pools), shape.feeds))
        server["facts"] |= {"ports": facts[pools[0]["product"]]["ports"], "u_height": 1}
        products.append(server)
        compute["storage"] = {"pools": [*pools, said]}
    near = {"row_pitch_m": 1.1, "rack_pitch_m": 0.4}
    halls = [hall | near for hall in site["halls"]]
    annex = [{"name": "annex", "rows": 40, "racks_per_row": 20} | near] if draw(st.booleans()) else []
    grown = site | {"compute": compute, "assumptions": [*site["assumptions"], *products], "halls": [*halls, *annex]}
    of_site, of_islands, of_storage = rooms(grown)
    isles = [i | {"grows_to": gpus} for i, gpus in zip(training[1:], of_islands, strict=True)]
    after = grown | {"grows_to": of_site, "fabrics": site["fabrics"] | {"islands": isles}}
    stood = {}
    if "storage" in compute:
        compute["storage"]["grows_to"] = of_storage
        stood = {"storage": compute["storage"] | {"pools": pools}}
    before = after | {
        "compute": compute | {"fleets": fleets} | stood,
        "assumptions": site["assumptions"],
        "halls": halls,
    }
    clos = [t.clos for t in laid_out(before).training]
    # A unit with more leaves than a pod holds wants another fabric, whatever room there is.
    assume(all(u.leaves <= clos[u.pod.fabric].leaves_per_pod for u in laid_out(after).units))
    return before, after


@random_sites
@given(growing_sites())
def test_growth_within_what_was_declared_changes_nothing_that_stands(
    growing: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = growing
    _, old = built(before)
    _, new = built(after)
    assert changed(old, new) == {}
    said = diff(old, new)
    assert said.exceptions.rows() == []
    assert not any(step.links_out for step in said.steps)
    assert said.added["devices"] == len(new.devices) - len(old.devices)
    assert len(diff(new, old).exceptions.filter(noun="device", verb="gone")) == said.added["devices"]


@st.composite
def sites_that_get_storage(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A site with storage servers, and the same before it had any: nobody had declared them."""
    after = draw(sites(several=False).filter(lambda site: "storage" in site["compute"]))
    after["fabrics"].pop("storage", None)
    compute = {k: v for k, v in after["compute"].items() if k != "storage"}
    return after | {"compute": compute}, after


@random_sites
@given(sites_that_get_storage())
def test_storage_that_nobody_declared_renames_nothing(getting: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Names of all that stands, addresses of nodes, AS numbers; nothing of a training fabric changes but metres."""
    _, old = built(getting[0])
    _, new = built(getting[1])
    nodes = old.devices.filter(kind="node").select("device")
    kept = {
        "devices": (old.devices, ["device", "kind", "role", "product", "fabric", "slice", "unit", "pod"]),
        "addresses": (old.addresses.join(nodes, on="device", how="semi"), STANDS["addresses"]),
        "asns": (old.asns, STANDS["asns"]),
        "links": (old.links.filter(pl.col("fabric").str.starts_with("rdma")), STANDS["links"][:9]),
    }
    for table, (was, columns) in kept.items():
        now = getattr(new, table).select(columns)
        assert was.select(columns).join(now, on=columns, how="anti", nulls_equal=True).is_empty(), table


def isles() -> dict[str, Any]:
    """Two training fabrics in three tiers: the second appended between two fleets of the first."""
    site: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "tests/rules/isles.yaml").read_text())
    return site


def without(site: dict[str, Any], fleets: int) -> dict[str, Any]:
    """A site with its first fleets only, and no island that none of them is on."""
    left = site["compute"]["fleets"][:fleets]
    said = {f.get("island") for f in left}
    islands = [i for i in site["fabrics"]["islands"] if i["name"] in said]
    return site | {
        "compute": site["compute"] | {"fleets": left},
        "fabrics": site["fabrics"] | {"islands": islands},
    }


@pytest.mark.parametrize("fleets", [1, 2], ids=["an island is appended", "the first training fabric grows"])
def test_a_training_fabric_changes_nothing_of_another(fleets: int) -> None:
    """The site kept room for both, so that what they share stays as well."""
    _, old = designed(without(isles(), fleets))
    _, new = designed(without(isles(), fleets + 1))
    assert changed(old, new) == {}


def test_an_island_past_the_room_of_the_site_changes_nothing_of_the_training_fabric() -> None:
    """What the site kept no room for may reshape what all share, but never what trains."""
    site = without(isles(), 1) | {"grows_to": 12}
    more = isles()["compute"]["fleets"][1] | {"gpus": 48}
    isle = isles()["fabrics"]["islands"]
    grown = site | {
        "compute": site["compute"] | {"fleets": [*site["compute"]["fleets"], more]},
        "fabrics": site["fabrics"] | {"islands": [isle[0] | {"grows_to": 48}]},
    }
    _, old = designed(site)
    _, new = designed(grown)
    for table, columns in (("links", STANDS["links"]), ("ports", STANDS["ports"])):
        was, now = (getattr(p, table).filter(fabric="rdma").select(columns) for p in (old, new))
        assert was.join(now, on=columns, how="anti", nulls_equal=True).is_empty(), table
    for table in ("units", "gpus", "addresses", "asns"):
        was, now = getattr(old, table), getattr(new, table)
        if table in ("addresses", "asns"):
            mine = old.devices.filter(pl.col("fabric").eq("rdma") | pl.col("kind").eq("node")).select("device")
            was = was.join(mine, on="device", how="semi")
        assert was.join(now, on=was.columns, how="anti", nulls_equal=True).is_empty(), table


def changed(old: Plan, new: Plan) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of what stands that the new plan does not have as they were, by table; a few of each."""
    out = {}
    for table, columns in STANDS.items():
        was, now = getattr(old, table).select(columns), getattr(new, table).select(columns)
        lost = was.join(now, on=columns, how="anti", nulls_equal=True)
        if len(lost):
            out[table] = lost.head(3).rows()
    return out


def tall_site(grows_to: int, gpus: int) -> dict[str, Any]:
    """The three-tier site of tests/rules with so many GPUs, the later ones as a fleet of their own."""
    site: dict[str, Any] = YAML(typ="safe", pure=True).load(TALL.read_text())
    first = site["compute"]["fleets"][0]
    more = [first | {"name": "more", "gpus": gpus - first["gpus"]}] if gpus > first["gpus"] else []
    return site | {"grows_to": grows_to, "compute": site["compute"] | {"fleets": [first, *more]}}


def test_growth_to_twice_the_pods_changes_nothing_that_stands() -> None:
    _, old = designed(tall_site(32, 20))
    _, new = designed(tall_site(32, 32))
    assert changed(old, new) == {}


def test_growth_into_the_shared_racks_changes_nothing_that_stands() -> None:
    _, old = designed(tall_site(64, 20))
    _, new = designed(tall_site(64, 64))
    assert changed(old, new) == {}


def test_a_heavier_fleet_hangs_no_rack_on_another_busway() -> None:
    """Rows are longer than a busway that carries the heavier racks."""
    light, heavy = tall_site(64, 20), tall_site(64, 28)
    node = next(a for a in heavy["assumptions"] if a["product"] == "tiny_node")
    rack = next(a for a in heavy["assumptions"] if a["product"] == "tiny_rack")
    watts = {"power_w_max": 6000, "psu": {"count": 2, "rating_w": 7200, "needed": 1}}
    heavy["assumptions"] += [
        node | {"product": "heavy_node", "facts": node["facts"] | watts}, rack | {"product": "heavy_rack"}
    ]  # fmt: skip
    heavy["compute"]["fleets"][1] |= {"node": "heavy_node", "rack": "heavy_rack"}
    for site in (light, heavy):
        site["halls"] = [{"name": "h1", "rows": 8, "racks_per_row": 24}]
    _, old = designed(light)
    _, new = designed(heavy)
    assert changed(old, new) == {}
    assert diff(old, new).clean


def test_a_pod_may_need_more_than_one_pair_of_switches_above_its_access_switches() -> None:
    """Those above join two access switches each, a pod of nodes has five."""
    site = tall_site(32, 32)
    above = next(a for a in site["assumptions"] if a["product"] == "tiny_switch_100")
    many = {"product": "many_100", "facts": above["facts"] | {"cages": {"count": 64, "type": "QSFP28", "gbps": 100}}}
    above["facts"]["cages"]["count"] = 4
    site["assumptions"].append(above | many)
    site["fabrics"]["oob"]["core"] = "many_100"
    _, plan = designed(site)
    assert list(findings(next(r for r in RULES if r.code == "FABRIC-001"), View(plan))) == []
    own = plan.links.filter(fabric="oob", tier="leaf_spine")
    assert own.group_by("b_device").len()["len"].max() == 2  # ports down


DIGESTS = """
import sys
from pathlib import Path
from lindos.plan import design_site
print(*(design_site(Path(site))[1].digest for site in sys.argv[1:]))
"""


def digests(sites: list[Path], cwd: Path, **environment: str) -> list[str]:
    """Sites designed in a process of its own -> their digests."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, *map(str, sites)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "infra"), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("elsewhere", "environment"),
    [
        (False, {"PYTHONHASHSEED": "0"}),
        (True, {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8"}),
        (True, {"PYTHONHASHSEED": "random", "POLARS_MAX_THREADS": "1"}),
    ],
    ids=["hash seed", "folder, clock and locale", "one thread"],
)
def test_a_digest_does_not_depend_on_the_process(elsewhere: bool, environment: dict[str, str], tmp_path: Path) -> None:
    sites = [ROOT / "inventories/lab/site.yaml", TALL]
    mine = [design_site(site)[1].digest for site in sites]
    assert digests(sites, tmp_path if elsewhere else ROOT, **environment) == mine
