"""Files of the catalogue -> products, read when asked for, with what the site file assumes laid over them."""

from __future__ import annotations

import difflib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML

from lindos.catalogue.products import KINDS, Product
from lindos.errors import CatalogueError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

PRODUCTS = Path(__file__).parent / "products"

FOLDERS = {
    "gpu": "gpus", "cpu": "cpus", "node": "nodes", "rack": "racks", "switch": "switches", "cdu": "cdus", "storage": "storage",
    "service": "services", "source": "sources", "optic": "optics", "copper": "copper",
}  # fmt: skip
"""Kind of product -> the folder that holds its files."""

P = TypeVar("P", bound=Product)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings -> one in which values of `over` win, key by key."""
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


def read_product_file(path: Path) -> dict[str, Any]:
    """One product file -> its mapping: kind, source, confidence, fact_confidence, note, facts."""
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return loaded


class Catalogue:
    """Products by name. `assumed` holds the kind and facts that a site file gives, by product name."""

    def __init__(
        self, folder: Path = PRODUCTS, assumed: Mapping[str, tuple[str, Mapping[str, Any]]] | None = None
    ) -> None:
        self._folder = folder
        self._assumed = dict(assumed or {})
        self._raw: dict[str, tuple[str, dict[str, Any]]] = {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {p.stem: p for p in sorted(self._folder.glob("*/*.yaml"))}

    def names(self, kind: str | None = None) -> list[str]:
        """Every product name, or those of one kind, sorted; files are not read, the folder says the kind."""
        mine = {n for n, p in self._files.items() if kind is None or p.parent.name == FOLDERS[kind]}
        said = {n for n, (k, _) in self._assumed.items() if kind in (None, k)}
        return sorted(mine | said)

    def kind(self, name: str) -> str | None:
        """The kind of a product, or None where it is not known."""
        raw = self._read(name)
        return None if raw is None else raw[0]

    def _read(self, name: str) -> tuple[str, dict[str, Any]] | None:
        if name in self._raw:
            return self._raw[name]
        kind, facts = "", {}
        if name in self._files:
            loaded = read_product_file(self._files[name])
            kind, facts = loaded["kind"], loaded["facts"]
        if name in self._assumed:
            said_kind, said = self._assumed[name]
            kind, facts = kind or said_kind, merge(facts, said)
        if not kind:
            return None
        self._raw[name] = (kind, facts)
        return self._raw[name]

    def get(self, model: type[P], name: str) -> P:
        """A product of the kind that `model` describes; CatalogueError names the nearest where there is none."""
        kind = next(k for k, m in KINDS.items() if m is model)
        raw = self._read(name)
        if raw is None or raw[0] != kind:
            same = self.names(kind)
            near = difflib.get_close_matches(name, same, 3, 0.5) or same
            what = f"'{name}' is a {raw[0]}, not a {kind}" if raw else f"no {kind} '{name}'"
            raise CatalogueError(Problem(what, hint=f"did you mean: {', '.join(near[:5])}?"))
        try:
            return model.model_validate(raw[1])
        except ValidationError as err:
            raise CatalogueError(
                Problem(f"{kind} '{name}': {'.'.join(map(str, e['loc']))}: {e['msg']}") for e in err.errors()
            ) from None


def load_catalogue(assumed: Mapping[str, tuple[str, Mapping[str, Any]]] | None = None) -> Catalogue:
    """The catalogue that ships with Lindos, with a site's assumptions laid over it."""
    return Catalogue(PRODUCTS, assumed)


class Needs:
    """Collects the facts that a stage misses, so that all are told at once.

    `value = needs(product.power_w_max, "node", name, "power_w_max")` returns the value, or a stand-in that never
    leaves the stage because `settle()` raises a CatalogueError with everything that was missing.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def __call__(self, value: Any, kind: str, product: str, fact: str) -> Any:
        if value is None:
            problem = Problem(
                f"{kind} '{product}': {fact} is not known",
                hint=f"give it in the site file: assumptions: - {{product: {product}, facts: {{{fact}: ...}}, reason: ...}}",
            )
            if problem not in self._problems:
                self._problems.append(problem)
        return value

    def settle(self) -> None:
        """Raise CatalogueError if anything was missing."""
        if self._problems:
            raise CatalogueError(self._problems)
