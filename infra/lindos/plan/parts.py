"""Catalogue -> the parts that cables are made of: optics, copper cables with fixed ends, cordage for jumpers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.catalogue.products import Copper, Cordage, Optic

if TYPE_CHECKING:
    from lindos.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class OpticFacts:
    """A transceiver of `links` x `gbps`; `links_per_connector` of them leave by one connector."""

    part: str
    form: str
    links: int
    gbps: int
    medium: str
    standard: str
    max_mm: int
    power_w: float
    connector: str
    links_per_connector: int


@dataclass(frozen=True, slots=True)
class CopperFacts:
    """A copper cable with fixed ends: its head carries `links` x `gbps` and is split over `tails` ends."""

    product: str
    type: str
    head: str
    tail: str
    links: int
    gbps: int
    tails: int
    max_mm: int
    flat_head_max_mm: int
    lengths_mm: tuple[int, ...]
    infiniband_only: bool = False

    def fits(self, head: str, head_groups: int, tail: str, tail_groups: int, gbps: int) -> bool:
        """Whether it joins these two cages."""
        plugs = _plugs(self.head, head) and _plugs(self.tail, tail)
        if self.tails > 1 and tail.endswith("-finned"):
            return False  # the ends of a splitter are for NICs, which take flat tops
        return plugs and (head_groups, tail_groups, gbps) == (self.links, self.links // self.tails, self.gbps)

    def reach_mm(self, head: str) -> int:
        """How far it reaches out of this cage."""
        return self.flat_head_max_mm if head.endswith("-flattop") else self.max_mm


@dataclass(frozen=True, slots=True)
class CordageFacts:
    """What jumpers and patch cords of one medium are made of."""

    product: str
    medium: str
    grade: str
    max_mm: int
    lengths_mm: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """Every part of which enough is known to buy it; `cordage` by medium."""

    optics: tuple[OpticFacts, ...]
    coppers: tuple[CopperFacts, ...]
    cordage: dict[str, CordageFacts]
    diameters_mm: dict[str, float]
    """Of copper cables and cordage, where it is known."""


def _plugs(form: str, cage: str) -> bool:
    """Whether an end of a copper cable of this form is sold for a cage: OSFP comes with finned and with flat tops."""
    return cage == form or cage in {f"{form}-finned", f"{form}-flattop"}


def _mm(metres: float) -> int:
    return round(metres * 1000)


def _rate(text: str) -> tuple[int, int]:
    links, gbps = text.rstrip("G").split("x")
    return int(links), int(gbps)


def _optics(catalogue: Catalogue) -> tuple[OpticFacts, ...]:
    """`2xMPO-12/APC` is two connectors of one link each for 2x400G."""
    out = []
    for name in catalogue.names("optic"):
        o = catalogue.get(Optic, name)
        if o.form and o.rate and o.medium and o.standard and o.max_m and o.connector:
            links, gbps = _rate(o.rate)
            many = re.match(r"(\d)x(.+)", o.connector)
            connectors, connector = (int(many[1]), many[2]) if many else (1, o.connector)
            out.append(
                OpticFacts(
                    part=name,
                    form=o.form,
                    links=links,
                    gbps=gbps,
                    medium=o.medium,
                    standard=o.standard,
                    max_mm=_mm(o.max_m),
                    power_w=o.power_w or 0,
                    connector=connector,
                    links_per_connector=max(1, links // connectors),
                )
            )
    return tuple(out)


def _coppers(catalogue: Catalogue) -> tuple[CopperFacts, ...]:
    out = []
    for name in catalogue.names("copper"):
        c = catalogue.get(Copper, name)
        if c.type and c.a_form and c.b_form and c.a_rate and c.b_count and c.max_m and c.lengths_m:
            links, gbps = _rate(c.a_rate)
            out.append(
                CopperFacts(
                    product=name,
                    type=c.type,
                    head=c.a_form,
                    tail=c.b_form,
                    links=links,
                    gbps=gbps,
                    tails=c.b_count,
                    max_mm=_mm(c.max_m),
                    flat_head_max_mm=_mm(c.flat_head_max_m or c.max_m),
                    lengths_mm=tuple(sorted(map(_mm, c.lengths_m))),
                    infiniband_only=c.fabric == "IB_only",
                )
            )
    return tuple(out)


def _cordage(catalogue: Catalogue) -> dict[str, CordageFacts]:
    """One product a medium; where the site adds another of its own, the one that reaches furthest."""
    out: dict[str, CordageFacts] = {}
    for name in catalogue.names("cordage"):
        c = catalogue.get(Cordage, name)
        if c.medium and c.grade and c.max_m and c.lengths_m:
            lengths = tuple(sorted(map(_mm, c.lengths_m)))
            mine = CordageFacts(name, c.medium, c.grade, _mm(c.max_m), lengths)
            if c.medium not in out or mine.max_mm > out[c.medium].max_mm:
                out[c.medium] = mine
    return out


def parts_of(catalogue: Catalogue) -> Parts:
    """Catalogue -> Parts; a part of which a fact is missing that buying it takes is left out."""
    thick = {n: catalogue.get(Copper, n).diameter_mm for n in catalogue.names("copper")}
    thick |= {n: catalogue.get(Cordage, n).diameter_mm for n in catalogue.names("cordage")}
    return Parts(
        optics=_optics(catalogue),
        coppers=_coppers(catalogue),
        cordage=_cordage(catalogue),
        diameters_mm={n: d for n, d in thick.items() if d},
    )
