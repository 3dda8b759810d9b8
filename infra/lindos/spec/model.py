"""The site file, format 1: what there is and what is wanted, never what can be computed.

Units stand in the keys. Everything is frozen; nothing here looks at two objects at once (that is a check) or opens
a file.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
Name = Annotated[str, Field(pattern=NAME, max_length=24)]
ProductName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Gpus = Annotated[int, Field(ge=1, le=10_000_000)]
Metres = Annotated[float, Field(gt=0, le=2_000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Unit(_Section):
    """The smallest set of nodes with complete rails that can train, in racks."""

    racks: Annotated[int, Field(ge=1, le=256)]


class Fleet(_Section):
    """Nodes of one kind that were bought together. Fleets stand in order of arrival; a site grows by appending."""

    name: Name
    node: ProductName
    rack: ProductName
    gpus: Gpus
    unit: Unit
    rails: Annotated[int, Field(ge=1, le=8)] = 8


class Services(_Section):
    """Servers without GPUs that run the site."""

    product: ProductName
    control: Annotated[int, Field(ge=1, le=16)] = 1


class Compute(_Section):
    fleets: Annotated[tuple[Fleet, ...], Field(min_length=1, max_length=64)]
    services: Services | None = None


class Hall(_Section):
    """A data hall and its grid of rack positions; rows run along x, halls stand side by side along y."""

    name: Name
    rows: Annotated[int, Field(ge=1, le=1_000)]
    racks_per_row: Annotated[int, Field(ge=1, le=1_000)]
    rack_pitch_m: Annotated[float, Field(gt=0.3, le=3)] = 0.75
    row_pitch_m: Annotated[float, Field(gt=1, le=20)] = 3.0
    tray_height_m: Annotated[float, Field(gt=1, le=20)] = 3.0
    rack_height_u: Annotated[int, Field(ge=10, le=60)] = 48
    gap_m: Annotated[float, Field(ge=0, le=2_000)] = 4.0


class Placement(_Section):
    """An exception: this rack stands there. Rows and positions count from 1."""

    rack: Annotated[str, Field(min_length=1, max_length=80)]
    hall: Name
    row: Annotated[int, Field(ge=1, le=1_000)]
    position: Annotated[int, Field(ge=1, le=1_000)]


class PowerSource(_Section):
    """Where power comes from, from which day on. `count` machines of `mw` each, `spare` of them held back."""

    name: Name
    kind: Literal["utility", "generator"]
    mw: Annotated[float, Field(gt=0, le=10_000)]
    count: Annotated[int, Field(ge=1, le=1_000)] = 1
    spare: Annotated[int, Field(ge=0, le=1_000)] = 0
    start: Annotated[date | None, Field(alias="from")] = None


class RackPdu(_Section):
    """Three-phase rack PDUs: line-to-line volts, breaker amps, how many a rack has on each feed."""

    volts: Annotated[int, Field(ge=100, le=1_000)] = 415
    amps: Annotated[int, Field(ge=10, le=250)] = 60
    per_feed: Annotated[int, Field(ge=1, le=8)] = 2


class Busway(_Section):
    volts: Annotated[int, Field(ge=100, le=1_000)] = 415
    amps: Annotated[int, Field(ge=50, le=6_300)] = 1_600


class Chain(_Section):
    """The power train from the site's substation to the rack PDUs: sizes of the repeated parts."""

    transformer_kva: Annotated[int, Field(ge=10, le=100_000)] = 3_000
    power_factor: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    busway: Busway = Busway()
    rack_pdu: RackPdu = RackPdu()


class Power(_Section):
    sources: Annotated[tuple[PowerSource, ...], Field(min_length=1, max_length=64)]
    feeds: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4)] = ("a", "b")
    chain: Chain = Chain()


class RdmaFabric(_Section):
    """The rail-optimised training fabric. `oversubscription` is down capacity by up capacity of a leaf."""

    switch: ProductName
    port_gbps: Annotated[int, Field(ge=1, le=3_200)]
    oversubscription: Annotated[float, Field(ge=0.25, le=64)] = 1
    rails_per_leaf: Annotated[int, Field(ge=1, le=8)] = 1


class FrontendFabric(_Section):
    switch: ProductName
    port_gbps: Annotated[int, Field(ge=1, le=3_200)]
    oversubscription: Annotated[float, Field(ge=0.25, le=64)] = 4


class OobFabric(_Section):
    """The management network: one access switch for so many racks, an aggregation layer where there are several."""

    switch: ProductName
    racks_per_switch: Annotated[int, Field(ge=1, le=48)] = 1
    aggregation: ProductName | None = None
    uplinks: Annotated[int, Field(ge=1, le=4)] = 2


class Fabrics(_Section):
    rdma: RdmaFabric
    frontend: FrontendFabric
    oob: OobFabric


class Assumption(_Section):
    """Facts of a product that nobody published, or a product of this site alone, with the reason for each."""

    product: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    kind: Literal["gpu", "node", "rack", "switch", "cdu", "service", "optic", "copper"] | None = None
    facts: dict[str, Any]
    reason: Annotated[str, Field(min_length=10)]


class Spec(_Section):
    """One site. `grows_to` is what fabric, floor and addresses keep room for (default: today's GPUs)."""

    lindos: Literal[1]
    site: Name
    grows_to: Gpus | None = None
    compute: Compute
    software: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Annotated[str, Field(min_length=1)]] = {}
    halls: Annotated[tuple[Hall, ...], Field(min_length=1, max_length=256)]
    placement: tuple[Placement, ...] = ()
    power: Power
    fabrics: Fabrics
    assumptions: tuple[Assumption, ...] = ()

    @property
    def gpus(self) -> int:
        return sum(f.gpus for f in self.compute.fleets)
