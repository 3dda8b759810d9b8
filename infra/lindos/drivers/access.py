"""Environment, and what a stack configures -> how to log in to hosts, switches and BMCs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lindos.drivers.redfish import Bmc
    from lindos.drivers.ssh import Host

SETTINGS = {
    "bmc_user": ("LINDOS_BMC_USER", "user name of the BMCs"),
    "bmc_password": ("LINDOS_BMC_PASSWORD", "password of the BMCs"),
    "bmc_ca": (
        "LINDOS_BMC_CA",
        "file of the CA that signed the BMCs' certificates; without one any is accepted",
    ),
    "ssh_user": ("LINDOS_SSH_USER", "user name on switches; root where not given"),
    "ssh_key": ("LINDOS_SSH_KEY", "file of the private key for switches; the agent's where not given"),
    "ssh_known_hosts": (
        "LINDOS_SSH_KNOWN_HOSTS",
        "file of the switches' host keys; without one any is accepted",
    ),
}
"""Name in the stack's configuration -> environment variable and meaning. What the stack says comes first."""

SECRET = {"bmc_password"}
"""Settings that nobody may read back."""


@dataclass(frozen=True)
class Access:
    """Credentials by reference to where they come from; asked for when a device is met, not before."""

    environment: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_environment(cls) -> Access:
        return cls(dict(os.environ))

    @property
    def knows_bmcs(self) -> bool:
        return bool(self._get("bmc_user") and self._get("bmc_password"))

    def bmc(self, device: str, address: str) -> Bmc:
        """Device and address of its BMC -> where and how to log in."""
        from lindos.drivers.redfish import Bmc  # noqa: PLC0415  a stack that touches no node need not load it

        user, password = self._demand(device, "bmc_user"), self._demand(device, "bmc_password")
        ca = self._get("bmc_ca")
        return Bmc(device, address, user, password, verify=Path(ca) if ca else False)

    def host(self, device: str, address: str) -> Host:
        """Device and address of its management port -> where and how to log in."""
        from lindos.drivers.ssh import Host, HostKeys  # noqa: PLC0415  a stack that touches no switch need not

        key, known = self._get("ssh_key"), self._get("ssh_known_hosts")
        return Host(
            device,
            address,
            user=self._get("ssh_user") or "root",
            key=Path(key) if key else None,
            host_keys=HostKeys(Path(known) if known else None),
        )

    def _get(self, name: str) -> str:
        given = self.config.get(name)
        return str(given) if given else self.environment.get(SETTINGS[name][0], "")

    def _demand(self, device: str, name: str) -> str:
        if value := self._get(name):
            return value
        variable, doc = SETTINGS[name]
        raise DriverError(
            device,
            "log in to its BMC",
            f"there is no {doc}",
            retryable=False,
            hint=f"export {variable}, or: pulumi config set --secret lindos:{name}",
        )
