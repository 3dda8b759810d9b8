"""A Redfish service, walked from its root: shared by the modules that speak to a BMC. Standard library only."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

LOGIN: dict[str, dict[str, Any]] = {
    "address": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "ca": {"type": "str", "default": ""},
}
"""Arguments of a module that say where a BMC answers, and as whom to log in."""
ROOTS = {"system": "Systems", "manager": "Managers", "chassis": "Chassis"}
TIMEOUT_S = 60


class RefusedError(Exception):
    """What was tried and what the BMC said."""


class Service:
    """A Redfish service: documents by path, each read once."""

    def __init__(self, address: str, user: str, password: str, ca: str) -> None:
        self.url = address if "://" in address else f"https://{address}"
        context = ssl.create_default_context(cafile=ca or None)
        if not ca:
            # A BMC is born with a certificate of its own making.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handlers = (urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))
        self._open = urllib.request.build_opener(*handlers).open
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Accept": "application/json", "OData-Version": "4.0"}
        self._tags: dict[str, str] = {}
        self.location = ""

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request -> the document that came back; an empty answer is an empty one."""
        headers = dict(self._headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if method == "PATCH" and path in self._tags:
            headers["If-Match"] = self._tags[path]
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with self._open(request, timeout=TIMEOUT_S) as answer:
                if tag := answer.headers.get("ETag"):
                    self._tags[path] = tag
                self.location = answer.headers.get("Location", "")
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{method} {path}: HTTP {error.code}: {_said(error.read()) or error.reason}") from None
        except (urllib.error.URLError, OSError) as error:
            raise RefusedError(f"{method} {self.url}{path}: {getattr(error, 'reason', error)}") from None
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            raise RefusedError(f"{method} {path}: not JSON: is this a Redfish service?") from None
        return found if isinstance(found, dict) else {}

    def walk(self, steps: list[str]) -> dict[str, Any] | None:
        """Steps from a root -> the document there; None where a step is not offered."""
        found: Any = self.send("GET", "/redfish/v1/")
        if steps[0] in ROOTS:
            found = self._first(found, ROOTS[steps[0]])
        for step in steps[1:]:
            found = self._step(found, step)
        return found if isinstance(found, dict) else None

    def members(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        """A collection -> its members, page by page; those that are shown in full are not asked for again."""
        found: list[dict[str, Any]] = []
        at: dict[str, Any] = document
        for _ in range(64):
            members = at.get("Members") or []
            found += [m if len(m) > 1 else self.send("GET", m["@odata.id"]) for m in members]
            following = at.get("Members@odata.nextLink")
            if not following:
                break
            at = self.send("GET", following)
        return found

    def _first(self, root: dict[str, Any], name: str) -> dict[str, Any] | None:
        """The machine's own: a GPU baseboard lists itself beside it, but cannot be booted."""
        found = self.members(self._step(root, name) or {})
        able = [f for f in found if f.get("SystemType", "Physical") == "Physical" and "Boot" in f]
        return (able or found or [None])[0]

    def _step(self, found: Any, step: str) -> Any:
        if not isinstance(found, dict):
            return None
        inner = found.get(step)
        if inner is None:
            paths = [m.get("@odata.id", "") for m in found.get("Members") or []]
            path = next((p for p in paths if p.rstrip("/").rpartition("/")[2] == step), None)
            inner = None if path is None else {"@odata.id": path}
        if isinstance(inner, list):
            inner = inner[0] if inner else None
        if isinstance(inner, dict) and set(inner) == {"@odata.id"}:
            return self.send("GET", inner["@odata.id"])
        return inner


def _said(text: bytes) -> str:
    """The body of a refusal -> its messages."""
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    messages = [m.get("Message", "") for m in error.get("@Message.ExtendedInfo") or [] if isinstance(m, dict)]
    return "; ".join(m for m in messages if m) or str(error.get("message", ""))
