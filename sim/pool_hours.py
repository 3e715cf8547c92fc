"""When pools are open in the measured part of the horizon, half-hour by half-hour."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.memory import kept_by_plan
from sim.plan import NONE, Plan, PlannedPool
from sim.timeline import DAY, HOUR, BoolArray, IntArray

HALF_HOUR: Final = HOUR // 2
PER_DAY: Final = DAY // HALF_HOUR
PERCENTS: Final = (10, 25, 50, 75, 90)


@dataclass(frozen=True, eq=False)
class PoolHours:
    """When a pool is open: the same in every replication.

    The half-hours in which some server is on shift, if only for a moment, are cut into stretches
    where a shift opens or closes; what lies between them is one stretch.
    """

    edges: IntArray
    """Where each stretch begins, and the end of the last."""
    half_hour: IntArray
    """Of the day, in which each stretch begins."""
    is_on: BoolArray
    """(num_shifts, num_stretches): whether the shift is open in the stretch."""
    number: IntArray
    """Of each stretch its half-hour among those in which the pool is open, -1 for no such one."""
    open_half_hours: IntArray
    """Of the day, of each half-hour in which the pool is open."""
    capacity: IntArray
    """Server-seconds on shift, by half-hour of the day."""

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
        edges = np.append(cuts, end)
        half_hour = cuts // HALF_HOUR % PER_DAY
        is_first = is_open & (np.diff(np.where(is_open, cuts // HALF_HOUR, NONE), prepend=NONE) > 0)
        capacity = np.zeros(PER_DAY, dtype=np.int64)
        np.add.at(capacity, half_hour, servers * np.diff(edges))
        return cls(
            edges=edges,
            half_hour=half_hour,
            is_on=is_on[:, begins_stretch],
            number=np.where(is_open, np.cumsum(is_first) - 1, NONE),
            open_half_hours=half_hour[is_first],
            capacity=capacity,
        )


@dataclass(frozen=True, eq=False)
class OpenHalfHours:
    """The half-hours in which pools are open, pool after pool, and those of the day among them."""

    begin: IntArray
    """Where those of each pool begin, and the end of the last."""
    in_order: IntArray
    """Them, in the order of pools and of half-hours of the day."""
    # rows: pools and half-hours of the day in which they are open on some day
    pool: IntArray
    half_hour: IntArray
    first: IntArray
    """Where each row begins in their order."""
    num_days: IntArray
    capacity: IntArray
    """Server-seconds on shift."""

    @functools.cached_property
    def is_day(self) -> BoolArray:
        """(rows, most days): whether there is such a day on which it is open."""
        is_day: BoolArray = np.arange(self.num_days.max(initial=0)) < self.num_days[:, np.newaxis]
        return is_day

    @functools.cached_property
    def ranks(self) -> tuple[np.ndarray, IntArray, IntArray]:
        """(percents, rows): which of the days in order are that many per cent, between which."""
        rank = np.outer(np.array(PERCENTS) / 100, self.num_days - 1)
        return rank, np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)

    @classmethod
    def of(cls, hours: tuple[PoolHours, ...]) -> OpenHalfHours:
        """Those of all pools."""
        lengths = [len(of_pool.open_half_hours) for of_pool in hours]
        # Of pool and half-hour one number.
        rows = np.concatenate(
            [np.zeros(0, np.int64), *(h.open_half_hours + PER_DAY * i for i, h in enumerate(hours))]
        )
        num_days = np.bincount(rows)
        used = np.flatnonzero(num_days)
        return cls(
            begin=np.cumsum([0, *lengths]),
            # Small numbers are sorted faster.
            in_order=np.argsort(rows.astype(np.min_scalar_type(len(num_days))), kind="stable"),
            pool=used // PER_DAY,
            half_hour=used % PER_DAY,
            first=(np.cumsum(num_days) - num_days)[used],
            num_days=num_days[used],
            capacity=np.concatenate([np.zeros(0, np.int64), *(h.capacity for h in hours)])[used],
        )


@kept_by_plan
def pool_hours(plan: Plan) -> tuple[PoolHours, ...]:
    """The hours of every pool, worked out once; pools of the same shifts share them."""
    known: dict[object, PoolHours] = {}
    result = []
    for pool in plan.pools:
        shifts = [plan.shifts[shift] for shift in pool.shifts]
        like = tuple((shift.sessions, shift.servers) for shift in shifts)
        if like not in known:
            known[like] = PoolHours.of(plan, pool)
        result.append(known[like])
    return tuple(result)


@kept_by_plan
def open_half_hours(plan: Plan) -> OpenHalfHours:
    """The half-hours in which pools are open."""
    return OpenHalfHours.of(pool_hours(plan))
