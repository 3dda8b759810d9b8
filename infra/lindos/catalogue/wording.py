"""A complaint of pydantic about a value that a person wrote -> what is wrong and what to do, in a person's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import BaseModel

from lindos.catalogue.nearest import did_you_mean, nearest
from lindos.catalogue.units import in_unit_of, same_quantity, unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_SHOWN = 40
"""Characters of a value that a message repeats."""


class Said(NamedTuple):
    """What is wrong, and what to do."""

    message: str
    hint: str = ""


class Complaint(NamedTuple):
    """One error of pydantic: the last key of its place, the value as written, its type and limits."""

    key: str
    shown: str
    value: Any
    kind: str
    limits: Mapping[str, Any]


def shorten(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Text of any length -> one printable line that fits into a message."""
    cut = text[: 2 * longest]
    line = " ".join("".join(c if c.isprintable() else " " for c in cut).split())
    if len(text) <= longest:
        return line
    return f"{line[: longest - 10]}... ({len(text):,} characters)"


def show(value: object, written: str | None = None) -> str:
    """A value, and how it stands in the file where that is known -> how a message names it."""
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return f'"{shorten(value)}"' if written and written.startswith('"') else f"'{shorten(value)}'"
    if isinstance(value, bool):
        return str(value).lower()
    return shorten(written or repr(value))


def listed(keys: list[str]) -> str:
    """Names -> 'known here: a, b, c'."""
    return f"known here: {', '.join(keys)}"


def section_in(annotation: Any) -> type[BaseModel] | None:
    """A type -> the section of keys and values that it holds, if it holds one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := section_in(a)) is not None), None)


def section_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """A format and a path in it -> the section that stands there, if the path leads to one."""
    here: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int):
            continue
        fields = here.model_fields.items() if here else ()
        field = next((f for n, f in fields if step == (f.alias or n)), None)
        here = section_in(field.annotation) if field else None
    return here


def keys_of(model: type[BaseModel] | None) -> list[str]:
    """A section -> the keys that it knows, as they are written."""
    return [f.alias or n for n, f in model.model_fields.items()] if model else []


def meaning_of(model: type[BaseModel] | None, key: str) -> str:
    """A section and one of its keys -> what the key is for, in a sentence, or ''."""
    fields = model.model_fields.items() if model else ()
    return next((f.description or "" for n, f in fields if key == (f.alias or n)), "")


def meant_key(key: object, keys: list[str]) -> str:
    """An unknown key -> the known one that was probably meant, or ''."""
    return same_quantity(str(key), keys) or next(iter(nearest(key, keys)), "")


def unknown_key(key: object, keys: list[str], shown: str) -> Said:
    """An unknown key, its value and the keys known there -> what to say."""
    message = f"unknown key '{shorten(str(key))}'"
    shown = shown.strip("'\"")
    same = same_quantity(str(key), keys)
    if same:
        number = in_unit_of(same, f"{shown} {str(key).split('_')[-1]}")
        return Said(message, f"here it is counted in {unit_of(same)}: {same}: {number or '...'}")
    meant = meant_key(key, keys)
    return Said(message, f"did you mean '{meant}'?" if meant else listed(keys))


def _number(c: Complaint) -> Said:
    whole = "whole number" if c.kind.startswith("int") else "number"
    unit = unit_of(c.key)
    message = f"expected a {whole}{f' of {unit}' if unit else ''}, not {c.shown}"
    if isinstance(c.value, bool | dict | list):
        return Said(message)
    text = c.value if isinstance(c.value, str) else c.shown
    bare = in_unit_of(c.key, text)
    if not bare and isinstance(c.value, float) and c.value.is_integer() and abs(c.value) < 1e15:
        bare = f"{c.value:.0f}"
    if not bare or (whole == "whole number" and not bare.isdigit()):
        return Said(message, "write a bare number; the unit is in the key" if unit else "")
    if not isinstance(c.value, str) or not re.search("[A-Za-z]", text):
        return Said(message, f"write {bare}, without quotes" if c.shown.startswith('"') else f"write {bare}")
    same = text.strip().startswith(bare)
    return Said(
        message,
        f"write {bare}; the unit is in the key" if same else f"that is {bare} {unit}: write {bare}".replace("  ", " "),
    )


def _finite(c: Complaint) -> Said:
    return Said(f"expected a number, not {c.shown}", "it has to be finite")


def _range(c: Complaint) -> Said:
    bound = next(iter(c.limits.values()), 0)
    shown_bound = f"{bound:,.12g}" if isinstance(bound, int | float) else str(bound)
    word = {
        "greater_than": "too small: it must be more than",
        "greater_than_equal": "too small: it must be at least",
        "less_than": "too large: it must be less than",
        "less_than_equal": "too large: it must be at most",
    }[c.kind]
    unit = unit_of(c.key)
    return Said(f"{c.shown} is {word} {shown_bound}{f' {unit}' if unit and bound != 1 else ''}")


def _choice(c: Complaint) -> Said:
    options = [o.strip(" '") for o in str(c.limits.get("expected", "")).replace(" or ", ",").split(",")]
    return Said(f"{c.shown} is not one of: {', '.join(options)}", did_you_mean(c.value, options))


def _text(c: Complaint) -> Said:
    number = isinstance(c.value, int | float) and not isinstance(c.value, bool)
    if isinstance(c.value, dict | list):
        return Said(f"expected text, not {c.shown}")
    hint = f'put it in quotes: "{c.shown}"'
    return Said(f"expected text, not the {'number' if number else 'value'} {c.shown}", hint)


def _pattern(c: Complaint) -> Said:
    pattern = str(c.limits.get("pattern", ""))
    mark = "-" if "-" in pattern and "_" not in pattern else "_"
    try_this = re.sub("[^a-z0-9]+", mark, str(c.value).lower()).strip(mark)[:24]
    fits = bool(try_this) and re.search(pattern, try_this) is not None
    joiner = "single hyphens" if mark == "-" else "underscores"
    rule = f"a name is lower-case letters, digits and {joiner}, and starts with a letter"
    if pattern.startswith("^[1-8]x"):
        return Said(f"{c.shown} is no rate", "a rate is links x speed: 2x400G")
    return Said(f"{c.shown} is not a name", f"{f'{try_this} would do; ' if fits else ''}{rule}")


def _length(c: Complaint) -> Said:
    least, most = c.limits.get("min_length"), c.limits.get("max_length")
    if c.kind.startswith("string"):
        if least is not None:
            return Said(f"{c.shown or 'the text'} is too short: at least {least} character{'s' * (least > 1)}")
        return Said(f"{c.shown} is too long: at most {most} characters")
    if least is not None:
        return Said("nothing stands here: at least one entry is needed")
    return Said(f"the list is too long: at most {most} entries")


def _day(c: Complaint) -> Said:
    loose = re.fullmatch(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})\b.*", str(c.value), re.ASCII)
    rule = "a day is written year-month-day: 2024-06-01"
    if c.kind == "no_such_day":
        return Said(f"there is no day {c.shown}", rule)
    meant = loose and f"{loose[1]}-{int(loose[2]):02}-{int(loose[3]):02}"
    return Said(f"expected a day, not {c.shown}", f"write {meant}" if meant else rule)


def _plain(text: str) -> Callable[[Complaint], Said]:
    return lambda c: Said(f"expected {text}, not {c.shown}")


WORDING: dict[str, Callable[[Complaint], Said]] = {
    **dict.fromkeys(("int_type", "float_type", "int_from_float", "int_parsing"), _number),
    "finite_number": _finite,
    **dict.fromkeys(("greater_than", "greater_than_equal", "less_than", "less_than_equal"), _range),
    "literal_error": _choice,
    "string_type": _text,
    "string_pattern_mismatch": _pattern,
    **dict.fromkeys(("string_too_short", "string_too_long", "too_short", "too_long"), _length),
    **dict.fromkeys(("day", "no_such_day"), _day),
    "bool_type": _plain("true or false"),
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), _plain("keys and values")),
    **dict.fromkeys(
        ("tuple_type", "list_type"),
        lambda c: Said(f"expected a list, not {c.shown}", "start each entry with '- ', or write [a, b]"),
    ),
    "invalid_key": lambda c: Said(f"a key must be a word, not {c.shown}"),
}
"""Type of pydantic's error -> how it is told."""


def word(error: Mapping[str, Any], written: str | None = None) -> Said:
    """An error of pydantic, and the value as it stands in the file -> what to say."""
    key = next((str(step) for step in reversed(error["loc"]) if isinstance(step, str) and step != "[key]"), "")
    limits = {k: v for k, v in error.get("ctx", {}).items() if k not in {"field_type", "actual_length"}}
    value = error.get("input")
    complaint = Complaint(key, show(value, written), value, error["type"], limits)
    tell = WORDING.get(error["type"])
    if tell is None:
        message = str(error["msg"]).removeprefix("Value error, ")
        return Said(f"{message[:1].lower()}{message[1:]}")
    return tell(complaint)
