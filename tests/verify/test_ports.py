"""What is told of a NIC port, older and newer, and what is read from it."""

from __future__ import annotations

import pytest
from fake_host import sample

from lindos.verify.suite import ports


@pytest.mark.parametrize(
    ("text", "fec"),
    [
        (sample("ethtool_fec.txt"), "RS"),
        ("FEC parameters for swp23:\nConfigured FEC encodings: Auto\nActive FEC encodings: BaseR\n", "BaseR"),
        ("FEC parameters for fe0:\nConfigured FEC encodings: None\nActive FEC encoding: None\n", "None"),
        ("netlink error: Operation not supported\n", None),
    ],
)
def test_the_code_in_force(text, fec):
    assert ports.active_fec(text) == fec


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (sample("mlnx_qos.txt"), ("dscp", (3,))),
        (
            "Priority trust state: pcp\nPFC configuration:\n\tpriority 0 1\n\tenabled     0   0   0   0   0   0   0   0\n",
            ("pcp", ()),
        ),
        ("Priority trust state: DSCP\n", ("dscp", None)),
        ("", (None, None)),
    ],
)
def test_trust_and_pause(text, seen):
    assert ports.quality(text) == seen


@pytest.mark.parametrize(
    ("text", "release"),
    [
        (sample("ethtool_i.txt"), "28.39.1002"),
        ("firmware-version: \n", None),
        ("firmware-version: N/A\n", None),
        ("", None),
    ],
)
def test_firmware(text, release):
    assert ports.firmware(text) == release


@pytest.mark.parametrize(
    ("text", "link", "gbps"),
    [
        ("32.0 GT/s PCIe\n16\n32.0 GT/s PCIe\n16\n", "Gen5 x16", 504),
        ("16.0 GT/s PCIe\n8\n32.0 GT/s PCIe\n16\n", "Gen4 x8", 126),
        ("5 GT/s\n8\n8 GT/s\n8\n", "Gen2 x8", 32),
    ],
)
def test_a_pcie_link_and_what_it_carries(text, link, gbps):
    found = ports.pci_link(text)
    assert (str(found), round(found.gbps)) == (link, gbps)


@pytest.mark.parametrize("text", ["", "Unknown\n0\nUnknown\n255\n", "32.0 GT/s PCIe\n0\n32.0 GT/s PCIe\n16\n", "16\n"])
def test_a_link_that_the_kernel_does_not_know(text):
    assert ports.pci_link(text) is None


def test_carriers_lost_within_the_window():
    log = """\
[  100.000000] mlx5_core 0000:1a:00.0 rail0: Link down
[  101.000000] mlx5_core 0000:1a:00.0 rail0: Link up
[90000.000000] mlx5_core 0000:1a:00.0 rail0: Link down
[90001.000000] ixgbe 0000:3a:00.0 fe0: NIC Link is Down
[90002.000000] ixgbe 0000:3a:00.0 fe0: NIC Link is Up 10 Gbps, Flow Control: RX/TX
"""
    assert ports.carrier_losses(log, 90100.0, 86400.0) == {"rail0": 1, "fe0": 1}
    assert ports.carrier_losses(log, 90100.0, 100000.0) == {"rail0": 2, "fe0": 1}
