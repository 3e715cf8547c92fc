"""The plan: a scenario in which names have become indices, and hours, gates and rates tables.

A plan is what is drawn for and what the engines run: read-only arrays and small tuples,
nothing to look up by name. Instants are whole seconds from midnight of `origin`, the first day of
the warm-up; every table ends with the horizon, beyond which nothing is simulated.

Activities and shifts are numbered through the whole hall, case type by case type and pool by pool.
Servers too: those of shift k are `first_server .. first_server + servers - 1`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sim import distributions as laws
from sim.calendars import (
    Sessions,
    WorkingDays,
)
from sim.durations import Clock
from sim.itinerary import Process
from sim.scenario import (
    Scenario,
)
from sim.timeline import IntArray

NONE: Final = -1
"""The missing index."""
CELLS: Final = 4096
"""Resolution of the tables from which engines read when a person comes in."""
STRIDE: Final = 2531
"""A person who comes once more has the next draws: those before, moved on by the golden ratio."""


# --- tables --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class GateTable:
    """When a gate lets through: see `timeline.pass_gate`."""

    latest: IntArray
    release: IntArray


@dataclass(frozen=True, eq=False)
class TripTable:
    """When people come in: see `timeline` and `engines`.

    A person who is wanted at an instant comes in the session that is `skipped[u]` after the next
    one, `offsets[shape_of_session[session], v]` seconds after its start, where u and v are two
    draws in [0, CELLS).
    """

    name: str
    starts: IntArray
    """Starts of the sessions in which people come."""
    shape_of_session: IntArray
    offsets: np.ndarray
    """int64, (num_shapes, CELLS): quantiles of the time within a session."""
    skipped: IntArray
    """(CELLS,): quantiles of the number of sessions let go by."""


@dataclass(frozen=True, eq=False)
class CumulativeRate:
    """Expected arrivals up to each instant: piecewise linear, constant between the pieces."""

    starts: IntArray
    ends: IntArray
    before: np.ndarray
    """float64: expected arrivals before each piece, and in all as a last entry."""

    @property
    def total(self) -> float:
        """Expected arrivals in all."""
        return float(self.before[-1])

    def instants(self, expected: np.ndarray) -> IntArray:
        """The instants (int64) at which so many arrivals are expected; `expected` < total."""
        piece = np.searchsorted(self.before, expected, side="right") - 1
        share = (expected - self.before[piece]) / (self.before[piece + 1] - self.before[piece])
        length = self.ends[piece] - self.starts[piece]
        # Floor keeps an arrival inside its piece, and so inside the opening hours.
        within = np.minimum((share * length).astype(np.int64), length - 1)
        instants: IntArray = self.starts[piece] + within
        return instants


# --- what is planned -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PlannedShift:
    """Identical servers with hours of their own."""

    name: str
    pool: int
    servers: int
    first_server: int
    sessions: Sessions


@dataclass(frozen=True, eq=False)
class PlannedPool:
    """Servers who can do the same work, and how they treat the people who wait."""

    name: str
    shifts: tuple[int, ...]
    pauses: bool
    at_closing: Literal["serve", "turn_away", "wait"]
    room: int | None


@dataclass(frozen=True, eq=False)
class PlannedActivity:
    """An activity with indices for names; -1 where a part is missing."""

    name: str
    case_type: int
    lived_from: int
    """Who comes to it before this instant, or not before the next one, passes it over: a case in
    progress that a reform moves over lives through another version of it."""
    lived_until: int
    queue: int
    gate: int
    trip: int
    service: laws.Distribution | None
    """In seconds."""
    delay: laws.Distribution | None
    """In seconds, or in working days if `delay_clock` says so."""
    delay_clock: Clock
    patience: laws.Distribution | None
    is_lost_if_not_served: bool
    again: float
    milestone: int
    documents: int
    priority: int | None


@dataclass(frozen=True, eq=False)
class PlannedArrivals:
    """When the cases of a type come: one of a rate, instants, or a record."""

    rates: tuple[CumulativeRate, ...]
    """One, or one for each value of `by_attribute`; empty if instants are known."""
    before: float
    """Expected arrivals of this type that came before, under another process."""
    by_attribute: int
    instants: IntArray
    recorded_attributes: dict[int, IntArray]
    """Recorded value of each case, by attribute."""
    batch_sizes: IntArray
    batch_shares: np.ndarray


@dataclass(frozen=True, eq=False)
class PlannedCaseType:
    """A case type: its process, who comes, and what is drawn for each case.

    A reform that takes effect within the horizon makes another one of it, of the same name: for
    those who come from then on. They share the draws of that name.
    """

    name: str
    first_activity: int
    process: Process
    arrivals: PlannedArrivals
    attributes: tuple[tuple[str, tuple[str, ...], np.ndarray], ...]
    """Name, values, and shares of each attribute."""
    conditions: tuple[tuple[tuple[int, frozenset[int]], ...], ...]
    """For each activity: attributes and the values it asks for."""
    versions: dict[int, tuple[int, ...]]
    """Of the process's activities that reforms change for cases in progress: all versions, of which
    the first has the number of the activity and the others come after all activities."""
    priority_attribute: int
    priorities: tuple[int, ...]
    """By value of the attribute, or a single one."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A scenario, ready to be drawn for and run."""

    scenario: Scenario
    origin: dt.date
    measured_from_at: int
    end_at: int
    days: WorkingDays
    working_hours: Sessions
    hours: dict[str, Sessions]
    case_types: tuple[PlannedCaseType, ...]
    activities: tuple[PlannedActivity, ...]
    milestones: tuple[str, ...]
    gates: tuple[GateTable, ...]
    trips: tuple[TripTable, ...]
    pools: tuple[PlannedPool, ...]
    shifts: tuple[PlannedShift, ...]
    queues: tuple[tuple[int, ...], ...]
    """For each queue the pools that serve it, in order of preference."""
    num_servers: int

    @property
    def has_versions(self) -> bool:
        """Whether any case in progress moves over to another process."""
        return any(case_type.versions for case_type in self.case_types)

    def priority_of(self, activity: PlannedActivity) -> int | None:
        """The priority of every case at an activity; None where it is the case's own."""
        priorities = self.case_types[activity.case_type].priorities
        if activity.priority is not None or len(set(priorities)) > 1:
            return activity.priority
        return priorities[0]

    def shifts_of_queue(self, queue: int) -> tuple[int, ...]:
        """The shifts that serve a queue, in order of preference."""
        return tuple(shift for pool in self.queues[queue] for shift in self.pools[pool].shifts)
