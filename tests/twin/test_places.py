"""Names of the twin: found again after anything, and never those of another site."""

from __future__ import annotations

from pathlib import Path

import pytest

from lindos.errors import DriverError
from lindos.twin.places import places
from lindos.workspace import Workspace


def test_one_sites_names_never_start_like_anothers() -> None:
    short, longer = places(Workspace(Path("/w"), "lab")), places(Workspace(Path("/w"), "lab-2"))

    assert longer.system("lab-2-n01").startswith(longer.prefix)
    assert not longer.system("lab-2-n01").startswith(short.prefix)


def test_a_device_has_a_name_for_each_of_its_computers() -> None:
    place = places(Workspace(Path("/w"), "lab"))

    names = {place.system("n"), place.chassis("n"), place.bmc("n"), place.floor}

    assert len(names) == 4
    assert all(name.startswith(place.prefix) for name in names)


@pytest.mark.parametrize("site", ["", "Lab", "lab.2", "../lab", "-lab", "l" * 33, "lab 2"])
def test_a_site_whose_name_would_not_fit_is_refused(site: str) -> None:
    with pytest.raises(DriverError, match="small letters, digits and hyphens"):
        places(Workspace(Path("/w"), site))
