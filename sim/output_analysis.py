"""What replications say together: means and shares with confidence intervals.

Every metric has one value a replication, whether that is a mean, a quantile or a share of cases:
its interval is Student's t over replications (`estimate`). A share of replications (in how many was
the target met?) has Wilson's (`wilson_interval`). Cases of one replication share their queues, so
that a share of them has no interval of its own.

A metric can be without a value in some replications (nobody waited, too few cases finished to see a
percentile). An estimate is over those that have one, and says how many they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
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

    def at(self, confidence: float) -> Estimate:
        """The same values at another confidence, inside (0, 1)."""
        if not self.half_width > 0:
            return replace(self, confidence=confidence)
        wider = _t_quantile(self.num_replications, confidence)
        scale = wider / _t_quantile(self.num_replications, self.confidence)
        return replace(self, half_width=scale * self.half_width, confidence=confidence)

    def needed(self) -> float:
        """How many replications, about, until the interval leaves 0 out; a whole number.

        For the mean and the variance that were seen, themselves estimates. Infinite for a mean of 0
        whose values vary. NaN if 0 is left out already, if every value is 0, or with fewer than two
        values.
        """
        if not self.low <= 0 <= self.high or self.half_width == 0:
            return math.nan
        count, confidence = self.num_replications, self.confidence
        deviation = self.half_width / _t_quantile(count, confidence) * math.sqrt(count)
        ratio = deviation / abs(self.mean) if self.mean else math.inf
        most = (_t_quantile(count, confidence) * ratio) ** 2 if ratio < 1e100 else math.inf
        if not math.isfinite(most):
            return math.inf
        # The quantile shrinks as their number grows: `few` is too few, `many` enough.
        few, many = count, math.ceil(most) + 1
        while many - few > 1:
            between = (few + many) // 2
            if _t_quantile(between, confidence) * ratio < math.sqrt(between):
                many = between
            else:
                few = between
        return float(many)


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
    _check_confidence(confidence)
    finite = _finite(values)
    count = len(finite)
    if count < 2:
        raise TooFewReplications(f"an interval needs 2 replications with a value, found {count}")
    if np.ptp(finite) == 0:
        return 0.0
    return _t_quantile(count, confidence) * float(finite.std(ddof=1)) / math.sqrt(count)


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
    from scipy.special import ndtri

    _check_confidence(confidence)
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"successes must be 0 to trials, 1 or more, not {successes} of {trials}")
    z, share = float(ndtri((1 + confidence) / 2)), successes / trials
    middle = share + z * z / (2 * trials)
    width = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    low, high = ((middle + end) / (1 + z * z / trials) for end in (-width, width))
    # None and all, as they stand: subtracting would round.
    return low if successes else 0.0, high if successes < trials else 1.0


def _t_quantile(count: int, confidence: float) -> float:
    """Of so many values: how many standard errors the half-width is."""
    # Not scipy.stats, which takes a second to import.
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + confidence) / 2))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}")


def _finite(values: npt.ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]
