"""The view of a switch -> the files of a Debian switch with FRR, ifupdown2 and lldpd; its templates hold no logic."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from lindos.emit.intent import SOFTWARE

if TYPE_CHECKING:
    from lindos.emit.intent import SwitchView

TEMPLATES = Path(__file__).parents[3] / "templates" / "frr"
FILES = {
    "frr.conf": "device.j2",
    "interfaces": "interfaces.file.j2",
    "lldpd.conf": "lldpd.conf.j2",
    "daemons": "daemons.j2",
}
"""File on the switch -> its template."""


@cache
def _templates() -> dict[str, Template]:
    """Every file of a switch with its template, read once in a process."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # configuration, no HTML
    )
    return {name: env.get_template(template) for name, template in FILES.items()}


def frr(view: SwitchView) -> dict[str, str]:
    """The view of a switch -> its files by name."""
    return {name: template.render(view=view, timers=SOFTWARE) for name, template in _templates().items()}
