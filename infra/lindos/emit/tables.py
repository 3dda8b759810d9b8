"""Plan -> its tables as Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lindos.emit.artefact import Artefact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lindos.plan.tables import Plan


def tables(plan: Plan, _software: Mapping[str, str]) -> Iterator[Artefact]:
    """Every table as plan/<name>.parquet."""
    for name, frame in plan.tables():
        file = io.BytesIO()
        frame.write_parquet(file, compression="zstd", compression_level=1, statistics=False)
        yield Artefact(f"plan/{name}.parquet", file.getvalue())
