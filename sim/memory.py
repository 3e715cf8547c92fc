"""How this process asks the system for memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

# Of glibc's malloc.h.
TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3


def keep_freed_memory() -> None:
    """Keep what is freed for what is asked for next, where the C library can.

    Arrays of some megabytes otherwise go back to the system after each replication, and to get
    their pages once more takes as long as a third of a compiled replication.
    """
    with suppress(OSError, AttributeError, TypeError):  # no glibc
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, 2**25)  # the most that it takes
        library.mallopt(TRIM_THRESHOLD, 2**30)
