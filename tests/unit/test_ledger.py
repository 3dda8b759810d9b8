"""The ledger counts each planned GPU once, at the furthest stage that evidence supports."""

from __future__ import annotations

import json
import os
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindos.finding import Finding, Severity
from lindos.ledger import EVIDENCE, NOT_MEASURED, STAGES, ledger, read_evidence, read_ledger, render
from lindos.observation import Observation, write_observations


def gpus(*nodes: str, count: int = 8) -> pl.DataFrame:
    rows = [(f"{node}-g{i}", node, i) for node in nodes for i in range(count)]
    return pl.DataFrame(rows, schema={"gpu": pl.String, "device": pl.String, "index": pl.UInt8}, orient="row")


def up_to(node: str, stage: str, **more) -> list[Observation]:
    """True evidence for every stage up to and including one."""
    return [Observation(node, s, seen=True, **more) for s in EVIDENCE[: EVIDENCE.index(stage) + 1]]


def reached(book) -> dict[str, int]:
    return {row.stage: row.gpus for row in book.rows}


def row(book, stage):
    return next(r for r in book.rows if r.stage == stage)


def test_a_plan_without_evidence_is_designed_and_no_more():
    book = ledger(gpus("n1", "n2"), [])
    assert reached(book) == {s: 16 if s == "designed" else 0 for s in STAGES}
    assert row(book, "racked").not_measured == 16
    assert not row(book, "racked").measured
    assert [(b.stage, b.reason, b.gpus) for b in book.blockers] == [("racked", NOT_MEASURED, 16)]


def test_evidence_for_a_late_stage_does_not_skip_one_that_is_not_measured():
    seen = [o for o in up_to("n1", "driver") if o.what != "bmc"]
    book = ledger(gpus("n1"), seen)
    assert reached(book)["powered"] == 8
    assert reached(book)["bmc"] == reached(book)["os"] == 0
    assert row(book, "os").measured


def test_a_stage_that_is_measured_elsewhere_is_not_measured_on_a_node_without_evidence():
    book = ledger(gpus("n1", "n2"), [*up_to("n1", "os"), *up_to("n2", "powered")])
    assert reached(book)["bmc"] == 8
    assert row(book, "bmc").measured
    assert row(book, "bmc").not_measured == 8
    assert book.blockers[0].examples == ("n2",)


def test_what_could_not_be_measured_is_no_pass_and_hides_no_other_source():
    unknown = Observation("n1", "racked", seen=None)
    assert reached(ledger(gpus("n1"), [unknown]))["racked"] == 0
    assert row(ledger(gpus("n1"), [unknown]), "racked").not_measured == 8
    assert reached(ledger(gpus("n1"), [unknown, Observation("n1", "racked", seen=True)]))["racked"] == 8


def test_text_is_no_evidence():
    assert reached(ledger(gpus("n1"), [Observation("n1", "racked", seen="absent")]))["racked"] == 0


def test_seven_of_eight_gpus_count_seven():
    seen = [*up_to("n1", "os"), Observation("n1", "driver", seen=7, detail="HOST-001: expected 8 GPUs, seen 7")]
    book = ledger(gpus("n1"), seen)
    assert reached(book)["driver"] == 7
    assert [(b.stage, b.reason, b.gpus) for b in book.blockers] == [
        ("cabled", NOT_MEASURED, 7),
        ("driver", "HOST-001: expected 8 GPUs, seen 7", 1),
    ]


def test_the_least_of_several_sources_counts_and_gives_the_reason():
    seen = [
        Observation("n1", "racked", seen=True),
        Observation("n1", "racked", seen=False, detail="another stands there"),
    ]
    book = ledger(gpus("n1"), seen)
    assert reached(book)["racked"] == 0
    assert book.blockers[0].reason == "another stands there"


def test_what_a_double_answered_is_counted_apart():
    seen = [*up_to("n1", "powered"), *up_to("n2", "powered", doubled=True)]
    book = ledger(gpus("n1", "n2"), seen)
    assert (row(book, "powered").gpus, row(book, "powered").doubled) == (16, 8)


def test_a_critical_finding_keeps_a_node_from_validated():
    fault = Finding("PATH-001", Severity.CRITICAL, "n1:rail3", "answers nobody")
    book = ledger(gpus("n1", "n2"), [*up_to("n1", "schedulable"), *up_to("n2", "schedulable")], [fault])
    assert reached(book)["cabled"] == 16
    assert reached(book)["validated"] == reached(book)["schedulable"] == 8
    assert book.blockers[0].reason == "PATH-001: answers nobody"


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.UNKNOWN, Severity.INFO])
def test_a_lesser_finding_does_not(severity):
    fault = Finding("HOST-042", severity, "n1", "a reboot is asked for")
    assert reached(ledger(gpus("n1"), up_to("n1", "validated"), [fault]))["validated"] == 8


def test_reasons_of_one_code_are_one_blocker():
    seen = [
        Observation(f"n{i}", "racked", seen=False, detail=f"HOST-003: expected driver 2, seen {i}") for i in range(3)
    ]
    (blocker,) = ledger(gpus("n0", "n1", "n2"), seen).blockers
    assert blocker.gpus == 24
    assert blocker.reason == "HOST-003: expected driver 2, seen 0 (and 2 like it)"
    assert blocker.examples == ("n0", "n1", "n2")


def test_evidence_about_what_is_not_planned_is_not_counted():
    assert ledger(gpus("n1"), up_to("stranger", "os")).total == 8
    assert reached(ledger(gpus("n1"), up_to("stranger", "os")))["racked"] == 0


def test_the_table_for_people():
    seen = [
        *up_to("n1", "validated", doubled=True),
        *up_to("n2", "bmc"),
        Observation("n2", "os", seen=False, detail="REACH-001: no answer"),
    ]
    assert render(ledger(gpus("n1", "n2"), seen)) == (
        "stage               GPUs  of plan     doubled\n"
        "designed              16   100.0%\n"
        "racked                16   100.0%           8\n"
        "powered               16   100.0%           8\n"
        "bmc                   16   100.0%           8\n"
        "os                     8    50.0%           8\n"
        "driver                 8    50.0%           8\n"
        "cabled                 8    50.0%           8\n"
        "validated              8    50.0%           8\n"
        "schedulable            0     0.0%              not measured\n"
        "\n"
        "doubled: a stand-in answered, not the hardware\n"
        "\n"
        "what holds back the rest:\n"
        "          8 GPUs before os: REACH-001: no answer (n2)\n"
        "          8 GPUs before schedulable: not measured (n1)"
    )


def test_the_same_as_data():
    found = ledger(gpus("n1"), up_to("n1", "os")).as_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["stages"][4] == {"stage": "os", "gpus": 8, "doubled": 0, "not_measured": 0, "measured": True}


def test_a_site_without_gpus_has_an_empty_ledger():
    book = ledger(gpus(), [])
    assert book.total == 0
    assert book.blockers == ()
    assert "designed" in render(book)


def test_of_one_fact_the_newest_file_counts(tmp_path):
    write_observations(
        tmp_path / "b.jsonl", [Observation("n1", "bmc", seen=False), Observation("n2", "bmc", seen=False)]
    )
    write_observations(tmp_path / "a.jsonl", [Observation("n1", "bmc", seen=True)])
    os.utime(tmp_path / "b.jsonl", (1, 1))
    assert {(o.device, o.seen) for o in read_evidence(tmp_path)} == {("n1", True), ("n2", False)}


def test_a_ledger_is_taken_from_the_files_of_a_site(tmp_path):
    write_observations(tmp_path / "verify.jsonl", up_to("n1", "validated"))
    findings = tmp_path / "findings"
    findings.mkdir()
    fault = Finding("HOST-003", Severity.CRITICAL, "n1", "expected driver 2, seen 1", "converge")
    (findings / "verify.json").write_text(json.dumps([fault.as_dict()]))
    book = read_ledger(gpus("n1"), tmp_path)
    assert reached(book)["cabled"] == 8
    assert reached(book)["validated"] == 0


def test_a_million_gpus_take_seconds():
    nodes = [f"n{i}" for i in range(125_000)]
    plan = pl.DataFrame({"device": nodes}).join(
        pl.DataFrame({"index": range(8)}, schema={"index": pl.UInt8}), how="cross"
    )
    plan = plan.with_columns(gpu=pl.format("{}-g{}", "device", "index"))
    seen = [
        Observation(node, stage, seen=i % 100 != 0 or stage != "os", detail="" if i % 100 else "REACH-001: no answer")
        for i, node in enumerate(nodes)
        for stage in EVIDENCE[:5]
    ]
    start = time.perf_counter()
    book = ledger(plan, seen)
    seconds = time.perf_counter() - start
    assert book.total == 1_000_000
    assert reached(book)["os"] == 990_000
    assert seconds < 20, f"{seconds:.1f} s"


NODES = ("n1", "n2", "n3")
WORDS = st.sampled_from([True, False, None, 0, 1, 3, 8, 99, -1, "On"])
SEEN = st.builds(
    Observation,
    device=st.sampled_from([*NODES, "stranger"]),
    what=st.sampled_from([*EVIDENCE, "gpu_count"]),
    seen=WORDS,
    doubled=st.booleans(),
    detail=st.sampled_from(["", "HOST-001: a", "HOST-001: b", "dead"]),
)
FAULT = st.builds(
    Finding,
    code=st.just("HOST-003"),
    severity=st.sampled_from(list(Severity)),
    subject=st.sampled_from(["n1", "n2:rail3", "leaf"]),
    message=st.just("x"),
)


@given(st.lists(SEEN, max_size=40), st.lists(FAULT, max_size=3))
@settings(max_examples=150, deadline=None)
def test_every_gpu_is_counted_exactly_once(seen, faults):
    book = ledger(gpus(*NODES, count=4), seen, faults)
    counts = [r.gpus for r in book.rows]
    assert counts[0] == book.total == book.per_gpu.height == 12
    assert counts == sorted(counts, reverse=True)
    at_stage = dict(book.per_gpu["stage"].value_counts().iter_rows())
    for stage, count, after in zip(STAGES, counts, [*counts[1:], 0], strict=True):
        assert at_stage.get(stage, 0) == count - after
    for earlier, later in zip(book.rows, book.rows[1:], strict=False):
        held = sum(b.gpus for b in book.blockers if b.stage == later.stage)
        assert earlier.gpus - later.gpus == held
        assert later.not_measured <= held
    assert all(r.doubled <= r.gpus for r in book.rows)


@given(st.lists(SEEN, max_size=30), SEEN, st.sampled_from([False, 0]))
@settings(max_examples=150, deadline=None)
def test_a_failing_observation_never_raises_a_count(seen, last, failed):
    plan = gpus(*NODES, count=4)
    worse = Observation(last.device, last.what, failed)
    before, after = reached(ledger(plan, seen)), reached(ledger(plan, [*seen, worse]))
    assert all(after[s] <= before[s] for s in STAGES)


@given(st.lists(SEEN, max_size=30), st.lists(FAULT, max_size=4), FAULT)
@settings(max_examples=100, deadline=None)
def test_another_finding_never_raises_a_count(seen, faults, fault):
    plan = gpus(*NODES, count=4)
    before, after = reached(ledger(plan, seen, faults)), reached(ledger(plan, seen, [*faults, fault]))
    assert all(after[s] <= before[s] for s in STAGES)


@given(st.lists(SEEN, max_size=20).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))))
@settings(max_examples=100, deadline=None)
def test_the_order_of_evidence_does_not_matter(both):
    one, other = both
    plan = gpus(*NODES, count=4)
    assert ledger(plan, one) == ledger(plan, other)
