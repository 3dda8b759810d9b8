"""Doubles of the vendors' tools: a folder in, a Debian repository there, for machines without a GPU.

A role installs `nvidia-utils-570-server` at a version and knows nothing of doubles; what it gets from this
repository is a package of that name and version whose description says "Lindos twin double". The tools answer
from one file of the machine, /etc/lindos-twin/hardware.json, which the twin writes:

    {"vendor", "product", "serial", "note": "double",
     "gpus": [{"index", "model", "uuid", "serial", "pci", "report": {"<query field>": <value>}}],
     "nics": [{"name", "hca", "rail", "pci", "mac"}],
     "faults": {"driver_version"}}

`report` is optional and overrides what `nvidia-smi` says of that GPU. Evidence gathered with a tool that
/usr/share/lindos-twin/doubled.json lists is doubled evidence.
"""

from lindos.twin.doubles.repository import build_repository

__all__ = ["build_repository"]
