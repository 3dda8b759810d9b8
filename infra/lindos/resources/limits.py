"""What `policy/`, a Pulumi policy pack, asks of resources: what a stack may not declare, whoever wrote its program.

The rules of the field (check/) judge the whole plan, and our own program stops where they are broken. These judge
resources one by one, as the engine sees them: also those of a program of somebody else, and a plan that was changed on
its way to the engine. The engine asks every policy of every resource, so they are few, with many checks each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lindos.resources.computed import COMPUTED, COOLER, FEED, HALL, LINEUP, SLICE, SUBSTATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Props = Mapping[str, Any]

LIMITED = {kind.token for kind in (SUBSTATION, LINEUP, FEED, COOLER)}
KINDS = {kind.token for kind in COMPUTED}
PERCENT = 90
"""How much of its limit a part may be loaded with before the pack warns, where its configuration says nothing else."""
ROUNDING_KW = 0.05
"""What a sum of kilowatts with one decimal may be off by, for each of them."""


def over_its_limit(token: str, props: Props) -> Iterator[str]:
    """Kind and properties -> what of a feed, lineup, substation or cooler is above its limit, a line each."""
    if token not in LIMITED:
        return
    load = _number(props, "load_kw", "nameplate")
    capacity, reserve = _by_stage(props, "capacity_kw"), _by_stage(props, "reserve_kw")
    for stage in sorted(capacity.keys() | reserve.keys()):
        left, may = reserve.get(stage, 0.0), capacity.get(stage)
        if left < 0:
            yield f"{_name(stage)}: {-left:,.1f} kW more than one of them may carry in the worst case"
        elif may is not None and load > may + ROUNDING_KW:
            yield f"{_name(stage)}: carries {load:,.1f} kW nameplate, may carry {may:,.1f} kW"


def near_its_limit(token: str, props: Props, percent: float = PERCENT) -> Iterator[str]:
    """The same, and a share of the limit -> what is above that share but not above the limit."""
    if token not in LIMITED:
        return
    for stage, loading in _by_stage(props, "loading_pct").items():
        if percent < loading <= 100:
            yield f"{_name(stage)}: loaded with {loading:,.1f} % of what it may carry, more than {percent:g} %"


def untrue(token: str, props: Props) -> Iterator[str]:
    """Kind and properties -> what cannot be so of any resource of ours, whatever was designed."""
    if token not in KINDS:
        return
    nameplate, typical = (_number(props, "load_kw", k) or _number(props, f"{k}_kw") for k in ("nameplate", "typical"))
    if typical > nameplate + ROUNDING_KW:
        yield f"draws {typical:,.1f} kW under training, more than its nameplate of {nameplate:,.1f} kW"
    for key, value in sorted(props.items()):
        if not key.startswith("reserve") and isinstance(value, (int, float)) and value < 0:
            yield f"{key} is {value:,.1f}, below nothing"
    if token == HALL.token and _number(props, "racks") > _number(props, "positions"):
        yield f"{_number(props, 'racks'):,.0f} racks stand on {_number(props, 'positions'):,.0f} positions"
    if token == HALL.token and _number(props, "liquid_kw") > _number(props, "nameplate_kw") + ROUNDING_KW:
        yield "gives more heat to the coolant than it draws"
    if token == SLICE.token:
        by_feed, by_lineup = (props.get(key) or {} for key in ("feeds_kw", "lineups_kw"))
        feeds, lineups = sum(by_feed.values()), sum(by_lineup.values())
        if abs(feeds - lineups) > ROUNDING_KW * (len(by_feed) + len(by_lineup) + 1):
            yield f"{feeds:,.1f} kW come by its feeds, {lineups:,.1f} kW by its lineups"


def _by_stage(props: Props, key: str) -> dict[str, float]:
    """A figure by stage, or one of machines of one kind -> by stage, in order."""
    value = props.get(key)
    if value is None:
        return {}
    if isinstance(value, (int, float)):
        return {str(props.get("kind", "part")): value}
    return dict(sorted(value.items()))


def _number(props: Props, *path: str) -> float:
    """Properties and a path -> the number there, 0 where there is none."""
    found: Any = props
    for key in path:
        found = found.get(key) if hasattr(found, "get") else None
    return found if isinstance(found, (int, float)) else 0.0


def _name(stage: str) -> str:
    return stage.replace("_", " ")
