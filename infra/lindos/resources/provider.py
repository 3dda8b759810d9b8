"""The engine's calls -> kinds of resources: console script `pulumi-resource-lindos`.

The engine starts it with its own address, reads one line from standard output, the port, and calls from then
on. Nothing else ever goes there. Calls are answered on one event loop; what has to wait for a device does so
in a thread.
"""

# ruff: noqa: N802, ARG002  the engine's protocol gives methods and arguments their names
from __future__ import annotations

import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty

from lindos.drivers.access import SECRET, SETTINGS, Access
from lindos.errors import DriverError
from lindos.resources.computed import COMPUTED
from lindos.resources.kinds import NotReadyError, World
from lindos.resources.node import NODE
from lindos.resources.switch import SWITCH
from lindos.resources.wire import (
    MESSAGE_OPTIONS,
    engine_pb2,
    engine_pb2_grpc,
    fail,
    init_failed,
    plain,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    struct,
)
from lindos.workspace import project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from grpc import ServicerContext as Context

    from lindos.resources.kinds import Kind

    T = TypeVar("T")

KINDS = {kind.token: kind for kind in (*COMPUTED, NODE, SWITCH)}

MOST_THREADS = 4096
"""Started as they are needed: a call that waits for a device must not keep Cancel waiting."""

PATIENCE_S = 300.0
"""How long a device may take where the program gives no custom timeout."""

SEVERITY = {"info": engine_pb2.INFO, "warning": engine_pb2.WARNING, "error": engine_pb2.ERROR}


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The engine's view of all kinds. Holds no state but how to log in."""

    def __init__(self, engine_address: str = "") -> None:
        self.stopped = threading.Event()
        self._engine: engine_pb2_grpc.EngineStub | None = None
        self._access = Access(os.environ)
        self._listen(engine_address)

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: Context
    ) -> provider_pb2.ProviderHandshakeResponse:
        self._listen(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> Empty:
        self._listen(request.address)
        return Empty()

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=own_version())

    def GetSchema(self, request: provider_pb2.GetSchemaRequest, context: Context) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema=json.dumps(package_schema()))

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        """Never a change: a provider that is replaced replaces all that it manages."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context) -> provider_pb2.ConfigureResponse:
        self._access = Access(os.environ, plain(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        kind = self._kind(request.urn, context)
        inputs, failures = kind.check(plain(request.news))
        return provider_pb2.CheckResponse(
            inputs=struct(inputs),
            failures=[provider_pb2.CheckFailure(property=p, reason=f"{p} {why}") for p, why in failures],
        )

    def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        kind = self._kind(request.urn, context)
        changes = kind.diff(plain(request.old_inputs), plain(request.news), plain(request.olds))
        replaces = kind.replaced(changes)
        detail = {}
        for change in changes:
            name = f"{change.kind}_REPLACE" if change.path in replaces else change.kind
            value = provider_pb2.PropertyDiff.Kind.Value(name)
            detail[change.path] = provider_pb2.PropertyDiff(kind=value, inputDiff=change.given)
        response = provider_pb2.DiffResponse
        return response(
            changes=response.DIFF_SOME if changes else response.DIFF_NONE,
            replaces=replaces,
            detailedDiff=detail,
            hasDetailedDiff=True,
        )

    def Create(self, request: provider_pb2.CreateRequest, context: Context) -> provider_pb2.CreateResponse:
        inputs = plain(request.properties)
        kind = self._kind(request.urn, context)
        rid = request.urn.rpartition("::")[2]
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct({}))
        outputs = self._converge(kind, request, rid, inputs, context)
        return provider_pb2.CreateResponse(id=rid, properties=struct(outputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> provider_pb2.UpdateResponse:
        inputs = plain(request.news)
        kind = self._kind(request.urn, context)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=request.olds)
        outputs = self._converge(kind, request, request.id, inputs, context)
        return provider_pb2.UpdateResponse(properties=struct(outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        kind = self._kind(request.urn, context)
        inputs, olds = plain(request.inputs), plain(request.properties)
        look = partial(kind.read, self._world(), request.urn, request.id, inputs, olds)
        seen = self._ask(look, context)
        if seen is None:
            return provider_pb2.ReadResponse()
        if seen.reasons:
            init_failed(context, request.id, seen.outputs, seen.inputs, seen.reasons)
        return provider_pb2.ReadResponse(id=request.id, properties=struct(seen.outputs), inputs=struct(seen.inputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> Empty:
        kind = self._kind(request.urn, context)
        timeout_s = request.timeout or PATIENCE_S
        self._ask(partial(kind.delete, self._world(), request.urn, plain(request.old_inputs), timeout_s), context)
        return Empty()

    def Cancel(self, request: Empty, context: Context) -> Empty:
        """What waits for a device gives up."""
        self.stopped.set()
        return Empty()

    def _converge(
        self,
        kind: Kind,
        request: provider_pb2.CreateRequest | provider_pb2.UpdateRequest,
        rid: str,
        inputs: dict[str, Any],
        context: Context,
    ) -> dict[str, Any]:
        timeout_s = request.timeout or PATIENCE_S
        do = partial(kind.converge, self._world(), request.urn, inputs, timeout_s)
        try:
            return self._ask(do, context)
        except NotReadyError as error:
            unready = error
        return init_failed(context, rid, unready.outputs, inputs, unready.reasons)

    def _kind(self, urn: str, context: Context) -> Kind:
        token = urn.split("::")[2].rpartition("$")[2] if urn.count("::") >= 3 else ""
        if token not in KINDS:
            fail(context, f"{token or urn}: no such kind; there are {', '.join(sorted(KINDS))}")
        return KINDS[token]

    def _ask(self, do: Callable[[], T], context: Context) -> T:
        """Does what may wait for a device; its error is told to the engine in one piece."""
        if self.stopped.is_set():
            fail(context, "cancelled")
        try:
            return do()
        except DriverError as error:
            message = error.render()
        return fail(context, message)

    def _world(self) -> World:
        return World(project_root(), self._access.bmc, self._access.host, self.stopped, self._tell())

    def _listen(self, engine_address: str) -> None:
        if engine_address:
            self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address))

    def _tell(self) -> Callable[[str, str, str], None]:
        def tell(severity: str, message: str, urn: str) -> None:
            if self._engine is not None:
                # An engine that has gone away has nobody to show it to.
                with suppress(grpc.RpcError):
                    self._engine.Log(engine_pb2.LogRequest(severity=SEVERITY[severity], message=message, urn=urn))

        return tell


def own_version() -> str:
    """The installed version of this package; of a checkout that is not installed, 0.0.0."""
    try:
        return version("lindos")
    except PackageNotFoundError:
        return "0.0.0"


def package_schema() -> dict[str, Any]:
    """The Pulumi package schema of all kinds."""
    settings = {
        name: {"type": "string", "description": f"{doc} (else {variable})", "secret": name in SECRET}
        for name, (variable, doc) in SETTINGS.items()
    }
    return {
        "name": "lindos",
        "displayName": "Lindos",
        "description": "Nodes and switches of an AI training cluster, and what its site is made of.",
        "version": own_version(),
        "meta": {"moduleFormat": "(.*)"},
        "config": {"variables": settings},
        "provider": {"inputProperties": settings},
        "resources": {token: kind.schema() for token, kind in KINDS.items()},
    }


@contextmanager
def serving(engine_address: str = "") -> Iterator[tuple[int, grpc.Server, threading.Event]]:
    """The engine's address -> a port on which a provider answers, its server, and whether it was told to stop."""
    provider = Provider(engine_address)
    server = grpc.server(ThreadPoolExecutor(MOST_THREADS), options=MESSAGE_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, server, provider.stopped
    finally:
        provider.stopped.set()
        server.stop(None)


def main() -> None:
    """The engine's address in `sys.argv`, the port on standard output; serves as long as the engine lives."""
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Whatever a library prints must not be taken for the port.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    engine = os.getppid()
    with serving(next((a for a in sys.argv[1:] if not a.startswith("-")), "")) as (port, server, stopped):
        # The engine's last words are Cancel and an interrupt; it then waits five seconds for us to go. An interrupt
        # without Cancel is a person's: the engine hears it as well, and says what is to be done.
        signal.signal(signal.SIGINT, lambda *_: os._exit(0) if stopped.is_set() else None)
        said.write(f"{port}\n")
        said.flush()
        while os.getppid() == engine:
            # An engine that was killed without a word leaves nobody to serve.
            server.wait_for_termination(timeout=2)


if __name__ == "__main__":
    main()
