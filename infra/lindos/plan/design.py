"""Spec and catalogue -> Plan, one straight walk; each step takes what the steps before it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lindos.plan import tables as t
from lindos.plan.address import address, asns, switch_numbers
from lindos.plan.address6 import prefix6
from lindos.plan.bom import bill
from lindos.plan.cable import cable
from lindos.plan.cool import cool
from lindos.plan.efficiency import efficiency
from lindos.plan.facts import gather
from lindos.plan.feed import feed, loads
from lindos.plan.infiniband import partitions, subnet_managers
from lindos.plan.layout import lay_out
from lindos.plan.outfit import Outfit
from lindos.plan.place import place
from lindos.plan.plant import LOADS
from lindos.plan.populate import populate
from lindos.plan.schedule import schedule, waves
from lindos.plan.slices import plan_digest, slices
from lindos.plan.switches import cages, fabrics, models, switches
from lindos.plan.weigh import weigh
from lindos.plan.wire import wire

if TYPE_CHECKING:
    import dataframely as dy

    from lindos.catalogue import Catalogue
    from lindos.plan.facts import DeviceFacts, Facts
    from lindos.plan.layout import Layout
    from lindos.spec.model import Spec

SCHEMAS: dict[str, type[dy.Schema]] = {
    "halls": t.Halls, "rows": t.Rows, "racks": t.Racks, "devices": t.Devices, "gpus": t.Gpus, "ports": t.Ports,
    "links": t.Links,
    "cables": t.Cables, "bundles": t.Bundles, "trays": t.Trays,
    "loads": t.Loads, "power_nodes": t.PowerNodes, "power_edges": t.PowerEdges,
    "power_loads": t.PowerLoads,
    "power_connections": t.PowerConnections, "cooling_nodes": t.CoolingNodes, "cooling_edges": t.CoolingEdges,
    "cooling_connections": t.CoolingConnections, "cooling_pipes": t.CoolingPipes, "plants": t.Plants,
    "plant_loads": t.PlantLoads, "efficiency": t.Efficiency,
    "addresses": t.Addresses, "asns": t.Asns, "fabrics": t.Fabrics,
    "subnet_managers": t.SubnetManagers, "partitions": t.Partitions,
    "switches": t.Switches, "cages": t.Cages, "units": t.Units, "waves": t.Waves, "pools": t.Pools, "bom": t.Bom,
    "slices": t.Slices,
}  # fmt: skip
"""Name of a table -> its schema, in the order of the walk."""


def _products(facts: Facts) -> list[DeviceFacts]:
    out = [t.switch.device for t in facts.training] + [n.switch.device for n in facts.north_south]
    out += [facts.oob.device, *(p.device for p in facts.pools)]
    some = [d for f in facts.fleets for d in (f.node, f.cdu, f.nvswitch, f.shelf)]
    some += [above.device for above in (facts.oob_aggregation, facts.oob_core) if above]
    some += [facts.control]
    return out + [d for d in some if d]


def _racks(layout: Layout, floor: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """Racks by coordinates with their place. A network rack of a unit belongs to the unit, of a pod to its spines."""
    rows = []
    for r in layout.racks:
        unit, pod = r.unit.name if r.unit else None, r.pod
        fleet = r.unit.fleet if r.unit else None
        compute = r.kind == "compute"
        rows.append(
            (
                r.name,
                r.kind,
                unit,
                pod,
                unit or pod or ("storage" if r.kind == "storage" else "services"),
                fleet.name if fleet else None,
                fleet.rack if fleet and compute else None,
                r.nodes,
                r.nodes * (fleet.gpus_per_node if fleet else 0),
                fleet.rack_w if fleet and compute else None,
                fleet.rack_kg if fleet and compute else None,
            )
        )
    names = ["rack", "kind", "unit", "pod", "slice", "fleet", "product", "nodes", "gpus", "rated_w", "weight_kg"]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    frame = frame.join(weights, on="rack", how="left", maintain_order="left")
    return frame.join(floor.drop("tray_height_mm"), on="rack", how="left", maintain_order="left")


POOLS = {
    "pool": pl.String, "product": pl.String, "fabric": pl.String, "servers": pl.Int64, "racks": pl.Int64,
    "ports": pl.Int64, "rate_gbps": pl.Int64, "read_gbs": pl.Float64, "write_gbs": pl.Float64,
}  # fmt: skip


def _pools(facts: Facts, layout: Layout) -> pl.DataFrame:
    """Pools of storage servers, in order of arrival."""
    racks = [r.pool.number for r in layout.servers.racks]
    rows = [
        (
            p.name, p.device.product, facts.of_storage, p.count, racks.count(p.number), p.nics.count, p.nics.gbps,
            p.read_gbs, p.write_gbs,
        )
        for p in facts.pools
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=POOLS, orient="row")


def _units(layout: Layout) -> pl.DataFrame:
    rows = [
        (
            u.name,
            u.number + 1,
            u.fleet.name,
            u.pod.name,
            u.nodes,
            u.nodes * u.fleet.gpus_per_node,
            u.racks,
            u.whole,
            *u.fleet.outfit,
            u.name,
        )
        for u in layout.units
    ]
    names = ["unit", "number", "fleet", "pod", "nodes", "gpus", "racks", "whole", *Outfit._fields, "slice"]
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def _gpus(facts: Facts, nodes: pl.DataFrame) -> pl.DataFrame:
    out = []
    for fleet in facts.fleets:
        mine = nodes.filter(fleet=fleet.number).select("device", "unit", "slice")
        mine = mine.with_columns(index=pl.lit(list(range(fleet.gpus_per_node)), dtype=pl.List(pl.Int64))).explode(
            "index"
        )
        # GPU i has the NIC of rail i beside it; where there are fewer rails, neighbours share one.
        out.append(
            mine.with_columns(
                gpu=pl.format("{}/gpu{}", "device", "index"),
                rail=pl.col("index") * fleet.rails // fleet.gpus_per_node,
                product=pl.lit(fleet.gpu),
            )
        )
    return pl.concat(out)


def _typed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame -> exactly the columns and types that its schema declares."""
    schema = SCHEMAS[name]
    return schema.cast(frame.select(schema.column_names()))


def design(spec: Spec, catalogue: Catalogue) -> t.Plan:
    """Spec and catalogue -> Plan: pure, the same for the same input under any clock, locale, folder or hash seed.

    CatalogueError where a fact is missing, InfeasibleError where what is asked for cannot be built.
    """
    facts = gather(spec, catalogue)
    layout = lay_out(spec, facts)
    floor = place(spec, layout)
    per_switch = spec.fabrics.oob.racks_per_switch
    services = spec.compute.services
    parts = populate(layout, facts, floor, racks_per_switch=per_switch, control=services.control if services else 0)
    wiring = wire(layout, facts, parts, per_switch)
    cabling = cable(wiring.links, parts.devices, floor, facts.parts, spec.site)
    watts = loads(parts.devices, _products(facts), cabling.modules, facts.parts.optics)
    cooling = cool(spec, layout, facts, floor, parts.devices, watts)
    power = feed(spec, parts.devices, floor.racks, watts, cooling.plant_loads)
    weights = weigh(layout, facts, _products(facts), parts.devices, cooling.pipes)
    # The ports of InfiniBand have no addresses, and its switches no AS numbers: both are the subnet manager's business.
    routed = ~pl.col("fabric").is_in(facts.infiniband)
    lost = {load: int(power.loads[f"{load}_loss_w"].sum()) for load in LOADS}
    numbers = switch_numbers(layout, parts).filter(routed)
    home = parts.devices.select("device", "slice")
    boxes = models(parts.devices, wiring.ports)
    told = fabrics(spec, catalogue, boxes)
    made: dict[str, pl.DataFrame] = {
        "halls": cabling.halls,
        "rows": floor.rows,
        "racks": _racks(layout, floor.racks, weights),
        "devices": parts.devices,
        "gpus": _gpus(facts, parts.nodes),
        "ports": wiring.ports,
        "links": cabling.links,
        "cables": cabling.cables,
        "bundles": cabling.bundles,
        "trays": cabling.trays,
        "loads": watts,
        "power_nodes": power.nodes,
        "power_edges": power.edges,
        "power_loads": power.loads,
        "power_connections": power.connections,
        "cooling_nodes": cooling.nodes,
        "cooling_edges": cooling.edges,
        "cooling_connections": cooling.connections,
        "cooling_pipes": cooling.pipes,
        "plants": cooling.plants,
        "plant_loads": cooling.plant_loads,
        "efficiency": efficiency(parts.devices, watts, cooling.plant_loads, cooling.plants, lost),
        "addresses": address(wiring.links.filter(routed), parts, numbers, told, prefix6(spec))
        .drop("slice")
        .join(home, on="device", maintain_order="left"),
        "asns": asns(numbers),
        "fabrics": told,
        "subnet_managers": subnet_managers(facts, parts.devices),
        "partitions": partitions(facts),
        "switches": switches(spec, catalogue, parts.devices, boxes, told),
        "cages": cages(catalogue, boxes),
        "units": _units(layout),
        "pools": _pools(facts, layout),
    }
    made["waves"] = waves(schedule(spec, made, catalogue))
    made["bom"] = bill(made, cabling, spec.spares)
    typed = {name: _typed(name, frame) for name, frame in made.items()}
    typed["slices"] = _typed("slices", slices(typed))
    return t.Plan(site=spec.site, digest=plan_digest(spec.site, typed), **typed)  # type: ignore[arg-type]  # by name
