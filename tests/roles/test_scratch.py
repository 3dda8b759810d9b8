"""What makes the scratch, on drives that are told: which commands it runs, and when it runs none."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from .listing import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

SCRATCH = FOLDER / "storage_client" / "files" / "scratch.py"

# Tools that say what they are told to, and write down what they were asked to do.
TOOLS = {
    "lsblk": 'case "$*" in *LABEL*) cat "$told/labels" ;; *) cat "$told/disks" ;; esac',
    "wipefs": 'for drive; do :; done; cat "$told/held${drive##*/}" 2>/dev/null || :',
    **{tool: f'echo "{tool} $*" >>"$told/done"' for tool in ("mdadm", "mkfs.xfs")},
    "udevadm": ":",
}


def disk(name: str, *children: dict[str, Any], mounted: str | None = None, kind: str = "disk") -> dict[str, Any]:
    more = {"children": list(children)} if children else {}
    return {"name": f"/dev/{name}", "type": kind, "mountpoints": [mounted], **more}


BOOT = disk("nvme0n1", disk("nvme0n1p1", mounted="/boot/efi", kind="part"), disk("nvme0n1p2", mounted="/", kind="part"))
MIRROR = disk("nvme9n1", disk("nvme9n1p1", disk("md0", mounted="/", kind="raid1"), kind="part"))
DATA = [disk(f"nvme{n}n1") for n in (2, 1)]
ARRAY = "mdadm --create /dev/md/scratch --run --level=0 --raid-devices=2 --chunk=512K --homehost=any --name=scratch"


def make(
    folder: Path, disks: list[dict[str, Any]], *wanted: str, held: dict[str, str] | None = None, labels: str = ""
) -> tuple[int, list[str], str]:
    """Disks, those named, what is on them -> exit status, commands that change something, what it said."""
    (folder / "labels").write_text(labels)
    (folder / "disks").write_text(json.dumps({"blockdevices": disks}))
    for name, types in (held or {}).items():
        (folder / f"held{name}").write_text(types)
    for tool, does in TOOLS.items():
        (folder / tool).write_text(f"#!/bin/sh\ntold={folder}\n{does}\n")
        (folder / tool).chmod(0o755)
    ran = subprocess.run(
        [sys.executable, SCRATCH, *wanted],
        env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    done = folder / "done"
    return ran.returncode, done.read_text().splitlines() if done.exists() else [], ran.stdout + ran.stderr


def test_drives_that_nothing_is_mounted_from_become_one(tmp_path: Path) -> None:
    sata = disk("sda")
    rc, done, said = make(tmp_path, [BOOT, MIRROR, *DATA, sata])
    assert (rc, said) == (0, "scratch on /dev/nvme1n1 /dev/nvme2n1\n")
    assert done == [f"{ARRAY} /dev/nvme1n1 /dev/nvme2n1", "mkfs.xfs -q -L scratch /dev/md/scratch"]


def test_one_drive_needs_no_array(tmp_path: Path) -> None:
    assert make(tmp_path, [BOOT, DATA[0]])[1] == ["mkfs.xfs -q -L scratch /dev/nvme2n1"]


def test_a_scratch_that_is_there_is_left_alone(tmp_path: Path) -> None:
    assert make(tmp_path, [BOOT, *DATA], labels="\nscratch\n") == (0, [], "")


@pytest.mark.parametrize(
    ("disks", "wanted", "held", "words"),
    [
        pytest.param(DATA, (), {"nvme1n1": "xfs\n"}, "/dev/nvme1n1: holds xfs; look at it", id="a-file-system"),
        pytest.param(DATA, (), {"nvme2n1": "linux_raid_member\n"}, "holds linux_raid_member", id="of-an-array"),
        pytest.param([disk("nvme1n1", disk("nvme1n1p1", kind="part"))], (), {}, "holds /dev/nvme1n1p1", id="partitions"),
        pytest.param([BOOT, *DATA], ("/dev/nvme0n1",), {}, "/dev/nvme0n1: no disk, or in use", id="the-boot-drive-by-name"),
        pytest.param(DATA, ("/dev/nvme7n1",), {}, "/dev/nvme7n1: no disk, or in use", id="none-of-that-name"),
        pytest.param([BOOT], (), {}, "there is no NVMe drive that is free", id="none-free"),
    ],
)  # fmt: skip
def test_a_drive_that_holds_anything_is_not_formatted(
    tmp_path: Path, disks: list[dict[str, Any]], wanted: tuple[str, ...], held: dict[str, str], words: str
) -> None:
    rc, done, said = make(tmp_path, disks, *wanted, held=held)
    assert (rc, done) == (1, [])
    assert words in said
