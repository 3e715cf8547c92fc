"""A kernel that gives numbers of a stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.engines.compiling import compiled
from sim.engines.draw_numbers import number


class Wanted(NamedTuple):
    streams: np.ndarray
    stream: int
    num_wanted: int
    ordinals: np.ndarray
    numbers: np.ndarray


@compiled
def look_up(wanted):  # type: ignore[no-untyped-def]
    """The numbers of these ordinals."""
    for i in range(wanted.num_wanted):
        wanted.numbers[i] = number(wanted.streams, wanted.stream, wanted.ordinals[i])
    return np.int64(0)
