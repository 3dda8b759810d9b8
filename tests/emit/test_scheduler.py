"""What Slurm is told, read back: host lists by its own scontrol, the topology as a tree over all nodes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lindos.emit.scheduler import hostlist, scheduler
from lindos.plan import Plan, design_site

ROOT = Path(__file__).parents[2]
SITES = ("lab", "tesla-2k", "cortex")


def expanded(*lists: str) -> list[list[str]]:
    """Expressions -> the names that Slurm reads in each."""
    with TemporaryDirectory() as folder:
        conf = Path(folder) / "slurm.conf"
        conf.write_text("ClusterName=test\nSlurmctldHost=localhost\n")
        return [
            subprocess.run(
                ["scontrol", "show", "hostnames", one],
                env={"SLURM_CONF": str(conf), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
            ).stdout.split()
            for one in lists
        ]  # fmt: skip


@pytest.fixture(scope="module", params=SITES)
def plan(request: pytest.FixtureRequest) -> Plan:
    return design_site(ROOT / "inventories" / request.param / "site.yaml")[1]


@pytest.fixture(scope="module")
def files(plan: Plan) -> dict[str, str]:
    return {a.path: a.data.decode() for a in scheduler(plan, {})}


def switches(text: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r"^SwitchName=(\S+) (Nodes|Switches)=(\S+)$", text, re.MULTILINE)
    assert len(found) == sum(not line.startswith("#") for line in text.splitlines())
    return {name: (kind, which) for name, kind, which in found}


def test_every_node_hangs_on_the_leaves_of_its_unit_and_every_unit_on_one_top(
    plan: Plan, files: dict[str, str]
) -> None:
    told = switches(files["slurm/topology.conf"])
    below = dict(zip(told, expanded(*(which for _, which in told.values())), strict=True))
    units = plan.devices.filter(kind="node").group_by("unit").agg("device")
    assert {n: set(below[n]) for n, (kind, _) in told.items() if kind == "Nodes"} == {
        unit: set(devices) for unit, devices in units.iter_rows()
    }
    children = [c for n, (kind, _) in told.items() if kind == "Switches" for c in below[n]]
    assert len(children) == len(set(children)), "a switch with two parents"
    tops = set(told) - set(children)
    assert len(tops) == plan.links.filter(pl.col("rail").is_not_null())["fabric"].n_unique()


def test_both_topologies_are_the_same_tree(files: dict[str, str]) -> None:
    told = switches(files["slurm/topology.conf"])
    tree = yaml.safe_load(files["slurm/topology.yaml"])[0]["tree"]["switches"]
    words = {"nodes": "Nodes", "children": "Switches"}
    assert {s["switch"]: (words[k], s[k]) for s in tree for k in words if k in s} == told


def test_every_gpu_is_handed_out_by_its_node(plan: Plan, files: dict[str, str]) -> None:
    lines = [line for line in files["slurm/gres.conf"].splitlines() if not line.startswith("#")]
    parts = [dict(word.split("=", 1) for word in line.split()) for line in lines]
    said = {
        node: (p["Type"], p["File"])
        for p, nodes in zip(parts, expanded(*(p["NodeName"] for p in parts)), strict=True)
        for node in nodes
    }
    gpus = plan.gpus.group_by("device").agg(pl.len(), pl.col("product").first())
    assert said == {d: (product, f"/dev/nvidia[0-{n - 1}]") for d, n, product in gpus.iter_rows()}


def test_domains_of_nvlink_are_blocks(tmp_path: Path) -> None:
    """Two buildings with a fabric each, of racks of 18 nodes, eight racks a unit; the last unit has three."""
    site = YAML(typ="safe", pure=True).load(ROOT / "inventories" / "stargate" / "site.yaml")
    site["compute"]["fleets"] = [fleet | {"gpus": 11 * 72} for fleet in site["compute"]["fleets"][:2]]
    site["fabrics"]["islands"] = site["fabrics"]["islands"][:1]
    site.pop("grows_to", None)
    file = tmp_path / "site.yaml"
    YAML(typ="safe", pure=True).dump(site, file)
    plan = design_site(file)[1]
    fabric, nvlink = yaml.safe_load(next(a.data for a in scheduler(plan, {}) if a.path.endswith("yaml")))
    assert fabric["cluster_default"] is True
    assert "cluster_default" not in nvlink
    assert nvlink["block"]["block_sizes"] == [18]
    blocks = {b["block"]: b["nodes"] for b in nvlink["block"]["blocks"]}
    assert len(blocks) == 22
    assert len({d.split("-")[1] for d in blocks}) == 4
    assert blocks["stargate-a0004-r03"] == "stargate-a0004-r03-n[01-18]"
    children = {s["switch"]: s.get("children") for s in fabric["tree"]["switches"]}
    assert [(s, c) for s, c in children.items() if c] == [("p001", "a[0001-0002]"), ("b2-p001", "a[0003-0004]")]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.sets(st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 20)), min_size=1, max_size=60),
    st.sampled_from(["lab", "site-100k", "x1"]),
)
def test_slurm_reads_in_a_host_list_the_names_that_went_in(places: set[tuple[int, int, int]], site: str) -> None:
    names = {f"{site}-a{u:04}-r{r:02}-n{n:02}" for u, r, n in places}
    assert set(expanded(hostlist(names))[0]) == names
