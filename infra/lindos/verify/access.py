"""Environment -> how to log in to hosts and BMCs. What is not set is told once, before anything is asked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.drivers.redfish import Bmc
from lindos.drivers.ssh import Host, HostKeys

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Access:
    """LINDOS_SSH_USER, _KEY, _KNOWN_HOSTS; LINDOS_BMC_USER, _PASSWORD, _CA. Without BMC credentials none is asked."""

    environment: Mapping[str, str]

    @classmethod
    def from_environment(cls) -> Access:
        return cls(dict(os.environ))

    @property
    def knows_bmcs(self) -> bool:
        return bool(self.environment.get("LINDOS_BMC_USER") and self.environment.get("LINDOS_BMC_PASSWORD"))

    def host(self, device: str, address: str) -> Host:
        """A device and its address -> where and how to log in over SSH; without a key, the agent's are tried."""
        key = self.environment.get("LINDOS_SSH_KEY")
        known = self.environment.get("LINDOS_SSH_KNOWN_HOSTS")
        return Host(
            device,
            address,
            user=self.environment.get("LINDOS_SSH_USER") or "root",
            key=Path(key) if key else None,
            host_keys=HostKeys(Path(known) if known else None),
        )

    def bmc(self, device: str, address: str) -> Bmc:
        """A device and the address of its BMC -> where and how to log in; without a CA any certificate will do."""
        ca = self.environment.get("LINDOS_BMC_CA")
        return Bmc(
            device,
            address,
            self.environment["LINDOS_BMC_USER"],
            self.environment["LINDOS_BMC_PASSWORD"],
            verify=Path(ca) if ca else False,
        )
