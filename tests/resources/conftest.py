"""A provider on a loopback port, and what it speaks to."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "drivers"))  # the doubles of the protocols

from engine_double import Client, Engine, serving
from redfish_double import FakeBmc, Server
from ssh_double import Box, serve_box

from lindos.resources import wire
from lindos.resources.wire import provider_pb2, provider_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, project: Path) -> Iterator[Client]:
    """A configured provider, with credentials in its environment."""
    for name in ("LINDOS_BMC_CA", "LINDOS_SSH_KNOWN_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINDOS_BMC_USER", "lindos")
    monkeypatch.setenv("LINDOS_BMC_PASSWORD", "a-secret")
    monkeypatch.setenv("LINDOS_SSH_USER", "root")
    monkeypatch.setenv("LINDOS_ROOT", str(project))
    engine = Engine()
    server = grpc.server(ThreadPoolExecutor(2))
    wire.engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    engine.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with serving(engine) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=engine.address))
        assert stub.Configure(provider_pb2.ConfigureRequest()).supportsPreview
        yield Client(stub, engine)
    server.stop(None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: lindos\n")
    return folder


@pytest.fixture
def bmc() -> Iterator[Callable[..., FakeBmc]]:
    """A maker of BMCs that answer until the test is over."""
    with ExitStack() as running:

        def start(vendor: str, **settings: object) -> FakeBmc:
            fake = FakeBmc(vendor, **settings)  # type: ignore[arg-type]
            running.enter_context(Server(fake))
            return fake

        yield start


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A host that runs commands for real."""
    with serve_box(tmp_path) as running:
        yield running
