"""Emitted inventory -> waves of whole units, each host with the digest of what its roles are given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    inventory = json.loads((workspace.build / "inventory" / "hosts.json").read_text())
    found = _Inventory()
    for name, group in inventory.items():
        found.read(name, group)
    roles = {path.parent.parent.name for path in (workspace.root / "roles").glob("*/meta/argument_specs.yml")}
    common = _digest_of(_common_files(workspace))
    hosts = []
    for name in found.variables:
        groups = found.groups(name)
        if not groups & roles:
            continue
        variables = {k: v for k, v in found.of(name).items() if k not in WHOLE_PLAN}
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


@dataclass
class _Inventory:
    """Ansible's tree of groups: a host's variables win over a group's, an inner group's over an outer's."""

    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    parents: dict[str, set[str]] = field(default_factory=dict)
    group_variables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def read(self, name: str, group: dict[str, Any] | None) -> None:
        """A group as it stands in the file; one that is named a second time adds to the first."""
        group = group or {}
        self.parents.setdefault(name, set())
        self.group_variables.setdefault(name, {}).update(group.get("vars") or {})
        for host, variables in (group.get("hosts") or {}).items():
            self.variables.setdefault(host, {}).update(variables or {})
            self.members.setdefault(host, set()).add(name)
        for child, inner in (group.get("children") or {}).items():
            self.read(child, inner)
            self.parents[child].add(name)

    def groups(self, host: str) -> frozenset[str]:
        """Host -> its groups and all above them."""
        found, ahead = set[str](), set(self.members[host])
        while ahead:
            name = ahead.pop()
            found.add(name)
            ahead |= self.parents[name] - found
        return frozenset(found)

    def of(self, host: str) -> dict[str, Any]:
        """Host -> its variables, merged."""
        merged: dict[str, Any] = {}
        for group in sorted(self.groups(host), key=lambda name: (self._depth(name), name)):
            merged.update(self.group_variables[group])
        return {**merged, **self.variables[host]}

    def _depth(self, name: str) -> int:
        return 1 + max((self._depth(parent) for parent in self.parents[name]), default=0)


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
