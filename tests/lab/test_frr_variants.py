"""What FRR is told of links without addresses and of IPv6 is what FRR itself takes: read by the lab's own FRR."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lindos.emit.dialects import switches
from lindos.plan import design_site
from lindos.plan.store import design_spec
from lindos.spec.model import Addressing
from lindos.twin.places import IMAGE

pytestmark = pytest.mark.lab

SITE = Path(__file__).parents[2] / "inventories" / "lab" / "site.yaml"


@pytest.mark.parametrize("bgp", ["numbered", "unnumbered"])
@pytest.mark.parametrize("family", ["ipv4", "dual"])
def test_frr_takes_every_switch_of_the_lab(bgp: str, family: str, tmp_path: Path) -> None:
    spec, _ = design_site(SITE)
    names = ("rdma", "frontend", "oob")
    fabrics = {name: getattr(spec.fabrics, name).model_copy(update={"bgp": bgp}) for name in names}
    spec = spec.model_copy(
        update={"fabrics": spec.fabrics.model_copy(update=fabrics), "addresses": Addressing(family=family)}
    )
    for artefact in switches(design_spec(spec), ["frr"]):
        _, device, name = artefact.path.split("/")
        if name == "frr.conf":
            (tmp_path / device).write_bytes(artefact.data)
    script = "for file in /conf/*; do vtysh -C -f $file || exit 1; done"
    mount = f"{tmp_path}:/conf:ro"
    command = [
        "podman",
        "--runtime",
        "runc",
        "run",
        "--rm",
        "--network",
        "none",
        "--ulimit",
        "nofile=1024:1024",
        "--ulimit",
        "nproc=4096:4096",
        "-v",
        mount,
        IMAGE,
        "sh",
        "-c",
        script,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
