"""Which packages there are, at which versions, and what is in them.

Names are those of the vendor's packages for Ubuntu servers, versions are releases that the vendor published.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from lindos.twin.doubles.archive import Entry, Package

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVERS = ("570.124.06", "570.133.20", "570.172.08", "580.65.06")
"""Three releases of a branch, to move to, to come from and to be wrong with, and one of the next branch."""

NCCLS = ("2.26.2-1+cuda12.8", "2.27.3-1+cuda12.9")
SUBNET_MANAGERS = ("2025.06.5-1", "2025.10.14-1")
"""Dates, whatever the driver's release."""

DCGMS = ("1:4.4.0-1", "1:4.4.1-1")
DCGM_EXPORTERS = ("4.5.0-1",)
CONTAINER_TOOLKITS = ("1.18.1-1", "1.18.2-1")
BENCHMARKS = {"nccl-tests": ("2.17.6-1", "all_reduce_perf"), "nvbandwidth": ("0.8-1", "nvbandwidth")}
"""Package that a site builds -> version and command."""
TOOLS_VERSION = "1.0-1"

TOOLS = {
    "nvidia-smi": "nvidia_smi",
    "ibdev2netdev": "ibdev2netdev",
    "mlxconfig": "mlxconfig",
    "mlnx_qos": "mlnx_qos",
    "cma_roce_tos": "cma_roce_tos",
    "all_reduce_perf": "all_reduce_perf",
    "dcgmi": "dcgmi",
    "dcgm-exporter": "dcgm_exporter",
    "dmesg": "dmesg",
    "ethtool": "ethtool",
    "free": "free",
    "ipmitool": "ipmitool",
    "lscpu": "lscpu",
    "lspci": "lspci",
    "modprobe": "modprobe",
    "nvbandwidth": "nvbandwidth",
    "nvidia-ctk": "nvidia_ctk",
}
"""Command -> module of `tools` that answers."""

EVERYWHERE = ("dmesg", "ethtool", "free", "ipmitool", "lscpu", "lspci", "modprobe")
"""Commands that come with any double, before the distribution's own on PATH: the real ones would tell of the machine
below."""

DAEMONS = ("nvidia-persistenced", "nv-fabricmanager", "nv-hostengine")
KERNEL_MODULES = ("ib_umad",)
"""Modules that come with the kernel, and that a role loads."""

LIBRARIES = ("libnccl.so.2",)

BASE = "lindos-twin-doubles"
HOME = "/usr/lib/python3/dist-packages/lindos_doubles"
STATE = "/usr/lib/lindos-twin"

_RELOAD = """\
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
"""

_LOADED = f"""\
[Unit]
Description=Modules that this machine has loaded (Lindos twin double)
DefaultDependencies=no
Before=local-fs.target

[Mount]
# A container shows those of the machine below, and can load none.
What={STATE}/loaded
Where=/sys/module
Type=none
Options=bind
"""

_MOUNT = f"{_RELOAD}if [ -d /run/systemd/system ]; then systemctl start sys-module.mount; fi\n"

_PERSISTENCED = f"""\
{_RELOAD}
id nvidia-persistenced >/dev/null 2>&1 || useradd --system --no-create-home --home-dir /nonexistent nvidia-persistenced
"""


def packages() -> Iterator[Package]:
    """-> every package of the repository."""
    yield _base()
    for version in DRIVERS:
        yield from _driver(version)
    for version in SUBNET_MANAGERS:
        yield _subnet_manager(version)
    for version in NCCLS:
        yield _nccl(version)
    for version in DCGMS:
        yield from _dcgm(version)
    for version in DCGM_EXPORTERS:
        yield _dcgm_exporter(version)
    for version in CONTAINER_TOOLKITS:
        yield from _container_toolkit(version)
    for name, (version, command) in BENCHMARKS.items():
        yield _tools(name, f"benchmark {command}", (command,), version)
    yield _tools("mft", "NVIDIA firmware tools", ("mlxconfig",))
    yield _tools("mlnx-tools", "NVIDIA network tools", ("ibdev2netdev", "mlnx_qos", "cma_roce_tos"))


def _base() -> Package:
    doubled = {
        "note": "These are doubles of the Lindos twin: what they say was never measured.",
        "tools": sorted([*TOOLS, *DAEMONS]),
        "libraries": sorted(LIBRARIES),
        "hardware": "/etc/lindos-twin/hardware.json",
    }
    modules = {
        f"{HOME}/{source.name}": Entry(source.read_bytes())
        for source in resources.files("lindos.twin.doubles.tools").iterdir()
        if source.name.endswith(".py")
    }
    everywhere = {f"/usr/local/bin/{command}": _launcher(command) for command in EVERYWHERE}
    marker = Entry((json.dumps(doubled, indent=1) + "\n").encode())
    units = "/usr/lib/systemd/system"
    kernel = {
        **{f"{STATE}/modules/{name}/initstate": _line("live") for name in KERNEL_MODULES},
        # Holds its folder, in which modprobe keeps what is loaded.
        f"{STATE}/loaded/kernel/initstate": _line("live"),
        f"{units}/sys-module.mount": Entry(_LOADED.encode()),
        f"{units}/local-fs.target.wants/sys-module.mount": Entry(link="../sys-module.mount", mode=0o777),
    }
    return Package(
        BASE,
        TOOLS_VERSION,
        "what the doubles share",
        architecture="all",
        fields={"Depends": "python3"},
        entries={"/usr/share/lindos-twin/doubled.json": marker, **modules, **everywhere, **kernel},
        scripts={"postinst": _MOUNT},
    )


def _driver(version: str) -> Iterator[Package]:
    """A driver release -> kernel modules, compute utilities, user tools, fabric manager."""
    branch = version.partition(".")[0]
    shipped = f"{version}-0ubuntu1"

    def package(stem: str, summary: str, entries: dict[str, Entry], scripts: dict[str, str] | None = None) -> Package:
        # Two branches of one package do not live side by side; the newer takes the older's place.
        kind = stem.replace("BRANCH-", "").removesuffix("-BRANCH")
        fields = {
            "Depends": BASE,
            "Provides": f"{kind}-any",
            "Conflicts": f"{kind}-any",
            "Replaces": f"{kind}-any",
        }
        return Package(stem.replace("BRANCH", branch), shipped, summary, "amd64", fields, entries, scripts or {})

    yield package(
        "nvidia-headless-BRANCH-server-open",
        "NVIDIA open kernel modules",
        {f"{STATE}/kernel-module": _line(version), f"{STATE}/modules/nvidia/version": _line(version)},
    )
    yield package(
        "nvidia-compute-utils-BRANCH-server",
        "NVIDIA compute utilities",
        {
            "/usr/bin/nvidia-persistenced": _script("nvidia-persistenced.sh"),
            "/usr/lib/systemd/system/nvidia-persistenced.service": _unit("nvidia-persistenced.service"),
        },
        {"postinst": _PERSISTENCED},
    )
    yield package(
        "nvidia-utils-BRANCH-server",
        "NVIDIA user tools",
        {"/usr/bin/nvidia-smi": _launcher("nvidia-smi"), f"{STATE}/nvml": _line(version)},
    )
    yield package(
        "nvidia-fabricmanager-BRANCH",
        "NVIDIA fabric manager",
        {
            "/usr/bin/nv-fabricmanager": _script("nv-fabricmanager.sh"),
            "/usr/share/nvidia/nvswitch/fabricmanager.cfg": Entry(b"# Lindos twin double, read by none.\n"),
            "/usr/lib/systemd/system/nvidia-fabricmanager.service": _unit("nvidia-fabricmanager.service"),
            f"{STATE}/fabric-manager": _line(version),
        },
        {"postinst": _RELOAD},
    )


def _subnet_manager(version: str) -> Package:
    return Package(
        "nvlsm",
        version,
        "NVLink subnet manager",
        fields={"Depends": BASE},
        entries={
            "/opt/nvidia/nvlsm/sbin/nvlsm": _script("nvlsm.sh"),
            "/usr/share/nvidia/nvlsm/nvlsm.conf": Entry(b"# Lindos twin double, read by none.\n"),
        },
    )


def _nccl(version: str) -> Package:
    release = version.partition("-")[0]
    folder = "/usr/lib/x86_64-linux-gnu"
    return Package(
        "libnccl2",
        version,
        "NVIDIA collectives library",
        fields={"Depends": BASE},
        entries={
            f"{folder}/libnccl.so.{release}": Entry(f"Lindos twin double of libnccl {release}\n".encode()),
            f"{folder}/libnccl.so.2": Entry(link=f"libnccl.so.{release}", mode=0o777),
        },
    )


def _dcgm(version: str) -> Iterator[Package]:
    """A release of DCGM -> the host engine with its tools, and what it needs of each CUDA release."""
    yield Package(
        "datacenter-gpu-manager-4-core",
        version,
        "NVIDIA data center GPU manager",
        fields={"Depends": BASE},
        entries={
            "/usr/bin/dcgmi": _launcher("dcgmi"),
            "/usr/bin/nv-hostengine": _script("nv-hostengine.sh"),
            "/usr/lib/systemd/system/nvidia-dcgm.service": _unit("nvidia-dcgm.service"),
            f"{STATE}/dcgm": _line(version.rpartition(":")[2].partition("-")[0]),
        },
        scripts={"postinst": _RELOAD},
    )
    for cuda in ("12", "13"):
        yield Package(
            f"datacenter-gpu-manager-4-cuda{cuda}",
            version,
            f"NVIDIA data center GPU manager, parts for CUDA {cuda}",
            fields={"Depends": f"datacenter-gpu-manager-4-core (= {version})"},
        )


def _dcgm_exporter(version: str) -> Package:
    return Package(
        "datacenter-gpu-manager-exporter",
        version,
        "NVIDIA DCGM exporter",
        fields={"Depends": f"{BASE}, datacenter-gpu-manager-4-core"},
        entries={
            "/usr/bin/dcgm-exporter": _launcher("dcgm-exporter"),
            "/usr/lib/systemd/system/nvidia-dcgm-exporter.service": _unit("nvidia-dcgm-exporter.service"),
        },
        scripts={"postinst": _RELOAD},
    )


def _container_toolkit(version: str) -> Iterator[Package]:
    """A release of the container toolkit -> its four packages, each of which needs the next at the same version."""
    names = (
        "nvidia-container-toolkit",
        "nvidia-container-toolkit-base",
        "libnvidia-container-tools",
        "libnvidia-container1",
    )
    base = {
        "/usr/bin/nvidia-ctk": _launcher("nvidia-ctk"),
        "/etc/systemd/system/nvidia-cdi-refresh.service": _unit("nvidia-cdi-refresh.service"),
        f"{STATE}/container-toolkit": _line(version.partition("-")[0]),
    }
    for name, below in zip(names, (*names[1:], None), strict=True):
        depends = f"{below} (= {version})" if below else BASE
        entries = base if name == "nvidia-container-toolkit-base" else {}
        scripts = {"postinst": _RELOAD} if entries else {}
        yield Package(name, version, "NVIDIA container toolkit", "amd64", {"Depends": depends}, entries, scripts)


def _tools(name: str, summary: str, commands: tuple[str, ...], version: str = TOOLS_VERSION) -> Package:
    return Package(
        name,
        version,
        summary,
        fields={"Depends": BASE},
        entries={f"/usr/bin/{command}": _launcher(command) for command in commands},
    )


def _launcher(command: str) -> Entry:
    text = (
        "#!/usr/bin/python3\n"
        f"# Lindos twin double of {command}.\n"
        f"from lindos_doubles.{TOOLS[command]} import main\n\n"
        "raise SystemExit(main())\n"
    )
    return Entry(text.encode(), 0o755)


def _script(name: str) -> Entry:
    return Entry((resources.files("lindos.twin.doubles.tools") / name).read_bytes(), 0o755)


def _unit(name: str) -> Entry:
    return Entry((resources.files("lindos.twin.doubles.tools") / name).read_bytes())


def _line(text: str) -> Entry:
    return Entry(f"{text}\n".encode())
