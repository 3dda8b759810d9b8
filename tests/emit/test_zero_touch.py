"""A new switch or host is led to its address and its configuration by the port that it is plugged into."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lindos.emit.dhcp import dhcp
from lindos.emit.dialects import switches
from lindos.emit.ztp import zero_touch
from lindos.plan import design_site

_, PLAN = design_site(Path(__file__).parent / "dialects" / "site.yaml")
FILES = {a.path: a.data.decode() for emitter in (dhcp, zero_touch) for a in emitter(PLAN, {})}
DHCP: dict[str, Any] = json.loads(FILES["dhcp/kea-dhcp4.json"])["Dhcp4"]
RESERVED = {r["ip-address"]: r for subnet in DHCP["subnet4"] for r in subnet["reservations"]}


def test_every_managed_port_has_one_reservation_at_its_own_access_port() -> None:
    links = PLAN.links.filter(pl.col("fabric") == "oob", pl.col("tier") == "node_leaf")
    spots = {(d, p): a for d, p, a in PLAN.addresses.select("device", "port", "address").iter_rows()}
    wanted = {
        spots[device, port]: f"'{access}:{at}'"
        for device, port, access, at in links.select("a_device", "a_port", "b_device", "b_port").iter_rows()
    }
    assert {address: r["circuit-id"] for address, r in RESERVED.items()} == wanted
    assert len({r["circuit-id"] for r in RESERVED.values()}) == len(RESERVED)
    assert len({r["hostname"] for r in RESERVED.values()}) == len(RESERVED)


def test_no_address_is_given_to_whoever_asks() -> None:
    assert all("pools" not in subnet for subnet in DHCP["subnet4"])


def test_dnsmasq_is_told_the_same_as_kea() -> None:
    lines = [line.split("=", 1) for line in FILES["dhcp/dnsmasq.conf"].splitlines() if "=" in line]
    circuits = dict(value.removeprefix("set:").split(",") for key, value in lines if key == "dhcp-circuitid")
    ranges = {
        value.split(",")[0].removeprefix("tag:"): value.split(",")[1:] for key, value in lines if key == "dhcp-range"
    }
    options = [value.split(",", 2) for key, value in lines if key == "dhcp-option"]
    names = {tag.removeprefix("tag:"): name for tag, option, name in options if option == "12"}
    seen = {
        (f"'{circuit}'", names[port], ranges[port][-3], *(c.removeprefix("set:") for c in ranges[port][:-4]))
        for port, circuit in circuits.items()
    }
    assert seen == {
        (r["circuit-id"], r["hostname"], r["ip-address"], *r.get("client-classes", ())) for r in RESERVED.values()
    }
    assert all(first == last for *_, first, last, _, _ in ranges.values())


@pytest.mark.parametrize(
    ("command", "file"),
    [(("kea-dhcp4", "-t"), "dhcp/kea-dhcp4.json"), (("dnsmasq", "--test", "-C"), "dhcp/dnsmasq.conf")],
)
def test_the_server_takes_its_configuration(tmp_path: Path, command: tuple[str, ...], file: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    path = tmp_path / "conf"
    path.write_text(FILES[file])
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bmc_is_not_sent_to_an_operating_system() -> None:
    for reservation in RESERVED.values():
        if reservation["hostname"].endswith("-bmc"):
            assert "client-classes" not in reservation


def test_a_switch_is_sent_to_its_own_configuration() -> None:
    section = json.loads(FILES["ztp/ztp.json"])["ztp"]["01-configdb-json"]["dynamic-url"]["source"]
    assert section["identifier"] == "hostname"
    written = {a.path for a in switches(PLAN)}
    base = "http://10.192.0.3/"
    boxes = set(PLAN.switches["device"])
    named = [r["hostname"] for r in RESERVED.values() if {"sonic", "cumulus"} & {*r.get("client-classes", ())}]
    assert named
    assert set(named) <= boxes
    for name in named:
        assert f"{section['prefix']}{name}{section['suffix']}".removeprefix(base) in written
    classes = {c["name"]: c for c in DHCP["client-classes"]}
    assert classes["sonic"]["option-data"] == [{"name": "boot-file-name", "data": f"{base}ztp/ztp.json"}]
    assert {name for r in RESERVED.values() for name in r.get("client-classes", [])} <= set(classes)


def test_the_script_is_one_that_cumulus_runs(tmp_path: Path) -> None:
    script = FILES["ztp/cumulus.sh"]
    assert script.startswith("#!/bin/bash\n")
    assert "\n# CUMULUS-AUTOPROVISIONING\n" in script
    file = tmp_path / "cumulus.sh"
    file.write_text(script)
    assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0
