"""What changes while the compiled loop runs, what it writes down, and its calendar.

The calendar is a binary heap of instants. An entry is one integer: instant, step, and what happens
then. The first entry that an event makes takes the event's own place at the root.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, no_type_check

import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]  # carray is public
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sim import timeline
from sim.engines.compiled_tables import CODE_BITS, HallTables, WorkTables
from sim.plan import CELLS, NONE, STRIDE
from sim.timeline import IntArray

# What happens to a step.
BEGIN, CAME, PASSED, OVER, IMPATIENT = range(5)
CODE_MASK: Final = 2**CODE_BITS - 1

# Counters, in one array.
SIZE, HOLE, AGENDA, LATER, ROWS, TOUCHED, LOSING = range(7)
"""SIZE is that of the heap; HOLE says that its root has happened and can be replaced."""

KIND_SHIFT: Final = 48
"""A row is its kind, and below it the step or the case: that is also its place in the round."""
ID_MASK: Final = 2**KIND_SHIFT - 1

Compiled = Callable[..., Any]
# Not cached: only the whole loop is, or new code of one module would call old code of another.
_OPTIONS: Final[Any] = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def compiled(function: Compiled) -> Compiled:
    """As `njit`, for functions that only compiled ones call."""
    result: Compiled = njit(**_OPTIONS)(function)
    return result


def inlined(function: Compiled) -> Compiled:
    """As `compiled`, for what happens all the time: a call costs as much as what it does."""
    result: Compiled = njit(forceinline=True, **_OPTIONS)(function)
    return result


come_in_at = compiled(timeline.come_in_at)
pass_gate = compiled(timeline.pass_gate)
add_open_time = compiled(timeline.add_open_time)
add_working_days = compiled(timeline.add_working_days)


@intrinsic
@no_type_check  # numba's own parts have no types
def pointers(context, tables):
    """The same named tuple with pointers to the arrays' first entries.

    An array among the arguments of a compiled function is seven numbers and a reference to count; a
    pointer is one number. Who calls the compiled loop keeps the arrays alive.
    """
    fields = [types.CPointer(t.dtype) if isinstance(t, types.Array) else t for t in tables.types]
    pointers = types.NamedTuple(fields, tables.instance_class)

    def generate(context, builder, signature, arguments):
        values = cgutils.unpack_tuple(builder, arguments[0])
        return context.make_tuple(
            builder,
            pointers,
            [
                make_array(t)(context, builder, value).data if isinstance(t, types.Array) else value
                for t, value in zip(tables.types, values, strict=True)
            ],
        )

    return pointers(tables), generate


@compiled
def part(pointer, begin, end):  # type: ignore[no-untyped-def]
    """Entries begin .. end - 1 as an array."""
    return carray(pointer, end)[begin:end]


class State(NamedTuple):
    """What changes while the loop runs."""

    counters: IntArray
    heap: IntArray
    agenda: IntArray
    later: IntArray
    row_key: IntArray
    row_server: IntArray
    # steps
    branches: np.ndarray
    """Predecessors that are complete."""
    attempts: np.ndarray
    enqueued_at: IntArray
    is_waiting: np.ndarray
    has_deadline: np.ndarray
    """The calendar holds an instant at which patience may be over."""
    level: np.ndarray
    before: IntArray
    behind: IntArray
    """Neighbours of each step in its queue."""
    server: np.ndarray
    day_in_hall: np.ndarray
    """For a step that begins a trip: the day on which the person was last seen."""
    # cases
    steps_left: np.ndarray
    is_lost: np.ndarray
    losing: IntArray
    # queues
    head: IntArray
    tail: IntArray
    """Of each queue, level by level."""
    num_waiting: IntArray
    num_people: IntArray
    """Of those who wait, how many wait in person."""
    num_open: IntArray
    touched: IntArray
    is_touched: np.ndarray
    # shifts and servers
    is_open: np.ndarray
    closed_at: IntArray
    num_free: IntArray
    lowest_free: IntArray
    """No server of the shift below this one is free."""
    is_free: np.ndarray


def new_state(hall: HallTables, work: WorkTables) -> State:
    """The state before anything has happened. What is not touched costs no memory."""
    steps, cases = work.num_steps, work.num_cases
    queues, shifts = hall.num_queues, len(hall.shift_pool)
    return State(
        counters=np.zeros(7, np.int64),
        heap=np.empty(2 * steps + 1, np.int64),
        agenda=np.empty(2 * steps + 1, np.int64),
        later=np.empty(2 * steps + 1, np.int64),
        row_key=np.empty(5 * steps + 3 * cases, np.int64),
        row_server=np.empty(5 * steps + 3 * cases, np.int64),
        branches=np.zeros(steps, np.int32),
        attempts=np.zeros(steps, np.int32),
        enqueued_at=np.empty(steps, np.int64),
        is_waiting=np.zeros(steps, np.uint8),
        has_deadline=np.zeros(steps, np.uint8),
        level=np.empty(steps, np.int64),
        before=np.empty(steps, np.int64),
        behind=np.empty(steps, np.int64),
        server=np.empty(steps, np.int64),
        day_in_hall=np.full(steps, -1, np.int64),
        steps_left=np.empty(cases, np.int32),
        is_lost=np.zeros(cases, np.uint8),
        losing=np.empty(steps, np.int64),
        head=np.full(queues * hall.num_levels, NONE, np.int64),
        tail=np.full(queues * hall.num_levels, NONE, np.int64),
        num_waiting=np.zeros(queues, np.int64),
        num_people=np.zeros(queues, np.int64),
        num_open=np.zeros(queues, np.int64),
        touched=np.empty(queues, np.int64),
        is_touched=np.zeros(queues, np.uint8),
        is_open=np.zeros(shifts, np.uint8),
        closed_at=np.full(shifts, -1, np.int64),
        num_free=np.diff(hall.servers_begin),
        lowest_free=hall.servers_begin[:-1].copy(),
        is_free=np.ones(len(hall.shift_of_server), np.uint8),
    )


# --- what is written down and looked at again ----------------------------------------------------


@inlined
def write(state, kind, number, server):  # type: ignore[no-untyped-def]
    """A row of this round: of a step, or of a case for ARRIVE, LOSE and DEPART."""
    i = state.counters[ROWS]
    state.row_key[i] = kind << KIND_SHIFT | number
    state.row_server[i] = server
    state.counters[ROWS] = i + 1


@inlined
def touch(state, queue):  # type: ignore[no-untyped-def]
    """Something changed for a queue: look at it when the round is settled."""
    if not state.is_touched[queue]:
        state.is_touched[queue] = 1
        state.touched[state.counters[TOUCHED]] = queue
        state.counters[TOUCHED] += 1


# --- the calendar --------------------------------------------------------------------------------


@inlined
def schedule(hall, work, state, now, at, step, code):  # type: ignore[no-untyped-def]
    """Something happens to a step; now means the next round of this instant."""
    entry = step << CODE_BITS | code
    if at <= now:
        state.later[state.counters[LATER]] = entry
        state.counters[LATER] += 1
    elif at < hall.end_at:
        _push(state.heap, state.counters, at << work.step_bits | entry)


@inlined
def _push(heap, count, key):  # type: ignore[no-untyped-def]
    if count[HOLE]:
        count[HOLE] = 0
        _sift_down(heap, count[SIZE], key)
        return
    i = count[SIZE]
    count[SIZE] = i + 1
    while i > 0:
        parent = (i - 1) >> 1
        if heap[parent] <= key:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = key


@inlined
def remove_root(heap, count):  # type: ignore[no-untyped-def]
    """Remove the first entry of the calendar."""
    count[SIZE] -= 1
    if count[SIZE]:
        _sift_down(heap, count[SIZE], heap[count[SIZE]])


@inlined
def _sift_down(heap, size, key):  # type: ignore[no-untyped-def]
    """Put a key in the place of the root."""
    i, child = 0, 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[i] = heap[child]
        i, child = child, 2 * child + 1
    heap[i] = key


@compiled
def call_in(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """The person will come; at each further attempt the draws are moved on."""
    trip = hall.trip[work.activity[step]]
    begin, end = hall.trip_begin[trip], hall.trip_begin[trip + 1]
    moved_on = state.attempts[step] * STRIDE
    comes_at = come_in_at(
        part(hall.trip_starts, begin, end),
        part(hall.shape_of_session, begin, end),
        carray(hall.offsets, (2**30, CELLS)),  # as many rows as there are
        part(hall.skipped, trip * CELLS, (trip + 1) * CELLS),
        now,
        (work.come_day[step] + moved_on) % CELLS,
        (work.come_time[step] + moved_on) % CELLS,
    )
    schedule(hall, work, state, now, comes_at, step, CAME)
