"""The tables of a plan: one row a thing, keys are names, units stand in column names.

Small numbers are 0-based where tools count from 0 (rail, GPU, port), 1-based where people count (unit, rack, node).
Order of rows is part of the plan: by key, in the order of logical coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import dataframely as dy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl


class Halls(dy.Schema):
    """A data hall and its grid of rack positions; `rack_w` and `rack_kg` are what a position is built for, `tray_mm2`
    is the cross-section of its trays, all `tray_levels` together, `tray_fill_pct` how much of it cables may take.
    """

    hall = dy.String(primary_key=True)
    building = dy.String(nullable=True)
    rows = dy.UInt16()
    racks_per_row = dy.UInt16()
    x_mm = dy.Int64()
    y_mm = dy.Int64()
    row_pitch_mm = dy.Int64()
    tray_height_mm = dy.Int64()
    rack_w = dy.Int64(nullable=True)
    rack_kg = dy.Int64(nullable=True)
    floor_kg_m2 = dy.Int64(nullable=True)
    rack_pitch_mm = dy.Int64()
    tray_levels = dy.UInt16()
    tray_mm2 = dy.Int64()
    tray_fill_pct = dy.UInt8()


class Rows(dy.Schema):
    """A row of rack positions; `row` is `<hall>-r01`."""

    row = dy.String(primary_key=True)
    hall = dy.String()
    number = dy.UInt16()
    y_mm = dy.Int64()


class Racks(dy.Schema):
    """A rack: its logical home (unit, pod or shared) and where it stands.

    `rated_w` and `weight_kg` are those of its product, with what it is delivered with; `filled_kg` is what stands on
    the floor, with rear door and the coolant in its manifold, null where a part of it is not known.
    """

    rack = dy.String(primary_key=True)
    kind = dy.Enum(["compute", "network", "cooling", "storage"])
    unit = dy.String(nullable=True)
    pod = dy.String(nullable=True)
    slice = dy.String()
    fleet = dy.String(nullable=True)
    product = dy.String(nullable=True)
    hall = dy.String()
    row = dy.String()
    position = dy.UInt16()
    x_mm = dy.Int64()
    y_mm = dy.Int64()
    height_u = dy.UInt16()
    nodes = dy.UInt16()
    gpus = dy.UInt32()
    rated_w = dy.Int64(nullable=True)
    weight_kg = dy.Int64(nullable=True)
    filled_kg = dy.Int64(nullable=True)


class Devices(dy.Schema):
    """Everything with a name, a place and a power cord or a port. A switch of a training fabric is on one `plane`.

    `nvlink_domain` is what the GPUs of a node share NVLink with: the node itself, or its rack where NVSwitch trays
    join all nodes of the rack.
    """

    device = dy.String(primary_key=True)
    kind = dy.Enum(["node", "nvswitch", "shelf", "switch", "cdu", "service", "storage"])
    role = dy.Enum(["gpu", "nvlink", "power", "leaf", "spine", "core", "cooling", "control", "storage"])
    product = dy.String()
    vendor = dy.String()
    fabric = dy.String(nullable=True)
    slice = dy.String()
    unit = dy.String(nullable=True)
    pod = dy.String(nullable=True)
    plane = dy.UInt8(nullable=True)
    rack = dy.String()
    u = dy.UInt16()
    height_u = dy.UInt16()
    nvlink_domain = dy.String(nullable=True)
    x_mm = dy.Int64()
    y_mm = dy.Int64()
    z_mm = dy.Int64()


class Gpus(dy.Schema):
    """One GPU; `rail` is the rail of the NIC beside it."""

    gpu = dy.String(primary_key=True)
    device = dy.String()
    index = dy.UInt8()
    rail = dy.UInt8()
    product = dy.String()
    unit = dy.String()
    slice = dy.String()


class Ports(dy.Schema):
    """A port that carries a link. `cage` counts from 1 on the face plate, `lane_group` from 0 in the cage."""

    device = dy.String(primary_key=True)
    port = dy.String(primary_key=True)
    cage = dy.UInt16()
    lane_group = dy.UInt8()
    lane_groups = dy.UInt8()
    form = dy.String()
    rate_gbps = dy.UInt32()
    fabric = dy.String()


class Links(dy.Schema):
    """A logical link. `a` is the lower end: node below leaf, leaf below spine, spine below core.

    `fabric` is `rdma`, `rdma-NAME` of an island, `frontend`, `storage` or `oob`; training fabrics have a `plane`.
    Labels are those of its ends of the cable; the head of a splitter has one for all of its links.
    """

    link = dy.String(primary_key=True)
    fabric = dy.String()
    tier = dy.Enum(["node_leaf", "leaf_spine", "spine_core"])
    rail = dy.UInt8(nullable=True)
    plane = dy.UInt8(nullable=True)
    a_device = dy.String()
    a_port = dy.String()
    b_device = dy.String()
    b_port = dy.String()
    rate_gbps = dy.UInt32()
    cable = dy.String()
    a_label = dy.String()
    b_label = dy.String()
    slice = dy.String()


class Cables(dy.Schema):
    """A physical cable; a splitter that carries two links is one cable. Length is what is bought.

    `product` is the copper cable or the cordage in the catalogue, `part` what to order; `a_part` and `b_part` are the
    modules at its ends, where they are no part of it. With `breakout` it is plugged into a breakout module wherever
    the connector of the module carries several links, because these run to several racks.
    """

    cable = dy.String(primary_key=True)
    fabric = dy.String()
    links = dy.UInt8()
    bundle = dy.String()
    route_mm = dy.Int64()
    length_mm = dy.Int64()
    medium = dy.Enum(["DAC", "ACC", "TP", "MM", "SM"])
    product = dy.String()
    polarity = dy.String(nullable=True)
    breakout = dy.Bool()
    part = dy.String()
    a_part = dy.String(nullable=True)
    b_part = dy.String(nullable=True)
    slice = dy.String()


class Bundles(dy.Schema):
    """Cables of one kind from one rack to one other, pulled together.

    `path` names the trays, `along_mm` and `across_mm` are the ways over rows and across them; inside a rack there is
    none. `pull` counts the bundles of the aisle (two rows, by the lower end) in the order in which they are pulled.
    """

    bundle = dy.String(primary_key=True)
    a_rack = dy.String()
    b_rack = dy.String()
    fabric = dy.String()
    medium = dy.Enum(["DAC", "ACC", "TP", "MM", "SM"])
    cables = dy.UInt16()
    length_mm = dy.Int64()
    path = dy.String(nullable=True)
    along_mm = dy.Int64()
    across_mm = dy.Int64()
    aisle = dy.String()
    pull = dy.UInt32()


class Trays(dy.Schema):
    """A stretch of cable tray between two changes of its load; x along a row, y across the rows."""

    tray = dy.String(primary_key=True)
    from_mm = dy.Int64(primary_key=True)
    to_mm = dy.Int64()
    hall = dy.String()
    kind = dy.Enum(["row", "across"])
    cables = dy.UInt32()
    area_mm2 = dy.Int64()


class Loads(dy.Schema):
    """What a device draws: `nameplate_w` for breakers and transformers, `typical_w` as measured under training;
    `liquid_w` and `liquid_typical_w` of these go to liquid, the rest to air.

    `busbar` (named by its rack) is what a device without power supplies draws from, and what a power shelf feeds;
    a shelf draws nothing itself.
    """

    device = dy.String(primary_key=True)
    nameplate_w = dy.Int64()
    typical_w = dy.Int64()
    liquid_w = dy.Int64()
    liquid_typical_w = dy.Int64()
    psus = dy.UInt8()
    psu_rating_w = dy.Int64(nullable=True)
    psus_needed = dy.UInt8(nullable=True)
    throttle_lost = dy.UInt8(nullable=True)
    throttle_pct = dy.UInt8(nullable=True)
    busbar = dy.String(nullable=True)


class PowerNodes(dy.Schema):
    """A part of the power train, from source to rack PDU; a motor control centre feeds the machines of a plant.

    `capacity_w` is what it may deliver continuously, `loss_ppm` what it loses by a million of what it delivers,
    `volts` are line to line on its outgoing side. `feed` is null where a part serves several.
    """

    power_node = dy.String(primary_key=True)
    kind = dy.Enum(
        [
            "utility", "generator", "battery", "substation_transformer", "substation", "switchgear", "ring",
            "transformer", "board", "ups", "transfer_switch", "busway", "tap", "rack_pdu", "motor_control",
        ]
    )  # fmt: skip
    feed = dy.String(nullable=True)
    hall = dy.String(nullable=True)
    rack = dy.String(nullable=True)
    volts = dy.Int64(nullable=True)
    capacity_w = dy.Int64()
    loss_ppm = dy.Int64()


class PowerEdges(dy.Schema):
    """Power flows from parent to child; a child shares what it draws over its living parents by their capacity.

    A `standby` parent carries nothing while another of the child's parents is alive.
    """

    parent = dy.String(primary_key=True)
    child = dy.String(primary_key=True)
    standby = dy.Bool()


class PowerLoads(dy.Schema):
    """What a part of the power train delivers and loses with everything alive: at nameplate, for breakers and
    transformers, and as measured under training, for energy and heat. What it draws is the sum of both.
    """

    power_node = dy.String(primary_key=True)
    nameplate_w = dy.Int64()
    nameplate_loss_w = dy.Int64()
    typical_w = dy.Int64()
    typical_loss_w = dy.Int64()


class PowerConnections(dy.Schema):
    """A cord: one PSU of one device into one rack PDU, on one phase of it, or on all three where `phase` is null.

    PSUs and phases count from 1.
    """

    device = dy.String(primary_key=True)
    psu = dy.UInt8(primary_key=True)
    pdu = dy.String()
    feed = dy.String()
    phase = dy.UInt8(nullable=True)
    slice = dy.String()


class CoolingNodes(dy.Schema):
    """What takes heat on its way out, and what it is built for; null where nobody published it, or it has none.

    manifold (in a rack), header, cdu, rear_door, room (the air of a hall), air_handler (CRAH, fan wall), pump, chiller,
    tower, dry_cooler. Heat is what it takes when all is well, all units of a stage sharing. `flow_ml_s`, supply and
    return (mK) are those of the liquid that takes the heat, all at nameplate: of a CDU the coolant of the racks.
    `pressure_pa` is what pumps overcome there, `head_pa` what they can at the flow `flow_max_ml_s`; `approach_mk` is
    that at which `capacity_w` holds. `pumps_needed` of the `pumps` within a CDU carry its flow.
    """

    cooling_node = dy.String(primary_key=True)
    kind = dy.Enum(
        [
            "manifold",
            "header",
            "cdu",
            "rear_door",
            "room",
            "air_handler",
            "pump",
            "chiller",
            "tower",
            "dry_cooler",
        ]
    )
    plant = dy.String(nullable=True)
    hall = dy.String(nullable=True)
    rack = dy.String(nullable=True)
    product = dy.String(nullable=True)
    capacity_w = dy.Int64(nullable=True)
    heat_w = dy.Int64()
    typical_heat_w = dy.Int64()
    coolant = dy.String(nullable=True)
    flow_ml_s = dy.Int64(nullable=True)
    supply_mk = dy.Int64(nullable=True)
    return_mk = dy.Int64(nullable=True)
    pressure_pa = dy.Int64(nullable=True)
    head_pa = dy.Int64(nullable=True)
    flow_max_ml_s = dy.Int64(nullable=True)
    approach_mk = dy.Int64(nullable=True)
    pumps = dy.UInt8(nullable=True)
    pumps_needed = dy.UInt8(nullable=True)
    power_w = dy.Int64(nullable=True)
    typical_power_w = dy.Int64(nullable=True)


class CoolingEdges(dy.Schema):
    """The parent takes the heat of the child.

    A child shares its heat over its living parents in proportion to their capacity; a parent without a capacity
    (header, manifold) takes whatever comes. What hangs on a node falls when no parent of it lives, or when the living
    ones together take less than its heat; a CDU lives while `pumps_needed` of its pumps do.
    """

    parent = dy.String(primary_key=True)
    child = dy.String(primary_key=True)


class CoolingConnections(dy.Schema):
    """What takes the heat that a device gives to liquid, and what takes that which it gives to air."""

    device = dy.String(primary_key=True)
    medium = dy.Enum(["liquid", "air"], primary_key=True)
    cooling_node = dy.String()
    slice = dy.String()


class CoolingPipes(dy.Schema):
    """Pipes by name of what they serve: `pipes` of one nominal size side by side. Length is there and back."""

    pipe = dy.String(primary_key=True)
    kind = dy.Enum(["main", "row", "branch", "manifold", "header"])
    hall = dy.String()
    coolant = dy.String()
    length_mm = dy.Int64()
    nominal_mm = dy.UInt16()
    pipes = dy.UInt16()
    flow_ml_s = dy.Int64()
    velocity_mm_s = dy.Int64()
    velocity_max_mm_s = dy.Int64()
    pressure_pa = dy.Int64()


class Plants(dy.Schema):
    """A plant at one load: nameplate on the design day; typical (measured under training) in the mean of the year.

    `heat_w` is what comes by the water, work of its pumps counted in; `coldest_mk` the water that the weather allows
    without a chiller; `cop_milli` cooling by work of its chillers, null where none runs; `water_ml_h` what evaporates
    and is blown down.
    """

    plant = dy.String(primary_key=True)
    load = dy.Enum(["nameplate", "typical"], primary_key=True)
    heat_w = dy.Int64()
    work_w = dy.Int64()
    cop_milli = dy.Int64(nullable=True)
    coldest_mk = dy.Int64()
    water_ml_h = dy.Int64()


class PlantLoads(dy.Schema):
    """What machines of one kind draw together: `needed` of `count` carry the load. CDUs stand in `loads`."""

    name = dy.String(primary_key=True)
    kind = dy.Enum(["rear_door", "air_handler", "pump", "chiller", "tower", "dry_cooler"])
    plant = dy.String()
    hall = dy.String(nullable=True)
    count = dy.UInt32()
    needed = dy.UInt32()
    nameplate_w = dy.Int64()
    typical_w = dy.Int64()


class Efficiency(dy.Schema):
    """Energy and water of the site at one load; `loss_w` of the power train is null where it is not counted in.

    `pue_ppm` is PUE in millionths, `wue_ml_kwh` millilitres for each kWh of IT.
    """

    load = dy.Enum(["nameplate", "typical"], primary_key=True)
    it_w = dy.Int64()
    cdu_w = dy.Int64()
    plant_w = dy.Int64()
    loss_w = dy.Int64(nullable=True)
    facility_w = dy.Int64()
    liquid_w = dy.Int64()
    air_w = dy.Int64()
    pue_ppm = dy.Int64(nullable=True)
    water_l_day = dy.Int64()
    wue_ml_kwh = dy.Int64(nullable=True)


class Addresses(dy.Schema):
    """An address on a port, or on `lo`. `gateway` is set where the port has one; those of IPv6 stand beside it where
    the site has both families.
    """

    device = dy.String(primary_key=True)
    port = dy.String(primary_key=True)
    purpose = dy.Enum(["rail", "frontend", "storage", "link", "loopback", "bmc", "mgmt", "gateway"])
    address = dy.String()
    prefix_len = dy.UInt8()
    gateway = dy.String(nullable=True)
    address6 = dy.String(nullable=True)
    prefix_len6 = dy.UInt8(nullable=True)
    gateway6 = dy.String(nullable=True)
    slice = dy.String()


class Asns(dy.Schema):
    """The BGP autonomous system of a switch (4-byte, RFC 6996)."""

    device = dy.String(primary_key=True)
    asn = dy.UInt32()


class Fabrics(dy.Schema):
    """What hosts and switches of a fabric must agree on. Null where nothing is lossless: priority, DSCPs; where it is
    no InfiniBand: routing, sharp, and `system`, what its switches call themselves in a subnet.

    `unnumbered` links between its switches have no address: BGP speaks over IPv6 link-local (RFC 8950).
    """

    fabric = dy.String(primary_key=True)
    link_layer = dy.Enum(["ethernet", "infiniband"])
    mtu = dy.UInt16()
    host_mtu = dy.UInt16()
    adaptive_routing = dy.Bool()
    unnumbered = dy.Bool()
    priority = dy.UInt8(nullable=True)
    dscp = dy.UInt8(nullable=True)
    cnp_priority = dy.UInt8(nullable=True)
    cnp_dscp = dy.UInt8(nullable=True)
    routing = dy.Enum(["ar_updn", "ar_ftree", "updn", "ftree"], nullable=True)
    sharp = dy.Bool(nullable=True)
    system = dy.String(nullable=True)


class SubnetManagers(dy.Schema):
    """Who manages a subnet, which is a plane of an InfiniBand fabric: a switch of it or a host; the highest priority is
    the master's.
    """

    fabric = dy.String(primary_key=True)
    plane = dy.UInt8(primary_key=True)
    manager = dy.String(primary_key=True)
    priority = dy.UInt8()


class Partitions(dy.Schema):
    """A partition of an InfiniBand fabric; `pkey` is without the bit of full membership."""

    fabric = dy.String(primary_key=True)
    partition = dy.String(primary_key=True)
    pkey = dy.UInt16()


class Switches(dy.Schema):
    """What a switch is told as a box. `nos` is null where the subnet manager tells it all.

    `platform` and `hwsku` are SONiC's names, null where it does not know it.

    `buffer_bytes` is the packet memory of its ASIC, null where nobody published it.
    """

    device = dy.String(primary_key=True)
    nos = dy.Enum(["sonic", "cumulus", "frr"], nullable=True)
    platform = dy.String(nullable=True)
    hwsku = dy.String(nullable=True)
    buffer_bytes = dy.Int64(nullable=True)
    mtu = dy.UInt16()
    adaptive_routing = dy.Bool()
    unnumbered = dy.Bool()
    priority = dy.UInt8(nullable=True)
    dscp = dy.UInt8(nullable=True)
    cnp_priority = dy.UInt8(nullable=True)
    cnp_dscp = dy.UInt8(nullable=True)


class Cages(dy.Schema):
    """A cage of a product as SONiC numbers it, for each number of ports it can be split into.

    Its first port is Ethernet<sonic_port>; port and lane of a part follow by its share of the lanes.
    """

    product = dy.String(primary_key=True)
    cage = dy.UInt16(primary_key=True)
    lane_groups = dy.UInt8(primary_key=True)
    sonic_port = dy.UInt16()
    sonic_lane = dy.UInt16()
    lanes = dy.UInt8()
    mode = dy.String()


class Units(dy.Schema):
    """A scalable unit: the smallest set of nodes with complete rails that can train.

    `memory_gib`, `nvme` drives, `cpus` and their `threads`, and the huge pages it sets aside are those of one of its
    nodes; null where nobody said them.
    """

    unit = dy.String(primary_key=True)
    number = dy.UInt32()
    fleet = dy.String()
    pod = dy.String()
    nodes = dy.UInt32()
    gpus = dy.UInt32()
    racks = dy.UInt16()
    whole = dy.Bool()
    memory_gib = dy.UInt32(nullable=True)
    nvme = dy.UInt16(nullable=True)
    cpus = dy.UInt16(nullable=True)
    threads = dy.UInt32(nullable=True)
    hugepages_2m = dy.UInt32(nullable=True)
    hugepages_1g = dy.UInt32(nullable=True)
    slice = dy.String()


class Waves(dy.Schema):
    """Units that come on together on a day, or go off, in the order in which it happens; a `date` of null is before any
    day that the site file names. A wave is named by its first unit, and by how often that came on.

    `members` are its units, neighbours as a range. Loads are those at the sources, before and after; `given_w` what
    these give by the basis of the schedule, `reserve_w` of it kept back. `step_w` is what its largest unit draws when
    it starts, `step_allowed_w` what sources take at once, `at_once` the units that may start together. `ramp_s` is null
    where a source states no ramp. The next wave waits until `hold_until`. `limit` is what keeps the next unit off.
    """

    wave = dy.String(primary_key=True)
    date = dy.Date(nullable=True)
    kind = dy.Enum(["on", "off"])
    units = dy.UInt32()
    members = dy.String()
    gpus = dy.UInt32()
    units_on = dy.UInt32()
    gpus_on = dy.UInt32()
    before_nameplate_w = dy.Int64()
    before_typical_w = dy.Int64()
    after_nameplate_w = dy.Int64()
    after_typical_w = dy.Int64()
    given_w = dy.Int64()
    reserve_w = dy.Int64()
    step_w = dy.Int64()
    step_allowed_w = dy.Int64()
    at_once = dy.UInt32()
    ramp_s = dy.Int64(nullable=True)
    hold_until = dy.Date(nullable=True)
    limit = dy.String()
    basis = dy.String()


class Pools(dy.Schema):
    """Storage servers that were bought together, and the fabric that they hang on.

    `ports` of `rate_gbps` each, and GB/s that one server reads and writes, null where nobody published them.
    """

    pool = dy.String(primary_key=True)
    product = dy.String()
    fabric = dy.String()
    servers = dy.UInt32()
    racks = dy.UInt32()
    ports = dy.UInt8()
    rate_gbps = dy.UInt32()
    read_gbs = dy.Float64(nullable=True)
    write_gbs = dy.Float64(nullable=True)


class Slices(dy.Schema):
    """A set of devices that one stack manages; every device belongs to exactly one slice."""

    slice = dy.String(primary_key=True)
    kind = dy.Enum(["unit", "pod", "core", "frontend", "storage", "oob", "services"])
    fabric = dy.String(nullable=True)
    devices = dy.UInt32()
    nodes = dy.UInt32()
    gpus = dy.UInt32()
    switches = dy.UInt32()
    racks = dy.UInt32()
    cables = dy.UInt32()
    nameplate_w = dy.Int64()
    digest = dy.String()


class Bom(dy.Schema):
    """A line of the bill of materials: what stands in the design, spares beside it, and what to order in all."""

    kind = dy.Enum(
        [
            "rack",
            "node",
            "nvswitch",
            "shelf",
            "switch",
            "cdu",
            "service",
            "storage",
            "rack_pdu",
            "power_cord",
            "optic",
            "breakout",
            "cable",
        ],
        primary_key=True,
    )
    part = dy.String(primary_key=True)
    length_mm = dy.Int64(nullable=True)
    quantity = dy.UInt32()
    spares = dy.UInt32()
    ordered = dy.UInt32()
    unit = dy.Enum(["each", "with its rack"])


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole design of a site. `digest` is the digest of all slices and of what no slice holds."""

    site: str
    digest: str
    halls: dy.DataFrame[Halls]
    rows: dy.DataFrame[Rows]
    racks: dy.DataFrame[Racks]
    devices: dy.DataFrame[Devices]
    gpus: dy.DataFrame[Gpus]
    ports: dy.DataFrame[Ports]
    links: dy.DataFrame[Links]
    cables: dy.DataFrame[Cables]
    bundles: dy.DataFrame[Bundles]
    trays: dy.DataFrame[Trays]
    loads: dy.DataFrame[Loads]
    power_nodes: dy.DataFrame[PowerNodes]
    power_edges: dy.DataFrame[PowerEdges]
    power_loads: dy.DataFrame[PowerLoads]
    power_connections: dy.DataFrame[PowerConnections]
    cooling_nodes: dy.DataFrame[CoolingNodes]
    cooling_edges: dy.DataFrame[CoolingEdges]
    cooling_connections: dy.DataFrame[CoolingConnections]
    cooling_pipes: dy.DataFrame[CoolingPipes]
    plants: dy.DataFrame[Plants]
    plant_loads: dy.DataFrame[PlantLoads]
    efficiency: dy.DataFrame[Efficiency]
    addresses: dy.DataFrame[Addresses]
    asns: dy.DataFrame[Asns]
    fabrics: dy.DataFrame[Fabrics]
    subnet_managers: dy.DataFrame[SubnetManagers]
    partitions: dy.DataFrame[Partitions]
    switches: dy.DataFrame[Switches]
    cages: dy.DataFrame[Cages]
    units: dy.DataFrame[Units]
    waves: dy.DataFrame[Waves]
    pools: dy.DataFrame[Pools]
    bom: dy.DataFrame[Bom]
    slices: dy.DataFrame[Slices]

    def tables(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Name and frame of every table, in the order of the walk."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str):
                yield field.name, value
