"""A plan is designed, or read back from the build folder where that was made from the same inputs."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lindos.catalogue import load_catalogue
from lindos.errors import Problem, SpecError
from lindos.plan.design import SCHEMAS, design
from lindos.plan.tables import Plan
from lindos.spec import load_spec
from lindos.spec.load import assumed_products

if TYPE_CHECKING:
    from lindos.spec import Spec
    from lindos.workspace import Workspace

PACKAGE = Path(__file__).parents[1]
DECIDING = ("catalogue", "spec", "plan")
"""The parts of the package whose code a plan depends on."""


def inputs_digest(path: Path) -> str:
    """Site file -> digest of all that its plan depends on: the file, the catalogue, the code, the table library."""
    out = sha256()
    out.update(path.read_bytes())
    for part in DECIDING:
        for file in sorted([*(PACKAGE / part).rglob("*.py"), *(PACKAGE / part).rglob("*.yaml")]):
            out.update(file.relative_to(PACKAGE).as_posix().encode())
            out.update(file.read_bytes())
    out.update(version("polars").encode())
    return out.hexdigest()


def read_plan(build: Path, inputs: str) -> Plan | None:
    """Build folder -> its plan, or None where it was made from other inputs or is not whole."""
    folder = build.resolve()
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        if manifest["inputs"] != inputs:
            return None
        tables = {n: s.cast(pl.read_parquet(folder / "plan" / f"{n}.parquet")) for n, s in SCHEMAS.items()}
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        return None
    return Plan(site=manifest["site"], digest=manifest["digest"], **tables)  # type: ignore[arg-type]  # by name


def read_built(build: Path) -> Plan:
    """Build folder -> the plan that its files were made from. SpecError where this version cannot read its tables."""
    folder = build.resolve()
    try:
        plan = read_plan(folder, json.loads((folder / "manifest.json").read_text())["inputs"])
    except (OSError, ValueError, KeyError, TypeError):
        plan = None
    if plan is None:
        raise SpecError(
            Problem(
                f"the plan in '{build}' cannot be read: it is not whole, or another version of lindos made it",
                hint="compare with the site file that it was made from",
            )
        )
    return plan


def design_spec(spec: Spec) -> Plan:
    """Spec -> its plan, with the catalogue and the spec's own products."""
    return design(spec, load_catalogue(assumed_products(spec)))


def design_site(path: Path) -> tuple[Spec, Plan]:
    """Site file -> its spec and plan, designed afresh."""
    spec = load_spec(path)
    return spec, design_spec(spec)


def load_site(path: Path, workspace: Workspace) -> tuple[Spec, Plan]:
    """Site file -> its spec and plan, read from the build folder where nothing changed since."""
    spec = load_spec(path)
    plan = read_plan(workspace.build, inputs_digest(path))
    return spec, plan or design_spec(spec)
