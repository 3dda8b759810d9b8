"""build/<site>/ -> the rows of one device, for an import that is given nothing but a name. Knows no plan."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def folder_of(site: str, device: str) -> str:
    """Site and switch -> the folder of its configuration, from the project's folder."""
    return f"build/{site}/switches/{device}"


def device_row(root: Path, device: str, purpose: str) -> dict[str, str] | None:
    """Device and purpose of an address -> its row of devices.csv with `address` and `site`, or None."""
    sites = sorted((p.parent.name for p in (root / "build").glob("*/devices.csv")), key=len, reverse=True)
    for site in sites:
        if not device.startswith(f"{site}-"):
            continue
        row = _find(root / "build" / site / "devices.csv", device)
        address = _find(root / "build" / site / "addresses.csv", device, purpose=purpose)
        if row is not None and address is not None:
            return {**row, "address": address["address"], "site": site}
    return None


def manifest_files(root: Path, site: str, device: str) -> dict[str, str]:
    """Switch -> the SHA-256 of each file of its configuration."""
    manifest = json.loads((root / "build" / site / "manifest.json").read_text())
    prefix = f"switches/{device}/"
    return {
        path.removeprefix(prefix): entry["sha256"]
        for path, entry in sorted(manifest["files"].items())
        if path.startswith(prefix)
    }


def _find(path: Path, device: str, **also: str) -> dict[str, str] | None:
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["device"] == device and all(row[key] == value for key, value in also.items()):
                return row
    return None
