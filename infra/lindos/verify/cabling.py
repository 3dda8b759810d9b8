"""Cables planned and neighbours heard -> the mistakes that explain the difference.

    planned   a joined to b, one row a link
    heard     what each port says it hears (LLDP): device, port, peer_device, peer_port
    compare   joins, vectorised: what agrees is never looked at again
    trace     what disagrees falls apart into chains and rings of ends (mistakes.py)
    tell      each chain or ring is one mistake; equal ones in a rack are told once (telling.py)

Nothing here reads the world; how it was heard does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.verify.mistakes import Link, Mistake, Outlook, trace
from lindos.verify.telling import Told, tell, tell_one_way, tell_unmeasured

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lindos.finding import Finding
    from lindos.verify.mistakes import End


HEARD = ("device", "port", "peer_device", "peer_port")
"""Columns of what was heard."""


@dataclass(frozen=True, slots=True)
class Cabling:
    """What the comparison found.

    Every link that is not as planned stands in exactly one mistake of `told`, or in one of the findings about
    cables that only one end hears or that could not be judged.
    `links` is the plan's rows with one more column: `state` is `right`, `one_way`, `missing`, `wrong` or
    `unmeasured`.
    """

    told: tuple[Told, ...]
    findings: tuple[Finding, ...]
    links: pl.DataFrame


def cabling(
    planned: pl.DataFrame,
    heard: pl.DataFrame,
    *,
    asked: Collection[str] | None = None,
    mute: Collection[End] = (),
    racks: Mapping[str, str] | None = None,
) -> Cabling:
    """Planned links (rows of cables.csv) and heard neighbours -> mistakes by name, as Findings and as moves.

    `asked` are the devices whose neighbours were read (default: all): a device that was not asked cannot be
    said to hear nothing. `mute` are ends that send no LLDP (a BMC's port). `racks` maps device to rack, so
    that equal mistakes in a rack are told as one.
    """
    ends = _number_ends(planned, heard, asked, mute)
    links, odd = _compare(planned, heard, ends)
    names = _names(ends, links.filter(pl.col("state") != "right"), odd)
    wrong = links.filter(pl.col("state") == "wrong")
    traced = trace(
        Outlook(
            names=names,
            planned=tuple(wrong.select("a", "b", "row").iter_rows()),
            heard=tuple(odd.select("low", "high").iter_rows()),
        )
    )
    missing = _absent(links, ends, names)
    told = tell((*traced, *missing), racks or {})
    findings = (
        *(t.finding for t in told),
        *tell_one_way(_named(links, "one_way", names)),
        *tell_unmeasured(_named(links, "unmeasured", names), frozenset(mute)),
    )
    return Cabling(told, tuple(sorted(findings)), planned.with_columns(links["state"]))


def _absent(links: pl.DataFrame, ends: pl.DataFrame, names: Mapping[int, End]) -> tuple[Mistake, ...]:
    """Links that nobody hears -> mistakes; those of a device that is silent on all its cables are one."""
    device = ends["device"]
    sides = pl.concat(
        [
            links.select("row", "state", device=device.gather(links[side]), silent=f"{side}_silent")
            for side in ("a", "b")
        ]
    )
    dark = (
        sides.group_by("device")
        .agg(
            (pl.col("silent") & pl.col("state").is_in(["missing", "unmeasured"])).all().alias("dark"),
            (pl.col("state") == "missing").sum().alias("missing"),
        )
        .filter(pl.col("dark") & (pl.col("missing") > 1))
        .select("device", by=pl.col("device"))
    )
    # A link between two of them is told with the lower end.
    owner = (
        sides.filter(pl.col("state") == "missing")
        .join(dark, on="device", how="left", maintain_order="left")
        .group_by("row", maintain_order=True)
        .agg(pl.col("by").drop_nulls().first())
    )
    missing = _in_state(links, "missing").join(owner, on="row", how="left", maintain_order="left")
    found, of_dark = [], defaultdict[str, list[Link]](list)
    for a, b, row, by in missing.select("a", "b", "row", "by").iter_rows():
        if by is None:
            found.append(Mistake.missing(names[a], names[b], row))
        else:
            of_dark[by].append(Link(names[a], names[b], row))
    return (*found, *(Mistake.dark(name, tuple(mine)) for name, mine in of_dark.items()))


def _number_ends(
    planned: pl.DataFrame,
    heard: pl.DataFrame,
    asked: Collection[str] | None,
    mute: Collection[End],
) -> pl.DataFrame:
    """Every end named anywhere -> `device`, `port`, `end` (its row), `mute`, `silent` (nobody read it)."""
    by_plan = [
        planned.select(device="a_device", port="a_port"),
        planned.select(device="b_device", port="b_port"),
    ]
    by_ear = [heard.select("device", "port"), heard.select(device="peer_device", port="peer_port")]
    known = pl.concat([side.cast(pl.String) for side in by_plan]).unique(maintain_order=True)
    strangers = pl.concat([side.cast(pl.String) for side in by_ear]).join(known, on=["device", "port"], how="anti")
    unread = pl.lit(False) if asked is None else ~pl.col("device").is_in(sorted(asked))
    keys = pl.DataFrame(sorted(mute), schema={"device": pl.String, "port": pl.String}, orient="row")
    return (
        # Sorted, so that the order in which hosts answered changes nothing.
        pl.concat([known, strangers.unique().sort("device", "port")])
        .join(keys.with_columns(mute=True), on=["device", "port"], how="left", maintain_order="left")
        .with_columns(pl.col("mute").fill_null(False))
        .with_columns(silent=unread | pl.col("mute"))
        .with_row_index("end")
    )


def _compare(planned: pl.DataFrame, heard: pl.DataFrame, ends: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """-> planned links (`a`, `b`, `row`, `state`, `a_hears`); heard pairs (`low`, `high`) that explain."""
    claims = pl.DataFrame(
        {
            "by": _numbers(heard, "device", "port", ends),
            "of": _numbers(heard, "peer_device", "peer_port", ends),
        }
    ).unique()
    pairs = claims.group_by(_pair("by", "of")).len("claims").sort("low", "high")
    plan = (
        pl.DataFrame(
            {
                "a": _numbers(planned, "a_device", "a_port", ends),
                "b": _numbers(planned, "b_device", "b_port", ends),
            }
        )
        .with_row_index("row")
        .with_columns(_pair("a", "b"))
        .join(pairs, on=["low", "high"], how="left", maintain_order="left")
        .join(
            claims.select(a="by", b="of", a_hears=True),
            on=["a", "b"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("a_hears").fill_null(False))
    )
    strange = pairs.join(plan, on=["low", "high"], how="anti", maintain_order="left")
    disturbed = ends["end"].is_in(pl.concat([strange["low"], strange["high"]]).unique().implode())
    links = plan.with_columns(
        touched=disturbed.gather(plan["a"]) | disturbed.gather(plan["b"]),
        a_silent=ends["silent"].gather(plan["a"]),
        b_silent=ends["silent"].gather(plan["b"]),
        a_mute=ends["mute"].gather(plan["a"]),
        b_mute=ends["mute"].gather(plan["b"]),
    ).with_columns(_state())
    # A planned pair is heard, but one end of it hears something strange as well: that belongs to the tangle.
    also = links.filter((pl.col("state") == "wrong") & pl.col("claims").is_not_null())
    return links, pl.concat([strange.select("low", "high"), also.select("low", "high")])


def _pair(x: str, y: str) -> list[pl.Expr]:
    return [pl.min_horizontal(x, y).alias("low"), pl.max_horizontal(x, y).alias("high")]


def _state() -> pl.Expr:
    """Nothing is missing unless an end was read whose far end speaks."""
    listened = (~pl.col("a_silent") & ~pl.col("b_mute")) | (~pl.col("b_silent") & ~pl.col("a_mute"))
    unheard = pl.col("claims").is_null()
    half = (pl.col("claims") == 1) & ~pl.col("a_silent") & ~pl.col("b_silent")
    return (
        pl.when("touched")
        .then(pl.lit("wrong"))
        .when(unheard & listened)
        .then(pl.lit("missing"))
        .when(unheard)
        .then(pl.lit("unmeasured"))
        .when(half)
        .then(pl.lit("one_way"))
        .otherwise(pl.lit("right"))
        .alias("state")
    )


def _numbers(frame: pl.DataFrame, device: str, port: str, ends: pl.DataFrame) -> pl.Series:
    return (
        frame.select(device=pl.col(device).cast(pl.String), port=pl.col(port).cast(pl.String))
        .join(
            ends.select("device", "port", "end"),
            on=["device", "port"],
            how="left",
            maintain_order="left",
        )
        .get_column("end")
    )


def _names(ends: pl.DataFrame, links: pl.DataFrame, pairs: pl.DataFrame) -> dict[int, End]:
    """Ends of some links and pairs -> their names by number."""
    wanted = pl.concat([links["a"], links["b"], pairs["low"], pairs["high"]]).unique()
    rows = ends.filter(pl.col("end").is_in(wanted.implode())).select("end", "device", "port").iter_rows()
    return {end: (device, port) for end, device, port in rows}


def _in_state(links: pl.DataFrame, state: str) -> pl.DataFrame:
    return links.filter(pl.col("state") == state).sort("row")


def _named(links: pl.DataFrame, state: str, names: Mapping[int, End]) -> list[tuple[End, End, bool]]:
    """Links of one state -> (a end, b end, whether a is the one that hears)."""
    rows = _in_state(links, state).select("a", "b", "a_hears").iter_rows()
    return [(names[a], names[b], hears) for a, b, hears in rows]
