"""A built site and the world -> what is wrong, and the evidence for how far each GPU is."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import polars as pl

from lindos.drivers.access import Access
from lindos.finding import Finding, Severity
from lindos.ledger import read_findings
from lindos.observation import Observation, read_observations, write_observations
from lindos.verify.asking import ask, ask_routes, probe
from lindos.verify.bmcs import judge_bmc, judge_silence
from lindos.verify.cabling import HEARD, cabling
from lindos.verify.ibnet import judge
from lindos.verify.paths import Requests, gather, judge_paths, numbers, pack, rails
from lindos.verify.routes import forwarding, judge_routes, targets
from lindos.verify.site import read_site
from lindos.verify.ways import networks, ways
from lindos.verify.zipapp import build

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from lindos.verify.asking import Replies
    from lindos.verify.cabling import Cabling
    from lindos.verify.ibnet import Discovered
    from lindos.verify.paths import Rail
    from lindos.verify.site import Site
    from lindos.verify.summary import NotExpected
    from lindos.verify.zipapp import Zipapp
    from lindos.workspace import Workspace

NONE: Mapping[str, str] = MappingProxyType({})
TOLD_BY_CABLING = frozenset({"HOST-050"})
"""What a host finds about its own ports; the comparison of all cables names the mistake instead."""

LEAF_ANSWERS = "HOST-022"

SILENT = frozenset({"REACH-001", "REACH-003", "BMC-004"})
"""Codes that tell already that a device is not there to be heard."""

RIGHT = frozenset({"right", "one_way"})


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Findings in order, all evidence, how many things were checked, how long it took, and what had no expectation."""

    findings: tuple[Finding, ...]
    observations: tuple[Observation, ...]
    checks_run: int
    seconds: float
    passed: int = 0
    """Checks of nodes that passed."""
    not_expected: tuple[NotExpected, ...] = ()


def verify(
    workspace: Workspace,
    *,
    hosts: Collection[str] | None = None,
    progress: Callable[[str], object] = lambda _: None,
    paths: bool = True,
    access: Access | None = None,
    ibnet: Discovered | None = None,
    guids: Mapping[str, str] = NONE,
    measure: bool = False,
) -> VerifyResult:
    """A workspace whose site is built -> what its nodes, BMCs, cables and paths are like. Leaves the evidence on disk.

    `hosts` are the nodes to look at (default: all), with their cables; what is known of others stays as it was.
    `ibnet` is what was discovered of its InfiniBand, `guids` what was seen of it before.
    `paths` proves that rails reach each other, `measure` has nodes measure what their links carry.
    A device that does not answer is a Finding; the rest goes on.
    """
    start = time.perf_counter()
    whole = read_site(workspace)
    site = whole if hosts is None else whole.only(hosts)
    access = access or Access.from_environment()
    zipapp = build(workspace.state / "verify")
    progress(f"{site.name}: {len(site.expect)} nodes, {len(site.switches())} switches, {site.cables.height} cables")
    replies = ask(site, access, zipapp, progress, measure=measure)
    told = _of_hosts(site, replies, access)
    some = None if hosts is None else set(hosts)
    by_lldp = replace(site, cables=site.cables.filter(~pl.col("fabric").is_in(site.infiniband())))
    cables = _cables(by_lldp, replies, some)
    told.findings = [*_with_darkness(told.findings, cables.findings)]
    subnets = _subnets(site, ibnet, guids, some)
    told.findings += subnets.findings
    told.observations += _worst([*_cabled(site, cables), *subnets.observations])
    told.checks += site.cables.height + len(replies.bmcs)
    if paths:
        # A rail whose leaf does not answer is told by its host; to ask further from there says nothing new.
        passed = {subject for r in replies.hosts.values() for code, subject in r.passed if code == LEAF_ANSWERS}
        by_node = {
            node: [rail for rail in mine if f"{rail.node}:{rail.port}" in passed]
            for node, mine in rails(site.expect, networks(ways(whole.cables))).items()
        }
        proof = _prove(whole, by_node, list(replies.switches), access, zipapp, progress)
        told.findings += proof.findings
        told.checks += proof.checks
    result = VerifyResult(
        tuple(sorted(told.findings)),
        tuple(told.observations),
        told.checks,
        time.perf_counter() - start,
        passed=sum(len(r.passed) for r in replies.hosts.values()),
        not_expected=tuple(one for r in replies.hosts.values() for one in r.not_expected),
    )
    _keep(workspace, result, None if hosts is None else set(hosts))
    return result


def prove_paths(
    workspace: Workspace,
    *,
    hosts: Collection[str] | None = None,
    without: Collection[str] = (),
    progress: Callable[[str], object] = lambda _: None,
    access: Access | None = None,
) -> VerifyResult:
    """A workspace whose site is built -> whether rails reach each other, and switches forward, as the plan has it.

    `without` are switches that are known to be down: what is left of the plan without them is what is expected.
    Each node asks at most MOST_PINGS addresses and traces at most TRACES ways. Writes nothing.
    """
    start = time.perf_counter()
    whole = read_site(workspace)
    site = whole if hosts is None else whole.only(hosts)
    zipapp = build(workspace.state / "verify")
    access = access or Access.from_environment()
    down = set(without)
    switches = [s for s in site.switches() if s not in down]
    proof = _prove(whole, rails(site.expect, networks(ways(whole.cables))), switches, access, zipapp, progress, down)
    return VerifyResult(tuple(sorted(proof.findings)), (), proof.checks, time.perf_counter() - start)


@dataclass(slots=True)
class _Told:
    findings: list[Finding]
    observations: list[Observation]
    checks: int = 0


def _of_hosts(site: Site, replies: Replies, access: Access) -> _Told:
    told = _Told([], [])
    for host, wanted in site.expect.items():
        result = replies.hosts.get(host)
        off = False
        if state := replies.bmcs.get(host):
            findings, seen = judge_bmc(wanted, state)
            off = any(f.code == "BMC-004" for f in findings)
            told.findings += findings
            told.observations += seen
        elif error := replies.silent.get(("bmc", host)):
            doubled = result is not None and result.doubled
            findings, seen = judge_silence(host, error, host_answers=result is not None, doubled=doubled)
            told.findings += findings
            told.observations += seen
        if result is not None:
            told.findings += [f for f in result.findings if f.code not in TOLD_BY_CABLING]
            told.observations += result.observations
            told.checks += result.checks
        else:
            _silent_host(told, replies, host, off=off)
    if not access.knows_bmcs and site.expect:
        message = "no BMC was asked: there are no credentials"
        hint = "export LINDOS_BMC_USER and LINDOS_BMC_PASSWORD"
        told.findings.append(Finding("REACH-004", Severity.UNKNOWN, site.name, message, hint))
    for kind, device in replies.silent:
        if kind == "switch":
            error = replies.silent[kind, device]
            hint = error.problems[0].hint or "its management port, its power, its key"
            message = f"its neighbours were not read: {error.tried}: {error.said}"
            told.findings.append(Finding("REACH-003", Severity.CRITICAL, device, message, hint))
    return told


def _silent_host(told: _Told, replies: Replies, host: str, *, off: bool) -> None:
    """A node that gave no result; one that is switched off is told by its BMC already."""
    error = replies.silent.get(("host", host))
    logged_in = error is not None and error.tried.startswith("run ")
    code = "REACH-002" if logged_in else "REACH-001"
    said = f"{error.tried}: {error.said}" if error else "no management address is planned"
    what = "the checks did not run" if logged_in else "the node does not answer"
    told.observations.append(Observation(host, "os", seen=None if logged_in else False, detail=f"{code}: {what}"))
    if not off:
        hint = (error.problems[0].hint if error else "") or "its console by the BMC, its out-of-band port, its key"
        told.findings.append(Finding(code, Severity.CRITICAL, host, f"{what}: {said}", hint))


def _with_darkness(told: list[Finding], of_cables: tuple[Finding, ...]) -> Iterator[Finding]:
    """Findings of devices and of cables -> all of them; that a silent device is dark belongs to what is told of it."""
    dark = {f.subject: f for f in of_cables if f.code == "CABLE-011"}
    known = {f.subject for f in told if f.code in SILENT}
    for f in told:
        if f.code in SILENT - {"BMC-004"} and f.subject in dark:
            yield replace(f, message=f"{f.message}; {dark[f.subject].message}")
        else:
            yield f
    yield from (f for f in of_cables if f.code != "CABLE-011" or f.subject not in known)


def _cables(site: Site, replies: Replies, hosts: set[str] | None) -> Cabling:
    rows = [n for r in replies.hosts.values() for n in r.neighbours or ()]
    rows += [n for heard in replies.switches.values() for n in heard]
    heard = pl.DataFrame(rows, schema=dict.fromkeys(HEARD, pl.String), orient="row")
    asked = {h for h, r in replies.hosts.items() if r.neighbours is not None} | set(replies.switches)
    return cabling(site.cables, _near(site, heard, hosts), asked=asked, mute=site.mute(), racks=site.racks())


def _near(site: Site, heard: pl.DataFrame, hosts: set[str] | None) -> pl.DataFrame:
    """What was heard -> as far as it is about these hosts (None: all)."""
    if hosts is not None:
        # A switch hears the neighbours of every port; those of other nodes are not under judgement.
        ends = pl.concat(
            [
                site.cables.select(device="a_device", port="a_port"),
                site.cables.select(device="b_device", port="b_port"),
            ]
        )
        by_name = pl.col("device").is_in(sorted(hosts)) | pl.col("peer_device").is_in(sorted(hosts))
        at_ends = heard.join(ends, on=["device", "port"], how="semi")
        heard = pl.concat([at_ends, heard.filter(by_name)]).unique(maintain_order=True)
    return heard


def _subnets(site: Site, found: Discovered | None, guids: Mapping[str, str], hosts: set[str] | None) -> _Told:
    """What was discovered of the site's InfiniBand -> its cables and devices against the plan."""
    mine = replace(site, cables=site.cables.filter(pl.col("fabric").is_in(site.infiniband())))
    told = _Told([], [])
    if mine.cables.is_empty():
        return told
    if found is None:
        nodes = mine.cables.filter(pl.col("a_device").is_in(list(site.expect)))["a_device"].unique().sort()
        detail = "IBNET-004: its InfiniBand cables were not compared"
        told.observations += [Observation(node, "cabled", None, detail=detail) for node in nodes]
        message = f"{mine.cables.height:,} cables of InfiniBand were not compared: LLDP does not tell of them"
        hint = "ibnetdiscover > FILE on a host of each subnet, then lindos verify SITE --ibnetdiscover FILE"
        told.findings.append(Finding("IBNET-004", Severity.UNKNOWN, site.name, message, hint))
        return told
    cables = cabling(mine.cables, _near(mine, found.heard, hosts), racks=site.racks())
    told.findings += [*cables.findings, *judge(found, mine.cables, guids)]
    told.observations += _cabled(mine, cables)
    return told


def _worst(seen: list[Observation]) -> list[Observation]:
    """Observations of cables, several a device -> one a device: what is wrong before what is not known."""
    order = [False, None, True]
    out: dict[str, Observation] = {}
    for one in sorted(seen, key=lambda o: order.index(o.seen)):  # type: ignore[arg-type]  # a cable is or is not there
        out.setdefault(one.device, one)
    return [out[device] for device in dict.fromkeys(o.device for o in seen)]


def _cabled(site: Site, cables: Cabling) -> list[Observation]:
    """The evidence for stage `cabled`: every cable of a node's fabrics is where the plan has it."""
    why = {
        link.row: f"{told.finding.code}: {told.finding.subject} {told.finding.message}"
        if told.finding.code == "CABLE-011"
        else f"{told.finding.code}: {told.finding.message}"
        for told in cables.told
        for mistake in told.mistakes
        for link in mistake.links
    }
    mine = (
        cables.links.with_row_index("row")
        .filter(pl.col("a_device").is_in(list(site.expect)) & (pl.col("fabric") != "oob"))
        .group_by("a_device", maintain_order=True)
        .agg("state", "row")
    )
    seen = []
    for device, states, rows in mine.iter_rows():
        wrong = [row for state, row in zip(states, rows, strict=True) if state in {"wrong", "missing"}]
        good: bool | None = not wrong
        detail = f"{len(rows)} cables"
        if wrong:
            detail = why[wrong[0]]
        elif not RIGHT.issuperset(states):
            good, detail = None, "CABLE-010: not all of its cables could be judged"
        seen.append(Observation(device, "cabled", good, detail=detail))
    return seen


def _prove(
    site: Site,
    by_node: Mapping[str, Sequence[Rail]],
    switches: Collection[str],
    access: Access,
    zipapp: Zipapp,
    progress: Callable[[str], object],
    down: Collection[str] = (),
) -> _Told:
    number = numbers(by_node)
    heard, silent = probe(site, access, zipapp, Requests(by_node), lambda answer: pack(answer, number), progress)
    answers = gather(by_node, heard.values())
    owner = {address: device for device, address in site.addresses.select("device", "address").iter_rows()}
    findings = list(judge_paths(answers, ways(site.cables, without=down), owner))
    for node, error in sorted(silent.items()):
        message = f"its paths were not tried: {error.tried}: {error.said}"
        hint = error.problems[0].hint or "verify again"
        findings.append(Finding("REACH-002", Severity.UNKNOWN, node, message, hint))
    forwarded = _forwarded(site, switches, access, progress, down)
    return _Told(findings + forwarded.findings, [], answers.ping.height + len(answers.trace) + forwarded.checks)


def _forwarded(
    site: Site,
    switches: Collection[str],
    access: Access,
    progress: Callable[[str], object],
    down: Collection[str],
) -> _Told:
    """What these switches do with packets to other leaves, fabric by fabric, against the plan."""
    loopbacks = dict(site.addresses.filter(pl.col("purpose") == "loopback").select("device", "address").iter_rows())
    told = _Told([], [])
    routed = ~pl.col("fabric").is_in(site.infiniband())
    for fabric in site.cables.filter(pl.col("tier") == "leaf_spine", routed)["fabric"].unique().sort():
        plan = forwarding(site.cables, fabric, without=down)
        asked = {s: leaves for s, leaves in targets(plan).items() if s in set(switches)}
        wanted = {s: {leaf: loopbacks[leaf] for leaf in leaves} for s, leaves in asked.items() if leaves}
        seen, silent = ask_routes(site, access, wanted, progress)
        told.findings += judge_routes(plan, seen)
        told.checks += sum(len(routes) for routes in seen.values())
        for switch, error in sorted(silent.items()):
            message = f"its routes were not read: {error.tried}: {error.said}"
            told.findings.append(Finding("PATH-007", Severity.UNKNOWN, switch, message, error.problems[0].hint or ""))
    return told


def _keep(workspace: Workspace, result: VerifyResult, hosts: set[str] | None) -> None:
    """Evidence and findings -> files; of a look at some hosts, what is known of the others stays."""
    seen_at = workspace.evidence / "verify.jsonl"
    findings_at = workspace.evidence / "findings" / "verify.json"
    observations, findings = list(result.observations), list(result.findings)
    if hosts is not None:
        observations += [o for o in read_observations(seen_at) if o.device not in hosts]
        # Findings of others lie in files beside it, and are theirs to replace.
        old = read_findings([findings_at]) if findings_at.exists() else ()
        told = set(findings)
        findings += [f for f in old if f.subject.partition(":")[0] not in hosts and f not in told]
    findings_at.parent.mkdir(parents=True, exist_ok=True)
    fresh = findings_at.with_name(f"{findings_at.name}.new")
    fresh.write_text(json.dumps([f.as_dict() for f in findings], indent=1) + "\n", encoding="utf-8")
    fresh.replace(findings_at)
    write_observations(seen_at, observations)
