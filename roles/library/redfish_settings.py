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
    or the last part of the path of a member of a collection or of a list of links. A list of several needs that step.
  - >-
    What the settings object of a resource shows is staged there, for the next boot; all else is changed at once, on
    the resource itself.
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


def parted(want: dict[str, Any], waiting: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is wanted, and what a settings object shows -> what is staged there, and what is not.

    An object is parted member by member: the settings object of a Dell system has the order of boot devices with
    iDRAC 9, and with iDRAC 10 also where to boot from once. Attributes have no such members, but names of a registry,
    and those that a settings object shows may be those alone that wait: they are staged, all of them.
    """
    later: dict[str, Any] = {}
    now: dict[str, Any] = {}
    for name, value in want.items():
        there = waiting.get(name)
        if name == "Attributes":
            later[name] = value
        elif isinstance(value, dict) and isinstance(there, dict):
            staged, direct = parted(value, there)
            later.update({name: staged} if staged else {})
            now.update({name: direct} if direct else {})
        else:
            (later if name in waiting else now)[name] = value
    return later, now


def over(now: Any, later: Any) -> Any:
    """What is, and what waits -> what will be. Null is nothing that waits."""
    if isinstance(now, dict) and isinstance(later, dict):
        return {**now, **{name: over(now.get(name), value) for name, value in later.items()}}
    return now if later is None else later


def told(want: dict[str, Any], now: dict[str, Any], place: str = "") -> list[str]:
    """What was staged, and what is -> a line for each that a boot will change.

    What the resource itself does not show has no other place than the settings object, and waits for nothing.
    """
    lines = []
    for name, value in sorted(want.items()):
        if name not in now or differing(value, now[name]) is None:
            continue
        at = f"{place}{name}"
        if isinstance(value, dict) and isinstance(now[name], dict):
            lines += told(value, now[name], "" if at == "Attributes" else f"{at}.")
        else:
            lines.append(f"{at} {now[name]} -> {value}")
    return lines


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
        settings = document.get("@Redfish.Settings") or {}
        path = (settings.get("SettingsObject") or {}).get("@odata.id")
        times = settings.get("SupportedApplyTimes") or []
        # What is applied at once waits for nothing: iDRAC's own attributes, which are changed where they stand.
        waiting = self.service.send("GET", path) if path and ("OnReset" in times or "Immediate" not in times) else None
        shown = {**(waiting or {}), **document}
        want = {name: value for name, value in entry["want"].items() if name in shown}
        self.missing += [f"{where}: {name}" for name in entry["want"] if name not in shown]
        if isinstance(want.get("Attributes"), dict):
            offered = document.get("Attributes") or {}
            want["Attributes"], absent = named(want["Attributes"], offered, bool(entry.get("stems")))
            self.missing += [f"{where}: {name}" for name in absent]
        later, now = ({}, want) if waiting is None else parted(want, waiting)
        self._change(where, str(document["@odata.id"]), now, document, {})
        if later:
            when = {"@Redfish.SettingsApplyTime": {"ApplyTime": "OnReset"}} if "OnReset" in times else {}
            # What waits there already counts as what will be.
            self._change(where, str(path), later, over(document, waiting), when)
            self.pending += [f"{where}: {line}" for line in told(later, document)]

    def _change(
        self, where: str, path: str, want: dict[str, Any], have: dict[str, Any], beside: dict[str, Any]
    ) -> None:
        """A PATCH of what differs, if anything does."""
        different = differing(want, have)
        if different is None:
            return
        if not self.check:
            # An object is sent whole: Supermicro takes a BootSourceOverrideMode that is left out for its default.
            # Attributes stand for themselves, and one that is as it should be may be read-only.
            whole = {name: value if name == "Attributes" else want[name] for name, value in different.items()}
            self.service.send("PATCH", path, {**whole, **beside})
        self.changes.append(f"{where}: {json.dumps(different, sort_keys=True)}")

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
