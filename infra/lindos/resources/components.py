"""Slices of the plan -> resources. Components declare and never decide: one resource a row, under its plan name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pulumi

from lindos.resources.computed import FABRIC, FEED, HALL, SLICE
from lindos.resources.node import NODE
from lindos.resources.switch import SWITCH

if TYPE_CHECKING:
    from lindos.resources.kinds import Kind
    from lindos.resources.views import Row, SiteView, SliceView


class Thing(pulumi.CustomResource):
    """One resource of a kind; `row` holds its inputs, the identity among them its name."""

    kind: ClassVar[Kind]

    def __init__(self, row: Row, parent: pulumi.Resource) -> None:
        name = next(row[key] for key, field in self.kind.inputs.items() if field.identity)
        super().__init__(self.kind.token, name, dict(row), pulumi.ResourceOptions(parent=parent))


class Hall(Thing):
    kind = HALL


class PowerFeed(Thing):
    kind = FEED


class Fabric(Thing):
    kind = FABRIC


class Slice(Thing):
    kind = SLICE


class Node(Thing):
    kind = NODE


class Switch(Thing):
    kind = SWITCH


class Site(pulumi.ComponentResource):
    """A site: its halls, their power feeds, its fabrics, and one resource a slice. Their diff is the physical diff."""

    def __init__(self, view: SiteView) -> None:
        super().__init__("lindos:component:Site", view.site)
        for kind, rows in (
            (Hall, view.halls),
            (PowerFeed, view.feeds),
            (Fabric, view.fabrics),
            (Slice, view.slices),
        ):
            for row in rows:
                kind(row, self)
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
