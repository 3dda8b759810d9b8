"""The checks and all they need -> one file that a bare Python on a host can run.

verify.pyz
  __main__.py            suite/main.py
  suite/                 the checks, as they are here
  pytest/ _pytest/ ...   from this installation, compiled too, for a host compiles it anew on every run
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import marshal
import sys
import zipfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.errors import LindosError

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTRIBUTIONS = ("pytest", "pytest-testinfra", "pluggy", "iniconfig", "packaging", "Pygments")

PYGMENTS = (
    "pygments/lexers/__init__.py",
    "pygments/lexers/_mapping.py",
    "pygments/lexers/diff.py",
    "pygments/lexers/python.py",
    "pygments/formatters/__init__.py",
    "pygments/formatters/_mapping.py",
    "pygments/formatters/terminal.py",
    "pygments/styles/__init__.py",
    "pygments/styles/_mapping.py",
    "pygments/styles/default.py",
)
"""What pytest imports of the parts of Pygments that are large; of the rest all is taken."""

EPOCH = (2024, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/env python3\n"


@dataclass(frozen=True, slots=True)
class Zipapp:
    """The file and the SHA-256 of its bytes, by which a host knows whether it has it."""

    data: bytes
    sha256: str


def build(cache: Path | None = None) -> Zipapp:
    """-> the zipapp; the same bytes for the same sources and Python.

    With `cache`, a folder, the file is kept there under the digest of its sources and built once only.
    """
    sources = dict(_sources())
    key = hashlib.sha256(repr(sys.implementation.cache_tag).encode())
    for name, text in sorted(sources.items()):
        key.update(f"{name}\0{len(text)}\0".encode() + text)
    kept = cache / f"verify-{key.hexdigest()[:16]}.pyz" if cache else None
    if kept is not None and kept.is_file():
        data = kept.read_bytes()
    else:
        data = _archive(sources)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_name(f"{kept.name}.new")
            fresh.write_bytes(data)
            fresh.replace(kept)
    return Zipapp(data, hashlib.sha256(data).hexdigest())


def _sources() -> Iterator[tuple[str, bytes]]:
    suite = files("lindos.verify.suite")
    yield "__main__.py", (suite / "main.py").read_bytes()
    for file in suite.iterdir():
        if file.name.endswith(".py") and file.name != "main.py":
            yield f"suite/{file.name}", file.read_bytes()
    for name in DISTRIBUTIONS:
        yield from _distribution(name)


def _distribution(name: str) -> Iterator[tuple[str, bytes]]:
    listed = importlib.metadata.files(name)
    if listed is None:
        raise LindosError(f"the files of {name} are not recorded: reinstall it with pip or uv")
    for path in listed:
        text = path.as_posix()
        small = not text.startswith(("pygments/lexers/", "pygments/formatters/", "pygments/styles/"))
        if path.suffix == ".py" and not text.startswith("..") and (small or text in PYGMENTS):
            yield text, Path(str(path.locate())).read_bytes()


def _archive(sources: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    out.write(SHEBANG)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in sorted(sources.items()):
            _write(archive, name, text)
            if not name.startswith("suite/"):
                _write(archive, f"{name}c", _compiled(name, text))
    return out.getvalue()


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _compiled(name: str, text: bytes) -> bytes:
    """Source -> byte code that is taken unchecked; a Python of another version uses the source beside it."""
    code = compile(text, f"verify.pyz/{name}", "exec", dont_inherit=True, optimize=0)
    unchecked = (0b01).to_bytes(4, "little")
    header = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(text)
    return header + marshal.dumps(code)
