"""What a BMC lets be changed: settings of the BIOS, staged until the next boot, and of the BMC itself, at once.

Attributes are some of those that BIOSes of these vendors have, under their names: Dell's stand for themselves,
Supermicro adds the number of the question, which differs between boards. A BMC forgets nothing when its machine is
off, but starts from its factory settings when the twin's service does.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

ROOT = "/redfish/v1"
BOOT_TARGETS = ("None", "Pxe", "UefiHttp", "Hdd", "Cd", "BiosSetup")


@dataclass(frozen=True, slots=True)
class Factory:
    """How a vendor's machine comes out of the box, and how its tree is laid out. `one_job`: staged settings are a job,
    and while it waits for a boot no other is taken. `stages_all`: the settings object shows every attribute.
    """

    settings: str
    bios: Mapping[str, Any]
    log: str
    entries: tuple[tuple[str, str, str], ...]
    firmware: Mapping[str, tuple[str, str]]
    one_job: bool = False
    stages_all: bool = False
    fan_mode: str | None = None
    restores: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)


FACTORIES = {
    "dell": Factory(
        settings="Settings",
        one_job=True,
        bios={
            "AcPwrRcvry": "Last",
            "BootMode": "Uefi",
            "BootSeqRetry": "Disabled",
            "HttpDev1EnDis": "Disabled",
            "LogicalProc": "Enabled",
            "NodeInterleave": "Disabled",
            "PcieAspmL1": "Enabled",
            "ProcVirtualization": "Enabled",
            "PxeDev1EnDis": "Enabled",
            "SriovGlobalEnable": "Disabled",
            "SubNumaCluster": "Disabled",
            "SysProfile": "PerfPerWattOptimizedDapc",
            "SystemServiceTag": "",
        },
        log="Sel",
        entries=(("2024-05-02T08:11:05-05:00", "OK", "Log cleared."),),
        attributes={
            "ThermalSettings.1.ThermalProfile": "Default Thermal Profile Settings",
            "IPMILan.1.Enable": "Enabled",
        },
        firmware={
            "Installed-159-2.3.5__BIOS.Setup.1-1": ("BIOS", "2.3.5"),
            "Installed-25227-7.10.50.00__iDRAC.Embedded.1-1": ("Integrated Dell Remote Access Controller", "{bmc}"),
            "Installed-110213-1.4.2__CPLD.Embedded.1": ("System CPLD", "1.4.2"),
        },
    ),
    "supermicro": Factory(
        settings="SD",
        stages_all=True,
        restores=True,
        bios={
            "ASPMSupport_0112": "Auto",
            "BootModeSelect_00C7": "DUAL",
            "Hyper_Threading_ALL__0021": "Enable",
            "IPv4HTTPSupport_009F": "Disabled",
            "IPv4PXESupport_00A0": "Enabled",
            "IntelVTforDirectedI_O_VT_d__0058": "Enable",
            "NUMA_0041": "Enabled",
            "PowerTechnology_0063": "Energy Efficient",
            "QuietBoot_0002": True,
            "SR_IOVSupport_002B": "Disabled",
        },
        log="Log1",
        entries=(("2024-05-02T13:11:05Z", "OK", "[INF-1001] System event log was cleared"),),
        fan_mode="Optimal",
        firmware={"BIOS": ("BIOS", "2.1"), "BMC": ("BMC", "{bmc}"), "CPLD_Motherboard_1": ("CPLD", "F1.02.0F")},
    ),
}


class Settings:
    """What was changed of one machine. `changed` by path and property; `staged` until the machine boots."""

    def __init__(self, vendor: str) -> None:
        self.factory = FACTORIES[vendor]
        self.bios = dict(self.factory.bios)
        self.staged: Json = {}
        self.changed: dict[str, Json] = {}
        self.entries = list(self.factory.entries)
        self.updates: list[Json] = []

    def boot(self) -> None:
        """The machine boots: its BIOS takes what was staged, and a boot source that was meant once is over."""
        self.bios.update(self.staged)
        self.staged.clear()
        for patch in self.changed.values():
            if patch.get("Boot", {}).get("BootSourceOverrideEnabled") == "Once":
                patch["Boot"] = {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"}

    def applied(self, tree: dict[str, Json]) -> dict[str, Json]:
        """The tree as a vendor ships it -> the same with what was changed."""
        for path, patch in self.changed.items():
            if path in tree:
                tree[path] = merged(tree[path], patch)
        return tree

    def refuses(self, path: str, before: Json, patch: Json) -> str | None:
        """What is asked of a resource -> why not, where it cannot be."""
        if "Attributes" in patch and path.startswith(f"{ROOT}/Systems"):
            unknown = sorted(set(patch["Attributes"]) - set(self.bios))
            if unknown:
                return f"The property {unknown[0]} is not in the list of valid properties for the resource."
            if self.factory.one_job and self.staged:
                return "Pending configuration values are already committed, unable to perform another set operation."
            return None
        unknown = sorted(name for name in patch if name not in before and not name.startswith("@"))
        return (
            f"The property {unknown[0]} is not in the list of valid properties for the resource." if unknown else None
        )

    def change(self, path: str, patch: Json) -> None:
        """Takes what was asked of a resource."""
        patch = {name: value for name, value in patch.items() if not name.startswith("@")}
        if "Attributes" in patch and path.startswith(f"{ROOT}/Systems"):
            self.staged.update(patch["Attributes"])
        else:
            self.changed[path] = merged(self.changed.get(path, {}), patch)


def merged(base: Json, patch: Json) -> Json:
    """An object and a patch of it (RFC 7386, without removal) -> the object afterwards."""
    out = copy.deepcopy(base)
    for name, value in patch.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merged(out[name], value) if both else value
    return out


def changeable(system: str, manager: str, settings: Settings) -> frozenset[str]:
    """Paths of resources that take a PATCH."""
    factory = settings.factory
    found = {system, f"{system}/Bios/{factory.settings}", f"{manager}/NetworkProtocol"}
    if factory.fan_mode:
        found.add(f"{manager}/Oem/Supermicro/FanMode")
    if factory.attributes:
        found.add(attributes_path(manager))
    return frozenset(found)


def attributes_path(manager: str) -> str:
    """Where iDRAC keeps its own attributes."""
    return f"{manager}/Oem/Dell/DellAttributes/{manager.rpartition('/')[2]}"


def bios(system: str, settings: Settings) -> list[Json]:
    """The BIOS as it is, and as it will be after the next boot."""
    factory, path = settings.factory, f"{system}/Bios"
    staged = f"{path}/{factory.settings}"
    kind = "#Bios.v1_1_0.Bios"
    times = {"SupportedApplyTimes": ["OnReset", "AtMaintenanceWindowStart"]} if factory.one_job else {}
    later = {**settings.bios, **settings.staged} if factory.stages_all else dict(settings.staged)
    return [
        {
            "@odata.id": path,
            "@odata.type": kind,
            "Id": "Bios",
            "Name": "BIOS Configuration Current Settings",
            "AttributeRegistry": "BiosAttributeRegistry.v1_0_0",
            "Attributes": dict(settings.bios),
            "@Redfish.Settings": {
                "@odata.type": "#Settings.v1_3_0.Settings",
                "SettingsObject": {"@odata.id": staged},
                **times,
            },
        },
        {
            "@odata.id": staged,
            "@odata.type": kind,
            "Id": factory.settings,
            "Name": "BIOS Configuration Pending Settings",
            "Attributes": later,
        },
    ]


def of_manager(manager: str, settings: Settings) -> list[Json]:
    """Network services of the BMC, its fans, its own attributes."""
    factory = settings.factory
    found: list[Json] = [
        {
            "@odata.id": f"{manager}/NetworkProtocol",
            "@odata.type": "#ManagerNetworkProtocol.v1_6_0.ManagerNetworkProtocol",
            "Id": "NetworkProtocol",
            "Name": "Manager Network Protocol",
            "HTTPS": {"ProtocolEnabled": True, "Port": 443},
            "IPMI": {"ProtocolEnabled": True, "Port": 623},
            "SSH": {"ProtocolEnabled": True, "Port": 22},
            "NTP": {"ProtocolEnabled": False, "NTPServers": ["", "", ""]},
        }
    ]
    if factory.fan_mode:
        found.append(
            {
                "@odata.id": f"{manager}/Oem/Supermicro/FanMode",
                "@odata.type": "#FanMode.v1_0_1.FanMode",
                "Id": "Fan Mode",
                "Name": "FanMode",
                "Mode": factory.fan_mode,
                "Mode@Redfish.AllowableValues": ["FullSpeed", "Optimal", "HeavyIO"],
            }
        )
    if factory.attributes:
        found.append(
            {
                "@odata.id": attributes_path(manager),
                "@odata.type": "#DellAttributes.v1_0_0.DellAttributes",
                "Id": manager.rpartition("/")[2],
                "Name": "DellAttributes",
                "Attributes": dict(factory.attributes),
            }
        )
    return found


def clear_path(at: str, settings: Settings) -> str:
    """Where a log is emptied."""
    return f"{at}/LogServices/{settings.factory.log}/Actions/LogService.ClearLog"


def logs(at: str, settings: Settings) -> list[Json]:
    """The event log below a manager or a system."""
    services, path = f"{at}/LogServices", f"{at}/LogServices/{settings.factory.log}"
    entries = [
        {
            "@odata.id": f"{path}/Entries/{number}",
            "@odata.type": "#LogEntry.v1_8_0.LogEntry",
            "Id": str(number),
            "Name": f"Log Entry {number}",
            "EntryType": "SEL",
            "Created": created,
            "Severity": severity,
            "Message": message,
        }
        for number, (created, severity, message) in enumerate(settings.entries, start=1)
    ]
    return [
        _collection(services, "LogService", [path]),
        {
            "@odata.id": path,
            "@odata.type": "#LogService.v1_1_3.LogService",
            "Id": settings.factory.log,
            "Name": "SEL Log Service",
            "Entries": {"@odata.id": f"{path}/Entries"},
            "Actions": {"#LogService.ClearLog": {"target": clear_path(at, settings)}},
        },
        {**_collection(f"{path}/Entries", "LogEntry", []), "Members": entries, "Members@odata.count": len(entries)},
        *entries,
    ]


def update_service(settings: Settings, bmc_firmware: str) -> list[Json]:
    """What firmware there is, and where an image would be named."""
    path = f"{ROOT}/UpdateService"
    found = [
        {
            "@odata.id": f"{path}/FirmwareInventory/{name}",
            "@odata.type": "#SoftwareInventory.v1_4_0.SoftwareInventory",
            "Id": name,
            "Name": title,
            "Version": version.format(bmc=bmc_firmware),
            "Updateable": True,
            "Status": {"State": "Enabled", "Health": "OK"},
        }
        for name, (title, version) in settings.factory.firmware.items()
    ]
    target = f"{path}/Actions/UpdateService.SimpleUpdate"
    return [
        {
            "@odata.id": path,
            "@odata.type": "#UpdateService.v1_8_0.UpdateService",
            "Id": "UpdateService",
            "Name": "Update Service",
            "ServiceEnabled": True,
            "FirmwareInventory": {"@odata.id": f"{path}/FirmwareInventory"},
            "Actions": {
                "#UpdateService.SimpleUpdate": {
                    "target": target,
                    "TransferProtocol@Redfish.AllowableValues": ["HTTP", "HTTPS"],
                }
            },
        },
        _collection(f"{path}/FirmwareInventory", "SoftwareInventory", [str(f["@odata.id"]) for f in found]),
        *found,
    ]


def _collection(path: str, kind: str, members: list[str]) -> Json:
    return {
        "@odata.id": path,
        "@odata.type": f"#{kind}Collection.{kind}Collection",
        "Name": f"{kind} Collection",
        "Members": [{"@odata.id": member} for member in members],
        "Members@odata.count": len(members),
    }
