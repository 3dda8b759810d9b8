"""Layout -> halls, rows, racks and devices with coordinates.

The floor is filled in the order of logical coordinates, row by row, every second hall from its far end, so that
what is near in number is near in metres: a pod that ends in the next hall goes on beside where it began. Racks of one
group share a row where a row can hold them, and a pod starts a row of its own. Nothing looks ahead, so that racks and
halls which are added later move none. In a site of several buildings a fleet fills its own, and what belongs to no
fleet stands with the first unit that it serves. `placement:` then moves single racks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.layout import SHARED
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


def _halls(spec: Spec) -> list[tuple[Hall, int, int]]:
    """Halls with x and y at which each starts: side by side in their building, their rows along x."""
    out = []
    corner = {b.name: (_mm(b.x_m), _mm(b.y_m)) for b in spec.buildings}
    at: dict[str | None, int] = {b: x for b, (x, _) in corner.items()}
    for hall in spec.halls:
        x = at.get(hall.building, 0)
        out.append((hall, x, corner.get(hall.building or "", (0, 0))[1]))
        at[hall.building] = x + _mm(hall.racks_per_row * hall.rack_pitch_m) + _mm(hall.gap_m)
    return out


def _apart(spec: Spec) -> None:
    """InfeasibleError where the halls of two buildings stand in each other."""
    boxes: dict[str, list[tuple[int, int, int, int]]] = {}
    for hall, x, y in _halls(spec):
        right, far = x + _mm(hall.racks_per_row * hall.rack_pitch_m), y + _mm(hall.rows * hall.row_pitch_m)
        boxes.setdefault(hall.building or "", []).append((x, y, right, far))
    extent = {
        name: (*(min(b[i] for b in mine) for i in (0, 1)), *(max(b[i] for b in mine) for i in (2, 3)))
        for name, mine in boxes.items()
    }
    problems = [
        Problem(
            f"buildings '{one}' and '{other}' stand in each other: the halls of '{one}' take "
            f"{(a[2] - a[0]) / 1000:.0f} x {(a[3] - a[1]) / 1000:.0f} m from x {a[0] / 1000:.0f} m, "
            f"y {a[1] / 1000:.0f} m, and '{other}' begins at x {b[0] / 1000:.0f} m, y {b[1] / 1000:.0f} m",
            hint="buildings: other x_m or y_m; rows run along x",
        )
        for (one, a), (other, b) in combinations(extent.items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    if problems:
        raise InfeasibleError(problems)


def _room(spec: Spec, building: str | None) -> int:
    return sum(h.rows * h.racks_per_row for h in spec.halls if h.building == building)


class _Cursor:
    """The next free spot of a building while its floor is filled in order."""

    def __init__(self, spec: Spec, building: str | None) -> None:
        mine = [(i, hall) for i, hall in enumerate(spec.halls) if hall.building == building]
        self._numbers, self._halls = [i for i, _ in mine], [hall for _, hall in mine]
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
            out.append(
                (self._numbers[self._hall], rows - 1 - self._row if self._hall % 2 else self._row, self._position)
            )
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


def _buildings(layout: Layout) -> dict[str, str | None]:
    """Layout -> the building of every rack: its fleet's; of spines and cores, that of the first unit they serve."""
    homes: dict[str, str | None] = {}
    for unit in layout.units:
        prefix = layout.training[unit.pod.fabric].facts.prefix
        for scope in (unit.pod.name, prefix + SHARED, SHARED):
            homes.setdefault(scope, unit.fleet.building)
    return {r.name: r.unit.fleet.building if r.unit else homes.get(r.scope) for r in layout.racks}


def _fill(spec: Spec, layout: Layout) -> dict[str, Spot]:
    """Every rack on its default spot; InfeasibleError where the halls are too small."""
    cursors = {building: _Cursor(spec, building) for building in dict.fromkeys(h.building for h in spec.halls)}
    spots: dict[str, Spot] = {}
    pod: str | None = None
    buildings = _buildings(layout)
    for group in _groups(layout):
        building = buildings[group[0].name]
        cursor = cursors[building]
        if group[0].pod != pod:
            pod = group[0].pod
            cursor.new_row()
        taken = cursor.take(_reserved(group))
        if taken is None:
            left, where = len(layout.racks) - len(spots), f" of building {building}" if building else ""
            raise InfeasibleError(
                Problem(
                    f"the halls{where} are full: {left:,} of {len(layout.racks):,} racks have no place "
                    f"({_room(spec, building):,} positions; racks of one unit stand side by side in a row)",
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
    _apart(spec)
    spots = _fill(spec, layout)
    _move(spec, spots)
    halls = _halls(spec)
    rows = []
    for hall, _, y in halls:
        rows += [
            {
                "row": f"{hall.name}-r{n + 1:02}",
                "hall": hall.name,
                "number": n + 1,
                "y_mm": y + _mm(n * hall.row_pitch_m),
            }
            for n in range(hall.rows)
        ]
    records = []
    for name, (h, r, p) in spots.items():
        hall, x, y = halls[h]
        records.append(
            (
                name,
                hall.name,
                f"{hall.name}-r{r + 1:02}",
                p + 1,
                x + _mm(p * hall.rack_pitch_m),
                y + _mm(r * hall.row_pitch_m),
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
                        "building": h.building,
                        "rows": h.rows,
                        "racks_per_row": h.racks_per_row,
                        "x_mm": x,
                        "y_mm": y,
                        "tray_height_mm": _mm(h.tray_height_m),
                        "rack_w": None if h.rack_kw is None else round(h.rack_kw * 1000),
                        "rack_kg": h.rack_kg,
                    }
                    for h, x, y in halls
                ]
            ),
            cast=True,
        ),
        rows=Rows.validate(pl.DataFrame(rows), cast=True),
        racks=pl.DataFrame(records, schema=names, orient="row"),
    )
