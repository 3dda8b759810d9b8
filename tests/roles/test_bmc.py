"""The roles that speak to a BMC, against services in the dialects of both vendors: nothing of a node is needed."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lindos.twin.redfish_server import Bmc, _Server

from .listing import FOLDER
from .machine import USER, Switch, certificate, dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "let me in"
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: ROLE, tasks_from: assert}
    - ansible.builtin.include_role: {name: ROLE, tasks_from: TASKS}
    - ansible.builtin.copy: {content: "{{ __ROLE_REGISTER | to_json }}", dest: "{{ playbook_dir }}/said.json"}
      check_mode: false
"""


class Machine:
    """A BMC on loopback, and the role run against it."""

    def __init__(self, vendor: str, folder: Path) -> None:
        self.vendor, self.folder = vendor, folder
        self.bmc = Bmc("s-n01", dialect_of(vendor), Switch(vendor), (USER, PASSWORD))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(folder / "keys"))
        self.server = _Server(("127.0.0.1", 0), self.bmc, context)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"127.0.0.1:{self.server.socket.getsockname()[1]}"

    def told(
        self, *words: str, role: str = "bmc", register: str = "settled", tasks: str = "configure", **variables: Any
    ) -> dict[str, Any]:
        """The role with these variables -> what its module said."""
        done = self.run(*words, role=role, register=register, tasks=tasks, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        said: dict[str, Any] = json.loads((self.folder / "said.json").read_text())
        return said

    def run(
        self, *words: str, role: str = "bmc", register: str = "settled", tasks: str = "configure", **variables: Any
    ) -> subprocess.CompletedProcess[str]:
        """The role with these variables -> how it went."""
        play = self.folder / "play.yml"
        play.write_text(PLAY.replace("REGISTER", register).replace("TASKS", tasks).replace("ROLE", role))
        given = {"bmc_address": self.address, "node_vendor": self.vendor, **variables}
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", str(play), "-i", "localhost,", "-c", "local"),
                *("-e", json.dumps(given), "-e", f"ansible_python_interpreter={sys.executable}", *words),
            ],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(FOLDER.parent / "ansible.cfg"),
                "LINDOS_BMC_USER": USER,
                "LINDOS_BMC_PASSWORD": PASSWORD,
            },
            cwd=FOLDER.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert PASSWORD not in done.stdout
        return done

    def shown(self, path: str) -> dict[str, Any]:
        return self.bmc.resources()[path]


@pytest.fixture(params=["dell", "supermicro"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    found = Machine(request.param, tmp_path)
    yield found
    found.server.shutdown()
    found.server.server_close()


WANTED = {
    "dell": {
        "SysProfile": "PerfOptimized",
        "SriovGlobalEnable": "Enabled",
        "AcPwrRcvry": "On",
    },
    "supermicro": {"SR_IOVSupport_002B": "Enabled", "ASPMSupport_0112": "Disabled", "BootModeSelect_00C7": "UEFI"},
}
BOOTED = {
    "dell": {"PcieAspmL1": "Disabled", "ProcC1E": "Disabled", "ProcCStates": "Disabled"},
    "supermicro": {"ASPMSupport_0112": "Disabled", "PowerTechnology_0063": "Disable"},
}
FANS = {
    "dell": ("Oem/Dell/DellAttributes/System.Embedded.1", "ThermalSettings.1.ThermalProfile", "Maximum Performance"),
    "supermicro": ("Oem/Supermicro/FanMode", "Mode", "HeavyIO"),
}


def test_a_machine_out_of_the_box_becomes_what_the_profile_says(machine: Machine) -> None:
    bmc, dialect = machine.bmc, machine.bmc.dialect
    network = f"{dialect.manager_path}/NetworkProtocol"
    before = machine.shown(f"{dialect.system_path}/Bios")["Attributes"]

    checked = machine.told("--check", bmc_ntp_servers=["10.192.0.3"])
    assert checked["changed"]
    assert (bmc.settings.changed, bmc.settings.staged) == ({}, {})

    said = machine.told(bmc_ntp_servers=["10.192.0.3"], bmc_fan_mode="performance")
    assert said["changed"]
    assert said["missing"] == []
    assert said["entries"], "the event log is read before anything is touched"
    assert machine.shown(f"{dialect.system_path}/Bios")["Attributes"] == before
    assert WANTED[machine.vendor].items() <= bmc.settings.staged.items()
    assert {line.split()[1] for line in said["pending"]} == set(bmc.settings.staged)
    shown = machine.shown(network)
    assert (shown["IPMI"]["ProtocolEnabled"], shown["SSH"]["ProtocolEnabled"]) == (False, True)
    assert shown["NTP"] == {"ProtocolEnabled": True, "NTPServers": ["10.192.0.3"]}
    path, name, value = FANS[machine.vendor]
    fans = machine.shown(f"{dialect.manager_path}/{path}")
    assert fans.get("Attributes", fans)[name] == value

    again = machine.told(bmc_ntp_servers=["10.192.0.3"], bmc_fan_mode="performance")
    assert not again["changed"]
    assert again["pending"] == said["pending"]

    bmc.settings.boot()
    assert BOOTED[machine.vendor].items() <= machine.shown(f"{dialect.system_path}/Bios")["Attributes"].items()
    booted = machine.told(
        bmc_ntp_servers=["10.192.0.3"],
        bmc_fan_mode="performance",
        bmc_network_boot="once",
        bmc_clear_log=True,
        bmc_bios={"NoSuchName": "x"},
    )
    assert (booted["missing"], booted["pending"]) == (["system.Bios: NoSuchName"], [])
    assert len(booted["changes"]) == 2, "the log, and where to boot from once"
    assert bmc.settings.entries == []
    boot = machine.shown(dialect.system_path)["Boot"]
    assert (boot["BootSourceOverrideEnabled"], boot["BootSourceOverrideTarget"]) == ("Once", "UefiHttp")
    assert boot["BootSourceOverrideMode"] == "UEFI"


@pytest.mark.parametrize("machine", ["dell"], indirect=True)
def test_an_attribute_that_the_profile_decides_on_is_refused_by_name_and_nothing_is_staged(machine: Machine) -> None:
    asked = {"PcieAspmL1": "Disabled", "ProcVirtualization": "Disabled"}
    done = machine.run(bmc_bios=asked)
    assert done.returncode != 0
    assert "Attributes.PcieAspmL1: Unable to modify the attribute because the attribute is read-only" in done.stdout
    assert "Attributes.ProcVirtualization" not in done.stdout
    assert machine.bmc.settings.staged == {}
    # Beside the profile that leaves it to the operator, it is taken.
    machine.told(bmc_bios={**asked, "SysProfile": "Custom"})
    assert (asked | {"SysProfile": "Custom"}).items() <= machine.bmc.settings.staged.items()


@pytest.mark.parametrize("machine", ["dell"], indirect=True)
@pytest.mark.parametrize(
    ("pending", "asked"),
    [
        ([], False),
        (["system: Boot.BootSourceOverrideEnabled Disabled -> Once"], False),
        (["system: Boot.BootSourceOverrideEnabled Disabled -> Once", "system.Bios: BootMode Bios -> Uefi"], True),
    ],
)
def test_what_waits_asks_for_a_boot_unless_it_says_where_the_next_one_is_from(
    machine: Machine, pending: list[str], asked: bool
) -> None:
    """Asked with --check: the role would write on the node."""
    done = machine.run("--check", tasks="reboot_required", __bmc_settled={"pending": pending})
    assert done.returncode == 0, done.stdout + done.stderr
    task = done.stdout.partition("Ask for a reboot while the BIOS waits for one]")[2].partition("TASK")[0]
    assert ("changed" in task or "ok:" in task, "skipping" in task) == (asked, not asked)


@pytest.mark.parametrize("machine", ["dell"], indirect=True)
def test_a_vendor_that_nobody_described_gets_what_the_standard_names(machine: Machine) -> None:
    said = machine.told(bmc_vendor="nobody")
    assert said["missing"] == ["system: PowerRestorePolicy"]
    assert machine.bmc.settings.staged == {}
    assert not machine.shown(f"{machine.bmc.dialect.manager_path}/NetworkProtocol")["IPMI"]["ProtocolEnabled"]


BEHIND = {
    "dell": ("BIOS", "2.3.5"),
    "supermicro": ("BIOS", "2.1"),
}


def test_firmware_is_told_and_updated_one_image_a_run_where_asked(machine: Machine) -> None:
    """The role as a whole would write on the node: what it reads is what is looked at here."""
    name, runs = BEHIND[machine.vendor]
    manifest = {"firmware_manifest": {"box": {name: "9.9", "NoSuch": "x"}}, "node_product": "box"}
    said = machine.told(role="firmware", register="told", tasks="read", **manifest)
    assert (said["changed"], said["asked"], said["unknown"]) == (False, "", ["NoSuch"])
    assert said["behind"] == [f"{name} {runs}, not 9.9"]
    said = machine.told(
        role="firmware",
        register="told",
        tasks="read",
        firmware_images={name: "http://10.192.0.3/os/bios.bin"},
        **manifest,
    )
    assert said["asked"] == f"{name} {runs} -> 9.9"
    assert machine.bmc.settings.updates == [{"ImageURI": "http://10.192.0.3/os/bios.bin"}]
