"""Boxes without an operating system of their own here (BMC, CDU, control host) -> present on the network, or dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.twin import netns

if TYPE_CHECKING:
    from lindos.twin.hall import Address


def light(namespace: str, at: Address) -> None:
    """A box gets power: carrier, its address, and the way out, as a DHCP reservation would give them."""
    lines = [f"link set {at.port} up", f"address replace {at.address}/{at.prefix_len} dev {at.port}"]
    lines += [f"route replace default via {at.gateway} dev {at.port}"] if at.gateway else []
    netns.batch(namespace, lines, tried=f"bring up {at.device}")


def darken(namespace: str, at: Address) -> None:
    """A box loses power: its port goes dark, and so does the other end of the cable."""
    netns.batch(namespace, [f"link set {at.port} down"], tried=f"darken {at.device}", force=True)
