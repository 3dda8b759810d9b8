"""Firmware of a machine over Redfish: which releases there are, and one image named to the BMC where that is asked for.

Runs on the control host and needs the standard library only. What is activated by a boot is not booted.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redfish_service import LOGIN, RefusedError, Service

DOCUMENTATION = r"""
module: redfish_firmware
short_description: Firmware of a machine over Redfish
description:
  - Reads the firmware inventory of a Redfish service and compares it with a manifest.
  - Where images are given, names one of them to the update service; components come one at a time.
options:
  address: {description: Where the BMC answers., type: str, required: true}
  user: {description: User name., type: str, required: true}
  password: {description: Password., type: str, required: true}
  ca: {description: File of the CA of its certificate; without one any is accepted., type: str, default: ""}
  manifest: {description: Release by component., type: dict, default: {}}
  images: {description: Address of the image by component; only these are updated., type: dict, default: {}}
author: [Lindos (@lindos)]
"""
RETURN = r"""
versions: {description: Releases that run, by component., type: dict, returned: always}
behind: {description: Components that differ from the manifest, as a list., type: list, returned: always}
unknown: {description: Components of the manifest that this machine does not tell of., type: list, returned: always}
asked: {description: What the update service was asked for., type: str, returned: always}
task: {description: Where the update service tells how it goes., type: str, returned: always}
"""


def inventory(service: Service) -> dict[str, str]:
    """A service -> releases that run, by the name of the component and by its id.

    iDRAC lists a release for each slot: `Previous-` and `Available-` are those that do not run.
    """
    found = service.walk(["root", "UpdateService", "FirmwareInventory"]) or {}
    versions: dict[str, str] = {}
    for item in service.members(found):
        name, key = str(item.get("Name", "")), str(item.get("Id", ""))
        if item.get("Version") and not key.startswith(("Previous-", "Available-", "Rollback-")):
            versions.setdefault(name, str(item["Version"]))
            versions.setdefault(key, str(item["Version"]))
    return versions


def ask(service: Service, image: str) -> str:
    """The address of an image -> the update service fetches it; where it tells how that goes."""
    updates = service.walk(["root", "UpdateService"]) or {}
    action = (updates.get("Actions") or {}).get("#UpdateService.SimpleUpdate") or {}
    if not action.get("target"):
        raise RefusedError("the update service takes no address of an image (SimpleUpdate)")
    body: dict[str, Any] = {"ImageURI": image, "@Redfish.OperationApplyTime": "OnReset"}
    if "OnReset" not in (updates.get("@Redfish.OperationApplyTimeSupport") or {}).get("SupportedValues", []):
        del body["@Redfish.OperationApplyTime"]
    service.send("POST", action["target"], body)
    return service.location


def main() -> None:
    """Compares, and asks for one update where one is wanted."""
    module = AnsibleModule(
        argument_spec={
            **LOGIN,
            "manifest": {"type": "dict", "default": {}},
            "images": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    service = Service(*(given[name] for name in LOGIN))
    asked = task = ""
    try:
        versions = inventory(service)
        wanted = {name: str(version) for name, version in given["manifest"].items()}
        behind = sorted(name for name, version in wanted.items() if versions.get(name, version) != version)
        due = [name for name in behind if name in given["images"]]
        if due:
            asked = f"{due[0]} {versions[due[0]]} -> {wanted[due[0]]}"
            task = "" if module.check_mode else ask(service, str(given["images"][due[0]]))
    except RefusedError as refused:
        module.fail_json(msg=str(refused))
    module.exit_json(
        changed=bool(asked),
        versions=versions,
        behind=[f"{name} {versions[name]}, not {wanted[name]}" for name in behind],
        unknown=sorted(set(wanted) - set(versions)),
        asked=asked,
        task=task,
    )


if __name__ == "__main__":
    main()
