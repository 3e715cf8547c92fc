"""How this process asks the system for memory, and how much of what it has made it keeps."""

from __future__ import annotations

import ctypes
import functools
from contextlib import suppress
from typing import Final

# Of glibc's malloc.h.
TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3

PLANS_AT_ONCE: Final = 16
"""Plans of which replications may take turns."""
kept_by_plan = functools.lru_cache(maxsize=2 * PLANS_AT_ONCE)
"""Keeps what a function has made of the latest plans; the tables of one take some 15 MB."""


def keep_freed_memory() -> None:
    """Keep what is freed for what is asked for next, where the C library can.

    Arrays of some megabytes otherwise go back to the system after each replication, and to get
    their pages once more takes as long as a third of a compiled replication.
    """
    with suppress(OSError, AttributeError, TypeError):  # no glibc
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, 2**25)  # the most that it takes
        library.mallopt(TRIM_THRESHOLD, 2**30)
