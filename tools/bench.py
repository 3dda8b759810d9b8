"""A site's name in (default colossus-100k), a table of what its design and its previews cost out.

Every row is a process of its own, in a scratch project with its own inventory, stacks and state; rows follow
one another there, so the design is computed in the first and may be read back in those that follow.
`--gpus` asks for the design alone of sites in the manner of colossus-100k with so many GPUs, on as many training
fabrics as they take.
Path proofs are judged from answers as a fabric in order gives them: `--paths` does that alone, of a site that is built.
Memory is the highest sum over the command's processes (engine, language host, provider), sampled ten times a
second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from lindos.verify.paths import Requests, gather, judge_paths, numbers, pack, rails
from lindos.verify.site import read_site
from lindos.verify.ways import networks, ways
from lindos.workspace import Workspace, project_root

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_S = 0.1
GPUS_A_RACK = 64
A_FABRIC_JOINS = 524_288
"""GPUs: three tiers of 128 ports, R^3/4."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took: wall and processor seconds, and the most memory its processes held at once."""

    what: str
    wall_s: float
    cpu_s: float
    peak_mib: float


def session_rss(session: int) -> int:
    """A session's id in, the bytes of memory its processes hold now out."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name in brackets may hold blanks; behind it stand state, parent, group, session.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    total += int(fields[21]) * PAGE
            except OSError:
                continue  # it ended while we looked
    return total


def measure(what: str, command: list[str], cwd: Path) -> Cost:
    """A command in, its cost out; a command that fails ends the benchmark with its output."""
    print(f"bench: {what}", file=sys.stderr)
    peak = 0
    done = threading.Event()
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

        def watch() -> None:
            nonlocal peak
            while not done.wait(SAMPLE_S):
                peak = max(peak, session_rss(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # What it wrote into is removed next: it has to have ended.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        finally:
            done.set()
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.join()
        if process.returncode:
            output.seek(0)
            sys.exit(f"{output.read().decode(errors='replace')}\nbench: error: {' '.join(command)} failed")
    # A process too short to be sampled is still counted by the kernel, the largest alone.
    return Cost(what, wall_s, usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss << 10) / (1 << 20))


@contextmanager
def scratch_project(site: str) -> Iterator[Path]:
    """A site in; a project folder that shares this checkout's code but neither stacks nor state out."""
    with tempfile.TemporaryDirectory(prefix="lindos-bench-") as name:
        project = Path(name)
        for shared in (".venv", "infra", "templates", "roles", "pyproject.toml", "ansible.cfg"):
            if (ROOT / shared).exists():
                (project / shared).symlink_to(ROOT / shared)
        shutil.copy(ROOT / "Pulumi.yaml", project)
        shutil.copytree(ROOT / "inventories" / site, project / "inventories" / site)
        for folder in ("stacks", "state", "home"):
            (project / folder).mkdir()
        yield project


def prove_paths(site: str) -> None:
    """A site that is built -> its path proofs, from what nodes are to ask to what is told; each answers as planned.

    Without the nodes: what they take to ask is theirs, what their answers take here is what is measured.
    """
    built = read_site(Workspace(project_root(), site))
    planned = ways(built.cables)
    by_node = rails(built.expect, networks(planned))
    end = {rail.address: rail.end for mine in by_node.values() for rail in mine}
    owner = dict(built.addresses.select("address", "device").iter_rows())
    at = {device: address for address, device in owner.items()}

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        ways_there = ((s, d, planned.between(end[s], end[d])) for s, d in request["traces"])
        traces = [[s, d, [*(at[min(hop)] for hop in hops), d]] for s, d, hops in ways_there]
        told = {"pings": [[s, d, 0.123, None] for s, d in request["pings"]], "traces": traces, "errors": {}}
        # As it comes over the wire: no word of it is one that was there before.
        return dict(json.loads(json.dumps(told)))

    number = numbers(by_node)
    answers = gather(by_node, (pack(answer(request), number) for request in Requests(by_node).values()))
    found = judge_paths(answers, planned, owner)
    print(f"{answers.ping.height:,} pings and {len(answers.trace):,} traces of {len(by_node):,} nodes", file=sys.stderr)
    if found or answers.ping.is_empty():
        sys.exit(f"bench: error: {len(found)} findings of a fabric that is as planned: {found[:1]}")


def move_a_rack(project: Path, site: str, rack: str, place: str) -> None:
    """A project in; its site file says that `rack` stands, as an exception, at HALL/ROW/POSITION."""
    path = project / "inventories" / site / "site.yaml"
    yaml = YAML()
    document = yaml.load(path)
    hall, row, position = place.split("/")
    document.setdefault("placement", []).append(
        {"rack": rack, "hall": hall, "row": int(row), "position": int(position)}
    )
    yaml.dump(document, path)


def synthetic(gpus: int) -> dict[str, Any]:
    """GPUs in; the site file of a site in the manner of colossus-100k with so many, as data, out.

    A training fabric holds what three tiers of its switch join; floor and power are generous.
    """
    site: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "inventories/colossus-100k/site.yaml")
    each = [min(A_FABRIC_JOINS, gpus - start) for start in range(0, gpus, A_FABRIC_JOINS)]
    like, fabrics = site["compute"]["fleets"][0], site["fabrics"]
    fleets = [like | {"name": f"f{i}", "gpus": n} | ({"island": f"i{i}"} if i else {}) for i, n in enumerate(each)]
    fabrics["islands"] = [fabrics["rdma"] | {"name": f"i{i}"} for i in range(1, len(each))]
    fabrics["oob"]["racks_per_switch"] = min(2, len(each))
    racks = gpus // GPUS_A_RACK * 3 // 2 + 400
    halls = [{"name": f"h{i + 1}", "rows": 60, "racks_per_row": 44} for i in range(-(-racks // (60 * 44)))]
    power = site["power"] | {"sources": [{"name": "grid", "kind": "utility", "mw": gpus / 500}]}
    compute = site["compute"] | {"fleets": fleets}
    return site | {"site": f"bench-{gpus}", "grows_to": each[0], "compute": compute, "halls": halls, "power": power}


def designs(sizes: list[int]) -> Iterator[Cost]:
    """GPUs of synthetic sites in, the cost of designing each out."""
    with scratch_project("colossus-100k") as project:
        for gpus in sizes:
            folder = project / "inventories" / f"bench-{gpus}"
            folder.mkdir()
            (folder / "site.yaml").write_text(json.dumps(synthetic(gpus)))
            os.environ["LINDOS_ROOT"] = str(project)
            yield measure(f"lindos plan, {gpus:,} GPUs", ["lindos", "plan", f"bench-{gpus}"], project)


def rows(site: str, unit: str, rack: str, place: str) -> Iterator[Cost]:
    """A site in, the costs of designing it and of previewing its stack out, one as soon as it is known."""
    with scratch_project(site) as project:
        os.environ.update(
            LINDOS_ROOT=str(project),
            PULUMI_BACKEND_URL=f"file://{project}/state",
            PULUMI_HOME=f"{project}/home",
            PULUMI_CONFIG_PASSPHRASE="bench",
            PULUMI_SKIP_CHECKPOINTS="true",
        )
        pulumi = ["pulumi", "--non-interactive"]

        def run(*arguments: str) -> None:
            subprocess.run([*pulumi, *arguments], cwd=project, check=True, stdout=subprocess.DEVNULL)

        yield measure("lindos plan", ["lindos", "plan", site], project)
        yield measure("lindos emit", ["lindos", "emit", site], project)
        yield measure("path proofs, once nodes answer", [sys.executable, __file__, site, "--paths"], project)
        # How long Ansible takes to come to its first task: this one runs here, on a variable of a host.
        (project / "play.yml").write_text("- hosts: gpu_node\n  tasks: [{debug: {var: bmc_address}, run_once: true}]\n")
        play = ["ansible-playbook", "--inventory", f"build/{site}/inventory", "--limit", unit, "play.yml"]
        yield measure("ansible-playbook, first task on one unit", play, project)
        run("stack", "init", site)
        run("config", "set", "site", f"inventories/{site}")
        preview = [*pulumi, "preview", "--stack", site]
        yield measure("pulumi preview, new stack", preview, project)
        yield measure("pulumi up", [*pulumi, "up", "--yes", "--skip-preview", "--stack", site], project)
        yield measure("pulumi preview, no change", [*preview, "--expect-no-changes"], project)
        move_a_rack(project, site, rack, place)
        yield measure("pulumi preview, one rack moved", preview, project)


def machine() -> str:
    """Nothing in; what kind of machine the times are of, in one line, out."""
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if line.count(":") == 1)
    model = next((value.strip() for key, value in facts.items() if key.strip() == "model name"), platform.machine())
    memory_gib = os.sysconf("SC_PHYS_PAGES") * PAGE / (1 << 30)
    parts = ", ".join(f"{name} {version(name)}" for name in ("polars", "pulumi"))
    return (
        f"{len(os.sched_getaffinity(0))} cores ({model}), {memory_gib:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, {parts}"
    )


def main() -> None:
    """Arguments of the command line in, a Markdown table on standard output out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", nargs="?", default="colossus-100k")
    parser.add_argument("--unit", default="a0001", help="the unit whose play is started")
    parser.add_argument("--rack", default="colossus-100k-a0001-r01", help="the rack that is moved")
    parser.add_argument("--to", default="h1/5/22", help="where it is moved to: HALL/ROW/POSITION")
    parser.add_argument("--gpus", type=int, nargs="+", help="only design synthetic sites with so many GPUs each")
    parser.add_argument("--paths", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.paths:
        prove_paths(options.site)
        return
    what = "synthetic sites" if options.gpus else options.site
    print(f"{what} on {machine()}\n\n| command | wall s | CPU s | peak MiB |\n|---|--:|--:|--:|")
    for cost in designs(options.gpus) if options.gpus else rows(options.site, options.unit, options.rack, options.to):
        print(f"| {cost.what} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | {cost.peak_mib:.0f} |", flush=True)


if __name__ == "__main__":
    main()
