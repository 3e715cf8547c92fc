"""From one log, one replication's metrics: names and definitions are in `metric_definitions`.

`measure` gives values by metric and subject, and three tables: the distribution of each time that
a promise names, the hall by half-hour of the day, and visits per case. All of it follows from the
event log; nothing is counted while the engine runs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.durations import Clock
from sim.event_log import (
    CaseTable,
    EventLog,
    Kind,
    StepTable,
    case_table,
    pool_of_server,
    shift_of_server,
    step_table,
)
from sim.lifetimes import Lifetimes
from sim.metric_definitions import CHANNEL, HALL, LEAD_TIME_UNITS, lead_time_limit
from sim.plan import NONE, Plan
from sim.pool_load import PoolLoad
from sim.scenario import ARRIVED, DEPARTED, Promise
from sim.timeline import DAY, HOUR, MINUTE, NEVER, BoolArray, IntArray
from sim.workload import Workload

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


def measure(plan: Plan, workload: Workload, log: EventLog) -> Measures:
    """Every metric of one replication."""
    return _Measuring(plan, workload, log).measures()


class _Measuring:
    """One log with the tables that several metrics need."""

    def __init__(self, plan: Plan, workload: Workload, log: EventLog) -> None:
        self.plan = plan
        self.workload = workload
        self.log = log
        self.steps: StepTable = step_table(workload, log)
        self.cases: CaseTable = case_table(plan, workload, log, self.steps)
        self.is_measured: BoolArray = workload.arrived_at >= plan.measured_from_at
        self.num_working_days = int((plan.days.dates * DAY >= plan.measured_from_at).sum())
        self.values: dict[tuple[str, str], float] = {}

    def measures(self) -> Measures:
        lead_times = self.promises()
        half_hours = self.pools()
        self.channels()
        visits = self.case_types()
        return Measures(self.values, lead_times, half_hours, visits)

    # -- times between milestones -----------------------------------------------------------------

    def promises(self) -> dict[str, list[object]]:
        columns = ("time", "unit", "lead_time", "share")
        table: dict[str, list[object]] = {column: [] for column in columns}
        for name, promise in self.plan.scenario.promises.items():
            from_at, to_at = self.clock_times(promise)
            is_complete = to_at != NEVER
            until = np.where(is_complete, to_at, self.plan.end_at - 1)
            by_clock = {
                Clock.WORKING_DAYS: self.plan.days.count(from_at, until),
                Clock.CLOCK_TIME: until - from_at,
                Clock.WORKING_TIME: self.plan.working_hours.working_time_between(from_at, until),
            }
            for prefix, clock in (
                ("working_days", Clock.WORKING_DAYS),
                ("elapsed_hours", Clock.CLOCK_TIME),
                ("working_hours", Clock.WORKING_TIME),
            ):
                distribution = Lifetimes(by_clock[clock] / LEAD_TIME_UNITS[clock][1], is_complete)
                self.values[f"{prefix}_mean", name] = distribution.mean()
                for statistic, share in (("median", 0.5), ("p90", 0.9), ("p95", 0.95)):
                    self.values[f"{prefix}_{statistic}", name] = distribution.quantile(share)
            unit, per_unit = LEAD_TIME_UNITS[promise.within.clock]
            limit = lead_time_limit(promise.within)
            on_clock = Lifetimes(by_clock[promise.within.clock] / per_unit, is_complete)
            self.values["on_time_share", name] = on_clock.share_within(limit)
            self.values["unfinished_share", name] = _mean(~is_complete)
            lead_times, shares = on_clock.steps(MOST_LEAD_TIMES, limit)
            table["time"] += [name] * len(shares)
            table["unit"] += [unit] * len(shares)
            table["lead_time"] += lead_times.tolist()
            table["share"] += shares.tolist()
        return table

    def clock_times(self, promise: Promise) -> tuple[IntArray, IntArray]:
        """When the clock of a promise starts and stops (or NEVER), for each case or batch.

        Only cases whose itinerary passes both milestones have business with the promise. Who is
        lost has no time, and a batch that has lost somebody is never done.
        """
        names = list(self.plan.scenario.case_types)
        of_type = np.isin(self.workload.case_type, [names.index(n) for n in promise.case_types])
        concerned = of_type & self.is_measured
        concerned &= self.has_milestone(promise.from_) & self.has_milestone(promise.to)
        unit = self.batches() if promise.per == "batch" else np.arange(len(concerned))
        concerned &= ~np.isin(unit, unit[concerned & self.cases.is_lost])
        chosen = np.flatnonzero(concerned)
        _, group = np.unique(unit[chosen], return_inverse=True)
        from_at = np.full(group.max(initial=-1) + 1, NEVER, dtype=np.int64)
        to_at = np.zeros(len(from_at), dtype=np.int64)
        np.minimum.at(from_at, group, self.milestone(promise.from_)[chosen])
        np.maximum.at(to_at, group, self.milestone(promise.to)[chosen])
        has_begun = from_at != NEVER
        return from_at[has_begun], to_at[has_begun]

    def batches(self) -> IntArray:
        """For each case a number that those who came with it share."""
        workload = self.workload
        alone = np.arange(workload.num_cases)
        batch = len(alone) + workload.batch * len(self.plan.case_types) + workload.case_type
        return np.where(workload.batch == NONE, alone, batch)

    def has_milestone(self, name: str) -> BoolArray:
        """Whether each case will pass a milestone, if nothing keeps it."""
        if name in (ARRIVED, DEPARTED):
            return np.ones(self.workload.num_cases, dtype=bool)
        wanted = self.plan.milestones.index(name)
        marks = np.array([activity.milestone == wanted for activity in self.plan.activities])
        result = np.zeros(self.workload.num_cases, dtype=bool)
        result[self.workload.step_case[marks[self.workload.step_activity]]] = True
        return result

    def milestone(self, name: str) -> IntArray:
        if name == ARRIVED:
            return self.cases.arrived_at
        if name == DEPARTED:
            return self.cases.departed_at
        milestone: IntArray = self.cases.milestones[:, self.plan.milestones.index(name)]
        return milestone

    # -- pools and channels -----------------------------------------------------------------------

    def pools(self) -> dict[str, list[object]]:
        table: dict[str, list[object]] = {}
        waits = self.waits
        services = self.services()
        hall_overtime = 0.0
        unserved = {
            "turned_away": self.count_by_pool(Kind.TURN_AWAY),
            "reneged": self.count_by_pool(Kind.RENEGE),
        }
        for index, pool in enumerate(self.plan.pools):
            mine = waits.pool == index
            self.waiting(pool.name, waits.lasted[mine & waits.is_served & waits.is_measured])
            served = services.pool == index
            load = PoolLoad.of(
                self.plan,
                index,
                (services.begin[served], services.end[served], services.shift[served]),
                (waits.begin[mine], waits.end[mine]),
            )
            self.values["utilisation", pool.name] = load.utilisation()
            self.values["queue_length_mean", pool.name] = load.queue_length_mean()
            self.values["queue_length_max", pool.name] = load.queue_length_max()
            overtime = load.overtime / HOUR / max(self.num_working_days, 1)
            self.values["overtime_hours", pool.name] = overtime
            hall_overtime += overtime
            for metric, by_pool in unserved.items():
                self.values[metric, pool.name] = float(by_pool[index])
                self.values[metric, HALL] = float(by_pool.sum())
            here = mine & waits.is_served & waits.is_measured
            for column, entries in load.by_half_hour(waits.begin[here], waits.lasted[here]).items():
                table.setdefault(column, []).extend(entries)
        self.values["overtime_hours", HALL] = hall_overtime
        return table

    def count_by_pool(self, kind: Kind) -> IntArray:
        """How many events of a kind the measured part has at each pool."""
        events = self.log.of_kind(kind)
        events = events[self.log.at[events] >= self.plan.measured_from_at]
        return np.bincount(self.log.pool[events], minlength=len(self.plan.pools))

    @functools.cached_property
    def waits(self) -> _Waits:
        """Every attempt to be served: when it began, and when it ended if it did."""
        log, plan = self.log, self.plan
        begins = log.of_kind(Kind.ENQUEUE)
        ends = log.of_kind(Kind.START, Kind.RENEGE, Kind.TURN_AWAY)
        ends = ends[log.pool[ends] != NONE]
        step = self.workload.first_step[log.case] + log.place
        # Attempts at a step follow each other: the n-th beginning belongs to the n-th end.
        begins = begins[np.argsort(step[begins], kind="stable")]
        ends = ends[np.argsort(step[ends], kind="stable")]
        num_ends = np.bincount(step[ends], minlength=self.workload.num_steps)
        rank = np.arange(len(begins)) - np.searchsorted(step[begins], step[begins])
        has_ended = rank < num_ends[step[begins]]
        end_at = np.full(len(begins), plan.end_at, dtype=np.int64)
        # What a lost case waits for elsewhere is given up when it leaves.
        lost_at = np.minimum(self.cases.lost_at[log.case[begins]], plan.end_at)
        end_at[~has_ended] = lost_at[~has_ended]
        end_at[has_ended] = log.at[ends]
        is_served = np.zeros(len(begins), dtype=bool)
        is_served[has_ended] = log.kind[ends] == Kind.START
        pool = log.pool[begins].copy()
        pool[has_ended] = log.pool[ends]
        return _Waits(
            case=log.case[begins],
            pool=pool,
            begin=log.at[begins],
            end=end_at,
            is_served=is_served,
            is_measured=log.at[begins] >= plan.measured_from_at,
        )

    def services(self) -> _Services:
        """Every service: when it began and ended, at the latest with the horizon."""
        begun = np.flatnonzero(self.steps.server != NONE)
        server = self.steps.server[begun]
        return _Services(
            pool=pool_of_server(self.plan)[server],
            shift=shift_of_server(self.plan)[server],
            begin=self.steps.started_at[begun],
            end=np.minimum(self.steps.completed_at[begun], self.plan.end_at),
        )

    def waiting(self, subject: str, lasted: IntArray) -> None:
        """The metrics of waiting times (s) of a subject."""
        self.values["waiting_time_mean", subject] = _mean(lasted) / MINUTE
        self.values["waiting_time_p90", subject] = _quantile(lasted, 0.9) / MINUTE
        for minutes in (10, 15, 30):
            share = _mean(lasted > minutes * MINUTE)
            self.values[f"waiting_over_{minutes}_min", subject] = share

    def channels(self) -> None:
        waits = self.waits
        channels: dict[str, list[IntArray]] = {}
        for index, case_type in enumerate(self.plan.case_types):
            for column, (attribute, names, _) in enumerate(case_type.attributes):
                if attribute == CHANNEL:
                    for value, name in enumerate(names):
                        cases = (self.workload.case_type == index) & (
                            self.workload.attributes[:, column] == value
                        )
                        chosen = cases[waits.case] & waits.is_served & waits.is_measured
                        channels.setdefault(name, []).append(waits.lasted[chosen])
        for name, parts in channels.items():
            self.waiting(name, np.concatenate(parts))

    # -- cases ------------------------------------------------------------------------------------

    def case_types(self) -> dict[str, list[object]]:
        table: dict[str, list[object]] = {"case_type": [], "visits": [], "share": []}
        subjects = [(HALL, np.ones(self.workload.num_cases, dtype=bool))] + [
            (case_type.name, self.workload.case_type == index)
            for index, case_type in enumerate(self.plan.case_types)
        ]
        for subject, belongs in subjects:
            visits = self.cohort(subject, belongs)
            if subject != HALL and len(visits):
                shares = np.bincount(visits) / len(visits)
                table["case_type"] += [subject] * len(shares)
                table["visits"] += list(range(len(shares)))
                table["share"] += shares.tolist()
        return table

    def cohort(self, subject: str, belongs: BoolArray) -> IntArray:
        """The metrics of a group of cases; gives the visits of each that is finished."""
        cases, values = self.cases, self.values
        measured = belongs & self.is_measured
        finished = measured & cases.is_finished
        lost = measured & cases.is_lost
        departed_at = cases.departed_at[belongs]
        departed = (departed_at >= self.plan.measured_from_at) & (departed_at != NEVER)
        values["throughput_per_day", subject] = departed.sum() / max(self.num_working_days, 1)
        values["arrivals", subject] = float(measured.sum())
        values["finished", subject] = float(finished.sum())
        values["lost", subject] = float(lost.sum())
        values["in_progress", subject] = float((measured & ~finished & ~lost).sum())
        visits: IntArray = cases.visits[finished]
        values["visits_mean", subject] = _mean(visits)
        values["visits_median", subject] = _quantile(visits, 0.5)
        values["no_visit_share", subject] = _mean(visits == 0)
        values["one_visit_share", subject] = _mean(visits == 1)
        values["more_visits_share", subject] = _mean(visits > 1)
        values["first_pass_share", subject] = _mean(cases.is_first_pass[finished])
        values["documents_mean", subject] = _mean(cases.documents[finished])
        return visits


@dataclass(frozen=True, eq=False)
class _Waits:
    """Attempts to be served, one entry each."""

    case: IntArray
    pool: IntArray
    """That served, or the first choice of who was not."""
    begin: IntArray
    end: IntArray
    is_served: BoolArray
    is_measured: BoolArray

    @property
    def lasted(self) -> IntArray:
        """How long each waited."""
        lasted: IntArray = self.end - self.begin
        return lasted


@dataclass(frozen=True, eq=False)
class _Services:
    """Services, one entry each."""

    pool: IntArray
    shift: IntArray
    begin: IntArray
    end: IntArray


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else float("nan")
