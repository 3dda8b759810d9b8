"""`tools/language_host.py` runs programs as the engine expects, and shows their authors only their own mistakes."""

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import grpc
import pytest
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "tools/language_host.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("language_host", HOST)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, HOST, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def stub(process: subprocess.Popen[str]) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
        yield language_pb2_grpc.LanguageRuntimeStub(channel)


def plugin(folder: Path, text: str, kind: str, *arguments: str) -> language_pb2.RunPluginRequest:
    (folder / "__main__.py").write_text(text)
    return language_pb2.RunPluginRequest(
        pwd=str(folder),
        args=arguments,
        env=["GREETING=hello=you"],
        kind=kind,
        info=language_pb2.ProgramInfo(program_directory=str(folder), entry_point="."),
    )


def test_the_engine_is_told_what_runs_its_programs(stub: language_pb2_grpc.LanguageRuntimeStub) -> None:
    """One line with the port, then answers: this interpreter, its libraries, no plugin to fetch."""
    stub.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:1"))
    assert stub.About(language_pb2.AboutRequest()).executable == sys.executable
    assert not stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
    found = stub.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest()).dependencies
    assert "pulumi" in {d.name for d in found}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_quietly_when_told_to(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """No traceback, no failure: the engine stops its hosts with signals."""
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(timeout=10) == 0


def test_it_ends_with_an_engine_that_was_killed(tmp_path: Path) -> None:
    """A host whose parent is gone serves nobody."""
    script = f"import subprocess, time; p = subprocess.Popen([{sys.executable!r}, {str(HOST)!r}, '127.0.0.1:1']); print(p.pid, flush=True); time.sleep(60)"
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    host = int(engine.stdout.readline())
    engine.stdout.readline()
    engine.kill()
    engine.wait()
    watched = os.pidfd_open(host)
    try:
        assert select.select([watched], [], [], 10)[0]
    finally:
        os.close(watched)


def test_started_by_hand_it_says_who_starts_it() -> None:
    """Without an engine's address there is nothing to serve."""
    done = subprocess.run([sys.executable, HOST], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "started by the Pulumi engine" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugin_program_gets_its_arguments_and_answers_on_both_streams(
    stub: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    """Output comes line by line, standard error apart, the exit status last."""
    text = "import os, sys\nprint(sys.argv[1:], os.environ['GREETING'], os.getcwd())\nprint('odd', file=sys.stderr)\nsys.exit(3)\n"
    answers = list(stub.RunPlugin(plugin(tmp_path, text, "resource", "127.0.0.1:9")))
    assert b"".join(a.stdout for a in answers).decode() == f"['127.0.0.1:9'] hello=you {tmp_path}\n"
    assert b"".join(a.stderr for a in answers) == b"odd\n"
    assert answers[-1].exitcode == 3


def test_a_policy_pack_is_run_by_the_entry_of_the_sdk(
    stub: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    """The pack is `__main__`, finds the SDK set up around it and the engine's address in its arguments."""
    text = "import sys\nprint(__name__, 'pulumi.policy' in sys.modules, sys.argv[1])\n"
    answers = list(stub.RunPlugin(plugin(tmp_path, text, "analyzer", "127.0.0.1:9")))
    assert b"".join(a.stdout for a in answers) == b"__main__ True 127.0.0.1:9\n"
    assert answers[-1].exitcode == 0


def test_a_traceback_starts_where_the_program_does(module: ModuleType) -> None:
    """Frames of the host and of the standard library's runner are nobody's business, causes included."""

    def program() -> None:
        try:
            json.loads("{")
        except ValueError as error:
            raise LookupError("no such rack") from error

    try:
        program()
    except LookupError as error:
        text = module.own_traceback(error)
    assert "no such rack" in text
    assert "JSONDecodeError" in text
    assert "in program" in text
    assert str(HOST) not in text


# Below: the real CLI, a project of its own, state in a temporary folder.

PROJECT = "name: tiny\nruntime: {name: python, options: {virtualenv: .venv}}\nmain: infra\nstackConfigDir: stacks\n"
PROGRAM = """
import asyncio, os, sys
import pulumi
from parts import Rack

config = pulumi.Config()

async def main():
    Rack("r1", config.require("hall"))
    await asyncio.sleep(0)
    return {
        "root": pulumi.get_root_directory(),
        "folder": os.getcwd(),
        "arguments": sys.argv,
        "hall": config.require("hall"),
        "secret": config.require_secret("word"),
        "preview": pulumi.runtime.is_dry_run(),
    }

pulumi.run(main)
"""
PARTS = """
import pulumi

class Rack(pulumi.ComponentResource):
    def __init__(self, name, hall, opts=None):
        super().__init__("tiny:index:Rack", name, {"hall": hall}, opts)
        self.register_outputs({"hall": hall})

def broken(_=None):
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise ValueError("rack must not be zero") from error
"""


class Project:
    """A Pulumi project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("infra", "stacks"):
            (folder / name).mkdir()
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "infra/parts.py").write_text(PARTS)
        self.write(PROGRAM)
        assert self("stack", "init", "lab").returncode == 0
        assert self("config", "set", "hall", "h1").returncode == 0
        assert self("config", "set", "--secret", "word", "mum").returncode == 0

    def write(self, program: str) -> None:
        (self.folder / "infra/__main__.py").write_text(program)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_HOME": f"{self.folder}/home",
            "PULUMI_CONFIG_PASSPHRASE": "test",
        }
        return subprocess.run(
            [ROOT / "tools/with-env", "pulumi", "--non-interactive", "--color", "never", *arguments],
            cwd=self.folder,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.cli
def test_a_stack_lives_from_preview_to_destroy(project: Project) -> None:
    """Preview, update, refresh, update without changes, destroy, with a component, config and a secret."""
    preview = project("preview")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "2 to create" in preview.stdout
    assert "warning" not in preview.stdout + preview.stderr
    assert project("up", "--yes").returncode == 0
    outputs = json.loads(project("stack", "output", "--json", "--show-secrets").stdout)
    assert outputs == {
        "root": str(project.folder),
        "folder": str(project.folder / "infra"),
        "arguments": [str(project.folder / "infra")],
        "hall": "h1",
        "secret": "mum",
        "preview": False,
    }
    assert "mum" not in project("stack", "export").stdout
    assert project("refresh", "--yes").returncode == 0
    assert "2 unchanged" in project("up", "--yes").stdout
    destroyed = project("destroy", "--yes")
    assert destroyed.returncode == 0
    assert "2 deleted" in destroyed.stdout


RAISES = {
    "at once": "from parts import broken\nbroken()\n",
    "in the entry point": "import pulumi\nfrom parts import broken\nasync def main(): broken()\npulumi.run(main)\n",
    "in a task awaited twice": """
import asyncio
import pulumi
from parts import broken

async def fails():
    broken()

async def main():
    task = asyncio.ensure_future(fails())
    await asyncio.wait([task])
    try:
        await task
    except ValueError:
        await task

pulumi.run(main)
""",
    "in an apply": "import pulumi\nfrom parts import broken\npulumi.export('x', pulumi.Output.from_input(1).apply(broken))\n",
}


@pytest.mark.cli
@pytest.mark.parametrize("program", RAISES.values(), ids=RAISES)
def test_a_program_that_raises_fails_with_its_own_traceback(project: Project, program: str) -> None:
    """Its frames and its causes are shown, those of host, SDK and event loop are not."""
    project.write(program)
    done = project("preview")
    assert done.returncode != 0
    assert f'File "{project.folder}/infra/parts.py", line 13, in broken' in done.stdout
    assert "ValueError: rack must not be zero" in done.stdout
    assert "ZeroDivisionError" in done.stdout
    files = {line.split('"')[1] for line in done.stdout.splitlines() if line.strip().startswith('File "')}
    assert all(name.startswith(str(project.folder)) for name in files), files


@pytest.mark.cli
@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            "import pulumi\nraise pulumi.RunError('site.yaml:3: no such hall')\n",
            "error: site.yaml:3: no such hall",
        ),
        ("raise SystemExit('enough')\n", "error: the program ended itself: enough"),
        ("x = (\n", "SyntaxError: '(' was never closed"),
        ("import pulumi\npulumi.Config().require('absent')\n", "Missing required configuration variable"),
    ],
)
def test_a_program_that_stops_for_a_reason_says_only_that(project: Project, program: str, message: str) -> None:
    """An error meant for the user reaches the user without a traceback, and the run fails."""
    project.write(program)
    done = project("up", "--yes")
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.cli
def test_what_a_program_prints_is_shown(project: Project) -> None:
    """Standard output of the program is part of the engine's report."""
    project.write("print('designing the hall')\n")
    assert "designing the hall" in project("preview").stdout
