"""The image of the twin's machines is named after its recipe and boots clean."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RECIPE = Path(__file__).resolve().parents[2] / "tools/node-image"

Machine = Callable[[str], str]


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def until_booted(name: str, patience_s: float = 60) -> None:
    """Waits until it has booted, well or not; `--wait` alone ends at once where there is no bus yet."""
    deadline = time.monotonic() + patience_s
    ask = ["podman", "exec", name, "systemctl", "is-system-running", "--wait"]
    while True:
        asked = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=60)
        said = asked.stdout.strip() or asked.stderr.strip()
        if said in {"running", "degraded"}:
            return
        if time.monotonic() >= deadline:
            pytest.fail(f"not booted within {patience_s:g} s: systemctl says '{said}'")
        time.sleep(0.2)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A booted machine without a network; takes a shell command, gives its output."""
    name = f"lindos-image-test-{uuid.uuid4().hex[:8]}"
    run(
        *("podman", "--runtime", "runc", "run", "--detach", "--rm", "--name", name, "--network", "none"),
        *("--systemd", "always", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"),
        *("--cap-add", "NET_ADMIN,NET_RAW,SYS_ADMIN", run(RECIPE / "build", "--name"), "/sbin/init"),
    )
    try:
        until_booted(name)
        yield lambda command: run("podman", "exec", name, "sh", "-c", command)
    finally:
        run("podman", "rm", "--force", "--time", "0", name)


def test_a_machine_that_does_not_boot_is_told_with_what_was_seen() -> None:
    """Nobody waits for ever, and nobody goes on as if it had booted."""
    with pytest.raises(pytest.fail.Exception, match=r"not booted within 0\.5 s: .*lindos-no-such-machine"):
        until_booted("lindos-no-such-machine", 0.5)


def test_the_name_follows_the_recipe(tmp_path: Path) -> None:
    """The same folder elsewhere has the same name; one more package has another."""
    copy = tmp_path / "recipe"
    shutil.copytree(RECIPE, copy)
    assert run(copy / "build", "--name") == run(RECIPE / "build", "--name")
    with (copy / "packages").open("a") as packages:
        packages.write("tree\n")
    assert run(copy / "build", "--name") != run(RECIPE / "build", "--name")


def test_it_boots_without_a_failed_unit(machine: Machine) -> None:
    """`running`, not `degraded`: whatever systemd says later is news."""
    assert machine("systemctl is-system-running") == "running"


def test_root_comes_in_by_key_only(machine: Machine) -> None:
    """There is no password to guess, and sshd says so itself."""
    settings = machine("sshd -T").splitlines()
    assert "permitrootlogin without-password" in settings
    assert "passwordauthentication no" in settings
    assert "kbdinteractiveauthentication no" in settings
    assert machine("systemctl is-active ssh") == "active"


def test_no_key_or_id_is_shared_by_machines(machine: Machine) -> None:
    """The image holds neither; this machine made its own."""
    mount = run("podman", "image", "mount", run(RECIPE / "build", "--name"))
    try:
        assert not list(Path(mount).glob("etc/ssh/ssh_host_*"))
        assert not Path(mount, "etc/machine-id").read_bytes()
    finally:
        run("podman", "image", "umount", run(RECIPE / "build", "--name"))
    assert machine("cat /etc/ssh/ssh_host_ed25519_key.pub").startswith("ssh-ed25519 ")
    assert len(machine("cat /etc/machine-id")) == 32


@pytest.mark.parametrize("unit", ["frr", "lldpd", "chrony"])
def test_a_daemon_is_off_until_a_role_wants_it(machine: Machine, unit: str) -> None:
    """What a device is decides what runs on it, and what is wanted starts."""
    assert machine(f"systemctl is-enabled {unit} || true") == "disabled"
    assert machine(f"systemctl start {unit} && systemctl is-active {unit}") == "active"


def test_switch_interfaces_can_be_loaded(machine: Machine) -> None:
    """`ifreload` has the folder it locks in, with its service off."""
    machine("ifreload -a")
