"""The Redfish driver against BMCs of two dialects, over real HTTP on loopback."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lindos.drivers import redfish
from lindos.drivers.redfish import Bmc, Power
from lindos.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redfish_double import FakeBmc

    StartBmc = Callable[..., FakeBmc]

QUICK = {"timeout_s": 5.0, "poll_s": 0.01}


def to(fake: FakeBmc, **settings: object) -> Bmc:
    return Bmc("lab-a0001-r01-n01", fake.url, fake.user, fake.password, **settings)  # type: ignore[arg-type]


def test_a_dell_is_read_by_following_its_own_links(bmc: StartBmc) -> None:
    state = redfish.read_state(to(bmc("dell", power="On")))
    assert state.power is Power.ON
    assert (state.manufacturer, state.model, state.serial) == ("Dell Inc.", "PowerEdge XE9680", "CNIVC0042")
    assert state.bmc_firmware == "7.10.30.00"
    assert state.path == "/redfish/v1/Systems/System.Embedded.1"
    assert "PushPowerButton" in state.reset_types
    assert state.doubled is False


def test_of_a_supermicro_with_a_gpu_baseboard_the_machine_that_boots_is_read(bmc: StartBmc) -> None:
    state = redfish.read_state(to(bmc("supermicro", doubled=True)))
    assert state.path == "/redfish/v1/Systems/1"
    assert (state.manufacturer, state.model) == ("Supermicro", "SYS-421GE-TNHR2-LCC")
    assert state.reset_types == ("On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart")
    assert state.doubled is True


def test_power_supplies_are_read_from_the_new_schema_over_several_pages(bmc: StartBmc) -> None:
    psus = redfish.read_psus(to(bmc("dell")))
    assert [p.number for p in psus] == [1, 2, 3, 4, 5, 6]
    assert {p.capacity_w for p in psus} == {2800}
    assert [p.input_ok for p in psus] == [True] * 5 + [False]
    assert psus[5].health == "Critical"


def test_power_supplies_are_read_from_the_old_schema_with_its_gaps(bmc: StartBmc) -> None:
    psus = redfish.read_psus(to(bmc("supermicro")))
    assert [p.present for p in psus] == [True, True, True, False]
    assert [p.capacity_w for p in psus] == [5250, 5250, 5250, None]
    assert [p.input_ok for p in psus] == [True, True, True, False]


@pytest.mark.parametrize("vendor", ["dell", "supermicro"])
def test_power_on_waits_until_the_machine_is_on(bmc: StartBmc, vendor: str) -> None:
    fake = bmc(vendor, lag=3)
    state = redfish.set_power(to(fake), Power.ON, **QUICK)
    assert state.power is Power.ON
    assert fake.resets == ["On"]


def test_a_machine_that_is_on_already_is_sent_nothing(bmc: StartBmc) -> None:
    fake = bmc("dell", power="On")
    redfish.set_power(to(fake), Power.ON, **QUICK)
    assert {method for method, _ in fake.requests} == {"GET"}


def test_a_machine_that_is_just_powering_on_is_waited_for_and_sent_nothing(bmc: StartBmc) -> None:
    fake = bmc("dell", power="PoweringOn")
    fake._next = "On"
    fake._left = 3
    assert redfish.set_power(to(fake), Power.ON, **QUICK).power is Power.ON
    assert fake.resets == []


def test_a_refusal_because_it_is_on_meanwhile_is_a_success(bmc: StartBmc) -> None:
    fake = bmc("dell")
    look = fake._step

    def somebody_pushes_the_button(kind: str) -> tuple[int, dict[str, str], dict[str, object]]:
        fake.resets.append(kind)
        fake.set_power("On")
        return 409, {}, {"error": {"message": "already on"}}

    fake._reset = somebody_pushes_the_button  # type: ignore[assignment,method-assign]
    fake._step = look  # type: ignore[method-assign]
    assert redfish.set_power(to(fake), Power.ON, **QUICK).power is Power.ON


def test_power_off_shuts_down_gently_where_that_works(bmc: StartBmc) -> None:
    fake = bmc("supermicro", power="On", lag=2)
    assert redfish.set_power(to(fake), Power.OFF, **QUICK).power is Power.OFF
    assert fake.resets == ["GracefulShutdown"]


def test_a_shutdown_that_nobody_hears_is_forced(bmc: StartBmc) -> None:
    fake = bmc("dell", power="On", deaf=True)
    state = redfish.set_power(to(fake), Power.OFF, timeout_s=0.6, poll_s=0.02)
    assert state.power is Power.OFF
    assert fake.resets == ["GracefulShutdown", "ForceOff"]


def test_a_shutdown_that_is_refused_is_forced(bmc: StartBmc) -> None:
    fake = bmc("dell", power="On", refuses={"GracefulShutdown"})
    assert redfish.set_power(to(fake), Power.OFF, **QUICK).power is Power.OFF
    assert fake.resets == ["GracefulShutdown", "ForceOff"]


def test_a_machine_that_never_gets_there_is_a_retryable_failure_with_what_it_says(bmc: StartBmc) -> None:
    fake = bmc("supermicro", lag=10_000)
    with pytest.raises(DriverError, match=r"wait for power On: still PoweringOn") as caught:
        redfish.set_power(to(fake), Power.ON, timeout_s=0.2, poll_s=0.02)
    assert caught.value.retryable


def test_a_wait_ends_when_it_is_told_to_stop(bmc: StartBmc) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(DriverError, match="cancelled") as caught:
        redfish.set_power(to(bmc("dell", lag=10_000)), Power.ON, timeout_s=60, stop=stop)
    assert not caught.value.retryable


def test_a_bmc_that_is_busy_for_a_moment_does_not_end_a_wait(bmc: StartBmc) -> None:
    fake = bmc("dell", lag=5)
    reset = fake._reset

    def busy_after(kind: str) -> object:
        fake.failing = [503, 503]
        return reset(kind)

    fake._reset = busy_after  # type: ignore[assignment,method-assign]
    assert redfish.set_power(to(fake), Power.ON, **QUICK).power is Power.ON


def test_a_wrong_password_says_so_and_is_not_retried(bmc: StartBmc) -> None:
    fake = bmc("dell")
    with pytest.raises(DriverError, match=r"HTTP 401: wrong user name or password") as caught:
        redfish.read_state(Bmc("n01", fake.url, "lindos", "guess"))
    assert not caught.value.retryable
    assert "'lindos'" in caught.value.render()
    assert "guess" not in caught.value.render()
    assert "guess" not in repr(Bmc("n01", fake.url, "lindos", "guess"))


def test_a_reset_that_is_refused_gives_the_bmcs_own_reason(bmc: StartBmc) -> None:
    fake = bmc("dell", refuses={"On"})
    with pytest.raises(DriverError, match=r"reset \(On\): HTTP 400: On is not possible now"):
        redfish.set_power(to(fake), Power.ON, **QUICK)


def test_extended_information_is_preferred_to_the_general_message(bmc: StartBmc) -> None:
    fake = bmc("dell", power="On")
    with redfish.connect(to(fake)) as machine, pytest.raises(DriverError, match=r"already powered ON") as caught:
        machine.reset("On")
    assert not caught.value.retryable


def test_a_bmc_that_offers_no_way_is_told_apart(bmc: StartBmc) -> None:
    fake = bmc("supermicro")
    fake.tree[f"{fake.system}/ResetActionInfo"]["Parameters"][0]["AllowableValues"] = ["Nmi"]
    with pytest.raises(DriverError, match=r"offers only Nmi"):
        redfish.set_power(to(fake), Power.ON, **QUICK)


def test_nobody_at_the_address_is_retryable() -> None:
    with pytest.raises(DriverError) as caught:
        redfish.read_state(Bmc("n01", "http://127.0.0.1:9", "u", "p", timeout_s=1))
    assert caught.value.retryable


@pytest.mark.parametrize(("status", "again"), [(500, True), (503, True), (429, True), (404, False), (400, False)])
def test_only_trouble_that_may_pass_is_retryable(bmc: StartBmc, status: int, *, again: bool) -> None:
    with pytest.raises(DriverError, match=f"HTTP {status}") as caught:
        redfish.read_state(to(bmc("dell", failing=[status])))
    assert caught.value.retryable is again


def test_something_that_is_no_bmc_is_told_apart(bmc: StartBmc) -> None:
    fake = bmc("dell")
    fake._root = lambda: {"hello": "world"}  # type: ignore[method-assign]
    with pytest.raises(DriverError, match="not a Redfish service"):
        redfish.read_state(to(fake))


def test_a_session_is_closed_again_also_after_a_failure(bmc: StartBmc) -> None:
    fake = bmc("dell", power="On")
    with redfish.connect(to(fake, session=True)) as machine:
        assert len(fake.sessions) == 1
        assert machine.state().power is Power.ON
        with pytest.raises(DriverError):
            machine.reset("Nonsense")
    assert fake.sessions == {}


def test_a_certificate_is_checked_where_a_ca_is_given_and_only_there(
    bmc: StartBmc, certificate: Path, tmp_path: Path
) -> None:
    fake = bmc("dell", certificate=certificate, power="On")
    assert fake.url.startswith("https://")
    assert redfish.read_state(to(fake)).power is Power.ON
    assert redfish.read_state(to(fake, verify=certificate)).power is Power.ON
    with pytest.raises(DriverError) as caught:
        redfish.read_state(to(fake, verify=True))
    assert not caught.value.retryable
    assert "CA" in caught.value.render()


def test_an_address_alone_means_https() -> None:
    assert Bmc("n01", "192.0.2.1", "u", "p").url == "https://192.0.2.1"
    assert Bmc("n01", "192.0.2.1:8443", "u", "p").url == "https://192.0.2.1:8443"
