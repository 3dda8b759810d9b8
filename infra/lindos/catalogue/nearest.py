"""A name that nobody knows, and the names that are known -> what was probably meant."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 60
"""No name is longer; looking for one near to a longer word is time lost."""


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

    plain = {name.lower().replace("-", "_"): name for name in known}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), plain, count, cutoff)
    return tuple(plain[name] for name in found)


def did_you_mean(word: object, known: Iterable[str], otherwise: str = "", count: int = 1) -> str:
    """A word and the known names -> "did you mean 'x'?", or `otherwise` where none is near."""
    names = [f"'{name}'" for name in nearest(word, known, count)]
    if not names:
        return otherwise
    return f"did you mean {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}?"
