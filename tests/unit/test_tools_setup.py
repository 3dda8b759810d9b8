"""`tools/setup` does what is missing once, says so, and survives being killed."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP = """#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
done=$root/$(basename "$0").done
current() { [ -e "$done" ]; }
install() { echo "$(basename "$0") at work"; echo x >>"$root/$(basename "$0").runs"; BODY; touch "$done"; }
"$1"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose four steps only leave a mark."""
    (tmp_path / "tools/steps").mkdir(parents=True)
    for name in ("setup", "lib.sh"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    for step in (ROOT / "tools/steps").iterdir():
        write_step(tmp_path, step.name, ":")
    return tmp_path


def write_step(checkout: Path, name: str, body: str) -> None:
    path = checkout / "tools/steps" / name
    path.write_text(STEP.replace("BODY", body))
    path.chmod(0o755)


def setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checkout / "tools/setup"], capture_output=True, text=True, check=False)


def runs(checkout: Path) -> dict[str, int]:
    return {p.stem: len(p.read_text().split()) for p in checkout.glob("*.runs")}


def test_each_step_runs_once_and_says_so(checkout: Path) -> None:
    """The first run does every step in order and prints a line for each, the second is silent."""
    first, second = setup(checkout), setup(checkout)
    assert (first.returncode, second.returncode) == (0, 0)
    assert [line.split()[1] for line in first.stderr.splitlines()] == [
        "debian",
        "python",
        "pulumi",
        "node-image",
    ]
    assert (second.stdout, second.stderr) == ("", "")
    assert runs(checkout) == {"debian": 1, "python": 1, "pulumi": 1, "node-image": 1}


def test_a_failing_step_shows_its_log_and_is_tried_again(checkout: Path) -> None:
    """What a failing step printed is shown with a hint; finished steps are kept for the next run."""
    write_step(checkout, "pulumi", "echo the modules are not there; exit 7")
    failed = setup(checkout)
    assert failed.returncode == 1
    assert "the modules are not there" in failed.stderr
    assert "setup: error: step pulumi failed" in failed.stderr
    assert "setup: hint: the whole log is .lindos/setup/pulumi.log" in failed.stderr
    write_step(checkout, "pulumi", ":")
    assert setup(checkout).returncode == 0
    assert runs(checkout) == {"debian": 1, "python": 1, "pulumi": 2, "node-image": 1}


def test_two_setups_of_one_checkout_take_turns(checkout: Path) -> None:
    """The second waits, says so, and finds nothing left to do."""
    write_step(checkout, "python", "sleep 1")
    both = [subprocess.Popen([checkout / "tools/setup"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=30)[1] for process in both]
    assert sum("waiting for another setup" in text for text in said) == 1
    assert runs(checkout) == {"debian": 1, "python": 1, "pulumi": 1, "node-image": 1}


def test_a_killed_setup_is_finished_by_the_next(checkout: Path) -> None:
    """A kill -9 in the middle of a step leaves no lock behind and no step half done."""
    write_step(checkout, "python", "sleep 60")
    process = subprocess.Popen([checkout / "tools/setup"], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 20
    while not (checkout / "python.runs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    write_step(checkout, "python", ":")
    assert setup(checkout).returncode == 0
    assert runs(checkout) == {"debian": 1, "python": 2, "pulumi": 1, "node-image": 1}


def test_this_checkout_is_set_up_and_asking_is_quick() -> None:
    """Every real step finds itself current, all of them together within two seconds."""
    begin = time.monotonic()
    for step in ("debian", "python", "pulumi", "node-image"):
        subprocess.run([ROOT / "tools/steps" / step, "current"], check=True)
    assert time.monotonic() - begin < 2


def environment(**given: str) -> dict[str, str]:
    bare = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **given}
    output = subprocess.run(
        [ROOT / "tools/with-env", "env"], env=bare, capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def test_commands_find_the_project_and_its_own_state() -> None:
    """Without settings, tools come from .venv and state lies in the checkout."""
    found = environment()
    assert found["PATH"].split(":")[0] == f"{ROOT}/.venv/bin"
    assert found["PULUMI_BACKEND_URL"] == f"file://{ROOT}/.lindos/pulumi"
    assert found["PULUMI_CONFIG_PASSPHRASE"] == "lindos-lab"
    assert found["PULUMI_SKIP_UPDATE_CHECK"] == "true"


def test_what_a_site_sets_itself_is_left_alone(tmp_path: Path) -> None:
    """A backend and a passphrase of the site's own win, an empty passphrase included."""
    found = environment(
        PULUMI_BACKEND_URL=f"file://{tmp_path}/state",
        PULUMI_HOME=f"{tmp_path}/home",
        PULUMI_CONFIG_PASSPHRASE="",
    )
    assert found["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state"
    assert (tmp_path / "state").is_dir()
    assert found["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert "PULUMI_CONFIG_PASSPHRASE" not in environment(PULUMI_CONFIG_PASSPHRASE_FILE="/run/secrets/pass")
