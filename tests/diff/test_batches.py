"""In which batch a cable between spines and cores moves: the group of its core, whatever slice the core is in."""

from __future__ import annotations

import polars as pl
import pytest

from lindos.diff.compare import COMPARED, Change
from lindos.diff.work import moved_cables


@pytest.mark.parametrize(
    ("core", "slice_", "batch"),
    [
        ("g007-core01", "g007", "g007"),
        ("g007-pl1-core02", "g007-pl1", "g007-pl1"),
        ("blackwell-g001-core16", "blackwell-g001", "blackwell-g001"),
        ("fe-g002-core01", "frontend", "fe-g002"),
        ("oob-g001-core02", "oob-shared", "oob-g001"),
    ],
)
def test_a_batch_is_a_group_of_cores(core: str, slice_: str, batch: str) -> None:
    link = {
        "link": "spine:etp1", "fabric": "any", "tier": "spine_core", "a_device": "spine", "a_port": "etp1",
        "b_device": "other", "b_port": "etp1", "cable": "spine:etp1",
    }  # fmt: skip
    tables = {
        "links": pl.DataFrame([link]),
        "devices": pl.DataFrame({"device": ["spine", core], "slice": ["p001", slice_]}),
        "cables": pl.DataFrame({"cable": ["spine:etp1"], "part": ["jumper"], "a_part": ["optic"]}),
    }
    changed = pl.DataFrame({"link": ["spine:etp1"], "verb": ["moved"], "b_device_was": [core], "b_port_was": ["etp9"]})
    of = next(c for c in COMPARED if c.table == "links")
    moved = moved_cables({"links": Change(of, changed.clear(), changed.clear(), changed)}, tables, tables)
    assert moved["batch"].to_list() == [batch]
