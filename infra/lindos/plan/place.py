"""Layout -> halls, rows, racks and devices with coordinates.

The floor is filled in the order of logical coordinates, row by row, every second hall from its far end, so that
what is near in number is near in metres: a pod that ends in the next hall goes on beside where it began. Racks of one
group share a row where a row can hold them, and a pod starts a row of its own. Nothing looks ahead, so that racks and
halls which are added later move none. `placement:` then moves single racks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.tables import Halls, Rows

if TYPE_CHECKING:
    import dataframely as dy

    from lindos.plan.layout import Layout, RackLayout
    from lindos.spec.model import Hall, Spec

Spot = tuple[int, int, int]
"""Hall, row, position, all from 0."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Halls and rows as tables, and where each rack stands."""

    halls: dy.DataFrame[Halls]
    rows: dy.DataFrame[Rows]
    racks: pl.DataFrame
    """rack, hall, row, position (from 1), x_mm, y_mm, height_u, tray_height_mm"""


def _mm(metres: float) -> int:
    return round(metres * 1000)


def _halls(spec: Spec) -> list[tuple[Hall, int]]:
    """Halls with the x at which each starts: side by side, their rows along x."""
    out, x = [], 0
    for hall in spec.halls:
        out.append((hall, x))
        x += _mm(hall.racks_per_row * hall.rack_pitch_m) + _mm(hall.gap_m)
    return out


def _room(spec: Spec) -> int:
    return sum(h.rows * h.racks_per_row for h in spec.halls)


class _Cursor:
    """The next free spot while the floor is filled in order."""

    def __init__(self, spec: Spec) -> None:
        self._halls = spec.halls
        self._hall = self._row = self._position = 0

    def new_row(self) -> None:
        if self._position:
            self._row, self._position = self._row + 1, 0
        self._wrap()

    def _wrap(self) -> None:
        while self._hall < len(self._halls) and self._row >= self._halls[self._hall].rows:
            self._hall, self._row = self._hall + 1, 0

    def take(self, count: int) -> list[Spot] | None:
        """Spots side by side for a group, in one row where a row can hold it; None where the floor is full."""
        self._wrap()
        if self._hall < len(self._halls):
            width = self._halls[self._hall].racks_per_row
            if self._position and self._position + count > width:
                self.new_row()
        out: list[Spot] = []
        for _ in range(count):
            self._wrap()
            if self._hall >= len(self._halls):
                return None
            rows = self._halls[self._hall].rows
            out.append((self._hall, rows - 1 - self._row if self._hall % 2 else self._row, self._position))
            self._position += 1
            if self._position >= self._halls[self._hall].racks_per_row:
                self.new_row()
        return out


def _groups(layout: Layout) -> list[list[RackLayout]]:
    out: list[list[RackLayout]] = []
    for rack in layout.racks:
        if out and out[-1][0].group == rack.group:
            out[-1].append(rack)
        else:
            out.append([rack])
    return out


def _fill(spec: Spec, layout: Layout) -> dict[str, Spot]:
    """Every rack on its default spot; InfeasibleError where the halls are too small."""
    cursor = _Cursor(spec)
    spots: dict[str, Spot] = {}
    pod: int | None = None
    groups = _groups(layout)
    for group in groups:
        if group[0].pod != pod:
            pod = group[0].pod
            cursor.new_row()
        taken = cursor.take(_reserved(group))
        if taken is None:
            left = len(layout.racks) - len(spots)
            raise InfeasibleError(
                Problem(
                    f"the halls are full: {left:,} of {len(layout.racks):,} racks have no place "
                    f"({_room(spec):,} positions; "
                    "racks of one unit stand side by side in a row)",
                    hint="give halls: more rows or more racks_per_row; a row should hold whole units",
                )
            )
        for rack, spot in zip(group, taken, strict=False):
            spots[rack.name] = spot
    return spots


def _reserved(group: list[RackLayout]) -> int:
    """Positions a group takes: a partial unit keeps the room of a whole one."""
    unit = group[0].unit
    return unit.positions if unit else len(group)


def _move(spec: Spec, spots: dict[str, Spot]) -> None:
    """Apply `placement:`; every mistake of it at once."""
    halls = {h.name: i for i, h in enumerate(spec.halls)}
    problems: list[Problem] = []
    moved = {p.rack for p in spec.placement}
    taken = {spot: rack for rack, spot in spots.items() if rack not in moved}
    for i, said in enumerate(spec.placement):
        where = f"placement[{i}]"
        if said.rack not in spots:
            problems.append(
                Problem(f"{where}: no rack '{said.rack}'", hint=f"racks are named like {next(iter(spots))}")
            )
            continue
        if said.hall not in halls:
            problems.append(Problem(f"{where}: no hall '{said.hall}'", hint=f"halls: {', '.join(halls)}"))
            continue
        hall = spec.halls[halls[said.hall]]
        if said.row > hall.rows or said.position > hall.racks_per_row:
            problems.append(
                Problem(
                    f"{where}: hall '{hall.name}' has {hall.rows} rows of {hall.racks_per_row} positions, "
                    f"not row {said.row} position {said.position}"
                )
            )
            continue
        spot = (halls[said.hall], said.row - 1, said.position - 1)
        if other := taken.get(spot):
            problems.append(
                Problem(
                    f"{where}: '{other}' stands at {said.hall} row {said.row} position {said.position}",
                    hint="move that rack as well, or take a free position",
                )
            )
            continue
        taken[spot] = said.rack
        spots[said.rack] = spot
    if problems:
        raise InfeasibleError(problems)


def place(spec: Spec, layout: Layout) -> Floor:
    """Spec and layout -> Floor. InfeasibleError where the floor is too small or a placement cannot be."""
    spots = _fill(spec, layout)
    _move(spec, spots)
    halls = _halls(spec)
    rows = []
    for hall, _ in halls:
        rows += [
            {
                "row": f"{hall.name}-r{n + 1:02}",
                "hall": hall.name,
                "number": n + 1,
                "y_mm": _mm(n * hall.row_pitch_m),
            }
            for n in range(hall.rows)
        ]
    records = []
    for name, (h, r, p) in spots.items():
        hall, x = halls[h]
        records.append(
            (
                name,
                hall.name,
                f"{hall.name}-r{r + 1:02}",
                p + 1,
                x + _mm(p * hall.rack_pitch_m),
                _mm(r * hall.row_pitch_m),
                hall.rack_height_u,
                _mm(hall.tray_height_m),
            )
        )
    names = ["rack", "hall", "row", "position", "x_mm", "y_mm", "height_u", "tray_height_mm"]
    return Floor(
        halls=Halls.validate(
            pl.DataFrame(
                [
                    {
                        "hall": h.name,
                        "rows": h.rows,
                        "racks_per_row": h.racks_per_row,
                        "x_mm": x,
                        "y_mm": 0,
                        "tray_height_mm": _mm(h.tray_height_m),
                        "rack_w": None if h.rack_kw is None else round(h.rack_kw * 1000),
                        "rack_kg": h.rack_kg,
                    }
                    for h, x in halls
                ]
            ),
            cast=True,
        ),
        rows=Rows.validate(pl.DataFrame(rows), cast=True),
        racks=pl.DataFrame(records, schema=names, orient="row"),
    )
