"""The event log: what happened, event by event, and the tables that follow from it.

Events are in the order of their instants. At one instant they are in rounds: all that happens is
collected, then free servers are handed out, and what takes no time at all is complete in the next
round. Within a round they are in the order of their kind (`Kind`), then by case, then by place in
the itinerary. Engines keep no totals: the step table and the case table are made from the log.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from sim.plan import NONE, Plan
from sim.timeline import NEVER, BoolArray, IntArray, read_only
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
    COME_IN = 3
    """The person comes in: one visit."""
    ENQUEUE = 4
    """The case begins to wait for a server."""
    START = 5
    """A server begins, or a delay."""
    TURN_AWAY = 6
    """A person is sent away: the room is full or the pool is closed."""
    LOSE = 7
    """The case leaves for good with something undone."""
    DEPART = 8
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
        return np.flatnonzero(np.isin(self.kind, kinds))


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


@dataclass(frozen=True, eq=False)
class StepTable:
    """When each step of the workload came about; NEVER for what did not happen.

    A step whose person was turned away or left has its last attempt here.
    """

    came_at: IntArray
    """The person came in for it (steps that begin a trip, or came back)."""
    enqueued_at: IntArray
    started_at: IntArray
    completed_at: IntArray
    left_at: IntArray
    """The last attempt to be served ended unserved."""
    server: IntArray
    """-1 while none has begun, or where none is needed."""


def step_table(workload: Workload, log: EventLog) -> StepTable:
    """The step table of a log."""
    columns: dict[Kind, IntArray] = {}
    step = workload.first_step[log.case] + log.place

    def last(*kinds: Kind) -> IntArray:
        column = np.full(workload.num_steps, NEVER, dtype=np.int64)
        events = log.of_kind(*kinds)
        column[step[events]] = log.at[events]  # later events overwrite earlier ones
        return column

    for kind in (Kind.COME_IN, Kind.ENQUEUE, Kind.START, Kind.COMPLETE):
        columns[kind] = last(kind)
    server = np.full(workload.num_steps, NONE, dtype=np.int64)
    starts = log.of_kind(Kind.START)
    server[step[starts]] = log.server[starts]
    left_at = last(Kind.RENEGE, Kind.TURN_AWAY)
    # Whoever came back and waits again has not left.
    left_at[left_at < columns[Kind.ENQUEUE]] = NEVER
    return StepTable(
        came_at=columns[Kind.COME_IN],
        enqueued_at=columns[Kind.ENQUEUE],
        started_at=columns[Kind.START],
        completed_at=columns[Kind.COMPLETE],
        left_at=left_at,
        server=server,
    )


@dataclass(frozen=True, eq=False)
class CaseTable:
    """What became of each case; NEVER for what did not happen before the horizon."""

    arrived_at: IntArray
    departed_at: IntArray
    """Left with everything done."""
    lost_at: IntArray
    milestones: IntArray
    """(num_cases, num_milestones): when the last visit to the activity that marks it was done."""
    visits: IntArray
    """How often the person came in."""
    documents: IntArray
    """How many documents were handed in, each counted once."""
    is_first_pass: BoolArray
    """Nothing was ever sent back, as far as the case got."""

    @property
    def is_finished(self) -> BoolArray:
        """Everything is done."""
        is_finished: BoolArray = self.departed_at != NEVER
        return is_finished

    @property
    def is_lost(self) -> BoolArray:
        """Left for good with something undone."""
        is_lost: BoolArray = self.lost_at != NEVER
        return is_lost


def case_table(
    plan: Plan, workload: Workload, log: EventLog, steps: StepTable | None = None
) -> CaseTable:
    """The case table of a log."""
    steps = steps or step_table(workload, log)
    num_cases = workload.num_cases

    def when(kind: Kind) -> IntArray:
        column = np.full(num_cases, NEVER, dtype=np.int64)
        events = log.of_kind(kind)
        column[log.case[events]] = log.at[events]
        return column

    is_done = steps.completed_at != NEVER
    documents = np.array([activity.documents for activity in plan.activities], dtype=np.int64)
    handed_in = np.where(is_done & (workload.step_visit == 1), documents[workload.step_activity], 0)
    repeats = workload.step_case[is_done & workload.step_is_repeat]
    come_ins = log.of_kind(Kind.COME_IN)
    return CaseTable(
        arrived_at=workload.arrived_at,
        departed_at=when(Kind.DEPART),
        lost_at=when(Kind.LOSE),
        milestones=_milestones(plan, workload, steps),
        visits=np.bincount(log.case[come_ins], minlength=num_cases),
        documents=np.bincount(workload.step_case, handed_in, minlength=num_cases).astype(np.int64),
        is_first_pass=np.bincount(repeats, minlength=num_cases) == 0,
    )


def _milestones(plan: Plan, workload: Workload, steps: StepTable) -> IntArray:
    milestone = np.array([activity.milestone for activity in plan.activities], dtype=np.int64)
    of_step = milestone[workload.step_activity]
    result = np.full((workload.num_cases, len(plan.milestones)), NEVER, dtype=np.int64)
    marking = np.flatnonzero(of_step != NONE)
    if len(marking):
        # The last one counts: NEVER is later than everything, so an unfinished pass wins.
        result[workload.step_case[marking], of_step[marking]] = 0
        np.maximum.at(
            result,
            (workload.step_case[marking], of_step[marking]),
            steps.completed_at[marking],
        )
    return result
