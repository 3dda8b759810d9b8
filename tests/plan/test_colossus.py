"""The largest committed site comes out as its public layout demands, and the same everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from lindos.cli import counts
from lindos.plan import Plan, design_site

ROOT = Path(__file__).parents[2]
SITE = ROOT / "inventories" / "colossus-100k" / "site.yaml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return design_site(SITE)[1]


def test_counts_follow_from_arrays_of_512_gpus_and_radix_128(plan: Plan) -> None:
    """100,000 / 64 = 1,562.5 racks; 98 + 97.3 arrays; 8 leaves an array; 25 pods x 64 spines; 64 x 16 cores."""
    found = counts(plan)
    assert {k: found[k] for k in ("gpus", "nodes", "racks", "units")} == {
        "gpus": 100_000,
        "nodes": 12_500,
        "racks": 1_563,
        "units": 196,
    }
    assert found["switches"]["rdma"] == {"leaf": 1_568, "spine": 1_600, "core": 1_024}
    assert found["links"]["rdma"] == {"node_leaf": 100_000, "leaf_spine": 100_352, "spine_core": 102_400}


def test_fleets_are_whole_and_partial_as_bought(plan: Plan) -> None:
    units = plan.units.group_by("fleet", maintain_order=True).agg(
        pl.col("gpus").sum(), pl.len(), pl.col("whole").sum().alias("whole")
    )
    assert units.rows() == [("smc", 50_176, 98, 98), ("dell", 49_824, 98, 97)]


def test_no_rail_crosses_a_leaf(plan: Plan) -> None:
    """Rail i of every node is on leaf i of its unit, and on no other."""
    rails = plan.links.filter(pl.col("fabric") == "rdma", pl.col("tier") == "node_leaf")
    leaf = pl.col("b_device").str.extract(r"-leaf(\d+)$").cast(pl.Int64)
    unit = pl.col("a_device").str.extract(r"-(a\d+)-") == pl.col("b_device").str.extract(r"-(a\d+)-")
    assert rails.filter((leaf != pl.col("rail").cast(pl.Int64)) | ~unit).is_empty()


def test_nameplate_sums_every_device(plan: Plan) -> None:
    assert len(plan.loads) == len(plan.devices)
    nodes = plan.loads.join(plan.devices.filter(pl.col("kind") == "node").select("device"), on="device", how="semi")
    assert nodes["nameplate_w"].sum() == 127_500_000
    assert nodes["typical_w"].sum() == 105_000_000


def test_the_digest_is_the_same_in_another_process_folder_locale_and_hash_seed(plan: Plan, tmp_path: Path) -> None:
    code = f"from pathlib import Path; from lindos.plan import design_site; print(design_site(Path({str(SITE)!r}))[1].digest)"
    env = {**os.environ, "PYTHONHASHSEED": "4711", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "POLARS_MAX_THREADS": "1"}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == plan.digest
