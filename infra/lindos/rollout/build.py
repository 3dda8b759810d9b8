"""Site file -> build folder: design (or read what was designed), then write."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from lindos.check.sweep import COLUMNS, sweep
from lindos.check.view import View
from lindos.emit import losses, work, write_build
from lindos.observation import OBSERVED, read_guids
from lindos.plan import inputs_digest, load_site
from lindos.spec.keys import AUTHORIZED_KEYS, read_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lindos.emit import Artefact
    from lindos.plan import Plan
    from lindos.spec import Spec
    from lindos.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Built:
    spec: Spec
    plan: Plan
    files: int
    seconds: float


def build(path: Path, workspace: Workspace, dialects: Sequence[str] = ()) -> Built:
    """Site file and the dialects of its switches that are asked for (none: that of each switch, and the twin's)
    -> Built; build/<site> holds the new files when this returns, or still the old ones.
    """
    start = time.perf_counter()
    spec, plan = load_site(path, workspace)
    keys = read_keys(path.parent / AUTHORIZED_KEYS)
    batches, rest = work(plan, spec.software, dialects, read_guids(path.parent / OBSERVED), keys)
    files = write_build(plan, batches, chain(rest, swept(plan)), workspace, inputs_digest(path))
    return Built(spec, plan, files, time.perf_counter() - start)


def swept(plan: Plan) -> Iterator[Artefact]:
    """Plan -> the files of what each loss takes down, computed when they are asked for."""
    yield from losses(sweep(View(plan)), COLUMNS)
