"""The clock: instants, durations and times of day as text, and functions of time.

An instant (`_at`) is an int64 number of whole seconds since midnight of an origin date; a duration
(`_time`) is a number of seconds. Intervals are `[left, right)`; a missing instant is `NEVER`.

The functions from `is_open_at` to `add_working_days` are the arithmetic of calendars that every
engine shares, so they are plain enough to be compiled: integers and one-dimensional int64 arrays
in, one integer out. Which days and hours are open is the business of `calendars`.
"""

from __future__ import annotations

import datetime
import enum
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
NEVER: Final = 2**62
"""The missing instant: later than everything, and far enough from overflow to add a duration."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LONGEST_TIME: Final = 3.2e9
"""Longest duration a text may give, in seconds: about 100 years."""


# -- Durations and times of day as text ----------------------------------------------------------


class Clock(enum.StrEnum):
    """What passes while a duration passes."""

    CLOCK_TIME = "clock time"
    WORKING_TIME = "working time"
    """Only open hours count."""
    WORKING_DAYS = "working days"


@dataclass(frozen=True)
class Duration:
    """An amount of time on one of the three clocks, such as 12 min or 3 working days."""

    amount: float
    unit: str
    """s, min, h, calendar days, working min, working h or working days."""

    @property
    def clock(self) -> Clock:
        """The clock on which the amount passes."""
        if self.unit == "working days":
            return Clock.WORKING_DAYS
        return Clock.WORKING_TIME if self.unit.startswith("working") else Clock.CLOCK_TIME

    @property
    def seconds(self) -> float:
        """Seconds of clock time or of working time.

        Raises ValueError for working days, which have no fixed length.
        """
        if self.clock is Clock.WORKING_DAYS:
            raise ValueError(f"{self} has no fixed number of seconds: it depends on the calendar")
        return self.amount * _SECONDS_OF_UNIT[self.unit]

    def __str__(self) -> str:
        """The text that `parse_duration` reads back."""
        if self.amount == 0 and self.clock is Clock.WORKING_DAYS:
            return "same day"
        number = str(int(self.amount)) if self.amount == int(self.amount) else repr(self.amount)
        unit = self.unit.replace("days", "day") if number == "1" else self.unit
        return f"{number} {unit}"


_SECONDS_OF_UNIT: Final = {
    "s": 1,
    "min": MINUTE,
    "h": HOUR,
    "calendar days": DAY,
    "working min": MINUTE,
    "working h": HOUR,
}
_LONG_FORMS: Final = {
    "s": ("sec", "second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "calendar days": ("calendar day",),
    "working min": ("working minute", "working minutes"),
    "working h": ("working hour", "working hours"),
    "working days": ("working day",),
}
_UNIT_BY_SPELLING: Final = {
    spelling: unit for unit, long_forms in _LONG_FORMS.items() for spelling in (unit, *long_forms)
}
_ADVICE: Final = {
    "": "durations need a unit, e.g. '12 min'",
    "m": "say 'min'",
    **dict.fromkeys(("d", "day", "days"), "say 'calendar days' or 'working days'"),
    **dict.fromkeys(
        ("w", "week", "weeks", "month", "months", "y", "year", "years"),
        "weeks, months and years are no units here: say 'calendar days' or 'working days'",
    ),
}
_NUMBER_AND_UNIT: Final = re.compile(
    r"(?P<number>[+-]?(?:(?i:nan|inf(?:inity)?)\b|\.?[0-9][0-9.,_']*(?:[eE][+-]?[0-9]+)?))\s*(?P<unit>.*)"
)


def parse_duration(text: object) -> Duration:
    """The duration that a text such as '12 min', '3 working days' or 'same day' gives.

    Units: s, min, h, calendar days, working min, working h, working days, and their long forms;
    'same day' is 0 working days. Amounts may be fractions (a published mean of 22.9 working days).

    Raises ValueError, saying what to write instead, for a number without a unit, an ambiguous unit
    (m, d, week, month), a negative or endless amount, and more than 100 years.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no duration: {_ADVICE['']}")
    words = " ".join(text.split())
    if words == "same day":
        return Duration(0.0, "working days")
    match = _NUMBER_AND_UNIT.fullmatch(words)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a number and a unit, e.g. '12 min'")
    number, spelling = match["number"], match["unit"]
    try:
        # float() itself would read 1_000; the pattern lets it through to be refused here.
        amount = float(number.replace("_", ","))
    except ValueError:
        hint = "write numbers without thousands separators, e.g. '1000 s' or '0.5 h'"
        raise ValueError(f"{text!r} is no duration: {hint}") from None
    if number.startswith("-"):
        raise ValueError(f"{text!r}: a duration cannot be negative")
    if not math.isfinite(amount):
        raise ValueError(f"{text!r}: a duration must be a finite number")
    unit = _UNIT_BY_SPELLING.get(spelling)
    if unit is None:
        hint = _ADVICE.get(spelling, f"no unit {spelling!r}. Units: {', '.join(_LONG_FORMS)}")
        raise ValueError(f"{text!r} is no duration: {hint}")
    if amount * _SECONDS_OF_UNIT.get(unit, DAY) > LONGEST_TIME:
        raise ValueError(f"{text!r}: a duration cannot be longer than 100 years")
    return Duration(amount, unit)


def parse_time_of_day(text: object) -> int:
    """Seconds since midnight of a text such as '08:30', '8:30', '08:30:15' or '24:00'.

    Raises ValueError for anything else.
    """
    # YAML reads 08:30 without quotation marks as a number in base 60.
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no time of day: write it in quotation marks, e.g. '08:30'")
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time of day: write hours and minutes, e.g. '08:30'")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    time_of_day = hours * HOUR + minutes * MINUTE + seconds
    if minutes > 59 or seconds > 59 or time_of_day > DAY:
        raise ValueError(f"{text!r} is no time of day: the day goes from 00:00 to 24:00")
    return time_of_day


def parse_sessions(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The opening hours of one day, sorted, as (opens, closes) in seconds since midnight.

    texts  such as ['08:30-12:00', '14:30-18:00']; none at all is a closed day.

    Raises ValueError if a session closes before or when it opens, or if two overlap.
    """
    if isinstance(texts, str):
        raise ValueError(f"{texts!r}: opening hours are a list, e.g. ['08:30-12:00']")
    sessions = sorted(_parse_session(text) for text in texts)
    for (opens, closes), (next_opens, next_closes) in itertools.pairwise(sessions):
        if next_opens < closes:
            earlier, later = _session_text(opens, closes), _session_text(next_opens, next_closes)
            raise ValueError(f"{earlier} and {later} overlap")
    return tuple(sessions)


def _parse_session(text: object) -> tuple[int, int]:
    parts = text.split("-") if isinstance(text, str) else []
    if len(parts) != 2:
        raise ValueError(f"{text!r} are no opening hours: write e.g. '08:30-12:00'")
    opens, closes = parse_time_of_day(parts[0]), parse_time_of_day(parts[1])
    if opens < closes:
        return opens, closes
    if opens == closes:
        raise ValueError(f"closes at {_time_of_day_text(closes)}, the moment it opens")
    hint = ""
    # 22:00-06:00 is a night; 13:00-12:30 is a slip of the pen.
    if closes + DAY - opens <= DAY // 2:
        evening, morning = _session_text(opens, DAY), _session_text(0, closes)
        hint = f"; hours end at 24:00, so write '{evening}'"
        hint += f" and '{morning}'" if closes > 0 else ""
    closing, opening = _time_of_day_text(closes), _time_of_day_text(opens)
    raise ValueError(f"closes at {closing}, before it opens ({opening}){hint}")


def _time_of_day_text(time_of_day: int) -> str:
    hours, rest = divmod(time_of_day, HOUR)
    minutes, seconds = divmod(rest, MINUTE)
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _session_text(opens: int, closes: int) -> str:
    return f"{_time_of_day_text(opens)}-{_time_of_day_text(closes)}"


def format_time(seconds: float) -> str:
    """A duration for people: '45 s', '41 min', '2.3 h', '5.2 calendar days' (of 24 h)."""
    size = abs(seconds)
    if size < MINUTE:
        amount, unit = seconds, "s"
    elif size < HOUR:
        amount, unit = seconds / MINUTE, "min"
    elif size < 2 * DAY:
        amount, unit = seconds / HOUR, "h"
    else:
        amount, unit = seconds / DAY, "calendar days"
    digits = 1 if abs(amount) < 9.95 else 0
    return f"{amount:.{digits}f}".removesuffix(".0") + f" {unit}"


def format_instant(at: int, origin: datetime.date) -> str:
    """Date and time of day of an instant, such as '2015-01-05 08:30:00'; 'never' for NEVER."""
    if at == NEVER:
        return "never"
    midnight = datetime.datetime.combine(origin, datetime.time())
    return str(midnight + datetime.timedelta(seconds=int(at)))


# -- Functions of time ---------------------------------------------------------------------------


def read_only(values: npt.ArrayLike) -> IntArray:
    """A read-only int64 copy of whole numbers; raises ValueError for fractions."""
    given = np.asarray(values)
    if given.size and given.dtype.kind not in "iu":
        raise ValueError(f"whole numbers are needed here, not {given.dtype}")
    array = given.astype(np.int64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class StepFunction:
    """A function of time that jumps at whole seconds: openness, or capacity.

    times   read-only int64, strictly increasing instants.
    values  read-only int64, at least 0: values[i] holds on [times[i], times[i + 1]), the last one
            for ever; before times[0] the function is 0.

    Jumps of no height are dropped, so that equal functions have equal arrays.
    Raises ValueError if times do not increase or a value is negative.
    """

    times: IntArray
    values: IntArray
    # The same with a leading segment of value 0, and the integral up to each of its times.
    _times: IntArray = field(init=False, repr=False)
    _values: IntArray = field(init=False, repr=False)
    _integrals: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        times, values = read_only(self.times), read_only(self.values)
        if times.ndim != 1 or times.shape != values.shape:
            raise ValueError(f"{times.shape} times do not fit {values.shape} values")
        if np.any(times[1:] <= times[:-1]):
            raise ValueError("times of a step function must increase")
        if np.any(values < 0):
            raise ValueError("values of a step function cannot be negative")
        jumps = np.diff(values, prepend=0) != 0
        times, values = times[jumps], values[jumps]
        areas = values[:-1] * np.diff(times)
        for name, array in {
            "times": times,
            "values": values,
            "_times": np.concatenate(([0], times)),
            "_values": np.concatenate(([0], values)),
            "_integrals": np.concatenate(([0, 0][: len(times) + 1], np.cumsum(areas))),
        }.items():
            object.__setattr__(self, name, read_only(array))

    @classmethod
    def from_sessions(cls, starts: npt.ArrayLike, ends: npt.ArrayLike) -> StepFunction:
        """1 inside the sessions [starts[i], ends[i]), 0 outside; sessions that touch become one.

        Raises ValueError if a session ends before it starts, or if two overlap.
        """
        opening, closing = read_only(starts), read_only(ends)
        if np.any(closing < opening):
            raise ValueError("a session ends before it starts")
        openness = cls._from_changes(
            np.concatenate((opening, closing)), np.repeat((1, -1), (len(opening), len(closing)))
        )
        if np.any(openness.values > 1):
            raise ValueError("sessions overlap")
        return openness

    @classmethod
    def _from_changes(cls, times: IntArray, changes: IntArray) -> StepFunction:
        """The function that changes by changes[i] at times[i], given in any order."""
        distinct, places = np.unique(times, return_inverse=True)
        total = np.zeros(len(distinct), np.int64)
        np.add.at(total, places, changes)
        return cls(distinct, np.cumsum(total))

    def __call__(self, at: npt.ArrayLike) -> IntArray:
        """The value at each instant, in the shape of `at`."""
        return self._values[np.searchsorted(self.times, at, "right")]

    def integral(self, at: npt.ArrayLike) -> IntArray:
        """The integral up to each instant, exactly (value x seconds), in the shape of `at`."""
        segment = np.searchsorted(self.times, at, "right")
        elapsed = np.asarray(at, np.int64) - self._times[segment]
        return self._integrals[segment] + self._values[segment] * elapsed

    def inverse_integral(self, amount: npt.ArrayLike) -> IntArray:
        """The first instant t with integral(t) >= amount, in the shape of `amount`.

        An amount of 0 gives the instant at which the function leaves 0. NEVER if it is not reached.
        Raises ValueError for a negative amount.
        """
        wanted = read_only(amount)
        if np.any(wanted < 0):
            raise ValueError("the amount cannot be negative")
        segment = np.maximum(np.searchsorted(self._integrals, wanted, "left") - 1, 0)
        value = self._values[segment]
        missing = wanted - self._integrals[segment]
        seconds = -(-missing // np.maximum(value, 1))
        reached: IntArray = np.where(value > 0, self._times[segment] + seconds, NEVER)
        leaves_zero = self.times[0] if len(self.times) else NEVER
        return np.where(wanted == 0, leaves_zero, reached)

    def __add__(self, other: StepFunction) -> StepFunction:
        """The sum at every instant."""
        changes = [np.diff(function.values, prepend=0) for function in (self, other)]
        return self._from_changes(
            np.concatenate((self.times, other.times)), np.concatenate(changes)
        )

    def __mul__(self, factor: int) -> StepFunction:
        """`factor` times the value at every instant; raises ValueError for a negative factor."""
        return StepFunction(self.times, self.values * factor)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        """Whether the values are equal at every instant."""
        if not isinstance(other, StepFunction):
            return NotImplemented
        return np.array_equal(self.times, other.times) and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return hash((self.times.tobytes(), self.values.tobytes()))


# -- Arithmetic of calendars: plain enough to be compiled ----------------------------------------
#
# Sessions are starts[i] <= t < ends[i], sorted, not touching, none empty and none before instant 0;
# open_before[i] is the open time before starts[i]. Each function stands alone, without keyword
# arguments and Python objects: one that calls another could not be compiled by itself.


def is_open_at(starts: IntArray, ends: IntArray, at: int) -> bool:
    """Whether `at` lies in a session: open at its start, closed at its end."""
    i = np.searchsorted(starts, at, "right") - 1
    return bool(i >= 0 and at < ends[i])


def open_time_until(starts: IntArray, ends: IntArray, open_before: IntArray, at: int) -> int:
    """Open seconds in [0, at)."""
    i = np.searchsorted(starts, at, "right") - 1
    if i < 0:
        return 0
    return int(open_before[i] + min(at, ends[i]) - starts[i])


def add_open_time(
    starts: IntArray, ends: IntArray, open_before: IntArray, at: int, amount: int
) -> int:
    """The first instant from `at` on by which `amount` (at least 0) open seconds have passed.

    What is finished exactly at closing time is finished then, not at the next opening; an amount
    of 0 gives `at`. NEVER when the sessions run out.
    """
    if amount == 0:
        return int(at)
    i = np.searchsorted(starts, at, "right") - 1
    target = amount
    if i >= 0:
        target += open_before[i] + min(at, ends[i]) - starts[i]
    i = np.searchsorted(open_before, target, "left") - 1
    if i < 0 or starts[i] + target - open_before[i] > ends[i]:
        return NEVER
    return int(starts[i] + target - open_before[i])


def next_session(starts: IntArray, at: int) -> int:
    """Index of the first session that starts after `at`; len(starts) if there is none."""
    return int(np.searchsorted(starts, at, "right"))


def pass_gate(latest: IntArray, release: IntArray, at: int) -> int:
    """The instant at which who comes to a gate at `at` goes on; NEVER if no occurrence is left.

    Occurrence i can be joined up to and including latest[i] (increasing); who joins it goes on at
    release[i], or at once if that has passed.
    """
    i = np.searchsorted(latest, at, "left")
    if i == len(latest):
        return NEVER
    return int(max(at, release[i]))


def add_working_days(
    day_index_before: IntArray, working_day_dates: IntArray, at: int, days: int
) -> int:
    """The same time of day `days` (at least 0) working days after `at`; NEVER beyond the table.

    day_index_before   number of working days before each day, length num_days + 1.
    working_day_dates  day numbers (instant // DAY) of the working days, sorted.

    The day of `at` is day 0. On a day off, day 0 is the next working day and counts from 00:00.
    """
    day = at // DAY
    if day >= len(day_index_before) - 1:
        return NEVER
    first = day_index_before[day]
    if first + days >= len(working_day_dates):
        return NEVER
    time_of_day = at - day * DAY if working_day_dates[first] == day else 0
    return int(working_day_dates[first + days] * DAY + time_of_day)


def counted_working_days(
    day_index_before: IntArray, from_at: npt.ArrayLike, to_at: npt.ArrayLike
) -> IntArray:
    """Working days from one instant to another as the offices count them, counting from the next.

    from_at, to_at  instants inside the table, of shapes that fit together.

    The working day of `from_at` (on a day off, the next one) is day 0: a result on the same day is
    0, on the next working day 1. A result on a day off counts like the last working day before it;
    never below 0.
    """
    first = day_index_before[np.asarray(from_at, np.int64) // DAY]
    last = day_index_before[np.asarray(to_at, np.int64) // DAY + 1] - 1
    counted: IntArray = np.maximum(last - first, 0)
    return counted


def come_in_at(
    starts: IntArray,
    shape_of_session: IntArray,
    offsets: IntArray,
    skipped: IntArray,
    at: int,
    day_draw: int,
    time_draw: int,
) -> int:
    """The instant at which a person who is wanted at `at` comes in; NEVER after the last session.

    They let skipped[day_draw] of the sessions that start after `at` go by, and come in the next
    one, offsets[shape_of_session[i], time_draw] seconds after its start.
    """
    i = int(np.searchsorted(starts, at, "right") + skipped[day_draw])
    if i >= len(starts):
        return NEVER
    return int(starts[i] + offsets[shape_of_session[i], time_draw])
