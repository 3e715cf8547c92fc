"""How much of the beginning of a run to leave out: MSER-5 and Welch's moving average.

A hall begins empty, so that its first waits are shorter than those of a hall at work.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

BATCH: Final = 5


def mser5_truncation(series: npt.ArrayLike) -> int:
    """How many values to leave out at the beginning of a series, so that the rest is steady.

    The truncation point at which the squared standard error of the mean of what is left, taken as
    if batches of five were independent, is smallest; the first of several. It is a multiple of
    five and leaves at least half of the whole batches: a series is too short if it is at that
    limit. Values after the last whole batch are not looked at.

    series  shape (num_values,), in the order of time, 10 or more and all finite.

    Raises ValueError for a series that is not so.
    Source: White, An Effective Truncation Heuristic for Bias Reduction in Simulation Output (1997).
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 * BATCH or not np.isfinite(values).all():
        raise ValueError(
            f"a series of {2 * BATCH} finite values or more is needed, not shape {values.shape}"
        )
    num_batches = len(values) // BATCH
    batches = values[: num_batches * BATCH].reshape(num_batches, BATCH).mean(axis=1)
    # About one of them, so that squares of large values do not swallow the differences.
    batches -= batches[-1]
    left = num_batches - np.arange(num_batches // 2 + 1)
    sums, squares = (np.cumsum(powers[::-1])[::-1][: len(left)] for powers in (batches, batches**2))
    return BATCH * int(np.argmin((squares - sums**2 / left) / left**2))


def welch_average(series: npt.ArrayLike, window: int) -> np.ndarray:
    """Welch's moving average: the warm-up is over where its curve becomes flat.

    The mean over replications at each place, averaged over `window` places to either side; near
    the beginning over as many as there are before it.

    series  shape (num_replications, num_values), one row a replication, in the order of time.
    window  0 or more, less than half of num_values.

    Returns float64, shape (num_values - window,). Raises ValueError for another shape or window.
    Source: Welch (1983); Law, Simulation Modeling and Analysis, the graphical procedure of Welch.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"replications x values are needed, not shape {values.shape}")
    num_values = values.shape[1]
    if not 0 <= window < num_values / 2:
        raise ValueError(f"window: {window} must be 0 or more and less than {num_values / 2:g}")
    total = np.concatenate(([0.0], np.cumsum(values.mean(axis=0))))
    place = np.arange(num_values - window)
    reach = np.minimum(place, window)
    averages: np.ndarray = (total[place + reach + 1] - total[place - reach]) / (2 * reach + 1)
    return averages
