"""The operator's side of a running twin: commands in its management network, faults, and how things stand."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.errors import DriverError
from lindos.twin import netns
from lindos.twin.control import ask
from lindos.twin.hall import load_hall
from lindos.twin.keys import BMC_USER, Keys
from lindos.twin.lock import holder
from lindos.twin.places import NETNS, places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lindos.twin.places import Places
    from lindos.workspace import Workspace


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """One node or switch: whether it runs, whether it should, whether its BMC answers (None: it has none)."""

    name: str
    kind: str
    runs: bool
    should_run: bool
    bmc: bool | None
    error: str


@dataclass(frozen=True, slots=True)
class TwinStatus:
    """How a twin stands: `up` if its service answers; `namespaces` counts what is left of it in any case."""

    site: str
    up: bool
    namespaces: int
    machines: tuple[MachineStatus, ...] = ()
    faults: tuple[str, ...] = ()


def exec_(workspace: Workspace, argv: Sequence[str]) -> int:
    """A command line -> its exit status, run in the control host's network namespace.

    Working folder, standard streams and environment stay as they are; added is where the BMCs' credentials and the
    SSH key are found. A command that dies of a signal counts as 128 + its number, as in a shell.
    """
    place = places(workspace)
    namespace, environment = operator_side(place)
    process = subprocess.Popen(
        ["nsenter", f"--net={NETNS / namespace}", "--", *argv], env={**os.environ, **environment}
    )
    with _Patience(process):
        status = process.wait()
    return status if status >= 0 else 128 - status


def operator_side(place: Places) -> tuple[str, dict[str, str]]:
    """The twin's places -> the operator's network namespace, and what the operator's environment says."""
    who, hint = f"twin of {place.site}", f"lindos twin up {place.site}"
    if not place.hall.exists():
        raise DriverError(who, "enter the control host", "it is not up", retryable=False, hint=hint)
    namespace = place.system(load_hall(place.hall).control_host or "")
    if not netns.is_whole(namespace):
        raise DriverError(who, "enter the control host", "it is not up", retryable=False, hint=hint)
    keys = Keys(place.keys)
    return namespace, {
        "LINDOS_BMC_USER": BMC_USER,
        "LINDOS_BMC_PASSWORD": keys.bmc_password,
        "LINDOS_SSH_KEY": str(keys.operator),
        "LINDOS_SSH_USER": "root",
        "LINDOS_SSH_KNOWN_HOSTS": str(keys.known_hosts),
        # The same for Ansible by hand.
        "ANSIBLE_REMOTE_USER": "root",
        "ANSIBLE_PRIVATE_KEY_FILE": str(keys.operator),
        # Another twin's nodes may have these addresses: connections that Ansible keeps open are not shared with it.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"~/.ansible/cp/{namespace}",
    }


def inject(workspace: Workspace, fault: str, *words: str) -> tuple[str, ...]:
    """A fault by name and what it is about -> what happened, once it has happened. See `FAULTS` for the names."""
    return tuple(ask(places(workspace), "inject", fault, *words))


def heal(workspace: Workspace, *words: str) -> tuple[str, ...]:
    """A fault, a kind of fault, or nothing for all -> what was healed, once it is."""
    return tuple(ask(places(workspace), "heal", *words))


def status(workspace: Workspace) -> TwinStatus:
    """A workspace -> how its twin stands."""
    place = places(workspace)
    left = len(netns.named(place.prefix))
    if holder(place.service_lock) is None:
        return TwinStatus(place.site, up=False, namespaces=left)
    said = ask(place, "status")
    machines = tuple(
        MachineStatus(name, m["kind"], m["runs"], m["should_run"], said["bmcs"].get(name), m["error"])
        for name, m in said["machines"].items()
    )
    return TwinStatus(place.site, up=True, namespaces=left, machines=machines, faults=tuple(said["faults"]))


class _Patience:
    """Lets the terminal's Ctrl-C reach the command and waits for what it makes of it; passes SIGTERM on."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> None:
        self._interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._terminate = signal.signal(signal.SIGTERM, self._pass_on)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGTERM, self._terminate)

    def _pass_on(self, number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
