"""Files of the catalogue -> products, read when asked for, with what the site file assumes laid over them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from pydantic import ValidationError

from lindos.catalogue.files import FOLDERS, read_product_file
from lindos.catalogue.nearest import did_you_mean
from lindos.catalogue.products import KINDS, Product
from lindos.catalogue.wording import word
from lindos.errors import CatalogueError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

PRODUCTS = Path(__file__).parent / "products"

MOST_LISTED = 16
"""Names of products that a hint lists."""

P = TypeVar("P", bound=Product)


class Assumed(NamedTuple):
    """What a site file says of a product: its kind where it gives one, facts, and where that stands."""

    kind: str
    facts: Mapping[str, Any]
    place: Place | None = None


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings -> one in which values of `over` win, key by key."""
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


class Catalogue:
    """Products by name. `assumed` holds what a site file says of products, by product name."""

    def __init__(
        self,
        folder: Path = PRODUCTS,
        assumed: Mapping[str, Assumed | tuple[str, Mapping[str, Any]]] | None = None,
    ) -> None:
        self._folder = folder
        self._assumed = {name: Assumed(*said) for name, said in (assumed or {}).items()}
        self._raw: dict[str, tuple[str, dict[str, Any]]] = {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {p.stem: p for p in sorted(self._folder.glob("*/*.yaml"))}

    def names(self, kind: str | None = None) -> list[str]:
        """Every product name, or those of one kind, sorted; files are not read, the folder says the kind."""
        folder = next((f for k, f in FOLDERS.items() if k == kind), None)
        mine = {n for n, p in self._files.items() if kind is None or p.parent.name == folder}
        said = {n for n, a in self._assumed.items() if a.kind and kind in (None, a.kind)}
        return sorted(mine | said)

    def kind(self, name: str) -> str | None:
        """The kind of a product, or None where it is not known."""
        raw = self._read(name)
        return None if raw is None else raw[0]

    def facts(self, name: str) -> Mapping[str, Any] | None:
        """What is known of a product, as it is written, or None where there is no such product."""
        raw = self._read(name)
        return None if raw is None else raw[1]

    def assumed(self, name: str) -> Assumed | None:
        """What the site file says of a product, if it speaks of it."""
        return self._assumed.get(name)

    def _read(self, name: str) -> tuple[str, dict[str, Any]] | None:
        if name in self._raw:
            return self._raw[name]
        kind: str = ""
        facts: dict[str, Any] = {}
        if name in self._files:
            file = read_product_file(self._files[name])
            kind, facts = file.kind, file.facts
        if name in self._assumed:
            said = self._assumed[name]
            kind, facts = kind or said.kind, merge(facts, said.facts)
        if not kind:
            return None
        self._raw[name] = (kind, facts)
        return self._raw[name]

    def get(self, model: type[P], name: str) -> P:
        """A product of the kind that `model` describes; CatalogueError names the nearest where there is none."""
        kind = next(k for k, m in KINDS.items() if m is model)
        raw = self._read(name)
        if raw is None or raw[0] != kind:
            said = self._assumed.get(name)
            raise CatalogueError(not_a(self, kind, name, said.place if said else None))
        try:
            return cast("P", model.model_validate(raw[1]))
        except ValidationError as err:
            raise CatalogueError(self._wrong_fact(kind, name, e) for e in err.errors()) from None

    def _wrong_fact(self, kind: str, name: str, error: Any) -> Problem:
        fact, said = ".".join(map(str, error["loc"])), self._assumed.get(name)
        if error["type"] == "missing":
            return missing_fact(self, kind, name, fact)
        told = word(error)
        return Problem(f"{kind} '{name}': {fact}: {told.message}", told.hint, said.place if said else None)


def not_a(catalogue: Catalogue, kind: str, name: str, place: Place | None = None) -> Problem:
    """A name that stands for no product of a kind -> the Problem, with the nearest names that do."""
    real, known = catalogue.kind(name), catalogue.names(kind)
    some = f"known: {', '.join(known[:MOST_LISTED])}{', ...' if len(known) > MOST_LISTED else ''}" if known else ""
    own = f"describe it under `assumptions:` with `kind: {kind}`"
    if real:
        return Problem(f"'{name}' is a {real}, not a {kind}", some or own, place)
    near = did_you_mean(name, known, otherwise=f"{some}; or {own}" if some else own, count=3)
    return Problem(f"there is no {kind} '{name}' in the catalogue", near, place)


def missing_fact(catalogue: Catalogue | None, kind: str, name: str, fact: str) -> Problem:
    """A product and a fact of it that nobody knows -> the Problem, placed where the site file speaks of the product."""
    said = catalogue.assumed(name) if catalogue else None
    entry = f"{fact.replace('.', ': {')}: ...{'}' * fact.count('.')}"
    if said and said.facts:
        hint = f"add it to `facts:` here: {entry}"
    else:
        whole = f"- {{product: {name}, facts: {{{entry}}}, reason: ...}}"
        hint = f"give it in the site file, under `assumptions:`, with your reason: {whole}"
    return Problem(f"{kind} '{name}': {fact} is not known", hint, said.place if said else None)


def load_catalogue(
    assumed: Mapping[str, Assumed | tuple[str, Mapping[str, Any]]] | None = None,
) -> Catalogue:
    """The catalogue that ships with Lindos, with a site's assumptions laid over it."""
    return Catalogue(PRODUCTS, assumed)


def _where(problem: Problem) -> tuple[bool, int, int]:
    at = problem.place
    return (True, 0, 0) if at is None else (False, at.line, at.column)


class Needs:
    """Collects the facts that a stage misses, so that all are told at once.

    `value = needs(product.power_w_max, "node", name, "power_w_max")` returns the value, or a stand-in that never
    leaves the stage because `settle()` raises a CatalogueError with everything that was missing.
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = catalogue
        self._problems: list[Problem] = []

    def __call__(self, value: Any, kind: str, product: str, fact: str) -> Any:
        if value is None:
            problem = missing_fact(self._catalogue, kind, product, fact)
            if problem not in self._problems:
                self._problems.append(problem)
        return value

    def settle(self) -> None:
        """Raise CatalogueError if anything was missing."""
        if self._problems:
            raise CatalogueError(sorted(self._problems, key=_where))
