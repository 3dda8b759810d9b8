"""What should be against what is seen: hosts, BMCs, cables and paths -> Findings and Observations."""

from lindos.verify.run import VerifyResult, prove_paths, verify

__all__ = ["VerifyResult", "prove_paths", "verify"]
