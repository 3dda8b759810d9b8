"""Nobody asked, so the node is up since before the roles came."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_nothing_was_rebooted(host: Host) -> None:
    up_s = int(host.check_output("ps --no-headers -o etimes 1"))
    since_roles_came = int(
        host.check_output("echo $(( $(date +%s) - $(stat --format=%Y ~root/.ssh/authorized_keys) ))")
    )
    # The key was put there when the node came up.
    assert up_s >= since_roles_came - 60
