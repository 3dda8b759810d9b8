#!/usr/bin/python3
"""scratch [DEVICE ...]: NVMe drives in, one XFS labelled `scratch` out; says what it made, nothing where that is there.

A drive that holds anything is never formatted: then nothing is done, and the drives are named.
"""

import json
import subprocess
import sys

LABEL = "scratch"
ARRAY = "/dev/md/scratch"


def main(wanted: list[str]) -> int:
    """Drives to take, none for all that nothing is mounted from -> exit status."""
    if LABEL in said("lsblk", "--noheadings", "--list", "--output", "LABEL").split():
        return 0
    disks = json.loads(said("lsblk", "--json", "--paths", "--output", "NAME,TYPE,MOUNTPOINTS"))["blockdevices"]
    free = {d["name"]: d for d in disks if d["type"] == "disk" and not used(d)}
    drives = wanted or sorted(name for name in free if name.startswith("/dev/nvme"))
    held = [f"{d}: {why}" for d in drives if (why := holds(d, free))]
    if held or not drives:
        print(f"no scratch is made: {'; '.join(held) or 'there is no NVMe drive that is free'}", file=sys.stderr)
        return 1
    device = drives[0]
    if len(drives) > 1:
        device = ARRAY
        stripes = [f"--raid-devices={len(drives)}", "--chunk=512K", "--homehost=any", f"--name={LABEL}"]
        said("mdadm", "--create", ARRAY, "--run", "--level=0", *stripes, *drives)
    # Without -f, so that it refuses as well what it finds something on.
    said("mkfs.xfs", "-q", "-L", LABEL, device)
    said("udevadm", "settle")
    print(f"{LABEL} on {' '.join(drives)}")
    return 0


def used(disk: dict) -> bool:
    """Whether the disk, or what lies on it, is mounted or swapped to."""
    return any(disk.get("mountpoints") or ()) or any(used(child) for child in disk.get("children", ()))


def holds(drive: str, free: dict) -> str:
    """Drive -> what keeps it from being formatted; empty where it is blank."""
    if drive not in free:
        return "no disk, or in use"
    if children := free[drive].get("children"):
        return f"holds {' '.join(child['name'] for child in children)}"
    if found := said("wipefs", "--no-act", "--noheadings", "--output", "TYPE", drive).split():
        return f"holds {' '.join(found)}; look at it, and wipe it by hand if nobody needs that"
    return ""


def said(*command: str) -> str:
    """A command -> what it printed; a failure ends this program with what it said."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{' '.join(command)}: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
