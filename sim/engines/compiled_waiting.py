"""How the compiled engine waits and hands out servers.

A queue is one list for each priority level, threaded through the steps in the waiting order.
"""

from __future__ import annotations

import numpy as np

from sim.engines.compiled_state import (
    IMPATIENT,
    LOSING,
    OVER,
    TOUCHED,
    add_open_time,
    call_in,
    compiled,
    inlined,
    part,
    schedule,
    touch,
    write,
)
from sim.engines.compiled_tables import KEEP, SERVE
from sim.event_log import Kind
from sim.plan import NONE
from sim.timeline import NEVER

RENEGE, ENQUEUE, START = int(Kind.RENEGE), int(Kind.ENQUEUE), int(Kind.START)
TURN_AWAY, LOSE = int(Kind.TURN_AWAY), int(Kind.LOSE)
NOBODY = np.int64(NONE)
"""As int64, not as a literal: each type of argument compiles a function once more."""


# --- waiting -------------------------------------------------------------------------------------


@inlined
def enqueue(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """Begin to wait for a server."""
    activity = work.activity[step]
    queue, level = hall.queue[activity], hall.level[activity]
    if level == NONE:
        level = work.case_level[work.case[step]]
    state.level[step] = level
    state.enqueued_at[step] = now
    state.is_waiting[step] = 1
    # Steps are numbered by case and place: who came at this instant waits in that order.
    before, behind = state.tail[queue * hall.num_levels + level], NONE
    while before > step and state.enqueued_at[before] == now:
        before, behind = state.before[before], before
    state.before[step], state.behind[step] = before, behind
    if before == NONE:
        state.head[queue * hall.num_levels + level] = step
    else:
        state.behind[before] = step
    if behind == NONE:
        state.tail[queue * hall.num_levels + level] = step
    else:
        state.before[behind] = step
    state.num_waiting[queue] += 1
    if hall.trip[activity] != NONE:
        state.num_people[queue] += 1
    write(state, ENQUEUE, step, NONE)
    touch(state, queue)
    if work.patience[step] != NEVER and not state.has_deadline[step]:
        _set_deadline(hall, work, state, step, now)


@inlined
def unlink(hall, work, state, step):  # type: ignore[no-untyped-def]
    """The step waits no more."""
    activity = work.activity[step]
    queue, level = hall.queue[activity], state.level[step]
    before, behind = state.before[step], state.behind[step]
    if before == NONE:
        state.head[queue * hall.num_levels + level] = behind
    else:
        state.behind[before] = behind
    if behind == NONE:
        state.tail[queue * hall.num_levels + level] = before
    else:
        state.before[behind] = before
    state.is_waiting[step] = 0
    state.num_waiting[queue] -= 1
    if hall.trip[activity] != NONE:
        state.num_people[queue] -= 1


@compiled
def _set_deadline(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    # One entry a step: if it is still there from an earlier attempt, it comes before this
    # attempt's deadline, and sets that when it happens.
    deadline = state.enqueued_at[step] + work.patience[step]
    if deadline < hall.end_at:
        state.has_deadline[step] = 1
        schedule(hall, work, state, now, deadline, step, IMPATIENT)


@compiled
def lose_patience(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """Whoever still waits after this time leaves."""
    state.has_deadline[step] = 0
    if state.is_waiting[step]:
        if state.enqueued_at[step] + work.patience[step] == now:
            _leave(hall, work, state, step, RENEGE, now)
        else:
            _set_deadline(hall, work, state, step, now)


@compiled
def _leave(hall, work, state, step, kind, now):  # type: ignore[no-untyped-def]
    """Somebody goes unserved, to come back or for good."""
    unlink(hall, work, state, step)
    write(state, kind, step, NONE)
    if hall.is_lost_if_not_served[work.activity[step]]:
        state.losing[state.counters[LOSING]] = work.case[step]
        state.counters[LOSING] += 1
    else:
        state.attempts[step] += 1
        call_in(hall, work, state, step, now)


@compiled
def _lose_cases(hall, work, state):  # type: ignore[no-untyped-def]
    """Cases leave for good; what they wait for elsewhere is given up."""
    for i in range(state.counters[LOSING]):
        case = state.losing[i]
        if not state.is_lost[case]:
            state.is_lost[case] = 1
            write(state, LOSE, case, NONE)
            for step in range(work.first_step[case], work.first_step[case + 1]):
                if state.is_waiting[step]:
                    unlink(hall, work, state, step)
    state.counters[LOSING] = 0


# --- handing out servers -------------------------------------------------------------------------


@inlined
def hand_out(hall, work, state, now):  # type: ignore[no-untyped-def]
    """Free servers take the first they may serve; then those leave who cannot stay."""
    if state.counters[LOSING]:
        _lose_cases(hall, work, state)
    num_others = np.int64(0)
    for i in range(state.counters[TOUCHED]):
        queue = state.touched[i]
        state.is_touched[queue] = 0
        if state.num_waiting[queue] == 0:
            continue
        if hall.is_simple[queue] and state.num_open[queue]:
            for j in range(hall.shifts_begin[queue], hall.shifts_begin[queue + 1]):
                shift = hall.shifts_of_queue[j]
                while state.is_open[shift] and state.num_free[shift] and state.num_waiting[queue]:
                    _start(hall, work, state, _first(hall, state, queue), shift, now)
        else:
            state.touched[num_others] = queue
            num_others += 1
    state.counters[TOUCHED] = 0
    if num_others:
        _hand_out_among(hall, work, state, num_others, now)


@inlined
def _start(hall, work, state, step, shift, now):  # type: ignore[no-untyped-def]
    """The lowest free server of a shift begins with a step."""
    unlink(hall, work, state, step)
    server = state.lowest_free[shift]
    while not state.is_free[server]:
        server += 1
    state.lowest_free[shift] = server + 1
    state.is_free[server] = 0
    state.num_free[shift] -= 1
    state.server[step] = server
    write(state, START, step, server)
    over_at = now + work.time[step]
    if hall.pauses[hall.shift_pool[shift]]:
        begin, end = hall.session_begin[shift], hall.session_begin[shift + 1]
        over_at = add_open_time(
            part(hall.session_starts, begin, end),
            part(hall.session_ends, begin, end),
            part(hall.session_before, begin, end),
            now,
            work.time[step],
        )
    schedule(hall, work, state, now, over_at, step, OVER)


@inlined
def _first(hall, state, queue):  # type: ignore[no-untyped-def]
    """Who is first in the waiting order; NONE if nobody waits."""
    for level in range(hall.num_levels):
        if state.head[queue * hall.num_levels + level] != NONE:
            return state.head[queue * hall.num_levels + level]
    return NONE


@compiled
def _hand_out_among(hall, work, state, num_queues, now):  # type: ignore[no-untyped-def]
    """Hand out where queues compete, are closed, or have little room."""
    while True:
        best = best_shift = NOBODY
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
    if state.counters[LOSING]:
        _lose_cases(hall, work, state)


@compiled
def _is_before(state, step, other):  # type: ignore[no-untyped-def]
    """Whether a step comes before another one in the waiting order."""
    if state.level[step] != state.level[other]:
        return state.level[step] < state.level[other]
    if state.enqueued_at[step] != state.enqueued_at[other]:
        return state.enqueued_at[step] < state.enqueued_at[other]
    return step < other


@compiled
def _next_match(hall, work, state, queue):  # type: ignore[no-untyped-def]
    """Who is served next, and by which shift; (NONE, NONE) if nobody can be."""
    if state.num_waiting[queue] == 0:
        return NONE, NONE
    begin, end = hall.shifts_begin[queue], hall.shifts_begin[queue + 1]
    for i in range(begin, end):
        shift = hall.shifts_of_queue[i]
        if state.is_open[shift] and state.num_free[shift]:
            return _first(hall, state, queue), shift
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
            for level in range(hall.num_levels):
                step = state.head[queue * hall.num_levels + level]
                while step != NONE and state.enqueued_at[step] < served_until:
                    if hall.trip[work.activity[step]] != NONE:
                        return step, shift
                    step = state.behind[step]
    return NONE, NONE


@compiled
def _served_until(hall, state, queue):  # type: ignore[no-untyped-def]
    """People who came before this instant are served though the queue is closed; NONE if none."""
    latest = serving = NONE
    for i in range(hall.shifts_begin[queue], hall.shifts_begin[queue + 1]):
        shift = hall.shifts_of_queue[i]
        latest = max(latest, state.closed_at[shift])
        if hall.closing[hall.shift_pool[shift]] == SERVE:
            serving = max(serving, state.closed_at[shift])
    return latest if serving == latest else NONE


@compiled
def _close(hall, work, state, queue, now):  # type: ignore[no-untyped-def]
    """People whom nobody will serve leave a closed queue; papers have nobody to send away."""
    closing = hall.closing[hall.first_pool[queue]]
    if state.num_open[queue] or state.num_people[queue] == 0 or closing == KEEP:
        return
    served_until = _served_until(hall, state, queue)
    for level in range(hall.num_levels):
        step = state.tail[queue * hall.num_levels + level]
        while step != NONE and state.enqueued_at[step] >= served_until:
            before = state.before[step]
            if hall.trip[work.activity[step]] != NONE:
                _leave(hall, work, state, step, TURN_AWAY, now)
            step = before


@compiled
def _clear_room(hall, work, state, pool, now):  # type: ignore[no-untyped-def]
    """People leave a room that is too full: who came last."""
    excess = -hall.room[pool]
    for queue in range(hall.num_queues):
        if hall.first_pool[queue] == pool:
            excess += state.num_people[queue]
    for _ in range(excess):
        last = NOBODY
        for queue in range(hall.num_queues):
            if hall.first_pool[queue] != pool:
                continue
            for level in range(hall.num_levels):
                step = state.tail[queue * hall.num_levels + level]
                while step != NONE and hall.trip[work.activity[step]] == NONE:
                    step = state.before[step]
                if step != NONE and (
                    last == NONE
                    or (state.enqueued_at[step], step) > (state.enqueued_at[last], last)
                ):
                    last = step
        _leave(hall, work, state, last, TURN_AWAY, now)
