"""`dcgm-exporter -f COUNTERS.csv -a ADDRESS:PORT`: what `nvidia-smi` says of each GPU, as Prometheus reads it.

The CSV is read as dcgm-exporter reads it: `DCGM field, type of metric, help`, a field that is none stops it. The page
is `GET /metrics`, as release 4 writes it. Fields that the hardware file says nothing of are left out, as those are
that a GPU does not have.
"""

from __future__ import annotations

import argparse
import csv
import re
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

from . import hardware, report

FIELDS = {
    "DCGM_FI_DEV_SM_CLOCK": "clocks.sm",
    "DCGM_FI_DEV_GPU_TEMP": "temperature.gpu",
    "DCGM_FI_DEV_POWER_USAGE": "power.draw",
    "DCGM_FI_DEV_GPU_UTIL": "utilization.gpu",
    "DCGM_FI_DEV_MEM_COPY_UTIL": "utilization.memory",
    "DCGM_FI_DEV_FB_FREE": "memory.free",
    "DCGM_FI_DEV_FB_USED": "memory.used",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": "ecc.errors.corrected.volatile.total",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "ecc.errors.uncorrected.volatile.total",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": "remapped_rows.uncorrectable",
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": "remapped_rows.correctable",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": "remapped_rows.failure",
    "DCGM_FI_DEV_ROW_REMAP_PENDING": "remapped_rows.pending",
    "DCGM_FI_DEV_XID_ERRORS": "xid",
}
"""Field of DCGM -> field of `nvidia-smi --query-gpu`, but for `xid`: the last one in the kernel log."""

FIELD = re.compile(r"DCGM_FI_(DEV|PROF|DRIVER|PROCESS|NVML|CUDA)_[A-Z0-9_]+")
WORDS = {"No": "0", "Yes": "1"}


class Counter(NamedTuple):
    """A line of the CSV."""

    field: str
    kind: str
    help: str


def main() -> int:
    """-> exit code; serves until it is ended."""
    hardware.say_double("dcgm-exporter")
    parser = argparse.ArgumentParser(prog="dcgm-exporter", add_help=False)
    parser.add_argument("-f", "--collectors", default="/etc/dcgm-exporter/default-counters.csv")
    parser.add_argument("-a", "--address", default=":9400")
    parser.add_argument("-c", "--collect-interval", type=int, default=30000)
    parser.add_argument("-r", "--remote-hostengine-info", default="")
    arguments = parser.parse_args()
    try:
        with open(arguments.collectors, encoding="utf-8") as file:  # noqa: PTH123
            wanted = counters(file.read())
    except (OSError, ValueError) as error:
        print(f'level=ERROR msg="Failed to read collectors" error="{error}"', file=sys.stderr)
        return 1
    host, _, port = arguments.address.rpartition(":")
    serve(host.strip("[]"), int(port), wanted)
    return 0


def serve(host: str, port: int, wanted: list[Counter]) -> None:
    """Address, counters -> never: answers each question from the hardware file as it is then."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """/metrics; /health says whether the page can be made."""
            known = self.path in {"/metrics", "/health"}
            body = (page(wanted) if self.path == "/metrics" else "OK" if known else "404 page not found\n").encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A scrape every few seconds is no news."""

    HTTPServer((host, port), Answer).serve_forever()


def counters(text: str) -> list[Counter]:
    """The CSV -> its counters; ValueError for what dcgm-exporter refuses."""
    found = []
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for row in csv.reader(lines, skipinitialspace=True):
        if len(row) != len(Counter._fields):
            raise ValueError(f"malformed CSV record; expected 3 fields, got {len(row)}: {row}")
        counter = Counter(*(cell.strip() for cell in row))
        if not FIELD.fullmatch(counter.field):
            raise ValueError(f"could not find DCGM field; field: {counter.field}")
        found.append(counter)
    return found


def page(wanted: list[Counter]) -> str:
    """Counters -> the page, one family a counter; without a driver there are no GPUs to tell of."""
    machine, driver = hardware.read(), hardware.installed("kernel-module")
    gpus = report.reports(machine, driver) if driver else []
    labels = [counter.field for counter in wanted if counter.kind == "label"]
    lines = ["# Lindos twin double of dcgm-exporter: nothing was measured."]
    for counter in wanted:
        if counter.kind == "label":
            continue
        values = [(gpu, _value(counter.field, gpu, machine)) for gpu in gpus]
        samples = [
            f"{counter.field}{{{_labels(gpu, driver, labels)}}} {value}" for gpu, value in values if value is not None
        ]
        if samples:
            lines += [f"# HELP {counter.field} {counter.help}", f"# TYPE {counter.field} {counter.kind}", *samples]
    return "\n".join(lines) + "\n"


def _value(field: str, gpu: report.Report, machine: hardware.Hardware) -> str | None:
    asked = FIELDS.get(field)
    if asked == "xid":
        slot = gpu["pci.bus_id"].lower().removeprefix("0000").rpartition(".")[0]
        told = (
            re.search(r"Xid \(PCI:([0-9a-f:]+)[^)]*\): (\d+)", line) for line in machine.faults.get("kernel_log", ())
        )
        codes = [line[2] for line in told if line and line[1] == slot]
        return codes[-1] if codes else "0"
    return None if asked is None else WORDS.get(gpu[asked], gpu[asked])


def _labels(gpu: report.Report, driver: str, further: list[str]) -> str:
    told = {
        "gpu": gpu["index"],
        "UUID": gpu["uuid"],
        "pci_bus_id": gpu["pci.bus_id"],
        "device": f"nvidia{gpu['index']}",
        "modelName": gpu["name"],
        "Hostname": socket.gethostname(),
    } | ({"DCGM_FI_DRIVER_VERSION": driver} if "DCGM_FI_DRIVER_VERSION" in further else {})
    return ",".join(f'{name}="{value}"' for name, value in told.items())
