"""Switches through the engine's stub, with a box behind them whose daemons are stand-ins."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from engine_double import failed
from frr_double import install, log

from lindos.drivers.nos import NOSES
from lindos.resources import wire

if TYPE_CHECKING:
    from pathlib import Path

    from engine_double import Client
    from ssh_double import Box

NAME = "lab-p001-spine01"

FILES = {
    "frr.conf": "hostname lab-p001-spine01\nrouter bgp 1\n",
    "interfaces": "auto etp1\niface etp1\n",
    "lldpd.conf": "configure lldp portidsubtype ifname\n",
    "daemons": "bgpd=yes\n",
}


@pytest.fixture
def switch(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A box with FRR on it, and the credentials for it."""
    monkeypatch.setitem(NOSES, "frr", install(box))  # type: ignore[arg-type]
    monkeypatch.setenv("LINDOS_SSH_KEY", str(box.key))
    return box


def emit(project: Path, digest: str = "d1", **files: str) -> dict[str, Any]:
    """Writes a configuration as `lindos emit` does -> the part of the inputs that speaks of it."""
    folder = project / "build" / "lab" / "switches" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    texts = FILES | {name.replace("_", "."): text for name, text in files.items()}
    for name, text in texts.items():
        (folder / name).write_text(text)
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(texts.items())}
    return {"folder": f"build/lab/switches/{NAME}", "files": sums, "digest": digest}


def inputs(box: Box, emitted: dict[str, Any]) -> dict[str, Any]:
    here = {"device": NAME, "address": box.address, "product": "sn5600", "rack": "lab-p001-net01", "u": 1}
    return {**here, "nos": "frr", **emitted}


def test_create_loads_and_confirms_and_a_second_time_only_looks(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project))
    rid, outputs = client.create("Switch", NAME, want)
    assert rid == NAME
    assert outputs == {
        "version": "FRRouting 8.4.4 (box) on Linux(6.1).",
        "services": {"frr": "active", "lldpd": "active"},
        "running": "as written",
    }
    assert json.loads((switch.etc / "lindos/digest.json").read_text())["digest"] == "d1"
    assert client.diff("Switch", NAME, want, want, outputs) == {}

    log(switch)
    switch.commands.clear()
    assert client.create("Switch", NAME, want)[1] == outputs
    assert log(switch) == []
    assert len(switch.commands) == 1


def test_a_preview_logs_in_nowhere(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project))
    client.create("Switch", NAME, want, preview=True)
    client.update("Switch", NAME, want, {}, preview=True)
    assert switch.logins == 0


def test_a_new_configuration_is_a_difference_by_file_and_an_update_loads_it(
    client: Client, switch: Box, project: Path
) -> None:
    old = inputs(switch, emit(project))
    _, outputs = client.create("Switch", NAME, old)
    new = inputs(switch, emit(project, "d2", frr_conf="router bgp 2\n"))
    assert client.diff("Switch", NAME, old, new, outputs) == {'files["frr.conf"]': "UPDATE", "digest": "UPDATE"}
    log(switch)
    client.update("Switch", NAME, new, outputs)
    assert log(switch) == ["armed 300", "ifreload", f"reload {switch.etc}/frr/frr.conf"]


def test_an_edit_on_the_box_is_drift_and_the_next_update_takes_it_back(
    client: Client, switch: Box, project: Path
) -> None:
    want = inputs(switch, emit(project))
    _, outputs = client.create("Switch", NAME, want)
    (switch.etc / "frr/frr.conf").write_text("router bgp 8\n")
    _, seen, outputs = client.read("Switch", NAME, want, outputs)
    differs = client.diff("Switch", NAME, seen, want, outputs)
    assert differs == {'files["frr.conf"]': "UPDATE", "running": "UPDATE"}
    client.update("Switch", NAME, want, outputs)
    assert (switch.etc / "frr/frr.conf").read_text() == FILES["frr.conf"]


def test_a_change_typed_into_the_switch_is_drift_and_the_next_update_takes_it_back(
    client: Client, switch: Box, project: Path
) -> None:
    want = inputs(switch, emit(project))
    _, outputs = client.create("Switch", NAME, want)
    (switch.root / "running").write_text("router bgp 7\n")
    _, seen, outputs = client.read("Switch", NAME, want, outputs)
    assert outputs["running"] == "router bgp 1"
    assert client.diff("Switch", NAME, seen, want, outputs) == {"running": "UPDATE"}
    assert client.update("Switch", NAME, want, outputs)["running"] == "as written"


def test_a_daemon_that_died_is_drift_and_the_next_update_starts_it(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project))
    _, outputs = client.create("Switch", NAME, want)
    (switch.root / "active/lldpd").unlink()
    _, seen, outputs = client.read("Switch", NAME, want, outputs)
    assert client.diff("Switch", NAME, seen, want, outputs) == {"services.lldpd": "UPDATE"}
    assert client.update("Switch", NAME, want, outputs)["services"] == {"frr": "active", "lldpd": "active"}


def test_a_stale_build_is_refused_before_the_switch_is_touched(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project))
    emit(project, frr_conf="router bgp 3\n")
    with pytest.raises(grpc.RpcError, match=r"not what the plan has now: frr\.conf\n  hint: lindos emit lab"):
        client.create("Switch", NAME, want)
    assert switch.logins == 0


def test_a_configuration_that_cannot_be_loaded_is_an_error_and_the_old_one_runs_on(
    client: Client, switch: Box, project: Path
) -> None:
    old = inputs(switch, emit(project))
    client.create("Switch", NAME, old)
    with pytest.raises(grpc.RpcError, match="load: failed: taken back; error: cannot apply"):
        client.update("Switch", NAME, inputs(switch, emit(project, "d2", interfaces="unhappy\n")), {})
    assert (switch.etc / "network/interfaces.d/lindos").read_text() == FILES["interfaces"]


def test_a_configuration_that_cannot_be_confirmed_stays_in_the_state_with_the_reason(
    client: Client, switch: Box, project: Path
) -> None:
    # The daemon is started, and dies at once.
    switch.tool("systemctl", (switch.tools / "systemctl").read_text() + '\nrm -f "$BOX/active/lldpd"\n')
    text = (switch.tools / "systemctl").read_text().replace("exit ${bad:-0}", "code=${bad:-0}")
    (switch.tools / "systemctl").write_text(text + "exit $code\n")
    with pytest.raises(grpc.RpcError) as caught:
        client.create("Switch", NAME, inputs(switch, emit(project)))
    detail = failed(caught.value)
    assert detail.id == NAME
    assert list(detail.reasons) == [f"{NAME}: confirm: not as loaded: lldpd"]


def test_what_the_switch_grumbles_about_is_shown(client: Client, switch: Box, project: Path) -> None:
    client.create("Switch", NAME, inputs(switch, emit(project, interfaces="auto etp9\n")))
    assert ("warning: etp9: interface not recognized", client.urn("Switch", NAME)) in client.engine.lines


def test_a_refresh_goes_on_past_a_switch_that_does_not_answer(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project)) | {"address": "127.0.0.1:9"}
    with pytest.raises(grpc.RpcError) as caught:
        client.read("Switch", NAME, want, {"version": "8.4.4"})
    detail = failed(caught.value)
    assert wire.plain(detail.inputs) == want
    assert wire.plain(detail.properties) == {"version": "8.4.4"}
    assert NAME in detail.reasons[0]


def test_a_deletion_leaves_a_switch_forwarding(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project))
    _, outputs = client.create("Switch", NAME, want)
    switch.commands.clear()
    client.delete("Switch", NAME, want, outputs)
    assert switch.commands == []


def test_an_operating_system_nobody_speaks_is_told_apart(client: Client, switch: Box, project: Path) -> None:
    with pytest.raises(grpc.RpcError, match="speak vms: knows frr"):
        client.create("Switch", NAME, inputs(switch, emit(project)) | {"nos": "vms"})


def test_a_switch_is_imported_by_its_name_from_what_was_emitted(client: Client, switch: Box, project: Path) -> None:
    want = inputs(switch, emit(project))
    build = project / "build" / "lab"
    (build / "devices.csv").write_text(
        "device,kind,role,vendor,product,fabric,slice,unit,rack,u,nos,slice_digest\n"
        f"{NAME},switch,spine,nvidia,sn5600,rdma,p001,,lab-p001-net01,1,frr,d1\n"
    )
    (build / "addresses.csv").write_text(
        "device,port,purpose,address,prefix_len,gateway,slice,slice_digest\n"
        f"{NAME},lo,loopback,192.0.2.1,32,,p001,d1\n{NAME},eth0,mgmt,{switch.address},26,,p001,d1\n"
    )
    files = {f"switches/{NAME}/{n}": {"sha256": s, "slice": "p001", "digest": "d1"} for n, s in want["files"].items()}
    (build / "manifest.json").write_text(
        json.dumps({"site": "lab", "files": {**files, "devices.csv": {"sha256": "x"}}})
    )
    client.create("Switch", NAME, want)
    assert client.read("Switch", NAME, {}, {})[:2] == (NAME, want)
