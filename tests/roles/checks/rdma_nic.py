"""Each rail NIC answers and leaves by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host

RAILS = (("rail0", "10.0.0.1", "10.0.0.0", "10.5.6.7"), ("rail1", "10.16.0.1", "10.16.0.0", "10.21.6.7"))


def check_a_rail_is_reached_by_its_own_nic(host: Host) -> None:
    for name, _, gateway, far in RAILS:
        (route,) = json.loads(host.check_output(f"ip -json route get {far}"))
        assert (route["dev"], route["gateway"]) == (name, gateway)


def check_an_answer_leaves_by_the_nic_that_was_asked(host: Host) -> None:
    for name, address, gateway, _ in RAILS:
        # An address of another rail, and of one that this node has no NIC on.
        for far in ("10.21.6.7", "10.117.6.7"):
            (route,) = json.loads(host.check_output(f"ip -json route get {far} from {address}"))
            assert (route["dev"], route["gateway"]) == (name, gateway)


def check_the_leaf_answers_with_full_frames(host: Host) -> None:
    for name, _, gateway, _ in RAILS:
        assert host.run(f"ping -c 1 -W 2 -M do -s 8972 -I {name} {gateway}").rc == 0


def check_each_nic_has_its_settings(host: Host) -> None:
    wanted = {"accept_local": "1", "arp_announce": "2", "arp_ignore": "2", "rp_filter": "2"}
    for name, *_ in RAILS:
        folder = f"/proc/sys/net/ipv4/conf/{name}"
        assert {key: host.file(f"{folder}/{key}").content_string.strip() for key in wanted} == wanted


def check_routes_of_others_survive_a_restart(host: Host) -> None:
    host.check_output("ip route replace 198.51.100.0/24 via 10.0.0.0 dev rail0 proto bgp")
    try:
        host.check_output("systemctl restart systemd-networkd && networkctl --no-legend")
        assert "proto bgp" in host.check_output("ip route show 198.51.100.0/24")
    finally:
        host.run("ip route del 198.51.100.0/24 proto bgp")


def check_addresses_survive_a_loss_of_carrier(host: Host) -> None:
    host.check_output("ip link set rail1 down && ip link set rail1 up")
    if "10.16.0.1/31" not in host.check_output("ip -4 address show rail1"):
        pytest.fail("rail1 has lost its address")


def check_nothing_is_named_by_slot_where_no_slot_is_given(host: Host) -> None:
    assert host.run("ls /etc/systemd/network/*.link").rc != 0
    assert not host.file("/etc/udev/rules.d/60-rdma-persistent-naming.rules").exists


def check_the_stack_is_the_distributions(host: Host) -> None:
    # What libibverbs reads: without it no device of these NICs opens.
    assert host.file("/etc/libibverbs.d/mlx5.driver").content_string.split() == ["driver", "mlx5"]
    assert host.package("rdma-core").is_installed
    assert not host.file("/usr/share/lindos-twin/packages/rdma-core").exists
