"""DCGM diagnoses, and Prometheus reads of every GPU, on the management network only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from roles.given import ADDRESS, DRIVER

if TYPE_CHECKING:
    from testinfra.host import Host

READ = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode(), end='')"


def _page(host: Host) -> str:
    # The exporter listens a moment after systemd has started it.
    for _ in range(20):
        done = host.run(f'python3 -c "{READ}" http://{ADDRESS}:9400/metrics')
        if done.rc == 0:
            return str(done.stdout)
        host.run("sleep 0.5")
    raise AssertionError(done.stderr)


def check_a_diagnosis_runs(host: Host) -> None:
    report = json.loads(host.run("dcgmi diag -r 1 -j").stdout)
    tests = report["DCGM GPU Diagnostic"]["test_categories"][0]["tests"]
    assert {result["status"] for test in tests for result in test["results"]} == {"PASS"}
    assert {result["gpu_ids"] for test in tests for result in test["results"]} == {"0,1,2,3,4,5,6,7"}


def check_every_gpu_is_told_of(host: Host) -> None:
    page = _page(host)
    told = re.findall(
        r'^DCGM_FI_DEV_GPU_TEMP\{gpu="(\d)",.*DCGM_FI_DRIVER_VERSION="([\d.]+)"\} (\d+)$', page, re.MULTILINE
    )
    assert [(gpu, driver) for gpu, driver, _ in told] == [(str(index), DRIVER) for index in range(8)]
    assert "# TYPE DCGM_FI_DEV_ECC_DBE_VOL_TOTAL counter" in page


def check_errors_are_told_of_beside_what_it_does(host: Host) -> None:
    assert host.file("/etc/dcgm-exporter/site-counters.csv").contains("^DCGM_FI_DEV_XID_ERRORS, gauge, ")
    values = re.findall(r"^DCGM_FI_DEV_XID_ERRORS\{.*\} (\d+)$", _page(host), re.MULTILINE)
    assert values == ["0"] * 8


def check_it_listens_on_the_management_address_only(host: Host) -> None:
    _page(host)
    listening = host.check_output("ss --no-header --listening --tcp --numeric 'sport = 9400'").split()
    assert listening[3] == f"{ADDRESS}:9400"


def check_the_releases_are_those_asked_for_and_held(host: Host) -> None:
    assert host.package("datacenter-gpu-manager-4-core").version == "1:4.4.1-1"
    assert host.package("datacenter-gpu-manager-4-cuda12").version == "1:4.4.1-1"
    assert host.package("datacenter-gpu-manager-exporter").version == "4.5.0-1"
    held = set(host.check_output("apt-mark showhold").split())
    assert held >= {"datacenter-gpu-manager-4-core", "datacenter-gpu-manager-exporter"}


def check_both_start_at_boot(host: Host) -> None:
    for name in ("nvidia-dcgm", "nvidia-dcgm-exporter"):
        assert host.service(name).is_running
        assert host.service(name).is_enabled
