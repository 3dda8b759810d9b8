"""What `infra/__main__.py` is made of: which stack this is, its plan, the rules, the declaration."""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from ruamel.yaml import YAML

from lindos.check import check_view
from lindos.check.view import View
from lindos.errors import LindosError
from lindos.finding import Severity
from lindos.plan import load_site
from lindos.resources.components import Devices, Site
from lindos.resources.views import site_view, slice_view
from lindos.workspace import Workspace, site_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DESTROY = ("retain", "power-off")
"""What `pulumi destroy` does to a node, the default first."""

SHOWN_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack by its name: `<site>` for the site itself, `<site>.<slice>` for the devices of one slice."""

    root: Path
    site: str
    slice: str | None
    site_file: Path
    destroy: str


def run(build: Callable[[], Mapping[str, Any]]) -> None:
    """A callable that declares resources -> the program; what it returns is exported.

    The SDK is made to begin with registrations before it waits for any, and to keep its debugging to itself: both
    are what the time of a program of hundreds of resources goes into.
    """
    if not os.environ.get("PULUMI_DEBUG"):
        pulumi.log.debug = lambda *_args, **_kwargs: None
        gc.set_threshold(200_000, 50, 100)

    async def main() -> Mapping[str, Any]:
        try:
            outputs = build()
        except LindosError as error:
            raise pulumi.RunError(error.render()) from None
        for _ in range(3):
            await asyncio.sleep(0)
        return outputs

    pulumi.run(main)


def this_stack() -> Stack:
    """The stack that Pulumi runs -> Stack. What a slice's stack does not configure is read from its site's file."""
    root = Path(pulumi.get_root_directory())
    site, _, slice_ = pulumi.get_stack().partition(".")
    inherited = _config_file(root / "stacks" / f"Pulumi.{site}.yaml")
    own = pulumi.Config("lindos")

    def setting(key: str, default: str) -> str:
        return own.get(key) or inherited.get(key) or default

    destroy = setting("destroy", DESTROY[0])
    if destroy not in DESTROY:
        raise pulumi.RunError(f"lindos:destroy is {destroy!r}, must be one of {', '.join(DESTROY)}")
    try:
        path = site_file(str(root / setting("site", f"inventories/{site}")), root)
    except LindosError as error:
        raise pulumi.RunError(error.render()) from None
    return Stack(root, site, slice_ or None, path, destroy)


def planned(stack: Stack) -> View:
    """Stack -> the plan of its site as the rules looked at it; a RunError where these forbid it."""
    spec, plan = load_site(stack.site_file, Workspace(stack.root, stack.site))
    if plan.site != stack.site:
        raise pulumi.RunError(f"{stack.site_file} is of site {plan.site}, this stack is of {stack.site}")
    view = View(plan, spec)
    critical = [f for f in check_view(view) if f.severity is Severity.CRITICAL]
    if critical:
        lines = [
            f"{f.code} {f.subject}: {f.message}" + (f"\n  hint: {f.hint}" if f.hint else "")
            for f in critical[:SHOWN_AT_MOST]
        ]
        more = [f"... and {len(critical) - SHOWN_AT_MOST} more"] if len(critical) > SHOWN_AT_MOST else []
        raise pulumi.RunError("\n".join([f"{plan.site} breaks the rules of the field:", *lines, *more]))
    return view


def declare(seen: View, stack: Stack) -> dict[str, Any]:
    """A plan as the rules look at it, and a stack -> its resources declared, and what the stack exports."""
    plan = seen.plan
    exported: dict[str, Any] = {"site": plan.site, "digest": plan.digest}
    if stack.slice is None:
        Site(site_view(seen))
        return exported | {"slices": plan.slices.height}
    try:
        view = slice_view(plan, stack.slice, stack.destroy)
    except KeyError:
        known = ", ".join(plan.slices["slice"].head(SHOWN_AT_MOST))
        raise pulumi.RunError(f"{plan.site} has no slice {stack.slice!r}; it has {known}, ...") from None
    Devices(view)
    return exported | {"slice": view.name, "slice_digest": view.digest}


def _config_file(path: Path) -> dict[str, str]:
    """A stack's configuration file -> its plain values in our namespace; secrets are each stack's own."""
    if not path.is_file():
        return {}
    document = YAML(typ="safe").load(path.read_text()) or {}
    found = document.get("config") or {}
    return {
        key.removeprefix("lindos:"): value
        for key, value in found.items()
        if key.startswith("lindos:") and isinstance(value, str)
    }
