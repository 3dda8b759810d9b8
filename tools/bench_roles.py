"""How long `roles/site.yml` takes on N real nodes, by plain Ansible and through Mitogen; a Markdown table out.

The nodes are those of a twin of its own, in the manner of the lab, made for this and taken down after it. Both
strategies begin with bare nodes: the twin is built twice. `first` installs everything, `again` finds nothing to do;
--again names the numbers of nodes for it, which tells what a node costs. Wall and processor seconds are those of
the control host's processes; nodes share its cores here, so theirs is waited for as well.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import ROOT, measure, scratch_project
from ruamel.yaml import YAML

from lindos.drivers import ansible, runner, ssh
from lindos.drivers.access import Access
from lindos.drivers.redfish import set_power
from lindos.drivers.redfish_documents import Power
from lindos.rollout.bring_up import BOOT
from lindos.rollout.converge import ship_suite
from lindos.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = "bench-roles"
GPUS_A_NODE = 8
WITH = str(ROOT / "tools/with-env")


def site_of(nodes: int) -> dict[str, Any]:
    """Nodes, a multiple of four -> the lab's site file with so many, a unit of either vendor, and room for them.

    Its switches have more ports, so that there are few: what is measured are nodes.
    """
    site: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "inventories/lab/site.yaml")
    gpus = nodes * GPUS_A_NODE
    fleets = [fleet | {"gpus": gpus // 2, "unit": {"racks": nodes // 4}} for fleet in site["compute"]["fleets"]]
    halls = [site["halls"][0] | {"rows": 4, "racks_per_row": max(6, nodes)}]
    sources = [site["power"]["sources"][0] | {"mw": gpus / 250}]
    chain = site["power"]["chain"] | {"transformer": {"kva": 500}}
    # Its one network rack holds the switches of all.
    oob = site["fabrics"]["oob"] | {"racks_per_switch": 4}
    for assumed in site["assumptions"]:
        if "cages" in assumed["facts"]:
            assumed["facts"]["cages"]["count"] = 64
            assumed["facts"]["power_w_max"] = 1500
    return site | {
        "site": SITE,
        "grows_to": gpus,
        "compute": site["compute"] | {"fleets": fleets},
        "halls": halls,
        "power": site["power"] | {"sources": sources, "chain": chain},
        "fabrics": site["fabrics"] | {"oob": oob},
    }


def lindos(project: Path, *words: str) -> None:
    """A verb of `lindos` in the scratch project; what it says is shown if it fails."""
    run = subprocess.run([WITH, "lindos", *words], cwd=project, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{run.stdout}{run.stderr}\nbench: error: lindos {' '.join(words)} failed")


def inside(*words: str) -> list[str]:
    """What `there` is to do -> the command that does it where the operator sits."""
    return [WITH, "lindos", "twin", "exec", SITE, "--", "python", __file__, "--there", *words]


def there(what: str, words: list[str]) -> None:
    """Done where the operator sits: `power-on` switches every node on, a strategy's name plays the site on hosts."""
    workspace = Workspace(Path.cwd(), SITE)
    if what == "power-on":
        access = Access.from_environment()
        for host, told in told_of(workspace.root).items():
            set_power(access.bmc(host, told["bmc_address"]), Power.ON)
        hosts = [access.host(host, told["ansible_host"]) for host, told in told_of(workspace.root).items()]
        silent = [o.error for o in runner.run(hosts, lambda host: ssh.run(host, ["true"]), retry=BOOT) if o.error]
        sys.exit(str(silent[0]) if silent else 0)
    how = ansible.strategy() if what == "mitogen_linear" else ansible.Strategy(what)
    if how.name != what:
        sys.exit(how.why)
    ship_suite(workspace)
    request = ansible.Play(
        playbook=workspace.root / "roles" / "site.yml",
        inventories=(workspace.build / "inventory", workspace.inventory),
        limit=tuple(words),
        folder=workspace.root,
        work=workspace.state / "runs",
    )
    troubles = [outcome.trouble for outcome in ansible.play(request, lambda _: None, how).hosts if outcome.trouble]
    sys.exit("\n".join(map(str, troubles)) or 0)


def told_of(project: Path) -> dict[str, dict[str, Any]]:
    """A project with a design -> its nodes in order, each with its variables."""
    files = sorted((project / "build" / SITE / "inventory" / "host_vars").glob("*.json"))
    return {host: told for file in files for host, told in sorted(json.loads(file.read_text()).items())}


def rows(strategies: list[str], nodes: int, again: list[int]) -> Iterator[str]:
    """Strategies, nodes, and how many of them once more -> lines of the table, each as soon as it is known."""
    with scratch_project("lab") as project:
        os.environ["LINDOS_ROOT"] = str(project)
        (project / "inventories" / "lab").rename(project / "inventories" / SITE)
        (project / "inventories" / SITE / "groups.yml").unlink()
        YAML().dump(site_of(nodes), project / "inventories" / SITE / "site.yaml")
        lindos(project, "emit", SITE)
        for strategy in strategies:
            try:
                lindos(project, "twin", "up", SITE)
                subprocess.run(inside("power-on"), cwd=project, check=True)
                hosts = list(told_of(project))
                for what, count in (("first", nodes), *(("again", count) for count in again)):
                    took = measure(f"{strategy}, {what}, {count} nodes", inside(strategy, *hosts[:count]), project)
                    figures = f"{took.wall_s:.1f} | {took.cpu_s:.1f} | {took.peak_mib:.0f}"
                    yield f"| {strategy} | {what} | {count} | {figures} |"
            finally:
                lindos(project, "twin", "down", SITE)


def main() -> None:
    """Arguments of the command line in, a Markdown table on standard output out."""
    if sys.argv[1:2] == ["--there"]:
        there(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("nodes", nargs="?", type=int, default=16, help="a multiple of four")
    parser.add_argument("--again", nargs="*", type=int, default=[1, 4, 16], help="nodes of each second run")
    parser.add_argument("--strategy", nargs="*", default=["linear", "mitogen_linear"], help="of Ansible's, in order")
    options = parser.parse_args()
    # Ended from outside, it still takes its twin down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print("| strategy | run | nodes | wall s | CPU s | peak MiB |\n|---|---|--:|--:|--:|--:|", flush=True)
    for line in rows(options.strategy, options.nodes, [n for n in options.again if n <= options.nodes]):
        print(line, flush=True)


if __name__ == "__main__":
    main()
