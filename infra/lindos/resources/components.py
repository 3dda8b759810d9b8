"""Slices of the plan -> resources. Components declare and never decide: one resource a row, under its plan name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pulumi

from lindos.resources.computed import COOLER, FABRIC, FEED, HALL, LINEUP, SLICE, SUBSTATION
from lindos.resources.node import NODE
from lindos.resources.switch import SWITCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lindos.resources.kinds import Kind
    from lindos.resources.views import Row, SiteView, SliceView


class Thing(pulumi.CustomResource):
    """One resource of a kind; `row` holds its inputs, the identity among them its name."""

    kind: ClassVar[Kind]

    def __init__(self, row: Row, parent: pulumi.Resource, on: Sequence[Thing] = ()) -> None:
        name = next(row[key] for key, field in self.kind.inputs.items() if field.identity)
        options = pulumi.ResourceOptions(parent=parent, depends_on=list(on))
        super().__init__(self.kind.token, name, dict(row), options)


class Hall(Thing):
    kind = HALL


class Substation(Thing):
    kind = SUBSTATION


class Lineup(Thing):
    kind = LINEUP


class PowerFeed(Thing):
    kind = FEED


class Cooler(Thing):
    kind = COOLER


class Fabric(Thing):
    kind = FABRIC


class Slice(Thing):
    kind = SLICE


class Node(Thing):
    kind = NODE


class Switch(Thing):
    kind = SWITCH


class Site(pulumi.ComponentResource):
    """A site: its halls, their power and cooling, its fabrics, and one resource a slice. Their diff is the physical
    diff.

    What draws power depends on what it comes by, so that it is there before what needs it, and longer.
    """

    def __init__(self, view: SiteView) -> None:
        super().__init__("lindos:component:Site", view.site)
        for kind, rows in ((Hall, view.halls), (Cooler, view.coolers), (Fabric, view.fabrics)):
            for row in rows:
                kind(row, self)
        upstream: dict[str, Thing] = {}
        for row in view.substations:
            upstream[row["substation"]] = Substation(row, self, [upstream[n] for n in row["fed_by"] if n in upstream])
        lineups = {r["lineup"]: Lineup(r, self, [upstream[n] for n in r["fed_by"]]) for r in view.lineups}
        for row in view.feeds:
            PowerFeed(row, self, [lineups[n] for n in row["fed_by"]])
        for row in view.slices:
            Slice(row, self, [lineups[n] for n in row["lineups_kw"]])
        self.register_outputs({"digest": view.digest})


class Devices(pulumi.ComponentResource):
    """The devices of one slice that can be spoken to: nodes through their BMCs, switches through their own system."""

    def __init__(self, view: SliceView) -> None:
        super().__init__("lindos:component:Devices", view.name)
        for row in view.switches:
            Switch(row, self)
        for row in view.nodes:
            Node(row, self)
        self.register_outputs({"digest": view.digest})
