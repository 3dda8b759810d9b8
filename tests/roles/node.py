"""A node for the roles to work on: a systemd container behind SSH, in a network namespace of its own.

    operator namespace: ctl0 10.192.0.2/26, leaf0 10.0.0.0/31, leaf1 10.16.0.0/31, spine0 10.128.0.0/31
    node namespace:     mgmt0 10.192.0.10/26, rail0, rail1, fe0 (without addresses: a role gives them)

Nothing of it is in the host's namespace, and `close` leaves nothing behind.
Its system is Debian 12, or what LINDOS_NODE_SYSTEM names: `ubuntu` is 24.04.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lindos.twin.doubles import build_repository
from lindos.twin.redfish_server import Bmc

from .given import ADDRESS, BMC_ADDRESS, HOST, MUNGE_KEY, SLURM_CONF, decided
from .listing import CHOSEN
from .machine import USER, Switch, certificate, dialect_of
from .pci import write_devices

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEMS = {"debian": "localhost/lindos-node", "ubuntu": "localhost/lindos-node-ubuntu"}
SYSTEM = os.environ.get("LINDOS_NODE_SYSTEM", "debian")
IMAGE = SYSTEMS[SYSTEM]
REPOSITORY = Path(__file__).resolve().parents[2]

# Names of the far end, of the near end, and the far end's address.
CABLES = (
    ("ctl0", "mgmt0", "10.192.0.2/26"),
    ("leaf0", "rail0", "10.0.0.0/31"),
    ("leaf1", "rail1", "10.16.0.0/31"),
    ("spine0", "fe0", "10.128.0.0/31"),
)

HARDWARE = {
    "vendor": "supermicro",
    "product": "smc_sys_421ge_tnhr2_lcc",
    "serial": "S0TESTNODE00001",
    "note": "double",
    "psus": 4,
    "memory_gib": 2048,
    "nvme": 10,
    "cpus": 2,
    "threads": 224,
    "gpus": [
        {
            "index": index,
            "model": "h100_sxm",
            "uuid": f"GPU-00000000-0000-0000-0000-00000000000{index}",
            "serial": f"165000000000{index}",
            "pci": f"0000:{0x18 + 16 * index:02x}:00.0",
        }
        for index in range(8)
    ],
    "nics": [
        {
            "name": f"rail{rail}",
            "hca": f"mlx5_rail{rail}",
            "rail": rail,
            "pci": f"0000:{0x1A + 16 * rail:02x}:00.0",
            "mac": "",
            "rate_gbps": 400,
        }
        for rail in range(2)
    ],
}

# The same NICs, as they are shipped for Ethernet, in a node that is cabled to InfiniBand.
ON_INFINIBAND = {
    **HARDWARE,
    "nics": [{**nic, "model": "ConnectX8", "firmware": {"LINK_TYPE_P1": "2"}} for nic in HARDWARE["nics"]],
}

# A container shares the kernel of this machine. What would reach it is a copy in memory, as in the twin.
MASK = """
set -eu
for part in kernel vm fs; do
    mkdir -p /run/mask/$part
    cp -r /proc/sys/$part/. /run/mask/$part/ 2>/dev/null || :
    mount --bind /run/mask/$part /proc/sys/$part
done
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
for key in rmem_max wmem_max; do
    cat /proc/sys/net/core/$key >/run/mask/$key
    mount --bind /run/mask/$key /proc/sys/net/core/$key
done
cp -r /sys/kernel/mm/transparent_hugepage /run/mask/thp 2>/dev/null || :
echo never >/run/mask/thp/enabled
mount --bind /run/mask/thp /sys/kernel/mm/transparent_hugepage
mkdir -p /run/mask/cpu/cpu0/cpufreq
echo powersave >/run/mask/cpu/cpu0/cpufreq/scaling_governor
mount --bind /run/mask/cpu /sys/devices/system/cpu
mkdir -p /run/mask/hugepages/hugepages-2048kB /run/mask/hugepages/hugepages-1048576kB
for size in 2048 1048576; do echo 0 >/run/mask/hugepages/hugepages-${size}kB/nr_hugepages; done
mount --bind /run/mask/hugepages /sys/kernel/mm/hugepages
mount --bind /srv/pci /sys/bus/pci
# The image keeps its log in memory, for a dozen machines run on one; here it is the role that decides.
rm /etc/systemd/journald.conf.d/lindos.conf
# slurmd looks whether the device files of its GPUs are there, and devices.
for gpu in 0 1 2 3 4 5 6 7; do
    touch /dev/nvidia$gpu
    mount --bind /dev/null /dev/nvidia$gpu
done
"""

# Slurm's controller, which is people's own: from the distribution, as they would, and with their slurm.conf.
CONTROLLER = f"""
set -eu
echo 'deb [trusted=yes] file:/srv/distribution ./' >/etc/apt/sources.list.d/people.list
mkdir -p /etc/slurm /var/lib/slurm/slurmctld
printf '127.0.0.1 localhost\\n{ADDRESS} {HOST}\\n' >>/etc/hosts
cat >/etc/slurm/slurm.conf <<'END'
{SLURM_CONF}
END
# It ends after a minute without any node, and a role may come to it in that minute or after.
mkdir -p /etc/systemd/system/slurmctld.service.d
printf '[Service]\\nRestart=always\\nRestartSec=1\\n' >/etc/systemd/system/slurmctld.service.d/people.conf
apt-get --quiet update
DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --no-install-recommends install slurmctld slurm-client
chown slurm: /var/lib/slurm/slurmctld
systemctl start slurmctld.service
rm -rf /etc/apt/sources.list.d/people.list /var/lib/apt/lists/*
"""


@dataclass(frozen=True)
class Node:
    """The running node: `name` of its container and namespaces, `folder` with a workspace made for it."""

    name: str
    folder: Path
    bmc: Bmc

    @property
    def far(self) -> str:
        return f"{self.name}-far"

    def sh(self, command: str) -> str:
        """A shell command on the node -> what it printed."""
        return run("podman", "exec", self.name, "sh", "-c", command)

    def operate(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command in the operator's namespace, with the operator's environment -> how it ended."""
        known = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": str(REPOSITORY / "infra"),
            "LANG": "C.UTF-8",
            "LINDOS_BMC_USER": USER,
            "LINDOS_BMC_PASSWORD": self.bmc.credentials[1],
            "LINDOS_SSH_USER": "root",
            "LINDOS_SSH_KEY": str(self.folder / "key"),
            # Ansible by hand knows these.
            "ANSIBLE_REMOTE_USER": "root",
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.folder / "key"),
            "LINDOS_MUNGE_KEY": str(self.folder / "munge.key"),
            "LINDOS_SSH_KNOWN_HOSTS": str(self.folder / "known_hosts"),
        }
        return subprocess.run(
            ["ip", "netns", "exec", self.far, *words],
            env=known | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )


def run(*words: str) -> str:
    """A command -> what it printed; a failure says what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def start(folder: Path, hardware: Mapping[str, Any] = HARDWARE) -> Node:
    """An empty folder, what the node is made of -> a bare node, reachable over SSH."""
    bmc = Bmc(HOST, dialect_of(hardware["vendor"]), Switch(hardware["vendor"]), (USER, secrets.token_urlsafe()))
    node = Node(f"lindos-roles-{os.getpid()}", folder, bmc)
    if subprocess.run(["podman", "image", "exists", IMAGE], check=False).returncode != 0:
        raise RuntimeError(f"no image {IMAGE}: build it with tools/node-image/build {SYSTEM}")
    try:
        _bring_up(node, hardware)
    except BaseException as error:
        error.add_note(_last_words(node))
        close(node)
        raise
    return node


def _last_words(node: Node) -> str:
    """What became of a node that did not come up: a kernel that is short of something tells its first process."""
    said = [
        subprocess.run(["podman", *words, node.name], capture_output=True, text=True, check=False)
        for words in (("inspect", "--format={{.State.Status}}, exit {{.State.ExitCode}}"), ("logs", "--tail=10"))
    ]
    return "\n".join(f"{done.stdout}{done.stderr}".strip() for done in said)


def _bring_up(node: Node, hardware: Mapping[str, Any]) -> None:
    folder = node.folder
    (folder / "home").mkdir()
    _furnish(folder, hardware)
    _wire(node)
    node.bmc.start(node.far, BMC_ADDRESS, certificate(folder / "keys"))
    run(
        *("podman", "--runtime=runc", "run", "--detach", f"--name={node.name}", f"--hostname={HOST}"),
        *("--systemd=always", f"--network=ns:/run/netns/{node.name}", "--no-hosts", "--dns=none"),
        "--device=/dev/autofs",
        *("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN"),
        f"--volume={folder / 'repository'}:/srv/lindos-repo:ro",
        f"--volume={folder / 'hardware'}:/etc/lindos-twin:ro",
        f"--volume={folder / 'pci'}:/srv/pci",
        *(IMAGE, "/sbin/init"),
    )
    node.sh(MASK)
    run("podman", "cp", str(folder / "key.pub"), f"{node.name}:/etc/ssh/key.pub")
    node.sh("install -D -m 600 /etc/ssh/key.pub ~root/.ssh/authorized_keys")
    _until_up(node)
    if {"topology", "slurm_node"} & set(CHOSEN):
        node.sh(CONTROLLER)
    # Asked over the network: where the first caller starts the daemon, it has no key before.
    scan = run("ip", "netns", "exec", node.far, "ssh-keyscan", "-t", "ed25519", ADDRESS)
    (folder / "known_hosts").write_text(scan)


def close(node: Node) -> None:
    """The node, its namespaces and their cables are gone."""
    node.bmc.stop()
    subprocess.run(["podman", "rm", "--force", "--time=0", "--ignore", node.name], check=False, capture_output=True)
    for namespace in (node.name, node.far):
        if Path("/run/netns", namespace).exists():
            run("ip", "netns", "delete", namespace)


def _furnish(folder: Path, hardware: Mapping[str, Any]) -> None:
    build_repository(folder / "repository")
    write_devices(folder / "pci")
    (folder / "munge.key").write_text(MUNGE_KEY)
    (folder / "hardware").mkdir()
    (folder / "hardware" / "hardware.json").write_text(json.dumps(hardware))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
    for name in ("roles", "ansible.cfg"):
        (folder / name).symlink_to(REPOSITORY / name)
    shutil.copytree(REPOSITORY / "inventories" / "lab", folder / "inventories" / "lab")
    (folder / "inventories" / "lab" / "topology.xml").write_text('<system version="1"><cpu numaid="0"/></system>\n')
    people = folder / "inventories" / "lab" / "group_vars" / "all" / "tests.yml"
    people.write_text(json.dumps(decided((folder / "key.pub").read_text().strip())))


def _wire(node: Node) -> None:
    for namespace in (node.name, node.far):
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
    for far, near, address in CABLES:
        run("ip", "-n", node.far, "link", "add", far, "mtu", "9216", "type", "veth", "peer", near, "netns", node.name)
        run("ip", "-n", node.far, "address", "add", address, "dev", far)
        run("ip", "-n", node.far, "link", "set", far, "up")
        run("ip", "-n", node.name, "link", "set", near, "up")
    run("ip", "-n", node.far, "address", "add", f"{BMC_ADDRESS}/26", "dev", "ctl0")
    run("ip", "-n", node.name, "address", "add", f"{ADDRESS}/26", "dev", "mgmt0")


def _until_up(node: Node) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = subprocess.run(
            ["podman", "exec", node.name, "systemctl", "is-system-running"], capture_output=True, text=True, check=False
        ).stdout.strip()
        ssh = subprocess.run(
            # One of them: systems differ in whether the first caller starts the daemon.
            ["podman", "exec", node.name, "systemctl", "is-active", "ssh.service", "ssh.socket"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        if state in {"running", "degraded"} and "active" in ssh:
            return
        time.sleep(0.5)
    raise RuntimeError(f"{node.name} is {state} and ssh {ssh} after a minute")
