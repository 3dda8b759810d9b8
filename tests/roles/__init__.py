"""Every role on a real node: check mode, converge, converge again, and what the daemons read."""
