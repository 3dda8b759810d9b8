"""`up`: build/<site>/ -> a hall that stands: racked, cabled, switches booted, nodes dark, BMCs waiting."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lindos.errors import DriverError
from lindos.observation import Observation, write_observations
from lindos.twin import containers, netns
from lindos.twin.claim import claimed, start_service, stop_service
from lindos.twin.clear import clear_away
from lindos.twin.control import ask
from lindos.twin.doubles import build_repository
from lindos.twin.hall import SYSTEMS, read_hall, write_hall
from lindos.twin.hardware import serial_of
from lindos.twin.keys import Keys, make_keys
from lindos.twin.machine import furnish
from lindos.twin.places import places
from lindos.twin.redfish_tree import DIALECTS
from lindos.twin.wiring import lay
from lindos.twin.wishes import read_wishes, write_wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lindos.twin.hall import Device, Hall
    from lindos.twin.places import Places
    from lindos.workspace import Workspace

SWITCHES_BOOT_S = 180.0
BMCS_START_S = 30.0
SSH_PORT = 22
PROBE_S = 0.5
STILL_AT_IT_S = 2.0
"""Silence after which a long stage says how far it is."""


def up(workspace: Workspace, *, progress: Callable[[str], None] = lambda _: None) -> None:
    """A workspace with build/<site>/ -> its twin, standing; one that stands already is brought up to date.

    Goes on where an earlier run was cut off. Nodes that run keep running. Each stage tells `progress` what it did and
    how long it took. Writes the installer's record to the evidence of the site.
    """
    place = places(workspace)
    began = time.monotonic()
    with claimed(place):
        with _stage(progress, "read the build files") as tell:
            hall = read_hall(place.build, place.site)
            _need_dialects(hall)
            containers.need_image()
            systems = [(place.system(d.name), place.running(d.name)) for d in hall.of_kind(*SYSTEMS)]
            containers.need_watches(sum(not containers.runs(*found) for found in systems))
            tell(f"{len(hall.devices)} devices, {len(hall.cables)} cables")
        with _stage(progress, "unpack") as tell:
            stop_service(place)
            clear_away(place, keep=hall)
            tell(f"{_unpack(place, hall)} machines")
        with _stage(progress, "rack") as tell:
            tell(f"{_rack(place, hall)} chassis")
        with _stage(progress, "cable") as tell:
            for done, missing in lay(place, hall, read_wishes(place.wishes).faults.plugged(hall.cables)):
                tell(f"{done} of {missing} missing cables laid")
        with _stage(progress, "start the BMCs") as tell:
            start_service(place)
            tell(f"{_await_bmcs(place)} answer")
        with _stage(progress, "boot the switches") as tell:
            _await_switches(place, hall, tell)
        write_observations(place.evidence / "racked.jsonl", map(_racked, hall.of_kind("node")))
    progress(f"the twin of {place.site} stands after {time.monotonic() - began:.1f} s")


@contextmanager
def _stage(progress: Callable[[str], None], name: str) -> Iterator[Callable[[str], None]]:
    """Gives a function for what is done so far; says that now and then, and with the seconds when it is over."""
    began = last = time.monotonic()
    said = ""

    def tell(now: str) -> None:
        nonlocal said, last
        if now != said and time.monotonic() > last + STILL_AT_IT_S:
            last = time.monotonic()
            progress(f"{name}: {now} ...")
        said = now

    yield tell
    progress(f"{name}: {said}, {time.monotonic() - began:.1f} s")


def _need_dialects(hall: Hall) -> None:
    if unknown := sorted({d.vendor for d in hall.of_kind("node")} - DIALECTS.keys()):
        said = f"no BMC dialect for {', '.join(unknown)}"
        raise DriverError(
            f"twin of {hall.site}", "rack the nodes", said, retryable=False, hint=f"known: {', '.join(DIALECTS)}"
        )


def _unpack(place: Places, hall: Hall) -> int:
    """The hall's record, keys, and a folder for each machine."""
    place.state.mkdir(parents=True, exist_ok=True)
    write_hall(place.hall, hall)
    machines = hall.of_kind(*SYSTEMS)
    reached = ((d.name, at.address) for d in machines if (at := hall.reached_at(d.name)))
    make_keys(Keys(place.keys), reached)
    # A fault of something that is no longer part of the hall went with it.
    wishes = read_wishes(place.wishes)
    known = {d.name for d in hall.devices}
    write_wishes(place.wishes, replace(wishes, on=wishes.on & known, faults=wishes.faults.that_fit(hall)))
    build_repository(place.repository)
    for device in machines:
        furnish(place, hall, device, wishes.faults)
    return len(machines)


def _rack(place: Places, hall: Hall) -> int:
    """Namespaces: a chassis for each node; for the rest, where their system or firmware lives."""
    names = [place.floor]
    for device in hall.devices:
        if device.kind == "node":
            names += [place.chassis(device.name), place.bmc(device.name)]
        elif not netns.is_whole(place.chassis(device.name)):
            # A switch whose chassis has a namespace is off, or on its way; its owner sees to that.
            names.append(place.system(device.name))
    netns.make(names)
    return len(hall.devices)


def _await_bmcs(place: Places) -> int:
    """Waits until every BMC that has power answers -> how many do."""
    deadline = time.monotonic() + BMCS_START_S
    while (status := ask(place, "status"))["bmcs_late"]:
        if time.monotonic() > deadline:
            said = f"no answer after {BMCS_START_S:g} s"
            raise DriverError(status["bmcs_late"][0], "start the BMC", said, retryable=True, hint=f"see {place.log}")
        time.sleep(0.05)
    return sum(status["bmcs"].values())


def _await_switches(place: Places, hall: Hall, tell: Callable[[str], None]) -> None:
    """Waits until every switch that has power answers SSH from the control host, over the out-of-band network."""
    deadline = time.monotonic() + SWITCHES_BOOT_S
    control = place.system(hall.control_host or "")
    waiting = {d.name: at.address for d in hall.of_kind("switch") if (at := hall.reached_at(d.name))}
    total, errors = len(waiting), dict[str, str]()
    while waiting:
        machines = ask(place, "status")["machines"]
        errors = {name: machines[name]["error"] for name in waiting if machines[name]["error"]}
        off = {name for name in waiting if not machines[name]["should_run"]}
        total -= len(off)
        answering = netns.inside(control, partial(_answering, waiting))
        answering = {name for name in answering if machines[name]["runs"]}
        waiting = {name: address for name, address in waiting.items() if name not in answering | off}
        tell(f"{total - len(waiting)} of {total}")
        if waiting and time.monotonic() > deadline:
            name = min(waiting)
            said = errors.get(name, "no answer to SSH") + (f"; and {len(waiting) - 1} more" if waiting else "")
            raise DriverError(name, "boot the switch", said, retryable=True, hint=f"see {place.log}")
        if waiting:
            time.sleep(0.2)


def _answering(addresses: dict[str, str]) -> set[str]:
    """Machines by address -> those whose SSH server greets."""
    found: set[str] = set()
    for name, address in addresses.items():
        try:
            with socket.create_connection((address, SSH_PORT), timeout=PROBE_S) as link:
                if link.recv(4) == b"SSH-":
                    found.add(name)
        except OSError:
            continue
    return found


def _racked(node: Device) -> Observation:
    detail = f"{node.rack} U{node.u}: {node.product}, serial number {serial_of(node)}"
    return Observation(device=node.name, what="racked", seen=True, doubled=True, detail=detail)
