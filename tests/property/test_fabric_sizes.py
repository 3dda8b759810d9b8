"""What holds for a training fabric of any size: stripes, ports, tiers, and the paths that its links make.

Demands are drawn as numbers: radix, planes, rails, units of several shapes, oversubscription of leaves and spines.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import polars as pl
from hypothesis import assume, event, given, reject, settings
from hypothesis import strategies as st
from test_plan_invariants import built, random_sites, sites

from lindos.errors import InfeasibleError
from lindos.plan.clos import fill_pods
from lindos.plan.rails import Block, Demand, Sizes, size_rails

if TYPE_CHECKING:
    from typing import Any

    from lindos.plan import Plan

ASKED = os.environ.get("LINDOS_EXAMPLES")
random_demands = settings(max_examples=int(ASKED or 300), derandomize=not ASKED, deadline=None)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    planes = draw(st.sampled_from([1, 2, 4]))
    rails = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
    blocks = draw(
        st.lists(st.builds(Block, st.integers(1, 40), st.integers(1, 150), st.just(rails)), min_size=1, max_size=3)
    )
    return Demand(
        name="drawn",
        blocks=tuple(blocks),
        ports={400: draw(st.integers(4, 160) | st.sampled_from([64, 128, 256, 512]))},
        gbps=400 * planes,
        planes=planes,
        tiers=draw(st.sampled_from([None, None, 1, 2, 3])),
        oversubscription=draw(st.sampled_from([0.5, 1, 1, 1.5, 2, 3, 7])),
        spine_oversubscription=draw(st.sampled_from([1, 1, 1.5, 3])),
        rails_per_leaf=draw(st.sampled_from([None, None, 1, rails])),
    )


def sized(demand: Demand) -> Sizes:
    try:
        sizes = size_rails(demand)
    except InfeasibleError:
        event("cannot be built")
        reject()
    event(f"{sizes.clos.tiers} tiers")
    return sizes


def unit_leaves(demand: Demand, sizes: Sizes) -> list[int]:
    return [s.leaves for b, s in zip(demand.blocks, sizes.shapes, strict=True) for _ in range(b.count)]


@random_demands
@given(demands())
def test_no_switch_has_more_links_than_ports(demand: Demand) -> None:
    sizes = sized(demand)
    clos, radix = sizes.clos, demand.radix
    assert clos.leaf.down + clos.leaf.up <= radix
    for block, shape in zip(demand.blocks, sizes.shapes, strict=True):
        assert shape.nodes_per_leaf * shape.rails_per_leaf <= clos.leaf.down
        assert shape.nodes_per_leaf * shape.per_rail >= block.nodes
        assert shape.leaves * shape.rails_per_leaf == block.rails * shape.per_rail
    pods = [sum(n for n, _ in held) for _, held in groupby(_in_pods(demand, sizes), key=lambda x: x[1])]
    assert max(pods) * clos.leaf_spine + clos.spine_up <= radix or clos.tiers == 1
    assert len(pods) * clos.spine_core <= radix
    assert sum(pods) == sizes.leaves


def _in_pods(demand: Demand, sizes: Sizes) -> list[tuple[int, int]]:
    leaves = unit_leaves(demand, sizes)
    return list(zip(leaves, fill_pods(leaves, sizes.clos.leaves_per_pod), strict=True))


@random_demands
@given(demands())
def test_uplinks_stripe_evenly_and_are_all_used(demand: Demand) -> None:
    clos = sized(demand).clos
    if clos.tiers > 1:
        assert clos.spines_per_pod * clos.leaf_spine == clos.leaf.up
        assert clos.spines_per_pod > 1 or clos.leaf.up == 1
    if clos.tiers > 2:
        assert clos.cores_per_group * clos.spine_core == clos.spine_up
        assert clos.groups == clos.spines_per_pod


@random_demands
@given(demands())
def test_no_smaller_fabric_would_do(demand: Demand) -> None:
    """Fewer tiers would not reach, and each smaller number of spines or cores stripes unevenly or runs out of ports."""
    sizes = sized(demand)
    clos, radix = sizes.clos, demand.radix
    if clos.tiers == 2:
        least = 2 if clos.leaf.up > 1 else 1
        for fewer in range(least, clos.spines_per_pod):
            assert clos.leaf.up % fewer or sizes.leaves * (clos.leaf.up // fewer) > radix
    if clos.tiers == 3:
        assert demand.tiers == 3 or sizes.leaves > radix
        for fewer in range(1, clos.cores_per_group):
            assert clos.spine_up % fewer or sizes.pods * (clos.spine_up // fewer) > radix


@random_demands
@given(demands())
def test_a_leaf_is_no_more_oversubscribed_than_asked(demand: Demand) -> None:
    clos = sized(demand).clos
    if clos.tiers > 1:
        assert clos.leaf.down <= clos.leaf.up * demand.oversubscription
    if clos.tiers > 2:
        assert clos.spine_down <= clos.spine_up * demand.spine_oversubscription


@random_demands
@given(demands(), st.integers(1, 5))
def test_planes_are_copies_and_units_appended_change_no_unit_before_them(demand: Demand, more: int) -> None:
    sizes = sized(demand)
    one = size_rails(replace(demand, planes=1, gbps=400))
    assert (one.clos, one.shapes) == (sizes.clos, sizes.shapes)
    assert sizes.count() == {k: n * demand.planes for k, n in one.count().items()}
    assume(sizes.clos.tiers > 1)
    grown = replace(demand, blocks=(*demand.blocks, replace(demand.blocks[-1], count=more)))
    after = sized(grown)
    assert after.shapes[: len(sizes.shapes)] == sizes.shapes
    if sizes.clos.tiers == after.clos.tiers == 3:
        assert _in_pods(grown, after)[: sizes.leaves and sum(b.count for b in demand.blocks)] == _in_pods(demand, sizes)


@random_demands
@given(demands())
def test_what_is_named_instead_can_be_built(demand: Demand) -> None:
    """Each way out that the message names is a fabric that comes out with the switches that it promises."""
    try:
        size_rails(demand)
    except InfeasibleError as err:
        text = err.problems[0].hint
    else:
        reject()
    for t in (1, 2, 3):
        if f"what can be built: tiers: {t} (" in text:
            told = size_rails(replace(demand, tiers=t)).count()
            assert f"tiers: {t} ({told['leaf']:,} leaf" in text
    for p in (2, 4):
        assert f"planes: {p} (" not in text  # the drawn switch has one speed


def paths(plan: Plan, fabric: str, plane: int) -> pl.DataFrame:
    """Ways between leaves of one plane over the fewest tiers: a, b, ways, counted link by link."""
    links = plan.links.filter(fabric=fabric, plane=plane)
    up = links.filter(tier="leaf_spine").group_by(leaf="a_device", spine="b_device").agg(n=pl.len())
    top = links.filter(tier="spine_core").group_by(spine="a_device", core="b_device").agg(m=pl.len())
    near = up.join(up.rename({"leaf": "other", "n": "n2"}), on="spine").with_columns(ways=pl.col("n") * pl.col("n2"))
    near = near.group_by("leaf", "other").agg(pl.col("ways").sum(), far=pl.lit(value=False))
    core = up.join(top, on="spine").with_columns(ways=pl.col("n") * pl.col("m"), via="spine").drop("n", "m", "spine")
    back = core.rename({"leaf": "other", "ways": "back", "via": "down"})
    far = core.join(back, on="core").with_columns(ways=pl.col("ways") * pl.col("back"))
    far = far.group_by("leaf", "other").agg(pl.col("ways").sum(), far=pl.lit(value=True))
    return pl.concat([near, far.join(near, on=["leaf", "other"], how="anti")]).filter(pl.col("leaf") != pl.col("other"))


@random_sites
@given(sites())
def test_leaves_have_the_paths_that_sizes_promise(site: dict[str, Any]) -> None:
    """In a pod each spine with each link up and down; between pods each core of each spine's group as well.

    Tiers only go up: below is never above, so no packet that turns once can loop.
    """
    _, plan = built(site)
    rank = {"gpu": 0, "leaf": 1, "spine": 2, "core": 3}
    roles = dict(plan.devices.select("device", pl.col("role").cast(pl.String)).iter_rows())
    training = plan.links.filter(pl.col("fabric").str.starts_with("rdma"))
    climbs = training.select("a_device", "b_device").unique()
    assert all(rank[roles[b]] == rank[roles[a]] + 1 for a, b in climbs.iter_rows())
    for fabric, plane in training.select("fabric", "plane").unique().sort("fabric", "plane").iter_rows():
        mine = plan.devices.filter(fabric=fabric, plane=plane)
        leaves = mine.filter(role="leaf").select("device", "pod")
        if len(leaves) < 2:
            continue
        found = paths(plan, fabric, plane)
        assert len(found) == len(leaves) * (len(leaves) - 1), "each leaf reaches each other"
        up = len(training.filter(fabric=fabric, plane=plane, tier="leaf_spine")) // len(leaves)
        spines = mine.filter(role="spine")
        per_pod = len(spines.filter(pl.col("pod") == spines["pod"][0]))
        near = found.filter(~pl.col("far"))["ways"].unique().to_list()
        assert near in ([up * up // per_pod], [])
        if found["far"].any():
            high = len(training.filter(fabric=fabric, plane=plane, tier="spine_core")) // len(spines)
            cores = len(mine.filter(role="core")) // per_pod
            assert high % cores == 0
            assert found.filter("far")["ways"].unique().to_list() == [per_pod * cores * (high // cores) ** 2]


@random_sites
@given(sites())
def test_an_endpoint_is_on_one_leaf_port_in_each_plane_of_its_own_rail(site: dict[str, Any]) -> None:
    """Counted from links alone: as many as NICs and planes, on leaves of the unit, each leaf with whole rail groups."""
    _, plan = built(site)
    links = plan.links.filter(pl.col("fabric").str.starts_with("rdma"), tier="node_leaf")
    leaves = plan.devices.filter(role="leaf").select(
        b_device="device", leaf_plane="plane", leaf_unit="unit", on="fabric"
    )
    links = links.join(leaves, on="b_device").join(
        plan.devices.filter(kind="node").select(a_device="device", unit="unit"), on="a_device"
    )
    assert links.filter(
        (pl.col("plane") != pl.col("leaf_plane"))
        | (pl.col("unit") != pl.col("leaf_unit"))
        | (pl.col("fabric") != pl.col("on"))
    ).is_empty()
    assert links.select("b_device", "b_port").is_unique().all()
    nics = links.select("a_device", "rail", "plane")
    assert nics.is_unique().all()
    each = links.group_by("unit").agg(
        pl.col("plane").n_unique(), rails=pl.col("rail").n_unique(), nodes=pl.col("a_device").n_unique(), n=pl.len()
    )
    assert each.filter(pl.col("n") != pl.col("plane") * pl.col("rails") * pl.col("nodes")).is_empty()
    # Two rails are on the same leaves, or on none in common.
    on = links.group_by("unit", "plane", "rail").agg(leaves=pl.col("b_device").unique().sort())
    for _, held in on.group_by("unit", "plane"):
        sets = {frozenset(x) for x in held["leaves"].to_list()}
        assert all(a == b or not a & b for a in sets for b in sets)
