"""What build/<site> says should be there: nodes, addresses, cables. Read, never computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lindos.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Collection

    from lindos.verify.mistakes import End
    from lindos.workspace import Workspace

BMC_PORT = "bmc"

SPEAKERS = ("node", "switch")
"""Kinds of device that run LLDP; a CDU's controller or a service machine may not."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site as built. `expect`: host -> expectation; the frames are the CSV files of the same names."""

    name: str
    expect: dict[str, dict[str, Any]]
    devices: pl.DataFrame
    cables: pl.DataFrame
    addresses: pl.DataFrame

    def racks(self) -> dict[str, str]:
        return dict(self.devices.select("device", "rack").iter_rows())

    def management(self) -> dict[str, str]:
        """Device -> the address to log in at: its management port's, or that of the segment which it serves itself."""
        oob = self.devices.filter(pl.col("fabric") == "oob").select("device")
        own = self.addresses.filter(pl.col("purpose") == "mgmt")
        served = self.addresses.filter(pl.col("purpose") == "gateway").join(oob, on="device", how="semi")
        fallback = self.addresses.filter(pl.col("purpose") == "loopback").join(oob, on="device", how="semi")
        found: dict[str, str] = {}
        for frame in (own, served, fallback):
            for device, address in frame.select("device", "address").iter_rows():
                found.setdefault(device, address)
        return found

    def bmcs(self) -> dict[str, str]:
        """Node -> the address of its BMC."""
        return dict(self.addresses.filter(pl.col("purpose") == "bmc").select("device", "address").iter_rows())

    def switches(self) -> list[str]:
        """Those that can be asked: an InfiniBand switch has no operating system of ours and speaks no LLDP."""
        return self.devices.filter(pl.col("kind") == "switch", pl.col("nos") != "")["device"].to_list()

    def infiniband(self) -> list[str]:
        """Fabrics whose cables LLDP cannot tell of."""
        mute = self.devices.filter(pl.col("kind") == "switch", pl.col("nos") == "")
        return mute["fabric"].unique().sort().to_list()

    def mute(self) -> set[End]:
        """Ends of cables that send no LLDP."""
        speaks = pl.col("kind").is_in(SPEAKERS) & ((pl.col("kind") != "switch") | (pl.col("nos") != ""))
        speakers = self.devices.filter(speaks).select("device")
        ends = pl.concat(
            [
                self.cables.select(device="a_device", port="a_port"),
                self.cables.select(device="b_device", port="b_port"),
            ]
        )
        silent = ends.join(speakers, on="device", how="anti")
        return set(silent.iter_rows()) | set(ends.filter(pl.col("port") == BMC_PORT).iter_rows())

    def only(self, hosts: Collection[str]) -> Site:
        """The site as far as some hosts are concerned: these, their cables, and what their cables lead to."""
        unknown = sorted(set(hosts) - set(self.expect))
        if unknown:
            raise SpecError(
                Problem(
                    f"no node of {self.name} is called {', '.join(unknown)}",
                    hint=f"nodes are named like {next(iter(sorted(self.expect)), 'nothing: the site has none')}",
                )
            )
        mine = pl.col("a_device").is_in(sorted(hosts)) | pl.col("b_device").is_in(sorted(hosts))
        cables = self.cables.filter(mine)
        near = {*hosts, *cables["a_device"], *cables["b_device"]}
        return Site(
            self.name,
            {host: self.expect[host] for host in sorted(hosts)},
            self.devices.filter(pl.col("device").is_in(sorted(near))),
            cables,
            self.addresses,
        )


def read_site(workspace: Workspace) -> Site:
    """A workspace -> its Site. Raises SpecError where the site was not built."""
    build = workspace.build
    if not (build / "manifest.json").is_file():
        raise SpecError(
            Problem(f"{build} holds no artefacts of {workspace.site}", hint=f"lindos emit {workspace.site}")
        )
    expect: dict[str, dict[str, Any]] = {}
    for path in sorted((build / "expect").glob("*.json")):
        expect |= json.loads(path.read_text(encoding="utf-8"))
    frames = {
        name: pl.read_csv(build / f"{name}.csv", infer_schema=False).with_columns(pl.all().fill_null(""))
        for name in ("devices", "cables", "addresses")
    }
    return Site(workspace.site, expect, **frames)
