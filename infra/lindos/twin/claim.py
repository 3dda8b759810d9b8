"""Whose twin it is: one site's twin belongs to one project folder, and its service to one process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lindos
from lindos.errors import DriverError
from lindos.twin import netns
from lindos.twin.control import ask
from lindos.twin.lock import holder, only_one, seize
from lindos.twin.process import end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lindos.twin.places import Places

SERVICE_STARTS_S = 20.0
SERVICE_ENDS_S = 45.0
KILLED_AFTER_S = 3.0


@contextmanager
def claimed(place: Places) -> Iterator[None]:
    """Holds the site's twin for one command; it must be root's, and not another project folder's."""
    if os.geteuid() != 0:
        said = "network namespaces and system containers need root"
        raise DriverError(f"twin of {place.site}", "get hold of it", said, retryable=False)
    with only_one(place.lock, place.site):
        owner = Path(place.owner.read_text().strip()) if place.owner.exists() else place.root
        if owner != place.root and owner.is_dir() and netns.named(place.prefix):
            said = f"it belongs to the project in {owner}"
            hint = "take it down there first"
            raise DriverError(f"twin of {place.site}", "get hold of it", said, retryable=False, hint=hint)
        place.owner.write_text(f"{place.root}\n")
        yield


def start_service(place: Places) -> None:
    """Starts the site's service and waits until it answers.

    The service inherits its lock, taken here: from its first instant on whoever looks finds the lock held, and waits
    for the name of the holder.
    """
    handle = seize(place.service_lock, wait_s=1.0)
    if handle is None:
        raise DriverError(f"twin of {place.site}", "start its service", "one runs already", retryable=True)
    try:
        os.ftruncate(handle, 0)
        package = str(Path(lindos.__file__).parents[1])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
        with place.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lindos.twin.service", str(place.root), place.site, str(handle)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[handle],
                start_new_session=True,
            )
    finally:
        os.close(handle)
    deadline = time.monotonic() + SERVICE_STARTS_S
    while time.monotonic() < deadline and process.poll() is None:
        if place.socket.exists():
            ask(place, "status")
            return
        time.sleep(0.05)
    said = f"it does not answer; see {place.log}"
    raise DriverError(f"twin of {place.site}", "start its service", said, retryable=True)


def stop_service(place: Places, *, patience_s: float = SERVICE_ENDS_S) -> None:
    """Ends the site's service, if there is one; in good order, unless patience runs out."""
    deadline = time.monotonic() + 10.0
    while (handle := seize(place.service_lock)) is None:
        if (who := holder(place.service_lock)) is not None:
            end(*who, patience_s=patience_s)
        elif time.monotonic() > deadline:
            said = f"its lock {place.service_lock} is held by a process that did not sign it"
            raise DriverError(f"twin of {place.site}", "end its service", said, retryable=True)
        time.sleep(0.02)
    os.close(handle)
    place.socket.unlink(missing_ok=True)
