"""What ends a run with an error, in both engines alike."""

from __future__ import annotations

from typing import Final

import numpy as np

from sim.errors import RunawayError
from sim.plan import NONE, Plan
from sim.timeline import NEVER, IntArray, format_instant
from sim.workload import Workload

MOST_EVENTS: Final = 200_000_000
"""Events of one replication."""
LONGEST: Final = 2**40
"""Seconds (or working days) that a step may take: sums of them stay whole numbers of 64 bits."""
MOST_OF_A_STEP: Final = 4
"""Events of a step that is served at the first attempt; each further attempt has as many."""
MOST_OF_A_CASE: Final = 2


def check_times(plan: Plan, workload: Workload) -> None:
    """Raise RunawayError if a step takes longer than instants can be counted.

    Raises ValueError for a workload that was not drawn: people who wait for a negative time, or
    cases that are not in the order of their arrivals.
    """
    patience = workload.step_patience
    # One that repeats a number says that nobody has any.
    if (
        patience.strides != (0,)
        and not 0 <= patience.min(initial=0) <= patience.max(initial=0) <= NEVER
    ):
        raise ValueError(f"patience must be from 0 to {NEVER}")
    if (workload.arrived_at[1:] < workload.arrived_at[:-1]).any():
        raise ValueError("cases must be in the order of their arrivals")
    times = workload.step_time
    if len(times) and not 0 <= times.min() <= times.max() <= LONGEST:
        step = int(np.argmax((times < 0) | (times > LONGEST)))
        case = int(np.searchsorted(workload.first_step, step, side="right")) - 1
        name = plan.activities[workload.step_activity[step]].name
        raise RunawayError(
            f"case {case}: '{name}' takes {times[step]:,} s, which is not from 0 to {LONGEST:,}"
            + _where(workload)
        )


def most_rounds(workload: Workload) -> int:
    """How many rounds one instant can have: something comes to its end in each but the first."""
    return workload.num_steps + 2


def endless_loop(
    plan: Plan, workload: Workload, at: int, cases: IntArray, places: IntArray
) -> RunawayError:
    """The error of more rounds at one instant than there can be.

    cases, places  the last events of the instant.
    """
    case = int(cases[-1])
    mine = np.unique(places[(cases == case) & (places != NONE)])
    mine = mine[mine < np.diff(workload.first_step)[case]]
    steps = workload.step_activity[workload.first_step[case] + mine]
    names = dict.fromkeys(f"'{plan.activities[activity].name}'" for activity in steps)
    return RunawayError(
        f"endless loop at {format_instant(at, plan.origin)}: case {case} goes through "
        f"{', '.join(names)} and no time passes{_where(workload)}"
    )


def most_unserved(workload: Workload) -> int:
    """How often people may have to come back before there are more than MOST_EVENTS."""
    certain = MOST_OF_A_STEP * workload.num_steps + MOST_OF_A_CASE * workload.num_cases
    return max(MOST_EVENTS - certain, 0) // MOST_OF_A_STEP


def too_many_events(plan: Plan, workload: Workload, at: int, step: int) -> RunawayError:
    """The error of more events than there may be; `step` was not served at last."""
    case = int(np.searchsorted(workload.first_step, step, side="right")) - 1
    name = plan.activities[workload.step_activity[step]].name
    return RunawayError(
        f"more than {MOST_EVENTS:,} events by {format_instant(at, plan.origin)}: people wait in "
        f"vain and come back, the last one case {case} for '{name}'{_where(workload)}"
    )


def _where(workload: Workload) -> str:
    return f" (seed {workload.seed}, replication {workload.replication})"
