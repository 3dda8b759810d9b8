"""Where a site's files live: what is generated, and what a run remembers."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lindos.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lindos.errors import LindosError


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root` is the project folder; `site` the site's name."""

    root: Path
    site: str

    @property
    def build(self) -> Path:
        """Generated artefacts; a link that `emit` replaces in one step."""
        return self.root / "build" / self.site

    @property
    def state(self) -> Path:
        """What runs leave behind for this site: evidence, run logs, the twin's own files."""
        return self.root / ".lindos" / self.site

    @property
    def evidence(self) -> Path:
        """One JSON-lines file of Observations a source."""
        return self.state / "evidence"

    @property
    def inventory(self) -> Path:
        """What people write for this site beside its site file."""
        return self.root / "inventories" / self.site


@contextmanager
def alone(lock: Path, *, refuse: Callable[[str], LindosError] | None = None) -> Iterator[None]:
    """One process at a time behind a lock file, which says which. The lock ends with its holder, however that ends.

    Who comes second waits; with `refuse`, that makes of the holder what is raised instead.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refuse else 0))
        except BlockingIOError:
            assert refuse is not None
            file.seek(0)
            raise refuse(f"process {file.read().strip() or 'unknown'}") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def project_root(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` (default: the working folder) that holds Pulumi.yaml.

    LINDOS_ROOT overrides it. Falls back to the working folder, so that a site file can be planned anywhere.
    """
    if named := os.environ.get("LINDOS_ROOT"):
        return Path(named).resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    return here


def site_file(site: str, root: Path) -> Path:
    """SITE as typed -> the site file: a file, a folder that holds site.yaml, or a name under inventories/."""
    given = Path(site)
    for candidate in (given, given / "site.yaml", root / "inventories" / site / "site.yaml"):
        if candidate.is_file():
            return candidate
    known = sorted(p.parent.name for p in (root / "inventories").glob("*/site.yaml"))
    raise SpecError(
        Problem(
            f"no site file at '{site}'",
            hint=f"give a site.yaml, a folder that holds one, or one of: {', '.join(known) or 'none here'}",
        )
    )
