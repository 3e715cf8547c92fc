"""The event log: what happened, event by event.

Events are in the order of their instants. At one instant they are in rounds: all that happens is
collected, then free servers are handed out, and what takes no time at all is complete in the next
round. Within a round they are in the order of their kind (`Kind`), then by case, then by place in
the itinerary. Engines keep no totals: what came of each step and case follows from the log.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from sim.plan import NONE, Plan
from sim.timeline import IntArray, read_only
from sim.workload import Workload


class Kind(enum.IntEnum):
    """What happens, in the order in which it happens at one instant.

    Completions come before arrivals: a window freed at 10:00 serves the case that comes at 10:00.
    Who leaves at 10:00 is not served at 10:00.
    """

    COMPLETE = 0
    """A step is done."""
    RENEGE = 1
    """A waiting person's patience is over."""
    ARRIVE = 2
    """A case begins."""
    PASS_OVER = 3
    """A step is not there at this time, for a case that a reform has moved over: it is done."""
    COME_IN = 4
    """The person comes in: one visit."""
    ENQUEUE = 5
    """The case begins to wait for a server."""
    START = 6
    """A server begins, or a delay."""
    TURN_AWAY = 7
    """A person is sent away: the room is full or the pool is closed."""
    LOSE = 8
    """The case leaves for good with something undone."""
    DEPART = 9
    """The case leaves with everything done."""


@dataclass(frozen=True, eq=False)
class EventLog:
    """Every event of one replication; read-only columns of equal length.

    at        instant, seconds.
    kind      see `Kind`.
    case      number of the case.
    place     step of the case's itinerary; one past the last for LOSE and DEPART, -1 for ARRIVE.
    activity  number through the hall, -1 where the event is of the whole case.
    pool      that serves, or the first choice of who waits; -1 where none is concerned.
    server    number through the hall, for START and COMPLETE of a service; else -1.
    """

    at: IntArray
    kind: IntArray
    case: IntArray
    place: IntArray
    activity: IntArray
    pool: IntArray
    server: IntArray

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.at)

    def of_kind(self, *kinds: Kind) -> IntArray:
        """Indices of the events of these kinds."""
        is_wanted = np.zeros(len(Kind), dtype=bool)
        is_wanted[list(kinds)] = True
        return np.flatnonzero(is_wanted[self.kind])


def make_log(plan: Plan, workload: Workload, rows: IntArray) -> EventLog:
    """The log of an engine's rows: at, round, kind, case, place, server.

    rows  int64, shape (num_events, 6), in the order of (at, round).
    """
    at, rounds, kind, case, place, server = rows.T
    is_new = (np.diff(at, prepend=-1) != 0) | (np.diff(rounds, prepend=-1) != 0)
    # One key instead of four: the rows are nearly in order, which a single stable sort uses.
    key = (kind * (workload.num_cases + 1) + case) * (place.max(initial=0) + 2) + place + 1
    order = np.argsort(np.cumsum(is_new) * (key.max(initial=0) + 1) + key, kind="stable")
    at, kind, case, place, server = (column[order] for column in (at, kind, case, place, server))
    in_step = (kind != Kind.ARRIVE) & (kind < Kind.LOSE)
    step = workload.first_step[case] + np.where(in_step, place, 0)
    activity = np.full(len(at), NONE, dtype=np.int64)
    activity[in_step] = workload.step_activity[step[in_step]]
    waits = (kind == Kind.ENQUEUE) | (kind == Kind.RENEGE) | (kind == Kind.TURN_AWAY)
    pool = np.full(len(at), NONE, dtype=np.int64)
    pool[waits] = first_pool_of_activity(plan)[activity[waits]]
    served = server != NONE
    pool[served] = pool_of_server(plan)[server[served]]
    return EventLog(*map(read_only, (at, kind, case, place, activity, pool, server)))


def shift_of_server(plan: Plan) -> IntArray:
    """The shift of each server."""
    return np.repeat(np.arange(len(plan.shifts)), [shift.servers for shift in plan.shifts])


def pool_of_server(plan: Plan) -> IntArray:
    """The pool of each server."""
    pool_of_shift = np.array([shift.pool for shift in plan.shifts], dtype=np.int64)
    return pool_of_shift[shift_of_server(plan)]


def first_pool_of_activity(plan: Plan) -> IntArray:
    """The pool that each activity asks for first, -1 for none."""
    return np.array(
        [NONE if a.queue == NONE else plan.queues[a.queue][0] for a in plan.activities],
        dtype=np.int64,
    )
