"""One-line diagrams and the electrician's schedules, against the tables that they are taken from."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from lindos.check.view import View
from lindos.emit.electrical import BREAKERS, breakers, pdus
from lindos.emit.one_line import one_line
from lindos.plan import design_site
from lindos.plan.design import SCHEMAS

if TYPE_CHECKING:
    from lindos.plan import Plan

LAB = Path(__file__).parents[2] / "inventories/lab/site.yaml"


@cache
def lab() -> Plan:
    return design_site(LAB)[1]


def table(data: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(data))


def words(plan: Plan) -> dict[str, list[str]]:
    """Path of each drawing -> its texts; a drawing that is no XML fails."""
    drawn = {a.path: ET.fromstring(a.data) for a in one_line(plan, {})}
    return {
        path: ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text")] for path, root in drawn.items()
    }


def test_every_breaker_is_listed_with_what_it_may_and_does_carry() -> None:
    plan = lab()
    (file,) = breakers(plan, {})
    frame = table(file.data)
    kinds = plan.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(BREAKERS))
    assert frame["breaker"].to_list() == kinds["power_node"].to_list()
    assert (frame["worst_kw"] >= frame["nameplate_kw"]).all()
    assert (frame["nameplate_kw"] >= frame["typical_kw"]).all()
    assert ((frame["continuous_kw"] - frame["worst_kw"] - frame["reserve_kw"]).abs() <= 0.11).all()
    amps = dict(frame.select("kind", "amps").unique().iter_rows())
    assert (amps["tap"], amps["busway"], amps["ring"]) == (60, 160, 600)
    tap = frame.filter(pl.col("breaker") == "lab-a0001-r01-tap-a1").row(0, named=True)
    assert (tap["feeds"], tap["feed"]) == ("lab-a0001-r01-pdu-a1", "a")
    worst = View(plan).carried.group_by("power_node").agg(pl.col("load_w").max()).rename({"power_node": "breaker"})
    both = frame.join(worst, on="breaker")
    assert ((both["worst_kw"] - both["load_w"] / 1000).abs() <= 0.051).all()


def test_a_pdu_lists_every_cord_and_its_phases_add_up() -> None:
    plan = lab()
    (file,) = pdus(plan, {})
    frame = table(file.data)
    assert len(frame) == len(plan.power_connections)
    per = frame.group_by("pdu").agg(
        pl.col("kw").sum(), *(pl.col(f"phase{n}_kw").first() for n in (1, 2, 3)), pl.col("imbalance_pct").first()
    )
    total = per["phase1_kw"] + per["phase2_kw"] + per["phase3_kw"]
    assert ((total - per["kw"]).abs() < 0.02).all()
    assert (per["imbalance_pct"] >= 0).all()


@pytest.mark.parametrize("kind", ["transformer", "ring"])
def test_a_part_over_its_limit_says_so_in_words_and_shape(kind: str) -> None:
    plan = lab()
    assert not any("OVER" in text for texts in words(plan).values() for text in texts)
    small = pl.when(pl.col("kind") == kind).then(pl.lit(1_000, dtype=pl.Int64)).otherwise("capacity_w")
    nodes = SCHEMAS["power_nodes"].cast(pl.DataFrame(plan.power_nodes).with_columns(capacity_w=small))
    over = words(replace(plan, power_nodes=nodes))
    assert any("OVER" in text for text in over["one_line/h1.svg"])


def test_a_diagram_names_every_source_ring_transformer_and_board() -> None:
    plan = lab()
    drawn = words(plan)
    assert list(drawn) == ["one_line.svg", "one_line/h1.svg"]
    hall = " ".join(drawn["one_line/h1.svg"])
    kinds = plan.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(["ring", "transformer", "board"]), hall="h1")
    assert [n for n in kinds["power_node"] if n not in hall] == []
    site = " ".join(drawn["one_line.svg"])
    upper = plan.power_nodes.filter(pl.col("kind").cast(pl.String).is_in(["utility", "substation"]))
    assert [n for n in upper["power_node"] if n not in site] == []
