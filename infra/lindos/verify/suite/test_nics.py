"""Network interfaces: there, addressed, wide enough, up, fast enough, and joined to the planned neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .outcome import Broken, Unmeasured, Waits
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Nic = dict[str, Any]

ROLES = {"rail": "rdma_nic", "frontend": "frontend_network", "storage": "frontend_network"}
"""Purpose of a port -> the role that sets it up; none does so with the out-of-band port, by which a node is reached."""


@check("HOST-010")
def test_the_interface_is_there(nic: Nic, facts: Facts) -> None:
    if nic["name"] not in facts.interfaces():
        # Whatever a port is called, the switch at the other end of its cable tells which one it is.
        heard = [
            own for own, device, port in facts.heard() or () if own != nic["name"] and f"{device} {port}" == _peer(nic)
        ]
        slots = [f"{own} ({facts.slot(own) or 'of no PCI slot'})" for own in heard]
        raise Broken(
            "; ".join(["no interface of this name", *(f"its neighbour is heard at {slot}" for slot in slots)]),
            hint=_name(nic) if slots else "the NIC is absent or named otherwise: `lspci -d 15b3:`, `dmesg | grep mlx5`",
        )


@check("HOST-011")
def test_the_interface_has_its_address(nic: Nic, facts: Facts) -> None:
    wanted = f"{nic['address']}/{nic['prefix_len']}"
    seen = [f"{a['local']}/{a['prefixlen']}" for a in _interface(nic, facts)["addr_info"] if a.get("family") == "inet"]
    if seen != [wanted]:
        raise Broken(f"expected {wanted}, seen {', '.join(seen) or 'no address'}", hint=_converge(nic))


@check("HOST-012")
def test_the_interface_has_its_mtu(nic: Nic, facts: Facts) -> None:
    seen = _interface(nic, facts)["mtu"]
    if nic.get("mtu") and seen != nic["mtu"]:
        raise Broken(f"expected MTU {nic['mtu']}, seen {seen}", hint=_converge(nic))


@check("HOST-013")
def test_the_interface_is_up(nic: Nic, facts: Facts) -> None:
    flags = _interface(nic, facts)["flags"]
    if "UP" not in flags:
        raise Broken("the interface is down", hint=_converge(nic))
    if "LOWER_UP" not in flags:
        raise Broken("no carrier", hint=f"look at the cable, the optics and {_peer(nic)}")


@check("HOST-014")
def test_the_link_runs_at_its_rate(nic: Nic, facts: Facts) -> None:
    if not nic.get("rate_gbps"):
        raise Unmeasured("no rate is planned for this port")
    _interface(nic, facts)
    if facts.is_virtual(nic["name"]):
        raise Unmeasured("no device stands behind this interface, so its rate is nobody's", stand_in=True)
    said = facts.ask("ethtool", nic["name"])
    speed = next((x.partition(":")[2].strip() for x in said.splitlines() if x.strip().startswith("Speed:")), "")
    wanted = f"{nic['rate_gbps'] * 1000}Mb/s"
    if speed != wanted:
        raise Broken(
            f"expected {wanted}, seen {speed or 'no speed'}",
            hint=f"a lane may be dead or the far end set slower: `ethtool -m {nic['name']}`, {_peer(nic)}",
        )


@check("HOST-051")
def test_the_lldp_daemon_answers(facts: Facts) -> None:
    rc, _, _ = facts.run("lldpctl", "-f json")
    if rc != 0:
        raise Broken("lldpd does not answer", hint="systemctl status lldpd; converge role lldp")
    facts.neighbours()


@check("HOST-050")
def test_the_neighbour_is_the_planned_one(nic: Nic, facts: Facts) -> None:
    if not nic.get("peer_device"):
        raise Unmeasured("no neighbour is planned for this port")
    heard = facts.heard()
    if heard is None:
        raise Waits("HOST-051")
    seen = [f"{device} {port}" for own, device, port in heard if own == nic["name"]]
    if seen != [_peer(nic)]:
        raise Broken(
            f"expected {_peer(nic)}, hears {', '.join(seen) or 'nobody'}",
            hint="the comparison of all cables names the mistake: `lindos verify`",
        )


def _interface(nic: Nic, facts: Facts) -> dict[str, Any]:
    found = facts.interfaces().get(nic["name"])
    if found is None:
        raise Waits("HOST-010")
    return found


def _peer(nic: Nic) -> str:
    return f"{nic.get('peer_device')} {nic.get('peer_port')}"


def _converge(nic: Nic) -> str:
    role = ROLES.get(nic["purpose"])
    return f"converge role {role}" if role else "look at how the out-of-band port is set up"


def _name(nic: Nic) -> str:
    role = ROLES.get(nic["purpose"])
    return f"{role}_slots names it by that address, in the variables of its product" if role else _converge(nic)
