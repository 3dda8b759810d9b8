"""The operator's key pair, every machine's host key, the BMCs' password and certificate; made once per twin."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.twin.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BMC_USER = "lindos"


@dataclass(frozen=True, slots=True)
class Keys:
    """Where the secrets of one twin lie."""

    folder: Path

    @property
    def operator(self) -> Path:
        """Private key the operator logs in with; `.pub` beside it."""
        return self.folder / "operator"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def certificate(self) -> Path:
        """Key and self-signed certificate of the BMCs, in one file."""
        return self.folder / "bmc.pem"

    @property
    def password_file(self) -> Path:
        return self.folder / "bmc.json"

    @property
    def bmc_password(self) -> str:
        return str(json.loads(self.password_file.read_text())["password"])

    def host_key(self, device: str) -> Path:
        """Private host key of a machine; `.pub` beside it."""
        return self.folder / "hosts" / device


def make_keys(keys: Keys, reached_at: Iterable[tuple[str, str]]) -> None:
    """(machine, address) pairs -> what is missing of the keys, and a known_hosts of all of them."""
    (keys.folder / "hosts").mkdir(parents=True, exist_ok=True)
    keys.folder.chmod(0o700)
    lines: list[str] = []
    _key_pair(keys.operator, "operator of the twin")
    for device, address in reached_at:
        _key_pair(keys.host_key(device), device)
        kind, key, *_ = keys.host_key(device).with_suffix(".pub").read_text().split()
        lines.append(f"{address} {kind} {key}\n")
    _write(keys.known_hosts, "".join(lines))
    if not keys.password_file.exists():
        _write(keys.password_file, json.dumps({"user": BMC_USER, "password": secrets.token_urlsafe(16)}))
    if not keys.certificate.exists():
        subject = "/O=Lindos/CN=double of a BMC"
        fresh = keys.certificate.with_suffix(".new")
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        argv += ["-days", "3650", "-subj", subject, "-keyout", str(fresh)]
        certificate = run(argv, tried="make the BMCs' certificate").stdout
        _write(keys.certificate, fresh.read_text() + certificate)
        fresh.unlink()


def _key_pair(path: Path, comment: str) -> None:
    public = path.with_suffix(".pub")
    if path.exists() and public.exists() and public.stat().st_size > 0:
        return
    path.unlink(missing_ok=True)
    public.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    run(argv, tried=f"make a key for {comment}")


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
