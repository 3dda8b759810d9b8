"""A folder -> a flat APT repository of all doubles there: `Types: deb`, `Suites: ./`, `Trusted: yes`."""

from __future__ import annotations

import hashlib
from email.utils import formatdate
from typing import TYPE_CHECKING

from lindos.twin.doubles.archive import EPOCH, deb
from lindos.twin.doubles.packages import packages

if TYPE_CHECKING:
    from pathlib import Path


def build_repository(target: Path) -> None:
    """A folder -> the repository in it, byte for byte the same each time; files of another build are removed.

    Indexes are written last, so that a reader never sees an index of packages that are not there yet.
    """
    target.mkdir(parents=True, exist_ok=True)
    files = {package.file_name: (package.control, deb(package)) for package in packages()}
    paragraphs = (_paragraph(name, control, data) for name, (control, data) in sorted(files.items()))
    index = "\n".join(paragraphs).encode()
    release = _release(index)
    for name, (_, data) in files.items():
        (target / name).write_bytes(data)
    (target / "Packages").write_bytes(index)
    (target / "Release").write_text(release)
    for path in target.iterdir():
        if path.name not in {*files, "Packages", "Release"}:
            path.unlink()


def _paragraph(name: str, control: str, data: bytes) -> str:
    return (
        f"{control}Filename: ./{name}\nSize: {len(data)}\n"
        f"MD5sum: {hashlib.md5(data, usedforsecurity=False).hexdigest()}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )


def _release(index: bytes) -> str:
    return (
        "Origin: Lindos\nLabel: Lindos twin doubles\nSuite: ./\nArchitectures: amd64 all\n"
        f"Date: {formatdate(EPOCH, usegmt=True)}\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )
