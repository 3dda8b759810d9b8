"""The BMC's service on loopback: who is let in, what is refused, and how."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from test_redfish_tree import view_of

from lindos.drivers.redfish import Bmc as Address
from lindos.drivers.redfish import Power, connect, read_psus, read_state
from lindos.errors import DriverError
from lindos.twin.keys import Keys, make_keys
from lindos.twin.redfish_server import MOST_SESSIONS, Bmc, _Server
from lindos.twin.redfish_tree import DIALECTS, ROOT, Refusal, View

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "lindos", "let me in"


class Switch:
    """A power switch without a machine: obeys, and remembers."""

    def __init__(self, vendor: str) -> None:
        self._view = view_of(vendor)
        self.asked: list[str] = []
        self.refusal: Refusal | None = None

    def view(self) -> View:
        return self._view

    def reset(self, reset_type: str) -> Refusal | None:
        self.asked.append(reset_type)
        return self.refusal


class Running:
    """A BMC that answers on loopback."""

    def __init__(self, vendor: str, certificate: Path) -> None:
        self.switch = Switch(vendor)
        self.dialect = DIALECTS[vendor]
        self.bmc = Bmc("s-n01", self.dialect, self.switch, (USER, PASSWORD))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server = _Server(("127.0.0.1", 0), self.bmc, context)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def client(self, **settings: object) -> httpx.Client:
        known = {"base_url": f"https://127.0.0.1:{self.port}", "verify": False, "trust_env": False, "timeout": 5}
        return httpx.Client(**(known | settings))  # type: ignore[arg-type]

    def address(self, *, session: bool = False, password: str = PASSWORD) -> Address:
        return Address("s-n01", f"127.0.0.1:{self.port}", USER, password, session=session)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    make_keys(keys, [])
    return keys.certificate


@pytest.fixture(params=sorted(DIALECTS))
def running(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Running]:
    found = Running(request.param, certificate)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with running.client(auth=(USER, PASSWORD)) as found:
        yield found


@pytest.mark.parametrize("session", [False, True])
def test_the_production_driver_reads_the_machine(running: Running, session: bool) -> None:
    state = read_state(running.address(session=session))

    assert state.power is Power.OFF
    assert state.doubled
    assert state.reset_types == running.dialect.reset_types
    assert [psu.input_ok for psu in read_psus(running.address(session=session))] == [True] * 6


def test_a_session_ends_when_the_driver_hangs_up(running: Running) -> None:
    with connect(running.address(session=True)) as machine:
        machine.state()
        assert len(running.bmc.sessions) == 1

    assert not running.bmc.sessions


def test_only_the_root_is_open_to_anyone(running: Running) -> None:
    with running.client() as stranger:
        assert stranger.get(ROOT).status_code == 200
        assert stranger.get(f"{ROOT}/").status_code == 200
        assert stranger.get("/redfish").json() == {"v1": "/redfish/v1/"}
        refused = stranger.get(f"{ROOT}/Systems")

    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("authorization", ["Basic !!!", "Basic bGluZG9zOndyb25n", "Bearer x", ""])
def test_wrong_credentials_are_refused(running: Running, authorization: str) -> None:
    with running.client(headers={"Authorization": authorization}) as stranger:
        assert stranger.get(f"{ROOT}/Systems").status_code == 401


def test_a_wrong_password_is_the_operators_error(running: Running) -> None:
    with pytest.raises(DriverError, match="HTTP 401") as caught:
        read_state(running.address(session=True, password="guess"))

    assert not caught.value.retryable


def test_a_made_up_token_is_refused(running: Running) -> None:
    with running.client(headers={"X-Auth-Token": "0" * 32}) as stranger:
        assert stranger.get(f"{ROOT}/Systems").status_code == 401


def test_sessions_are_few_and_can_be_closed(running: Running, client: httpx.Client) -> None:
    path, body = f"{ROOT}/SessionService/Sessions", {"UserName": USER, "Password": PASSWORD}
    opened = [client.post(path, json=body) for _ in range(MOST_SESSIONS)]

    assert {answer.status_code for answer in opened} == {201}
    assert client.post(path, json=body).status_code == 503
    assert client.get(path).json()["Members@odata.count"] == MOST_SESSIONS
    first = opened[0].headers["Location"]
    assert client.get(first).json()["UserName"] == USER
    assert client.delete(first).status_code == 204
    assert client.delete(first).status_code == 404
    assert client.post(path, json=body).status_code == 201


def test_what_is_not_there_is_404_with_the_reason(client: httpx.Client) -> None:
    answer = client.get(f"{ROOT}/Systems/437XR1138R2")

    assert answer.status_code == 404
    assert "was not found" in answer.json()["error"]["@Message.ExtendedInfo"][0]["Message"]


def test_a_reset_reaches_the_switch(running: Running, client: httpx.Client) -> None:
    answer = client.post(running.dialect.reset_path, json={"ResetType": "On"})

    assert answer.status_code == running.dialect.reset_status
    assert running.switch.asked == ["On"]


@pytest.mark.parametrize(
    ("body", "status"), [({"ResetType": "Explode"}, 400), ({}, 400), (["On"], 400), ("nonsense", 400)]
)
def test_a_reset_that_makes_no_sense_is_refused(
    running: Running, client: httpx.Client, body: object, status: int
) -> None:
    answer = client.post(running.dialect.reset_path, json=body)

    assert answer.status_code == status
    assert running.switch.asked == []


def test_a_refusal_is_passed_on_in_the_words_of_the_dialect(running: Running, client: httpx.Client) -> None:
    running.switch.refusal = Refusal(409, "IDRAC.2.8.PSU501", "Server is already powered ON.")

    answer = client.post(running.dialect.reset_path, json={"ResetType": "On"})

    assert answer.status_code == 409
    info = answer.json()["error"]["@Message.ExtendedInfo"][0]
    assert (info["MessageId"], info["Message"]) == ("IDRAC.2.8.PSU501", "Server is already powered ON.")


def test_nothing_else_can_be_changed(running: Running, client: httpx.Client) -> None:
    assert client.patch(running.dialect.chassis_path, json={"AssetTag": "x"}).status_code == 405
    assert client.patch(running.dialect.system_path, json={"AssetTag": "x"}).status_code == 400
    assert client.post(running.dialect.system_path, json={}).status_code == 405
    assert client.post(f"{ROOT}/nowhere", json={}).status_code == 404


def test_a_silent_client_holds_up_nobody(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as silent:
        assert read_state(running.address()).power is Power.OFF
        assert silent.fileno() >= 0


def test_a_body_too_large_is_not_read(running: Running, client: httpx.Client) -> None:
    answer = client.post(running.dialect.reset_path, content=b"x" * ((1 << 20) + 1))

    assert answer.status_code == 400


def bios(running: Running, client: httpx.Client) -> tuple[dict[str, Any], str]:
    """The BIOS as it is, and where its settings are staged."""
    shown = client.get(f"{running.dialect.system_path}/Bios").json()
    return shown["Attributes"], shown["@Redfish.Settings"]["SettingsObject"]["@odata.id"]


def test_a_bios_takes_its_settings_when_the_machine_boots(running: Running, client: httpx.Client) -> None:
    before, staged = bios(running, client)
    name = next(n for n in before if n.upper().startswith("SRIOV") or n.startswith("SR_IOV"))
    assert client.patch(staged, json={"Attributes": {name: "Enabled"}}).status_code == 200
    assert bios(running, client)[0] == before
    assert client.get(staged).json()["Attributes"][name] == "Enabled"
    client.post(running.dialect.reset_path, json={"ResetType": "ForceRestart"})
    assert bios(running, client)[0] == before | {name: "Enabled"}


def test_idrac_takes_no_second_job_while_one_waits(running: Running, client: httpx.Client) -> None:
    before, staged = bios(running, client)
    first, second = sorted(before)[:2]
    assert client.patch(staged, json={"Attributes": {first: "x"}}).status_code == 200
    again = client.patch(staged, json={"Attributes": {second: "x"}}).status_code
    assert again == (400 if running.dialect.vendor == "dell" else 200)
    assert client.patch(staged, json={"Attributes": {"NoSuch": "x"}}).status_code == 400


def said(answer: httpx.Response) -> list[tuple[str, list[str]]]:
    """A refusal -> its messages' ids and the properties that they are about."""
    info = answer.json()["error"]["@Message.ExtendedInfo"]
    return [(m["MessageId"].rpartition(".")[2], m.get("RelatedProperties", [])) for m in info]


@pytest.mark.parametrize("running", ["dell"], indirect=True)
def test_what_the_profile_decides_on_is_read_only_unless_it_is_custom(running: Running, client: httpx.Client) -> None:
    before, staged = bios(running, client)
    asked = {"ProcC1E": "Disabled", "PcieAspmL1": "Disabled", "LogicalProc": "Disabled"}
    refused = client.patch(staged, json={"Attributes": {**asked, "SysProfile": "PerfOptimized"}})
    assert refused.status_code == 400
    assert said(refused) == [("SYS410", ["#/Attributes/PcieAspmL1"]), ("SYS410", ["#/Attributes/ProcC1E"])]
    assert client.get(staged).json()["Attributes"] == {}, "one that is refused takes all with it"
    assert client.patch(staged, json={"Attributes": {"SysProfile": "PerfOptimized"}}).status_code == 200
    again = client.patch(staged, json={"Attributes": {"LogicalProc": "Disabled"}})
    assert said(again) == [("SYS011", ["#/Attributes/LogicalProc"])]
    client.post(running.dialect.reset_path, json={"ResetType": "ForceRestart"})
    after = dict.fromkeys(("PcieAspmL1", "ProcC1E", "ProcCStates"), "Disabled")
    assert bios(running, client)[0] == before | after | {"SysProfile": "PerfOptimized"}
    assert client.patch(staged, json={"Attributes": {**asked, "SysProfile": "Custom"}}).status_code == 200


@pytest.mark.parametrize("running", ["dell"], indirect=True)
def test_idrac_has_three_lists_of_attributes_and_knows_what_stands_in_which(
    running: Running, client: httpx.Client
) -> None:
    links = client.get(running.dialect.manager_path).json()["Links"]["Oem"]["Dell"]["DellAttributes"]
    own, system, lifecycle = [link["@odata.id"] for link in links]
    name = "ThermalSettings.1.ThermalProfile"
    for path in (own, lifecycle):
        assert said(client.patch(path, json={"Attributes": {name: "Sound Cap"}}))[0][0] == "PropertyUnknown"
    loud = client.patch(system, json={"Attributes": {name: "Loud"}})
    assert (loud.status_code, said(loud)) == (400, [("PropertyValueNotInList", [f"#/Attributes/{name}"])])
    assert client.patch(system, json={"Attributes": {name: "Sound Cap"}}).status_code == 200
    assert client.get(system).json()["Attributes"] == {name: "Sound Cap"}


@pytest.mark.parametrize("running", ["dell"], indirect=True)
def test_the_settings_object_of_a_dell_system_takes_what_it_shows(running: Running, client: httpx.Client) -> None:
    system = running.dialect.system_path
    staged = client.get(system).json()["@Redfish.Settings"]["SettingsObject"]["@odata.id"]
    before, now = (client.get(path).json()["Boot"] for path in (staged, system))
    refused = client.patch(staged, json={"Boot": {"BootSourceOverrideTarget": "Pxe"}})
    assert said(refused) == [("PropertyUnknown", ["#/Boot/BootSourceOverrideTarget"])]
    assert client.patch(staged, json={"Boot": {"BootOrder": ["Boot0001"]}}).status_code == 200
    assert client.get(staged).json()["Boot"] == before | {"BootOrder": ["Boot0001"]}
    assert client.get(system).json()["Boot"] == now
    assert client.patch(system, json={"Boot": {"BootSourceOverrideTarget": "Pxe"}}).status_code == 200
    client.post(running.dialect.reset_path, json={"ResetType": "ForceRestart"})
    after = now | {"BootOrder": ["Boot0001"], "BootSourceOverrideTarget": "Pxe"}
    assert client.get(system).json()["Boot"] == after


def test_the_event_log_is_emptied_where_that_is_asked_for(running: Running, client: httpx.Client) -> None:
    path = f"{running.dialect.log_owner}/LogServices/{running.bmc.settings.factory.log}"
    assert client.get(f"{path}/Entries").json()["Members@odata.count"] == 1
    target = client.get(path).json()["Actions"]["#LogService.ClearLog"]["target"]
    assert client.post(target, json={}).status_code == 204
    assert client.get(f"{path}/Entries").json()["Members@odata.count"] == 0
