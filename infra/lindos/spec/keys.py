"""Who may log in to what is installed: public SSH keys, as people write them beside the site file."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from lindos.errors import Place, Problem, SpecError

if TYPE_CHECKING:
    from pathlib import Path

AUTHORIZED_KEYS = "authorized_keys"
"""Beside a site file: one public key a line, as `ssh-keygen` writes it."""
HINT = "give public keys as ssh-keygen writes them, one a line: ssh-ed25519 AAAA... name"


def _wrong(line: str) -> str | None:
    """A line -> what is wrong with it. A key holds the name of its own kind, so one that was cut short shows."""
    if "PRIVATE KEY" in line:
        return "a private key: it must not leave its owner"
    kind, _, rest = line.partition(" ")
    if not kind.startswith(("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")) or not rest:
        return "not a public SSH key"
    try:
        blob = base64.b64decode(rest.split()[0], validate=True)
    except binascii.Error:
        return "its key is not base64"
    said = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    if said != kind.encode():
        return f"its key is not one of kind {kind}"
    return "a comment with braces, which templates would read" if "{" in line else None


def read_keys(path: Path) -> tuple[str, ...]:
    """authorized_keys -> its keys, in order; a file that is not there holds none.

    Raises SpecError with every line that is no public key; a private key is not shown.
    """
    if not path.exists():
        return ()
    keys, problems = [], []
    for number, raw in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if wrong := _wrong(line):
            problems.append(Problem(wrong, HINT, Place(path.name, number, 1)))
            if "PRIVATE KEY" in line:
                break
        keys.append(line)
    if problems:
        raise SpecError(*problems)
    return tuple(keys)
