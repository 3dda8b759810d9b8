"""Open MPI takes the front end and leaves RDMA devices alone; it is the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.given import HOST

if TYPE_CHECKING:
    from testinfra.host import Host

# mpirun refuses root unless told twice.
ROOT = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"


def check_open_mpi_reads_the_way_that_messages_go(host: Host) -> None:
    shown = host.check_output("ompi_info --all --parsable --level 9").splitlines()
    found = {
        name: next(line.rpartition(":value:")[2] for line in shown if f":param:{name}:value:" in line)
        for name in ("btl_tcp_if_include", "oob_tcp_if_include", "pml", "btl", "osc")
    }
    assert found == {
        "btl_tcp_if_include": "fe0",
        "oob_tcp_if_include": "fe0",
        "pml": "ob1",
        "btl": "self,vader,tcp",
        "osc": "^ucx",
    }


def check_a_job_of_two_starts(host: Host) -> None:
    done = host.run(f"{ROOT} mpirun -np 2 --oversubscribe hostname")
    assert done.rc == 0, done.stderr
    assert done.stdout.split() == [HOST, HOST]
    assert "openib" not in done.stderr
