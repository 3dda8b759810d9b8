"""Lindos: one site file becomes the whole design of an AI training cluster, and the truth about it."""

import os

# Polars asks its allocator for the same gigabyte again and again while a site is designed. Told to keep what it has,
# in huge pages, it spends half the time in the kernel; what a site needs at most grows by a fifth. It reads this once,
# when it is loaded, so it must stand before the first import of Polars; what the user has set goes first.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always")
