"""How far a scenario is from a target, smoothly: what a search can go down.

A median of whole days is a step: it does not say in which direction the target lies, nor how near
the next step is. Its companion is the quantile of the same cases if those of each day are spread
evenly over the day, half a day to either side: it moves with every case, and the median is d where
it lies within half a day of d. The companion of other metrics is their mean over replications.

The misfit of a target is the square of the companion's distance from the figure, in units of the
distance at which the target is no longer kept: below 1 it is met or within tolerance, and in the
middle of what meets it, it is 0. What is only to be at least or at most the figure has none where
that is so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.comparison import SHARE_UNIT, unit_of
from sim.experiment import Experiment
from sim.metric_definitions import WORKING_DAYS
from sim.promises import Published

if TYPE_CHECKING:
    import pandas as pd

QUANTILES: Final[Mapping[str, float]] = {"median": 0.5, "p90": 0.9, "p95": 0.95}
"""By the end of a metric's name."""
HALF_STEP: Final = 0.5
"""Of a number of days or visits."""
NO_VALUE: Final = 1e4
"""Misfit of a target without a value: it was not reached within the horizon."""
_NEARLY: Final = 0.01
"""Of a share, one percentage point, of other figures, this part: the unit without a tolerance."""


def is_stepped(metric: str) -> bool:
    """Whether a metric has whole numbers only: a quantile of days or of visits."""
    prefix, _, statistic = metric.rpartition("_")
    return statistic in QUANTILES and prefix in ("working_days", "visits")


def companions(experiment: Experiment, metric: str, subject: str) -> dict[str, float]:
    """The companion of a metric in each scenario of an experiment; NaN where there is no value."""
    means = _means(experiment.metrics, metric, subject)
    if not is_stepped(metric):
        return means
    prefix, _, statistic = metric.rpartition("_")
    if prefix == "visits":
        table = experiment.visits
        mine = table[table["case_type"] == subject].rename(columns={"visits": "at"})
        mine = mine.assign(share=mine.groupby(["scenario", "replication"])["share"].cumsum())
    else:
        table = experiment.lead_times
        mine = table[(table["time"] == subject) & (table["unit"] == WORKING_DAYS)]
        mine = mine.rename(columns={"lead_time": "at"})
    spread = {
        str(name): _spread_quantile(part, QUANTILES[statistic])
        for name, part in mine.groupby("scenario", sort=False)
    }
    # Of a promise on another clock, and of the hall, there is no distribution in steps.
    return means | spread


def _means(metrics: pd.DataFrame, metric: str, subject: str) -> dict[str, float]:
    mine = metrics[(metrics["metric"] == metric) & (metrics["subject"] == subject)]
    parts = mine.groupby("scenario", sort=False)["value"]
    return {str(name): float(np.mean(values.to_numpy())) for name, values in parts}


def _spread_quantile(table: pd.DataFrame, share: float) -> float:
    """Of all replications together; NaN if it was not reached.

    table  replication, at (whole), share: that is done by then, in ascending order.
    """
    wide: Any = table.pivot(index="at", columns="replication", values="share")  # noqa: PD010
    steps = np.arange(wide.index.min(), wide.index.max() + 1)
    done = wide.reindex(steps).ffill().fillna(0.0).to_numpy().mean(axis=1)
    reached = int(np.searchsorted(done, share - 1e-12))
    if reached == len(done):
        return math.nan
    before = float(done[reached - 1]) if reached else 0.0
    part = (share - before) / (float(done[reached]) - before)
    return float(steps[reached]) - HALF_STEP + part


def misfit(companion: float, target: Published) -> float:
    """How far a target is from being met: 0 in the middle, 1 where it is no longer kept."""
    if math.isnan(companion):
        return NO_VALUE
    return (distance(companion, target) / scale(target)) ** 2


def distance(companion: float, target: Published) -> float:
    """From the figure, or from its side on which the target is met; in the metric's unit."""
    if target.equals is not None:
        return abs(companion - target.equals)
    if target.at_least is not None:
        return max(0.0, target.at_least - companion)
    assert target.at_most is not None
    return max(0.0, companion - target.at_most)


def scale(target: Published) -> float:
    """The distance at which a target is no longer kept."""
    if is_stepped(target.metric):
        return target.tolerance + HALF_STEP
    if target.tolerance:
        return target.tolerance
    figure = next(v for v in (target.equals, target.at_least, target.at_most) if v is not None)
    is_share = unit_of(target.metric) == SHARE_UNIT
    return _NEARLY if is_share else _NEARLY * abs(figure) or _NEARLY
