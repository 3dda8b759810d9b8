"""Planned GPUs and what was seen of them -> the furthest stage of each, and what holds the rest back.

    designed -> racked -> powered -> bmc -> os -> driver -> cabled -> validated -> schedulable

A GPU reaches a stage when it reached the one before and evidence says so. No evidence is no progress: a stage
that nothing measures says "not measured", and no GPU gets past it. Where several sources speak of one stage of
one node, the least counts. `read_ledger` reads a site's evidence, the rest is pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.finding import Finding, Severity
from lindos.observation import Observation, Seen, read_observations

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


STAGES = ("designed", "racked", "powered", "bmc", "os", "driver", "cabled", "validated", "schedulable")
"""In order; the name of a stage is the `what` of the Observations that are its evidence."""

EVIDENCE = STAGES[1:]
EXAMPLES = 3
BLOCKERS_SHOWN = 20
ALL = 1 << 30
"""GPUs of a node that a plain True speaks for: as many as it has."""

NOT_MEASURED = "not measured"

_EVIDENCE_SCHEMA = {
    "device": pl.String,
    "what": pl.String,
    "upto": pl.Int64,
    "doubled": pl.Boolean,
    "detail": pl.String,
}


@dataclass(frozen=True, slots=True)
class StageRow:
    """GPUs that reached a stage; of these, on a double's word; and GPUs stopped before it for lack of evidence.

    `measured`: whether anything speaks of this stage anywhere.
    """

    stage: str
    gpus: int
    doubled: int
    not_measured: int
    measured: bool


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why GPUs do not reach `stage`: how many, and some of the nodes they are in."""

    stage: str
    reason: str
    gpus: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The truth about a site's GPUs.

    `per_gpu`: gpu, device, stage (its furthest), blocked_at and reason (null where it went all the way).
    """

    total: int
    rows: tuple[StageRow, ...]
    blockers: tuple[Blocker, ...]
    per_gpu: pl.DataFrame = field(compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """-> what `--json` prints."""
        return {
            "total": self.total,
            "stages": [
                {
                    "stage": r.stage,
                    "gpus": r.gpus,
                    "doubled": r.doubled,
                    "not_measured": r.not_measured,
                    "measured": r.measured,
                }
                for r in self.rows
            ],
            "blockers": [
                {"stage": b.stage, "reason": b.reason, "gpus": b.gpus, "examples": list(b.examples)}
                for b in self.blockers
            ],
        }


def read_ledger(gpus: pl.DataFrame, folder: Path) -> Ledger:
    """Planned GPUs and the folder where runs leave their evidence -> the ledger."""
    return ledger(gpus, read_evidence(folder), read_findings(folder.glob("findings/*.json")))


def read_evidence(folder: Path) -> tuple[Observation, ...]:
    """A folder of evidence files -> Observations; of one fact about one device the newest file's word counts."""
    latest: dict[tuple[str, str], list[Observation]] = {}
    for path in sorted(folder.glob("*.jsonl"), key=lambda p: (p.stat().st_mtime_ns, p.name)):
        here: dict[tuple[str, str], list[Observation]] = {}
        for seen in read_observations(path):
            here.setdefault((seen.device, seen.what), []).append(seen)
        latest |= here
    return tuple(seen for group in latest.values() for seen in group)


def read_findings(paths: Iterable[Path]) -> tuple[Finding, ...]:
    """JSON files, each a list of findings -> Findings."""
    rows = [row for path in sorted(paths) for row in json.loads(path.read_text())]
    return tuple(Finding(**row | {"severity": Severity(row["severity"])}) for row in rows)


def ledger(gpus: pl.DataFrame, observations: Iterable[Observation], findings: Iterable[Finding] = ()) -> Ledger:
    """Planned GPUs (gpu, device, index), Observations and Findings -> the Ledger.

    An Observation of a stage speaks for all GPUs of its device: True, False, or a number where only so many of
    them are there (which ones is not known: the first are counted). None says that it could not be measured.
    A critical Finding about a node keeps it from `validated`, whatever else is said.
    """
    seen = _evidence([o for o in observations if o.what in EVIDENCE])
    measured = set(seen.filter(pl.col("upto").is_not_null())["what"])
    nodes = _nodes(gpus.select("device").unique(), pl.concat([seen, _vetoes(findings)]))
    rank = pl.col("index").rank("ordinal").over("device")
    placed = (
        gpus.select("gpu", "device", "index", rank=rank)
        .join(nodes, on="device", how="left", maintain_order="left")
        .with_columns(
            reached=pl.sum_horizontal((pl.col("rank") <= pl.col(f"{stage} upto")).cast(pl.Int32) for stage in EVIDENCE)
        )
        .with_columns(
            stage=_named("reached", STAGES),
            blocked_at=_named("reached", EVIDENCE),
            reason=pl.coalesce(
                pl.when(pl.col("reached") == number).then(pl.col(f"{stage} reason"))
                for number, stage in enumerate(EVIDENCE)
            ),
        )
    )
    return Ledger(
        total=gpus.height,
        rows=_rows(placed, measured),
        blockers=_blockers(placed),
        per_gpu=placed.select("gpu", "device", "stage", "blocked_at", "reason"),
    )


def render(book: Ledger) -> str:
    """Ledger -> a table for people, and below it what blocks whom, the most first."""
    lines = [f"{'stage':<12} {'GPUs':>11} {'of plan':>8} {'doubled':>11}"]
    for row in book.rows:
        share = f"{row.gpus / book.total:.1%}" if book.total else ""
        note = NOT_MEASURED if not row.measured else ""
        if row.measured and row.not_measured:
            note = f"{row.not_measured:,} {NOT_MEASURED}"
        doubled = f"{row.doubled:,}" if row.doubled else ""
        lines.append(f"{row.stage:<12} {row.gpus:>11,} {share:>8} {doubled:>11}  {note}".rstrip())
    if any(row.doubled for row in book.rows):
        lines += ["", "doubled: a stand-in answered, not the hardware"]
    if book.blockers:
        lines += ["", "what holds back the rest:"]
    for b in book.blockers[:BLOCKERS_SHOWN]:
        lines.append(f"  {b.gpus:>9,} GPUs before {b.stage}: {b.reason} ({', '.join(b.examples)})")
    if (left := len(book.blockers) - BLOCKERS_SHOWN) > 0:
        lines.append(f"  ... and {left} more reasons")
    return "\n".join(lines)


def _evidence(observations: list[Observation]) -> pl.DataFrame:
    """-> device, what, upto (GPUs that it speaks for; null: not measured), doubled, detail."""
    return pl.DataFrame(
        {
            "device": [o.device for o in observations],
            "what": [o.what for o in observations],
            "upto": [_speaks_for(o.seen) for o in observations],
            "doubled": [o.doubled for o in observations],
            "detail": [o.detail for o in observations],
        },
        schema=_EVIDENCE_SCHEMA,
    )


def _speaks_for(seen: Seen) -> int | None:
    """What is not a truth value or a number is no evidence."""
    if isinstance(seen, bool):
        return ALL if seen else 0
    return max(0, int(seen)) if isinstance(seen, int | float) else None


def _vetoes(findings: Iterable[Finding]) -> pl.DataFrame:
    """Critical findings -> evidence against `validated` of the device they are about."""
    critical = [f for f in findings if f.severity is Severity.CRITICAL]
    return pl.DataFrame(
        {
            "device": [f.subject.partition(":")[0] for f in critical],
            "what": ["validated"] * len(critical),
            "upto": [0] * len(critical),
            "doubled": [False] * len(critical),
            "detail": [f"{f.code}: {f.message}" for f in critical],
        },
        schema=_EVIDENCE_SCHEMA,
    )


def _nodes(devices: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Devices and evidence -> a row a device: for each stage `upto`, `doubled` and `reason`.

    `upto`: GPUs that this stage and every one before it are seen of. Of several sources the least counts.
    """
    weighed = (
        evidence.sort("upto", "detail", nulls_last=True)
        .group_by("device", "what", maintain_order=True)
        .agg(pl.col("upto").first(), pl.col("doubled").any(), pl.col("detail").first())
    )
    nodes = devices
    so_far = pl.lit(ALL)
    for stage in EVIDENCE:
        of_stage = weighed.filter(pl.col("what") == stage).select(
            "device",
            pl.col("upto").alias(f"{stage} alone"),
            pl.col("doubled").alias(f"{stage} doubled"),
            pl.col("upto").is_not_null().alias(f"{stage} measured"),
            pl.when(pl.col("detail") != "")
            .then("detail")
            .when(pl.col("upto").is_null())
            .then(pl.lit(NOT_MEASURED))
            .otherwise(pl.lit("seen not to be"))
            .alias(f"{stage} reason"),
        )
        nodes = nodes.join(of_stage, on="device", how="left").with_columns(
            pl.min_horizontal(so_far, pl.col(f"{stage} alone").fill_null(0)).alias(f"{stage} upto"),
            pl.col(f"{stage} doubled", f"{stage} measured").fill_null(value=False),
            pl.col(f"{stage} reason").fill_null(NOT_MEASURED),
        )
        so_far = pl.col(f"{stage} upto")
    return nodes


def _named(number: str, names: tuple[str, ...]) -> pl.Expr:
    return pl.col(number).replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)


def _rows(placed: pl.DataFrame, measured: set[str]) -> tuple[StageRow, ...]:
    reached = pl.col("reached")
    counts = placed.select(
        expr.sum().alias(f"{stage} {what}")
        for number, stage in enumerate(EVIDENCE, 1)
        for what, expr in (
            ("gpus", reached >= number),
            ("doubled", (reached >= number) & pl.col(f"{stage} doubled")),
            ("unmeasured", (reached == number - 1) & ~pl.col(f"{stage} measured")),
        )
    ).row(0, named=True)
    return (
        StageRow(STAGES[0], placed.height, 0, 0, measured=True),
        *(
            StageRow(
                stage,
                counts[f"{stage} gpus"],
                counts[f"{stage} doubled"],
                counts[f"{stage} unmeasured"],
                measured=stage in measured,
            )
            for stage in EVIDENCE
        ),
    )


def _blockers(placed: pl.DataFrame) -> tuple[Blocker, ...]:
    """Reasons that start with the same code are one blocker: `HOST-003: expected driver ...`."""
    code = pl.col("reason").str.extract(r"^([A-Z]+-[0-9]+)", 1)
    blocked = (
        placed.filter(pl.col("blocked_at").is_not_null())
        .with_columns(cause=code.fill_null(pl.col("reason")))
        .group_by("reached", "blocked_at", "cause")
        .agg(
            pl.len().alias("gpus"),
            pl.col("reason").min().alias("first"),
            pl.col("reason").n_unique().alias("reasons"),
            pl.col("device").unique().sort().head(EXAMPLES).alias("examples"),
        )
        .sort("gpus", "reached", "cause", descending=[True, False, False])
    )
    return tuple(
        Blocker(
            stage=row["blocked_at"],
            reason=row["first"] + (f" (and {row['reasons'] - 1} like it)" if row["reasons"] > 1 else ""),
            gpus=row["gpus"],
            examples=tuple(row["examples"]),
        )
        for row in blocked.iter_rows(named=True)
    )
