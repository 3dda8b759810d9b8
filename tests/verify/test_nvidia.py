"""What NVIDIA's tools print, older and newer, and what is read from it."""

from __future__ import annotations

import json

import pytest
from fake_host import sample

from lindos.catalogue import load_catalogue
from lindos.verify.suite import nvidia
from lindos.verify.suite.thresholds import GPUS

OLD, BLOCKED = nvidia.gpus(sample("nvidia_smi_q_470.xml"))
(NEW,) = nvidia.gpus(sample("nvidia_smi_q_570.xml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("700.00 W", 700.0), ("16x", 16.0), (" 0 ", 0.0), ("-8 C", -8.0), ("26.562 GB/s", 26.562)],
        *[
            (text, None)
            for text in ("N/A", "[N/A]", "[Not Supported]", "ERR!", "[Unknown Error]", "<inactive>", "", None)
        ],
    ],
)
def test_a_number_is_read_whatever_stands_around_it(text, value):
    assert nvidia.number(text) == value


def test_errors_of_a_new_driver_are_added_up():
    more = NEW | {
        "ecc_errors/volatile/sram_uncorrectable_parity": "2",
        "ecc_errors/volatile/sram_uncorrectable_secded": "3",
    }
    assert nvidia.ecc(more, "volatile") == {
        "SRAM corrected": 0.0,
        "SRAM uncorrected": 5.0,
        "DRAM corrected": 0.0,
        "DRAM uncorrected": 0.0,
    }


def test_errors_of_an_old_driver_are_those_of_device_memory():
    told = nvidia.ecc(OLD, "volatile")
    assert (told["DRAM corrected"], told["DRAM uncorrected"], told["SRAM corrected"]) == (3.0, 1.0, None)
    assert nvidia.ecc(OLD, "aggregate")["DRAM uncorrected"] is None


def test_a_gpu_that_tells_nothing_has_no_errors_and_no_zeros_either():
    assert set(nvidia.ecc(BLOCKED, "volatile").values()) == {None}
    assert nvidia.throttles(BLOCKED) is None


def test_reasons_have_one_name_in_old_and_new_drivers():
    assert nvidia.throttles(OLD) == ["hw_thermal_slowdown", "sw_power_cap"]
    assert nvidia.throttles(NEW) == ["gpu_idle"]


@pytest.mark.parametrize("text", ["", "No devices were found\n", "<nvidia_smi_log>"])
def test_what_is_no_page_is_refused(text):
    with pytest.raises(ValueError, match=text.strip() or "nothing"):
        nvidia.gpus(text)


def test_links_of_each_gpu():
    assert nvidia.nvlinks(sample("nvlink.txt")) == {
        0: {0: 26.562, 1: 26.562, 2: None, 3: 13.281},
        1: {0: 26.562, 1: None},
        10: {},
    }


def test_xids_have_an_age():
    found = nvidia.xids(sample("dmesg.txt"), uptime_s=7400.0)
    assert [(x.code, x.pci, x.age_s) for x in found] == [
        (31, "0000:1b:00", pytest.approx(7299.49999)),
        (79, "0000:1b:00", 100.0),
        (48, "0000:3d:00", 98.0),
    ]
    assert found[1].text == "GPU has fallen off the bus."
    assert nvidia.xids("NVRM: Xid (PCI:0000:1b:00): 79\n", 5.0) == [(None, "0000:1b:00", 79, "")]


def test_diagnoses_of_both_generations():
    assert nvidia.diagnoses(sample("dcgmi_3.txt")) == [
        ("Denylist", "GPU 0,1", "pass", ""),
        ("Inforom", "GPU 0,1", "skip", ""),
        ("PCIe", "GPU 0", "pass", ""),
        ("PCIe", "GPU 1", "fail", "PCIe replays beyond limit"),
    ]
    assert nvidia.diagnoses(sample("dcgmi_4.txt")) == [
        ("software", "GPU 0", "pass", ""),
        ("software", "GPU 1", "warn", "Persistence mode for GPU 1 is disabled."),
        ("software", "", "fail", "No permission for a device file."),
        ("cpu_eud", "CPU 0", "skip", ""),
        ("memory", "", "fail", "The test could not be started."),
    ]


def test_a_summary_that_repeats_what_results_tell_is_not_told_again():
    """Some releases of DCGM 4 have the warnings of no entity there, others all of them."""
    page = json.loads(sample("dcgmi_4.txt"))
    (software,) = page["DCGM Diagnostic"]["test_categories"][0]["tests"]
    for again in (software["results"][1]["warnings"], []):
        software["test_summary"] = {"status": "Fail", "warnings": again}
        told = [d for d in nvidia.diagnoses(json.dumps(page)) if d.test == "software"]
        assert [(d.where, d.status) for d in told] == [("GPU 0", "pass"), ("GPU 1", "warn")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing"),
        ("Error: unable to connect to host engine", "unable to connect"),
        ('{"DCGM GPU Diagnostic": {"runtime_error": "no GPUs"}}', "no GPUs"),
        ("{ not json", "not json"),
    ],
)
def test_what_is_no_report_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        nvidia.diagnoses(text)


@pytest.mark.parametrize("model", sorted(GPUS))
def test_the_limits_of_a_gpu_are_those_of_the_catalogue(model):
    facts = load_catalogue().facts(model)
    assert facts is not None
    assert facts["nvlink_links"] == GPUS[model].nvlinks


def test_every_gpu_of_the_catalogue_has_limits():
    assert set(load_catalogue().names("gpu")) == set(GPUS)
