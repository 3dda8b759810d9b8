"""The stable code of each check, how bad its failing is, and the sentence that explains it."""

from __future__ import annotations

CRITICAL, WARNING, UNKNOWN = "critical", "warning", "unknown"

CODES: dict[str, tuple[str, str]] = {
    "HOST-000": (
        CRITICAL,
        "A command that a check needs is not installed; as bad as the check that needs it.",
    ),
    "HOST-001": (CRITICAL, "nvidia-smi sees as many GPUs as are planned."),
    "HOST-002": (CRITICAL, "Every GPU is of the planned model."),
    "HOST-003": (CRITICAL, "The GPU driver is of the wanted release."),
    "HOST-004": (CRITICAL, "The fabric manager is of the driver's release: it refuses any other."),
    "HOST-005": (
        CRITICAL,
        "The fabric manager runs: without it no CUDA program starts on NVSwitch machines.",
    ),
    "HOST-006": (
        WARNING,
        "Persistence mode is on: without it every first job waits for the driver to start.",
    ),
    "HOST-010": (CRITICAL, "The network interface is there, by its planned name."),
    "HOST-011": (CRITICAL, "The interface has its planned address, and no other of the same family."),
    "HOST-012": (CRITICAL, "The interface has its planned MTU."),
    "HOST-013": (CRITICAL, "The interface is up and has carrier."),
    "HOST-014": (CRITICAL, "The link runs at its planned rate."),
    "HOST-015": (CRITICAL, "A link of 200 Gb/s or more corrects errors by RS-FEC."),
    "HOST-016": (CRITICAL, "A rail NIC trusts DSCP, and pauses the lossless priority and no other."),
    "HOST-017": (CRITICAL, "A NIC has all its PCIe lanes, and they carry its rate."),
    "HOST-018": (WARNING, "The firmware of a rail NIC is that of the software manifest."),
    "HOST-019": (CRITICAL, "A port has lost its carrier five times at most within 24 hours."),
    "HOST-020": (CRITICAL, "What is sent from a rail's address looks up that rail's table."),
    "HOST-021": (CRITICAL, "A rail's table leads to its rail through its own leaf."),
    "HOST-022": (CRITICAL, "The leaf at the other end of a rail answers."),
    "HOST-023": (
        CRITICAL,
        "Reverse-path filtering on a rail is not strict: replies may come by another rail.",
    ),
    "HOST-024": (CRITICAL, "A rail port of InfiniBand is up, in its subnet, and runs at its planned rate."),
    "HOST-025": (CRITICAL, "A rail's RDMA device is called as the plan calls it."),
    "HOST-030": (CRITICAL, "/etc/nccl.conf holds what the plan wants for this node's fabric."),
    "HOST-031": (WARNING, "/etc/nccl.conf holds nothing that is for debugging or measuring."),
    "HOST-032": (
        CRITICAL,
        "Sessions and services may lock memory without limit: RDMA registration needs it.",
    ),
    "HOST-033": (WARNING, "The kernel settings have their wanted values."),
    "HOST-034": (WARNING, "The collectives library is of the wanted release."),
    "HOST-040": (WARNING, "No systemd unit has failed."),
    "HOST-041": (WARNING, "The clock is within 10 ms of its source."),
    "HOST-042": (WARNING, "No reboot is asked for: what is configured is in force."),
    "HOST-050": (CRITICAL, "Each planned port hears its planned neighbour over LLDP."),
    "HOST-051": (CRITICAL, "The LLDP daemon answers."),
    "HOST-060": (CRITICAL, "No GPU has uncorrected memory errors, or more corrected ones than wear explains."),
    "HOST-061": (CRITICAL, "No GPU waits for rows of its memory to be remapped, failed to, or has used up its spares."),
    "HOST-062": (CRITICAL, "The driver has reported no hardware error (XID) of a GPU within two hours."),
    "HOST-063": (CRITICAL, "No GPU is slowed down by heat, by its power supply or by settings left behind."),
    "HOST-064": (CRITICAL, "All NVLinks of every GPU are there and active, at one speed."),
    "HOST-065": (CRITICAL, "Every GPU has all lanes of its PCIe slot, at full speed."),
    "HOST-066": (WARNING, "Every GPU is below its slowdown temperature and may draw its full power."),
    "HOST-067": (WARNING, "The firmware of every GPU is that of the software manifest."),
    "HOST-068": (WARNING, "DCGM finds nothing wrong with driver, libraries and GPUs (level 1, seconds)."),
    "HOST-070": (CRITICAL, "The node has its planned memory."),
    "HOST-071": (CRITICAL, "The node has its planned number of NVMe drives."),
    "HOST-072": (WARNING, "The BMC sees as many power supplies as are planned, and nothing wrong with them."),
    "HOST-073": (WARNING, "The BMC has logged nothing severe that still stands (critical if it has), and has room."),
    "HOST-074": (WARNING, "The planned hugepages are set aside."),
    "HOST-075": (WARNING, "The kernel was started with its wanted arguments."),
    "HOST-076": (CRITICAL, "The planned services run (a warning for those that only watch a node or keep its books)."),
    "HOST-077": (WARNING, "No local file system is more than 95 % full."),
    "HOST-078": (CRITICAL, "The node has its planned CPUs, with all their threads."),
    "HOST-080": (CRITICAL, "Copies between host and GPUs run at their rate; measured only where that is asked for."),
    "HOST-081": (CRITICAL, "Reads between any two GPUs of the node run at their rate; only where asked for."),
    "HOST-082": (CRITICAL, "An all-reduce over the GPUs of the node runs at its rate, and is right; only where asked."),
    "HOST-083": (CRITICAL, "RDMA writes through each rail NIC run at its rate; only where asked for."),
}

DRIVER = frozenset({"HOST-001", "HOST-002", "HOST-003", "HOST-004", "HOST-005"})
"""Checks that together are the evidence for a GPU's stage `driver`."""

DRIVER_TOOLS = frozenset({"nvidia-smi", "nv-fabricmanager"})
"""What these checks ask."""
