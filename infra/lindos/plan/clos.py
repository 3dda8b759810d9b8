"""Sizes of folded Clos fabrics: how many leaves, spines and cores, and how links stripe over them.

Spines must divide the uplinks of a leaf, and cores of a plane the uplinks of a spine: only then does every pair
carry the same number of links. Sizes are for the declared growth, so that growth moves no cable.
"""

from __future__ import annotations

from dataclasses import dataclass

from lindos.errors import InfeasibleError, Problem

TWO_TIERS, THREE_TIERS = 2, 3


@dataclass(frozen=True, slots=True)
class LeafPorts:
    """How the ports of a leaf are shared out: `down` to endpoints, `up` to spines; or those of a spine likewise."""

    down: int
    up: int


@dataclass(frozen=True, slots=True)
class Clos:
    """A folded Clos of `tiers` tiers. Counts are of the full size; `pods` is how many of them the cores can join.

    `leaf_spine` links join each leaf to each spine of its pod, `spine_core` links each spine to each core of its
    group. A group is the set of cores that joins the spines of one number in every pod.
    """

    tiers: int
    leaf: LeafPorts
    leaves_per_pod: int
    spines_per_pod: int
    leaf_spine: int
    spine_down: int
    spine_up: int
    pods: int
    groups: int
    cores_per_group: int
    spine_core: int

    @property
    def places(self) -> int:
        """Leaves that spines have ports for."""
        if self.tiers == TWO_TIERS:
            return self.spine_down // self.leaf_spine
        return self.leaves_per_pod * self.pods

    def spot(self, place: int) -> tuple[int, int]:
        """The place of a leaf, from 0 -> its pod and the place in it. Those below 0 count from the end."""
        at = place % self.places
        return divmod(at, self.leaves_per_pod) if self.tiers == THREE_TIERS else (0, at)


def leaf_ports(radix: int, oversubscription: float) -> LeafPorts:
    """Radix and down:up ratio -> ports down and up; 128 at 1 -> 64/64, 128 at 4 -> 100/25."""
    up = max(1, int(radix / (1 + oversubscription)))
    return LeafPorts(down=min(radix - up, int(up * oversubscription)), up=up)


def divisors(n: int) -> list[int]:
    """All divisors of n, rising."""
    return [d for d in range(1, n + 1) if n % d == 0]


def one_tier(radix: int, leaves: int = 1) -> Clos:
    """A single switch, or one a rail that nothing joins: every port goes down."""
    return Clos(1, LeafPorts(radix, 0), leaves, 0, 0, 0, 0, 1, 0, 0, 0)


def two_tier(leaf: LeafPorts, leaves: int, spine_radix: int, least_spines: int = 1) -> Clos | None:
    """Leaves under one set of spines, or None where no number of spines stripes and fits.

    The smallest divisor s of the uplinks with leaves * up / s <= radix of a spine (domain: R^2/2 endpoints).
    """
    for spines in divisors(leaf.up):
        if spines >= least_spines and leaves * (leaf.up // spines) <= spine_radix:
            return Clos(2, leaf, leaves, spines, leaf.up // spines, spine_radix, 0, 1, 0, 0, 0)
    return None


def three_tier(leaf: LeafPorts, pods: int, spine: LeafPorts, core_radix: int) -> Clos | None:
    """Pods of leaves and spines joined by groups of cores, or None where the cores cannot join so many pods.

    One link joins each leaf with each spine of its pod: as many spines as a leaf has uplinks, as many leaves as a
    spine has ports down.
    """
    for cores in divisors(spine.up):
        each = spine.up // cores
        if pods * each <= core_radix:
            return Clos(3, leaf, spine.down, leaf.up, 1, spine.down, spine.up, pods, leaf.up, cores, each)
    return None


def fill_pods(leaves: list[int], most: int) -> list[int]:
    """Leaves of each unit, in order -> the pod of each unit (from 0); a unit never straddles two pods.

    Greedy in order of arrival, so that units appended later move none of those before.
    """
    pod, used, out = 0, 0, []
    for n in leaves:
        if used + n > most and used:
            pod, used = pod + 1, 0
        out.append(pod)
        used += n
    return out


def fits(leaves: list[int], clos: Clos) -> bool:
    """Leaves of each unit, in order, and a fabric -> whether it joins them without more pods, spines or cores."""
    return max(leaves) <= clos.leaves_per_pod and fill_pods(leaves, clos.leaves_per_pod)[-1] < clos.pods


def size_clos(
    name: str,
    leaf: LeafPorts,
    leaves: list[int],
    *,
    radix: int,
    spine: LeafPorts,
    tiers: int | None = None,
    core: int | None = None,
) -> Clos:
    """Leaves of each unit at full size -> the smallest fabric that joins them; InfeasibleError says what it lacks.

    `radix`: ports of spines, and of cores unless `core` says theirs; `spine`: how spines share them out where there
    are cores.
    Two tiers where they reach, else three, unless `tiers` says which. A fabric of several leaves gets at least two
    spines where its leaves have two uplinks, so that one spine may fail.
    """
    total = sum(leaves)
    if tiers != THREE_TIERS:
        flat = two_tier(leaf, total, radix, least_spines=min(2, leaf.up))
        if flat is not None:
            return flat
        if tiers is not None:
            raise _too_many(name, f"two tiers of radix {radix} join {radix:,} leaves", leaf, total, radix)
    most = spine.down
    if max(leaves) > most:
        raise InfeasibleError(
            Problem(
                f"fabric {name}: a unit has {max(leaves)} leaves, a pod of radix {radix} holds {most}: "
                f"{max(leaves) - most} too many",
                hint="make the unit smaller, or take a switch with more ports",
            )
        )
    pods = fill_pods(leaves, most)[-1] + 1
    top = core or radix
    tall = three_tier(leaf, pods, spine, top)
    if tall is None:
        raise InfeasibleError(
            Problem(
                f"fabric {name}: {total:,} leaves make {pods:,} pods, and cores of radix {top} join {top}: "
                f"{pods - top:,} pods too many",
                hint=f"three tiers of radix {radix} end at {top * most:,} leaves ({top * most * leaf.down:,} ports); "
                "take a switch with more ports, or a higher oversubscription",
            )
        )
    return tall


def _too_many(name: str, limit: str, leaf: LeafPorts, total: int, most: int) -> InfeasibleError:
    return InfeasibleError(
        Problem(
            f"fabric {name}: {limit}, {total:,} are asked for: {total - most:,} too many",
            hint=f"they end at {most:,} leaves ({most * leaf.down:,} ports)",
        )
    )
