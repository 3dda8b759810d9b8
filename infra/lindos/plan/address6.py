"""Addresses of IPv4 -> those of IPv6 beside them: the same bit fields, in the site's unique local prefix (RFC 4193).

    rail NIC    PREFIX:1::/64    rail 3 | leaf slot 12 | port 7 | end 1 at its end; a rail is a /108, a leaf slot a /120
    front end   PREFIX:2::/64    as in IPv4; its links PREFIX:3::/64, loopbacks PREFIX:4::/64
    rail links  PREFIX:5::/64    as in IPv4; out-of-band links PREFIX:6::/64
    storage     PREFIX:7::/64    as in IPv4; its links and loopbacks with those of the front end
    management  PREFIX:80::/57 and up: 128 + (scope 9 | access switch 7) is the number of its /64, ::1 the gateway

A link is a /127 (RFC 6164), a loopback a /128. Because fields and widths are those of IPv4, what fits and cannot meet
there fits and cannot meet here, but for the last scope of all, which has no /64 left.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem

if TYPE_CHECKING:
    from lindos.spec.model import Spec

LENGTHS = {31: 127, 32: 128, 26: 64}
"""Length of a prefix in IPv4 -> in IPv6."""
RAIL_PREFIX_LEN6 = 108
SLOT_PREFIX_LEN6 = 120
OOB_SUBNET = 128
"""Number of the first /64 of the management network; those below are the blocks of the fabrics."""


def unique_local(site: str) -> str:
    """Name of a site -> the first 48 bits of its prefix: fd and 40 bits of a hash of the name.

    RFC 4193 wants them drawn at random; a hash is as unlikely to meet another site's, and the same at every design.
    """
    digits = sha256(f"lindos {site}".encode()).hexdigest()
    groups = [f"fd{digits[:2]}", digits[2:6], digits[6:10]]
    return ":".join(f"{int(g, 16) or 1:x}" for g in groups)


def prefix6(spec: Spec) -> str | None:
    """Spec -> the first 48 bits of its IPv6 prefix, None where it has IPv4 alone."""
    return None if spec.addresses.family == "ipv4" else spec.addresses.prefix6 or unique_local(spec.site)


def plan_prefix6(addresses: pl.DataFrame) -> str | None:
    """The addresses of a plan -> the first 48 bits of its IPv6 prefix, None where it has IPv4 alone."""
    found = addresses["address6"].drop_nulls().head(1)
    return ":".join(found.item().split(":")[:3]) if len(found) else None


def fabric_prefix6(prefix: str) -> str:
    """The site's prefix -> that of all its rail NICs."""
    return f"{prefix}:1::/64"


def frontend_prefix6(prefix: str) -> str:
    """The site's prefix -> that of all its front-end ports."""
    return f"{prefix}:2::/64"


def storage_prefix6(prefix: str) -> str:
    """The site's prefix -> that of all ports of the storage fabric."""
    return f"{prefix}:7::/64"


def rail_prefix6(prefix: str, rail: int) -> str:
    """The site's prefix and a rail -> the prefix of all NICs of that rail."""
    high = rail << (128 - RAIL_PREFIX_LEN6 - 16)
    return f"{prefix}:1::{f'{high:x}:0' if high else ''}/{RAIL_PREFIX_LEN6}"


@cache
def _hex() -> pl.Series:
    return pl.Series([f"{n:x}" for n in range(2**16)])


def _text(prefix: str, subnet: pl.Series, low: pl.Series) -> pl.Series:
    """Numbers of /64s (never 0) and of addresses in them, below 2^32 -> text as RFC 5952 wants it."""
    digits = _hex()
    frame = pl.DataFrame(
        {"subnet": digits.gather(subnet), "high": digits.gather(low // 2**16), "low": digits.gather(low % 2**16)}
    )
    head = pl.format("{}:{}::", pl.lit(prefix), "subnet")
    text = (
        pl.when(pl.col("high") != "0")
        .then(pl.format("{}{}:{}", head, "high", "low"))
        .when(pl.col("low") != "0")
        .then(pl.format("{}{}", head, "low"))
        .otherwise(head)
    )
    return frame.select(text.alias("text"))["text"]


def _places(number: pl.Series, blocks: tuple[tuple[int, int], ...], management: int) -> pl.DataFrame:
    """Numbers of IPv4 -> `subnet` and `low` of each; `blocks` are first numbers with the subnet that they become."""
    ip = pl.col("ip")
    subnet = pl.lit(None, dtype=pl.Int64)
    base = pl.lit(None, dtype=pl.Int64)
    for first, becomes in sorted(blocks):
        subnet = pl.when(ip >= first).then(becomes).otherwise(subnet)
        base = pl.when(ip >= first).then(first).otherwise(base)
    managed = ip.is_between(management, management + 2**22 - 1)
    frame = number.to_frame("ip").with_columns(subnet=subnet, low=ip - base)
    return frame.with_columns(
        subnet=pl.when(managed).then((ip - management) // 64 + OOB_SUBNET).otherwise("subnet"),
        low=pl.when(managed).then((ip - management) % 64).otherwise("low"),
    )


def beside(
    frame: pl.DataFrame, prefix: str | None, blocks: tuple[tuple[int, int], ...], management: int
) -> pl.DataFrame:
    """Addresses with `ip`, `prefix_len` and `gateway` -> with address6, prefix_len6 and gateway6, null without prefix.

    InfeasibleError where a management segment has no /64.
    """
    if prefix is None:
        none = {"address6": pl.String, "prefix_len6": pl.Int64, "gateway6": pl.String}
        return frame.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in none.items())
    places = _places(frame["ip"], blocks, management)
    if len(places) and int(places["subnet"].max()) >= 2**16:  # type: ignore[arg-type]  # a whole number
        message = "addresses: the last pod of the management network has no /64 in the site's IPv6 prefix"
        raise InfeasibleError([Problem(message, hint="several sites are a way out")])
    # A NIC's gateway is the other end of its link, that of a management port the first address of its segment.
    gate = pl.when(pl.col("prefix_len") == 31).then(pl.col("ip") - 1).otherwise(pl.col("ip") // 64 * 64 + 1)
    gates = _places(frame.select(gate.alias("ip"))["ip"], blocks, management)
    out = frame.with_columns(
        _text(prefix, places["subnet"], places["low"]).alias("address6"),
        _text(prefix, gates["subnet"], gates["low"]).alias("gateway6"),
        prefix_len6=pl.col("prefix_len").replace_strict(LENGTHS, return_dtype=pl.Int64),
    )
    return out.with_columns(gateway6=pl.when(pl.col("gateway").is_not_null()).then("gateway6"))
