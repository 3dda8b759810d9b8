"""A site file -> Spec, or every mistake in it at once, each with its place and a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from lindos.catalogue.load import Assumed
from lindos.spec.model import Places, Spec
from lindos.spec.names import check_names, mentions
from lindos.spec.source import read_source
from lindos.spec.tell import tell
from lindos.spec.values import read_values

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from lindos.errors import Place
    from lindos.spec.source import Source


def assumed_products(spec: Spec) -> dict[str, Assumed]:
    """What the site file says of products, or where it names them -> the overlay that `load_catalogue` takes."""
    named = {p: Assumed("", {}, spec.places.of(p)) for p in spec.places.products()}
    said = {a.product: Assumed(a.kind or "", a.facts, spec.places.of(a.product)) for a in spec.assumptions}
    return named | said


def _places(source: Source, raw: Any, spec: Spec) -> Places:
    """Where the file speaks of each product: in its assumption, or else where it is named first."""
    places: dict[str, Place] = {}
    for path, _, name in mentions(raw):
        places.setdefault(name, source.place(path))
    for i, said in enumerate(spec.assumptions):
        places[said.product] = source.place(("assumptions", i, "facts"), key=True)
    return Places(places)


def load_spec(path: Path) -> Spec:
    """Site file -> Spec. SpecError carries every mistake: of the YAML alone, or else of format and names together."""
    source = read_source(path)
    raw = read_values(source)
    spec: Spec | None = None
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as err:
        tell(source, err.errors(include_url=False))
    check_names(source, raw)
    if source.problems or spec is None:
        raise source.error()
    spec._places = _places(source, raw, spec)  # noqa: SLF001  # a spec that no file gave has none
    return spec
