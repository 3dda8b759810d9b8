"""`nvidia-smi`: -L, --query-gpu=... --format=csv[,noheader][,nounits], -q -x, nvlink -s, --version, the plain page.

Speaks as the real one does where a driver is missing, or is of another release than the tools.
"""

from __future__ import annotations

import argparse
import sys

from . import hardware, report

NO_DRIVER = 9
NOT_FOUND = 6
MISMATCH = 18
BAD_FIELD = 2


def main() -> int:
    """-> exit code; prints what was asked for."""
    hardware.say_double("nvidia-smi")
    arguments = _parse()
    machine = hardware.read()
    library, driver = hardware.installed("nvml"), hardware.installed("kernel-module")
    if driver and (claimed := machine.faults.get("driver_version")):
        library = driver = claimed
    if arguments.version:
        print(f"NVIDIA-SMI version  : {library}\nNVML version        : {library.rpartition('.')[0]}")
        print(f"DRIVER version      : {driver or 'Not Found'}\nCUDA Version        : {report.cuda(library)}")
        return 0
    if not driver:
        print(
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
            "Make sure that the latest NVIDIA driver is installed and running.\n"
        )
        return NO_DRIVER
    if driver != library:
        print("Failed to initialize NVML: Driver/library version mismatch")
        print(f"NVML library version: {library.rpartition('.')[0]}")
        return MISMATCH
    gpus = report.reports(machine, driver)
    if arguments.id is not None:
        gpus = [gpu for gpu in gpus if arguments.id in {gpu["index"], gpu["uuid"], gpu["pci.bus_id"]}]
    if not gpus:
        print("No devices were found")
        return NOT_FOUND
    if arguments.verb == "nvlink":
        print(report.nvlinks(gpus, machine.faults.get("nvlinks_inactive", {})))
        return 0
    return _answer(arguments, gpus, driver)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nvidia-smi", add_help=False)
    parser.add_argument("verb", nargs="?", choices=("nvlink",))
    parser.add_argument("-s", "--status", action="store_true")
    parser.add_argument("-L", "--list-gpus", action="store_true")
    parser.add_argument("-q", "--query", action="store_true")
    parser.add_argument("-x", "--xml-format", action="store_true")
    parser.add_argument("-i", "--id")
    parser.add_argument("--query-gpu")
    parser.add_argument("--format", default="")
    parser.add_argument("--version", action="store_true")
    return parser.parse_args()


def _answer(arguments: argparse.Namespace, gpus: list[report.Report], driver: str) -> int:
    if arguments.query_gpu:
        return _csv(_split(arguments.query_gpu), _split(arguments.format), gpus)
    if arguments.list_gpus:
        print("\n".join(f"GPU {gpu['index']}: {gpu['name']} (UUID: {gpu['uuid']})" for gpu in gpus))
    elif arguments.query and arguments.xml_format:
        print(report.xml(gpus, driver))
    elif arguments.query:
        print(report.long(gpus, driver))
    else:
        print(report.page(gpus, driver))
    return 0


def _split(text: str) -> list[str]:
    return text.replace(" ", "").split(",")


def _csv(fields: list[str], form: list[str], gpus: list[report.Report]) -> int:
    fields = [report.ALIASES.get(field, field) for field in fields]
    for field in fields:
        if field not in gpus[0]:
            print(f'Field "{field}" is not a valid field to query.\n')
            return BAD_FIELD
    if "csv" not in form:
        print('Option "--format=" is missing the required "csv" value.', file=sys.stderr)
        return BAD_FIELD
    if "noheader" not in form:
        print(", ".join(f"{f} [{report.UNITS[f]}]" if f in report.UNITS else f for f in fields))
    units = {} if "nounits" in form else report.UNITS
    for gpu in gpus:
        print(", ".join(f"{gpu[f]} {units[f]}" if f in units else gpu[f] for f in fields))
    return 0
