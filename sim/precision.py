"""How many replications a wanted precision takes, found out while they run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from sim.output_analysis import CONFIDENCE, estimate

FEWEST: Final = 3
"""Values before which no interval is trusted."""


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
