"""A small hall on this machine: containers as nodes and switches, veth pairs as cables, BMCs that speak Redfish.

Built from what is in build/<site>/, as an installer would, and stands in for the world; nothing else knows it.
"""

from lindos.twin.build import up
from lindos.twin.clear import down
from lindos.twin.console import MachineStatus, TwinStatus, exec_, heal, inject, status
from lindos.twin.faults import FAULTS

__all__ = ["FAULTS", "MachineStatus", "TwinStatus", "down", "exec_", "heal", "inject", "status", "up"]
