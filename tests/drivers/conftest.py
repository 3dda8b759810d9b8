"""Doubles that speak the real protocols, on loopback."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redfish_double import FakeBmc, Server
from ssh_double import Box, serve_box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def bmc() -> Iterator[Callable[..., FakeBmc]]:
    """A maker of BMCs that answer until the test is over."""
    with ExitStack() as running:

        def start(vendor: str, certificate: Path | None = None, **settings: object) -> FakeBmc:
            fake = FakeBmc(vendor, **settings)  # type: ignore[arg-type]
            running.enter_context(Server(fake, certificate))
            return fake

        yield start


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bmc")])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "bmc.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + cert.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A host that runs commands for real, with a file system of its own below the test's folder."""
    with serve_box(tmp_path) as running:
        yield running
