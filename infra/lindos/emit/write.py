"""Files -> the build folder, in one step: a kill leaves the old build or the new one, never half of either.

Files are written into a folder of their own in `build/.store/<site>/`; then the link `build/<site>` is replaced by
rename. Folders that the link does not point to are what killed runs left, and go with the next run.

Where there are several batches of switches, as many processes as the machine has cores render and write them, while
this one does the rest: a site of 100,000 GPUs has a gigabyte of configurations, which no process should hold.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lindos.errors import LindosError, Problem
from lindos.workspace import alone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lindos.emit.artefact import Artefact
    from lindos.plan.tables import Plan
    from lindos.workspace import Workspace

FORMAT = 1
MOST_PROCESSES = 8


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


class Batch(Protocol):
    """Files that are still to be made; can be sent to another process."""

    def artefacts(self) -> Iterator[Artefact]:
        """Makes them, in order."""


Written = tuple[str, str, str | None]
"""Path, SHA-256 and slice of a file."""


def _write(folder: Path, artefacts: Iterable[Artefact]) -> list[Written]:
    """Write files into a folder; return what was written."""
    out: list[Written] = []
    made: set[Path] = set()
    for artefact in artefacts:
        target = folder / artefact.path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(artefact.data)
        out.append((artefact.path, sha256(artefact.data).hexdigest(), artefact.slice))
    return out


def _write_batch(folder: Path, batch: Batch) -> list[Written]:
    return _write(folder, batch.artefacts())


def _end_with_parent() -> None:
    """A helper must not outlive a killed run: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        ends = [parent.sentinel]
        threading.Thread(
            target=lambda: (multiprocessing.connection.wait(ends), os._exit(1)), name="parent", daemon=True
        ).start()


def _write_all(folder: Path, batches: Sequence[Batch], artefacts: Iterable[Artefact]) -> list[Written]:
    """Batches shared out over processes, the rest written here; a single batch is not worth a process."""
    if len(batches) <= 1:
        return [w for batch in batches for w in _write_batch(folder, batch)] + _write(folder, artefacts)
    cores = min(len(batches), len(os.sched_getaffinity(0)), MOST_PROCESSES)
    # Spawned, not forked: Polars has threads, and a fork of a process with threads may never wake up.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=spawn, initializer=_end_with_parent) as pool:
        try:
            shared = [pool.submit(_write_batch, folder, batch) for batch in batches]
            mine = _write(folder, artefacts)
            return [w for future in shared for w in future.result()] + mine
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fill(folder: Path, plan: Plan, inputs: str, batches: Sequence[Batch], artefacts: Iterable[Artefact]) -> int:
    """Write every file and the manifest into a fresh folder; return how many files."""
    digests = dict(plan.slices.select("slice", "digest").iter_rows())
    files = {
        path: {"sha256": sha, "slice": slice_, "digest": plan.digest if slice_ is None else digests[slice_]}
        for path, sha, slice_ in _write_all(folder, batches, artefacts)
    }
    text = json.dumps(_manifest(plan, inputs, files), indent=1, sort_keys=True)
    (folder / "manifest.json").write_text(text + "\n")
    return len(files) + 1


def write_build(
    plan: Plan, batches: Sequence[Batch], artefacts: Iterable[Artefact], workspace: Workspace, inputs: str
) -> int:
    """Plan, batches of files and files -> build/<site>, replaced as a whole; return how many files it holds.

    `inputs` is the digest of what the plan was made from, by which a later run knows that it may read the tables.
    """
    link = workspace.build
    store = link.parent / ".store" / plan.site
    with alone(store / "lock"):
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
        count = _fill(folder, plan, inputs, batches, artefacts)
        os.sync()
        fresh = store / "link"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.relpath(folder, link.parent))
        fresh.replace(link)
        if current is not None and current != folder and current.parent == store.resolve():
            shutil.rmtree(current, ignore_errors=True)
    return count
