"""The site file, format 1: what there is and what is wanted, never what can be computed.

Units stand in the keys. Everything is frozen; nothing here looks at two objects at once (that is a check) or opens
a file. Values are read strictly: 8 is a number, '8' is text, 8.0 is no whole number, true is neither.
The JSON schema beside the site files is generated from here, and an editor shows the descriptions.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, WithJsonSchema
from pydantic_core import PydanticCustomError

from lindos.catalogue.products import LENIENT, Kind
from lindos.spec.cooling import Cooling
from lindos.spec.power import Power
from lindos.spec.schedule import Planning, Schedule
from lindos.spec.section import Name, ProductName, Section

if TYPE_CHECKING:
    from lindos.errors import Place

FORMAT = 1
PKEY = re.compile("^0x[0-7][0-9a-f]{3}$")


def _no_fabric(name: str) -> str:
    """A name of an island; those of the site's other parts would give two things one name."""
    if name in {"rdma", "frontend", "storage", "oob", "shared", "services", "net", "fe", "st"}:
        raise PydanticCustomError("taken", "this name is that of another part of every site; take another")
    return name


def _a_key(pkey: str) -> str:
    """A P_Key of a site's own; 0 is none, and that of the default partition has its name already."""
    if not PKEY.fullmatch(pkey) or int(pkey, 16) in (0, 0x7FFF):
        raise PydanticCustomError("pkey", "expected a P_Key of the site's own, '0x0001' to '0x7ffe'")
    return pkey


NewProductName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]
Gpus = Annotated[int, Field(ge=1, le=10_000_000)]
Gbps = Annotated[int, Field(ge=1, le=3_200, description="Gb/s of one port.")]
Oversubscription = Annotated[
    float, Field(ge=0.25, le=64, description="Down capacity of a leaf by its up capacity; 1 does not block.")
]
RailsPerLeaf = Annotated[
    Annotated[int, Field(ge=1, le=8)] | None,
    BeforeValidator(lambda value: None if value == "auto" else value),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 8}, {"const": "auto"}], "default": "auto"}),
]
"""None for auto."""
Nos = Literal["sonic", "cumulus", "frr"]


class Unit(Section):
    """The smallest set of nodes with complete rails that can train, in racks."""

    racks: Annotated[int, Field(ge=1, le=256, description="Racks of one unit.")]
    network_racks: Annotated[
        int | None,
        Field(ge=1, le=64, description="Racks amid the unit for its switches; left out, as few as hold them."),
    ] = None
    cdus: Annotated[
        int | None,
        Field(ge=1, le=64, description="CDUs in the row of a unit; left out, what its heat takes and one spare."),
    ] = None


class Fleet(Section):
    """Nodes of one kind that were bought together. Fleets stand in order of arrival; a site grows by appending."""

    name: Annotated[Name, Field(description="A name of your own for these nodes.")]
    node: Annotated[ProductName, Field(description="Product name of the node.")]
    rack: Annotated[ProductName, Field(description="Product name of the rack that the nodes arrive in.")]
    gpus: Annotated[Gpus, Field(description="GPUs bought; a whole number of nodes.")]
    unit: Annotated[Unit, Field(description="The smallest set of racks that can train: {racks: 8}.")]
    rails: Annotated[int, Field(ge=1, le=8, description="Rails of a node: its east-west NICs.")] = 8
    grows_to: Annotated[
        Gpus | None,
        Field(description="Where the site outgrows what was declared: GPUs that there is room for from here on."),
    ] = None
    memory_gb: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="Memory of a node as bought; left out, its product's."),
    ] = None
    nvme: Annotated[
        int | None,
        Field(
            ge=0, le=256, description="NVMe drives of a node, those it boots from among them; left out, its product's."
        ),
    ] = None
    cpus: Annotated[int | None, Field(ge=1, le=64, description="CPU sockets of a node; left out, its product's.")] = (
        None
    )
    threads: Annotated[
        int | None,
        Field(ge=1, le=65_536, description="CPU threads of a node as its kernel counts them; left out, its product's."),
    ] = None
    hugepages: Annotated[
        dict[Literal["2M", "1G"], Annotated[int, Field(ge=0, le=16_777_216)]],
        Field(
            default_factory=dict, description="Huge pages that a node sets aside at boot, by size: {2M: 512, 1G: 64}."
        ),
    ]
    building: Annotated[Name | None, Field(description="The building where it stands, where the site has several.")] = (
        None
    )
    island: Annotated[
        Name | None, Field(description="Name of the island it trains on; left out, the fabric `rdma`.")
    ] = None

    @property
    def fabric(self) -> str:
        """The training fabric that it is on, by its name in a plan."""
        return f"rdma-{self.island}" if self.island else "rdma"


class Services(Section):
    """Servers without GPUs that run the site."""

    product: Annotated[ProductName, Field(description="Product name of the server.")]
    control: Annotated[int, Field(ge=1, le=16, description="Control hosts.")] = 1


Servers = Annotated[int, Field(ge=1, le=100_000)]


class StoragePool(Section):
    """Storage servers of one kind that were bought together. Pools stand in order of arrival."""

    name: Annotated[Name, Field(description="A name of your own for these servers.")]
    product: Annotated[ProductName, Field(description="Product name of the server.")]
    count: Annotated[Servers, Field(description="Servers bought.")]
    per_rack: Annotated[
        int | None, Field(ge=1, le=60, description="Servers of a rack; left out, as many as height and power allow.")
    ] = None
    hall: Annotated[Name | None, Field(description="The hall where they stand; left out, the main hall.")] = None


class Storage(Section):
    """The storage servers: on the fabric `storage` where the site has one, else on the front end."""

    pools: Annotated[
        tuple[StoragePool, ...],
        LENIENT,
        Field(min_length=1, max_length=64, description="The servers, in order of arrival."),
    ]
    grows_to: Annotated[Servers | None, Field(description="Servers that fabric and floor keep room for.")] = None


class Compute(Section):
    """What the site computes with, where its data are, and the servers that run it."""

    fleets: Annotated[
        tuple[Fleet, ...],
        LENIENT,
        Field(min_length=1, max_length=64, description="The nodes, in order of arrival."),
    ]
    storage: Annotated[Storage | None, Field(description="The storage servers: {pools: [...]}.")] = None
    services: Annotated[Services | None, Field(description="Servers without GPUs that run the site.")] = None


class Building(Section):
    """A building and where its corner stands on the site; cables between buildings run along x and y."""

    name: Annotated[Name, Field(description="A name of your own for this building.")]
    x_m: Annotated[float, Field(ge=0, le=100_000, description="Metres along x to its corner.")]
    y_m: Annotated[float, Field(ge=0, le=100_000, description="Metres along y to its corner.")]


class Trays(Section):
    """The cable trays of a hall: one over each row, and some across the rows, each on so many levels."""

    width_m: Annotated[float, Field(ge=0.05, le=2, description="Inner width of a tray, in metres.")] = 0.6
    depth_m: Annotated[float, Field(ge=0.02, le=1, description="Height to which a tray is filled, in metres.")] = 0.1
    levels: Annotated[
        int | None, Field(ge=1, le=8, description="Trays above each other; without it, as many as the cables need.")
    ] = None
    across: Annotated[int, Field(ge=1, le=100, description="Trays across the rows, spread evenly over the row.")] = 3
    fill: Annotated[
        float, Field(gt=0, le=0.5, description="Share of the cross-section that cables may take; 0.5 is full.")
    ] = 0.4


class Hall(Section):
    """A data hall and its grid of rack positions. Rows run along x; halls of a building stand side by side along x."""

    name: Annotated[Name, Field(description="A name of your own for this hall.")]
    building: Annotated[Name | None, Field(description="The building that it is in, where the site has several.")] = (
        None
    )
    rows: Annotated[int, Field(ge=1, le=1_000, description="Rows of racks.")]
    racks_per_row: Annotated[int, Field(ge=1, le=1_000, description="Rack positions of a row.")]
    rack_pitch_m: Annotated[float, Field(gt=0.3, le=3, description="Metres from one rack to the next in a row.")] = 0.75
    row_pitch_m: Annotated[float, Field(gt=1, le=20, description="Metres from one row to the next.")] = 3.0
    tray_height_m: Annotated[
        float, Field(gt=1, le=20, description="Height of the cable trays over the floor, in metres.")
    ] = 3.0
    rack_height_u: Annotated[int, Field(ge=10, le=60, description="Height of the racks, in rack units.")] = 48
    gap_m: Annotated[float, Field(ge=0, le=2_000, description="Metres to the next hall.")] = 4.0
    mda: Annotated[
        bool, Field(description="The main distribution area is in this hall: cores and shared switches stand amid it.")
    ] = False
    trays: Annotated[Trays, Field(description="The cable trays: {width_m: 0.6, depth_m: 0.1, ...}.")] = Trays()
    rack_kw: Annotated[
        float | None,
        Field(
            gt=0,
            le=2_000,
            description="kW that a position is built for; else what its PDUs carry.",
        ),
    ] = None
    rack_kg: Annotated[
        int | None, Field(ge=1, le=20_000, description="Kilograms that the floor carries on a position.")
    ] = None
    floor_kg_m2: Annotated[
        int | None, Field(ge=1, le=20_000, description="Kilograms that the floor carries on a square metre.")
    ] = None


class Placement(Section):
    """An exception: this rack stands there. Rows and positions count from 1."""

    rack: Annotated[str, Field(min_length=1, max_length=80, description="Name of the rack in the plan.")]
    hall: Annotated[Name, Field(description="Name of the hall where it stands.")]
    row: Annotated[int, Field(ge=1, le=1_000, description="Row of the hall, from 1.")]
    position: Annotated[int, Field(ge=1, le=1_000, description="Position in the row, from 1.")]


class Roce(Section):
    """The lossless class of a fabric: hosts and switches are told the same. All else has priority 0, the system 7."""

    priority: Annotated[int, Field(ge=1, le=6, description="The one priority that PFC may pause.")] = 3
    dscp: Annotated[int, Field(ge=0, le=63, description="DSCP of RDMA data.")] = 26
    cnp_priority: Annotated[int, Field(ge=1, le=6, description="Priority of congestion notifications.")] = 6
    cnp_dscp: Annotated[int, Field(ge=0, le=63, description="DSCP of congestion notifications.")] = 48


class Partition(Section):
    """A partition of an InfiniBand subnet: all its ports are full members."""

    name: Annotated[Name, Field(description="A name of your own for this partition.")]
    pkey: Annotated[
        str,
        Field(
            description="Its P_Key, without the bit of full membership: '0x2001'.",
            json_schema_extra={"pattern": PKEY.pattern},
        ),
        AfterValidator(_a_key),
    ]


class Infiniband(Section):
    """How the subnets of an InfiniBand fabric are managed: each plane is one.

    Routing: `ar_updn` is up/down over the whole tree with adaptive routing, what NVIDIA's subnet manager takes by
    default; `ar_ftree` and `ftree` want a tree without a hole; `updn` and `ftree` are known to every OpenSM.
    """

    subnet_manager: Annotated[
        Literal["switch", "host"],
        Field(description="Where it runs: on managed switches of the fabric, or on hosts with UFM or OpenSM."),
    ] = "switch"
    hosts: Annotated[
        tuple[Name, ...],
        LENIENT,
        Field(
            max_length=8, description="Names of the hosts that run it, the master first; each takes a port of a leaf."
        ),
    ] = ()
    routing: Annotated[
        Literal["ar_updn", "ar_ftree", "updn", "ftree"], Field(description="The routing engine of the subnet manager.")
    ] = "ar_updn"
    sharp: Annotated[bool, Field(description="Whether switches reduce collectives (SHARP).")] = False
    partitions: Annotated[
        tuple[Partition, ...],
        LENIENT,
        Field(max_length=64, description="Partitions beside the default one: {name: ..., pkey: '0x2001'}."),
    ] = ()


class _Fabric(Section):
    """What every fabric may say."""

    nos: Annotated[
        Nos | None,
        Field(description="Operating system of its switches; by default SONiC where the product's ports are known."),
    ] = None
    bgp: Annotated[
        Literal["numbered", "unnumbered"],
        Field(description="Links between its switches: a /31 each, or no address at all (RFC 8950, IPv6 link-local)."),
    ] = "numbered"


class RdmaFabric(_Fabric):
    """The rail-optimised training fabric. `oversubscription` is down capacity by up capacity of a leaf."""

    switch: Annotated[ProductName, Field(description="Product name of its switches.")]
    port_gbps: Gbps
    oversubscription: Oversubscription = 1
    spine_oversubscription: Annotated[
        float, Field(ge=0.25, le=64, description="Down capacity of a spine by its up capacity, where there are cores.")
    ] = 1
    tiers: Annotated[
        int | None, Field(ge=1, le=3, description="Tiers of switches; left out, the fewest that reach.")
    ] = None
    planes: Annotated[
        Literal[1, 2, 4],
        Field(description="Copies of the fabric; each NIC is split over them: 800 Gb/s over 2 is 2 x 400."),
    ] = 1
    grows_to: Annotated[Gpus | None, Field(description="GPUs that this fabric keeps room for.")] = None
    rails_per_leaf: Annotated[
        RailsPerLeaf,
        Field(description="Rails that share a leaf; auto (the default): as many as it has room for."),
    ] = None
    roce: Annotated[
        Roce | None, Field(description="The lossless class where it is Ethernet: {priority: 3, dscp: 26, ...}.")
    ] = None
    infiniband: Annotated[
        Infiniband | None, Field(description="Its subnet manager where it is InfiniBand: {routing: ar_updn, ...}.")
    ] = None


class Island(RdmaFabric):
    """A further training fabric of the site, with a switch, a speed and a growth of its own; nothing joins it to
    the others but front end and management.
    """

    name: Annotated[
        Name,
        AfterValidator(_no_fabric),
        Field(max_length=16, description="A name of your own for this island; its switches' names carry it."),
    ]


class FrontendFabric(_Fabric):
    """The network that users, storage and the internet come in by."""

    switch: Annotated[ProductName, Field(description="Product name of its switches.")]
    port_gbps: Gbps
    oversubscription: Oversubscription = 4


class StorageFabric(FrontendFabric):
    """A network for storage alone: storage servers, and nodes by NICs that they have for it."""


class OobFabric(_Fabric):
    """The management network: one access switch for so many racks, an aggregation layer where there are several."""

    switch: Annotated[ProductName, Field(description="Product name of the access switches.")]
    racks_per_switch: Annotated[int, Field(ge=1, le=48, description="Racks that share an access switch.")] = 1
    aggregation: Annotated[
        ProductName | None, Field(description="Product name of the switches that join the access switches.")
    ] = None
    core: Annotated[
        ProductName | None,
        Field(description="Product name of the switches of the top tier, where they are not those of `aggregation`."),
    ] = None
    uplinks: Annotated[int, Field(ge=1, le=4, description="Uplinks of an access switch.")] = 2


Rate = Annotated[float, Field(ge=0, le=1)]


class Spares(Section):
    """Spares beside what stands in the design, as a share of it, rounded up for every line of the bill of materials.

    Optics: 0.5 to 1 % are dead on arrival, and 0.057 % of links fail in a month (Alibaba HPN, SIGCOMM 2024), which is
    0.7 % in the year that a new batch may take. Cables: as many, and each length needs one at hand. Switches and rack
    PDUs: 0.051 % of switches fail in a month. Nodes, racks and CDUs are repaired by their vendor.
    """

    rack: Annotated[Rate, Field(description="Spare racks.")] = 0.0
    node: Annotated[Rate, Field(description="Spare nodes.")] = 0.0
    nvswitch: Annotated[Rate, Field(description="Spare NVSwitch trays.")] = 0.0
    shelf: Annotated[Rate, Field(description="Spare power shelves.")] = 0.0
    cdu: Annotated[Rate, Field(description="Spare coolant distribution units.")] = 0.0
    service: Annotated[Rate, Field(description="Spare service nodes.")] = 0.0
    storage: Annotated[Rate, Field(description="Spare storage servers.")] = 0.0
    switch: Annotated[Rate, Field(description="Spare switches.")] = 0.01
    rack_pdu: Annotated[Rate, Field(description="Spare rack PDUs.")] = 0.01
    power_cord: Annotated[Rate, Field(description="Spare power cords.")] = 0.02
    optic: Annotated[Rate, Field(description="Spare optics, of each kind.")] = 0.02
    breakout: Annotated[Rate, Field(description="Spare breakout modules.")] = 0.02
    cable: Annotated[Rate, Field(description="Spare cables, of each kind and length.")] = 0.02


def _prefix6(value: str) -> str:
    """A unique local /48 -> its first 48 bits as they stand in an address: fd12:3456:789a."""
    try:
        net = IPv6Network(value)
    except ValueError:
        net = IPv6Network("::/0")
    groups = net.network_address.exploded.split(":")[:3]
    if net.prefixlen != 48 or not groups[0].startswith("fd") or "0000" in groups:
        raise PydanticCustomError(
            "prefix6", "expected a unique local /48 with random bits (RFC 4193), such as fd12:3456:789a::/48"
        )
    return ":".join(f"{int(g, 16):x}" for g in groups)


class Addressing(Section):
    """Which families of addresses the site has. IPv6 has the same bit fields as IPv4, in one unique local /48."""

    family: Annotated[Literal["ipv4", "dual"], Field(description="ipv4, or dual: IPv6 beside it everywhere.")] = "ipv4"
    prefix6: Annotated[
        str | None,
        AfterValidator(lambda value: None if value is None else _prefix6(value)),
        Field(description="Unique local /48 of the site; left out, fd and 40 bits of a hash of the site's name."),
    ] = None


class Fabrics(Section):
    """The networks of the site."""

    rdma: Annotated[RdmaFabric, Field(description="The training fabric: {switch: ..., port_gbps: ...}.")]
    islands: Annotated[
        tuple[Island, ...],
        LENIENT,
        Field(max_length=7, description="Further training fabrics, in order; `island:` of a fleet names one."),
    ] = ()
    frontend: Annotated[FrontendFabric, Field(description="The front-end network: {switch: ..., port_gbps: ...}.")]
    storage: Annotated[
        StorageFabric | None,
        Field(description="A network for storage alone; without it storage hangs on the front end."),
    ] = None
    oob: Annotated[OobFabric, Field(description="The management network: {switch: ...}.")]

    @property
    def training(self) -> dict[str, RdmaFabric]:
        """The training fabrics by the name that they have in a plan: `rdma`, and `rdma-NAME` for each island."""
        return {"rdma": self.rdma} | {f"rdma-{i.name}": i for i in self.islands}

    @property
    def named(self) -> dict[str, _Fabric]:
        """Every fabric by the name that it has in a plan."""
        return {**self.training, **self.north_south, "oob": self.oob}

    @property
    def north_south(self) -> dict[str, FrontendFabric]:
        """The networks of servers and of nodes beside training, by the name that they have in a plan."""
        return {"frontend": self.frontend} | ({"storage": self.storage} if self.storage else {})


class Assumption(Section):
    """Facts of a product that nobody published, or a product of this site alone, with the reason for each."""

    product: Annotated[NewProductName, Field(description="Name of a product of the catalogue, or of one of your own.")]
    kind: Annotated[Kind | None, Field(description="Kind of product; needed where the catalogue does not know it.")] = (
        None
    )
    facts: Annotated[dict[str, Any], Field(min_length=1, description="The facts, under the names that its kind has.")]
    reason: Annotated[str, Field(min_length=10, description="Why these values: for whoever reads them next.")]


class Places:
    """Where the site file speaks of each product. Equal to any other: two specs do not differ by where they stood."""

    def __init__(self, places: dict[str, Place] | None = None) -> None:
        self._places = places or {}

    def of(self, product: str) -> Place | None:
        return self._places.get(product)

    def products(self) -> list[str]:
        return list(self._places)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Places)

    def __hash__(self) -> int:
        return 0


class Spec(Section):
    """One site. `grows_to` is what fabric, floor and addresses keep room for (default: today's GPUs).

    With islands it is the room of what all share (front end, management), and of `rdma` where that states none.
    """

    lindos: Annotated[int, Field(ge=FORMAT, le=FORMAT, description="Version of the format of this file: 1.")]
    site: Annotated[Name, Field(description="Name of the site; every device's name begins with it.")]
    grows_to: Annotated[Gpus | None, Field(description="GPUs that fabric, floor and addresses keep room for.")] = None
    compute: Annotated[Compute, Field(description="The nodes: {fleets: [...]}.")]
    software: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Annotated[str, Field(min_length=1)]],
        Field(default_factory=dict, description="Versions that the nodes shall run, by the name of the software."),
    ]
    buildings: Annotated[
        tuple[Building, ...],
        LENIENT,
        Field(max_length=64, description="The buildings of a site that has several: {name: ..., x_m: ..., y_m: ...}."),
    ] = ()
    halls: Annotated[
        tuple[Hall, ...], LENIENT, Field(min_length=1, max_length=256, description="The data halls, in order.")
    ]
    placement: Annotated[
        tuple[Placement, ...], LENIENT, Field(description="Exceptions: racks that stand elsewhere.")
    ] = ()
    power: Annotated[Power, Field(description="Sources, feeds and the power train: {sources: [...]}.")]
    cooling: Annotated[
        Cooling, Field(description="How heat leaves the site: {plant: {kind: tower}, ...}; left out, common values.")
    ] = Cooling()
    planning: Annotated[Planning | None, Field(description="The top-down estimate: {kw_per_gpu: 1.40, pue: 1.2}.")] = (
        None
    )
    schedule: Annotated[Schedule, Field(description="How the site is energised: {basis: tree, ...}.")] = Schedule()
    fabrics: Annotated[Fabrics, Field(description="The networks: {rdma: ..., frontend: ..., oob: ...}.")]
    addresses: Annotated[Addressing, Field(description="Families of addresses: {family: dual}.")] = Addressing()
    spares: Annotated[Spares, Field(description="Spares as a share of what is built: {optic: 0.02, ...}.")] = Spares()
    assumptions: Annotated[
        tuple[Assumption, ...],
        LENIENT,
        Field(max_length=512, description="Product facts that nobody published, each with its reason."),
    ] = ()

    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def gpus(self) -> int:
        return sum(f.gpus for f in self.compute.fleets)

    @property
    def places(self) -> Places:
        """Where the site file speaks of each product; empty where the spec was not read from a file."""
        return self._places
