"""Distributions of times of which some have not ended."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sim.timeline import BoolArray

FloatArray = np.ndarray


@dataclass(frozen=True, eq=False)
class Lifetimes:
    """The distribution of times of which some have not ended: the Kaplan-Meier estimate.

    Without unfinished cases it is the empirical distribution. Source: Kaplan and Meier,
    J. Am. Stat. Assoc. 53 (1958).
    """

    time: FloatArray
    """How long each took, or has taken so far; at least 0."""
    is_complete: BoolArray
    values: FloatArray = field(init=False)
    """Distinct times, ascending."""
    shares: FloatArray = field(init=False)
    """Share finished within each."""

    def __post_init__(self) -> None:
        time = np.sort(self.time)
        # The first of each distinct time: it and all after it are at risk then.
        first = np.flatnonzero(np.append(True, time[1:] > time[:-1])[: len(time)])
        values = time[first]
        ends = np.append(first[1:], len(time))[: len(first)]
        if self.is_complete.all():
            shares: FloatArray = ends / max(len(time), 1)
        else:
            unfinished = np.searchsorted(values, self.time[~self.is_complete])
            ended = ends - first - np.bincount(unfinished, minlength=len(first))
            shares = 1 - np.cumprod(1 - ended / (len(time) - first))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "shares", shares)

    def steps(self, most: int, limit: float) -> tuple[FloatArray, FloatArray]:
        """The distribution as steps, thinned to about `most` of them: times and shares.

        The first times within which evenly spaced shares are finished; with them the last time
        (its share tells what is unfinished) and the last within the limit, whose share is exact.
        """
        if len(self.values) <= most:
            return self.values, self.shares
        # The tolerance is that of `quantile`.
        reached = np.searchsorted(self.shares, np.arange(1, most + 1) / most - 1e-12)
        last_within = np.searchsorted(self.values, limit, side="right") - 1
        last = len(self.values) - 1
        kept = sorted({*reached[reached < last].tolist(), max(int(last_within), 0), last})
        return self.values[kept], self.shares[kept]

    def share_within(self, limit: float) -> float:
        """Share finished within a limit; NaN without cases."""
        if not len(self.values):
            return float("nan")
        index = int(np.searchsorted(self.values, limit, side="right")) - 1
        return float(self.shares[index]) if index >= 0 else 0.0

    def quantile(self, share: float) -> float:
        """The smallest time within which this share is finished; NaN if that was not seen."""
        # The tolerance keeps rounding in the product from moving a quantile to the next value.
        reached = int(np.searchsorted(self.shares, share - 1e-12))
        return float(self.values[reached]) if reached < len(self.values) else float("nan")

    def mean(self) -> float:
        """Mean time, what is unfinished counted up to the longest time seen; NaN without cases."""
        if not len(self.values):
            return float("nan")
        survival_before = np.concatenate(([1.0], 1 - self.shares[:-1]))
        return float((np.diff(self.values, prepend=0.0) * survival_before).sum())
