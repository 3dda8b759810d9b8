"""The module that settles a BMC, against the twin's BMCs in this process and against what real ones were seen to say."""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindos.twin.redfish_server import Bmc
from lindos.twin.redfish_settings import FACTORIES

from .listing import FOLDER
from .machine import Switch, dialect_of

if TYPE_CHECKING:
    from types import ModuleType


def _module(folder: str, name: str, known_as: str) -> ModuleType:
    """A file of roles/ -> the module that it is, under the name that Ansible gives it."""
    spec = importlib.util.spec_from_file_location(known_as, FOLDER / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[known_as] = module
    spec.loader.exec_module(module)
    return module


SERVICE: Any = _module("module_utils", "redfish_service", "ansible.module_utils.redfish_service")
MODULE: Any = _module("library", "redfish_settings", "redfish_settings")

SYSTEM, MANAGER = "/redfish/v1/Systems/System.Embedded.1", "/redfish/v1/Managers/iDRAC.Embedded.1"
ORDER = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "UefiHttp", "BootSourceOverrideMode": "UEFI"}
ATTRIBUTES = ["manager", "Links", "Oem", "Dell", "DellAttributes"]


class Here(SERVICE.Service):  # type: ignore[misc]
    """A service without a network: the documents of a BMC of the twin, and others beside them."""

    def __init__(self, bmc: Bmc, **others: dict[str, Any]) -> None:
        super().__init__("127.0.0.1", "", "", "")
        self.bmc, self.others = bmc, others
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self._tree: dict[str, Any] = {}

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        path = path.rstrip("/")
        self.asked.append((method, path))
        if method == "GET":
            self._tree = self._tree or self.bmc.resources()
            document = {**self._tree, **self.others}.get(path)
            if document is None:
                raise SERVICE.RefusedError(f"GET {path}: HTTP 404")
            found: dict[str, Any] = copy.deepcopy(document)
            return found
        assert body is not None
        self.bodies.append(body)
        self._tree = {}
        if refusal := self.bmc.patch(path, body):
            raise SERVICE.RefusedError(refusal.message_id)
        return {}

    @property
    def patched(self) -> list[str]:
        return [path for method, path in self.asked if method == "PATCH"]


def bmc_of(vendor: str, **factory: Any) -> Bmc:
    """A BMC out of the box, whose factory differs in this."""
    bmc = Bmc("s-n01", dialect_of(vendor), Switch(vendor), ("lindos", "secret"))
    bmc.settings.factory = replace(FACTORIES[vendor], **factory)
    return bmc


def settled(bmc: Bmc, at: list[str], want: dict[str, Any], *, check: bool = False) -> tuple[Any, Here]:
    service = Here(bmc)
    machine = MODULE.Machine(service, check)
    machine.settle({"at": at, "want": want})
    return machine, service


IDRAC_10 = {
    "boot_fixed": True,
    "boot_staged": ("BootSourceOverrideEnabled", "BootSourceOverrideTarget", "BootSourceOverrideMode", "BootOrder"),
}


def test_what_the_settings_object_does_not_show_is_changed_on_the_resource() -> None:
    """The system of iDRAC 9 has a settings object, for the order of devices and the mode alone."""
    machine, service = settled(bmc_of("dell"), ["system"], {"Boot": ORDER})
    assert service.patched == [SYSTEM]
    assert service.bodies == [{"Boot": {k: ORDER[k] for k in ORDER if k != "BootSourceOverrideMode"}}]
    assert machine.pending == []
    assert settled(service.bmc, ["system"], {"Boot": ORDER})[0].changes == []


def test_what_it_shows_is_staged_there_and_told() -> None:
    machine, service = settled(bmc_of("dell"), ["system"], {"Boot": {"BootOrder": ["Boot0001"]}})
    assert service.patched == [f"{SYSTEM}/Settings"]
    assert service.bodies == [
        {"Boot": {"BootOrder": ["Boot0001"]}, "@Redfish.SettingsApplyTime": {"ApplyTime": "OnReset"}}
    ]
    assert machine.pending == ["system: Boot.BootOrder ['Boot0000', 'Boot0001'] -> ['Boot0001']"]
    again, _ = settled(service.bmc, ["system"], {"Boot": {"BootOrder": ["Boot0001"]}})
    assert (again.changes, again.pending) == ([], machine.pending)
    service.bmc.settings.boot()
    booted, _ = settled(service.bmc, ["system"], {"Boot": {"BootOrder": ["Boot0001"]}})
    assert (booted.changes, booted.pending) == ([], [])


def test_idrac_10_takes_where_to_boot_from_in_its_settings_object_only() -> None:
    bmc = bmc_of("dell", **IDRAC_10)
    refused = bmc.patch(SYSTEM, {"Boot": ORDER})
    assert refused is not None
    assert refused.message_id.endswith("PropertyNotWritable")
    machine, service = settled(bmc, ["system"], {"Boot": ORDER})
    assert service.patched == [f"{SYSTEM}/Settings"]
    assert "system: Boot.BootSourceOverrideEnabled Disabled -> Once" in machine.pending
    assert settled(bmc, ["system"], {"Boot": ORDER})[0].changes == []
    bmc.settings.boot()
    assert bmc.resources()[SYSTEM]["Boot"]["BootSourceOverrideEnabled"] == "Disabled", "once is over"


def test_what_the_resource_itself_does_not_show_waits_for_nothing() -> None:
    service = Here(bmc_of("dell", **IDRAC_10))
    bare = copy.deepcopy(service.bmc.resources()[SYSTEM])
    bare["Boot"] = {"BootOrder": ["Boot0000"]}
    service.others[SYSTEM] = bare
    machine = MODULE.Machine(service, check=False)
    machine.settle({"at": ["system"], "want": {"Boot": ORDER}})
    assert service.patched == [f"{SYSTEM}/Settings"]
    assert (machine.pending, machine.missing) == ([], [])


def test_supermicro_is_told_the_mode_each_time_for_it_forgets_it() -> None:
    bmc = bmc_of("supermicro")
    machine, service = settled(bmc, ["system"], {"Boot": ORDER, "PowerRestorePolicy": "AlwaysOn"})
    boot = bmc.resources()["/redfish/v1/Systems/1"]["Boot"]
    assert {name: boot[name] for name in ORDER} == ORDER
    assert "BootSourceOverrideMode" not in machine.changes[0], "only what differs is told"
    assert service.patched == ["/redfish/v1/Systems/1"]
    assert settled(bmc, ["system"], {"Boot": ORDER, "PowerRestorePolicy": "AlwaysOn"})[0].changes == []


def test_a_check_changes_nothing_and_says_the_same() -> None:
    bmc, want = bmc_of("dell"), {"Attributes": {"SysProfile": "PerfOptimized"}}
    checked, service = settled(bmc, ["system", "Bios"], want, check=True)
    assert service.patched == []
    done, _ = settled(bmc, ["system", "Bios"], want)
    assert (checked.changes, checked.pending) == (done.changes, done.pending)
    assert done.pending == ["system.Bios: SysProfile PerfPerWattOptimizedDapc -> PerfOptimized"]


def test_a_list_of_links_is_chosen_from_by_the_last_part_of_a_path() -> None:
    want = {"Attributes": {"ThermalSettings.1.ThermalProfile": "Maximum Performance"}}
    bmc = bmc_of("dell")
    machine, service = settled(bmc, [*ATTRIBUTES, "System.Embedded.1"], want)
    path = f"{MANAGER}/Oem/Dell/DellAttributes/System.Embedded.1"
    assert service.patched == [path], "its settings object is for maintenance windows; tools change the resource"
    assert machine.missing == machine.pending == []
    assert bmc.resources()[path]["Attributes"]["ThermalSettings.1.ThermalProfile"] == "Maximum Performance"
    assert settled(bmc, [*ATTRIBUTES, "System.Embedded.1"], want)[0].changes == []


@pytest.mark.parametrize("more", [[], ["Attributes"], ["System.Embedded.2"]])
def test_a_list_of_several_of_which_none_was_chosen_names_them(more: list[str]) -> None:
    with pytest.raises(
        SERVICE.RefusedError, match=r"DellAttributes lists 3.*: iDRAC\.Embedded\.1, System\.Emb.*, Life"
    ):
        settled(bmc_of("dell"), [*ATTRIBUTES, *more], {"Attributes": {}})


def test_a_list_of_one_needs_no_choice() -> None:
    service = Here(bmc_of("dell"))
    assert service.walk(["manager", "Links", "ManagerForServers"])["Id"] == "System.Embedded.1"
    assert service.walk(["manager", "Links", "ManagerForServers", "Bios"])["Id"] == "Bios"
    assert service.walk(["manager", "Links", "ManagerForServers", "System.Embedded.1", "Bios"])["Id"] == "Bios"
    assert service.walk(["manager", "Links", "Nothing", "at all"]) is None


def test_a_member_is_found_on_whichever_page_it_is() -> None:
    service = Here(bmc_of("dell"))
    path = "/redfish/v1/UpdateService/FirmwareInventory"
    whole = service.bmc.resources()[path]
    links = whole["Members"]
    service.others[path] = {**whole, "Members": links[:1], "Members@odata.nextLink": f"{path}?$skip=1"}
    service.others[f"{path}?$skip=1"] = {"Members": links[1:]}
    name = links[-1]["@odata.id"].rpartition("/")[2]
    assert service.walk(["root", "UpdateService", "FirmwareInventory", name])["Id"] == name


@pytest.mark.parametrize("vendor", ["dell", "supermicro"])
def test_a_gpu_baseboard_that_comes_first_is_not_the_machine(vendor: str) -> None:
    """An HGX baseboard shows a system, a manager and a chassis of its own, in the same collections."""
    service = Here(bmc_of(vendor))
    tree = service.bmc.resources()
    for kind, name in (("Systems", "HGX_Baseboard_0"), ("Managers", "HGX_BMC_0"), ("Chassis", "HGX_Chassis_0")):
        path = f"/redfish/v1/{kind}"
        own = {"@odata.id": f"{path}/{name}", "Id": name, "SystemType": "Physical"}
        service.others[own["@odata.id"]] = own
        service.others[path] = {**tree[path], "Members": [{"@odata.id": own["@odata.id"]}, *tree[path]["Members"]]}
    dialect = service.bmc.dialect
    for root, path in {
        "system": dialect.system_path,
        "manager": dialect.manager_path,
        "chassis": dialect.chassis_path,
    }.items():
        assert service.walk([root])["@odata.id"] == path
        assert service.walk([root])["@odata.id"] == path, "and once it is known, too"


MESSAGES = [
    # iDRAC, as it answers to an attribute while a job waits, and with a Boot that iDRAC 10 keeps elsewhere.
    (
        {
            "error": {
                "@Message.ExtendedInfo": [
                    {
                        "Message": "Pending configuration values are already committed.",
                        "MessageArgs": ["HttpDev1EnDis"],
                        "MessageId": "IDRAC.2.14.SYS011",
                        "RelatedProperties": ["#/Attributes/HttpDev1EnDis"],
                        "Severity": "Warning",
                    },
                    {
                        "Message": "Pending configuration values are already committed.",
                        "MessageId": "IDRAC.2.14.SYS011",
                        "RelatedProperties": ["/Attributes/BootMode"],
                    },
                ],
                "code": "Base.1.18.GeneralError",
                "message": "A general error has occurred.",
            }
        },
        "Attributes.HttpDev1EnDis, Attributes.BootMode: Pending configuration values are already committed.",
    ),
    (
        {"error": {"@Message.ExtendedInfo": [{"Message": "It is read-only.", "RelatedProperties": ["#/Boot"]}]}},
        "Boot: It is read-only.",
    ),
    # bmcweb hangs the message on the property.
    (
        {"Attributes": {"hb_debug@Message.ExtendedInfo": [{"Message": "read only", "MessageId": "Base.1.8.X"}]}},
        "Attributes.hb_debug: read only",
    ),
    (
        {"error": {"@Message.ExtendedInfo": [{"Message": "cannot be assigned", "MessageArgs": ["PcieAspmL1"]}]}},
        "PcieAspmL1: cannot be assigned",
    ),
    ({"error": {"code": "Base.1.0.GeneralError", "message": "Boot is read-only"}}, "Boot is read-only"),
    ({"error": {"@Message.ExtendedInfo": [{"MessageId": "Base.1.8.InternalError"}]}}, "Base.1.8.InternalError"),
]


@pytest.mark.parametrize(("body", "words"), MESSAGES)
def test_a_refusal_is_told_with_the_properties(body: dict[str, Any], words: str) -> None:
    assert SERVICE.said(json.dumps(body).encode()) == words


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 3}', b'{"@Message.ExtendedInfo": "x"}'])
def test_an_answer_that_says_nothing_is_no_message(body: bytes) -> None:
    assert SERVICE.said(body) == ""


def test_what_a_service_left_of_a_patch_is_a_refusal() -> None:
    left: dict[str, Any] = {
        "MessageId": "Base.1.12.PropertyNotWritable",
        "Message": "read-only",
        "MessageArgs": ["Locked"],
    }
    fine = {"MessageId": "Base.1.12.Success", "Message": "done", "Severity": "OK"}
    modified = {"MessageId": "Base.1.12.PropertyValueModified", "Message": "rounded", "Severity": "Warning"}
    told = {"MessageId": "IDRAC.2.8.SYS428", "Message": "a reboot is needed", "Severity": "Informational"}
    body: dict[str, list[dict[str, Any]]] = {"@Message.ExtendedInfo": [fine, modified, told]}
    assert SERVICE.said(json.dumps(body).encode(), refused_only=True) == ""
    body["@Message.ExtendedInfo"].append(left)
    assert SERVICE.said(json.dumps(body).encode(), refused_only=True) == "Locked: read-only"


BOOTS = st.fixed_dictionaries(
    {},
    optional={
        "BootSourceOverrideEnabled": st.sampled_from(["Disabled", "Continuous"]),
        "BootSourceOverrideTarget": st.sampled_from(["None", "Pxe", "UefiHttp"]),
        "BootSourceOverrideMode": st.sampled_from(["UEFI", "Legacy"]),
        "BootOrder": st.permutations(["Boot0000", "Boot0001", "Boot0002"]),
    },
)
BIOSES = {
    "dell": st.dictionaries(st.sampled_from(["AcPwrRcvry", "LogicalProc", "SysProfile"]), st.sampled_from(["a", "b"])),
    "supermicro": st.dictionaries(st.sampled_from(sorted(FACTORIES["supermicro"].bios)), st.sampled_from(["a", True])),
}


@st.composite
def machines(draw: st.DrawFn) -> tuple[Bmc, list[tuple[list[str], dict[str, Any]]]]:
    """A BMC of some vendor that stages some of Boot, some of which was staged or changed before; and what is wanted."""
    vendor = draw(st.sampled_from(sorted(BIOSES)))
    names = ["BootSourceOverrideEnabled", "BootSourceOverrideTarget", "BootSourceOverrideMode", "BootOrder"]
    staged = tuple(draw(st.lists(st.sampled_from(names), unique=True)))
    # Who forgets the mode has no settings object for it.
    forgets = None if staged else FACTORIES[vendor].boot_mode
    bmc = bmc_of(vendor, boot_staged=staged, boot_fixed=set(staged) == set(names), boot_mode=forgets)
    for path in (bmc.dialect.system_path, f"{bmc.dialect.system_path}/Settings"):
        bmc.patch(path, {"Boot": draw(BOOTS)})
    boot: dict[str, Any] = {"Boot": draw(BOOTS)}
    want = [(["system"], boot), (["system", "Bios"], {"Attributes": draw(BIOSES[vendor])})]
    return bmc, want


@settings(max_examples=40, deadline=None, derandomize=True)
@given(machines())
def test_who_settles_twice_changes_nothing_and_after_a_boot_all_is_as_wanted(
    given: tuple[Bmc, list[tuple[list[str], dict[str, Any]]]],
) -> None:
    bmc, wanted = given
    for at, want in wanted:
        checked, _ = settled(bmc, at, want, check=True)
        first, _ = settled(bmc, at, want)
        second, service = settled(bmc, at, want)
        assert checked.changes == first.changes
        assert (second.changes, service.patched) == ([], [])
        assert checked.pending == first.pending == second.pending
    bmc.settings.boot()
    for at, want in wanted:
        booted, service = settled(bmc, at, want)
        assert (booted.changes, booted.pending, service.patched) == ([], [], [])
        assert MODULE.differing(want, service.walk(at)) is None
