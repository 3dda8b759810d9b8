"""What benchmarks print, and the rates that are read from it."""

from __future__ import annotations

import pytest
from fake_host import sample

from lindos.verify.suite import bandwidth


def test_copies_by_test_and_pair():
    assert bandwidth.copies(sample("nvbandwidth.txt")) == {
        "host_to_device_memcpy_ce": [55.36, 55.33],
        "device_to_host_memcpy_ce": [55.29, 55.31],
        "device_to_device_memcpy_read_ce": [391.07, 390.19],
    }


@pytest.mark.parametrize(
    "text", ["", "Waived:\n", "Running host_to_device_memcpy_ce.\nWaived:\n           0         1\n"]
)
def test_what_was_not_measured_is_not_there(text):
    assert bandwidth.copies(text) == {}


def test_the_rate_of_an_all_reduce():
    text = sample("all_reduce_perf.txt")
    assert bandwidth.bus_rate(text) == (476.045, True)
    assert bandwidth.bus_rate(text.replace("0 OK", "3 FAILED")) == (476.045, False)
    assert bandwidth.bus_rate("") == (None, False)


@pytest.mark.parametrize(
    ("text", "rate"),
    [(sample("ib_write_bw.txt"), 394.61), (sample("ib_write_bw.txt").replace("Gb/sec", "MB/sec"), None), ("", None)],
)
def test_the_rate_of_rdma_writes(text, rate):
    assert bandwidth.write_rate(text) == rate
