"""What jobs rely on: NCCL's file, limits, kernel settings, services, the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import parsers
from .outcome import Broken, Unmeasured, Waits
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Expected = dict[str, Any]

NCCL_CONF = "/etc/nccl.conf"

NOT_FOR_PRODUCTION = (
    "NCCL_DEBUG",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NCCL_MIN_NCHANNELS",
    "NCCL_MAX_NCHANNELS",
    "NCCL_BUFFSIZE",
)
"""Prefixes of settings that help to look at a job or to measure one; left in place they slow every job."""

SYSCTLS = {"kernel.numa_balancing": "0"}
"""Wanted on every GPU node."""

CLOCK_S = 0.010

UNLIMITED = frozenset({"unlimited", "infinity", "-1"})


@check("HOST-030")
def test_nccl_knows_its_fabric(expected: Expected, facts: Facts) -> None:
    text = facts.read(NCCL_CONF)
    if text is None:
        raise Broken(f"{NCCL_CONF} is not there", hint="converge role nccl")
    seen = parsers.settings(text)
    other = [
        f"{key}={want}, seen {seen.get(key, 'nothing')}"
        for key, want in sorted(expected.get("nccl", {}).items())
        if seen.get(key) != str(want)
    ]
    if other:
        raise Broken(f"{NCCL_CONF}: expected {'; '.join(other)}", hint="converge role nccl")


@check("HOST-031")
def test_nccl_is_not_left_in_debugging(facts: Facts) -> None:
    text = facts.read(NCCL_CONF)
    if text is None:
        raise Waits("HOST-030")
    seen = parsers.settings(text)
    left = [key for key in sorted(seen) if key.startswith(NOT_FOR_PRODUCTION)]
    if left:
        raise Broken(
            f"{NCCL_CONF} sets {', '.join(left)} for every job",
            hint="set it in the environment of the one job that needs it",
        )


@check("HOST-032")
def test_memory_may_be_locked(facts: Facts) -> None:
    session = facts.ask("sh", "-c 'ulimit -l'").strip()
    service = facts.ask("systemctl", "show --property=DefaultLimitMEMLOCK --value").strip()
    seen = {"a session": session, "a service": service}
    bounded = [f"{who} may lock {limit}" for who, limit in seen.items() if limit not in UNLIMITED]
    if bounded and not parsers.may_raise_limits(facts.read("/proc/self/status") or ""):
        _, wanted, _ = facts.run("sh", "-c 'cat /etc/security/limits.conf /etc/security/limits.d/*.conf'")
        if service in UNLIMITED and parsers.memlock(wanted, "root") in UNLIMITED:
            raise Unmeasured(
                f"memlock is set to unlimited, but {' and '.join(bounded)}: who started this container bounds it",
                hint="start it with `--ulimit memlock=-1:-1` where the machine below allows",
                stand_in=True,
            )
    if bounded:
        raise Broken(
            f"expected memlock unlimited, but {' and '.join(bounded)}",
            hint="converge role node_tuning; a session takes a new limit when it is opened anew",
        )


@check("HOST-033")
def test_kernel_settings_have_their_values(facts: Facts) -> None:
    other, unread = [], []
    for key, want in sorted(SYSCTLS.items()):
        value = facts.read(f"/proc/sys/{key.replace('.', '/')}")
        if value is None:
            unread.append(key)
        elif value.split() != want.split():
            other.append(f"{key} = {want}, seen {' '.join(value.split())}")
    if other:
        raise Broken(f"expected {'; '.join(other)}", hint="converge role node_tuning")
    if unread:
        raise Unmeasured(f"this kernel has no {', '.join(unread)}")


@check("HOST-034")
def test_nccl_is_of_the_wanted_release(expected: Expected, facts: Facts) -> None:
    want = expected.get("software", {}).get("nccl")
    if not want:
        raise Unmeasured("no NCCL release is wanted", hint="name it in the site file")
    rc, out, _ = facts.run("dpkg-query", "-W -f '${Version}' libnccl2")
    seen = out.partition("-")[0] if rc == 0 else "not installed"
    if seen != want:
        raise Broken(f"expected NCCL {want}, seen {seen}", hint="converge role nccl")


@check("HOST-040")
def test_no_unit_has_failed(facts: Facts) -> None:
    failed = parsers.failed_units(facts.ask("systemctl", "list-units --failed --plain --no-legend"))
    if failed:
        raise Broken(f"failed: {', '.join(failed)}", hint=f"systemctl status {failed[0]}")


@check("HOST-041")
def test_the_clock_is_right(facts: Facts) -> None:
    rc, out, err = facts.run("chronyc", "-c tracking")
    if rc != 0:
        said = " ".join((err or out).split())
        raise Unmeasured(f"chrony does not answer: {said}", hint="start chrony; a clock astray breaks TLS")
    offset = parsers.clock_offset_s(out)
    if offset is None:
        raise Unmeasured("chrony follows no source yet", hint="chronyc sources")
    if abs(offset) > CLOCK_S:
        raise Broken(f"the clock is off by {offset * 1000:.1f} ms, allowed are 10 ms", hint="chronyc sources")


@check("HOST-042")
def test_no_reboot_is_asked_for(facts: Facts) -> None:
    if facts.read("/run/reboot-required") is not None:
        # Packages write there which of them ask (Debian); roles add what a reboot alone does not do.
        askers = dict.fromkeys((facts.read("/run/reboot-required.pkgs") or "").split("\n"))
        told = f" ({', '.join(a for a in askers if a)})" if any(askers) else ""
        raise Broken(
            f"a reboot is asked for: what is configured is not all in force{told}",
            hint="drain the node and run the reboot play",
        )
