"""The address plan holds a million GPUs, and says which field is full past that."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from lindos.errors import InfeasibleError
from lindos.plan.address import FEWER_LINKS, Field, folded, packed


def links(switches: int, uplinks: int) -> pl.DataFrame:
    """The last switches of so many and the first, each with all its uplinks."""
    numbers = sorted({*range(min(300, switches)), *range(max(0, switches - 300), switches)})
    frame = pl.DataFrame({"switch": numbers}, schema={"switch": pl.Int64})
    return frame.with_columns(uplink=pl.lit(list(range(uplinks)), dtype=pl.List(pl.Int64))).explode("uplink")


FIELDS = [Field("switch", 13, "switch of the training fabrics"), Field("uplink", 7, "uplink"), Field("end", 1, "end")]


@pytest.mark.parametrize(
    ("switches", "uplinks"), [(15_632, 64), (16_384, 64), (8_192, 128), (32_768, 32), (1_568, 64), (12_000, 42)]
)
def test_links_of_a_million_gpus_have_addresses_of_their_own(switches: int, uplinks: int) -> None:
    """1,000,448 GPUs on 128 ports are 15,632 leaves with 64 uplinks: as many links as the field has places."""
    made = packed(folded(links(switches, uplinks), 13), 0, FIELDS)
    assert made["ip"].is_unique().all()
    assert made.filter(pl.col("switch") < 0).is_empty()


def test_switches_that_stand_keep_their_addresses_when_more_come() -> None:
    few, many = (packed(folded(links(n, 64), 13), 0, FIELDS) for n in (200, 16_000))
    assert many["ip"].head(len(few)).to_list() == few["ip"].to_list()


@pytest.mark.parametrize(("switches", "uplinks"), [(16_385, 64), (8_193, 128)])
def test_a_field_that_is_full_is_named(switches: int, uplinks: int) -> None:
    with pytest.raises(InfeasibleError, match="switch of the training fabrics") as said:
        packed(folded(links(switches, uplinks), 13), 0, FIELDS)
    assert str(switches - 1) in str(said.value)


def test_links_of_two_planes_of_a_million_gpus_are_too_many_and_the_way_out_is_told() -> None:
    fields = [replace(FIELDS[0], helps=FEWER_LINKS), *FIELDS[1:]]
    with pytest.raises(InfeasibleError) as said:
        packed(folded(links(31_264, 64), 13), 0, fields)
    assert said.value.problems[0].hint == f"the address plan ends here; {FEWER_LINKS}"
