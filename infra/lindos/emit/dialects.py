"""The dialects of a switch, and the plan -> the files of every switch, in batches that any process can render.

To add a dialect: a function from the view to files by name, and a line in DIALECTS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lindos.emit.artefact import Artefact
from lindos.emit.frr import FILES, frr
from lindos.emit.intent import Told, told, views
from lindos.emit.nvue import nvue
from lindos.emit.sonic import config_db

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lindos.emit.intent import SwitchView
    from lindos.plan.tables import Plan


@dataclass(frozen=True, slots=True)
class Dialect:
    """Names of the files on a switch, and what makes them."""

    files: tuple[str, ...]
    render: Callable[[SwitchView], dict[str, str]]


DIALECTS: dict[str, Dialect] = {
    "sonic": Dialect(("config_db.json",), lambda view: {"config_db.json": config_db(view)}),
    "cumulus": Dialect(("nvue.yaml",), lambda view: {"nvue.yaml": nvue(view)}),
    "frr": Dialect(tuple(FILES), frr),
}
"""Operating system -> how it is told."""
ALWAYS = "frr"
"""The dialect that every switch has besides its own: the twin stands in for a switch of any kind with FRR."""
BATCH = 256
"""Switches of a batch: enough to be worth handing over, few enough to hold in memory."""


@dataclass(frozen=True, slots=True)
class SwitchFiles:
    """Switches and the dialects asked for (none: that of each, and the twin's) -> their files. Can be sent to another
    process.
    """

    what: Told
    asked: tuple[str, ...]

    def artefacts(self) -> Iterator[Artefact]:
        """Every file of these switches, in order."""
        for view in views(self.what):
            wanted = self.asked or dict.fromkeys((view.nos, ALWAYS))
            for name in wanted:
                for file, text in DIALECTS[name].render(view).items():
                    yield Artefact(f"switches/{view.device}/{file}", text.encode(), view.slice)


def batches(plan: Plan, asked: Sequence[str] = ()) -> Iterator[SwitchFiles]:
    """Plan and the dialects asked for -> batches of switches, in the order of devices."""
    what = told(plan)
    for start in range(0, what.boxes.height, BATCH):
        yield SwitchFiles(what.chunk(start, BATCH), tuple(asked))


def switches(plan: Plan, asked: Sequence[str] = ()) -> Iterator[Artefact]:
    """Plan and the dialects asked for -> switches/<device>/..., ready to be pushed; rendered here."""
    for batch in batches(plan, asked):
        yield from batch.artefacts()
