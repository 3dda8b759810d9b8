"""Plan and a query -> an answer as text: the plan is a database, and people may ask it in SQL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lindos.emit.tables import tables
from lindos.errors import Problem, SpecError

if TYPE_CHECKING:
    from lindos.plan.tables import Plan


def query_plan(plan: Plan, sql: str) -> str:
    """Plan and one DuckDB query over its tables -> a table as text. SpecError where the query is wrong."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as base:
        for artefact in tables(plan, {}):
            file = Path(folder) / Path(artefact.path).name
            file.write_bytes(artefact.data)
            base.from_parquet(str(file)).create_view(file.stem)
        try:
            return str(base.sql(sql))
        except duckdb.Error as err:
            names = ", ".join(name for name, _ in plan.tables())
            raise SpecError(Problem(f"query: {err}", hint=f"tables: {names}")) from None
