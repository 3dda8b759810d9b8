"""Rail ports of InfiniBand: there, in the subnet, and fast enough. They have no address; the kernel tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .outcome import Broken, Unmeasured
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Hca = dict[str, Any]

UP, ACTIVE = "LinkUp", "ACTIVE"
"""States of a port: of its link, and in its subnet, which a subnet manager gives it (ibstat(8))."""


@check("HOST-024")
def test_the_rail_port_is_active_at_its_rate(hca: Hca, facts: Facts) -> None:
    known = facts.hca_ports()
    port = known.get(hca["hca"])
    if port is None and not known and facts.in_container():
        raise Unmeasured("RDMA devices are the machine's below, and this container is given none", stand_in=True)
    if port is None:
        seen = ", ".join(sorted(known)) or "none"
        raise Broken(f"no RDMA device {hca['hca']}, seen {seen}", hint="`lspci -d 15b3:`; converge role ib_host")
    if port.get("phys_state") != UP:
        far = f"{hca.get('peer_device')} {hca.get('peer_port')}"
        raise Broken(f"expected {UP}, seen {port.get('phys_state')}", hint=f"look at the cable, the optics and {far}")
    if port.get("state") != ACTIVE:
        raise Broken(
            f"expected {ACTIVE}, seen {port.get('state')}",
            hint="the subnet manager has not taken it in: does one run (`sminfo`), and which GUID does it wait for?",
        )
    rate = port.get("rate", "").partition(" ")[0]
    if hca.get("rate_gbps") and rate != str(hca["rate_gbps"]):
        raise Broken(f"expected {hca['rate_gbps']} Gb/s, seen {port.get('rate')}", hint="ibdiagnet; reseat both ends")
