"""The engine's protocol: its messages, structs as plain values, the error that keeps a half-made resource.

A provider is started for every stack, and the whole SDK takes a second to import; its messages alone a
quarter of that. They are therefore loaded from the SDK's own files, past its front door.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import struct_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

    from grpc import ServicerContext as Context
    from pulumi.runtime.proto import (
        engine_pb2,
        engine_pb2_grpc,
        plugin_pb2,
        provider_pb2,
        provider_pb2_grpc,
        status_pb2,
    )
else:
    _spec = importlib.util.find_spec("pulumi")
    if _spec is None or _spec.origin is None:
        raise ImportError("the Pulumi SDK is not installed")
    _messages = types.ModuleType(f"{__name__}_messages")
    _messages.__path__ = [str(Path(_spec.origin).parent / "runtime" / "proto")]
    sys.modules[_messages.__name__] = _messages
    engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2 = (
        importlib.import_module(f"{_messages.__name__}.{name}")
        for name in (
            "engine_pb2",
            "engine_pb2_grpc",
            "plugin_pb2",
            "provider_pb2",
            "provider_pb2_grpc",
            "status_pb2",
        )
    )

__all__ = [
    "MESSAGE_OPTIONS",
    "UNKNOWN",
    "engine_pb2",
    "engine_pb2_grpc",
    "fail",
    "init_failed",
    "plain",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
    "status_pb2",
    "struct",
]

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""A property's value without the protocol around it."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that only an update will give."""

MESSAGE_OPTIONS = [
    ("grpc.max_receive_message_length", 400 << 20),
    ("grpc.max_send_message_length", 400 << 20),
]
"""What the SDK and the engine allow each other; gRPC's own limit of 4 MB is one large stack."""


def plain(message: struct_pb2.Struct) -> dict[str, Plain]:
    """Struct -> dict; whole numbers become int, as the protocol knows doubles only."""
    return {key: _value(value) for key, value in message.fields.items()}


def _value(value: struct_pb2.Value) -> Plain:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "struct_value":
        return plain(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Dict -> Struct."""
    message = struct_pb2.Struct()
    message.update(values)
    return message


def fail(context: Context, message: str) -> NoReturn:
    """Ends a call with an error that a person reads; the engine keeps nothing of the resource."""
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort has raised")


def init_failed(
    context: Context,
    rid: str,
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any],
    reasons: Iterable[str],
) -> NoReturn:
    """Ends a call with an error that keeps the resource, so that the next update goes on from here."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=rid, properties=struct(outputs), inputs=struct(inputs), reasons=list(reasons)
    )
    body = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="exists, but is not ready")
    body.details.add().Pack(detail)
    status = grpc.Status()
    status.code, status.details = grpc.StatusCode.UNKNOWN, body.message
    status.trailing_metadata = (("grpc-status-details-bin", body.SerializeToString()),)
    context.abort_with_status(status)
    raise AssertionError("abort has raised")
