"""Files -> the build folder, in one step: a kill leaves the old build or the new one, never half of either.

Files are written into a folder of their own in `build/.store/<site>/`; then the link `build/<site>` is replaced by
rename. Folders that the link does not point to are what killed runs left, and go with the next run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lindos.errors import LindosError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lindos.emit.artefact import Artefact
    from lindos.plan.tables import Plan
    from lindos.workspace import Workspace

FORMAT = 1


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """One writer a site at a time."""
    store.mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _manifest(plan: Plan, inputs: str, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    devices: dict[str, list[str]] = {}
    for slice_, device in plan.devices.select("slice", "device").iter_rows():
        devices.setdefault(slice_, []).append(device)
    slices = {
        s: {"digest": d, "kind": k, "devices": devices.get(s, [])}
        for s, d, k in plan.slices.select("slice", "digest", "kind").iter_rows()
    }
    return {
        "format": FORMAT,
        "site": plan.site,
        "inputs": inputs,
        "digest": plan.digest,
        "slices": slices,
        "files": files,
    }


def _fill(folder: Path, plan: Plan, inputs: str, artefacts: Iterable[Artefact]) -> int:
    """Write every file and the manifest into a fresh folder; return how many files."""
    digests = dict(plan.slices.select("slice", "digest").iter_rows())
    files: dict[str, dict[str, Any]] = {}
    made: set[Path] = set()
    for artefact in artefacts:
        target = folder / artefact.path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(artefact.data)
        stamp = plan.digest if artefact.slice is None else digests[artefact.slice]
        files[artefact.path] = {
            "sha256": sha256(artefact.data).hexdigest(),
            "slice": artefact.slice,
            "digest": stamp,
        }
    text = json.dumps(_manifest(plan, inputs, files), indent=1, sort_keys=True)
    (folder / "manifest.json").write_text(text + "\n")
    return len(files) + 1


def write_build(plan: Plan, artefacts: Iterable[Artefact], workspace: Workspace, inputs: str) -> int:
    """Plan and its files -> build/<site>, replaced as a whole; return how many files it holds.

    `inputs` is the digest of what the plan was made from, by which a later run knows that it may read the tables.
    """
    link = workspace.build
    store = link.parent / ".store" / plan.site
    with _alone(store):
        if link.is_dir() and not link.is_symlink():
            raise LindosError(
                Problem(f"{link} is a folder that Lindos did not write", hint="move it away; the build is a link")
            )
        current = link.resolve() if link.is_symlink() else None
        for left in store.iterdir():
            if left.is_dir() and left.resolve() != current:
                shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=f"{plan.digest[:12]}-", dir=store))
        folder.chmod(0o755)
        count = _fill(folder, plan, inputs, artefacts)
        os.sync()
        fresh = store / "link"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.relpath(folder, link.parent))
        fresh.replace(link)
        if current is not None and current != folder and current.parent == store.resolve():
            shutil.rmtree(current, ignore_errors=True)
    return count
