"""How busy a pool is and how many wait for it, by half-hour of every day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.calendars import Sessions
from sim.plan import Plan
from sim.timeline import DAY, HOUR, IntArray

HALF_HOUR = HOUR // 2
FloatArray = np.ndarray


@dataclass(frozen=True, eq=False)
class PoolLoad:
    """Work and waiting of a pool, by half-hour of every day of the measured horizon."""

    name: str
    edges: IntArray
    """Ends of the half-hours, one more than half-hours."""
    capacity: FloatArray
    """Server-seconds on shift, (num_days, 48)."""
    busy: FloatArray
    """Server-seconds of service within the hours of the shifts, likewise."""
    queue: FloatArray
    """Mean number waiting, likewise."""
    overtime: float
    """Server-seconds of service outside the hours, over the measured horizon."""
    waits: tuple[IntArray, IntArray]

    @classmethod
    def of(
        cls,
        plan: Plan,
        pool: int,
        services: tuple[IntArray, IntArray, IntArray],
        waits: tuple[IntArray, IntArray],
    ) -> PoolLoad:
        """The load of a pool.

        services  begin, end and shift of each service; waits: begin and end of each wait.
        """
        first = plan.measured_from_at
        edges = np.arange(first, plan.end_at + 1, HALF_HOUR)
        capacity = np.zeros(len(edges))
        busy = np.zeros(len(edges))
        overtime = 0.0
        begin, end, shift_of_service = services
        for index in plan.pools[pool].shifts:
            shift = plan.shifts[index]
            sessions = shift.sessions
            capacity += shift.servers * _time_within(sessions.starts, sessions.ends, edges)
            mine = shift_of_service == index
            inside = _open_parts(sessions, begin[mine], end[mine])
            busy += _time_within(*inside, edges)
            if not plan.pools[pool].pauses:
                late = np.clip(end[mine], first, None) - np.clip(begin[mine], first, None)
                parts = np.clip(inside[1], first, None) - np.clip(inside[0], first, None)
                overtime += float(late.sum() - parts.sum())
        queue = _time_within(*waits, edges) / HALF_HOUR
        shape = (-1, DAY // HALF_HOUR)
        return cls(
            name=plan.pools[pool].name,
            edges=edges,
            capacity=np.diff(capacity).reshape(shape),
            busy=np.diff(busy).reshape(shape),
            queue=np.diff(queue).reshape(shape),
            overtime=overtime,
            waits=waits,
        )

    def utilisation(self) -> float:
        """Share of the time on shift in which servers serve; NaN without any."""
        capacity = self.capacity.sum()
        return float(self.busy.sum() / capacity) if capacity else float("nan")

    def queue_length_mean(self) -> float:
        """Mean number waiting in the half-hours in which the pool is open; NaN without any."""
        queue = self.queue[self.capacity > 0]
        return float(queue.mean()) if queue.size else float("nan")

    def queue_length_max(self) -> float:
        """Largest number waiting."""
        begin, end = self.waits
        changes = np.concatenate((begin, end))
        # At one instant those who leave make room first.
        by = np.concatenate((np.ones(len(begin)), -np.ones(len(end))))
        order = np.lexsort((by, changes))
        lengths = np.concatenate(([0], np.cumsum(by[order])))
        # With those who were waiting already when the measured part begins.
        standing = np.searchsorted(changes[order], self.edges[0], side="right")
        return float(lengths[standing:].max())

    def by_half_hour(self, came_at: IntArray, lasted: IntArray) -> dict[str, list[object]]:
        """The table of the half-hours in which the pool is open on some day."""
        open_on = self.capacity > 0
        half_hours = np.flatnonzero(open_on.any(axis=0))
        bin_of = came_at % DAY // HALF_HOUR
        count = np.bincount(bin_of, minlength=DAY // HALF_HOUR)
        waited = np.bincount(bin_of, lasted, minlength=DAY // HALF_HOUR)
        table: dict[str, list[object]] = {
            "pool": [self.name for _ in half_hours],
            "half_hour": [int(h) * HALF_HOUR for h in half_hours],
            "utilisation": [
                float(self.busy[:, h].sum() / self.capacity[:, h].sum()) for h in half_hours
            ],
            "waiting_time_mean": [
                waited[h] / count[h] if count[h] else float("nan") for h in half_hours
            ],
        }
        queues = [self.queue[open_on[:, h], h] for h in half_hours]
        table["queue_length_mean"] = [float(queue.mean()) for queue in queues]
        for percent in (10, 25, 50, 75, 90):
            table[f"queue_length_p{percent}"] = [
                float(np.quantile(queue, percent / 100)) for queue in queues
            ]
        return table


def _time_within(begin: IntArray, end: IntArray, at: IntArray) -> FloatArray:
    """For each instant, the time that all intervals [begin, end) together had before it."""

    def before(instants: IntArray) -> FloatArray:
        ordered = np.sort(instants)
        count = np.searchsorted(ordered, at)
        total = np.concatenate(([0], np.cumsum(ordered)))
        result: FloatArray = (at * count - total[count]).astype(float)
        return result

    within: FloatArray = before(begin) - before(end)
    return within


def _open_parts(sessions: Sessions, begin: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """The parts of intervals [begin, end) that lie in sessions, as intervals."""
    if not len(sessions.starts) or not len(begin):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    first = np.searchsorted(sessions.ends, begin, side="right")
    last = np.searchsorted(sessions.starts, end, side="left")
    count = np.maximum(last - first, 0)
    interval = np.repeat(np.arange(len(begin)), count)
    session = (
        np.arange(len(interval)) - np.repeat(np.cumsum(count) - count, count) + first[interval]
    )
    return (
        np.maximum(sessions.starts[session], begin[interval]),
        np.minimum(sessions.ends[session], end[interval]),
    )
