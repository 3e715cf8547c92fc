"""Durations, times of day and sessions as text.

A duration passes on one of three clocks, which are different things with different names: clock
time always passes, working time only in open hours, and working days are counted.
"""

from __future__ import annotations

import enum
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sim.timeline import DAY, HOUR, MINUTE

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
        raise ValueError(f"closes at {format_time_of_day(closes)}, the moment it opens")
    hint = ""
    # 22:00-06:00 is a night; 13:00-12:30 is a slip of the pen.
    if closes + DAY - opens <= DAY // 2:
        evening, morning = _session_text(opens, DAY), _session_text(0, closes)
        hint = f"; hours end at 24:00, so write '{evening}'"
        hint += f" and '{morning}'" if closes > 0 else ""
    closing, opening = format_time_of_day(closes), format_time_of_day(opens)
    raise ValueError(f"closes at {closing}, before it opens ({opening}){hint}")


def format_time_of_day(time_of_day: int) -> str:
    """The text of a time of day in seconds since midnight: `08:30`, or `08:30:15`."""
    hours, rest = divmod(time_of_day, HOUR)
    minutes, seconds = divmod(rest, MINUTE)
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _session_text(opens: int, closes: int) -> str:
    return f"{format_time_of_day(opens)}-{format_time_of_day(closes)}"
