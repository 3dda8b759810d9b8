"""A host's address and key -> commands run and files put on it, over SSH."""

from __future__ import annotations

import math
import shlex
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import paramiko

from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LARGEST = 16 << 20
"""Bytes of one output that are kept; a command that says more is broken."""

CHUNK = 1 << 16

SSH_PORT = 22
POLL_S = 0.005
POLL_SHARE = 0.02
"""Of the time that a command has taken: how long to wait before looking again. Looking two hundred times a second took
more of the processor than all else that is done for a host.
"""
STRAGGLER_S = 5.0
"""How long a child that a command left behind may hold its output open."""


@dataclass(frozen=True, slots=True)
class HostKeys:
    """How a host proves itself: `known` is a known_hosts file, None takes any key that is offered.

    With `learn`, the key of a host that the file does not hold yet is added to it; a key that differs from
    the one held is refused in any case.
    """

    known: Path | None = None
    learn: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """Where a host answers and how to log in. `device` is its name in the plan.

    `address` may carry a port (`192.0.2.1:2222`). Without `key`, the agent's keys are tried.
    """

    device: str
    address: str
    user: str = "root"
    key: Path | None = None
    host_keys: HostKeys = HostKeys()
    connect_s: float = 15.0

    @property
    def endpoint(self) -> tuple[str, int]:
        """Address and port."""
        if self.address.startswith("["):
            name, _, port = self.address[1:].partition("]")
            return name, int(port.removeprefix(":") or SSH_PORT)
        name, colon, port = self.address.rpartition(":")
        return (name, int(port)) if colon and ":" not in name else (self.address, SSH_PORT)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: exit status (-1 where a signal ended it), what it wrote."""

    rc: int
    out: str
    err: str


@contextmanager
def connect(host: Host) -> Iterator[Connection]:
    """A host -> an open Connection to it, for as long as the context lasts."""
    client = paramiko.SSHClient()
    keys = host.host_keys
    if keys.known is not None and keys.learn:
        keys.known.touch(mode=0o600)
        client.load_host_keys(str(keys.known))
    elif keys.known is not None:
        _trust(client, host, keys.known)
    takes_any = keys.known is None or keys.learn
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy() if takes_any else paramiko.RejectPolicy())
    try:
        _log_in(client, host)
        yield Connection(host, client)
    finally:
        client.close()


def _trust(client: paramiko.SSHClient, host: Host, known: Path) -> None:
    """Takes from a known_hosts file what is about the host. Paramiko compares each entry it reads with all before:
    12,500 hosts took it 19 s of processor time, for each of them.
    """
    name, port = host.endpoint
    stat = known.stat()
    by_name, other = _known_hosts(known, stat.st_mtime_ns, stat.st_size)
    trusted = client.get_host_keys()
    for line in (*by_name.get(name if port == SSH_PORT else f"[{name}]:{port}", ()), *other):
        entry = paramiko.hostkeys.HostKeyEntry.from_line(line)
        for spelt in entry.hostnames if entry and entry.key else ():
            trusted.add(spelt, entry.key.get_name(), entry.key)


@lru_cache(maxsize=4)
def _known_hosts(path: Path, _changed_ns: int, _size: int) -> tuple[dict[str, list[str]], list[str]]:
    """A known_hosts file -> its lines by each name that they give, and those whose names are hashed."""
    by_name: dict[str, list[str]] = {}
    other = []
    for line in path.read_text(encoding="utf-8").splitlines():
        names = line.split(maxsplit=1)[0] if line.strip() and not line.lstrip().startswith("#") else ""
        if names.startswith("|"):
            other.append(line)
        for name in names.split(",") if names else ():
            by_name.setdefault(name, []).append(line)
    return by_name, other


def run(host: Host, command: str | Sequence[str], *, timeout_s: float = 60.0) -> Ran:
    """A host and one command -> how it ended."""
    with connect(host) as connection:
        return connection.run(command, timeout_s=timeout_s)


def put(host: Host, path: str, content: bytes, *, mode: int = 0o644) -> None:
    """A host and a file -> the file is there, whole; a kill on the way leaves the old one."""
    with connect(host) as connection:
        connection.put(path, content, mode=mode)


def _log_in(client: paramiko.SSHClient, host: Host) -> None:
    name, port = host.endpoint
    tried = f"log in over SSH at {name}:{port} as {host.user}"
    try:
        client.connect(
            name,
            port=port,
            username=host.user,
            key_filename=str(host.key) if host.key else None,
            allow_agent=host.key is None,
            look_for_keys=False,
            timeout=host.connect_s,
            banner_timeout=host.connect_s,
            auth_timeout=host.connect_s,
        )
    except paramiko.AuthenticationException as error:
        if not _refused(client):
            raise DriverError(host.device, tried, "connection lost", retryable=True) from None
        hint = f"is the public half of {host.key} among the authorised keys of {host.user}?"
        raise DriverError(host.device, tried, str(error), retryable=False, hint=hint) from None
    except paramiko.BadHostKeyException:
        said = "the host offers another key than the one known"
        hint = f"if it was reinstalled, remove its line from {host.host_keys.known}"
        raise DriverError(host.device, tried, said, retryable=False, hint=hint) from None
    except FileNotFoundError as error:
        raise DriverError(host.device, tried, f"no key at {error.filename}", retryable=False) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        refused = "not found in known_hosts" in str(error)
        said = str(error) or type(error).__name__
        raise DriverError(host.device, tried, said, retryable=not refused) from None


def _refused(client: paramiko.SSHClient) -> bool:
    """Was the key refused? A connection that breaks meanwhile is reported alike, but does not stay open."""
    time.sleep(0.2)
    transport = client.get_transport()
    return transport is not None and transport.is_active()


class Connection:
    """An open connection to one host."""

    def __init__(self, host: Host, client: paramiko.SSHClient) -> None:
        self._host = host
        self._client = client

    def run(self, command: str | Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Ran:
        """A command -> how it ended, whatever its exit status.

        Words are quoted, a string is the remote shell's to read. It has `timeout_s` in all.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        tried = f"run `{_short(line)}`"
        try:
            return self._run(line, stdin, time.monotonic() + timeout_s)
        except TimeoutError:
            said = f"not done in {timeout_s:g} s"
            raise DriverError(self._host.device, tried, said, retryable=True) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            said = f"connection lost: {error or type(error).__name__}"
            raise DriverError(self._host.device, tried, said, retryable=True) from None

    def check(self, command: str | Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        """A command that must succeed -> what it wrote on its standard output."""
        ran = self.run(command, stdin=stdin, timeout_s=timeout_s)
        if ran.rc != 0:
            line = command if isinstance(command, str) else shlex.join(command)
            said = f"exit {ran.rc}: {_short((ran.err or ran.out).strip() or 'no output', 800)}"
            raise DriverError(self._host.device, f"run `{_short(line)}`", said, retryable=False)
        return ran.out

    def put(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """A path and its content -> the file is there, whole; a kill on the way leaves the old one."""
        whole, fresh = shlex.quote(path), shlex.quote(path + ".new")
        steps = f"umask 077 && cat > {fresh} && chmod {mode:o} {fresh} && mv -f {fresh} {whole}"
        self.check(steps, stdin=content)

    def get(self, path: str) -> bytes | None:
        """A path -> the file's text, None where there is none."""
        ran = self.run(f"if [ -e {shlex.quote(path)} ]; then cat {shlex.quote(path)}; else exit 44; fi")
        if ran.rc == 44:
            return None
        if ran.rc != 0:
            raise DriverError(self._host.device, f"read {path}", ran.err.strip(), retryable=False)
        return ran.out.encode()

    def _run(self, line: str, stdin: bytes, deadline: float) -> Ran:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise EOFError("closed")
        channel = transport.open_session(timeout=max(deadline - time.monotonic(), 0.1))
        try:
            channel.settimeout(max(deadline - time.monotonic(), 0.1))
            channel.exec_command(line)
            out, err = bytearray(), bytearray()
            left: bytes | None = stdin
            late, began = math.inf, time.monotonic()
            while True:
                left = _feed(channel, left)
                # sshd tells the exit status as soon as the command is gone; its output may come after that.
                ended, whole = channel.exit_status_ready(), channel.eof_received or channel.closed
                moved = _drain(channel, out, err)
                if not moved and ended and (whole or time.monotonic() > late):
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError
                if not moved:
                    late = min(late, time.monotonic() + STRAGGLER_S) if ended else late
                    time.sleep(max(POLL_S, (time.monotonic() - began) * POLL_SHARE) if left is None else POLL_S)
            rc = channel.recv_exit_status()
            if rc < 0 and not transport.is_active():
                raise EOFError("closed by the host")
            return Ran(rc, out.decode(errors="replace"), err.decode(errors="replace"))
        finally:
            channel.close()


def _feed(channel: paramiko.Channel, left: bytes | None) -> bytes | None:
    """What is left of the standard input -> what is left after one step; None once its end was sent."""
    if left is None or channel.closed:
        return None
    if not left:
        channel.shutdown_write()
        return None
    return left[channel.send(left[:CHUNK]) :] if channel.send_ready() else left


def _drain(channel: paramiko.Channel, out: bytearray, err: bytearray) -> bool:
    """Moves what has come in -> whether there was anything."""
    moved = False
    for ready, take, into in (
        (channel.recv_ready, channel.recv, out),
        (channel.recv_stderr_ready, channel.recv_stderr, err),
    ):
        while ready():
            into.extend(take(CHUNK))
            moved = True
            if len(into) > LARGEST:
                raise paramiko.SSHException(f"more than {LARGEST >> 20} MiB of output")
    return moved


def _short(text: str, most: int = 120) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 3] + "..."
