"""A Pulumi project of its own in an empty folder, with its state beside it: what the tests of the real CLI run in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PULUMI_YAML = """\
name: lindos
main: infra
runtime: python
stackConfigDir: stacks
plugins:
  providers:
    - {name: lindos, path: bin}
"""


def write_project(root: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and the text of a program -> a project with our provider; the CLI is told of it by environment."""
    for folder in ("infra", "stacks", "bin", "state"):
        (root / folder).mkdir()
    (root / "Pulumi.yaml").write_text(PULUMI_YAML)
    (root / "infra/__main__.py").write_text(program)
    provider = root / "bin/pulumi-resource-lindos"
    provider.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lindos.resources.provider "$@"\n')
    provider.chmod(0o755)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{root}/state")
    monkeypatch.setenv("PULUMI_HOME", str(root / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
