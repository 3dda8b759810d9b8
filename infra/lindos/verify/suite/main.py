"""One file that checks the host it lies on, made of this package and what it needs (see verify/zipapp.py).

    python3 verify.pyz check [--expect FILE] [--expect-host NAME] [--hosts ssh://root@HOST]
                               [--measure]
        expectation (default: standard input) -> result as JSON; exit status as Nagios has it
    python3 verify.pyz probe
        JSON of probes on standard input -> their answers as JSON

It needs Python 3.10 or later on the host and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path

UNKNOWN_EXIT = 3

COMPLETE = (0, 1)
"""How pytest ends a run of all tests: none failed, some did."""

PACKAGE = "lindos_suite"
"""Name of the checks once unpacked; not `suite`, which is what they are called inside the archive."""

PYTEST = (
    *("-p", "testinfra.plugin", "-p", "no:cacheprovider", "-p", "no:unraisableexception"),
    *("-p", "no:doctest", "-p", "no:junitxml", "-p", "no:pastebin", "-p", "no:faulthandler"),
    *("--assert=plain", "--tb=short", "--quiet", "--config-file=/dev/null"),
)


def main() -> int:
    """Command line -> exit status."""
    parser = argparse.ArgumentParser(prog="verify.pyz", description="Check this host against its plan.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="run the checks")
    check.add_argument("--expect", default="-")
    check.add_argument("--expect-host")
    check.add_argument("--hosts", help="check another host from here, as testinfra names it")
    check.add_argument("--measure", action="store_true", help="measure rates too: disturbs what runs on the host")
    verbs.add_parser("probe", help="ask addresses, and the way to them")
    options = parser.parse_args()
    if options.verb == "probe":
        # The path of the archive stands first on sys.path, so its own folder is what is imported.
        from suite import probe  # type: ignore[import-not-found]  # noqa: PLC0415

        json.dump(probe.answer(json.load(sys.stdin)), sys.stdout)
        return 0
    expect = sys.stdin.read() if options.expect == "-" else Path(options.expect).read_text(encoding="utf-8")
    more = [*(["--measure"] if options.measure else []), *([f"--hosts={options.hosts}"] if options.hosts else [])]
    return _check(expect, options.expect_host, more)


def _check(expect: str, host: str | None, more: list[str]) -> int:
    sys.dont_write_bytecode = True
    # Standard output carries the result alone; all else goes to people.
    result_fd = os.dup(1)
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="lindos-verify-") as folder:
        here = Path(folder)
        _unpack(here / PACKAGE)
        (here / "expect.json").write_text(expect, encoding="utf-8")
        arguments = [
            *PYTEST,
            f"--rootdir={folder}",
            f"--expect={here / 'expect.json'}",
            f"--result={here / 'result.json'}",
            *([f"--expect-host={host}"] if host else []),
            *more,
            str(here / PACKAGE),
        ]
        _alone()
        # Only now: the plugins of pytest are part of the archive too.
        import pytest  # noqa: PLC0415

        status = pytest.main(arguments)
        if status not in COMPLETE:
            # Cut short, a result would lack findings, and nobody could tell.
            print(f"UNKNOWN: the checks did not run to their end (pytest: {status})", file=sys.stderr)  # noqa: T201
            return UNKNOWN_EXIT
        try:
            result = (here / "result.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            print(f"UNKNOWN: the checks did not run (pytest: {status})", file=sys.stderr)  # noqa: T201
            return UNKNOWN_EXIT
    with os.fdopen(result_fd, "w", encoding="utf-8") as out:
        out.write(result)
    return int(json.loads(result)["exit"])


def _alone() -> None:
    """Whatever pytest and its plugins this host has, and however it is run there, has no say here."""
    for name in [n for n in os.environ if n.startswith("PYTEST_")]:
        del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


def _unpack(into: Path) -> None:
    """The checks inside the archive -> files, for pytest collects files."""
    into.mkdir()
    with zipfile.ZipFile(sys.argv[0]) as archive:
        for name in archive.namelist():
            folder, _, file = name.partition("/")
            if folder == "suite" and file.endswith(".py"):
                (into / file).write_bytes(archive.read(name))


if __name__ == "__main__":
    sys.exit(main())
