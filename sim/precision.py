"""How many replications a wanted precision takes, found out while they run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sim.chosen_metrics import Choice
from sim.output_analysis import CONFIDENCE, Estimate, estimate

FEWEST: Final = 3
"""Values before which no interval is trusted."""
MOST: Final = 1000
"""Replications, unless told."""
USUAL: Final = ("working_days_mean", "waiting_time_mean")
"""The metric that is to be known unless told: the first of these that there is."""
Key: TypeAlias = tuple[str, str, str]
"""Scenario, metric and subject."""


@dataclass(frozen=True)
class Precision:
    """How well metrics are to be known, and how many replications that may take."""

    wanted: float
    """Half-width of the interval, relative to the mean; above 0."""
    metrics: tuple[str, ...] = ()
    """As in `Choice.named`; without any: the mean time of every promise, or the mean wait where
    nothing is promised."""
    budget: int = MOST
    """Replications after which it has to be good enough."""

    def __post_init__(self) -> None:
        if not 0 < self.wanted < 1:
            raise ValueError(f"a precision lies between 0 and 1, not at {self.wanted:g}")

    def keys(self, keys: Iterable[Key]) -> list[Key]:
        """Those of the keys that are meant."""
        keys = list(keys)
        there = {metric for _, metric, _ in keys}
        choice = Choice(self.metrics or tuple(metric for metric in USUAL if metric in there)[:1])
        return [key for key in keys if choice.leads(key[1], key[2], ())]


@dataclass
class PrecisionRule:
    """Says when a mean is known well enough; fed with one value a replication.

    A few values that happen to lie close together make a narrow interval: it must stay narrow for
    the next `look_ahead` values too (of more than 100 values: that share of them, in per cent).

        rule = PrecisionRule(0.05)
        while not rule.add(next_value()): ...
        rule.num_needed

    Source: Hoad, Robinson and Davies, Automated Selection of the Number of Replications for a
    Discrete-Event Simulation (2010).
    """

    wanted: float
    """Half-width of the interval, relative to the mean; above 0."""
    look_ahead: int = 5
    """0 or more."""
    confidence: float = CONFIDENCE
    values: list[float] = field(default_factory=list)
    """Those that were added, without those that are no number."""
    num_needed: int | None = None
    """The number of values since which the interval is narrow; None while it is not."""

    def __post_init__(self) -> None:
        if not self.wanted > 0 or self.look_ahead < 0:
            raise ValueError(
                f"wanted: {self.wanted:g} must be above 0, look_ahead: {self.look_ahead} 0 or more"
            )

    def add(self, value: float) -> bool:
        """Whether the precision is reached with this value; NaN and infinite ones do not count."""
        if math.isfinite(value):
            self.values.append(value)
            if not self._is_narrow():
                self.num_needed = None
            elif self.num_needed is None:
                self.num_needed = len(self.values)
        return self.is_reached

    @property
    def is_reached(self) -> bool:
        """Whether the interval has been narrow for long enough."""
        if self.num_needed is None:
            return False
        ahead = self.look_ahead * max(self.num_needed, 100) // 100
        return len(self.values) >= self.num_needed + ahead

    def _is_narrow(self) -> bool:
        if len(self.values) < FEWEST:
            return False
        found = estimate(self.values, self.confidence)
        return found.half_width <= self.wanted * abs(found.mean)


@dataclass
class Search:
    """Several metrics at once: how many replications it takes until all are known well enough."""

    precision: Precision
    rules: dict[Key, PrecisionRule] = field(default_factory=dict)
    num_replications: int = 0
    """How many were looked at."""

    def add(self, values: Mapping[Key, float]) -> bool:
        """Whether all are known with the next replication; of all scenarios, without gaps."""
        self.num_replications += 1
        for key in self.precision.keys(values):
            rule = self.rules.setdefault(key, PrecisionRule(self.precision.wanted))
            rule.add(values[key])
        return self.is_reached

    @property
    def is_reached(self) -> bool:
        """Whether all that ever have a value are known."""
        return self.num_replications >= FEWEST and not self.open()

    def open(self) -> dict[Key, Estimate]:
        """What is not known well enough yet, as far as it is known."""
        return {
            key: estimate(rule.values, rule.confidence)
            for key, rule in self.rules.items()
            if rule.values and not rule.is_reached
        }

    def num_likely(self) -> int:
        """How many replications it takes, about, if values go on to vary as they did."""
        wanted = self.precision.wanted
        widths = [_relative_width(entry) for entry in self.open().items()]
        share = max(widths, default=wanted) / wanted
        look_ahead = max(rule.look_ahead for rule in self.rules.values()) if self.rules else 0
        likely = self.num_replications * min(max(share, 1), 1e3) ** 2
        return math.ceil(likely) + look_ahead

    def summary(self) -> str:
        """One line: what is known how well."""
        wanted = f"{100 * self.precision.wanted:g} %"
        known = [metric for (_, metric, _), rule in self.rules.items() if rule.values]
        count = f"{self.num_replications} replication{'s' * (self.num_replications != 1)}"
        if not known:
            return f"precision: no value of what is to be known in {count}"
        if self.is_reached:
            return f"precision: {', '.join(dict.fromkeys(known))} within {wanted} after {count}"
        if self.num_replications < FEWEST:
            return f"precision: not to be judged after {count}, of which it takes {FEWEST}"
        (scenario, metric, subject), found = max(self.open().items(), key=_relative_width)
        width = 100 * _relative_width(((scenario, metric, subject), found))
        budget = self.precision.budget
        told = f"budget {budget:,}" if self.num_replications > budget else "which is the budget"
        return (
            f"precision: not within {wanted} after {count}, {told}: {metric} of "
            f"{subject} in {scenario} is within {width:.2g} %; some {self.num_likely():,} may do"
        )


def _relative_width(entry: tuple[Key, Estimate]) -> float:
    _, found = entry
    if not found.is_estimable or not found.mean:
        return math.inf
    return found.half_width / abs(found.mean)
