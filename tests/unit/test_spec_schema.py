"""The JSON schema beside the site files: what an editor says while someone types."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lindos.spec.model import Spec
from lindos.spec.schema import site_schema
from lindos.spec.source import Source
from lindos.spec.values import read_values

ROOT = Path(__file__).parents[2]
FILE = ROOT / "inventories" / "site.schema.json"
SITES = sorted(ROOT.glob("inventories/*/site.yaml"))
LAB = next(p for p in SITES if p.parent.name == "lab")


def plain(path: Path) -> Any:
    """A site file -> its values as an editor reads them: grouped numbers are text to it."""
    source = Source(str(path), path.read_text())
    out = read_values(source)

    def seen(value: Any, steps: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict):
            return {k: seen(v, (*steps, k)) for k, v in value.items() if isinstance(k, str)}
        if isinstance(value, list):
            return [seen(v, (*steps, i)) for i, v in enumerate(value)]
        written = source.written[steps]
        return written if "_" in written and isinstance(value, int | float) else value

    return seen(out, ())


def complaints(site: Any) -> list[str]:
    """Values of a site file -> the paths that the schema complains of."""
    checker = jsonschema.Draft7Validator(json.loads(FILE.read_text()))
    return [".".join(map(str, error.absolute_path)) for error in checker.iter_errors(site)]


def test_the_schema_is_fresh() -> None:
    """`LINDOS_REGENERATE=1 pytest tests/unit/test_spec_schema.py` writes it anew."""
    if os.environ.get("LINDOS_REGENERATE"):
        FILE.write_text(site_schema())
    assert FILE.read_text() == site_schema()
    jsonschema.Draft7Validator.check_schema(json.loads(FILE.read_text()))


@pytest.mark.parametrize("path", SITES, ids=lambda p: p.parent.name)
def test_every_site_file_names_the_schema_and_keeps_to_it(path: Path) -> None:
    """An editor that is told of the schema has nothing to complain of in a right file."""
    head = "# yaml-language-server: $schema="
    line = next(line for line in path.read_text().splitlines() if line.startswith(head))
    assert (path.parent / line.removeprefix(head)).resolve() == FILE
    assert not complaints(plain(path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lindos", 2), ("site", "Lab"), ("grows_to", 0), ("grows_to", "131_07"), ("grows_to", True), ("halls", []),
        ("power.sources.0.mw", "8 MW"), ("power.sources.0.kind", "utilty"), ("power.sources.0.kw", 8),
        ("compute.fleets.0.gpus", None), ("fabrics.rdma.port_gbps", 400.5), ("software.nccl", 2.3), ("software.NCCL", "2"),
        ("assumptions.0.reason", "short"), ("power.feeds", ["a", "b", "c", "d", "e"]),
    ],
)  # fmt: skip
def test_an_editor_shows_what_reading_would_refuse(path: str, value: object) -> None:
    """Units, types, ranges, choices, unknown keys: at the key, before the file is saved."""
    site = copy.deepcopy(plain(LAB))
    *steps, last = path.split(".")
    here = site
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here[step]
    here[last] = value
    assert len(complaints(site)) == 1


def test_every_key_is_described() -> None:
    """What an editor shows over a key, and what a person reads whose key is missing."""
    schema = json.loads(FILE.read_text())
    for name, section in {"Spec": schema, **schema["definitions"]}.items():
        assert section.get("description"), name
        for key, field in section["properties"].items():
            assert field.get("description", "").endswith("."), f"{name}.{key}"
    assert set(schema["properties"]) == {f.alias or n for n, f in Spec.model_fields.items()}
