"""A site file that is right -> the spec, and what may be written in how many ways."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from lindos.catalogue import load_catalogue
from lindos.errors import CatalogueError, SpecError
from lindos.plan.facts import gather
from lindos.spec import Spec, load_spec
from lindos.spec.load import assumed_products
from lindos.spec.source import Source
from lindos.spec.values import read_values

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab" / "site.yaml"
LIGHT = {"lindos", "pydantic", "pydantic_core", "ruamel", "annotated_types", "typing_extensions", "typing_inspection"}


def values(text: str) -> object:
    """The text of a value -> what it is read as; SpecError where it is told of."""
    source = Source("site.yaml", f"it: {text}\n")
    out = read_values(source)["it"]
    if source.problems:
        raise source.error()
    return out


@pytest.mark.parametrize("site", sorted(p.parent.name for p in ROOT.glob("inventories/*/site.yaml")))
def test_the_sites_of_this_repository_can_be_read(site: str) -> None:
    """Format, names and facts of every site are right."""
    spec = load_spec(ROOT / "inventories" / site / "site.yaml")
    assert spec.site == site
    facts = gather(spec, load_catalogue(assumed_products(spec)))
    assert sum(f.gpus for f in facts.fleets) == spec.gpus


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("131_072", 131_072), ("131072", 131_072), ("-5", -5), ("+5", 5), ("0", 0),
        ("0.75", 0.75), (".5", 0.5), ("2.", 2.0), ("1e3", 1000.0), ("1_000.5", 1000.5), ("-0.0", 0.0),
        ("true", True), ("False", False), ("TRUE", True),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("NO", "NO"),
        ("2024-06-01", "2024-06-01"), ("12:30:45", "12:30:45"), ("570.133.20", "570.133.20"), ("1__0", "1__0"), ("٣", "٣"),
        ("'8'", "8"), ('"8"', "8"), ("'null'", "null"), ("''", ""), ('"\\u00e9"', "é"), ("|\n  a\n  b", "a\nb\n"),
        ("[1, [2, {a: b}]]", [1, [2, {"a": "b"}]]), ("{400: 1, on: 2, '5': 3}", {400: 1, "on": 2, "5": 3}),
        ("[&a {x: 1}, *a]", [{"x": 1}, {"x": 1}]), ("&a 5\nnext: *a", 5),
    ],
)  # fmt: skip
def test_values_are_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    """Whole numbers may be grouped; what YAML 1.1 took for true, for a day or for base 60 is text."""
    got = values(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "text", ["", "~", "null", "0x1f", "0o17", "0b1", "007", "1_", "9" * 31, "!!int '5'", "! 5", "!x 5"]
)
def test_values_that_could_mean_two_things_are_refused(text: str) -> None:
    """Nothing, numbers of another base, numbers with a zero before them, numbers without end, tags."""
    with pytest.raises(SpecError):
        values(text)


def test_an_alias_is_the_value_and_no_copy_of_it() -> None:
    """Thirty levels of ten aliases each are thirty lists, not 10^30."""
    text = "[x]\nl0: &l0 [x, x]\n" + "".join(f"l{i}: &l{i} [{f'*l{i - 1}, ' * 10}]\n" for i in range(1, 30))
    source = Source("site.yaml", f"it: {text}")
    out = read_values(source)
    assert out["l29"][0] is out["l29"][9] is out["l28"]
    assert not source.problems


@pytest.mark.parametrize("change", ["bom", "windows", "old mac", "marked", "quoted day", "no end of line"])
def test_one_site_may_be_written_in_more_than_one_way(change: str, tmp_path: Path) -> None:
    """A byte order mark, other ends of lines, markers of the document and quotes around a day change nothing."""
    text = LAB.read_text()
    path = tmp_path / "site.yaml"
    changed = {
        "bom": "\ufeff" + text,
        "windows": text.replace("\n", "\r\n"),
        "old mac": text.replace("\n", "\r"),
        "marked": "%YAML 1.2\n" + text + "...\n",
        "quoted day": text.replace("from: 2024-06-01", "from: '2024-06-01'"),
        "no end of line": text.rstrip("\n"),
    }[change]
    assert changed != text
    path.write_bytes(changed.encode())
    assert load_spec(path) == load_spec(LAB)
    assert load_spec(path).power.sources[0].start == date(2024, 6, 1)


@pytest.mark.parametrize("value", [True, "8", 8.0, 8.5, None, [8]])
def test_a_whole_number_is_a_whole_number(value: object) -> None:
    """The model itself takes nothing else for one, whoever calls it."""
    with pytest.raises(ValidationError):
        Spec.model_validate({"lindos": value})
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate({"lindos": 1, "grows_to": value if value is not None else "x"})
    assert any(error["loc"] == ("grows_to",) for error in caught.value.errors())


def test_a_spec_is_frozen_and_equal_wherever_it_was_read(tmp_path: Path) -> None:
    """The place of a file is no part of what it says."""
    spec = load_spec(LAB)
    copy = tmp_path / "site.yaml"
    copy.write_text("# moved down by a line\n" + LAB.read_text())
    assert load_spec(copy) == spec
    with pytest.raises(ValidationError):
        spec.site = "other"  # type: ignore[misc]


def test_what_is_assumed_of_a_product_comes_with_its_place() -> None:
    """A stage that misses a fact can point to the entry where it belongs, or to where the product is named."""
    spec = load_spec(LAB)
    lines = LAB.read_text().splitlines()
    said = assumed_products(spec)
    entry = said["sn2201"]
    assert (entry.kind, entry.facts["power_w_max"]) == ("", 150)
    assert entry.place
    assert lines[entry.place.line - 1].startswith("    facts: {power_w_max: 150")
    assert said["lab_switch_16"].kind == "switch"
    bare = Spec.model_validate(spec.model_dump(by_alias=True))
    assert all(a.place is None for a in assumed_products(bare).values())
    assert set(assumed_products(bare)) == {a.product for a in spec.assumptions}


def test_format_and_names_are_told_together(tmp_path: Path) -> None:
    """A wrong number in one section hides no unknown product in another."""
    path = tmp_path / "site.yaml"
    path.write_text(LAB.read_text().replace("mw: 0.1", "mw: -1").replace("{switch: sn2201", "{switch: sn2210"))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert [p.place.path for p in caught.value.problems if p.place] == ["power.sources[0].mw", "fabrics.oob.switch"]


def test_a_missing_fact_is_a_catalogue_error_that_names_product_and_fact(tmp_path: Path) -> None:
    """Exit code 2, the entry of the product as its place, and the words to add there."""
    path = tmp_path / "site.yaml"
    path.write_text(LAB.read_text().replace("facts: {power_w_max: 150, psu", "facts: {psu"))
    spec = load_spec(path)
    with pytest.raises(CatalogueError) as caught:
        gather(spec, load_catalogue(assumed_products(spec)))
    (problem,) = caught.value.problems
    assert problem.message == "switch 'sn2201': power_w_max is not known"
    assert problem.hint == "add it to `facts:` here: power_w_max: ..."
    assert problem.place
    assert problem.place.path == "assumptions[8].facts"
    assert caught.value.exit_code == 2


def test_reading_a_spec_needs_two_libraries_and_no_more() -> None:
    """`import lindos.spec` stands at the beginning of every command."""
    code = "import sys, lindos.spec; print(*{m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names))"
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert {m for m in out.split() if not m.startswith(("_", "__editable"))} <= LIGHT
    code = (
        "import sys, lindos.spec; print(*sorted({'difflib', 'yaml', 'polars', 'jinja2', 'asyncio'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert not out.strip()
