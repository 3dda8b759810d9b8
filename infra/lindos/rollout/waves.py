"""Emitted inventory -> waves of whole units, each host with the digest of what its roles are given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindos.emit.inventory import names_of
from lindos.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lindos.workspace import Workspace

WHOLE_PLAN = frozenset({"lindos_digest"})
"""Variables that change with any part of the site. No role reads them, so they count for no host."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host: where it answers, its unit (empty where it belongs to none), its groups.

    `inputs` is the digest of what its roles are given.
    """

    name: str
    address: str
    unit: str
    groups: frozenset[str]
    inputs: str


@dataclass(frozen=True, slots=True)
class Wave:
    """Hosts that are converged together: whole units, or the hosts that belong to none."""

    name: str
    hosts: tuple[Host, ...]


def hosts_of(workspace: Workspace) -> tuple[Host, ...]:
    """Emitted inventory, roles, people's variables -> the hosts that have a role, by unit and name."""
    if not (workspace.build / "inventory" / "hosts.json").is_file():
        raise SpecError(
            Problem(f"{workspace.build} holds no inventory", hint=f"write it first: lindos emit {workspace.site}")
        )
    found = _Inventory(workspace.build / "inventory")
    roles = {path.parent.parent.name for path in (workspace.root / "roles").glob("*/meta/argument_specs.yml")}
    common = _digest_of(_common_files(workspace))
    hosts = []
    for name, members in found.members.items():
        groups, outer = found.above(frozenset(members))
        if not groups & roles:
            continue
        variables = {k: v for k, v in {**outer, **found.variables.get(name, {})}.items() if k not in WHOLE_PLAN}
        sent = json.dumps([common, sorted(groups), variables], sort_keys=True)
        unit = str(variables.get("lindos_unit") or "")
        address = str(variables.get("ansible_host") or name)
        hosts.append(Host(name, address, unit, groups, hashlib.sha256(sent.encode()).hexdigest()))
    return tuple(sorted(hosts, key=lambda host: (host.unit, host.name)))


def waves_of(hosts: Sequence[Host], largest: int) -> tuple[Wave, ...]:
    """Hosts -> waves of at most `largest` hosts; a unit is never split, so one larger than that is a wave.

    Where there is more than one wave the first is one unit: what fails everywhere fails there.
    """
    units: dict[str, list[Host]] = {}
    for host in hosts:
        units.setdefault(host.unit, []).append(host)
    waves: list[list[str]] = []
    room = 0
    first = len(hosts) > largest
    for unit, members in units.items():
        if waves and len(members) <= room:
            waves[-1].append(unit)
            room -= len(members)
        else:
            waves.append([unit])
            room = 0 if first else largest - len(members)
            first = False
    return tuple(Wave(_name(names), tuple(h for unit in names for h in units[unit])) for names in waves)


def suite_of(workspace: Workspace) -> Path:
    """Workspace -> where the check suite lies that hosts are given."""
    return workspace.state / "verify.pyz"


def _name(units: list[str]) -> str:
    named = [unit or "shared" for unit in units]
    return named[0] if len(named) == 1 else f"{named[0]}..{named[-1]}"


class _Inventory:
    """Ansible's tree of groups: a host's variables win over a group's, an inner group's over an outer's."""

    def __init__(self, folder: Path) -> None:
        self.variables: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}
        self._folder = folder
        self._parents: dict[str, set[str]] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._above: dict[frozenset[str], tuple[frozenset[str], dict[str, Any]]] = {}
        for name, group in json.loads((folder / "hosts.json").read_text()).items():
            self._read(name, group)

    def _read(self, name: str, group: dict[str, Any] | None) -> None:
        """A group as it stands in the file; one that is named a second time adds to the first."""
        group = group or {}
        if name not in self._parents:
            self._parents[name], self._told[name] = set(), {}
            if (aside := self._folder / "host_vars" / f"{name}.json").is_file():
                self.variables |= json.loads(aside.read_text())
        self._told[name].update(group.get("vars") or {})
        for pattern in group.get("hosts") or {}:
            for host in names_of(pattern):
                self.members.setdefault(host, set()).add(name)
        for child, inner in (group.get("children") or {}).items():
            self._read(child, inner)
            self._parents[child].add(name)

    def above(self, members: frozenset[str]) -> tuple[frozenset[str], dict[str, Any]]:
        """The groups that name a host -> these and all above them, and the variables of all, merged."""
        if members not in self._above:
            found, ahead = set[str](), set(members)
            while ahead:
                name = ahead.pop()
                found.add(name)
                ahead |= self._parents[name] - found
            merged: dict[str, Any] = {}
            for group in sorted(found, key=lambda name: (self._depth(name), name)):
                merged.update(self._told[group])
            self._above[members] = frozenset(found), merged
        return self._above[members]

    def _depth(self, name: str) -> int:
        return 1 + max((self._depth(parent) for parent in self._parents[name]), default=0)


def _common_files(workspace: Workspace) -> Iterator[Path]:
    """Files that every host is given something of: the roles, people's variables, the check suite."""
    yield workspace.root / "ansible.cfg"
    for folder in (
        workspace.root / "roles",
        workspace.inventory / "group_vars",
        workspace.inventory / "host_vars",
    ):
        yield from sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    yield suite_of(workspace)


def _digest_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file():
            digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
