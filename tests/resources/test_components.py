"""Components under Pulumi's mocks: what they declare, below what, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from lindos.check.view import View
from lindos.plan import design_site
from lindos.resources.components import Devices, Site
from lindos.resources.views import SiteView, site_view, slice_view

if TYPE_CHECKING:
    import pytest

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab" / "site.yaml"


class Mocks(pulumi.runtime.Mocks):
    """Keeps what was declared."""

    def __init__(self) -> None:
        self.declared: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared[args.typ, args.name] = dict(args.inputs)
        return args.name, dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"nothing is asked for: {args.token}")


def declare(build: Any) -> tuple[dict[tuple[str, str], dict[str, Any]], pulumi.ComponentResource]:
    """A callable that declares -> what it declared, and the component it made."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    mocks = Mocks()
    pulumi.runtime.set_mocks(mocks, project="lindos", stack="lab")
    made: list[pulumi.ComponentResource] = []

    @pulumi.runtime.test
    def run() -> None:
        made.append(build())

    run()
    return mocks.declared, made[0]


def test_a_site_declares_one_resource_a_hall_feed_lineup_fabric_and_slice() -> None:
    view = site_view(View(design_site(LAB)[1]))
    declared, _ = declare(lambda: Site(view))
    counts = [
        len(getattr(view, f)) for f in ("halls", "substations", "lineups", "feeds", "coolers", "fabrics", "slices")
    ]
    assert counts == [1, 2, 8, 2, 5, 3, 7]
    assert len(declared) == 1 + sum(counts)
    assert declared["lindos:index:Lineup", "h1-board-a3"] == by_name(view.lineups)["h1-board-a3"]
    assert declared["lindos:component:Site", "lab"] == {}
    assert declared["lindos:index:Hall", "h1"] == view.halls[0]
    assert declared["lindos:index:PowerFeed", "h1-feed-b"] == view.feeds[1]
    assert declared["lindos:index:Slice", "a0002"]["digest"] == view.slices[1]["digest"]


def by_name(rows: Any) -> dict[str, Any]:
    return {next(iter(row.values())): row for row in rows}


def test_what_draws_power_depends_on_what_it_comes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph of the engine is the power train: no slice without its lineups, no lineup without its substation."""
    depends: dict[str, set[str]] = {}
    init = pulumi.CustomResource.__init__

    def keep(self: Any, token: str, name: str, props: Any, opts: pulumi.ResourceOptions) -> None:
        init(self, token, name, props, opts)
        self.called = name
        depends[name] = {above.called for above in opts.depends_on or ()}

    monkeypatch.setattr(pulumi.CustomResource, "__init__", keep)
    view = site_view(View(design_site(LAB)[1]))
    declare(lambda: Site(view))
    assert depends["a0001"] == {"h1-board-a3", "h1-board-b3"}
    assert depends["h1-board-a3"] == {"substation-a"}
    assert depends["h1-feed-a"] == {"h1-board-a1", "h1-board-a3", "h1-board-a4"}
    assert depends["substation-a"] == depends["h1"] == depends["rdma"] == set()


def test_a_slice_declares_its_devices_under_their_plan_names() -> None:
    view = slice_view(design_site(LAB)[1], "a0001", "power-off")
    declared, _ = declare(lambda: Devices(view))
    assert set(declared) == {
        ("lindos:component:Devices", "a0001"),
        ("lindos:index:Node", "lab-a0001-r01-n01"),
        ("lindos:index:Node", "lab-a0001-r01-n02"),
        ("lindos:index:Switch", "lab-a0001-leaf00"),
        ("lindos:index:Switch", "lab-a0001-leaf01"),
    }
    assert declared["lindos:index:Node", "lab-a0001-r01-n01"] == view.nodes[0]


def test_devices_depend_on_their_component_and_on_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[pulumi.ResourceOptions] = []
    init = pulumi.CustomResource.__init__

    def keep(self: Any, token: str, name: str, props: Any, opts: pulumi.ResourceOptions) -> None:
        seen.append(opts)
        init(self, token, name, props, opts)

    monkeypatch.setattr(pulumi.CustomResource, "__init__", keep)
    view = slice_view(design_site(LAB)[1], "a0002", "retain")
    _, parent = declare(lambda: Devices(view))
    assert len(seen) == 4
    assert all(opts.parent is parent and not opts.depends_on for opts in seen)


def test_an_empty_site_is_a_site() -> None:
    declared, _ = declare(lambda: Site(SiteView("empty", "d", (), (), (), (), (), (), ())))
    assert set(declared) == {("lindos:component:Site", "empty")}
