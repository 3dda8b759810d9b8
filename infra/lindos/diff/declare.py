"""Two specs -> both as if the growth of the later one had been declared from the first day."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lindos.spec.model import Spec


def last_declared(spec: Spec) -> int:
    """Spec -> the GPUs that it keeps room for in the end: the last that was declared, or what it has."""
    said = [spec.grows_to, *(fleet.grows_to for fleet in spec.compute.fleets)]
    return max(spec.gpus, *(n for n in said if n)) if any(said) else spec.gpus


def declared(spec: Spec, gpus: int) -> Spec:
    """Spec -> the same with so many GPUs declared from the first day, and never again."""
    fleets = tuple(fleet.model_copy(update={"grows_to": None}) for fleet in spec.compute.fleets)
    compute = spec.compute.model_copy(update={"fleets": fleets})
    return spec.model_copy(update={"grows_to": gpus, "compute": compute})
