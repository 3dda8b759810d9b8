"""A twin of the small hall, built and removed by the tests themselves, and what an operator does with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from small_hall import address, write_small_hall

from lindos import twin
from lindos.drivers.redfish import Bmc, Power, SystemState, connect, set_power
from lindos.twin import netns
from lindos.twin.console import operator_side
from lindos.twin.places import NETNS, RUN, Places, places
from lindos.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

UP = """
import sys
from pathlib import Path
from lindos.twin import up
from lindos.workspace import Workspace
up(Workspace(Path(sys.argv[1]), sys.argv[2]), progress=lambda line: print(line, flush=True))
"""

T = TypeVar("T")


@dataclass(frozen=True)
class Lab:
    """One twin and its operator. Devices go by the small hall's short names (`leaf01`, `n01`)."""

    workspace: Workspace

    @property
    def place(self) -> Places:
        return places(self.workspace)

    def name(self, device: str) -> str:
        return f"{self.workspace.site}-{device}"

    def start_up(self) -> subprocess.Popen[str]:
        """`up` in a process of its own, which a test may kill."""
        argv = [sys.executable, "-c", UP, str(self.workspace.root), self.workspace.site]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def operate(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command at the control host -> how it ended."""
        namespace, environment = operator_side(self.place)
        argv = ["nsenter", f"--net={NETNS / namespace}", "--", *words]
        known = os.environ | environment
        return subprocess.run(argv, env=known, input=stdin, capture_output=True, text=True, check=False, timeout=120)

    def ssh(self, device: str, command: str, *, stdin: str | None = None) -> str:
        """A shell command on a machine, its host key known beforehand -> what it printed."""
        _, environment = operator_side(self.place)
        where = address(device, "mgmt0") if device.startswith("n") else address(device)
        at = f"root@{where}"
        options = ["-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3"]
        options += ["-o", f"UserKnownHostsFile={environment['LINDOS_SSH_KNOWN_HOSTS']}", "-o", "BatchMode=yes"]
        done = self.operate("ssh", "-i", environment["LINDOS_SSH_KEY"], *options, at, command, stdin=stdin)
        if done.returncode != 0:
            raise RuntimeError(f"{device}: {command}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def ssh_soon(self, device: str, command: str, *, within_s: float = 60) -> str:
        """The same of a machine that may still boot."""
        return soon(lambda: self.ssh(device, command), within_s=within_s, but=RuntimeError)

    def bmc(self, node: str) -> Bmc:
        _, environment = operator_side(self.place)
        user, password = environment["LINDOS_BMC_USER"], environment["LINDOS_BMC_PASSWORD"]
        return Bmc(self.name(node), address(node, "bmc"), user, password, timeout_s=5)

    def at_control_host(self, do: Callable[[], T]) -> T:
        return netns.inside(operator_side(self.place)[0], do)

    def power(self, node: str, want: Power) -> SystemState:
        """A node's power, by the production driver over Redfish -> its state afterwards."""
        return self.at_control_host(partial(set_power, self.bmc(node), want, timeout_s=60, poll_s=0.2))

    def state(self, node: str) -> SystemState:
        def ask() -> SystemState:
            with connect(self.bmc(node)) as machine:
                return machine.state()

        return self.at_control_host(ask)

    def reset(self, node: str, reset_type: str) -> None:
        def push() -> None:
            with connect(self.bmc(node)) as machine:
                machine.reset(reset_type)

        self.at_control_host(push)

    def carrier(self, device: str, port: str) -> bool:
        """Whether a port sees light from the other end."""
        for link in netns.show(self.place.system(self.name(device)), "link", "show", "dev", port):
            return "LOWER_UP" in link["flags"]
        return False

    def push(self, switch: str) -> None:
        """The emitted configuration of a switch -> running there, as its operator would do it."""
        folder = self.workspace.build / "switches" / self.name(switch)
        for name, inside in (
            ("interfaces", "/etc/network/interfaces.d/lindos"),
            ("frr.conf", "/etc/frr/frr.conf"),
            ("daemons", "/etc/frr/daemons"),
            ("lldpd.conf", "/etc/lldpd.d/lindos.conf"),
        ):
            self.ssh(switch, f"cat >{inside}", stdin=(folder / name).read_text())
        self.ssh(switch, "ifreload -a && systemctl restart frr lldpd")

    def running(self) -> set[str]:
        """Machines that run, by short name."""
        prefix = f"{self.workspace.site}-"
        return {m.name.removeprefix(prefix) for m in twin.status(self.workspace).machines if m.runs}


def make_lab(root: Path, site: str) -> Lab:
    """An empty folder and a name -> a Lab with its build files, not yet up."""
    write_small_hall(root / "build" / site, site)
    return Lab(Workspace(root, site))


def soon(find: Callable[[], T], *, within_s: float = 30, but: type[Exception] = AssertionError) -> T:
    """A function that may fail for a while -> what it returns at last."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            found = find()
            if found is not False:
                return found
        except but:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within_s:g} s")
        time.sleep(0.2)


def traces(site: str) -> dict[str, list[str]]:
    """Whatever on this machine bears the mark of a site's twin: nothing, if there is none."""
    prefix = f"lindos.{site}."
    listed = subprocess.run(
        ["podman", "ps", "--all", "--external", "--format=json"], capture_output=True, text=True, check=True
    ).stdout
    names = [name for row in json.loads(listed or "[]") for name in row["Names"] or ()]
    processes = []
    for path in Path("/proc").iterdir():
        try:
            words = (path / "cmdline").read_bytes().split(b"\0") if path.name.isdigit() else []
        except OSError:
            continue
        text = b" ".join(words).decode(errors="replace")
        if prefix in text or (b"lindos.twin.service" in words and site.encode() in words):
            processes.append(text[:120])
    processes += [f"in {name}: {pid}" for pid, name in netns.processes(netns.named(prefix)).items()]
    states = [path.parent.name for path in Path("/run/runc").glob("*/state.json") if prefix in path.read_text()]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if site in line]
    return {
        "containers": [name for name in names if name.startswith(prefix)],
        "namespaces": sorted(netns.named(prefix)),
        "processes": processes,
        "mounts": mounts,
        "runtime states": states,
        "run files": [path.name for path in RUN.glob(f"{site}.*")],
    }


NOTHING: dict[str, list[str]] = {
    "containers": [],
    "namespaces": [],
    "processes": [],
    "mounts": [],
    "runtime states": [],
    "run files": [],
}


def host_network() -> dict[str, object]:
    """What the host's own network namespace looks like."""

    def ip(*question: str) -> str:
        return subprocess.run(["ip", *question], capture_output=True, text=True, check=True).stdout

    keys = ("net/ipv4/ip_forward", "kernel/numa_balancing", "vm/nr_hugepages", "net/core/rmem_max")
    return {
        "links": [link["ifname"] for link in json.loads(ip("-json", "link"))],
        "addresses": [a["local"] for row in json.loads(ip("-json", "address")) for a in row["addr_info"]],
        "routes": ip("route", "show", "table", "all"),
        "rules": ip("rule"),
        "settings": {key: Path("/proc/sys", key).read_text() for key in keys},
    }
