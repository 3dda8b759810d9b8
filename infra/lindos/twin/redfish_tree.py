"""What a BMC knows of its machine -> the Redfish resources it shows, in its vendor's dialect.

Field names are those of the DMTF schemas (DSP0266, DSP8010); the Oem parts are what the vendors' own services show.
Differences between vendors are values of a Dialect, listed in DIALECTS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindos.twin.redfish_settings import (
    BOOT_TARGETS,
    Settings,
    attributes_paths,
    bios,
    logs,
    of_manager,
    of_system,
    settings_object,
    update_service,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lindos.twin.hardware import Hardware
    from lindos.twin.power import Supply

Json = dict[str, Any]

ROOT = "/redfish/v1"
LINE_VOLTS = 230
"""Nominal voltage of a live PSU inlet; the twin has no meter."""


@dataclass(frozen=True, slots=True)
class View:
    """One BMC's knowledge at one moment."""

    power_state: str
    hardware: Hardware
    supply: Supply
    psu_rating_w: int | None
    bmc_address: str
    bmc_mac: str
    last_reset: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a dialect says no: HTTP status, message id and text, and the properties that it is about."""

    status: int
    message_id: str
    message: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the vendors' services. A `Refusal` of None: the request is accepted and changes nothing."""

    vendor: str
    manufacturer: str
    system: str
    manager: str
    chassis: str
    firmware: str
    redfish_version: str
    psu_name: str
    psu_id: str
    reset_types: tuple[str, ...]
    reset_status: int
    dead_psu_state: str
    on_when_on: Refusal | None
    off_when_off: Refusal | None
    model: Callable[[str], str]
    system_oem: Callable[[View], Json]
    nic_id: str

    @property
    def system_path(self) -> str:
        return f"{ROOT}/Systems/{self.system}"

    @property
    def manager_path(self) -> str:
        return f"{ROOT}/Managers/{self.manager}"

    @property
    def chassis_path(self) -> str:
        return f"{ROOT}/Chassis/{self.chassis}"

    @property
    def log_owner(self) -> str:
        """The event log hangs below the manager (iDRAC) or below the system (Supermicro)."""
        return self.manager_path if self.vendor == "dell" else self.system_path

    def out_of_the_box(self) -> Settings:
        """Settings as the factory left them."""
        return Settings(self.vendor)

    @property
    def reset_path(self) -> str:
        return f"{self.system_path}/Actions/ComputerSystem.Reset"


def _dell_oem(view: View) -> Json:
    return {
        "Dell": {
            "DellSystem": {
                "@odata.type": "#DellSystem.v1_4_0.DellSystem",
                "ChassisServiceTag": view.hardware.serial,
                "NodeID": view.hardware.serial,
                "PSRollupStatus": _health(view.supply),
            }
        }
    }


DIALECTS: dict[str, Dialect] = {
    "dell": Dialect(
        vendor="dell",
        manufacturer="Dell Inc.",
        system="System.Embedded.1",
        manager="iDRAC.Embedded.1",
        chassis="System.Embedded.1",
        firmware="7.10.50.00",
        redfish_version="1.20.1",
        psu_name="PS{} Status",
        psu_id="PSU.Slot.{}",
        reset_types=(
            "On",
            "ForceOff",
            "ForceRestart",
            "GracefulRestart",
            "GracefulShutdown",
            "PushPowerButton",
            "Nmi",
            "PowerCycle",
        ),
        reset_status=204,
        dead_psu_state="UnavailableOffline",
        on_when_on=Refusal(409, "IDRAC.2.8.PSU501", "Server is already powered ON."),
        off_when_off=Refusal(409, "IDRAC.2.8.PSU502", "Server is already powered OFF."),
        model=lambda product: "PowerEdge " + product.removeprefix("dell_").upper(),
        system_oem=_dell_oem,
        nic_id="NIC.Slot.{}-1-1",
    ),
    "supermicro": Dialect(
        vendor="supermicro",
        manufacturer="Supermicro",
        system="1",
        manager="1",
        chassis="1",
        firmware="01.03.16",
        redfish_version="1.11.0",
        psu_name="Power Supply Bay {}",
        psu_id="{}",
        reset_types=(
            "On",
            "ForceOff",
            "GracefulShutdown",
            "GracefulRestart",
            "ForceRestart",
            "Nmi",
            "ForceOn",
        ),
        reset_status=200,
        dead_psu_state="Enabled",
        on_when_on=None,
        off_when_off=None,
        model=lambda product: product.removeprefix("smc_").upper().replace("_", "-"),
        system_oem=lambda _: {"Supermicro": {"@odata.type": "#SmcSystemExtensions.v1_0_0.System"}},
        nic_id="{}",
    ),
}


def resources(dialect: Dialect, view: View, settings: Settings | None = None) -> dict[str, Json]:
    """A Dialect, a View and what was changed -> every resource of the service, by path without a trailing slash."""
    settings = settings or dialect.out_of_the_box()
    nics = [
        _nic(dialect, f"{dialect.system_path}/EthernetInterfaces", number, found.mac)
        for number, found in enumerate(view.hardware.nics, start=1)
    ]
    gpus = [_gpu(dialect, gpu.index, gpu.uuid, gpu.serial) for gpu in view.hardware.gpus]
    port = _manager_port(dialect, view)
    found = [
        _service_root(dialect, view),
        _system(dialect, view, settings),
        _manager(dialect, view, settings),
        *bios(dialect.system_path, settings),
        *of_manager(dialect.manager_path, settings),
        *logs(dialect.log_owner, settings),
        *update_service(settings, dialect.firmware),
        _chassis(dialect, view),
        _power(dialect, view),
        _session_service(),
        _collection(f"{ROOT}/Systems", "ComputerSystem", [dialect.system_path]),
        _collection(f"{ROOT}/Managers", "Manager", [dialect.manager_path]),
        _collection(f"{ROOT}/Chassis", "Chassis", [dialect.chassis_path]),
        _collection(f"{dialect.system_path}/EthernetInterfaces", "EthernetInterface", _ids(nics)),
        _collection(f"{dialect.system_path}/Processors", "Processor", _ids(gpus)),
        _collection(f"{dialect.manager_path}/EthernetInterfaces", "EthernetInterface", _ids([port])),
        port,
        *nics,
        *gpus,
    ]
    tree = settings.applied({str(body["@odata.id"]): body for body in found})
    pending = of_system(tree[dialect.system_path], settings)
    return {"/redfish": {"v1": f"{ROOT}/"}, **tree, **{str(body["@odata.id"]): body for body in pending}}


def collection_of_sessions(ids: Iterable[str]) -> Json:
    """Ids of open sessions -> their collection."""
    return _collection(f"{ROOT}/SessionService/Sessions", "Session", [session_path(i) for i in ids])


def session(session_id: str, user: str) -> Json:
    """An open session -> its resource."""
    return _resource(session_path(session_id), "Session.v1_3_0.Session", session_id, "User Session", UserName=user)


def session_path(session_id: str) -> str:
    return f"{ROOT}/SessionService/Sessions/{session_id}"


def error(message_id: str, message: str, properties: Sequence[str] = ()) -> Json:
    """A message -> the error body of DSP0266: the same for each property that it is about."""
    more: Json = {"MessageId": message_id, "Message": message, "MessageArgs": [], "Severity": "Warning"}
    about = [
        {**more, "MessageArgs": [path.rpartition("/")[2]], "RelatedProperties": [f"#/{path}"]} for path in properties
    ]
    general = "A general error has occurred. See ExtendedInfo for more information."
    return {"error": {"code": "Base.1.8.GeneralError", "message": general, "@Message.ExtendedInfo": about or [more]}}


def _service_root(dialect: Dialect, view: View) -> Json:
    return _resource(
        ROOT,
        "ServiceRoot.v1_6_0.ServiceRoot",
        "RootService",
        "Root Service",
        RedfishVersion=dialect.redfish_version,
        UUID=view.hardware.uuid,
        Vendor=dialect.manufacturer.removesuffix(" Inc."),
        Systems=_ref(f"{ROOT}/Systems"),
        Managers=_ref(f"{ROOT}/Managers"),
        Chassis=_ref(f"{ROOT}/Chassis"),
        SessionService=_ref(f"{ROOT}/SessionService"),
        UpdateService=_ref(f"{ROOT}/UpdateService"),
        Links={"Sessions": _ref(f"{ROOT}/SessionService/Sessions")},
        Oem={"Lindos": {"Doubled": True}},
    )


def _system(dialect: Dialect, view: View, settings: Settings) -> Json:
    path, hardware = dialect.system_path, view.hardware
    # iDRAC keeps what follows a loss of power in the BIOS (AcPwrRcvry).
    restores = {"PowerRestorePolicy": "LastState"} if settings.factory.restores else {}
    logged = {"LogServices": _ref(f"{path}/LogServices")} if dialect.log_owner == path else {}
    staged = settings_object(f"{path}/Settings", "OnReset") if settings.factory.boot_staged else {}
    reset = {"target": dialect.reset_path, "ResetType@Redfish.AllowableValues": list(dialect.reset_types)}
    return _resource(
        path,
        "ComputerSystem.v1_12_0.ComputerSystem",
        dialect.system,
        "System",
        SystemType="Physical",
        Manufacturer=dialect.manufacturer,
        Model=dialect.model(hardware.product),
        SerialNumber=hardware.board_serial,
        SKU=hardware.serial if dialect.manufacturer == "Dell Inc." else None,
        UUID=hardware.uuid,
        PowerState=view.power_state,
        **restores,
        **logged,
        **staged,
        Bios=_ref(f"{path}/Bios"),
        LastResetTime=view.last_reset or None,
        Status={
            "State": "Enabled" if view.power_state == "On" else "StandbyOffline",
            "Health": "OK",
            "HealthRollup": _health(view.supply),
        },
        # Every machine of this class has two CPUs; which, the twin has not been told.
        ProcessorSummary={"Count": 2, "Model": None, "Status": {"State": "Enabled", "Health": "OK"}},
        Processors=_ref(f"{path}/Processors"),
        EthernetInterfaces=_ref(f"{path}/EthernetInterfaces"),
        Boot={
            "BootSourceOverrideEnabled": "Disabled",
            "BootSourceOverrideTarget": "None",
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(BOOT_TARGETS),
            "BootSourceOverrideMode": "UEFI",
            "BootOrder": ["Boot0000", "Boot0001"],
        },
        Links={"Chassis": [_ref(dialect.chassis_path)], "ManagedBy": [_ref(dialect.manager_path)]},
        Actions={"#ComputerSystem.Reset": reset},
        Oem=dialect.system_oem(view),
    )


def _manager(dialect: Dialect, view: View, settings: Settings) -> Json:
    path = dialect.manager_path
    more: Json = {"LogServices": _ref(f"{path}/LogServices")} if dialect.log_owner == path else {}
    if settings.factory.fan_mode:
        more["Oem"] = {"Supermicro": {"FanMode": _ref(f"{path}/Oem/Supermicro/FanMode")}}
    own: Json = {}
    if settings.factory.attributes:
        kept = [_ref(at) for at in attributes_paths(path, settings.factory)]
        own = {"Oem": {"Dell": {"DellAttributes": kept, "DellAttributes@odata.count": len(kept)}}}
    return _resource(
        dialect.manager_path,
        "Manager.v1_9_0.Manager",
        dialect.manager,
        "Manager",
        ManagerType="BMC",
        FirmwareVersion=dialect.firmware,
        UUID=view.hardware.uuid,
        PowerState="On",
        Status={"State": "Enabled", "Health": "OK"},
        EthernetInterfaces=_ref(f"{dialect.manager_path}/EthernetInterfaces"),
        NetworkProtocol=_ref(f"{path}/NetworkProtocol"),
        **more,
        Links={
            "ManagerForServers": [_ref(dialect.system_path)],
            "ManagerForChassis": [_ref(dialect.chassis_path)],
            **own,
        },
    )


def _chassis(dialect: Dialect, view: View) -> Json:
    return _resource(
        dialect.chassis_path,
        "Chassis.v1_12_0.Chassis",
        dialect.chassis,
        "Computer System Chassis",
        ChassisType="RackMount",
        Manufacturer=dialect.manufacturer,
        Model=dialect.model(view.hardware.product),
        SerialNumber=view.hardware.serial,
        PowerState="On" if view.power_state == "On" else "Off",
        Status={"State": "Enabled", "Health": "OK", "HealthRollup": _health(view.supply)},
        Power=_ref(f"{dialect.chassis_path}/Power"),
        Links={"ComputerSystems": [_ref(dialect.system_path)], "ManagedBy": [_ref(dialect.manager_path)]},
    )


def _power(dialect: Dialect, view: View) -> Json:
    path = f"{dialect.chassis_path}/Power"
    supplies = [
        {
            "@odata.id": f"{path}#/PowerSupplies/{at}",
            "MemberId": dialect.psu_id.format(psu),
            "Name": dialect.psu_name.format(psu),
            "PowerSupplyType": "AC",
            "PowerCapacityWatts": view.psu_rating_w,
            "LineInputVoltage": LINE_VOLTS if psu in view.supply.live else 0,
            "Status": {
                "State": "Enabled" if psu in view.supply.live else dialect.dead_psu_state,
                "Health": "OK" if psu in view.supply.live else "Critical",
            },
        }
        for at, psu in enumerate(view.supply.psus)
    ]
    redundancy = {
        "@odata.id": f"{path}#/Redundancy/0",
        "MemberId": "0",
        "Name": "PSU Redundancy",
        "Mode": "N+m",
        "MinNumNeeded": view.supply.needed,
        "MaxNumSupported": len(view.supply.psus),
        "RedundancySet": [_ref(str(supply["@odata.id"])) for supply in supplies],
        "Status": {"State": "Enabled", "Health": _health(view.supply)},
    }
    return _resource(path, "Power.v1_6_0.Power", "Power", "Power", PowerSupplies=supplies, Redundancy=[redundancy])


def _health(supply: Supply) -> str:
    """OK with every PSU alive, Warning while enough are, Critical below."""
    dead = len(supply.psus) - len(supply.live)
    return "OK" if dead == 0 else "Warning" if supply.carries else "Critical"


def _session_service() -> Json:
    return _resource(
        f"{ROOT}/SessionService",
        "SessionService.v1_1_6.SessionService",
        "SessionService",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=1800,
        Sessions=_ref(f"{ROOT}/SessionService/Sessions"),
    )


def _manager_port(dialect: Dialect, view: View) -> Json:
    return _resource(
        f"{dialect.manager_path}/EthernetInterfaces/NIC.1",
        "EthernetInterface.v1_6_0.EthernetInterface",
        "NIC.1",
        "Manager Ethernet Interface",
        InterfaceEnabled=True,
        MACAddress=view.bmc_mac,
        IPv4Addresses=[{"Address": view.bmc_address, "AddressOrigin": "DHCP"}],
        Status={"State": "Enabled", "Health": "OK"},
    )


def _nic(dialect: Dialect, path: str, number: int, mac: str) -> Json:
    nic_id = dialect.nic_id.format(number)
    return _resource(
        f"{path}/{nic_id}",
        "EthernetInterface.v1_6_0.EthernetInterface",
        nic_id,
        "System Ethernet Interface",
        MACAddress=mac,
        PermanentMACAddress=mac,
        Status={"State": "Enabled", "Health": "OK"},
    )


def _gpu(dialect: Dialect, index: int, gpu_uuid: str, serial: str) -> Json:
    return _resource(
        f"{dialect.system_path}/Processors/GPU{index}",
        "Processor.v1_9_0.Processor",
        f"GPU{index}",
        f"GPU {index}",
        ProcessorType="GPU",
        Manufacturer="NVIDIA",
        SerialNumber=serial,
        UUID=gpu_uuid.removeprefix("GPU-"),
        Status={"State": "Enabled", "Health": "OK"},
    )


def _ids(bodies: Iterable[Json]) -> list[str]:
    return [str(body["@odata.id"]) for body in bodies]


def _collection(path: str, kind: str, members: list[str]) -> Json:
    return {
        "@odata.id": path,
        "@odata.type": f"#{kind}Collection.{kind}Collection",
        "Name": f"{kind} Collection",
        "Members": [_ref(member) for member in members],
        "Members@odata.count": len(members),
    }


def _resource(path: str, kind: str, name_id: str, name: str, **fields: Any) -> Json:
    return {"@odata.id": path, "@odata.type": f"#{kind}", "Id": name_id, "Name": name, **fields}


def _ref(path: str) -> Json:
    return {"@odata.id": path}
