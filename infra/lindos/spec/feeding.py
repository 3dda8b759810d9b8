"""The power section of a site file against itself: what feeds what, and at which voltage, from its plain values."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from lindos.catalogue.nearest import did_you_mean
from lindos.catalogue.wording import shorten
from lindos.spec.power import Busway, Power, RackPdu, Ring, trunks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.spec.source import Source, Steps

Entry = tuple["Steps", dict[str, Any]]
PAIRED = ("3N/2", "4N/3", "catcher")
"""Where a rack hangs on two paths, no more and no less."""


def _entries(power: dict[str, Any], key: str) -> Iterator[Entry]:
    """The entries of a list of the section that have a name."""
    value = power.get(key)
    for i, entry in enumerate(value[:64] if isinstance(value, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield ("power", key, i), entry


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _words(value: Any) -> list[tuple[int, str]]:
    """A list -> its texts with their places in it."""
    return [(i, v) for i, v in enumerate(value) if isinstance(v, str)] if isinstance(value, list) else []


def check_feeding(source: Source, raw: Any) -> None:
    """Plain values -> what of the power train cannot be joined, noted in the source."""
    power = raw.get("power") if isinstance(raw, dict) else None
    if not isinstance(power, dict):
        return
    above, upstream = list(_entries(power, "sources")), list(_entries(power, "upstream"))
    for path, entry in above:
        count, spare = _number(entry.get("count", 1)), _number(entry.get("spare", 0))
        if count is not None and spare is not None and spare > count:
            source.add(
                (*path, "spare"), f"{spare:g} of {count:g} machines cannot be spare", "at most as many as `count`"
            )
    _redundancy(source, power)
    _upstream(source, power, above, upstream)
    _voltages(source, power, above, upstream)


def _chain(power: dict[str, Any]) -> dict[str, Any]:
    chain = power.get("chain")
    return chain if isinstance(chain, dict) else {}


def _feeds(power: dict[str, Any]) -> list[str]:
    return [w for _, w in _words(power.get("feeds", list(Power.model_fields["feeds"].default)))]


def _redundancy(source: Source, power: dict[str, Any]) -> None:
    said, feeds = _chain(power).get("redundancy"), _feeds(power)
    if said in PAIRED and len(feeds) != 2:
        source.add(
            ("power", "chain", "redundancy"), f"{said} pairs two paths, and the site has {len(feeds)} feeds",
            "power: feeds: [a, b]",
        )  # fmt: skip


def _upstream(source: Source, power: dict[str, Any], above: list[Entry], upstream: list[Entry]) -> None:
    """What feeds each part is known, feeds itself by no way round, and every feed has a part that serves it."""
    if not upstream:
        return
    names = {e["name"]: p for p, e in upstream}
    known = [e["name"] for _, e in above] + list(names)
    for path, entry in upstream:
        if entry["name"] in {e["name"] for _, e in above}:
            source.add((*path, "name"), f"a source is called '{shorten(entry['name'])}' as well", "take another name")
        for i, name in _words(entry.get("fed_by")):
            if name not in known:
                hint = did_you_mean(name, known, f"known are: {', '.join(known[:8])}")
                source.add((*path, "fed_by", i), f"there is no source and no part '{shorten(name)}'", hint)
        if entry.get("kind") == "switchgear" and "transformers" in entry:
            source.add((*path, "transformers"), "switchgear has no transformers", "kind: substation")
    _cycles(source, names, {e["name"]: [w for _, w in _words(e.get("fed_by"))] for _, e in upstream})
    _served(source, power, upstream)


def _served(source: Source, power: dict[str, Any], upstream: list[Entry]) -> None:
    """Every feed has a part that serves it."""
    redundancy = _chain(power).get("redundancy", "2N")
    want = trunks_of(redundancy, tuple(_feeds(power))) if isinstance(redundancy, str) else ()
    served = [(p, i, w) for p, e in upstream for i, w in _words(e.get("feeds"))]
    for path, i, word in served:
        if word not in want:
            source.add((*path, "feeds", i), f"there is no feed '{shorten(word)}'", f"the feeds are: {', '.join(want)}")
    for feed in want:
        if feed not in {w for _, _, w in served}:
            source.add(
                ("power", "upstream"), f"feed '{feed}' has no source: no part serves it",
                f"say it of one of them: feeds: [{feed}]",
            )  # fmt: skip


def _cycles(source: Source, names: dict[str, Steps], fed_by: dict[str, list[str]]) -> None:
    """The first way by which a part feeds itself is told, at the first of its parts."""
    try:
        TopologicalSorter(fed_by).prepare()
    except CycleError as err:
        loop = list(reversed(err.args[1]))[1:]  # each feeds the one before it
    else:
        return
    first = min(loop, key=list(names).index)
    turn = loop.index(first)
    way = [*loop[turn:], *loop[:turn], first]
    source.add(
        (*names[first], "fed_by"),
        f"'{shorten(first)}' feeds itself: {' <- '.join(shorten(part) for part in way)}",
        "power flows one way, from the sources to the halls",
    )


def _voltages(source: Source, power: dict[str, Any], above: list[Entry], upstream: list[Entry]) -> None:
    """Where nothing transforms, both sides have one voltage."""
    chain = _chain(power)

    def said(key: str, what: str, default: float) -> float | None:
        part = chain.get(key, {})
        return _number(part.get(what, default)) if isinstance(part, dict) else None

    bus = said("busway", "volts", Busway().volts)
    pdu = said("rack_pdu", "volts", RackPdu().volts)
    if bus is not None and pdu is not None and bus != pdu:
        written = "rack_pdu" if isinstance(chain.get("rack_pdu"), dict) else "busway"
        source.add(
            ("power", "chain", written, "volts"), f"rack PDUs of {pdu:g} V hang on busways of {bus:g} V",
            "give both one voltage",
        )  # fmt: skip
    kv = {e["name"]: _number(e.get("kv")) for _, e in (*above, *upstream)}
    ring = said("ring", "kv", Ring().kv)
    for path, entry in upstream:
        own = kv[entry["name"]]
        if entry.get("kind") == "switchgear":
            for i, name in _words(entry.get("fed_by")):
                if own is not None and kv.get(name) is not None and kv[name] != own:
                    source.add(
                        (*path, "fed_by", i),
                        f"'{shorten(name)}' delivers {kv[name]:g} kV, this switchgear is of {own:g} kV",
                        "a substation between them, or one voltage",
                    )  # fmt: skip
        if _words(entry.get("feeds")) and own is not None and ring is not None and own != ring:
            source.add((*path, "kv"), f"delivers {own:g} kV to rings of {ring:g} kV", "power: chain: ring: {kv: ...}")
