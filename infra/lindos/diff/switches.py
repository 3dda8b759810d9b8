"""What changed of the links -> which switches that run are told something new: ports and sessions, by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lindos.diff.compare import Change, Tables

COUNTS = ("ports_added", "ports_changed", "ports_removed", "sessions_added", "sessions_changed", "sessions_removed")


def _ends(links: pl.DataFrame) -> pl.DataFrame:
    """Links -> both ends; `session` where both are switches that route. A management port is not configured."""
    routed = pl.col("tier").cast(pl.String) != "node_leaf"
    ends = [links.select(device=f"{e}_device", port=f"{e}_port", session=routed) for e in ("a", "b")]
    return pl.concat(ends).filter(pl.col("port") != "eth0")


def reconfigured(old: Tables, new: Tables, changes: dict[str, Change]) -> pl.DataFrame:
    """Changes -> a row a slice with switches that stand and are told something new: how many, ports, sessions.

    A port that had a cable and gets another is changed; a session goes with its port.
    """
    links, moved = changes["links"], changes["links"].told("moved").select("link")
    left = pl.concat(
        [
            old["links"].join(moved, on="link", how="semi"),
            old["links"].join(new["links"].select("link"), on="link", how="anti"),
        ]
    )
    came = pl.concat([new["links"].join(moved, on="link", how="semi"), links.added])
    columns = ["link", "tier", "a_device", "a_port", "b_device", "b_port"]
    was, now = _ends(left.select(columns)), _ends(came.select(columns))
    ports = now.join(was, on=["device", "port"], how="full", coalesce=True, suffix="_was")
    came_new = pl.when(pl.col("session_was").is_null()).then(pl.lit("added"))
    what = came_new.when(pl.col("session").is_null()).then(pl.lit("removed")).otherwise(pl.lit("changed"))
    ports = ports.select("device", "port", what=what, session=pl.coalesce("session", "session_was"))
    again = changes["addresses"].told("renumbered").select("device", "port")
    again = again.join(ports, on=["device", "port"], how="anti")
    routed = pl.concat(new["links"].filter(pl.col("tier").cast(pl.String) != "node_leaf").select(
        device=f"{e}_device", port=f"{e}_port") for e in ("a", "b"))  # fmt: skip
    again = again.join(routed.with_columns(session=True), on=["device", "port"], how="left")
    again = again.select("device", "port", what=pl.lit("changed"), session=pl.col("session").fill_null(value=False))
    # A switch of InfiniBand is told nothing: its subnet manager finds what was plugged in.
    mute = new["fabrics"].filter(pl.col("link_layer").cast(pl.String) == "infiniband")["fabric"].to_list()
    stand = new["devices"].filter(pl.col("kind").cast(pl.String) == "switch", ~pl.col("fabric").is_in(mute))
    stand = stand.select("device", "slice")
    stand = stand.join(old["devices"].select("device"), on="device", how="semi", maintain_order="left")
    frame = pl.concat([ports, again]).join(stand, on="device")
    counted = {}
    for word in ("added", "changed", "removed"):
        counted[f"ports_{word}"] = (pl.col("what") == word).sum()
        counted[f"sessions_{word}"] = ((pl.col("what") == word) & pl.col("session")).sum()
    by_slice = frame.group_by("slice").agg(switches=pl.col("device").n_unique(), **counted)
    return by_slice.select("slice", "switches", *COUNTS).sort("slice")
