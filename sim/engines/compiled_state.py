"""What changes while the compiled loop runs, and the arrays in which it starts."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from sim.draws import has_patience, has_trips, repeated
from sim.engines.compiled_tables import CODE_BITS, WorkTables, hall_tables
from sim.plan import Plan
from sim.timeline import IntArray

FULL, DONE, ENDLESS = range(3)
"""Why the loop has stopped: there is no room to write on, the end is reached, no time passes."""

# What happens to a step.
BEGIN, CAME, PASSED, OVER, IMPATIENT = range(5)
LAST: Final = 2**63 - 1
"""After every entry of the calendar."""
CODE_MASK: Final = 2**CODE_BITS - 1

# Counters, in one array.
SIZE, HOLE, AGENDA, LATER, ROWS, TOUCHED, LOSING, LEAVING = range(8)
NOW, ROUNDS, NEXT_CASE, NEXT_CHANGE, LENGTH, NUM_UNSERVED, NEXT_OVER, OVER_THEN = range(8, 16)
NUM_COUNTERS: Final = 16
"""SIZE is that of the heap; HOLE says that its root has happened and can be replaced.
NOW, NEXT_CASE and NEXT_CHANGE are where the loop stands while more room is made; LENGTH is that of
the log; ROUNDS are those of this instant so far; NEXT_OVER and OVER_THEN are the first two of the
services."""

CASE, FACT = range(2)
"""Of a step: its case; where the facts of its place begin."""
STEP_SIZE: Final = 2

KIND_SHIFT: Final = 48
"""A row is its kind, and below it the step or the case: that is also its place in the round."""
ID_MASK: Final = 2**KIND_SHIFT - 1


class State(NamedTuple):
    """What changes while the loop runs; `enqueued_at` to `visits` are the outcome."""

    keeps_log: int
    counters: IntArray
    heap: IntArray
    slots: IntArray
    """The calendar's entry of each server's service; one that is over stays until the next."""
    agenda: IntArray
    later: IntArray
    row_key: IntArray
    row_server: IntArray
    # steps
    enqueued_at: IntArray
    started_at: IntArray
    completed_at: IntArray
    server: IntArray
    steps: np.ndarray
    """STEP_SIZE entries for each, see CASE and those after it."""
    branches: np.ndarray
    """Predecessors that are complete."""
    attempts: np.ndarray
    is_waiting: np.ndarray
    has_deadline: np.ndarray
    """The calendar holds an instant at which patience may be over."""
    last_seen: IntArray
    """For a step that begins a trip: one more than when the person was last in the hall."""
    # cases
    departed_at: IntArray
    lost_at: IntArray
    visits: IntArray
    ends_left: np.ndarray
    losing: IntArray
    """Cases that leave for good in this round."""
    leaving: IntArray
    """Rows of this round of those who leave unserved."""
    # queues
    queues: IntArray
    links: np.ndarray
    """For each line (queue by queue, level by level) and then for each step, who stands before it
    and who stands behind it: a step, or a line less the number of lines."""
    touched: IntArray
    # shifts
    is_open: np.ndarray
    closed_at: IntArray
    words: IntArray
    # tables of times: how far into each the loop has come
    gates_reached: IntArray
    trips_reached: IntArray
    sessions_reached: IntArray
    """Of each shift."""
    hours_reached: IntArray


def new_state(plan: Plan, work: WorkTables, keeps_log: bool) -> State:
    """The state before anything has happened. What is not touched costs no memory."""
    hall, steps, cases = hall_tables(plan), work.num_steps, work.num_cases
    waiting = steps if has_patience(plan) else 0
    coming = steps if has_trips(plan) else 0
    queues, shifts = hall.num_queues, len(hall.shift_pool)
    counters = np.zeros(NUM_COUNTERS, np.int64)
    counters[NEXT_OVER] = counters[OVER_THEN] = LAST
    return State(
        keeps_log=int(keeps_log),
        counters=counters,
        slots=np.full(hall.num_slots, -1, np.int64),
        heap=_empty_heap(2 * steps),
        agenda=np.empty(2 * steps + 1, np.int64),
        later=np.empty(2 * steps + 1, np.int64),
        row_key=np.empty(5 * steps + 3 * cases, np.int64),
        row_server=np.empty(5 * steps + 3 * cases, np.int64),
        enqueued_at=np.empty(steps, np.int64),
        started_at=np.empty(steps, np.int64),
        completed_at=np.empty(steps, np.int64),
        server=np.empty(steps, np.int64),
        steps=np.empty(STEP_SIZE * steps, np.int32),
        branches=np.zeros(steps, np.int32),
        attempts=np.zeros(max(waiting, coming), np.int32),
        is_waiting=np.zeros(steps, np.uint8),
        has_deadline=np.zeros(waiting, np.uint8),
        last_seen=np.zeros(coming, np.int64),
        departed_at=np.empty(cases, np.int64),
        lost_at=np.empty(cases, np.int64),
        visits=np.zeros(cases, np.int64) if coming else repeated(cases, 0),
        ends_left=np.empty(cases, np.int32),
        losing=np.empty(steps, np.int64),
        leaving=np.empty(steps, np.int64),
        queues=hall.queues.copy(),
        links=_empty_lines(hall.num_lines, steps),
        touched=np.empty(queues, np.int64),
        is_open=np.zeros(shifts, np.uint8),
        closed_at=np.full(shifts, -1, np.int64),
        words=hall.words.copy(),
        gates_reached=hall.gate_begin.copy(),
        trips_reached=hall.trip_begin.copy(),
        sessions_reached=hall.session_begin.copy(),
        hours_reached=np.zeros(1, np.int64),
    )


def _empty_lines(num_lines: int, num_steps: int) -> np.ndarray:
    """Lines in which nobody stands."""
    links = np.empty(2 * (num_lines + num_steps), np.int32)
    links[: 2 * num_lines] = np.repeat(np.arange(-num_lines, 0), 2)
    return links


def _empty_heap(size: int) -> IntArray:
    """Room for so many entries; behind the last one there is always LAST."""
    heap = np.empty(size + 3, np.int64)
    heap[:3] = LAST
    return heap


class Room(NamedTuple):
    """Where is written down what happens: columns one after the other, each of so many rows."""

    log: IntArray
    log_rows: int
    unserved: IntArray
    unserved_rows: int
