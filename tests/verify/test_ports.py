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


NIC = "0000:1a:00.0 Ethernet controller: x\n\t\tLnkCap:\tPort #0, {}\n\t\tLnkSta:\t{}\n"


@pytest.mark.parametrize(
    ("most", "now", "link", "gbps"),
    [
        ("Speed 32GT/s, Width x16, ASPM not supported", "Speed 32GT/s (ok), Width x16 (ok)", "Gen5 x16", 504),
        ("Speed 32GT/s, Width x16", "Speed 16GT/s (downgraded), Width x8 (downgraded)", "Gen4 x8", 126),
        ("Speed 8GT/s, Width x8, ASPM L1, Exit Latency L1 <4us", "Speed 5GT/s, Width x8", "Gen2 x8", 32),
        ("Speed 2.5GT/s, Width x1", "Speed 2.5GT/s (strange), Width x1", "Gen1 x1", 2),
    ],
)
def test_a_pcie_link_and_what_it_carries(most, now, link, gbps):
    (found,) = ports.pci_links(NIC.format(most, now)).values()
    assert (str(found), round(found.gbps)) == (link, gbps)


def test_links_are_those_of_the_nics_before_them():
    assert {at: str(link) for at, link in ports.pci_links(sample("lspci_nics.txt")).items()} == dict.fromkeys(
        ("0000:1a:00.0", "0000:2a:00.0", "0000:3a:00.0"), "Gen5 x16"
    )
    assert ports.bus(sample("ethtool_i.txt")) == "0000:1a:00.0"
    assert ports.bus("driver: veth\n") is None


@pytest.mark.parametrize(
    "text", ["", "0000:1a:00.0 x\n\tCapabilities: <access denied>\n", NIC.format("Speed unknown", "Width x0")]
)
def test_a_link_that_lspci_does_not_tell(text):
    assert ports.pci_links(text) == {}


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
