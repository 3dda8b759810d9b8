"""A name that nobody knows, and the names that are known -> what was probably meant."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 60
"""No name is longer; looking for one near to a longer word is time lost."""


SHORTEST_PART = 3
"""Characters of a part of a name that says something."""

MOST = 200
"""Names that are looked at; nobody finds his own among more."""


def nearest(word: object, known: Iterable[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """A word and the known names -> at most `count` names near to it, nearest first; case does not matter."""
    return list(_nearest(str(word)[: LONGEST + 1], tuple(islice(known, MOST)), count, cutoff))


@lru_cache(maxsize=1024)
def _nearest(word: str, known: tuple[str, ...], count: int, cutoff: float) -> tuple[str, ...]:
    if len(word) > LONGEST:
        return ()
    import difflib  # noqa: PLC0415  # only a mistake needs it

    word = _plain(word)
    plain = {_plain(name): name for name in known}
    if word in plain:
        return (plain[word],)
    found = difflib.get_close_matches(word, plain, count + 3, cutoff)
    if not found:
        # Half a name: xe9680, smc_421ge.
        parts = [part for part in word.split("_") if len(part) >= SHORTEST_PART]
        found = [name for name in plain if parts and all(part in name for part in parts)]
    # Of names that are equally near, the one that begins in the same way comes first.
    begin = {name: sum(1 for _ in takewhile(lambda p: p[0] == p[1], zip(name, word, strict=False))) for name in found}
    near = {name: round(difflib.SequenceMatcher(None, name, word).ratio(), 3) for name in found}
    found.sort(key=lambda name: (-near[name], -begin[name], name))
    return tuple(plain[name] for name in found[:count])


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def did_you_mean(word: object, known: Iterable[str], otherwise: str = "", count: int = 1) -> str:
    """A word and the known names -> "did you mean 'x'?", or `otherwise` where none is near."""
    names = [f"'{name}'" for name in nearest(word, known, count)]
    if not names:
        return otherwise
    return f"did you mean {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}?"
