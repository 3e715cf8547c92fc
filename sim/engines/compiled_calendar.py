"""What the compiled loop writes down and looks at again, and its calendar.

An entry of the calendar is one integer: instant, step, and what happens then. Services are in a
table with a slot for each server, everything else is in a binary heap, where the first entry that
an event makes takes the event's own place at the root.
"""

from __future__ import annotations

from numba import carray  # type: ignore[attr-defined]  # it is public

from sim import timeline
from sim.engines.compiled_state import (
    CAME,
    FACT,
    HOLE,
    KIND_SHIFT,
    LAST,
    LATER,
    NEXT_OVER,
    OVER,
    OVER_THEN,
    ROWS,
    SIZE,
    STEP_SIZE,
    TOUCHED,
)
from sim.engines.compiled_tables import ACTIVITY, CODE_BITS, IS_TOUCHED, QUEUE_SIZE
from sim.engines.compiling import compiled, first_after, inlined, part
from sim.plan import CELLS, STRIDE

_come_in_at = compiled(timeline.come_in_at)
_pass_gate = compiled(timeline.pass_gate)
_add_open_time = compiled(timeline.add_open_time)
add_working_days = compiled(timeline.add_working_days)


# --- what is written down and looked at again ----------------------------------------------------


@inlined
def write(state, kind, number, server):  # type: ignore[no-untyped-def]
    """A row of this round: of a step, or of a case for ARRIVE, LOSE and DEPART."""
    if state.keeps_log:
        i = state.counters[ROWS]
        state.row_key[i] = kind << KIND_SHIFT | number
        state.row_server[i] = server
        state.counters[ROWS] = i + 1


@inlined
def touch(state, queue):  # type: ignore[no-untyped-def]
    """Something changed for a queue: look at it when the round is settled."""
    if not state.queues[queue * QUEUE_SIZE + IS_TOUCHED]:
        state.queues[queue * QUEUE_SIZE + IS_TOUCHED] = 1
        state.touched[state.counters[TOUCHED]] = queue
        state.counters[TOUCHED] += 1


# --- hours ---------------------------------------------------------------------------------------
#
# Time only goes on, so where it has come to in a table is where the next search begins; and what is
# asked for is near. The arithmetic is that of `timeline`, for the part of the table that matters.


@inlined
def _reach(times, reached, table, end, at):  # type: ignore[no-untyped-def]
    """Index of the first of a table's times that is not before an instant; its end if none is."""
    i = reached[table]
    while i < end and times[i] < at:
        i += 1
    reached[table] = i
    return i


@compiled
def pass_gate(hall, state, gate, now):  # type: ignore[no-untyped-def]
    """The instant at which who comes to a gate now goes on."""
    end = hall.gate_begin[gate + 1]
    first = _reach(hall.latest, state.gates_reached, gate, end, now)
    end = min(first + 1, end)
    return _pass_gate(part(hall.latest, first, end), part(hall.release, first, end), now)


@compiled
def add_open_time(starts, ends, before, begin, end, reached, table, now, time):  # type: ignore[no-untyped-def]
    """The instant by which so much open time has passed from now on."""
    first = max(_reach(starts, reached, table, end, now + 1) - 1, begin)
    last = first
    if first < end:
        most = before[first] + ends[first] - starts[first] + time
        while last < end and before[last] < most:
            last += 1
    return _add_open_time(
        part(starts, first, last), part(ends, first, last), part(before, first, last), now, time
    )


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
def schedule_over(hall, work, state, now, at, step, server):  # type: ignore[no-untyped-def]
    """A service will be over."""
    if hall.num_slots and now < at < hall.end_at:
        entry = at << work.step_bits | step << CODE_BITS | OVER
        state.slots[server] = entry
        first = state.counters[NEXT_OVER]
        state.counters[NEXT_OVER] = min(first, entry)
        state.counters[OVER_THEN] = min(state.counters[OVER_THEN], max(first, entry))
    else:
        schedule(hall, work, state, now, at, step, OVER)


@inlined
def take_over(hall, state):  # type: ignore[no-untyped-def]
    """The first service of the table happens; gives the entry of the next one, LAST for none.

    That is known already. To find the one after it takes time, but nobody waits for it. To look at
    the whole table is faster than a heap: no step of it has to be foreseen.
    """
    entry = state.counters[OVER_THEN]
    state.counters[NEXT_OVER] = entry
    state.counters[OVER_THEN] = first_after(state.slots, hall.num_slots, entry)
    return entry


@inlined
def _push(heap, count, key):  # type: ignore[no-untyped-def]
    if count[HOLE]:
        count[HOLE] = 0
        _sift_down(heap, count[SIZE], key)
        return
    i = count[SIZE]
    count[SIZE] = i + 1
    heap[i + 1] = LAST
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
    last = count[SIZE] - 1
    count[SIZE] = last
    key = heap[last]
    heap[last] = LAST
    if last:
        _sift_down(heap, last, key)


@inlined
def _sift_down(heap, size, key):  # type: ignore[no-untyped-def]
    """Put a key in the place of the root."""
    i, child = 0, 1
    while child < size:
        # Added, not asked: which child is smaller cannot be foreseen. An only child has LAST for a
        # brother.
        child += heap[child + 1] < heap[child]
        if heap[child] >= key:
            break
        heap[i] = heap[child]
        i, child = child, 2 * child + 1
    heap[i] = key


@compiled
def call_in(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """The person will come; at each further attempt the draws are moved on."""
    trip = hall.trip[work.facts[state.steps[step * STEP_SIZE + FACT] + ACTIVITY]]
    moved_on = state.attempts[step] * STRIDE
    day_draw = (work.come_day[step] + moved_on) % CELLS
    end = hall.trip_begin[trip + 1]
    first = _reach(hall.trip_starts, state.trips_reached, trip, end, now + 1)
    row = hall.skipped_of_trip[trip] * CELLS
    end = min(first + hall.skipped[row + day_draw] + 1, end)
    comes_at = _come_in_at(
        part(hall.trip_starts, first, end),
        part(hall.shape_of_session, first, end),
        carray(hall.offsets, (2**30, CELLS)),  # as many rows as there are
        part(hall.skipped, row, row + CELLS),
        now,
        day_draw,
        (work.come_time[step] + moved_on) % CELLS,
    )
    schedule(hall, work, state, now, comes_at, step, CAME)
