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
ROOTS = {"manager": ("Managers", "ManagedBy"), "chassis": ("Chassis", "Chassis")}
"""Resources that a walk may begin at beside the system: their collection, and the system's own link to them."""
TIMEOUT_S = 60
PAGES = 64


class RefusedError(Exception):
    """What was tried and what the BMC said."""


class Service:
    """A Redfish service: documents by path, each read once."""

    def __init__(self, address: str, user: str, password: str, ca: str) -> None:
        self.url = address if "://" in address else f"https://{address}"
        context = ssl.create_default_context(cafile=ca) if ca else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not ca:
            # A BMC is born with a certificate of its own making; reading all CAs would take longer than all else.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handlers = (urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))
        self._open = urllib.request.build_opener(*handlers).open
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Accept": "application/json", "OData-Version": "4.0"}
        self._tags: dict[str, str] = {}
        self._begun: dict[str, str] = {}
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
            raise RefusedError(f"{method} {path}: HTTP {error.code}: {said(error.read()) or error.reason}") from None
        except (urllib.error.URLError, OSError) as error:
            raise RefusedError(f"{method} {self.url}{path}: {getattr(error, 'reason', error)}") from None
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            raise RefusedError(f"{method} {path}: not JSON: is this a Redfish service?") from None
        # A service may take a part of a PATCH, and say with its 200 what it left.
        if method == "PATCH" and (left := said(text, refused_only=True)):
            raise RefusedError(f"{method} {path}: {left}")
        return found if isinstance(found, dict) else {}

    def walk(self, steps: list[str]) -> dict[str, Any] | None:
        """Steps from a root -> the document there; None where a step is not offered."""
        name = steps[0]
        found: Any = self.send("GET", self._begun[name]) if name in self._begun else self._begin(name)
        for at, step in enumerate(steps[1:], start=1):
            found = self._step(found, step, ".".join(steps[:at]))
        if isinstance(found, list):
            found = self._only(found, ".".join(steps))
        return found if isinstance(found, dict) else None

    def members(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        """A collection -> its members, page by page; those that are shown in full are not asked for again."""
        return [m if len(m) > 1 else self.send("GET", m["@odata.id"]) for m in self._listed(document)]

    def _listed(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        """A collection -> its members as it lists them: most often links."""
        found: list[dict[str, Any]] = []
        at: dict[str, Any] = document
        for _ in range(PAGES):
            found += at.get("Members") or []
            following = at.get("Members@odata.nextLink")
            if not following:
                break
            at = self.send("GET", following)
        return found

    def _begin(self, name: str) -> dict[str, Any] | None:
        """Where a walk begins -> the document there, whose path is remembered."""
        found: dict[str, Any] | None = self.send("GET", "/redfish/v1/")
        if name == "system":
            found = self._system(found or {})
        elif name in ROOTS:
            found = self._beside(found or {}, *ROOTS[name])
        if path := (found or {}).get("@odata.id"):
            self._begun[name] = path
        return found

    def _system(self, root: dict[str, Any]) -> dict[str, Any] | None:
        """The machine itself: a GPU baseboard lists itself beside it, but cannot be booted."""
        found = self.members(self._step(root, "Systems", "root") or {})
        able = [f for f in found if f.get("SystemType", "Physical") == "Physical" and "Boot" in f]
        return (able or found or [None])[0]

    def _beside(self, root: dict[str, Any], collection: str, link: str) -> dict[str, Any] | None:
        """What the machine names as its own: a GPU baseboard brings a manager and chassis too, which may come first."""
        own = ((self.walk(["system"]) or {}).get("Links") or {}).get(link) or []
        found = own or self._listed(self._step(root, collection, "root") or {})
        return self.send("GET", found[0]["@odata.id"]) if found else None

    def _step(self, found: Any, step: str, where: str) -> Any:
        """A document, or a list in one, and a step -> what is there; a list of links stays one for the next step."""
        if isinstance(found, list):
            if chosen := [m for m in found if _last(m) == step]:
                return self._followed(chosen[0])
            found = self._only(found, where)
        if not isinstance(found, dict):
            return None
        inner = found.get(step)
        if inner is None:
            inner = next((m for m in self._listed(found) if _last(m) == step), None)
        return self._followed(inner)

    def _only(self, found: list[Any], where: str) -> Any:
        """A list of which nobody chose -> the one that there is; which of several is meant, nobody can guess."""
        several = [m for m in found if isinstance(m, dict)]
        if len(several) > 1:
            names = ", ".join(_last(m) or "one without a path" for m in several)
            raise RefusedError(f"{where} lists {len(several)}, and the next step names none of them: {names}")
        return self._followed(several[0]) if several else None

    def _followed(self, inner: Any) -> Any:
        """A link -> where it leads; all else stays as it is."""
        if isinstance(inner, dict) and set(inner) == {"@odata.id"}:
            return self.send("GET", inner["@odata.id"])
        return inner


def _last(member: Any) -> str:
    """A member of a list -> the last part of its path."""
    path = member.get("@odata.id", "") if isinstance(member, dict) else ""
    return str(path).rstrip("/").rpartition("/")[2]


def said(text: bytes, *, refused_only: bool = False) -> str:
    """The body of an answer -> its messages, each after the properties that it is about.

    `refused_only`: those alone that say of a property that it was not taken, as the base registry has them.
    """
    try:
        body = json.loads(text)
    except ValueError:
        return ""
    places: dict[str, list[str]] = {}
    for place, message in _messages(body, ""):
        what = str(message.get("Message") or message.get("MessageId") or "")
        key = str(message.get("MessageId", "")).rpartition(".")[2]
        kind = message.get("MessageSeverity") or message.get("Severity") or "Warning"
        if refused_only and (kind == "OK" or not key.startswith("Property") or key == "PropertyValueModified"):
            continue
        related = [str(p).lstrip("#/").replace("/", ".") for p in message.get("RelatedProperties") or []]
        unnamed = [str(a) for a in message.get("MessageArgs") or [] if str(a) not in what]
        about = related or ([place] if place else unnamed)
        places.setdefault(what, []).extend(a for a in about if a not in places.get(what, []))
    found = [f"{', '.join(about)}: {what}" if about else what for what, about in places.items() if what]
    error = body.get("error") if isinstance(body, dict) else None
    if not found and not refused_only and isinstance(error, dict):
        found = [str(error.get("message", ""))]
    return "; ".join(found)


def _messages(body: Any, place: str) -> list[tuple[str, dict[str, Any]]]:
    """A body -> its messages, each with the property that it hangs on, if any.

    They stand in `error`, or beside the property that they are about: `Boot@Message.ExtendedInfo`.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for name, value in body.items() if isinstance(body, dict) else ():
        on, mark, _ = name.partition("@Message.ExtendedInfo")
        if mark:
            at = ".".join(part for part in (place, on) if part)
            found += [(at, m) for m in value if isinstance(m, dict)] if isinstance(value, list) else []
        else:
            found += _messages(value, "" if name == "error" else ".".join(part for part in (place, name) if part))
    return found
