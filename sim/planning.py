"""From a scenario to a plan: names become indices; hours, gates, trips and rates become tables."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import math
from typing import Final

import numpy as np

from sim import distributions as laws
from sim.calendars import (
    HoursRule,
    Sessions,
    open_sessions,
    shift_working_days,
    working_day_mask,
    working_days,
)
from sim.durations import Clock, Duration, parse_time_of_day
from sim.errors import CalendarError
from sim.fields import WEEKDAYS
from sim.itinerary import PassCondition, Process, make_process
from sim.plan import (
    CELLS,
    NONE,
    CumulativeRate,
    GateTable,
    Plan,
    PlannedActivity,
    PlannedArrivals,
    PlannedCaseType,
    PlannedPool,
    PlannedShift,
    TripTable,
)
from sim.scenario import (
    PASS,
    Arrivals,
    CaseType,
    DateList,
    Gate,
    Pool,
    Profile,
    Scenario,
    Trip,
)
from sim.time_laws import TimeLaw
from sim.timeline import DAY, HOUR, NEVER, IntArray, read_only

LONGEST_HOLIDAY: Final = 31
"""Days off in a row, at most, that a gate looks back over."""


def horizon_dates(scenario: Scenario) -> tuple[dt.date, dt.date, dt.date]:
    """First simulated, first measured and last day; raises CalendarError beyond the calendar."""
    calendar = _calendar(scenario)
    horizon = scenario.horizon
    first, last, begin = horizon.from_, horizon.to, horizon.warm_up
    if isinstance(last, Duration):
        last = shift_working_days(calendar, first, int(last.amount) - 1)
    if isinstance(begin, Duration):
        begin = shift_working_days(calendar, first, -int(begin.amount)) if begin.amount else first
    return begin or first, first, last


def compile_plan(scenario: Scenario) -> Plan:
    """The plan of a validated scenario.

    Raises CalendarError if the horizon lies outside the calendar.
    """
    return _Compiler(scenario).plan()


def _calendar(scenario: Scenario) -> str | tuple[dt.date, ...]:
    calendar = scenario.calendar
    return calendar.dates if isinstance(calendar, DateList) else calendar


class _Compiler:
    """Gives every name its index while a plan is made."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.origin, self.first, self.last = horizon_dates(scenario)
        self.days = working_days(_calendar(scenario), self.origin, self.last)
        self.end_at = len(self.days.mask) * DAY
        self.hours = {
            name: open_sessions(
                [
                    HoursRule(
                        rule.sessions,
                        frozenset(map(WEEKDAYS.index, rule.weekdays)) if rule.weekdays else None,
                        rule.from_,
                        rule.to,
                    )
                    for rule in rules
                ],
                self.days,
            )
            for name, rules in scenario.hours.items()
        }
        self.pool_index = {name: i for i, name in enumerate(scenario.pools)}
        self.trip_index = {name: i for i, name in enumerate(scenario.trips)}
        self.queues: dict[tuple[int, ...], int] = {}
        self.gates: list[GateTable] = []
        self.milestones: dict[str, int] = {}
        self.activities: list[PlannedActivity] = []

    def plan(self) -> Plan:
        shifts: list[PlannedShift] = []
        pools = []
        for name, pool in self.scenario.pools.items():
            pools.append(self.pool(name, pool, shifts))
        case_types = tuple(
            self.case_type(index, name, case_type)
            for index, (name, case_type) in enumerate(self.scenario.case_types.items())
        )
        return Plan(
            scenario=self.scenario,
            origin=self.origin,
            measured_from_at=(self.first - self.origin).days * DAY,
            end_at=self.end_at,
            days=self.days,
            working_hours=self.sessions(None),
            hours=self.hours,
            case_types=case_types,
            activities=tuple(self.activities),
            milestones=tuple(self.milestones),
            gates=tuple(self.gates),
            trips=tuple(self.trip(trip) for trip in self.scenario.trips.values()),
            pools=tuple(pools),
            shifts=tuple(shifts),
            queues=tuple(self.queues),
            num_servers=sum(shift.servers for shift in shifts),
        )

    def sessions(self, hours: str | None) -> Sessions:
        return self.hours[hours or self.scenario.working_hours]

    def pool(self, name: str, pool: Pool, shifts: list[PlannedShift]) -> PlannedPool:
        first = len(shifts)
        for shift_name, shift in pool.shifts.items():
            first_server = shifts[-1].first_server + shifts[-1].servers if shifts else 0
            shifts.append(
                PlannedShift(
                    shift_name,
                    self.pool_index[name],
                    shift.servers,
                    first_server,
                    self.sessions(shift.hours),
                )
            )
        return PlannedPool(
            name=name,
            shifts=tuple(range(first, len(shifts))),
            pauses=pool.at_shift_end == "pause",
            at_closing=pool.at_closing,
            room=pool.room,
        )

    def case_type(self, index: int, name: str, case_type: CaseType) -> PlannedCaseType:
        attributes = tuple(
            (attribute, tuple(shares), np.array(list(shares.values())))
            for attribute, shares in case_type.attributes.items()
        )
        position = {attribute: i for i, (attribute, _, _) in enumerate(attributes)}
        value_index = {
            attribute: {value: i for i, value in enumerate(values)}
            for attribute, values, _ in attributes
        }
        first_activity = len(self.activities)
        passes: list[PassCondition] = []
        conditions = []
        for activity_name, activity in case_type.activities.items():
            wanted = activity.when.get(PASS)
            passes.append(wanted[0] if wanted else None)  # type: ignore[arg-type]
            conditions.append(
                tuple(
                    (position[key], frozenset(value_index[key][value] for value in values))
                    for key, values in activity.when.items()
                    if key != PASS
                )
            )
            self.activities.append(
                PlannedActivity(
                    name=activity_name,
                    case_type=index,
                    queue=self.queue(activity.pool),
                    gate=self.gate(activity.gate),
                    trip=self.trip_index[activity.trip] if activity.trip else NONE,
                    service=law_of(activity.service),
                    delay=law_of(activity.delay),
                    delay_clock=activity.delay.clock if activity.delay else Clock.CLOCK_TIME,
                    patience=law_of(activity.patience),
                    is_lost_if_not_served=activity.if_not_served == "lost",
                    again=activity.again.probability if activity.again else 0.0,
                    milestone=(
                        self.milestones.setdefault(activity.milestone, len(self.milestones))
                        if activity.milestone
                        else NONE
                    ),
                    documents=activity.documents,
                    priority=activity.priority,
                )
            )
        if isinstance(case_type.priority, dict):
            [(attribute, by_value)] = case_type.priority.items()
            priority_attribute = position[attribute]
            priorities = tuple(by_value[value] for value in value_index[attribute])
        else:
            priority_attribute, priorities = NONE, (case_type.priority,)
        return PlannedCaseType(
            name=name,
            first_activity=first_activity,
            process=process_of(case_type, self.trip_index),
            arrivals=self.arrivals(case_type.arrivals, position, value_index),
            attributes=attributes,
            conditions=tuple(conditions),
            priority_attribute=priority_attribute,
            priorities=priorities,
        )

    def queue(self, pools: tuple[str, ...]) -> int:
        if not pools:
            return NONE
        key = tuple(self.pool_index[pool] for pool in pools)
        return self.queues.setdefault(key, len(self.queues))

    def gate(self, gate: Gate | None) -> int:
        if gate is None:
            return NONE
        self.gates.append(self.gate_table(gate))
        return len(self.gates) - 1

    def gate_table(self, gate: Gate) -> GateTable:
        if gate.open is not None:
            sessions = self.sessions(gate.open)
            return GateTable(read_only(sessions.ends - 1), sessions.starts)
        assert gate.at is not None
        if gate.dates is not None:
            days = np.array([(date - self.origin).days for date in gate.dates], dtype=np.int64)
            days = days[(days >= 0) & (days < len(self.days.mask))]
        elif gate.weekdays is not None:
            wanted = [WEEKDAYS.index(day) for day in gate.weekdays]
            # A day off before the origin may have moved to the first working day.
            days = np.arange(-self.days_off_before, len(self.days.mask))
            days = days[np.isin((days + self.origin.weekday()) % 7, wanted)]
            # What falls on a day off happens on the next working day.
            following = np.searchsorted(self.days.dates, days)
            days = self.days.dates[following[following < len(self.days.dates)]]
        else:
            days = self.days.dates
        latest = np.unique(days[:, None] * DAY + np.array(gate.at))
        if gate.resumes == "at once":
            return GateTable(read_only(latest), read_only(latest))
        starts = self.sessions(None).starts
        following = np.searchsorted(starts, latest, side="right")
        latest, following = latest[following < len(starts)], following[following < len(starts)]
        return GateTable(read_only(latest), read_only(starts[following]))

    @functools.cached_property
    def days_off_before(self) -> int:
        """How many days off there are just before the origin, as far as the calendar knows."""
        count = 0
        calendar = _calendar(self.scenario)
        while count < LONGEST_HOLIDAY:
            day = self.origin - dt.timedelta(days=count + 1)
            try:
                if working_day_mask(calendar, day, day)[0]:
                    break
            except CalendarError:
                break
            count += 1
        return count

    def trip(self, trip: Trip) -> TripTable:
        starts, ends = _cut_at_midnight(self.sessions(trip.hours))
        profile = self.scenario.profiles[trip.profile] if trip.profile else None
        shapes = np.stack([starts % DAY, ends - starts], axis=1)
        distinct, shape_of_session = np.unique(shapes, axis=0, return_inverse=True)
        offsets = np.array(
            [_offsets(profile, int(opens), int(length)) for opens, length in distinct],
            dtype=np.int64,
        ).reshape(len(distinct), CELLS)
        offsets.setflags(write=False)
        middles = (np.arange(CELLS) + 0.5) / CELLS
        if trip.comes >= 1:
            skipped = np.zeros(CELLS, dtype=np.int64)
        else:
            skipped = np.floor(np.log1p(-middles) / math.log1p(-trip.comes)).astype(np.int64)
        return TripTable(
            read_only(starts), read_only(shape_of_session.ravel()), offsets, read_only(skipped)
        )

    def arrivals(
        self,
        arrivals: Arrivals,
        position: dict[str, int],
        value_index: dict[str, dict[str, int]],
    ) -> PlannedArrivals:
        rates: tuple[CumulativeRate, ...] = ()
        by_attribute = NONE
        instants = read_only([])
        recorded: dict[int, IntArray] = {}
        if arrivals.per_hour is not None:
            sessions = self.sessions(arrivals.hours)
            hours = (sessions.ends - sessions.starts) / HOUR
            rates = (_rate(sessions.starts, sessions.ends, arrivals.per_hour * hours),)
        elif arrivals.per_working_day is not None:
            if isinstance(arrivals.profile, dict):
                [(attribute, by_value)] = arrivals.profile.items()
                by_attribute = position[attribute]
                names = [by_value[value] for value in value_index[attribute]]
            else:
                assert arrivals.profile is not None
                names = [arrivals.profile]
            rates = tuple(
                self.profile_rate(self.scenario.profiles[name], arrivals.per_working_day)
                for name in names
            )
        elif arrivals.every is not None and arrivals.at is not None:
            # Counted from the first measured day, so that the warm-up moves nothing.
            every = int(arrivals.every.amount)
            first = int(np.searchsorted(self.days.dates, (self.first - self.origin).days))
            dates = self.days.dates[first % every :: every]
            instants = dates * DAY + arrivals.at
            instants = read_only(instants[instants < self.end_at])
        elif isinstance(arrivals.recorded, dict):
            instants, recorded = self.record(arrivals.recorded, position, value_index)
        batch = arrivals.batch if isinstance(arrivals.batch, dict) else {str(arrivals.batch): 1.0}
        return PlannedArrivals(
            rates=rates,
            by_attribute=by_attribute,
            instants=instants,
            recorded_attributes=recorded,
            batch_sizes=read_only([int(size) for size in batch]),
            batch_shares=np.array(list(batch.values())),
        )

    def profile_rate(self, profile: Profile, per_working_day: float) -> CumulativeRate:
        if profile.every_day:
            days = np.arange(len(self.days.mask))
            per_day = per_working_day * len(self.days.dates) / max(len(days), 1)
        else:
            days, per_day = self.days.dates, per_working_day
        weights_of_week = np.array([profile.weekdays.get(day, 1.0) for day in WEEKDAYS])
        usual = weights_of_week[self.usual_weekdays(profile)].mean()
        day_weights = weights_of_week[(days + self.origin.weekday()) % 7]
        by_day = per_day * day_weights / (usual or 1.0)
        times = np.array([parse_time_of_day(text) for text in profile.half_hours])
        weights = np.array(list(profile.half_hours.values()))
        order = np.argsort(times)
        times, shares = times[order], weights[order] / weights.sum()
        starts = (days[:, None] * DAY + times).ravel()
        return _rate(starts, starts + HOUR // 2, (by_day[:, None] * shares).ravel())

    def usual_weekdays(self, profile: Profile) -> list[int]:
        """The days of the week over which a rate for working days is the mean."""
        calendar = _calendar(self.scenario)
        if profile.every_day or calendar == "always":
            return list(range(7))
        if isinstance(calendar, str):
            return list(range(5))  # make-up days are too few to count
        return sorted({date.weekday() for date in calendar})

    def record(
        self,
        columns: dict[str, tuple[str, ...]],
        position: dict[str, int],
        value_index: dict[str, dict[str, int]],
    ) -> tuple[IntArray, dict[int, IntArray]]:
        midnight = dt.datetime.combine(self.origin, dt.time())
        seconds = [
            round((dt.datetime.fromisoformat(text) - midnight).total_seconds())
            for text in columns["arrived_at"]
        ]
        at = np.array(seconds, dtype=np.int64)
        # Rows outside the horizon stay: the n-th row has the n-th draws in every horizon.
        order = np.argsort(at, kind="stable")
        at = np.where((at >= 0) & (at < self.end_at), at, NEVER)[order]
        attributes = {
            position[name]: read_only(
                np.array([value_index[name][value] for value in values], dtype=np.int64)[order]
            )
            for name, values in columns.items()
            if name != "arrived_at"
        }
        return read_only(at), attributes


def process_of(case_type: CaseType, trip_index: dict[str, int]) -> Process:
    """The precedence graph of a case type, activities numbered as they stand in the file.

    Raises LoopError for a loop without meaning.
    """
    numbers = {activity: i for i, activity in enumerate(case_type.activities)}
    activities = case_type.activities.values()
    return make_process(
        after=[[numbers[before] for before in activity.after] for activity in activities],
        again={
            i: [numbers[begin] for begin in activity.again.from_] or [i]
            for i, activity in enumerate(activities)
            if activity.again is not None
        },
        trips=[trip_index[activity.trip] if activity.trip else NONE for activity in activities],
        passes=[
            activity.when[PASS][0] if PASS in activity.when else None  # type: ignore[misc]
            for activity in activities
        ],
    )


def law_of(law: TimeLaw | None) -> laws.Distribution | None:
    """The distribution that a scenario's time law names, in seconds (or in working days)."""
    if law is None:
        return None
    if law.constant is not None:
        return laws.Constant(_amount(law.constant))
    if law.uniform is not None:
        return laws.Uniform(_amount(law.uniform.low), _amount(law.uniform.high))
    if law.triangular is not None:
        t = law.triangular
        return laws.Triangular(_amount(t.low), _amount(t.mode), _amount(t.high))
    if law.exponential is not None:
        return laws.Exponential(_amount(law.exponential.mean))
    if law.erlang is not None:
        return laws.Erlang(_amount(law.erlang.mean), law.erlang.phases)
    if law.gamma is not None:
        return laws.Gamma(_amount(law.gamma.mean), law.gamma.shape)
    if law.lognormal is not None:
        return laws.LogNormal(_amount(law.lognormal.mean), law.lognormal.cv)
    if law.weibull is not None:
        return laws.Weibull(_amount(law.weibull.mean), law.weibull.shape)
    assert law.empirical is not None
    return laws.Empirical(tuple(_amount(value) for value in law.empirical.values))


def _amount(duration: Duration) -> float:
    return duration.amount if duration.clock is Clock.WORKING_DAYS else duration.seconds


def _cut_at_midnight(sessions: Sessions) -> tuple[IntArray, IntArray]:
    """Starts and ends of the sessions of each day, so that hours that never close have some."""
    midnights = np.arange(0, sessions.ends.max(initial=0), DAY)
    cuts = midnights[sessions.is_open(midnights) & ~np.isin(midnights, sessions.starts)]
    return (
        np.sort(np.concatenate((sessions.starts, cuts))),
        np.sort(np.concatenate((sessions.ends, cuts))),
    )


def _rate(starts: np.ndarray, ends: np.ndarray, expected: np.ndarray) -> CumulativeRate:
    used = expected > 0
    return CumulativeRate(
        read_only(starts[used]),
        read_only(ends[used]),
        np.concatenate(([0.0], np.cumsum(expected[used]))),
    )


def _offsets(profile: Profile | None, opens: int, length: int) -> IntArray:
    """Quantiles of the time within a session, at the middles of CELLS equal parts."""
    middles = (np.arange(CELLS) + 0.5) / CELLS
    if profile is not None:
        pieces = [
            (max(time, opens), min(time + HOUR // 2, opens + length), weight)
            for text, weight in profile.half_hours.items()
            if (time := parse_time_of_day(text)) < opens + length and time + HOUR // 2 > opens
        ]
        pieces = sorted(piece for piece in pieces if piece[2] > 0)
        if pieces:
            masses = [(end - start) * weight for start, end, weight in pieces]
            cumulative = np.array(list(itertools.accumulate(masses, initial=0.0)))
            expected = middles * cumulative[-1]
            piece = np.searchsorted(cumulative, expected, side="right") - 1
            starts = np.array([start for start, _, _ in pieces])
            weights = np.array([weight for _, _, weight in pieces])
            within = (expected - cumulative[piece]) / weights[piece]
            return read_only((starts[piece] - opens + within).astype(np.int64))
    return read_only((middles * length).astype(np.int64))
