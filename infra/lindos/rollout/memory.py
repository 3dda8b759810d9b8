"""What each host was last given, remembered twice: here, and on the host itself.

The file here says whom to ask; the mark on the host is what counts, since a disk that was imaged anew, or another
operator's run, is known to the host alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from lindos.drivers import runner, ssh
from lindos.drivers.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lindos.rollout.waves import Host

MARK = "/var/lib/lindos/converged"


class Marks(Protocol):
    """Reads and writes the marks of many hosts; a host that does not answer has none, and takes none."""

    def read(self, hosts: Iterable[Host]) -> Mapping[str, str]: ...

    def write(self, hosts: Iterable[Host]) -> frozenset[str]: ...

    def clear(self, hosts: Iterable[Host]) -> None: ...


class SshMarks:
    """Marks in a file of each host, over SSH."""

    def read(self, hosts: Iterable[Host]) -> Mapping[str, str]:
        """Hosts -> the marks they have, by name."""
        asked = runner.run(list(hosts), _read, retry=runner.ONCE)
        return {outcome.host.name: outcome.value for outcome in asked if outcome.value}

    def write(self, hosts: Iterable[Host]) -> frozenset[str]:
        """Hosts -> the names of those that took their mark."""
        told = runner.run(list(hosts), _write, retry=runner.ONCE)
        return frozenset(outcome.host.name for outcome in told if outcome.ok)

    def clear(self, hosts: Iterable[Host]) -> None:
        """Hosts -> hosts without a mark, as far as they answer."""
        runner.run(list(hosts), _clear, retry=runner.ONCE)


class Memory:
    """`path` is the file here; it is replaced in one step."""

    def __init__(self, path: Path, marks: Marks) -> None:
        self._path = path
        self._marks = marks
        self._given: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def as_planned(self, hosts: Iterable[Host]) -> frozenset[str]:
        """Hosts -> the names of those that were last given what they would be given now."""
        likely = [host for host in hosts if self._given.get(host.name) == host.inputs]
        marks = self._marks.read(likely) if likely else {}
        return frozenset(host.name for host in likely if marks.get(host.name) == host.inputs)

    def forget(self, hosts: Iterable[Host]) -> None:
        """Hosts that may be anything from now on, for other operators as well."""
        gone = {host.name: host for host in hosts}
        self._keep({host: inputs for host, inputs in self._given.items() if host not in gone})
        self._marks.clear(gone.values())

    def remember(self, hosts: Iterable[Host]) -> None:
        """Hosts that were given all."""
        hosts = list(hosts)
        marked = self._marks.write(hosts) if hosts else frozenset()
        self._keep(self._given | {host.name: host.inputs for host in hosts if host.name in marked})

    def _keep(self, given: dict[str, str]) -> None:
        self._given = given
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_text(json.dumps(given, indent=1, sort_keys=True) + "\n")
        fresh.replace(self._path)


def _read(host: Host) -> str:
    with ssh.connect(Access.from_environment().host(host.name, host.address)) as connection:
        return (connection.get(MARK) or b"").decode().strip()


def _clear(host: Host) -> None:
    with ssh.connect(Access.from_environment().host(host.name, host.address)) as connection:
        connection.check(["rm", "-f", MARK])


def _write(host: Host) -> None:
    with ssh.connect(Access.from_environment().host(host.name, host.address)) as connection:
        connection.check(["mkdir", "-p", MARK.rpartition("/")[0]])
        connection.put(MARK, f"{host.inputs}\n".encode())
