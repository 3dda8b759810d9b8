"""Layout -> halls, rows, racks and devices with coordinates.

The floor is filled in the order of logical coordinates, row by row, every second hall from its far end, so that
what is near in number is near in metres: a pod that ends in the next hall goes on beside where it began. Racks of one
group share a row where a row can hold them, and a pod starts a row of its own. In a site of several buildings a fleet
fills its own, and what belongs to no fleet stands with the first unit that it serves.

What many cables run to stands in the middle of what they come from: the network racks of a unit among its compute
racks; the spine racks of a pod among as many units like its first one as were declared; the shared racks (cores,
front-end and out-of-band spines) in the middle rows of the first hall, or of the hall that the site file names. Their
spots are kept free before anything else comes near. Nothing looks at what stands behind, so that racks and halls which
are added later move none. Racks of storage servers stand past the rows that the declared growth fills. `placement:`
then moves single racks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations, groupby
from typing import TYPE_CHECKING

import polars as pl

from lindos.errors import InfeasibleError, Problem
from lindos.plan.layout import SHARED
from lindos.plan.tables import Halls, Rows

if TYPE_CHECKING:
    import dataframely as dy

    from lindos.plan.layout import Layout, RackLayout, UnitLayout
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
    across: pl.DataFrame
    """The trays across the rows: turn (its name), turn_hall (number of the hall), turn_mm (x), from_mm, to_mm (y)"""


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


def rows_of(widths: tuple[int, ...], width: int) -> list[tuple[int, int]]:
    """Widths of groups in order, width of a row -> row (from 0) and first position of each.

    A group that does not fit into what is left of a row starts the next; one wider than a row spills over.
    """
    out, row, at = [], 0, 0
    for group in widths:
        if at and at + group > width:
            row, at = row + 1, 0
        out.append((row, at))
        row, at = row + (at + group) // width, (at + group) % width
    return out


def rows_needed(widths: tuple[int, ...], width: int) -> int:
    """Widths of groups in order, width of a row -> rows that they fill."""
    if not widths:
        return 0
    row, at = rows_of(widths, width)[-1]
    return row + -(-(at + widths[-1]) // width)


@cache
def spines_amid(units: int, unit: int, spines: int, hall: Hall, rows: int) -> list[tuple[int, int]]:
    """A pod of so many units of one width and its spine racks, a hall and the rows left in it -> row (from 0) and
    position of each spine rack.

    Fewest rows first, then the shortest way from the middle of all units to the middle of the spine racks.
    """

    def order(at: int) -> tuple[int, ...]:
        return (*(unit,) * at, *(1,) * spines, *(unit,) * (units - at))

    def cost(at: int) -> tuple[bool, int, float]:
        widths = order(at)
        spots = rows_of(widths, hall.racks_per_row)
        middle = [
            (row * hall.row_pitch_m, (first + w / 2) * hall.rack_pitch_m)
            for (row, first), w in zip(spots, widths, strict=True)
        ]
        mine = middle[at : at + spines]
        y, x = (sum(c[i] for c in mine) / spines for i in (0, 1))
        way = sum(abs(cy - y) + abs(cx - x) for cy, cx in (*middle[:at], *middle[at + spines :]))
        return spots[at + spines - 1][0] >= rows, rows_needed(widths, hall.racks_per_row), way

    best = min(range(units + 1), key=cost)
    spots = rows_of(order(best), hall.racks_per_row)
    mine = spots[best : best + spines]
    if mine[0][0] == mine[-1][0] and not any(row == mine[0][0] for row, _ in (*spots[:best], *spots[best + spines :])):
        return [(row, position + (hall.racks_per_row - spines) // 2) for row, position in mine]  # a row of their own
    return mine


class _Cursor:
    """The next free spot of a building while its floor is filled in order, past what is kept."""

    def __init__(self, spec: Spec, building: str | None) -> None:
        mine = [(i, hall) for i, hall in enumerate(spec.halls) if hall.building == building]
        self._numbers, self._halls = [i for i, _ in mine], [hall for _, hall in mine]
        self._hall = self._row = self._position = 0
        self._kept: set[Spot] = set()
        self._beyond: set[Spot] = set()
        self._kept_rows: set[tuple[int, int]] = set()

    @property
    def hall(self) -> Hall | None:
        """The hall of the next spot; None where the floor is full."""
        return self._halls[self._hall] if self._hall < len(self._halls) else None

    def _real(self, row: int) -> int:
        """Every second hall is filled from its far end."""
        return self._halls[self._hall].rows - 1 - row if self._hall % 2 else row

    def _here(self) -> tuple[int, int]:
        """Number of the hall in the site, and row."""
        return self._numbers[self._hall], self._real(self._row)

    @property
    def begun(self) -> bool:
        """Whether anything stands here or is kept."""
        return bool(self._hall or self._row or self._position or self._kept or self._kept_rows)

    def keep_beyond(self, hall: int, rows: int, count: int) -> list[Spot]:
        """Up to so many spots of a hall that only their own rack is put on: past the first rows of this building in
        the order in which they are filled, then before them.
        """
        at = self._numbers.index(hall)
        said = self._halls[at]
        first = min(max(0, rows - sum(h.rows for h in self._halls[:at])), said.rows)
        out: list[Spot] = []
        for row in (*range(first, said.rows), *range(first - 1, -1, -1)):
            real = said.rows - 1 - row if at % 2 else row
            for position in range(said.racks_per_row):
                spot, passed = (hall, real, position), (at, row, position) < (self._hall, self._row, self._position)
                if len(out) < count and not passed and (hall, real) not in self._kept_rows and spot not in self._kept:
                    out.append(spot)
        self._beyond |= set(out)
        return out

    def keep_rows(self, hall: int, first: int, count: int) -> None:
        """Whole rows of a hall that nothing else is put into."""
        self._kept_rows |= {(hall, row) for row in range(first, first + count)}
        self._wrap()

    def rows_left(self) -> list[int]:
        """The rows of this hall that are still to be filled, in order, from the one that is begun."""
        if self.hall is None:
            return []
        number = self._numbers[self._hall]
        rows = map(self._real, range(self._row, self.hall.rows))
        return [row for row in rows if (number, row) not in self._kept_rows]

    def keep(self, spots: list[tuple[int, int]]) -> list[Spot]:
        """Spots of this hall (row and position) that only their own rack is put on."""
        out = [(self._numbers[self._hall], row, position) for row, position in spots]
        self._kept |= set(out)
        return out

    def new_pod(self) -> None:
        """Start a row that holds nothing yet."""
        self.new_row()
        while self.hall and any(s[:2] == self._here() for s in (*self._kept, *self._beyond)):
            self._next_row()

    def new_row(self) -> None:
        """Start a row, unless this one is still empty."""
        if self._position:
            self._next_row()

    def _next_row(self) -> None:
        self._row, self._position = self._row + 1, 0
        self._wrap()

    def _wrap(self) -> None:
        """Past the end of a hall, and past rows that are kept."""
        while self.hall:
            if self._row >= self.hall.rows:
                self._hall, self._row = self._hall + 1, 0
            elif self._here() in self._kept_rows:
                self._row += 1
            else:
                return

    def _seek(self, count: int) -> None:
        """Go to the next place where so many positions of a row are free side by side; none where no row is so long."""
        while self.hall and count <= self.hall.racks_per_row:
            row = self._here()
            taken = {p for h, r, p in (*self._kept, *self._beyond) if (h, r) == row}
            for start in range(self._position, self.hall.racks_per_row - count + 1):
                if not any(start <= p < start + count for p in taken):
                    self._position = start
                    return
            self._next_row()
        self.new_row()

    def take(self, count: int) -> list[Spot] | None:
        """Spots side by side for a group, in one row where a row can hold it; None where the floor is full."""
        self._wrap()
        self._seek(count)
        out: list[Spot] = []
        while len(out) < count:
            if self.hall is None:
                return None
            spot = (*self._here(), self._position)
            if spot not in self._kept and spot not in self._beyond:
                out.append(spot)
            self._position += 1
            if self._position >= self.hall.racks_per_row:
                self._next_row()
        return out


def _declared_rows(layout: Layout, scope: str, width: int) -> int:
    """Scope of shared racks, width of a row -> the rows that the pods of its declared growth fill, each counted in
    units like the first.
    """
    served = (u for u in layout.units if layout.training[u.pod.fabric].facts.prefix + SHARED == scope)
    unit = next(served, layout.units[0])
    units = -(-layout.pod_leaves[unit.pod.name] // unit.leaves)
    spines = sum(1 for r in layout.racks if r.unit is None and r.pod == unit.pod.name)
    pod = rows_needed((*(1,) * spines, *(unit.positions,) * units), width)
    return pod * layout.pods_declared.get(scope, 1)


def _keep_shared(
    spec: Spec, layout: Layout, cursor: _Cursor, building: str | None, racks: list[RackLayout]
) -> list[Spot]:
    """The middle rows of the main hall of a building for shared racks; none where it is begun or has too few rows.
    Racks that stand for each other stand at the two ends of a row: under busways of their own, where it has several.

    The first hall is the main one unless the site file names another. Where the pods of the declared growth leave
    rows of it free, the middle is that of the rows they fill, each pod counted in units like the first.
    """
    mine = [i for i, h in enumerate(spec.halls) if h.building == building]
    main = next((i for i in mine if spec.halls[i].mda), mine[0]) if mine else None
    if main is None or cursor.begun:
        return []
    hall, scope = spec.halls[main], racks[0].scope
    need = -(-len(racks) // hall.racks_per_row)
    room = hall.rows - need
    if main == mine[0]:
        room = min(room, _declared_rows(layout, scope, hall.racks_per_row))
    if room < 0:
        return []
    start = room // 2
    cursor.keep_rows(main, start, need)
    spots = [(main, start + row, position) for position in range(hall.racks_per_row) for row in range(need)]
    ends = iter(spots), reversed(spots)
    return [next(ends[rack.side]) for rack in racks]


def _keep_spines(layout: Layout, cursor: _Cursor, unit: UnitLayout, spines: int) -> list[Spot]:
    """The spots of the spine racks of a pod that begins with this unit, among the units that it was declared for."""
    hall, rows = cursor.hall, cursor.rows_left()
    units = max(1, -(-layout.pod_leaves[unit.pod.name] // unit.leaves))
    if hall is None:
        return []
    spots = spines_amid(units, unit.positions, spines, hall, len(rows))
    return cursor.keep([(rows[row], position) for row, position in spots]) if spots[-1][0] < len(rows) else []


def _groups(layout: Layout) -> list[list[RackLayout]]:
    """Racks in order -> those that stand together: a unit, the spine racks of a pod, shared racks of one scope."""
    racks = (r for r in layout.racks if r.kind != "storage")
    return [list(g) for _, g in groupby(racks, key=lambda r: (r.scope, r.unit.name if r.unit else ""))]


def _take(cursor: _Cursor, group: list[RackLayout]) -> list[Spot] | None:
    """The next spots for a group: a unit side by side, with the room of a whole one; else one rack after the other."""
    if unit := group[0].unit:
        return cursor.take(unit.positions)
    each = [cursor.take(1) for _ in group]
    return [spots[0] for spots in each if spots] if all(each) else None


def _buildings(layout: Layout) -> dict[str, str | None]:
    """Layout -> the building of every rack: its fleet's; of spines and cores, that of the first unit they serve."""
    homes: dict[str, str | None] = {}
    for unit in layout.units:
        prefix = layout.training[unit.pod.fabric].facts.prefix
        for scope in (unit.pod.name, prefix + SHARED, SHARED):
            homes.setdefault(scope, unit.fleet.building)
    return {r.name: r.unit.fleet.building if r.unit else homes.get(r.scope) for r in layout.racks}


def _keep_servers(spec: Spec, layout: Layout, cursors: dict[str | None, _Cursor]) -> dict[str, Spot]:
    """The racks of storage servers, past the rows that the declared growth fills, with room for those declared."""
    spots: dict[str, Spot] = {}
    shared = sum(1 for r in layout.racks if r.scope == SHARED)
    for hall, count in layout.servers.kept_racks.items():
        said = spec.halls[hall]
        mine = [f"{layout.site}-{r.name}" for r in layout.servers.racks if r.hall == hall]
        width = said.racks_per_row
        rows = _declared_rows(layout, SHARED, width) + -(-shared // width)
        found = cursors[said.building].keep_beyond(hall, rows, count)
        if len(found) < len(mine):
            raise InfeasibleError(
                Problem(
                    f"hall {said.name} has no place for {len(mine) - len(found)} of {len(mine)} racks of storage "
                    f"servers ({said.rows * said.racks_per_row:,} positions; shared racks stand amid them)",
                    hint="give the hall more rows, or name another hall: compute: storage: pools: hall",
                )
            )
        spots |= dict(zip(mine, found, strict=False))
    return spots


def _fill(spec: Spec, layout: Layout) -> dict[str, Spot]:
    """Every rack on its default spot; InfeasibleError where the halls are too small."""
    cursors = {building: _Cursor(spec, building) for building in dict.fromkeys(h.building for h in spec.halls)}
    spots: dict[str, Spot] = {}
    begins = {u.pod.name: u for u in reversed(layout.units)}
    pod: str | None = None
    buildings = _buildings(layout)
    for nth, group in enumerate(_groups(layout)):
        head, building = group[0], buildings[group[0].name]
        cursor = cursors[building]
        kept: list[Spot] = []
        if head.pod is None:
            kept = _keep_shared(spec, layout, cursor, building, group)
        if head.pod != pod:
            pod = head.pod
            cursor.new_pod()
            if head.pod is not None and head.unit is None:  # one that goes on after shared racks has its spines
                kept = _keep_spines(layout, cursor, begins[head.pod], len(group))
        taken = kept or _take(cursor, group)
        if not taken:
            left, where = len(layout.racks) - len(spots), f" of building {building}" if building else ""
            raise InfeasibleError(
                Problem(
                    f"the halls{where} are full: {left:,} of {len(layout.racks):,} racks have no place "
                    f"({_room(spec, building):,} positions; racks of one unit stand side by side in a row)",
                    hint="give halls: more rows or more racks_per_row; a row should hold whole units",
                )
            )
        spots |= {rack.name: spot for rack, spot in zip(group, taken, strict=False)}
        if not nth:  # the shared racks of all stand before anything else does
            spots |= _keep_servers(spec, layout, cursors)
    return spots


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


def _across(halls: list[tuple[Hall, int, int]]) -> pl.DataFrame:
    """Halls -> their trays across the rows, each in the middle of its share of the row."""
    rows = []
    for number, (hall, x, y) in enumerate(halls):
        pitch, n = _mm(hall.rack_pitch_m), hall.trays.across
        width, end = hall.racks_per_row * pitch, y + _mm((hall.rows - 1) * hall.row_pitch_m)
        rows += [
            (f"{hall.name}-x{i + 1:02}", number, x - pitch // 2 + width * (2 * i + 1) // (2 * n), y, end)
            for i in range(n)
        ]
    return pl.DataFrame(rows, schema=["turn", "turn_hall", "turn_mm", "from_mm", "to_mm"], orient="row")


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
                        "row_pitch_mm": _mm(h.row_pitch_m),
                        "tray_height_mm": _mm(h.tray_height_m),
                        "tray_mm2": round(h.trays.width_m * h.trays.depth_m * 1_000_000) * (h.trays.levels or 1),
                        "tray_levels": h.trays.levels or 0,
                        "tray_fill_pct": round(h.trays.fill * 100),
                        "rack_w": None if h.rack_kw is None else round(h.rack_kw * 1000),
                        "rack_kg": h.rack_kg,
                        "floor_kg_m2": h.floor_kg_m2,
                        "rack_pitch_mm": _mm(h.rack_pitch_m),
                    }
                    for h, x, y in halls
                ]
            ),
            cast=True,
        ),
        rows=Rows.validate(pl.DataFrame(rows), cast=True),
        racks=pl.DataFrame(records, schema=names, orient="row"),
        across=_across(halls),
    )
