"""A file that is to be written, and the slice it belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artefact:
    """`path` below the build folder; `slice` None where the file covers the whole site."""

    path: str
    data: bytes
    slice: str | None = None
