"""`modprobe MODULE` of a module that the twin's packages brought: it is loaded, as far as /sys/module tells.

All else is the real tool's to answer, which can load nothing in a container. What is loaded stays so over a boot, where
a real machine would load it again.
"""

from __future__ import annotations

import os
import sys

from . import hardware


def main() -> int:
    """-> exit code; prints nothing of its own."""
    *options, name = sys.argv[1:] or [""]
    name = name.replace("-", "_")
    state = hardware.root() / "usr/lib/lindos-twin"
    if options or not name or not (state / "modules" / name).is_dir():
        return hardware.real("modprobe")
    hardware.say_double("modprobe")
    loaded = state / "loaded" / name
    if not os.path.lexists(loaded):
        # By its whole path: it is read through a mount elsewhere.
        loaded.symlink_to(f"/usr/lib/lindos-twin/modules/{name}")
    return 0
