"""Plan -> what puts a configuration on a new switch: SONiC's and Cumulus' zero touch; DHCP leads there (dhcp.py)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lindos.emit.artefact import Artefact
from lindos.emit.intent import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan

SCRIPT = """\
#!/bin/bash
# Zero touch of Cumulus Linux for site {site}: fetches the configuration of this switch by the name DHCP gave it.
# generated, edits are lost; not validated by a device
# CUMULUS-AUTOPROVISIONING
set -euo pipefail
name=$(hostname -s)
file=$(mktemp --suffix=.yaml)
curl --fail --silent --show-error --retry 10 --retry-connrefused --output "$file" "{url}/switches/$name/nvue.yaml"
nv config replace "$file"
nv config apply --assume-yes
nv config save
exit 0
"""


def _ztp(url: str) -> dict[str, Any]:
    """The address of the build folder -> ztp.json: one for all, each switch asks for its own by its host name."""
    source = {"prefix": f"{url}/switches/", "identifier": "hostname", "suffix": "/config_db.json"}
    target = "/etc/sonic/config_db.json"
    section = {"dynamic-url": {"source": source, "destination": target}, "clear-config": True, "save-config": True}
    return {"ztp": {"01-configdb-json": section}}


def zero_touch(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """ztp/: where a site has control hosts that can serve it."""
    found = servers(plan)
    if not found:
        return
    url = f"http://{found[0]}"
    yield Artefact("ztp/ztp.json", (json.dumps(_ztp(url), indent=2) + "\n").encode())
    yield Artefact("ztp/cumulus.sh", SCRIPT.format(site=plan.site, url=url).encode())
