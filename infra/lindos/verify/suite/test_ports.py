"""How a NIC port does: error correction, lossless class, its place in the machine, firmware, and flaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import ports
from . import thresholds as limit
from .codes import WARNING
from .outcome import Broken, NotExpected, Unmeasured, Waits
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Nic = dict[str, Any]


@check("HOST-015")
def test_forward_error_correction(nic: Nic, facts: Facts) -> None:
    if (nic.get("rate_gbps") or 0) < limit.RS_FEC_FROM_GBPS:
        raise NotExpected(f"below {limit.RS_FEC_FROM_GBPS} Gb/s a link may run without RS-FEC")
    interface = _real(nic, facts)
    if "LOWER_UP" not in interface["flags"]:
        raise Waits("HOST-013")
    rc, out, err = facts.run("ethtool", f"--show-fec {nic['name']}")
    seen = ports.active_fec(out)
    if rc != 0 or seen is None:
        raise Unmeasured(f"the driver tells no FEC: {' '.join((err or out).split())[:200] or 'it says nothing'}")
    if "RS" not in seen.upper().split():
        raise Broken(
            f"expected RS-FEC, seen {seen}",
            hint=f"both ends must be set alike: `ethtool --set-fec {nic['name']} encoding rs`, and {_peer(nic)}",
        )


@check("HOST-016")
def test_the_lossless_class(rail: Nic, facts: Facts) -> None:
    want = rail.get("pfc_priority")
    if want is None:
        raise NotExpected("this fabric has no lossless class")
    if rail["name"] not in facts.interfaces():
        raise Waits("HOST-010")
    trust, pausing = ports.quality(facts.ask("mlnx_qos", f"-i {rail['name']}"))
    told = [f"expected trust dscp, seen {trust or 'none'}"] if trust != "dscp" else []
    if pausing != (want,):
        seen = "not told" if pausing is None else ", ".join(str(p) for p in pausing) or "none"
        told.append(f"expected PFC on priority {want} alone, seen {seen}")
    if told:
        raise Broken("; ".join(told), hint="systemctl status roce-qos; converge role roce_qos")


@check("HOST-017")
def test_the_nic_has_its_pcie_lanes(nic: Nic, facts: Facts) -> None:
    if not nic.get("rate_gbps"):
        raise NotExpected("no rate is planned for this port")
    _real(nic, facts)
    at = ports.bus(facts.ask("ethtool", f"-i {nic['name']}"))
    link = ports.pci_links(facts.ask_if_there("lspci", "-Dvv -d ::0200")).get(at or "")
    if link is None:
        raise Unmeasured(f"lspci does not tell of the PCIe link of {at or 'this port'}")
    whole = f"Gen{ports.generation(link.most_gts)} x{link.most_lanes}"
    hint = "reseat the card or its riser; `dmesg | grep 'available PCIe bandwidth'`"
    if link.gbps < nic["rate_gbps"]:
        raise Broken(
            f"PCIe {link} carries {link.gbps:.0f} Gb/s of {nic['rate_gbps']}; the card is made for {whole}", hint=hint
        )
    if link.lanes < link.most_lanes:
        raise Broken(f"PCIe {link}, the card is made for {whole}", hint=hint)
    if link.gts < link.most_gts:
        raise Broken(
            f"PCIe {link}, the card is made for {whole}", hint="is the slot slower, or set so?", severity=WARNING
        )


@check("HOST-018")
def test_nic_firmware(rail: Nic, expected: dict[str, Any], facts: Facts) -> None:
    want = expected.get("software", {}).get("nic_firmware")
    if not want:
        raise NotExpected("no NIC firmware is wanted: `software` of the site names no nic_firmware")
    _real(rail, facts)
    seen = ports.firmware(facts.ask("ethtool", f"-i {rail['name']}"))
    if seen != str(want):
        raise Broken(f"expected firmware {want}, seen {seen or 'none'}", hint="`mlxfwmanager`; a new one takes a reset")


@check("HOST-025")
def test_the_rails_rdma_device_has_its_name(rail: Nic, facts: Facts) -> None:
    _real(rail, facts)
    known = facts.rdma_devices()
    if not known and facts.in_container():
        raise Unmeasured("RDMA devices are the machine's below, and this container is given none", stand_in=True)
    seen = known.get(rail["name"], [])
    if seen != [rail["hca"]]:
        raise Broken(
            f"expected RDMA device {rail['hca']}, seen {', '.join(seen) or 'none'}",
            hint="rdma_nic_slots names it, in the variables of its product; NCCL finds it by no other name",
        )


@check("HOST-019")
def test_the_carrier_holds(nic: Nic, facts: Facts) -> None:
    if nic["name"] not in facts.interfaces():
        raise Waits("HOST-010")
    losses = facts.carrier_losses(limit.CARRIER_WINDOW_S).get(nic["name"], 0)
    if losses > limit.CARRIER_LOSSES_MAX:
        raise Broken(
            f"lost its carrier {losses} times in 24 h, allowed are {limit.CARRIER_LOSSES_MAX}",
            hint=f"clean or change the optics: `ethtool -m {nic['name']}`, {_peer(nic)}",
        )


def _peer(nic: Nic) -> str:
    return f"{nic.get('peer_device')} {nic.get('peer_port')}"


def _real(nic: Nic, facts: Facts) -> dict[str, Any]:
    """The interface, which must have a device behind it: what stands in for one has no FEC, lanes or firmware."""
    found = facts.interfaces().get(nic["name"])
    if found is None:
        raise Waits("HOST-010")
    if facts.is_virtual(nic["name"]):
        raise Unmeasured("no device stands behind this interface", stand_in=True)
    return found
