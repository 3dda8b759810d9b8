"""A question to the site's service -> its answer: one line of JSON each way over a local socket."""

from __future__ import annotations

import json
import socket
import socketserver
from typing import TYPE_CHECKING, Any

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lindos.twin.places import Places

LONGEST = 1 << 20


def ask(places: Places, verb: str, *words: str, timeout_s: float = 120.0) -> Any:
    """A verb and its words -> what the service answers; its refusal is raised here as the DriverError it was there."""
    who = f"twin of {places.site}"
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout_s)
            link.connect(str(places.socket))
            link.sendall(json.dumps([verb, *words]).encode() + b"\n")
            with link.makefile() as lines:
                line = lines.readline()
    except (FileNotFoundError, ConnectionError):
        hint = f"lindos twin up {places.site}"
        raise DriverError(who, verb, "it is not up", retryable=False, hint=hint) from None
    except TimeoutError:
        raise DriverError(who, verb, f"no answer in {timeout_s:g} s", retryable=True) from None
    if not line:
        raise DriverError(who, verb, f"its service hung up; see {places.log}", retryable=True)
    answer = json.loads(line)
    if "refused" in answer:
        no = answer["refused"]
        raise DriverError(no["device"], no["tried"], no["said"], retryable=no["retryable"], hint=no["hint"])
    return answer["answer"]


def serve(places: Places, answer: Callable[[str, list[str]], Any]) -> socketserver.ThreadingUnixStreamServer:
    """A function of verb and words -> the server that speaks for it; the caller runs it."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            verb, *words = json.loads(self.rfile.readline(LONGEST))
            try:
                said: dict[str, Any] = {"answer": answer(verb, words)}
            except DriverError as no:
                refused = {name: getattr(no, name) for name in ("device", "tried", "said", "retryable")}
                said = {"refused": {**refused, "hint": no.problems[0].hint}}
            self.wfile.write(json.dumps(said).encode() + b"\n")

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    places.socket.unlink(missing_ok=True)
    server = Server(str(places.socket), Handler)
    places.socket.chmod(0o600)
    return server
