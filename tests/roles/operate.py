"""`python -m roles.operate FILE` in the operator's namespace: one converge of the workspace, its result as JSON.

FILE holds {"root", "limit", "check", "again", "tags", "variables"}; the tests write it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lindos.rollout.converge import Rollout, converge
from lindos.workspace import Workspace


def main(asked: str) -> None:
    """Path of the question -> answer on stdout, progress on stderr."""
    question = json.loads(Path(asked).read_text())
    result = converge(
        Workspace(Path(question["root"]), "lab"),
        rollout=Rollout(
            check=question.get("check", False),
            again=question.get("again", False),
            tags=tuple(question.get("tags", ())),
            variables=question.get("variables", {}),
        ),
        progress=lambda line: print(line, file=sys.stderr),  # noqa: T201
    )
    answer = {
        "ok": result.ok,
        "converged": result.converged,
        "untouched": result.untouched,
        "trouble": [[o.trouble.role, o.trouble.task, o.trouble.reason] for o in result.failed if o.trouble],
        "changed": result.changed,
        "seconds": result.seconds,
        "events": [event for line in result.log.read_text().splitlines() if "task" in (event := json.loads(line))],
    }
    print(json.dumps(answer))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
