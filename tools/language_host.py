"""Stand-in for Pulumi's Python language host: a program in, its resources registered with the engine.

An official Pulumi installation brings an executable `pulumi-language-python`; a CLI built from Go modules
has none. `tools/setup` puts one that starts this module into the project's environment. The engine starts it
with its own address as the last argument and reads one line from its standard output: the port of a
`LanguageRuntime` server on 127.0.0.1.

The program runs in this process, so its interpreter is the project's environment and `runtime.options` of
Pulumi.yaml are not looked at. Failures are shown as the program's own traceback, or, for `pulumi.RunError`,
as the message alone.
"""

# ruff: noqa: N802 (gRPC calls the methods of a servicer by the names of the protocol)

import asyncio
import contextvars
import importlib.metadata
import logging
import os
import platform
import queue
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

MESSAGE_BYTES = 400 << 20
"""What the SDK and the engine allow each other; gRPC's own limit of 4 MB is one large resource."""

MAX_WORKERS = 4096
"""The engine says `parallel` is 2**31-1 where it means unlimited; threads are started as they are needed."""


ABOVE_THE_PROGRAM = (
    __file__,
    "<frozen ",
    *(str(Path(module.__file__ or "").parent) for module in (asyncio, pulumi)),
)
"""Files whose frames stand above the program's in a call stack."""


TRACEBACK = "__lindos_traceback__"
"""Attribute of an exception: the traceback that the first task had that it ended."""


class ProgramFailedError(Exception):
    """The program went wrong; the text says all that its author should read."""


async def _noting_its_traceback(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a task does, with the traceback noted on what it raises.

    asyncio hands a failed task's traceback to the first that awaits it and none to the second, and which of
    the SDK's own tasks is first is a matter of time.
    """
    try:
        return await coroutine
    except Exception as error:
        if not hasattr(error, TRACEBACK):
            with suppress(AttributeError):
                setattr(error, TRACEBACK, error.__traceback__)
        raise


def _task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(_noting_its_traceback(coroutine), loop=loop, **options)


def own_traceback(error: BaseException) -> str:
    """An exception in, its traceback without the frames above the program's own out."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = getattr(link, TRACEBACK, link.__traceback__)
        link.__traceback__ = _from_the_program(link)
        link = link.__cause__ or link.__context__
    return "".join(traceback.format_exception(error)).rstrip()


def _from_the_program(error: BaseException) -> TracebackType | None:
    """An exception in, its frames from the first that is not of this host, asyncio or the SDK out.

    A program that cannot be compiled has none of its own; an error within the SDK keeps all.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(ABOVE_THE_PROGRAM):
        trace = trace.tb_next
    return trace if trace is not None or isinstance(error, SyntaxError) else error.__traceback__


def program_path(info: language_pb2.ProgramInfo) -> Path:
    """What the engine knows of a program in, the file or folder that runpy can run out."""
    path = Path(info.program_directory, info.entry_point or ".")
    return path if path.exists() or not path.with_suffix(".py").exists() else path.with_suffix(".py")


async def _cancel_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def _run_program(program: Path, workers: int) -> None:
    """A program in, nothing out once all it registered is done; ProgramFailedError says why not."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=workers))
    loop.set_task_factory(_task)

    def start() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        await run_in_stack(start)
    except pulumi.RunError as error:
        raise ProgramFailedError(str(error)) from None
    except grpc.RpcError as error:
        # An engine that has gone away was told to stop; that is not the program's mistake.
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise ProgramFailedError(f"the engine refused a request: {error.details()}") from None
    except SystemExit as error:
        if error.code not in (None, 0):
            raise ProgramFailedError(f"the program ended itself: {error.code}") from None
    except Exception as error:  # noqa: BLE001 (whatever a program raises is shown to its author)
        raise ProgramFailedError(own_traceback(error)) from None
    finally:
        await _cancel_rest()


class LanguageHost(LanguageRuntimeServicer):
    """The engine's requests in, runs of Python programs and policy packs out."""

    def __init__(self, engine_address: str) -> None:
        self.engine_address = engine_address
        # `pulumi up` previews and then updates through one host; paths and arguments are the process's own.
        self._one_run = threading.Lock()

    def Handshake(self, _request: Any, _context: Any) -> language_pb2.LanguageHandshakeResponse:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def About(self, _request: Any, _context: Any) -> language_pb2.AboutResponse:
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetRequiredPlugins(self, _request: Any, _context: Any) -> language_pb2.GetRequiredPluginsResponse:
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(self, _request: Any, _context: Any) -> language_pb2.GetRequiredPackagesResponse:
        """Nothing: providers are named by path in Pulumi.yaml, none is fetched."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, _request: Any, _context: Any) -> language_pb2.GetProgramDependenciesResponse:
        found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=found[name]) for name in sorted(found, key=str.lower)
            ]
        )

    def InstallDependencies(self, _request: Any, _context: Any) -> Iterator[language_pb2.InstallDependenciesResponse]:
        yield language_pb2.InstallDependenciesResponse(stdout=b"tools/setup installs what the program needs\n")

    def RuntimeOptionsPrompts(self, _request: Any, _context: Any) -> language_pb2.RuntimeOptionsResponse:
        return language_pb2.RuntimeOptionsResponse()

    def Template(self, _request: Any, _context: Any) -> language_pb2.TemplateResponse:
        return language_pb2.TemplateResponse()

    def Cancel(self, _request: Any, _context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Run(self, request: Any, _context: Any) -> language_pb2.RunResponse:
        """A program and its stack in, an empty response out; `bail` where the user has been told why not."""
        with self._one_run:
            return contextvars.copy_context().run(self._run, request)

    def _run(self, request: Any) -> language_pb2.RunResponse:
        reset_options(
            project=request.project,
            stack=request.stack,
            root_directory=request.info.root_directory,
            parallel=request.parallel,
            engine_address=self.engine_address,
            monitor_address=request.monitor_address,
            preview=request.dryRun,
            organization=request.organization or "organization",
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        # A program that fails leaves futures behind that nobody awaits; that is no news to its author.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        program = program_path(request.info)
        before = Path.cwd(), sys.argv, list(sys.path)
        os.chdir(request.pwd)
        sys.argv = [str(program), *request.args]
        sys.path.insert(0, request.info.program_directory)
        try:
            asyncio.run(_run_program(program, min(max(request.parallel, 1) * 4, MAX_WORKERS)))
        except ProgramFailedError as error:
            pulumi.log.error(str(error))
            return language_pb2.RunResponse(bail=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.chdir(before[0])
            sys.argv, sys.path[:] = before[1], before[2]
        return language_pb2.RunResponse()

    def RunPlugin(self, request: Any, context: Any) -> Iterator[language_pb2.RunPluginResponse]:
        """A plugin written in Python in, its output as it comes and its exit status out.

        A policy pack is run by the SDK's own entry, anything else as the program it is.
        """
        program = program_path(request.info)
        arguments = [*request.args, str(program)] if request.kind == "analyzer" else [str(program), *request.args]
        entry = ["-m", "pulumi.policy"] if request.kind == "analyzer" else []
        process = subprocess.Popen(
            [sys.executable, "-u", *entry, *arguments],
            cwd=request.pwd,
            env={**os.environ, **dict(pair.split("=", 1) for pair in request.env)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        lines: queue.SimpleQueue[language_pb2.RunPluginResponse | None] = queue.SimpleQueue()

        def forward(pipe: IO[bytes], answer: Callable[[bytes], language_pb2.RunPluginResponse]) -> None:
            for line in pipe:
                lines.put(answer(line))
            lines.put(None)

        for pipe, answer in (
            (process.stdout, lambda line: language_pb2.RunPluginResponse(stdout=line)),
            (process.stderr, lambda line: language_pb2.RunPluginResponse(stderr=line)),
        ):
            threading.Thread(target=forward, args=(pipe, answer), daemon=True).start()
        for _ in range(2):
            yield from iter(lines.get, None)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _leave_with_the_engine(engine: int) -> None:
    """The engine's process id in; ends this process soon after that one, were it killed without a word."""
    while os.getppid() == engine:
        time.sleep(2)
    os._exit(0)


def main() -> None:
    """The engine's address in `sys.argv`, the server's port on standard output; serves until told to stop."""
    if len(sys.argv) < 2 or sys.argv[-1].startswith("-"):
        sys.exit("pulumi-language-python is started by the Pulumi engine, with its address as the last argument")
    # What a program prints appears when it prints it, although standard output is a pipe.
    sys.stdout = os.fdopen(sys.stdout.fileno(), "w", buffering=1, closefd=False)
    # Stopping must not wait for a program that does not look; the engine has saved what it needs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    options = [
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # Before the engine hears of it: one that is killed right then would leave another parent to be taken for it.
    threading.Thread(target=_leave_with_the_engine, args=(os.getppid(),), daemon=True).start()
    print(port, flush=True)
    with suppress(KeyboardInterrupt):
        server.wait_for_termination()


if __name__ == "__main__":
    main()
