"""Time laws: how long something takes, as a scenario file says it.

A duration such as `12 min`, or one family of distributions whose parameters are durations. The
mathematics of the families belongs to `distributions`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sim.durations import Clock, Duration
from sim.fields import (
    DURATION_SCHEMA,
    DurationText,
    Model,
    NonNegative,
    Positive,
    ShortForm,
)


def _positive(duration: Duration) -> Duration:
    if duration.amount == 0:
        raise ValueError("more than 0 is wanted; write 'constant' for a time that is always 0")
    return duration


PositiveDuration = Annotated[DurationText, AfterValidator(_positive)]


class MeanAndCv(Model):
    """Mean and coefficient of variation."""

    mean: PositiveDuration
    """Mean."""
    cv: NonNegative
    """Standard deviation divided by the mean."""


class MeanOnly(Model):
    """A family that its mean determines."""

    mean: PositiveDuration
    """Mean."""


class MeanAndShape(Model):
    """Mean and shape."""

    mean: PositiveDuration
    """Mean."""
    shape: Positive
    """Shape: 1 is exponential, larger is more regular."""


class MeanAndPhases(Model):
    """Mean and number of phases."""

    mean: PositiveDuration
    """Mean of the whole, not of a phase."""
    phases: Annotated[int, Field(ge=1, le=1000)]
    """How many exponential phases in a row."""


class Range(Model):
    """Equally likely between two values."""

    low: DurationText
    """Smallest value."""
    high: DurationText
    """Largest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        _check_order(low=self.low, high=self.high)
        return self


class TriangularRange(Range):
    """Between two values, most often near the mode."""

    mode: DurationText
    """Most frequent value."""

    @model_validator(mode="after")
    def _mode_between(self) -> TriangularRange:
        _check_order(low=self.low, mode=self.mode)
        _check_order(mode=self.mode, high=self.high)
        return self


def _check_order(**durations: Duration) -> None:
    (name, less), (other, more) = durations.items()
    # Those on different clocks are refused by the law.
    if less.clock is more.clock is not Clock.WORKING_DAYS and less.seconds > more.seconds:
        raise ValueError(f"{name}: {less} is more than {other} ({more})")


class Observations(Model):
    """Values that were observed, each equally likely."""

    values: Annotated[tuple[DurationText, ...], Field(strict=False)] = ()
    """The values themselves."""
    file: str | None = None
    """Or a CSV file, relative to this one."""
    column: str | None = None
    """Which column of the file; without it, `duration`."""
    unit: Literal["s", "min", "h"] | None = None
    """Unit of the numbers in the file; without it, minutes."""

    @model_validator(mode="after")
    def _some(self) -> Observations:
        # Loading has put the values in the place of a file that it can read.
        if self.file is not None:
            raise ValueError("file: only a scenario file can name another file, as text")
        if not self.values:
            raise ValueError("at least one value is wanted")
        if self.column is not None or self.unit is not None:
            raise ValueError("'column' and 'unit' go with 'file'")
        return self


class TimeLaw(Model):
    """How long something takes: a duration such as `12 min`, or one family of distributions."""

    constant: DurationText | None = None
    """Always the same."""
    uniform: Range | None = None
    """Equally likely between low and high."""
    triangular: TriangularRange | None = None
    """Between low and high, most often near mode."""
    exponential: MeanOnly | None = None
    """Exponential with this mean."""
    erlang: MeanAndPhases | None = None
    """Sum of equal exponential phases."""
    gamma: MeanAndShape | None = None
    """Gamma with this mean and shape."""
    lognormal: MeanAndCv | None = None
    """Lognormal with this mean and coefficient of variation."""
    weibull: MeanAndShape | None = None
    """Weibull with this mean and shape."""
    empirical: Observations | None = None
    """Observed values."""

    @model_validator(mode="after")
    def _one_family(self) -> TimeLaw:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            hint = f"; remove one with '{given[0]}: null'" if len(given) > 1 else ""
            raise ValueError(f"exactly one family is wanted, found {found}{hint}")
        durations = self.durations()
        clocks = {duration.clock for duration in durations}
        if len(clocks) > 1:
            raise ValueError(
                f"all durations must be on one clock, found {' and '.join(sorted(clocks))}"
            )
        if clocks == {Clock.WORKING_DAYS}:
            if given != ["constant"]:
                raise ValueError(
                    "working days can only be a constant; use working h for a distribution"
                )
            if any(d.amount != int(d.amount) for d in durations):
                raise ValueError(
                    "working days are a whole number; use working h for parts of a day"
                )
        return self

    @property
    def family(self) -> str:
        """Name of the family that is given."""
        return next(n for n in type(self).model_fields if getattr(self, n) is not None)

    def durations(self) -> tuple[Duration, ...]:
        """Every duration it is made of."""
        value = getattr(self, self.family)
        if isinstance(value, Duration):
            return (value,)
        if isinstance(value, Observations):
            return value.values
        return tuple(v for v in vars(value).values() if isinstance(v, Duration))

    @property
    def clock(self) -> Clock:
        """The clock that the time passes on."""
        return next((d.clock for d in self.durations()), Clock.CLOCK_TIME)


def _time_law(value: object) -> object:
    return {"constant": value} if isinstance(value, str | int | float) else value


Time = Annotated[TimeLaw, BeforeValidator(_time_law), ShortForm(DURATION_SCHEMA)]
