"""Numbers as people read them: decimals, per cent, intervals.

An interval is shown as far as its values are possible: most metrics are 0 or more, a share is 100 %
or less. Tables keep intervals as they were computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.metric_definitions import Metric

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Interval:
    """A mean, its interval, and in how many replications there was a value."""

    mean: float
    low: float
    high: float
    replications: int


@dataclass(frozen=True)
class Number:
    """How the values of a row are written: shares in per cent, others with three figures.

    Whole numbers stand without decimals if all of the row are whole.
    """

    metric: Metric
    replications: int
    row: Sequence[float]
    is_difference: bool = False

    def text(self, value: float) -> str:
        """A value; `-` if there is none."""
        return self._text(value, value)

    def given(self, value: float) -> str:
        """A number of a file: with the decimals that it has there."""
        return f"{100 * value if self.metric.is_share else value:,.10g}"

    def signed(self, value: float) -> str:
        """A difference or distance."""
        text = self.text(value)
        return f"+{text}" if value > 0 and text.strip("0.") else text

    def interval(self, row: Interval) -> str:
        """The ends of an interval, and in how many replications there was a value."""
        if row.replications == 0:
            return "no value in any replication"
        if row.replications == 1 and math.isnan(row.low):
            found = f"not estimable ({replications_text(1)})"
        else:
            # As many decimals as the mean has.
            ends = (self._text(self._possible(end), row.mean) for end in (row.low, row.high))
            found = f"[{', '.join(ends)}]"
        some = f" ({row.replications} of {self.replications})"
        return found + some if row.replications < self.replications else found

    def _possible(self, value: float) -> float:
        most = 1 if self.metric.is_share else math.inf
        has_sign = self.is_difference or self.metric.can_be_negative
        return min(max(value, -most if has_sign else 0), most)

    def _text(self, value: float, like: float) -> str:
        if math.isnan(value):
            return "-"
        scale = 100 if self.metric.is_share else 1
        value, like = scale * value, abs(scale * like)
        decimals = sum(like < step for step in (100, 10, 0.1)) if like else 2
        if self.metric.is_share:
            decimals = 1
        elif all(number.is_integer() for number in self.row if math.isfinite(number)):
            decimals = 0
        text = f"{value:,.{decimals}f}"
        return text.removeprefix("-") if not text.strip("-0.") else text


def or_none(value: Any) -> Any:
    """What JSON has for a value: nothing for a number that is none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as JSON has them, see `or_none`."""
    rows = table.to_dict("records")
    return [{str(key): or_none(value) for key, value in row.items()} for row in rows]


def replications_text(count: int) -> str:
    """Such as `1 replication`."""
    return f"{count} replication{'s' * (count != 1)}"


def percent(share: float) -> str:
    """Such as `95 %`, with the decimals that it takes."""
    return f"{100 * share:.10g} %"


def round_number(value: float) -> str:
    """A number of 1 or more to two figures, such as `12` or `1,300`."""
    return f"{float(f'{value:.2g}'):,.10g}"


def together_text(confidence: float, count: int) -> str:
    """What so many simultaneous intervals are."""
    differences = f"{count} difference{'s' * (count != 1)}"
    return f"hold together at {percent(confidence)} (Bonferroni, {differences})"
