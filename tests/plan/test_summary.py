"""What `lindos plan` says of a site to people, to the letter."""

from __future__ import annotations

from pathlib import Path

from lindos.cli import _summary, counts
from lindos.plan import design_site

SITES = Path(__file__).parents[1] / "rules"
TRAYS = """\
trays  digest 0123456789ab  designed in 1.5 s
        144 GPUs in 36 nodes, 2 racks of nodes, 1 unit, 1 hall
            beside them 3 network racks, 2 CDUs, 16 power shelves, 18 NVSwitch trays, 1 service host
          6 rdma switches: 4 leaf, 2 spine
        400 rdma links: 144 node to leaf, 256 leaf to spine
          7 frontend switches: 2 leaf, 5 spine
        122 frontend links: 72 node to leaf, 50 leaf to spine
          9 oob switches: 7 leaf, 2 spine
        156 oob links: 142 node to leaf, 14 leaf to spine
        668 cables
      0.313 MW of IT nameplate, 0.279 MW typical under training"""


def test_a_plan_is_told_in_counts_of_things_and_links() -> None:
    _, plan = design_site(SITES / "trays.yaml")
    watts = {f"it_{w}": int(plan.loads[f"{w}_w"].sum()) / 1e6 for w in ("nameplate", "typical")}
    said = {"site": plan.site, "digest": "0123456789abcdef", "seconds": 1.5, "counts": counts(plan), "power_mw": watts}
    assert _summary(said) == TRAYS
