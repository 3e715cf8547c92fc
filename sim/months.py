"""A hall month by month: lead times, backlog, visits and stocks of a long horizon.

Times and visits are those of the cases whose clock starts, or who arrive, in the month; backlogs
and stocks those of its end.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from sim.durations import Clock
from sim.lifetimes import Lifetimes
from sim.metric_definitions import HALL, lead_time_limit
from sim.outcome import Outcome
from sim.plan import Plan
from sim.promises import Promise
from sim.stocks import StockTimes
from sim.timeline import DAY, NEVER, BoolArray, IntArray
from sim.workload import Workload

LONG: Final = 366
"""Days: a longer horizon is looked at month by month."""
Series = tuple[str, str, Sequence[float]]
"""Metric, subject, and its value in each month; NaN where there is none."""


class Months:
    """The months of a plan's measured part."""

    def __init__(self, plan: Plan) -> None:
        first = plan.days.date_of(plan.measured_from_at)
        last = plan.days.date_of(plan.end_at - 1)
        numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        begins = [dt.date(number // 12, number % 12 + 1, 1) for number in numbers]
        self.names = [f"{date:%Y-%m}" for date in begins]
        instants = [(date - plan.origin).days * DAY for date in begins]
        # The first may be cut off by the warm-up, the last by the end.
        self.edges: IntArray = np.array([max(instants[0], 0), *instants[1:], plan.end_at])
        self.edges[0] = max(self.edges[0], plan.measured_from_at)

        days = np.arange(-(-plan.end_at // DAY) + 1) * DAY
        self.of_day: IntArray = np.searchsorted(self.edges, days, side="right") - 1
        """The number of the month of each day; -1 before, and as many as there are after."""

    def of(self, at: IntArray) -> IntArray:
        """The number of the month of each instant; -1 before, and as many as there are after."""
        # They begin and end at midnight.
        return self.of_day[np.minimum(at // DAY, len(self.of_day) - 1)]

    def count(
        self, month: IntArray, group: IntArray, num_groups: int, amount: IntArray | None = None
    ) -> np.ndarray:
        """(groups + 1, months + 2): how many there are, or how much of an amount, before all
        months, in each, and after them; in the last row, of all groups.

        month  the number of the month of each.
        group  of each.
        """
        width = len(self.names) + 2
        found = np.bincount(group * width + month + 1, amount, num_groups * width)
        found = found.reshape(-1, width)
        return np.vstack([found, found.sum(axis=0)])


def promise_series(
    months: Months,
    name: str,
    promise: Promise,
    from_at: IntArray,
    days: IntArray,
    on_clock: np.ndarray,
    is_complete: BoolArray,
) -> Iterator[Series]:
    """Of a promise: cases, the median and 90 % within in working days, and the share on time.

    from_at      when the clock of each case starts.
    days         how many working days it runs.
    on_clock     the same in the unit of the promise's limit.
    """
    month = months.of(from_at)
    order = np.argsort(month, kind="stable")
    numbers = np.arange(len(months.names) + 1)
    bounds = itertools.pairwise(np.searchsorted(month[order], numbers).tolist())
    days, on_clock, is_complete = days[order], on_clock[order], is_complete[order]
    limit = lead_time_limit(promise.within)
    counts: list[float] = []
    found: list[tuple[float, float, float]] = []
    for begin, end in bounds:
        counts.append(end - begin)
        lived = Lifetimes(days[begin:end], is_complete[begin:end])
        on_time = lived
        if promise.within.clock is not Clock.WORKING_DAYS:
            on_time = Lifetimes(on_clock[begin:end], is_complete[begin:end])
        found.append((lived.quantile(0.5), lived.quantile(0.9), on_time.share_within(limit)))
    yield "promised_cases", name, counts
    metrics = ("working_days_median", "working_days_p90", "on_time_share")
    for metric, values in zip(metrics, zip(*found, strict=True), strict=True):
        yield metric, name, values


def cohort_series(
    months: Months, plan: Plan, workload: Workload, outcome: Outcome
) -> Iterator[Series]:
    """Of case types and the hall: arrivals, cases in progress at the end, and mean visits."""
    names = [case_type.name for case_type in plan.case_types]
    subjects = list(dict.fromkeys(names))
    group = np.array([subjects.index(name) for name in names])[workload.case_type]
    arrived_in = months.of(workload.arrived_at)
    left_in = months.of(np.minimum(outcome.departed_at, outcome.lost_at))
    is_finished = outcome.departed_at != NEVER
    mine, of_mine = arrived_in[is_finished], group[is_finished]
    size = len(subjects)
    arrived = months.count(arrived_in, group, size)
    in_progress = np.cumsum(arrived - months.count(left_in, group, size), axis=1)
    finished = months.count(mine, of_mine, size)
    with np.errstate(invalid="ignore"):
        visits = months.count(mine, of_mine, size, outcome.visits[is_finished]) / finished
    for row, subject in enumerate([*subjects, HALL]):
        yield "arrivals", subject, arrived[row, 1:-1].tolist()
        yield "in_progress", subject, in_progress[row, 1:-1].tolist()
        yield "visits_mean", subject, visits[row, 1:-1].tolist()


def stock_series(months: Months, stocks: Mapping[str, StockTimes]) -> Iterator[Series]:
    """How many there are at the end of each month."""
    for name, times in stocks.items():
        yield "stock", name, times.at(months.edges[1:]).tolist()


def table(names: Sequence[str], series: Iterable[Series]) -> dict[str, list[object]]:
    """All values that there are, as columns; `names` are those of the months."""
    columns: dict[str, list[object]] = {"month": [], "metric": [], "subject": [], "value": []}
    for metric, subject, values in series:
        there = [not math.isnan(value) for value in values]
        columns["month"] += itertools.compress(names, there)
        columns["value"] += map(float, itertools.compress(values, there))
        columns["metric"] += [metric] * sum(there)
        columns["subject"] += [subject] * sum(there)
    return columns
