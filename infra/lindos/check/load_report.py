"""What load flows found -> words and figures for people, and the same for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from lindos.check.loadflow import Flow
    from lindos.check.view import View

BUS_KINDS = {"ring": "where rings begin", "board": "at boards", "busway": "at ends of busways", "tap": "at rack PDUs"}


def _flow(flow: Flow) -> dict[str, Any]:
    """One load flow -> its worst figures."""
    loaded = flow.parts.sort("loading_pct", "power_node").row(-1, named=True)
    fallen = flow.parts.filter(pl.col("kind") == "tap").sort("drop_pct", "power_node").row(-1, named=True)
    worst = dict(flow.parts.group_by("kind").agg(pl.col("loading_pct").max().round(2)).sort("kind").iter_rows())
    return {
        "lost": flow.lost,
        "load": flow.load,
        "in_kw": round(flow.in_w / 1000, 1),
        "out_kw": round(flow.out_w / 1000, 1),
        "loss_kw": round(flow.loss_w / 1000, 1),
        "worst_loading": {"part": loaded["power_node"], "pct": round(loaded["loading_pct"], 2), "by_kind": worst},
        "worst_drop": {
            "path": flow.path(fallen["power_node"]),
            **{k: round(fallen[k], 3) for k in ("drop_pct", "branch_pct", "total_pct")},
        },
    }


def as_dict(view: View) -> list[dict[str, Any]]:
    """A view -> every hall's figures."""
    out = []
    for hall in view.halls_flows:
        kinds = hall.faults.group_by("kind").agg(pl.col("most_ka").max(), pl.col("least_ka").min()).sort("kind")
        out.append({
            "hall": hall.hall,
            "seconds": round(hall.seconds, 2),
            "flow_seconds": round(sum(f.seconds for f in hall.flows), 2),
            "parts": len(hall.flows[0].parts) if hall.flows else 0,
            "flows": [_flow(f) for f in hall.flows if len(f.parts)],
            "plan_loss_kw": round(hall.plan_loss_w / 1000, 1),
            "short_circuits": {
                k: {"most_ka": round(most, 2), "least_ka": round(least, 2)} for k, most, least in kinds.iter_rows()
            },
        })  # fmt: skip
    return out


def render(view: View) -> str:
    """A view -> what `as_dict` says, in lines."""
    lines = []
    for hall in as_dict(view):
        lines.append(
            f"{hall['hall']}  {hall['parts']:,} parts, {len(hall['flows'])} load flows in "
            f"{hall['flow_seconds']:.1f} s, all in {hall['seconds']:.1f} s"
        )
        for flow in hall["flows"]:
            when = f"{flow['lost']} lost" if flow["lost"] else "all well"
            load, drop = flow["worst_loading"], flow["worst_drop"]
            lines.append(
                f"  {when}, {flow['load']}: {flow['in_kw']:,.1f} kW in, {flow['out_kw']:,.1f} out, "
                f"{flow['loss_kw']:,.1f} lost ({flow['loss_kw'] / flow['in_kw'] * 100:.2f} %)"
            )
            lines.append(
                "    most loaded: "
                + ", ".join(f"{kind} {pct:.1f} %" for kind, pct in load["by_kind"].items())
                + f" ({load['part']})"
            )
            lines.append(
                f"    largest drop: {drop['drop_pct']:.2f} % from the board, {drop['branch_pct']:.2f} % of it behind "
                f"the tap box, {drop['total_pct']:.2f} % from the ring's source: {drop['path']}"
            )
        well = next((f for f in hall["flows"] if f["lost"] is None and f["load"] == "nameplate"), None)
        if well:
            lines.append(
                f"  losses all being well at nameplate: {well['loss_kw']:,.1f} kW here, {hall['plan_loss_kw']:,.1f} kW "
                "in the plan, which takes each part's efficiency at full load"
            )
        lines += [
            f"  short circuit {BUS_KINDS[kind]}: {ka['most_ka']:.1f} kA at most, {ka['least_ka']:.1f} kA at least"
            for kind, ka in hall["short_circuits"].items()
        ]
    return "\n".join(lines)
