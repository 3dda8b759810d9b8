"""The machine around the GPUs: memory, drives, power supplies, the BMC's log, and how its kernel was started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import chassis
from . import thresholds as limit
from .codes import CRITICAL, WARNING
from .outcome import Broken, NotExpected, Unmeasured
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Expected = dict[str, Any]


@check("HOST-070")
def test_memory_of_the_node(expected: Expected, facts: Facts) -> None:
    want = _named(expected, "memory_gib")
    _of_its_own(facts, "memory", "free")
    seen = chassis.memory_gib(facts.ask_if_there("free", "-k"))
    if seen is None:
        raise Unmeasured("`free` names no memory")
    if seen < want * limit.MEMORY_SHARE_MIN:
        raise Broken(
            f"expected {want} GiB of memory, seen {seen:.0f}",
            hint="a DIMM is missing, or was mapped out: `dmidecode -t memory`, the BMC's log",
        )


@check("HOST-071")
def test_nvme_drives(expected: Expected, facts: Facts) -> None:
    want = _named(expected, "nvme_drives")
    _of_its_own(facts, "drives", "lspci")
    seen = chassis.drives(facts.ask_if_there("lspci", "-Dk -d ::0108"))
    if len(seen) != want:
        raise Broken(
            f"expected {want} NVMe drives, seen {len(seen)}: {', '.join(seen) or 'none'}",
            hint="reseat the drive; `lspci -d ::0108`, its backplane and cable",
        )


@check("HOST-072")
def test_power_supplies(expected: Expected, facts: Facts) -> None:
    want = _named(expected, "psus")
    seen = chassis.supplies(facts.ask_if_there("ipmitool", "sdr type 'Power Supply'"))
    if not seen:
        raise Unmeasured("the BMC names no power supplies", stand_in=facts.in_container())
    told = [f"{supply.name}: {', '.join(supply.wrong)}" for supply in seen if supply.wrong]
    there = sum(supply.present for supply in seen)
    if there != want:
        told.insert(0, f"expected {want} power supplies, seen {there}")
    if told:
        raise Broken("; ".join(told), hint="look at the cord, the PDU's breaker and the feed before the supply itself")


@check("HOST-073")
def test_the_event_log(facts: Facts) -> None:
    log = chassis.events(facts.ask_if_there("ipmitool", "sel elist"))
    bad = chassis.severe(log)
    if bad:
        told = "; ".join(f"{e.sensor}: {e.event} ({e.when})" for e in bad[-limit.EVENTS_TOLD :])
        more = f", and {len(bad) - limit.EVENTS_TOLD} before" if len(bad) > limit.EVENTS_TOLD else ""
        hint = "mend what it names, then clear the log: `ipmitool sel clear`"
        raise Broken(f"the BMC has logged {told}{more}", hint=hint, severity=CRITICAL)
    if len(log) >= limit.EVENTS_MAX:
        raise Broken(
            f"the BMC's log has {len(log)} entries, none of them severe",
            hint="read it and clear it: a full log takes no more: `ipmitool sel elist`, `ipmitool sel clear`",
        )


@check("HOST-074")
def test_hugepages(expected: Expected, facts: Facts) -> None:
    want = _named(expected, "hugepages")
    _of_its_own(facts, "hugepages")
    told = []
    for size_kib, count in sorted(want.items()):
        seen = facts.read(f"/sys/kernel/mm/hugepages/hugepages-{size_kib}kB/nr_hugepages")
        if seen is None or int(seen) < count:
            told.append(f"expected {count} hugepages of {size_kib} KiB, seen {(seen or 'no such size').strip()}")
    if told:
        raise Broken("; ".join(told), hint="set them on the kernel's command line: later, memory is in pieces")


@check("HOST-075")
def test_the_kernels_command_line(facts: Facts) -> None:
    _of_its_own(facts, "command line")
    seen = (facts.read("/proc/cmdline") or "").split()
    if not seen:
        raise Unmeasured("/proc/cmdline cannot be read")
    lacking = [" or ".join(words) for words in limit.KERNEL_ARGUMENTS if not set(words) & set(seen)]
    if lacking:
        raise Broken(
            f"the kernel was started without {', '.join(lacking)}",
            hint="converge role node_tuning, then reboot the node",
        )


@check("HOST-076")
def test_services_run(expected: Expected, facts: Facts) -> None:
    want = _named(expected, "services")
    _, out, _ = facts.run("systemctl", f"is-active {' '.join(want)}")
    states = dict(zip(want, [*out.split(), *("not there" for _ in want)], strict=False))
    lost = [name for name, state in states.items() if state != "active"]
    if lost:
        told = "; ".join(f"{name} is {states[name]}" for name in lost)
        severity = WARNING if limit.WATCHING.issuperset(lost) else ""
        raise Broken(told, hint=f"systemctl status {' '.join(lost)}", severity=severity)


@check("HOST-077")
def test_disks_have_room(facts: Facts) -> None:
    _of_its_own(facts, "disks")
    out = facts.ask_if_there("df", "-P -l -x tmpfs -x devtmpfs -x squashfs -x overlay -x efivarfs")
    full = [f"{at} is {used} % full" for at, used in chassis.filled(out).items() if used >= limit.DISK_USED_MAX_PCT]
    if full:
        raise Broken("; ".join(full), hint="du -xh --max-depth=2; logs, core files, old container images")


@check("HOST-078")
def test_processors(expected: Expected, facts: Facts) -> None:
    want = {what: expected[what] for what in ("cpus", "threads") if expected.get(what)}
    if not want:
        raise NotExpected("neither site file nor catalogue names cpus or threads of this node")
    _of_its_own(facts, "CPUs", "lscpu")
    cpus, threads = chassis.processors(facts.ask_if_there("lscpu", "--parse=SOCKET,CPU"))
    if not threads:
        raise Unmeasured("lscpu names no CPUs")
    seen = {"cpus": cpus, "threads": threads}
    other = [f"expected {count} {what}, seen {seen[what]}" for what, count in want.items() if seen[what] != count]
    if other:
        hint = "a CPU that is off: the BMC's log; half the threads: hyper-threading in the BIOS; `lscpu --extended`"
        raise Broken("; ".join(other).replace("cpus", "CPUs"), hint=hint)


def _named(expected: Expected, what: str) -> Any:
    if not expected.get(what):
        raise NotExpected(f"neither site file nor catalogue names {what} of this node")
    return expected[what]


def _of_its_own(facts: Facts, what: str, tool: str = "") -> None:
    """A container has the kernel, the memory and the disks of the machine below, which is none of the plan's; unless a
    double of the tool that is asked stands there and speaks of another.
    """
    if tool not in facts.doubled_tools and facts.in_container():
        raise Unmeasured(f"the {what} that a container sees is that of the machine below", stand_in=True)
