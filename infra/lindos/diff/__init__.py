"""Two plans -> what stands as it was and what does not, the physical diff, and the order of work.

For a site and the same site grown: growth within what was declared adds and changes nothing; past that, each
exception is listed. Pure; reads two plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.diff.compare import WAS, Change, bare, compare, renamed
from lindos.diff.physical import Line, physical
from lindos.diff.switches import reconfigured
from lindos.diff.work import Step, moved_cables, order_of_work

if TYPE_CHECKING:
    from lindos.plan.tables import Plan

__all__ = ["Difference", "diff"]


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two plans.

    `exceptions` has a row for each thing that stands and is not as it was: noun, plural, verb, subject, was, now.
    `added` counts new rows by table; `configured` has a row a slice with switches that are told something new.
    """

    old: str
    new: str
    digests: tuple[str, str]
    exceptions: pl.DataFrame
    added: dict[str, int]
    lines: list[Line]
    configured: pl.DataFrame
    moved: pl.DataFrame
    steps: list[Step]

    @property
    def clean(self) -> bool:
        """Whether nothing that stands is renamed, renumbered, moved, plugged anew or taken away."""
        return self.exceptions.is_empty()


def _told(change: Change) -> list[pl.DataFrame]:
    """A table's change -> its exceptions: what is gone, and what of the rest is not as it was."""
    of, out = change.of, []
    same = {"noun": pl.lit(of.noun), "plural": pl.lit(of.plural)}
    subject = pl.concat_str([pl.col(c).cast(pl.String) for c in of.key], separator=":")

    def told(frame: pl.DataFrame, verb: str, was: pl.Expr, now: pl.Expr) -> None:
        out.append(
            frame.select(
                **same,
                verb=pl.lit(verb),
                subject=subject,
                was=was.cast(pl.String),
                now=now.cast(pl.String),
            )
        )

    none = pl.lit(None, dtype=pl.String)
    if len(change.removed):
        told(change.removed, "gone", none, none)
    for verb, columns in of.judged.items():
        frame = change.told(verb)
        if len(frame):
            was, now = (
                pl.concat_str([pl.col(c + end).cast(pl.String).fill_null("none") for c in columns], separator=" ")
                for end in (WAS, "")
            )
            told(frame, verb, was, now)
    return out


EXCEPTIONS = dict.fromkeys(("noun", "plural", "verb", "subject", "was", "now"), pl.String)


def _exceptions(changes: dict[str, Change], names: pl.DataFrame) -> pl.DataFrame:
    """Changes and renamed devices -> exceptions in the order of the tables."""
    devices = changes["devices"]
    changes = changes | {
        "devices": Change(
            devices.of,
            devices.added,
            devices.removed.join(names, left_on="device", right_on="device_was", how="anti", maintain_order="left"),
            devices.changed,
        )
    }
    new_names = names.select(
        noun=pl.lit("device"), plural=pl.lit("devices"), verb=pl.lit("renamed"), subject="device_was",
        was="device_was", now="device",
    )  # fmt: skip
    frames = [frame for change in changes.values() for frame in _told(change)]
    return pl.concat([pl.DataFrame(schema=EXCEPTIONS), new_names, *frames])


def diff(old: Plan, new: Plan) -> Difference:
    """Two plans of a site -> Difference. Names are compared without the site's where the two have different ones."""
    same = old.site == new.site
    was, now = bare(old, keep_site=same), bare(new, keep_site=same)
    changes = compare(was, now)
    told = reconfigured(was, now, changes)
    moved = moved_cables(changes, was, now)
    return Difference(
        old=old.site,
        new=new.site,
        digests=(old.digest, new.digest),
        exceptions=_exceptions(changes, renamed(was, now, changes["devices"])),
        added={name: len(change.added) for name, change in changes.items()},
        lines=physical(was, now, changes),
        configured=told,
        moved=moved,
        steps=order_of_work(was, changes, told, moved),
    )
