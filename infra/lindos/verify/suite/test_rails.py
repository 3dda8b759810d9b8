"""What makes each rail a network of its own: its rule, its table, and a leaf that answers."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from .outcome import Broken, Unmeasured, Waits
from .record import check

if TYPE_CHECKING:
    from .facts import Facts

Rail = dict[str, Any]

CONVERGE = "converge role rdma_nic"
STRICT = 1


@check("HOST-020")
def test_the_rails_address_looks_up_its_table(rail: Rail, facts: Facts) -> None:
    tables = [
        str(rule.get("table"))
        for rule in facts.rules()
        if rule.get("src") == rail["address"] and rule.get("srclen", 32) == 32
    ]
    if str(rail["table"]) not in tables:
        seen = f"lookup {', '.join(tables)}" if tables else "no rule"
        raise Broken(f"expected `from {rail['address']} lookup {rail['table']}`, seen {seen}", hint=CONVERGE)


@check("HOST-021")
def test_the_table_leads_to_the_rail(rail: Rail, facts: Facts) -> None:
    wanted = IPv4Network(rail["rail_prefix"])
    table = [r for r in facts.routes() if str(r.get("table", "main")) == str(rail["table"])]
    ways = {(r.get("gateway"), r.get("dev")) for r in table if _covers(r, wanted)}
    if (rail["gateway"], rail["name"]) not in ways:
        seen = ", ".join(sorted(f"via {g} dev {d}" for g, d in ways)) or "no route to it"
        raise Broken(
            f"table {rail['table']}: expected {wanted} via {rail['gateway']} dev {rail['name']}, seen {seen}",
            hint=CONVERGE,
        )


@check("HOST-022")
def test_the_leaf_answers(rail: Rail, expected: dict[str, Any], facts: Facts) -> None:
    interface = facts.interfaces().get(rail["name"])
    if interface is None:
        raise Waits("HOST-010")
    if rail["address"] not in [a.get("local") for a in interface["addr_info"]]:
        raise Waits("HOST-011")
    if "LOWER_UP" not in interface["flags"]:
        raise Waits("HOST-013")
    rails = [n for n in expected["nics"] if n["purpose"] == "rail"]
    if (rail["address"], rail["gateway"]) not in facts.answering([(n["address"], n["gateway"]) for n in rails]):
        raise Broken(
            "its leaf does not answer",
            hint=f"`ping -I {rail['address']} {rail['gateway']}`; is {rail.get('peer_device')} {rail.get('peer_port')} "
            "set up and up, and is the cable in it?",
        )


@check("HOST-023")
def test_reverse_path_filtering_is_not_strict(rail: Rail, facts: Facts) -> None:
    seen = facts.path_filters()
    if "all" not in seen:
        raise Unmeasured("/proc/sys/net/ipv4 cannot be read")
    if rail["name"] not in seen:
        raise Waits("HOST-010")
    # The kernel takes the larger of the two.
    if max(seen["all"], seen[rail["name"]]) == STRICT:
        raise Broken(
            f"expected rp_filter 0 or 2, seen {seen[rail['name']]} here and {seen['all']} for all", hint=CONVERGE
        )


def _covers(route: dict[str, Any], wanted: IPv4Network) -> bool:
    destination = route.get("dst", "")
    try:
        network = IPv4Network("0.0.0.0/0" if destination == "default" else destination)
    except ValueError:
        return False
    return wanted.subnet_of(network)
