"""A workspace -> where its twin keeps things: names that the whole machine sees, and files of the site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.errors import DriverError

if TYPE_CHECKING:
    from lindos.workspace import Workspace

RUN = Path("/run/lindos")
"""What is lost with a reboot of this machine: locks, the service's socket, whose twin it is."""

NETNS = Path("/run/netns")
IMAGE = "localhost/lindos-node:latest"
LABEL = "lindos.twin"
"""Every container of a twin carries this label; its value is the site."""

_SITE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Places:
    """Names and paths of one site's twin.

    `lindos.<site>.<device>` is the network namespace of a device's operating system and the name of its container;
    `.off` is the chassis, where the NICs wait while the system is off; `.bmc` the management controller.
    No site or device has a dot in its name, so that one site's prefix is never the start of another's.
    """

    site: str
    root: Path
    build: Path
    state: Path
    evidence: Path

    @property
    def prefix(self) -> str:
        return f"lindos.{self.site}."

    def system(self, device: str) -> str:
        """Namespace and container of the device's operating system."""
        return f"{self.prefix}{device}"

    def chassis(self, device: str) -> str:
        """Namespace of the chassis: NICs of a system that is off."""
        return f"{self.prefix}{device}.off"

    def bmc(self, device: str) -> str:
        """Namespace of the management controller."""
        return f"{self.prefix}{device}.bmc"

    @property
    def floor(self) -> str:
        """Namespace of loose cable ends."""
        return f"{self.prefix}.floor"

    @property
    def lock(self) -> Path:
        """Held while the twin is built, changed or removed."""
        return RUN / f"{self.site}.lock"

    @property
    def service_lock(self) -> Path:
        """Held as long as the site's service runs; says which process that is."""
        return RUN / f"{self.site}.service"

    @property
    def socket(self) -> Path:
        return RUN / f"{self.site}.sock"

    @property
    def owner(self) -> Path:
        """Says which project folder the site's twin belongs to."""
        return RUN / f"{self.site}.owner"

    @property
    def hall(self) -> Path:
        """The hall as built: what the service and every later command go by."""
        return self.state / "hall.json"

    @property
    def wishes(self) -> Path:
        """What is switched on, and what is broken on purpose."""
        return self.state / "wishes.json"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def repository(self) -> Path:
        """Packages that every node sees as /srv/lindos-repo."""
        return self.state / "repository"

    @property
    def log(self) -> Path:
        return self.state / "service.log"

    def device(self, device: str) -> Path:
        """Folder that the device's container sees, read-only, as /etc/lindos-twin."""
        return self.state / "devices" / device

    def running(self, device: str) -> Path:
        """Record of the process that the device's system is; other notes on it stand beside."""
        return self.state / "running" / device


def places(workspace: Workspace) -> Places:
    """A workspace -> the Places of its site's twin."""
    if not _SITE.fullmatch(workspace.site):
        said = "a site's name has small letters, digits and hyphens, 32 at most"
        raise DriverError(workspace.site, "name the twin", said, retryable=False)
    return Places(
        site=workspace.site,
        root=workspace.root.resolve(),
        build=workspace.build,
        state=workspace.state.resolve() / "twin",
        evidence=workspace.evidence,
    )
