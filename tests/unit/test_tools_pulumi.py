"""`tools/steps/pulumi` takes the first CLI it can have: from PATH, the cache, the installer, the Go modules."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r"pkg/v3 v(\S+)", (ROOT / "tools/pulumi/go.mod").read_text())[1]
CLI = '#!/bin/sh\necho "v{version}"\n'
GO = """#!/bin/sh
if [ "$1" = env ]; then echo go{go}; exit; fi
echo "$@" >>{log}
{wait}
for last; do [ "$previous" = -o ] && out=$last; previous=$last; done
mkdir -p "$(dirname "$out")"
printf '#!/bin/sh\\necho v{version}\\n' >"$out"
chmod +x "$out"
"""


class Machine:
    """A checkout, a cache and a PATH on which only what a test puts there is found."""

    def __init__(self, folder: Path) -> None:
        self.root, self.bin, self.cache, self.log = (folder / n for n in ("root", "bin", "cache", "go.log"))
        shutil.copytree(ROOT / "tools", self.root / "tools")
        (self.root / ".venv/bin").mkdir(parents=True)
        self.bin.mkdir()
        self.put("curl", "#!/bin/sh\nexit 6\n")

    def put(self, name: str, text: str, folder: Path | None = None) -> None:
        path = (folder or self.bin) / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        path.chmod(0o755)

    def put_go(self, version: str = "1.26.8", wait: str = "") -> None:
        self.put("go", GO.format(go=version, log=self.log, version=VERSION, wait=wait))

    def start(self, verb: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "tools/steps/pulumi", verb],
            env={
                "PATH": f"{self.bin}:/usr/bin:/bin",
                "LINDOS_CACHE": str(self.cache),
                "HOME": "/nonexistent",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def install(self) -> str:
        process = self.start("install")
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0, output
        assert self.start("current").wait() == 0
        return output

    @property
    def cli(self) -> Path:
        return self.root / ".venv/bin/pulumi"

    @property
    def host(self) -> Path:
        return self.root / ".venv/bin/pulumi-language-python"

    @property
    def builds(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_official_cli_on_path_is_used_with_its_own_language_host(machine: Machine, tmp_path: Path) -> None:
    """One that is new enough is linked to, so the engine finds the host beside the real file."""
    machine.put("pulumi", CLI.format(version="3.300.0"), tmp_path / "official")
    machine.put("pulumi-language-python", "#!/bin/sh\n", tmp_path / "official")
    (machine.bin / "pulumi").symlink_to(tmp_path / "official/pulumi")
    machine.install()
    assert machine.cli.resolve() == tmp_path / "official/pulumi"
    assert not machine.host.exists()


def test_a_cli_without_a_language_host_gets_ours_beside_it(machine: Machine) -> None:
    """A self-built CLI stands in .venv/bin as a file of its own, next to the stand-in."""
    machine.put("pulumi", CLI.format(version=VERSION))
    machine.install()
    assert not machine.cli.is_symlink()
    assert "tools/language_host.py" in machine.host.read_text()


def test_an_old_cli_on_path_is_passed_over(machine: Machine) -> None:
    """Too old an engine is no engine; a build replaces it."""
    machine.put("pulumi", CLI.format(version="3.99.0"))
    machine.put_go()
    machine.install()
    assert machine.builds == 1
    assert (
        subprocess.run([machine.cli, "version"], capture_output=True, text=True, check=True).stdout == f"v{VERSION}\n"
    )


def test_the_official_installer_is_used_where_it_can_be_reached(machine: Machine) -> None:
    """It is told the version and a folder in the cache, and nothing is built."""
    machine.put("curl", "#!/bin/sh\ncat <<'END'\n" + INSTALLER + "END\n")
    machine.put_go()
    machine.install()
    assert machine.builds == 0
    assert machine.cli.resolve().is_relative_to(machine.cache)
    assert not machine.host.exists()


INSTALLER = """[ "$1" = --version ] && [ "$3" = --install-root ] && [ "$5" = --no-edit-path ] || exit 1
mkdir -p "$4/bin"
for name in pulumi pulumi-language-python; do
    printf '#!/bin/sh\\necho v%s\\n' "$2" >"$4/bin/$name"
    chmod +x "$4/bin/$name"
done
"""


def test_an_installer_that_is_no_installer_falls_through_to_the_build(machine: Machine) -> None:
    """A portal page in place of the script costs nothing but the attempt."""
    machine.put("curl", "#!/bin/sh\necho '<html>please log in</html>'\n")
    machine.put_go()
    machine.install()
    assert machine.builds == 1


def test_a_second_checkout_builds_nothing(machine: Machine, tmp_path: Path) -> None:
    """What was built lies outside the checkout, under the hash of what it was built from."""
    machine.put_go()
    machine.install()
    shutil.rmtree(machine.root / ".venv")
    (machine.root / ".venv/bin").mkdir(parents=True)
    machine.install()
    assert machine.builds == 1


def test_installing_again_over_the_same_cli_is_fine(machine: Machine) -> None:
    """A stamp that is out of date does not mean another file."""
    machine.put_go()
    machine.install()
    (machine.root / ".venv/.lindos-pulumi").unlink()
    machine.install()
    assert machine.builds == 1


def test_an_old_go_fetches_the_toolchain(machine: Machine) -> None:
    """Debian's Go downloads the official toolchain as a module; that one builds."""
    new = GO.format(go="1.26.8", log=machine.log, version=VERSION, wait="")
    machine.put(
        "go",
        f"""#!/bin/sh
case "$1 $2" in
"env GOVERSION") echo go1.19.8 ;;
"env GOOS") echo linux ;;
"env GOARCH") echo amd64 ;;
"mod download")
    mkdir -p "$GOMODCACHE/$3/bin" "$GOMODCACHE/$3/pkg/tool"
    cat >"$GOMODCACHE/$3/bin/go" <<'END'
{new}END
    ;;
*) exit 1 ;;
esac
""",
    )
    assert "fetching go1.26.8" in machine.install()
    assert machine.builds == 1
    assert os.access(machine.cache / "go1.26.8/bin/go", os.X_OK)


def test_a_killed_build_leaves_nothing_that_looks_finished(machine: Machine) -> None:
    """A kill -9 while Go builds: not current, and the next run starts over and clears up."""
    machine.put_go(wait="sleep 60")
    process = machine.start("install")
    deadline = time.monotonic() + 20
    while not machine.builds:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert machine.start("current").wait() != 0
    machine.put_go()
    machine.install()
    assert not list(machine.cache.glob("*.new"))


def test_the_cli_of_this_checkout_is_stamped_and_needs_no_backend() -> None:
    """The Automation API parses `pulumi version`, so a self-built CLI must say it properly."""
    output = subprocess.run(
        [ROOT / "tools/with-env", "pulumi", "version"], capture_output=True, text=True, check=True
    ).stdout
    assert re.fullmatch(r"v\d+\.\d+\.\d+\n", output)
