"""A kernel that is compiled in a moment, for the tests of `native`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.engines.compiling import compiled


class Numbers(NamedTuple):
    """Some numbers, how many, and what they are multiplied with."""

    values: np.ndarray
    length: int
    factor: int


class Sum(NamedTuple):
    """Where the sum is put."""

    result: np.ndarray


@compiled
def total(numbers: Any, result: Any) -> Any:
    """The sum of the products; gives how many there were."""
    result.result[0] = 0
    for i in range(numbers.length):
        result.result[0] += numbers.values[i] * numbers.factor
    return numbers.length
