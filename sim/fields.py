"""Values as people write them in a scenario file, and the model that all maps of a file share.

Shares are floats in [0, 1], times of day whole seconds since midnight, durations `Duration` values
with a clock of their own. Every message says what to write instead. Which keys there are is the
business of `scenario`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from sim.timeline import Clock, Duration, parse_duration, parse_sessions, parse_time_of_day

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _share(value: object) -> float:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*%\s*", value)
        if not match:
            raise ValueError(
                f"a share is a percentage such as '52 %' or a number 0 to 1, not {value!r}"
            )
        value = float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a share is a percentage such as '52 %' or a number 0 to 1")
    if not 0 <= value <= 1:
        raise ValueError(f"a share lies between 0 % and 100 %, not {value:g}")
    return float(value)


def _date(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return dt.date.fromisoformat(value)
    raise ValueError(f"a date is written 2015-12-31, not {value!r}")


def _date_or_working_days(value: object) -> dt.date | Duration:
    if isinstance(value, Duration) or (isinstance(value, str) and "day" in value):
        duration = value if isinstance(value, Duration) else parse_duration(value)
        if duration.clock is not Clock.WORKING_DAYS or duration.amount != int(duration.amount):
            raise ValueError(f"a date or a whole number of working days is wanted, not {value}")
        return duration
    try:
        return _date(value)
    except ValueError:
        raise ValueError(
            f"a date such as 2015-12-31 or '40 working days' is wanted, not {value!r}"
        ) from None


def _duration(value: object) -> Duration:
    return value if isinstance(value, Duration) else parse_duration(value)


def _time_of_day(value: object) -> int:
    return value if type(value) is int and value >= 3600 else parse_time_of_day(value)


def _sessions(value: object) -> tuple[tuple[int, int], ...]:
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple):
        raise ValueError("sessions are a list such as ['08:30-12:00', '14:30-18:00']")
    return parse_sessions(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a finite number is wanted")
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _label(value: object) -> object:
    return {"en": value} if isinstance(value, str) else value


def _text_schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["52 %"]},
                {"type": "number", "minimum": 0, "maximum": 1},
            ]
        }
    ),
]
Date = Annotated[
    dt.date, BeforeValidator(_date), _text_schema(r"^\d{4}-\d{2}-\d{2}$", "2015-12-31")
]
DateOrWorkingDays = Annotated[
    dt.date | Duration,
    BeforeValidator(_date_or_working_days),
    _text_schema(r"^(\d{4}-\d{2}-\d{2}|\d+ working days?)$", "40 working days"),
]
DurationText = Annotated[
    Duration,
    BeforeValidator(_duration),
    _text_schema(
        r"^(same day|\d+(\.\d+)?(e\d+)? ?(s|sec|min|h|calendar days?|working (min|h|days?)|\w+))$",
        "12 min",
    ),
]
TimeOfDay = Annotated[
    int, BeforeValidator(_time_of_day), _text_schema(r"^\d{1,2}:\d{2}(:\d{2})?$", "17:30")
]
SessionList = Annotated[
    tuple[tuple[int, int], ...],
    BeforeValidator(_sessions),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "pattern": r"^\d{1,2}:\d{2}-\d{1,2}:\d{2}$"},
            "examples": [["08:30-12:00", "14:30-18:00"]],
        }
    ),
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Number = Annotated[float, Field(strict=False), AfterValidator(_finite)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[^\W\d][\w-]*$", max_length=200)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list), Field(strict=False)]


class Model(BaseModel):
    """A map of a scenario file: no unknown keys, no silent conversion, never changed."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class Label(Model):
    """What people read, in English and Chinese."""

    en: str
    """English text."""
    zh: str | None = None
    """Chinese text."""

    def text(self) -> str:
        """English, with Chinese on the next line where there is some."""
        return f"{self.en}\n{self.zh}" if self.zh else self.en


OptionalLabel = Annotated[Label | None, BeforeValidator(_label)]
