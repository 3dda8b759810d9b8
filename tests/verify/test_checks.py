"""Each check passes on a healthy node, and tells by name what is wrong with one that is not."""

from __future__ import annotations

import importlib
import inspect
import json
from types import SimpleNamespace

import pytest
from fake_host import (
    ALWAYS,
    COPIES,
    DIAGNOSIS,
    DRIVER,
    EXPECTED,
    GPU,
    HCA,
    HCA_STATES,
    HCAS,
    MEMORY,
    NIC_LINKS,
    NICS,
    RDMA,
    FakeHost,
    healthy,
    interface,
    lldp,
    sample,
    write_of,
)
from faults import FAULTS, changed

from lindos.verify.suite.codes import CODES
from lindos.verify.suite.facts import DOUBLED, Facts
from lindos.verify.suite.outcome import Broken, NotExpected, ToolMissing, Unmeasured, Waits
from lindos.verify.suite.record import Record

MODULES = (
    "test_bandwidth",
    "test_chassis",
    "test_gpu",
    "test_gpu_health",
    "test_infiniband",
    "test_nics",
    "test_ports",
    "test_rails",
    "test_system",
)


def checks() -> dict[str, object]:
    """Code -> the check."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"lindos.verify.suite.{name}")
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if code := getattr(function, "code_of_check", None):
                assert code not in found, f"{code} is used twice"
                found[code] = function
    return found


CHECKS = checks()


def run(code: str, host: FakeHost, port: dict = NICS[0], expected: dict = EXPECTED):
    """A check on a host -> None if it passes; raises how it ends if not."""
    known = {
        "expected": expected,
        "facts": Facts(host),
        "nic": port,
        "rail": port,
        "hca": HCA,
        "pytestconfig": SimpleNamespace(stash=_Stash()),
    }
    function = CHECKS[code]
    return function(**{name: known[name] for name in inspect.signature(function).parameters})


class _Stash(dict):
    def __missing__(self, key):
        self[key] = Record("x")
        return self[key]


def test_every_code_has_a_check():
    assert sorted(CHECKS) == sorted(set(CODES) - {"HOST-000"})


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_a_healthy_node_passes(code):
    for port in NICS if "nic" in inspect.signature(CHECKS[code]).parameters else NICS[:1]:
        assert run(code, FakeHost(), port) is None


SMI = "nvidia-smi --query-gpu=index,name,driver_version,persistence_mode --format=csv,noheader"
PAGE = "nvidia-smi -q -x"
MEASURING = (
    *([f"nvbandwidth -t {tests}"] for tests in COPIES),
    ["all_reduce_perf -b 16G -e 16G -g 8"],
    [write_of("mlx5_rail0")],
)
SHOW = "ip -j address show"
PING = next(line for line in healthy() if line.startswith("sh -c '(ping"))
STATUS = "cat /proc/self/status"
LIMITS = "sh -c 'cat /etc/security/limits.conf /etc/security/limits.d/*.conf'"
IN_CONTAINER = {"sh -c 'ulimit -l'": (0, "8192\n"), STATUS: (0, "CapBnd:\t00000000a82435fb\n")}
RP = "sh -c 'grep -H . /proc/sys/net/ipv4/conf/*/rp_filter'"
STRICT = "/proc/sys/net/ipv4/conf/all/rp_filter:1\n/proc/sys/net/ipv4/conf/rail0/rp_filter:0\n"
CONF = "cat /etc/nccl.conf"
RAIL0, RAIL1 = NICS[0], NICS[1]


def gpus(count=8, **first) -> tuple[int, str]:
    lines = [GPU.format(i) for i in range(count)]
    for old, new in first.items():
        lines[0] = lines[0].replace(old.replace("_", " "), new)
    return 0, "".join(lines)


def ports(**changes) -> tuple[int, str]:
    return 0, json.dumps([interface(n, **(changes if n is RAIL0 else {})) for n in NICS])


BROKEN = [
    ("HOST-001", {SMI: gpus(7)}, "expected 8 GPUs, seen 7"),
    ("HOST-001", {SMI: (6, "No devices were found\n")}, "ended with 6 and said: No devices were found"),
    ("HOST-001", {SMI: (124, "")}, "`nvidia-smi` gave no answer in 30 s"),
    ("HOST-001", {SMI: (0, "Unable to determine the device handle for GPU0000:1A:00.0\n")}, "is not understood"),
    (
        "HOST-002",
        {SMI: gpus(NVIDIA_H100_80GB_HBM3="NVIDIA A100")},
        "expected NVIDIA H100 80GB HBM3, seen 1 x NVIDIA A100",
    ),
    ("HOST-003", {SMI: (0, gpus()[1].replace(DRIVER, "570.124.06"))}, "expected driver 570.133.20, seen 570.124.06"),
    ("HOST-004", {"nv-fabricmanager --version": (0, "Fabric Manager version is : 1.2\n")}, "seen 1.2"),
    ("HOST-005", {"systemctl is-active nvidia-fabricmanager": (3, "failed\n")}, "nvidia-fabricmanager is failed"),
    ("HOST-006", {SMI: gpus(Enabled="Disabled")}, "persistence mode is off on GPU 0"),
    ("HOST-010", {SHOW: (0, "[]"), "lldpctl -f json": (1, "")}, "no interface of this name"),
    (
        "HOST-010",
        {
            SHOW: (0, "[]"),
            "lldpctl -f json": (0, lldp(("enp26s0np0", RAIL0["peer_device"], RAIL0["peer_port"]))),
            "sh -c 'readlink /sys/class/net/enp26s0np0/device'": (0, "../../../0000:1a:00.0\n"),
        },
        "its neighbour is heard at enp26s0np0 (0000:1a:00.0)",
    ),
    ("HOST-011", {SHOW: ports(addr_info=[])}, "expected 10.0.0.1/31, seen no address"),
    (
        "HOST-011",
        {SHOW: ports(addr_info=[*interface(RAIL0)["addr_info"], *interface(RAIL1)["addr_info"]])},
        "10.16.0.1/31",
    ),
    ("HOST-012", {SHOW: ports(mtu=1500)}, "expected MTU 9000, seen 1500"),
    ("HOST-013", {SHOW: ports(flags=["BROADCAST"])}, "the interface is down"),
    ("HOST-013", {SHOW: ports(flags=["UP", "NO-CARRIER"])}, "no carrier"),
    ("HOST-014", {"ethtool rail0": (0, "\tSpeed: 200000Mb/s\n")}, "expected 400000Mb/s, seen 200000Mb/s"),
    ("HOST-014", {"ethtool rail0": (0, "")}, "seen no speed"),
    ("HOST-020", {"ip -4 -j rule show": (0, "[]")}, "expected `from 10.0.0.1 lookup 100`, seen no rule"),
    (
        "HOST-020",
        {"ip -4 -j rule show": (0, json.dumps([{"src": "10.0.0.1", "table": "101"}]))},
        "expected `from 10.0.0.1 lookup 100`, seen lookup 101",
    ),
    ("HOST-021", {"ip -4 -j route show table all": (0, "[]")}, "seen no route to it"),
    (
        "HOST-021",
        {
            "ip -4 -j route show table all": (
                0,
                json.dumps([{"dst": "default", "gateway": "10.16.0.0", "dev": "rail1", "table": "100"}]),
            )
        },
        "seen via 10.16.0.0 dev rail1",
    ),
    ("HOST-022", {PING: (0, "10.16.0.1 10.16.0.0\n")}, "its leaf does not answer"),
    ("HOST-023", {RP: (0, STRICT)}, "seen 0 here and 1 for all"),
    ("HOST-024", {HCAS: (2, "")}, "no RDMA device mlx5_rail0, seen none"),
    ("HOST-024", {HCAS: (0, HCA_STATES.replace("mlx5_rail0", "ibp26s0"))}, "no RDMA device mlx5_rail0, seen ibp26s0"),
    ("HOST-024", {HCAS: (0, HCA_STATES.replace("5: LinkUp", "3: Disabled"))}, "expected LinkUp, seen Disabled"),
    ("HOST-024", {HCAS: (0, HCA_STATES.replace("4: ACTIVE", "2: INIT"))}, "expected ACTIVE, seen INIT"),
    ("HOST-024", {HCAS: (0, HCA_STATES.replace("400 Gb/sec (4X", "200 Gb/sec (2X"))}, "expected 400 Gb/s, seen 200 Gb"),
    ("HOST-025", {RDMA: (2, "")}, "expected RDMA device mlx5_rail0, seen none"),
    (
        "HOST-025",
        {RDMA: (0, "/sys/class/net/rail0/device/infiniband/rocep26s0\n")},
        "expected RDMA device mlx5_rail0, seen rocep26s0",
    ),
    ("HOST-030", {CONF: (1, "")}, "/etc/nccl.conf is not there"),
    ("HOST-025", {RDMA: (2, "")}, "expected RDMA device mlx5_rail0, seen none"),
    (
        "HOST-025",
        {RDMA: (0, "/sys/class/net/rail0/device/infiniband/rocep26s0\n")},
        "expected RDMA device mlx5_rail0, seen rocep26s0",
    ),
    ("HOST-030", {CONF: (0, "NCCL_IB_HCA==mlx5_rail0,mlx5_rail1\n")}, "NCCL_SOCKET_IFNAME==fe0, seen nothing"),
    ("HOST-031", {CONF: (0, "NCCL_DEBUG=INFO\n")}, "sets NCCL_DEBUG for every job"),
    ("HOST-032", {**IN_CONTAINER, LIMITS: (0, "* - memlock unlimited\n")}, "a session may lock 8192"),
    ("HOST-032", {"sh -c 'ulimit -l'": (0, "64\n")}, "a session may lock 64"),
    ("HOST-033", {"cat /proc/sys/kernel/numa_balancing": (0, "1\n")}, "kernel.numa_balancing = 0, seen 1"),
    ("HOST-034", {"dpkg-query -W -f '${Version}' libnccl2": (1, "")}, "expected NCCL 2.27.3, seen not installed"),
    (
        "HOST-040",
        {"systemctl list-units --failed --plain --no-legend": (0, "lldpd.service loaded failed failed LLDP\n")},
        "failed: lldpd.service",
    ),
    ("HOST-041", {"chronyc -c tracking": (0, "A9,x,4,1.0,-0.025,0\n")}, "the clock is off by -25.0 ms"),
    ("HOST-042", {"cat /run/reboot-required": (0, "*** System restart required ***\n")}, "a reboot is asked for"),
    ("HOST-050", {"lldpctl -f json": (0, lldp(("rail0", "x-a0001-leaf00", "etp2")))}, "hears x-a0001-leaf00 etp2"),
    ("HOST-050", {"lldpctl -f json": (0, lldp())}, "hears nobody"),
    ("HOST-051", {"lldpctl -f json": (1, "")}, "lldpd does not answer"),
]


@pytest.mark.parametrize(("code", "says", "message"), BROKEN, ids=[f"{c}-{n}" for n, (c, _, _) in enumerate(BROKEN)])
def test_a_broken_node_is_told_so(code, says, message):
    with pytest.raises(Broken) as told:
        run(code, FakeHost(healthy() | says))
    assert message in told.value.message


def test_every_code_has_a_failing_case():
    assert {code for code, _, _ in BROKEN} | {f.code for f in FAULTS if f.says} == set(CHECKS)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.says], ids=lambda f: f.name)
def test_a_fault_is_told_by_its_words(fault):
    with pytest.raises(Broken) as told:
        run(fault.code, FakeHost(changed(healthy(), fault)))
    assert fault.words in told.value.message
    assert told.value.severity == fault.severity
    assert told.value.hint


LINK = "RLW_RXPIPE {} XC0 i0 Link 03 (0x00000005)"
XIDS = [
    (13, "", ""),
    (31, "", ""),
    (95, "", "critical"),
    (140, "", "critical"),
    (154, "", "warning"),
    (999, "", "warning"),
]
XIDS += [(145, LINK.format("Fatal"), "critical"), (145, LINK.format("Nonfatal"), "warning")]


@pytest.mark.parametrize(("xid", "text", "severity"), XIDS)
def test_what_an_xid_means_for_a_node(xid, text, severity):
    log = {"dmesg": (0, f"[  900.000000] NVRM: Xid (PCI:0000:18:00): {xid}, {text}\n")}
    if not severity:
        assert run("HOST-062", FakeHost(healthy() | log)) is None
        return
    with pytest.raises(Broken, match=f"XID {xid} ") as told:
        run("HOST-062", FakeHost(healthy() | log))
    assert told.value.severity == severity


@pytest.mark.parametrize("argument", ["iommu=pt", "iommu.passthrough=1"])
def test_x86_and_arm_say_the_same_in_other_words(argument):
    host = FakeHost(healthy() | {"cat /proc/cmdline": (0, f"root=/dev/md0 {argument} pcie_aspm=off\n")})
    assert run("HOST-075", host) is None


@pytest.mark.parametrize("name", ["NVIDIA H200 NVL", "NVIDIA H200 PCIe"])
def test_a_card_is_none_for_a_baseboard(name):
    host = FakeHost(healthy() | {SMI: (0, "".join(f"{i}, {name}, {DRIVER}, Enabled\n" for i in range(8)))})
    with pytest.raises(Broken, match=name):
        run("HOST-002", host, expected=EXPECTED | {"gpu": {"count": 8, "model": "h200_sxm"}})


UNMEASURED = [
    ("HOST-024", EXPECTED, {HCAS: (2, ""), "cat /run/.containerenv": (0, "")}, "this container is given none"),
    ("HOST-025", EXPECTED, {RDMA: (2, ""), "cat /run/.containerenv": (0, "")}, "this container is given none"),
    (
        "HOST-032",
        EXPECTED,
        {**IN_CONTAINER, LIMITS: (0, "# x\n* - memlock unlimited\nroot - memlock unlimited\n")},
        "who started this container bounds it",
    ),
    ("HOST-002", EXPECTED | {"gpu": {"count": 8, "model": "z9000"}}, {}, "what nvidia-smi calls a z9000"),
    ("HOST-003", EXPECTED | {"software": {}}, {}, "no GPU driver release is wanted"),
    ("HOST-014", EXPECTED, {"sh -c 'ls -d /sys/class/net/*/device'": (2, "")}, "no device stands behind"),
    (
        "HOST-033",
        EXPECTED,
        {"cat /proc/sys/kernel/numa_balancing": (1, "")},
        "this kernel has no kernel.numa_balancing",
    ),
    ("HOST-034", EXPECTED | {"software": {}}, {}, "no NCCL release is wanted"),
    (
        "HOST-060",
        EXPECTED,
        {PAGE: (0, sample("nvidia_smi_q_470.xml").replace(">1<", ">0<"))},
        "counts no memory errors",
    ),
    ("HOST-061", EXPECTED, {PAGE: (0, sample("nvidia_smi_q_470.xml"))}, "tells of no remapped rows"),
    (
        "HOST-062",
        EXPECTED,
        {"dmesg": (1, "dmesg: read kernel buffer failed: Operation not permitted")},
        "not permitted",
    ),
    (
        "HOST-063",
        EXPECTED,
        {PAGE: (0, sample("nvidia_smi_q_470.xml").replace(">Active", ">Not Active"))},
        "GPU 1 (00000000",
    ),
    ("HOST-065", EXPECTED, {PAGE: (0, sample("nvidia_smi_q_470.xml"))}, "does not tell of the PCIe link"),
    (
        "HOST-066",
        EXPECTED,
        {PAGE: (0, sample("nvidia_smi_q_470.xml").replace("250.00", "300.00"))},
        "tells no temperature",
    ),
    (
        "HOST-015",
        EXPECTED,
        {"ethtool --show-fec rail0": (1, "netlink error: Operation not supported")},
        "not supported",
    ),
    (
        "HOST-017",
        EXPECTED,
        {NIC_LINKS: (0, "0000:1a:00.0 Ethernet controller: x\n")},
        "not tell of the PCIe link of 0000:1a",
    ),
    ("HOST-070", EXPECTED, {MEMORY: (0, "")}, "`free` names no memory"),
    ("HOST-017", EXPECTED, {NIC_LINKS: (1, "lspci: Cannot open /proc/bus/pci")}, "Cannot open"),
    ("HOST-072", EXPECTED, {"ipmitool sdr type 'Power Supply'": (0, "")}, "names no power supplies"),
    ("HOST-073", EXPECTED, {"ipmitool sel elist": (1, "Could not open device at /dev/ipmi0")}, "Could not open device"),
    ("HOST-078", EXPECTED, {"lscpu --parse=SOCKET,CPU": (0, "")}, "lscpu names no CPUs"),
    ("HOST-075", EXPECTED, {"cat /proc/cmdline": (1, "")}, "/proc/cmdline cannot be read"),
    *((f"HOST-08{n}", EXPECTED, dict.fromkeys(line, (0, "")), "measured nothing") for n, line in enumerate(MEASURING)),
    ("HOST-068", EXPECTED, {"dcgmi diag -r 1 -j": (1, "Error: unable to connect")}, "said: Error: unable to connect"),
    ("HOST-068", EXPECTED, {"dcgmi diag -r 1 -j": (0, DIAGNOSIS.replace("PASS", "SKIPPED"))}, "skipped every test"),
    ("HOST-041", EXPECTED, {"chronyc -c tracking": (1, "506 Cannot talk to daemon\n")}, "506 Cannot talk to daemon"),
    ("HOST-041", EXPECTED, {"chronyc -c tracking": (0, "00000000,,0,0.0,0.0\n")}, "follows no source"),
]


@pytest.mark.parametrize(("code", "expected", "says", "message"), UNMEASURED)
def test_what_cannot_be_measured_here_is_no_pass(code, expected, says, message):
    with pytest.raises(Unmeasured) as told:
        run(code, FakeHost(healthy() | says), expected=expected)
    assert message in told.value.message


NOT_EXPECTED = [
    ("HOST-064", EXPECTED | {"gpu": {"count": 8, "model": "z9000"}}, "how many NVLinks"),
    ("HOST-065", EXPECTED | {"gpu": {"count": 8, "model": "z9000"}}, "how this GPU is joined"),
    *(
        (code, {k: v for k, v in EXPECTED.items() if k != name}, f"names {name}")
        for code, name in {
            "HOST-070": "memory_gib",
            "HOST-071": "nvme_drives",
            "HOST-072": "psus",
            "HOST-074": "hugepages",
            "HOST-076": "services",
        }.items()
    ),
    ("HOST-078", {k: v for k, v in EXPECTED.items() if k not in {"cpus", "threads"}}, "names cpus or threads"),
    ("HOST-004", EXPECTED | {"services": ["lldpd"]}, "managed elsewhere"),
    ("HOST-005", EXPECTED | {"services": ["lldpd"]}, "managed elsewhere"),
    *((f"HOST-08{n}", EXPECTED | {"measure": False}, "nobody asked to measure") for n in range(4)),
    *((f"HOST-08{n}", EXPECTED | {"gpu": {"count": 8, "model": "b200_sxm"}}, "is published") for n in range(4)),
    ("HOST-082", EXPECTED | {"gpu": {"count": 4, "model": "h100_sxm"}}, "over 4 x NVIDIA H100 80GB HBM3 is published"),
    ("HOST-018", EXPECTED | {"software": {}}, "names no nic_firmware"),
    ("HOST-067", EXPECTED | {"software": {}}, "names no gpu_vbios or gpu_inforom"),
]


@pytest.mark.parametrize(("code", "expected", "message"), NOT_EXPECTED)
def test_what_the_plan_does_not_name_is_neither_pass_nor_finding(code, expected, message):
    with pytest.raises(NotExpected, match=message):
        run(code, FakeHost(), expected=expected)


@pytest.mark.parametrize(
    ("code", "change"),
    [("HOST-015", {"rate_gbps": 100}), ("HOST-016", {"pfc_priority": None}), ("HOST-017", {"rate_gbps": None})],
)
def test_what_the_plan_does_not_name_of_a_port_is_neither(code, change):
    with pytest.raises(NotExpected):
        run(code, FakeHost(), port=RAIL0 | change)


@pytest.mark.parametrize("code", [f"HOST-07{n}" for n in (0, 1, 4, 5, 7, 8)])
def test_what_a_container_sees_is_not_its_own(code):
    with pytest.raises(Unmeasured, match="machine below") as told:
        run(code, FakeHost(healthy() | {"cat /run/.containerenv": (0, "")}))
    assert told.value.stand_in


@pytest.mark.parametrize("code", ["HOST-015", "HOST-017", "HOST-018", "HOST-025"])
def test_a_virtual_port_stands_in_for_a_real_one(code):
    with pytest.raises(Unmeasured) as told:
        run(code, FakeHost(healthy() | {"sh -c 'ls -d /sys/class/net/*/device'": (2, "")}))
    assert told.value.stand_in


TOOLS = {
    "mlnx_qos": ("HOST-016",),
    "nvidia-smi": ("HOST-001", "HOST-002", "HOST-003", "HOST-006", "HOST-060"),
    "nv-fabricmanager": ("HOST-004", "HOST-005"),
    "ethtool": ("HOST-014",),
    "lldpctl": ("HOST-051",),
    "chronyc": ("HOST-041",),
    "ping": ("HOST-022",),
    "systemctl": ("HOST-032", "HOST-040"),
}


@pytest.mark.parametrize(("tool", "code"), [(t, c) for t, codes in TOOLS.items() for c in codes])
def test_a_missing_tool_is_no_pass(tool, code):
    with pytest.raises(ToolMissing, match=f"{tool} is not installed"):
        run(code, FakeHost(missing={tool}))


def test_every_tool_that_is_asked_can_be_missing():
    host = FakeHost()
    for code in CHECKS:
        run(code, host)
    asked = {line.split()[0] for line in host.asked} - ALWAYS
    assert asked == {*TOOLS, *OPTIONAL, "ip", "dpkg-query"}


BENCHMARKS = {"nvbandwidth": "HOST-081", "all_reduce_perf": "HOST-082", "ib_write_bw": "HOST-083"}
OPTIONAL = {
    "dmesg": "HOST-062",
    "dcgmi": "HOST-068",
    "ipmitool": "HOST-073",
    "df": "HOST-077",
    "free": "HOST-070",
    "lscpu": "HOST-078",
    "lspci": "HOST-071",
    **BENCHMARKS,
}
"""Tools that a healthy host may lack."""


@pytest.mark.parametrize(("tool", "code"), OPTIONAL.items())
def test_without_a_tool_that_may_be_missing_nothing_is_measured(tool, code):
    with pytest.raises(Unmeasured, match=f"{tool} is not installed") as told:
        run(code, FakeHost(missing={tool}))
    assert not told.value.stand_in
    inside = {"cat /run/systemd/container": (0, "podman")}
    with pytest.raises(Unmeasured) as told:
        run(code, FakeHost(healthy() | inside, missing={tool}))
    assert told.value.stand_in


@pytest.mark.parametrize(
    ("code", "says", "behind"),
    [
        ("HOST-002", {SMI: (6, "No devices were found\n")}, "HOST-001"),
        ("HOST-060", {PAGE: (6, "No devices were found\n")}, "HOST-001"),
        ("HOST-068", {PAGE: (0, "No devices were found\n")}, "HOST-001"),
        ("HOST-011", {SHOW: (0, "[]")}, "HOST-010"),
        ("HOST-015", {SHOW: (0, "[]")}, "HOST-010"),
        ("HOST-015", {SHOW: ports(flags=["UP"])}, "HOST-013"),
        ("HOST-016", {SHOW: (0, "[]")}, "HOST-010"),
        ("HOST-019", {SHOW: (0, "[]")}, "HOST-010"),
        ("HOST-025", {SHOW: (0, "[]")}, "HOST-010"),
        ("HOST-022", {SHOW: ports(addr_info=[])}, "HOST-011"),
        ("HOST-022", {SHOW: ports(flags=["UP"])}, "HOST-013"),
        ("HOST-031", {CONF: (1, "")}, "HOST-030"),
        ("HOST-050", {"lldpctl -f json": (1, "")}, "HOST-051"),
    ],
)
def test_what_follows_from_another_finding_waits_for_it(code, says, behind):
    with pytest.raises(Waits) as told:
        run(code, FakeHost(healthy() | says))
    assert told.value.code == behind


def test_a_command_is_asked_once():
    host = FakeHost()
    facts = Facts(host)
    facts.gpus()
    facts.gpus()
    assert host.asked.count(SMI) == 1


def test_doubles_are_read_from_the_machine():
    marker = json.dumps({"note": "x", "tools": ["nvidia-smi"]})
    assert Facts(FakeHost(healthy() | {f"cat {DOUBLED}": (0, marker)})).doubled_tools == {"nvidia-smi"}
    assert Facts(FakeHost()).doubled_tools == frozenset()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ECC off", "nvidia-smi -e 1"),
        ("SRAM beyond NVIDIA's threshold", "replaced"),
        ("uncorrected SRAM errors", "reset the GPU"),
        ("rows to be remapped", "reset the GPU"),
        ("spare rows used up", "have the GPU replaced"),
        ("GPU off the bus", "power the node off and on"),
    ],
)
def test_what_to_do_depends_on_the_fault(name, hint):
    (fault,) = (f for f in FAULTS if f.name == name)
    with pytest.raises(Broken) as told:
        run(fault.code, FakeHost(changed(healthy(), fault)))
    assert hint in told.value.hint
