"""How busy pools are and how many wait for them, by half-hour of every day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.plan import Plan
from sim.pool_hours import (
    HALF_HOUR,
    PERCENTS,
    OpenHalfHours,
    PoolHours,
    open_half_hours,
    pool_hours,
)
from sim.tally import Tally
from sim.timeline import IntArray


@dataclass(frozen=True, eq=False)
class PoolLoad:
    """Work and waiting of the pools in the measured part of the horizon."""

    plan: Plan
    tally: Tally
    hours: tuple[PoolHours, ...]
    half_hours: OpenHalfHours

    @classmethod
    def of(cls, plan: Plan, tally: Tally) -> PoolLoad:
        """The load of all pools."""
        return cls(plan, tally, pool_hours(plan), open_half_hours(plan))

    def utilisation(self, pool: int) -> float:
        """Share of the time on shift in which servers serve; NaN without any."""
        capacity = self.hours[pool].capacity.sum()
        return float(self.tally.served[pool].sum() / capacity) if capacity else float("nan")

    def queue_length_mean(self, pool: int) -> float:
        """Mean number waiting in the half-hours in which the pool is open; NaN without any."""
        waited = self.tally.waited[slice(*self.half_hours.begin[pool : pool + 2])]
        return float(waited.sum() / (HALF_HOUR * len(waited))) if len(waited) else float("nan")

    def queue_length_max(self, pool: int) -> float:
        """Largest number waiting."""
        mine = slice(*self.tally.pool_begin[pool : pool + 2])
        joined_at, left_at = self.tally.joined_at[mine], self.tally.left_at[mine]
        return float(_largest(np.sort(joined_at), np.sort(left_at), self.plan.measured_from_at))

    def by_half_hour(self) -> dict[str, list[object]]:
        """The table of the half-hours of the day in which a pool is open on some day."""
        rows, tally = self.half_hours, self.tally
        where = rows.pool, rows.half_hour
        count, waited = tally.num_waits[where], tally.waited[rows.in_order]
        # One row a half-hour, its days in the order of their queues.
        queues = np.full(rows.is_day.shape, np.iinfo(np.int64).max)
        queues[rows.is_day] = waited
        queues.sort(axis=1)
        rank, below, above = rows.ranks
        each = np.arange(len(queues))
        low, high = queues[each, below], queues[each, above]
        quantiles = (low + (high - low) * (rank - below)) / HALF_HOUR
        total = np.add.reduceat(waited, rows.first)
        columns = {
            "half_hour": rows.half_hour * HALF_HOUR,
            "utilisation": tally.served[where] / rows.capacity,
            "waiting_time_mean": np.where(
                count > 0, tally.total_waits[where] / np.maximum(count, 1), np.nan
            ),
            "queue_length_mean": total / (HALF_HOUR * rows.num_days),
            **{f"queue_length_p{p}": q for p, q in zip(PERCENTS, quantiles, strict=True)},
        }
        names = [self.plan.pools[pool].name for pool in rows.pool.tolist()]
        return {"pool": names, **{name: column.tolist() for name, column in columns.items()}}


def _largest(begin: IntArray, end: IntArray, first: int) -> int:
    """The largest number of intervals at one instant from `first` on, by their sorted ends."""

    def number_with(last: IntArray) -> IntArray:
        # At one instant those who leave make room first.
        number: IntArray = last + 1 - np.searchsorted(end, begin[last], side="right")
        return number

    before = int(np.searchsorted(begin, first, side="right"))
    standing = before - int(np.searchsorted(end, first, side="right"))
    # Few can be larger than the largest of some: only those are looked at.
    some = int(number_with(np.arange(before, len(begin), 64)).max(initial=standing))
    later = max(before, some)
    larger = np.flatnonzero(end[later - some : len(end) - some] > begin[later:]) + later
    return int(number_with(larger).max(initial=some))
