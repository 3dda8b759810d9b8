"""Waves, gates and resume: drives the build, the stacks, the roles and verification."""
