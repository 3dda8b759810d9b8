"""Faults by name: how they are read, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from small_hall import write_small_hall

from lindos.errors import DriverError
from lindos.twin import power
from lindos.twin.faults import FAULTS, Fault, Faults, read_fault
from lindos.twin.hall import Cord, Hall, read_hall
from lindos.twin.wishes import Wishes, read_wishes, write_wishes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Hall:
    build = tmp_path_factory.mktemp("build")
    write_small_hall(build, "s")
    return read_hall(build, "s")


GOOD = {
    "swap-cables s-n01:rail0 s-n01:rail1": ("s-n01:rail0", "s-n01:rail1"),
    "cut-cable s-leaf01:etp9": ("s-leaf01:etp9",),
    "bmc-dead s-n01": ("s-n01",),
    "gpu-lost s-n01": ("s-n01", "7"),
    "gpu-lost s-n01 3": ("s-n01", "3"),
    "driver-version s-n02 535.54.03": ("s-n02", "535.54.03"),
    "gpu-says s-n01 0 remapped_rows.pending Yes": ("s-n01", "0", "remapped_rows.pending", "Yes"),
    "nvlink-down s-n01 7 17": ("s-n01", "7", "17"),
    "xid s-n01 2 79": ("s-n01", "2", "79"),
    "nic-fec s-n01 rail1 Off": ("s-n01", "rail1", "Off"),
    "nic-lanes s-n02 rail0 8": ("s-n02", "rail0", "8"),
    "psu-failed s-n02 6": ("s-n02", "6"),
    "sel s-n01 Memory DIMM_A1 | Uncorrectable ECC": ("s-n01", "Memory DIMM_A1 | Uncorrectable ECC | Asserted"),
    "drive-lost s-n01": ("s-n01",),
    "dimm-lost s-n01": ("s-n01",),
    "cpu-lost s-n01 2": ("s-n01", "2"),
    "switch-down s-spine01": ("s-spine01",),
    "feed-loss a": ("a",),
    "pdu-loss pdu-b": ("pdu-b",),
}

BAD = {
    "swap-cable s-n01:rail0 s-n01:rail1": ("no such fault", "did you mean swap-cables?"),
    "quake": ("no such fault", f"one of: {', '.join(sorted(FAULTS))}"),
    "feed-loss c": ("no such feed", "one of: a, b"),
    "pdu-loss pdu-c": ("no such rack PDU", "did you mean pdu-"),
    "bmc-dead s-n1": ("no such node", "did you mean s-n01?"),
    "switch-down s-n01": ("no such switch", "did you mean s-"),
    "swap-cables s-n01:rail0": ("takes PORT PORT, not 's-n01:rail0'", FAULTS["swap-cables"].effect),
    "swap-cables s-n01:rail0 s-n01:rail0": ("takes PORT PORT", FAULTS["swap-cables"].effect),
    "cut-cable s-n01:rail9": ("no such cabled port", "did you mean s-n01:rail"),
    "gpu-lost s-n01 8": ("no such GPU", "one of: 0, 1, 2"),
    "gpu-lost s-n01 third": ("takes NODE [INDEX]", FAULTS["gpu-lost"].effect),
    "gpu-says s-n01 0 remaped_rows.pending Yes": ("no such field of a GPU", "did you mean remapped_rows.pending?"),
    "gpu-says s-n01 0 pstate": ("takes NODE INDEX FIELD VALUE", FAULTS["gpu-says"].effect),
    "nvlink-down s-n01 0 18": ("no such NVLink", "did you mean "),
    "xid s-n01 8 79": ("no such GPU", "one of: 0, 1, 2"),
    "xid s-n01 0 bus": ("takes NODE INDEX CODE", FAULTS["xid"].effect),
    "nic-fec s-n01 rail9 Off": ("no such NIC port", "did you mean rail"),
    "nic-fec s-n01 rail0 off": ("no such FEC", "did you mean Off?"),
    "nic-lanes s-n01 rail0 16": ("no such number of PCIe lanes", "did you mean 1?"),
    "psu-failed s-n01 5": ("no such power supply", "one of: 1, 2, 3, 4"),
    "sel s-n01 DIMM": ("takes NODE SENSOR | EVENT", FAULTS["sel"].effect),
    "cpu-lost s-n01 0": ("no such CPU", "one of: 1, 2"),
    "driver-version s-n01": ("takes NODE VERSION, not 's-n01'", FAULTS["driver-version"].effect),
}


def test_every_kind_of_fault_has_a_case() -> None:
    assert {line.split()[0] for line in GOOD} == FAULTS.keys()


@pytest.mark.parametrize("line", GOOD)
def test_reads_a_fault(hall: Hall, line: str) -> None:
    kind, *words = line.split()

    assert read_fault(hall, kind, words) == Fault(kind, GOOD[line])


@pytest.mark.parametrize("line", BAD)
def test_refuses_what_is_not_there_and_says_what_is(hall: Hall, line: str) -> None:
    kind, *words = line.split()
    said, hint = BAD[line]

    with pytest.raises(DriverError) as caught:
        read_fault(hall, kind, words)

    assert said in caught.value.said
    assert caught.value.problems[0].hint.startswith(hint)


def faults(hall: Hall, *lines: str) -> Faults:
    return Faults(tuple(read_fault(hall, *[kind, words]) for kind, *words in map(str.split, lines)))


def test_faults_of_things_that_went_away_go_with_them(hall: Hall) -> None:
    kept = Fault("bmc-dead", ("s-n01",))

    assert Faults((kept, Fault("bmc-dead", ("s-n77",)), Fault("melted", ()))).that_fit(hall) == Faults((kept,))


@pytest.mark.parametrize(
    ("lost", "node", "live", "carries"),
    [
        ((), "s-n01", {1, 2, 3, 4}, True),
        (("feed-loss a",), "s-n01", {2, 4}, True),
        (("feed-loss a",), "s-n02", {2, 4, 6}, True),
        (("feed-loss a", "feed-loss b"), "s-n02", set(), False),
        (("feed-loss b",), "s-spine01", {1, 2}, True),
        (("feed-loss a",), "s-spine01", set(), False),
    ],
)
def test_a_lost_feed_takes_the_psus_on_its_cords(
    hall: Hall, lost: tuple[str, ...], node: str, live: set[int], carries: bool
) -> None:
    supply = power.supplies(hall, faults(hall, *lost))[node]

    assert supply.live == live
    assert supply.carries is carries
    assert supply.stands_by is bool(live)


def test_a_node_short_of_psus_goes_off_and_its_bmc_stays() -> None:
    supply = power.Supply(psus=(1, 2, 3, 4, 5, 6), live=frozenset({1, 2}), needed=3)

    assert not supply.carries
    assert supply.stands_by


def test_a_box_without_cords_is_fed_from_elsewhere(hall: Hall) -> None:
    supply = power.supplies(hall, faults(hall, "feed-loss a", "feed-loss b"))["s-ctl01"]

    assert supply.carries
    assert supply.stands_by


@pytest.mark.parametrize(
    ("lost", "watts", "carries", "stands_by"),
    [((), 4000, True, True), (("a",), 2000, True, True), (("a",), 2001, False, True), (("a", "b"), 1, False, False)],
    ids=str,
)
def test_trays_live_by_the_power_shelves_of_their_busbar(
    hall: Hall, lost: tuple[str, ...], watts: int, carries: bool, stands_by: bool
) -> None:
    """Two shelves of two supplies of 1 kW, a feed each: one of them carries 2 kW."""
    node = replace(hall.by_name["s-n01"], busbar="s-r01", draws_w=watts)
    shelves = tuple(
        replace(node, name=f"s-shelf0{i}", kind="shelf", gpus=(), psu_rating_w=1000, draws_w=0) for i in (1, 2)
    )
    cords = tuple(Cord(shelf.name, psu, feed) for shelf, feed in zip(shelves, "ab", strict=True) for psu in (1, 2))
    rest = tuple(d for d in hall.devices if d.name != "s-n01")
    trays = replace(hall, devices=(node, *shelves, *rest), cords=cords)
    broken = Faults(tuple(Fault("feed-loss", (feed,)) for feed in lost))
    supply = power.supplies(trays, broken)["s-n01"]

    assert supply.carries is carries
    assert supply.stands_by is stands_by
    assert not supply.psus


def test_switches_run_by_themselves_and_nodes_when_asked(hall: Hall) -> None:
    supplies = power.supplies(hall, Faults())

    running = {d.name for d in hall.devices if power.runs(d, supplies[d.name], Faults(), {"s-n02", "s-cdu01"})}

    assert running == {"s-oob01", "s-leaf01", "s-spine01", "s-n02"}


def test_a_broken_switch_stays_off(hall: Hall) -> None:
    broken = faults(hall, "switch-down s-leaf01")

    assert not power.runs(hall.by_name["s-leaf01"], power.supplies(hall, broken)["s-leaf01"], broken, ())


def test_a_dead_bmc_leaves_its_machine_alone(hall: Hall) -> None:
    broken = faults(hall, "bmc-dead s-n01")
    node, supply = hall.by_name["s-n01"], power.supplies(hall, broken)["s-n01"]

    assert not power.bmc_answers(node, supply, broken)
    assert power.runs(node, supply, broken, {"s-n01"})
    assert power.bmc_answers(hall.by_name["s-n02"], supply, broken)


def test_the_last_wrong_version_counts(hall: Hall) -> None:
    broken = faults(hall, "driver-version s-n01 1", "driver-version s-n02 2", "driver-version s-n01 3")

    assert (broken.driver_version("s-n01"), broken.driver_version("s-n02")) == ("3", "2")
    assert Faults().driver_version("s-n01") is None


def test_what_ails_a_gpu_is_that_of_its_machine(hall: Hall) -> None:
    broken = faults(hall, "xid s-n01 2 79", "nvlink-down s-n02 0 3", "gpu-lost s-n01 3", "gpu-says s-n01 0 pstate P8")

    assert broken.ailments("s-n01") == [("xid", "2", "79"), ("gpu-says", "0", "pstate", "P8")]
    assert broken.ailments("s-n02") == [("nvlink-down", "0", "3")]


def test_wishes_outlive_the_service(hall: Hall, tmp_path: Path) -> None:
    wishes = Wishes(frozenset({"s-n01"}), faults(hall, *GOOD))

    write_wishes(tmp_path / "wishes.json", wishes)

    assert read_wishes(tmp_path / "wishes.json") == wishes
    assert read_wishes(tmp_path / "none.json") == Wishes()
