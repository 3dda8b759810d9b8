"""A BMC on loopback that speaks Redfish the way Dell and Supermicro do, over HTTP or HTTPS."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

SYSTEMS = "/redfish/v1/Systems"
CHASSIS = "/redfish/v1/Chassis"
MANAGERS = "/redfish/v1/Managers"
SESSIONS = "/redfish/v1/SessionService/Sessions"


def members(*paths: str) -> dict[str, Any]:
    return {"Members": [{"@odata.id": path} for path in paths], "Members@odata.count": len(paths)}


def dell_tree() -> dict[str, Any]:
    system, chassis = f"{SYSTEMS}/System.Embedded.1", f"{CHASSIS}/System.Embedded.1"
    supplies = f"{chassis}/PowerSubsystem/PowerSupplies"
    slots = [f"{supplies}/PSU.Slot.{n}" for n in range(1, 7)]
    return {
        SYSTEMS: members(system),
        system: {
            "@odata.id": system,
            "Id": "System.Embedded.1",
            "SystemType": "Physical",
            "Manufacturer": "Dell Inc.",
            "Model": "PowerEdge XE9680",
            "SerialNumber": "CNIVC0042",
            "SKU": "7XK2Q54",
            "Boot": {"BootSourceOverrideEnabled": "Disabled"},
            "Status": {"State": "Enabled", "Health": "OK"},
            "Links": {
                "Chassis": [{"@odata.id": chassis}],
                "ManagedBy": [{"@odata.id": f"{MANAGERS}/iDRAC.Embedded.1"}],
            },
            "Actions": {
                "#ComputerSystem.Reset": {
                    "target": f"{system}/Actions/ComputerSystem.Reset",
                    "ResetType@Redfish.AllowableValues": [
                        "On",
                        "ForceOff",
                        "ForceRestart",
                        "GracefulRestart",
                        "GracefulShutdown",
                        "PushPowerButton",
                        "Nmi",
                        "PowerCycle",
                    ],
                }
            },
        },
        f"{MANAGERS}/iDRAC.Embedded.1": {"FirmwareVersion": "7.10.30.00", "ManagerType": "BMC"},
        chassis: {"PowerSubsystem": {"@odata.id": f"{chassis}/PowerSubsystem"}, "Power": None},
        f"{chassis}/PowerSubsystem": {"PowerSupplies": {"@odata.id": supplies}},
        supplies: {**members(*slots[:4]), "Members@odata.nextLink": f"{supplies}?$skip=4"},
        f"{supplies}?$skip=4": members(*slots[4:]),
        **{
            path: {
                "Name": f"PS{n} Status",
                "PowerCapacityWatts": 2800.0,
                "LineInputStatus": "LossOfInput" if n == 6 else "Normal",
                "Status": {"State": "Enabled", "Health": "Critical" if n == 6 else "OK"},
            }
            for n, path in enumerate(slots, start=1)
        },
    }


def supermicro_tree() -> dict[str, Any]:
    system, board = f"{SYSTEMS}/1", f"{SYSTEMS}/HGX_Baseboard_0"
    reset = f"{system}/Actions/ComputerSystem.Reset"
    return {
        SYSTEMS: members(board, system),
        board: {
            "@odata.id": board,
            "SystemType": "Physical",
            "Manufacturer": "NVIDIA",
            "PowerState": "On",
            "Actions": {"#ComputerSystem.Reset": {"target": f"{board}/Actions/ComputerSystem.Reset"}},
        },
        system: {
            "@odata.id": system,
            "SystemType": "Physical",
            "Manufacturer": "Supermicro",
            "Model": "SYS-421GE-TNHR2-LCC ",
            "SerialNumber": "S900412X4A01234",
            "Boot": {},
            "Status": {"Health": "OK"},
            "Links": {
                "Chassis": [{"@odata.id": f"{CHASSIS}/1"}, {"@odata.id": f"{CHASSIS}/HGX_Chassis_0"}],
                "ManagedBy": [{"@odata.id": f"{MANAGERS}/1"}],
            },
            "Actions": {"#ComputerSystem.Reset": {"target": reset, "@Redfish.ActionInfo": f"{system}/ResetActionInfo"}},
        },
        f"{system}/ResetActionInfo": {
            "Parameters": [
                {
                    "Name": "ResetType",
                    "Required": True,
                    "AllowableValues": ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart"],
                }
            ]
        },
        f"{MANAGERS}/1": {"FirmwareVersion": "01.03.18"},
        f"{CHASSIS}/1": {"Power": {"@odata.id": f"{CHASSIS}/1/Power"}},
        f"{CHASSIS}/HGX_Chassis_0": {"Links": None},
        f"{CHASSIS}/1/Power": {
            "PowerSupplies": [
                {
                    "Name": f"Power Supply Bay {n}",
                    "PowerCapacityWatts": 5250 if n < 4 else None,
                    "LineInputVoltage": 230.0 if n < 4 else 0,
                    "Status": {"State": "Enabled" if n < 4 else "Absent", "Health": "OK" if n < 4 else None},
                }
                for n in range(1, 5)
            ]
        },
    }


TREES = {"dell": dell_tree, "supermicro": supermicro_tree}


@dataclass
class FakeBmc:
    """`lag` is how many looks at the power state a change takes; `refuses` are reset types that are turned down."""

    vendor: str
    power: str = "Off"
    lag: int = 0
    user: str = "lindos"
    password: str = "a-secret"
    doubled: bool = False
    refuses: set[str] = field(default_factory=set)
    failing: list[int] = field(default_factory=list)
    deaf: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)
    sessions: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        self.tree = TREES[self.vendor]()
        self._next = self.power
        self._left = 0

    @property
    def system(self) -> str:
        return next(path for path, body in self.tree.items() if isinstance(body, dict) and "Boot" in body)

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, dict[str, str], dict[str, Any] | None]:
        self.requests.append((method, path))
        if self.failing:
            return self.failing.pop(0), {}, {"error": {"message": "the service is busy"}}
        if path.rstrip("/") == "/redfish/v1":
            return 200, {}, self._root()
        if path == SESSIONS and method == "POST":
            return self._log_in(body)
        if not self._known(headers):
            return 401, {}, {"error": {"message": "wrong user name or password"}}
        if method == "DELETE" and path.startswith(SESSIONS):
            self.sessions.pop(path, None)
            return 204, {}, None
        if method == "POST" and path == f"{self.system}/Actions/ComputerSystem.Reset":
            return self._reset(str(body["ResetType"]))
        if path not in self.tree:
            return 404, {}, {"error": {"message": "no such resource"}}
        if path == self.system:
            self._step()
            return 200, {}, {**self.tree[path], "PowerState": self.power}
        return 200, {}, self.tree[path]

    def _root(self) -> dict[str, Any]:
        root: dict[str, Any] = {"Systems": {"@odata.id": SYSTEMS}, "Links": {"Sessions": {"@odata.id": SESSIONS}}}
        return {**root, "Oem": {"Lindos": {"Doubled": True}}} if self.doubled else root

    def _known(self, headers: dict[str, str]) -> bool:
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return headers.get("authorization") == f"Basic {basic}" or (
            headers.get("x-auth-token") in self.sessions.values()
        )

    def _log_in(self, body: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
        if (body["UserName"], body["Password"]) != (self.user, self.password):
            return 401, {}, {"error": {"message": "wrong user name or password"}}
        path = f"{SESSIONS}/{len(self.requests)}"
        self.sessions[path] = f"token-{len(self.requests)}"
        return 201, {"X-Auth-Token": self.sessions[path], "Location": path}, {"@odata.id": path}

    def _reset(self, kind: str) -> tuple[int, dict[str, str], dict[str, Any] | None]:
        self.resets.append(kind)
        goal = {"On": "On", "ForceOn": "On", "GracefulShutdown": "Off", "ForceOff": "Off"}.get(kind)
        if kind in self.refuses or goal is None:
            return 400, {}, {"error": {"message": f"{kind} is not possible now"}}
        if goal == self.power:
            told = [{"MessageId": "IDRAC.2.8.PSU501", "Message": f"Server is already powered {goal.upper()}."}]
            return 409, {}, {"error": {"message": "general error", "@Message.ExtendedInfo": told}}
        if not (kind == "GracefulShutdown" and self.deaf):
            self._next, self._left = goal, self.lag
            if self.lag:
                self.power = f"Powering{goal}"
        return 204, {}, None

    def _step(self) -> None:
        if self._left:
            self._left -= 1
        else:
            self.power = self._next

    def set_power(self, power: str) -> None:
        """Somebody switches it by hand."""
        self.power = self._next = power


class Server:
    """Serves a FakeBmc on a loopback port for as long as the context lasts."""

    def __init__(self, bmc: FakeBmc, certificate: Path | None = None) -> None:
        fake = bmc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # header and body in one packet, or every answer waits for an ACK

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                headers = {key.lower(): value for key, value in self.headers.items()}
                status, more, answer = fake.answer(self.command, self.path, headers, body)
                data = json.dumps(answer).encode() if answer is not None else b""
                self.send_response(status)
                for key, value in more.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815  the names that http.server calls

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        bmc.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
