"""The policy pack: `pulumi preview --policy-pack policy`."""

from policies import POLICIES
from pulumi_policy import PolicyPack

PolicyPack("lindos", list(POLICIES))  # serves until the engine is done
