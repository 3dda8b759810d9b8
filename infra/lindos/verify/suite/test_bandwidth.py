"""What links carry, measured: only where it is asked for, because it disturbs whatever runs on the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import bandwidth
from . import thresholds as limit
from .codes import WARNING
from .outcome import Broken, NotExpected, Unmeasured
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Expected = dict[str, Any]

TO, FROM, PEER = "host_to_device_memcpy_ce", "device_to_host_memcpy_ce", "device_to_device_memcpy_read_ce"
LOOPBACK = "-F -s 8388608 -n 5000 --report_gbits"


@check("HOST-080")
def test_copies_between_host_and_gpus(expected: Expected, facts: Facts) -> None:
    model = _asked(expected)
    if model.host_copy_fail is None or model.host_copy_warn is None:
        raise NotExpected(f"no rate of copies to and from {model.name} is published")
    seen = bandwidth.copies(facts.measure("nvbandwidth", f"-t {TO} {FROM}"))
    if not (seen.get(TO) and seen.get(FROM)):
        raise Unmeasured("nvbandwidth measured nothing", hint="`nvbandwidth -l`: are these tests there?")
    slow = [
        f"{name} {worst:.1f} GB/s (GPU {rates.index(worst)})"
        for name, rates in seen.items()
        if (worst := min(rates)) < model.host_copy_warn
    ]
    if slow:
        failed = min(min(rates) for rates in seen.values()) < model.host_copy_fail
        raise Broken(
            f"{'; '.join(slow)}, expected {model.host_copy_warn:g} and no less than {model.host_copy_fail:g}",
            hint="HOST-065 tells of its PCIe lanes; ACS and IOMMU slow it too",
            severity="" if failed else WARNING,
        )


@check("HOST-081")
def test_reads_from_gpu_to_gpu(expected: Expected, facts: Facts) -> None:
    model = _asked(expected)
    if model.peer_read_fail is None:
        raise NotExpected(f"no rate of reads between {model.name} is published")
    rates = bandwidth.copies(facts.measure("nvbandwidth", f"-t {PEER}")).get(PEER)
    if not rates:
        raise Unmeasured("nvbandwidth measured nothing", hint="`nvbandwidth -l`: is this test there?")
    if min(rates) < model.peer_read_fail:
        raise Broken(
            f"the slowest pair of GPUs reads at {min(rates):.1f} GB/s, expected {model.peer_read_fail:g}",
            hint="HOST-064 tells of its NVLinks; `nvidia-smi nvlink -e`",
        )


@check("HOST-082")
def test_all_reduce_within_the_node(expected: Expected, facts: Facts) -> None:
    model = _asked(expected)
    count = expected["gpu"]["count"]
    if model.all_reduce_fail is None or count != limit.ALL_REDUCE_GPUS:
        raise NotExpected(f"no rate of an all-reduce over {count} x {model.name} is published")
    rate, right = bandwidth.bus_rate(facts.measure("all_reduce_perf", f"-b 16G -e 16G -g {count}"))
    if rate is None:
        raise Unmeasured("all_reduce_perf measured nothing")
    if not right:
        raise Broken("an all-reduce gave wrong sums", hint="a GPU computes or carries wrongly: `dcgmi diag -r 3`")
    if rate < model.all_reduce_fail:
        raise Broken(
            f"an all-reduce runs at {rate:.1f} GB/s, expected {model.all_reduce_fail:g}",
            hint="NVLS off? (then about 330): `NCCL_DEBUG=INFO`, fabric manager; else see HOST-063 and HOST-064",
        )


@check("HOST-083")
def test_rdma_writes(rail: dict[str, Any], expected: Expected, facts: Facts) -> None:
    model = _asked(expected)
    if model.rdma_write_share is None or not rail.get("rate_gbps"):
        raise NotExpected(f"no rate of RDMA writes beside {model.name} is published")
    want = model.rdma_write_share * rail["rate_gbps"]
    one = f"ib_write_bw -d {rail['hca']} {LOOPBACK}"
    facts.need("ib_write_bw")
    rate = bandwidth.write_rate(facts.measure("sh", f"-c '{one} >/dev/null & sleep 1; {one} localhost; wait'"))
    if rate is None:
        raise Unmeasured("ib_write_bw measured nothing")
    if rate < want:
        raise Broken(
            f"RDMA writes at {rate:.0f} Gb/s, expected {want:.0f}",
            hint=f"HOST-017 tells of its PCIe lanes; `mlxconfig -d {rail['hca']} q`, relaxed ordering, ACS",
        )


def _asked(expected: Expected) -> limit.Gpu:
    if not expected.get("measure"):
        raise NotExpected("nobody asked to measure rates: `lindos verify SITE --measure`, on drained nodes")
    model = limit.GPUS.get(expected["gpu"]["model"])
    if model is None:
        raise NotExpected("this GPU is not known")
    return model
