"""What a switch's operating system must be able to do here: four verbs, and the values they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from lindos.drivers.ssh import Host


@dataclass(frozen=True, slots=True)
class Config:
    """What a switch shall run: texts by file name, and the digest of the slice they were made for."""

    device: str
    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Peer:
    """One BGP session, as the switch sees it."""

    address: str
    remote_as: int
    state: str
    prefixes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a switch says of itself.

    `digest` is that of the last configuration that was confirmed, "" before the first; `files` the SHA-256 of
    what really stands there, without those that do not; `services` the state of each service that it needs;
    `pending` is by what its running configuration differs from the written one.
    """

    device: str
    hostname: str
    version: str
    digest: str
    files: Mapping[str, str]
    services: Mapping[str, str]
    pending: tuple[str, ...]
    peers: tuple[Peer, ...]

    @property
    def established(self) -> int:
        return sum(peer.state == "Established" for peer in self.peers)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: files that changed, and what the switch grumbled about without failing."""

    changed: tuple[str, ...]
    notes: tuple[str, ...]


class Nos(Protocol):
    """A network operating system. Every verb takes a host and raises DriverError where the world says no."""

    def facts(self, host: Host) -> Facts:
        """Reads the switch; changes nothing."""

    def diff(self, facts: Facts, want: Config) -> tuple[str, ...]:
        """Facts and what is wanted -> what differs, a name each; empty where nothing is to be done."""

    def load(self, host: Host, want: Config, *, stop: threading.Event | None = None) -> Loaded:
        """Checks, then applies; what cannot be applied, or is not confirmed in time, takes itself back."""

    def confirm(self, host: Host, want: Config) -> Facts:
        """Shows over a new connection that the switch runs what is wanted, and makes it stay."""
