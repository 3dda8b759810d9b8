"""The FRR driver: its script runs for real, on a host whose daemons are stand-ins."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
from frr_double import BGP, install, log

from lindos.drivers import ssh
from lindos.drivers.nos import NOSES
from lindos.drivers.nos.frr import MARK, parse_facts, parse_peers, sha256_of
from lindos.drivers.nos.verbs import Config
from lindos.drivers.ssh import Host
from lindos.errors import DriverError

if TYPE_CHECKING:
    from ssh_double import Box

    from lindos.drivers.nos.frr import Frr


def config(digest: str = "d1", **files: str) -> Config:
    texts = {
        "frr.conf": "hostname lab-p001-spine01\nrouter bgp 1\n",
        "interfaces": "auto etp1\niface etp1\n",
        "lldpd.conf": "configure lldp portidsubtype ifname\n",
        "daemons": "bgpd=yes\n",
    }
    return Config("lab-p001-spine01", digest, texts | {k.replace("_", "."): v for k, v in files.items()})


@pytest.fixture
def frr(box: Box) -> Frr:
    return install(box)


@pytest.fixture
def host(box: Box) -> Host:
    return Host("lab-p001-spine01", box.address, key=box.key)


def bring(frr: Frr, host: Host, want: Config) -> None:
    frr.load(host, want)
    frr.confirm(host, want)


def places(box: Box) -> dict[str, str]:
    paths = ("frr/frr.conf", "frr/daemons", "network/interfaces.d/lindos", "lldpd.d/lindos.conf")
    return {p: (box.etc / p).read_text() for p in paths if (box.etc / p).exists()}


def test_facts_change_nothing_and_cost_one_command(frr: Frr, host: Host, box: Box) -> None:
    before = places(box)
    facts = frr.facts(host)
    assert facts.hostname == "lab-p001-spine01"
    assert facts.services == {"frr": "inactive", "lldpd": "inactive"}
    assert (facts.digest, facts.version, facts.peers) == ("", "", ())
    assert set(facts.files) == {"frr.conf", "daemons"}
    assert places(box) == before
    assert len(box.commands) == 1


def test_a_new_switch_differs_in_all_it_needs(frr: Frr, host: Host) -> None:
    assert frr.diff(frr.facts(host), config()) == (
        "daemons", "frr.conf", "interfaces", "lldpd.conf", "frr", "lldpd", "digest",
    )  # fmt: skip


def test_load_and_confirm_make_it_run_what_is_wanted(frr: Frr, host: Host, box: Box) -> None:
    loaded = frr.load(host, config())
    assert set(loaded.changed) == {"daemons", "frr.conf", "interfaces", "lldpd.conf"}
    assert "armed 300" in log(box)
    facts = frr.confirm(host, config())
    assert frr.diff(facts, config()) == ()
    assert facts.version == "FRRouting 8.4.4 (box) on Linux(6.1)."
    assert facts.established == 1
    assert places(box)["network/interfaces.d/lindos"] == config().files["interfaces"]
    assert (box.etc / "network/interfaces").read_text().endswith(f"source {box.etc}/network/interfaces.d/*\n")
    proof = json.loads((box.etc / "lindos/digest.json").read_text())
    assert proof == {"device": "lab-p001-spine01", "digest": "d1", "files": sha256_of(config())}
    assert not (box.root / "active/lindos-rollback.timer").exists()


def test_loading_the_same_again_restarts_nothing(frr: Frr, host: Host, box: Box) -> None:
    bring(frr, host, config())
    log(box)
    assert frr.load(host, config()).changed == ()
    assert log(box) == ["armed 300", "ifreload"]
    assert (box.etc / "network/interfaces").read_text().count("source") == 1


def test_a_new_routing_configuration_is_reloaded_and_keeps_its_sessions(frr: Frr, host: Host, box: Box) -> None:
    bring(frr, host, config())
    log(box)
    assert frr.load(host, config("d2", frr_conf="router bgp 9\n")).changed == ("frr.conf",)
    assert log(box) == ["armed 300", "ifreload", f"reload {box.etc}/frr/frr.conf"]


def test_a_new_stamp_alone_interrupts_nothing(frr: Frr, host: Host, box: Box) -> None:
    """Every file carries the digest of its slice; that a far rack has moved must not cost a session."""
    stamps = {"frr_conf": "! {}\nrouter bgp 5\n", "daemons": "# {}\nbgpd=yes\n", "lldpd_conf": "# {}\n"}
    bring(frr, host, config("d1", **{name: text.format("d1") for name, text in stamps.items()}))
    log(box)
    later = config("d2", **{name: text.format("d2") for name, text in stamps.items()})
    bring(frr, host, later)
    assert log(box) == ["armed 300", "ifreload"]
    assert frr.diff(frr.facts(host), later) == ()


def test_new_daemons_need_a_restart(frr: Frr, host: Host, box: Box) -> None:
    bring(frr, host, config())
    log(box)
    frr.load(host, config("d2", daemons="bgpd=yes\nbfdd=yes\n"))
    assert log(box) == ["armed 300", "ifreload", "restart frr"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"frr_conf": "a\nbogus\n"}, "refused: frr.conf is wrong; nothing was changed; line 2: % Unknown command"),
        ({"interfaces": "mtu abc\n"}, "refused: interfaces is wrong; nothing was changed; warning: etp1: invalid"),
    ],
)
def test_what_does_not_parse_is_refused_untouched(
    frr: Frr, host: Host, box: Box, broken: dict[str, str], said: str
) -> None:
    bring(frr, host, config())
    before = places(box)
    log(box)
    with pytest.raises(DriverError, match=said) as caught:
        frr.load(host, config("d2", **broken))
    assert not caught.value.retryable
    assert places(box) == before
    assert log(box) == []


def test_what_went_wrong_is_said_before_what_was_only_grumbled_about(frr: Frr, host: Host, box: Box) -> None:
    box.tool("ifreload", "for n in $(seq 50); do echo warning: etp$n; done; echo error: no port etp9; exit 1\n")
    with pytest.raises(DriverError, match=r"failed: taken back; error: no port etp9; warning: etp41;.* etp50$"):
        frr.load(host, config())


@pytest.mark.parametrize("broken", [{"interfaces": "unhappy\n"}, {"frr_conf": "indigestible\n"}])
def test_what_cannot_be_applied_is_taken_back(frr: Frr, host: Host, box: Box, broken: dict[str, str]) -> None:
    bring(frr, host, config())
    before = places(box)
    with pytest.raises(DriverError, match="failed: taken back"):
        frr.load(host, config("d2", **broken))
    assert places(box) == before
    assert frr.diff(frr.facts(host), config()) == ()
    assert not (box.root / "active/lindos-rollback.timer").exists()


def test_a_first_load_that_fails_leaves_the_switch_as_the_installer_did(frr: Frr, host: Host, box: Box) -> None:
    before = places(box)
    (box.root / "broken/frr").touch()
    with pytest.raises(DriverError, match=r"failed: taken back; Job for frr.service failed"):
        frr.load(host, config())
    assert places(box) == before


def test_what_nobody_confirms_goes_back_to_what_was_confirmed_last(frr: Frr, host: Host, box: Box) -> None:
    bring(frr, host, config())
    frr.load(host, config("d2", frr_conf="router bgp 2\n"))
    frr.load(host, config("d3", frr_conf="router bgp 3\n"))
    ssh.run(host, ["/bin/sh", f"{box.etc}/lindos/load.sh", "rollback"])
    assert frr.diff(frr.facts(host), config()) == ()
    with pytest.raises(DriverError, match=r"confirm: not as loaded: frr.conf"):
        frr.confirm(host, config("d3", frr_conf="router bgp 3\n"))
    assert frr.facts(host).digest == "d1"


def test_a_connection_that_breaks_while_loading_is_part_of_it(frr: Frr, host: Host, box: Box) -> None:
    bring(frr, host, config())
    # The reload takes the management port away for a moment: the question after the start is cut off twice.
    box.tool("ifreload", 'echo ifreload >>"$BOX/log"; /bin/sleep 0.3\n')
    box.when_run("load.sh start", lambda: setattr(box, "dropped", 2))
    want = config("d2", daemons="bgpd=yes\nbfdd=yes\n")
    assert frr.load(host, want).changed == ("daemons",)
    assert box.dropped == 0
    assert frr.confirm(host, want).digest == "d2"


def test_grumbling_that_is_no_failure_is_handed_on(frr: Frr, host: Host) -> None:
    assert frr.load(host, config(interfaces="auto etp9\n")).notes == ("warning: etp9: interface not recognized",)


def test_daemons_that_come_up_without_reading_their_file_are_told_what_it_says(frr: Frr, host: Host, box: Box) -> None:
    (box.root / "busy").touch()
    frr.load(host, config())
    assert log(box)[-1] == "restart lldpd"
    assert (box.root / "running").read_text() == config().files["frr.conf"]
    assert frr.confirm(host, config()).pending == ()


def test_a_change_typed_into_the_switch_is_a_difference_and_a_load_takes_it_back(
    frr: Frr, host: Host, box: Box
) -> None:
    bring(frr, host, config())
    (box.root / "running").write_text("router bgp 7\n")
    facts = frr.facts(host)
    assert facts.pending == ("router bgp 1",)
    assert frr.diff(facts, config()) == ("running",)
    with pytest.raises(DriverError, match="confirm: not as loaded: running"):
        frr.confirm(host, config())
    bring(frr, host, config())
    assert frr.diff(frr.facts(host), config()) == ()


def test_a_stopped_daemon_is_a_difference_and_a_load_starts_it(frr: Frr, host: Host, box: Box) -> None:
    bring(frr, host, config())
    (box.root / "active/frr").unlink()
    assert frr.diff(frr.facts(host), config()) == ("frr",)
    bring(frr, host, config())
    assert frr.diff(frr.facts(host), config()) == ()


def test_a_load_ends_when_it_is_told_to_stop_and_takes_itself_back_later(frr: Frr, host: Host, box: Box) -> None:
    armed = box.root / "active/lindos-rollback.timer"
    box.tool("ifreload", "/bin/sleep 5\n")
    stop = threading.Event()
    stop.set()
    with pytest.raises(DriverError, match="cancelled; it takes itself back"):
        frr.load(host, config(), stop=stop)
    deadline = time.monotonic() + 5
    while not armed.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert armed.exists()


def test_a_file_that_has_no_place_is_refused_before_anything_is_sent(frr: Frr, host: Host, box: Box) -> None:
    with pytest.raises(DriverError, match="knows no file startup-config"):
        frr.load(host, Config("s", "d", {"startup-config": ""}))
    assert box.commands == []


def test_facts_are_read_from_a_switch_that_says_next_to_nothing() -> None:
    facts = parse_facts("s", f"{MARK}hostname\n\n{MARK}digest\nnot json\n{MARK}services\n")
    assert (facts.hostname, facts.digest, facts.files, facts.services, facts.peers) == ("", "", {}, {}, ())


def test_routing_that_does_not_answer_is_no_agreement() -> None:
    facts = parse_facts("s", f"{MARK}services\nactive\nactive\n{MARK}pending\n")
    assert facts.pending == ("FRR does not answer",)
    said = "2026-11-22 02:46:43,176  INFO: x\n\nLines To Delete\n=====\nno hostname a\nno router bgp 1\n"
    assert parse_facts("s", f"{MARK}services\nactive\n{MARK}pending\n{said}").pending == ("no router bgp 1",)


def test_sessions_are_sorted_by_address_as_numbers() -> None:
    peers = parse_peers(json.loads(BGP))
    assert [(p.address, p.remote_as, p.state, p.prefixes) for p in peers] == [
        ("100.64.0.3", 4200000102, "Active", 0),
        ("100.64.0.11", 4200000101, "Established", 4),
    ]


def test_every_listed_system_has_the_four_verbs() -> None:
    for name, nos in NOSES.items():
        assert all(callable(getattr(nos, verb)) for verb in ("facts", "diff", "load", "confirm")), name
