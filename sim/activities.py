"""Activities: what a case goes through, and the parts that each is made of.

An activity is lived through in one order: come in, wait for the hour, wait for a server and be
served or let time pass, perhaps be sent back, and mark a milestone.
"""

# ruff: noqa: RUF012 (pydantic gives every model a default of its own)

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.durations import Clock
from sim.fields import (
    Date,
    HoursName,
    Model,
    Name,
    Names,
    OptionalLabel,
    Priority,
    Share,
    SomeNames,
    TimesOfDay,
    Weekdays,
)
from sim.time_laws import Time

PASS = "pass"
"""The reserved attribute in `when`: `first` or `later` run through the loop it stands in."""


class Trip(Model):
    """How people come in when something waits for them: in one of the next open half-days."""

    label: OptionalLabel = None
    """What people read."""
    hours: HoursName | None = None
    """The hours in whose sessions they come; without it, the working hours."""
    profile: Name | None = None
    """When within a session they come; without it, evenly."""
    comes: Annotated[Share, Field(gt=0)] = 1.0
    """Chance that the person comes in any one open half-day."""


class Gate(Model):
    """Waits until something happens: a tray is carried over, someone signs, the hall opens."""

    at: TimesOfDay | None = None
    """Time of day at which it happens, such as "17:30", or several in a list."""
    weekdays: Weekdays | None = None
    """Only on these days; a day that is no working day moves to the next one."""
    dates: Annotated[tuple[Date, ...], Field(strict=False, min_length=1)] | None = None
    """Only on these dates."""
    open: HoursName | None = None
    """Instead of a time of day: waits until these hours are open."""
    resumes: Literal["at once", "next opening"] = "at once"
    """When what went through goes on: at once, or when the working hours next open."""

    @model_validator(mode="after")
    def _one_kind(self) -> Gate:
        if (self.at is None) == (self.open is None):
            raise ValueError("a gate has either a time of day ('at') or hours ('open')")
        if self.open is not None and (self.weekdays or self.dates or self.resumes != "at once"):
            raise ValueError("'open' goes alone; weekdays, dates and resumes go with 'at'")
        if self.weekdays is not None and self.dates is not None:
            raise ValueError("weekdays or dates, not both")
        return self


class Again(Model):
    """Sent back: with this probability the work is done once more."""

    probability: Annotated[Share, Field(lt=1)]
    """Chance at each time; below 100 %."""
    from_: Names = Field(default=(), alias="from")
    """Where it begins once more (alternatives as a list); without it, this activity alone."""


class Activity(Model):
    """One thing that a case goes through: come in, wait for the hour, be served, perhaps again."""

    label: OptionalLabel = None
    """What people read."""
    after: Names = ()
    """What must be complete before; without it, the activity begins when the case arrives."""
    when: dict[Name, SomeNames] = {}
    """Only for cases with these attributes; `pass: first` or `later` asks for the loop's pass."""
    trip: Name | None = None
    """The person must come in; activities with the same trip share one visit."""
    gate: Gate | None = None
    """Waits for its time before it goes on."""
    pool: Names = ()
    """Who serves it: the first pool of this list with a free server."""
    service: Time | None = None
    """How long a server takes."""
    delay: Time | None = None
    """How long passes without a server."""
    again: Again | None = None
    """Sent back with some probability."""
    milestone: Name | None = None
    """Name of the instant at which it is complete, in a loop for the last time."""
    documents: Annotated[int, Field(ge=0, le=10_000)] = 0
    """How many documents the applicant hands in."""
    patience: Time | None = None
    """How long the person waits before they leave; without it, for ever."""
    if_not_served: Literal["come_back", "lost"] = "come_back"
    """What a person does who is turned away or leaves: come in once more, or never."""
    priority: Priority | None = None
    """Place in the waiting order, smaller first; without it, the case type's."""

    @model_validator(mode="after")
    def _parts(self) -> Activity:
        if bool(self.pool) != (self.service is not None):
            raise ValueError("'pool' and 'service' go together")
        if self.pool and self.delay is not None:
            raise ValueError("either a service by a pool or a delay, not both")
        if self.patience is not None and not (self.pool and self.trip):
            raise ValueError("'patience' is a person's: it needs a trip and a pool")
        for name in ("service", "patience"):
            law = getattr(self, name)
            if law is not None and law.clock is not Clock.CLOCK_TIME:
                raise ValueError(f"{name}: a duration in s, min or h is wanted")
        return self
