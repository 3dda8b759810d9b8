"""A healthy GPU node as its commands tell of it; cases change what one command says."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

HOST = "x-a0001-r01-n01"
DRIVER = "570.133.20"


def nic(name: str, rail: int | None, address: str, gateway: str, **more) -> dict:
    """A port as expect/<slice>.json has it."""
    is_rail = rail is not None
    return {
        "name": name,
        "purpose": "rail" if is_rail else "frontend",
        "address": address,
        "prefix_len": 31,
        "gateway": gateway,
        "rail": rail,
        "rail_prefix": f"10.{16 * rail}.0.0/12" if is_rail else None,
        "table": 100 + rail if is_rail else None,
        "hca": f"mlx5_rail{rail}" if is_rail else None,
        "mtu": 9000,
        "pfc_priority": 3 if is_rail else None,
        "rate_gbps": 400,
        "peer_device": "x-a0001-leaf00" if is_rail else "x-fe-leaf0001",
        "peer_port": f"etp{rail + 1}" if is_rail else "etp1",
        **more,
    }


NICS = [
    nic("rail0", 0, "10.0.0.1", "10.0.0.0"),
    nic("rail1", 1, "10.16.0.1", "10.16.0.0"),
    nic("fe0", None, "10.128.0.1", "10.128.0.0"),
]

HCA = {"name": "rail0", "hca": "mlx5_rail0", "rail": 0, "rate_gbps": 400, "peer_device": "x-l01", "peer_port": "1/1"}
"""A rail port of InfiniBand as expect/<slice>.json has it."""
HCAS = "sh -c 'grep -H . {0}/state {0}/phys_state {0}/rate'".format("/sys/class/infiniband/*/ports/1")
HCA_STATES = "".join(
    f"/sys/class/infiniband/mlx5_rail0/ports/1/{file}:{said}\n"
    for file, said in (("state", "4: ACTIVE"), ("phys_state", "5: LinkUp"), ("rate", "400 Gb/sec (4X NDR)"))
)

RDMA = "sh -c 'ls -d /sys/class/net/*/device/infiniband/*'"

RP_FILTERS = {"all": 0, "rail0": 2, "rail1": 2}

EXPECTED = {
    "host": HOST,
    "unit": "a0001",
    "vendor": "supermicro",
    "product": "smc_sys_421ge_tnhr2_lcc",
    "gpu": {"count": 8, "model": "h100_sxm"},
    "software": {"gpu_driver": DRIVER, "nccl": "2.27.3", "gpu_vbios": "96.00.89.00.01", "nic_firmware": "28.39.1002"},
    "nics": NICS,
    "measure": True,
    "psus": 4,
    "memory_gib": 2048,
    "nvme_drives": 2,
    "cpus": 2,
    "threads": 4,
    "hugepages": {"2048": 1024},
    "services": ["nvidia-fabricmanager", "lldpd", "chrony"],
    "nccl": {"NCCL_IB_HCA": "=mlx5_rail0,mlx5_rail1", "NCCL_SOCKET_IFNAME": "=fe0"},
}

GPU = "{}, NVIDIA H100 80GB HBM3, " + DRIVER + ", Enabled\n"


def sample(name: str) -> str:
    """A file of samples/."""
    return (Path(__file__).parent / "samples" / name).read_text()


def pages(count: int = 8) -> str:
    """`nvidia-smi -q -x` of a node: the GPU of the sample, as often as there are GPUs."""
    text = sample("nvidia_smi_q_570.xml")
    head, gpu, foot = (
        text.partition("\t<gpu id")[0],
        text[text.index("\t<gpu id") : text.index("</nvidia")],
        "</nvidia_smi_log>\n",
    )
    return head + "".join(gpu.replace(":18:00.0", f":{0x18 + 16 * i:02X}:00.0") for i in range(count)) + foot


def links(count: int = 8) -> str:
    """`nvidia-smi nvlink -s` of a node."""
    one = "".join(f"\t Link {link}: 26.562 GB/s\n" for link in range(18))
    return "".join(f"GPU {i}: NVIDIA H100 80GB HBM3 (UUID: GPU-{i})\n{one}" for i in range(count))


NIC_LINKS, DRIVES, MEMORY = "lspci -Dvv -d ::0200", "lspci -Dk -d ::0108", "free -k"

BUSES = {"rail0": "0000:1a:00.0", "rail1": "0000:2a:00.0", "fe0": "0000:3a:00.0"}


DF = """\
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/md0         921514532 91351200 783278308      11% /
/dev/nvme2n1    3750738264        0 3750738264      0% /var/lib/my data
"""

FREE = """\
               total        used        free      shared  buff/cache   available
Mem:      2113400000    52318208  2040318976       12345    20762816  2050000000
Swap:              0           0           0
"""

LSCPU = """\
# The following is the parsable format, which can be fed to other
# programs. Each different item in every column has an unique ID
# starting usually from zero.
# Socket,CPU
0,0
0,1
1,2
1,3
"""

COPIES = ("host_to_device_memcpy_ce device_to_host_memcpy_ce", "device_to_device_memcpy_read_ce")


def write_of(hca: str) -> str:
    """The command that measures RDMA writes of a NIC."""
    one = f"ib_write_bw -d {hca} -F -s 8388608 -n 5000 --report_gbits"
    return f"sh -c '{one} >/dev/null & sleep 1; {one} localhost; wait'"


DIAGNOSIS = """{"DCGM GPU Diagnostic": {"test_categories": [{"category": "Deployment", "tests": [
{"name": "Denylist", "results": [{"gpu_ids": "0,1,2,3,4,5,6,7", "status": "PASS"}]}]}]}}"""


def interface(wanted: dict, **more) -> dict:
    return {
        "ifname": wanted["name"],
        "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
        "mtu": wanted["mtu"],
        "addr_info": [{"family": "inet", "local": wanted["address"], "prefixlen": wanted["prefix_len"]}],
        **more,
    }


def lldp(*heard: tuple[str, str, str]) -> str:
    """(port, neighbour, its port) -> `lldpctl -f json`."""
    entries = [
        {
            port: {
                "via": "LLDP",
                "chassis": {device: {"id": {"type": "mac", "value": "02:00:00:00:00:01"}}},
                "port": {"id": {"type": "ifname", "value": peer_port}},
            }
        }
        for port, device, peer_port in heard
    ]
    return json.dumps({"lldp": {"interface": entries}} if entries else {"lldp": {}})


def healthy() -> dict[str, tuple[int, str]]:
    """Command -> exit status and what it prints."""
    rails = [n for n in NICS if n["purpose"] == "rail"]
    one = "(ping -n -q -c 3 -i 0.2 -W 1 -I {0} {1} >/dev/null 2>&1 && echo {0} {1}) &"
    pairs = [(n["address"], n["gateway"]) for n in rails]
    asked = " ".join(one.format(*pair) for pair in pairs)
    pings = {"ping -V": (0, "ping"), f"sh -c '{asked} wait'": (0, "".join(f"{a} {b}\n" for a, b in pairs))}
    speeds = {f"ethtool {n['name']}": (0, f"Settings for {n['name']}:\n\tSpeed: 400000Mb/s\n") for n in NICS}
    speeds |= {f"ethtool --show-fec {n['name']}": (0, sample("ethtool_fec.txt")) for n in NICS}
    speeds |= {
        f"ethtool -i {n['name']}": (0, sample("ethtool_i.txt").replace("0000:1a:00.0", BUSES[n["name"]])) for n in NICS
    }
    qualities = {f"mlnx_qos -i {n['name']}": (0, sample("mlnx_qos.txt")) for n in NICS}
    filters = "".join(f"/proc/sys/net/ipv4/conf/{name}/rp_filter:{value}\n" for name, value in RP_FILTERS.items())
    devices = " ".join(f"/sys/class/net/{n['name']}/device" for n in NICS)
    return {
        "nvidia-smi --query-gpu=index,name,driver_version,persistence_mode --format=csv,noheader": (
            0,
            "".join(GPU.format(i) for i in range(8)),
        ),
        "nvidia-smi -q -x": (0, pages()),
        "nvidia-smi nvlink -s": (0, links()),
        "dmesg": (0, "[    0.000000] Linux version 6.8.0\n"),
        "cat /proc/uptime": (0, "1000.00 7000.00\n"),
        "ipmitool sdr type 'Power Supply'": (0, sample("ipmitool_sdr.txt")),
        "ipmitool sel elist": (0, sample("ipmitool_sel.txt")),
        MEMORY: (0, FREE),
        NIC_LINKS: (0, sample("lspci_nics.txt")),
        "cat /proc/cmdline": (0, "BOOT_IMAGE=/vmlinuz root=/dev/md0 ro iommu=pt pcie_aspm=off\n"),
        "cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": (0, "1024\n"),
        DRIVES: (0, sample("lspci_drives.txt")),
        "lscpu --parse=SOCKET,CPU": (0, LSCPU),
        "systemctl is-active nvidia-fabricmanager lldpd chrony": (0, "active\nactive\nactive\n"),
        "df -P -l -x tmpfs -x devtmpfs -x squashfs -x overlay -x efivarfs": (0, DF),
        **{f"nvbandwidth -t {tests}": (0, sample("nvbandwidth.txt")) for tests in COPIES},
        "all_reduce_perf -b 16G -e 16G -g 8": (0, sample("all_reduce_perf.txt")),
        "ib_write_bw --version": (1, "Version: 6.21\n"),
        **{write_of(n["hca"]): (0, sample("ib_write_bw.txt")) for n in rails},
        "dcgmi diag -r 1 -j": (0, DIAGNOSIS),
        "nv-fabricmanager --version": (0, f"Fabric Manager version is : {DRIVER}\n"),
        "systemctl is-active nvidia-fabricmanager": (0, "active\n"),
        "systemctl show --property=DefaultLimitMEMLOCK --value": (0, "infinity\n"),
        "systemctl list-units --failed --plain --no-legend": (0, ""),
        "sh -c 'ulimit -l'": (0, "unlimited\n"),
        "ip -j address show": (0, json.dumps([interface(n) for n in NICS])),
        "ip -4 -j rule show": (
            0,
            json.dumps([{"priority": 100, "src": n["address"], "table": str(n["table"])} for n in rails]),
        ),
        "ip -4 -j route show table all": (
            0,
            json.dumps(
                [
                    {"dst": dst, "gateway": n["gateway"], "dev": n["name"], "table": str(n["table"])}
                    for n in rails
                    for dst in (n["rail_prefix"], "10.0.0.0/9")
                ]
            ),
        ),
        "lldpctl -f json": (0, lldp(*((n["name"], n["peer_device"], n["peer_port"]) for n in NICS))),
        "chronyc -c tracking": (0, "A9FEA97B,169.254.169.123,4,1700000000.0,0.000012,0.0,0.0,0,0,0,0,0,0,Normal\n"),
        "dpkg-query -W -f '${Version}' libnccl2": (0, "2.27.3-1+cuda12.9"),
        "uname -r": (0, "6.8.0\n"),
        "cat /etc/os-release": (0, 'PRETTY_NAME="Debian GNU/Linux 12"\n'),
        "cat /proc/self/status": (0, "Name:\tcat\nCapBnd:\t000001ffffffffff\n"),
        "cat /etc/nccl.conf": (0, "# a comment\nNCCL_IB_HCA==mlx5_rail0,mlx5_rail1\nNCCL_SOCKET_IFNAME==fe0\n"),
        "cat /proc/sys/kernel/numa_balancing": (0, "0\n"),
        **pings,
        **speeds,
        **qualities,
        "sh -c 'grep -H . /proc/sys/net/ipv4/conf/*/rp_filter'": (0, filters),
        HCAS: (0, HCA_STATES),
        "sh -c 'ls -d /sys/class/net/*/device'": (0, devices + "\n"),
        RDMA: (0, "".join(f"/sys/class/net/{n['name']}/device/infiniband/{n['hca']}\n" for n in rails)),
    }


ALWAYS = {"cat", "sh", "uname"}
"""Commands that every machine has."""


ELSE = {"sh": 'exec /bin/sh "$@"', "cat": "[ $# -gt 0 ] || exec /bin/cat; exit 1"}


@dataclass
class FakeHost:
    """Answers like a testinfra host. `missing`: tools that are not installed."""

    says: dict[str, tuple[int, str]] = field(default_factory=healthy)
    missing: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def run(self, command: str) -> SimpleNamespace:
        head, _, line = command.replace(" timeout -k 5 120 ", " timeout -k 5 30 ").partition(" timeout -k 5 30 ")
        assert head == "LC_ALL=C PATH=$PATH:/usr/sbin:/sbin", command
        self.asked.append(line)
        tool = shlex.split(line)[0]
        if tool in self.missing:
            return SimpleNamespace(rc=127, stdout="", stderr=f"timeout: failed to run command '{tool}'")
        rc, out = self.says.get(line, (1, ""))
        return SimpleNamespace(rc=rc, stdout=out, stderr="")

    def write(self, folder) -> None:
        """The same answers as scripts, to stand first on PATH; a shell, and `cat` alone, work as ever."""
        cases: dict[str, list[str]] = {}
        for line, (rc, out) in self.says.items():
            tool, *arguments = shlex.split(line)
            said = f"printf %s {shlex.quote(out)}; exit {rc}"
            cases.setdefault(tool, []).append(f"{shlex.quote(' '.join(arguments))}) {said} ;;")
        for tool, answers in cases.items():
            # The machine below may have the tool: what is missing here says what a shell says of it.
            text = (
                ["exit 127"] if tool in self.missing else ['case "$*" in', *answers, "esac", ELSE.get(tool, "exit 1")]
            )
            script = folder / tool
            script.write_text("\n".join(["#!/bin/sh", *text, ""]))
            script.chmod(0o755)
