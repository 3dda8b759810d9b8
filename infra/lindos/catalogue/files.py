"""A product file -> its kind, its facts, and where each fact comes from.

kind: switch
source: NVIDIA SN5000 hardware manual      # of every fact
confidence: sourced                        # of every fact that is not named below
fact_confidence: {power_w_typical: secondary, psu.needed: derived}
note: what no fact can hold
facts: {u_height: 2, psu: {count: 2, needed: 1}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lindos.catalogue.products import KINDS, Kind
from lindos.catalogue.wording import keys_of, section_at, unknown_key, word
from lindos.errors import CatalogueError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Confidence = Literal["sourced", "secondary", "derived", "recall"]
"""A vendor's document or first-hand source; a third party that quotes the vendor; computed; not verified."""

FOLDERS: dict[Kind, str] = {
    "gpu": "gpus",
    "cpu": "cpus",
    "node": "nodes",
    "rack": "racks",
    "nvswitch": "nvswitches",
    "shelf": "shelves",
    "switch": "switches",
    "cdu": "cdus",
    "rear_door": "rear_doors",
    "coolant": "coolants",
    "storage": "storage",
    "service": "services",
    "source": "sources",
    "optic": "optics",
    "copper": "copper",
    "cordage": "cordage",
}
"""Kind of product -> the folder that holds its files."""


class ProductFile(BaseModel):
    """What stands in a product file. Facts are checked against their kind by `check_facts`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    kind: Kind
    source: Annotated[str, Field(min_length=3)]
    confidence: Confidence
    fact_confidence: dict[str, Confidence] = {}
    note: str = ""
    facts: Annotated[dict[str, Any], Field(min_length=1)]

    def confidence_of(self, fact: str) -> Confidence:
        """Dotted name of a fact -> how far it can be trusted: its own mark, its parent's, or the file's."""
        while fact:
            if fact in self.fact_confidence:
                return self.fact_confidence[fact]
            fact = fact.rpartition(".")[0]
        return self.confidence


def _problem(path: Path, message: str, hint: str = "", line: int = 0, column: int = 0, text: str = "") -> Problem:
    return Problem(message, hint, Place(str(path), line + 1, column + 1, text))


def _not_yaml(path: Path, text: str, err: Any) -> CatalogueError:
    mark = err.problem_mark or err.context_mark
    lines = text.splitlines()
    line, column = (mark.line, mark.column) if mark and mark.line < len(lines) else (0, 0)
    said = f"this is not YAML: {err.problem or err.context}"
    return CatalogueError(_problem(path, said, "", line, column, lines[line] if lines else ""))


def _as_problems(path: Path, model: type[BaseModel], errors: Iterable[Any], before: str) -> list[Problem]:
    out = []
    for error in errors:
        loc = error["loc"]
        if error["type"] == "extra_forbidden":
            said = unknown_key(loc[-1], keys_of(section_at(model, loc[:-1])), str(error["input"]))
        elif error["type"] == "missing":
            out.append(_problem(path, f"'{before}{'.'.join(map(str, loc))}' is missing"))
            continue
        else:
            said = word(error)
        out.append(_problem(path, f"{before}{'.'.join(map(str, loc))}: {said.message}", said.hint))
    return out


def read_product_file(path: Path) -> ProductFile:
    """Path of a product file -> what stands in it; CatalogueError where that is not a product file."""
    # Reads in C, twenty times as fast. A site file is not read this way: text made to harm can end the process.
    import yaml  # noqa: PLC0415

    text = path.read_text(encoding="utf-8")
    try:
        raw: Mapping[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
    except yaml.MarkedYAMLError as err:
        raise _not_yaml(path, text, err) from None
    try:
        file = ProductFile.model_validate(raw)
    except ValidationError as err:
        raise CatalogueError(_as_problems(path, ProductFile, err.errors(), "")) from None
    if path.parent.name != FOLDERS[file.kind]:
        raise CatalogueError(_problem(path, f"a {file.kind} stands in folder {FOLDERS[file.kind]}/"))
    return file


def leaves(facts: Mapping[str, Any], before: str = "") -> list[str]:
    """Nested facts -> the dotted name of every fact, parents before what they hold."""
    out = []
    for key, value in facts.items():
        out.append(f"{before}{key}")
        if isinstance(value, dict):
            out += leaves(value, f"{before}{key}.")
    return out


def nothing(facts: Mapping[str, Any], before: str = "") -> list[str]:
    """Nested facts -> the dotted name of every fact without a value."""
    return [
        name
        for key, value in facts.items()
        for name in (
            nothing(value, f"{before}{key}.") if isinstance(value, dict) else [f"{before}{key}"] * (value is None)
        )
    ]


def check_facts(path: Path, file: ProductFile) -> list[Problem]:
    """A product file -> what is wrong with its facts: unknown names, wrong values, marks on absent facts."""
    problems: list[Problem] = []
    try:
        KINDS[file.kind].model_validate(file.facts)
    except ValidationError as err:
        problems += _as_problems(path, KINDS[file.kind], err.errors(), "facts.")
    problems += [
        _problem(path, f"facts.{name}: nothing is said", "leave out what is not known") for name in nothing(file.facts)
    ]
    known = set(leaves(file.facts))
    problems += [
        _problem(path, f"fact_confidence: there is no fact '{name}' here")
        for name in file.fact_confidence
        if name not in known
    ]
    return problems
