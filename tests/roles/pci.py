"""PCIe devices whose registers are files: what /sys/bus/pci looks like to setpci, and may be written to."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BRIDGE, NIC, GPU = 0x060400, 0x020700, 0x030200

# Slot, class, control register of ACS (None where it has none), device control register. As firmware leaves them:
# redirection on, reads of 512 bytes.
DEVICES = (
    ("0000:17:00.0", BRIDGE, 0x001D, 0x2936),
    ("0000:18:00.0", BRIDGE, 0x001D, 0x2936),
    ("0000:19:00.0", BRIDGE, None, 0x2936),
    ("0000:1a:00.0", NIC, None, 0x2936),
    ("0000:1b:00.0", GPU, None, 0x2936),
)
EXPRESS, EXTENDED = 0x40, 0x100


def write_devices(folder: Path) -> None:
    """An empty folder -> what is bound over /sys/bus/pci."""
    for slot, kind, acs, control in DEVICES:
        device = folder / "devices" / slot
        device.mkdir(parents=True)
        texts = {"class": f"{kind:#08x}", "vendor": "0x15b3", "device": "0x1021", "irq": "0"}
        for name, text in (texts | {"resource": "0x0 0x0 0x0\n" * 7}).items():
            (device / name).write_text(f"{text}\n")
        (device / "config").write_bytes(_config(kind, acs, control))


def _config(kind: int, acs: int | None, control: int) -> bytes:
    """Configuration space: a header with a list of capabilities, PCI Express in it, and ACS behind."""
    space = bytearray(4096)
    struct.pack_into("<HHHHI", space, 0, 0x15B3, 0x1021, 0x0006, 0x0010, kind << 8)
    space[0x0E] = 1 if kind == BRIDGE else 0
    space[0x34] = EXPRESS
    struct.pack_into("<BBHIH", space, EXPRESS, 0x10, 0, 0x0042, 0, control)
    if acs is not None:
        struct.pack_into("<IHH", space, EXTENDED, 0x0001_000D, 0x001F, acs)
    return bytes(space)
