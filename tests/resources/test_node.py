"""Nodes through the engine's stub, with BMCs on loopback behind them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from engine_double import failed

from lindos.resources import wire
from lindos.resources.wire import provider_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine_double import Client
    from redfish_double import FakeBmc

    StartBmc = Callable[..., FakeBmc]

NAME = "lab-a0001-r01-n01"


def inputs(fake: FakeBmc, **settings: object) -> dict[str, Any]:
    node = {
        "device": NAME,
        "bmc": fake.url,
        "vendor": fake.vendor,
        "product": "smc_sys_421ge_tnhr2_lcc",
        "rack": "lab-a0001-r01",
        "u": 5,
        "power": "on",
        "on_destroy": "retain",
    }
    return node | settings


@pytest.mark.parametrize("vendor", ["dell", "supermicro"])
def test_create_powers_the_machine_on_and_says_what_it_is(client: Client, bmc: StartBmc, vendor: str) -> None:
    fake = bmc(vendor, lag=1, doubled=True)
    rid, outputs = client.create("Node", NAME, inputs(fake))
    assert rid == NAME
    assert outputs["power_state"] == "On"
    assert outputs["serial"] == fake.tree[fake.system]["SerialNumber"]
    assert outputs["doubled"] is True
    assert fake.resets == ["On"]
    assert ("power Off -> On", client.urn("Node", NAME)) in client.engine.lines


def test_create_adopts_a_machine_that_runs_already(client: Client, bmc: StartBmc) -> None:
    fake = bmc("dell", power="On")
    client.create("Node", NAME, inputs(fake))
    assert fake.resets == []


def test_a_preview_asks_the_world_nothing(client: Client, bmc: StartBmc) -> None:
    fake = bmc("dell")
    client.create("Node", NAME, inputs(fake), preview=True)
    client.update("Node", NAME, inputs(fake, power="off"), {}, preview=True)
    client.check("Node", NAME, inputs(fake))
    client.diff("Node", NAME, inputs(fake), inputs(fake, power="off"), {"power_state": "On"})
    assert fake.requests == []


def test_a_node_switched_off_behind_our_back_is_drift_and_the_next_update_switches_it_on(
    client: Client, bmc: StartBmc
) -> None:
    fake = bmc("supermicro")
    want = inputs(fake)
    _, outputs = client.create("Node", NAME, want)
    assert client.diff("Node", NAME, want, want, outputs) == {}

    fake.set_power("Off")
    _, seen, outputs = client.read("Node", NAME, want, outputs)
    assert outputs["power_state"] == "Off"
    assert client.diff("Node", NAME, seen, want, outputs) == {"power": "UPDATE", "power_state": "UPDATE"}

    outputs = client.update("Node", NAME, want, outputs)
    assert fake.power == "On"
    assert client.diff("Node", NAME, want, want, outputs) == {}


def test_a_machine_that_does_not_come_on_stays_in_the_state_with_the_reason(client: Client, bmc: StartBmc) -> None:
    fake = bmc("dell", lag=10_000)
    with pytest.raises(grpc.RpcError) as caught:
        client.create("Node", NAME, inputs(fake), timeout=0.3)
    detail = failed(caught.value)
    assert detail.id == NAME
    assert wire.plain(detail.properties)["power_state"] == "Off"
    assert wire.plain(detail.inputs) == inputs(fake)
    assert list(detail.reasons) == [f"{NAME}: wait for power On: still PoweringOn"]

    fake.lag = fake._left = 0
    assert client.update("Node", NAME, inputs(fake), {})["power_state"] == "On"


def test_a_bmc_that_is_not_there_is_a_plain_error_as_nothing_was_touched(client: Client, bmc: StartBmc) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.create("Node", NAME, inputs(bmc("dell"), bmc="http://127.0.0.1:9"))
    assert not dict(caught.value.trailing_metadata()).get("grpc-status-details-bin")
    assert f"{NAME}: read /redfish/v1/: http://127.0.0.1:9" in caught.value.details()


def test_a_refresh_goes_on_past_a_bmc_that_does_not_answer(client: Client, bmc: StartBmc) -> None:
    want = inputs(bmc("dell"), bmc="http://127.0.0.1:9")
    with pytest.raises(grpc.RpcError) as caught:
        client.read("Node", NAME, want, {"power_state": "On", "serial": "S1"})
    detail = failed(caught.value)
    assert detail.id == NAME
    assert wire.plain(detail.properties) == {"power_state": "Unreachable", "serial": "S1"}
    assert wire.plain(detail.inputs) == want
    assert client.diff("Node", NAME, want, want, wire.plain(detail.properties)) == {"power_state": "UPDATE"}


def test_the_machine_of_another_vendor_is_not_switched(client: Client, bmc: StartBmc) -> None:
    fake = bmc("dell")
    with pytest.raises(grpc.RpcError, match=r"it is a Dell Inc. PowerEdge XE9680 \(CNIVC0042\)"):
        client.create("Node", NAME, inputs(fake, vendor="supermicro"))
    assert fake.resets == []


def test_a_wrong_password_is_an_error_also_of_a_refresh_and_is_never_shown(
    client: Client, bmc: StartBmc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINDOS_BMC_PASSWORD", "tops3cret")
    fake = bmc("dell")
    with pytest.raises(grpc.RpcError, match="HTTP 401") as caught:
        client.read("Node", NAME, inputs(fake), {})
    assert "tops3cret" not in str(caught.value)


def test_without_credentials_the_error_says_where_they_come_from(
    client: Client, bmc: StartBmc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LINDOS_BMC_PASSWORD")
    with pytest.raises(grpc.RpcError, match="pulumi config set --secret lindos:bmc_password"):
        client.create("Node", NAME, inputs(bmc("dell")))


def test_the_stacks_own_credentials_come_before_the_environments(client: Client, bmc: StartBmc) -> None:
    fake = bmc("dell", user="other", password="theirs", power="On")
    with pytest.raises(grpc.RpcError, match="HTTP 401"):
        client.create("Node", NAME, inputs(fake))
    args = wire.struct({"bmc_user": "other", "bmc_password": "theirs", "site": "inventories/lab"})
    client.stub.Configure(provider_pb2.ConfigureRequest(args=args))
    assert client.create("Node", NAME, inputs(fake))[0] == NAME


def test_a_deletion_leaves_the_power_alone_unless_the_resource_says_otherwise(client: Client, bmc: StartBmc) -> None:
    fake = bmc("supermicro", power="On")
    client.delete("Node", NAME, inputs(fake), {})
    assert fake.requests == []
    client.delete("Node", NAME, inputs(fake, on_destroy="power-off"), {})
    assert (fake.power, fake.resets) == ("Off", ["GracefulShutdown"])


def test_deleting_a_machine_that_is_off_already_is_a_success(client: Client, bmc: StartBmc) -> None:
    fake = bmc("dell")
    client.delete("Node", NAME, inputs(fake, on_destroy="power-off"), {})
    assert fake.resets == []


def test_a_deletion_that_cannot_be_shown_fails(client: Client, bmc: StartBmc) -> None:
    with pytest.raises(grpc.RpcError, match=NAME):
        client.delete("Node", NAME, inputs(bmc("dell"), bmc="http://127.0.0.1:9", on_destroy="power-off"), {})


def test_check_names_the_nearest_choice(client: Client, bmc: StartBmc) -> None:
    _, failures = client.check("Node", NAME, inputs(bmc("dell"), on_destroy="poweroff"))
    assert failures == ["on_destroy is 'poweroff', must be one of retain, power-off; did you mean 'power-off'?"]


def test_a_node_is_imported_by_its_name_from_what_was_emitted(client: Client, bmc: StartBmc, project: Path) -> None:
    fake = bmc("dell", power="On")
    for site, prefix in (("lab", "x"), ("lab-a0001", NAME)):
        build = project / "build" / site
        build.mkdir(parents=True)
        (build / "devices.csv").write_text(
            "device,kind,role,vendor,product,fabric,slice,unit,rack,u,slice_digest\n"
            f"{prefix},node,gpu,dell,dell_xe9680,,a0001,a0001,lab-a0001-r01,7,d1\n"
        )
        (build / "addresses.csv").write_text(
            "device,port,purpose,address,prefix_len,gateway,slice,slice_digest\n"
            f"{prefix},mgmt0,mgmt,192.0.2.9,26,,a0001,d1\n{prefix},bmc,bmc,{fake.url},26,,a0001,d1\n"
        )
    rid, seen, outputs = client.read("Node", NAME, {}, {})
    assert rid == NAME
    assert seen == {
        "device": NAME,
        "bmc": fake.url,
        "vendor": "dell",
        "product": "dell_xe9680",
        "rack": "lab-a0001-r01",
        "u": 7,
        "power": "on",
        "on_destroy": "retain",
    }
    assert outputs["serial"] == "CNIVC0042"
    assert client.read("Node", "lab-a0001-r09-n09", {}, {}) == ("", {}, {})


def test_no_credential_is_a_property(client: Client) -> None:
    schema = json.loads(client.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    for entry in schema["resources"].values():
        assert not [p for p in entry["properties"] if any(w in p for w in ("password", "user", "key", "secret"))]
