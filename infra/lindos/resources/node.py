"""A GPU node: a machine behind a BMC, with its power as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lindos.errors import DriverError
from lindos.resources.built import device_row
from lindos.resources.kinds import Field, Kind, NotReadyError, Props, Seen, World

if TYPE_CHECKING:
    from lindos.drivers.redfish_documents import SystemState

UNREACHABLE = "Unreachable"

INPUTS = {
    "device": Field("name of the node in the plan", identity=True),
    "bmc": Field("where its BMC answers: address, address with port, or URL"),
    "vendor": Field("who makes it, as the catalogue names them"),
    "product": Field("the product in the catalogue"),
    "rack": Field("the rack it stands in"),
    "u": Field("lowest height unit it takes", type="integer"),
    "power": Field("the power state it shall have", default="on", choices=("on", "off")),
    "on_destroy": Field("what its deletion does to it", default="retain", choices=("retain", "power-off")),
}

OUTPUTS = {
    "power_state": Field("power state as the BMC says"),
    "manufacturer": Field("manufacturer as the BMC says"),
    "model": Field("model as the BMC says"),
    "serial": Field("serial number of the machine"),
    "bmc_firmware": Field("version of the BMC's firmware"),
    "doubled": Field("a stand-in answered, not hardware", type="boolean"),
}


@dataclass(frozen=True, slots=True)
class NodeKind(Kind):
    """Its BMC is asked and told; the node's own system is none of its business."""

    real: ClassVar[bool] = True

    def drifted(self, news: Props, olds: Props) -> list[str]:
        """The power, where it is not as wanted."""
        return ["power_state"] if olds and olds.get("power_state") != _power(news["power"]) else []

    def converge(self, world: World, urn: str, inputs: Props, timeout_s: float) -> dict[str, Any]:
        """Finds the machine, makes sure it is the one planned, and brings its power to what is wanted."""
        from lindos.drivers import redfish, runner  # noqa: PLC0415  not loaded where no node is touched

        bmc = world.bmc(inputs["device"], inputs["bmc"])
        state = runner.attempt(lambda: redfish.read_state(bmc), sleep=world.stop.wait)
        _same_vendor(inputs, state)
        want = redfish.Power(_power(inputs["power"]))
        if state.power != want:
            world.tell("info", f"power {state.power} -> {want}", urn)
            try:
                state = redfish.set_power(bmc, want, timeout_s=timeout_s, stop=world.stop)
            except DriverError as error:
                raise NotReadyError(_outputs(state), error) from error
        return _outputs(state)

    def read(self, world: World, urn: str, rid: str, inputs: Props, olds: Props) -> Seen | None:
        """Asks the BMC. Where it does not answer the node is not ready, which is no reason to stop."""
        from lindos.drivers import redfish, runner  # noqa: PLC0415  as above

        del urn
        given = dict(inputs) or self._from_build(world, rid)
        if given is None:
            return None
        bmc = world.bmc(rid, given["bmc"])
        try:
            state = runner.attempt(lambda: redfish.read_state(bmc), sleep=world.stop.wait)
        except DriverError as error:
            if not error.retryable or not inputs:
                raise
            seen = {**olds, "power_state": UNREACHABLE}
            return Seen(given, seen, tuple(problem.render() for problem in error.problems))
        if state.power in set(redfish.Power) - {redfish.Power.UNKNOWN}:
            given["power"] = "on" if state.power in {"On", "PoweringOn"} else "off"
        return Seen(given, _outputs(state))

    def delete(self, world: World, urn: str, inputs: Props, timeout_s: float) -> None:
        """Powers the machine off where the resource says so; else it is left as it is."""
        from lindos.drivers import redfish  # noqa: PLC0415  as above

        if inputs.get("on_destroy") != "power-off":
            world.tell("info", "no longer managed; its power is left as it is", urn)
            return
        bmc = world.bmc(inputs["device"], inputs["bmc"])
        redfish.set_power(bmc, redfish.Power.OFF, timeout_s=timeout_s, stop=world.stop)

    def _from_build(self, world: World, rid: str) -> dict[str, Any] | None:
        row = device_row(world.root, rid, "bmc")
        if row is None or row["kind"] != "node":
            return None
        return {
            "device": rid,
            "bmc": row["address"],
            "vendor": row["vendor"],
            "product": row["product"],
            "rack": row["rack"],
            "u": int(row["u"]),
            "power": "on",
            "on_destroy": "retain",
        }


NODE = NodeKind("lindos:index:Node", "A GPU node, its power switched through its BMC.", INPUTS, OUTPUTS)


def _power(wanted: str) -> str:
    return {"on": "On", "off": "Off"}.get(wanted, wanted)


def _outputs(state: SystemState) -> dict[str, Any]:
    return {
        "power_state": str(state.power),
        "manufacturer": state.manufacturer,
        "model": state.model,
        "serial": state.serial,
        "bmc_firmware": state.bmc_firmware,
        "doubled": state.doubled,
    }


def _same_vendor(inputs: Props, state: SystemState) -> None:
    """Another vendor's machine at this address is another machine, and must not be switched."""
    planned, found = _letters(inputs["vendor"]), _letters(state.manufacturer)
    if found and planned not in found:
        raise DriverError(
            inputs["device"],
            f"identify the machine behind {inputs['bmc']}",
            f"it is a {state.manufacturer} {state.model} ({state.serial}), the plan has {inputs['product']}",
            retryable=False,
            hint="is its BMC plugged in where the cable map says?",
        )


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
