"""A node or switch as a machine: its chassis, its disk, its power switch."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.twin import containers, netns
from lindos.twin.hardware import ailing, hardware, write_hardware
from lindos.twin.keys import Keys
from lindos.twin.process import end, started_at
from lindos.twin.wiring import mac

if TYPE_CHECKING:
    from collections.abc import Callable

    from lindos.twin.faults import Faults
    from lindos.twin.hall import Address, Device, Hall
    from lindos.twin.places import Places
    from lindos.twin.wiring import Plug

INSIDE = "/etc/lindos-twin"
REPOSITORY = "/srv/lindos-repo"
GRACE_S = 30
"""How long a system may take to shut down when it is asked to."""

SWITCH_PLATFORM = {
    # What the maker of a switch has set before anyone configures it; for the namespace only.
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/fib_multipath_hash_policy": "1",
    "net/ipv4/fib_multipath_use_neigh": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/ignore_routes_with_linkdown": "1",
    "net/ipv4/conf/default/ignore_routes_with_linkdown": "1",
}
UNITS = {"node": (), "switch": ("lldpd", "networking", "frr")}
"""What an installer switches on. A node's services are its roles' business."""

EMITTED = {
    "interfaces": "etc/network/interfaces.d/lindos",
    "frr.conf": "etc/frr/frr.conf",
    "daemons": "etc/frr/daemons",
    "lldpd.conf": "etc/lldpd.d/lindos.conf",
}
"""Where a switch keeps the files that the site's build folder has for it."""

DHCP_METRIC = 1024
"""Metric of the default route over the management port, as a DHCP client sets it: any other default wins."""


MANAGEMENT_TABLE = 1001


class Machine:
    """One machine of the hall. Calls for the same machine must not overlap; its owner sees to that."""

    def __init__(self, places: Places, hall: Hall, device: Device, wired: Callable[[], list[Plug]]) -> None:
        self._places = places
        self._hall = hall
        self._wired = wired
        self.device = device
        self.name = places.system(device.name)
        self._record = places.running(device.name)
        self._folder = places.device(device.name)
        # Stands while the namespace is, or may be, one that a system has made its own.
        self._booted = self._record.with_suffix(".booted")

    @property
    def runs(self) -> bool:
        """Whether its operating system runs, or boots."""
        return containers.runs(self.name, self._record)

    @property
    def leftovers(self) -> bool:
        """Whether a system that no longer runs still holds the NICs."""
        return self._booted.exists() and not self.runs

    @property
    def exit_status(self) -> int | None:
        """How the system ended; None if it runs, or never did."""
        return containers.exit_status(self.name)

    def on(self) -> None:
        """Power: the NICs leave the chassis, get carrier, and the system boots from its disk."""
        if self.runs:
            return
        if self._booted.exists() or not netns.is_whole(self.name):
            # Whatever an earlier system configured in its namespace ends with that system.
            self._strip()
            netns.make([self.name])
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self._booted.touch()
        self._take_ports()
        self._arrive()
        (self._folder / "boot-id").write_text(f"{uuid.uuid4()}\n")
        if not containers.exists(self.name):
            containers.create(self._container())
        containers.start(self.name)
        containers.note_start(self.name, self._record)

    def off(self, *, graceful: bool) -> None:
        """No power: the system ends, asked first if `graceful`; the NICs lose carrier and go back to the chassis."""
        if containers.exists(self.name):
            containers.stop(self.name, grace_s=GRACE_S if graceful else 0)
        self._strip()

    def _strip(self) -> None:
        """Takes the NICs back into the chassis, under the names they were delivered with, and ends the namespace."""
        for pid in netns.processes([self.name]):
            if started := started_at(pid):
                end(pid, started, patience_s=0)
        chassis = self._places.chassis(self.device.name)
        netns.make([chassis])
        delivered = {
            str(plug.mark): found
            for plug in self._wired()
            for found in (plug.a, plug.b)
            if found is not None and found.device == self.device.name
        }
        lines: list[str] = []
        for link in netns.show(self.name, "link"):
            if found := delivered.get(str(link.get("group"))):
                now, port = link["ifname"], found.port
                lines.append(f"link set {now} down")
                lines += [f"link set {now} name {port}"] if now != port else []
                lines += [f"link set {port} nomaster mtu 1500 address {mac(found)}", f"link set {port} netns {chassis}"]
        if netns.is_whole(self.name):
            netns.batch(self.name, lines, tried="take back the NICs")
        netns.remove([self.name])
        self._booted.unlink(missing_ok=True)

    def _take_ports(self) -> None:
        """Hands over the NICs that wait in the chassis, if any do."""
        chassis = self._places.chassis(self.device.name)
        waiting = [link["ifname"] for link in netns.show(chassis, "link") if link["ifname"] != "lo"]
        netns.batch(chassis, [f"link set {port} netns {self.name}" for port in waiting], tried="hand over the NICs")

    def _arrive(self) -> None:
        """Carrier on every port, and on the management port what a DHCP reservation would answer."""
        lines = [f"link set {link['ifname']} up" for link in netns.show(self.name, "link") if link["ifname"] != "lo"]
        if found := self._hall.address(self.device.name, "mgmt"):
            lines.append(f"address replace {found.address}/{found.prefix_len} dev {found.port}")
            lines += _way_out(self.device, found)
        netns.batch(self.name, lines, tried="bring up the ports")
        if self.device.kind == "switch":
            netns.set_kernel(self.name, SWITCH_PLATFORM)
            if found:
                netns.set_kernel(self.name, {f"net/ipv4/conf/{found.port}/forwarding": "0"})

    def _container(self) -> containers.Container:
        mounts = [(self._folder, INSIDE)]
        if self.device.kind == "node" and self._places.repository.is_dir():
            mounts.append((self._places.repository, REPOSITORY))
        return containers.Container(
            name=self.name,
            site=self._places.site,
            hostname=self.device.name,
            mounts=tuple(mounts),
        )


def _way_out(device: Device, at: Address) -> list[str]:
    """The management port's gateway -> commands of `ip` that use it.

    A node's DHCP client sets a default route. A switch keeps management apart, so that what the fabric has no route
    for is dropped and does not leave through the management port; VRFs may be missing here, so a rule does it.
    """
    if not at.gateway:
        return []
    route = f"default via {at.gateway} dev {at.port} proto dhcp metric {DHCP_METRIC}"
    if device.kind != "switch":
        return [f"route replace {route}"]
    return [
        f"route replace {route} table {MANAGEMENT_TABLE}",
        f"rule add from {at.address} lookup {MANAGEMENT_TABLE} priority {MANAGEMENT_TABLE}",
    ]


def furnish(places: Places, hall: Hall, device: Device, faults: Faults) -> None:
    """A node or switch -> its folder: what the chassis, its label and the installer know about it."""
    folder = places.device(device.name)
    keys = Keys(places.keys)
    for part in ("ssh", "net-core"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("boot.sh"), folder / "boot")
    shutil.copyfile(keys.operator.with_suffix(".pub"), folder / "ssh" / "authorized_keys")
    for suffix in ("", ".pub"):
        shutil.copyfile(keys.host_key(device.name).with_suffix(suffix), folder / "ssh" / f"host_key{suffix}")
    (folder / "units").write_text("".join(f"{unit}\n" for unit in UNITS[device.kind]))
    for key in Path("/proc/sys/net/core").iterdir():
        (folder / "net-core" / key.name).write_text(key.read_text())
    _startup(places, device, folder / "startup")
    if device.kind == "node":
        label(places, hall, device, faults)


def label(places: Places, hall: Hall, device: Device, faults: Faults) -> None:
    """A node and its faults -> its hardware file, where its doubles find it at once."""
    mine = {cord.psu for cord in hall.cords if cord.device == device.name}
    found = hardware(
        device,
        hall.ports.get(device.name, ()),
        frozenset(faults.lost_gpus(device.name)),
        faults.driver_version(device.name),
        rates=hall.rates,
        psus=len(mine),
    )
    # One that has failed says so, whether it is fed or not.
    failed = {int(fault.words[1]) for fault in faults.of("psu-failed") if fault.words[0] == device.name}
    live = faults.live_psus(hall.cords).get(device.name, set())
    dark = [("psu-dark", str(psu)) for psu in sorted(mine - live - failed)]
    write_hardware(places.device(device.name) / "hardware.json", ailing(found, [*faults.ailments(device.name), *dark]))


def _startup(places: Places, device: Device, folder: Path) -> None:
    """Files on the disk at first boot: a switch names its ports in LLDP, and has an interfaces file with room for more.

    An out-of-band switch has its whole configuration: all else is reached through it, so it cannot wait to be
    configured from afar.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files: dict[str, str] = {}
    if device.kind == "switch":
        lldp = ("system hostname " + device.name, "lldp portidsubtype ifname", "lldp tx-interval 10")
        files = {
            "etc/lldpd.d/lindos.conf": "".join(f"configure {words}\n" for words in lldp),
            "etc/network/interfaces": "auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n",
            # A blank switch has nothing to bring up, and finding that out takes ifupdown2 a second.
            "etc/systemd/system/networking.service.d/blank.conf": (
                "[Unit]\nConditionDirectoryNotEmpty=/etc/network/interfaces.d\n"
            ),
        }
    if device.fabric == "oob":
        emitted = places.build / "switches" / device.name
        files |= {
            inside: (emitted / name).read_text() for name, inside in EMITTED.items() if (emitted / name).is_file()
        }
    for inside, text in files.items():
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        (folder / inside).write_text(text)
