"""Contents of a package -> the bytes of a .deb: an `ar` of three members, the same for the same contents."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass, field

EPOCH = 1_704_067_200
"""2024-01-01; every time stamp inside."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a package: its bytes, or where it links to."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """A binary package: `entries` by absolute path, further control `fields`, `scripts` by name."""

    name: str
    version: str
    summary: str
    architecture: str = "amd64"
    fields: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """As dpkg names it: an epoch stands in the version and not in the name of the file."""
        return f"{self.name}_{self.version.rpartition(':')[2]}_{self.architecture}.deb"

    @property
    def control(self) -> str:
        """The paragraph that dpkg and apt read."""
        lines = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "Lindos <lindos@localhost>",
            "Priority": "optional",
            "Section": "misc",
            **self.fields,
            "Description": f"{self.summary} (Lindos twin double)\n"
            " Stands in for the vendor's package of this name on a machine without the hardware.\n"
            " It answers from /etc/lindos-twin/hardware.json and measures nothing.",
        }
        return "".join(f"{key}: {value}\n" for key, value in lines.items())


def deb(package: Package) -> bytes:
    """Package -> .deb."""
    scripts = {f"./{name}": Entry(text.encode(), 0o755) for name, text in package.scripts.items()}
    control = {"./control": Entry(package.control.encode()), **scripts}
    # Not below /usr/share/doc, which small systems leave out.
    marker = {f"/usr/share/lindos-twin/packages/{package.name}": Entry(package.control.encode())}
    data = {f".{path}": entry for path, entry in {**package.entries, **marker}.items()}
    return b"!<arch>\n" + b"".join(
        (
            _member("debian-binary", b"2.0\n"),
            _member("control.tar.gz", _tar(control)),
            _member("data.tar.gz", _tar(data)),
        )
    )


def _member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)


def _tar(entries: dict[str, Entry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in _folders(entries):
            tar.addfile(_info(folder, tarfile.DIRTYPE, 0o755))
        for path, entry in sorted(entries.items()):
            info = _info(path, tarfile.SYMTYPE if entry.link else tarfile.REGTYPE, entry.mode)
            info.linkname = entry.link
            info.size = len(entry.data)
            tar.addfile(info, io.BytesIO(entry.data))
    return gzip.compress(out.getvalue(), mtime=0)


def _folders(entries: dict[str, Entry]) -> list[str]:
    """Paths -> the folders above them, parents first, as dpkg wants them."""
    return sorted(
        {
            "/".join(parts[:depth]) + "/"
            for parts in (path.split("/") for path in entries)
            for depth in range(1, len(parts))
        }
    )


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, EPOCH
    info.uname = info.gname = "root"
    return info
