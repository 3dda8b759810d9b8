"""A switch: a box that runs the configuration that was made for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lindos.errors import DriverError
from lindos.resources.built import device_row, folder_of, manifest_files
from lindos.resources.kinds import Field, Kind, NotReadyError, Props, Seen, World

if TYPE_CHECKING:
    from lindos.drivers.nos.verbs import Config, Facts, Nos

INPUTS = {
    "device": Field("name of the switch in the plan", identity=True),
    "address": Field("where its management port answers"),
    "product": Field("the product in the catalogue"),
    "rack": Field("the rack it stands in"),
    "u": Field("lowest height unit it takes", type="integer"),
    "nos": Field("its operating system", default="frr"),
    "folder": Field("where its configuration lies, from the project's folder"),
    "files": Field("SHA-256 of each file of its configuration", type="object"),
    "digest": Field("digest of the slice that the configuration was made for"),
}

OUTPUTS = {
    "version": Field("version of its routing software, as it says"),
    "services": Field("state of each service that it needs", type="object"),
    "running": Field("whether it runs what is written, or by what it differs first"),
}


AS_WRITTEN = "as written"


@dataclass(frozen=True, slots=True)
class SwitchKind(Kind):
    """Its configuration is checked, loaded, confirmed. A deletion leaves it forwarding as it does."""

    real: ClassVar[bool] = True

    def drifted(self, news: Props, olds: Props) -> list[str]:
        """Services that are down, and a running configuration that is not the written one."""
        del news
        services = olds.get("services") or {}
        down = [f"services.{name}" for name, state in sorted(services.items()) if state != "active"]
        return down + (["running"] if olds.get("running", AS_WRITTEN) != AS_WRITTEN else [])

    def converge(self, world: World, urn: str, inputs: Props, timeout_s: float) -> dict[str, Any]:
        """Loads what differs and confirms it; a switch that runs it already is only looked at."""
        from lindos.drivers import runner  # noqa: PLC0415  a stack that touches no switch need not load it

        del timeout_s
        nos, host = _nos(inputs), world.host(inputs["device"], inputs["address"])
        want = _config(world, inputs)
        facts = runner.attempt(lambda: nos.facts(host), sleep=world.stop.wait)
        differs = nos.diff(facts, want)
        if set(differs) - {"digest"}:
            for note in nos.load(host, want, stop=world.stop).notes:
                world.tell("warning", note, urn)
        if differs:
            try:
                facts = runner.attempt(lambda: nos.confirm(host, want), sleep=world.stop.wait)
            except DriverError as error:
                raise NotReadyError(_outputs(facts), error) from error
        return _outputs(facts)

    def read(self, world: World, urn: str, rid: str, inputs: Props, olds: Props) -> Seen | None:
        """Asks the switch. One that does not answer is not ready, and no reason to stop a refresh."""
        from lindos.drivers import runner  # noqa: PLC0415  as above

        del urn
        given = dict(inputs) or _from_build(world, rid)
        if given is None:
            return None
        nos, host = _nos(given), world.host(rid, given["address"])
        try:
            facts = runner.attempt(lambda: nos.facts(host), sleep=world.stop.wait)
        except DriverError as error:
            if not error.retryable or not inputs:
                raise
            return Seen(given, dict(olds), tuple(problem.render() for problem in error.problems))
        return Seen({**given, "files": dict(facts.files), "digest": facts.digest}, _outputs(facts))


SWITCH = SwitchKind("lindos:index:Switch", "A switch and the configuration that it runs.", INPUTS, OUTPUTS)


def _nos(inputs: Props) -> Nos:
    from lindos.drivers.nos import NOSES  # noqa: PLC0415  as above

    if inputs["nos"] not in NOSES:
        said = f"knows {', '.join(sorted(NOSES))}"
        raise DriverError(inputs["device"], f"speak {inputs['nos']}", said, retryable=False)
    return NOSES[inputs["nos"]]


def _config(world: World, inputs: Props) -> Config:
    """The files named by the inputs, if they are the very ones; a folder that has moved on is told apart."""
    from lindos.drivers.nos.verbs import Config  # noqa: PLC0415  as above

    texts: dict[str, str] = {}
    stale: list[str] = []
    for name, sha in sorted(inputs["files"].items()):
        path = world.root / inputs["folder"] / name
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() == sha:
            texts[name] = content.decode()
        else:
            stale.append(name)
    if stale:
        raise DriverError(
            inputs["device"],
            f"read its configuration from {inputs['folder']}",
            f"not what the plan has now: {', '.join(stale)}",
            retryable=False,
            hint=f"lindos emit {inputs['folder'].split('/')[1]}" if "/" in inputs["folder"] else "lindos emit SITE",
        )
    return Config(inputs["device"], inputs["digest"], texts)


def _outputs(facts: Facts) -> dict[str, Any]:
    running = facts.pending[0].strip() if facts.pending else AS_WRITTEN
    return {"version": facts.version, "services": dict(facts.services), "running": running}


def _from_build(world: World, rid: str) -> dict[str, Any] | None:
    from lindos.drivers.nos import FILES  # noqa: PLC0415  as above

    row = device_row(world.root, rid, "mgmt")
    if row is None or row["kind"] != "switch":
        return None
    nos = row.get("nos") or "frr"
    written = manifest_files(world.root, row["site"], rid)
    return {
        "device": rid,
        "address": row["address"],
        "product": row["product"],
        "rack": row["rack"],
        "u": int(row["u"]),
        "nos": nos,
        "folder": folder_of(row["site"], rid),
        "files": {n: sha for n, sha in written.items() if n in FILES[nos]},
        "digest": row["slice_digest"],
    }
