"""When things happen, as tables: hours, gates, trips and rates over the days of a horizon.

What of them changes at a reform changes on its day: each table has, day by day, what holds then.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from sim.activities import Gate, Trip
from sim.calendars import (
    HoursRule,
    Sessions,
    open_sessions,
    shift_working_days,
    working_day_mask,
    working_days,
)
from sim.durations import Duration, parse_time_of_day
from sim.errors import CalendarError
from sim.fields import WEEKDAYS, Hours
from sim.plan import CELLS, CumulativeRate, GateTable, TripTable
from sim.scenario import DateList, Profile, Scenario
from sim.timeline import DAY, HOUR, IntArray, read_only

LONGEST_HOLIDAY: Final = 31
"""Days off in a row, at most, that a gate looks back over."""
Stretch = tuple[int, int]
"""Instants [begin, end)."""


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


def _calendar(scenario: Scenario) -> str | tuple[dt.date, ...]:
    calendar = scenario.calendar
    return calendar.dates if isinstance(calendar, DateList) else calendar


class TimeTables:
    """The days of a scenario, and what is open when.

    Raises CalendarError if the horizon lies outside the calendar.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.origin, self.first, self.last = horizon_dates(scenario)
        self.days = working_days(_calendar(scenario), self.origin, self.last)
        self.end_at = len(self.days.mask) * DAY
        begins = [self.instant(phase.since) for phase in scenario.phases]
        self.phases: list[Stretch] = list(itertools.pairwise([*begins, self.end_at]))
        """When each phase of the scenario begins and ends."""
        self.hours = {name: self.hours_of(name) for name in scenario.whole.hours}

    def instant(self, since: dt.date | None) -> int:
        """Midnight of a date, and of the first day at the earliest."""
        return max(0, (since - self.origin).days * DAY) if since else 0

    def hours_of(self, name: str) -> Sessions:
        """When these hours are open; what a reform removes goes on as it was."""
        opened: dict[int, Hours] = {}
        """By the instant since which they hold."""
        for (begin, _), phase in zip(self.phases, self.scenario.phases, strict=True):
            rules = phase.scenario.hours.get(name)
            if rules is not None and rules not in list(opened.values())[-1:]:
                opened[begin] = rules
        ends = [*list(opened)[1:], self.end_at]
        pieces = [
            within(open_sessions(list(map(_rule, rules)), self.days), [(begin, end)])
            for (begin, rules), end in zip(opened.items(), ends, strict=True)
        ]
        return Sessions(
            np.concatenate([piece.starts for piece in pieces]),
            np.concatenate([piece.ends for piece in pieces]),
        )

    def sessions(self, hours: str | None) -> Sessions:
        """When these hours are open; without a name, the working hours."""
        return self.hours[hours or self.scenario.working_hours]

    def gate_table(self, gate: Gate) -> GateTable:
        """When a gate lets through."""
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

    def trip_table(self, name: str, trip: Trip, profile: Profile | None) -> TripTable:
        """When people come in on a trip."""
        starts, ends = _cut_at_midnight(self.sessions(trip.hours))
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
        of_session = read_only(shape_of_session.ravel())
        return TripTable(name, read_only(starts), of_session, offsets, read_only(skipped))

    def hour_rate(self, hours: str | None, per_hour: float, stretch: Stretch) -> CumulativeRate:
        """Arrivals at a rate in open hours, within a stretch of time."""
        sessions = within(self.sessions(hours), [stretch])
        length = (sessions.ends - sessions.starts) / HOUR
        return _rate(sessions.starts, sessions.ends, per_hour * length)

    def profile_rate(
        self, profile: Profile, per_working_day: float | Mapping[dt.date, float], stretch: Stretch
    ) -> CumulativeRate:
        """Arrivals in the shape of a profile, within a stretch of whole days."""
        per_day = self.by_day(per_working_day)
        if profile.every_day:
            days = np.arange(len(self.days.mask))
            per_day = per_day * len(self.days.dates) / max(len(days), 1)
        else:
            days = self.days.dates
        begin, end = (instant // DAY for instant in stretch)
        days = days[(begin <= days) & (days < end)]
        weights_of_week = np.array([profile.weekdays.get(day, 1.0) for day in WEEKDAYS])
        usual = weights_of_week[self.usual_weekdays(profile)].mean()
        day_weights = weights_of_week[(days + self.origin.weekday()) % 7]
        by_day = per_day[days] * day_weights / (usual or 1.0)
        if profile.demand is not None:
            before = min(profile.demand) - dt.timedelta(days=1)
            by_day *= self.by_day({before: 1.0, **profile.demand})[days]
        times = np.array([parse_time_of_day(text) for text in profile.half_hours])
        weights = np.array(list(profile.half_hours.values()))
        order = np.argsort(times)
        times, shares = times[order], weights[order] / weights.sum()
        starts = (days[:, None] * DAY + times).ravel()
        return _rate(starts, starts + HOUR // 2, (by_day[:, None] * shares).ravel())

    def by_day(self, value: float | Mapping[dt.date, float]) -> np.ndarray:
        """On each day of the simulation, what a value is then."""
        steps = value if isinstance(value, Mapping) else {self.origin: value}
        since = sorted(steps)
        begins = np.array([self.instant(date) // DAY for date in since])
        which = np.searchsorted(begins, np.arange(len(self.days.mask)), side="right") - 1
        # The first holds before too.
        return np.array([steps[date] for date in since])[np.maximum(which, 0)]

    def usual_weekdays(self, profile: Profile) -> list[int]:
        """The days of the week over which a rate for working days is the mean."""
        calendar = _calendar(self.scenario)
        if profile.every_day or calendar == "always":
            return list(range(7))
        if isinstance(calendar, str):
            return list(range(5))  # make-up days are too few to count
        return sorted({date.weekday() for date in calendar})

    def every(self, working_days: int, at: int) -> IntArray:
        """Instants, one every so many working days."""
        # Counted from the first measured day, so that the warm-up moves nothing.
        first = int(np.searchsorted(self.days.dates, (self.first - self.origin).days))
        instants = self.days.dates[first % working_days :: working_days] * DAY + at
        return instants[instants < self.end_at]


def _rule(rule: Any) -> HoursRule:
    weekdays = frozenset(map(WEEKDAYS.index, rule.weekdays)) if rule.weekdays else None
    return HoursRule(rule.sessions, weekdays, rule.from_, rule.to)


def within(sessions: Sessions, stretches: Sequence[Stretch]) -> Sessions:
    """What of sessions lies in these stretches of time."""
    starts, ends = [], []
    for begin, end in stretches:
        cut = np.maximum(sessions.starts, begin), np.minimum(sessions.ends, end)
        is_left = cut[0] < cut[1]
        starts.append(cut[0][is_left])
        ends.append(cut[1][is_left])
    return Sessions(np.concatenate(starts), np.concatenate(ends))


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
