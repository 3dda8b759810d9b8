"""Difference -> one JSON object, or the same as text for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from lindos.diff.switches import COUNTS
from lindos.diff.work import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from lindos.diff import Difference
    from lindos.diff.physical import Line
    from lindos.diff.work import Step

EXAMPLES = 3
"""Exceptions of one kind that are told one by one unless all are asked for."""


def as_dict(difference: Difference) -> dict[str, Any]:
    """Difference -> everything in it, every exception and every cable that moves by name."""
    d = difference
    return {
        "old": {"site": d.old, "digest": d.digests[0]},
        "new": {"site": d.new, "digest": d.digests[1]},
        "clean": d.clean,
        "exceptions": {
            "counts": [
                {"what": noun, "verb": verb, "count": n} for noun, verb, n in _exception_counts(d).iter_rows()
            ],
            "all": d.exceptions.select("noun", "verb", "subject", "was", "now").to_dicts(),
        },
        "added": d.added,
        "physical": [line.as_dict() for line in d.lines],
        "switches": d.configured.to_dicts(),
        "moves": d.moved.select(
            "cable", "fabric", "tier", "a_device", "a_port", "b_device_was", "b_port_was", "b_device", "b_port", "batch"
        ).to_dicts(),
        "work": [step.as_dict() for step in d.steps],
    }  # fmt: skip


def _exception_counts(d: Difference) -> pl.DataFrame:
    return d.exceptions.group_by("noun", "verb", maintain_order=True).len()


def _table(rows: list[tuple[str, ...]], indent: str = "  ") -> Iterator[str]:
    """Rows of cells, the first a heading -> lines; the first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield (indent + "  ".join(cells)).rstrip()


def _number(value: float) -> str:
    return f"{value:,}" if value else "-"


def _exceptions(d: Difference, *, everything: bool) -> Iterator[str]:
    yield "what stands"
    if d.clean:
        yield "  nothing is renamed, renumbered, moved, plugged anew or taken away"
        return
    for (noun, plural, verb), rows in groupby(d.exceptions.iter_rows(), key=lambda row: row[:3]):
        cases = list(rows)
        yield f"  {count(len(cases), noun, plural)} {verb}"
        for _, _, _, subject, was, now in cases if everything else cases[:EXAMPLES]:
            yield f"    {subject}" + (f": {was} -> {now}" if was is not None else "")
        left = len(cases) - EXAMPLES
        if left > 0 and not everything:
            yield f"    ... and {left:,} more (--all lists them)"


def first_day(lines: list[Line], gpus: int) -> Iterator[str]:
    """The physical diff of one site under two declarations: neither is built, so nothing moves; only counts differ."""
    yield f"what the first day takes with {gpus:,} GPUs declared, instead of what is declared now"
    rows: list[tuple[str, ...]] = [("", "as declared now", "with the growth", "more")]
    for line in lines:
        more = line.after - line.before
        if more:
            rows.append((f"{line.group}: {line.what}", _number(line.before), _number(line.after), f"{more:+,.10g}"))
    yield from _table(rows) if len(rows) > 1 else ["  nothing more"]


def things(lines: list[Line]) -> Iterator[str]:
    """The physical diff as a table."""
    yield "things that come, go, move or change"
    rows: list[tuple[str, ...]] = [("", "before", "after", "added", "removed", "moved or changed")]
    for group, of in groupby(lines, key=lambda line: line.group):
        rows += [
            (f"{group}: {line.what}", *map(_number, (line.before, line.after, line.added, line.removed, line.touched)))
            for line in of
        ]
    yield from _table(rows) if lines else ["  none"]


def runs(names: list[str]) -> str:
    """Names in order -> the same with runs of numbers drawn together: p001, p002, p003, p007 -> p001-p003, p007."""
    out: list[list[str]] = []
    for name in names:
        last = out[-1][-1] if out else ""
        head, digits = name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]
        follows = digits and last == f"{head}{int(digits) - 1:0{len(digits)}}"
        if follows:
            out[-1].append(name)
        else:
            out.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in out)


def _switches(configured: pl.DataFrame) -> Iterator[str]:
    yield "switches that run and are told something new"
    if configured.is_empty():
        yield "  none"
        return
    alike = configured.group_by("switches", *COUNTS, maintain_order=True).agg("slice")
    heads = ("switches each", *(c.replace("_", " ") for c in COUNTS))
    rows = [("slices", *heads)]
    for *numbers, slices in alike.iter_rows():
        rows.append((runs(slices), *(_number(n) for n in numbers)))
    yield from _table(rows)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _step(number: int, step: Step) -> Iterator[str]:
    yield f"  {number}. {step.what}"
    if not step.links_out:
        return
    times = f", {count(step.batches, 'time')}" if step.batches > 1 else ""
    yield f"     at most {count(step.links_out, 'link')} out of service at once{times}"
    if step.bisection_left is not None and step.switch_left is not None:
        yield (
            f"     bisection left at worst {_percent(step.bisection_left)}; "
            f"the switch that loses most keeps {_percent(step.switch_left)} of its uplinks"
        )


def _work(steps: list[Step]) -> Iterator[str]:
    yield "order of work"
    if not steps:
        yield "  nothing to do"
        return
    for number, step in enumerate(steps, 1):
        yield from _step(number, step)
    worst = max(steps, key=lambda step: step.links_out)
    if worst.links_out:
        yield f"  at the worst step {count(worst.links_out, 'link')} out of service at once"
        left = min((s.bisection_left for s in steps if s.bisection_left is not None), default=None)
        if left is not None:
            yield f"  bisection of what runs: at least {_percent(left)}, between two halves of its pods (or leaves)"
    else:
        yield "  no link that runs goes out of service"


def render(difference: Difference, *, everything: bool = False) -> str:
    """Difference -> text for people; `everything` lists each exception."""
    d = difference
    lines = [f"{d.old} {d.digests[0][:12]} -> {d.new} {d.digests[1][:12]}"]
    if d.old != d.new:
        lines.append("names are compared without that of the site; a site that runs keeps its name")
    stands = _exceptions(d, everything=everything)
    for part in (stands, things(d.lines), _switches(d.configured), _work(d.steps)):
        lines += ["", *part]
    return "\n".join(lines)
