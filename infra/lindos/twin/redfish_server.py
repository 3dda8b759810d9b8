"""A BMC's tree and power switch -> an HTTPS service on the BMC's own address, inside the BMC's own namespace."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from lindos.twin import netns
from lindos.twin.redfish_settings import changeable, clear_path
from lindos.twin.redfish_tree import (
    ROOT,
    Refusal,
    collection_of_sessions,
    error,
    resources,
    session,
    session_path,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lindos.twin.redfish_tree import Dialect, Json, View

PORT = 443
PATIENCE_S = 20.0
"""How long a client may take over a handshake or a request."""

MOST_SESSIONS = 8
LARGEST_BODY = 1 << 20
OPEN_PATHS = frozenset({"/redfish", ROOT})
"""What DSP0266 lets anyone read."""


class PowerSwitch(Protocol):
    """What a BMC is wired to."""

    def view(self) -> View:
        """How the machine is now."""

    def reset(self, reset_type: str) -> Refusal | None:
        """Does what a ResetType asks for, or says why not; returns at once."""


class Bmc:
    """One management controller: listens from `start` until `stop`, and forgets its sessions in between."""

    def __init__(self, name: str, dialect: Dialect, switch: PowerSwitch, credentials: tuple[str, str]) -> None:
        self.name = name
        self.dialect = dialect
        self.switch = switch
        self.credentials = credentials
        self.sessions: dict[str, tuple[str, str]] = {}
        self.settings = dialect.out_of_the_box()
        self._server: _Server | None = None

    def resources(self) -> dict[str, Json]:
        """Every resource as it is now, by path."""
        return resources(self.dialect, self.switch.view(), self.settings)

    @property
    def changeable(self) -> frozenset[str]:
        return changeable(self.dialect.system_path, self.dialect.manager_path, self.settings)

    def patch(self, path: str, body: Json) -> Refusal | None:
        """Changes what is asked of a resource, or says why not."""
        if path not in self.changeable:
            message = f"The resource at the URI {path} has no property that can be changed."
            return Refusal(405, "Base.1.8.OperationNotAllowed", message)
        if why := self.settings.refuses(path, self.resources()[path], body):
            return Refusal(400, why.message_id, why.message, why.properties)
        self.settings.change(path, body)
        return None

    @property
    def answers(self) -> bool:
        return self._server is not None

    def start(self, namespace: str, address: str, certificate: Path) -> None:
        """Listens on an address of a namespace."""
        if self._server is not None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = netns.inside(namespace, lambda: _Server((address, PORT), self, context))
        threading.Thread(target=server.serve_forever, args=(0.1,), name=f"bmc {self.name}", daemon=True).start()
        self._server = server

    def stop(self) -> None:
        """Stops listening, as if its power were gone."""
        server, self._server = self._server, None
        self.sessions.clear()
        if server is not None:
            server.shutdown()
            server.server_close()

    def admits(self, authorization: str, token: str) -> bool:
        """Whether basic authentication or a session token is good."""
        if token:
            return any(hmac.compare_digest(token, known) for known, _ in list(self.sessions.values()))
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self.knows(user, password)

    def knows(self, user: str, password: str) -> bool:
        wanted = ":".join(self.credentials).encode()
        return hmac.compare_digest(f"{user}:{password}".encode(), wanted)

    def open_session(self, user: str) -> tuple[str, str] | None:
        """A user -> session id and token; None if all are taken."""
        if len(self.sessions) >= MOST_SESSIONS:
            return None
        session_id, token = secrets.token_hex(4), secrets.token_hex(16)
        self.sessions[session_id] = (token, user)
        return session_id, token


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # The address of a BMC that was dead a moment ago is free again.
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], bmc: Bmc, context: ssl.SSLContext) -> None:
        self.bmc = bmc
        self._context = context
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Binds without asking a resolver for a name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), PORT

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shakes hands in the request's own thread, so that a silent client holds up nobody else."""
        request.settimeout(PATIENCE_S)
        with self._context.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up or speaks no TLS is none of the BMC's business; a bug is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Says nothing; what happens to machines is logged where it happens."""

    def do_GET(self) -> None:
        bmc, path = self.server.bmc, self._path()
        if not self._admitted(path):
            return
        if path == f"{ROOT}/SessionService/Sessions":
            self._answer(200, collection_of_sessions(list(bmc.sessions)))
            return
        found = bmc.resources().get(path)
        if found is None and (held := bmc.sessions.get(path.removeprefix(session_path("")))):
            found = session(path.removeprefix(session_path("")), held[1])
        if found is None:
            self._not_found(path)
        else:
            self._answer(200, found)

    def do_POST(self) -> None:
        bmc, path, body = self.server.bmc, self._path(), self._body()
        if body is None:
            return
        if path in {f"{ROOT}/SessionService/Sessions", f"{ROOT}/SessionService/Sessions/Members"}:
            self._log_in(body)
        elif self._admitted(path):
            if path == bmc.dialect.reset_path:
                self._reset(body)
            elif path == clear_path(bmc.dialect.log_owner, bmc.settings):
                bmc.settings.entries.clear()
                self._answer(204, None)
            elif path == f"{ROOT}/UpdateService/Actions/UpdateService.SimpleUpdate":
                self._update(body)
            elif path in bmc.resources():
                self._refuse(
                    Refusal(405, "Base.1.8.OperationNotAllowed", "The HTTP method is not allowed on this resource.")
                )
            else:
                self._not_found(path)

    def do_DELETE(self) -> None:
        path = self._path()
        if self._admitted(path):
            if self.server.bmc.sessions.pop(path.removeprefix(session_path("")), None) is None:
                self._not_found(path)
            else:
                self._answer(204, None)

    def do_PATCH(self) -> None:
        bmc, path, body = self.server.bmc, self._path(), self._body()
        if body is None or not self._admitted(path):
            return
        if refusal := bmc.patch(path, body):
            self._refuse(refusal)
        else:
            self._answer(200, error("Base.1.8.Success", "The request completed successfully."))

    def _path(self) -> str:
        return self.path.partition("?")[0].rstrip("/") or "/"

    def _body(self) -> Json | None:
        """The JSON object that came with the request; None when it was none, and the client has been told."""
        said = self.headers.get("Content-Length") or "0"
        length = int(said) if said.isdigit() else LARGEST_BODY + 1
        try:
            body = json.loads(self.rfile.read(length) or b"{}") if length <= LARGEST_BODY else None
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        self.close_connection = True
        if length > LARGEST_BODY:
            # Unread data would turn the answer into a reset; who sends more than this gets one.
            self.rfile.read(min(length, 8 * LARGEST_BODY) if said.isdigit() else 0)
        message = "The request body submitted was malformed JSON and could not be parsed by the receiving service."
        self._refuse(Refusal(400, "Base.1.8.MalformedJSON", message))
        return None

    def _admitted(self, path: str) -> bool:
        if path in OPEN_PATHS and self.command == "GET":
            return True
        headers = self.headers
        if self.server.bmc.admits(headers.get("Authorization", ""), headers.get("X-Auth-Token", "")):
            return True
        message = "The authentication credentials included with this request are missing or invalid."
        self._refuse(Refusal(401, "Base.1.8.AccessDenied", message))
        return False

    def _log_in(self, body: Json) -> None:
        bmc, user = self.server.bmc, str(body.get("UserName"))
        if not bmc.knows(user, str(body.get("Password"))):
            message = "The authentication credentials included with this request are missing or invalid."
            self._refuse(Refusal(401, "Base.1.8.AccessDenied", message))
        elif (opened := bmc.open_session(user)) is None:
            message = "The session establishment failed due to the number of simultaneous sessions exceeding the limit."
            self._refuse(Refusal(503, "Base.1.8.SessionLimitExceeded", message))
        else:
            session_id, token = opened
            headers = {"Location": session_path(session_id), "X-Auth-Token": token}
            self._answer(201, session(session_id, user), headers)

    def _reset(self, body: Json) -> None:
        bmc, wanted = self.server.bmc, body.get("ResetType")
        if wanted is None:
            message = (
                "The action ComputerSystem.Reset requires the parameter ResetType to be present in the request body."
            )
            self._refuse(Refusal(400, "Base.1.8.ActionParameterMissing", message))
        elif wanted not in bmc.dialect.reset_types:
            message = f"The value {wanted} for the property ResetType is not in the list of acceptable values."
            self._refuse(Refusal(400, "Base.1.8.PropertyValueNotInList", message))
        elif refusal := bmc.switch.reset(str(wanted)):
            self._refuse(refusal)
        elif bmc.dialect.reset_status == 204:
            bmc.settings.boot()
            self._answer(204, None)
        else:
            bmc.settings.boot()
            done = error("Base.1.8.Success", "The request completed successfully.")["error"]
            self._answer(200, {"error": {**done, "code": "Base.1.8.Success"}})

    def _update(self, body: Json) -> None:
        """Takes the address of an image; the twin has no machine that would flash it."""
        if not body.get("ImageURI"):
            message = "The action SimpleUpdate requires the parameter ImageURI to be present in the request body."
            self._refuse(Refusal(400, "Base.1.8.ActionParameterMissing", message))
            return
        updates = self.server.bmc.settings.updates
        updates.append(body)
        self._answer(202, None, {"Location": f"{ROOT}/TaskService/Tasks/{len(updates)}"})

    def _not_found(self, path: str) -> None:
        message = f"The resource at the URI {path} was not found."
        self._refuse(Refusal(404, "Base.1.8.ResourceMissingAtURI", message))

    def _refuse(self, refusal: Refusal) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="Redfish"'} if refusal.status == 401 else {}
        self._answer(refusal.status, error(refusal.message_id, refusal.message, refusal.properties), headers)

    def _answer(self, status: int, body: Json | None, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("OData-Version", "4.0")
        self.send_header("Cache-Control", "no-cache")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
