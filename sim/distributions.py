"""Families of service times: mean, variability, and one value for one uniform number.

The unit is the caller's; only `whole_seconds` knows one. Who draws the uniform numbers, and for
whom, is left to the workload. Conventions:

    quantile  takes u in [0, 1), any shape, and returns float64 of that shape, non-negative and
              finite; apart from rounding it never decreases as u grows.
    scv       squared coefficient of variation, variance / mean²; 0 where the mean is 0.
    ranges    every parameter is at most LARGEST, and one that must be positive is at least
              SMALLEST, so that no moment and no quantile overflows.

A parameter out of its range raises ValueError: the parameter, the value, and what would be right.
"""

# ruff: noqa: D102 (what the methods of every family give is said once, in Distribution)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

LARGEST = 1e100
SMALLEST = 1e-100
LARGEST_DRAW = 1 - 2**-53
"""The largest uniform number that numpy draws, ..."""
LARGEST_NORMAL = 8.209536151601387
"""and the standard normal number that belongs to it."""
LARGEST_SECONDS = 3.2e9
"""About a hundred years: a longer service is a slip of the pen, and sums of these stay in int64."""


class Distribution(Protocol):
    """What every family offers."""

    @property
    def mean(self) -> float:
        """Expected value, in the caller's unit."""

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Values at which the distribution function reaches u, for u in [0, 1)."""


@dataclass(frozen=True)
class Constant:
    """Always the same value; 0 is allowed."""

    value: float
    scv: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        _check("value", self.value)

    @property
    def mean(self) -> float:
        return self.value

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return np.full(np.shape(u), self.value, dtype=np.float64)


@dataclass(frozen=True)
class Uniform:
    """Any value from low to high, all alike."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_ascending(low=self.low, high=self.high)

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def scv(self) -> float:
        if self.high == 0:
            return 0.0
        return ((self.high - self.low) / (self.high + self.low)) ** 2 / 3

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return np.clip(self.low + u * (self.high - self.low), self.low, self.high)


@dataclass(frozen=True)
class Triangular:
    """From low to high, most often near mode: what people answer when asked how long it takes."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        _check_ascending(low=self.low, mode=self.mode, high=self.high)

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3

    @property
    def scv(self) -> float:
        if self.mean == 0:
            return 0.0
        # Divided by the mean before squaring: squares of very small values are 0.
        left, right = (self.mode - self.low) / self.mean, (self.high - self.mode) / self.mean
        return (left * left + left * right + right * right) / 18

    def quantile(self, u: np.ndarray) -> np.ndarray:
        width = self.high - self.low
        if width == 0:
            return np.full(np.shape(u), self.low, dtype=np.float64)
        share_left = (self.mode - self.low) / width
        rising = self.low + width * np.sqrt(u * share_left)
        falling = self.high - width * np.sqrt((1 - u) * (1 - share_left))
        return np.clip(np.where(u < share_left, rising, falling), self.low, self.high)


@dataclass(frozen=True)
class Exponential:
    """Memoryless, with scv 1."""

    mean: float
    scv: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        _check("mean", self.mean, SMALLEST)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return np.asarray(-self.mean * np.log1p(-u), dtype=np.float64)


@dataclass(frozen=True)
class Gamma:
    """Scv 1 / shape: 1 is exponential, large is nearly constant."""

    mean: float
    shape: float

    def __post_init__(self) -> None:
        _check("mean", self.mean, SMALLEST)
        _check("shape", self.shape, SMALLEST)

    @property
    def scv(self) -> float:
        return 1 / self.shape

    def quantile(self, u: np.ndarray) -> np.ndarray:
        from scipy.special import gammaincinv

        return np.asarray(self.mean * (gammaincinv(self.shape, u) / self.shape), dtype=np.float64)


@dataclass(frozen=True)
class Erlang:
    """The sum of k exponential stages, all alike: a gamma whose shape is k."""

    mean: float
    k: int

    def __post_init__(self) -> None:
        _check("mean", self.mean, SMALLEST)
        _check("k", self.k, 1)
        if self.k % 1 != 0:
            raise ValueError(f"k: {self.k:g} must be a whole number; gamma takes any shape")

    @property
    def scv(self) -> float:
        return 1 / self.k

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return Gamma(self.mean, self.k).quantile(u)


@dataclass(frozen=True)
class LogNormal:
    """Positive with a long tail; mean and cv are those of the value, not of its logarithm.

    cv is standard deviation / mean; with 0 it is a constant.
    """

    mean: float
    cv: float

    def __post_init__(self) -> None:
        _check("mean", self.mean, SMALLEST)
        _check("cv", self.cv)

    @property
    def scv(self) -> float:
        return self.cv * self.cv

    def quantile(self, u: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        variance_of_log = math.log1p(self.scv)
        if variance_of_log == 0:  # 0 times the infinite ndtri(0) would be NaN
            return np.full(np.shape(u), self.mean, dtype=np.float64)
        exponent = math.sqrt(variance_of_log) * ndtri(u) - variance_of_log / 2
        return np.asarray(self.mean * np.exp(exponent), dtype=np.float64)


@dataclass(frozen=True)
class Weibull:
    """Ends at a rate that falls (shape below 1), stays (1) or grows (above 1) with time."""

    mean: float
    shape: float

    def __post_init__(self) -> None:
        _check("mean", self.mean, SMALLEST)
        # The mean is scale * gamma(1 + 1 / shape), and gamma(171) is the last that a float holds.
        _check("shape", self.shape, 1 / 170)

    @property
    def scv(self) -> float:
        log_ratio = math.lgamma(1 + 2 / self.shape) - 2 * math.lgamma(1 + 1 / self.shape)
        return max(0.0, math.expm1(log_ratio))

    def quantile(self, u: np.ndarray) -> np.ndarray:
        of_scale_one = (-np.log1p(-u)) ** (1 / self.shape)
        scale = 1 / math.gamma(1 + 1 / self.shape)
        return np.asarray(self.mean * (scale * of_scale_one), dtype=np.float64)


@dataclass(frozen=True)
class Empirical:
    """Values that were measured, each as likely as the others; kept in ascending order."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("values: there are none; there must be at least one")
        for index, value in enumerate(self.values):
            _check(f"values[{index}]", value)
        object.__setattr__(self, "values", tuple(sorted(self.values)))

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def scv(self) -> float:
        return float(np.var(np.array(self.values) / self.mean)) if self.mean > 0 else 0.0

    def quantile(self, u: np.ndarray) -> np.ndarray:
        # Below the end even for the largest u under 1: that product is never rounded up to len.
        index = np.floor(u * len(self.values)).astype(np.int64)
        return np.asarray(np.array(self.values, dtype=np.float64)[index])


def longest(law: Distribution) -> float:
    """The largest value that can be drawn."""
    if isinstance(law, LogNormal):  # without scipy, which takes longer to import than a check does
        variance_of_log = math.log1p(law.scv)
        exponent = math.sqrt(variance_of_log) * LARGEST_NORMAL - variance_of_log / 2
        return law.mean * math.exp(exponent)
    return float(law.quantile(np.array([LARGEST_DRAW]))[0])


def whole_seconds(values: np.ndarray) -> np.ndarray:
    """Seconds rounded to int64, halves upwards.

    Raises ValueError if a value is negative, not finite, or above LARGEST_SECONDS.
    """
    seconds = np.asarray(values, dtype=np.float64)
    unusable = ~((seconds >= 0) & (seconds <= LARGEST_SECONDS))  # NaN too
    if unusable.any():
        raise ValueError(
            f"{np.count_nonzero(unusable)} of {seconds.size} durations cannot be used, "
            f"the first is {seconds[unusable][0]:g} s; they must be from 0 to {LARGEST_SECONDS:g} s"
        )
    return np.floor(seconds + 0.5).astype(np.int64)


def _check(name: str, value: float, least: float = 0.0) -> None:
    if not least <= value <= LARGEST:  # NaN too
        sign = "positive" if least > 0 else "0 or more"
        raise ValueError(f"{name}: {value:g} must be {sign}, from {least:g} to {LARGEST:g}")


def _check_ascending(**values: float) -> None:
    for name, value in values.items():
        _check(name, value)
    if list(values.values()) != sorted(values.values()):
        found = ", ".join(f"{value:g}" for value in values.values())
        raise ValueError(f"{', '.join(values)}: {found} must be in ascending order")
