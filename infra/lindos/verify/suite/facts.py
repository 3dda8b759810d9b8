"""A testinfra host -> what it says, each question asked once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from . import nvidia, parsers, ports
from .outcome import Broken, ToolMissing, Unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable

    from testinfra.host import Host

T = TypeVar("T")

PATIENCE_S = 30
"""A sick driver lets nvidia-smi hang for ever; a check must not."""

MEASURING_S = 120
"""For a benchmark, or a diagnosis of every GPU."""

DOUBLED = "/usr/share/lindos-twin/doubled.json"
"""A machine that holds this file has stand-ins for the tools it lists."""

CONTAINER = ("/run/systemd/container", "/run/.containerenv")
"""Files that systemd and podman leave in a container."""

NOT_FOUND, TIMED_OUT = 127, 124


class Facts:
    """What the host says. `used` collects the tools that were asked since it was last emptied."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._told: dict[str, tuple[int, str, str]] = {}
        self.used: set[str] = set()
        self.doubled_tools = self._doubled()

    def run(self, tool: str, arguments: str = "", patience_s: int = PATIENCE_S) -> tuple[int, str, str]:
        """A tool and its arguments, as the shell reads them -> exit status, output, standard error."""
        self.used.add(tool)
        command = f"LC_ALL=C PATH=$PATH:/usr/sbin:/sbin timeout -k 5 {patience_s} {tool} {arguments}".rstrip()
        if command not in self._told:
            ran = self._host.run(command)
            self._told[command] = (ran.rc, ran.stdout, ran.stderr)
        rc, out, err = self._told[command]
        if rc == NOT_FOUND:
            raise ToolMissing(tool)
        if rc == TIMED_OUT:
            raise Broken(
                f"`{tool}` gave no answer in {patience_s} s",
                hint="look at `dmesg`; what hangs like this most often needs a power cycle",
            )
        return rc, out, err

    def ask(self, tool: str, arguments: str = "") -> str:
        """As `run`, for a tool that must succeed -> its standard output."""
        rc, out, err = self.run(tool, arguments)
        if rc != 0:
            said = " ".join((err or out).split())[:200] or "nothing"
            raise Broken(f"`{tool} {arguments}` ended with {rc} and said: {said}")
        return out

    def read(self, path: str) -> str | None:
        """A file -> its text; None where there is none."""
        rc, out, _ = self.run("cat", path)
        return out if rc == 0 else None

    def gpus(self) -> list[dict[str, str]]:
        fields = ",".join(parsers.GPU_FIELDS)
        return self._parse("nvidia-smi", f"--query-gpu={fields} --format=csv,noheader", parsers.gpus)

    def gpu_pages(self) -> list[nvidia.Gpu]:
        """All that the driver says of each GPU."""
        return self._parse("nvidia-smi", "-q -x", nvidia.gpus)

    def nvlinks(self) -> dict[int, dict[int, float | None]]:
        return self._parse("nvidia-smi", "nvlink -s", nvidia.nvlinks)

    def xids(self) -> list[nvidia.Xid]:
        uptime = self.ask("cat", "/proc/uptime").split()[0]
        return nvidia.xids(self.ask_if_there("dmesg", ""), float(uptime))

    def carrier_losses(self, window_s: float) -> dict[str, int]:
        uptime = self.ask("cat", "/proc/uptime").split()[0]
        return ports.carrier_losses(self.ask_if_there("dmesg", ""), float(uptime), window_s)

    def diagnoses(self, level: int) -> list[nvidia.Diagnosis]:
        """What DCGM finds at a level. It ends with another status than 0 if a test fails, and prints all the same."""
        arguments = f"diag -r {level} -j"
        _, out, err = self._run_if_there("dcgmi", arguments, MEASURING_S)
        try:
            return nvidia.diagnoses(out)
        except ValueError:
            said = " ".join((out or err).split())[:200] or "nothing"
            raise Unmeasured(
                f"`dcgmi {arguments}` gave no report and said: {said}", "is nvidia-dcgm running?"
            ) from None

    def in_container(self) -> bool:
        """Whether this is a container: its kernel, and what is not doubled of its hardware, are another machine's."""
        return any(self.read(path) is not None for path in CONTAINER)

    def ask_if_there(self, tool: str, arguments: str, patience_s: int = PATIENCE_S) -> str:
        """As `ask`, for a tool that a healthy host may lack, or may not be allowed to use."""
        rc, out, err = self._run_if_there(tool, arguments, patience_s)
        if rc != 0:
            said = " ".join((err or out).split())[:200] or "nothing"
            raise Unmeasured(f"`{tool}` ended with {rc} and said: {said}", stand_in=self.in_container())
        return out

    def measure(self, tool: str, arguments: str) -> str:
        """As `ask_if_there`, for a benchmark: it takes longer."""
        return self.ask_if_there(tool, arguments, MEASURING_S)

    def need(self, tool: str) -> None:
        """Raises Unmeasured where a tool is missing. Some end with 1 after --version, as perftest's do."""
        self._run_if_there(tool, "--version")

    def _run_if_there(self, tool: str, arguments: str, patience_s: int = PATIENCE_S) -> tuple[int, str, str]:
        try:
            return self.run(tool, arguments, patience_s)
        except ToolMissing:
            hint = f"install {tool} to have this measured"
            raise Unmeasured(f"{tool} is not installed", hint, stand_in=self.in_container()) from None

    def interfaces(self) -> dict[str, dict[str, Any]]:
        return self._parse("ip", "-j address show", parsers.interfaces)

    def rules(self) -> list[dict[str, Any]]:
        return self._parse("ip", "-4 -j rule show", parsers.records)

    def routes(self) -> list[dict[str, Any]]:
        return self._parse("ip", "-4 -j route show table all", parsers.records)

    def neighbours(self) -> list[tuple[str, str, str]]:
        return self._parse("lldpctl", "-f json", parsers.neighbours)

    def heard(self) -> list[tuple[str, str, str]] | None:
        """As `neighbours`; None where LLDP cannot be read."""
        try:
            return self.neighbours()
        except (Broken, ToolMissing):
            return None

    def answering(self, pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """(own address, address to ask) -> those that answer; all are asked at the same time."""
        self.run("ping", "-V")
        # Three tries a moment apart: the first may be spent on ARP.
        one = "(ping -n -q -c 3 -i 0.2 -W 1 -I {} {} >/dev/null 2>&1 && echo {} {}) &"
        asked = " ".join(one.format(own, other, own, other) for own, other in pairs)
        return {(line.split()[0], line.split()[1]) for line in self.ask("sh", f"-c '{asked} wait'").splitlines()}

    def is_virtual(self, interface: str) -> bool:
        """Whether neither a device nor its double stands behind an interface (veth, bridge): it has no rate."""
        _, out, _ = self.run("sh", "-c 'ls -d /sys/class/net/*/device'")
        if f"/sys/class/net/{interface}/device" in out.split():
            return False
        if "ethtool" not in self.doubled_tools:
            return True
        # The double names a slot for the ports that it answers for, and leaves others to the real tool.
        _, out, _ = self.run("ethtool", f"-i {interface}")
        return not parsers.settings(out.replace(": ", "=")).get("bus-info")

    def slot(self, interface: str) -> str | None:
        """An interface -> the PCI address of its device; None where there is none, or nothing tells."""
        rc, out, _ = self.run("sh", f"-c 'readlink /sys/class/net/{interface}/device'")
        return out.strip().rpartition("/")[2] if rc == 0 else None

    def rdma_devices(self) -> dict[str, list[str]]:
        """Interface -> the RDMA devices of the same PCI function."""
        _, out, _ = self.run("sh", "-c 'ls -d /sys/class/net/*/device/infiniband/*'")
        found: dict[str, list[str]] = {}
        for parts in (line.split("/") for line in out.split()):
            found.setdefault(parts[4], []).append(parts[-1])
        return found

    def hca_ports(self) -> dict[str, dict[str, str]]:
        """RDMA device -> of its first port `state`, `phys_state` and `rate`, as the kernel says them."""
        files = "/sys/class/infiniband/*/ports/1"
        _, out, _ = self.run("sh", f"-c 'grep -H . {files}/state {files}/phys_state {files}/rate'")
        return parsers.hca_ports(out)

    def path_filters(self) -> dict[str, int]:
        """Interface, or `all` -> its rp_filter."""
        _, out, _ = self.run("sh", "-c 'grep -H . /proc/sys/net/ipv4/conf/*/rp_filter'")
        rows = [line.rpartition(":") for line in out.splitlines()]
        return {path.split("/")[-2]: int(value) for path, _, value in rows}

    def describe(self) -> str:
        """The operating system and kernel, for people."""
        named = parsers.settings(self.read("/etc/os-release") or "").get("PRETTY_NAME", "")
        return f"{named.strip(chr(34))}, kernel {self.ask('uname', '-r').strip()}"

    def _parse(self, tool: str, arguments: str, parser: Callable[[str], T]) -> T:
        text = self.ask(tool, arguments)
        try:
            return parser(text)
        except ValueError as error:
            raise Broken(f"`{tool} {arguments}` said what is not understood: {str(error)[:200]}") from None

    def _doubled(self) -> frozenset[str]:
        listed = self.read(DOUBLED)
        return frozenset(json.loads(listed).get("tools", ())) if listed else frozenset()
