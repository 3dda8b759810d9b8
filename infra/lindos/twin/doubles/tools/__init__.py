"""What runs on a machine of the twin in place of the vendors' tools. Imports the standard library only.

Installed as the package `lindos_doubles`; each module's `main` is one command.
"""
