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
"""The largest uniform number that numpy draws."""
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
        variance_of_log = math.log1p(self.scv)
        if variance_of_log == 0:  # 0 times the infinite quantile of 0 would be NaN
            return np.full(np.shape(u), self.mean, dtype=np.float64)
        exponent = math.sqrt(variance_of_log) * normal_quantile(u) - variance_of_log / 2
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


def normal_quantile(u: np.ndarray) -> np.ndarray:
    """Quantiles of the standard normal distribution, for u in [0, 1); -inf for 0.

    As scipy.special.ndtri, to some 1e-15, but scipy takes longer to import than a year of a hall
    takes to run. Source: Wichura, algorithm AS 241 (PPND16), Appl. Stat. 37 (1988).
    """
    u = np.asarray(u, dtype=np.float64)
    from_middle = u - 0.5
    r = 0.180625 - from_middle * from_middle
    result = np.asarray(from_middle * (_polynomial(_MIDDLE[0], r) / _polynomial(_MIDDLE[1], r)))
    is_far = np.abs(from_middle) > 0.425
    if is_far.any():
        far = u[is_far]
        with np.errstate(divide="ignore"):
            r = np.minimum(np.sqrt(-np.log(np.minimum(far, 1 - far))), 40)  # only 0 is beyond 39
        near, tail = r - 1.6, r - 5.0
        size = np.where(
            r <= 5.0,
            _polynomial(_NEAR[0], near) / _polynomial(_NEAR[1], near),
            _polynomial(_TAIL[0], tail) / _polynomial(_TAIL[1], tail),
        )
        result[is_far] = np.where(far == 0, -np.inf, np.copysign(size, far - 0.5))
    return result


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """The polynomial, highest power first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += coefficient
    return value


# Numerator and denominator where |u - 0.5| <= 0.425, up to r = 5, and beyond.
_MIDDLE = (
    (
        *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4),
        *(4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3),
        *(1.3314166789178437745e2, 3.3871328727963666080e0),
    ),
    (
        *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4),
        *(2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2),
        *(4.2313330701600911252e1, 1.0),
    ),
)
_NEAR = (
    (
        *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1),
        *(1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0),
        *(4.63033784615654529590e0, 1.42343711074968357734e0),
    ),
    (
        *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2),
        *(1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0),
        *(2.05319162663775882187e0, 1.0),
    ),
)
_TAIL = (
    (
        *(2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3),
        *(2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0),
        *(5.46378491116411436990e0, 6.65790464350110377720e0),
    ),
    (
        *(2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5),
        *(7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1),
        *(5.99832206555887937690e-1, 1.0),
    ),
)


def longest(law: Distribution) -> float:
    """The largest value that can be drawn."""
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
