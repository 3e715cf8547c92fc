"""Which days are working days, and at which hours a hall is open.

A calendar is 'china' (the State Council's notices, with make-up working weekends), 'weekdays'
(Monday to Friday), 'always' (every day), or a list of dates, which are then exactly the working
days. Days are numbered from an origin date (day 0), instants are seconds since its midnight, and
sessions are `[start, end)`. Closures of one hall are not in any calendar: say them in its rules.
"""

from __future__ import annotations

import bisect
import datetime
import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.errors import CalendarError
from sim.timeline import (
    DAY,
    BoolArray,
    IntArray,
    StepFunction,
    add_working_days,
    counted_working_days,
    read_only,
)

Calendar = str | Sequence[datetime.date]

NAMED_CALENDARS: Final = ("china", "weekdays", "always")


def known_range(calendar: Calendar) -> tuple[datetime.date, datetime.date] | None:
    """First and last date that the calendar knows; None if it knows every date.

    Raises CalendarError if there is no calendar of this name.
    """
    if not isinstance(calendar, str):
        return None
    if calendar not in NAMED_CALENDARS:
        close = difflib.get_close_matches(calendar, NAMED_CALENDARS, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        names = ", ".join(NAMED_CALENDARS)
        raise CalendarError(
            f"no calendar {calendar!r}.{hint} Calendars: {names}, or a list of dates"
        )
    return _china_range() if calendar == "china" else None


def working_day_mask(calendar: Calendar, first: datetime.date, last: datetime.date) -> BoolArray:
    """Whether each day is a working day, bool, one entry a day from first to last inclusive.

    Raises CalendarError if the calendar does not know one of the days.
    """
    if last < first:
        raise CalendarError(f"the days end on {last}, before they begin ({first})")
    known = known_range(calendar)
    for date in (first, last):
        if known and not known[0] <= date <= known[1]:
            raise CalendarError(
                f"calendar {calendar!r} does not know {date}: it covers {known[0]} to {known[1]}"
            )
    num_days = (last - first).days + 1
    if not isinstance(calendar, str):
        mask = np.zeros(num_days, np.bool_)
        mask[[(date - first).days for date in calendar if first <= date <= last]] = True
        return mask
    if calendar == "always":
        return np.ones(num_days, np.bool_)
    if calendar == "weekdays":
        return (first.weekday() + np.arange(num_days)) % 7 < 5
    years = np.concatenate([_china_year(year) for year in range(first.year, last.year + 1)])
    skipped = first.timetuple().tm_yday - 1
    return years[skipped : skipped + num_days]


def shift_working_days(calendar: Calendar, day: datetime.date, days: int) -> datetime.date:
    """The date `days` working days after a date, or before it if negative.

    The earlier of the two dates and the days up to the later one hold |days| working days: warm-up
    of 40 working days before `day` begins at `shift_working_days(calendar, day, -40)`. A day off
    counts as the next working day.

    Raises CalendarError if that leaves the dates that the calendar knows.
    """
    if not isinstance(calendar, str):
        dates = sorted(set(calendar))
        index = bisect.bisect_left(dates, day) + days
        if 0 <= index < len(dates):
            return dates[index]
        raise CalendarError(f"the list of working days does not reach {_distance(days, day)}")
    # Working days are more than half of all days, and no run of days off is longer than a month.
    reach = 2 * abs(days) + 31
    earliest, latest = known_range(calendar) or (datetime.date.min, datetime.date.max)
    first = last = day
    if days < 0:
        first = min(day, _date(max(day.toordinal() - reach, earliest.toordinal())))
    else:
        last = max(day, _date(min(day.toordinal() + reach, latest.toordinal())))
    working = np.flatnonzero(working_day_mask(calendar, first, last))
    index = int(np.searchsorted(working, (day - first).days)) + days
    if 0 <= index < len(working):
        return first + datetime.timedelta(days=int(working[index]))
    raise CalendarError(
        f"calendar {calendar!r} does not reach {_distance(days, day)}: "
        f"it covers {earliest} to {latest}"
    )


@dataclass(frozen=True, eq=False)
class WorkingDays:
    """The working days among the days that a simulation may see, numbered from `origin`.

    origin            day 0; its midnight is instant 0.
    mask              read-only bool, whether each day is a working day.
    day_index_before  read-only int64, length len(mask) + 1: working days before each day.
    dates             read-only int64: the day numbers of the working days.
    """

    origin: datetime.date
    mask: BoolArray
    day_index_before: IntArray = field(init=False, repr=False)
    dates: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mask = np.array(self.mask, np.bool_)
        mask.setflags(write=False)
        object.__setattr__(self, "mask", mask)
        before = np.concatenate(([0], np.cumsum(mask)))
        object.__setattr__(self, "day_index_before", read_only(before))
        object.__setattr__(self, "dates", read_only(np.flatnonzero(mask)))

    def count(self, from_at: npt.ArrayLike, to_at: npt.ArrayLike) -> IntArray:
        """Working days between instants as the offices count them; see `counted_working_days`.

        Raises CalendarError for an instant outside the days of this table.
        """
        for at in (from_at, to_at):
            day = np.asarray(at, np.int64) // DAY
            outside = day[(day < 0) | (day >= len(self.mask))]
            if outside.size:
                raise CalendarError(
                    f"day {outside[0]} is not among the {len(self.mask)} days from {self.origin} on"
                )
        return counted_working_days(self.day_index_before, from_at, to_at)

    def add(self, at: int, days: int) -> int:
        """The same time of day so many working days later; see `add_working_days`."""
        return add_working_days(self.day_index_before, self.dates, at, days)

    def date_of(self, at: int) -> datetime.date:
        """The date of an instant."""
        return self.origin + datetime.timedelta(days=int(at) // DAY)


def working_days(calendar: Calendar, first: datetime.date, last: datetime.date) -> WorkingDays:
    """The working days of a calendar from first (the origin) to last inclusive.

    Raises CalendarError if the calendar does not know one of the days.
    """
    return WorkingDays(first, working_day_mask(calendar, first, last))


@dataclass(frozen=True)
class HoursRule:
    """Opening hours, and the working days on which they hold.

    sessions     (opens, closes) in seconds since midnight, as `parse_sessions` gives them;
                 none at all closes the hall.
    weekdays     Monday is 0; None is every day of the week.
    first, last  dates, both inclusive; None is open-ended.
    """

    sessions: tuple[tuple[int, int], ...]
    weekdays: frozenset[int] | None = None
    first: datetime.date | None = None
    last: datetime.date | None = None

    def matches(self, date: datetime.date) -> bool:
        """Whether these hours hold on a date."""
        return (
            (self.weekdays is None or date.weekday() in self.weekdays)
            and (self.first is None or self.first <= date)
            and (self.last is None or date <= self.last)
        )


@dataclass(frozen=True, eq=False)
class Sessions:
    """When something is open: the sessions [starts[i], ends[i]), sorted.

    starts, ends  read-only int64 instants; sessions that touch become one, those of no length go.
    open_before   read-only int64: open seconds before each start.

    Raises ValueError if a session ends before it starts, or if two overlap.
    """

    starts: IntArray
    ends: IntArray
    open_before: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        openness = StepFunction.from_sessions(self.starts, self.ends)
        # It goes up and down in turn, from 0 to 1 and back.
        starts, ends = openness.times[0::2], openness.times[1::2]
        object.__setattr__(self, "starts", read_only(starts))
        object.__setattr__(self, "ends", read_only(ends))
        object.__setattr__(self, "open_before", read_only(openness.integral(starts)))

    def is_open(self, at: npt.ArrayLike) -> BoolArray:
        """Whether each instant lies in a session, in the shape of `at`."""
        open_now: BoolArray = self.step_function()(at) == 1
        return open_now

    def working_time_between(self, from_at: npt.ArrayLike, to_at: npt.ArrayLike) -> IntArray:
        """Open seconds in [from_at, to_at); negative if they are the wrong way round."""
        openness = self.step_function()
        return openness.integral(to_at) - openness.integral(from_at)

    def step_function(self) -> StepFunction:
        """1 inside the sessions, 0 outside."""
        return StepFunction.from_sessions(self.starts, self.ends)


def open_sessions(rules: Sequence[HoursRule], days: WorkingDays) -> Sessions:
    """The sessions of every working day: those of the last rule that matches its date.

    A day off is closed, and so is a working day that no rule matches. A hall that opens on other
    days says so with its calendar.
    """
    starts: list[int] = []
    ends: list[int] = []
    for midnight in (days.dates * DAY).tolist():
        date = days.date_of(midnight)
        rule = next((rule for rule in reversed(rules) if rule.matches(date)), None)
        for opens, closes in rule.sessions if rule else ():
            starts.append(midnight + opens)
            ends.append(midnight + closes)
    return Sessions(read_only(starts), read_only(ends))


@functools.cache
def _china_range() -> tuple[datetime.date, datetime.date]:
    import chinese_calendar

    years = [date.year for date in chinese_calendar.holidays]
    return datetime.date(min(years), 1, 1), datetime.date(max(years), 12, 31)


@functools.cache
def _china_year(year: int) -> BoolArray:
    # The library takes some 30 microseconds a day: a year is asked once.
    import chinese_calendar

    new_year = datetime.date(year, 1, 1).toordinal()
    num_days = datetime.date(year + 1, 1, 1).toordinal() - new_year
    mask = np.array([chinese_calendar.is_workday(_date(new_year + i)) for i in range(num_days)])
    mask.setflags(write=False)
    return mask


def _date(ordinal: int) -> datetime.date:
    return datetime.date.fromordinal(ordinal)


def _distance(days: int, day: datetime.date) -> str:
    return f"{abs(days)} working days {'before' if days < 0 else 'after'} {day}"
