"""Plan and a query -> an answer as text: the plan is a database, and people may ask it in SQL."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lindos.emit.tables import tables
from lindos.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from lindos.plan.tables import Plan


def query_plan(plan: Plan, sql: str, derived: Mapping[str, Callable[[], pl.DataFrame]]) -> str:
    """Plan and one DuckDB query over its tables -> a table as text. SpecError where the query is wrong.

    `derived` tables follow from the plan, and are made where the query names them.
    """
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as base:
        for artefact in tables(plan, {}):
            file = Path(folder) / Path(artefact.path).name
            file.write_bytes(artefact.data)
            base.from_parquet(str(file)).create_view(file.stem)
        for name, make in derived.items():
            if re.search(rf"\b{name}\b", sql, re.IGNORECASE):
                file = Path(folder) / f"{name}.parquet"
                make().write_parquet(file)
                base.from_parquet(str(file)).create_view(name)
        try:
            return str(base.sql(sql))
        except duckdb.Error as err:
            names = ", ".join(name for name in (*(n for n, _ in plan.tables()), *derived))
            raise SpecError(Problem(f"query: {err}", hint=f"tables: {names}")) from None
