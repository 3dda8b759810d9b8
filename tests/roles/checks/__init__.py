"""A module a role: its functions `check_...` take the node as testinfra sees it, converged."""
