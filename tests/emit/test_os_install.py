"""A new server is told what to boot and what to answer its installer, by role; nothing is erased unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import jsonschema
import pytest
import yaml

from lindos.emit.dhcp import ROLES, dhcp
from lindos.emit.os_install import os_install
from lindos.errors import SpecError
from lindos.plan import design_site
from lindos.spec.keys import read_keys

ROOT = Path(__file__).parents[2]
_, LAB = design_site(ROOT / "inventories" / "lab" / "site.yaml")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7aTXJg5VE0cYPHxOgATumlwxy4GNnwL6L2jJ7GMua8 operator@site"
FILES = {a.path: a.data.decode() for a in os_install(LAB, [KEY])}

TEXT: dict[str, Any] = {"type": "string"}
TRUTH: dict[str, Any] = {"type": "boolean"}
AUTOINSTALL: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "user-data"],
    "properties": {
        "version": {"const": 1},
        "refresh-installer": {"type": "object", "additionalProperties": False, "properties": {"update": TRUTH}},
        "locale": TEXT,
        "keyboard": {
            "type": "object",
            "required": ["layout"],
            "additionalProperties": False,
            "properties": {"layout": TEXT},
        },
        "network": {"type": "object", "required": ["version"], "properties": {"version": {"const": 2}}},
        "apt": {
            "type": "object",
            "properties": {
                "geoip": TRUTH,
                "fallback": {"enum": ["abort", "continue-anyway", "offline-install"]},
            },
            "additionalProperties": False,
        },
        "storage": {"type": "object", "properties": {"layout": {"properties": {"name": {"enum": ["lvm", "direct"]}}}}},
        "ssh": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"install-server": TRUTH, "allow-pw": TRUTH},
        },
        "user-data": {"type": "object"},
        "shutdown": {"enum": ["reboot", "poweroff"]},
    },
}
"""The keys that are used here, as autoinstall-schema.json of canonical/subiquity has them, and no other."""


def rendered(role: str, **told: str) -> dict[str, Any]:
    """The seed of a role and what a command line says -> what cloud-init makes of it."""
    lines = FILES[f"boot/seed/{role}/user-data"].splitlines(keepends=True)
    assert lines[:2] == ["## template: jinja\n", "#cloud-config\n"]
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string("".join(lines[1:]))
    data: dict[str, Any] = yaml.safe_load(template.render(ds={"meta_data": told}, v1={"local_hostname": told["h"]}))
    return data["autoinstall"]


def on_the_command_line(role: str) -> set[str]:
    """Names that the boot script of a role gives cloud-init."""
    settings = [
        line.split(maxsplit=2)[2] for line in FILES[f"boot/{role}.ipxe"].splitlines() if line.startswith("set seed")
    ]
    return {part.split("=")[0] for line in settings for part in line.split(";") if "=" in part}


NODE = {"h": "lab-a0001-r01-n01", "mac": "52:54:00:12:34:56", "address": "10.192.32.9", "gateway": "10.192.32.1"}


@pytest.mark.parametrize("role", ["gpu", "control"])
def test_the_answers_are_what_the_installer_knows(role: str) -> None:
    jsonschema.validate(rendered(role, **NODE, netmask="255.255.255.192"), AUTOINSTALL)


@pytest.mark.parametrize(("mask", "length"), [("255.255.255.192", 26), ("255.255.0.0", 16), ("255.255.255.254", 31)])
def test_a_host_gets_its_own_name_and_address(mask: str, length: int) -> None:
    told = rendered("gpu", **NODE, netmask=mask)
    assert told["user-data"]["hostname"] == NODE["h"]
    assert told["network"]["ethernets"] == {
        "mgmt0": {
            "match": {"macaddress": NODE["mac"]},
            "set-name": "mgmt0",
            "dhcp4": False,
            "addresses": [f"10.192.32.9/{length}"],
            "routes": [{"to": "default", "via": "10.192.32.1"}],
        }
    }


def test_what_the_seed_asks_for_the_command_line_says() -> None:
    assert on_the_command_line("gpu") == {"s", "h", "i", "mac", "address", "netmask", "gateway"}


def test_nobody_has_a_password_and_keys_are_those_of_the_operators() -> None:
    told = rendered("gpu", **NODE, netmask="255.255.255.192")
    assert "identity" not in told
    assert told["ssh"] == {"install-server": True, "allow-pw": False}
    assert told["user-data"]["users"] == [{"name": "root", "lock_passwd": True, "ssh_authorized_keys": [KEY]}]


def test_a_host_that_nobody_released_goes_to_its_disk() -> None:
    for role in ("gpu", "control"):
        lines = FILES[f"boot/{role}.ipxe"].splitlines()
        asked = next(n for n, line in enumerate(lines) if "/install/${hostname} || goto local" in line)
        assert asked < next(n for n, line in enumerate(lines) if line.startswith("kernel "))
        assert lines[-2:] == [":local", "exit 1"]


def test_without_a_key_nothing_is_installed() -> None:
    refused = {a.path: a.data.decode() for a in os_install(LAB)}
    assert set(refused) == {"boot/gpu.ipxe", "boot/control.ipxe"}
    for script in refused.values():
        assert "write public keys to inventories/lab/authorized_keys" in script
        assert "kernel" not in script


def test_every_script_that_dhcp_names_is_there_for_the_roles_of_the_site() -> None:
    classes = {c["name"]: c for c in json.loads(next(iter(dhcp(LAB, {}))).data)["Dhcp4"]["client-classes"]}
    for role in ROLES:
        path = classes[f"{role}-ipxe"]["boot-file-name"].removeprefix("http://10.192.0.3/")
        assert (path in FILES) == (role in {"gpu", "control"})


WRONG = {
    "an address": ("operator@site", "not a public SSH key"),
    "a private key": ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key: it must not leave its owner"),
    "no base64": ("ssh-ed25519 AAAA!", "its key is not base64"),
    "cut short": (KEY[:24], "its key is not one of kind ssh-ed25519"),
    "another kind": (KEY.replace("ssh-ed25519 ", "ssh-rsa "), "its key is not one of kind ssh-rsa"),
    "a template": (KEY + " {{ 1 }}", "a comment with braces, which templates would read"),
}


@pytest.mark.parametrize(("line", "words"), WRONG.values(), ids=WRONG)
def test_a_line_that_is_no_public_key_is_refused_by_its_place(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "authorized_keys"
    file.write_text(f"# ours\n{KEY}\n{line}\n")
    with pytest.raises(SpecError) as refused:
        read_keys(file)
    assert f"authorized_keys:3:1: {words}" in refused.value.problems[0].render()
    assert read_keys(tmp_path / "none") == ()
