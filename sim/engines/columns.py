"""Columns for compiled loops: read-only, C-contiguous, int64, so that one loop serves every hall.

Lists of lists are joined: the entries of i are `x[x_begin[i]:x_begin[i + 1]]`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sim.timeline import IntArray


def int_column(values: Iterable[int] | npt.ArrayLike) -> IntArray:
    """A read-only view if possible: one type of array means one compiled loop."""
    given = values if isinstance(values, np.ndarray) else list(values)  # type: ignore[arg-type]
    made = np.ascontiguousarray(given, np.int64).view()
    made.flags.writeable = False
    return made


def joined(arrays: Iterable[np.ndarray]) -> IntArray:
    """Arrays, one after the other."""
    # One by one, arrays of int32 would take much longer.
    return int_column(np.concatenate(list(arrays) or [np.zeros(0, np.int64)]))


def begins_of(lengths: Iterable[int]) -> IntArray:
    """Where each of several lists begins among all of them, and where the last one ends."""
    return int_column(np.cumsum([0, *lengths]))
