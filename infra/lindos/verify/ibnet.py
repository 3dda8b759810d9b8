"""What `ibnetdiscover` printed -> neighbours by the names of the plan, as LLDP would tell them, and GUIDs.

    Switch  65 "S-b0cf..."    # "MF0;hall-a0001-leaf00:MQM9700/U1" enhanced port 0 lid 2 lmc 0
    [1]     "H-e09d..."[1](e09d...)   # "hall-a0001-r01-n01 mlx5_rail0" lid 71 4xNDR
    ->
    hall-a0001-leaf00 IB1/1/1  hears  hall-a0001-r01-n01 rail0

Names come from node descriptions: a switch says its host name, a node its own and its RDMA device. Who says nothing of
use (an externally managed switch, a node before its first boot) is known by its GUID, once that was seen. A node whose
name is not known stands under its description; it is a stranger.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import Problem, SpecError
from lindos.finding import Finding, Severity
from lindos.verify.cabling import HEARD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CODES = {
    "IBNET-001": "An InfiniBand link runs at its planned rate.",
    "IBNET-002": "A device has the GUID that it was seen with before.",
    "IBNET-003": "Every node of a subnet tells a name that the plan has.",
    "IBNET-004": "The cables of InfiniBand were compared with the plan.",
}

NODE = re.compile(r'(Switch|Ca|Rt)\s+\d+\s+"([SHR]-[^"]+)"\s*#\s*"([^"]*)"')
LINK = re.compile(r'\[(\d+)\](?:\[ext \d+\])?(?:\([^)]*\))?\s+"([SHR]-[^"]+)"\[(\d+)\].*?(?:\s(\d+)x([A-Z]+\d*))?\s*$')
SWITCH = re.compile(r"(?:MF\d+;)?([^:;]+):[^/]*/U\d+$")
HCA = re.compile(r"(\S+)\s+(\S+)$")
COUNTED = re.compile(r"mlx5_(\d+)|HCA-(\d+)")
"""A device as the kernel and older stacks count it, from 0 and from 1, where nobody has named it."""
MANAGER = ".opensm.conf"
REDUCER = "Aggregation Node"
"""What reduces collectives inside a switch: an end node of its own, on a port that no cable has."""
LANE_GBPS = {"SDR": 2, "DDR": 5, "QDR": 10, "FDR10": 10, "FDR": 14, "EDR": 25, "HDR": 50, "NDR": 100, "XDR": 200}


@dataclass(frozen=True, slots=True)
class Discovered:
    """`heard` are rows of HEARD; `rates` Gb/s by the end that tells it; `guids` by node description as in
    node-name-map; `strangers` the descriptions that name nothing of the plan.
    """

    heard: pl.DataFrame
    rates: dict[tuple[str, str], int]
    guids: dict[str, str]
    strangers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Names:
    """What the subnet calls things -> what the plan does. `ports`: device and number or hca -> port."""

    ports: Mapping[tuple[str, str], str]
    devices: frozenset[str]
    by_guid: Mapping[str, str]
    managers: frozenset[str]
    """Hosts that manage the subnet: they are plugged in where a port is free"""
    in_order: Mapping[str, tuple[str, ...]]
    """The RDMA devices of a node in order of rails and planes, as the kernel counts where it has no others"""

    def of(self, key: str, description: str) -> tuple[str, str]:
        """A node by its key (`S-...`) and description -> its device and, of a node, its RDMA device."""
        name = self.by_guid.get(_guid(key), description)
        if (found := SWITCH.fullmatch(name)) and key.startswith("S-"):
            return found[1].split(".")[0], ""
        if found := HCA.fullmatch(name):
            device = found[1].split(".")[0]
            if (device, found[2]) in self.ports:
                return device, found[2]
            if counted := COUNTED.fullmatch(found[2]):
                at = int(counted[1]) if counted[1] else int(counted[2]) - 1
                mine = self.in_order.get(device, ())
                return device, mine[at] if at < len(mine) else found[2]
        return name, ""

    def end(self, device: str, hca: str, number: str) -> tuple[str, str]:
        """A device with its RDMA device or its port's number -> the end by its name in the plan."""
        return device, self.ports.get((device, hca or number), hca or f"port {number}")


def _in_order(ports: Mapping[tuple[str, str], str]) -> dict[str, tuple[str, ...]]:
    """Device and hca or number -> port, as read_ports: each node's RDMA devices, rail2 before rail10."""
    out: dict[str, list[tuple[list[int], str]]] = {}
    for (device, hca), port in ports.items():
        if not hca.isdigit():
            out.setdefault(device, []).append(([int(n) for n in re.findall(r"\d+", port)], hca))
    return {device: tuple(hca for _, hca in sorted(mine)) for device, mine in out.items()}


def _guid(key: str) -> str:
    return f"0x{key.partition('-')[2].lower().removeprefix('0x')}"


def read_ports(build: Path) -> dict[tuple[str, str], str]:
    """A build folder -> device and number (of a switch) or hca (of a node) -> port, for all subnets."""
    out: dict[tuple[str, str], str] = {}
    for path in sorted((build / "ib").glob("*/ports.csv")):
        frame = pl.read_csv(path, infer_schema=False).with_columns(pl.col("number", "hca").fill_null(""))
        for device, port, number, hca in frame.select("device", "port", "number", "hca").iter_rows():
            out[device, hca or number] = port
    return out


def read_managers(build: Path) -> frozenset[str]:
    """A build folder -> the hosts that manage its subnets."""
    return frozenset(p.name.removesuffix(MANAGER) for p in (build / "ib").glob(f"*/*{MANAGER}"))


def discovered(
    texts: Iterable[str],
    ports: Mapping[tuple[str, str], str],
    guids: Mapping[str, str],
    managers: frozenset[str] = frozenset(),
) -> Discovered:
    """Output of ibnetdiscover, one text a subnet, what the plan calls ports, GUIDs seen before, hosts that manage the
    subnets -> Discovered.

    SpecError where a text holds no node: it is something else.
    """
    names = _Names(
        ports, frozenset(d for d, _ in ports), {g.lower(): n for n, g in guids.items()}, managers, _in_order(ports)
    )
    out = _Reading(names)
    for number, text in enumerate(texts, 1):
        if not NODE.search(text):
            hint = "ibnetdiscover > FILE on a host of the subnet, as root"
            raise SpecError(Problem(f"text {number} is no output of ibnetdiscover: it names no node", hint=hint))
        out.read(text)
    heard = pl.DataFrame(out.heard, schema=dict.fromkeys(HEARD, pl.String), orient="row").unique(maintain_order=True)
    return Discovered(heard, dict(out.rates), out.guids, tuple(sorted(out.strangers)))


def read_discovered(build: Path, files: Iterable[str], guids: Mapping[str, str]) -> Discovered:
    """A build folder, files with output of ibnetdiscover, GUIDs seen before -> Discovered. SpecError names a file that
    cannot be read.
    """
    texts = []
    for file in files:
        try:
            texts.append(Path(file).read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            hint = "ibnetdiscover > FILE on a host of the subnet, as root"
            raise SpecError(Problem(f"{file} cannot be read: {error.strerror}", hint=hint)) from None
    return discovered(texts, read_ports(build), guids, read_managers(build))


class _Reading:
    """Collects what the texts say; a switch of several ASICs is several nodes of one name."""

    def __init__(self, names: _Names) -> None:
        self.names = names
        self.heard: list[tuple[str, str, str, str]] = []
        self.rates: dict[tuple[str, str], int] = defaultdict(int)
        self.guids: dict[str, str] = {}
        self.strangers: set[str] = set()

    def read(self, text: str) -> None:
        said = {m[2]: m[3] for m in NODE.finditer(text)}
        kinds = {m[2]: m[1] for m in NODE.finditer(text)}
        known = {key: self._node(key, description) for key, description in said.items() if kinds[key] != "Rt"}
        mine: tuple[str, str] | None = None
        for line in text.splitlines():
            if node := NODE.match(line):
                mine = known.get(node[2])
            elif mine and (link := LINK.match(line)):
                number, far_key, far_number, width, speed = link.groups()
                far = known.get(far_key)
                if far is None:
                    continue
                near_end, far_end = self.names.end(*mine, number), self.names.end(*far, far_number)
                self.heard.append((*near_end, *far_end))
                self.rates[near_end] += int(width or 0) * LANE_GBPS.get(speed or "", 0)

    def _node(self, key: str, description: str) -> tuple[str, str] | None:
        """A node -> its names; None where no cable leads to it."""
        if description.endswith(REDUCER):
            return None
        device, hca = self.names.of(key, description)
        if device in self.names.managers:
            return None
        if device in self.names.devices:
            self.guids.setdefault(f"{device} {hca}".strip(), _guid(key))
        else:
            self.strangers.add(description)
        return device, hca


def judge(found: Discovered, planned: pl.DataFrame, guids: Mapping[str, str]) -> list[Finding]:
    """What was discovered, planned links (rows of cables.csv), GUIDs seen before -> rates, exchanged devices,
    strangers.
    """
    out: list[Finding] = []
    for device, port, gbps in planned.select("b_device", "b_port", "rate_gbps").iter_rows():
        seen = found.rates.get((device, port), 0)
        if seen and seen < int(gbps):
            message = f"runs at {seen} of {gbps} Gb/s"
            hint = "lanes are down, or the far end is slower: `iblinkinfo`, then the module and the cable"
            out.append(Finding("IBNET-001", Severity.CRITICAL, f"{device}:{port}", message, hint))
    for name, guid in sorted(found.guids.items()):
        if guids.get(name, guid) != guid:
            message = f"has GUID {guid}, and was seen with {guids[name]}"
            hint = "was it exchanged? `lindos emit` names the new one; else two devices changed their places"
            out.append(Finding("IBNET-002", Severity.WARNING, name.replace(" ", ":"), message, hint))
    for name in found.strangers:
        hint = "its node description is not set, or it is no part of the plan; an externally managed switch is known "
        hint += "by its GUID: `guids` in observed.json"
        out.append(Finding("IBNET-003", Severity.WARNING, name, "names nothing of the plan", hint))
    return out
