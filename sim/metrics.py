"""From one outcome, one replication's metrics; their definitions are in `metric_definitions`.

`measure` gives values by metric and subject, and tables: the distribution of each time that a
promise names, the hall by half-hour of the day, visits per case, and a long horizon by month. All
of it follows from what came of each step and case, and so from the event log; nothing is counted
while the engine runs.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

import numpy as np

from sim.durations import Clock
from sim.event_log import EventLog, Kind
from sim.lifetimes import Lifetimes
from sim.memory import kept_by_plan
from sim.metric_definitions import HALL, LEAD_TIME_UNITS, lead_time_limit
from sim.months import LONG, Months, Series, cohort_series, promise_series, stock_series, table
from sim.outcome import Outcome, Places, Waits, outcome_of, passed_over, waits_without_service
from sim.plan import NONE, Plan
from sim.pool_load import PoolLoad
from sim.promises import ARRIVED, DEPARTED, Promise
from sim.stocks import StockTimes
from sim.tally import Tally, channels
from sim.tally import tally as tally_of
from sim.timeline import DAY, HOUR, MINUTE, NEVER, BoolArray, IntArray, StepFunction
from sim.workload import Workload

DOCUMENTS: Final = 5
"""Place of the documents among the sums of a cohort."""
MOST_LEAD_TIMES: Final = 200
"""About how many steps of a distribution are kept; of working days there are hardly more."""


@dataclass(frozen=True, eq=False)
class Measures:
    """What was measured in one replication; each table is a map of columns of equal length."""

    values: dict[tuple[str, str], float]
    """By metric and subject, in the metric's unit; NaN where there was nothing to measure."""
    lead_times: dict[str, list[object]]
    """time, unit, lead_time, share: cumulative share finished within each lead time, on the clock
    of the promise (working days, h, or working h), thinned to some 200 steps."""
    half_hours: dict[str, list[object]]
    """pool, half_hour (s), utilisation, waiting_time_mean (s), queue_length_mean, _p10 ... _p90."""
    visits: dict[str, list[object]]
    """case_type, visits, share of finished cases."""
    months: dict[str, list[object]]
    """month (`2015-01`), metric, subject, value, of a horizon of more than a year; see `months`."""


Tallying: TypeAlias = Callable[[Plan, Workload, Outcome, Waits], Tally]
"""What adds up waits and services."""


def measure(
    plan: Plan, workload: Workload, log: EventLog | Outcome, tallying: Tallying = tally_of
) -> Measures:
    """Every metric of one replication, by its log or by its outcome, which is all that it takes."""
    outcome = outcome_of(workload, log) if isinstance(log, EventLog) else log
    return _Measuring(plan, workload, outcome, tallying).measures()


class _Measuring:
    """One outcome with what several metrics need."""

    def __init__(
        self, plan: Plan, workload: Workload, outcome: Outcome, tallying: Tallying
    ) -> None:
        self.plan = plan
        self.workload = workload
        self.outcome = outcome
        self.places = Places(plan, workload)
        self.unserved = waits_without_service(plan, outcome, self.places)
        self.tally = tallying(plan, workload, outcome, self.unserved)
        self.is_measured: BoolArray = workload.arrived_at >= plan.measured_from_at
        self.num_working_days = int((plan.days.dates * DAY >= plan.measured_from_at).sum())
        self.values: dict[tuple[str, str], float] = {}
        is_long = plan.end_at - plan.measured_from_at > LONG * DAY
        self.months = Months(plan) if is_long else None
        self.monthly: list[Series] = []

    def measures(self) -> Measures:
        lead_times = self.promises()
        half_hours = self.pools()
        visits = self.case_types()
        stocks = self.stocks()
        if self.months is not None:
            self.monthly += cohort_series(self.months, self.plan, self.workload, self.outcome)
            self.monthly += stock_series(self.months, stocks)
        months = table(self.months.names if self.months else (), self.monthly)
        return Measures(self.values, lead_times, half_hours, visits, months)

    def stocks(self) -> dict[str, StockTimes]:
        """The metrics of stocks, and what goes in and out of them."""
        stocks = {
            name: StockTimes(self.plan, self.workload, self.outcome, self.places, stock)
            for name, stock in self.plan.scenario.stocks.items()
        }
        ends = {name: int(times.at(np.array(self.plan.end_at))) for name, times in stocks.items()}
        for name, times in stocks.items():
            self.values["stock", name] = float(ends[name])
            if (whole := times.stock.share_of) is not None:
                share = ends[name] / ends[whole] if ends[whole] else float("nan")
                self.values["stock_share", name] = share
        return stocks

    # -- times between milestones -----------------------------------------------------------------

    def promises(self) -> dict[str, list[object]]:
        columns = ("time", "unit", "lead_time", "share")
        table: dict[str, list[object]] = {column: [] for column in columns}
        for name, promise in self.plan.scenario.promises.items():
            from_at, to_at, num_lost = self.clock_times(promise)
            is_complete = to_at != NEVER
            until = np.where(is_complete, to_at, self.plan.end_at - 1)
            open_time = _open_time(self.plan).integral
            times = {
                Clock.WORKING_DAYS: self.plan.days.count(from_at, until),
                Clock.CLOCK_TIME: until - from_at,
                Clock.WORKING_TIME: open_time(until) - open_time(from_at),
            }
            by_clock = {
                clock: Lifetimes(times[clock] / LEAD_TIME_UNITS[clock][1], is_complete)
                for clock in times
            }
            for prefix, distribution in zip(
                ("working_days", "elapsed_hours", "working_hours"), by_clock.values(), strict=True
            ):
                self.values[f"{prefix}_mean", name] = distribution.mean()
                for statistic, share in (("median", 0.5), ("p90", 0.9), ("p95", 0.95)):
                    self.values[f"{prefix}_{statistic}", name] = distribution.quantile(share)
            limit = lead_time_limit(promise.within)
            on_clock = by_clock[promise.within.clock]
            if self.months is not None:
                lasted = times[Clock.WORKING_DAYS], on_clock.time
                self.monthly += promise_series(
                    self.months, name, promise, from_at, *lasted, is_complete
                )
            self.values["on_time_share", name] = on_clock.share_within(limit)
            self.values["unfinished_share", name] = _share(~is_complete)
            num_all = num_lost + len(is_complete)
            self.values["lost_share", name] = num_lost / num_all if num_all else float("nan")
            self.values["promised_cases", name] = len(is_complete)
            lead_times, shares = on_clock.steps(MOST_LEAD_TIMES, limit)
            table["time"] += [name] * len(shares)
            table["unit"] += [LEAD_TIME_UNITS[promise.within.clock][0]] * len(shares)
            table["lead_time"] += lead_times.tolist()
            table["share"] += shares.tolist()
        return table

    def clock_times(self, promise: Promise) -> tuple[IntArray, IntArray, int]:
        """When the clock of a promise starts and stops (or NEVER), for each case or batch.

        Only cases whose itinerary passes both milestones have business with the promise. Who is
        lost has no time, and a batch that has lost somebody is never done; third, how many are.
        """
        names = [case_type.name for case_type in self.plan.case_types]
        is_named = np.array([name in promise.case_types for name in names])
        is_concerned = is_named[self.places.case_type]
        for name in (promise.from_, promise.to):
            if name not in (ARRIVED, DEPARTED):
                marks = self.places.milestone == self.plan.milestones.index(name)
                is_concerned &= self.places.total(marks) > 0
        chosen = np.flatnonzero(is_concerned[self.workload.itinerary] & self.is_measured)
        from_at = self.milestone(promise.from_, chosen)
        to_at = self.milestone(promise.to, chosen)
        is_lost = self.outcome.lost_at[chosen] != NEVER
        if promise.per == "batch":
            batch = self.batches(chosen)
            order = np.argsort(batch)
            first = np.flatnonzero(np.diff(batch[order], prepend=-1))
            from_at = np.minimum.reduceat(from_at[order], first)
            to_at = np.maximum.reduceat(to_at[order], first)
            is_lost = np.logical_or.reduceat(is_lost[order], first)
        has_time = (from_at != NEVER) & ~is_lost
        return from_at[has_time], to_at[has_time], int(np.count_nonzero(is_lost))

    def batches(self, cases: IntArray) -> IntArray:
        """For each of these cases a number that those who came with it share."""
        workload = self.workload
        batch = workload.batch[cases] * len(self.plan.case_types) + workload.case_type[cases]
        return np.where(workload.batch[cases] == NONE, cases, workload.num_cases + batch)

    def milestone(self, name: str, cases: IntArray) -> IntArray:
        """When each of these cases passed a milestone."""
        if name == ARRIVED:
            return self.workload.arrived_at[cases]
        if name == DEPARTED:
            return self.outcome.departed_at[cases]
        return self.places.milestone_at(self.plan.milestones.index(name), self.outcome, cases)

    # -- pools and channels -----------------------------------------------------------------------

    def pools(self) -> dict[str, list[object]]:
        """The metrics of pools, and of what channels wait."""
        plan, tally = self.plan, self.tally
        load = PoolLoad.of(plan, tally)
        bounds = itertools.pairwise(tally.waits_begin.tolist())
        waits = [tally.waits[begin:end] for begin, end in bounds]
        is_measured = self.unserved.end >= plan.measured_from_at
        left = {
            metric: self.unserved.pool[(self.unserved.kind == kind) & is_measured]
            for metric, kind in (("turned_away", Kind.TURN_AWAY), ("reneged", Kind.RENEGE))
        }
        overtime = tally.overtime / (HOUR * max(self.num_working_days, 1))
        for index, pool in enumerate(plan.pools):
            self.waiting(pool.name, waits[index])
            self.values["utilisation", pool.name] = load.utilisation(index)
            self.values["queue_length_mean", pool.name] = load.queue_length_mean(index)
            self.values["queue_length_max", pool.name] = load.queue_length_max(index)
            self.values["overtime_hours", pool.name] = float(overtime[index])
            for metric, pools in left.items():
                self.values[metric, pool.name] = float(np.count_nonzero(pools == index))
                self.values[metric, HALL] = float(len(pools))
        self.values["overtime_hours", HALL] = float(overtime.sum())
        for number, channel in enumerate(channels(plan)[0], start=len(plan.pools)):
            self.waiting(channel, waits[number])
        return load.by_half_hour() if plan.pools else {}

    def waiting(self, subject: str, lasted: IntArray) -> None:
        """The metrics of waiting times (s) of a subject."""
        self.values["waiting_time_mean", subject] = _mean(lasted) / MINUTE
        self.values["waiting_time_p90", subject] = _quantile(lasted, 0.9) / MINUTE
        for minutes in (10, 15, 30):
            share = _share(lasted > minutes * MINUTE)
            self.values[f"waiting_over_{minutes}_min", subject] = share

    # -- cases ------------------------------------------------------------------------------------

    def case_types(self) -> dict[str, list[object]]:
        outcome, workload, places = self.outcome, self.workload, self.places
        num_itineraries = len(workload.itineraries)

        def count(is_counted: BoolArray) -> IntArray:
            return np.bincount(workload.itinerary[is_counted], minlength=num_itineraries)

        is_finished, is_lost = outcome.departed_at != NEVER, outcome.lost_at != NEVER
        finished = np.flatnonzero(is_finished & self.is_measured)
        visits = outcome.visits[finished]
        most = int(visits.max(initial=0)) + 1
        by_visits = np.bincount(
            workload.itinerary[finished] * most + visits, minlength=num_itineraries * most
        ).reshape(-1, most)
        # Who is finished has done everything that their itinerary has.
        num_finished = by_visits.sum(axis=1)
        by_itinerary = (
            count(self.is_measured),
            count(is_finished & (outcome.departed_at >= self.plan.measured_from_at)),
            count(is_lost & self.is_measured),
            count(is_lost & (outcome.lost_at >= self.plan.measured_from_at)),
            num_finished * (places.total(places.repeats) == 0),
            num_finished * places.total(places.documents),
            *by_visits.T,
        )
        # One row for the hall, then one for each case type.
        names = [case_type.name for case_type in self.plan.case_types]
        subjects = [HALL, *dict.fromkeys(names)]
        row_of_type = np.array([subjects.index(name) for name in names])
        rows = np.zeros((len(subjects), len(by_itinerary)), dtype=np.int64)
        np.add.at(rows, row_of_type[places.case_type], np.stack(by_itinerary, axis=1))
        if self.plan.has_versions:
            case, place = places.of_steps(passed_over(outcome))
            counts = is_finished[case] & self.is_measured[case]
            row = row_of_type[workload.case_type[case[counts]]]
            np.subtract.at(rows[:, DOCUMENTS], row, places.documents[place[counts]])
        rows[0] = rows.sum(axis=0)
        table: dict[str, list[object]] = {"case_type": [], "visits": [], "share": []}
        for subject, row in zip(subjects, rows.tolist(), strict=True):
            shares = self.cohort(subject, *row)
            if subject != HALL:
                table["case_type"] += [subject] * len(shares)
                table["visits"] += list(range(len(shares)))
                table["share"] += shares
        return table

    def cohort(
        self,
        subject: str,
        arrived: int,
        departed: int,
        lost: int,
        gone: int,
        first_pass: int,
        documents: int,
        *by_visits: int,
    ) -> list[float]:
        """The metrics of a group of cases; gives the share finished with each number of visits.

        departed, gone  done and lost in the measured part, whenever they came; all else is of those
                        who came in it.
        by_visits       how many are finished with no visit, with one, ...; of them is what comes
                        before.
        """
        finished = sum(by_visits)

        def per_finished(amount: int) -> float:
            return amount / finished if finished else float("nan")

        median = bisect_right(list(accumulate(by_visits)), _rank(finished, 0.5))
        self.values |= {
            ("throughput_per_day", subject): departed / max(self.num_working_days, 1),
            ("arrivals", subject): float(arrived),
            ("finished", subject): float(finished),
            ("lost", subject): float(lost),
            ("in_progress", subject): float(arrived - finished - lost),
            ("backlog_growth", subject): (arrived - departed - gone) / self.num_working_days
            if self.num_working_days
            else float("nan"),
            ("visits_mean", subject): per_finished(sum(n * c for n, c in enumerate(by_visits))),
            ("visits_median", subject): float(median) if finished else float("nan"),
            ("no_visit_share", subject): per_finished(by_visits[0]),
            ("one_visit_share", subject): per_finished(sum(by_visits[1:2])),
            ("more_visits_share", subject): per_finished(sum(by_visits[2:])),
            ("first_pass_share", subject): per_finished(first_pass),
            ("documents_mean", subject): per_finished(documents),
        }
        most = max((visits for visits, number in enumerate(by_visits) if number), default=-1)
        return [per_finished(number) for number in by_visits[: most + 1]]


@kept_by_plan
def _open_time(plan: Plan) -> StepFunction:
    """1 in working hours, else 0."""
    return plan.working_hours.step_function()


def _mean(values: np.ndarray) -> float:
    return float(values.sum()) / len(values) if len(values) else float("nan")


def _share(chosen: BoolArray) -> float:
    return float(np.count_nonzero(chosen)) / len(chosen) if len(chosen) else float("nan")


def _quantile(values: np.ndarray, share: float) -> float:
    rank = _rank(len(values), share)
    return float(np.partition(values, rank)[rank]) if len(values) else float("nan")


def _rank(count: int, share: float) -> int:
    """Which of so many values in order, from 0, is the first with this share of them up to it."""
    return max(math.ceil(count * share - 1), 0)
