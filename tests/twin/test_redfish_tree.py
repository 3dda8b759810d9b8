"""What a BMC shows, in each vendor's dialect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lindos.twin.hall import Device
from lindos.twin.hardware import hardware
from lindos.twin.power import Supply
from lindos.twin.redfish_settings import clear_path
from lindos.twin.redfish_tree import DIALECTS, ROOT, Dialect, View, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

UPDATE = "UpdateService/Actions/UpdateService.SimpleUpdate"
PRODUCTS = {
    "dell": ("dell_xe9680", "PowerEdge XE9680"),
    "supermicro": ("smc_sys_421ge_tnhr2_lcc", "SYS-421GE-TNHR2-LCC"),
}


def view_of(vendor: str) -> View:
    device = Device("s-n01", "node", "gpu", vendor, PRODUCTS[vendor][0], "", "r", 1, 3, 2800, ("h100_sxm",) * 8)
    return View(
        power_state="Off",
        hardware=hardware(device, ("mgmt0", "bmc", "rail0", "rail1")),
        supply=Supply((1, 2, 3, 4, 5, 6), frozenset({1, 2, 3, 4, 5, 6}), 3),
        psu_rating_w=2800,
        bmc_address="10.192.0.6",
        bmc_mac="02:00:00:00:00:01",
        last_reset="",
    )


@pytest.fixture(params=sorted(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture
def view(request: pytest.FixtureRequest, dialect: Dialect) -> View:
    return view_of(next(name for name, found in DIALECTS.items() if found is dialect))


def links(body: Any) -> Iterator[str]:
    """Every reference in a resource, at any depth."""
    if isinstance(body, dict):
        for key, value in body.items():
            if key == "@odata.id" or key == "target":
                yield value
            else:
                yield from links(value)
    elif isinstance(body, list):
        for value in body:
            yield from links(value)


def test_every_link_leads_somewhere(dialect: Dialect, view: View) -> None:
    tree = resources(dialect, view)
    actions = {clear_path(dialect.log_owner, dialect.out_of_the_box()), f"{ROOT}/{UPDATE}"}
    known = {*tree, f"{ROOT}/SessionService/Sessions", dialect.reset_path, *actions}

    broken = {link for body in tree.values() for link in links(body) if link.partition("#")[0] not in known}

    assert not broken


def test_everything_can_be_found_from_the_root(dialect: Dialect, view: View) -> None:
    tree, seen, ahead = resources(dialect, view), set[str](), [ROOT]
    while ahead:
        path = ahead.pop()
        if path in tree and path not in seen:
            seen.add(path)
            ahead += list(links(tree[path]))

    assert seen == tree.keys() - {"/redfish"}


def test_resources_have_what_the_specification_demands(dialect: Dialect, view: View) -> None:
    for path, body in resources(dialect, view).items():
        if path == "/redfish":
            assert body == {"v1": "/redfish/v1/"}
            continue
        assert body["@odata.id"] == path
        assert body["@odata.type"].startswith("#")
        assert body["Name"]
        if "Members" in body:
            assert body["Members@odata.count"] == len(body["Members"])
        else:
            assert body["Id"]


def test_a_bmc_says_that_it_is_a_double(dialect: Dialect, view: View) -> None:
    assert resources(dialect, view)[ROOT]["Oem"]["Lindos"]["Doubled"] is True


@pytest.mark.parametrize(
    ("vendor", "paths"),
    [
        (
            "dell",
            (
                f"{ROOT}/Systems/System.Embedded.1",
                f"{ROOT}/Managers/iDRAC.Embedded.1",
                f"{ROOT}/Chassis/System.Embedded.1",
            ),
        ),
        ("supermicro", (f"{ROOT}/Systems/1", f"{ROOT}/Managers/1", f"{ROOT}/Chassis/1")),
    ],
)
def test_paths_are_those_of_the_vendor(vendor: str, paths: tuple[str, ...]) -> None:
    tree = resources(DIALECTS[vendor], view_of(vendor))

    assert set(paths) <= tree.keys()
    system = tree[paths[0]]
    assert system["Model"] == PRODUCTS[vendor][1]
    assert {"dell": "Dell", "supermicro": "Supermicro"}[vendor] in system["Oem"]


def test_a_dell_shows_its_service_tag_as_sku_only() -> None:
    view = view_of("dell")

    system = resources(DIALECTS["dell"], view)[f"{ROOT}/Systems/System.Embedded.1"]

    assert system["SKU"] == view.hardware.serial != system["SerialNumber"]


def test_reset_types_are_those_of_the_vendor() -> None:
    assert "PushPowerButton" in DIALECTS["dell"].reset_types
    assert "ForceOn" in DIALECTS["supermicro"].reset_types
    assert "ForceOn" not in DIALECTS["dell"].reset_types


def test_dead_psus_have_no_input_and_redundancy_tells(dialect: Dialect, view: View) -> None:
    half = replace(view, supply=Supply(view.supply.psus, frozenset({1, 3, 5}), 3))

    power = resources(dialect, half)[f"{dialect.chassis_path}/Power"]

    assert [bool(s["LineInputVoltage"]) for s in power["PowerSupplies"]] == [True, False] * 3
    assert [s["Status"]["Health"] for s in power["PowerSupplies"]] == ["OK", "Critical"] * 3
    assert power["Redundancy"][0]["Status"]["Health"] == "Warning"
    assert power["Redundancy"][0]["MinNumNeeded"] == 3


def test_too_few_psus_are_critical(dialect: Dialect, view: View) -> None:
    few = replace(view, supply=Supply(view.supply.psus, frozenset({1}), 3))

    system = resources(dialect, few)[dialect.system_path]

    assert system["Status"]["HealthRollup"] == "Critical"


def test_gpus_and_nics_are_those_of_the_machine(dialect: Dialect, view: View) -> None:
    tree = resources(dialect, view)

    macs = {b["MACAddress"] for p, b in tree.items() if p.startswith(f"{dialect.system_path}/EthernetInterfaces/")}
    gpus = [b for p, b in tree.items() if p.startswith(f"{dialect.system_path}/Processors/")]

    assert macs == {nic.mac for nic in view.hardware.nics}
    assert {b["ProcessorType"] for b in gpus} == {"GPU"}
    assert len(gpus) == 8
