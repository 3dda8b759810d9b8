"""The Pulumi program: load the site, design it, hold it against the rules, declare what this stack manages."""

from typing import Any

from lindos.resources.program import declare, planned, run, this_stack


def build() -> dict[str, Any]:
    stack = this_stack()
    return declare(planned(stack), stack)


run(build)
