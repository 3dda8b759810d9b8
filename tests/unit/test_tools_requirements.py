"""The lists of what is installed agree with each other and name no place to install it from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS_TEXT = (ROOT / "tools/requirements.txt").read_text()
PINS = {canonicalize_name(m[1]): m[2] for m in re.finditer(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", PINS_TEXT, re.MULTILINE)}
WANTED = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["dev"],
    *PROJECT["build-system"]["requires"],
]


@pytest.mark.parametrize("text", WANTED)
def test_each_requirement_of_the_package_is_pinned_to_a_version_it_allows(text: str) -> None:
    """What pyproject.toml relies on is in tools/requirements.txt, at a version it allows."""
    wanted = Requirement(text)
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)], prereleases=True)


def test_requirements_in_lists_what_the_package_lists() -> None:
    """The input of the lock file and pyproject.toml say the same, word for word."""
    lines = (ROOT / "tools/requirements.in").read_text().splitlines()
    assert sorted(line for line in lines if line and not line.startswith("#")) == sorted(WANTED)


def test_every_pin_has_hashes() -> None:
    """A pin without a hash would be installed unseen."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", PINS_TEXT, flags=re.MULTILINE)
    unhashed = [block.split()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block]
    assert not unhashed


@pytest.mark.parametrize("path", ["requirements.in", "requirements.txt", "pulumi/go.mod", "debian-packages"])
def test_no_place_to_install_from_is_named(path: str) -> None:
    """Where packages come from is the machine's business."""
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / "tools" / path).read_text())


def test_the_cli_and_its_sdk_carry_one_number() -> None:
    """The CLI that is built speaks to the SDK that is pinned."""
    modules = re.findall(r"github.com/pulumi/pulumi/(?:pkg|sdk)/v3 v(\S+)", (ROOT / "tools/pulumi/go.mod").read_text())
    assert modules == [PINS["pulumi"]] * 2
