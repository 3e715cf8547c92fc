"""The compiled engine: the same log as the SimPy engine's, from a loop that numba compiles.

One loop serves every hall: it walks over the tables of a plan and a workload, so it is compiled
once on a machine. What happens and why is told in `simpy_engine`; nothing is shared with it but the
plan, the workload, and the arithmetic of hours and days. Here a step is a number, and it is in one
of these places: in the calendar (`compiled_state`), in a queue (`compiled_waiting`), on the agenda
of this round, or on that of the next round of this instant (`later`).

An instant is lived through in rounds: first all of the agenda, then servers are handed out, then
the round is written down in the order of the log.
"""

from __future__ import annotations

import hashlib
import inspect

import numpy as np
from numba import njit

from sim import event_log, plan, timeline
from sim.engines import compiled_state, compiled_tables, compiled_waiting
from sim.engines.compiled_state import (
    AGENDA,
    BEGIN,
    CAME,
    CODE_MASK,
    HOLE,
    ID_MASK,
    IMPATIENT,
    KIND_SHIFT,
    LATER,
    OVER,
    PASSED,
    ROWS,
    SIZE,
    Compiled,
    add_open_time,
    add_working_days,
    call_in,
    compiled,
    inlined,
    new_state,
    part,
    pass_gate,
    pointers,
    remove_root,
    schedule,
    touch,
    write,
)
from sim.engines.compiled_tables import (
    CODE_BITS,
    WORKING_DAYS,
    WORKING_TIME,
    hall_tables,
    work_tables,
)
from sim.engines.compiled_waiting import enqueue, hand_out, lose_patience
from sim.event_log import EventLog, Kind
from sim.plan import NONE, Plan
from sim.timeline import DAY, NEVER
from sim.workload import Workload

COMPLETE, RENEGE, ARRIVE, COME_IN, ENQUEUE, START, TURN_AWAY, LOSE, DEPART = map(int, Kind)
NUM_COLUMNS = 7
GAPS = (1750, 701, 301, 132, 57, 23, 10, 4, 1)


def simulate(plan: Plan, workload: Workload) -> EventLog:
    """The log of one replication, the same as the SimPy engine's."""
    hall, work = hall_tables(plan), work_tables(plan, workload)
    # Enough for a hall in which nobody has to come back. Made here, since numpy asks the system for
    # large pages: small ones cost as much as the simulation.
    log = np.empty((NUM_COLUMNS, 2 * work.num_cases + 4 * work.num_steps + 64), np.int64)
    columns = _run(hall, work, new_state(hall, work), log)
    columns.flags.writeable = False
    return EventLog(*columns)


# --- what happens --------------------------------------------------------------------------------


@compiled
def _change_shift(hall, state, shift, opens, now):  # type: ignore[no-untyped-def]
    """The clerks come or go."""
    state.is_open[shift] = opens
    if not opens:
        state.closed_at[shift] = now
    for i in range(hall.queues_begin[shift], hall.queues_begin[shift + 1]):
        queue = hall.queues_of_shift[i]
        state.num_open[queue] += 1 if opens else -1
        touch(state, queue)


@inlined
def _arrive(work, state, case):  # type: ignore[no-untyped-def]
    """A case begins with the steps that wait for no other."""
    first, after = work.first_step[case], work.first_step[case + 1]
    state.steps_left[case] = after - first
    write(state, ARRIVE, case, NONE)
    if first == after:
        write(state, DEPART, case, NONE)
    for step in range(first, after):
        if work.num_predecessors[work.joined_begin[case] + step - first] == 0:
            state.agenda[state.counters[AGENDA]] = step << CODE_BITS | BEGIN
            state.counters[AGENDA] += 1


@inlined
def _live(hall, work, state, now):  # type: ignore[no-untyped-def]
    """All of the agenda happens."""
    count = state.counters
    # Completions first: whoever is done here today is still here for what begins now.
    for i in range(count[AGENDA]):
        if state.agenda[i] & CODE_MASK == OVER:
            _complete(hall, work, state, state.agenda[i] >> CODE_BITS, now)
    for i in range(count[AGENDA]):
        step, code = state.agenda[i] >> CODE_BITS, state.agenda[i] & CODE_MASK
        case = work.case[step]
        if code == IMPATIENT:
            lose_patience(hall, work, state, step, now)
        if code in (OVER, IMPATIENT) or state.is_lost[case]:
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
                    call_in(hall, work, state, step, now)
                    continue
                write(state, COME_IN, step, NONE)
                state.day_in_hall[first + trip] = today
        gate = hall.gate[activity]
        if gate != NONE and code != PASSED:
            begin, end = hall.gate_begin[gate], hall.gate_begin[gate + 1]
            passes_at = pass_gate(
                part(hall.latest, begin, end), part(hall.release, begin, end), now
            )
            if passes_at > now:
                schedule(hall, work, state, now, passes_at, step, PASSED)
                continue
        if hall.queue[activity] == NONE:
            write(state, START, step, NONE)
            over_at = _end_of_delay(hall, hall.clock[activity], now, work.time[step])
            schedule(hall, work, state, now, over_at, step, OVER)
        else:
            enqueue(hall, work, state, step, now)
    count[AGENDA] = 0


@inlined
def _complete(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """A service or a delay is over; what waited for it begins."""
    case = work.case[step]
    if hall.queue[work.activity[step]] != NONE:
        server = state.server[step]
        write(state, COMPLETE, step, server)
        shift = hall.shift_of_server[server]
        state.is_free[server] = 1
        state.num_free[shift] += 1
        state.lowest_free[shift] = min(state.lowest_free[shift], server)
        for i in range(hall.queues_begin[shift], hall.queues_begin[shift + 1]):
            touch(state, hall.queues_of_shift[i])
    elif not state.is_lost[case]:
        write(state, COMPLETE, step, NONE)
    if state.is_lost[case]:
        return
    state.steps_left[case] -= 1
    if state.steps_left[case] == 0:
        write(state, DEPART, case, NONE)
        return
    first, begin = work.first_step[case], work.joined_begin[case]
    joined = begin + step - first
    if work.trip_place[joined] != NONE:
        state.day_in_hall[first + work.trip_place[joined]] = now // DAY
    for i in range(work.successors_begin[joined], work.successors_begin[joined + 1]):
        place = work.successors[i]
        state.branches[first + place] += 1
        if state.branches[first + place] == work.num_predecessors[begin + place]:
            state.agenda[state.counters[AGENDA]] = (first + place) << CODE_BITS | BEGIN
            state.counters[AGENDA] += 1


@compiled
def _end_of_delay(hall, clock, now, time):  # type: ignore[no-untyped-def]
    if clock == WORKING_DAYS:
        return add_working_days(
            part(hall.day_index_before, 0, hall.num_days + 1),
            part(hall.working_days, 0, hall.num_working_days),
            now,
            time,
        )
    if clock == WORKING_TIME:
        end = hall.num_hours
        return add_open_time(
            part(hall.hours_starts, 0, end),
            part(hall.hours_ends, 0, end),
            part(hall.hours_before, 0, end),
            now,
            time,
        )
    return now + time


# --- what is written down ------------------------------------------------------------------------


@inlined
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


@inlined
def _write_down(hall, work, state, now, log, length):  # type: ignore[no-untyped-def]
    """Add the rows of this round to the log."""
    for i in range(state.counters[ROWS]):
        kind, number = state.row_key[i] >> KIND_SHIFT, state.row_key[i] & ID_MASK
        server = state.row_server[i]
        case, place, activity, pool = number, NONE, NONE, NONE
        if kind in (LOSE, DEPART):
            place = work.first_step[case + 1] - work.first_step[case]
        elif kind != ARRIVE:
            case = work.case[number]
            place = number - work.first_step[case]
            activity = work.activity[number]
            if server != NONE:
                pool = hall.shift_pool[hall.shift_of_server[server]]
            elif kind in (ENQUEUE, RENEGE, TURN_AWAY):
                pool = hall.first_pool[hall.queue[activity]]
        row = length + i
        log[0, row], log[1, row], log[2, row], log[3, row] = now, kind, case, place
        log[4, row], log[5, row], log[6, row] = activity, pool, server


# --- the loop ------------------------------------------------------------------------------------


def _cached(sources: str) -> Compiled:
    """The compiled loop, kept for the next session wherever there is a place for it.

    sources  a digest of all that is compiled: numba sees what it closes over, but not that a
             function of another module has changed.
    """

    def run(hall, work, state, log):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return _run_on(pointers(hall), pointers(work), pointers(state), log)

    try:
        loop: Compiled = njit(cache=True, nogil=True)(run)
    except RuntimeError:  # a read-only install and no home folder
        loop = njit(nogil=True)(run)
    return loop


@compiled
def _run_on(hall, work, state, log):  # type: ignore[no-untyped-def]
    """The columns of the log."""
    count, heap, agenda, later = state.counters, state.heap, state.agenda, state.later
    num_cases = work.num_cases
    # int64, not the literal 0: each type of argument compiles a function once more.
    length = case = change = np.int64(0)
    while True:
        now = heap[0] >> work.step_bits if count[SIZE] else NEVER
        if case < num_cases:
            now = min(now, work.arrived_at[case])
        if change < hall.num_changes:
            now = min(now, hall.change_at[change])
        if now >= hall.end_at:
            break
        while change < hall.num_changes and hall.change_at[change] == now:
            _change_shift(hall, state, hall.change_shift[change], hall.change_opens[change], now)
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
            remove_root(heap, count)
        while case < num_cases and work.arrived_at[case] == now:
            _arrive(work, state, case)
            case += 1
        while True:
            _live(hall, work, state, now)
            hand_out(hall, work, state, now)
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
            remove_root(heap, count)
    return log[:, :length]


def _digest() -> str:
    modules = (compiled_state, compiled_tables, compiled_waiting, event_log, plan, timeline)
    return hashlib.sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


_run = _cached(_digest())
