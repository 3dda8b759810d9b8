"""What the pack is made of: functions of lindos.resources.limits, and what it does where they have something to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_policy import EnforcementLevel, PolicyConfigSchema, ResourceValidationPolicy

from lindos.resources.limits import PERCENT, near_its_limit, over_its_limit, untrue

if TYPE_CHECKING:
    from pulumi_policy import ReportViolation, ResourceValidationArgs


def _limits(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for line in over_its_limit(args.resource_type, args.props):
        report(line, args.urn)


def _headroom(args: ResourceValidationArgs, report: ReportViolation) -> None:
    percent = args.get_config().get("percent", PERCENT)
    for line in near_its_limit(args.resource_type, args.props, percent):
        report(line, args.urn)


def _truth(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for line in untrue(args.resource_type, args.props):
        report(line, args.urn)


POLICIES = (
    ResourceValidationPolicy(
        "within-limits",
        "Feeds, transformers, boards, UPS, substations, CDUs and their plants carry no more than they may.",
        _limits,
        EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        "headroom",
        "What is loaded near its limit has no room for a rack that moves in.",
        _headroom,
        EnforcementLevel.ADVISORY,
        PolicyConfigSchema({"percent": {"type": "number", "minimum": 0, "maximum": 100, "default": PERCENT}}),
    ),
    ResourceValidationPolicy(
        "possible",
        "Loads are within nameplates, every kilowatt comes by a lineup, and every rack has a position.",
        _truth,
        EnforcementLevel.MANDATORY,
    ),
)
