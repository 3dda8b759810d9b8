"""What Hypothesis draws, draws again on any machine and in any order of tests; LINDOS_EXAMPLES asks for fresh draws.

Hypothesis also draws constants that it finds in the modules which happen to be loaded, so that a test run alone would
see other examples than the same test after others. It has no setting against that.
"""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis.internal.conjecture import providers

if not os.environ.get("LINDOS_EXAMPLES"):
    settings.register_profile("steady", derandomize=True, deadline=None)
    settings.load_profile("steady")
    none = providers._local_constants
    assert not any(none.set_for_type(kind) for kind in ("integer", "float", "bytes", "string"))
    providers._get_local_constants = lambda: none
