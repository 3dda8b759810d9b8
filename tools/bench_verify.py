"""How many nodes in, a table of what checking them costs out: as one file a node, and as the same tests over SSH.

    tools/with-env python tools/bench_verify.py 16

Needs root and the image of the twin's machines (tools/node-image/build). Nodes are containers with sshd and the doubles
of a GPU node's tools, all in one network namespace of their own; nothing is added to the host's, and all of it goes
when this ends. A proxy in front of each sshd delays what passes it, so no netem is needed. Both ways run the same
checks side by side on all nodes, and log in anew; the file is there already, as role node_validation puts it there.

A round trip is a change of direction: the operator's side sends after it has heard. Those of logging in count too.
CPU is that of the operator's side (this process or its children) and of the nodes (sshd and what it started).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from lindos.verify.zipapp import Zipapp

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "localhost/lindos-node"
SSHD, PROXY, COUNTS = 22000, 23000, 21999
"""Ports in the namespace: of the first node's sshd, of the proxy before it, and where the proxy tells its counts."""
CHUNK = 1 << 16
AHEAD = 256
"""Chunks that a direction may hold back: what waits in the proxy is bounded."""
PATIENCE_S = 120
SETTLE_S = 1.0
"""What a connection took counts once sshd has waited for it, a moment after its end."""
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")
DOUBLES = (
    *("lindos-twin-doubles", "nvidia-headless-570-server-open", "nvidia-compute-utils-570-server"),
    *("nvidia-utils-570-server", "nvidia-fabricmanager-570", "libnccl2", "mlnx-tools"),
)
ZIPAPP, SSH = "one file, one round trip", "pytest-testinfra over SSH, multiplexed"


def run(*words: str | Path) -> str:
    """A command in, what it printed out; a failure ends the benchmark with what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


# -- the delaying proxy ------------------------------------------------------------------------------------------------


class Proxy:
    """A listener before each sshd. `turns` counts, over all connections, how often the client sends after hearing."""

    def __init__(self, nodes: int, delay_s: float) -> None:
        self._nodes, self._one_way_s = nodes, delay_s / 2
        self.turns = self.connections = 0

    async def serve(self) -> None:
        """Runs until it is ended."""
        for number in range(self._nodes):
            await asyncio.start_server(partial(self._join, SSHD + number), "127.0.0.1", PROXY + number)
        told = await asyncio.start_server(self._tell, "127.0.0.1", COUNTS)
        await told.serve_forever()

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What was counted since it was last told."""
        writer.write(json.dumps({"turns": self.turns, "connections": self.connections}).encode())
        self.turns = self.connections = 0
        writer.close()

    async def _join(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        heard = [True]

        def client_sends() -> None:
            self.turns += heard[0]
            heard[0] = False

        def server_sends() -> None:
            heard[0] = True

        await asyncio.gather(
            self._carry(reader, far_writer, client_sends), self._carry(far_reader, writer, server_sends)
        )

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[], None]
    ) -> None:
        """Carries one direction, each chunk as much later as half the delay, in order."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AHEAD)

        async def let_go() -> None:
            while (held := await waiting.get())[1]:
                await asyncio.sleep(held[0] - time.monotonic())
                writer.write(held[1])
                await writer.drain()
            writer.close()

        letting_go = asyncio.create_task(let_go())
        try:
            while data := await reader.read(CHUNK):
                note()
                await waiting.put((time.monotonic() + self._one_way_s, data))
        except ConnectionError:
            pass  # whoever hung up without a word
        await waiting.put((0.0, b""))
        await asyncio.gather(letting_go, return_exceptions=True)


def counted() -> dict[str, int]:
    """Nothing in; what the proxy counted since it was last asked out."""
    with socket.create_connection(("127.0.0.1", COUNTS), timeout=10) as connection:
        told: dict[str, int] = json.loads(b"".join(iter(lambda: connection.recv(4096), b"")))
    return told


# -- the nodes ---------------------------------------------------------------------------------------------------------


def expectation() -> dict[str, Any]:
    """Nothing in; what the lab's plan expects of its first node out."""
    from lindos.emit.expect import expectations
    from lindos.emit.nodes import host_views
    from lindos.plan import design_site

    spec, plan = design_site(ROOT / "inventories" / "lab" / "site.yaml")
    first = next(expectations(plan, host_views(plan), spec.software))
    return next(iter(json.loads(first.data).values()))


def furnish(folder: Path, wanted: dict[str, Any], nodes: int) -> None:
    """An empty folder, what a node is to be, how many: keys, hardware file, doubles and expectations lie in it."""
    from lindos.twin.doubles import build_repository
    from lindos.twin.hall import Device, End
    from lindos.twin.hardware import hardware, write_hardware

    build_repository(folder / "repository")
    name, ports = wanted["host"], {n["name"]: n["rate_gbps"] or 0 for n in wanted["nics"]}
    like = Device(
        name, "node", "gpu", wanted["vendor"], wanted["product"], "", "r", 1, 2, None,
        (wanted["gpu"]["model"],) * wanted["gpu"]["count"],
        memory_gib=wanted["memory_gib"], nvme=wanted["nvme_drives"], cpus=wanted["cpus"], threads=wanted["threads"],
    )  # fmt: skip
    rates = {End(name, port): rate for port, rate in ports.items()}
    (folder / "twin").mkdir()
    write_hardware(folder / "twin" / "hardware.json", hardware(like, tuple(ports), rates=rates, psus=wanted["psus"]))
    for key in ("key", "host_key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
    host_key = (folder / "host_key.pub").read_text()
    known = "".join(f"[127.0.0.1]:{PROXY + n} {host_key}" for n in range(nodes))
    (folder / "known_hosts").write_text(known)
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/key\nUserKnownHostsFile {folder}/known_hosts\nIdentitiesOnly yes\n"
        f"ControlPath {folder}/cm-%p\nBatchMode yes\nLogLevel ERROR\n"
    )
    for n in range(nodes):
        (folder / f"expect-{n}.json").write_text(json.dumps({f"n{n}": wanted | {"host": f"n{n}"}}))


def start(name: str, folder: Path, wanted: dict[str, Any], nodes: int) -> None:
    """Names and files in; the namespace with the ports of a node, and the containers in it."""
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    for nic in wanted["nics"]:
        ends = (nic["name"], "mtu", str(nic["mtu"] or 1500), "type", "veth", "peer", f"far-{nic['name']}")
        run("ip", "-n", name, "link", "add", *ends)
        run("ip", "-n", name, "link", "set", f"far-{nic['name']}", "up")
        run("ip", "-n", name, "address", "add", f"{nic['address']}/{nic['prefix_len']}", "dev", nic["name"])
        run("ip", "-n", name, "link", "set", nic["name"], "up")
        if nic["purpose"] == "rail":
            run("ip", "-n", name, "address", "add", f"{nic['gateway']}/32", "dev", "lo")
    release = wanted["software"]["gpu_driver"]
    every = sorted(path.name for path in (folder / "repository").glob("*.deb"))
    debs = [max((d for d in every if d.startswith(f"{p}_")), key=lambda d: release in d) for p in DOUBLES]
    install = f"cd /srv/doubles && dpkg --force-depends --install {' '.join(debs)} >/tmp/dpkg.log 2>&1"
    sshd = "-D -e -o UsePAM=no -o StrictModes=no -o AuthorizedKeysFile=/srv/bench/key.pub -h /srv/bench/host_key"
    for n in range(nodes):
        run(
            *("podman", "--runtime=runc", "run", "--detach", f"--name={name}-{n}", f"--network=ns:/run/netns/{name}"),
            *(
                "--no-hosts",
                "--dns=none",
                "--cap-add=NET_RAW",
                *LIMITS,
                f"--volume={folder / 'repository'}:/srv/doubles:ro",
            ),
            *(f"--volume={folder}:/srv/bench:ro", f"--volume={folder / 'twin'}:/etc/lindos-twin:ro", IMAGE),
            *("/bin/sh", "-c", f"{install}; mkdir -p /run/sshd; exec /usr/sbin/sshd -p {SSHD + n} {sshd}"),
        )


def clear(name: str) -> None:
    """What `start` made is gone."""
    listed = subprocess.run(
        ["podman", "ps", "--all", "--format={{.Names}}"], capture_output=True, text=True, check=False
    ).stdout.split()
    for container in (one for one in listed if one.startswith(f"{name}-")):
        subprocess.run(["podman", "rm", "--force", "--time=0", container], check=False, capture_output=True)
    if Path("/run/netns", name).exists():
        subprocess.run(["ip", "netns", "delete", name], check=False)


# -- the two ways ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """One way of checking all nodes: checks and round trips of one of them, seconds of all."""

    way: str
    delay_ms: float
    nodes: int
    checks: int
    turns: float
    wall_s: float
    operator_s: float
    nodes_s: float


def cpu_of(pids: list[int]) -> float:
    """Processes in; seconds of CPU that they and what they waited for have used out."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


@cache
def suite(folder: Path) -> Zipapp:
    from lindos.verify.zipapp import build

    return build(folder)


def as_file(folder: Path, node: int) -> int:
    """One node as `lindos verify` checks it -> how many checks ended."""
    from lindos.drivers.ssh import Host, HostKeys
    from lindos.verify.hosts import check_host

    host = Host(f"n{node}", f"127.0.0.1:{PROXY + node}", "root", folder / "key", HostKeys(folder / "known_hosts"))
    result = check_host(host, json.loads((folder / f"expect-{node}.json").read_text())[f"n{node}"], suite(folder))
    return result.checks


def over_ssh(folder: Path, node: int) -> int:
    """One node by the same tests over one multiplexed connection -> how many checks ended."""
    config = ("-F", folder / "ssh_config", "-p", str(PROXY + node))
    master = subprocess.Popen(["ssh", "-M", "-N", *config, "root@127.0.0.1"], stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (folder / f"cm-{PROXY + node}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        hosts = f"ssh://root@127.0.0.1:{PROXY + node}?ssh_config={folder}/ssh_config"
        words = ("check", "--hosts", hosts, "--expect", folder / f"expect-{node}.json")
        done = subprocess.run(
            [sys.executable, next(folder.glob("*.pyz")), *words], capture_output=True, text=True, check=False
        )
        if not done.stdout:
            raise RuntimeError(done.stderr)
        return int(json.loads(done.stdout)["checks"])
    finally:
        master.terminate()
        master.wait()


WAYS = {ZIPAPP: as_file, SSH: over_ssh}


def cost(way: str, folder: Path, nodes: int, pids: list[int], delay_ms: float) -> Cost:
    """A way, the nodes and their processes in, what it cost out. All nodes at once."""
    time.sleep(SETTLE_S)
    counted()
    began, own, theirs = time.perf_counter(), own_cpu(), cpu_of(pids)
    with ThreadPoolExecutor(nodes) as pool:
        checks = list(pool.map(lambda n: WAYS[way](folder, n), range(nodes)))
    wall_s = time.perf_counter() - began
    time.sleep(SETTLE_S)
    turns = counted()["turns"] / nodes
    return Cost(way, delay_ms, nodes, checks[0], turns, wall_s, own_cpu() - own, cpu_of(pids) - theirs)


def inside(folder: Path, nodes: int, pids: list[int], delays_ms: list[float]) -> None:
    """Within the namespace: a line of JSON for each way and delay."""
    for delay_ms in delays_ms:
        words = [sys.executable, __file__, str(nodes), "--proxy", str(delay_ms / 1000)]
        proxy = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        try:
            until_open(COUNTS)
            for n in range(nodes):
                until_open(SSHD + n)
                as_file(folder, n)  # the file is put there, and its Python is warm
            for way in WAYS:
                print(json.dumps(asdict(cost(way, folder, nodes, pids, delay_ms))), flush=True)
        finally:
            proxy.terminate()
            proxy.wait()


def until_open(port: int) -> None:
    """A port that listens in a moment -> it does."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def main() -> None:
    """Arguments of the command line in, a Markdown table on standard output out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("nodes", type=int, nargs="?", default=16)
    parser.add_argument("--delay-ms", type=float, nargs="+", default=[0, 10], help="added to each round trip")
    parser.add_argument("--proxy", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pids", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.proxy is not None:
        asyncio.run(Proxy(options.nodes, options.proxy).serve())
    elif options.inside is not None:
        inside(options.inside, options.nodes, json.loads(options.pids), options.delay_ms)
    else:
        outside(options.nodes, options.delay_ms)


def outside(nodes: int, delays_ms: list[float]) -> None:
    """How many nodes and which delays in, the table out; nothing of it is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    name, wanted = f"lindos-checking-{os.getpid()}", expectation()
    folder = Path(tempfile.mkdtemp(prefix="lindos-checking-"))
    try:
        furnish(folder, wanted, nodes)
        start(name, folder, wanted, nodes)
        pids = [int(run("podman", "inspect", "--format={{.State.Pid}}", f"{name}-{n}")) for n in range(nodes)]
        words = ["ip", "netns", "exec", name, sys.executable, __file__, str(nodes), "--inside", str(folder)]
        words += ["--pids", json.dumps(pids), "--delay-ms", *map(str, delays_ms)]
        print(f"{nodes} nodes on {machine()}\n")
        print("| way | delay ms | checks a node | round trips a node | wall s | operator CPU s | nodes CPU s |")
        print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                c = Cost(**json.loads(line))
                print(
                    f"| {c.way} | {c.delay_ms:g} | {c.checks} | {c.turns:.0f} | {c.wall_s:.1f} | {c.operator_s:.2f} | "
                    f"{c.nodes_s:.1f} |",
                    flush=True,
                )
        if process.returncode:
            sys.exit(f"bench: failed with {process.returncode}")
    finally:
        clear(name)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
