"""The hardware file of a node: what the doubles of the vendors' tools go by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lindos.twin.hall import Device, End
from lindos.twin.hardware import ailing, hardware, rail_of, serial, serial_of, write_hardware

if TYPE_CHECKING:
    from pathlib import Path

PORTS = ("mgmt0", "bmc", "rail1", "rail0", "rail10", "fe0")


def node(vendor: str = "supermicro", name: str = "s-n01") -> Device:
    return Device(name, "node", "gpu", vendor, "x", "", "r", 1, 2, None, ("h100_sxm",) * 8)


def test_hcas_count_as_the_kernel_would_rails_first() -> None:
    found = {nic.name: nic for nic in hardware(node(), PORTS).nics}

    assert {name: nic.hca for name, nic in found.items()} == {
        "rail0": "mlx5_rail0",
        "rail1": "mlx5_rail1",
        "rail10": "mlx5_rail10",
        "fe0": "mlx5_3",
        "mgmt0": None,
    }
    assert [found[name].rail for name in ("rail10", "fe0", "mgmt0")] == [10, None, None]


def test_the_bmc_port_belongs_to_another_computer() -> None:
    assert "bmc" not in {nic.name for nic in hardware(node(), PORTS).nics}


def test_a_lost_gpu_leaves_a_gap() -> None:
    whole, short = hardware(node(), PORTS), hardware(node(), PORTS, frozenset({3}))

    assert [gpu.index for gpu in short.gpus] == [0, 1, 2, 4, 5, 6, 7]
    assert all(gpu in whole.gpus for gpu in short.gpus)


def test_a_wrong_driver_version_is_what_every_gpu_reports() -> None:
    found = hardware(node(), PORTS, driver_version="535.54.03")

    assert [gpu.report for gpu in found.gpus] == [{"driver_version": "535.54.03"}] * 8
    assert hardware(node(), PORTS).gpus[0].report == {}


def test_what_ails_gpus_stands_where_the_doubles_read_it() -> None:
    ailments = [
        ("gpu-says", "1", "pstate", "P8"),
        ("nvlink-down", "0", "3"),
        ("nvlink-down", "0", "5"),
        ("xid", "2", "79"),
    ]
    found = ailing(hardware(node(), PORTS), ailments)

    assert [gpu.report for gpu in found.gpus[:3]] == [{}, {"pstate": "P8"}, {}]
    assert found.faults == {
        "nvlinks_inactive": {"0": [3, 5]},
        "kernel_log": ["NVRM: Xid (PCI:0000:38:00): 79, pid='<unknown>', name=<unknown>"],
    }
    assert ailing(hardware(node(), PORTS), []) == hardware(node(), PORTS)


def test_what_ails_the_rest_of_the_machine_stands_there_too() -> None:
    ailments = [
        ("nic-fec", "rail0", "Off"),
        ("nic-lanes", "rail1", "8"),
        ("psu-failed", "2"),
        ("psu-dark", "4"),
        ("sel", "Memory A1 | Uncorrectable ECC | Asserted"),
        ("drive-lost",),
        ("drive-lost",),
        ("dimm-lost",),
        ("cpu-lost", "2"),
    ]
    assert ailing(hardware(node(), PORTS), ailments).faults == {
        "nic_fec": {"rail0": "Off"},
        "nic_lanes": {"rail1": 8},
        "psus_failed": [2],
        "psus_dark": [4],
        "sel": ["Memory A1 | Uncorrectable ECC | Asserted"],
        "drives_lost": 2,
        "memory_lost_gib": 64,
        "cpus_lost": [2],
    }


def test_only_ports_with_a_cable_of_a_rate_are_nics() -> None:
    rates = {End("s-n01", "rail0"): 400, End("s-n01", "mgmt0"): 1}
    found = {nic.name: nic.rate_gbps for nic in hardware(node(), PORTS, rates=rates).nics}
    assert found == {"rail0": 400, "rail1": 0, "rail10": 0, "fe0": 0, "mgmt0": 0}


def test_a_lost_gpu_has_no_ailments() -> None:
    short = hardware(node(), PORTS, frozenset({2}))

    assert ailing(short, [("xid", "2", "79"), ("gpu-says", "2", "pstate", "P8")]) == short


def test_nothing_bears_the_same_number_twice() -> None:
    machines = [hardware(node(name=f"s-n{n:02d}"), PORTS) for n in range(50)]

    for of in (
        [m.serial for m in machines],
        [g.uuid for m in machines for g in m.gpus],
        [g.serial for m in machines for g in m.gpus],
        [n.mac for m in machines for n in m.nics],
    ):
        assert len(set(of)) == len(of)
    one = machines[0]
    buses = [g.pci for g in one.gpus] + [n.pci for n in one.nics]
    assert len(set(buses)) == len(buses)


def test_a_dell_has_a_service_tag_and_another_number_on_its_board() -> None:
    dell, other = hardware(node("dell"), PORTS), hardware(node(), PORTS)

    assert len(dell.serial) == 7
    assert dell.board_serial != dell.serial
    assert other.board_serial == other.serial == serial_of(node())


def test_serial_numbers_have_no_letter_that_is_taken_for_a_digit() -> None:
    assert not set("IOU") & set(serial("anything", 40))


def test_rails_are_read_from_port_names() -> None:
    assert [rail_of(p) for p in ("rail0", "rail12", "rail", "fe0", "rails1")] == [0, 12, None, None, None]


def test_the_file_holds_what_the_doubles_read(tmp_path: Path) -> None:
    path = tmp_path / "hardware.json"

    write_hardware(path, hardware(node(), PORTS))
    held = json.loads(path.read_text())

    assert held["note"] == "double"
    assert {"vendor", "product", "serial", "gpus", "nics"} <= held.keys()
    assert {"index", "model", "uuid", "serial", "pci", "report"} == held["gpus"][0].keys()
    assert {"name", "hca", "rail", "pci", "mac", "rate_gbps"} == held["nics"][0].keys()


def test_a_file_that_says_the_same_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "hardware.json"
    write_hardware(path, hardware(node(), PORTS))
    before = path.stat().st_ino

    write_hardware(path, hardware(node(), PORTS))
    assert path.stat().st_ino == before

    write_hardware(path, hardware(node(), PORTS, frozenset({0})))
    assert path.stat().st_ino != before
