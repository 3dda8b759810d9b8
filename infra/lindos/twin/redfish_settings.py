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
class Objection:
    """Why a PATCH is not taken, and which properties are to blame, as paths in the resource."""

    message_id: str
    message: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Factory:
    """How a vendor's machine comes out of the box, and how its tree is laid out. `one_job`: staged settings are a job,
    and while it waits for a boot no other is taken. `stages_all`: the settings object shows every attribute.

    `unless`: an attribute -> the other one, and the value that this must have for the first to be writable.
    `follow`: an attribute and its value -> what others become with it. `boot_staged`: members of Boot that the
    system's own settings object shows; without any there is none. `boot_fixed`: the system itself takes no Boot, as
    with iDRAC 10. `boot_mode`: what a BootSourceOverrideMode becomes that is left out of a Boot.
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
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unless: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    follow: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    boot_staged: tuple[str, ...] = ()
    boot_fixed: bool = False
    boot_mode: str | None = None


POWER_SAVING = ("PcieAspmL1", "ProcC1E", "ProcCStates")
"""Attributes of a Dell BIOS that its SysProfile decides on, as the registry of a PowerEdge R750 has it."""

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
            "ProcC1E": "Enabled",
            "ProcCStates": "Enabled",
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
            "iDRAC.Embedded.1": {"IPMILan.1.Enable": "Enabled"},
            "System.Embedded.1": {"ThermalSettings.1.ThermalProfile": "Default Thermal Profile Settings"},
            "LifecycleController.Embedded.1": {"LCAttributes.1.LifecycleControllerState": "Enabled"},
        },
        values={
            "ThermalSettings.1.ThermalProfile": (
                "Default Thermal Profile Settings",
                "Maximum Performance",
                "Minimum Power",
                "Sound Cap",
            )
        },
        unless=dict.fromkeys(POWER_SAVING, ("SysProfile", "Custom")),
        follow={
            ("SysProfile", "PerfOptimized"): dict.fromkeys(POWER_SAVING, "Disabled"),
            ("SysProfile", "PerfPerWattOptimizedDapc"): dict.fromkeys(POWER_SAVING, "Enabled"),
        },
        boot_staged=("BootOrder", "BootSourceOverrideMode"),
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
        boot_mode="Legacy",
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
    """What was changed of one machine. `changed` by path and property; `staged` until the machine boots, attributes of
    the BIOS, and `waiting` alike, by the path of the resource that it is meant for.
    """

    def __init__(self, vendor: str) -> None:
        self.factory = FACTORIES[vendor]
        self.bios = dict(self.factory.bios)
        self.staged: Json = {}
        self.waiting: dict[str, Json] = {}
        self.changed: dict[str, Json] = {}
        self.entries = list(self.factory.entries)
        self.updates: list[Json] = []

    def boot(self) -> None:
        """The machine boots: it takes what was staged, and a boot source that was meant once is over."""
        self.bios.update(self.staged)
        for (name, value), others in self.factory.follow.items():
            if self.bios.get(name) == value:
                self.bios.update(others)
        self.staged.clear()
        for path, patch in self.waiting.items():
            self.changed[path] = merged(self.changed.get(path, {}), patch)
        self.waiting.clear()
        over = {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"}
        for patch in self.changed.values():
            if patch.get("Boot", {}).get("BootSourceOverrideEnabled") == "Once":
                patch["Boot"].update(over)

    def applied(self, tree: dict[str, Json]) -> dict[str, Json]:
        """The tree as a vendor ships it -> the same with what was changed."""
        for path, patch in self.changed.items():
            if path in tree:
                tree[path] = merged(tree[path], patch)
        return tree

    def refuses(self, path: str, before: Json, patch: Json) -> Objection | None:
        """What is asked of a resource -> why not, where it cannot be; nothing of it is taken then."""
        patch = {name: value for name, value in patch.items() if not name.startswith("@")}
        known = {**before, "Attributes": self._attributes(path, before)} if "Attributes" in before else before
        if unknown := sorted(_unknown(known, patch)):
            message = f"The property {_last(unknown[0])} is not in the list of valid properties for the resource."
            return Objection("Base.1.8.PropertyUnknown", message, tuple(unknown))
        if self.factory.boot_fixed and "Boot" in patch and "@Redfish.Settings" in before:
            message = "The property Boot is a read-only property and cannot be assigned a value."
            return Objection("Base.1.8.PropertyNotWritable", message, ("Boot",))
        return self._refuses_attributes(patch["Attributes"], _of_bios(path)) if "Attributes" in patch else None

    def _refuses_attributes(self, asked: Json, bios: bool) -> Objection | None:
        paths = tuple(f"Attributes/{name}" for name in sorted(asked))
        if bios and self.factory.one_job and self.staged:
            message = "Pending configuration values are already committed, unable to perform another set operation."
            return Objection("IDRAC.2.8.SYS011", message, paths)
        # What the same request says of the other attribute counts already.
        will = {**self.bios, **self.staged, **asked}
        fixed = [
            n
            for n in sorted(asked)
            if n in self.factory.unless and will[self.factory.unless[n][0]] != self.factory.unless[n][1]
        ]
        if bios and fixed:
            message = (
                "Unable to modify the attribute because the attribute is read-only and depends on other attributes."
            )
            return Objection("IDRAC.2.8.SYS410", message, tuple(f"Attributes/{name}" for name in fixed))
        for name, value in sorted(asked.items()):
            if value not in self.factory.values.get(name, (value,)):
                message = f"The value {value} for the property {name} is not in the list of acceptable values."
                return Objection("Base.1.8.PropertyValueNotInList", message, (f"Attributes/{name}",))
        return None

    def _attributes(self, path: str, before: Json) -> Json:
        """The settings object of a Dell BIOS shows those alone that wait, and takes all."""
        return self.bios if _of_bios(path) else dict(before["Attributes"])

    def change(self, path: str, patch: Json) -> None:
        """Takes what was asked of a resource."""
        patch = {name: value for name, value in patch.items() if not name.startswith("@")}
        meant = path.removesuffix("/Settings")
        if "Attributes" in patch and _of_bios(path):
            self.staged.update(patch["Attributes"])
        elif meant != path:
            self.waiting[meant] = merged(self.waiting.get(meant, {}), patch)
        else:
            if self.factory.boot_mode and "Boot" in patch:
                patch["Boot"] = {"BootSourceOverrideMode": self.factory.boot_mode, **patch["Boot"]}
            self.changed[path] = merged(self.changed.get(path, {}), patch)


def _of_bios(path: str) -> bool:
    return path.startswith(f"{ROOT}/Systems/") and "/Bios/" in path


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _unknown(before: Json, patch: Json, place: str = "") -> list[str]:
    """A resource and a patch -> the properties that it has not, by their paths."""
    found = []
    for name, value in patch.items():
        if name not in before:
            found.append(f"{place}{name}")
        elif isinstance(value, dict) and isinstance(before[name], dict):
            found += _unknown(before[name], value, f"{place}{name}/")
    return found


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
    if factory.boot_staged:
        found.add(f"{system}/Settings")
    return frozenset([*found, *attributes_paths(manager, factory)])


def attributes_paths(manager: str, factory: Factory) -> list[str]:
    """Where iDRAC keeps its own attributes, those of the machine and those of its Lifecycle Controller."""
    return [f"{manager}/Oem/Dell/DellAttributes/{name}" for name in factory.attributes]


def of_system(system: Json, settings: Settings) -> list[Json]:
    """A system as it is -> its settings object: as it will be, where the vendor lets that be said."""
    if not settings.factory.boot_staged:
        return []
    path = str(system["@odata.id"])
    boot = merged(system, settings.waiting.get(path, {}))["Boot"]
    return [
        {
            "@odata.id": f"{path}/Settings",
            "@odata.type": system["@odata.type"],
            "Id": "Settings",
            "Name": "System",
            "Boot": {name: boot[name] for name in settings.factory.boot_staged},
        }
    ]


def settings_object(path: str, *times: str) -> Json:
    """Where settings of a resource are staged, and for when -> the annotation that says so."""
    return {
        "@Redfish.Settings": {
            "@odata.type": "#Settings.v1_3_0.Settings",
            "SettingsObject": {"@odata.id": path},
            **({"SupportedApplyTimes": list(times)} if times else {}),
        }
    }


def bios(system: str, settings: Settings) -> list[Json]:
    """The BIOS as it is, and as it will be after the next boot."""
    factory, path = settings.factory, f"{system}/Bios"
    staged = f"{path}/{factory.settings}"
    kind = "#Bios.v1_1_0.Bios"
    times = ("OnReset", "AtMaintenanceWindowStart") if factory.one_job else ()
    later = {**settings.bios, **settings.staged} if factory.stages_all else dict(settings.staged)
    return [
        {
            "@odata.id": path,
            "@odata.type": kind,
            "Id": "Bios",
            "Name": "BIOS Configuration Current Settings",
            "AttributeRegistry": "BiosAttributeRegistry.v1_0_0",
            "Attributes": dict(settings.bios),
            **settings_object(staged, *times),
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
    for path, (name, attributes) in zip(attributes_paths(manager, factory), factory.attributes.items(), strict=True):
        own = {"@odata.type": "#DellAttributes.v1_0_0.DellAttributes", "Name": "DellAttributes"}
        # What is staged here waits for a maintenance window, which the twin has none of: nothing ever does.
        staged = {"@odata.id": f"{path}/Settings", "Id": "Settings", **own, "Attributes": {}}
        times = settings_object(f"{path}/Settings", "Immediate", "AtMaintenanceWindowStart")
        found += [{"@odata.id": path, "Id": name, **own, **times, "Attributes": dict(attributes)}, staged]
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
