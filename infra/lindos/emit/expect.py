"""Plan -> what verification expects of every node, one file a unit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lindos.emit.artefact import Artefact
from lindos.emit.inventory import services
from lindos.plan.outfit import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lindos.emit.nodes import HostView
    from lindos.plan.tables import Plan


def _expectation(host: HostView, software: Mapping[str, str], services: Sequence[str]) -> dict[str, Any]:
    rails = [p.hca for p in host.ports if p.purpose == "rail"] + [p.hca for p in host.hcas]
    frontend = next((p.name for p in host.ports if p.purpose == "frontend"), "mgmt0")
    aside = {str(KIB[size]): count for size, count in host.outfit.hugepages.items()}
    # Only who is on InfiniBand has ports of it.
    built = {"memory_gib": host.outfit.memory_gib, "nvme_drives": host.outfit.nvme}
    built |= {"cpus": host.outfit.cpus, "threads": host.outfit.threads}
    infiniband = {"hcas": [p._asdict() for p in host.hcas]} if host.hcas else {}
    return {
        "host": host.device,
        "unit": host.unit,
        "vendor": host.vendor,
        "product": host.product,
        "gpu": {"count": host.gpus, "model": host.gpu},
        # What a busbar feeds has no power supplies of its own.
        **({"psus": host.psus} if host.psus else {}),
        **{what: count for what, count in built.items() if count is not None},
        **({"hugepages": aside} if aside else {}),
        "services": list(services),
        "software": dict(software),
        "nics": [p.told() for p in host.ports if p.purpose != "bmc"],
        **infiniband,
        "nccl": {"NCCL_IB_HCA": f"={','.join(str(r) for r in rails)}", "NCCL_SOCKET_IFNAME": f"={frontend}"},
    }


def expectations(plan: Plan, views: Iterable[HostView], software: Mapping[str, str]) -> Iterator[Artefact]:
    """Hosts and versions -> expect/<slice>.json: host -> expectation."""
    running = services(plan)
    by_slice: dict[str, dict[str, Any]] = {}
    for host in views:
        by_slice.setdefault(host.slice, {})[host.device] = _expectation(host, software, running[host.unit])
    for slice_, hosts in by_slice.items():
        yield Artefact(
            f"expect/{slice_}.json", json.dumps(hosts, separators=(",", ":"), sort_keys=True).encode(), slice_
        )
