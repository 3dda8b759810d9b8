"""What can be known of a product of each kind. A fact that is not known is absent, never guessed.

Units stand in the names: `_w` W, `_kw` kW, `_kg` kg, `_mm` mm, `_m` m, `_gb` GB, `_gbs` GB/s, `gbps` Gb/s.
`power_w_max` is the provisioning number, `power_w_typical` what was measured or is typical under training.
Values are read strictly: 8 is a number, '8' is not, and neither is true.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Kind = Literal[
    "gpu",
    "cpu",
    "node",
    "rack",
    "nvswitch",
    "shelf",
    "switch",
    "cdu",
    "rear_door",
    "coolant",
    "storage",
    "service",
    "source",
    "optic",
    "copper",
    "cordage",
]

Watts = Annotated[float, Field(gt=0, le=1_000_000)]
Kilograms = Annotated[float, Field(gt=0, le=20_000)]
Kilopascals = Annotated[float, Field(gt=0, le=10_000)]
Metres = Annotated[float, Field(gt=0, le=10_000)]
Gigabytes = Annotated[float, Field(gt=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Units = Annotated[int, Field(ge=1, le=60)]
Gbps = Annotated[int, Field(ge=1, le=3200)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Rate = Annotated[str, Field(pattern=r"^[1-8]x[0-9]{1,4}G$")]
LinkLayer = Literal["ethernet", "infiniband"]
PortSpeeds = dict[Gbps, Annotated[int, Field(ge=1, le=100_000)]]
Bytes = Annotated[int, Field(gt=0, le=10**12)]
Headroom = dict[Gbps, dict[Annotated[int, Field(ge=0, le=10_000)], Bytes]]
LENIENT = Field(strict=False)
"""For tuples: YAML knows lists only. What stands in them is read as strictly as the rest."""


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class PsuOption(_Facts):
    """The other number of power supplies that the device is sold with."""

    count: Annotated[int, Field(ge=1, le=64)]
    needed: Annotated[int, Field(ge=1, le=64)] | None = None


class Throttle(_Facts):
    """What a device does by itself once so many of its power supplies are lost: it runs at this share of its clocks."""

    lost: Annotated[int, Field(ge=1, le=64)]
    to: Annotated[float, Field(gt=0, lt=1)]


class Psu(_Facts):
    """The power supplies of a device. `needed` is how many carry the full load."""

    count: Annotated[int, Field(ge=1, le=64)]
    rating_w: Watts | None = None
    needed: Annotated[int, Field(ge=1, le=64)] | None = None
    min_to_boot: Count | None = None
    fault_tolerant: bool | None = None
    options_w: Annotated[tuple[Watts, ...], LENIENT] | None = None
    option: PsuOption | None = None
    throttle: Throttle | None = None

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> Self:
        for name, number in (("needed", self.needed), ("min_to_boot", self.min_to_boot)):
            if number is not None and number > self.count:
                message = f"{name} is {number}, but the count of power supplies is {self.count}"
                raise ValueError(message)
        return self


class Nics(_Facts):
    """Network ports of one purpose; `cage` is the form of the socket on the host side, `model` the card.

    `cages` is given where a socket carries several ports, `cards` where a card does. `out_of_order` says whether the
    card takes packets of a message in any order, as a fabric with adaptive routing delivers them, `link_layers` what
    its ports can speak.
    """

    count: Annotated[int, Field(ge=0, le=256)]
    gbps: Gbps | None = None
    cage: Name | None = None
    cages: Count | None = None
    cards: Count | None = None
    model: Name | None = None
    out_of_order: bool | None = None
    link_layers: Annotated[tuple[LinkLayer, ...], LENIENT, Field(min_length=1)] | None = None


class PcieSlots(_Facts):
    """The PCIe slots of a server: numbers as on the chassis, `cpu1` and `cpu2` the slots of each socket."""

    count: Count
    gen: Annotated[int, Field(ge=1, le=8)] | None = None
    lanes: Annotated[int, Field(ge=1, le=32)] | None = None
    ids: Name | None = None
    cpu1: Name | None = None
    cpu2: Name | None = None
    high_power: Annotated[tuple[Count, ...], LENIENT] | None = None


class Cages(_Facts):
    """The cages of a switch: `gbps` for a whole cage, `module_w_max` what a module in it may draw."""

    count: Annotated[int, Field(ge=1, le=1024)]
    type: Name
    lanes: Count | None = None
    gbps: Gbps | None = None
    module_w_max: Watts | None = None


class ExtraPorts(_Facts):
    count: Count
    type: Name
    gbps: Gbps


class Rj45(_Facts):
    count: Count
    gbps: Gbps


class SonicPorts(_Facts):
    """Cages that SONiC numbers alike, in the order of the face plate: port and lane of the first, and the steps.

    `modes` are the breakout modes of platform.json, by the number of ports that a cage is split into.
    """

    cages: Annotated[int, Field(ge=1, le=1024)]
    first_port: Count
    port_step: Annotated[int, Field(ge=1, le=64)]
    first_lane: Count
    lane_step: Annotated[int, Field(ge=1, le=64)]
    lanes: Annotated[int, Field(ge=1, le=64)]
    modes: dict[Annotated[int, Field(ge=1, le=8)], Name]


class RackUnits(_Facts):
    """Heights in a rack: of all its nodes, of the CDU, and the gap (manifold, blank) above each node.

    `nodes_below` is how many nodes stand below the NVSwitch trays.
    """

    height: Units | None = None
    nodes: Units | None = None
    cdu: Count | None = None
    gap: Count | None = None
    nodes_below: Count | None = None


class Gpu(_Facts):
    """A GPU. `swing_w` is how much its draw falls and rises between the phases of training, `power_floor_max` the share
    of its TDP below which its power smoothing can keep it from falling, `storage_peak_cut` the share of its TDP by
    which energy storage in its power supplies cuts the peaks.
    """

    tdp_w: Watts | None = None
    min_w: Watts | None = None
    swing_w: Watts | None = None
    power_floor_max: Annotated[float, Field(gt=0, le=1)] | None = None
    storage_peak_cut: Annotated[float, Field(gt=0, lt=1)] | None = None
    hbm_gb: Count | None = None
    nvlink_gbs: Count | None = None
    nvlink_links: Count | None = None


class Cpu(_Facts):
    """A CPU."""

    min_w: Watts | None = None
    max_w: Watts | None = None


class Node(_Facts):
    """A server with GPUs. `nics_ns` are its ports of the front end, `nics_storage` those that are for storage alone.

    `memory_gb` is as modules are sold (32 of 64 GB are 2048), `nvme` all NVMe drives that its kernel sees, those it
    boots from among them, `cpus` its sockets, `threads` those of all of them; absent where it is sold in several ways.

    `coolant_kpa` is the pressure drop of its cold plates, hoses and couplings at 1.5 L/min for each kW that goes to
    liquid, `coolant_c_max` the warmest coolant that it takes at full load.
    """

    vendor: Name | None = None
    u_height: Units | None = None
    u_height_liquid: Units | None = None
    depth_mm: Annotated[float, Field(gt=0, le=3000)] | None = None
    weight_kg: Kilograms | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    power_w_intensive: Watts | None = None
    power_w_idle: Watts | None = None
    power_w_min: Watts | None = None
    psu: Psu | None = None
    gpus: Annotated[int, Field(ge=1, le=256)] | None = None
    gpu: Name | None = None
    nics_ew: Nics | None = None
    nics_ns: Nics | None = None
    nics_storage: Nics | None = None
    network_tbps_total: Annotated[float, Field(gt=0, le=1000)] | None = None
    host_mgmt_ports: Count | None = None
    host_mgmt_gbps: Gbps | None = None
    bmc_ports: Count | None = None
    bmc_gbps: Gbps | None = None
    pcie_slots: PcieSlots | None = None
    nvme_bays: Count | None = None
    nvme: Count | None = None
    memory_gb: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    cpus: Annotated[int, Field(ge=1, le=64)] | None = None
    threads: Annotated[int, Field(ge=1, le=65_536)] | None = None
    fans: dict[str, Count] | None = None
    cooling: Literal["air", "dlc"] | None = None
    liquid_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    coolant_kpa: Kilopascals | None = None
    coolant_c_max: Annotated[float, Field(ge=5, le=70)] | None = None
    gpu_numa: dict[str, Count] | None = None


class Rack(_Facts):
    """A rack as it is delivered, with its nodes, what powers and what cools them.

    Where it has power shelves, they feed a busbar, and its nodes have no power supply of their own. Where it has
    NVSwitch trays, all its GPUs are one NVLink domain. `cdus` of a CDU that stands in the rack are those of a rack.
    `weight_kg` counts in what it is delivered with; `frame_kg` is the empty rack, where the rest is weighed by device.
    """

    node: Name | None = None
    cdu: Name | None = None
    cdus: Count | None = None
    rear_door: Name | None = None
    nodes: Annotated[int, Field(ge=1, le=256)] | None = None
    gpus: Count | None = None
    cpus: Count | None = None
    nvswitch: Name | None = None
    nvswitch_trays: Count | None = None
    shelf: Name | None = None
    shelves: Count | None = None
    u: RackUnits | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    weight_kg: Kilograms | None = None
    frame_kg: Kilograms | None = None
    ew_nics: Nics | None = None
    cooling: Literal["air", "dlc", "dlc_rdhx", "dlc_hybrid"] | None = None


class NvSwitch(_Facts):
    """A tray of NVSwitches: it joins the GPUs of a rack to one NVLink domain and draws from the rack's busbar."""

    vendor: Name | None = None
    u_height: Units | None = None
    weight_kg: Kilograms | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    asics: Count | None = None
    mgmt_ports: Count | None = None
    bmc_ports: Count | None = None
    cooling: Literal["air", "dlc"] | None = None
    liquid_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    coolant_kpa: Kilopascals | None = None
    coolant_c_max: Annotated[float, Field(ge=5, le=70)] | None = None


class Shelf(_Facts):
    """A power shelf: power supplies of one input that feed the busbar of a rack."""

    vendor: Name | None = None
    u_height: Units | None = None
    weight_kg: Kilograms | None = None
    psu: Psu | None = None
    mgmt_ports: Count | None = None


class Switch(_Facts):
    """A switch. `max_logical` maps a port speed in Gb/s to the number of ports at that speed.

    `link_layer` is what its ports speak, Ethernet where nothing is said. An InfiniBand switch calls a port by `port`:
    `IB1/{cage}/{part}`, both from 1; each of its `asics` is a switch of the subnet; one that is `managed` can run a
    subnet manager for up to `subnet_nodes` nodes.

    `breakouts` are the ways to split a cage, `no_breakouts` those that its ASIC cannot do.
    `headroom` maps the speed of a port and the metres of its cable to the bytes that one lossless priority needs.
    `sonic_hwsku` maps the speed of its ports to the hardware SKU, one of `sonic_hwskus`.
    """

    vendor: Name | None = None
    u_height: Units | None = None
    link_layer: LinkLayer | None = None
    asic: Name | None = None
    asics: Annotated[int, Field(ge=1, le=64)] | None = None
    cages: Cages | None = None
    system: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=40)] | None = None
    port: Annotated[str, Field(pattern=r"^[A-Za-z0-9/]*\{cage\}[A-Za-z0-9/]*\{part\}$", max_length=40)] | None = None
    extra_ports: Annotated[tuple[ExtraPorts, ...], LENIENT] | None = None
    rj45: Rj45 | None = None
    max_logical: PortSpeeds | None = None
    breakouts: Annotated[tuple[Rate, ...], LENIENT] | None = None
    no_breakouts: Annotated[tuple[Rate, ...], LENIENT] | None = None
    power_w_typical: Watts | None = None
    power_w_max: Watts | None = None
    psu: Psu | None = None
    mgmt_ports: Count | None = None
    buffer_bytes: Bytes | None = None
    headroom: Headroom | None = None
    adaptive_routing: bool | None = None
    weight_kg: Kilograms | None = None
    cooling: Literal["air", "liquid"] | None = None
    managed: bool | None = None
    subnet_nodes: Count | None = None
    sonic_platform: Name | None = None
    sonic_hwskus: Annotated[tuple[Name, ...], LENIENT] | None = None
    sonic_hwsku: dict[Gbps, Name] | None = None
    sonic_ports: Annotated[tuple[SonicPorts, ...], LENIENT] | None = None


class CduPumps(_Facts):
    """The pumps of a CDU side by side. `needed` is how many deliver its flow."""

    count: Annotated[int, Field(ge=1, le=16)]
    needed: Annotated[int, Field(ge=1, le=16)] | None = None

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> Self:
        if self.needed is not None and self.needed > self.count:
            message = f"needed is {self.needed}, but the count of pumps is {self.count}"
            raise ValueError(message)
        return self


class Cdu(_Facts):
    """A coolant distribution unit. In a `rack` it takes rack units; in a `row` it takes positions of its own there.

    `cooling_kw` is what it takes where its coolant leaves `approach_k` above the facility water; `flow_lpm` the most
    that its pumps deliver, against `head_kpa` outside the unit.
    """

    placement: Literal["rack", "row"] | None = None
    vendor: Name | None = None
    u_height: Units | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    cooling_kw: Annotated[float, Field(gt=0, le=10_000)] | None = None
    approach_k: Annotated[float, Field(gt=0, le=30)] | None = None
    flow_lpm: Annotated[float, Field(gt=0, le=100_000)] | None = None
    head_kpa: Kilopascals | None = None
    pumps: CduPumps | None = None
    weight_kg: Kilograms | None = None
    psu: Psu | None = None


class RearDoor(_Facts):
    """A heat exchanger in place of the rear door of a rack: facility water takes heat out of the air that leaves it.

    `fan_w` is what its own fans draw, 0 of a passive one.
    """

    vendor: Name | None = None
    cooling_kw: Annotated[float, Field(gt=0, le=500)] | None = None
    fan_w: Annotated[float, Field(ge=0, le=20_000)] | None = None
    weight_kg: Kilograms | None = None


class CoolantPoint(_Facts):
    """Properties of a coolant at one temperature."""

    c: Annotated[float, Field(ge=-60, le=150)]
    density_kg_m3: Annotated[float, Field(gt=100, le=3_000)]
    heat_j_kgk: Annotated[float, Field(gt=500, le=10_000)]
    viscosity_upas: Annotated[float, Field(gt=10, le=1_000_000)]


def _temperatures_rise(points: tuple[CoolantPoint, ...]) -> tuple[CoolantPoint, ...]:
    for one, other in pairwise(points):
        if one.c >= other.c:
            message = f"temperatures have to rise from point to point, and {other.c:g} follows {one.c:g}"
            raise ValueError(message)
    return points


class Coolant(_Facts):
    """A liquid that carries heat: density, specific heat and dynamic viscosity at `points` of rising temperature."""

    points: (
        Annotated[
            tuple[CoolantPoint, ...], LENIENT, Field(min_length=2, max_length=200), AfterValidator(_temperatures_rise)
        ]
        | None
    ) = None


class StorageNode(_Facts):
    """A storage server. `ports` maps the speed of its data ports in Gb/s to their number, `cage` is their socket;
    `read_gbs` and `write_gbs` are what it sustains.
    """

    vendor: Name | None = None
    u_height: Units | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    psu: Psu | None = None
    weight_kg: Kilograms | None = None
    ports: PortSpeeds | None = None
    cage: Name | None = None
    bmc_ports: Count | None = None
    read_gbs: Gigabytes | None = None
    write_gbs: Gigabytes | None = None


class ServiceNode(_Facts):
    """A server without GPUs that runs the site: control, login, boot, mirror, time."""

    vendor: Name | None = None
    u_height: Units | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    psu: Psu | None = None


class Source(_Facts):
    """A generator or a battery."""

    power_mw: Annotated[float, Field(gt=0, le=10_000)] | None = None
    energy_mwh: Annotated[float, Field(gt=0, le=100_000)] | None = None


class Optic(_Facts):
    """A transceiver. `rate` is links x Gb/s a link, as sold: 2x400G. Only equal `standard`s speak with each other."""

    form: Name | None = None
    rate: Rate | None = None
    medium: Literal["SM", "MM"] | None = None
    standard: Literal["SR", "DR", "FR1", "FR4", "LR4"] | None = None
    connector: Name | None = None
    max_m: Metres | None = None
    om3_m: Metres | None = None
    use: Name | None = None
    power_w: Watts | None = None


class Copper(_Facts):
    """A copper cable with its ends: one of form `a_form` and rate `a_rate`, `b_count` of form `b_form`."""

    type: Literal["DAC", "ACC"] | None = None
    a_form: Name | None = None
    b_form: Name | None = None
    a_rate: Rate | None = None
    b_count: Count | None = None
    max_m: Metres | None = None
    flat_head_max_m: Metres | None = None
    lengths_m: Annotated[tuple[Metres, ...], LENIENT] | None = None
    diameter_mm: Annotated[float, Field(gt=0, le=100)] | None = None
    use: Name | None = None
    fabric: Name | None = None
    power_w: Watts | None = None


class Cordage(_Facts):
    """What jumpers and patch cords are made of: its medium, how far it reaches, the lengths that are sold."""

    medium: Literal["MM", "SM", "TP"] | None = None
    grade: Name | None = None
    max_m: Metres | None = None
    lengths_m: Annotated[tuple[Metres, ...], LENIENT, Field(min_length=1)] | None = None
    diameter_mm: Annotated[float, Field(gt=0, le=100)] | None = None


Product = (
    Gpu
    | Cpu
    | Node
    | Rack
    | NvSwitch
    | Shelf
    | Switch
    | Cdu
    | RearDoor
    | Coolant
    | StorageNode
    | ServiceNode
    | Source
    | Optic
    | Copper
    | Cordage
)

KINDS: dict[Kind, type[Product]] = {
    "gpu": Gpu,
    "cpu": Cpu,
    "node": Node,
    "rack": Rack,
    "nvswitch": NvSwitch,
    "shelf": Shelf,
    "switch": Switch,
    "cdu": Cdu,
    "rear_door": RearDoor,
    "coolant": Coolant,
    "storage": StorageNode,
    "service": ServiceNode,
    "source": Source,
    "optic": Optic,
    "copper": Copper,
    "cordage": Cordage,
}

REFERENCES: dict[Kind, dict[str, Kind]] = {
    "node": {"gpu": "gpu"},
    "rack": {"node": "node", "cdu": "cdu", "rear_door": "rear_door", "nvswitch": "nvswitch", "shelf": "shelf"},
}
"""Facts that are the name of another product: kind -> fact -> kind of what it names."""
