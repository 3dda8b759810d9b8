"""Every code that verification can tell, and the sentence that explains it."""

from __future__ import annotations

from lindos.verify.bmcs import CODES as BMC
from lindos.verify.ibnet import CODES as IBNET
from lindos.verify.paths import CODES as PATH
from lindos.verify.routes import CODES as ROUTE
from lindos.verify.suite.codes import CODES as HOST
from lindos.verify.telling import CODES as CABLE

REACH = {
    "REACH-001": "A node answers over SSH at its management address.",
    "REACH-002": "The checks can run on a node.",
    "REACH-003": "A switch answers over SSH and tells its LLDP neighbours.",
    "REACH-004": "There are credentials for the BMCs.",
}

CODES: dict[str, str] = {
    **BMC,
    **CABLE,
    **{code: sentence for code, (_, sentence) in HOST.items()},
    **IBNET,
    **PATH,
    **REACH,
    **ROUTE,
}
"""Stable: a code is never used again for something else."""
