"""IPv6 beside IPv4: the same bit fields, canonical text, nothing twice, both ends of a link in one /127."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv6Address, IPv6Interface, IPv6Network, ip_address
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindos.plan import Plan, design_site
from lindos.plan.address import BLOCKS6, OOB
from lindos.plan.address6 import LENGTHS, beside, prefix6, rail_prefix6, unique_local
from lindos.plan.store import design_spec
from lindos.spec.model import Addressing, Spec

LAB = Path(__file__).parents[2] / "inventories" / "lab" / "site.yaml"


@cache
def dual(prefix: str | None = None, bgp: str = "numbered") -> tuple[Spec, Plan]:
    spec, _ = design_site(LAB)
    rdma = spec.fabrics.rdma.model_copy(update={"bgp": bgp})
    fabrics = spec.fabrics.model_copy(update={"rdma": rdma})
    spec = spec.model_copy(update={"addresses": Addressing(family="dual", prefix6=prefix), "fabrics": fabrics})
    return spec, design_spec(spec)


def test_every_address_of_the_site_has_one_of_ipv6_beside_it() -> None:
    spec, plan = dual()
    site = IPv6Network(f"{prefix6(spec)}::/48")
    seen = set()
    gateways = {a for a, p in plan.addresses.select("address6", "purpose").iter_rows() if p == "gateway"}
    for text, length, gateway, length4 in plan.addresses.select(
        "address6", "prefix_len6", "gateway6", "prefix_len"
    ).iter_rows():
        at = IPv6Interface(f"{text}/{length}")
        assert str(at.ip) == text
        assert at.ip in site
        assert length == LENGTHS[length4]
        assert text not in seen
        seen.add(text)
        if gateway is not None:
            assert IPv6Address(gateway) in at.network
            assert gateway in gateways
            assert gateway != text


def test_a_rail_and_a_segment_keep_to_their_prefixes() -> None:
    spec, plan = dual()
    prefix = str(prefix6(spec))
    rails = plan.links.filter(fabric="rdma", tier="node_leaf").select("rail", device="a_device", port="a_port")
    for rail, text in plan.addresses.join(rails, on=["device", "port"]).select("rail", "address6").iter_rows():
        assert IPv6Address(text) in IPv6Network(rail_prefix6(prefix, rail))
    managed = plan.addresses.filter(pl.col("purpose").is_in(["bmc", "mgmt"]))
    segments = {
        (g4, str(IPv6Interface(f"{a}/64").network)) for g4, a in managed.select("gateway", "address6").iter_rows()
    }
    assert len(segments) == len({g4 for g4, _ in segments}) == len({s for _, s in segments})


def test_both_ends_of_a_link_are_one_prefix_and_none_where_it_has_no_address() -> None:
    _, plan = dual(bgp="unnumbered")
    spot = {(d, p): a for d, p, a in plan.addresses.select("device", "port", "address6").iter_rows()}
    for fabric, tier, *ends in plan.links.select(
        "fabric", "tier", "a_device", "a_port", "b_device", "b_port"
    ).iter_rows():
        a, b = spot.get((ends[0], ends[1])), spot.get((ends[2], ends[3]))
        if tier == "node_leaf" and fabric != "oob":
            assert int(ip_address(str(a))) ^ int(ip_address(str(b))) == 1
        elif tier != "node_leaf":
            assert (a is None) == (b is None) == (fabric == "rdma")


def test_the_prefix_is_that_of_the_site_file_or_of_its_name() -> None:
    assert dual("fd12:3456:789a::/48")[1].addresses["address6"].str.starts_with("fd12:3456:789a:").all()
    assert unique_local("lab") == unique_local("lab") != unique_local("lab2")
    assert IPv6Network(f"{unique_local('lab')}::/48").is_private
    assert design_site(LAB)[1].addresses["address6"].null_count() == len(design_site(LAB)[1].addresses)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([*(first for first, _ in BLOCKS6), OOB]), st.integers(0, 2**20 - 1)), min_size=1)
)
def test_text_is_canonical_wherever_a_number_stands(spots: list[tuple[int, int]]) -> None:
    """Any number of any block: the text is as RFC 5952 wants it, and no two numbers share one."""
    numbers = sorted({base + offset for base, offset in spots})
    frame = pl.DataFrame({"ip": numbers}).with_columns(prefix_len=32, gateway=pl.lit(None, dtype=pl.String))
    texts = beside(frame, unique_local("any"), BLOCKS6, OOB)["address6"].to_list()
    assert [str(IPv6Address(text)) for text in texts] == texts
    assert len(set(texts)) == len(numbers)


def test_the_first_48_bits_are_canonical_for_any_name() -> None:
    for n in range(300):
        text = f"{unique_local(f'site{n}')}:1::1"
        assert str(IPv6Address(text)) == text


@pytest.mark.parametrize(
    "wrong", ["10.0.0.0/48", "fd12::/48", "2001:db8:1::/48", "fd12:3456:789a::/64", "fd12:3456:789a"]
)
def test_other_prefixes_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="unique local"):
        Addressing(family="dual", prefix6=wrong)
