"""Lindos: one site file becomes the whole design of an AI training cluster, and the truth about it."""
