"""slurmd has its configuration from the controller, and the controller has the node with its GPUs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from roles.given import HOST, MUNGE_KEY

if TYPE_CHECKING:
    from testinfra.host import Host

HEALTH = "/usr/local/lib/lindos/slurm-health"


def node(host: Host) -> dict[str, str]:
    """-> what the controller says of the node."""
    shown = host.check_output(f"scontrol --oneliner show node {HOST}")
    return dict(word.split("=", 1) for word in shown.split() if "=" in word)


def check_munge_has_the_key_of_the_cluster(host: Host) -> None:
    key = host.file("/etc/munge/munge.key")
    assert (key.content_string, key.user, key.mode) == (MUNGE_KEY, "munge", 0o400)
    assert "Success" in host.check_output("munge --no-input | unmunge")


def check_slurmd_asks_the_controller(host: Host) -> None:
    assert host.service("slurmd").is_enabled
    assert "--conf-server" in host.check_output("tr '\\0' ' ' </proc/$(pgrep --exact slurmd)/cmdline")
    assert HOST in host.check_output("scontrol show slurmd")


def check_the_controller_hands_out_its_gpus(host: Host) -> None:
    for _ in range(30):
        if (seen := node(host))["State"] == "IDLE":
            break
        time.sleep(1)
    assert (seen["State"], seen["Gres"]) == ("IDLE", "gpu:h100_sxm:8")
    ran = host.check_output("timeout 60 srun --gres=gpu:h100_sxm:3 sh -c 'hostname; echo $SLURM_STEP_GPUS'")
    assert ran.split() == [HOST, "0,1,2"]


def check_a_node_that_lost_a_gpu_gets_no_jobs(host: Host) -> None:
    if not host.file("/etc/lindos/expectation.json").exists:
        pytest.skip("not run: LINDOS_ROLES leaves out node_validation, whose suite this runs")
    host.check_output('sed -i \'s/"count": 8/"count": 9/\' /etc/lindos/expectation.json')
    try:
        assert host.run(HEALTH).rc == 2
        assert "DRAIN" in node(host)["State"]
        assert "lindos: " in (first := host.check_output(f"scontrol show node {HOST} | grep Reason"))
        # What drained it first is what people want to read.
        assert host.run(HEALTH).rc == 2
        assert host.check_output(f"scontrol show node {HOST} | grep Reason") == first
    finally:
        host.check_output('sed -i \'s/"count": 9/"count": 8/\' /etc/lindos/expectation.json')
        host.run(f"scontrol update NodeName={HOST} State=RESUME")


def check_a_suite_that_cannot_run_drains_nobody(host: Host) -> None:
    host.run("mv /usr/local/lib/lindos/verify.pyz /usr/local/lib/lindos/aside")
    try:
        assert host.run(HEALTH).rc == 3
        assert "DRAIN" not in node(host)["State"]
    finally:
        host.run("mv /usr/local/lib/lindos/aside /usr/local/lib/lindos/verify.pyz")
