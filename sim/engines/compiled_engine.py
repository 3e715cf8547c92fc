"""The compiled engine: the same log as the SimPy engine's, from a loop that numba compiles.

What happens and why is told in `simpy_engine`; nothing is shared with it but the plan, the
workload, and the arithmetic of hours and days. The loop is in `compiled_loop`.
"""

from __future__ import annotations

import numpy as np

from sim.engines import compiled_state
from sim.engines.compiled_state import (
    ID_MASK,
    LEAVING,
    LENGTH,
    NOW,
    NUM_UNSERVED,
    ROWS,
    Room,
    State,
    new_state,
)
from sim.engines.compiled_tables import NO_LIMIT, hall_tables, work_tables
from sim.engines.limits import check_times, endless_loop, most_unserved, too_many_events
from sim.engines.native import Fixed, Kernel
from sim.event_log import EventLog
from sim.memory import kept_by_plan
from sim.outcome import Outcome
from sim.plan import Plan
from sim.timeline import IntArray
from sim.workload import Workload

NUM_COLUMNS = 7
NUM_UNSERVED_COLUMNS = 4

_run = Kernel(
    "sim.engines.compiled_loop",
    "run",
    uses=(
        "sim.engines.columns",
        "sim.engines.compiling",
        "sim.engines.compiled_calendar",
        "sim.engines.compiled_state",
        "sim.engines.compiled_tables",
        "sim.engines.compiled_waiting",
        "sim.event_log",
        "sim.plan",
        "sim.timeline",
    ),
)


def is_ready() -> bool:
    """Whether it has been compiled on this machine: if not, the first call takes many seconds."""
    return _run.is_ready


def simulate(plan: Plan, workload: Workload) -> EventLog:
    """The log of one replication, the same as the SimPy engine's."""
    # Enough for a hall in which nobody has to come back.
    _, columns, _ = _simulate(plan, workload, 2 * workload.num_cases + 4 * workload.num_steps + 64)
    columns.flags.writeable = False
    return EventLog(*columns)


def simulate_outcome(plan: Plan, workload: Workload) -> Outcome:
    """The outcome of one replication, the same as that of its log, which is not kept."""
    state, _, unserved = _simulate(plan, workload, 0)
    return Outcome(
        enqueued_at=state.enqueued_at,
        started_at=state.started_at,
        completed_at=state.completed_at,
        server=state.server,
        unserved_step=unserved[0],
        unserved_from=unserved[1],
        unserved_until=unserved[2],
        unserved_kind=unserved[3],
        departed_at=state.departed_at,
        lost_at=state.lost_at,
        visits=state.visits,
    )


def _simulate(plan: Plan, workload: Workload, log_size: int) -> tuple[State, IntArray, IntArray]:
    """What the steps and cases came to, the columns of the log, and those of the unserved."""
    check_times(plan, workload)
    work = work_tables(plan, workload)
    state = new_state(plan, work, log_size > 0)
    log = np.empty((NUM_COLUMNS, log_size), np.int64)
    unserved = np.empty((NUM_UNSERVED_COLUMNS, 0), np.int64)
    fixed_work, fixed_state = Fixed(work), Fixed(state)
    count = state.counters
    while True:
        room = Room(log, log.shape[1], unserved, unserved.shape[1])
        match _run(_fixed(plan), fixed_work, fixed_state, room):
            case compiled_state.DONE:
                return state, log[:, : count[LENGTH]], unserved[:, : count[NUM_UNSERVED]]
            case compiled_state.ENDLESS if log_size:
                last = log[2:4, : count[LENGTH]][:, log[0, : count[LENGTH]] == count[NOW]]
                raise endless_loop(plan, workload, int(count[NOW]), *last)
            case compiled_state.ENDLESS:
                return _simulate(plan, workload, 1)  # once more, to tell what happens
        log = _longer(log, count[LENGTH] + count[ROWS])
        num_unserved, most = count[NUM_UNSERVED] + count[LEAVING], most_unserved(workload)
        if num_unserved > most:
            step = int(state.leaving[: count[LEAVING]].min() & ID_MASK)
            raise too_many_events(plan, workload, int(count[NOW]), step)
        unserved = _longer(unserved, num_unserved, most)


@kept_by_plan
def _fixed(plan: Plan) -> Fixed:
    return Fixed(hall_tables(plan))


def _longer(columns: IntArray, length: int, most: int = NO_LIMIT) -> IntArray:
    """The same columns with room for so many rows, and as many more, but not for more than that."""
    if length <= columns.shape[1]:
        return columns
    longer = np.empty((len(columns), min(2 * length, most)), np.int64)
    longer[:, : columns.shape[1]] = columns
    return longer
