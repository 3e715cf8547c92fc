"""What replications say together: means and shares with confidence intervals.

A metric can be without a value in some replications (nobody waited, too few cases finished to see a
percentile). An estimate is over those that have one, and says how many they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.errors import TooFewReplications

CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over replications and its confidence interval, in the metric's unit."""

    mean: float
    """NaN if no replication has a value."""
    half_width: float
    """Of the interval; NaN with fewer than two values."""
    num_replications: int
    """How many replications have a value."""
    confidence: float = CONFIDENCE

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width

    @property
    def is_estimable(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.half_width)


def estimate(values: npt.ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Mean and interval of a metric over replications; NaN and infinite values are left out.

    values      shape (num_replications,), one metric in its own unit.
    confidence  inside (0, 1).
    """
    finite = _finite(values)
    if not len(finite):
        return Estimate(math.nan, math.nan, 0, confidence)
    # Values that are all the same are their mean: adding and dividing would round.
    mean = float(finite[0]) if np.ptp(finite) == 0 else float(finite.mean())
    width = half_width(finite, confidence) if len(finite) > 1 else math.nan
    return Estimate(mean, width, len(finite), confidence)


def half_width(values: npt.ArrayLike, confidence: float = CONFIDENCE) -> float:
    """Half-width of the Student-t confidence interval for the mean over replications.

    values      shape (num_replications,), one metric in its own unit; NaN is left out.
    confidence  inside (0, 1).

    Raises TooFewReplications with fewer than two values.
    Source: Law, Simulation Modeling and Analysis, chapter on output analysis.
    """
    # Not scipy.stats, which takes a second to import.
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}")
    finite = _finite(values)
    count = len(finite)
    if count < 2:
        raise TooFewReplications(f"an interval needs 2 replications with a value, found {count}")
    if np.ptp(finite) == 0:
        return 0.0
    quantile = float(stdtrit(count - 1, (1 + confidence) / 2))
    return quantile * float(finite.std(ddof=1)) / math.sqrt(count)


def wilson_interval(
    successes: int, trials: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Ends of the interval for a probability, from so many successes in independent trials.

    Inside 0 to 1, and of some width even if no trial or every trial is a success: for a share over
    replications (in how many was the target met?), not over cases, which share their queue.

    successes   0 to trials.
    trials      1 or more.
    confidence  inside (0, 1).

    Raises ValueError for other numbers.
    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
    """
    from scipy.stats import binomtest

    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}")
    found = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def _finite(values: npt.ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]
