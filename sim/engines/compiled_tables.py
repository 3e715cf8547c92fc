"""A plan and a workload as arrays, the way the compiled engine reads them.

Every array is read-only, C-contiguous and int64, so that one compiled loop serves every hall. Lists
of lists are joined: the entries of i are `x[x_begin[i]:x_begin[i + 1]]`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.durations import Clock
from sim.errors import HallError
from sim.plan import NONE, Plan
from sim.timeline import IntArray
from sim.workload import Workload

SERVE, SEND_AWAY, KEEP = range(3)
CLOSING: Final = {"serve": SERVE, "turn_away": SEND_AWAY, "wait": KEEP}
CLOCK_TIME, WORKING_TIME, WORKING_DAYS = range(3)
CLOCKS: Final = {
    Clock.CLOCK_TIME: CLOCK_TIME,
    Clock.WORKING_TIME: WORKING_TIME,
    Clock.WORKING_DAYS: WORKING_DAYS,
}
NO_LIMIT: Final = 2**62
CODE_BITS: Final = 3
"""Of a calendar entry, those that say what happens; the step and the instant are above them."""


class HallTables(NamedTuple):
    """A plan as arrays."""

    end_at: int
    num_queues: int
    num_levels: int
    num_changes: int
    num_days: int
    num_working_days: int
    num_hours: int
    # activities
    queue: IntArray
    gate: IntArray
    trip: IntArray
    clock: IntArray
    is_lost_if_not_served: IntArray
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
    skipped: IntArray
    """CELLS entries for each row, and for each trip."""
    # working hours and working days
    hours_starts: IntArray
    hours_ends: IntArray
    hours_before: IntArray
    day_index_before: IntArray
    working_days: IntArray
    # pools
    room: IntArray
    closing: IntArray
    pauses: IntArray
    # shifts
    shift_pool: IntArray
    servers_begin: IntArray
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
    # servers
    shift_of_server: IntArray
    # queues
    first_pool: IntArray
    shifts_begin: IntArray
    shifts_of_queue: IntArray
    is_simple: IntArray
    """No other queue asks for its shifts, and any number can wait."""
    # priority levels, smaller first
    levels: IntArray


class WorkTables(NamedTuple):
    """A workload as arrays."""

    step_bits: int
    """Bits of a calendar entry below its instant."""
    num_cases: int
    num_steps: int
    # cases
    arrived_at: IntArray
    first_step: IntArray
    case_level: IntArray
    joined_begin: IntArray
    """Where the facts of a case's first step stand among the joined itineraries."""
    # steps
    case: IntArray
    activity: IntArray
    time: IntArray
    patience: IntArray
    come_day: IntArray
    come_time: IntArray
    # joined itineraries
    num_predecessors: IntArray
    trip_place: IntArray
    """Place of the step that begins the trip which a step is part of, -1 if nobody comes in."""
    successors_begin: IntArray
    successors: IntArray
    """Places within the itinerary."""


@functools.lru_cache(maxsize=8)
def hall_tables(plan: Plan) -> HallTables:
    """The tables of a plan, made once for all its replications."""
    trips, activities, shifts = plan.trips, plan.activities, plan.shifts
    priorities = {p for case_type in plan.case_types for p in case_type.priorities}
    levels = sorted(priorities | {a.priority for a in activities if a.priority is not None})
    shapes_begin = np.cumsum([0, *(len(trip.offsets) for trip in trips)])
    shapes = [t.shape_of_session + n for t, n in zip(trips, shapes_begin, strict=False)]
    queues = range(len(plan.queues))
    shifts_of_queue = [plan.shifts_of_queue(queue) for queue in queues]
    queues_of_shift = [[q for q in queues if s in shifts_of_queue[q]] for s in range(len(shifts))]
    first_pools = [plan.pools[pools[0]] for pools in plan.queues]
    change_at, change_shift, change_opens = _changes(plan)
    hours = plan.working_hours
    return HallTables(
        end_at=plan.end_at,
        num_queues=len(plan.queues),
        num_levels=len(levels),
        num_changes=len(change_at),
        num_days=len(plan.days.mask),
        num_working_days=len(plan.days.dates),
        num_hours=len(plan.working_hours.starts),
        queue=_column([a.queue for a in activities]),
        gate=_column([a.gate for a in activities]),
        trip=_column([a.trip for a in activities]),
        clock=_column([CLOCKS[a.delay_clock] for a in activities]),
        is_lost_if_not_served=_column([a.is_lost_if_not_served for a in activities]),
        level=_column(
            [NONE if a.priority is None else levels.index(a.priority) for a in activities]
        ),
        gate_begin=_begins(len(gate.latest) for gate in plan.gates),
        latest=_joined([gate.latest for gate in plan.gates]),
        release=_joined([gate.release for gate in plan.gates]),
        trip_begin=_begins(len(trip.starts) for trip in trips),
        trip_starts=_joined([trip.starts for trip in trips]),
        shape_of_session=_joined(shapes),
        offsets=_joined([trip.offsets.ravel() for trip in trips]),
        skipped=_joined([trip.skipped for trip in trips]),
        hours_starts=_column(hours.starts),
        hours_ends=_column(hours.ends),
        hours_before=_column(hours.open_before),
        day_index_before=_column(plan.days.day_index_before),
        working_days=_column(plan.days.dates),
        room=_column([NO_LIMIT if pool.room is None else pool.room for pool in plan.pools]),
        closing=_column([CLOSING[pool.at_closing] for pool in plan.pools]),
        pauses=_column([pool.pauses for pool in plan.pools]),
        shift_pool=_column([shift.pool for shift in shifts]),
        servers_begin=_begins(shift.servers for shift in shifts),
        session_begin=_begins(len(shift.sessions.starts) for shift in shifts),
        session_starts=_joined([shift.sessions.starts for shift in shifts]),
        session_ends=_joined([shift.sessions.ends for shift in shifts]),
        session_before=_joined([shift.sessions.open_before for shift in shifts]),
        queues_begin=_begins(map(len, queues_of_shift)),
        queues_of_shift=_column(list(chain.from_iterable(queues_of_shift))),
        change_at=change_at,
        change_shift=change_shift,
        change_opens=change_opens,
        shift_of_server=_column(np.repeat(range(len(shifts)), [s.servers for s in shifts])),
        first_pool=_column([pools[0] for pools in plan.queues]),
        shifts_begin=_begins(map(len, shifts_of_queue)),
        shifts_of_queue=_column(list(chain.from_iterable(shifts_of_queue))),
        is_simple=_column(
            [
                pool.room is None and all(len(queues_of_shift[shift]) == 1 for shift in asked)
                for pool, asked in zip(first_pools, shifts_of_queue, strict=True)
            ]
        ),
        levels=_column(levels),
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
    successors = list(chain.from_iterable(itinerary.successors for itinerary in itineraries))
    begins = _begins(itinerary.num_steps for itinerary in itineraries)
    return WorkTables(
        step_bits=step_bits,
        num_cases=workload.num_cases,
        num_steps=workload.num_steps,
        arrived_at=_column(workload.arrived_at),
        first_step=_column(workload.first_step),
        case_level=_column(np.searchsorted(hall_tables(plan).levels, workload.priority)),
        joined_begin=_column(begins[workload.itinerary]),
        case=_column(workload.step_case),
        activity=_column(workload.step_activity),
        time=_column(workload.step_time),
        patience=_column(workload.step_patience),
        come_day=_column(workload.step_come_day),
        come_time=_column(workload.step_come_time),
        num_predecessors=_chained(itinerary.num_predecessors for itinerary in itineraries),
        trip_place=_chained(itinerary.trip_place for itinerary in itineraries),
        successors_begin=_begins(map(len, successors)),
        successors=_chained(successors),
    )


def _changes(plan: Plan) -> tuple[IntArray, IntArray, IntArray]:
    """When shifts open and close: instants, shifts, and whether they open."""
    # A shift of no servers never opens.
    shifts = [(i, shift.sessions) for i, shift in enumerate(plan.shifts) if shift.servers]
    at = _joined([times for _, sessions in shifts for times in (sessions.starts, sessions.ends)])
    counts = [len(sessions.starts) for _, sessions in shifts for _ in range(2)]
    shift = np.repeat([i for i, _ in shifts for _ in range(2)], counts)
    opens = np.repeat([opens for _ in shifts for opens in (1, 0)], counts)
    order = np.lexsort((shift, at))
    order = order[at[order] < plan.end_at]
    return _column(at[order]), _column(shift[order]), _column(opens[order])


def _column(values: npt.ArrayLike) -> IntArray:
    """A read-only view if possible: one type of array means one compiled loop."""
    column = np.ascontiguousarray(values, np.int64).view()
    column.flags.writeable = False
    return column


def _joined(arrays: Sequence[IntArray]) -> IntArray:
    return _column(np.concatenate(arrays) if arrays else [])


def _begins(lengths: Iterable[int]) -> IntArray:
    return _column(np.cumsum([0, *lengths]))


def _chained(rows: Iterable[Sequence[int]]) -> IntArray:
    return _column(np.fromiter(chain.from_iterable(rows), np.int64))
