"""The front-end port has its address, and its network is reached through it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_the_front_end_is_reached_by_its_own_port(host: Host) -> None:
    (route,) = json.loads(host.check_output("ip -json route get 10.130.4.9"))
    assert (route["dev"], route["gateway"], route["prefsrc"]) == ("fe0", "10.128.0.0", "10.128.0.1")


def check_the_leaf_answers(host: Host) -> None:
    assert host.run("ping -c 1 -W 2 -M do -s 8972 10.128.0.0").rc == 0


def check_the_out_of_band_port_is_left_alone(host: Host) -> None:
    links = {line.split()[1]: line.split()[-1] for line in host.check_output("networkctl --no-legend").splitlines()}
    assert links["fe0"] == "configured"
    assert links["mgmt0"] == "unmanaged"
