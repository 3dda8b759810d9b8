"""The site's repositories are those that apt reads, and every other is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def check_apt_reads_these_repositories_only(host: Host) -> None:
    targets = host.check_output(
        "apt-get indextargets --format '$(SITE) $(REPO_URI) $(CREATED_BY)' 'Created-By: Packages'"
    )
    assert {line.split()[-2] for line in targets.splitlines()} == {"file:/srv/lindos-repo/", "file:/srv/distribution/"}


def check_apt_knows_its_packages(host: Host) -> None:
    policy = host.check_output("apt-cache policy libnccl2")
    assert "2.27.3-1+cuda12.9" in policy
    assert "2.26.2-1+cuda12.8" in policy
    assert "/srv/distribution" in host.check_output("apt-cache policy slurmd")


def check_no_other_source_is_left(host: Host) -> None:
    found = host.check_output("find /etc/apt -name '*.list' -o -name '*.sources'")
    assert sorted(found.split()) == [
        "/etc/apt/sources.list.d/distribution.sources",
        "/etc/apt/sources.list.d/lindos.sources",
    ]
