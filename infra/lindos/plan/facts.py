"""Spec and catalogue -> the facts that the design needs, or a CatalogueError that names each one missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.catalogue import Cdu, Gpu, Node, Rack, Switch
from lindos.catalogue.load import Needs
from lindos.catalogue.products import Nics, NvSwitch, ServiceNode, Shelf, StorageNode
from lindos.errors import InfeasibleError, Problem
from lindos.plan.cool_facts import cdu_facts, coolants, door_facts
from lindos.plan.outfit import outfit, uneven
from lindos.plan.parts import Parts, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lindos.catalogue import Catalogue
    from lindos.plan.cool_facts import CduFacts, DoorFacts
    from lindos.plan.hydraulics import Coolant
    from lindos.plan.outfit import Outfit
    from lindos.spec.model import Fleet, RdmaFabric, Spec, StoragePool


PREFIXES = {"frontend": "fe", "storage": "st"}
"""What stands in the names of switches and ports of a network beside training."""


TWIN = "OSFP"
"""The cage of eight lanes, which two ports of four can share; QSFP112 has four."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What placing and powering any device takes. Watts; `psus_needed` None where nobody published it.

    With `throttle_lost` or more supplies lost it holds itself to `throttle_pct` per cent of its clocks. A device
    without power supplies draws from the busbar of its rack. `coolant_kpa` is the pressure drop of what is
    cooled by liquid in it at 1.5 L/min for each kW, `coolant_c_max` the warmest coolant that it takes.
    """

    product: str
    vendor: str
    u_height: int
    nameplate_w: int
    typical_w: int
    liquid_share: float
    psus: int
    psu_rating_w: int | None
    psus_needed: int | None
    throttle_lost: int | None = None
    throttle_pct: int | None = None
    weight_kg: float | None = None
    coolant_kpa: float | None = None
    coolant_c_max: float | None = None


@dataclass(frozen=True, slots=True)
class NicFacts:
    """Ports of a device into one network beside training: how many, Gb/s of each, the form of their sockets."""

    count: int
    gbps: int
    form: str


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """Storage servers of one kind; `number` counts pools, `per_rack` is None where height and power decide.

    `read_gbs` and `write_gbs` are GB/s of one server, None where nobody published them.
    """

    name: str
    number: int
    device: DeviceFacts
    count: int
    per_rack: int | None
    hall: str | None
    nics: NicFacts
    bmc_ports: int
    read_gbs: float | None
    write_gbs: float | None


@dataclass(frozen=True, slots=True)
class NorthSouthFacts:
    """A network of nodes and servers beside training; `prefix` is in the names of its switches."""

    name: str
    prefix: str
    switch: SwitchFacts
    oversubscription: float


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """A fleet with the facts of its node and its rack."""

    name: str
    number: int
    fabric: int
    """The training fabric it is on, by its place among them"""
    node: DeviceFacts
    rack: str
    rack_w: int | None
    rack_kg: int | None
    gpus: int
    gpus_per_node: int
    gpu: str
    outfit: Outfit
    rails: int
    nic_gbps: int
    nic_form: str
    rails_per_cage: int
    nic_layers: tuple[str, ...] | None
    """What the rail NICs speak; None where nobody published it"""
    nics: dict[str, NicFacts]
    """By the name of the network beside training; none of the storage fabric where the site has none"""
    bmc_ports: int
    host_mgmt_ports: int
    nodes_per_rack: int
    racks_per_unit: int
    network_racks_per_unit: int | None
    building: str | None
    cdu: DeviceFacts | None
    cdus_per_rack: int
    cdus_per_unit: int
    cdu_limits: CduFacts | None
    door: DoorFacts | None
    frame_kg: float | None
    gap_u: int
    nodes_below: int
    nvswitch: DeviceFacts | None
    nvswitches_per_rack: int
    nvswitch_bmc_ports: int
    shelf: DeviceFacts | None
    shelves_per_rack: int

    @property
    def nodes(self) -> int:
        return self.gpus // self.gpus_per_node

    @property
    def nodes_per_unit(self) -> int:
        return self.nodes_per_rack * self.racks_per_unit

    @property
    def gpus_per_unit(self) -> int:
        return self.nodes_per_unit * self.gpus_per_node

    @property
    def mgmt_ports_per_rack(self) -> int:
        """Management ports of a full rack of nodes."""
        node = (self.bmc_ports > 0) + (self.host_mgmt_ports > 0)
        tray = 1 + (self.nvswitch_bmc_ports > 0)
        return self.nodes_per_rack * node + self.nvswitches_per_rack * tray + self.shelves_per_rack + self.cdus_per_rack


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """A switch at one port speed: `radix` logical ports, `groups` of them in a cage, numbered after `rj45` ports.

    `port` is how it calls a port; None where as SONiC does. Of a subnet it is as many switches as it has `asics`;
    where it `manages`, it can run the subnet manager.
    """

    device: DeviceFacts
    gbps: int
    radix: int
    groups: int
    form: str
    rj45: int
    mgmt_ports: int
    speeds: dict[int, int]
    """Ports by speed in Gb/s"""
    infiniband: bool
    port: str | None
    asics: int
    manages: bool


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """A training fabric; `switch` is its switch at the speed of one plane, `prefix` stands before names of its pods."""

    name: str
    prefix: str
    said: RdmaFabric
    switch: SwitchFacts

    @property
    def infiniband(self) -> bool:
        return self.switch.infiniband


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a switch by speed in Gb/s, and whether they are InfiniBand."""

    speeds: dict[int, int]
    infiniband: bool
    asics: int


@dataclass(frozen=True, slots=True)
class Facts:
    fleets: tuple[FleetFacts, ...]
    training: tuple[TrainingFacts, ...]
    north_south: tuple[NorthSouthFacts, ...]
    """The front end, and the storage fabric where there is one"""
    pools: tuple[PoolFacts, ...]
    oob: SwitchFacts
    oob_aggregation: SwitchFacts | None
    oob_core: SwitchFacts | None
    control: DeviceFacts | None
    parts: Parts
    coolants: dict[str, Coolant]
    switches: Callable[[], dict[str, Ports]]
    """Every switch that is known by name, with its ports by speed: what could be taken instead"""

    @property
    def infiniband(self) -> list[str]:
        """The training fabrics of InfiniBand, by name."""
        return [t.name for t in self.training if t.infiniband]

    @property
    def of_storage(self) -> str:
        """The network that storage servers hang on: the last of those beside training."""
        return self.north_south[-1].name


def _socket(cage: str | None, *, finned: bool) -> str | None:
    """Cage of a product -> form of module it takes: OSFP cages of air-cooled switches take finned tops only."""
    return f"{cage}-{'finned' if finned else 'flattop'}" if cage == "OSFP" else cage


def _ports_of_a_cage(nics: Nics | None) -> int:
    """NICs -> how many ports leave by one of their sockets: several only where it has the lanes for them."""
    if nics is None or not nics.cages or nics.cage != TWIN:
        return 1
    return max(1, nics.count // nics.cages)


def _device(
    needs: Needs,
    kind: str,
    name: str,
    product: Node | NvSwitch | Switch | Cdu | ServiceNode | StorageNode,
    liquid: float = 0.0,
    *,
    on_busbar: bool = False,
) -> DeviceFacts:
    psu = None if on_busbar or isinstance(product, NvSwitch) else product.psu
    return DeviceFacts(
        product=name,
        vendor=product.vendor or "unknown",
        u_height=needs(product.u_height, kind, name, "u_height"),
        nameplate_w=round(needs(product.power_w_max, kind, name, "power_w_max") or 0),
        typical_w=round(
            needs(
                product.power_w_typical or (product.power_w_max if kind == "cdu" else None),
                kind,
                name,
                "power_w_typical",
            )
            or 0
        ),
        liquid_share=liquid,
        psus=0 if on_busbar else (psu.count if psu else needs(None, kind, name, "psu.count")) or 0,
        psu_rating_w=round(psu.rating_w) if psu and psu.rating_w else None,
        psus_needed=psu.needed if psu else None,
        throttle_lost=psu.throttle.lost if psu and psu.throttle else None,
        throttle_pct=round(psu.throttle.to * 100) if psu and psu.throttle else None,
        weight_kg=None if isinstance(product, ServiceNode) else product.weight_kg,
        coolant_kpa=product.coolant_kpa if isinstance(product, (Node, NvSwitch)) else None,
        coolant_c_max=product.coolant_c_max if isinstance(product, (Node, NvSwitch)) else None,
    )


def _liquid(needs: Needs, kind: str, name: str, product: Node | NvSwitch) -> float:
    """The share of a product's draw that goes to liquid."""
    if needs(product.cooling, kind, name, "cooling") != "dlc":
        return 0.0
    return needs(product.liquid_fraction, kind, name, "liquid_fraction") or 0.0


def _shelf(needs: Needs, name: str, shelf: Shelf) -> DeviceFacts:
    """A power shelf: what it draws is what hangs on its busbar, which counts its losses in."""
    return DeviceFacts(
        product=name,
        vendor=shelf.vendor or "unknown",
        u_height=needs(shelf.u_height, "shelf", name, "u_height"),
        nameplate_w=0,
        typical_w=0,
        liquid_share=0.0,
        psus=(shelf.psu.count if shelf.psu else needs(None, "shelf", name, "psu.count")) or 0,
        psu_rating_w=round(shelf.psu.rating_w) if shelf.psu and shelf.psu.rating_w else None,
        psus_needed=None,
        weight_kg=shelf.weight_kg,
    )


def _row_cdus(fleet: Fleet, racks_w: int, cdu_w: int) -> int:
    """CDUs that stand in the row of a unit: as the site file says, else what the unit's heat takes and one spare."""
    return fleet.unit.cdus or -(-racks_w // max(1, cdu_w)) + 1


def _nics(needs: Needs, name: str, fact: str, nics: Nics | None) -> NicFacts:
    """Ports of a node for a network -> NicFacts; speed and socket matter only where there are ports."""
    count = needs(nics.count if nics else None, "node", name, f"{fact}.count")
    if not count:
        return NicFacts(0, 0, "")
    gbps = needs(nics.gbps if nics else None, "node", name, f"{fact}.gbps")
    form = needs(_socket(nics.cage, finned=False) if nics else None, "node", name, f"{fact}.cage")
    return NicFacts(count, gbps or 0, form or "")


def _pool(needs: Needs, catalogue: Catalogue, pool: StoragePool, number: int, gbps: int) -> PoolFacts:
    """A pool of storage servers and the speed of their network -> PoolFacts; `nics.count` 0 where none runs at it."""
    name, server = pool.product, catalogue.get(StorageNode, pool.product)
    ports = needs(server.ports, "storage", name, "ports") or {}
    form = needs(_socket(server.cage, finned=False), "storage", name, "cage")
    return PoolFacts(
        name=pool.name,
        number=number,
        device=_device(needs, "storage", name, server),
        count=pool.count,
        per_rack=pool.per_rack,
        hall=pool.hall,
        nics=NicFacts(ports.get(gbps, 0), gbps, form or ""),
        bmc_ports=min(1, server.bmc_ports or 0),
        read_gbs=server.read_gbs,
        write_gbs=server.write_gbs,
    )


def _fleet(
    needs: Needs, catalogue: Catalogue, fleet: Fleet, number: int, fabric: int, *, own_storage: bool
) -> FleetFacts:
    node, rack, name = catalogue.get(Node, fleet.node), catalogue.get(Rack, fleet.rack), fleet.node
    ew = node.nics_ew
    nics = {"frontend": _nics(needs, name, "nics_ns", node.nics_ns)}
    if own_storage:
        nics["storage"] = _nics(needs, name, "nics_storage", node.nics_storage)
    cdu = catalogue.get(Cdu, rack.cdu) if rack.cdu else None
    in_row = cdu is not None and cdu.placement == "row"
    cdus = (rack.cdus or 0) if cdu and not in_row else 0
    cdu = cdu if in_row or cdus else None
    cdu_w = round((needs(cdu.cooling_kw, "cdu", rack.cdu or "", "cooling_kw") or 0) * 1000) if cdu else 0
    shelves = needs(rack.shelves, "rack", fleet.rack, "shelves") or 0 if rack.shelf else 0
    on_busbar = shelves > 0
    trays = needs(rack.nvswitch_trays, "rack", fleet.rack, "nvswitch_trays") or 0 if rack.nvswitch else 0
    tray = catalogue.get(NvSwitch, rack.nvswitch) if rack.nvswitch and trays else None
    tray_facts = None
    if tray and rack.nvswitch:
        liquid = _liquid(needs, "nvswitch", rack.nvswitch, tray)
        tray_facts = _device(needs, "nvswitch", rack.nvswitch, tray, liquid, on_busbar=on_busbar)
    gpu = needs(node.gpu, "node", name, "gpu")
    if gpu:
        catalogue.get(Gpu, gpu)
    facts = _device(needs, "node", name, node, _liquid(needs, "node", name, node), on_busbar=on_busbar)
    nodes = needs(rack.nodes, "rack", fleet.rack, "nodes")
    warm = [(nodes or 0, facts)] + ([(trays, tray_facts)] if tray_facts else [])
    liquid_w = sum(round(n * d.nameplate_w * d.liquid_share) for n, d in warm)
    return FleetFacts(
        name=fleet.name,
        number=number,
        fabric=fabric,
        node=facts,
        rack=fleet.rack,
        rack_w=round(rack.power_w_max) if rack.power_w_max else None,
        rack_kg=round(rack.weight_kg) if rack.weight_kg else None,
        gpus=fleet.gpus,
        gpus_per_node=needs(node.gpus, "node", name, "gpus"),
        gpu=gpu,
        outfit=outfit(fleet, node),
        rails=needs(ew.count if ew else None, "node", name, "nics_ew.count"),
        nic_gbps=needs(ew.gbps if ew else None, "node", name, "nics_ew.gbps"),
        nic_form=needs(_socket(ew.cage, finned=False) if ew else None, "node", name, "nics_ew.cage"),
        rails_per_cage=_ports_of_a_cage(ew),
        nic_layers=ew.link_layers if ew else None,
        nics=nics,
        bmc_ports=needs(node.bmc_ports, "node", name, "bmc_ports"),
        host_mgmt_ports=needs(node.host_mgmt_ports, "node", name, "host_mgmt_ports"),
        nodes_per_rack=nodes,
        racks_per_unit=fleet.unit.racks,
        network_racks_per_unit=fleet.unit.network_racks,
        building=fleet.building,
        cdu=_device(needs, "cdu", rack.cdu, cdu) if cdu and rack.cdu else None,
        cdus_per_rack=cdus,
        cdus_per_unit=_row_cdus(fleet, liquid_w * fleet.unit.racks, cdu_w) if in_row else 0,
        cdu_limits=cdu_facts(rack.cdu, cdu) if cdu and rack.cdu else None,
        door=door_facts(needs, catalogue, rack),
        frame_kg=rack.frame_kg,
        gap_u=(rack.u.gap or 0) if rack.u else 0,
        nodes_below=rack.u.nodes_below if rack.u and rack.u.nodes_below is not None else (nodes or 0) // 2,
        nvswitch=tray_facts,
        nvswitches_per_rack=trays,
        nvswitch_bmc_ports=(tray.bmc_ports or 0) if tray else 0,
        shelf=_shelf(needs, rack.shelf, catalogue.get(Shelf, rack.shelf)) if rack.shelf and shelves else None,
        shelves_per_rack=shelves,
    )


def _speeds(switch: Switch) -> dict[int, int]:
    """A switch -> its ports by speed in Gb/s: as it can split them, and whole cages."""
    speeds = dict(switch.max_logical or {})
    if switch.cages and switch.cages.gbps:
        speeds.setdefault(switch.cages.gbps, switch.cages.count)
    return speeds


def _switch(needs: Needs, catalogue: Catalogue, name: str, gbps: int, planes: int = 1) -> SwitchFacts:
    """A switch with ports of a plane's share of `gbps`; InfeasibleError where it has none."""
    switch = catalogue.get(Switch, name)
    cages = needs(switch.cages, "switch", name, "cages")
    radix, groups, form, speeds = 0, 1, "", _speeds(switch)
    if cages:
        form = _socket(cages.type, finned=switch.cooling != "liquid") or ""
        share = f" ({gbps}G over {planes} planes)" if planes > 1 else ""
        if gbps % planes or gbps // planes not in speeds:
            raise InfeasibleError(
                Problem(
                    f"switch '{name}' has no ports of {gbps / planes:g} Gb/s{share}",
                    hint=f"it offers: {', '.join(f'{n} x {s}G' for s, n in sorted(speeds.items()))}",
                )
            )
        gbps //= planes
        radix = speeds[gbps]
        groups = max(1, radix // cages.count)
    return SwitchFacts(
        device=_device(needs, "switch", name, switch),
        gbps=gbps,
        radix=radix,
        groups=groups,
        form=form,
        rj45=switch.rj45.count if switch.rj45 else 0,
        mgmt_ports=switch.mgmt_ports if switch.mgmt_ports is not None else 1,
        speeds=speeds,
        infiniband=switch.link_layer == "infiniband",
        port=switch.port,
        asics=switch.asics or 1,
        manages=switch.managed is not False and switch.subnet_nodes != 0,
    )


def _ports(catalogue: Catalogue, name: str) -> Ports:
    switch = catalogue.get(Switch, name)
    return Ports(_speeds(switch), switch.link_layer == "infiniband", switch.asics or 1)


def _layers(spec: Spec, needs: Needs, said: Fleet, fact: FleetFacts, training: TrainingFacts) -> list[Problem]:
    """A fleet and its training fabric -> what is wrong where the NICs cannot speak what the switch does."""
    if training.infiniband:
        needs(fact.nic_layers, "node", said.node, "nics_ew.link_layers")
    layer = "infiniband" if training.infiniband else "ethernet"
    if fact.nic_layers is None or layer in fact.nic_layers:
        return []
    words = {"infiniband": "InfiniBand", "ethernet": "Ethernet"}
    switch, speak = training.switch.device.product, " and ".join(words[x] for x in fact.nic_layers)
    return [
        Problem(
            f"fleet '{said.name}': the rail NICs of {said.node} speak {speak}, and "
            f"{switch} of fabric {training.name} speaks {words[layer]}",
            hint=f"a node whose NICs speak {words[layer]}, another switch, or for other NICs `nics_ew: {{link_layers: "
            f"[{layer}]}}` of {said.node} under `assumptions:`",
            place=spec.places.of(said.node),
        )
    ]


def _unused(spec: Spec, fleets: tuple[FleetFacts, ...]) -> list[Problem]:
    """Training fabrics that no fleet is on: there is nothing to size them by."""
    used = {f.fabric for f in fleets}
    problems = [
        Problem(
            f"island '{island.name}': no fleet trains on it",
            hint=f"compute: fleets: give one `island: {island.name}`, or take the island out",
        )
        for i, island in enumerate(spec.fabrics.islands, 1)
        if i not in used
    ]
    if 0 not in used:
        hint = "take `island` out of the fleets of the first training fabric"
        problems.append(Problem("fabric rdma: no fleet trains on it", hint=hint))
    return problems


def _agree(spec: Spec, fleets: tuple[FleetFacts, ...], layers: list[Problem]) -> None:
    """What the site file says of a fleet against the product: link layers, rails, speeds, whole nodes."""
    problems = _unused(spec, fleets) + layers
    fabrics = spec.fabrics
    training = [("rdma", fabrics.rdma.port_gbps), *((f"islands: {i.name}", i.port_gbps) for i in fabrics.islands)]
    for said, fact in zip(spec.compute.fleets, fleets, strict=True):
        problems += uneven(said, fact.outfit)
        beside = [(n.gbps, fabric, fabrics.north_south[fabric].port_gbps) for fabric, n in fact.nics.items() if n.count]
        for gbps, fabric, asked in ((fact.nic_gbps, *training[fact.fabric]), *beside):
            if gbps != asked:
                problems.append(
                    Problem(
                        f"fleet '{said.name}': the {fabric} NICs of {said.node} run at {gbps} Gb/s, "
                        f"fabrics.{fabric} at {asked} Gb/s",
                        hint="give both ends one speed",
                    )
                )
        if said.rails != fact.rails:
            problems.append(
                Problem(
                    f"fleet '{said.name}': {said.rails} rails asked for, but {said.node} has {fact.rails} rail NICs",
                    hint=f"rails: {fact.rails}",
                )
            )
        if said.gpus % fact.gpus_per_node:
            near = said.gpus // fact.gpus_per_node * fact.gpus_per_node
            problems.append(
                Problem(
                    f"fleet '{said.name}': {said.gpus:,} GPUs are no whole number of {said.node} "
                    f"with {fact.gpus_per_node} GPUs each",
                    hint=f"nearest: {near:,} or {near + fact.gpus_per_node:,}",
                )
            )
        domain = fact.gpus_per_node * fact.nodes_per_rack
        if fact.nvswitch and not said.gpus % fact.gpus_per_node and said.gpus % domain:
            near = said.gpus // domain * domain
            problems.append(
                Problem(
                    f"fleet '{said.name}': {said.gpus:,} GPUs are no whole number of {said.rack} "
                    f"with {domain} GPUs each, and the GPUs of such a rack are one NVLink domain",
                    hint=f"nearest: {near:,} or {near + domain:,}" if near else f"at least {domain}",
                )
            )
    if problems:
        raise InfeasibleError(problems)


def _storage_agrees(spec: Spec, facts: Facts) -> None:
    """Storage servers have ports of their network's speed; InfeasibleError where they have none."""
    storage, fabric = spec.compute.storage, facts.of_storage
    gbps = spec.fabrics.north_south[fabric].port_gbps
    problems = [
        Problem(
            f"pool '{said.name}': {said.product} has no ports of {gbps} Gb/s, the speed of fabrics.{fabric}",
            hint="give both ends one speed",
        )
        for said, pool in zip(storage.pools if storage else (), facts.pools, strict=True)
        if not pool.nics.count
    ]
    if problems:
        raise InfeasibleError(problems)


def gather(spec: Spec, catalogue: Catalogue) -> Facts:
    """Spec and catalogue -> Facts. CatalogueError lists every fact missing; InfeasibleError where they disagree."""
    needs = Needs(catalogue)
    fabrics, services = spec.fabrics, spec.compute.services
    place = {None: 0} | {island.name: i + 1 for i, island in enumerate(fabrics.islands)}
    own = fabrics.storage is not None
    fleets = tuple(
        _fleet(needs, catalogue, f, i, place[f.island], own_storage=own) for i, f in enumerate(spec.compute.fleets)
    )
    storage = spec.compute.storage
    gbps = list(fabrics.north_south.values())[-1].port_gbps
    oob = catalogue.get(Switch, fabrics.oob.switch)
    uplink = oob.cages.gbps if oob.cages and oob.cages.gbps else 0
    above = _switch(needs, catalogue, fabrics.oob.aggregation, uplink) if fabrics.oob.aggregation else None
    facts = Facts(
        fleets=fleets,
        training=tuple(
            TrainingFacts(
                name,
                name.removeprefix("rdma").removeprefix("-") + "-" * (name != "rdma"),
                said,
                _switch(needs, catalogue, said.switch, said.port_gbps, said.planes),
            )
            for name, said in fabrics.training.items()
        ),
        north_south=tuple(
            NorthSouthFacts(
                name, PREFIXES[name], _switch(needs, catalogue, said.switch, said.port_gbps), said.oversubscription
            )
            for name, said in fabrics.north_south.items()
        ),
        pools=tuple(_pool(needs, catalogue, p, i, gbps) for i, p in enumerate(storage.pools if storage else ())),
        oob=_switch(needs, catalogue, fabrics.oob.switch, uplink),
        oob_aggregation=above,
        oob_core=_switch(needs, catalogue, fabrics.oob.core, uplink) if fabrics.oob.core else above,
        control=_device(needs, "service", services.product, catalogue.get(ServiceNode, services.product))
        if services
        else None,
        parts=parts_of(catalogue),
        coolants=coolants(needs, catalogue, spec),
        switches=lambda: {n: _ports(catalogue, n) for n in catalogue.names("switch")},
    )
    layers = [
        problem
        for said, fact in zip(spec.compute.fleets, fleets, strict=True)
        for problem in _layers(spec, needs, said, fact, facts.training[fact.fabric])
    ]
    needs.settle()
    _agree(spec, fleets, layers)
    _storage_agrees(spec, facts)
    return facts
