"""The names in a site file against each other and against the catalogue, read from its plain values.

Plain values, because names can be wrong in a file whose numbers are wrong as well, and both are told at once.
What is not even text is passed over here: the model tells of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from lindos.catalogue.load import Assumed, Catalogue, load_catalogue, not_a
from lindos.catalogue.nearest import LONGEST, did_you_mean
from lindos.catalogue.products import KINDS, REFERENCES
from lindos.catalogue.wording import keys_of, section_at, shorten, show, unknown_key, word
from lindos.spec.dating import check_days
from lindos.spec.feeding import check_feeding
from lindos.spec.source import dotted
from lindos.spec.values import WRONG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.spec.source import Source, Steps

MOST = 512
"""Entries of a list that are looked at; the format allows no more of those with product names."""


class Named(NamedTuple):
    """A product name in the file."""

    path: Steps
    kind: str
    name: str


MENTIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("compute", "fleets", "*", "node"), "node"),
    (("compute", "fleets", "*", "rack"), "rack"),
    (("compute", "storage", "pools", "*", "product"), "storage"),
    (("compute", "services", "product"), "service"),
    (("fabrics", "rdma", "switch"), "switch"),
    (("fabrics", "islands", "*", "switch"), "switch"),
    (("fabrics", "frontend", "switch"), "switch"),
    (("fabrics", "storage", "switch"), "switch"),
    (("fabrics", "oob", "switch"), "switch"),
    (("fabrics", "oob", "aggregation"), "switch"),
    (("fabrics", "oob", "core"), "switch"),
    (("cooling", "technology", "coolant"), "coolant"),
    (("cooling", "facility", "coolant"), "coolant"),
)
"""Where a product is named, and of which kind it has to be. '*' is any entry of a list."""

DIFFERENT: tuple[tuple[tuple[str, ...], str], ...] = (
    (("compute", "fleets", "*", "name"), "each fleet needs a name of its own"),
    (("compute", "storage", "pools", "*", "name"), "each pool needs a name of its own"),
    (("buildings", "*", "name"), "each building needs a name of its own"),
    (("halls", "*", "name"), "each hall needs a name of its own"),
    (("power", "sources", "*", "name"), "each source needs a name of its own"),
    (("power", "upstream", "*", "name"), "each part needs a name of its own"),
    (("power", "feeds", "*"), "each feed needs a name of its own"),
    (("fabrics", "islands", "*", "name"), "each island needs a name of its own"),
    (("placement", "*", "rack"), "a rack stands in one place; keep one entry"),
    (("assumptions", "*", "product"), "put all facts of a product into one entry"),
)
"""Where names have to differ, and what to do where two are the same."""


def _words(raw: Any, pattern: tuple[str, ...], path: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Plain values and a pattern -> path and text of every value that it leads to."""
    if not pattern:
        if isinstance(raw, str):
            yield path, raw
    elif pattern[0] == "*":
        for i, value in enumerate(raw[:MOST] if isinstance(raw, list) else ()):
            yield from _words(value, pattern[1:], (*path, i))
    elif isinstance(raw, dict):
        yield from _words(raw.get(pattern[0]), pattern[1:], (*path, pattern[0]))


def mentions(raw: Any) -> list[Named]:
    """Plain values -> every product that the file names, outside its assumptions."""
    return [Named(p, kind, name) for pattern, kind in MENTIONS for p, name in _words(raw, pattern)]


def _different(source: Source, raw: Any) -> None:
    for pattern, hint in DIFFERENT:
        first: dict[str, Steps] = {}
        for path, name in _words(raw, pattern):
            if name in first:
                at = source.place(first[name])
                source.add(path, f"'{shorten(name)}' stands in line {at.line} already, in {dotted(first[name])}", hint)
            first.setdefault(name, path)


def _halls(source: Source, raw: Any) -> None:
    known = [name for _, name in _words(raw, ("halls", "*", "name"))]
    said = (("placement", "*", "hall"), ("compute", "storage", "pools", "*", "hall"))
    for path, name in (found for pattern in said for found in _words(raw, pattern)):
        if known and name not in known:
            source.add(
                path,
                f"there is no hall '{shorten(name)}'",
                did_you_mean(name, known, f"the halls are: {', '.join(known[:8])}"),
            )


IN_BUILDINGS = ((("halls", "*"), "hall"), (("compute", "fleets", "*"), "fleet"))
"""What says which building it stands in, where a site has several."""


def _entries(raw: Any, pattern: tuple[str, ...]) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """Plain values and a pattern that ends in a list -> path and value of each of its entries that has keys."""
    for step in pattern[:-1]:
        raw = raw.get(step) if isinstance(raw, dict) else None
    for i, entry in enumerate(raw[:MOST] if isinstance(raw, list) else ()):
        if isinstance(entry, dict):
            yield (*pattern[:-1], i), entry


def _buildings(source: Source, raw: Any) -> None:
    known = list(dict.fromkeys(name for _, name in _words(raw, ("buildings", "*", "name"))))
    halls = {name for _, name in _words(raw, ("halls", "*", "building"))}
    all_of_them = f"the buildings are: {', '.join(known[:8])}"
    for pattern, what in IN_BUILDINGS:
        for path, entry in _entries(raw, pattern):
            name = entry.get("building")
            if name is None:
                if known:
                    source.add(path, f"which building is this {what} in?", f"building: NAME; {all_of_them}")
            elif isinstance(name, str) and name not in known:
                otherwise = all_of_them if known else "describe it: buildings: - {name: ..., x_m: ..., y_m: ...}"
                message = f"there is no building '{shorten(name)}'"
                source.add((*path, "building"), message, did_you_mean(name, known, otherwise))
    for path, name in _words(raw, ("buildings", "*", "name")):
        if name not in halls:
            source.add(
                path, f"no hall is in building '{shorten(name)}'", f"halls: - {{name: ..., building: {name}, ...}}"
            )


def _islands(source: Source, raw: Any) -> None:
    known = [name for _, name in _words(raw, ("fabrics", "islands", "*", "name"))]
    for path, name in _words(raw, ("compute", "fleets", "*", "island")):
        if name not in known:
            some = (
                f"the islands are: {', '.join(known[:8])}" if known else "fabrics: islands: is where they are told of"
            )
            source.add(path, f"there is no island '{shorten(name)}'", did_you_mean(name, known, some))


def _assumptions(raw: Any) -> list[tuple[Steps, str, str, Mapping[str, Any]]]:
    """Plain values -> path, product, kind and facts of each assumption that has a product; the first of each."""
    seen: set[str] = set()
    out: list[tuple[Steps, str, str, Mapping[str, Any]]] = []
    for path, name in _words(raw, ("assumptions", "*", "product")):
        entry = raw["assumptions"][path[1]]
        kind, facts = entry.get("kind"), entry.get("facts")
        if name not in seen:
            seen.add(name)
            known = kind if isinstance(kind, str) and kind in KINDS else ""
            out.append((path[:-1], name, known, facts if isinstance(facts, dict) else {}))
    return out


def _facts(source: Source, catalogue: Catalogue, at: Steps, kind: str, name: str, facts: Mapping[str, Any]) -> None:
    """Facts that a file assumes against what can be known of their kind, and against the rest that is known."""
    model = KINDS[kind]  # type: ignore[index]  # the caller knows it to be a kind
    try:
        model.model_validate(catalogue.facts(name))
        errors: list[Any] = []
    except ValidationError as err:
        errors = err.errors()
    for error in errors:
        loc = error["loc"]
        path: Steps = (*at, "facts", *(s for s in loc if s != "[key]"))
        shown = show(error["input"], source.written.get(path))
        if error["input"] is WRONG or not _stands_in(facts, loc):
            continue
        if error["type"] == "extra_forbidden":
            said = unknown_key(loc[-1], keys_of(section_at(model, loc[:-1])), shown)
            source.add(path, said.message.replace("unknown key", f"a {kind} has no fact"), said.hint, key=True)
        elif error["type"] == "missing":
            source.add(path, f"'{loc[-1]}' is missing", f"the catalogue does not know it of {name} either")
        else:
            key = loc[-1] == "[key]"
            said = word(error, None if key else source.written.get(path))
            source.add(path, said.message, said.hint, key=key)
    for fact, other in REFERENCES.get(kind, {}).items():  # type: ignore[call-overload]  # as above
        named = facts.get(fact)
        if isinstance(named, str) and catalogue.kind(named) != other:
            problem = not_a(catalogue, other, shorten(named))
            source.add((*at, "facts", fact), problem.message, problem.hint)


def _stands_in(facts: Any, loc: Steps) -> bool:
    """Whether an error is about something that the file says, and not about the catalogue."""
    for step in loc[:-1]:
        if not isinstance(facts, dict) or step not in facts:
            return isinstance(facts, list)
        facts = facts[step]
    return True


def _unknown_product(source: Source, path: Steps, name: str, used_as: str, catalogue: Catalogue) -> None:
    """An assumption about a product that is neither in the catalogue nor described whole, noted in the source."""
    near = did_you_mean(name, catalogue.names())
    own = f"for a product of your own add `kind: {used_as}`"
    if not used_as:
        own = f"a product of your own needs a kind: {', '.join(KINDS)}"
    message = f"the catalogue has no product '{shorten(name)}'"
    source.add((*path, "product"), message, f"{near} Or {own}" if near else own)


def _products(source: Source, raw: Any, catalogue: Catalogue) -> None:
    unknown: set[str] = set()
    named = mentions(raw)
    for path, name, said, facts in _assumptions(raw):
        kind = catalogue.kind(name)
        if not kind:
            unknown.add(name)
            if raw["assumptions"][path[1]].get("kind") is None:
                used_as = next((m.kind for m in named if m.name == name), "")
                _unknown_product(source, path, name, used_as, catalogue)
            continue
        if said and said != kind:
            message = f"'{shorten(name)}' is a {kind}, not a {said}"
            source.add((*path, "kind"), message, "leave `kind` out for a product of the catalogue")
        _facts(source, catalogue, path, kind, name, facts)
    for path, kind, name in named:
        if name not in unknown and 0 < len(name) <= LONGEST and catalogue.kind(name) != kind:
            problem = not_a(catalogue, kind, shorten(name))
            source.add(path, problem.message, problem.hint)


OF_LAYER = {"infiniband": ("roce", "nos"), "ethernet": ("infiniband",)}
"""Link layer of a fabric -> the keys that say something of the other."""
LAYERS = {"infiniband": "InfiniBand", "ethernet": "Ethernet"}


def _speaks(catalogue: Catalogue, fabric: Mapping[str, Any], key: str) -> tuple[str, str] | None:
    """A fabric and a key that names a switch -> the switch and its link layer; None where it is no switch."""
    switch = fabric.get(key)
    if not isinstance(switch, str) or catalogue.kind(switch) != "switch":
        return None
    layer = (catalogue.facts(switch) or {}).get("link_layer") or "ethernet"
    return (switch, layer) if layer in OF_LAYER else None


def _link_layers(source: Source, raw: Any, catalogue: Catalogue) -> None:
    """Fabrics whose switch speaks one link layer and whose keys are of the other, noted in the source."""
    fabrics = raw.get("fabrics") if isinstance(raw, dict) else None
    rdma = fabrics.get("rdma") if isinstance(fabrics, dict) else None
    training = [(("fabrics", "rdma"), rdma)] if isinstance(rdma, dict) else []
    for path, fabric in [*training, *_entries(raw, ("fabrics", "islands", "*"))]:
        if not (said := _speaks(catalogue, fabric, "switch")):
            continue
        switch, layer = said
        for other in OF_LAYER[layer]:
            if other in fabric:
                mine = "infiniband: {routing: ..., ...}" if layer == "infiniband" else "roce: {priority: ..., ...}"
                message = f"'{shorten(switch)}' is an {LAYERS[layer]} switch, and `{other}` is not of {LAYERS[layer]}"
                source.add((*path, other), message, f"take it out; what can be said here is {mine}", key=True)
    for name in ("frontend", "oob"):
        other_network = fabrics.get(name) if isinstance(fabrics, dict) else None
        for key in ("switch", "aggregation"):
            said = _speaks(catalogue, other_network, key) if isinstance(other_network, dict) else None
            if said and said[1] == "infiniband":
                message = f"'{shorten(said[0])}' is an InfiniBand switch, and this network is Ethernet"
                source.add(("fabrics", name, key), message, "a training fabric can take it")


def check_names(source: Source, raw: Any) -> None:
    """Plain values -> every name that is the same as another, or that nothing is called, noted in the source."""
    _different(source, raw)
    _halls(source, raw)
    _buildings(source, raw)
    _islands(source, raw)
    check_feeding(source, raw)
    check_days(source, raw)
    said = {name: Assumed(kind, facts) for _, name, kind, facts in _assumptions(raw)}
    catalogue = load_catalogue(said)
    _products(source, raw, catalogue)
    _link_layers(source, raw, catalogue)
