"""A hall month by month: lead times, backlog, visits and stocks of a long horizon.

Times and visits are those of the cases whose clock starts, or who arrive, in the month; backlogs
and stocks those of its end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
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
Row = tuple[str, str, str, float]
"""Month, metric, subject, value."""


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

    def of(self, at: IntArray) -> IntArray:
        """The number of the month of each instant; -1 before, and as many as there are after."""
        month: IntArray = np.searchsorted(self.edges, at, side="right") - 1
        return month

    def count(self, at: IntArray, group: IntArray, num_groups: int) -> IntArray:
        """(groups, months + 2): how many instants lie before all months, in each, and after them.

        group  of each instant.
        """
        month = np.minimum(self.of(at), len(self.names)) + 1
        width = len(self.names) + 2
        return np.bincount(group * width + month, minlength=num_groups * width).reshape(-1, width)


def promise_rows(
    months: Months,
    name: str,
    promise: Promise,
    from_at: IntArray,
    days: IntArray,
    on_clock: np.ndarray,
    is_complete: BoolArray,
) -> Iterator[Row]:
    """Of a promise: cases, the median and 90 % within in working days, and the share on time.

    from_at      when the clock of each case starts.
    days         how many working days it runs.
    on_clock     the same in the unit of the promise's limit.
    """
    month = months.of(from_at)
    order = np.argsort(month, kind="stable")
    bounds = np.searchsorted(month[order], np.arange(len(months.names) + 1)).tolist()
    limit = lead_time_limit(promise.within)
    for number, text in enumerate(months.names):
        mine = order[bounds[number] : bounds[number + 1]]
        yield text, "promised_cases", name, float(len(mine))
        if not len(mine):
            continue
        lived = Lifetimes(days[mine], is_complete[mine])
        yield text, "working_days_median", name, lived.quantile(0.5)
        yield text, "working_days_p90", name, lived.quantile(0.9)
        on_time = lived
        if promise.within.clock is not Clock.WORKING_DAYS:
            on_time = Lifetimes(on_clock[mine], is_complete[mine])
        yield text, "on_time_share", name, on_time.share_within(limit)


def cohort_rows(months: Months, plan: Plan, workload: Workload, outcome: Outcome) -> Iterator[Row]:
    """Of case types and the hall: arrivals, cases in progress at the end, and mean visits."""
    names = [case_type.name for case_type in plan.case_types]
    subjects = list(dict.fromkeys(names))
    group = np.array([subjects.index(name) for name in names])[workload.case_type]
    left_at = np.minimum(outcome.departed_at, outcome.lost_at)
    is_finished = outcome.departed_at != NEVER
    size = len(subjects)
    arrived = months.count(workload.arrived_at, group, size)
    left = months.count(left_at, group, size)
    finished = months.count(workload.arrived_at[is_finished], group[is_finished], size)
    month = np.minimum(months.of(workload.arrived_at), len(months.names)) + 1
    width = len(months.names) + 2
    code = (group * width + month)[is_finished]
    visits = np.bincount(code, outcome.visits[is_finished], size * width).reshape(-1, width)
    tables = {
        "arrivals": arrived,
        "in_progress": np.cumsum(arrived - left, axis=1),
        "finished": finished,
        "visits": visits,
    }
    for subject, of_subject in [
        *((name, {k: t[i] for k, t in tables.items()}) for i, name in enumerate(subjects)),
        (HALL, {key: table.sum(axis=0) for key, table in tables.items()}),
    ]:
        for number, text in enumerate(months.names, start=1):
            value = {key: float(column[number]) for key, column in of_subject.items()}
            yield text, "arrivals", subject, value["arrivals"]
            yield text, "in_progress", subject, value["in_progress"]
            if value["finished"]:
                yield text, "visits_mean", subject, value["visits"] / value["finished"]


def stock_rows(months: Months, stocks: Mapping[str, StockTimes]) -> Iterator[Row]:
    """How many there are at the end of each month."""
    for name, times in stocks.items():
        for text, value in zip(months.names, times.at(months.edges[1:]).tolist(), strict=True):
            yield text, "stock", name, float(value)


def table(rows: Iterable[Row]) -> dict[str, list[object]]:
    """Rows as columns."""
    columns = zip(*rows, strict=True)
    names = ("month", "metric", "subject", "value")
    return {name: list(column) for name, column in zip(names, columns, strict=False)}
