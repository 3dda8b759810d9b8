"""The node checks itself and keeps the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from roles.given import HOST

if TYPE_CHECKING:
    from testinfra.host import Host

RESULT = "/var/lib/lindos/validation.json"


def check_the_newest_result_is_of_this_node(host: Host) -> None:
    result = json.loads(host.file(RESULT).content_string)
    assert result["host"] == HOST
    passed = {(check["code"], check["subject"]) for check in result["passed"]}
    # GPUs counted, rail addressed, and what NCCL reads: what the roles before this one have done.
    assert {("HOST-001", HOST), ("HOST-010", f"{HOST}:rail0"), ("HOST-030", HOST)} <= passed


def check_what_doubles_answer_is_told_as_doubled(host: Host) -> None:
    result = json.loads(host.file(RESULT).content_string)
    doubled = {check["code"] for check in result["passed"] if check["doubled"]}
    # Rate, FEC and lanes of a veth; memory, drives, power supplies, log and CPUs of a container.
    assert {f"HOST-{n:03}" for n in (14, 15, 17, 70, 71, 72, 73, 78)} <= doubled


def check_a_lost_gpu_is_found(host: Host) -> None:
    host.check_output('sed -i \'s/"count": 8/"count": 9/\' /etc/lindos/expectation.json')
    try:
        # That something was found is no failure of the unit.
        assert host.run("systemctl start lindos-validation.service").rc == 0
        result = json.loads(host.file(RESULT).content_string)
        assert "HOST-001" in {finding["code"] for finding in result["findings"]}
    finally:
        host.check_output('sed -i \'s/"count": 9/"count": 8/\' /etc/lindos/expectation.json')


def check_a_suite_that_cannot_run_fails_and_keeps_the_last_result(host: Host) -> None:
    before = host.file(RESULT).content_string
    host.check_output("mv /usr/local/lib/lindos/verify.pyz /usr/local/lib/lindos/away")
    try:
        assert host.run("systemctl start lindos-validation.service").rc != 0
        assert host.file(RESULT).content_string == before
    finally:
        host.check_output("mv /usr/local/lib/lindos/away /usr/local/lib/lindos/verify.pyz")
        host.check_output("systemctl reset-failed lindos-validation.service")


def check_it_runs_again_from_time_to_time(host: Host) -> None:
    assert host.service("lindos-validation.timer").is_enabled
    assert (
        host.check_output("systemctl show --property=NextElapseUSecMonotonic --value lindos-validation.timer")
        != "infinity"
    )


def check_its_units_are_sound(host: Host) -> None:
    host.check_output("systemd-analyze verify /etc/systemd/system/lindos-validation.service")
