"""A Debian switch with FRR, ifupdown2 and lldpd: facts, and a configuration loaded and confirmed, over SSH.

    staged/ --check--> in place --ifreload, frr-reload--> running --confirm--> digest.json
      |                   |                                  |
      refused: untouched  fails: previous/ is put back       not confirmed in time: previous/ is put back

The work is done by a script on the switch, detached from the connection: a reload may take away the very port
it is spoken through, and the switch must come back by itself when nobody can reach it any more.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindos.drivers import ssh
from lindos.drivers.nos.frr_script import SCRIPT
from lindos.drivers.nos.verbs import Config, Facts, Loaded, Peer
from lindos.errors import DriverError

if TYPE_CHECKING:
    from lindos.drivers.ssh import Connection, Host

PLACES = {
    "daemons": ("frr/daemons", "frr:frr", "640"),
    "frr.conf": ("frr/frr.conf", "frr:frr", "640"),
    "interfaces": ("network/interfaces.d/lindos", "root:root", "644"),
    "lldpd.conf": ("lldpd.d/lindos.conf", "root:root", "644"),
}
"""Where each file belongs under /etc, whose it is and how it may be read.

The ports' file stands beside the one that the installer wrote for the management port, which stays as it is.
"""

SERVICES = ("frr", "lldpd")

AGREES = re.compile(r"\d{4}-|Lines To |=+$|frr version |(no )?hostname ")
"""Lines of `frr-reload.py --test` that are no difference: FRR's own version, and the name its host goes by."""

MARK = "--8<-- "
"""Begins a section of what the switch says of itself."""


@dataclass(frozen=True, slots=True)
class Frr:
    """The four verbs. `confirm_s` is how long the switch waits for a confirmation, `load_s` how long we do."""

    etc: str = "/etc"
    reload: str = "/usr/lib/frr/frr-reload.py"
    confirm_s: int = 300
    load_s: float = 240.0
    poll_s: float = 0.5

    def facts(self, host: Host) -> Facts:
        """Reads the switch in one round trip; changes nothing."""
        with ssh.connect(host) as connection:
            return parse_facts(host.device, connection.check(self._questions()))

    def diff(self, facts: Facts, want: Config) -> tuple[str, ...]:
        """Facts and what is wanted -> files that differ, services that are down, "running", "digest"."""
        sums = sha256_of(want)
        files = [name for name in PLACES if facts.files.get(name) != sums.get(name)]
        down = [name for name in SERVICES if facts.services.get(name) != "active"]
        running = ["running"] if facts.pending else []
        return (*files, *down, *running, *(["digest"] if facts.digest != want.digest else []))

    def load(self, host: Host, want: Config, *, stop: threading.Event | None = None) -> Loaded:
        """Puts the files beside their places, checks them, swaps them in and makes the switch run them."""
        unknown = sorted(set(want.files) - set(PLACES))
        if unknown or not want.files:
            said = f"knows no file {', '.join(unknown)}" if unknown else "there is nothing to load"
            raise DriverError(host.device, "load", said, retryable=False)
        with ssh.connect(host) as connection:
            before = parse_facts(host.device, connection.check(self._questions()))
            self._stage(connection, want)
            try:
                connection.check(["/bin/sh", self._script, "start"])
            except DriverError as error:
                # The reload may be quicker than the answer, and take the connection with it.
                if not error.retryable:
                    raise
        notes = self._await(host, stop or threading.Event())
        sums = sha256_of(want)
        return Loaded(tuple(n for n in PLACES if before.files.get(n) != sums.get(n)), notes)

    def confirm(self, host: Host, want: Config) -> Facts:
        """Shows over a new connection that the switch runs what is wanted, and makes it stay."""
        with ssh.connect(host) as connection:
            self._demand(host, connection, want, "digest")
            proof = {"device": want.device, "digest": want.digest, "files": sha256_of(want)}
            # A switch that booted with these very files was never loaded, and has no script yet.
            self._put_script(connection)
            connection.check(["/bin/sh", self._script, "confirm"])
            connection.put(f"{self._home}/digest.json", (json.dumps(proof, indent=1) + "\n").encode())
            # Once more: the way back may have been taken in the moment before it was barred.
            return self._demand(host, connection, want)

    def _demand(self, host: Host, connection: Connection, want: Config, *but: str) -> Facts:
        facts = parse_facts(host.device, connection.check(self._questions()))
        if wrong := [name for name in self.diff(facts, want) if name not in but]:
            raise DriverError(host.device, "confirm", f"not as loaded: {', '.join(wrong)}", retryable=False)
        return facts

    @property
    def _home(self) -> str:
        return f"{self.etc}/lindos"

    @property
    def _script(self) -> str:
        return f"{self._home}/load.sh"

    def _stage(self, connection: Connection, want: Config) -> None:
        home = shlex.quote(self._home)
        connection.check(f"rm -rf {home}/staged && mkdir -p {home}/staged")
        for name, text in want.files.items():
            connection.put(f"{self._home}/staged/{name}", text.encode())
        self._put_script(connection)

    def _put_script(self, connection: Connection) -> None:
        connection.check(["mkdir", "-p", self._home])
        connection.put(self._script, self._text().encode(), mode=0o755)

    def _text(self) -> str:
        places = "".join(f"{name} {self.etc}/{path} {owner} {mode}\n" for name, (path, owner, mode) in PLACES.items())
        words = {"@ETC@": self.etc, "@RELOAD@": self.reload, "@CONFIRM_S@": str(self.confirm_s), "@PLACES@\n": places}
        text = SCRIPT
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    def _await(self, host: Host, stop: threading.Event) -> tuple[str, ...]:
        """Asks for the outcome of a load until there is one; a connection may well break meanwhile."""
        deadline = time.monotonic() + self.load_s
        while True:
            try:
                with ssh.connect(host) as connection:
                    while (said := connection.get(f"{self._home}/load.result")) is None:
                        self._pause(host, stop, deadline)
                break
            except DriverError as error:
                if not error.retryable or time.monotonic() > deadline:
                    raise
                self._pause(host, stop, deadline)
        outcome, *notes = said.decode().splitlines() or [""]
        if outcome != "loaded":
            raise DriverError(host.device, "load", "; ".join([outcome, *notes]), retryable=False)
        return tuple(notes)

    def _pause(self, host: Host, stop: threading.Event, deadline: float) -> None:
        if time.monotonic() > deadline:
            said = f"no outcome in {self.load_s:g} s; unconfirmed, it takes itself back"
            raise DriverError(host.device, "load", said, retryable=True)
        if stop.wait(self.poll_s):
            raise DriverError(host.device, "load", "cancelled; it takes itself back", retryable=False)

    def _questions(self) -> str:
        paths = " ".join(shlex.quote(f"{self.etc}/{path}") for path, _, _ in PLACES.values())
        services = " ".join(SERVICES)
        asked = {
            "hostname": "hostname",
            "sums": f"sha256sum {paths} 2>/dev/null",
            "digest": f"cat {shlex.quote(self._home)}/digest.json 2>/dev/null",
            "services": f"systemctl is-active {services}",
            "pending": f"{shlex.quote(self.reload)} --test {shlex.quote(self.etc)}/frr/frr.conf 2>/dev/null",
            "version": "vtysh -c 'show version' 2>/dev/null | head -n 1",
            "bgp": "vtysh -c 'show bgp summary json' 2>/dev/null",
        }
        return "; ".join(f"echo '{MARK}{name}'; {command}" for name, command in asked.items()) + "; true"


def sha256_of(want: Config) -> dict[str, str]:
    """A configuration -> the SHA-256 of each of its files."""
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in want.files.items()}


def parse_facts(device: str, said: str) -> Facts:
    """What the switch says, in sections -> Facts."""
    sections: dict[str, str] = {}
    for part in said.split(MARK)[1:]:
        name, _, body = part.partition("\n")
        sections[name] = body.strip()
    ends = {path: name for name, (path, _, _) in PLACES.items()}
    sums = [line.split(maxsplit=1) for line in sections.get("sums", "").splitlines()]
    files = {name: s[0] for s in sums for path, name in ends.items() if len(s) == 2 and s[1].endswith("/" + path)}
    states = sections.get("services", "").split()
    return Facts(
        device=device,
        hostname=sections.get("hostname", ""),
        version=sections.get("version", ""),
        digest=str(_json(sections.get("digest", "")).get("digest", "")),
        files=dict(sorted(files.items())),
        services=dict(zip(SERVICES, states, strict=False)),
        pending=parse_pending(sections.get("pending", "")) if "active" in states[:1] else (),
        peers=parse_peers(_json(sections.get("bgp", ""))),
    )


def parse_pending(said: str) -> tuple[str, ...]:
    """What `frr-reload.py --test` says -> the lines by which what runs differs from what is written."""
    if not said:
        return ("FRR does not answer",)
    return tuple(line for line in said.splitlines() if line.strip() and not AGREES.match(line))


def parse_peers(summary: dict[str, Any]) -> tuple[Peer, ...]:
    """The answer to `show bgp summary json` -> one Peer a session and address, in the order of addresses."""
    peers = [
        Peer(address, int(p.get("remoteAs", 0)), str(p.get("state", "")), int(p.get("pfxRcd", 0)))
        for family in summary.values()
        if isinstance(family, dict)
        for address, p in (family.get("peers") or {}).items()
    ]
    return tuple(sorted(peers, key=lambda p: [part.zfill(4) for part in p.address.split(".")]))


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
