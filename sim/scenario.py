"""The scenario: everything a file can say about a hall, as frozen, validated values.

These models are the file format (their docstrings become the JSON Schema that editors complete
from) and the value that the rest of the package reads. Each value is checked here by itself; what
needs two values at once (names, cycles, load) is checked in `validation`; reading files, `extends`
and reforms belong to `loading`.

Durations are `Duration` values with their own clock; shares are floats in [0, 1]; times of day are
whole seconds since midnight.
"""

# ruff: noqa: RUF012 (pydantic gives every model a default of its own)

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from sim.activities import PASS, Activity, Trip
from sim.durations import Clock, parse_time_of_day
from sim.fields import (
    WEEKDAYS,
    Date,
    DateOrWorkingDays,
    DurationText,
    Hours,
    HoursName,
    Model,
    Name,
    Names,
    NonNegative,
    OptionalLabel,
    Priority,
    Share,
    ShortForm,
    TimeOfDay,
    Weekday,
    check_shares,
)
from sim.promises import Promise, Published, Stock
from sim.timeline import DAY

MAX_SERVERS = 100_000
MAX_RATE = 1_000_000.0
MAX_ACTIVITIES = 500


# --- time ----------------------------------------------------------------------------------------


class DateList(Model):
    """A calendar of one's own: exactly these dates are working days."""

    dates: Annotated[tuple[Date, ...], Field(strict=False)] = ()
    """The working days themselves."""
    file: str | None = None
    """Or a CSV file with a column `date`, relative to this one."""

    @model_validator(mode="after")
    def _some(self) -> DateList:
        # Loading has put the dates in the place of a file that it can read.
        if self.file is not None:
            raise ValueError("file: only a scenario file can name another file, as text")
        if not self.dates:
            raise ValueError("at least one date is wanted")
        return self


class Horizon(Model):
    """What is measured, and the warm-up that is simulated before it."""

    from_: Date = Field(alias="from")
    """First day that is measured."""
    to: DateOrWorkingDays
    """Last day, or how many working days are measured."""
    warm_up: DateOrWorkingDays | None = None
    """Day on which the simulation begins, or how many working days before `from`."""


Rate = Annotated[NonNegative, Field(le=MAX_RATE)]
RatesByDate = Annotated[dict[Date, Rate], Field(min_length=1)]


class Profile(Model):
    """When people come: the shape of a week and of a day. The amount is said by the arrivals."""

    half_hours: dict[str, NonNegative]
    """Relative weight of each half-hour, by its beginning: {"08:30": 0.8, "09:00": 1.4}."""
    weekdays: dict[Weekday, NonNegative] = {}
    """Relative weight of the days of the week; a day not named has weight 1."""
    every_day: bool = False
    """Also on days that are no working days (online filing at the weekend)."""
    demand: RatesByDate | None = None
    """How many times as many come as said by the arrivals, by the date since which that holds, 1
    before the first date: {2020-02-03: 20 %, 2020-03-02: 1}."""

    @model_validator(mode="after")
    def _weights(self) -> Profile:
        begun: dict[int, str] = {}
        for text in self.half_hours:
            try:
                begins = parse_time_of_day(text)
            except ValueError as error:
                raise ValueError(f"half_hours: {error}") from None
            if begins % 1800 or begins == DAY:
                raise ValueError(f"half_hours: {text} does not begin a half-hour")
            if begins in begun:
                raise ValueError(f"half_hours: {begun[begins]} and {text} are the same half-hour")
            begun[begins] = text
        if not self.half_hours or sum(self.half_hours.values()) <= 0:
            raise ValueError("half_hours: at least one weight must be above 0")
        if sum(self.weekdays.get(day, 1.0) for day in WEEKDAYS) <= 0:
            raise ValueError("weekdays: at least one weight must be above 0")
        return self


# --- who comes, who serves -----------------------------------------------------------------------


Recording = Annotated[
    str | dict[Name, Annotated[tuple[str, ...], Field(strict=False)]],
    ShortForm({"type": "array", "items": {"type": "string"}}),
]


class Arrivals(Model):
    """When cases come. Exactly one of per_working_day, per_hour, every, recorded."""

    per_working_day: Rate | RatesByDate | None = None
    """Mean number on a working day, Poisson, shaped by the profile; or such numbers by the date
    since which they hold, the first before its date too: {2015-01-01: 4.5, 2016-01-01: 5.3}."""
    per_hour: Rate | None = None
    """Mean number in an hour in which the hours are open, Poisson."""
    every: DurationText | None = None
    """One arrival (or batch) every so many working days, at `at`."""
    recorded: Recording | None = None
    """A CSV file with a column `arrived_at` and columns of attributes, or a list of instants."""
    profile: Name | dict[Name, dict[Name, Name]] | None = None
    """Shape of day and week; by attribute: {channel: {counter: hall_day, online: any_hour}}."""
    hours: HoursName | None = None
    """For per_hour: the hours; without it, the working hours."""
    at: TimeOfDay | None = None
    """For every: the time of day."""
    batch: Annotated[int, Field(ge=1, le=10_000)] | dict[str, Share] = 1
    """How many cases come together: a number, or sizes with their shares {12: 50 %, 15: 50 %}."""

    @property
    def is_single(self) -> bool:
        """Whether cases come one by one."""
        sizes = self.batch if isinstance(self.batch, dict) else (self.batch,)
        return all(int(size) == 1 for size in sizes)

    @model_validator(mode="before")
    @classmethod
    def _list_of_instants(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("recorded"), list):
            return value | {"recorded": {"arrived_at": value["recorded"]}}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Arrivals:
        kinds = ("per_working_day", "per_hour", "every", "recorded")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(kinds)} is wanted, found {len(given)}")
        kind = given[0]
        if (self.profile is not None) != (kind == "per_working_day"):
            raise ValueError("'profile' goes with 'per_working_day', which needs one")
        if self.hours is not None and kind != "per_hour":
            raise ValueError("'hours' goes with 'per_hour'")
        if (self.at is not None) != (kind == "every"):
            raise ValueError("'at' goes with 'every', which needs one")
        if self.every is not None and (
            self.every.clock is not Clock.WORKING_DAYS
            or self.every.amount < 1
            or self.every.amount != int(self.every.amount)
        ):
            raise ValueError("every: a whole number of working days is wanted")
        if isinstance(self.profile, dict) and len(self.profile) != 1:
            raise ValueError("profile: by one attribute only")
        if isinstance(self.batch, dict):
            if not all(size.isdecimal() and 1 <= int(size) <= 10_000 for size in self.batch):
                raise ValueError("batch: sizes are whole numbers from 1")
            check_shares(self.batch, "batch")
        if isinstance(self.profile, dict) and not self.is_single:
            raise ValueError("batch: who comes together comes at one instant; name one 'profile'")
        if kind == "recorded" and self.batch != 1:
            raise ValueError("'batch' does not go with 'recorded'")
        if isinstance(self.recorded, str):
            # Loading has put the columns in the place of a file that it can read.
            raise ValueError("recorded: only a scenario file can name another file")
        return self


def _attributes(value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for name, shares in value.items():
        if name == PASS:
            raise ValueError(f"'{PASS}' is the loop's pass and cannot be drawn")
        check_shares(shares, name)
    return value


class CaseType(Model):
    """A kind of case, how often it comes and what it goes through."""

    label: OptionalLabel = None
    """What people read."""
    arrivals: Arrivals
    """When cases come."""
    attributes: Annotated[dict[Name, dict[Name, Share]], AfterValidator(_attributes)] = {}
    """Drawn once for each case: {channel: {counter: 52 %, online: 48 %}}."""
    priority: Priority | dict[Name, dict[Name, Priority]] = 0
    """Place in the waiting order, smaller first; by attribute: {urgent: {yes: 0, no: 1}}."""
    activities: Annotated[dict[Name, Activity], Field(min_length=1, max_length=MAX_ACTIVITIES)]
    """What a case goes through, tied by `after`."""

    @model_validator(mode="after")
    def _one_attribute(self) -> CaseType:
        if isinstance(self.priority, dict) and len(self.priority) != 1:
            raise ValueError("priority: by one attribute only")
        return self


Servers = Annotated[int, Field(ge=0, le=MAX_SERVERS)]
ServersByDate = Annotated[dict[Date, Servers], Field(min_length=1)]


class Shift(Model):
    """So many servers with hours of their own."""

    servers: Servers | ServersByDate
    """How many; or numbers by the date since which they hold, the first before its date too:
    {2015-01-01: 3, 2017-01-01: 4}."""
    hours: HoursName | None = None
    """When they work; without it, the working hours."""


class Pool(Model):
    """Servers who can do the same work."""

    label: OptionalLabel = None
    """What people read."""
    shifts: Annotated[dict[Name, Shift], Field(min_length=1)]
    """Its servers, by shift."""
    at_shift_end: Literal["finish", "pause"] = "finish"
    """A service that runs when its shift ends is finished (overtime), or pauses till it reopens."""
    at_closing: Literal["serve", "turn_away", "wait"] = "serve"
    """People who wait when the pool closes are served, turned away, or wait; papers always wait."""
    room: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """How many people can wait; without it, as many as come."""

    @model_validator(mode="after")
    def _rules(self) -> Pool:
        if self.at_shift_end == "pause" and self.at_closing == "serve":
            raise ValueError(
                "at_shift_end: pause needs 'at_closing: turn_away' or 'at_closing: wait'"
            )
        return self


# --- what changes it -----------------------------------------------------------------------------


class DatedReform(Model):
    """A reform that takes effect on its date, while the hall is at work."""

    label: OptionalLabel = None
    """What people read."""
    effective: Date
    """Since when it holds."""
    in_progress: Literal["keep", "move"] = "keep"
    """Cases in progress keep the process they began under, or move over: from that day on they live
    through what they have not come to as those do who come later."""
    after: Names = ()
    """Reforms that it knows of: it may change what these have changed."""
    needs: Names = ()
    """Reforms without which it means nothing; it may change what these have changed."""
    changes: dict[str, Any]
    """What becomes different: a piece of a scenario; null removes."""


@dataclass(frozen=True)
class Phase:
    """A hall between two reforms."""

    since: dt.date | None
    """First day; None for the first phase, which begins with the simulation."""
    reforms: tuple[str, ...]
    """Names of those that take effect on that day."""
    scenario: Scenario
    """What holds, without reforms to come."""
    moved: tuple[tuple[dt.date, dict[str, CaseType]], ...] = ()
    """For cases that begin in it: the days on which they move over, and what their case types are
    from then on."""


class Scenario(Model):
    """A hall, its cases and what is promised: everything that one simulation needs."""

    label: OptionalLabel = None
    """What people read."""
    description: str = ""
    """What it is about, and what it leaves out."""
    calendar: Literal["china", "weekdays", "always"] | DateList = "china"
    """Working days: China's with make-up days, Monday to Friday, every day, or one's own list."""
    hours: Annotated[dict[Name, Hours], Field(min_length=1)]
    """Opening hours, by name."""
    working_hours: HoursName
    """The hours that count as working time."""
    horizon: Horizon
    """What is measured."""
    profiles: dict[Name, Profile] = {}
    """Shapes of day and week, by name."""
    trips: dict[Name, Trip] = {}
    """Reasons to come in, by name."""
    pools: dict[Name, Pool] = {}
    """Servers, by pool."""
    case_types: Annotated[dict[Name, CaseType], Field(min_length=1)]
    """Kinds of case."""
    promises: dict[Name, Promise] = {}
    """Published limits, by name."""
    stocks: dict[Name, Stock] = {}
    """What is counted up and down, by name."""
    published: dict[Name, Published] = {}
    """Published figures, by name."""
    dated_reforms: Annotated[
        dict[Name, DatedReform], ShortForm({"type": "array", "items": {"type": "string"}})
    ] = {}
    """Reforms that take effect within the horizon, by name; in files a list of their files."""
    _phases: tuple[Phase, ...] = PrivateAttr(default=())

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What holds when, by date; a scenario without dated reforms is one phase."""
        return self._phases or (Phase(None, (), self),)

    def in_phases(self, phases: tuple[Phase, ...]) -> Scenario:
        """The scenario with what its dated reforms make of it, see `phases`."""
        dated = self.model_copy()
        dated._phases = phases
        return dated

    @property
    def whole(self) -> Scenario:
        """All that there is at any time, as it first is: where names and labels are looked up."""
        if not self._phases:
            return self
        kinds = (
            *("hours", "profiles", "trips", "pools", "case_types", "promises"),
            *("stocks", "published"),
        )
        whole: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
        for phase in self.phases:
            for kind, found in whole.items():
                found |= {
                    name: value
                    for name, value in getattr(phase.scenario, kind).items()
                    if name not in found
                }
        return self.model_copy(update=whole)
