"""The command line: parse, call one library function, print, return a code.

Data goes to stdout, words for people to stderr.
Exit 0 clean, 1 findings or infeasible, 2 bad input, 3 the world failed.
Libraries are imported by the command that needs them, so that `lindos --help` answers at once.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime  # noqa: TC003  # typer reads annotations
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lindos.errors import LindosError
from lindos.finding import Severity
from lindos.workspace import Workspace, project_root, site_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lindos.finding import Finding
    from lindos.plan import Plan
    from lindos.spec import Spec

app = typer.Typer(
    name="lindos",
    help="One site file becomes the whole design of an AI training cluster, and the truth about it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
twin = typer.Typer(
    no_args_is_help=True, help="A small hall on this machine: containers as machines, veth pairs as cables."
)
app.add_typer(twin, name="twin")

SiteArgument = Annotated[
    str, typer.Argument(metavar="SITE", help="A name under inventories/, a folder, or a site file.")
]


class Dialect(StrEnum):
    """The operating systems that a switch can be told in."""

    sonic = "sonic"
    cumulus = "cumulus"
    frr = "frr"


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def _read(site: str) -> tuple[Path, Workspace, Spec]:
    from lindos.spec import load_spec

    root = project_root()
    path = site_file(site, root)
    spec = load_spec(path)
    return path, Workspace(root, spec.site), spec


def _plan(site: str) -> tuple[Workspace, Spec, Plan]:
    """SITE -> its plan, read from the build folder where nothing has changed."""
    from lindos.plan import load_site

    path, workspace, _ = _read(site)
    spec, plan = load_site(path, workspace)
    return workspace, spec, plan


def _state(site: str) -> Plan:
    """SITE, or a build folder -> the plan; that of a build folder is what its files were made from."""
    from pathlib import Path

    from lindos.plan import read_built

    return read_built(Path(site)) if (Path(site) / "manifest.json").is_file() else _plan(site)[2]


def _tell(findings: Iterable[Finding]) -> int:
    """Findings for people on stderr -> exit code."""
    worst = 0
    for finding in findings:
        say(f"{finding.severity:8} {finding.code}  {finding.subject}: {finding.message}")
        if finding.hint:
            say(f"         hint: {finding.hint}")
        worst = max(worst, 1 if finding.severity in (Severity.CRITICAL, Severity.WARNING) else 0)
    return worst


def counts(plan: Plan) -> dict[str, Any]:
    """Plan -> how many there are of each thing; `racks` are those that hold GPU nodes, `devices` by kind."""
    import polars as pl

    switches: dict[str, dict[str, int]] = {}
    links: dict[str, dict[str, int]] = {}
    for fabric in plan.links["fabric"].unique(maintain_order=True):
        switches[fabric] = dict.fromkeys(("leaf", "spine", "core"), 0)
        links[fabric] = dict.fromkeys(("node_leaf", "leaf_spine", "spine_core"), 0)
    for fabric, role, n in plan.devices.filter(pl.col("kind") == "switch").group_by("fabric", "role").len().iter_rows():
        switches[fabric][role] = n
    for fabric, tier, n in plan.links.group_by("fabric", "tier").len().iter_rows():
        links[fabric][tier] = n
    counted = {
        "gpus": len(plan.gpus),
        "nodes": len(plan.devices.filter(pl.col("kind") == "node")),
        "racks": len(plan.racks.filter(pl.col("kind") == "compute")),
        "units": len(plan.units),
        "halls": len(plan.halls),
        "buildings": plan.halls["building"].drop_nulls().n_unique(),
        "network_racks": len(plan.racks.filter(pl.col("kind") == "network")),
        "devices": dict(plan.devices.group_by("kind", maintain_order=True).len().iter_rows()),
        "switches": switches,
        "links": links,
        "cables": len(plan.cables),
    }
    return counted | ({"storage_racks": len(plan.racks.filter(pl.col("kind") == "storage"))} if len(plan.pools) else {})


def carried(plan: Plan, spec: Spec) -> dict[str, Any]:
    """Plan and what was asked for -> the oversubscription of each fabric's leaves, and what storage can do."""
    from dataclasses import asdict

    from lindos.plan.ratios import fullest_leaves, storage_rates

    asked = {name: getattr(fabric, "oversubscription", None) for name, fabric in spec.fabrics.named.items()}
    full = fullest_leaves(plan)
    leaves = {name: {"asked": asked[name], "reached": round(full[name], 3)} for name in full if asked[name]}
    rates = storage_rates(plan)
    return {"oversubscription": leaves} | ({"storage": asdict(rates)} if rates else {})


def cooling(plan: Plan) -> dict[str, Any]:
    """Plan -> heat, flow, PUE and water by load: nameplate on the design day, typical in the mean of the year."""
    import polars as pl

    cdus = plan.cooling_nodes.filter(pl.col("kind") == "cdu")
    return {
        "coolant_m3_h": round(int(cdus["flow_ml_s"].sum()) * 3.6 / 1000, 3),
        **{
            row["load"]: {
                "liquid_mw": row["liquid_w"] / 1e6,
                "air_mw": row["air_w"] / 1e6,
                "plant_mw": row["plant_w"] / 1e6,
                "pue": round((row["pue_ppm"] or 0) / 1e6, 4),
                "losses_counted": row["loss_w"] is not None,
                "water_l_day": row["water_l_day"],
                "wue_l_kwh": (row["wue_ml_kwh"] or 0) / 1000,
            }
            for row in plan.efficiency.rows(named=True)
        },
    }


@app.command()
def plan(site: SiteArgument, as_json: JsonOption = False) -> None:
    """Design the site and say what it comes to."""
    from lindos.plan import design_site

    start = time.perf_counter()
    path = site_file(site, project_root())
    spec, made = design_site(path)
    out = {
        "site": made.site,
        "digest": made.digest,
        "seconds": round(time.perf_counter() - start, 3),
        "counts": counts(made),
        "power_mw": {
            "it_nameplate": round(int(made.loads["nameplate_w"].sum()) / 1e6, 6),
            "it_typical": round(int(made.loads["typical_w"].sum()) / 1e6, 6),
        },
        "carried": carried(made, spec),
        "cooling": cooling(made),
    }
    print(json.dumps(out) if as_json else _summary(out))


TIERS = {"node_leaf": "node to leaf", "leaf_spine": "leaf to spine", "spine_core": "spine to core"}
THINGS = {
    "gpus": ("GPU", "GPUs"),
    "nodes": ("node", "nodes"),
    "racks": ("rack of nodes", "racks of nodes"),
    "network_racks": ("network rack", "network racks"),
    "units": ("unit", "units"),
    "halls": ("hall", "halls"),
    "buildings": ("building", "buildings"),
    "nvswitch": ("NVSwitch tray", "NVSwitch trays"),
    "shelf": ("power shelf", "power shelves"),
    "cdu": ("CDU", "CDUs"),
    "service": ("service host", "service hosts"),
    "storage": ("storage server", "storage servers"),
    "storage_racks": ("rack of storage servers", "racks of storage servers"),
}
"""Key of a count -> what it counts, one and many."""


def _each(counts: dict[str, int], *keys: str) -> str:
    """Counts and keys -> those that are there, in words: 2 racks of nodes, 1 CDU."""
    tiers = {tier: (word, word) for tier, word in TIERS.items()}
    words = {key: (THINGS | tiers).get(key, (key, key)) for key in keys or counts}
    return ", ".join(f"{counts[key]:,} {words[key][counts[key] != 1]}" for key in words if counts.get(key))


def _storage(rates: dict[str, Any]) -> list[str]:
    """What storage can do -> the same for people."""
    known = [(rates["read_gbs"], "read"), (rates["write_gbs"], "write")]
    said = " and ".join(f"{word} {gbs:,.0f} GB/s" for gbs, word in known if gbs is not None)
    said = f"storage servers {said}" if said else "what storage servers read and write is not known"
    ways = (
        "" if rates["uplinks_gbs"] is None else f"the uplinks of their leaves carry {rates['uplinks_gbs']:,.0f} GB/s, "
    )
    return [
        f"{said}; their ports carry {rates['ports_gbs']:,.0f} GB/s",
        f"{ways}the ports of the nodes {rates['nodes_gbs']:,.0f} GB/s",
    ]


def _summary(out: dict[str, Any]) -> str:
    """What `plan --json` prints -> the same for people."""
    n, power = out["counts"], out["power_mw"]
    lines = [
        f"{out['site']}  digest {out['digest'][:12]}  designed in {out['seconds']:.1f} s",
        f"  {n['gpus']:>9,} GPUs in {_each(n, 'nodes', 'racks', 'units', 'halls', 'buildings')}",
    ]
    if others := _each(
        {**n, **n["devices"]}, "network_racks", "cdu", "shelf", "nvswitch", "storage", "storage_racks", "service"
    ):
        lines.append(f"            beside them {others}")
    for fabric, tiers in n["switches"].items():
        lines.append(f"  {sum(tiers.values()):>9,} {fabric} switches: {_each(tiers)}")
        lines.append(f"  {sum(n['links'][fabric].values()):>9,} {fabric} links: {_each(n['links'][fabric])}")
        if leaf := out["carried"]["oversubscription"].get(fabric):
            lines.append(f"            {leaf['reached']:g}:1 at the fullest leaf, {leaf['asked']:g}:1 is asked for")
    if rates := out["carried"].get("storage"):
        lines += [f"            {line}" for line in _storage(rates)]
    lines.append(f"  {n['cables']:>9,} cables")
    lines.append(
        f"  {power['it_nameplate']:>9.3f} MW of IT nameplate, {power['it_typical']:.3f} MW typical under training"
    )
    lines += _heat(out["cooling"])
    return "\n".join(lines)


def _heat(cooling: dict[str, Any]) -> list[str]:
    """The cooling that `plan --json` prints -> the same for people."""
    lines = []
    for load, day in (("nameplate", "at nameplate, design day"), ("typical", "under training, mean weather")):
        it = cooling[load]
        lines.append(
            f"  {it['liquid_mw']:>9.3f} MW to liquid, {it['air_mw']:.3f} MW to air {day}: PUE {it['pue']:.3f}"
            f"{'' if it['losses_counted'] else ' without losses of the power train'}, "
            f"{it['water_l_day']:,} L of water a day ({it['wue_l_kwh']:.2f} L/kWh)"
        )
    if cooling["coolant_m3_h"]:
        lines.append(f"  {cooling['coolant_m3_h']:>9,.0f} m3/h of coolant through CDUs at nameplate")
    return lines


def _sweep_one(made: Plan, spec: Spec, together: list[str], *, as_json: bool) -> None:
    """Plan and components that are lost together -> the devices that feel it, on stdout."""
    from lindos.check import sweep as losses
    from lindos.check.sweep_report import hit_lines
    from lindos.check.view import View

    view = View(made, spec)
    row, hit = losses.lost_together(view, together)
    if as_json:
        print(json.dumps({"site": made.site, "loss": row, "nodes": hit.drop("component").to_dicts()}))
        return
    print("\n".join(hit_lines(row, hit)))


def _sweep(made: Plan, spec: Spec, worst: int, *, pairs: bool, as_json: bool) -> None:
    """Plan -> what each loss takes down, on stdout."""
    from lindos.check import sweep as losses
    from lindos.check.sweep_report import feed_lines, lines
    from lindos.check.view import View

    view = View(made, spec)
    table = losses.losses(view, *(losses.pairs(view) if pairs else losses.components(view)))
    feeds = losses.feed_losses(view)
    if as_json:
        rows = table.head(worst) if worst else table
        print(json.dumps({"site": made.site, "losses": rows.to_dicts(), "feed_losses": feeds.to_dicts()}))
        return
    if pairs:
        print(
            "Pairs of parts above the busways that hurt one thing together; any other loses what its parts lose alone."
        )
    print("\n".join(lines(table, worst or 10)))
    if not pairs:
        print("\nWhen a feed is lost\n" + "\n".join(feed_lines(feeds)))


@app.command()
def check(
    site: SiteArgument,
    load_flow: Annotated[
        bool, typer.Option("--load-flow", help="Voltage, currents and short circuits instead; takes long.")
    ] = False,
    hall: Annotated[
        list[str] | None, typer.Option(metavar="HALL", help="Only the load flow of this hall; can be repeated.")
    ] = None,
    as_json: JsonOption = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="What the loss of each component takes down.")] = False,
    pairs: Annotated[bool, typer.Option("--pairs", help="The same of pairs of parts above the busways.")] = False,
    worst: Annotated[
        int, typer.Option(min=0, help="How many losses the sweep tells; by default 10, as JSON all of them.")
    ] = 0,
    of: Annotated[
        list[str] | None,
        typer.Option(metavar="COMPONENT", help="The nodes that this loss takes down; repeated: all of them together."),
    ] = None,
) -> None:
    """Hold the design against the rules of the field, or say what each loss takes down."""
    from lindos.check import LOAD_FLOW, RULES, check_load_flow
    from lindos.check import check as run_rules

    _, spec, made = _plan(site)
    if of:
        _sweep_one(made, spec, of, as_json=as_json)
        return
    if sweep or pairs:
        _sweep(made, spec, worst, pairs=pairs, as_json=as_json)
        return
    if load_flow or hall:
        from lindos.check.load_report import as_dict, render
        from lindos.check.view import View

        view = View(made, spec, _halls(made, hall))
        findings, rules = check_load_flow(view), LOAD_FLOW
        if as_json:
            print(json.dumps({"halls": as_dict(view), "findings": [f.as_dict() for f in findings]}))
        else:
            print(render(view))
    else:
        findings, rules = run_rules(made, spec), RULES
        if as_json:
            print(json.dumps([f.as_dict() for f in findings]))
    code = _tell(findings) if not as_json else int(any(f.severity in ("critical", "warning") for f in findings))
    say(f"{made.site}: {len(rules)} rules, {len(findings)} findings")
    raise typer.Exit(code)


def _halls(plan: Plan, asked: list[str] | None) -> tuple[str, ...] | None:
    """Names of halls from the command line -> the same; SpecError where there is none of that name."""
    from lindos.catalogue.nearest import did_you_mean
    from lindos.errors import Problem, SpecError

    known = plan.halls["hall"].to_list()
    wrong = [h for h in asked or () if h not in known]
    if wrong:
        hints = {h: did_you_mean(h, known, f"known are: {', '.join(known[:8])}") for h in wrong}
        raise SpecError(*(Problem(f"{plan.site} has no hall '{h}'", hint=hints[h]) for h in wrong))
    return tuple(asked) if asked else None


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The site as it stands: SITE, or a build folder.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The site as it shall be.")],
    declare: Annotated[
        bool, typer.Option("--declare", help="As if OLD had declared from the first day what NEW grows to.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="List each exception, not the first few.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two states of a site: what stands as it was, what does not, and the order of work.

    Exit 0 where nothing that stands is renamed, renumbered, moved, plugged anew or taken away, else 1.
    """
    from lindos.diff import diff as compare
    from lindos.diff.report import as_dict, first_day, render

    made = [_state(site) for site in (old, new)]
    day_one = room = None
    if declare:
        from lindos.diff.declare import declared, last_declared
        from lindos.plan import design_spec

        specs = [_read(site)[2] for site in (old, new)]
        room = last_declared(specs[1])
        as_it_is, made = made[0], [design_spec(declared(spec, room)) for spec in specs]
        day_one = compare(as_it_is, made[0])
    difference = compare(made[0], made[1])
    if as_json:
        print(
            json.dumps(
                as_dict(difference) | ({"first_day": [line.as_dict() for line in day_one.lines]} if day_one else {})
            )
        )
    else:
        if day_one and room:
            print("\n".join(first_day(day_one.lines, room.site)), end="\n\n")
        print(render(difference, everything=everything))
    raise typer.Exit(0 if difference.clean else 1)


@app.command()
def emit(
    site: SiteArgument,
    dialect: Annotated[
        list[Dialect] | None,
        typer.Option(help="Only this dialect of switch configurations; can be repeated. Else each switch's, and FRR."),
    ] = None,
) -> None:
    """Write everything that follows from the design into build/SITE."""
    from lindos.rollout.build import build

    path, workspace, _ = _read(site)
    built = build(path, workspace, [d.value for d in dialect or ()])
    say(f"build/{workspace.site}: {built.files:,} files, digest {built.plan.digest[:12]}, {built.seconds:.1f} s")


@app.command()
def query(
    site: SiteArgument, sql: Annotated[str, typer.Argument(help="A DuckDB query over the tables of the plan.")]
) -> None:
    """Ask the plan in SQL: its tables are devices, links, cables, addresses, loads, units and so on.

    `sweep` is what the loss of each component takes down; it is computed where a query names it.
    """
    from lindos.check.sweep import sweep
    from lindos.check.view import View
    from lindos.emit.query import query_plan

    _, spec, made = _plan(site)
    print(query_plan(made, sql, {"sweep": lambda: sweep(View(made, spec))}))


class Basis(StrEnum):
    """What a schedule reckons with."""

    tree = "tree"
    planning = "planning"


class LoadKind(StrEnum):
    """Which load of devices a schedule reckons with."""

    nameplate = "nameplate"
    measured = "measured"


@app.command()
def schedule(
    site: SiteArgument,
    as_json: JsonOption = False,
    basis: Annotated[Basis | None, typer.Option(help="Every device on the power train, or the estimate.")] = None,
    load: Annotated[LoadKind | None, typer.Option(help="The load that sources are held to.")] = None,
    firm: Annotated[bool | None, typer.Option("--firm/--all-power", help="Firm power alone, or all of it.")] = None,
    on: Annotated[datetime | None, typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="This day alone.")] = None,
    working: Annotated[bool, typer.Option("--explain", help="Print the working of each figure.")] = False,
) -> None:
    """Say how many GPUs can be online on which date, and what limits them; else as the site file says."""
    from lindos.catalogue import load_catalogue
    from lindos.emit.staging import as_dict, dates, render
    from lindos.emit.staging import explain as work
    from lindos.plan.schedule import Variant
    from lindos.plan.schedule import schedule as stage
    from lindos.spec.load import assumed_products

    _, spec, made = _plan(site)
    said = spec.schedule
    variant = Variant(
        basis.value if basis else said.basis, load.value if load else said.load, said.firm if firm is None else firm
    )
    staged = stage(spec, made, load_catalogue(assumed_products(spec)), variant)
    days = [on.date()] if on else dates(staged)
    if as_json:
        print(json.dumps(as_dict(staged, days)))
    else:
        print("\n\n".join(work(staged, day) for day in days) if working else render(staged, days))


@app.command()
def explain(code: Annotated[str, typer.Argument(help="The code of a finding, such as FABRIC-001.")]) -> None:
    """Say what a rule or check is about, why it matters and what to do."""
    from lindos.rollout.explain import explain_code

    print(explain_code(code))


@app.command()
def up(site: SiteArgument) -> None:
    """Bring the site up: build, stacks, convergence, verification, ledger. Goes on where it was stopped."""
    from lindos.rollout.bring_up import bring_up

    path, workspace, _ = _read(site)
    raise typer.Exit(bring_up(path, workspace, say, print))


@app.command()
def converge(
    site: SiteArgument,
    unit: Annotated[
        list[str] | None, typer.Option("--unit", help="Only this unit, such as a0001; can be repeated.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="Only this host or group; can be repeated.")
    ] = None,
    dry: Annotated[bool, typer.Option("--check", help="Say what would change, change nothing.")] = False,
    budget: Annotated[
        int, typer.Option(min=0, max=100, help="Percent of a wave that may fail; past it no further wave begins.")
    ] = 10,
    again: Annotated[bool, typer.Option("--again", help="Go to hosts that are done as well.")] = False,
    tags: Annotated[
        list[str] | None, typer.Option("--tags", metavar="ROLE", help="Only this role; can be repeated.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What a role is told instead, as YAML; can be repeated."),
    ] = None,
) -> None:
    """Make the nodes what their roles say, in waves; goes on where it was stopped, and leaves alone who is done.

    With --tags or --set a run is one of a kind: who is done is not left alone, and is not done by it.
    """
    from lindos.rollout.converge import Rollout, read_settings
    from lindos.rollout.converge import converge as run

    told = read_settings(settings or ())
    _, workspace, _ = _read(site)
    rollout = Rollout(check=dry, again=again, budget=budget / 100, tags=tuple(tags or ()), variables=told)
    result = run(workspace, limit=limit or None, units=unit or None, rollout=rollout, progress=say)
    raise typer.Exit(0 if result.ok else 3)


@app.command()
def verify(
    site: SiteArgument,
    as_json: JsonOption = False,
    ibnetdiscover: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="What ibnetdiscover printed of an InfiniBand subnet; can be repeated."),
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE", help="Only this node and its cables; can be repeated."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure what links carry too (HOST-080 to 083): disturbs what runs there."),
    ] = False,
) -> None:
    """Check every host and cable against the plan. GUIDs of InfiniBand that are new go to observed.json.

    Exit status: 0 where nothing is wrong, 1 with critical findings or warnings. What could not be measured, and what
    nobody expects, is told by check below the findings, and is no pass.
    """
    from lindos.observation import OBSERVED, read_guids, write_guids
    from lindos.verify import verify as run
    from lindos.verify.ibnet import read_discovered
    from lindos.verify.summary import as_dict, is_unmeasured, lines

    path, workspace, _ = _read(site)
    guids = read_guids(path.parent / OBSERVED)
    found = read_discovered(workspace.build, ibnetdiscover, guids) if ibnetdiscover else None
    result = run(workspace, hosts=node or None, progress=say, ibnet=found, guids=guids, measure=measure)
    if found and guids | found.guids != guids:
        write_guids(path.parent / OBSERVED, guids | found.guids)
        say(f"{path.parent / OBSERVED}: {len(found.guids):,} GUIDs; lindos emit names them")
    if as_json:
        print(json.dumps(as_dict(result)))
    code = _tell(f for f in result.findings if not is_unmeasured(f))
    for line in lines(workspace.site, result):
        say(line)
    raise typer.Exit(code)


@app.command()
def status(site: SiteArgument, as_json: JsonOption = False) -> None:
    """How many GPUs have come how far, and what holds back the rest."""
    from lindos.ledger import read_ledger, render

    workspace, _, made = _plan(site)
    ledger = read_ledger(made.gpus, workspace.evidence)
    print(json.dumps(ledger.as_dict()) if as_json else render(ledger))


@twin.command("up")
def twin_up(site: SiteArgument) -> None:
    """Build the hall from what is in build/SITE; nodes stay off until their BMC is told."""
    from lindos.twin import up as run

    _, workspace, _ = _read(site)
    run(workspace, progress=say)


@twin.command("down")
def twin_down(site: SiteArgument) -> None:
    """Take the hall away: containers, namespaces, processes, mounts."""
    from lindos.twin import down as run

    _, workspace, _ = _read(site)
    run(workspace, progress=say)


@twin.command("exec", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def twin_exec(context: typer.Context, site: SiteArgument) -> None:
    """Run a command where the operator sits: lindos twin exec SITE -- COMMAND."""
    from lindos.twin import exec_ as run

    _, workspace, _ = _read(site)
    raise typer.Exit(run(workspace, context.args))


@twin.command("status")
def twin_status(site: SiteArgument) -> None:
    """What runs, what is off, which faults are in."""
    from lindos.twin import status as run

    _, workspace, _ = _read(site)
    seen = run(workspace)
    print(f"{seen.site}: {'up' if seen.up else 'down'}, {seen.namespaces} namespaces")
    for machine in seen.machines:
        bmc = {None: "", True: "BMC answers", False: "BMC dead"}[machine.bmc]
        print(
            f"  {machine.name:28} {machine.kind:8} {'runs' if machine.runs else 'off':5} {bmc} {machine.error}".rstrip()
        )
    for fault in seen.faults:
        print(f"  broken: {fault}")


@twin.command("inject")
def twin_inject(
    site: SiteArgument,
    fault: Annotated[str, typer.Argument(help="What breaks; a wrong name lists them all.")],
    words: Annotated[list[str] | None, typer.Argument(help="What it befalls.")] = None,
) -> None:
    """Break something by name, such as: lindos twin inject lab feed-loss a."""
    from lindos.twin import inject as run

    _, workspace, _ = _read(site)
    for line in run(workspace, fault, *(words or [])):
        say(line)


@twin.command("heal")
def twin_heal(
    site: SiteArgument, words: Annotated[list[str] | None, typer.Argument(help="Which; all if none.")] = None
) -> None:
    """Take faults out again: one, a kind of them, or all."""
    from lindos.twin import heal as run

    _, workspace, _ = _read(site)
    for line in run(workspace, *(words or [])):
        say(line)


def main() -> None:
    """Entry point: run the command, and turn what a user can meet into words and an exit code."""
    try:
        app()
    except LindosError as err:
        say(err.render())
        raise SystemExit(err.exit_code) from None
    except KeyboardInterrupt:
        say("stopped")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
