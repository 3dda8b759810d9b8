"""Pools of storage servers -> racks of them: how many a rack holds, and the leaves that stand there.

A rack holds, from the bottom: the leaves of the servers that are first in it, servers, and at the top its out-of-band
switches. Racks and the slots of their servers are handed out in order of arrival, whole racks at a time: a pool that is
appended renames nothing, and a last rack that is not full keeps its room.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from lindos.errors import InfeasibleError, Problem
from lindos.plan.sizing import BlockLeaf, block_leaves, ports_of
from lindos.plan.train import three_phase_w

if TYPE_CHECKING:
    from lindos.plan.facts import Facts, PoolFacts
    from lindos.spec.model import Hall, Spec


@dataclass(frozen=True, slots=True)
class ServerRack:
    """A rack of storage servers. `first_slot` is that of its lowest server, `capacity` what it can hold.

    It keeps room for `leaves`, each `leaf_u` high, and takes `oob_shares` shares of out-of-band access switches.
    """

    number: int
    pool: PoolFacts
    servers: int
    capacity: int
    first_slot: int
    hall: int
    leaves: int
    leaf_u: int
    oob_index: int
    oob_shares: int

    @property
    def name(self) -> str:
        return f"st-r{self.number + 1:03}"


@dataclass(frozen=True, slots=True)
class Servers:
    """The racks of storage servers and the leaves that they hang on; `kept_racks` by hall, `kept_leaves` and
    `kept_shares` are what room is kept for.
    """

    racks: tuple[ServerRack, ...]
    leaves: tuple[BlockLeaf, ...]
    kept_racks: dict[int, int]
    kept_leaves: int
    kept_shares: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a rack of a pool comes to."""

    capacity: int
    leaves: int
    shares: int


def main_hall(spec: Spec) -> int:
    """The hall of what all share: the one with the main distribution area, else the first of the first fleet's
    building.
    """
    mine = [i for i, h in enumerate(spec.halls) if h.building == spec.compute.fleets[0].building]
    return next((i for i in mine if spec.halls[i].mda), mine[0] if mine else 0)


def _limits(spec: Spec, facts: Facts, pool: PoolFacts, hall: Hall, down: int, servers: int) -> tuple[_Shape, list[str]]:
    """A rack of so many servers -> its shape, and what does not hold it, in words."""
    switch = facts.north_south[-1].switch.device
    per_switch = max(1, (facts.oob.rj45 or facts.oob.radix) // spec.fabrics.oob.racks_per_switch)
    leaves = pool.nics.count * ceil(servers / down)
    shares = ceil((servers * (1 + pool.bmc_ports) + leaves) / per_switch)
    units = servers * pool.device.u_height + leaves * switch.u_height + shares * facts.oob.device.u_height
    boxes = ((servers, pool.device), (leaves, switch), (shares, facts.oob.device))
    watts = sum(n * device.nameplate_w for n, device in boxes)
    pdu, most = spec.power.chain.rack_pdu, max(device.nameplate_w for n, device in boxes if n)
    each = three_phase_w(pdu.volts, pdu.amps)
    # Each feed has to carry the rack alone; its PDUs share devices, not watts, so one may have a device more.
    carried = each * pdu.per_feed - (most * pdu.per_feed if pdu.per_feed > 1 else 0)
    says = []
    if units > hall.rack_height_u:
        says.append(f"they take {units} of {hall.rack_height_u} rack units")
    if watts > carried:
        says.append(f"they draw {watts / 1000:.1f} kW, the rack PDUs of a feed carry {max(0, carried) / 1000:.1f} kW")
    if hall.rack_kw is not None and watts > hall.rack_kw * 1000:
        says.append(f"they draw {watts / 1000:.1f} kW, a position is built for {hall.rack_kw:g} kW")
    return _Shape(servers, leaves, shares), says


def _shape(spec: Spec, facts: Facts, pool: PoolFacts, hall: Hall, down: int) -> _Shape:
    """A pool -> the rack that holds most of its servers, or as many as asked for. InfeasibleError names the limit."""
    most = pool.per_rack or max(1, hall.rack_height_u // pool.device.u_height)
    says: list[str] = []
    for servers in range(most, 0, -1):
        shape, wrong = _limits(spec, facts, pool, hall, down, servers)
        if not wrong:
            if pool.per_rack in (None, servers):
                return shape
            hint = f"per_rack: {servers}, or leave it out"
            raise InfeasibleError(
                Problem(f"pool '{pool.name}': {most} servers do not fit into a rack: {'; '.join(says)}", hint=hint)
            )
        says = says or wrong
        last = wrong
    raise InfeasibleError(
        Problem(
            f"pool '{pool.name}': not one {pool.device.product} with its leaves fits into a rack: {'; '.join(last)}",
            hint="a higher rack (halls: rack_height_u), more rack_kw, or larger rack PDUs (power: chain: rack_pdu)",
        )
    )


def _new_cage(slot: int, down: int, groups: int) -> int:
    """The next slot that is the first of a cage of its leaf: no cage serves two racks, which may need two media."""
    block, port = divmod(slot, down)
    return block * down + min(ceil(port / groups) * groups, down)


def servers_of(spec: Spec, facts: Facts) -> Servers:
    """Spec and facts -> racks of storage servers and their leaves. InfeasibleError where a server fits no rack."""
    down, said = ports_of(facts.north_south[-1]).down, spec.compute.storage
    halls = {h.name: i for i, h in enumerate(spec.halls)}
    racks: list[ServerRack] = []
    kept: dict[int, int] = {}
    slot = share = ports = 0
    switch = facts.north_south[-1].switch
    leaf_u, groups = switch.device.u_height, switch.groups
    for pool in facts.pools:
        hall = halls[pool.hall] if pool.hall else main_hall(spec)
        shape = _shape(spec, facts, pool, spec.halls[hall], down)
        if pool.nics.count != ports:
            slot, ports = ceil(slot / down) * down, pool.nics.count  # a leaf serves servers of one number of ports
        for start in range(0, pool.count, shape.capacity):
            held = min(shape.capacity, pool.count - start)
            slot = _new_cage(slot, down, groups)
            racks.append(
                ServerRack(
                    len(racks), pool, held, shape.capacity, slot, hall, shape.leaves, leaf_u, share, shape.shares
                )
            )
            kept[hall] = kept.get(hall, 0) + 1
            slot, share = slot + shape.capacity, share + shape.shares
    leaves = block_leaves(((r.pool.nics.count, r.first_slot, r.capacity) for r in racks), down)
    kept_leaves, kept_shares = len(leaves), share
    if racks and said and said.grows_to:
        first, stand = racks[0], facts.pools[0].count
        # What comes after the first pool begins a rack of its own.
        room = ceil(stand / first.capacity) + ceil(max(0, said.grows_to - stand) / first.capacity)
        kept[first.hall] = max(kept[first.hall], room - len(racks) + kept[first.hall])
        slots = room * (first.capacity + groups - 1)
        kept_leaves = max(kept_leaves, first.pool.nics.count * ceil(slots / down))
        kept_shares = max(kept_shares, room * first.oob_shares)
    return Servers(tuple(racks), tuple(leaves), kept, kept_leaves, kept_shares)
