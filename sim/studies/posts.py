"""Posts: the shifts of pools for which a number of servers is looked for, and a first guess.

A number of servers for each post, in the order of the posts, is a staff.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from sim.errors import Mark, Problem, ScenarioError
from sim.name_checks import among
from sim.offered_load import expected_visits, offered_load
from sim.plan import Plan
from sim.queueing import mmc_waiting_time_exceeds
from sim.scenario import MAX_SERVERS, Scenario
from sim.studies.goals import Goal
from sim.timeline import HOUR, MINUTE
from sim.tree import shown

Staff: TypeAlias = tuple[int, ...]
"""Servers of each post."""
USUALLY_WAIT: Final = 0.5
"""Share of cases that wait in a pool of which no promise speaks, for the first guess."""
MORE: Final = (3, 10)
"""Times the first guess, and servers besides, that are abundant."""


@dataclass(frozen=True)
class Post:
    """One shift of a pool."""

    pool: str
    shift: str
    today: int
    """Servers in the file."""
    cost: float
    """Of one server."""
    guess: int
    """By Erlang's formula, see `first_guess`."""
    least: int
    most: int
    is_only: bool
    """Whether the pool has no other shift."""

    @property
    def name(self) -> str:
        """The pool, with its shift if it has several."""
        return self.pool if self.is_only else f"{self.pool}.{self.shift}"


def posts_of(
    plan: Plan,
    goals: Sequence[Goal],
    pools: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[int, int]] | None = None,
) -> tuple[Post, ...]:
    """The posts of these pools, of all unless some are named.

    costs   of one server, by `POOL` or `POOL.SHIFT`; 1 unless told.
    bounds  fewest and most servers that are looked at, likewise; unless told, from one (0 in a pool
            of several shifts) to far more than the first guess.

    Raises ScenarioError with every name that is not there or not looked at, for pools whose servers
    change by date, and for costs and bounds that make no sense.
    """
    costs, bounds = costs or {}, bounds or {}
    problems = list(_problems(plan, pools, costs, bounds))
    if problems:
        raise ScenarioError(problems)
    posts = []
    for number, pool in enumerate(plan.pools):
        if pools and pool.name not in pools:
            continue
        guess = first_guess(plan, number, goals)
        for index in pool.shifts:
            shift = plan.shifts[index]
            names = (f"{pool.name}.{shift.name}", pool.name)
            is_only = len(pool.shifts) == 1
            times, besides = MORE
            usual = (int(is_only), min(max(shift.servers, times * guess + besides), MAX_SERVERS))
            least, most = next((bounds[name] for name in names if name in bounds), usual)
            cost = next((costs[name] for name in names if name in costs), 1.0)
            within = min(max(guess, least), most)
            post = Post(pool.name, shift.name, shift.servers, cost, within, least, most, is_only)
            posts.append(post)
    if not posts:
        raise ScenarioError([Problem(Mark("--pool"), "", "the scenario has no pools")])
    return tuple(posts)


def _problems(
    plan: Plan,
    pools: Collection[str],
    costs: Mapping[str, float],
    bounds: Mapping[str, tuple[int, int]],
) -> Iterator[Problem]:
    known = [pool.name for pool in plan.pools]
    for name in pools:
        if name not in known:
            message = f"no pool '{shown(name)}'.{among('pool', name, known)}"
            yield Problem(Mark(f"--pool {shown(name)}"), "", message)
    searched = [name for name in known if not pools or name in pools]
    for name in searched:
        if message := _by_date(plan.scenario, name):
            message += ", or look for the servers of other pools with --pool"
            yield Problem(Mark(f"--pool {shown(name)}"), "", message)
    posts = [
        f"{pool.name}.{plan.shifts[index].name}"
        for pool in plan.pools
        for index in pool.shifts
        if pool.name in searched
    ]
    for option, named in (("--cost", costs), ("--bounds", bounds)):
        for name in named:
            if name not in searched and name not in posts:
                kind = "pool that is looked at" if name in known else "pool"
                message = f"no {kind} '{shown(name)}'.{among('pool', name, searched)}"
                yield Problem(Mark(f"{option} {shown(name)}"), "", message)
    for name, cost in costs.items():
        if not (cost > 0 and math.isfinite(cost)):
            yield Problem(Mark(f"--cost {shown(name)}"), "", "a cost above 0 is wanted")
    for name, (least, most) in bounds.items():
        if not 0 <= least <= most <= MAX_SERVERS:
            message = f"{least}-{most}: the fewest, then the most, 0 to {MAX_SERVERS:,} are wanted"
            yield Problem(Mark(f"--bounds {shown(name)}"), "", message)


def _by_date(scenario: Scenario, pool: str) -> str:
    """What makes the servers of a pool others on some dates, and what to do; nothing if none do."""
    for name, shift in scenario.pools[pool].shifts.items():
        if isinstance(shift.servers, dict):
            place = f"pools.{shown(pool)}.shifts.{shown(name)}.servers"
            one = f"--set {place}={max(shift.servers.values())}"
            return f"its servers change by date; give one number ({one})"
    before = None
    for phase in scenario.phases:
        if pool not in phase.scenario.pools:
            continue
        shifts = phase.scenario.pools[pool].shifts
        if shifts != before and phase.reforms:
            reforms = [name for name in phase.reforms if pool in _pools_of(scenario, name)]
            out = " ".join(f"--set dated_reforms.{shown(name)}=null" for name in reforms)
            names = " and ".join(map(shown, reforms))
            return f"its servers change on {phase.since} by {names}; leave that out ({out})"
        before = shifts
    return ""


def _pools_of(scenario: Scenario, reform: str) -> Mapping[str, object]:
    """The pools of which a dated reform says something."""
    pools: Mapping[str, object] = scenario.dated_reforms[reform].changes.get("pools", {})
    return pools


def first_guess(plan: Plan, pool: int, goals: Sequence[Goal]) -> int:
    """Servers in each shift of a pool with which Erlang's formula keeps what is promised of it.

    Who comes is spread evenly over the pool's hours. Where the share of those is promised that wait
    longer than some minutes, that is kept, with the excess waiting of M/G/c as Allen and Cunneen
    have it: M/M/c's, times (1 + scv) / 2. In other pools at most half of the cases wait.

    Source: Allen, Probability, Statistics and Queueing Theory, approximations for G/G/m.
    """
    hours = sum(_open_seconds(plan, index) / HOUR for index in plan.pools[pool].shifts)
    work = offered_load(plan)[pool].work_hours
    if work <= 0 or hours <= 0:
        return 1
    mean, scv = _service(plan, pool)
    load = work / hours
    rate = load / mean
    minutes, share = 0.0, USUALLY_WAIT
    for goal in goals:
        kind, _, rest = goal.metric.partition("waiting_over_")
        if not kind and rest and goal.subject == plan.pools[pool].name and goal.relation == "<=":
            minutes, share = float(rest.removesuffix("_min")), max(goal.level, 1e-6)
    time = minutes * MINUTE / HOUR / ((1 + scv) / 2)
    servers = math.floor(load) + 1
    while servers < MAX_SERVERS and mmc_waiting_time_exceeds(rate, 1 / mean, servers, time) > share:
        servers += 1
    return servers


def _open_seconds(plan: Plan, shift: int) -> int:
    openness = plan.shifts[shift].sessions.step_function()
    return int(openness.integral(plan.end_at) - openness.integral(plan.measured_from_at))


def _service(plan: Plan, pool: int) -> tuple[float, float]:
    """Mean (hours) and scv of the services that a pool may have to do."""
    laws = [
        (visits, activity.service)
        for visits, activity in zip(
            expected_visits(plan, plan.measured_from_at), plan.activities, strict=True
        )
        if activity.service is not None and pool in plan.queues[activity.queue] and visits > 0
    ]
    weights = np.array([visits for visits, _ in laws])
    means = np.array([law.mean for _, law in laws])
    scvs = np.array([law.scv for _, law in laws])
    mean = float(np.average(means, weights=weights))
    second = float(np.average(means**2 * (1 + scvs), weights=weights))
    return mean / HOUR, max(0.0, second / mean**2 - 1)


def plan_with(plan: Plan, posts: Sequence[Post], staff: Staff) -> Plan:
    """The plan with these numbers of servers, as if the file had them."""
    pools = {pool.name: number for number, pool in enumerate(plan.pools)}
    wanted = {(pools[p.pool], p.shift): n for p, n in zip(posts, staff, strict=True)}
    return with_numbers(
        plan, [wanted.get((shift.pool, shift.name), shift.servers) for shift in plan.shifts]
    )


def with_numbers(plan: Plan, servers: Sequence[int]) -> Plan:
    """The plan with so many servers in each of its shifts."""
    firsts = np.cumsum([0, *servers]).tolist()
    shifts = tuple(
        replace(shift, servers=number, first_server=first)
        for shift, number, first in zip(plan.shifts, servers, firsts, strict=False)
    )
    return replace(plan, shifts=shifts, num_servers=firsts[-1])


def overload(plan: Plan, posts: Sequence[Post]) -> float:
    """By how much the load of pools that are looked at is too high, added up; 0 if it is below 1.

    A pool in which nobody is ever on shift has too high a load too.
    """
    pools = {post.pool for post in posts}
    found = 0.0
    for load in offered_load(plan):
        if load.pool in pools and (load.server_hours <= 0 or load.is_overload):
            found += min(load.load, 1e3) if load.server_hours > 0 else 1e3
    return found


def cost_of(posts: Sequence[Post], staff: Staff) -> float:
    """What a staff costs; rounded, so that sums in another order are the same."""
    pairs = zip(posts, staff, strict=True)
    return round(math.fsum(post.cost * number for post, number in pairs), 9)


def more(staff: Staff, post: int, by: int = 1) -> Staff:
    """The staff with so many servers more in one post; fewer if below 0."""
    return (*staff[:post], staff[post] + by, *staff[post + 1 :])
