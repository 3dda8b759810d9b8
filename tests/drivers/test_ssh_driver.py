"""The SSH driver against a host on loopback that runs commands for real."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import paramiko
import pytest

from lindos.drivers import ssh
from lindos.drivers.ssh import Host, HostKeys
from lindos.errors import DriverError

if TYPE_CHECKING:
    from pathlib import Path

    from ssh_double import Box


def to(box: Box, **settings: object) -> Host:
    return Host("lab-p001-spine01", box.address, key=box.key, **settings)  # type: ignore[arg-type]


def test_exit_status_and_both_outputs_come_back_apart(box: Box) -> None:
    ran = ssh.run(to(box), "echo said; echo warned >&2; exit 3")
    assert (ran.rc, ran.out, ran.err) == (3, "said\n", "warned\n")


def test_words_are_quoted_and_a_string_is_the_shells_to_read(box: Box) -> None:
    assert ssh.run(to(box), ["printf", "%s|", "a b", "$HOME", "'"]).out == "a b|$HOME|'|"
    assert ssh.run(to(box), "echo $((6 * 7))").out == "42\n"


def test_standard_input_and_output_larger_than_any_window_pass_whole(box: Box) -> None:
    much = bytes(range(256)) * 20_000
    with ssh.connect(to(box)) as connection:
        told = connection.check("sha256sum; head -c 5000000 /dev/zero | tr '\\0' x", stdin=much, timeout_s=30)
    digest = subprocess.run(["sha256sum"], input=much, capture_output=True, check=True).stdout.decode()
    assert told.startswith(digest)
    assert told.count("x") == 5_000_000


def test_output_that_comes_after_the_exit_status_is_not_lost(box: Box) -> None:
    box.hasty = 1
    ran = ssh.run(to(box), "seq 100000; echo late >&2; exit 3")
    assert (ran.rc, ran.out.splitlines()[-1], ran.err) == (3, "100000", "late\n")


def test_a_command_that_must_succeed_raises_with_what_it_said(box: Box) -> None:
    with ssh.connect(to(box)) as connection, pytest.raises(DriverError, match=r"exit 7: no such thing") as caught:
        connection.check("echo no such thing >&2; exit 7")
    assert not caught.value.retryable
    assert caught.value.device == "lab-p001-spine01"


def test_a_command_has_a_time_limit(box: Box) -> None:
    with pytest.raises(DriverError, match=r"run `sleep 30`: not done in 2 s") as caught:
        ssh.run(to(box), "sleep 30", timeout_s=2)
    assert caught.value.retryable


def test_a_connection_that_breaks_is_retryable(box: Box) -> None:
    box.dropped = 1
    with pytest.raises(DriverError, match="connection lost") as caught:
        ssh.run(to(box), "true")
    assert caught.value.retryable


def test_a_file_is_put_whole_with_its_mode_and_leaves_nothing_beside_it(box: Box) -> None:
    path = box.etc / "frr.conf"
    path.write_text("old")
    ssh.put(to(box), str(path), b"hostname leaf\n", mode=0o640)
    assert path.read_bytes() == b"hostname leaf\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in box.etc.iterdir()] == ["frr.conf"]


def test_a_file_that_cannot_be_put_leaves_the_old_one(box: Box) -> None:
    path = box.etc / "frr.conf"
    path.write_text("old")
    box.tool("chmod", "exit 1\n")
    with pytest.raises(DriverError):
        ssh.put(to(box), str(path), b"new")
    assert path.read_text() == "old"


def test_a_file_is_read_and_one_that_is_not_there_is_none(box: Box) -> None:
    (box.etc / "digest.json").write_text("{}")
    with ssh.connect(to(box)) as connection:
        assert connection.get(f"{box.etc}/digest.json") == b"{}"
        assert connection.get(f"{box.etc}/nothing") is None


def test_a_known_host_is_let_in_an_unknown_or_another_is_refused(box: Box, tmp_path: Path) -> None:
    known = box.known_hosts(tmp_path / "known_hosts")
    assert ssh.run(to(box, host_keys=HostKeys(known)), "true").rc == 0

    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(DriverError, match="not found in known_hosts") as caught:
        ssh.run(to(box, host_keys=HostKeys(empty)), "true")
    assert not caught.value.retryable

    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "other"))
    changed = box.known_hosts(tmp_path / "changed", other)
    with pytest.raises(DriverError, match="offers another key than the one known") as caught:
        ssh.run(to(box, host_keys=HostKeys(changed, learn=True)), "true")
    assert not caught.value.retryable
    assert "reinstalled" in caught.value.render()


def test_a_first_key_is_learnt_where_that_is_wanted(box: Box, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    ssh.run(to(box, host_keys=HostKeys(known, learn=True)), "true")
    assert box.host_key.get_base64() in known.read_text()
    ssh.run(to(box, host_keys=HostKeys(known)), "true")


def test_another_users_key_is_refused_for_good(box: Box) -> None:
    with pytest.raises(DriverError, match="as nobody") as caught:
        ssh.run(to(box, user="nobody"), "true")
    assert not caught.value.retryable
    assert "authorised keys of nobody" in caught.value.render()


def test_a_connection_that_breaks_during_the_login_is_no_refusal(box: Box) -> None:
    box.shy = 1
    with pytest.raises(DriverError) as caught:
        ssh.run(to(box), "true")
    assert caught.value.retryable
    assert ssh.run(to(box), "true").rc == 0


def test_a_key_file_that_is_not_there_is_named(box: Box, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"no key at .*missing") as caught:
        ssh.run(Host("s", box.address, key=tmp_path / "missing"), "true")
    assert not caught.value.retryable


def test_nobody_at_the_address_is_retryable(box: Box) -> None:
    with pytest.raises(DriverError) as caught:
        ssh.run(Host("s", "127.0.0.1:9", key=box.key, connect_s=1), "true")
    assert caught.value.retryable


def test_addresses_may_carry_a_port() -> None:
    ends = {a: Host("s", a).endpoint for a in ("192.0.2.1", "192.0.2.1:2222", "[2001:db8::1]:2222", "2001:db8::1")}
    assert ends == {
        "192.0.2.1": ("192.0.2.1", 22),
        "192.0.2.1:2222": ("192.0.2.1", 2222),
        "[2001:db8::1]:2222": ("2001:db8::1", 2222),
        "2001:db8::1": ("2001:db8::1", 22),
    }


@pytest.mark.parametrize("hashed", [False, True])
def test_of_a_large_file_of_known_hosts_only_what_is_about_the_host_is_taken(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hashed: bool
) -> None:
    """Paramiko compares each entry that it reads with all before it."""
    known = box.known_hosts(tmp_path / "known_hosts")
    name, rest = known.read_text().split(maxsplit=1)
    if hashed:
        name = paramiko.HostKeys.hash_host(name)
    others = "".join(f"192.0.2.{n},x{n} {rest}" for n in range(200))
    known.write_text(f"# a comment\n\n{others}{name} {rest}@revoked * {rest}")
    read = []
    from_line = paramiko.hostkeys.HostKeyEntry.from_line
    monkeypatch.setattr(
        paramiko.hostkeys.HostKeyEntry, "from_line", lambda line, *more: read.append(line) or from_line(line, *more)
    )
    assert ssh.run(to(box, host_keys=HostKeys(known)), "true").rc == 0
    assert len(read) == 1
