"""The smallest hall that has everything: build/<site>/ as the emitters would write it, by hand.

oob01: etp1 leaf01:eth0, etp2 spine01:eth0, etp3 ctl01:eth0, etp4.. mgmt0 and bmc of each node, cdu01:eth0
leaf01: etp1, etp2 rails of n01; etp3, etp4 rails of n02; etp9, etp10 to spine01
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

NODES = {"n01": ("supermicro", "smc_sys_421ge_tnhr2_lcc", 4, 2), "n02": ("dell", "dell_xe9680", 6, 3)}
"""Node -> vendor, product, PSUs, PSUs needed."""

RAILS = 2
OOB = "10.192.0."
OOB_HOSTS = ("leaf01", "spine01", "ctl01", "n01:mgmt0", "n01:bmc", "n02:mgmt0", "n02:bmc", "cdu01")
"""In the order of the access switch's ports; the address is the port's number plus one."""

Row = dict[str, object]


def write_small_hall(build: Path, site: str) -> None:
    """A folder and a site's name -> the files of the small hall there."""
    (build / "plan").mkdir(parents=True, exist_ok=True)
    devices = _devices(site)
    _csv(build / "devices.csv", devices)
    _csv(build / "cables.csv", _cables(site))
    _csv(build / "addresses.csv", _addresses(site))
    _csv(build / "power_cords.csv", _cords(site))
    for name, text in _switch_files(site).items():
        (build / "switches" / name).parent.mkdir(parents=True, exist_ok=True)
        (build / "switches" / name).write_text(text)
    loads = [(d["device"], 2800 if d["kind"] == "node" else None, None, 1000) for d in devices]
    schema: dict[str, type[pl.DataType]] = {
        "device": pl.String, "psu_rating_w": pl.Int64, "busbar": pl.String, "nameplate_w": pl.Int64,
    }  # fmt: skip
    pl.DataFrame(loads, schema=schema, orient="row").write_parquet(build / "plan" / "loads.parquet")
    gpus = [(f"{site}-{node}", index, "h100_sxm") for node in NODES for index in range(8)]
    units = {"unit": ["a0001"], "memory_gib": [2048], "nvme": [None], "cpus": [2], "threads": [224]}
    pl.DataFrame(units).write_parquet(build / "plan" / "units.parquet")
    schema = {"device": pl.String, "index": pl.UInt8, "product": pl.String}
    pl.DataFrame(gpus, schema=schema, orient="row").write_parquet(build / "plan" / "gpus.parquet")


def address(device: str, port: str = "eth0") -> str:
    """A device of the small hall -> its out-of-band address."""
    if device == "oob01":
        return f"{OOB}1"
    name = device if device in OOB_HOSTS else f"{device}:{port}"
    return f"{OOB}{OOB_HOSTS.index(name) + 2}"


def _devices(site: str) -> list[Row]:
    rows = [
        ("oob01", "switch", "leaf", "nvidia", "sn2201", "oob"),
        ("leaf01", "switch", "leaf", "nvidia", "sn5600", "rdma"),
        ("spine01", "switch", "spine", "nvidia", "sn5600", "rdma"),
        ("ctl01", "service", "control", "lindos", "control", ""),
        ("cdu01", "cdu", "cooling", "supermicro", "smc_cdu_250", ""),
        *((node, "node", "gpu", facts[0], facts[1], "") for node, facts in NODES.items()),
    ]
    return [
        {
            **dict(zip(("device", "kind", "role", "vendor", "product", "fabric"), row, strict=True)),
            "device": f"{site}-{row[0]}",
            "rack": f"{site}-r01",
            "unit": "a0001",
            "u": 4 * number,
        }
        for number, row in enumerate(rows, start=1)
    ]


def _cables(site: str) -> list[Row]:
    ends: list[tuple[str, str, str, str]] = []
    for number, host in enumerate(OOB_HOSTS, start=1):
        device, _, port = host.partition(":")
        ends.append((device, port or "eth0", "oob01", f"etp{number}"))
    for at, node in enumerate(NODES):
        ends += [(node, f"rail{rail}", "leaf01", f"etp{at * RAILS + rail + 1}") for rail in range(RAILS)]
    ends += [("leaf01", f"etp{9 + at}", "spine01", f"etp{1 + at}") for at in range(2)]
    return [
        {"link": f"{a}:{ap}", "a_device": f"{site}-{a}", "a_port": ap, "b_device": f"{site}-{b}", "b_port": bp}
        | {"rate_gbps": 400 if ap.startswith("rail") else 1}
        for a, ap, b, bp in ends
    ]


def _addresses(site: str) -> list[Row]:
    rows: list[tuple[object, ...]] = [("oob01", "br-oob", "gateway", f"{OOB}1", 26, "")]
    for number, host in enumerate(OOB_HOSTS, start=2):
        device, _, port = host.partition(":")
        purpose = "bmc" if port == "bmc" else "mgmt"
        rows.append((device, port or "eth0", purpose, f"{OOB}{number}", 26, f"{OOB}1"))
    for at, node in enumerate(NODES):
        for rail in range(RAILS):
            rows.append(
                (node, f"rail{rail}", "rail", f"10.{16 * rail}.0.{2 * at + 1}", 31, f"10.{16 * rail}.0.{2 * at}")
            )
            rows.append(("leaf01", f"etp{at * RAILS + rail + 1}", "rail", f"10.{16 * rail}.0.{2 * at}", 31, ""))
    names = ("device", "port", "purpose", "address", "prefix_len", "gateway")
    return [dict(zip(names, (f"{site}-{row[0]}", *row[1:]), strict=True)) for row in rows]


def _cords(site: str) -> list[Row]:
    psus = {**{node: facts[2] for node, facts in NODES.items()}, **dict.fromkeys(("oob01", "leaf01", "spine01"), 2)}
    # The spine stands at the end of the row, where only feed a reaches.
    feeds = {"spine01": "aa"}
    return [
        {
            "device": f"{site}-{device}",
            "psu": psu,
            "pdu": f"pdu-{feeds.get(device, 'ab')[(psu - 1) % 2]}",
            "feed": feeds.get(device, "ab")[(psu - 1) % 2],
            "psus_needed": NODES[device][3] if device in NODES else 1,
        }
        for device, count in psus.items()
        for psu in range(1, count + 1)
    ]


def _switch_files(site: str) -> dict[str, str]:
    oob_ports = [f"etp{number}" for number in range(1, len(OOB_HOSTS) + 1)]
    leaf = {f"etp{a * RAILS + r + 1}": f"10.{16 * r}.0.{2 * a}/31" for a in range(len(NODES)) for r in range(RAILS)}
    leaf |= {"etp9": "100.64.0.0/31", "etp10": "100.64.0.2/31"}
    spine = {"etp1": "100.64.0.1/31", "etp2": "100.64.0.3/31"}
    files = {
        f"{site}-oob01/interfaces": (
            f"auto br-oob\niface br-oob\n    address {OOB}1/26\n    bridge-ports {' '.join(oob_ports)}\n    bridge-stp off\n"
        ),
        f"{site}-leaf01/interfaces": _interfaces(leaf),
        f"{site}-spine01/interfaces": _interfaces(spine),
        f"{site}-leaf01/frr.conf": _bgp(4200000001, 4200100001, ("100.64.0.1", "100.64.0.3"), "10.0.0.0/24"),
        f"{site}-spine01/frr.conf": _bgp(4200100001, 4200000001, ("100.64.0.0", "100.64.0.2"), "10.160.0.1/32"),
    }
    for name in ("oob01", "leaf01", "spine01"):
        files[f"{site}-{name}/daemons"] = f"bgpd={'no' if name == 'oob01' else 'yes'}\nvtysh_enable=yes\n"
        files[f"{site}-{name}/lldpd.conf"] = (
            f"configure system hostname {site}-{name}\nconfigure lldp portidsubtype ifname\n"
            "configure lldp tx-interval 2\n"
        )
    return files


def _interfaces(ports: dict[str, str]) -> str:
    return "".join(f"auto {p}\niface {p}\n    address {a}\n    mtu 9216\n" for p, a in ports.items())


def _bgp(own: int, other: int, neighbours: tuple[str, ...], network: str) -> str:
    lines = [f"router bgp {own}", " no bgp ebgp-requires-policy", " no bgp network import-check"]
    lines += [f" neighbor {n} remote-as {other}" for n in neighbours]
    lines += [f" neighbor {n} timers 1 3" for n in neighbours]
    lines += [" address-family ipv4 unicast", f"  network {network}", " exit-address-family"]
    return "\n".join([*lines, ""])


def _csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
