"""What a kind of resource is made of: its fields, how two states differ, and how it meets the world."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from lindos.resources.wire import UNKNOWN

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lindos.drivers.redfish import Bmc
    from lindos.drivers.ssh import Host
    from lindos.errors import DriverError

Props = Mapping[str, Any]

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its JSON type (of its items too, for array and object), and what it means."""

    doc: str
    type: str = "string"
    items: str = "string"
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    identity: bool = False

    def wrong(self, value: Any) -> str:
        """A value -> why it will not do, "" if it will."""
        if value == UNKNOWN:
            return ""
        if not isinstance(value, PYTHON_TYPES[self.type]) or (isinstance(value, bool) != (self.type == "boolean")):
            return f"is {type(value).__name__}, must be {self.type}"
        if self.choices and value not in self.choices:
            near = difflib.get_close_matches(str(value), self.choices, 1)
            return f"is {value!r}, must be one of {', '.join(self.choices)}" + (
                f"; did you mean {near[0]!r}?" if near else ""
            )
        return ""

    def schema(self) -> dict[str, Any]:
        """The property's entry in a Pulumi package schema."""
        entry: dict[str, Any] = {"type": self.type, "description": self.doc}
        if self.type == "array":
            entry["items"] = {"type": self.items}
        elif self.type == "object":
            entry["additionalProperties"] = {"type": self.items}
        if self.identity:
            entry["willReplaceOnChanges"] = True
        return entry


@dataclass(frozen=True, slots=True)
class World:
    """What a resource needs to meet the world: how to log in, the project's folder, a way to be told to stop.

    `tell(severity, message, urn)` shows a line to the person at the engine.
    """

    root: Path
    bmc: Callable[[str, str], Bmc]
    host: Callable[[str, str], Host]
    stop: threading.Event
    tell: Callable[[str, str, str], None] = lambda _severity, _message, _urn: None


@dataclass(frozen=True, slots=True)
class Seen:
    """What Read found: observed inputs beside the outputs, and reasons why it is not ready."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    reasons: tuple[str, ...] = ()


class NotReadyError(Exception):
    """The world was touched and is not as it should be: what stands there now, and why it is not ready."""

    def __init__(self, outputs: Props, error: DriverError) -> None:
        super().__init__(str(error))
        self.outputs = dict(outputs)
        self.reasons = tuple(problem.render() for problem in error.problems)


@dataclass(frozen=True, slots=True)
class Change:
    """One property that differs; `given` where an input does, False where the world does."""

    path: str
    kind: str
    given: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource that is computed only, no world behind it; the base of those that have one."""

    token: str
    doc: str
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field] = field(default_factory=dict)

    real: ClassVar[bool] = False
    """Is there a thing in the world behind it?"""

    def check(self, news: Props) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Inputs -> the same with defaults, and every failure as (property, reason)."""
        failures = [(key, "no such property") for key in news if key not in self.inputs]
        checked: dict[str, Any] = {}
        for key, entry in self.inputs.items():
            value = news.get(key, entry.default)
            if value is None:
                if entry.required:
                    failures.append((key, f"is missing: {entry.doc}"))
                continue
            checked[key] = value
            if wrong := entry.wrong(value):
                failures.append((key, wrong))
        return checked, failures

    def diff(self, old_inputs: Props, news: Props, olds: Props) -> list[Change]:
        """Inputs as they were and as wanted, outputs as last seen -> what differs. Looks at nothing else."""
        changes = [change for key in self.inputs for change in _changes(key, old_inputs.get(key), news.get(key))]
        return changes + [Change(key, "UPDATE", given=False) for key in self.drifted(news, olds)]

    def replaced(self, changes: list[Change]) -> list[str]:
        return [c.path for c in changes if c.path in self.inputs and self.inputs[c.path].identity]

    def drifted(self, news: Props, olds: Props) -> list[str]:
        """What is wanted and the outputs as last seen -> outputs that are not as they should be."""
        del news, olds
        return []

    def converge(self, world: World, urn: str, inputs: Props, timeout_s: float) -> dict[str, Any]:
        """Brings the world to what the inputs say -> outputs; DriverError, or NotReadyError once touched."""
        del world, urn, inputs, timeout_s
        return {}

    def read(self, world: World, urn: str, rid: str, inputs: Props, olds: Props) -> Seen | None:
        """Looks at the world -> what is there, None where it is gone; without inputs, for an import."""
        del world, urn, rid
        return Seen(dict(inputs), dict(olds)) if inputs else None

    def delete(self, world: World, urn: str, inputs: Props, timeout_s: float) -> None:
        """Does to the world what the inputs say of a deletion; what is gone already is a success."""
        del world, urn, inputs, timeout_s

    def schema(self) -> dict[str, Any]:
        """The kind's entry in a Pulumi package schema."""
        return {
            "description": self.doc,
            "inputProperties": {key: entry.schema() for key, entry in self.inputs.items()},
            "requiredInputs": [k for k, e in self.inputs.items() if e.required and e.default is None],
            "properties": {key: entry.schema() for key, entry in {**self.inputs, **self.outputs}.items()},
            "required": [],
        }


def _changes(path: str, old: Any, new: Any) -> Iterator[Change]:
    """Two values of one property -> what differs, a key of an object at a time."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            at = f"{path}.{key}" if key.isidentifier() else f'{path}["{key}"]'
            yield from _changes(at, old.get(key), new.get(key))
    elif old is None:
        yield Change(path, "ADD")
    elif new is None:
        yield Change(path, "DELETE")
    else:
        yield Change(path, "UPDATE")
