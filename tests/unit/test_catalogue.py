"""Products as facts: every file of the catalogue is right, and reading it is quick and tells what is wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, get_args

import pytest
from ruamel.yaml import YAML

from lindos.catalogue import Cdu, Node, Rack, Switch, load_catalogue
from lindos.catalogue.files import FOLDERS, ProductFile, check_facts, leaves, read_product_file
from lindos.catalogue.load import PRODUCTS, Assumed, Catalogue, Needs, merge
from lindos.catalogue.products import KINDS, REFERENCES, Kind, NvSwitch, Shelf
from lindos.errors import CatalogueError, Place

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(PRODUCTS.glob("*/*.yaml"))
NAMES = [f"{p.parent.name}/{p.stem}" for p in FILES]
COLD_MS = 200
"""CPU time on a machine that does something else as well; an idle one takes half of it at most."""

SWITCH = """\
kind: switch
source: its data sheet
confidence: sourced
fact_confidence: {psu.needed: derived}
facts: {u_height: 1, psu: {count: 2, needed: 1}}
"""


def catalogue_of(folder: Path, **files: str) -> Catalogue:
    """Texts of switch files by name -> the catalogue that holds them."""
    (folder / "switches").mkdir()
    for name, text in files.items():
        (folder / "switches" / f"{name}.yaml").write_text(text)
    return Catalogue(folder)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_product_file_is_valid_by_its_kind(path: Path) -> None:
    """Its facts are facts of its kind, within bounds; what is said of confidence is said of facts that are there."""
    file = read_product_file(path)
    assert not [problem.render() for problem in check_facts(path, file)]
    assert path.name == path.name.lower()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_fact_has_a_source_and_a_confidence(path: Path) -> None:
    """What nobody verified says so: 'not verified' and 'recall' stand together."""
    file = read_product_file(path)
    marks = {file.confidence_of(fact) for fact in leaves(file.facts)}
    assert marks
    if file.source == "not verified":
        assert marks == {"recall"}
    if file.confidence == "recall":
        assert file.source == "not verified"
    assert not any(mark == file.confidence for fact, mark in file.fact_confidence.items() if "." not in fact)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_quick_reader_reads_what_yaml_1_2_says(path: Path) -> None:
    """Product files are read by YAML 1.1 in C; none holds anything that YAML 1.2 would read in another way."""
    slow = YAML(typ="safe", pure=True).load(path.read_text())
    assert read_product_file(path).model_dump(exclude_unset=True) == slow


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_products_that_a_product_names_are_in_the_catalogue(path: Path) -> None:
    """The GPU of a node, the node and the CDU of a rack."""
    file, catalogue = read_product_file(path), load_catalogue()
    for fact, kind in REFERENCES.get(file.kind, {}).items():
        if fact in file.facts:
            assert catalogue.kind(file.facts[fact]) == kind


def test_names_are_given_once_over_all_kinds() -> None:
    """A name says which product, without its kind."""
    assert len({p.stem for p in FILES}) == len(FILES)
    assert load_catalogue().names() == sorted(p.stem for p in FILES)


def test_every_kind_has_a_model_a_folder_and_a_word() -> None:
    """To add a kind is to add it in three tables."""
    assert set(KINDS) == set(get_args(Kind)) == set(FOLDERS)
    assert {p.parent.name for p in FILES} <= set(FOLDERS.values())
    for kind in KINDS:
        assert set(load_catalogue().names(kind)) == {p.stem for p in FILES if p.parent.name == FOLDERS[kind]}


def test_confidence_is_inherited_from_the_nearest_mark() -> None:
    """A mark on a fact holds for its parts; the file's holds for the rest."""
    file = ProductFile(
        kind="switch",
        source="a data sheet",
        confidence="sourced",
        fact_confidence={"psu": "recall", "psu.count": "secondary"},
        facts={"u_height": 1, "psu": {"count": 2, "needed": 1}},
    )
    assert [file.confidence_of(f) for f in leaves(file.facts)] == ["sourced", "recall", "secondary", "recall"]


def test_only_files_that_are_asked_for_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from the folders; a product is read when it is asked for, and once."""
    read: list[str] = []

    def note(path: Path) -> ProductFile:
        read.append(path.stem)
        return read_product_file(path)

    monkeypatch.setattr("lindos.catalogue.load.read_product_file", note)
    catalogue = load_catalogue()
    assert "sn5600" in catalogue.names("switch")
    assert not read
    catalogue.get(Switch, "sn5600")
    catalogue.get(Switch, "sn5600")
    assert catalogue.kind("no_such_product") is None
    assert read == ["sn5600"]


def test_what_a_site_needs_is_read_in_a_moment() -> None:
    """Every optic, copper cable and switch, in a fresh process: more than any site asks for."""
    code = """
import time
from lindos.catalogue import load_catalogue
from lindos.catalogue.products import KINDS
begin = time.process_time()
catalogue = load_catalogue()
for kind in ("optic", "copper", "switch"):
    for name in catalogue.names(kind):
        catalogue.get(KINDS[kind], name)
print((time.process_time() - begin) * 1000)
"""
    spent = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(3)
    ]
    assert min(spent) < COLD_MS


def test_assumptions_lie_over_the_catalogue_part_by_part() -> None:
    """What a site file says of a part of a fact leaves the rest of the fact as it is."""
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "e": {"f": 1}}) == {
        "a": {"b": 9, "c": 2},
        "d": 3,
        "e": {"f": 1},
    }
    catalogue = load_catalogue({"sn2201": ("", {"psu": {"needed": 1}}), "ours": ("switch", {"u_height": 3})})
    psu = catalogue.get(Switch, "sn2201").psu
    assert psu
    assert (psu.count, psu.needed) == (2, 1)
    assert catalogue.get(Switch, "ours").u_height == 3
    assert "ours" in catalogue.names("switch")
    assert "ours" not in catalogue.names("node")
    assert load_catalogue().kind("ours") is None


def test_an_unknown_product_is_told_with_the_nearest_names() -> None:
    """Nearest first; where none is near, some that there are, and how to describe one."""
    catalogue = load_catalogue()
    with pytest.raises(CatalogueError) as caught:
        catalogue.get(Node, "dell_xe968")
    (problem,) = caught.value.problems
    assert problem.message == "there is no node 'dell_xe968' in the catalogue"
    assert problem.hint == "did you mean 'dell_xe9680', 'dell_xe9680l' or 'dell_xe9640'?"
    with pytest.raises(CatalogueError, match="'sn5600' is a switch, not a cdu"):
        catalogue.get(Cdu, "sn5600")
    with pytest.raises(CatalogueError) as caught:
        catalogue.get(Cdu, "zzz")
    known = "boyd_rol2300, coolit_chx2000, motivair_mcdu_70, smc_cdu_250, vertiv_xdu1350"
    assert caught.value.problems[0].hint == f"known: {known}; or describe it under `assumptions:` with `kind: cdu`"


def test_a_fact_that_is_half_known_is_told_as_missing() -> None:
    """Part of the power supplies without their count is no fact of theirs."""
    place = Place("site.yaml", 7, 5, "    facts: {psu: {needed: 1}}", "assumptions[0].facts")
    catalogue = load_catalogue({"sn4700": Assumed("", {"psu": {"needed": 1}}, place)})
    with pytest.raises(CatalogueError) as caught:
        catalogue.get(Switch, "sn4700")
    (problem,) = caught.value.problems
    assert problem.message == "switch 'sn4700': psu.count is not known"
    assert problem.hint == "add it to `facts:` here: psu: {count: ...}"
    assert problem.place == place


def test_facts_that_a_stage_misses_are_told_together() -> None:
    """Each once, in the order of the site file, those without a place last."""
    place = Place("site.yaml", 3, 1)
    needs = Needs(load_catalogue({"sn4700": Assumed("", {"u_height": 1}, place)}))
    assert needs(5, "node", "a", "gpus") == 5
    assert needs(0, "node", "a", "gpus") == 0
    needs.settle()
    for product in ("smc_cdu_250", "sn4700", "sn4700"):
        assert needs(None, "switch", product, "psu.count") is None
    with pytest.raises(CatalogueError) as caught:
        needs.settle()
    assert [p.message for p in caught.value.problems] == [
        "switch 'sn4700': psu.count is not known",
        "switch 'smc_cdu_250': psu.count is not known",
    ]
    assert caught.value.problems[1].hint.endswith("- {product: smc_cdu_250, facts: {psu: {count: ...}}, reason: ...}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("kind: switch", "kind: swich"), "kind: 'swich' is not one of: gpu, cpu, node"),
        (("kind: switch", "kind: rack"), "a rack stands in folder racks/"),
        (("source: its data sheet\n", ""), "'source' is missing"),
        (("confidence: sourced", "confidence: sure"), "confidence: 'sure' is not one of: sourced, secondary"),
        (("facts: {", "fact: {"), "unknown key 'fact'"),
        (("needed: 1}}", "needed: 1}"), "this is not YAML"),
        (("confidence: sourced", "confidence: sourced: x"), "this is not YAML: mapping values are not allowed"),
        ((SWITCH, "- a\n"), "expected keys and values, not a list"),
        ((SWITCH, ""), "expected keys and values"),
    ],
)
def test_a_product_file_that_is_wrong_is_told_by_its_path(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    """Whoever adds a product makes mistakes too."""
    catalogue = catalogue_of(tmp_path, ours=SWITCH.replace(*change))
    with pytest.raises(CatalogueError) as caught:
        catalogue.get(Switch, "ours")
    text = caught.value.render()
    assert f"{tmp_path}/switches/ours.yaml:" in text
    assert message in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("u_height: 1", "height_u: 1"), "facts.height_u: unknown key 'height_u'"),
        (("u_height: 1", "u_height: '1'"), "facts.u_height: expected a whole number of rack units, not '1'"),
        (("u_height: 1", "power_w_max: .nan"), "facts.power_w_max: expected a number, not nan"),
        (("u_height: 1", "weight_kg: null"), "facts.weight_kg: nothing is said"),
        (("psu: {count: 2, ", "psu: {"), "'facts.psu.count' is missing"),
        (("needed: 1", "needed: 3"), "facts.psu: needed is 3, but the count of power supplies is 2"),
        (("psu.needed", "psu.rating_w"), "fact_confidence: there is no fact 'psu.rating_w' here"),
    ],
)
def test_facts_that_are_wrong_are_found(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    """The check that every file of the catalogue passes does find something."""
    catalogue_of(tmp_path, ours=SWITCH.replace(*change))
    path = tmp_path / "switches" / "ours.yaml"
    assert message in "\n".join(p.render() for p in check_facts(path, read_product_file(path)))


@pytest.mark.parametrize("name", ["gb200_nvl72", "gb300_nvl72"])
def test_a_rack_of_trays_is_the_sum_of_its_parts(name: str) -> None:
    """GPUs, watts at most and typically, and shelves of which half carry the rack (the GB300 rack takes five of eight)."""
    catalogue = load_catalogue()
    rack = catalogue.get(Rack, name)
    assert rack.node
    assert rack.nvswitch
    assert rack.shelf
    node, tray = catalogue.get(Node, rack.node), catalogue.get(NvSwitch, rack.nvswitch)
    shelf = catalogue.get(Shelf, rack.shelf)
    nodes, trays, shelves = rack.nodes or 0, rack.nvswitch_trays or 0, rack.shelves or 0
    assert nodes * (node.gpus or 0) == rack.gpus == (rack.ew_nics.count if rack.ew_nics else 0)
    assert node.nics_ew
    assert node.nics_ew.count == node.gpus
    for said, of_node, of_tray in (
        (rack.power_w_max, node.power_w_max, tray.power_w_max),
        (rack.power_w_typical, node.power_w_typical, tray.power_w_typical),
    ):
        drawn = nodes * (of_node or 0) + trays * (of_tray or 0)
        assert 0.999 * (said or 0) <= drawn <= (said or 0)
    assert shelf.psu
    carried = shelves * shelf.psu.count * (shelf.psu.rating_w or 0) / (rack.power_w_max or 1)
    assert carried >= (2 if name == "gb200_nvl72" else 8 / 5)
    heights = nodes * (node.u_height or 0) + trays * (tray.u_height or 0) + shelves * (shelf.u_height or 0)
    assert heights + 2 <= 48


def test_a_rack_of_the_catalogue_is_the_sum_of_its_parts() -> None:
    """GPUs and heights that were published of the Colossus rack agree with those of its nodes."""
    catalogue = load_catalogue()
    rack = catalogue.get(Rack, "colossus_smc_lcc")
    node = catalogue.get(Node, "smc_sys_421ge_tnhr2_lcc")
    assert rack.nodes
    assert rack.u
    assert node.gpus
    assert node.u_height
    assert rack.nodes * node.gpus == rack.gpus
    assert rack.nodes * node.u_height == rack.u.nodes
