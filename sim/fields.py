"""Values as people write them in a scenario file, and the model that all maps of a file share.

Shares are floats in [0, 1], times of day whole seconds since midnight, durations `Duration` values
with a clock of their own. Every message says what to write instead. Which keys there are is the
business of `scenario`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from sim.durations import Clock, Duration, parse_duration, parse_sessions, parse_time_of_day

FIRST_YEAR, LAST_YEAR = 1900, 2200


def _share(value: object) -> float:
    written = value
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
        hint = f"; write '{written} %'" if written is value and 1 < value <= 100 else ""
        raise ValueError(f"a share lies between 0 % and 100 %, not {written}{hint}")
    return float(value)


def check_shares(shares: Mapping[str, float], what: str) -> None:
    """Raises ValueError if shares do not add up to 100 %."""
    total = math.fsum(shares.values())
    if abs(total - 1) > 1e-9:
        raise ValueError(f"{what}: shares add up to {100 * total:.12g} %, not 100 %")


def _date(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError(f"a date is written 2015-12-31, not {value!r}")
    try:
        date = dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"there is no day {value}") from None
    if not FIRST_YEAR <= date.year <= LAST_YEAR:
        raise ValueError(f"a date lies between {FIRST_YEAR} and {LAST_YEAR}, not in {date.year}")
    return date


def _date_or_working_days(value: object) -> dt.date | Duration:
    if isinstance(value, Duration) or (isinstance(value, str) and "day" in value):
        duration = value if isinstance(value, Duration) else parse_duration(value)
        if duration.clock is not Clock.WORKING_DAYS or duration.amount != int(duration.amount):
            raise ValueError(f"a date or a whole number of working days is wanted, not {value}")
        return duration
    if isinstance(value, dt.date) or (isinstance(value, str) and value[:4].isdecimal()):
        return _date(value)
    raise ValueError(f"a date such as 2015-12-31 or '40 working days' is wanted, not {value!r}")


def _duration(value: object) -> Duration:
    return value if isinstance(value, Duration) else parse_duration(value)


def _sessions(value: object) -> tuple[tuple[int, int], ...]:
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple):
        raise ValueError("sessions are a list such as ['08:30-12:00', '14:30-18:00']")
    return parse_sessions(value)


def _figure(value: object) -> object:
    return _share(value) if isinstance(value, str) else value


def _hours_name(value: object) -> object:
    if isinstance(value, list) or (isinstance(value, str) and re.match(r"\s*\d+:", value)):
        found = "a list" if isinstance(value, list) else f"'{value}'"
        raise ValueError(f"the name of an entry under 'hours' is wanted, not {found}")
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _times_of_day(value: object) -> object:
    # A number without quotation marks is one time too, and is told so.
    return [value] if isinstance(value, str | int | float) else value


def _label(value: object) -> object:
    return {"en": value} if isinstance(value, str) else value


@dataclass(frozen=True, eq=False)
class ShortForm:
    """Tells the JSON Schema of a shorter way to write a value, which a validator makes long."""

    schema: Mapping[str, Any]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Either form."""
        return {"anyOf": [dict(self.schema), handler(core_schema)]}


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
DURATION_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^(same day|[0-9.]+(e[0-9]+)? *"
    r"(s|sec(onds?)?|(working )?(min(utes?)?|h(ours?)?)|(calendar|working) days?))$",
    "examples": ["12 min", "3 working days"],
}
DurationText = Annotated[Duration, BeforeValidator(_duration), WithJsonSchema(DURATION_SCHEMA)]
TIME_OF_DAY_SCHEMA: Final = {
    "type": "string",
    "pattern": r"^\d{1,2}:\d{2}(:\d{2})?$",
    "examples": ["17:30"],
}
TimeOfDay = Annotated[int, BeforeValidator(parse_time_of_day), WithJsonSchema(TIME_OF_DAY_SCHEMA)]
TimesOfDay = Annotated[
    tuple[TimeOfDay, ...],
    BeforeValidator(_times_of_day),
    Field(strict=False, min_length=1),
    ShortForm(TIME_OF_DAY_SCHEMA),
]
SESSIONS_SCHEMA: Final = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^\d{1,2}:\d{2}-\d{1,2}:\d{2}$"},
    "examples": [["08:30-12:00", "14:30-18:00"]],
}
SessionList = Annotated[
    tuple[tuple[int, int], ...], BeforeValidator(_sessions), WithJsonSchema(SESSIONS_SCHEMA)
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
Weekdays = Annotated[tuple[Weekday, ...], Field(strict=False, min_length=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Figure = Annotated[float, BeforeValidator(_figure), ShortForm({"type": "string", "pattern": "%$"})]
"""A number, or a share as 90 %."""
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Name = Annotated[str, Field(pattern=r"^[^\W\d][\w-]*$", max_length=200)]
HoursName = Annotated[Name, BeforeValidator(_hours_name)]
"""Opening hours, by the name that they have under `hours`."""
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(_as_list),
    Field(strict=False),
    ShortForm({"type": "string"}),
]
SomeNames = Annotated[Names, Field(min_length=1)]


class Model(BaseModel):
    """A map of a scenario file: no unknown keys, no silent conversion, never changed."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
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


OptionalLabel = Annotated[Label | None, BeforeValidator(_label), ShortForm({"type": "string"})]


class HoursRule(Model):
    """Opening hours on the working days that it covers; the last rule that fits a day counts."""

    sessions: SessionList
    """Sessions of a day, such as ["08:30-12:00", "14:30-18:00"]; an empty list is closed."""
    weekdays: Weekdays | None = None
    """Only on these days of the week."""
    from_: Date | None = Field(default=None, alias="from")
    """Only from this date on."""
    to: Date | None = None
    """Only up to and including this date."""

    @model_validator(mode="after")
    def _in_order(self) -> HoursRule:
        if self.from_ and self.to and self.to < self.from_:
            raise ValueError(f"to: {self.to} is before {self.from_}, the date it begins")
        return self


def _hours_rules(value: object) -> object:
    if isinstance(value, str | dict):
        raise ValueError(
            "a list of sessions is wanted, such as ['08:30-12:00', '14:30-18:00'], "
            "or of rules, such as [{sessions: ['08:30-12:00'], weekdays: [fri]}]"
        )
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return [{"sessions": value}]
    return value


Hours = Annotated[
    tuple[HoursRule, ...],
    BeforeValidator(_hours_rules),
    Field(strict=False, min_length=1),
    ShortForm(SESSIONS_SCHEMA),
]
