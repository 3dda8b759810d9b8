"""The checks that run on a host: what the plan expects of it, against what it says.

main.py says how they are run. They import the standard library, pytest, testinfra and one another, nothing
else: the package travels alone.
"""
