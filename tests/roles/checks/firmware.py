"""What runs on the node and what its BMC tells are in one answer, and nothing was updated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host

REPORT = "/var/lib/lindos/firmware.json"


def check_the_answer_names_what_is_behind(host: Host) -> None:
    told = json.loads(host.file(REPORT).content_string)
    assert told["behind"] == ["BIOS 2.1, not 2.4"]
    assert told["unknown"] == ["Retimer"]


def check_the_answer_holds_what_the_bmc_tells(host: Host) -> None:
    told = json.loads(host.file(REPORT).content_string)
    assert (told["bmc"]["BIOS"], told["bmc"]["BMC"]) == ("2.1", "01.03.16")
