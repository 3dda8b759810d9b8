"""What commands print, as captured, and what is read from it."""

from __future__ import annotations

import json

import pytest

from lindos.verify.suite import parsers

ONE = {
    "lldp": {
        "interface": {
            "etp1": {
                "via": "LLDP",
                "rid": "1",
                "age": "0 day, 00:00:12",
                "chassis": {
                    "lab-a0001-r01-n01": {
                        "id": {"type": "mac", "value": "02:9b:75:1a:c7:d9"},
                        "descr": "Debian GNU/Linux 12 (bookworm)",
                        "capability": [{"type": "Bridge", "enabled": False}],
                    }
                },
                "port": {"id": {"type": "ifname", "value": "rail0"}, "descr": "rail0", "ttl": "20"},
            }
        }
    }
}


def test_one_neighbour_stands_there_without_a_list():
    assert parsers.neighbours(json.dumps(ONE)) == [("etp1", "lab-a0001-r01-n01", "rail0")]


def test_two_neighbours_on_one_port_are_both_heard():
    record = ONE["lldp"]["interface"]["etp1"]
    other = record | {"chassis": {"stranger": {"id": {"type": "mac", "value": "x"}}}}
    text = json.dumps({"lldp": {"interface": [{"etp1": record}, {"etp1": other}]}})
    assert parsers.neighbours(text) == [("etp1", "lab-a0001-r01-n01", "rail0"), ("etp1", "stranger", "rail0")]


def test_a_neighbour_without_a_name_goes_by_its_chassis():
    record = ONE["lldp"]["interface"]["etp1"] | {"chassis": {"id": {"type": "mac", "value": "02:00:00:00:00:07"}}}
    text = json.dumps({"lldp": {"interface": [{"etp1": record}]}})
    assert parsers.neighbours(text) == [("etp1", "02:00:00:00:00:07", "rail0")]


def test_other_protocols_are_not_neighbours():
    record = ONE["lldp"]["interface"]["etp1"] | {"via": "CDPv2"}
    assert parsers.neighbours(json.dumps({"lldp": {"interface": [{"etp1": record}]}})) == []


@pytest.mark.parametrize("text", ["", "{}", '{"lldp": {}}', '{"lldp": {"interface": []}}'])
def test_nobody_is_heard(text):
    assert parsers.neighbours(text) == []


def test_gpus():
    text = "0, NVIDIA H100 80GB HBM3, 570.133.20, Enabled\n1, NVIDIA H100 80GB HBM3, 570.133.20, Disabled\n"
    assert parsers.gpus(text)[1] == {
        "index": "1",
        "name": "NVIDIA H100 80GB HBM3",
        "driver_version": "570.133.20",
        "persistence_mode": "Disabled",
    }
    assert parsers.gpus("") == []


@pytest.mark.parametrize("text", ["No devices were found\n", "0, x, y\n", "x, a, b, c\n"])
def test_what_is_no_gpu_is_refused(text):
    with pytest.raises(ValueError, match=text.strip().split(",")[0]):
        parsers.gpus(text)


def test_settings_of_a_file():
    text = "# NCCL_DEBUG=INFO\nNCCL_IB_HCA==mlx5_rail0\n\nNCCL_IB_TC = 106\nNCCL_IB_TC=104\nnonsense\n"
    assert parsers.settings(text) == {"NCCL_IB_HCA": "=mlx5_rail0", "NCCL_IB_TC": "104"}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("root - memlock unlimited\n", "unlimited"),
        ("root soft memlock unlimited\n", ""),
        ("root hard memlock 64 # small\n* - memlock unlimited\n", "64"),
        ("#root - memlock unlimited\n", ""),
    ],
)
def test_the_limit_of_a_user(text, limit):
    assert parsers.memlock(text, "root") == limit


@pytest.mark.parametrize(("caps", "may"), [("000001ffffffffff", True), ("00000000a82435fb", False), ("", False)])
def test_whether_limits_can_be_raised(caps, may):
    assert parsers.may_raise_limits(f"Name:\tcat\nCapBnd:\t{caps}\n" if caps else "Name:\tcat\n") is may


def test_the_clock():
    tracking = "A9FEA97B,169.254.169.123,4,1700000000.1,-0.000012,0.1,0.0,-1.2,0,0,0,0,16.0,Normal\n"
    assert parsers.clock_offset_s(tracking) == pytest.approx(-0.000012)
    assert parsers.clock_offset_s("00000000,,0,0.0,0.0,0.0\n") is None
    assert parsers.clock_offset_s("") is None
