"""How the compiled engine waits and hands out servers.

A queue is one line for each priority level, a ring in the waiting order: each step is tied to the
one before it and the one behind it, the first and the last to the line itself. Lines are numbered
from -num_lines to -1 there, so that no step has to ask whether it is the first.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from sim.engines.compiled_calendar import (
    add_open_time,
    call_in,
    schedule,
    schedule_over,
    touch,
    write,
)
from sim.engines.compiled_state import (
    CASE,
    FACT,
    IMPATIENT,
    KIND_SHIFT,
    LEAVING,
    LOSING,
    STEP_SIZE,
    TOUCHED,
)
from sim.engines.compiled_tables import (
    ACTIVITY,
    FIRST,
    FREE,
    IS_SIMPLE,
    IS_TOUCHED,
    KEEP,
    LEVEL,
    NO_LIMIT,
    NUM_OPEN,
    NUM_PEOPLE,
    NUM_WAITING,
    PAUSES,
    PLAIN,
    QUEUE,
    QUEUE_SIZE,
    SERVE,
    SERVERS,
    SHIFT,
    TRAITS,
    TRIP,
    WORD,
    WORD_SIZE,
)
from sim.engines.compiling import compiled, inlined
from sim.event_log import Kind
from sim.plan import NONE
from sim.timeline import NEVER

RENEGE, ENQUEUE, START = int(Kind.RENEGE), int(Kind.ENQUEUE), int(Kind.START)
TURN_AWAY, LOSE = int(Kind.TURN_AWAY), int(Kind.LOSE)
NOBODY = np.int64(NONE)
"""As int64, not as a literal: each type of argument compiles a function once more."""


# --- waiting -------------------------------------------------------------------------------------


@inlined
def enqueue(hall, work, state, step, is_alone, now):  # type: ignore[no-untyped-def]
    """Begin to wait for a server.

    is_alone  nobody else comes to this queue in this round.
    """
    fact = state.steps[step * STEP_SIZE + FACT]
    queue, word = work.facts[fact + QUEUE], work.facts[fact + WORD]
    state.enqueued_at[step] = now
    write(state, ENQUEUE, step, NONE)
    if word != NONE and state.queues[queue * QUEUE_SIZE + NUM_OPEN]:
        if state.words[word * WORD_SIZE + FREE]:
            if is_alone and state.queues[queue * QUEUE_SIZE + NUM_WAITING] == 0:
                _serve(hall, work, state, step, word, now)
                return
            touch(state, queue)
    else:
        touch(state, queue)
    _link(hall, work, state, step, fact, now)
    if not work.facts[fact + TRAITS] & PLAIN:
        activity = work.facts[fact + ACTIVITY]
        if hall.has_patience[activity] and not state.has_deadline[step]:
            _set_deadline(hall, work, state, step, now)


@inlined
def _link(hall, work, state, step, fact, now):  # type: ignore[no-untyped-def]
    """Stand in the queue."""
    queue = work.facts[fact + QUEUE]
    line = queue * hall.num_levels + _level(work, state, step)
    state.is_waiting[step] = 1
    # Steps are numbered by case and place: who came at this instant waits in that order.
    before, behind = np.int64(state.links[2 * line]), line - hall.num_lines
    while before > step and state.enqueued_at[before] == now:
        before, behind = _before(hall, state, before), before
    _tie(hall, state, before, step)
    _tie(hall, state, step, behind)
    state.queues[queue * QUEUE_SIZE + NUM_WAITING] += 1
    if work.facts[fact + TRIP] <= 0:
        state.queues[queue * QUEUE_SIZE + NUM_PEOPLE] += 1


@inlined
def _before(hall, state, step):  # type: ignore[no-untyped-def]
    """Who stands before a step; negative if nobody does."""
    return np.int64(state.links[2 * (step + hall.num_lines)])


@inlined
def _behind(hall, state, step):  # type: ignore[no-untyped-def]
    """Who stands behind a step; negative if nobody does."""
    return np.int64(state.links[2 * (step + hall.num_lines) + 1])


@inlined
def _tie(hall, state, before, behind):  # type: ignore[no-untyped-def]
    """Let one stand before the other."""
    state.links[2 * (before + hall.num_lines) + 1] = behind
    state.links[2 * (behind + hall.num_lines)] = before


@inlined
def _level(work, state, step):  # type: ignore[no-untyped-def]
    """The priority level of a step."""
    level = work.facts[state.steps[step * STEP_SIZE + FACT] + LEVEL]
    return work.case_level[state.steps[step * STEP_SIZE + CASE]] if level == NONE else level


@inlined
def _unlink(hall, work, state, step):  # type: ignore[no-untyped-def]
    """The step waits no more."""
    _tie(hall, state, _before(hall, state, step), _behind(hall, state, step))
    queue = work.facts[state.steps[step * STEP_SIZE + FACT] + QUEUE]
    _stop_waiting(work, state, step, queue)


@inlined
def _stop_waiting(work, state, step, queue):  # type: ignore[no-untyped-def]
    """Count without a step that stands in its queue no more."""
    state.is_waiting[step] = 0
    state.queues[queue * QUEUE_SIZE + NUM_WAITING] -= 1
    if _is_person(work, state, step):
        state.queues[queue * QUEUE_SIZE + NUM_PEOPLE] -= 1


@inlined
def _activity(work, state, step):  # type: ignore[no-untyped-def]
    return work.facts[state.steps[step * STEP_SIZE + FACT] + ACTIVITY]


@inlined
def _is_person(work, state, step):  # type: ignore[no-untyped-def]
    """Whether somebody has come in for it."""
    return work.facts[state.steps[step * STEP_SIZE + FACT] + TRIP] <= 0


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
    _unlink(hall, work, state, step)
    write(state, kind, step, NONE)
    state.leaving[state.counters[LEAVING]] = kind << KIND_SHIFT | step
    state.counters[LEAVING] += 1
    if hall.is_lost_if_not_served[_activity(work, state, step)]:
        state.losing[state.counters[LOSING]] = state.steps[step * STEP_SIZE + CASE]
        state.counters[LOSING] += 1
    else:
        state.attempts[step] += 1
        call_in(hall, work, state, step, now)


@compiled
def _lose_cases(hall, work, state, now):  # type: ignore[no-untyped-def]
    """Cases leave for good; what they wait for elsewhere is given up."""
    for i in range(state.counters[LOSING]):
        case = state.losing[i]
        if state.lost_at[case] == NEVER:
            state.lost_at[case] = now
            write(state, LOSE, case, NONE)
            for step in range(work.first_step[case], work.first_step[case + 1]):
                if state.is_waiting[step]:
                    _unlink(hall, work, state, step)
    state.counters[LOSING] = 0


# --- handing out servers -------------------------------------------------------------------------


@inlined
def hand_out(hall, work, state, now):  # type: ignore[no-untyped-def]
    """Free servers take the first they may serve; then those leave who cannot stay."""
    if state.counters[LOSING]:
        _lose_cases(hall, work, state, now)
    num_others = np.int64(0)
    for i in range(state.counters[TOUCHED]):
        queue = state.touched[i]
        state.queues[queue * QUEUE_SIZE + IS_TOUCHED] = 0
        if state.queues[queue * QUEUE_SIZE + NUM_WAITING] == 0:
            continue
        word = state.queues[queue * QUEUE_SIZE + SERVERS]
        if word != NONE and state.queues[queue * QUEUE_SIZE + NUM_OPEN]:
            while (
                state.words[word * WORD_SIZE + FREE]
                and state.queues[queue * QUEUE_SIZE + NUM_WAITING]
            ):
                _serve(hall, work, state, _take_first(hall, work, state, queue), word, now)
        elif (
            state.queues[queue * QUEUE_SIZE + IS_SIMPLE]
            and state.queues[queue * QUEUE_SIZE + NUM_OPEN]
        ):
            for j in range(hall.shifts_begin[queue], hall.shifts_begin[queue + 1]):
                shift = hall.shifts_of_queue[j]
                while (
                    state.is_open[shift]
                    and state.queues[queue * QUEUE_SIZE + NUM_WAITING]
                    and _is_free(hall, state, shift)
                ):
                    _start(hall, work, state, _first(hall, state, queue), shift, now)
        elif (
            state.queues[queue * QUEUE_SIZE + NUM_OPEN]
            or state.queues[queue * QUEUE_SIZE + NUM_PEOPLE]
        ):
            state.touched[num_others] = queue
            num_others += 1
        # Papers that wait for clerks who are not there have nothing to hope for now.
    state.counters[TOUCHED] = 0
    if num_others:
        _hand_out_among(hall, work, state, num_others, now)


@inlined
def _start(hall, work, state, step, shift, now):  # type: ignore[no-untyped-def]
    """The lowest free server of a shift begins with a step."""
    _unlink(hall, work, state, step)
    word = hall.words_begin[shift]
    while state.words[word * WORD_SIZE + FREE] == 0:
        word += 1
    _serve(hall, work, state, step, word, now)


@inlined
def _serve(hall, work, state, step, word, now):  # type: ignore[no-untyped-def]
    """The first free server of a word begins with a step."""
    bits = state.words[word * WORD_SIZE + FREE]
    state.words[word * WORD_SIZE + FREE] = bits & (bits - 1)
    server = state.words[word * WORD_SIZE + FIRST] + trailing_zeros(bits)  # type: ignore[call-arg]
    state.server[step] = server
    state.started_at[step] = now
    write(state, START, step, server)
    over_at = now + work.time[step]
    if state.words[word * WORD_SIZE + PAUSES]:
        over_at = _paused_until(hall, state, word, now, work.time[step])
    schedule_over(hall, work, state, now, over_at, step, server)


@compiled
def _paused_until(hall, state, word, now, time):  # type: ignore[no-untyped-def]
    """When a service is over that pauses while its shift is closed."""
    shift = hall.words[word * WORD_SIZE + SHIFT]
    return add_open_time(
        hall.session_starts,
        hall.session_ends,
        hall.session_before,
        hall.session_begin[shift],
        hall.session_begin[shift + 1],
        state.sessions_reached,
        shift,
        now,
        time,
    )


@inlined
def _is_free(hall, state, shift):  # type: ignore[no-untyped-def]
    """Whether some server of a shift has nothing to do."""
    for word in range(hall.words_begin[shift], hall.words_begin[shift + 1]):
        if state.words[word * WORD_SIZE + FREE]:
            return True
    return False


@inlined
def _take_first(hall, work, state, queue):  # type: ignore[no-untyped-def]
    """Who is first in the waiting order, who waits no more."""
    line = queue * hall.num_levels
    while state.links[2 * line + 1] < 0:
        line += 1
    step = np.int64(state.links[2 * line + 1])
    _tie(hall, state, line - hall.num_lines, _behind(hall, state, step))
    _stop_waiting(work, state, step, queue)
    return step


@inlined
def _first(hall, state, queue):  # type: ignore[no-untyped-def]
    """Who is first in the waiting order; NONE if nobody waits."""
    for line in range(queue * hall.num_levels, (queue + 1) * hall.num_levels):
        if state.links[2 * line + 1] >= 0:
            return np.int64(state.links[2 * line + 1])
    return NONE


@compiled
def _hand_out_among(hall, work, state, num_queues, now):  # type: ignore[no-untyped-def]
    """Hand out where queues compete, are closed, or have little room."""
    while True:
        best = best_shift = NOBODY
        for i in range(num_queues):
            step, shift = _next_match(hall, work, state, state.touched[i])
            if step != NONE and (best == NONE or _is_before(work, state, step, best)):
                best, best_shift = step, shift
        if best == NONE:
            break
        _start(hall, work, state, best, best_shift, now)
    for i in range(num_queues):
        _close(hall, work, state, state.touched[i], now)
    for i in range(num_queues):
        _clear_room(hall, work, state, hall.first_pool[state.touched[i]], now)
    if state.counters[LOSING]:
        _lose_cases(hall, work, state, now)


@compiled
def _is_before(work, state, step, other):  # type: ignore[no-untyped-def]
    """Whether a step comes before another one in the waiting order."""
    level, other_level = _level(work, state, step), _level(work, state, other)
    if level != other_level:
        return level < other_level
    if state.enqueued_at[step] != state.enqueued_at[other]:
        return state.enqueued_at[step] < state.enqueued_at[other]
    return step < other


@compiled
def _next_match(hall, work, state, queue):  # type: ignore[no-untyped-def]
    """Who is served next, and by which shift; (NONE, NONE) if nobody can be."""
    if state.queues[queue * QUEUE_SIZE + NUM_WAITING] == 0:
        return NONE, NONE
    begin, end = hall.shifts_begin[queue], hall.shifts_begin[queue + 1]
    for i in range(begin, end):
        shift = hall.shifts_of_queue[i]
        if state.is_open[shift] and _is_free(hall, state, shift):
            return _first(hall, state, queue), shift
    served_until = _served_until(hall, state, queue)
    if (
        state.queues[queue * QUEUE_SIZE + NUM_OPEN]
        or state.queues[queue * QUEUE_SIZE + NUM_PEOPLE] == 0
        or served_until == NONE
    ):
        return NONE, NONE
    # Who was there before closing is served by the clerks who closed last.
    for i in range(begin, end):
        shift = hall.shifts_of_queue[i]
        if (
            _is_free(hall, state, shift)
            and state.closed_at[shift] == served_until
            and hall.closing[hall.shift_pool[shift]] == SERVE
        ):
            for line in range(queue * hall.num_levels, (queue + 1) * hall.num_levels):
                step = np.int64(state.links[2 * line + 1])
                while step >= 0 and state.enqueued_at[step] < served_until:
                    if _is_person(work, state, step):
                        return step, shift
                    step = _behind(hall, state, step)
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
    if (
        state.queues[queue * QUEUE_SIZE + NUM_OPEN]
        or state.queues[queue * QUEUE_SIZE + NUM_PEOPLE] == 0
        or closing == KEEP
    ):
        return
    served_until = _served_until(hall, state, queue)
    for line in range(queue * hall.num_levels, (queue + 1) * hall.num_levels):
        step = np.int64(state.links[2 * line])
        while step >= 0 and state.enqueued_at[step] >= served_until:
            before = _before(hall, state, step)
            if _is_person(work, state, step):
                _leave(hall, work, state, step, TURN_AWAY, now)
            step = before


@compiled
def _clear_room(hall, work, state, pool, now):  # type: ignore[no-untyped-def]
    """People leave a room that is too full: who came last."""
    if hall.room[pool] == NO_LIMIT:
        return
    excess = -hall.room[pool]
    for queue in range(hall.num_queues):
        if hall.first_pool[queue] == pool:
            excess += state.queues[queue * QUEUE_SIZE + NUM_PEOPLE]
    for _ in range(excess):
        last = NOBODY
        for queue in range(hall.num_queues):
            if hall.first_pool[queue] != pool:
                continue
            for line in range(queue * hall.num_levels, (queue + 1) * hall.num_levels):
                step = np.int64(state.links[2 * line])
                while step >= 0 and not _is_person(work, state, step):
                    step = _before(hall, state, step)
                if step >= 0 and (
                    last == NONE
                    or (state.enqueued_at[step], step) > (state.enqueued_at[last], last)
                ):
                    last = step
        _leave(hall, work, state, last, TURN_AWAY, now)
