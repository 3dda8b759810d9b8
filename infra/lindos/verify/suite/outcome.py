"""How one check ends when it does not pass. To return is to pass, so each of these is an exception."""

from __future__ import annotations


class Broken(Exception):  # noqa: N818 - not an error of the check: it is what the check found
    """The host is not as expected. `severity`: where it is not that of the check's code."""

    def __init__(self, message: str, hint: str = "", severity: str = "") -> None:
        self.message = message
        self.hint = hint
        self.severity = severity
        super().__init__(message)


class Unmeasured(Exception):  # noqa: N818 - as above
    """The host cannot answer this here. Never a pass.

    `stand_in`: because something stands in for the hardware that could; a result is then a double's word at best.
    """

    def __init__(self, message: str, hint: str = "", *, stand_in: bool = False) -> None:
        self.message = message
        self.hint = hint
        self.stand_in = stand_in
        super().__init__(message)


class NotExpected(Exception):  # noqa: N818 - as above
    """The plan says nothing of this, so there is nothing to compare. Neither a pass nor a finding."""


class Waits(Exception):  # noqa: N818 - as above
    """Makes no sense before another check passes, which is told on its own."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"waits for {code}")


class ToolMissing(Exception):  # noqa: N818 - as above
    """A command that the check needs is not installed."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        super().__init__(f"{tool} is not installed")
