"""The engine's side of a provider: its stub with plain values for structs, and an ear for what it is told."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.empty_pb2 import Empty

from lindos.resources import provider, wire
from lindos.resources.wire import provider_pb2, provider_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import grpc

PROJECT = "urn:pulumi:lab.a0001::lindos"


@dataclass
class Engine(wire.engine_pb2_grpc.EngineServicer):
    """The engine's side: keeps what it is told."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def Log(self, request: Any, context: Any) -> Empty:  # noqa: N802  the engine's own name
        self.lines.append((request.message, request.urn))
        return Empty()


@dataclass
class Client:
    """The calls of an engine, with plain values for structs."""

    stub: provider_pb2_grpc.ResourceProviderStub
    engine: Engine

    @staticmethod
    def urn(kind: str, name: str) -> str:
        return f"{PROJECT}::lindos:component:Slice$lindos:index:{kind}::{name}"

    def check(self, kind: str, name: str, news: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        request = provider_pb2.CheckRequest(urn=self.urn(kind, name), news=wire.struct(news))
        answer = self.stub.Check(request)
        return wire.plain(answer.inputs), [f.reason for f in answer.failures]

    def diff(
        self, kind: str, name: str, old: dict[str, Any], new: dict[str, Any], outputs: dict[str, Any]
    ) -> dict[str, str]:
        """What differs -> how."""
        request = provider_pb2.DiffRequest(
            id=name,
            urn=self.urn(kind, name),
            old_inputs=wire.struct(old),
            news=wire.struct(new),
            olds=wire.struct(outputs),
        )
        answer = self.stub.Diff(request)
        assert answer.hasDetailedDiff
        assert (answer.changes == provider_pb2.DiffResponse.DIFF_SOME) == bool(answer.detailedDiff)
        return {path: provider_pb2.PropertyDiff.Kind.Name(d.kind) for path, d in answer.detailedDiff.items()}

    def create(
        self, kind: str, name: str, inputs: dict[str, Any], *, preview: bool = False, timeout: float = 5
    ) -> tuple[str, dict[str, Any]]:
        answer = self.stub.Create(
            provider_pb2.CreateRequest(
                urn=self.urn(kind, name), properties=wire.struct(inputs), preview=preview, timeout=timeout
            )
        )
        return answer.id, wire.plain(answer.properties)

    def update(
        self,
        kind: str,
        name: str,
        new: dict[str, Any],
        outputs: dict[str, Any],
        *,
        preview: bool = False,
        timeout: float = 5,
    ) -> dict[str, Any]:
        answer = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=name,
                urn=self.urn(kind, name),
                news=wire.struct(new),
                olds=wire.struct(outputs),
                preview=preview,
                timeout=timeout,
            )
        )
        return wire.plain(answer.properties)

    def read(
        self, kind: str, name: str, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        answer = self.stub.Read(
            provider_pb2.ReadRequest(
                id=name, urn=self.urn(kind, name), inputs=wire.struct(inputs), properties=wire.struct(outputs)
            )
        )
        return answer.id, wire.plain(answer.inputs), wire.plain(answer.properties)

    def delete(self, kind: str, name: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=name,
                urn=self.urn(kind, name),
                old_inputs=wire.struct(inputs),
                properties=wire.struct(outputs),
                timeout=5,
            )
        )


def failed(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed:
    """An error of a call -> what it says of a resource that exists but is not ready."""
    body = wire.status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert body.details[0].Unpack(detail)
    return detail


@contextmanager
def serving(engine: Engine) -> Iterator[int]:
    """An engine -> the port of a provider that was started by it."""
    with provider.serving(engine.address) as (port, *_):
        yield port
