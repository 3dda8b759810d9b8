"""A site file -> Spec, or every mistake in it at once, each with its place and a hint."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from lindos.catalogue import load_catalogue
from lindos.catalogue.products import KINDS
from lindos.errors import Place, Problem, SpecError
from lindos.spec.model import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ruamel.yaml.nodes import Node as YamlNode

    from lindos.catalogue import Catalogue

LARGEST = 2 * 1024 * 1024
"""Bytes. A site file of a million GPUs is a few kilobytes; more is a mistake in the path."""

Path_ = tuple[str | int, ...]


def dotted(path: Path_) -> str:
    """('compute', 'fleets', 0, 'gpus') -> compute.fleets[0].gpus"""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else (f".{step}" if out else str(step))
    return out


class _Source:
    """The text of a site file, and where each value of it stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.marks: dict[Path_, tuple[int, int]] = {}
        self.keys: dict[Path_, tuple[int, int]] = {}
        self.problems: list[Problem] = []

    def place(self, path: Path_, *, key: bool = False) -> Place:
        """Path of a value -> its place; of the nearest ancestor that has one where it is absent."""
        marks = self.keys if key else self.marks
        near = path
        while near and near not in marks:
            near = near[:-1]
            marks = self.marks
        line, column = marks.get(near, (0, 0))
        return self.at(line, column, dotted(path))

    def at(self, line: int, column: int, path: str = "") -> Place:
        text = self.lines[line] if 0 <= line < len(self.lines) else ""
        start = max(0, column - 80) if len(text) > 160 else 0
        return Place(self.file, line + 1, column + 1 - start if start else column + 1, text[start : start + 160], path)

    def add(self, path: Path_, message: str, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(Problem(message, hint, self.place(path, key=key)))


def _plain(node: YamlNode, yaml: YAML, source: _Source, path: Path_) -> Any:
    """YAML node -> plain values; notes where each stands, and keys that stand twice."""
    source.marks[path] = (node.start_mark.line, node.start_mark.column)
    if isinstance(node, ScalarNode):
        return yaml.constructor.construct_object(node)
    if isinstance(node, SequenceNode):
        return [_plain(child, yaml, source, (*path, i)) for i, child in enumerate(node.value)]
    assert isinstance(node, MappingNode)
    out: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = yaml.constructor.construct_object(key_node) if isinstance(key_node, ScalarNode) else None
        if not isinstance(key, str | int):
            mark = key_node.start_mark
            source.problems.append(
                Problem("a key must be a plain word", place=source.at(mark.line, mark.column, dotted(path)))
            )
            continue
        here = (*path, key)
        mark = (key_node.start_mark.line, key_node.start_mark.column)
        if key in out:
            first = source.keys[here][0] + 1
            source.problems.append(
                Problem(
                    f"'{key}' stands here twice",
                    f"it stands first in line {first}; keep one",
                    source.at(*mark, dotted(here)),
                )
            )
            continue
        source.keys[here] = mark
        out[key] = _plain(value_node, yaml, source, here)
    return out


def _parse(source: _Source, text: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        where = source.at(mark.line, mark.column) if mark else source.at(0, 0)
        raise SpecError(
            Problem(
                f"this is not YAML: {err.problem or err.context}",
                "check indentation, quotes and brackets near here",
                where,
            )
        ) from None
    except (YAMLError, ValueError, RecursionError) as err:
        raise SpecError(Problem(f"this is not YAML: {err}", place=source.at(0, 0))) from None
    if node is None:
        raise SpecError(Problem("the file is empty", "start with 'lindos: 1' and 'site: NAME'", source.at(0, 0)))
    if not isinstance(node, MappingNode):
        raise SpecError(
            Problem("a site file is a mapping of keys", "start with 'lindos: 1' and 'site: NAME'", source.at(0, 0))
        )
    try:
        return _plain(node, yaml, source, ())
    except (ValueError, RecursionError) as err:
        raise SpecError(Problem(f"this is not YAML: {err}", place=source.at(0, 0))) from None


def _model_at(path: Path_) -> type[BaseModel] | None:
    """The section of the format that stands at a path, if the path leads to one."""
    model: Any = Spec
    for step in path:
        if isinstance(step, int):
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return None
        field = next((f for n, f in model.model_fields.items() if step in (n, f.alias)), None)
        if field is None:
            return None
        model = _section_in(field.annotation)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _section_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _section_in(a)) is not None), None)


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [f.alias or n for n, f in model.model_fields.items()]


def _tell(source: _Source, error: Mapping[str, Any]) -> None:
    """One complaint of the model -> a Problem in words of the site file."""
    loc: Path_ = tuple(error["loc"])
    kind, ctx = error["type"], error.get("ctx", {})
    value = error.get("input")
    shown = (
        repr(value) if not isinstance(value, dict | list) else f"a {'mapping' if isinstance(value, dict) else 'list'}"
    )
    if kind == "extra_forbidden":
        model = _model_at(loc[:-1])
        keys = _keys_of(model) if model else []
        near = difflib.get_close_matches(str(loc[-1]), keys, 1, 0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(keys)}"
        source.add(loc, f"unknown key '{loc[-1]}'", hint, key=True)
    elif kind == "missing":
        model = _model_at(loc)
        source.add(loc, f"'{loc[-1]}' is missing", f"it holds: {', '.join(_keys_of(model))}" if model else "")
    elif kind.startswith(("int_", "float_")) or kind in {"int_type", "float_type"}:
        unit = _unit_of(str(loc[-1]))
        source.add(
            loc,
            f"expected a number{unit}, not {shown}",
            "write the bare number; the unit is in the key" if isinstance(value, str) else "",
        )
    elif kind == "literal_error":
        source.add(loc, f"{shown} is not one of {ctx.get('expected', '')}", _nearest(value, ctx.get("expected", "")))
    elif kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        bound = next(iter(ctx.values()), "")
        word = {
            "greater_than": "more than",
            "greater_than_equal": "at least",
            "less_than": "less than",
            "less_than_equal": "at most",
        }[kind]
        source.add(loc, f"{shown} is out of range: it must be {word} {bound}{_unit_of(str(loc[-1]))}")
    elif kind == "string_pattern_mismatch":
        source.add(
            loc,
            f"{shown} is not a name",
            "names are lower-case letters, digits and single hyphens, and start with a letter",
        )
    elif kind in {"model_type", "dict_type", "model_attributes_type"}:
        model = _model_at(loc)
        source.add(
            loc,
            f"expected keys and values, not {shown}",
            f"known here: {', '.join(_keys_of(model))}" if model else "",
        )
    elif kind in {"tuple_type", "list_type"}:
        source.add(loc, f"expected a list, not {shown}", "start each entry with '- '")
    else:
        message = str(error["msg"])
        source.add(
            loc,
            f"{message[:1].lower()}{message[1:]}, not {shown}" if "should" in message.lower() else message,
        )


def _nearest(value: object, expected: str) -> str:
    near = difflib.get_close_matches(
        str(value), [e.strip(" '") for e in expected.replace(" or ", ",").split(",")], 1, 0.5
    )
    return f"did you mean '{near[0]}'?" if near else ""


UNITS = {
    "mw": "MW",
    "m": "m",
    "gbps": "Gb/s",
    "kva": "kVA",
    "volts": "V",
    "amps": "A",
    "gpus": "GPUs",
    "u": "rack units",
}


def _unit_of(key: str) -> str:
    unit = UNITS.get(key.rsplit("_", 1)[-1])
    return f" of {unit}" if unit else ""


def _same_names(source: _Source, spec: Spec) -> None:
    """Names that must be different and are not."""
    groups: list[tuple[Path_, list[str], str]] = [
        (("compute", "fleets"), [f.name for f in spec.compute.fleets], "name"),
        (("halls",), [h.name for h in spec.halls], "name"),
        (("power", "sources"), [s.name for s in spec.power.sources], "name"),
        (("placement",), [p.rack for p in spec.placement], "rack"),
        (("assumptions",), [a.product for a in spec.assumptions], "product"),
    ]
    for path, names, key in groups:
        for i, name in enumerate(names):
            first = names.index(name)
            if first < i:
                source.add(
                    (*path, i, key),
                    f"'{name}' stands in {dotted((*path, first))} already",
                    "each needs a name of its own",
                )


def _product_names(spec: Spec) -> list[tuple[Path_, str, str]]:
    """Every product that the file names: path, kind, name."""
    named: list[tuple[Path_, str, str]] = []
    for i, fleet in enumerate(spec.compute.fleets):
        named += [
            (("compute", "fleets", i, "node"), "node", fleet.node),
            (("compute", "fleets", i, "rack"), "rack", fleet.rack),
        ]
    if spec.compute.services:
        named.append((("compute", "services", "product"), "service", spec.compute.services.product))
    named += [
        (("fabrics", "rdma", "switch"), "switch", spec.fabrics.rdma.switch),
        (("fabrics", "frontend", "switch"), "switch", spec.fabrics.frontend.switch),
        (("fabrics", "oob", "switch"), "switch", spec.fabrics.oob.switch),
    ]
    if spec.fabrics.oob.aggregation:
        named.append((("fabrics", "oob", "aggregation"), "switch", spec.fabrics.oob.aggregation))
    return named


def _known_products(source: _Source, spec: Spec, catalogue: Catalogue) -> None:
    for i, said in enumerate(spec.assumptions):
        kind = catalogue.kind(said.product)
        if not kind:
            near = difflib.get_close_matches(said.product, catalogue.names(), 1, 0.6)
            hint = (
                f"did you mean '{near[0]}'? A product of your own needs a kind: {', '.join(KINDS)}"
                if near
                else f"a product of your own needs a kind: {', '.join(KINDS)}"
            )
            source.add(("assumptions", i, "product"), f"no product '{said.product}'", hint)
            continue
        if said.kind and said.kind != kind:
            source.add(("assumptions", i, "kind"), f"'{said.product}' is a {kind}, not a {said.kind}")
        try:
            KINDS[kind].model_validate(said.facts)
        except ValidationError as err:
            for e in err.errors():
                at: Path_ = ("assumptions", i, "facts", *e["loc"])
                if e["type"] == "extra_forbidden":
                    keys = list(KINDS[kind].model_fields)
                    near = difflib.get_close_matches(str(e["loc"][-1]), keys, 1, 0.5)
                    source.add(
                        at,
                        f"a {kind} has no fact '{e['loc'][-1]}'",
                        f"did you mean '{near[0]}'?" if near else f"facts of a {kind}: {', '.join(keys)}",
                        key=True,
                    )
                elif e["type"] != "missing":  # a part of a fact may be assumed: the rest is in the catalogue
                    source.add(at, f"{e['msg'][:1].lower()}{e['msg'][1:]}, not {e['input']!r}")
    for path, kind, name in _product_names(spec):
        real = catalogue.kind(name)
        if real != kind:
            near = difflib.get_close_matches(name, catalogue.names(kind), 3, 0.5) or catalogue.names(kind)[:8]
            source.add(
                path,
                f"'{name}' is a {real}, not a {kind}" if real else f"no {kind} '{name}' in the catalogue",
                f"nearest: {', '.join(near)}" if real is None else f"known: {', '.join(near)}",
            )


def assumed_products(spec: Spec) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """What the site file says of products -> the overlay that `load_catalogue` takes."""
    return {a.product: (a.kind or "", a.facts) for a in spec.assumptions}


def load_spec(path: Path) -> Spec:
    """Site file -> Spec. SpecError carries every mistake of a phase: YAML, then format, then names."""
    size = path.stat().st_size
    if size > LARGEST:
        raise SpecError(
            Problem(
                f"{path}: {size / 1e6:.0f} MB is no site file",
                f"a site file is a few kilobytes; the limit is {LARGEST // 1024 // 1024} MB",
            )
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as err:
        raise SpecError(Problem(f"{path}: cannot be read as text: {err}")) from None
    source = _Source(str(path), text)
    raw = _parse(source, text)
    spec: Spec | None = None
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as err:
        for error in err.errors():
            _tell(source, error)
    if spec is not None:
        _same_names(source, spec)
        _known_products(source, spec, load_catalogue(assumed_products(spec)))
    if source.problems or spec is None:
        raise SpecError(sorted(source.problems, key=lambda p: (p.place.line, p.place.column) if p.place else (0, 0)))
    return spec
