"""slurmctld knows the fabric of the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_the_controller_knows_the_leaves_of_units(host: Host) -> None:
    shown = host.check_output("scontrol show topology").splitlines()
    told = [dict(word.split("=", 1) for word in line.split()) for line in shown]
    assert {t["SwitchName"]: (t["Level"], t.get("Nodes")) for t in told} == {
        "a0001": ("0", "lab-a0001-r01-n[01-02]"),
        "a0002": ("0", "lab-a0002-r01-n[01-02]"),
        "p001": ("1", "lab-a0001-r01-n[01-02],lab-a0002-r01-n[01-02]"),
    }


def check_the_file_is_that_of_this_release(host: Host) -> None:
    release = host.check_output("scontrol --version").split()[-1].split(".")
    yaml = (int(release[0]), int(release[1])) >= (25, 5)
    assert host.file("/etc/slurm/topology.yaml").exists == yaml
    assert host.file("/etc/slurm/topology.conf").exists != yaml
    assert "NodeName=lab-a0001-r01-n[01-02]" in host.file("/etc/slurm/gres.conf").content_string
