"""The compiled engine: the same log as the SimPy engine's, from a loop that numba compiles.

One loop serves every hall: it walks over the tables of a plan and a workload, so it is compiled once
on a machine. What happens and why is told in `simpy_engine`; nothing is shared with it but the plan,
the workload, and the arithmetic of hours and days. Here a step is a number, and it is in one of
these places:

* the **calendar**, a binary heap of instants. An entry is one integer: instant, step, and what
  happens then. The first entry that an event makes takes the event's own place at the root;
* a **queue**, one list for each priority level, threaded through the steps in the waiting order;
* the **agenda** of this round, or that of the next round of this instant (`later`).

An instant is lived through in rounds: first all of the agenda, then servers are handed out, then the
round is written down in the order of the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from sim import timeline
from sim.engines.compiled_tables import (
    CODE_BITS,
    KEEP,
    SERVE,
    WORKING_DAYS,
    WORKING_TIME,
    HallTables,
    WorkTables,
    hall_tables,
    work_tables,
)
from sim.event_log import EventLog, Kind
from sim.plan import CELLS, NONE, STRIDE, Plan
from sim.timeline import DAY, NEVER, IntArray
from sim.workload import Workload

COMPLETE, RENEGE, ARRIVE, COME_IN, ENQUEUE, START, TURN_AWAY, LOSE, DEPART = map(int, Kind)

# What happens to a step.
BEGIN, CAME, PASSED, OVER, IMPATIENT = range(5)
CODE_MASK: Final = 2**CODE_BITS - 1

# Counters, in one array.
SIZE, HOLE, AGENDA, LATER, ROWS, TOUCHED, LOSING = range(7)
"""SIZE is that of the heap; HOLE says that its root has happened and can be replaced."""

KIND_SHIFT: Final = 48
"""A row is its kind, and below it the step or the case: that is also its place in the round."""
ID_MASK: Final = 2**KIND_SHIFT - 1
NUM_COLUMNS: Final = 7
GAPS: Final = (1750, 701, 301, 132, 57, 23, 10, 4, 1)


def simulate(plan: Plan, workload: Workload) -> EventLog:
    """The log of one replication, the same as the SimPy engine's."""
    hall, work = hall_tables(plan), work_tables(plan, workload)
    columns = _run(hall, work, _new_state(hall, work))
    columns.flags.writeable = False
    return EventLog(*columns)


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `njit`, kept for the next session wherever there is a place for it."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            compiled: Callable[..., Any] = njit(cache=True, nogil=True, no_cpython_wrapper=function.__name__ != "_run", no_cfunc_wrapper=True, **options)(function)
        except RuntimeError:  # a read-only install and no home folder
            compiled = njit(nogil=True, **options)(function)
        return compiled

    return decorate


_come_in_at = _compiled()(timeline.come_in_at)
_pass_gate = _compiled()(timeline.pass_gate)
_add_open_time = _compiled()(timeline.add_open_time)
_add_working_days = _compiled()(timeline.add_working_days)


class State(NamedTuple):
    """What changes while the loop runs."""

    count: IntArray
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
    """(num_queues, num_levels)"""
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


def _new_state(hall: HallTables, work: WorkTables) -> State:
    """The state before anything has happened. What is not touched costs no memory."""
    steps, cases = len(work.case), len(work.arrived_at)
    queues, shifts = len(hall.first_pool), len(hall.shift_pool)
    levels = len(hall.levels)
    return State(
        count=np.zeros(7, np.int64),
        heap=np.empty(2 * steps + 1, np.int64),
        agenda=np.empty(2 * steps + 1, np.int64),
        later=np.empty(2 * steps + 1, np.int64),
        row_key=np.empty(5 * steps + 3 * cases, np.int64),
        row_server=np.empty(5 * steps + 3 * cases, np.int64),
        branches=np.zeros(steps, np.int32),
        attempts=np.zeros(steps, np.int32),
        enqueued_at=np.empty(steps, np.int64),
        is_waiting=np.zeros(steps, np.bool_),
        has_deadline=np.zeros(steps, np.bool_),
        level=np.empty(steps, np.int32),
        before=np.empty(steps, np.int64),
        behind=np.empty(steps, np.int64),
        server=np.empty(steps, np.int32),
        day_in_hall=np.full(steps, -1, np.int32),
        steps_left=np.empty(cases, np.int32),
        is_lost=np.zeros(cases, np.bool_),
        losing=np.empty(steps, np.int64),
        head=np.full((queues, levels), NONE, np.int64),
        tail=np.full((queues, levels), NONE, np.int64),
        num_waiting=np.zeros(queues, np.int64),
        num_people=np.zeros(queues, np.int64),
        num_open=np.zeros(queues, np.int64),
        touched=np.empty(queues, np.int64),
        is_touched=np.zeros(queues, np.bool_),
        is_open=np.zeros(shifts, np.bool_),
        closed_at=np.full(shifts, -1, np.int64),
        num_free=np.diff(hall.servers_begin),
        lowest_free=hall.servers_begin[:-1].copy(),
        is_free=np.ones(len(hall.shift_of_server), np.bool_),
    )


# --- the loop ------------------------------------------------------------------------------------


@_compiled()
def _run(hall, work, state):  # type: ignore[no-untyped-def]
    """The columns of the log."""
    count, heap, agenda, later = state.count, state.heap, state.agenda, state.later
    num_cases, num_steps = len(work.arrived_at), len(work.case)
    # Enough for a hall in which nobody has to come back.
    log = np.empty((NUM_COLUMNS, 2 * num_cases + 4 * num_steps + 64), np.int64)
    length = case = change = 0
    while True:
        now = heap[0] >> work.step_bits if count[SIZE] else NEVER
        if case < num_cases:
            now = min(now, work.arrived_at[case])
        if change < len(hall.change_at):
            now = min(now, hall.change_at[change])
        if now >= hall.end_at:
            break
        while change < len(hall.change_at) and hall.change_at[change] == now:
            _change_shift(
                hall, state, hall.change_shift[change], hall.change_opens[change] == 1, now
            )
            change += 1
        while count[SIZE] and heap[0] >> work.step_bits == now:
            agenda[count[AGENDA]] = heap[0] & ((1 << work.step_bits) - 1)
            count[AGENDA] += 1
            # The last of an instant stays, for what follows from it to take its place.
            last = True
            for child in range(1, min(3, count[SIZE])):
                if heap[child] >> work.step_bits == now:
                    last = False
            if last:
                count[HOLE] = 1
                break
            _remove_root(heap, count)
        while case < num_cases and work.arrived_at[case] == now:
            _arrive(work, state, case)
            case += 1
        while True:
            _live(hall, work, state, now)
            _hand_out(hall, work, state, now)
            _sort_rows(state.row_key, state.row_server, count[ROWS])
            if length + count[ROWS] > log.shape[1]:
                longer = np.empty((NUM_COLUMNS, 2 * (length + count[ROWS])), np.int64)
                longer[:, :length] = log[:, :length]
                log = longer
            _write_down(hall, work, state, now, log, length)
            length += count[ROWS]
            count[ROWS] = 0
            if count[LATER] == 0:
                break
            for i in range(count[LATER]):
                agenda[i] = later[i]
            count[AGENDA] = count[LATER]
            count[LATER] = 0
        if count[HOLE]:
            count[HOLE] = 0
            _remove_root(heap, count)
    return log[:, :length]


@_compiled()
def _change_shift(hall, state, shift, opens, now):  # type: ignore[no-untyped-def]
    """The clerks come or go."""
    state.is_open[shift] = opens
    if not opens:
        state.closed_at[shift] = now
    for i in range(hall.queues_begin[shift], hall.queues_begin[shift + 1]):
        queue = hall.queues_of_shift[i]
        state.num_open[queue] += 1 if opens else -1
        _touch(state, queue)


@_compiled()
def _arrive(work, state, case):  # type: ignore[no-untyped-def]
    """A case begins with the steps that wait for no other."""
    first, after = work.first_step[case], work.first_step[case + 1]
    state.steps_left[case] = after - first
    _write(state, ARRIVE, case, NONE)
    if first == after:
        _write(state, DEPART, case, NONE)
    for step in range(first, after):
        if work.num_predecessors[work.joined_begin[case] + step - first] == 0:
            state.agenda[state.count[AGENDA]] = step << CODE_BITS | BEGIN
            state.count[AGENDA] += 1


@_compiled()
def _live(hall, work, state, now):  # type: ignore[no-untyped-def]
    """All of the agenda happens."""
    count = state.count
    # Completions first: whoever is done here today is still here for what begins now.
    for i in range(count[AGENDA]):
        if state.agenda[i] & CODE_MASK == OVER:
            _complete(hall, work, state, state.agenda[i] >> CODE_BITS, now)
    for i in range(count[AGENDA]):
        step, code = state.agenda[i] >> CODE_BITS, state.agenda[i] & CODE_MASK
        case = work.case[step]
        if code == IMPATIENT:
            _lose_patience(hall, work, state, step, now)
        if code == OVER or code == IMPATIENT or state.is_lost[case]:
            continue
        activity = work.activity[step]
        if code != PASSED:
            first = work.first_step[case]
            joined = work.joined_begin[case] + step - first
            trip = work.trip_place[joined]
            today = now // DAY
            if trip != NONE and (code == CAME or state.day_in_hall[first + trip] != today):
                # Who has just arrived is there; who is called or has gone home has to come.
                if code == BEGIN and work.num_predecessors[joined]:
                    _call_in(hall, work, state, step, now)
                    continue
                _write(state, COME_IN, step, NONE)
                state.day_in_hall[first + trip] = today
        gate = hall.gate[activity]
        if gate != NONE and code != PASSED:
            begin, end = hall.gate_begin[gate], hall.gate_begin[gate + 1]
            passes_at = _pass_gate(hall.latest[begin:end], hall.release[begin:end], now)
            if passes_at > now:
                _schedule(hall, work, state, now, passes_at, step, PASSED)
                continue
        if hall.queue[activity] == NONE:
            _write(state, START, step, NONE)
            over_at = _end_of_delay(hall, hall.clock[activity], now, work.time[step])
            _schedule(hall, work, state, now, over_at, step, OVER)
        else:
            _enqueue(hall, work, state, step, now)
    count[AGENDA] = 0


@_compiled()
def _complete(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """A service or a delay is over; what waited for it begins."""
    case = work.case[step]
    if hall.queue[work.activity[step]] != NONE:
        server = state.server[step]
        _write(state, COMPLETE, step, server)
        shift = hall.shift_of_server[server]
        state.is_free[server] = True
        state.num_free[shift] += 1
        state.lowest_free[shift] = min(state.lowest_free[shift], server)
        for i in range(hall.queues_begin[shift], hall.queues_begin[shift + 1]):
            _touch(state, hall.queues_of_shift[i])
    elif not state.is_lost[case]:
        _write(state, COMPLETE, step, NONE)
    if state.is_lost[case]:
        return
    state.steps_left[case] -= 1
    if state.steps_left[case] == 0:
        _write(state, DEPART, case, NONE)
        return
    first, begin = work.first_step[case], work.joined_begin[case]
    joined = begin + step - first
    if work.trip_place[joined] != NONE:
        state.day_in_hall[first + work.trip_place[joined]] = now // DAY
    for i in range(work.successors_begin[joined], work.successors_begin[joined + 1]):
        place = work.successors[i]
        state.branches[first + place] += 1
        if state.branches[first + place] == work.num_predecessors[begin + place]:
            state.agenda[state.count[AGENDA]] = (first + place) << CODE_BITS | BEGIN
            state.count[AGENDA] += 1


# --- the calendar --------------------------------------------------------------------------------


@_compiled()
def _schedule(hall, work, state, now, at, step, code):  # type: ignore[no-untyped-def]
    """Something happens to a step; now means the next round of this instant."""
    entry = step << CODE_BITS | code
    if at <= now:
        state.later[state.count[LATER]] = entry
        state.count[LATER] += 1
    elif at < hall.end_at:
        _push(state.heap, state.count, at << work.step_bits | entry)


@_compiled()
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


@_compiled()
def _remove_root(heap, count):  # type: ignore[no-untyped-def]
    count[SIZE] -= 1
    if count[SIZE]:
        _sift_down(heap, count[SIZE], heap[count[SIZE]])


@_compiled()
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


@_compiled()
def _call_in(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """The person will come; at each further attempt the draws are moved on."""
    trip = hall.trip[work.activity[step]]
    begin, end = hall.trip_begin[trip], hall.trip_begin[trip + 1]
    moved_on = state.attempts[step] * STRIDE
    comes_at = _come_in_at(
        hall.trip_starts[begin:end],
        hall.shape_of_session[begin:end],
        hall.offsets,
        hall.skipped[trip],
        now,
        (work.come_day[step] + moved_on) % CELLS,
        (work.come_time[step] + moved_on) % CELLS,
    )
    _schedule(hall, work, state, now, comes_at, step, CAME)


@_compiled()
def _end_of_delay(hall, clock, now, time):  # type: ignore[no-untyped-def]
    if clock == WORKING_DAYS:
        return _add_working_days(hall.day_index_before, hall.working_days, now, time)
    if clock == WORKING_TIME:
        return _add_open_time(hall.hours_starts, hall.hours_ends, hall.hours_before, now, time)
    return now + time


# --- waiting -------------------------------------------------------------------------------------


@_compiled()
def _enqueue(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """Begin to wait for a server."""
    activity = work.activity[step]
    queue, level = hall.queue[activity], hall.level[activity]
    if level == NONE:
        level = work.case_level[work.case[step]]
    state.level[step] = level
    state.enqueued_at[step] = now
    state.is_waiting[step] = True
    # Steps are numbered by case and place: who came at this instant waits in that order.
    before, behind = state.tail[queue, level], NONE
    while before > step and state.enqueued_at[before] == now:
        before, behind = state.before[before], before
    state.before[step], state.behind[step] = before, behind
    if before == NONE:
        state.head[queue, level] = step
    else:
        state.behind[before] = step
    if behind == NONE:
        state.tail[queue, level] = step
    else:
        state.before[behind] = step
    state.num_waiting[queue] += 1
    if hall.trip[activity] != NONE:
        state.num_people[queue] += 1
    _write(state, ENQUEUE, step, NONE)
    _touch(state, queue)
    if work.patience[step] != NEVER and not state.has_deadline[step]:
        _set_deadline(hall, work, state, step, now)


@_compiled()
def _unlink(hall, work, state, step):  # type: ignore[no-untyped-def]
    """The step waits no more."""
    activity = work.activity[step]
    queue, level = hall.queue[activity], state.level[step]
    before, behind = state.before[step], state.behind[step]
    if before == NONE:
        state.head[queue, level] = behind
    else:
        state.behind[before] = behind
    if behind == NONE:
        state.tail[queue, level] = before
    else:
        state.before[behind] = before
    state.is_waiting[step] = False
    state.num_waiting[queue] -= 1
    if hall.trip[activity] != NONE:
        state.num_people[queue] -= 1


@_compiled()
def _set_deadline(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    # One entry a step: if it is still there from an earlier attempt, it comes before this
    # attempt's deadline, and sets that when it happens.
    deadline = state.enqueued_at[step] + work.patience[step]
    if deadline < hall.end_at:
        state.has_deadline[step] = True
        _schedule(hall, work, state, now, deadline, step, IMPATIENT)


@_compiled()
def _lose_patience(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """Whoever still waits after this time leaves."""
    state.has_deadline[step] = False
    if state.is_waiting[step]:
        if state.enqueued_at[step] + work.patience[step] == now:
            _leave(hall, work, state, step, RENEGE, now)
        else:
            _set_deadline(hall, work, state, step, now)


@_compiled()
def _leave(hall, work, state, step, kind, now):  # type: ignore[no-untyped-def]
    """Somebody goes unserved, to come back or for good."""
    _unlink(hall, work, state, step)
    _write(state, kind, step, NONE)
    if hall.is_lost_if_not_served[work.activity[step]]:
        state.losing[state.count[LOSING]] = work.case[step]
        state.count[LOSING] += 1
    else:
        state.attempts[step] += 1
        _call_in(hall, work, state, step, now)


@_compiled()
def _lose_cases(hall, work, state):  # type: ignore[no-untyped-def]
    """Cases leave for good; what they wait for elsewhere is given up."""
    for i in range(state.count[LOSING]):
        case = state.losing[i]
        if not state.is_lost[case]:
            state.is_lost[case] = True
            _write(state, LOSE, case, NONE)
            for step in range(work.first_step[case], work.first_step[case + 1]):
                if state.is_waiting[step]:
                    _unlink(hall, work, state, step)
    state.count[LOSING] = 0


# --- handing out servers -------------------------------------------------------------------------


@_compiled()
def _touch(state, queue):  # type: ignore[no-untyped-def]
    """Something changed for a queue: look at it when the round is settled."""
    if not state.is_touched[queue]:
        state.is_touched[queue] = True
        state.touched[state.count[TOUCHED]] = queue
        state.count[TOUCHED] += 1


@_compiled()
def _hand_out(hall, work, state, now):  # type: ignore[no-untyped-def]
    """Free servers take the first they may serve; then those leave who cannot stay."""
    if state.count[LOSING]:
        _lose_cases(hall, work, state)
    num_others = 0
    for i in range(state.count[TOUCHED]):
        queue = state.touched[i]
        state.is_touched[queue] = False
        if state.num_waiting[queue] == 0:
            continue
        if hall.is_simple[queue] and state.num_open[queue]:
            for j in range(hall.shifts_begin[queue], hall.shifts_begin[queue + 1]):
                shift = hall.shifts_of_queue[j]
                while state.is_open[shift] and state.num_free[shift] and state.num_waiting[queue]:
                    _start(hall, work, state, _first(state, queue), shift, now)
        else:
            state.touched[num_others] = queue
            num_others += 1
    state.count[TOUCHED] = 0
    if num_others:
        _hand_out_among(hall, work, state, num_others, now)


@_compiled()
def _start(hall, work, state, step, shift, now):  # type: ignore[no-untyped-def]
    """The lowest free server of a shift begins with a step."""
    _unlink(hall, work, state, step)
    server = state.lowest_free[shift]
    while not state.is_free[server]:
        server += 1
    state.lowest_free[shift] = server + 1
    state.is_free[server] = False
    state.num_free[shift] -= 1
    state.server[step] = server
    _write(state, START, step, server)
    over_at = now + work.time[step]
    if hall.pauses[hall.shift_pool[shift]]:
        begin, end = hall.session_begin[shift], hall.session_begin[shift + 1]
        over_at = _add_open_time(
            hall.session_starts[begin:end],
            hall.session_ends[begin:end],
            hall.session_before[begin:end],
            now,
            work.time[step],
        )
    _schedule(hall, work, state, now, over_at, step, OVER)


@_compiled()
def _first(state, queue):  # type: ignore[no-untyped-def]
    """Who is first in the waiting order; NONE if nobody waits."""
    for level in range(state.head.shape[1]):
        if state.head[queue, level] != NONE:
            return state.head[queue, level]
    return NONE


@_compiled()
def _hand_out_among(hall, work, state, num_queues, now):  # type: ignore[no-untyped-def]
    """Hand out where queues compete, are closed, or have little room."""
    while True:
        best = best_shift = NONE
        for i in range(num_queues):
            step, shift = _next_match(hall, work, state, state.touched[i])
            if step != NONE and (best == NONE or _is_before(state, step, best)):
                best, best_shift = step, shift
        if best == NONE:
            break
        _start(hall, work, state, best, best_shift, now)
    for i in range(num_queues):
        _close(hall, work, state, state.touched[i], now)
    for i in range(num_queues):
        _clear_room(hall, work, state, hall.first_pool[state.touched[i]], now)
    if state.count[LOSING]:
        _lose_cases(hall, work, state)


@_compiled()
def _is_before(state, step, other):  # type: ignore[no-untyped-def]
    """Whether a step comes before another one in the waiting order."""
    if state.level[step] != state.level[other]:
        return state.level[step] < state.level[other]
    if state.enqueued_at[step] != state.enqueued_at[other]:
        return state.enqueued_at[step] < state.enqueued_at[other]
    return step < other


@_compiled()
def _next_match(hall, work, state, queue):  # type: ignore[no-untyped-def]
    """Who is served next, and by which shift; (NONE, NONE) if nobody can be."""
    if state.num_waiting[queue] == 0:
        return NONE, NONE
    begin, end = hall.shifts_begin[queue], hall.shifts_begin[queue + 1]
    for i in range(begin, end):
        shift = hall.shifts_of_queue[i]
        if state.is_open[shift] and state.num_free[shift]:
            return _first(state, queue), shift
    served_until = _served_until(hall, state, queue)
    if state.num_open[queue] or state.num_people[queue] == 0 or served_until == NONE:
        return NONE, NONE
    # Who was there before closing is served by the clerks who closed last.
    for i in range(begin, end):
        shift = hall.shifts_of_queue[i]
        if (
            state.num_free[shift]
            and state.closed_at[shift] == served_until
            and hall.closing[hall.shift_pool[shift]] == SERVE
        ):
            for level in range(state.head.shape[1]):
                step = state.head[queue, level]
                while step != NONE and state.enqueued_at[step] < served_until:
                    if hall.trip[work.activity[step]] != NONE:
                        return step, shift
                    step = state.behind[step]
    return NONE, NONE


@_compiled()
def _served_until(hall, state, queue):  # type: ignore[no-untyped-def]
    """People who came before this instant are served though the queue is closed; NONE if none."""
    latest = serving = NONE
    for i in range(hall.shifts_begin[queue], hall.shifts_begin[queue + 1]):
        shift = hall.shifts_of_queue[i]
        latest = max(latest, state.closed_at[shift])
        if hall.closing[hall.shift_pool[shift]] == SERVE:
            serving = max(serving, state.closed_at[shift])
    return latest if serving == latest else NONE


@_compiled()
def _close(hall, work, state, queue, now):  # type: ignore[no-untyped-def]
    """People whom nobody will serve leave a closed queue; papers have nobody to send away."""
    closing = hall.closing[hall.first_pool[queue]]
    if state.num_open[queue] or state.num_people[queue] == 0 or closing == KEEP:
        return
    served_until = _served_until(hall, state, queue)
    for level in range(state.tail.shape[1]):
        step = state.tail[queue, level]
        while step != NONE and state.enqueued_at[step] >= served_until:
            before = state.before[step]
            if hall.trip[work.activity[step]] != NONE:
                _leave(hall, work, state, step, TURN_AWAY, now)
            step = before


@_compiled()
def _clear_room(hall, work, state, pool, now):  # type: ignore[no-untyped-def]
    """People leave a room that is too full: who came last."""
    excess = -hall.room[pool]
    for queue in range(len(hall.first_pool)):
        if hall.first_pool[queue] == pool:
            excess += state.num_people[queue]
    for _ in range(excess):
        last = NONE
        for queue in range(len(hall.first_pool)):
            if hall.first_pool[queue] != pool:
                continue
            for level in range(state.tail.shape[1]):
                step = state.tail[queue, level]
                while step != NONE and hall.trip[work.activity[step]] == NONE:
                    step = state.before[step]
                if step != NONE and (
                    last == NONE
                    or (state.enqueued_at[step], step) > (state.enqueued_at[last], last)
                ):
                    last = step
        _leave(hall, work, state, last, TURN_AWAY, now)


# --- what is written down ------------------------------------------------------------------------


@_compiled()
def _write(state, kind, number, server):  # type: ignore[no-untyped-def]
    """A row of this round: of a step, or of a case for ARRIVE, LOSE and DEPART."""
    i = state.count[ROWS]
    state.row_key[i] = kind << KIND_SHIFT | number
    state.row_server[i] = server
    state.count[ROWS] = i + 1


@_compiled()
def _sort_rows(keys, servers, num_rows):  # type: ignore[no-untyped-def]
    """Put the rows of a round into the order of the log (Shell's method: most are few)."""
    for gap in GAPS:
        for i in range(gap, num_rows):
            key, server = keys[i], servers[i]
            j = i
            while j >= gap and keys[j - gap] > key:
                keys[j], servers[j] = keys[j - gap], servers[j - gap]
                j -= gap
            keys[j], servers[j] = key, server


@_compiled()
def _write_down(hall, work, state, now, log, length):  # type: ignore[no-untyped-def]
    """Add the rows of this round to the log."""
    for i in range(state.count[ROWS]):
        kind, number = state.row_key[i] >> KIND_SHIFT, state.row_key[i] & ID_MASK
        server = state.row_server[i]
        case, place, activity, pool = number, NONE, NONE, NONE
        if kind == LOSE or kind == DEPART:
            place = work.first_step[case + 1] - work.first_step[case]
        elif kind != ARRIVE:
            case = work.case[number]
            place = number - work.first_step[case]
            activity = work.activity[number]
            if server != NONE:
                pool = hall.shift_pool[hall.shift_of_server[server]]
            elif kind == ENQUEUE or kind == RENEGE or kind == TURN_AWAY:
                pool = hall.first_pool[hall.queue[activity]]
        row = length + i
        log[0, row], log[1, row], log[2, row], log[3, row] = now, kind, case, place
        log[4, row], log[5, row], log[6, row] = activity, pool, server
