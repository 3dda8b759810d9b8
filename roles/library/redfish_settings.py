"""Settings of a machine and its BMC over Redfish, as data: where they stand, and what they shall be.

Runs on the control host and needs the standard library only. What a BMC takes at the next boot is staged and told;
nothing is ever reset.
"""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redfish_service import LOGIN, RefusedError, Service

DOCUMENTATION = r"""
module: redfish_settings
short_description: Settings of a machine and its BMC over Redfish
description:
  - Compares what a Redfish service shows with what is wanted, and changes what differs.
  - >-
    A resource is found by following links from V(system), V(manager), V(chassis) or V(root): each step is a property,
    or the last part of the path of a member. What has a settings object is staged there, for the next boot.
options:
  address: {description: Where the BMC answers., type: str, required: true}
  user: {description: User name., type: str, required: true}
  password: {description: Password., type: str, required: true}
  ca: {description: File of the CA of its certificate; without one any is accepted., type: str, default: ""}
  settings:
    description: What shall be, resource by resource.
    type: list
    elements: dict
    default: []
    suboptions:
      at: {description: The steps to the resource., type: list, elements: str, required: true}
      want: {description: Properties and their values., type: dict, required: true}
      stems:
        description: Names of attributes are stems, to which the BIOS adds an underscore and four hexadecimal digits.
        type: bool
        default: false
  log: {description: The steps to the event log that is read., type: list, elements: str, default: []}
  clear_log: {description: Empties that log once it was read., type: bool, default: false}
author: [Lindos (@lindos)]
"""
RETURN = r"""
pending: {description: What is staged for the next boot., type: list, returned: always}
missing: {description: What this machine has not., type: list, returned: always}
entries: {description: What the event log holds., type: list, returned: always}
"""
HEX = frozenset("0123456789ABCDEFabcdef")


def differing(want: Any, have: Any) -> Any:
    """What is wanted and what there is -> the part of it that differs; None where nothing does.

    Lists are compared without the empty places that BMCs fill theirs up with.
    """
    if isinstance(want, dict):
        inner = have if isinstance(have, dict) else {}
        parts = {name: differing(value, inner.get(name)) for name, value in want.items()}
        return {name: part for name, part in parts.items() if part is not None} or None
    if isinstance(want, list) and isinstance(have, list):
        have = [value for value in have if value not in ("", None)]
    return None if want == have else want


def named(want: dict[str, Any], offered: dict[str, Any], stems: bool) -> tuple[dict[str, Any], list[str]]:
    """Attributes by name or stem, and those that a BIOS offers -> the same by its names, and what it has not.

    A stem may stand for several: one for each CPU or slot. Supermicro adds the question's number, `_0058`.
    """
    found: dict[str, Any] = {}
    missing = []
    for name, value in want.items():
        mine = [n for n in offered if n == name or (stems and _stem(n) == name)]
        found.update(dict.fromkeys(mine, value))
        if not mine:
            missing.append(name)
    return found, missing


def _stem(name: str) -> str:
    stem, _, number = name.rpartition("_")
    return stem if stem and len(number) == 4 and set(number) <= HEX else name


class Machine:
    """Settings of one machine: what was changed, what waits for a boot, and what it has not."""

    def __init__(self, service: Service, check: bool) -> None:
        self.service, self.check = service, check
        self.changes: list[str] = []
        self.pending: list[str] = []
        self.missing: list[str] = []

    def settle(self, entry: dict[str, Any]) -> None:
        """One resource is brought to what is wanted of it."""
        document = self.service.walk(entry["at"])
        where = ".".join(entry["at"])
        if document is None:
            self.missing.append(where)
            return
        want = {name: value for name, value in entry["want"].items() if name in document}
        self.missing += [f"{where}: {name}" for name in entry["want"] if name not in document]
        if isinstance(want.get("Attributes"), dict):
            offered = document.get("Attributes") or {}
            want["Attributes"], absent = named(want["Attributes"], offered, bool(entry.get("stems")))
            self.missing += [f"{where}: {name}" for name in absent]
        settings = document.get("@Redfish.Settings") or {}
        staged = (settings.get("SettingsObject") or {}).get("@odata.id")
        if staged:
            self._stage(where, document, want, staged, settings.get("SupportedApplyTimes") or [])
        elif different := differing(want, document):
            self._patch(where, str(document["@odata.id"]), different)

    def _stage(self, where: str, document: dict[str, Any], want: dict[str, Any], path: str, times: list[str]) -> None:
        """For the next boot: what waits there already counts as what will be."""
        waiting = self.service.send("GET", path)
        now, later = document.get("Attributes") or {}, waiting.get("Attributes") or {}
        will = {**want, "Attributes": {**now, **later}}
        if different := differing(want, will):
            body = dict(different)
            if "OnReset" in times:
                body["@Redfish.SettingsApplyTime"] = {"ApplyTime": "OnReset"}
            self._patch(where, path, body)
        behind = differing(want.get("Attributes") or {}, now) or {}
        self.pending += [f"{where}: {name} {now.get(name)} -> {value}" for name, value in sorted(behind.items())]

    def _patch(self, where: str, path: str, body: dict[str, Any]) -> None:
        shown = {name: value for name, value in body.items() if not name.startswith("@")}
        self.changes.append(f"{where}: {json.dumps(shown, sort_keys=True)}")
        if not self.check:
            self.service.send("PATCH", path, body)

    def log(self, steps: list[str], clear: bool) -> list[str]:
        """The event log, and emptied where that is asked for -> what stood in it."""
        document = self.service.walk(steps)
        if document is None:
            self.missing.append(".".join(steps))
            return []
        entries = self.service.walk([*steps, "Entries"]) or {}
        found = [f"{e.get('Created', '')} {e.get('Severity', '')} {e.get('Message', '')}".strip()
                 for e in self.service.members(entries)]  # fmt: skip
        if clear and found:
            target = ((document.get("Actions") or {}).get("#LogService.ClearLog") or {}).get("target")
            if not target:
                raise RefusedError(f"{document.get('@odata.id')}: this log cannot be cleared")
            self.changes.append(f"{'.'.join(steps)}: cleared of {len(found)} entries")
            if not self.check:
                self.service.send("POST", target, {})
        return found


def main() -> None:
    """Settles what is asked for, and says what was done."""
    inner = {
        "at": {"type": "list", "elements": "str", "required": True},
        "want": {"type": "dict", "required": True},
        "stems": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            **LOGIN,
            "settings": {"type": "list", "elements": "dict", "default": [], "options": inner},
            "log": {"type": "list", "elements": "str", "default": []},
            "clear_log": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    machine = Machine(Service(*(given[name] for name in LOGIN)), module.check_mode)
    entries: list[str] = []
    try:
        if given["log"]:
            entries = machine.log(given["log"], given["clear_log"])
        for entry in given["settings"]:
            machine.settle(entry)
    except RefusedError as refused:
        module.fail_json(msg=str(refused), changed=bool(machine.changes), changes=machine.changes)
    module.exit_json(
        changed=bool(machine.changes),
        changes=machine.changes,
        pending=machine.pending,
        missing=machine.missing,
        entries=entries,
    )


if __name__ == "__main__":
    main()
