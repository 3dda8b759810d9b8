"""What BMC and kernel tell of a machine, and what is read from it."""

from __future__ import annotations

import pytest
from fake_host import DF, sample

from lindos.verify.suite import chassis


def test_supplies_are_counted_without_their_redundancy():
    found = chassis.supplies(sample("ipmitool_sdr.txt"))
    assert [(s.name, s.present, s.wrong) for s in found] == [(f"PS{n} Status (10.{n})", True, ()) for n in range(1, 5)]


@pytest.mark.parametrize(
    ("state", "present", "wrong"),
    [
        ("Presence detected, Failure detected", True, ("Failure detected",)),
        ("Presence Detected, Power Supply AC lost", True, ("Power Supply AC lost",)),
        ("Presence detected, Predictive failure", True, ("Predictive failure",)),
        ("Presence detected, Power Supply input out-of-range", True, ("Power Supply input out-of-range",)),
        ("", False, ()),
        ("Config Error: Vendor Mismatch", False, ("Config Error: Vendor Mismatch",)),
    ],
)
def test_what_is_wrong_with_a_supply(state, present, wrong):
    (found,) = chassis.supplies(f"Status           | 85h | ok  | 10.1 | {state}\n")
    assert (found.present, found.wrong) == (present, wrong)


def test_the_log_has_entries_of_several_shapes():
    log = chassis.events(sample("ipmitool_sel.txt"))
    assert [(e.sensor, e.asserted) for e in log[2:4]] == [
        ("Power Supply PS2 Status", True),
        ("Power Supply PS2 Status", False),
    ]
    assert len(log) == 7
    assert log[5].when == "Pre-Init 0000000030"
    assert chassis.events("SEL has no entries\n") == []


def test_a_log_of_every_day_has_nothing_severe():
    assert chassis.severe(chassis.events(sample("ipmitool_sel.txt"))) == []


@pytest.mark.parametrize(
    ("event", "bad"),
    [
        ("Uncorrectable ECC", True),
        ("Correctable ECC", False),
        ("Bus Fatal Error", True),
        ("Bus Correctable error", False),
        ("Upper Critical going high", True),
        ("Upper Non-critical going high", False),
        ("Lower Non-recoverable going low", True),
        ("Run-time critical stop", True),
        ("IERR", True),
        ("Power Supply AC lost", True),
        ("Redundancy Lost", True),
        ("Fully Redundant", False),
        ("Drive Fault", True),
        ("Drive Present", False),
        ("Timestamp Clock Sync", False),
        ("OEM System boot event", False),
    ],
)
def test_which_events_are_severe(event, bad):
    log = chassis.events(f"   1 | 01/01/2025 | 00:00:00 | Sensor X | {event} | Asserted\n")
    assert bool(chassis.severe(log)) is bad


def test_what_was_taken_back_and_came_again_stands():
    ways = ("Asserted", "Deasserted", "Asserted")
    lines = [f"{n} | d | t | PS1 | Power Supply AC lost | {way}\n" for n, way in enumerate(ways)]
    assert chassis.severe(chassis.events("".join(lines[:2]))) == []
    assert len(chassis.severe(chassis.events("".join(lines)))) == 1


def test_memory_and_disks():
    assert chassis.memory_gib("       total\nMem:  1048576  5\n") == 1.0
    assert chassis.memory_gib("") is None
    assert chassis.filled(DF) == {"/": 11, "/var/lib/my data": 0}
    assert chassis.filled("") == {}


def test_a_drive_that_no_driver_holds_is_none():
    text = sample("lspci_drives.txt")
    assert chassis.drives(text) == ["0000:c1:00.0", "0000:c2:00.0"]
    assert chassis.drives(text.replace("use: nvme", "use: vfio-pci", 1)) == ["0000:c2:00.0"]
    assert chassis.drives("") == []


def test_redundancy_that_is_full_again_stands_no_more():
    lost = "1 | 11/20/2026 | 10:00:00 | Power Supply PS Redundancy | Redundancy Lost | Asserted\n"
    other = lost.replace("PS Redundancy", "Fan Redundancy")
    full = lost.replace("Redundancy Lost", "Fully Redundant")
    assert [e.sensor for e in chassis.severe(chassis.events(lost + other + full))] == ["Power Supply Fan Redundancy"]
    assert len(chassis.severe(chassis.events(full + lost))) == 1
