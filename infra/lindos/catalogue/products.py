"""What can be known of a product of each kind. A fact that is not known is absent, never guessed.

Units stand in the names: `_w` W, `_kw` kW, `_kg` kg, `_mm` mm, `_m` m, `_gb` GB, `_gbs` GB/s, `gbps` Gb/s.
`power_w_max` is the provisioning number, `power_w_typical` what was measured or is typical under training.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Watts = Annotated[float, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Units = Annotated[int, Field(ge=1, le=60)]
Gbps = Annotated[int, Field(ge=1, le=3200)]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Psu(_Facts):
    """The power supplies of a device. `needed` is how many carry the full load."""

    count: Annotated[int, Field(ge=1, le=64)]
    rating_w: Watts | None = None
    needed: Annotated[int, Field(ge=1, le=64)] | None = None
    min_to_boot: Count | None = None
    fault_tolerant: bool | None = None
    options_w: tuple[int, ...] | None = None


class Nics(_Facts):
    """Network ports of one purpose; `cage` is the form of the socket on the host side."""

    count: Annotated[int, Field(ge=0, le=64)]
    gbps: Gbps | None = None
    cage: Name | None = None


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


class RackUnits(_Facts):
    """Heights in a rack: of the CDU, and the gap (manifold, blank) above each node."""

    height: Units | None = None
    cdu: Count | None = None
    gap: Count | None = None


class PowerShelves(_Facts):
    count: Count
    psus_each: Count
    psu_w: Watts
    shelf_w: Watts


class Gpu(_Facts):
    """A GPU."""

    tdp_w: Watts | None = None
    min_w: Watts | None = None
    hbm_gb: Count | None = None
    nvlink_gbs: Count | None = None
    nvlink_links: Count | None = None


class Cpu(_Facts):
    """A CPU."""

    min_w: Watts | None = None
    max_w: Watts | None = None


class Node(_Facts):
    """A server with GPUs."""

    vendor: Name | None = None
    u_height: Units | None = None
    u_height_liquid: Units | None = None
    depth_mm: float | None = None
    weight_kg: float | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    power_w_intensive: Watts | None = None
    power_w_idle: Watts | None = None
    psu: Psu | None = None
    gpus: Annotated[int, Field(ge=1, le=256)] | None = None
    gpu: Name | None = None
    nics_ew: Nics | None = None
    nics_ns: Nics | None = None
    host_mgmt_ports: Count | None = None
    bmc_ports: Count | None = None
    nvme_bays: Count | None = None
    cooling: Literal["air", "dlc"] | None = None
    liquid_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    gpu_numa: dict[str, int] | None = None
    network_tbps_total: float | None = None


class Rack(_Facts):
    """A rack as it is delivered, with its nodes and what cools them."""

    node: Name | None = None
    cdu: Name | None = None
    cdus: Count | None = None
    nodes: Annotated[int, Field(ge=1, le=256)] | None = None
    gpus: Count | None = None
    cpus: Count | None = None
    compute_trays: Count | None = None
    nvswitch_trays: Count | None = None
    u: RackUnits | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    power_shelves: PowerShelves | None = None
    weight_kg: float | None = None
    tray_power_w_min: Watts | None = None
    tray_power_w_max: Watts | None = None
    ew_nics: Nics | None = None
    cooling: Literal["air", "dlc", "dlc_rdhx", "dlc_hybrid"] | None = None


class Switch(_Facts):
    """A switch. `max_logical` maps a port speed in Gb/s to the number of ports at that speed."""

    vendor: Name | None = None
    u_height: Units | None = None
    asic: Name | None = None
    cages: Cages | None = None
    extra_ports: tuple[ExtraPorts, ...] | None = None
    rj45: Rj45 | None = None
    max_logical: dict[int, int] | None = None
    power_w_typical: Watts | None = None
    power_w_max: Watts | None = None
    psu: Psu | None = None
    mgmt_ports: Count | None = None
    buffer_bytes: int | None = None
    weight_kg: float | None = None
    cooling: Literal["air", "liquid"] | None = None
    managed: bool | None = None
    sonic_platform: Name | None = None
    sonic_hwskus: tuple[str, ...] | None = None


class Cdu(_Facts):
    """A coolant distribution unit."""

    vendor: Name | None = None
    u_height: Units | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    cooling_kw: float | None = None
    weight_kg: float | None = None
    psu: Psu | None = None


class StorageNode(_Facts):
    """A storage server."""

    u_height: Units | None = None
    power_w_max: Watts | None = None
    weight_kg: float | None = None
    ports: dict[int, int] | None = None
    read_gbs: float | None = None
    write_gbs: float | None = None


class ServiceNode(_Facts):
    """A server without GPUs that runs the site: control, login, boot, mirror, time."""

    vendor: Name | None = None
    u_height: Units | None = None
    power_w_max: Watts | None = None
    power_w_typical: Watts | None = None
    psu: Psu | None = None


class Source(_Facts):
    """A generator or a battery."""

    power_mw: float | None = None
    energy_mwh: float | None = None


class Optic(_Facts):
    """A transceiver. `rate` is links x Gb/s a link, as sold: 2x400G. Only equal `standard`s speak with each other."""

    form: Name | None = None
    rate: Annotated[str, Field(pattern=r"^[1-8]x[0-9]+G$")] | None = None
    medium: Literal["SM", "MM"] | None = None
    standard: Literal["SR", "DR", "FR4", "LR4"] | None = None
    connector: Name | None = None
    max_m: float | None = None
    om3_m: float | None = None
    use: Name | None = None
    power_w: Watts | None = None


class Copper(_Facts):
    """A copper cable with its ends; `ends` as the vendor writes them, A-B or A-nxB for a splitter."""

    type: Literal["DAC", "ACC"] | None = None
    a_form: Name | None = None
    b_form: Name | None = None
    a_rate: Annotated[str, Field(pattern=r"^[1-8]x[0-9]+G$")] | None = None
    b_count: Count | None = None
    max_m: float | None = None
    flat_head_max_m: float | None = None
    lengths_m: tuple[float, ...] | None = None
    use: Name | None = None
    fabric: Name | None = None
    power_w: Watts | None = None


Product = Gpu | Cpu | Node | Rack | Switch | Cdu | StorageNode | ServiceNode | Source | Optic | Copper

KINDS: dict[str, type[Product]] = {
    "gpu": Gpu,
    "cpu": Cpu,
    "node": Node,
    "rack": Rack,
    "switch": Switch,
    "cdu": Cdu,
    "storage": StorageNode,
    "service": ServiceNode,
    "source": Source,
    "optic": Optic,
    "copper": Copper,
}
