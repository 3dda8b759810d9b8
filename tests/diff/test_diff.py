"""What `lindos diff` says of two states of a site: cases are data; a golden text; what holds for any two."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from lindos.catalogue import load_catalogue
from lindos.cli import app
from lindos.diff import Difference, diff
from lindos.diff.declare import declared, last_declared
from lindos.diff.report import as_dict, render, runs
from lindos.errors import SpecError
from lindos.plan import Plan, design
from lindos.spec.load import assumed_products
from lindos.spec.model import Spec

HERE = Path(__file__).parent
TALL = HERE.parent / "rules" / "tall.yaml"
CASES = YAML(typ="safe", pure=True).load((HERE / "cases.yaml").read_text())
WIDE = [
    {
        "product": "wide_node",
        "kind": "node",
        "reason": "no product, a node of another shape than tiny_node.",
        "facts": {"vendor": "none", "u_height": 4, "power_w_max": 3000, "power_w_typical": 2500, "gpus": 4, "gpu": "h200_sxm",
                  "psu": {"count": 2, "rating_w": 3200, "needed": 1}, "nics_ew": {"count": 4, "gbps": 400, "cage": "QSFP112"},
                  "nics_ns": {"count": 1, "gbps": 400, "cage": "QSFP112"}, "host_mgmt_ports": 1, "bmc_ports": 1, "cooling": "air"},
    },
    {"product": "wide_rack", "kind": "rack", "reason": "a rack for tests of one node.", "facts": {"nodes": 1, "cooling": "air"}},
]  # fmt: skip


def site_of(changes: dict[str, Any]) -> dict[str, Any]:
    """The site of tests/rules/tall.yaml, changed: `gpus` of its fleet, `fleets` appended, all else from the top."""
    site = YAML(typ="safe", pure=True).load(TALL.read_text())
    changes = dict(changes)
    first = site["compute"]["fleets"][0]
    fleets = [first | {"gpus": changes.pop("gpus", first["gpus"])}]
    fleets += [first | fleet for fleet in changes.pop("fleets", [])]
    site = site | changes
    return site | {"compute": site["compute"] | {"fleets": fleets}, "assumptions": [*site["assumptions"], *WIDE]}


def spec_of(changes: dict[str, Any]) -> Spec:
    return Spec.model_validate(site_of(changes))


def plan_of(changes: dict[str, Any]) -> Plan:
    spec = spec_of(changes)
    return design(spec, load_catalogue(assumed_products(spec)))


def exceptions(difference: Difference) -> dict[str, int]:
    """Noun and verb -> how many."""
    counted = difference.exceptions.group_by("noun", "verb", maintain_order=True).len()
    return {f"{noun} {verb}": n for noun, verb, n in counted.iter_rows()}


@dataclass(frozen=True)
class Both:
    case: dict[str, Any]
    old: Plan
    new: Plan
    said: Difference


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case["name"])
def both(request: pytest.FixtureRequest) -> Both:
    old, new = (plan_of(request.param.get(state, {})) for state in ("old", "new"))
    return Both(request.param, old, new, diff(old, new))


def test_exceptions_are_those_of_the_case(both: Both) -> None:
    found = exceptions(both.said)
    if both.case.get("other"):
        found = {what: n for what, n in found.items() if what in both.case["finds"]}
    assert found == both.case["finds"]
    assert both.said.clean is (not both.case["finds"])


def test_what_is_added_and_the_work_are_those_of_the_case(both: Both) -> None:
    case, said = both.case, both.said
    assert {table: said.added[table] for table in case.get("added", {})} == case.get("added", {})
    if "steps" in case:
        assert [step.what for step in said.steps] == case["steps"]
    worst = max(said.steps, key=lambda step: step.links_out, default=None)
    if "links_out" in case:
        assert worst is not None
        assert worst.links_out == case["links_out"]
    if "bisection" in case:
        assert worst is not None
        assert (worst.bisection_left, worst.switch_left) == (case["bisection"], case["switch_left"])


def test_what_one_way_adds_the_other_way_takes(both: Both) -> None:
    back = diff(both.new, both.old)
    there = {(line.group, line.what): (line.added, line.removed, line.before, line.after) for line in both.said.lines}
    assert there == {(n.group, n.what): (n.removed, n.added, n.after, n.before) for n in back.lines}
    assert both.said.clean <= (len(back.exceptions.filter(verb="moved")) == 0)


def test_text_and_json_say_the_same(both: Both) -> None:
    data = json.loads(json.dumps(as_dict(both.said)))
    text = render(both.said, everything=True)
    for case in data["exceptions"]["all"]:
        assert case["subject"] in text
    for number, step in enumerate(data["work"], 1):
        assert f"{number}. {step['what']}" in text
    assert sum(c["count"] for c in data["exceptions"]["counts"]) == len(data["exceptions"]["all"])


def test_every_cable_that_moves_is_listed_with_both_ends() -> None:
    case = next(c for c in CASES if "told by the fleet" in c["name"])
    old, new = plan_of(case["old"]), plan_of(case["new"])
    moves = diff(old, new).moved.select("a_device", "a_port", "b_device_was", "b_port_was", "b_device", "b_port").rows()
    was = {(a, p): (b, q) for a, p, b, q in old.links.select("a_device", "a_port", "b_device", "b_port").iter_rows()}
    now = {(a, p): (b, q) for a, p, b, q in new.links.select("a_device", "a_port", "b_device", "b_port").iter_rows()}
    assert {(a, p): ((b, q), (c, r)) for a, p, b, q, c, r in moves} == {
        end: (far, now[end]) for end, far in was.items() if now[end] != far
    }


def test_sites_of_different_names_are_compared_without_them() -> None:
    other = plan_of({"site": "grown"})
    assert diff(plan_of({}), other).clean


def test_a_renamed_device_is_told_by_its_address() -> None:
    old = plan_of({})
    new = plan_of({})
    renamed = {
        name: frame.with_columns(
            *(frame[c].str.replace("tall-a0001-r01-n01", "tall-x", literal=True) for c in ("device", "a_device") if c in frame.columns)
        )
        for name, frame in new.tables()
    }  # fmt: skip
    said = diff(old, Plan(site=new.site, digest=new.digest, **renamed))
    assert said.exceptions.filter(verb="renamed").select("was", "now").rows() == [("tall-a0001-r01-n01", "tall-x")]


def test_declared_from_the_first_day_nothing_moves() -> None:
    case = next(c for c in CASES if "told by the fleet" in c["name"])
    specs = [spec_of(case[state]) for state in ("old", "new")]
    room = last_declared(specs[1])
    assert room.site == 64
    plans = [design(s, load_catalogue(assumed_products(s))) for s in (declared(spec, room) for spec in specs)]
    assert diff(*plans).clean
    cores = [line for line in diff(plan_of(case["old"]), plans[0]).lines if "rdma core" in line.what]
    assert [(line.before, line.after) for line in cores] == [(8, 16)]


def test_what_was_built_can_be_compared_with_the_site_file(tmp_path: Path) -> None:
    old = plan_of({})
    tables = tmp_path / "built" / "plan"
    tables.mkdir(parents=True)
    for name, frame in old.tables():
        frame.write_parquet(tables / f"{name}.parquet")
    manifest = tmp_path / "built" / "manifest.json"
    manifest.write_text(json.dumps({"inputs": "x", "site": old.site, "digest": old.digest}))
    run = CliRunner().invoke(app, ["diff", str(tmp_path / "built"), str(TALL), "--json"])
    assert json.loads(run.stdout)["clean"]
    (tables / "links.parquet").unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        CliRunner().invoke(app, ["diff", str(tmp_path / "built"), str(TALL)], catch_exceptions=False)


ISLES = HERE.parent / "rules" / "isles.yaml"


def test_every_fabric_of_a_site_with_islands_can_be_declared_from_the_first_day() -> None:
    site = YAML(typ="safe", pure=True).load(ISLES.read_text())
    fleets = site["compute"]["fleets"]
    old = Spec.model_validate(site)
    new = Spec.model_validate(site | {"compute": site["compute"] | {"fleets": [*fleets, fleets[0] | {"name": "more"}]}})
    room = last_declared(new)
    plans = [design(s, load_catalogue(assumed_products(s))) for s in (declared(spec, room) for spec in (old, new))]
    assert diff(*plans).clean


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["p001", "p002", "p003", "p007"], "p001-p003, p007"),
        (["a0009", "a0010", "frontend"], "a0009-a0010, frontend"),
        (["p009", "q010"], "p009, q010"),
    ],
)
def test_runs_of_names_are_drawn_together(names: list[str], told: str) -> None:
    assert runs(names) == told


def test_the_text_is_that_of_the_golden_file(tmp_path: Path) -> None:
    """`LINDOS_REGENERATE=1 pytest tests/diff` writes it anew."""
    case = next(c for c in CASES if "told by the fleet" in c["name"])
    for state in ("old", "new"):
        path = tmp_path / state / "site.yaml"
        path.parent.mkdir()
        YAML(typ="safe", pure=True).dump(site_of(case[state]), path)
    run = CliRunner().invoke(app, ["diff", str(tmp_path / "old"), str(tmp_path / "new"), "--declare"])
    assert run.exit_code == 0, run.output
    declared_text = run.stdout
    run = CliRunner().invoke(app, ["diff", str(tmp_path / "old"), str(tmp_path / "new")])
    assert run.exit_code == 1
    text = re.sub(r"\b[0-9a-f]{12}\b", "(digest)", f"{run.stdout}\n---- --declare\n{declared_text}")
    golden = HERE / "past_what_was_declared.txt"
    if os.environ.get("LINDOS_REGENERATE"):
        golden.write_text(text)
    assert text == golden.read_text()
