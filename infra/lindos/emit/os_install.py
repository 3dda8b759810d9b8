"""Plan -> what gives a new server its operating system: a boot script and an installer's answers for each role.

DHCP (dhcp.py) knows a server by its port and tells it its name and its address; iPXE hands both, and the MAC address it
came with, to the installer on the kernel's command line, where cloud-init's NoCloud takes them for metadata. So there
is no file a host: 12,500 nodes are installed from two.

The control hosts serve, besides the build folder: `os/`, what is booted (ipxe/ARCH/ipxe.efi; ubuntu/ARCH/vmlinuz,
initrd and live-server.iso; TFTP serves the same folder), and `install/`, a file for each host that may be overwritten.
A host whose file is not there goes on to its disk: that the network comes first in a boot order erases nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.emit.artefact import Artefact
from lindos.emit.dhcp import ROLES
from lindos.emit.intent import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lindos.plan.tables import Plan

MASK_BITS = "{{ '{:b}{:b}{:b}{:b}'.format(*(ds.meta_data.netmask.split('.') | map('int'))).count('1') }}"
"""255.255.255.192 -> 26, as Jinja: DHCP tells the mask, netplan wants the length."""
# `url=` is where casper finds its medium; cloud-init would load that as its own configuration, all 2 GB, unless told
# otherwise. BOOTIF keeps the installer from asking for addresses on every other NIC. What old firmware loads calls
# itself i386. After an error UEFI tries its next boot option; after a success it may stop and ask.
BOOT = """\
#!ipxe
# Site {site}, role {role}: installs the host whose name DHCP gave, where the server says that it may; else its disk.
# generated, edits are lost
isset ${{hostname}} || goto local
imgfetch --name allowed {url}/install/${{hostname}} || goto local
imgfree allowed
iseq ${{buildarch}} i386 && set arch x86_64 || set arch ${{buildarch}}
set base {url}/os/ubuntu/${{arch}}
set seed s={url}/boot/seed/{role}/;h=${{hostname}};i=${{hostname}};mac=${{netX/mac}}
set seed ${{seed}};address=${{netX/ip}};netmask=${{netX/netmask}};gateway=${{netX/gateway}}
kernel ${{base}}/vmlinuz initrd=initrd ip=dhcp BOOTIF=01-${{netX/mac:hexhyp}} {installer} ds=nocloud-net;${{seed}}
initrd ${{base}}/initrd
boot
:local
exit 1
"""
INSTALLER = "url=${base}/live-server.iso cloud-config-url=/dev/null autoinstall"
REFUSED = """\
#!ipxe
# Site {site}: nothing is installed, for nobody could log in.
# generated, edits are lost
echo No SSH key: write public keys to inventories/{site}/authorized_keys, and emit {site} again.
sleep 10
exit
"""


def _autoinstall(port: str, keys: Sequence[str]) -> dict[str, Any]:
    """The management port and the keys of the operators -> the answers of Ubuntu's installer (autoinstall, version 1).

    The smallest solid-state drive is the one to boot from: drives for data are larger. Nobody has a password, and
    `identity`, which would want one, may be left out beside `user-data`.
    """
    address = "{{ ds.meta_data.address }}/" + MASK_BITS
    ethernet = {
        "match": {"macaddress": "{{ ds.meta_data.mac }}"},
        "set-name": port,
        "dhcp4": False,
        "addresses": [address],
        "routes": [{"to": "default", "via": "{{ ds.meta_data.gateway }}"}],
    }
    return {
        "version": 1,
        "refresh-installer": {"update": False},
        "locale": "C.UTF-8",
        "keyboard": {"layout": "us"},
        "network": {"version": 2, "ethernets": {port: ethernet}},
        # The site's own repository comes later (role package_repository); until then the medium has what is needed.
        "apt": {"geoip": False, "fallback": "offline-install"},
        "storage": {"layout": {"name": "direct", "match": {"ssd": True, "size": "smallest"}}},
        "ssh": {"install-server": True, "allow-pw": False},
        "user-data": {
            "hostname": "{{ v1.local_hostname }}",
            "disable_root": False,
            "ssh_pwauth": False,
            "users": [{"name": "root", "lock_passwd": True, "ssh_authorized_keys": list(keys)}],
        },
        "shutdown": "reboot",
    }


def user_data(port: str, keys: Sequence[str]) -> str:
    """Management port, keys -> what cloud-init reads: a template, filled in with what the command line said."""
    told = json.dumps({"autoinstall": _autoinstall(port, keys)}, indent=2)
    return f"## template: jinja\n#cloud-config\n{told}\n"


def os_install(plan: Plan, keys: Sequence[str] = ()) -> Iterator[Artefact]:
    """Plan, public keys of its operators -> boot/: a script and a seed for each role that is booted over the network.

    Without a key the scripts refuse, and there is no seed.
    """
    found = servers(plan)
    if not found:
        return
    ours = plan.devices.filter(pl.col("role").is_in(ROLES)).select("device", role=pl.col("role").cast(pl.String))
    spots = plan.addresses.filter(pl.col("purpose") == "mgmt").join(ours, on="device", how="inner")
    ports = spots.sort("role", "port").unique("role", keep="first", maintain_order=True)
    for role, port in ports.select("role", "port").iter_rows():
        script = (BOOT if keys else REFUSED).format(
            site=plan.site, role=role, url=f"http://{found[0]}", installer=INSTALLER
        )
        yield Artefact(f"boot/{role}.ipxe", script.encode())
        if keys:
            yield Artefact(f"boot/seed/{role}/user-data", user_data(port, keys).encode())
            # What is asked for and not there is asked for again, for seconds.
            yield Artefact(f"boot/seed/{role}/meta-data", b"{}\n")
            yield Artefact(f"boot/seed/{role}/vendor-data", b"")
