"""What every check gets: the expectation of this host, its facts, and a place where outcomes are recorded.

    pytest infra/lindos/verify/suite --hosts=ssh://root@192.0.2.1 --expect=build/lab/expect/a0001.json \
        --expect-host=lab-a0001-r01-n01

One host a run. Without --hosts the checks look at the machine they run on.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .codes import CODES, UNKNOWN
from .facts import Facts
from .outcome import Broken, NotExpected, ToolMissing, Unmeasured, Waits
from .record import RECORD, Record

if TYPE_CHECKING:
    from collections.abc import Generator

    from testinfra.host import Host

EXPECTED = pytest.StashKey[dict[str, Any]]()
STARTED = pytest.StashKey[float]()
FACTS = pytest.StashKey[Facts]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lindos")
    group.addoption("--expect", help="JSON file of {host: expectation}, as in build/<site>/expect/; - is stdin")
    group.addoption("--expect-host", help="which host of that file this is")
    group.addoption("--measure", action="store_true", help="measure rates too: disturbs what runs on the host")
    group.addoption("--result", help="write the result as JSON here; - is stdout")


def pytest_configure(config: pytest.Config) -> None:
    named = config.getoption("--expect")
    if not named:
        raise pytest.UsageError("--expect is missing: what should this host be?")
    text = sys.stdin.read() if named == "-" else Path(named).read_text(encoding="utf-8")
    expected = _of_host(json.loads(text), config.getoption("--expect-host"))
    config.stash[EXPECTED] = expected = expected | {"measure": config.getoption("--measure")}
    config.stash[RECORD] = Record(expected["host"])
    config.stash[STARTED] = time.monotonic()


def _of_host(expectations: dict[str, dict[str, Any]], host: str | None) -> dict[str, Any]:
    if host is None and len(expectations) == 1:
        return next(iter(expectations.values()))
    if host is None or host not in expectations:
        raise pytest.UsageError(f"--expect-host {host}: the file knows {', '.join(sorted(expectations))}")
    return expectations[host]


PORTS = ("nic", "rail", "hca")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`nic` is each planned port of Ethernet, `rail` each that is a rail, `hca` each rail port of InfiniBand.

    Of what a node has none it is None, once.
    """
    expected = metafunc.config.stash[EXPECTED]
    nics = expected.get("nics", [])
    rails = [n for n in nics if n["purpose"] == "rail"]
    for name, ports in zip(PORTS, (nics, rails, expected.get("hcas", [])), strict=True):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, ports or [None], ids=[p["name"] for p in ports] or ["none"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A check of ports of which the node has none is no check of this node: it is not run, and nobody is told."""
    items[:] = [item for item in items if None not in _ports(item)]


def _ports(item: pytest.Item) -> list[dict[str, Any] | None]:
    """The ports that a check is of: one or none; None in it stands for those that a node has not."""
    parameters: dict[str, Any] = getattr(item, "callspec").params if hasattr(item, "callspec") else {}  # noqa: B009
    return [parameters[name] for name in PORTS if name in parameters]


@pytest.fixture(scope="session")
def expected(pytestconfig: pytest.Config) -> dict[str, Any]:
    return pytestconfig.stash[EXPECTED]


@pytest.fixture
def facts(host: Host, pytestconfig: pytest.Config) -> Facts:
    """The host's facts, read once a run."""
    if FACTS not in pytestconfig.stash:
        found = pytestconfig.stash[FACTS] = Facts(host)
        record = pytestconfig.stash[RECORD]
        record.doubled_tools = found.doubled_tools
        record.system = found.describe()
    found = pytestconfig.stash[FACTS]
    found.used.clear()
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    code = getattr(getattr(item, "function", None), "code_of_check", None)
    if code is None or (call.when != "call" and call.excinfo is None):
        return report
    error = call.excinfo.value if call.excinfo else None
    _note(item, code, error)
    if isinstance(error, Waits | NotExpected):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, str(error))
    elif isinstance(error, Broken | Unmeasured | ToolMissing):
        report.longrepr = f"{code} {type(error).__name__.lower()}: {error}"
    return report


def _note(item: pytest.Item, code: str, error: BaseException | None) -> None:
    """How a check ended -> the record."""
    record = item.config.stash[RECORD]
    subject = _subject(item, record.host)
    if error is None:
        found = item.config.stash.get(FACTS, None)
        doubled = found is not None and bool(found.used & found.doubled_tools)
        record.passes(code, subject, doubled=doubled)
    elif isinstance(error, Waits):
        record.wait(code, subject, error.code)
    elif isinstance(error, NotExpected):
        record.leave(code, subject, str(error))
    elif isinstance(error, ToolMissing):
        hint = f"without it {code} and others say nothing; converge the node"
        record.find("HOST-000", record.host, str(error), hint, CODES[code][0])
        record.wait(code, subject, "HOST-000")
    elif isinstance(error, Broken):
        record.find(code, subject, error.message, error.hint, error.severity)
    elif isinstance(error, Unmeasured):
        record.find(code, subject, error.message, error.hint, UNKNOWN)
        (record.stood_in if error.stand_in else record.blind).add(code)
    else:
        message = f"the check itself failed: {type(error).__name__}: {error}"
        record.find(code, subject, message, "nothing is known of the host by this; mend the check", UNKNOWN)
        record.blind.add(code)


def _subject(item: pytest.Item, host: str) -> str:
    return ":".join([host, *(port["name"] for port in _ports(item) if port)])


def pytest_sessionfinish(session: pytest.Session) -> None:
    named = session.config.getoption("--result")
    if not named:
        return
    seconds = time.monotonic() - session.config.stash[STARTED]
    facts = session.config.stash.get(FACTS, None)
    heard = facts.heard() if facts else None
    text = json.dumps(session.config.stash[RECORD].as_dict(seconds, heard)) + "\n"
    if named == "-":
        sys.stdout.write(text)
    else:
        Path(named).write_text(text, encoding="utf-8")
