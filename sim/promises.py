"""What is promised, what is counted up and down, and what was published: parts of a scenario.

They are models of the file format, as those of `scenario` are; which names they may use is checked
in `name_checks` and `process_checks`.
"""

# ruff: noqa: RUF012 (pydantic gives every model a default of its own)

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.fields import (
    Date,
    DurationText,
    Figure,
    Model,
    Name,
    NonNegative,
    OptionalLabel,
    SomeNames,
)

ARRIVED, DEPARTED = "arrived", "departed"
"""Milestones that every case has: when it arrives, and when it leaves with everything done."""


class Promise(Model):
    """A published limit for the time between two milestones; also names a time to measure."""

    label: OptionalLabel = None
    """What people read."""
    case_types: SomeNames
    """Whose time."""
    from_: Name = Field(default=ARRIVED, alias="from")
    """Milestone at which the clock starts."""
    to: Name = DEPARTED
    """Milestone at which it stops."""
    within: DurationText
    """The limit, on its own clock: `5 working days`, `same day`, `210 min`, `7 working h`."""
    per: Literal["case", "batch"] = "case"
    """Of each case, or of each batch from its first beginning to its last end."""


class Flow(Model):
    """Cases that add to a stock, or take from it."""

    case_types: SomeNames
    """Whose."""
    at: Name = DEPARTED
    """Milestone at which they count."""
    when: dict[Name, SomeNames] = {}
    """Only cases with these attributes."""


class Stock(Model):
    """How many of something there are: a count on a known day, and what came and went since."""

    label: OptionalLabel = None
    """What people read."""
    known: Annotated[int, Field(ge=0)]
    """How many there were, ..."""
    known_on: Date
    """on the evening of this day."""
    gains: Annotated[tuple[Flow, ...], Field(strict=False)] = ()
    """What adds one each."""
    losses: Annotated[tuple[Flow, ...], Field(strict=False)] = ()
    """What takes one away each."""
    share_of: Name | None = None
    """Another stock of which this one is a part."""


class Published(Model):
    """A published figure that the simulated one stands beside."""

    label: OptionalLabel = None
    """What people read."""
    metric: str
    """Name of a metric, see `hall metrics`."""
    subject: str
    """What it is of: a promise, a pool, a case type, or `hall`."""
    equals: Figure | None = None
    """The figure itself, in the metric's unit (a share as 90 %)."""
    at_least: Figure | None = None
    """Or a lower bound."""
    at_most: Figure | None = None
    """Or an upper bound."""
    tolerance: NonNegative = 0.0
    """How far from the figure still counts as the same."""

    @model_validator(mode="after")
    def _one_figure(self) -> Published:
        if sum(v is not None for v in (self.equals, self.at_least, self.at_most)) != 1:
            raise ValueError("exactly one of equals, at_least, at_most is wanted")
        return self
