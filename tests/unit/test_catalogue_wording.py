"""Units, near names and values in the words of whoever wrote them."""

from __future__ import annotations

import pytest

from lindos.catalogue.nearest import did_you_mean, nearest
from lindos.catalogue.units import in_unit_of, same_quantity, unit_of
from lindos.catalogue.wording import shorten, show


@pytest.mark.parametrize(
    ("key", "text", "number"),
    [
        ("mw", "8 MW", "8"), ("mw", "8MW", "8"), ("mw", "8000 kW", "8"), ("mw", "0.15 GW", "150"), ("mw", "8_000kW", "8"),
        ("rack_pitch_m", "2.4 m", "2.4"), ("rack_pitch_m", "750mm", "0.75"), ("gap_m", "0.5 km", "500"),
        ("port_gbps", "400G", "400"), ("port_gbps", "400 Gb/s", "400"), ("port_gbps", "400GbE", "400"), ("port_gbps", "0.8T", "800"),
        ("transformer_kva", "3 MVA", "3000"), ("volts", "0.4kV", "400"), ("amps", "63A", "63"), ("power_w_max", "10.2 kW", "10200"),
        ("gpus", "50k", "50000"), ("gpus", "100,000", "100000"), ("gpus", "100 000", "100000"), ("gpus", "8", "8"),
        ("mw", "8 m", "8000000"), ("mw", "8 apples", ""), ("mw", "1,5 MW", ""), ("mw", "MW", ""), ("mw", "", ""), ("mw", "8 MW 2", ""),
        ("gpus", "٣", ""), ("mw", "-8 MW", ""),
    ],
)  # fmt: skip
def test_a_number_with_a_unit_becomes_the_bare_number(key: str, text: str, number: str) -> None:
    """In the unit of the key, or '' where that would be a guess."""
    assert in_unit_of(key, text) == number


def test_a_key_that_differs_in_its_unit_only_is_known() -> None:
    """Power in kw for mw, lengths in mm for m; never a key of another quantity."""
    assert same_quantity("kw", ["name", "mw", "count"]) == "mw"
    assert same_quantity("rack_pitch_mm", ["row_pitch_m", "rack_pitch_m"]) == "rack_pitch_m"
    assert same_quantity("transformer_mva", ["transformer_kva"]) == "transformer_kva"
    assert same_quantity("kva", ["mw"]) == ""
    assert same_quantity("count", ["mw", "name"]) == ""
    assert [unit_of(key) for key in ("mw", "port_gbps", "power_w_max", "rows", "rack_height_u")] == [
        "MW", "Gb/s", "W", "", "rack units",
    ]  # fmt: skip


def test_near_names_are_found_whatever_their_case_and_joints() -> None:
    """Nearest first; nothing where nothing is near, and no time lost on what is no name."""
    assert nearest("SN-5600", ["sn5600", "sn2201"]) == ["sn5600"]
    assert nearest("dell-xe9680L", ["dell_xe9680", "dell_xe9680l"], 2) == ["dell_xe9680l"]
    assert nearest("dell_xe968", ["dell_xe9680l", "dell_xe9680"], 2) == ["dell_xe9680", "dell_xe9680l"]
    assert did_you_mean("xyz", ["sn5600"], "none") == "none"
    assert (
        did_you_mean("sn560", ["sn5600", "sn5610", "sn5640"], count=3) == "did you mean 'sn5600', 'sn5610' or 'sn5640'?"
    )
    assert nearest("sn560", ["sn5560", "sn5600"]) == ["sn5600"]
    assert nearest("smc_421ge", ["smc_sys_421ge_tnhr2_lcc", "dell_xe9680"]) == ["smc_sys_421ge_tnhr2_lcc"]
    assert nearest("s" * 10_000, ["s" * 10_000]) == []


def test_values_are_shown_in_one_short_printable_line() -> None:
    """Whatever was written: no escape reaches a terminal, no list is repeated."""
    assert show("8 MW") == "'8 MW'"
    assert show("8", '"8"') == '"8"'
    assert show(131072, "131_072") == "131_072"
    assert show(value=True) == "true"
    assert show({"a": 1}) == "keys and values"
    assert show([1]) == "a list"
    assert shorten("a\x1b[31m\n\tb") == "a [31m b"
    assert shorten("x" * 1000) == f"{'x' * 30}... (1,000 characters)"
