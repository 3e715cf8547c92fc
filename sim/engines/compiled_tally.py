"""The compiled tally: the same sums as `tally` gives, from a loop that numba compiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.engines.columns import begins_of, int_column, joined
from sim.engines.native import Fixed, Kernel
from sim.event_log import shift_of_server
from sim.memory import kept_by_plan
from sim.outcome import Outcome, Waits
from sim.plan import NONE, Plan
from sim.pool_hours import HALF_HOUR, PER_DAY, open_half_hours, pool_hours
from sim.tally import Tally, channel_of_case, channels
from sim.timeline import NEVER, IntArray
from sim.workload import Workload

_add_up = Kernel(
    "sim.engines.tally_loop",
    "add_up",
    uses=(
        "sim.engines.compiled_tally",
        "sim.engines.compiling",
        "sim.plan",
        "sim.pool_hours",
        "sim.timeline",
    ),
)


class HoursTables(NamedTuple):
    """When pools are open; what there is of each edge is joined, pool after pool."""

    num_pools: int
    num_shifts: int
    first: int
    """The instants between which is measured."""
    end: int
    shift_of_server: IntArray
    pool_of_shift: IntArray
    pauses: IntArray
    """Of each pool."""
    edges: IntArray
    """After those of each pool, NEVER."""
    edges_begin: IntArray
    half_hour: IntArray
    """Of the day, of the stretch that begins at each edge."""
    number: IntArray
    """Of this stretch, among the half-hours in which pools are open; -1 for none."""
    edges_until: IntArray
    """How many edges there are up to the beginning of each half-hour."""
    until_begin: IntArray
    shift_begin: IntArray
    """Where the stretches of each shift begin, after those of the queues of all pools."""
    is_on: np.ndarray
    """Whether each shift is open in each of its stretches."""


class Steps(NamedTuple):
    """What came of the steps."""

    num_cases: int
    num_unserved: int
    no_channel: int
    """Pools and channels."""
    first_step: IntArray
    channel: np.ndarray
    enqueued_at: IntArray
    started_at: IntArray
    completed_at: IntArray
    server: IntArray
    unserved_pool: IntArray
    unserved_begin: IntArray
    unserved_end: IntArray


class Sums(NamedTuple):
    """What is added up, as in a `Tally`."""

    waited: IntArray
    served: IntArray
    overtime: IntArray
    num_waits: IntArray
    total_waits: IntArray
    waits: np.ndarray
    waits_begin: IntArray
    joined_at: np.ndarray
    left_at: np.ndarray
    pool_begin: IntArray
    next_wait: IntArray
    """Of each pool and channel, and of no channel, where the next wait is to be put."""
    next_stand: IntArray
    """Of each pool, likewise."""
    moves: IntArray
    """For each edge of queues, then of shifts, in the stretch before it: how many more come than
    go, and the sum of the instants when they come, less those when they go."""


def is_ready() -> bool:
    """Whether it has been compiled on this machine: if not, the first call takes some seconds."""
    return _add_up.is_ready


def tally(plan: Plan, workload: Workload, outcome: Outcome, unserved: Waits) -> Tally:
    """The same as `tally` gives.

    Raises NoMachineCodeError if there is no machine code and none can be made.
    """
    num_pools, num_subjects = len(plan.pools), len(plan.pools) + len(channels(plan)[0])
    steps = Steps(
        num_cases=workload.num_cases,
        num_unserved=len(unserved.pool),
        no_channel=num_subjects,
        first_step=workload.first_step,
        channel=channel_of_case(plan, workload),
        enqueued_at=outcome.enqueued_at,
        started_at=outcome.started_at,
        completed_at=outcome.completed_at,
        server=outcome.server,
        unserved_pool=unserved.pool,
        unserved_begin=unserved.begin,
        unserved_end=unserved.end,
    )
    # Narrow columns are sorted faster.
    narrow = np.dtype(np.int32 if plan.end_at < 2**31 else np.int64)
    num_stands = workload.num_steps + len(unserved.pool)
    sums = Sums(
        waited=np.zeros(open_half_hours(plan).begin[-1], np.int64),
        served=np.zeros(num_pools * PER_DAY, np.int64),
        overtime=np.zeros(num_pools, np.int64),
        num_waits=np.zeros(num_pools * PER_DAY, np.int64),
        total_waits=np.zeros(num_pools * PER_DAY, np.int64),
        waits=np.empty(2 * workload.num_steps, narrow),
        waits_begin=np.empty(num_subjects + 1, np.int64),
        joined_at=np.empty(num_stands, narrow),
        left_at=np.empty(num_stands, narrow),
        pool_begin=np.empty(num_pools + 1, np.int64),
        next_wait=np.zeros(num_subjects + 1, np.int64),
        next_stand=np.zeros(num_pools, np.int64),
        moves=np.zeros(2 * len(_hours(plan).is_on), np.int64),
    )
    _add_up(_fixed(plan), steps, sums)
    return Tally(
        waited=sums.waited,
        served=sums.served.reshape(num_pools, PER_DAY),
        overtime=sums.overtime,
        num_waits=sums.num_waits.reshape(num_pools, PER_DAY),
        total_waits=sums.total_waits.reshape(num_pools, PER_DAY),
        waits=sums.waits[: sums.waits_begin[-1]],
        waits_begin=sums.waits_begin,
        joined_at=sums.joined_at[: sums.pool_begin[-1]],
        left_at=sums.left_at[: sums.pool_begin[-1]],
        pool_begin=sums.pool_begin,
    )


@kept_by_plan
def _fixed(plan: Plan) -> Fixed:
    return Fixed(_hours(plan))


@kept_by_plan
def _hours(plan: Plan) -> HoursTables:
    pools, begin = pool_hours(plan), open_half_hours(plan).begin
    pool_of_shift = [shift.pool for shift in plan.shifts]
    edges = [np.append(hours.edges, NEVER) for hours in pools]
    num_edges = [len(of_pool) for of_pool in edges]
    num_half_hours = plan.end_at // HALF_HOUR + 1
    shift_begin = begins_of([sum(num_edges), *(num_edges[pool] for pool in pool_of_shift)])[1:]
    is_on = np.zeros(shift_begin[-1], np.uint8)
    for hours, pool in zip(pools, plan.pools, strict=True):
        for shift, is_open in zip(pool.shifts, hours.is_on, strict=True):
            is_on[shift_begin[shift] :][: len(is_open)] = is_open
    return HoursTables(
        num_pools=len(pools),
        num_shifts=len(plan.shifts),
        first=plan.measured_from_at,
        end=plan.end_at,
        shift_of_server=int_column(shift_of_server(plan)),
        pool_of_shift=int_column(pool_of_shift),
        pauses=int_column(pool.pauses for pool in plan.pools),
        edges=joined(edges),
        edges_begin=begins_of(num_edges),
        half_hour=joined(np.append(hours.half_hour, (NONE, NONE)) for hours in pools),
        number=joined(
            np.append(np.where(hours.number == NONE, NONE, hours.number + first), (NONE, NONE))
            for hours, first in zip(pools, begin[:-1], strict=True)
        ),
        edges_until=joined(
            np.bincount(-(-hours.edges // HALF_HOUR), minlength=num_half_hours + 1).cumsum()
            for hours in pools
        ),
        until_begin=begins_of([num_half_hours + 1] * len(pools)),
        shift_begin=shift_begin,
        is_on=is_on,
    )
