"""The compiled loop: what `simpy_engine` defines, over the tables of a plan and a workload.

One loop serves every hall, so it is compiled once on a machine. A step is a number here, and it is
in one of these places: in the calendar (`compiled_calendar`), in a queue (`compiled_waiting`), on
the agenda of this round, or on that of the next round of this instant (`later`).

An instant is lived through in rounds: first all of the agenda, then servers are handed out, then
the round is written down in the order of the log.
"""

from __future__ import annotations

from sim.engines.compiled_calendar import (
    add_open_time,
    add_working_days,
    call_in,
    pass_gate,
    remove_root,
    schedule,
    take_over,
    touch,
    write,
)
from sim.engines.compiled_state import (
    AGENDA,
    BEGIN,
    CAME,
    CASE,
    CODE_MASK,
    DONE,
    ENDLESS,
    FACT,
    FULL,
    HOLE,
    ID_MASK,
    IMPATIENT,
    KIND_SHIFT,
    LATER,
    LEAVING,
    LENGTH,
    NEXT_CASE,
    NEXT_CHANGE,
    NEXT_OVER,
    NOW,
    NUM_UNSERVED,
    OVER,
    PASSED,
    ROUNDS,
    ROWS,
    STEP_SIZE,
)
from sim.engines.compiled_tables import (
    ACTIVITY,
    APART,
    CODE_BITS,
    FACTS,
    FREE,
    NEXT,
    NUM_OPEN,
    NUM_WAITING,
    PLAIN,
    PREDECESSORS,
    QUEUE,
    QUEUE_SIZE,
    SHIFT,
    TRAITS,
    TRIP,
    WORD,
    WORD_SIZE,
    WORKING_DAYS,
    WORKING_TIME,
)
from sim.engines.compiled_waiting import enqueue, hand_out, lose_patience
from sim.engines.compiling import compiled, inlined, part
from sim.event_log import Kind
from sim.plan import NONE
from sim.timeline import DAY, NEVER

COMPLETE, RENEGE, ARRIVE, PASS_OVER, COME_IN, *_LATER_KINDS = map(int, Kind)
ENQUEUE, START, TURN_AWAY, LOSE, DEPART = _LATER_KINDS
GAPS = (1750, 701, 301, 132, 57, 23, 10, 4, 1)


# --- what happens --------------------------------------------------------------------------------


@compiled
def _change_shift(hall, state, shift, opens, now):  # type: ignore[no-untyped-def]
    """The clerks come or go."""
    state.is_open[shift] = opens
    if not opens:
        state.closed_at[shift] = now
    for i in range(hall.queues_begin[shift], hall.queues_begin[shift + 1]):
        queue = hall.queues_of_shift[i]
        state.queues[queue * QUEUE_SIZE + NUM_OPEN] += 1 if opens else -1
        touch(state, queue)


@inlined
def _arrive(work, state, case):  # type: ignore[no-untyped-def]
    """A case begins with the steps that wait for no other; gives how many these are."""
    itinerary, first = work.itinerary[case], work.first_step[case]
    place = work.first_place[itinerary]
    for step in range(first, work.first_step[case + 1]):
        state.steps[step * STEP_SIZE + CASE] = case
        state.steps[step * STEP_SIZE + FACT] = (place + step - first) * FACTS
        state.enqueued_at[step] = state.started_at[step] = state.completed_at[step] = NEVER
        state.server[step] = NONE
    state.departed_at[case] = state.lost_at[case] = NEVER
    state.ends_left[case] = work.num_ends[itinerary]
    write(state, ARRIVE, case, NONE)
    begin, end = work.beginnings_begin[itinerary], work.beginnings_begin[itinerary + 1]
    if begin == end:
        _depart(state, case, work.arrived_at[case])
    for i in range(begin, end):
        _begin_at(state, first + work.beginnings[i])
    return end - begin


@inlined
def _begin_at(state, step):  # type: ignore[no-untyped-def]
    """A step begins in this round."""
    state.agenda[state.counters[AGENDA]] = step << CODE_BITS | BEGIN
    state.counters[AGENDA] += 1


@inlined
def _depart(state, case, now):  # type: ignore[no-untyped-def]
    """Everything is done."""
    state.departed_at[case] = now
    write(state, DEPART, case, NONE)


@inlined
def _live(hall, work, state, is_alone, now):  # type: ignore[no-untyped-def]
    """All of the agenda happens, and what follows from it in this round."""
    i, size = 0, state.counters[AGENDA]
    while i < size:
        step, code = state.agenda[i] >> CODE_BITS, state.agenda[i] & CODE_MASK
        if code == IMPATIENT:
            lose_patience(hall, work, state, step, now)
        elif state.lost_at[state.steps[step * STEP_SIZE + CASE]] == NEVER:
            if work.facts[state.steps[step * STEP_SIZE + FACT] + TRAITS] & PLAIN:
                enqueue(hall, work, state, step, is_alone, now)
            else:
                _begin(hall, work, state, step, code, is_alone)
                is_alone &= state.counters[AGENDA] == size
                size = state.counters[AGENDA]
        i += 1
    state.counters[AGENDA] = 0


@compiled
def _begin(hall, work, state, step, code, is_alone):  # type: ignore[no-untyped-def]
    """Come in, wait for the gate, and then for a server or for time to pass."""
    # Read, not handed over: the compiler would work out the day of every instant beforehand.
    now = state.counters[NOW]
    fact = state.steps[step * STEP_SIZE + FACT]
    activity, trip = work.facts[fact + ACTIVITY], work.facts[fact + TRIP]
    if code == BEGIN and not (hall.lived_from[activity] <= now < hall.lived_until[activity]):
        state.completed_at[step] = now
        write(state, PASS_OVER, step, NONE)
        _go_on(work, state, step, state.steps[step * STEP_SIZE + CASE], fact, now)
        return
    if code != PASSED:
        if trip <= 0 and (code == CAME or (state.last_seen[step + trip] - 1) // DAY != now // DAY):
            # Who has just arrived is there; who is called or has gone home has to come.
            if code == BEGIN and work.facts[fact + PREDECESSORS]:
                call_in(hall, work, state, step, now)
                return
            write(state, COME_IN, step, NONE)
            state.visits[state.steps[step * STEP_SIZE + CASE]] += 1
            state.last_seen[step + trip] = now + 1
        gate = hall.gate[activity]
        if gate != NONE:
            passes_at = pass_gate(hall, state, gate, now)
            if passes_at > now:
                schedule(hall, work, state, now, passes_at, step, PASSED)
                return
    if hall.queue[activity] == NONE:
        write(state, START, step, NONE)
        state.started_at[step] = now
        over_at = _end_of_delay(hall, state, hall.clock[activity], now, work.time[step])
        schedule(hall, work, state, now, over_at, step, OVER)
    else:
        enqueue(hall, work, state, step, is_alone, now)


@inlined
def _complete(hall, work, state, step, now):  # type: ignore[no-untyped-def]
    """A service or a delay is over; what waited for it begins.

    Gives whether all that begins goes to different queues.
    """
    case, fact = state.steps[step * STEP_SIZE + CASE], state.steps[step * STEP_SIZE + FACT]
    is_lost = state.lost_at[case] != NEVER
    queue, word = work.facts[fact + QUEUE], work.facts[fact + WORD]
    server = state.server[step]
    if word != NONE:
        state.words[word * WORD_SIZE + FREE] |= hall.servers[2 * server + 1]
        if state.queues[queue * QUEUE_SIZE + NUM_WAITING]:
            touch(state, queue)
    elif queue != NONE:
        word = hall.servers[2 * server]
        state.words[word * WORD_SIZE + FREE] |= hall.servers[2 * server + 1]
        shift = state.words[word * WORD_SIZE + SHIFT]
        for i in range(hall.queues_begin[shift], hall.queues_begin[shift + 1]):
            touch(state, hall.queues_of_shift[i])
    elif is_lost:
        return True
    state.completed_at[step] = now
    write(state, COMPLETE, step, server)
    if is_lost:
        return True
    trip = work.facts[fact + TRIP]
    if trip <= 0:
        state.last_seen[step + trip] = now + 1
    return _go_on(work, state, step, case, fact, now)


@inlined
def _go_on(work, state, step, case, fact, now):  # type: ignore[no-untyped-def]
    """What waited for a step begins; gives whether all of it goes to different queues."""
    following = work.facts[fact + NEXT]
    if following > 0:
        _come_from(work, state, step + following)
        return True
    i = -following
    if work.successors[i] == 0:
        state.ends_left[case] -= 1
        if state.ends_left[case] == 0:
            _depart(state, case, now)
        return True
    while work.successors[i]:
        _come_from(work, state, step + work.successors[i])
        i += 1
    return work.facts[fact + TRAITS] & APART != 0


@inlined
def _come_from(work, state, step):  # type: ignore[no-untyped-def]
    """One more of the steps that a step waits for is complete."""
    state.branches[step] += 1
    fact = state.steps[step * STEP_SIZE + FACT]
    if state.branches[step] == work.facts[fact + PREDECESSORS]:
        _begin_at(state, step)


@compiled
def _take_up(hall, work, state, now):  # type: ignore[no-untyped-def]
    """What was put off to this round is done, or comes onto the agenda; gives whether it is one."""
    count = state.counters
    is_alone = count[LATER] == 1
    for i in range(count[LATER]):
        entry = state.later[i]
        if entry & CODE_MASK == OVER:
            is_alone &= _complete(hall, work, state, entry >> CODE_BITS, now)
        else:
            state.agenda[count[AGENDA]] = entry
            count[AGENDA] += 1
    count[LATER] = 0
    return is_alone


@compiled
def _end_of_delay(hall, state, clock, now, time):  # type: ignore[no-untyped-def]
    if clock == WORKING_DAYS:
        return add_working_days(
            part(hall.day_index_before, 0, hall.num_days + 1),
            part(hall.working_days, 0, hall.num_working_days),
            now,
            time,
        )
    if clock == WORKING_TIME:
        return add_open_time(
            hall.hours_starts,
            hall.hours_ends,
            hall.hours_before,
            0,
            hall.num_hours,
            state.hours_reached,
            0,
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
def _write_down(hall, work, state, now, room):  # type: ignore[no-untyped-def]
    """Add the rows of this round to the log."""
    num_rows, length = state.counters[ROWS], state.counters[LENGTH]
    _sort_rows(state.row_key, state.row_server, num_rows)
    for i in range(num_rows):
        kind, number = state.row_key[i] >> KIND_SHIFT, state.row_key[i] & ID_MASK
        server = state.row_server[i]
        case, place, activity, pool = number, NONE, NONE, NONE
        if kind in (LOSE, DEPART):
            place = work.first_step[case + 1] - work.first_step[case]
        elif kind != ARRIVE:
            case = state.steps[number * STEP_SIZE + CASE]
            place = number - work.first_step[case]
            activity = work.facts[state.steps[number * STEP_SIZE + FACT] + ACTIVITY]
            if server != NONE:
                pool = hall.shift_pool[hall.shift_of_server[server]]
            elif kind in (ENQUEUE, RENEGE, TURN_AWAY):
                pool = hall.first_pool[hall.queue[activity]]
        row = length + i
        # Column by column, as in the log.
        for value in (now, kind, case, place, activity, pool, server):
            room.log[row] = value
            row += room.log_rows
    state.counters[LENGTH] = length + num_rows
    state.counters[ROWS] = 0


@compiled
def _note_unserved(state, now, room):  # type: ignore[no-untyped-def]
    """Add those who left unserved in this round."""
    num_rows, length = state.counters[LEAVING], state.counters[NUM_UNSERVED]
    _sort_rows(state.leaving, state.leaving, num_rows)
    for i in range(num_rows):
        step = state.leaving[i] & ID_MASK
        row = length + i
        for value in (step, state.enqueued_at[step], now, state.leaving[i] >> KIND_SHIFT):
            room.unserved[row] = value
            row += room.unserved_rows
    state.counters[NUM_UNSERVED] = length + num_rows
    state.counters[LEAVING] = 0


# --- the loop ------------------------------------------------------------------------------------


@compiled
def run(hall, work, state, room):  # type: ignore[no-untyped-def]
    """Go on until the end is reached, or something else stops the loop; gives what."""
    count, heap = state.counters, state.heap
    now, case, change = count[NOW], count[NEXT_CASE], count[NEXT_CHANGE]
    arrives_at = work.arrived_at[case] if case < work.num_cases else NEVER
    changes_at = hall.change_at[change] if change < hall.num_changes else NEVER
    is_settled = count[ROWS] or count[LEAVING]  # and is yet to be written down
    while True:
        if not is_settled:
            # What is done comes first: whoever is done here today is still here for what begins.
            if count[LATER]:
                count[ROUNDS] += 1
                if count[ROUNDS] > work.most_rounds:
                    return ENDLESS
                is_alone = _take_up(hall, work, state, now)
            else:
                count[ROUNDS] = 1
                if count[HOLE]:
                    count[HOLE] = 0
                    remove_root(heap, count)
                entry = count[NEXT_OVER]
                # The service last: it is known last.
                now = min(heap[0] >> work.step_bits, arrives_at, changes_at)
                now = min(entry >> work.step_bits, now)
                if now >= hall.end_at:
                    return DONE
                count[NOW] = now
                while changes_at == now:
                    opens = hall.change_opens[change]
                    _change_shift(hall, state, hall.change_shift[change], opens, now)
                    change += 1
                    changes_at = hall.change_at[change] if change < hall.num_changes else NEVER
                is_alone, num_begun = True, 0
                while entry >> work.step_bits == now:
                    step = entry >> CODE_BITS & (work.entry_mask >> CODE_BITS)
                    entry = take_over(hall, state)
                    is_alone &= _complete(hall, work, state, step, now)
                    num_begun += 1
                while heap[0] >> work.step_bits == now:
                    entry = heap[0] & work.entry_mask
                    if entry & CODE_MASK == OVER:
                        is_alone &= _complete(hall, work, state, entry >> CODE_BITS, now)
                    else:
                        state.agenda[count[AGENDA]] = entry
                        count[AGENDA] += 1
                    num_begun += 1
                    if heap[1] >> work.step_bits != now and heap[2] >> work.step_bits != now:
                        # The last of an instant stays: what follows from it takes its place.
                        count[HOLE] = 1
                        break
                    remove_root(heap, count)
                while arrives_at == now:
                    num_begun += _arrive(work, state, case)
                    case += 1
                    arrives_at = work.arrived_at[case] if case < work.num_cases else NEVER
                is_alone &= num_begun == 1
            _live(hall, work, state, is_alone, now)
            hand_out(hall, work, state, now)
        is_settled = False
        if count[ROWS] or count[LEAVING]:
            if (
                count[LENGTH] + count[ROWS] > room.log_rows
                or count[NUM_UNSERVED] + count[LEAVING] > room.unserved_rows
            ):
                count[NEXT_CASE], count[NEXT_CHANGE] = case, change
                return FULL
            _write_down(hall, work, state, now, room)
            _note_unserved(state, now, room)
