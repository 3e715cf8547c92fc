"""Offered load: how much work comes to each pool, and how much it can do.

The load of a pool is the work that is expected to arrive over the measured horizon divided by the
time that its servers are on shift, both in hours. At 1 and above the queue grows for as long as the
hall is open, unless services that run over the end of a shift, or people who leave, make up for it.

Expectations are exact for what a plan says by chance: attributes, returns and service times. What
depends on waiting is left out: people who leave or are turned away take their work with them.
The work of a list of pools is spread over them in proportion to their time on shift.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from sim.plan import NONE, CumulativeRate, Plan, PlannedCaseType
from sim.planning import compile_plan
from sim.scenario import Scenario
from sim.timeline import DAY, HOUR, NEVER


@dataclass(frozen=True)
class PoolLoad:
    """Work and time on shift of one pool over the measured horizon."""

    pool: str
    server_hours: float
    """Hours on shift, added up over its servers."""
    work_hours: float
    """Expected hours of service that arrive."""

    @property
    def load(self) -> float:
        """Work divided by time on shift; infinite for work without servers."""
        if self.server_hours > 0:
            return self.work_hours / self.server_hours
        return math.inf if self.work_hours > 0 else 0.0

    @property
    def is_overload(self) -> bool:
        """Whether so much work comes that no steady state can be expected."""
        return self.load >= 1


def offered_load(hall: Plan | Scenario) -> list[PoolLoad]:
    """The load of each pool, in the order of the file."""
    plan = hall if isinstance(hall, Plan) else compile_plan(hall)
    return _load_between(plan, plan.measured_from_at, plan.end_at)


def heaviest_years(hall: Plan | Scenario) -> dict[str, tuple[int, float]]:
    """For each pool the year in which its load is largest, and how large; empty for one year alone.

    The mean over a long horizon hides a year in which more work came than could be done.
    """
    plan = hall if isinstance(hall, Plan) else compile_plan(hall)
    dates = [plan.days.date_of(at) for at in (plan.measured_from_at, plan.end_at - 1)]
    years = range(dates[0].year, dates[1].year + 1)
    if len(years) == 1:
        return {}
    begins = [(dt.date(year, 1, 1) - plan.origin).days * DAY for year in years[1:]]
    stretches = itertools.pairwise([plan.measured_from_at, *begins, plan.end_at])
    loads = [_load_between(plan, *stretch) for stretch in stretches]
    return {
        pool.name: max(zip(years, (load[i].load for load in loads), strict=True), key=itemgetter(1))
        for i, pool in enumerate(plan.pools)
    }


def _load_between(plan: Plan, begin: int, end: int) -> list[PoolLoad]:
    """The load of each pool from one instant to another."""
    on_shift = [0.0] * len(plan.pools)
    for shift in plan.shifts:
        openness = shift.sessions.step_function()
        seconds = openness.integral(end) - openness.integral(begin)
        on_shift[shift.pool] += shift.servers * int(seconds) / HOUR
    work = [0.0] * len(plan.pools)
    visits, later = (expected_visits(plan, at) for at in (begin, end))
    for activity, num_visits, num_later in zip(plan.activities, visits, later, strict=True):
        if activity.queue == NONE or activity.service is None:
            continue
        pools = plan.queues[activity.queue]
        hours = max(num_visits - num_later, 0.0) * activity.service.mean / HOUR
        total = sum(on_shift[pool] for pool in pools)
        for pool in pools:
            work[pool] += hours * (on_shift[pool] / total if total > 0 else 1 / len(pools))
    return [PoolLoad(pool.name, on_shift[i], work[i]) for i, pool in enumerate(plan.pools)]


def expected_visits(plan: Plan, from_at: int = 0) -> list[float]:
    """How often each activity of the hall is expected, for cases that arrive from an instant on.

    Those in progress whom a reform moves over are counted as if they ended as they began.
    """
    return [
        sum(
            num_cases * _visits(plan, case_type, activity, values)
            for values, num_cases in _groups(case_type, _deciding(case_type, activity), from_at)
            if plan.activities[case_type.first_activity + activity].lived_from == 0
        )
        for case_type in plan.case_types
        for activity in range(len(case_type.conditions))
    ]


def num_combinations(case_type: PlannedCaseType, activity: int) -> int:
    """How many combinations of attributes decide how often an activity is visited."""
    return math.prod(len(case_type.attributes[c][1]) for c in _deciding(case_type, activity))


def _deciding(case_type: PlannedCaseType, activity: int) -> set[int]:
    """The attributes on which the number of visits to an activity depends."""
    ends = (loop.end for loop in case_type.process.enclosing(activity))
    return {column for a in (activity, *ends) for column, _ in case_type.conditions[a]}


def _visits(
    plan: Plan, case_type: PlannedCaseType, activity: int, values: Mapping[int, int]
) -> float:
    """Expected visits of a case with these values to an activity.

    A loop that is entered once is gone through 1 / (1 - p) times, where p is the chance of being
    sent back; one that lies in another is entered once in each pass of the outer one.
    """
    if not _is_present(case_type, activity, values):
        return 0.0
    passes = [1.0]
    for loop in case_type.process.enclosing(activity):
        again = plan.activities[case_type.first_activity + loop.end].again
        sent_back = again if _is_present(case_type, loop.end, values) else 0.0
        passes.append(1 / (1 - sent_back))
    visits = math.prod(passes)
    match case_type.process.passes[activity]:
        case "first":
            return visits / passes[-1]
        case "later":
            return visits - visits / passes[-1]
        case _:
            return visits


def _is_present(case_type: PlannedCaseType, activity: int, values: Mapping[int, int]) -> bool:
    conditions = case_type.conditions[activity]
    return all(values[column] in wanted for column, wanted in conditions)


def _groups(
    case_type: PlannedCaseType, columns: set[int], from_at: int
) -> Iterator[tuple[dict[int, int], float]]:
    """Cases with the same values of some attributes, and how many are expected."""
    arrivals = case_type.arrivals
    if arrivals.by_attribute != NONE:
        columns = columns | {arrivals.by_attribute}
    drawn = sorted(columns - arrivals.recorded_attributes.keys())
    shares = [case_type.attributes[column][2] for column in drawn]
    for recorded, num_cases in _recorded_groups(case_type, columns, from_at):
        for choice in itertools.product(*(range(len(share)) for share in shares)):
            values = {**recorded, **dict(zip(drawn, choice, strict=True))}
            share = math.prod(float(s[i]) for s, i in zip(shares, choice, strict=True))
            if arrivals.rates:
                rate = values[arrivals.by_attribute] if arrivals.by_attribute != NONE else 0
                num_cases = _expected_from(arrivals.rates[rate], from_at)
            yield values, num_cases * share * _mean(arrivals.batch_sizes, arrivals.batch_shares)


def _recorded_groups(
    case_type: PlannedCaseType, columns: set[int], from_at: int
) -> Sequence[tuple[dict[int, int], float]]:
    """Instants that are known, by what is recorded with them."""
    arrivals = case_type.arrivals
    known = [column for column in sorted(columns) if column in arrivals.recorded_attributes]
    kept = (arrivals.instants >= from_at) & (arrivals.instants < NEVER)
    if not known:
        return [({}, float(kept.sum()))]
    table = np.stack([arrivals.recorded_attributes[column][kept] for column in known], axis=1)
    rows, counts = np.unique(table, axis=0, return_counts=True)
    return [
        (dict(zip(known, row, strict=True)), float(count))
        for row, count in zip(rows.tolist(), counts, strict=True)
    ]


def _expected_from(rate: CumulativeRate, from_at: int) -> float:
    """Expected arrivals at or after an instant."""
    lengths = np.maximum(rate.ends - rate.starts, 1)
    left = np.clip((rate.ends - from_at) / lengths, 0, 1)
    return float((np.diff(rate.before) * left).sum())


def _mean(values: np.ndarray, shares: np.ndarray) -> float:
    return float((values * shares).sum())
