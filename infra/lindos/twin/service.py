"""The one process behind a running twin: it answers as every BMC of the site and keeps machines as they should be.

What should be follows from three things: the power cords with the feeds that live, what people switched on, and what
they broke. Whatever differs is put right, over and over, so that a kill at any point is made good by the next start.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lindos.errors import DriverError
from lindos.twin import power
from lindos.twin.containers import SWITCHED_OFF
from lindos.twin.control import serve
from lindos.twin.faults import AILMENTS, Fault, Faults, read_fault
from lindos.twin.hall import SYSTEMS, load_hall
from lindos.twin.keys import BMC_USER, Keys
from lindos.twin.lock import sign
from lindos.twin.machine import Machine, label
from lindos.twin.management import ManagedNode
from lindos.twin.places import places
from lindos.twin.presence import darken, light
from lindos.twin.redfish_server import Bmc
from lindos.twin.redfish_tree import DIALECTS
from lindos.twin.upkeep import Upkeep
from lindos.twin.wiring import BMC_PORT, lay
from lindos.twin.wishes import Wishes, read_wishes, write_wishes
from lindos.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from lindos.twin.hall import Device
    from lindos.twin.places import Places
    from lindos.twin.power import Supply

TICK_S = 0.5
SETTLE_S = 90.0
"""How long a fault may take to show its effect."""

REWIRING = frozenset({"swap-cables", "cut-cable"})
RELABELLING = frozenset({"gpu-lost", "driver-version", *AILMENTS})
DARKENING = frozenset({"feed-loss", "pdu-loss"})
"""Kinds that the power supplies of any node may tell of."""

log = logging.getLogger("twin")


class Service:
    """Everything that happens in a running twin happens through here."""

    def __init__(self, place: Places) -> None:
        self.places = place
        self.hall = load_hall(place.hall)
        self.wishes = read_wishes(place.wishes)
        self._lock = threading.RLock()
        self._supplies = power.supplies(self.hall, self.wishes.faults)
        self._machines = {d.name: Machine(place, self.hall, d, self._plugged) for d in self.hall.of_kind(*SYSTEMS)}
        self._upkeep = Upkeep(self._machines, self._should_run, self._switched_off, self._awake)
        keys = Keys(place.keys)
        self._certificate = keys.certificate
        self._bmcs = {
            d.name: Bmc(d.name, DIALECTS[d.vendor], ManagedNode(self, d), (BMC_USER, keys.bmc_password))
            for d in self.hall.of_kind("node")
            if self.hall.address(d.name, BMC_PORT)
        }
        self._lit: set[str] = set()
        self._rewire = False
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Keeps the hall as it should be until somebody asks it to stop."""
        self._forget_switched_off()
        server = serve(self.places, self.answer)
        threading.Thread(target=server.serve_forever, args=(0.1,), name="control", daemon=True).start()
        log.info("serving %s machines and %s BMCs", len(self._machines), len(self._bmcs))
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._tick()
            except DriverError as error:
                log.warning("%s", error)
            self._wake.wait(TICK_S)
        server.shutdown()
        for bmc in self._bmcs.values():
            bmc.stop()
        self._upkeep.close()
        self.places.socket.unlink(missing_ok=True)
        log.info("stopped")

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def supply(self, name: str) -> Supply:
        return self._supplies[name]

    def power_state(self, name: str) -> str:
        """A node -> the PowerState its BMC shows."""
        machine = self._machines[name]
        if self._upkeep.restarting(name):
            return "PoweringOn"
        runs, should = machine.runs, self._should_run(machine.device)
        return ("On" if runs else "PoweringOn") if should else ("PoweringOff" if runs else "Off")

    def switch(self, name: str, *, on: bool, graceful: bool) -> None:
        """Remembers what somebody wants of a node, and sees to it."""
        log.info("%s: somebody wants it %s", name, "on" if on else "off")
        if graceful:
            self._upkeep.shut_down(name)
        with self._lock:
            self._change(replace(self.wishes, on=self.wishes.on | {name} if on else self.wishes.on - {name}))

    def restart(self, name: str, *, graceful: bool) -> None:
        """Off and on again."""
        self._upkeep.restart(name, graceful=graceful)
        self._awake()

    def answer(self, verb: str, words: list[str]) -> Any:
        """A verb of the control socket and its words -> the answer."""
        verbs: dict[str, Callable[[list[str]], Any]] = {
            "status": self._status,
            "inject": self._inject,
            "heal": self._heal,
        }
        return verbs[verb](words)

    def _tick(self) -> None:
        for device in self.hall.devices:
            at = self.hall.address(device.name, "mgmt")
            if device.kind not in SYSTEMS and at is not None:
                namespace = self.places.system(device.name)
                if self._supplies[device.name].stands_by and device.name not in self._lit:
                    light(namespace, at)
                    self._lit.add(device.name)
                elif device.name in self._lit and not self._supplies[device.name].stands_by:
                    darken(namespace, at)
                    self._lit.discard(device.name)
        for name, bmc in self._bmcs.items():
            self._keep_bmc(name, bmc)
        if self._rewire and not self._upkeep.busy:
            *_, (_, laid) = lay(self.places, self.hall, self._plugged())
            self._rewire = False
            log.info("%s cables plugged in anew", laid)
        if not self._rewire:
            self._upkeep.tick()

    def _keep_bmc(self, name: str, bmc: Bmc) -> None:
        at = self.hall.address(name, BMC_PORT)
        should = power.bmc_answers(self.hall.by_name[name], self._supplies[name], self.wishes.faults)
        if at is not None and should != bmc.answers:
            namespace = self.places.bmc(name)
            if should:
                light(namespace, at)
                bmc.start(namespace, at.address, self._certificate)
            else:
                bmc.stop()
                darken(namespace, at)

    def _status(self, _: list[str]) -> dict[str, Any]:
        return {
            "faults": [str(fault) for fault in self.wishes.faults.all],
            "machines": {
                name: {
                    "kind": machine.device.kind,
                    "runs": machine.runs,
                    "should_run": self._should_run(machine.device),
                    "error": self._upkeep.errors.get(name, ""),
                }
                for name, machine in self._machines.items()
            },
            "bmcs": {name: bmc.answers for name, bmc in self._bmcs.items()},
            "bmcs_late": self._late_bmcs(),
        }

    def _late_bmcs(self) -> list[str]:
        """BMCs that do not yet answer though they should, or still answer though they should not."""
        faults = self.wishes.faults
        due = {n: power.bmc_answers(self.hall.by_name[n], self._supplies[n], faults) for n in self._bmcs}
        return [name for name, bmc in self._bmcs.items() if bmc.answers != due[name]]

    def _inject(self, words: list[str]) -> list[str]:
        kind, *rest = words
        fault = read_fault(self.hall, kind, rest)
        with self._lock:
            held = self.wishes.faults.all
            if fault in held:
                return [f"{fault}: already so"]
            self._break((*held, fault), [fault])
        return self._settle(f"{fault}: done")

    def _heal(self, words: list[str]) -> list[str]:
        with self._lock:
            held = self.wishes.faults.all
            healed = held if not words else self._meant(words)
            self._break(tuple(fault for fault in held if fault not in healed), healed)
        return self._settle(*(f"{fault}: healed" for fault in healed))

    def _meant(self, words: list[str]) -> tuple[Fault, ...]:
        """`swap-cables` means all of that kind; with its words, that one."""
        kind, *rest = words
        held = self.wishes.faults.all
        if not rest:
            found = self.wishes.faults.of(kind)
        else:
            found = tuple(f for f in held if f.kind == kind and f.words[: len(rest)] == tuple(rest))
        if not found:
            hint = f"now: {'; '.join(map(str, held)) or 'nothing is broken'}"
            raise DriverError("twin", f"heal {' '.join(words)}", "no such fault", retryable=False, hint=hint)
        return found

    def _break(self, faults: tuple[Fault, ...], changed: tuple[Fault, ...] | list[Fault]) -> None:
        self._change(replace(self.wishes, faults=Faults(faults)))
        ailing = {f.words[0] for f in changed if f.kind in RELABELLING}
        darkened = any(f.kind in DARKENING for f in changed)
        for node in self.hall.of_kind("node"):
            if darkened or node.name in ailing:
                label(self.places, self.hall, node, self.wishes.faults)
        if any(fault.kind in REWIRING for fault in changed):
            self._rewire = True
        self._awake()

    def _settle(self, *said: str) -> list[str]:
        """Waits until the hall is what it should be now -> what happened, and what is off because of it."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            waits = self._upkeep.unsettled() + self._late_bmcs()
            if not waits and not self._rewire:
                return list(said)
            self._wake.wait(0.05)
            time.sleep(0.05)
        names = ", ".join(waits) or "cables"
        raise DriverError("twin", " ".join(said), f"not settled after {SETTLE_S:g} s: {names}", retryable=True)

    def _plugged(self) -> list[Any]:
        return self.wishes.faults.plugged(self.hall.cables)

    def _should_run(self, device: Device) -> bool:
        wishes = self.wishes
        return power.runs(device, self._supplies[device.name], wishes.faults, wishes.on)

    def _switched_off(self, name: str) -> None:
        """A node that its own system switched off stays off; a switch has no such button and comes back."""
        with self._lock:
            self._change(replace(self.wishes, on=self.wishes.on - {name}))

    def _forget_switched_off(self) -> None:
        """The same for a node that was switched off while nobody watched."""
        for name in sorted(self.wishes.on & self._machines.keys()):
            machine = self._machines[name]
            with suppress(DriverError):
                if not machine.runs and machine.exit_status in SWITCHED_OFF:
                    self._switched_off(name)

    def _change(self, wishes: Wishes) -> None:
        """New Wishes: on disk first, then in force."""
        write_wishes(self.places.wishes, wishes)
        self.wishes = wishes
        self._supplies = power.supplies(self.hall, wishes.faults)
        self._awake()

    def _awake(self) -> None:
        self._wake.set()


def main(argv: list[str]) -> int:
    """Project folder, site, handle of the service's lock -> exit status, when the service has ended."""
    root, site, handle = Path(argv[0]), argv[1], int(argv[2])
    # What this process starts must not inherit the lock.
    os.set_inheritable(handle, False)
    sign(handle)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    service = Service(places(Workspace(root, site)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
