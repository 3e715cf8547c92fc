"""What the waits and services of a replication add up to, in whole numbers.

This is the definition; `compiled_tally` adds up the same, faster. What follows from it is the
business of `pool_load` and `metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.event_log import shift_of_server
from sim.memory import kept_by_plan
from sim.metric_definitions import CHANNEL
from sim.outcome import Outcome, Waits
from sim.plan import NONE, Plan
from sim.pool_hours import HALF_HOUR, PER_DAY, open_half_hours, pool_hours
from sim.timeline import DAY, IntArray
from sim.workload import Workload


@dataclass(frozen=True, eq=False)
class Tally:
    """What waits and services add up to in the measured part of the horizon."""

    waited: IntArray
    """Seconds that cases wait in each half-hour in which a pool is open, pool after pool."""
    served: IntArray
    """(pools, half-hours of the day): server-seconds of service within the hours of the shifts."""
    overtime: IntArray
    """By pool: server-seconds of service outside these hours; a paused service has none."""
    num_waits: IntArray
    """(pools, half-hours of the day): waits that end with service, by their beginnings."""
    total_waits: IntArray
    """The same, in seconds."""
    waits: IntArray
    """How long each of them lasts: by pool, then by channel, and in the order of steps."""
    waits_begin: IntArray
    """Where those of each pool, and of each channel, begin, and the end of the last."""
    joined_at: IntArray
    """When each wait that took some time began, pool after pool, whenever that was, ..."""
    left_at: IntArray
    """and when it ended; at the end of the horizon at the latest."""
    pool_begin: IntArray
    """Where these waits at each pool begin, and the end of the last."""


def tally(plan: Plan, workload: Workload, outcome: Outcome, unserved: Waits) -> Tally:
    """What an outcome adds up to.

    unserved  its waits without service.
    """
    num_pools = len(plan.pools)
    steps = np.flatnonzero(outcome.server != NONE)
    shift = shift_of_server(plan)[outcome.server[steps]]
    pool = np.array([shift.pool for shift in plan.shifts], dtype=np.int64)[shift]
    # What has not happened by the end has the instant of the end here.
    enqueued_at, started_at, completed_at = (
        np.minimum(column[steps], plan.end_at)
        for column in (outcome.enqueued_at, outcome.started_at, outcome.completed_at)
    )
    begin = np.concatenate((enqueued_at, unserved.begin))
    end = np.concatenate((started_at, unserved.end))
    takes_time = begin < end
    pool_begin, (joined_at, left_at) = _grouped(
        np.concatenate((pool, unserved.pool))[takes_time],
        num_pools,
        begin[takes_time],
        end[takes_time],
    )
    waited = np.zeros(open_half_hours(plan).begin[-1], dtype=np.int64)
    served = np.zeros((num_pools, PER_DAY), dtype=np.int64)
    overtime = np.zeros(num_pools, dtype=np.int64)
    for index, hours in enumerate(pool_hours(plan)):
        mine = slice(*pool_begin[index : index + 2])
        is_open = hours.number != NONE
        passed = _time_in(hours.edges, joined_at[mine], left_at[mine])
        of_pool = waited[open_half_hours(plan).begin[index] :]
        np.add.at(of_pool, hours.number[is_open], passed[is_open])
        for number, is_on in zip(plan.pools[index].shifts, hours.is_on, strict=True):
            passed = _time_in(
                hours.edges, started_at[shift == number], completed_at[shift == number]
            )
            np.add.at(served[index], hours.half_hour, passed * is_on)
            if not plan.pools[index].pauses:
                overtime[index] += passed[~is_on].sum()
    is_measured = enqueued_at >= plan.measured_from_at
    lasted, pool = (started_at - enqueued_at)[is_measured], pool[is_measured]
    names, _ = channels(plan)
    of_step = np.repeat(channel_of_case(plan, workload), np.diff(workload.first_step))
    subject = np.concatenate((pool, num_pools + of_step[steps[is_measured]].astype(np.int64)))
    waits_begin, (waits,) = _grouped(subject, num_pools + len(names), np.tile(lasted, 2))
    num_waits, total_waits = np.zeros((2, num_pools, PER_DAY), dtype=np.int64)
    began_in = enqueued_at[is_measured] % DAY // HALF_HOUR
    np.add.at(num_waits, (pool, began_in), 1)
    np.add.at(total_waits, (pool, began_in), lasted)
    return Tally(
        waited=waited,
        served=served,
        overtime=overtime,
        num_waits=num_waits,
        total_waits=total_waits,
        waits=waits,
        waits_begin=waits_begin,
        joined_at=joined_at,
        left_at=left_at,
        pool_begin=pool_begin,
    )


def _grouped(
    group: IntArray, num_groups: int, *columns: IntArray
) -> tuple[IntArray, list[IntArray]]:
    """Columns, group after group, and where each group begins; those of no group are left out."""
    in_order = np.argsort(group, kind="stable")
    begins = np.searchsorted(group[in_order], np.arange(num_groups + 1))
    return begins, [column[in_order[: begins[-1]]] for column in columns]


def _time_in(edges: IntArray, begin: IntArray, end: IntArray) -> IntArray:
    """The time that intervals have within each stretch between edges.

    It does not matter which end belongs to which beginning.
    """

    def time_since(instants: IntArray) -> IntArray:
        """For each edge, the time since the instants before it, over all of them."""
        instants = np.sort(instants)
        before = np.searchsorted(instants, edges)
        passed: IntArray = edges * before - np.append(0, np.cumsum(instants))[before]
        return passed

    time: IntArray = np.diff(time_since(begin) - time_since(end))
    return time


@kept_by_plan
def channels(plan: Plan) -> tuple[list[str], dict[int, np.ndarray]]:
    """The channels, and the number of each by column of attributes, case type and value.

    The number is one past the last for other attributes, and for the value -1, which is none.
    """
    found = [
        (column, index, values)
        for index, case_type in enumerate(plan.case_types)
        for column, (attribute, values, _) in enumerate(case_type.attributes)
        if attribute == CHANNEL
    ]
    names = list(dict.fromkeys(name for *_, values in found for name in values))
    most = max((len(values) for t in plan.case_types for _, values, _ in t.attributes), default=0)
    shape = (len(plan.case_types), most + 1)
    columns = {
        column: np.full(shape, len(names), np.min_scalar_type(len(names))) for column, *_ in found
    }
    for column, index, values in found:
        columns[column][index, : len(values)] = [names.index(value) for value in values]
    return names, columns


def channel_of_case(plan: Plan, workload: Workload) -> np.ndarray:
    """The channel of each case, one past the last for none; a byte each if there are not many."""
    names, columns = channels(plan)
    of_case = np.full(workload.num_cases, len(names), np.min_scalar_type(len(names)))
    for column, numbers in columns.items():
        # One index into one row: the value -1 comes first there.
        row = np.roll(numbers, 1, axis=1).ravel()
        place = workload.case_type * numbers.shape[1] + workload.attributes[:, column] + 1
        np.minimum(of_case, row.take(place), out=of_case)
    return of_case
