"""What `lindos plan` says of a site to people, to the letter."""

from __future__ import annotations

from lindos.cli import _summary

COUNTS = {
    "gpus": 1_440, "nodes": 360, "racks": 20, "units": 1, "halls": 2, "buildings": 0, "network_racks": 4,
    "devices": {"node": 360, "shelf": 160, "switch": 23, "cdu": 1, "nvswitch": 180, "storage": 40, "service": 2},
    "storage_racks": 2,
    "switches": {"rdma": {"leaf": 20, "spine": 10, "core": 0}, "oob": {"leaf": 1, "spine": 0, "core": 0}},
    "links": {"rdma": {"node_leaf": 1_440, "leaf_spine": 1_280, "spine_core": 0}, "oob": {"node_leaf": 40, "leaf_spine": 0, "spine_core": 0}},
    "cables": 2_760,
}  # fmt: skip
CARRIED = {
    "oversubscription": {"rdma": {"asked": 1, "reached": 0.9}},
    "storage": {
        "fabric": "storage", "servers": 40, "racks": 2, "read_gbs": 2_840.0, "write_gbs": None, "ports_gbs": 4_000.0,
        "uplinks_gbs": 1_000.0, "nodes_gbs": 12_500.0,
    },
}  # fmt: skip
TEXT = """\
demo  digest 0123456789ab  designed in 1.5 s
      1,440 GPUs in 360 nodes, 20 racks of nodes, 1 unit, 2 halls
            beside them 4 network racks, 1 CDU, 160 power shelves, 180 NVSwitch trays, 40 storage servers, 2 racks of storage servers, 2 service hosts
         30 rdma switches: 20 leaf, 10 spine
      2,720 rdma links: 1,440 node to leaf, 1,280 leaf to spine
            0.9:1 at the fullest leaf, 1:1 is asked for
          1 oob switches: 1 leaf
         40 oob links: 40 node to leaf
            storage servers read 2,840 GB/s; their ports carry 4,000 GB/s
            the uplinks of their leaves carry 1,000 GB/s, the ports of the nodes 12,500 GB/s
      2,760 cables
      2.640 MW of IT nameplate, 2.400 MW typical under training
      2.000 MW to liquid, 0.640 MW to air at nameplate, design day: PUE 1.250, 96,000 L of water a day (1.52 L/kWh)
      1.800 MW to liquid, 0.600 MW to air under training, mean weather: PUE 1.180 without losses of the power train, \
0 L of water a day (0.00 L/kWh)
        180 m3/h of coolant through CDUs at nameplate"""
COOLING = {
    "coolant_m3_h": 180.0,
    "nameplate": {
        "liquid_mw": 2.0, "air_mw": 0.64, "pue": 1.25, "losses_counted": True, "water_l_day": 96_000, "wue_l_kwh": 1.52,
    },
    "typical": {
        "liquid_mw": 1.8, "air_mw": 0.6, "pue": 1.18, "losses_counted": False, "water_l_day": 0, "wue_l_kwh": 0.0,
    },
}  # fmt: skip


def test_a_plan_is_told_in_counts_of_things_and_links() -> None:
    watts = {"it_nameplate": 2.64, "it_typical": 2.4}
    said = {"site": "demo", "digest": "0123456789abcdef", "seconds": 1.5, "counts": COUNTS, "power_mw": watts}
    said["carried"] = CARRIED
    said["cooling"] = COOLING
    assert _summary(said) == TEXT
