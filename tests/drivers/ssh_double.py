"""A host on loopback that speaks SSH and runs commands for real, with stand-ins for what changes a machine.

`Box.tools` is a folder first on its PATH: `systemctl`, `vtysh` and the like, written as small shell scripts that keep
their state in files, so that a script under test meets programs and not a mock of a shell.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Box:
    """`key` logs in as `user`; the next `shy` logins and the next `dropped` commands lose their connection and are not run.

    The next `hasty` commands are answered in the order that OpenSSH is free to take: exit status first, then output.
    """

    root: Path
    key: Path
    host_key: paramiko.PKey
    port: int = 0
    user: str = "root"
    commands: list[str] = field(default_factory=list)
    logins: int = 0
    dropped: int = 0
    shy: int = 0
    hasty: int = 0
    _hooks: dict[str, Callable[[], object]] = field(default_factory=dict)

    def when_run(self, ending: str, do: Callable[[], object]) -> None:
        """Does something once a command with this ending was run."""
        self._hooks[ending] = do

    def was_run(self, command: str) -> None:
        for ending in [e for e in self._hooks if command.endswith(e)]:
            self._hooks.pop(ending)()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def tools(self) -> Path:
        return self.root / "tools"

    def tool(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    def known_hosts(self, path: Path, key: paramiko.PKey | None = None) -> Path:
        key = key or self.host_key
        path.write_text(f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n")
        return path


class _Door(paramiko.ServerInterface):
    def __init__(self, box: Box, transport: paramiko.Transport) -> None:
        self._box = box
        self._transport = transport
        self._allowed = paramiko.Ed25519Key.from_private_key_file(str(box.key))

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._box.shy:
            self._box.shy -= 1
            self._transport.close()
        good = username == self._box.user and key.get_base64() == self._allowed.get_base64()
        self._box.logins += good
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_execute, args=(self._box, channel, command.decode()), daemon=True).start()
        return True


def _execute(box: Box, channel: paramiko.Channel, command: str) -> None:
    box.commands.append(command)
    if box.dropped:
        box.dropped -= 1
        channel.get_transport().close()
        return
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": f"{box.tools}:{os.environ['PATH']}", "BOX": str(box.root), "HOME": str(box.root)},
    )
    stdin = bytearray()
    while chunk := channel.recv(1 << 16):
        stdin += chunk
    out, err = process.communicate(bytes(stdin))
    box.was_run(command)
    with suppress(OSError, EOFError):  # whoever asked may be gone
        if box.hasty:
            box.hasty -= 1
            channel.send_exit_status(process.returncode)
            time.sleep(0.2)
        channel.sendall(out)
        channel.sendall_stderr(err)
        channel.send_exit_status(process.returncode)
        channel.close()


@contextmanager
def serve_box(folder: Path) -> Iterator[Box]:
    """A folder -> a Box below it that answers on a loopback port for as long as the context lasts."""
    root = folder / "box"
    for part in ("etc", "tools"):
        (root / part).mkdir(parents=True)
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    host_key = folder / "host_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)], check=True)
    box = Box(root, key, paramiko.Ed25519Key.from_private_key_file(str(host_key)))
    listener = socket.create_server(("127.0.0.1", 0))
    box.port = listener.getsockname()[1]
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(box.host_key)
            transports.append(transport)
            threading.Thread(target=_greet, args=(transport, box), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield box
    finally:
        listener.close()
        for transport in transports:
            transport.close()


def _greet(transport: paramiko.Transport, box: Box) -> None:
    try:
        transport.start_server(server=_Door(box, transport))
    except (paramiko.SSHException, EOFError, OSError):
        transport.close()
