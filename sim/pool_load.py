"""How busy a pool is and how many wait for it, by half-hour of every day.

How much time intervals have within a stretch follows from their beginnings and their ends, each
sorted by itself: it does not matter which end belongs to which beginning.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sim.plan import Plan, PlannedPool
from sim.timeline import DAY, HOUR, BoolArray, IntArray

HALF_HOUR: Final = HOUR // 2
PER_DAY: Final = DAY // HALF_HOUR
PERCENTS: Final = (10, 25, 50, 75, 90)
FloatArray = np.ndarray


@dataclass(frozen=True, eq=False)
class PoolLoad:
    """Work and waiting of a pool in the measured part of the horizon."""

    hours: PoolHours
    busy: FloatArray
    """Server-seconds of service within the hours of the shifts, by half-hour of the day."""
    queue: FloatArray
    """Mean number waiting, for each half-hour in which the pool is open."""
    queue_length_max: int
    """Largest number waiting."""
    overtime: int
    """Server-seconds of service outside the hours of the shifts; a paused service has none."""

    @classmethod
    def of(
        cls,
        plan: Plan,
        pool: int,
        services: Sequence[tuple[IntArray, IntArray, IntArray]],
        unserved: tuple[IntArray, IntArray],
    ) -> PoolLoad:
        """The load of a pool.

        services  for each shift: when its cases began to wait, and its services began and ended.
        unserved  when waits without service began and ended.
        """
        hours = pool_hours(plan)[pool]

        def ordered(*instants: IntArray) -> IntArray:
            joined = np.concatenate(instants, dtype=hours.edges.dtype, casting="same_kind")
            joined.sort()
            return joined

        busy = np.zeros(PER_DAY)
        overtime = 0
        joined = ordered(*(enqueued_at for enqueued_at, _, _ in services), unserved[0])
        waited = hours.time_since(joined)
        left = []
        unserved_until = unserved[1]
        for is_on, (_, began_at, ended_at) in zip(hours.is_on, services, strict=True):
            # Who is not served leaves as if served in no time, by the first shift.
            begun, ended = ordered(began_at, unserved_until), ordered(ended_at, unserved_until)
            unserved_until = unserved_until[:0]
            left.append(begun)
            since_begun = hours.time_since(begun)
            waited -= since_begun
            served = np.diff(since_begun - hours.time_since(ended))
            busy += np.bincount(hours.half_hour, served * is_on, minlength=PER_DAY)
            if not plan.pools[pool].pauses:
                overtime += int(served[~is_on].sum())
        all_left = left[0] if len(left) == 1 else np.sort(np.concatenate(left))
        return cls(
            hours=hours,
            busy=busy,
            queue=np.add.reduceat(np.diff(waited)[hours.in_open], hours.begins) / HALF_HOUR,
            queue_length_max=_largest(joined, all_left, hours.edges[0]),
            overtime=overtime,
        )

    def utilisation(self) -> float:
        """Share of the time on shift in which servers serve; NaN without any."""
        capacity = self.hours.capacity.sum()
        return float(self.busy.sum() / capacity) if capacity else float("nan")

    def queue_length_mean(self) -> float:
        """Mean number waiting in the half-hours in which the pool is open; NaN without any."""
        return float(self.queue.mean()) if len(self.queue) else float("nan")

    def by_half_hour(self, name: str, came_at: IntArray, waited: IntArray) -> dict[str, FloatArray]:
        """The table of the half-hours in which the pool is open on some day."""
        hours = self.hours
        half_hours = hours.half_hours
        # Faster than a remainder.
        came_in = (came_at - came_at // DAY * DAY) // HALF_HOUR
        count = np.bincount(came_in, minlength=PER_DAY)[half_hours]
        total = np.bincount(came_in, waited, minlength=PER_DAY)[half_hours]
        # One row a half-hour, its days in the order of their queues.
        queues = np.full(hours.is_day.shape, np.inf)
        queues[hours.is_day] = self.queue[hours.by_half_hour]
        queues.sort(axis=1)
        rank, below, above = hours.ranks
        rows = np.arange(len(half_hours))
        low, high = queues[rows, below], queues[rows, above]
        quantiles = low + (high - low) * (rank - below)
        return {
            "pool": np.full(len(half_hours), name),
            "half_hour": half_hours * HALF_HOUR,
            "utilisation": self.busy[half_hours] / hours.capacity[half_hours],
            "waiting_time_mean": np.where(count > 0, total / np.maximum(count, 1), np.nan),
            "queue_length_mean": queues.sum(axis=1, where=hours.is_day) / hours.num_days,
            **{f"queue_length_p{p}": q for p, q in zip(PERCENTS, quantiles, strict=True)},
        }


@dataclass(frozen=True, eq=False)
class PoolHours:
    """When a pool is open in the measured part of the horizon: the same in every replication.

    The half-hours in which some server is on shift, if only for a moment, are cut into stretches
    where a shift opens or closes; what lies between them is one stretch.
    """

    edges: IntArray
    """Where a stretch begins, and the end of the last."""
    half_hour: IntArray
    """Of the day, in which each stretch begins."""
    is_on: BoolArray
    """(num_shifts, num_stretches): whether the shift is open in the stretch."""
    in_open: IntArray
    """The stretches in half-hours in which the pool is open, ..."""
    begins: IntArray
    """and where among them each such half-hour begins."""
    half_hours: IntArray
    """The half-hours of the day in which the pool is open on some day, ..."""
    num_days: IntArray
    """on how many, ..."""
    by_half_hour: IntArray
    """and the order by them of the half-hours in which it is open."""
    capacity: FloatArray
    """Server-seconds on shift, by half-hour of the day."""
    edges_until: IntArray | None
    """How many edges there are up to each half-hour; None if there are some within half-hours."""

    @functools.cached_property
    def is_day(self) -> BoolArray:
        """(half-hours of the day, most days): whether there is such a day on which it is open."""
        is_day: BoolArray = np.arange(self.num_days.max(initial=0)) < self.num_days[:, np.newaxis]
        return is_day

    @functools.cached_property
    def ranks(self) -> tuple[FloatArray, IntArray, IntArray]:
        """(percents, half-hours of the day): which of the days in order are that many per cent."""
        rank = np.outer(np.array(PERCENTS) / 100, self.num_days - 1)
        return rank, np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)

    def time_since(self, instants: IntArray) -> IntArray:
        """For each edge, the time since the instants before it, over all of them; sorted ones."""
        if self.edges_until is None:
            after = np.searchsorted(self.edges, instants, side="right")
        else:
            after = self.edges_until[instants // HALF_HOUR]
        num_edges = len(self.edges)
        count = np.bincount(after, minlength=num_edges)[:num_edges].cumsum()
        total = np.zeros(len(instants) + 1, dtype=np.int64)
        np.cumsum(instants, out=total[1:])
        passed: IntArray = self.edges * count - total[count]
        return passed

    @classmethod
    def of(cls, plan: Plan, pool: PlannedPool) -> PoolHours:
        """The hours of a pool."""
        first, end = plan.measured_from_at, plan.end_at
        shifts = [plan.shifts[shift] for shift in pool.shifts]
        changes = np.concatenate([(s.sessions.starts, s.sessions.ends) for s in shifts], axis=None)
        cuts = np.sort(np.concatenate((np.arange(first, end, HALF_HOUR), changes)))
        cuts = cuts[(np.diff(cuts, prepend=-1) > 0) & (first <= cuts) & (cuts < end)]
        is_on = np.stack([shift.sessions.is_open(cuts) for shift in shifts])
        servers = np.array([shift.servers for shift in shifts]) @ is_on
        is_open = np.bincount(cuts // HALF_HOUR, servers)[cuts // HALF_HOUR] > 0
        begins_stretch = is_open | np.append(True, is_open[:-1])
        cuts, is_open, servers = (column[begins_stretch] for column in (cuts, is_open, servers))
        edges = np.append(cuts, end).astype(narrow_type(plan))
        half_hour = cuts // HALF_HOUR % PER_DAY
        in_open = np.flatnonzero(is_open)
        begins = np.flatnonzero(np.diff(cuts[in_open] // HALF_HOUR, prepend=-1))
        open_half_hours = half_hour[in_open[begins]]
        num_days = np.bincount(open_half_hours, minlength=PER_DAY)
        return cls(
            edges=edges,
            half_hour=half_hour,
            is_on=is_on[:, begins_stretch],
            in_open=in_open,
            begins=begins,
            half_hours=np.flatnonzero(num_days),
            num_days=num_days[num_days > 0],
            by_half_hour=np.argsort(open_half_hours, kind="stable"),
            capacity=np.bincount(half_hour, servers * np.diff(edges), minlength=PER_DAY),
            edges_until=(
                None
                if (edges % HALF_HOUR).any()
                else np.bincount(edges // HALF_HOUR, minlength=end // HALF_HOUR + 1).cumsum()
            ),
        )


@functools.lru_cache(maxsize=64)
def pool_hours(plan: Plan) -> tuple[PoolHours, ...]:
    """The hours of every pool, worked out once for all replications."""
    return tuple(PoolHours.of(plan, pool) for pool in plan.pools)


def narrow_type(plan: Plan) -> np.dtype[Any]:
    """A type for instants up to the end: narrow columns are copied, sorted and searched faster."""
    return np.min_scalar_type(-plan.end_at)


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
