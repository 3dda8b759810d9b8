"""The prober speaks real ICMP on loopback, and reads packets as routers send them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindos.verify.suite import probe


def ip(payload: bytes) -> bytes:
    return bytes([0x45]) + bytes(19) + payload


def error(kind: int, about: bytes) -> bytes:
    return ip(struct.pack("!BBHI", kind, 0, 0, 0) + about)


def reply(ident: int, number: int) -> bytes:
    return ip(struct.pack("!BBHHH", probe.ECHO_REPLY, 0, 0, ident, number))


@given(st.binary(max_size=200))
def test_a_packet_with_its_checksum_sums_up_to_nothing(data):
    packet = bytearray(probe.echo(7, 9, 0) + data + b"\0" * (len(data) % 2))
    packet[2:4] = b"\0\0"
    packet[2:4] = struct.pack("!H", probe.checksum(bytes(packet)))
    assert probe.checksum(bytes(packet)) == 0


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 1472))
def test_a_request_is_matched_inside_an_error(ident, number, size):
    request = ip(probe.echo(ident, number, size))
    assert probe.match(error(probe.TIME_EXCEEDED, request), ident) == number
    assert probe.match(error(probe.TIME_EXCEEDED, request[:28]), ident) == number
    assert probe.match(error(probe.TIME_EXCEEDED, request), ident ^ 1) is None


@given(st.binary(min_size=1, max_size=80))
def test_garbage_is_nobodys_answer(data):
    assert probe.match(data, 1) in {None, *range(0x10000)}


def test_answers():
    assert probe.match(reply(5, 77), 5) == 77
    assert probe.match(reply(6, 77), 5) is None
    # Our own request, as loopback shows it, is no answer; neither is "unreachable".
    assert probe.match(ip(probe.echo(5, 77, 0)), 5) is None
    assert probe.match(error(3, ip(probe.echo(5, 77, 0))), 5) is None


def ask(pings, traces=(), size=1500):
    return probe.answer(
        {"pings": pings, "traces": list(traces), "bytes": size, "max_ttl": 3, "rounds": 2, "wait_s": 0.5}
    )


def test_loopback_answers_from_each_source():
    pairs = [[f"127.0.1.{s}", f"127.0.2.{d}"] for s in range(1, 9) for d in range(1, 25)]
    answers = ask(pairs, [["127.0.1.1", "127.0.2.1"]], size=9000)
    assert [row[:2] for row in answers["pings"]] == pairs
    assert all(row[2] is not None and row[3] is None for row in answers["pings"])
    assert answers["traces"] == [["127.0.1.1", "127.0.2.1", ["127.0.2.1"]]]
    assert answers["errors"] == {}


def test_what_cannot_be_sent_is_said_and_holds_up_nothing():
    answers = ask([["203.0.113.1", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
    assert [row[2] is None for row in answers["pings"]] == [True, False]
    assert answers["errors"] == {"203.0.113.1": "Cannot assign requested address"}


def test_a_packet_too_large_for_the_way_is_tried_small():
    (row,) = ask([["127.0.0.1", "127.0.0.2"]], size=0xFFFF + 1)["pings"]
    assert row[2] is None
    assert row[3] is not None


@pytest.mark.parametrize(
    ("hops", "way"),
    [
        (["a", None, "d", "d"], ["a", None, "d"]),
        (["a", None, None], ["a"]),
        ([None, None], []),
    ],
)
def test_a_way_ends_at_the_destination_or_at_the_last_that_answered(hops, way):
    assert probe._hops("d", hops) == way
