"""Addresses to ask, from which of this host's own -> who answered, and by which way.

ICMP echo of our own: one process asks hundreds of pairs at once, each from its own source address, where
`ping` and `traceroute` would take a process a pair.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

ECHO_REPLY, ECHO, TIME_EXCEEDED = 0, 8, 11
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3
"""From linux/in.h: send with "do not fragment" set and whatever path MTU the kernel remembers."""

IP_HEADER, ICMP_HEADER = 20, 8
BURST = 64
"""Probes sent between two looks at the answers, so that no buffer overflows."""

Key = tuple[str, str, int, int]
"""Source, destination, TTL, bytes of the packet."""

FULL_TTL = 64


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """{pings: [[source, destination]], traces: [...], bytes, max_ttl, rounds, wait_s} -> what came of each.

    A ping comes back as [source, destination, ms at full size, ms at small size], null for no answer; small
    is tried only where full had none. A trace comes back as [source, destination, [hop or null, ...]]; the
    last hop is the destination if it was reached. `errors` has what the kernel said, by source.
    """
    pings, traces = request["pings"], request["traces"]
    small = IP_HEADER + ICMP_HEADER
    rounds, wait_s, full = request["rounds"], request["wait_s"], request["bytes"]
    with Prober(sorted({s for s, _ in (*pings, *traces)})) as prober:
        at_full = prober.ask([(s, d, FULL_TTL, full) for s, d in pings], rounds, wait_s)
        deaf = [(s, d, FULL_TTL, small) for s, d in pings if (s, d, FULL_TTL, full) not in at_full]
        at_small = prober.ask(deaf, rounds, wait_s)
        ttls = range(1, request["max_ttl"] + 1)
        steps = prober.ask([(s, d, ttl, small) for s, d in traces for ttl in ttls], rounds, wait_s)
    return {
        "pings": [
            [s, d, _ms(at_full.get((s, d, FULL_TTL, full))), _ms(at_small.get((s, d, FULL_TTL, small)))]
            for s, d in pings
        ],
        "traces": [
            [s, d, _hops(d, [steps.get((s, d, ttl, small), ("", 0.0))[0] or None for ttl in ttls])] for s, d in traces
        ],
        "errors": dict(sorted(prober.errors.items())),
    }


def _ms(reply: tuple[str, float] | None) -> float | None:
    return None if reply is None else round(reply[1] * 1000, 3)


def _hops(destination: str, hops: list[str | None]) -> list[str | None]:
    """Answers by TTL -> the way as far as the destination; without it, as far as anyone answered."""
    if destination in hops:
        return hops[: hops.index(destination) + 1]
    while hops and hops[-1] is None:
        hops.pop()
    return hops


class Prober:
    """One raw socket for each source address. `errors`: what the kernel said of a source that cannot send."""

    def __init__(self, sources: list[str]) -> None:
        self.errors: dict[str, str] = {}
        self._ident = os.getpid() & 0xFFFF
        self._sockets: dict[str, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        for source in sources:
            try:
                self._open(source)
            except OSError as error:
                self.errors[source] = f"{error.strerror}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for one in self._sockets.values():
            one.close()

    def ask(self, probes: list[Key], rounds: int, wait_s: float) -> dict[Key, tuple[str, float]]:
        """Probes -> who answered each, after how many seconds; those without an answer are asked again."""
        answers: dict[Key, tuple[str, float]] = {}
        todo = [p for p in dict.fromkeys(probes) if p[0] in self._sockets]
        for _ in range(rounds):
            for start in range(0, len(todo), 0x10000):
                answers |= self._round(todo[start : start + 0x10000], wait_s)
            todo = [p for p in todo if p not in answers]
            if not todo:
                break
        return answers

    def _open(self, source: str) -> None:
        one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        one.bind((source, 0))
        one.setblocking(False)
        self._sockets[source] = one
        self._selector.register(one, selectors.EVENT_READ, source)

    def _round(self, probes: list[Key], wait_s: float) -> dict[Key, tuple[str, float]]:
        answers: dict[Key, tuple[str, float]] = {}
        sent: dict[int, tuple[Key, float]] = {}
        for number, probe in enumerate(probes):
            if self._send(probe, number):
                sent[number] = (probe, time.monotonic())
            if number % BURST == BURST - 1:
                self._receive(sent, answers, 0.0)
        deadline = time.monotonic() + wait_s
        while len(answers) < len(sent) and (left := deadline - time.monotonic()) > 0:
            self._receive(sent, answers, left)
        # Numbers are used again in the next round: a late answer must not be taken for one of those.
        self._ident = (self._ident + 1) & 0xFFFF
        return answers

    def _send(self, probe: Key, number: int) -> bool:
        source, destination, ttl, size = probe
        one = self._sockets[source]
        one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        try:
            one.sendto(echo(self._ident, number, size - IP_HEADER - ICMP_HEADER), (destination, 0))
        except OSError as error:
            self.errors[source] = f"{error.strerror}"
            return False
        return True

    def _receive(
        self, sent: dict[int, tuple[Key, float]], answers: dict[Key, tuple[str, float]], wait_s: float
    ) -> None:
        for key, _ in self._selector.select(wait_s):
            one = self._sockets[key.data]
            while True:
                try:
                    packet, (sender, _) = one.recvfrom(0x10000)
                except (BlockingIOError, ConnectionError):
                    break
                except OSError:
                    # An ICMP error about an earlier probe; the packet that carries it is read as well.
                    continue
                number = match(packet, self._ident)
                if number in sent:
                    probe, at = sent[number]
                    answers.setdefault(probe, (sender, time.monotonic() - at))


def echo(ident: int, number: int, payload: int) -> bytes:
    """-> an ICMP echo request."""
    data = bytes(payload)
    blank = struct.pack("!BBHHH", ECHO, 0, 0, ident, number)
    return struct.pack("!BBHHH", ECHO, 0, checksum(blank + data), ident, number) + data


def checksum(data: bytes) -> int:
    """RFC 1071: the one's complement of the one's complement sum."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def match(packet: bytes, ident: int) -> int | None:
    """A packet as a raw socket has it -> the number of the probe that it answers, None if none of ours.

    A report that the time to live ran out carries the header and first bytes of what it is about.
    """
    icmp = packet[(packet[0] & 0x0F) * 4 :]
    if len(icmp) < ICMP_HEADER:
        return None
    kind = icmp[0]
    if kind == TIME_EXCEEDED:
        inner = icmp[ICMP_HEADER:]
        if len(inner) < IP_HEADER + ICMP_HEADER:
            return None
        icmp = inner[(inner[0] & 0x0F) * 4 :]
        if len(icmp) < ICMP_HEADER or icmp[0] != ECHO:
            return None
    elif kind != ECHO_REPLY:
        return None
    seen, number = (int.from_bytes(icmp[at : at + 2], "big") for at in (4, 6))
    return number if seen == ident else None
