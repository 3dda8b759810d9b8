"""Watts through the power train: what hangs on the leaves of a graph -> what every part of it carries and loses.

A part shares what it draws over its parents in proportion to their capacity; a standby parent carries nothing while
another is alive. What a part draws is what it delivers and what it loses on the way: conversion losses in proportion
to what it delivers.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

MILLION = 1_000_000


def depths(nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Parts and edges -> power_node, `depth`: 0 where nothing feeds it, else one more than the deepest of its parents.

    ValueError tells the cycle where the graph has one.
    """
    names = nodes["power_node"]
    parent, child = (_positions(names, edges[c]) for c in ("parent", "child"))
    depth = np.zeros(len(names), dtype=np.int64)
    for _ in range(len(names) + 1):
        deeper = depth.copy()
        np.maximum.at(deeper, child, depth[parent] + 1)
        if np.array_equal(deeper, depth):
            return pl.DataFrame({"power_node": names, "depth": depth})
        if deeper.max() >= len(names):
            break
        depth = deeper
    raise ValueError(f"the power train goes round: {' <- '.join(_way_round(edges))}")


def _way_round(edges: pl.DataFrame) -> list[str]:
    """Edges that have a cycle -> one, from the first of its names back to it."""
    above: dict[str, list[str]] = {}
    for parent, child in edges.select("parent", "child").sort("child", "parent").iter_rows():
        above.setdefault(child, []).append(parent)
    try:
        TopologicalSorter(above).prepare()
    except CycleError as err:
        loop: list[str] = list(reversed(err.args[1]))[1:]
        turn = loop.index(min(loop))
        return [*loop[turn:], *loop[: turn + 1]]
    raise AssertionError("no cycle")


def shares(nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Parts and edges -> edges with `share`: how much of what a child draws comes by each, all being well."""
    capacity = nodes.select(parent="power_node", weight=pl.col("capacity_w").cast(pl.Float64))
    frame = edges.join(capacity, on="parent", how="left", maintain_order="left")
    weight = pl.when(pl.col("standby")).then(0.0).otherwise(pl.col("weight"))
    frame = frame.with_columns(weight=weight)
    return frame.with_columns(share=pl.col("weight") / pl.col("weight").sum().over("child")).drop("weight")


def carry(nodes: pl.DataFrame, edges: pl.DataFrame, demand: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Parts, edges and what hangs on some of them (power_node and `columns`, watts) -> each part with what it delivers
    (the same columns) and what it loses (`*_loss_w` for `*_w`), in whole watts.
    """
    names = nodes["power_node"]
    frame = shares(nodes, edges)
    parent, child = (_positions(names, frame[c]) for c in ("parent", "child"))
    share = frame["share"].fill_nan(0.0).to_numpy()
    depth = depths(nodes, edges)["depth"].to_numpy()
    loss = nodes["loss_ppm"].to_numpy() / MILLION
    hung = nodes.select("power_node").join(demand, on="power_node", how="left", maintain_order="left").fill_null(0)
    out: dict[str, np.ndarray] = {}
    for column in columns:
        delivered = hung[column].to_numpy().astype(np.float64)
        for level in range(int(depth.max(initial=0)), 0, -1):
            mine = np.flatnonzero(depth[child] == level)
            drawn = delivered[child[mine]] * (1 + loss[child[mine]]) * share[mine]
            delivered += np.bincount(parent[mine], weights=drawn, minlength=len(names))
        out[column] = np.rint(delivered).astype(np.int64)
        out[column.removesuffix("_w") + "_loss_w"] = np.rint(delivered * loss).astype(np.int64)
    return nodes.select("power_node").with_columns(pl.Series(name, values) for name, values in out.items())


def feeders(nodes: pl.DataFrame, edges: pl.DataFrame, of: str, kinds: Sequence[str]) -> pl.DataFrame:
    """Parts, edges and a kind (`of`) -> each part of that kind, in a column named so, with `over`: the nearest parts
    above it that are of one of `kinds`. Several rows where several ways lead up, also to the same part.
    """
    kind = nodes.select(over="power_node", kind=pl.col("kind").cast(pl.String))
    found = nodes.filter(pl.col("kind").cast(pl.String) == of).select("power_node", over="power_node")
    done = [found.clear()]
    while len(found):
        found = found.join(edges.select("parent", "child"), left_on="over", right_on="child")
        found = found.select("power_node", over="parent").join(kind, on="over")
        done.append(found.filter(pl.col("kind").is_in(kinds)).select("power_node", "over"))
        found = found.filter(~pl.col("kind").is_in(kinds)).select("power_node", "over")
    return pl.concat(done).rename({"power_node": of})


def _positions(names: pl.Series, wanted: pl.Series) -> np.ndarray:
    """Names and some of them -> where each stands."""
    at = pl.DataFrame({"name": names, "at": np.arange(len(names))})
    return wanted.to_frame("name").join(at, on="name", how="left", maintain_order="left")["at"].to_numpy()
