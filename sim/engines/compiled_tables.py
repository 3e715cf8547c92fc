"""A plan and a workload as arrays, the way the compiled engine reads them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from sim.draws import has_patience, has_priorities, has_trips
from sim.durations import Clock
from sim.engines.columns import begins_of, int_column, joined
from sim.engines.limits import most_rounds
from sim.errors import HallError
from sim.itinerary import Itinerary
from sim.memory import kept_by_plan
from sim.plan import NONE, Plan
from sim.timeline import NEVER, IntArray
from sim.workload import Workload

SERVE, SEND_AWAY, KEEP = range(3)
CLOSING: Final = {"serve": SERVE, "turn_away": SEND_AWAY, "wait": KEEP}
CLOCK_TIME, WORKING_TIME, WORKING_DAYS = range(3)
CLOCKS: Final = {
    Clock.CLOCK_TIME: CLOCK_TIME,
    Clock.WORKING_TIME: WORKING_TIME,
    Clock.WORKING_DAYS: WORKING_DAYS,
}
MOST_PRIORITIES: Final = 2**16
NO_LIMIT: Final = 2**62
SERVERS_IN_WORD: Final = 62
"""Servers to a word of bits, so that a word is never negative."""
FREE, FIRST, PAUSES, SHIFT = range(4)
"""Of a word of servers: those that are free, a bit each; its first server; whether services pause
while the shift is closed; the shift."""
WORD_SIZE: Final = 4
SERVERS, NUM_OPEN, NUM_WAITING, NUM_PEOPLE, IS_TOUCHED, IS_SIMPLE = range(6)
"""Of a queue: the word of its servers if it is simple and that is all of them, else -1; how many of
its shifts are at work; how many wait, and how many of them in person; whether it is to be looked at
when the round is settled; whether no other queue asks for its shifts and any number can wait."""
QUEUE_SIZE: Final = 6
SLOTS_AT_ONCE: Final = 8
MOST_SLOTS: Final = 256
"""Servers whose services are in a table: more are in the heap."""
CODE_BITS: Final = 3
"""Of a calendar entry, those that say what happens; the step and the instant are above them."""


class HallTables(NamedTuple):
    """A plan as arrays."""

    end_at: int
    num_slots: int
    """Of the calendar's table of services; 0 if they are in the heap with all else."""
    num_queues: int
    num_levels: int
    num_lines: int
    num_changes: int
    num_days: int
    num_working_days: int
    num_hours: int
    # activities
    lived_from: IntArray
    lived_until: IntArray
    queue: IntArray
    gate: IntArray
    trip: IntArray
    clock: IntArray
    is_lost_if_not_served: IntArray
    has_patience: IntArray
    level: IntArray
    """Priority level, -1 for the case's own."""
    # gates and trips
    gate_begin: IntArray
    latest: IntArray
    release: IntArray
    trip_begin: IntArray
    trip_starts: IntArray
    shape_of_session: IntArray
    """Rows of `offsets`."""
    offsets: IntArray
    """CELLS entries for each row; alike rows are there once, since few of them stay at hand."""
    skipped_of_trip: IntArray
    """Rows of `skipped`."""
    skipped: IntArray
    """Likewise."""
    # working hours and working days
    hours_starts: IntArray
    hours_ends: IntArray
    hours_before: IntArray
    day_index_before: IntArray
    working_days: IntArray
    # pools
    room: IntArray
    closing: IntArray
    # shifts
    shift_pool: IntArray
    words_begin: IntArray
    """Of each shift, the words of bits that say which of its servers are free."""
    session_begin: IntArray
    session_starts: IntArray
    session_ends: IntArray
    session_before: IntArray
    queues_begin: IntArray
    queues_of_shift: IntArray
    change_at: IntArray
    """When a shift opens or closes, in order."""
    change_shift: IntArray
    change_opens: IntArray
    # words and servers
    words: IntArray
    """At the beginning, WORD_SIZE entries for each, see FREE and those after it."""
    servers: IntArray
    """Word and bit of each."""
    shift_of_server: IntArray
    # queues
    queues: IntArray
    """At the beginning, QUEUE_SIZE entries for each, see SERVERS and those after it."""
    first_pool: IntArray
    shifts_begin: IntArray
    shifts_of_queue: IntArray
    # priority levels, smaller first
    levels: IntArray


class WorkTables(NamedTuple):
    """A workload as arrays.

    A *place* is one of the joined itineraries: that of a step is the `first_place` of its case and
    its own place within the itinerary. Offsets between steps of a case are those between places.
    """

    most_rounds: int
    step_bits: int
    """Bits of a calendar entry below its instant."""
    entry_mask: int
    num_cases: int
    num_steps: int
    # cases
    arrived_at: IntArray
    first_step: IntArray
    case_level: IntArray
    itinerary: IntArray
    # steps
    time: IntArray
    patience: IntArray
    come_day: IntArray
    come_time: IntArray
    # itineraries
    first_place: IntArray
    num_ends: IntArray
    """Steps that nothing comes after: when they are complete, all is."""
    beginnings_begin: IntArray
    beginnings: IntArray
    """Offsets from the first step of those that wait for no other."""
    # places
    facts: IntArray
    """FACTS entries for each place, see ACTIVITY and those after it."""
    successors: IntArray
    """Offsets from a step to those that come after it, for each place with a 0 at the end."""


ACTIVITY, QUEUE, WORD, LEVEL, PREDECESSORS, NEXT, TRIP, TRAITS = range(8)
"""What is known of a place: activity; queue; the word of all the servers that serve it, if the
queue is simple and that is one word, else -1; priority level, -1 for the case's own; how many steps
it waits for; offset of the only step that comes after it, or, not above 0, where those that do
begin among the successors, taken negative; offset of the step that begins its trip, 1 for none;
what it is like."""
FACTS: Final = 8
PLAIN, APART = 1, 2
"""Traits: it is a service and nothing else; those that come after it go to different queues."""


@kept_by_plan
def hall_tables(plan: Plan) -> HallTables:
    """The tables of a plan, made once for all its replications."""
    trips, activities, shifts = plan.trips, plan.activities, plan.shifts
    priorities = {p for case_type in plan.case_types for p in case_type.priorities}
    levels = sorted(priorities | {a.priority for a in activities if a.priority is not None})
    offsets, row_of_shape = _alike([row for trip in trips for row in trip.offsets])
    skipped, skipped_of_trip = _alike([trip.skipped for trip in trips])
    shapes_begin = np.cumsum([0, *(len(trip.offsets) for trip in trips)])
    shapes = [
        row_of_shape[t.shape_of_session + n] for t, n in zip(trips, shapes_begin, strict=False)
    ]
    queues = range(len(plan.queues))
    shifts_of_queue = [plan.shifts_of_queue(queue) for queue in queues]
    queues_of_shift = [[q for q in queues if s in shifts_of_queue[q]] for s in range(len(shifts))]
    first_pools = [plan.pools[pools[0]] for pools in plan.queues]
    words_begin = begins_of(-(-shift.servers // SERVERS_IN_WORD) for shift in shifts)
    is_simple = [
        pool.room is None and all(len(queues_of_shift[shift]) == 1 for shift in asked)
        for pool, asked in zip(first_pools, shifts_of_queue, strict=True)
    ]
    words = [
        (i, shift.first_server + first, min(shift.servers - first, SERVERS_IN_WORD))
        for i, shift in enumerate(shifts)
        for first in range(0, shift.servers, SERVERS_IN_WORD)
    ]
    word_of_queue = [
        int(words_begin[asked[0]])
        if simple and len(asked) == 1 and 0 < shifts[asked[0]].servers <= SERVERS_IN_WORD
        else NONE
        for simple, asked in zip(is_simple, shifts_of_queue, strict=True)
    ]
    change_at, change_shift, change_opens = _changes(plan)
    hours = plan.working_hours
    num_slots = -(-plan.num_servers // SLOTS_AT_ONCE) * SLOTS_AT_ONCE
    return HallTables(
        end_at=plan.end_at,
        num_slots=num_slots if num_slots <= MOST_SLOTS else 0,
        num_queues=len(plan.queues),
        num_levels=len(levels),
        num_lines=len(plan.queues) * len(levels),
        num_changes=len(change_at),
        num_days=len(plan.days.mask),
        num_working_days=len(plan.days.dates),
        num_hours=len(plan.working_hours.starts),
        lived_from=int_column([a.lived_from for a in activities]),
        lived_until=int_column([a.lived_until for a in activities]),
        queue=int_column([a.queue for a in activities]),
        gate=int_column([a.gate for a in activities]),
        trip=int_column([a.trip for a in activities]),
        clock=int_column([CLOCKS[a.delay_clock] for a in activities]),
        is_lost_if_not_served=int_column([a.is_lost_if_not_served for a in activities]),
        has_patience=int_column([a.patience is not None for a in activities]),
        level=int_column(
            [NONE if p is None else levels.index(p) for p in map(plan.priority_of, activities)]
        ),
        gate_begin=begins_of(len(gate.latest) for gate in plan.gates),
        latest=joined([gate.latest for gate in plan.gates]),
        release=joined([gate.release for gate in plan.gates]),
        trip_begin=begins_of(len(trip.starts) for trip in trips),
        trip_starts=joined([trip.starts for trip in trips]),
        shape_of_session=joined(shapes),
        offsets=offsets,
        skipped_of_trip=skipped_of_trip,
        skipped=skipped,
        hours_starts=int_column(hours.starts),
        hours_ends=int_column(hours.ends),
        hours_before=int_column(hours.open_before),
        day_index_before=int_column(plan.days.day_index_before),
        working_days=int_column(plan.days.dates),
        room=int_column([NO_LIMIT if pool.room is None else pool.room for pool in plan.pools]),
        closing=int_column([CLOSING[pool.at_closing] for pool in plan.pools]),
        shift_pool=int_column([shift.pool for shift in shifts]),
        words_begin=words_begin,
        session_begin=begins_of(len(shift.sessions.starts) for shift in shifts),
        session_starts=joined([shift.sessions.starts for shift in shifts]),
        session_ends=joined([shift.sessions.ends for shift in shifts]),
        session_before=joined([shift.sessions.open_before for shift in shifts]),
        queues_begin=begins_of(map(len, queues_of_shift)),
        queues_of_shift=int_column(list(chain.from_iterable(queues_of_shift))),
        change_at=change_at,
        change_shift=change_shift,
        change_opens=change_opens,
        words=int_column(
            [
                (
                    2**servers - 1,
                    first,
                    plan.pools[shifts[shift].pool].pauses,
                    shift,
                )
                for shift, first, servers in words
            ]
        ).ravel(),
        servers=int_column(
            [(word, 1 << i) for word, (_, _, n) in enumerate(words) for i in range(n)]
        ).ravel(),
        shift_of_server=int_column(np.repeat(range(len(shifts)), [s.servers for s in shifts])),
        first_pool=int_column([pools[0] for pools in plan.queues]),
        queues=int_column(
            [
                (word, 0, 0, 0, 0, simple)
                for word, simple in zip(word_of_queue, is_simple, strict=True)
            ]
        ).ravel(),
        shifts_begin=begins_of(map(len, shifts_of_queue)),
        shifts_of_queue=int_column(list(chain.from_iterable(shifts_of_queue))),
        levels=int_column(levels),
    )


def work_tables(plan: Plan, workload: Workload) -> WorkTables:
    """The tables of a workload.

    Raises HallError if an instant and a step do not fit into 63 bits together.
    """
    itineraries = workload.itineraries
    step_bits = workload.num_steps.bit_length() + CODE_BITS
    if plan.end_at.bit_length() + step_bits > 63:
        raise HallError(
            f"the compiled engine has no numbers for {workload.num_steps:,} steps in "
            f"{plan.end_at:,} s; take a shorter horizon or the SimPy engine"
        )
    hall = hall_tables(plan)
    facts, successors = _facts(plan, itineraries, tuple(workload.first_activity.tolist()))
    beginnings = [itinerary.beginnings for itinerary in itineraries]
    return WorkTables(
        most_rounds=most_rounds(workload),
        step_bits=step_bits,
        entry_mask=2**step_bits - 1,
        num_cases=workload.num_cases,
        num_steps=workload.num_steps,
        arrived_at=int_column(workload.arrived_at),
        first_step=int_column(workload.first_step),
        case_level=int_column(_levels(plan, hall.levels, workload.priority)),
        itinerary=int_column(workload.itinerary),
        time=int_column(workload.step_time),
        patience=int_column(_if_read(has_patience(plan), workload.step_patience)),
        come_day=int_column(_if_read(has_trips(plan), workload.step_come_day)),
        come_time=int_column(_if_read(has_trips(plan), workload.step_come_time)),
        first_place=begins_of(itinerary.num_steps for itinerary in itineraries),
        num_ends=int_column([itinerary.successors.count(()) for itinerary in itineraries]),
        beginnings_begin=begins_of(map(len, beginnings)),
        beginnings=_chained(beginnings),
        facts=facts,
        successors=successors,
    )


@functools.lru_cache(maxsize=8)
def _facts(
    plan: Plan, itineraries: tuple[Itinerary, ...], first_activity: tuple[int, ...]
) -> tuple[IntArray, IntArray]:
    """The facts of all places, and the offsets of what comes after them."""
    hall = hall_tables(plan)
    lengths = [itinerary.num_steps for itinerary in itineraries]
    place = _chained(map(range, lengths))
    activity = np.repeat(int_column(first_activity), lengths)
    activity += joined([itinerary.activity for itinerary in itineraries])
    predecessors = _chained(itinerary.num_predecessors for itinerary in itineraries)
    lists = list(chain.from_iterable(itinerary.successors for itinerary in itineraries))
    counts = np.fromiter(map(len, lists), np.int64, len(lists))
    begins = begins_of(counts + 1)[:-1]
    source = np.repeat(np.arange(len(lists)), counts)
    offsets = _chained(lists) - place[source]
    successors = np.zeros(len(offsets) + len(lists), np.int64)
    successors[np.arange(len(offsets)) + source] = offsets
    queue = hall.queue[activity]
    trip = _chained(itinerary.trip_place for itinerary in itineraries)
    is_plain = (trip == NONE) & (queue != NONE)
    is_plain &= (hall.gate[activity] == NONE) & (hall.has_patience[activity] == 0)
    is_plain &= (hall.lived_from[activity] == 0) & (hall.lived_until[activity] == NEVER)
    queues = list(zip(source.tolist(), queue[source + offsets].tolist(), strict=True))
    meet = {place for (place, _), count in Counter(queues).items() if count > 1}
    single = np.flatnonzero(counts == 1)
    facts = np.zeros((len(place), FACTS), np.int64)
    facts[:, ACTIVITY] = activity
    facts[:, QUEUE] = queue
    facts[:, LEVEL] = hall.level[activity]
    facts[:, PREDECESSORS] = predecessors
    facts[:, NEXT] = -begins
    facts[single, NEXT] = successors[begins[single]]
    facts[:, WORD] = np.append(hall.queues[SERVERS::QUEUE_SIZE], NONE)[queue]
    facts[:, TRIP] = np.where(trip == NONE, 1, trip - place)
    facts[:, TRAITS] = PLAIN * is_plain + APART
    facts[list(meet), TRAITS] -= APART
    return int_column(facts.ravel()), int_column(successors)


def _alike(rows: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Distinct rows, joined, and which of them each row is."""
    numbers: dict[bytes, int] = {}
    which = [numbers.setdefault(row.tobytes(), len(numbers)) for row in rows]
    distinct = [np.frombuffer(row, np.int64) for row in numbers]
    return joined(distinct), int_column(which)


def _levels(plan: Plan, levels: IntArray, priority: IntArray) -> IntArray:
    """The priority level of each case; raises ValueError for a priority that no case type has."""
    priority = _if_read(has_priorities(plan), priority)
    lowest, highest = levels[0], levels[-1]
    level = np.full(1, NONE)
    if lowest <= priority.min(initial=highest) and priority.max(initial=lowest) <= highest:
        if highest - lowest > MOST_PRIORITIES:
            level = np.searchsorted(levels, priority)
            level[levels[level] != priority] = NONE
        else:  # looked up: as fast as it is read
            of_priority = np.full(highest - lowest + 1, NONE)
            of_priority[levels - lowest] = np.arange(len(levels))
            level = of_priority[priority - lowest]
    if level.min(initial=0) == NONE:
        raise ValueError("a case has a priority that no case type of the plan has")
    return level


def _if_read(is_read: bool, column: IntArray) -> IntArray:
    """A column, or as good as nothing of one that the loop does not read."""
    return column if is_read else column[:1]


def _changes(plan: Plan) -> tuple[IntArray, IntArray, IntArray]:
    """When shifts open and close: instants, shifts, and whether they open."""
    # A shift of no servers never opens.
    shifts = [(i, shift.sessions) for i, shift in enumerate(plan.shifts) if shift.servers]
    at = joined([times for _, sessions in shifts for times in (sessions.starts, sessions.ends)])
    counts = [len(sessions.starts) for _, sessions in shifts for _ in range(2)]
    shift = np.repeat([i for i, _ in shifts for _ in range(2)], counts)
    opens = np.repeat([opens for _ in shifts for opens in (1, 0)], counts)
    order = np.lexsort((shift, at))
    order = order[at[order] < plan.end_at]
    return int_column(at[order]), int_column(shift[order]), int_column(opens[order])


def _chained(rows: Iterable[Sequence[int]]) -> IntArray:
    return int_column(np.fromiter(chain.from_iterable(rows), np.int64))
