"""The clock: instants, durations and times of day as text, and functions of time.

An instant (`_at`) is an int64 number of whole seconds since midnight of an origin date; a duration
(`_time`) is a number of seconds. Intervals are `[left, right)`; a missing instant is `NEVER`.

The functions from `is_open_at` to `add_working_days` are the arithmetic of calendars that every
engine shares, so they are plain enough to be compiled: integers and one-dimensional int64 arrays
in, one integer out. Which days and hours are open is the business of `calendars`.
"""

from __future__ import annotations

import datetime
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
