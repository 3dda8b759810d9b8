"""What `--measure` of the check suite calls is there, and is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lindos.verify.suite import bandwidth

if TYPE_CHECKING:
    from testinfra.host import Host


def check_an_all_reduce_is_read(host: Host) -> None:
    done = host.run("all_reduce_perf -b 16G -e 16G -g 8")
    rate, right = bandwidth.bus_rate(done.stdout)
    assert rate is not None
    assert right
    # Nobody takes this for a measurement.
    assert "Lindos twin double" in done.stdout


def check_copies_are_read(host: Host) -> None:
    done = host.run("nvbandwidth -t host_to_device_memcpy_ce device_to_device_memcpy_read_ce")
    rates = bandwidth.copies(done.stdout)
    assert {test: len(found) for test, found in rates.items()} == {
        "host_to_device_memcpy_ce": 8,
        "device_to_device_memcpy_read_ce": 56,
    }
    assert "Lindos twin double" in done.stdout


def check_rdma_writes_can_be_measured(host: Host) -> None:
    """The real perftest of the distribution, which finds no RDMA device in a container and says so."""
    assert "Version" in host.run("ib_write_bw --version").stdout
    assert "Unable to find" in host.run("ib_write_bw -d mlx5_rail0 -F").stderr


def check_releases_stay(host: Host) -> None:
    assert host.package("nccl-tests").version == "2.17.6-1"
    assert {"nccl-tests", "nvbandwidth"} <= set(host.check_output("apt-mark showhold").split())
