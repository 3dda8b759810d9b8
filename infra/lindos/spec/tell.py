"""What the model complains of -> problems in words of the site file, one for each mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lindos.catalogue.wording import keys_of, listed, meaning_of, meant_key, section_at, show, unknown_key, word
from lindos.spec.model import FORMAT, Spec
from lindos.spec.values import WRONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lindos.spec.source import Source, Steps


def _told_elsewhere(source: Source, error: Any, meant: set[Steps]) -> bool:
    """Whether this complaint only follows from another mistake, which is told."""
    if error["input"] is WRONG and error["type"] != "extra_forbidden":
        return True
    if error["type"] == "missing":
        return error["loc"] in meant or error["loc"][:-1] in source.partial
    # Entries that are wrong do not count for pydantic: a list of one wrong entry is "too short" as well.
    value = error["input"]
    return error["type"] == "too_short" and isinstance(value, list) and len(value) >= error["ctx"]["min_length"]


def _meant(errors: Iterable[Any]) -> set[Steps]:
    """Errors -> paths of the known keys that somebody meant to write when he wrote an unknown one."""
    out: set[Steps] = set()
    for error in errors:
        if error["type"] == "extra_forbidden":
            parent = error["loc"][:-1]
            key = meant_key(error["loc"][-1], keys_of(section_at(Spec, parent)))
            if key:
                out.add((*parent, key))
    return out


def _tell(source: Source, error: Any) -> None:
    loc, kind, written = error["loc"], error["type"], source.written.get(error["loc"])
    if kind == "extra_forbidden":
        keys = keys_of(section_at(Spec, loc[:-1]))
        said = unknown_key(loc[-1], keys, show(error["input"], written))
        source.add(loc, said.message, said.hint, key=True)
    elif kind == "missing":
        model = section_at(Spec, loc[:-1])
        source.add(loc, f"'{loc[-1]}' is missing", f"add '{loc[-1]}: ...'. {meaning_of(model, loc[-1])}")
    elif loc == ("lindos",) and kind in {"greater_than_equal", "less_than_equal"}:
        source.add(
            loc,
            f"format {show(error['input'], written)} is not known",
            f"this Lindos reads format {FORMAT}: write 'lindos: {FORMAT}'",
        )
    elif loc and loc[-1] == "[key]":
        said = word(error)
        source.add(loc[:-1], said.message, said.hint, key=True)
    elif kind == "invalid_key":
        source.add(loc, f"a key must be a word, not {loc[-1]}", key=True)
    else:
        said = word(error, written)
        keys = keys_of(section_at(Spec, loc)) if kind == "model_type" else []
        source.add(loc, said.message, said.hint or (listed(keys) if keys else ""))


def tell(source: Source, errors: Iterable[Any]) -> None:
    """Errors of the model -> problems noted in the source; what only follows from another mistake is left out."""
    errors = list(errors)
    meant = _meant(errors)
    for error in errors:
        if not _told_elsewhere(source, error, meant):
            _tell(source, error)
