"""The provider through the engine's stub: what every kind has in common."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from lindos.resources import wire
from lindos.resources.provider import KINDS, package_schema
from lindos.resources.wire import provider_pb2

if TYPE_CHECKING:
    from engine_double import Client

INFRA = Path(__file__).resolve().parents[2] / "infra"

HALL: dict[str, Any] = {
    "hall": "h1",
    "rows": 4,
    "positions": 40,
    "racks": 12,
    "nodes": 96,
    "gpus": 768,
    "nameplate_kw": 979.2,
    "typical_kw": 806.4,
    "liquid_kw": 645.1,
    "cooling_kw": 750.0,
}


def test_a_computed_thing_is_created_under_its_name_and_reads_as_it_was(client: Client) -> None:
    rid, outputs = client.create("Hall", "h1", HALL)
    assert rid == "h1"
    assert client.read("Hall", "h1", HALL, outputs) == ("h1", HALL, outputs)
    assert client.diff("Hall", "h1", HALL, HALL, outputs) == {}
    client.delete("Hall", "h1", HALL, outputs)


def test_a_difference_names_the_counts_that_changed(client: Client) -> None:
    moved = HALL | {"racks": 11, "gpus": 704}
    assert client.diff("Hall", "h1", HALL, moved, {}) == {"racks": "UPDATE", "gpus": "UPDATE"}
    assert client.update("Hall", "h1", moved, {}) == {}


def test_a_difference_within_an_object_names_the_key(client: Client) -> None:
    old = {"fabric": "rdma", "switches": {"leaf": 4}, "links": {"node_leaf": 32}, "cables": {}, "cable_m": {}}
    new = old | {"switches": {"leaf": 4, "spine": 2}, "links": {"node_leaf": 40}, "cable_m": {"dac 3 m": 1}}
    assert client.diff("Fabric", "rdma", old, new, {}) == {
        "switches.spine": "ADD",
        "links.node_leaf": "UPDATE",
        'cable_m["dac 3 m"]': "ADD",
    }


def test_another_name_is_another_thing(client: Client) -> None:
    assert client.diff("Hall", "h1", HALL, HALL | {"hall": "h2"}, {}) == {"hall": "UPDATE_REPLACE"}


def test_check_reports_all_that_is_wrong_at_once(client: Client) -> None:
    wrong = {k: v for k, v in HALL.items() if k != "racks"} | {"gpus": "many", "rows": 2.5, "colour": "red"}
    _, failures = client.check("Hall", "h1", wrong)
    assert failures == [
        "colour no such property",
        "rows is float, must be integer",
        "racks is missing: racks that stand there",
        "gpus is str, must be integer",
    ]


def test_check_keeps_what_is_not_known_yet_and_whole_numbers_whole(client: Client) -> None:
    inputs, failures = client.check("Hall", "h1", HALL | {"gpus": wire.UNKNOWN})
    assert failures == []
    assert inputs["racks"] == 12
    assert isinstance(inputs["racks"], int)


def test_what_is_computed_cannot_be_imported(client: Client) -> None:
    assert client.read("Hall", "h1", {}, {}) == ("", {}, {})


def test_a_kind_that_does_not_exist_is_told_apart(client: Client) -> None:
    with pytest.raises(grpc.RpcError, match="no such kind; there are lindos:index:Cooler, lindos:index:Fabric"):
        client.create("Cable", "c1", {})


def test_a_provider_is_never_replaced(client: Client) -> None:
    news = wire.struct({"destroy": "retain"})
    assert client.stub.CheckConfig(provider_pb2.CheckRequest(news=news)).inputs == news
    answer = client.stub.DiffConfig(provider_pb2.DiffRequest(news=news, olds=wire.struct({})))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_after_a_cancel_nothing_new_is_begun(client: Client) -> None:
    client.stub.Cancel(wire.provider_pb2_grpc.google_dot_protobuf_dot_empty__pb2.Empty())
    with pytest.raises(grpc.RpcError, match="cancelled"):
        client.create("Hall", "h1", HALL)


def test_the_schema_describes_every_kind_and_marks_the_secret(client: Client) -> None:
    schema = json.loads(client.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert schema == package_schema()
    assert set(schema["resources"]) == set(KINDS)
    for token, kind in KINDS.items():
        entry = schema["resources"][token]
        assert set(entry["requiredInputs"]) <= set(entry["inputProperties"]) <= set(entry["properties"])
        assert set(kind.outputs).isdisjoint(kind.inputs), token
    assert [n for n, v in schema["config"]["variables"].items() if v["secret"]] == ["bmc_password"]


def test_structs_survive_the_way_there_and_back() -> None:
    values = {"a": 1, "b": 2.5, "c": "x", "d": True, "e": None, "f": [1, {"g": [False]}], "h": {}}
    assert wire.plain(wire.struct(values)) == values
    assert isinstance(wire.plain(wire.struct({"a": 1}))["a"], int)


ENGINE = """
import subprocess, sys
provider = subprocess.Popen([sys.executable, "-c", sys.argv[1], "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
print(provider.pid, provider.stdout.readline().strip(), flush=True)
"""


def test_the_console_script_says_its_port_and_nothing_else_and_leaves_with_the_engine() -> None:
    # An engine that dies without a word: a shell that starts the provider and is gone once it has read the port.
    program = f"import sys; sys.path.insert(0, {str(INFRA)!r}); from lindos.resources.provider import main; main()"
    engine = subprocess.Popen(
        [
            sys.executable,
            "-c",
            ENGINE,
            program,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = engine.communicate(timeout=30)
    pid, port = out.split()
    assert 0 < int(port) < 65536
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


def test_an_interrupt_after_cancel_ends_it_at_once_and_one_before_does_not() -> None:
    """So the engine takes its leave; it waits five seconds for a provider that stays, of every stack."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lindos.resources.provider", "127.0.0.1:1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(INFRA)},
    )
    assert process.stdout is not None
    with process.stdout as said, grpc.insecure_channel(f"127.0.0.1:{said.readline().strip()}") as channel:
        stub = wire.provider_pb2_grpc.ResourceProviderStub(channel)
        process.send_signal(signal.SIGINT)
        assert stub.GetPluginInfo(Empty(), timeout=10, wait_for_ready=True).version
        stub.Cancel(Empty(), timeout=10)
        process.send_signal(signal.SIGINT)
        assert process.wait(4) == 0


def test_a_provider_starts_without_the_sdk_the_plan_or_any_driver() -> None:
    """A provider is started for every stack: what it loads is what every stack pays for."""
    program = "import sys, lindos.resources.provider; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(INFRA)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "lindos.resources.provider" in loaded
    heavy = {
        "pulumi",
        "polars",
        "pydantic",
        "httpx",
        "paramiko",
        "lindos.plan",
        "lindos.spec",
        "lindos.drivers.redfish",
    }
    assert loaded & heavy == set()
