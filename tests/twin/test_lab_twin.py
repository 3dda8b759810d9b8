"""A running twin, seen from where its operator sits."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab_operator import Lab, make_lab, soon, traces
from small_hall import address, write_small_hall

from lindos import twin
from lindos.drivers.redfish import Power, read_psus
from lindos.errors import DriverError
from lindos.observation import read_observations
from lindos.twin import netns
from lindos.twin.lock import holder
from lindos.twin.process import started_at

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab

HOST_WIDE = {
    "kernel.numa_balancing": "7",
    "vm.nr_hugepages": "321",
    "fs.file-max": "123456",
    "net.core.rmem_max": "7654321",
}


def neighbours(lab: Lab, device: str) -> dict[str, tuple[str, str]]:
    """Port -> the device and port that LLDP sees at the other end, the last heard."""
    found: dict[str, tuple[str, str]] = {}
    held = json.loads(lab.ssh(device, "lldpcli -f json0 show neighbors details"))
    for row in held["lldp"][0].get("interface", []):
        system = row["chassis"][0]["name"][0]["value"].removeprefix(f"{lab.workspace.site}-")
        found[row["name"]] = (system, row["port"][0]["id"][0]["value"])
    return found


def test_nodes_are_racked_dark_and_on_record(lab: Lab) -> None:
    seen = read_observations(lab.workspace.evidence / "racked.jsonl")

    assert {(o.device, o.what, o.seen, o.doubled) for o in seen} == {
        (lab.name(node), "racked", True, True) for node in ("n01", "n02")
    }
    assert lab.running() >= {"oob01", "leaf01", "spine01"}


def test_a_node_that_is_off_has_a_bmc_and_no_carrier(lab: Lab) -> None:
    lab.power("n02", Power.OFF)

    assert lab.state("n02").power is Power.OFF
    assert not lab.carrier("leaf01", "etp3")
    assert not lab.carrier("oob01", "etp6")
    with pytest.raises(RuntimeError, match=r"No route to host|timed out"):
        lab.ssh("n02", "true")


def test_switches_boot_blank_and_the_access_switch_with_its_configuration(lab: Lab) -> None:
    assert lab.ssh("spine01", "hostname") == lab.name("spine01")
    assert "master br-oob" in lab.ssh("oob01", "ip -o link show etp1")
    assert lab.ssh("spine01", "sysctl -n net.ipv4.ip_forward net.ipv4.fib_multipath_hash_policy") == "1\n1"
    assert lab.ssh("spine01", "systemctl --failed --no-legend") == ""


def test_a_switch_keeps_management_apart_from_the_fabric(lab: Lab) -> None:
    assert "default" not in lab.ssh("spine01", "ip route show table main")
    assert "default via 10.192.0.1 dev eth0" in lab.ssh("spine01", "ip route show table 1001")
    assert lab.ssh("spine01", "sysctl -n net.ipv4.conf.eth0.forwarding") == "0"


def test_bgp_comes_up_and_lldp_sees_the_cable_map(lab: Lab, node: str) -> None:
    # Before it starts: what it has said once is remembered at the other end for two minutes.
    told = "configure lldp portidsubtype ifname\nconfigure lldp tx-interval 2\n"
    lab.ssh(node, "cat >/etc/lldpd.d/test.conf && systemctl enable --now --quiet lldpd", stdin=told)
    for switch in ("leaf01", "spine01"):
        lab.push(switch)

    def established() -> bool:
        peers = json.loads(lab.ssh("leaf01", "vtysh -c 'show bgp ipv4 unicast summary json'"))["peers"]
        return {p: row["state"] for p, row in peers.items()} == dict.fromkeys(
            ("100.64.0.1", "100.64.0.3"), "Established"
        )

    soon(established)
    soon(lambda: "10.160.0.1 nhid" in lab.ssh("leaf01", "ip route show proto bgp"))
    expected = {
        "etp1": ("n01", "rail0"),
        "etp2": ("n01", "rail1"),
        "etp9": ("spine01", "etp1"),
        "etp10": ("spine01", "etp2"),
    }
    soon(lambda: expected.items() <= neighbours(lab, "leaf01").items(), within_s=60)


def test_jumbo_frames_cross_the_leaf(lab: Lab, node: str) -> None:
    lab.push("leaf01")
    lab.power("n02", Power.ON)
    lab.ssh_soon(
        "n02",
        "ip link set rail0 mtu 9000 && ip address replace 10.0.0.3/31 dev rail0 && ip route replace 10.0.0.0/9 via 10.0.0.2",
    )
    lab.ssh(
        node,
        "ip link set rail0 mtu 9000 && ip address replace 10.0.0.1/31 dev rail0 && ip route replace 10.0.0.0/9 via 10.0.0.0",
    )

    lab.ssh_soon(node, "ping -c 1 -W 1 -M do -s 8972 -I 10.0.0.1 10.0.0.3")


def test_the_driver_switches_a_node_off_and_on(lab: Lab, node: str) -> None:
    lab.ssh(node, "echo kept >disk")
    before = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")

    lab.power(node, Power.OFF)
    assert "n01" not in lab.running()
    lab.power(node, Power.ON)

    assert lab.ssh_soon(node, "cat disk") == "kept"
    after = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")
    assert uuid.UUID(after) != uuid.UUID(before)


def test_a_reboot_from_inside_comes_back_without_what_was_only_in_memory(lab: Lab, node: str) -> None:
    before = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")
    lab.ssh(
        node,
        "ip address add 192.0.2.1/32 dev lo; ip link set rail0 mtu 9000; ip link set rail1 down; ip link set rail1 name odd",
    )

    lab.ssh(node, "systemctl --no-block reboot")
    soon(lambda: lab.ssh(node, "cat /proc/sys/kernel/random/boot_id") != before, but=RuntimeError, within_s=60)

    assert "192.0.2.1" not in lab.ssh(node, "ip -br address")
    assert "mtu 1500" in lab.ssh(node, "ip link show rail0")
    assert "UP" in lab.ssh(node, "ip link show rail1")
    assert lab.state(node).power is Power.ON


def test_a_shutdown_from_inside_is_a_node_switched_off(lab: Lab, node: str) -> None:
    lab.ssh(node, "systemctl --no-block poweroff")

    soon(lambda: lab.state(node).power is Power.OFF)
    soon(lambda: not lab.carrier("leaf01", "etp1"))


@pytest.mark.parametrize("reset_type", ["ForceRestart", "GracefulRestart"])
def test_a_restart_over_redfish_boots_anew(lab: Lab, node: str, reset_type: str) -> None:
    before = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")

    lab.reset(node, reset_type)

    soon(lambda: lab.ssh(node, "cat /proc/sys/kernel/random/boot_id") != before, but=RuntimeError, within_s=60)


def test_switching_on_twice_is_refused_by_a_dell_and_taken_by_a_supermicro(lab: Lab, node: str) -> None:
    lab.power("n02", Power.ON)

    lab.reset(node, "On")
    with pytest.raises(DriverError, match="HTTP 409: Server is already powered ON"):
        lab.reset("n02", "On")


def test_host_wide_settings_stay_in_the_machine(lab: Lab, node: str) -> None:
    before = {key: Path("/proc/sys", key.replace(".", "/")).read_text() for key in HOST_WIDE}
    for key, value in HOST_WIDE.items():
        lab.ssh(node, f"sysctl -w {key}={value}")
        assert lab.ssh(node, f"sysctl -n {key}") == value

    lab.ssh(node, "for f in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do echo performance >$f; done")

    assert set(lab.ssh(node, "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor").split()) == {"performance"}
    assert "/proc/sys/vm" in lab.ssh(node, "cat /run/lindos-twin/doubled").split()
    for key, text in before.items():
        assert Path("/proc/sys", key.replace(".", "/")).read_text() == text


def test_settings_of_the_machines_own_network_are_real_and_survive_where_they_are_written_down(
    lab: Lab, node: str
) -> None:
    lab.ssh(node, "echo net.ipv4.conf.all.arp_announce=2 >/etc/sysctl.d/90-test.conf")
    argument = 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX iommu=pt"'
    lab.ssh(node, "mkdir -p /etc/default/grub.d && cat >/etc/default/grub.d/90-test.cfg", stdin=argument)
    assert "iommu=pt" not in lab.ssh(node, "cat /proc/cmdline")

    lab.power(node, Power.OFF)
    lab.power(node, Power.ON)

    assert lab.ssh_soon(node, "sysctl -n net.ipv4.conf.all.arp_announce") == "2"
    assert "iommu=pt" in lab.ssh(node, "cat /proc/cmdline").split()


def test_the_hardware_file_and_the_packages_are_there(lab: Lab, node: str) -> None:
    held = json.loads(lab.ssh(node, "cat /etc/lindos-twin/hardware.json"))

    assert (held["vendor"], len(held["gpus"]), held["note"]) == ("supermicro", 8, "double")
    macs = {row["ifname"]: row["address"] for row in json.loads(lab.ssh(node, "ip -json link"))}
    assert {nic["name"]: nic["mac"] for nic in held["nics"]} == {n: m for n, m in macs.items() if n != "lo"}
    assert "Packages" in lab.ssh(node, "ls /srv/lindos-repo").split()


def test_a_lost_gpu_shows_at_once_and_is_healed(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "gpu-lost", lab.name(node))
    held = json.loads(lab.ssh(node, "cat /etc/lindos-twin/hardware.json"))
    assert [gpu["index"] for gpu in held["gpus"]] == list(range(7))

    twin.heal(lab.workspace, "gpu-lost")

    assert len(json.loads(lab.ssh(node, "cat /etc/lindos-twin/hardware.json"))["gpus"]) == 8


def test_a_wrong_driver_version_is_reported(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "driver-version", lab.name(node), "535.54.03")

    held = json.loads(lab.ssh(node, "cat /etc/lindos-twin/hardware.json"))

    assert {gpu["report"]["driver_version"] for gpu in held["gpus"]} == {"535.54.03"}


def test_a_dead_bmc_is_silent_and_its_machine_runs_on(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "bmc-dead", lab.name(node))

    with pytest.raises(DriverError):
        lab.state(node)
    assert lab.ssh(node, "hostname") == lab.name(node)

    twin.heal(lab.workspace, "bmc-dead", lab.name(node))
    assert lab.state(node).power is Power.ON


def test_swapped_cables_are_swapped_and_keep_their_settings(lab: Lab, node: str) -> None:
    lab.ssh(
        node,
        "ip link set rail0 mtu 9000; ip address replace 10.0.0.1/31 dev rail0; ip route replace 10.0.0.0/12 via 10.0.0.0 table 100",
    )
    ports = [f"{lab.name(node)}:rail0", f"{lab.name(node)}:rail1"]

    twin.inject(lab.workspace, "swap-cables", *ports)

    # rail0 now ends in etp2: it is that port that goes dark when rail0 does.
    lab.ssh(node, "ip link set rail0 down")
    soon(lambda: not lab.carrier("leaf01", "etp2"))
    assert lab.carrier("leaf01", "etp1")
    lab.ssh(node, "ip link set rail0 up")
    shown = lab.ssh(node, "ip address show rail0; ip link show rail0")
    assert "10.0.0.1/31" in shown
    assert "mtu 9000" in shown

    twin.heal(lab.workspace, "swap-cables")
    lab.ssh(node, "ip link set rail0 down")
    soon(lambda: not lab.carrier("leaf01", "etp1"))
    lab.ssh(node, "ip link set rail0 up")


def test_a_cut_cable_takes_the_light_from_both_ends(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "cut-cable", f"{lab.name('leaf01')}:etp1")

    soon(lambda: not lab.carrier("leaf01", "etp1") and not lab.carrier(node, "rail0"))
    assert lab.carrier(node, "rail1")

    twin.heal(lab.workspace)
    soon(lambda: lab.carrier("leaf01", "etp1") and lab.carrier(node, "rail0"))


def test_a_switch_that_is_down_takes_the_light_with_it(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "switch-down", lab.name("leaf01"))
    assert "leaf01" not in lab.running()
    soon(lambda: not lab.carrier(node, "rail0") and not lab.carrier("spine01", "etp1"))

    twin.heal(lab.workspace)
    soon(lambda: lab.carrier(node, "rail0"))
    assert "leaf01" in lab.running()


def test_one_lost_feed_is_seen_and_borne(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "feed-loss", "b")

    psus = lab.at_control_host(lambda: read_psus(lab.bmc(node)))

    assert [psu.input_ok for psu in psus] == [True, False, True, False]
    assert lab.running() >= {"oob01", "leaf01", "spine01", "n01"}


def test_a_lost_feed_takes_what_has_no_other(lab: Lab, node: str) -> None:
    twin.inject(lab.workspace, "feed-loss", "a")

    assert "spine01" not in lab.running()
    assert "n01" in lab.running()


def test_all_feeds_lost_is_darkness_and_what_ran_comes_back(lab: Lab, node: str) -> None:
    lab.power("n02", Power.OFF)
    twin.inject(lab.workspace, "feed-loss", "a")
    twin.inject(lab.workspace, "feed-loss", "b")
    assert lab.running() == set()
    with pytest.raises(DriverError):
        lab.state(node)

    twin.heal(lab.workspace)

    assert lab.running() == {"oob01", "leaf01", "spine01", "n01"}
    lab.ssh_soon(node, "true")


EXEC = """
import sys
from pathlib import Path
from lindos.twin import exec_
from lindos.workspace import Workspace
sys.exit(exec_(Workspace(Path(sys.argv[1]), sys.argv[2]), sys.argv[3:]))
"""


def exec_in(lab: Lab, *words: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", EXEC, str(lab.workspace.root), lab.workspace.site, *words]
    return subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def test_commands_run_at_the_control_host_with_its_address(lab: Lab) -> None:
    shown = exec_in(lab, "ip", "-br", "-4", "address").stdout

    assert f"{address('ctl01')}/26" in shown
    assert "127.0.0.1/8" in shown


def test_commands_keep_folder_streams_and_environment(lab: Lab, tmp_path: Path) -> None:
    done = exec_in(
        lab, "sh", "-c", "pwd; cat; echo $HOME; env | grep ^LINDOS_ | sort | cut -d= -f1", cwd=tmp_path, stdin="hello\n"
    )

    assert done.stdout.split() == [
        str(tmp_path),
        "hello",
        str(Path.home()),
        "LINDOS_BMC_PASSWORD",
        "LINDOS_BMC_USER",
        "LINDOS_SSH_KEY",
        "LINDOS_SSH_KNOWN_HOSTS",
        "LINDOS_SSH_USER",
    ]


@pytest.mark.parametrize(
    ("words", "status"),
    [(("true",), 0), (("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -TERM $$"), 143), (("no-such-program",), 127)],
)
def test_the_exit_status_is_that_of_the_command(lab: Lab, words: tuple[str, ...], status: int) -> None:
    assert exec_in(lab, *words).returncode == status


def test_up_again_changes_nothing(lab: Lab, node: str) -> None:
    boot = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")
    told: list[str] = []

    twin.up(lab.workspace, progress=told.append)

    assert any(line.startswith("cable: 0 of 0 missing cables laid") for line in told)
    assert lab.ssh(node, "cat /proc/sys/kernel/random/boot_id") == boot
    assert lab.state(node).power is Power.ON


def test_up_lays_a_cable_that_was_pulled_behind_its_back(lab: Lab, node: str) -> None:
    netns.batch(lab.place.system(lab.name("leaf01")), ["link delete etp9"], tried="pull")
    told: list[str] = []

    twin.up(lab.workspace, progress=told.append)

    assert any(line.startswith("cable: 1 of 1 missing cables laid") for line in told)
    soon(lambda: lab.carrier("leaf01", "etp9") and lab.carrier("spine01", "etp1"))


def test_up_follows_a_plan_that_has_changed(lab: Lab, node: str) -> None:
    boot = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")
    lab.power("n02", Power.ON)
    twin.inject(lab.workspace, "bmc-dead", lab.name("n02"))
    for name in ("devices", "cables", "addresses", "power_cords"):
        path = lab.workspace.build / f"{name}.csv"
        path.write_text("".join(f"{x}\n" for x in path.read_text().splitlines() if lab.name("n02") not in x))

    twin.up(lab.workspace)

    assert lab.running() == {"oob01", "leaf01", "spine01", "n01"}
    assert twin.status(lab.workspace).faults == ()
    assert not [name for name in traces(lab.workspace.site)["namespaces"] if "n02" in name]
    assert not netns.show(lab.place.system(lab.name("leaf01")), "link", "show", "dev", "etp3")
    assert lab.ssh(node, "cat /proc/sys/kernel/random/boot_id") == boot

    write_small_hall(lab.workspace.build, lab.workspace.site)
    twin.up(lab.workspace)
    # The access switch runs on; that its ports are back is for its operator to tell it.
    lab.ssh("oob01", "ifreload -a")

    assert lab.state("n02").power is Power.OFF
    lab.power("n02", Power.ON)
    assert lab.carrier("leaf01", "etp3")


def test_another_project_cannot_take_the_twin_over(lab: Lab, tmp_path: Path) -> None:
    other = make_lab(tmp_path, lab.workspace.site)

    for verb in (twin.up, twin.down):
        with pytest.raises(DriverError, match=f"belongs to the project in {lab.workspace.root}"):
            verb(other.workspace)


@pytest.fixture
def killed_service(lab: Lab, node: str) -> Iterator[None]:
    who = holder(lab.place.service_lock)
    assert who is not None
    subprocess.run(["kill", "-9", str(who[0])], check=True)
    soon(lambda: started_at(who[0]) != who[1])
    yield
    twin.up(lab.workspace)


@pytest.mark.usefixtures("killed_service")
def test_a_killed_service_takes_the_bmcs_with_it_and_up_brings_them_back(lab: Lab, node: str) -> None:
    assert not twin.status(lab.workspace).up
    with pytest.raises(DriverError, match="it is not up"):
        twin.inject(lab.workspace, "feed-loss", "a")
    with pytest.raises(DriverError):
        lab.state(node)
    boot = lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")

    twin.up(lab.workspace)

    assert lab.state(node).power is Power.ON
    assert lab.ssh(node, "cat /proc/sys/kernel/random/boot_id") == boot
