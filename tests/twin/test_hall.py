"""What an installer reads from build/<site>/, and what he sends back."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from small_hall import write_small_hall

from lindos.errors import DriverError
from lindos.twin.hall import End, load_hall, read_hall, write_hall

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def build(tmp_path: Path) -> Path:
    write_small_hall(tmp_path / "build", "s")
    return tmp_path / "build"


def edit(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0])
    change(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def test_reads_devices_with_their_gpus_and_psus(build: Path) -> None:
    hall = read_hall(build, "s")

    node = hall.by_name["s-n02"]

    assert (node.vendor, node.kind, node.psus_needed, node.psu_rating_w) == ("dell", "node", 3, 2800)
    assert node.gpus == ("h100_sxm",) * 8
    assert hall.by_name["s-leaf01"].psus_needed == 1
    assert hall.control_host == "s-ctl01"
    assert hall.feeds == ("a", "b")


def test_knows_the_ports_and_addresses_of_a_device(build: Path) -> None:
    hall = read_hall(build, "s")

    assert hall.ports["s-n01"] == ("mgmt0", "bmc", "rail0", "rail1")
    assert hall.address("s-n01", "bmc").address == "10.192.0.6"
    assert hall.reached_at("s-oob01").address == "10.192.0.1"
    assert hall.reached_at("s-leaf01").address == "10.192.0.2"


def test_the_record_of_the_hall_is_the_hall(build: Path, tmp_path: Path) -> None:
    hall = read_hall(build, "s")

    write_hall(tmp_path / "state" / "hall.json", hall)

    assert load_hall(tmp_path / "state" / "hall.json") == hall


def test_every_missing_file_is_named_with_the_command_that_writes_it(build: Path) -> None:
    for name in ("devices.csv", "cables.csv", "addresses.csv", "power_cords.csv"):
        text = (build / name).read_text()
        (build / name).unlink()

        with pytest.raises(DriverError) as caught:
            read_hall(build, "s")

        assert name in str(caught.value)
        assert caught.value.problems[0].hint == "lindos emit s"
        (build / name).write_text(text)


@pytest.mark.parametrize("name", ["loads", "gpus"])
def test_a_missing_plan_table_is_an_error_too(build: Path, name: str) -> None:
    (build / "plan" / f"{name}.parquet").unlink()

    with pytest.raises(DriverError, match=name):
        read_hall(build, "s")


MISFITS: dict[str, tuple[str, Callable[[list[dict[str, str]]], None], str]] = {
    "two cables in one port": (
        "cables.csv",
        lambda rows: rows[1].update(b_port=rows[0]["b_port"]),
        "port s-oob01:etp1 has 2 cables",
    ),
    "cable to nowhere": (
        "cables.csv",
        lambda rows: rows[0].update(a_device="s-leaf99"),
        "a cable ends at s-leaf99:eth0, and there is no such device",
    ),
    "interface name too long": (
        "cables.csv",
        lambda rows: rows[0].update(b_port="ethernet-1/1/52c"),
        "port s-oob01:ethernet-1/1/52c has a name longer than the 15 characters of a Linux interface",
    ),
    "two links of one name": ("cables.csv", lambda rows: rows[0].update(link=rows[1]["link"]), "2 links are called"),
    "cord of nothing": (
        "power_cords.csv",
        lambda rows: rows[0].update(device="s-n99"),
        "a power cord belongs to s-n99, and there is no such device",
    ),
    "no control host": (
        "devices.csv",
        lambda rows: rows[3].update(role="leaf"),
        "no device with the role 'control'",
    ),
    "a hall too large for one machine": (
        "devices.csv",
        lambda rows: rows.extend({**rows[1], "device": f"s-x{number}"} for number in range(100)),
        "105 nodes and switches; the twin holds 96 on one machine",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_sent_back(build: Path, case: str) -> None:
    name, change, said = MISFITS[case]
    edit(build / name, change)

    with pytest.raises(DriverError) as caught:
        read_hall(build, "s")

    assert said in str(caught.value)


def test_many_misfits_are_counted(build: Path) -> None:
    edit(build / "cables.csv", lambda rows: [row.update(a_device="gone") for row in rows] and None)

    with pytest.raises(DriverError, match=r"; and \d+ more$"):
        read_hall(build, "s")


def test_an_end_is_written_as_people_say_it() -> None:
    assert str(End("s-n01", "rail0")) == "s-n01:rail0"
