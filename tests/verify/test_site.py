"""What is read from a build folder, on the lab as committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lindos.errors import SpecError
from lindos.verify.site import read_site
from lindos.workspace import Workspace

GOLDEN = Path(__file__).parents[1] / "golden" / "lab"
N1 = "lab-a0001-r01-n01"


@pytest.fixture
def site(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "build" / "lab")
    (tmp_path / "build" / "lab" / "manifest.json").touch()
    return read_site(Workspace(tmp_path, "lab"))


def test_every_node_and_switch_has_an_address_to_log_in_at(site):
    at = site.management()
    assert set(site.expect) | set(site.switches()) <= set(at)
    assert len(set(at.values())) == len(at)
    served = dict(site.addresses.filter(port="br-oob").select("device", "address").iter_rows())
    assert at["lab-p001-oob01"] == served["lab-p001-oob01"]


def test_every_node_has_a_bmc(site):
    assert set(site.bmcs()) == set(site.expect)


def test_bmcs_and_boxes_without_lldp_are_mute(site):
    mute = site.mute()
    assert (N1, "bmc") in mute
    assert ("lab-ctl01", "eth0") in mute
    assert not [end for end in mute if "leaf" in end[0] or end[1].startswith("rail")]


def test_some_hosts_are_looked_at_with_their_cables(site):
    part = site.only([N1])
    assert list(part.expect) == [N1]
    assert set(part.cables["a_device"]) == {N1}
    assert set(part.switches()) == set(part.cables["b_device"])
    assert part.cables.height == 11


def test_a_host_that_is_not_planned(site):
    with pytest.raises(SpecError, match="no node of lab is called lab-x") as told:
        site.only(["lab-x"])
    assert N1 in told.value.problems[0].hint


def test_a_site_that_is_not_built(tmp_path):
    with pytest.raises(SpecError, match="holds no artefacts of lab") as told:
        read_site(Workspace(tmp_path, "lab"))
    assert told.value.problems[0].hint == "lindos emit lab"
