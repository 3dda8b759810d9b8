"""The power section of a site file: sources, what joins them to the halls, and the sizes of what repeats."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lindos.catalogue.products import LENIENT
from lindos.spec.section import Day, Name, Section, Volts

Kilovolts = Annotated[float, Field(ge=0.1, le=800, description="Kilovolts, line to line.")]
Efficiency = Annotated[float, Field(gt=0.5, le=1, description="What comes out by what goes in.")]
Milliohms = Annotated[
    float, Field(gt=0, le=1_000, description="Milliohms a metre of one phase; left out, they follow from the amps.")
]
BreakerKa = Annotated[float, Field(gt=0, le=300)]
TripsAt = Annotated[
    float, Field(ge=1, le=50, description="Times its amps at which the breaker trips at once, or after a short delay.")
]
Redundancy = Literal["N", "N+1", "2N", "3N/2", "4N/3", "catcher"]
SHARED = {"3N/2": 3, "4N/3": 4}
"""Blocks of a group whose racks hang on pairs of them."""


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def trunks_of(redundancy: str, feeds: tuple[str, ...]) -> tuple[str, ...]:
    """What reaches a hall from upstream: the feeds, or the blocks of a group where racks hang on pairs of blocks."""
    blocks = SHARED.get(redundancy)
    return tuple(f"b{i + 1}" for i in range(blocks)) if blocks else feeds


class Source(Section):
    """Where power comes from, from which day on. `count` machines of `mw` each, `spare` of them held back."""

    name: Annotated[Name, Field(description="A name of your own for this source.")]
    kind: Annotated[Literal["utility", "generator", "battery"], Field(description="utility, generator or battery.")]
    mw: Annotated[float, Field(gt=0, le=10_000, description="Megawatts of one machine or connection.")]
    count: Annotated[int, Field(ge=1, le=1_000, description="Machines of this kind.")] = 1
    spare: Annotated[int, Field(ge=0, le=1_000, description="Machines held back.")] = 0
    start: Annotated[Day | None, Field(alias="from", description="First day on which it delivers: 2024-06-01.")] = None
    until: Annotated[Day | None, Field(description="First day on which it delivers no more.")] = None
    kv: Annotated[Kilovolts | None, Field(description="Kilovolts at which it delivers, line to line.")] = None
    mwh: Annotated[float | None, Field(gt=0, le=100_000, description="Megawatt hours that one battery holds.")] = None
    derate: Annotated[
        float | None,
        Field(gt=0, le=1, description="Share of its rating that runs on and on; by default 0.9 of a generator."),
    ] = None
    ambient_c: Annotated[
        float | None, Field(ge=-40, le=60, description="Degrees outside on a hot day; a generator gives less above 25.")
    ] = None
    step: Annotated[
        float | None,
        Field(gt=0, le=1, description="Share of its rating that it takes at once; by default 0.1 of a generator."),
    ] = None
    ramp_mw_per_min: Annotated[
        float | None, Field(gt=0, le=100_000, description="Megawatts a minute by which all of it may rise or fall.")
    ] = None


class Upstream(Section):
    """A part between the sources and the halls: a substation with its transformers, or switchgear on one voltage.

    Left out, each feed has a substation of its own that every source reaches.
    """

    name: Annotated[Name, Field(description="A name of your own for this part.")]
    kind: Annotated[Literal["substation", "switchgear"], Field(description="substation or switchgear.")]
    fed_by: Annotated[
        tuple[Name, ...],
        LENIENT,
        Field(min_length=1, max_length=64, description="Names of the sources and parts that feed it."),
    ]
    mw: Annotated[
        float, Field(gt=0, le=10_000, description="Megawatts of switchgear, or of one transformer of a substation.")
    ]
    transformers: Annotated[int, Field(ge=1, le=64, description="Transformers of a substation, side by side.")] = 1
    kv: Annotated[Kilovolts | None, Field(description="Kilovolts on its outgoing side.")] = None
    feeds: Annotated[
        tuple[Name, ...], LENIENT, Field(max_length=8, description="The feeds whose halls hang on it.")
    ] = ()
    start: Annotated[Day | None, Field(alias="from", description="First day on which it stands: 2025-05-01.")] = None


class RackPdu(Section):
    """Three-phase rack PDUs: line-to-line volts, breaker amps, how many a rack has on each feed.

    Ohms that are not given are those of copper as thick as the amps want, at 75 degrees (NEC, chapter 9, table 9, from
    memory: 3 AWG for 100 A has 0.82 + j0.18 ohm/km).
    """

    volts: Volts = 415
    amps: Annotated[int, Field(ge=10, le=250, description="Amps of the breaker.")] = 60
    per_feed: Annotated[int, Field(ge=1, le=8, description="Rack PDUs of a rack on each feed.")] = 2
    cord_m: Annotated[float, Field(gt=0, le=100, description="Metres of cable from tap box to rack PDU.")] = 3.0
    r_mohm_per_m: Milliohms | None = None
    x_mohm_per_m: Milliohms | None = None
    breaker_ka: Annotated[BreakerKa | None, Field(description="Kiloamps that the breaker in the tap box breaks.")] = (
        None
    )
    trips_at: TripsAt = 10.0

    @property
    def impedance_mohm_per_m(self) -> tuple[float, float]:
        """Resistance and reactance of the cable from tap box to rack PDU."""
        return _given(self.r_mohm_per_m, 82 / self.amps), _given(self.x_mohm_per_m, 0.18)


class Busway(Section):
    """The three-phase busways over the rows, each with tap boxes over its racks.

    Ohms that are not given follow from the amps: at full load a busway loses about 0.06 V a metre and phase by its
    resistance and 0.03 V by its reactance, whatever its size (catalogues of busbar trunking, from memory: 0.037 and
    0.018 milliohm a metre at 1,600 A). Its breaker stands in the board, of a kind for boards of 3 MVA.
    """

    volts: Volts = 415
    amps: Annotated[int, Field(ge=50, le=6_300, description="Amps that a busway carries.")] = 1_600
    efficiency: Efficiency = 0.99
    r_mohm_per_m: Milliohms | None = None
    x_mohm_per_m: Milliohms | None = None
    breaker_ka: Annotated[BreakerKa, Field(description="Kiloamps that the breakers in the boards break.")] = 85.0
    trips_at: TripsAt = 6.0

    @property
    def impedance_mohm_per_m(self) -> tuple[float, float]:
        """Resistance and reactance of a phase."""
        return _given(self.r_mohm_per_m, 60 / self.amps), _given(self.x_mohm_per_m, 30 / self.amps)


class Ring(Section):
    """The medium-voltage rings of a hall; each joins so many transformers as it carries.

    Ohms that are not given are those of copper cable with XLPE as thick as the amps want (600 A: 0.06 + j0.12 ohm/km,
    from memory). The short-circuit levels are those of common 13.8 kV switchgear of 20 kA, and of half the sources.
    """

    kv: Kilovolts = 13.8
    amps: Annotated[int, Field(ge=10, le=4_000, description="Amps that a ring carries.")] = 600
    length_m: Annotated[
        float, Field(gt=0, le=20_000, description="Metres of cable from what feeds the ring to its first transformer.")
    ] = 300.0
    r_mohm_per_m: Milliohms | None = None
    x_mohm_per_m: Milliohms | None = None
    fault_mva: Annotated[
        float, Field(gt=0, le=100_000, description="Short-circuit level of what feeds the ring, at most, in MVA.")
    ] = 500.0
    least_fault_mva: Annotated[
        float | None,
        Field(gt=0, le=100_000, description="The same at least, as on generators alone; left out, half of it."),
    ] = None
    breaker_ka: Annotated[BreakerKa, Field(description="Kiloamps that the breakers of the ring break.")] = 25.0

    @property
    def impedance_mohm_per_m(self) -> tuple[float, float]:
        """Resistance and reactance of a phase of the cable."""
        return _given(self.r_mohm_per_m, 36 / self.amps), _given(self.x_mohm_per_m, 0.12)


class Transformer(Section):
    """The transformers of the halls, from medium to low voltage."""

    kva: Annotated[int, Field(ge=10, le=100_000, description="kVA of one transformer.")] = 3_000
    efficiency: Efficiency = 0.985
    impedance_pct: Annotated[float, Field(ge=0.5, le=20, description="Short-circuit voltage in per cent.")] = 6.0
    no_load_share: Annotated[
        float, Field(ge=0, lt=1, description="Share of its losses at full load that it has without any.")
    ] = 0.2


class Ups(Section):
    """Uninterruptible supplies behind the boards, as much as a transformer carries each."""

    efficiency: Efficiency = 0.97
    minutes: Annotated[float, Field(gt=0, le=600, description="Minutes that it carries its load alone.")] = 5.0


class Chain(Section):
    """The power train below the sources: sizes of the repeated parts, and what of it is there twice.

    Redundancy: N, every rack hangs on one transformer alone; N+1, so many transformers as `blocks` and one more feed a
    common board; 2N, each feed carries everything alone; 3N/2 and 4N/3, the racks hang on pairs out of three or four
    blocks, which carry two and three blocks' load; catcher, one idle block takes over from any of `blocks`.
    """

    redundancy: Annotated[Redundancy, Field(description="N, N+1, 2N, 3N/2, 4N/3 or catcher.")] = "2N"
    blocks: Annotated[int, Field(ge=1, le=16, description="Blocks that share a spare one: N+1 and catcher.")] = 4
    power_factor: Annotated[float, Field(gt=0.5, le=1, description="Real power by apparent power of the load.")] = 0.99
    ring: Annotated[Ring, Field(description="The medium-voltage rings.")] = Ring()
    transformer: Annotated[Transformer, Field(description="The transformers of the halls: {kva: 3_000}.")] = (
        Transformer()
    )
    ups: Annotated[Ups | None, Field(description="Uninterruptible supplies; left out, there are none.")] = None
    busway: Annotated[Busway, Field(description="The busways over the rows.")] = Busway()
    rack_pdu: Annotated[RackPdu, Field(description="The PDUs in the racks.")] = RackPdu()


class Power(Section):
    """Where power comes from and how it reaches the racks."""

    sources: Annotated[
        tuple[Source, ...],
        LENIENT,
        Field(min_length=1, max_length=64, description="Utility connections, generators and batteries, in order."),
    ]
    upstream: Annotated[
        tuple[Upstream, ...],
        LENIENT,
        Field(max_length=64, description="What stands between the sources and the halls, where that is known."),
    ] = ()
    feeds: Annotated[
        tuple[Name, ...],
        LENIENT,
        Field(min_length=1, max_length=4, description="Names of the feeds that reach every rack."),
    ] = ("a", "b")
    chain: Annotated[Chain, Field(description="Sizes of the repeated parts of the power train.")] = Chain()
