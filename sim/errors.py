"""The exceptions of this package, and the exit code that the command line gives each.

    HallError                     anything this package says on purpose
    ├── ScenarioError        2    a scenario or an option that cannot be used; carries problems
    ├── CalendarError        2    a date that the calendar does not know
    ├── TooFewReplications   2    a statistic needs more replications than there are
    ├── LawViolated          1    a run broke one of the laws that hold in every run: a bug
    ├── EnginesDiffer        1    the engines gave different logs: a bug
    ├── RunawayError         1    a run that does not come to its end
    ├── IncompleteError      4    replications are missing; what was done is kept
    ├── ClusterError         5    a cluster cannot be used
    └── ResultsError         5    a results folder cannot be written or read

A file's problems come all at once, each with file, line and column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a scenario file (line and column count from 1), or a `--set` option (line 0)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """`file:line:column`, or the option alone."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what would be right."""

    mark: Mark
    path: str
    """Dotted path of the value, such as `pools.windows.shifts.day`; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        """One line: where, what, and what would be right."""
        return ": ".join(part for part in (str(self.mark), self.path, self.message) if part)


class HallError(Exception):
    """Anything this package says on purpose."""

    exit_code = 1


class ScenarioError(HallError):
    """A scenario cannot be used; `problems` says why, one entry a line."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CalendarError(HallError):
    """A date that the calendar does not know."""

    exit_code = 2


class TooFewReplications(HallError):  # noqa: N818 (reads as what happened)
    """A statistic needs more replications than there are."""

    exit_code = 2


class LawViolated(HallError):  # noqa: N818 (reads as what happened)
    """A run broke one of the laws that hold in every run: a bug in this package."""

    exit_code = 1


class EnginesDiffer(HallError):  # noqa: N818 (reads as what happened)
    """The engines gave different logs: a bug in this package."""

    exit_code = 1


class RunawayError(HallError):
    """A run does not come to its end: no time passes, or there are too many events."""

    exit_code = 1


class IncompleteError(HallError):
    """Replications are missing: they failed, or the run ended early; what was done is kept."""

    exit_code = 4


class ClusterError(HallError):
    """A cluster cannot be used: it does not answer, or its workers would give other numbers."""

    exit_code = 5


class ResultsError(HallError):
    """A results folder cannot be written or read."""

    exit_code = 5
