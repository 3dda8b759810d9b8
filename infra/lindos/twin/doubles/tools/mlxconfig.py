"""`mlxconfig -d DEVICE [-e] q|query [NAME...]` and `... -y s|set NAME=VALUE...`: firmware settings.

What is set holds from the next boot; the double knows the boot by the kernel's boot id and the start of the
machine's first process, so that a container that starts again has booted.
"""

from __future__ import annotations

import argparse
import sys

from . import hardware, state

CHOICES = {
    "LINK_TYPE_P1": {"1": "IB", "2": "ETH"},
    "SRIOV_EN": {"0": "False", "1": "True"},
    "ATS_ENABLED": {"0": "False", "1": "True"},
    "ADVANCED_PCI_SETTINGS": {"0": "False", "1": "True"},
    "INTERNAL_CPU_OFFLOAD_ENGINE": {"0": "ENABLED", "1": "DISABLED"},
}
DEFAULTS = {
    "ADVANCED_PCI_SETTINGS": "0",
    "ATS_ENABLED": "0",
    "CNP_802P_PRIO_P1": "6",
    "CNP_DSCP_P1": "48",
    "LINK_TYPE_P1": "1",
    "NUM_OF_VFS": "0",
    "ROCE_CC_PRIO_MASK_P1": "255",
    "SRIOV_EN": "0",
}
OF_MODELS = {"BlueField3": {"INTERNAL_CPU_OFFLOAD_ENGINE": "0"}}
"""What only some NICs have: a BlueField leaves the factory as a DPU."""
FAILED = 3


def main() -> int:
    """-> exit code; prints the settings, or what was applied."""
    hardware.say_double("mlxconfig")
    parser = argparse.ArgumentParser(prog="mlxconfig", add_help=False)
    parser.add_argument("-d", "--dev", required=True)
    parser.add_argument("-e", "--show_default", action="store_true")
    parser.add_argument("-y", "--yes", action="store_true")
    parser.add_argument("command", choices=("q", "query", "s", "set"))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    nic = state.nic_of(arguments.dev)
    if nic is None:
        return _fail(f"Failed to open device: {arguments.dev}. No such file or directory")
    names = [name.partition("=")[0] for name in arguments.names]
    defaults = _defaults(nic)
    if unknown := [name for name in names if name not in defaults]:
        return _fail(f"The Device doesn't support {unknown[0]} parameter")
    if arguments.command in {"s", "set"}:
        return _set(nic, dict(name.split("=", 1) for name in arguments.names))
    columns = (defaults, *_values(nic)) if arguments.show_default else _values(nic)[1:]
    print(_page(arguments.dev, nic.model, columns, names or sorted(defaults)))
    return 0


def _defaults(nic: hardware.Nic) -> dict[str, str]:
    return DEFAULTS | OF_MODELS.get(nic.model, {})


def _set(nic: hardware.Nic, wanted: dict[str, str]) -> int:
    values = {name: _number(name, value) for name, value in wanted.items()}
    if bad := [name for name, value in values.items() if not value.isdigit()]:
        return _fail(f"Failed to parse the value {wanted[bad[0]]} of the parameter {bad[0]}")
    settings = state.load("mlxconfig")
    current, after = _values(nic)
    kept = {f"current.{name}": value for name, value in current.items()}
    coming = {f"next.{name}": value for name, value in (after | values).items()}
    state.save("mlxconfig", {**settings, nic.hca: {**kept, **coming, "boot": _boot()}})
    print("\nApplying... Done!\n-I- Please reboot machine to load new configurations.")
    return 0


def _values(nic: hardware.Nic) -> tuple[dict[str, str], dict[str, str]]:
    """NIC -> what holds now, what holds after the next boot."""
    told = state.load("mlxconfig").get(nic.hca, {})
    shipped = _defaults(nic) | nic.firmware
    after = {name: told.get(f"next.{name}", value) for name, value in shipped.items()}
    if told.get("boot") != _boot():
        return after, after
    return {name: told.get(f"current.{name}", value) for name, value in shipped.items()}, after


def _boot() -> str:
    proc = hardware.root() / "proc"
    started = (proc / "1/stat").read_text().rpartition(")")[2].split()[19]
    return f"{(proc / 'sys/kernel/random/boot_id').read_text().strip()}/{started}"


def _number(name: str, value: str) -> str:
    by_word = {word.lower(): number for number, word in CHOICES.get(name, {}).items()}
    return by_word.get(value.lower(), value)


def _show(name: str, value: str) -> str:
    word = CHOICES.get(name, {}).get(value)
    return f"{word}({value})" if word else value


def _page(device: str, model: str, columns: tuple[dict[str, str], ...], names: list[str]) -> str:
    """Device, its model, values by column (default, now, next boot, or the last alone), names -> the page."""
    heading = ("Default", "Current", "Next Boot")[-len(columns) :]
    titles = "".join(f"{title:<16}" for title in heading).rstrip()
    lines = ["", "Device #1:", "----------", "", f"Device type:        {model:<20}"]
    lines += [f"Device:             {device}", "", f"{'Configurations:':<57}{titles}"]
    for name in names:
        values = [column[name] for column in columns]
        mark = "*" if len(set(values)) > 1 else " "
        lines.append(f"{mark}       {name:<49}" + "".join(f"{_show(name, value):<16}" for value in values))
    return "\n".join(lines)


def _fail(message: str) -> int:
    print(f"-E- {message}", file=sys.stderr)
    return FAILED
