"""The hall of a plan as one would write it in SimPy: a process a case, draws as it goes.

    python tests/benchmarks/plain_hall.py [SEEDS]

Prints figures of the Lanzhou scenarios beside ours, means over seeds with their standard errors:
it is the same hall, and the same amount of work. Only data of the plan are used, and nothing is
kept but what the figures need.

Where it is simpler than `simpy_engine`: times are not rounded to seconds; at one instant SimPy says
what comes first, and who joins a pool first has a free server; who is unfinished at the end is left
out of times, not counted as longer; of several pools it takes the one where least is to be done. It
refuses what no Lanzhou scenario uses: patience, room, waiting people turned away, recorded cases.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
import statistics
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import simpy

import sim
from sim import distributions as laws
from sim import itinerary
from sim.calendars import Sessions
from sim.durations import Clock
from sim.event_log import Kind
from sim.metric_definitions import LEAD_TIME_UNITS, lead_time_limit
from sim.plan import (
    CELLS,
    NONE,
    CumulativeRate,
    GateTable,
    Plan,
    PlannedActivity,
    PlannedCaseType,
    TripTable,
)
from sim.promises import ARRIVED, DEPARTED, Promise
from sim.timeline import DAY, MINUTE

SCENARIOS = Path(__file__).parents[2] / "scenarios"

Life = Generator[simpy.Event, Any, None]
Figures = dict[tuple[str, str], float]
"""By metric and subject, as in `sim.metrics`."""


# -- Hours, gates, trips, pools -------------------------------------------------------------------


class Hours:
    """When something is open."""

    def __init__(self, sessions: Sessions) -> None:
        self.starts: list[int] = sessions.starts.tolist()
        self.ends: list[int] = sessions.ends.tolist()
        self.open_before: list[int] = sessions.open_before.tolist()

    def add(self, at: float, time: float) -> float:
        """When so much open time has passed."""
        i = bisect_right(self.starts, at) - 1
        if i >= 0:
            time += self.open_before[i] + min(at, self.ends[i]) - self.starts[i]
        i = bisect_left(self.open_before, time) - 1
        end_at = self.starts[i] + time - self.open_before[i]
        return end_at if end_at <= self.ends[i] else math.inf


class Gate:
    """When it lets through."""

    def __init__(self, table: GateTable) -> None:
        self.latest: list[int] = table.latest.tolist()
        self.release: list[int] = table.release.tolist()

    def passes_at(self, at: float) -> float:
        """When who comes to it now goes on."""
        i = bisect_left(self.latest, at)
        return max(at, self.release[i]) if i < len(self.latest) else math.inf


class Trip:
    """When people come in."""

    def __init__(self, table: TripTable, rng: random.Random) -> None:
        self.starts: list[int] = table.starts.tolist()
        offsets = table.offsets.tolist()
        self.offsets: list[list[int]] = [offsets[shape] for shape in table.shape_of_session]
        self.skipped: list[int] = table.skipped.tolist()
        self.random = rng.random

    def comes_at(self, at: float) -> float:
        """When who is wanted now comes in."""
        i = bisect_right(self.starts, at) + self.skipped[int(self.random() * CELLS)]
        if i >= len(self.starts):
            return math.inf
        return self.starts[i] + self.offsets[i][int(self.random() * CELLS)]


class Pool(simpy.PriorityResource):
    """Servers, and whether they are there."""

    def __init__(self, env: simpy.Environment, plan: Plan, index: int) -> None:
        planned = plan.pools[index]
        shifts = [plan.shifts[shift] for shift in planned.shifts]
        if planned.room is not None or planned.at_closing == "turn_away":
            raise NotImplementedError(f"pool {planned.name}: room, or people turned away")
        super().__init__(env, capacity=shifts[0].servers)
        times = [np.stack([s.sessions.starts, s.sessions.ends]) for s in shifts]
        # Shifts of a pool have the same hours, or none at the same time.
        starts, ends = np.unique(np.concatenate(times, axis=1), axis=1)
        self.hours = Hours(Sessions(starts, ends))
        self.servers: list[int] = sum(
            shift.servers * shift.sessions.is_open(starts) for shift in shifts
        ).tolist()
        """In each session."""
        self.pauses = planned.pauses
        self.serves_late = planned.at_closing == "serve"
        self.is_open = False
        self.opening = env.event()
        self.waits: list[tuple[float, float]] = []
        """When each began to wait, and for how long."""
        env.process(self.keep_hours(env))

    def keep_hours(self, env: simpy.Environment) -> Life:
        """The servers come and go."""
        sessions = zip(self.hours.starts, self.hours.ends, self.servers, strict=True)
        for opens_at, closes_at, servers in sessions:
            yield env.timeout(opens_at - env.now)
            self._capacity = servers
            self.is_open = True
            self.opening.succeed()
            self.opening = env.event()
            yield env.timeout(closes_at - env.now)
            self.is_open = False


# -- What a case goes through ---------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Step:
    """An activity."""

    trip: Trip | None
    gate: Gate | None
    pools: list[Pool]
    draw: Callable[[], float] | None
    """How long the service or the delay takes."""
    clock: Clock
    priority: int | None
    again: float
    milestone: int


@dataclass(slots=True, eq=False)
class Versions:
    """An activity that reforms change for cases in progress."""

    steps: list[tuple[int, int, Step]]
    """With the instants between which a case must come to it."""

    @property
    def trip(self) -> Trip | None:
        """That of any version."""
        return next((step.trip for *_, step in self.steps if step.trip), None)

    @property
    def again(self) -> float:
        """The same in all versions."""
        return self.steps[0][2].again

    def at(self, now: float) -> Step | None:
        """What a case lives through that comes to it now."""
        return next((step for begin, end, step in self.steps if begin <= now < end), None)


Node: TypeAlias = "Step | Versions | Loop"


@dataclass(slots=True, eq=False)
class Loop:
    """What is done once more whenever it is sent back."""

    first_pass: Graph
    later_pass: Graph
    again: float
    trips: set[Trip]


@dataclass(slots=True, eq=False)
class Graph:
    """A trunk, then branches."""

    trunk: list[Node]
    branches: list[tuple[list[Node], list[int]]]
    """With the numbers of the branches that each waits for."""


def make_graph(
    process: itinerary.Process, present: Sequence[bool], steps: Sequence[Step | Versions]
) -> Graph:
    """What the cases go through for whom these activities are present."""
    loops = [loop for loop in process.loops if present[loop.end]]

    def happens(activity: int, around: itinerary.Loop | None, is_later: bool) -> bool:
        wanted = process.passes[activity]
        is_repeated = is_later and process.enclosing(activity)[-1] is around
        return present[activity] and (wanted is None or (wanted == "later") == is_repeated)

    def one_pass(around: itinerary.Loop | None, is_later: bool) -> Graph:
        members = around.members if around else frozenset(range(process.num_activities))
        # Of a loop inside, the end stands for all of it: nothing goes on before.
        loop_of = {
            member: loop
            for loop in reversed(loops)
            if loop is not around and loop.members <= members
            for member in loop.members
        }
        nodes: list[Node] = []
        before: list[set[int]] = []
        latest: dict[int, set[int]] = {}
        for activity in process.order:
            loop = loop_of.get(activity)
            if activity not in members or (loop and loop.end != activity):
                continue
            inside = loop.members if loop else {activity}
            earlier = {a for member in inside for a in process.after[member]} - inside
            waits_for = set().union(*(latest[a] for a in earlier & members))
            if loop or happens(activity, around, is_later):
                nodes.append(repeated(loop) if loop else steps[activity])
                before.append(waits_for)
                waits_for = {len(nodes) - 1}
            latest |= dict.fromkeys(inside, waits_for)
        return in_branches(nodes, before)

    def repeated(loop: itinerary.Loop) -> Loop:
        trips = {trip for member in loop.members if (trip := steps[member].trip)}
        return Loop(one_pass(loop, False), one_pass(loop, True), steps[loop.end].again, trips)

    return one_pass(None, False)


def in_branches(nodes: list[Node], before: list[set[int]]) -> Graph:
    """Nodes that follow each other make a branch; if all wait for the first one it is the trunk."""
    directly: list[set[int]] = []
    at_all: list[set[int]] = []
    for waits_for in before:
        anyway = set().union(*(at_all[node] for node in waits_for))
        directly.append(waits_for - anyway)
        at_all.append(waits_for | anyway)
    followers = Counter(itertools.chain.from_iterable(directly))
    branches: list[tuple[list[Node], list[int]]] = []
    branch_of: list[int] = []
    for node, waits_for in zip(nodes, directly, strict=True):
        if len(waits_for) == 1 and followers[min(waits_for)] == 1:
            branch_of.append(branch_of[min(waits_for)])
            branches[branch_of[-1]][0].append(node)
        else:
            branches.append(([node], sorted({branch_of[other] for other in waits_for})))
            branch_of.append(len(branches) - 1)
    if not branches or not all(waits_for for _, waits_for in branches[1:]):
        return Graph([], branches)
    (trunk, _), *branches = branches
    return Graph(trunk, [(nodes, [b - 1 for b in wanted if b]) for nodes, wanted in branches])


def sampler(law: laws.Distribution | None, rng: random.Random) -> Callable[[], float] | None:
    """Draws from a distribution."""
    draw = functools.partial
    match law:
        case None:
            return None
        case laws.Constant(value):
            return lambda: value
        case laws.Uniform(low, high):
            return draw(rng.uniform, low, high)
        case laws.Triangular(low, mode, high):
            return draw(rng.triangular, low, high, mode)
        case laws.Exponential(mean):
            return draw(rng.expovariate, 1 / mean)
        case laws.Gamma(mean, shape) | laws.Erlang(mean, shape):
            return draw(rng.gammavariate, shape, mean / shape)
        case laws.LogNormal(mean, cv):
            variance = math.log1p(cv**2)
            return draw(rng.lognormvariate, math.log(mean) - variance / 2, math.sqrt(variance))
        case laws.Weibull(mean, shape):
            return draw(rng.weibullvariate, mean / math.gamma(1 + 1 / shape), shape)
        case laws.Empirical(values):
            return draw(rng.choice, values)
    raise NotImplementedError(law)


# -- The hall -------------------------------------------------------------------------------------


class CaseType:
    """A process, and what became of its cases."""

    def __init__(self, plan: Plan, planned: PlannedCaseType, steps: Sequence[Step]) -> None:
        self.planned = planned
        self.activities = plan.activities
        last = planned.first_activity + len(planned.conditions)
        self.steps = steps[planned.first_activity : last]
        self.bounds = [list(itertools.accumulate(s.tolist()[:-1])) for *_, s in planned.attributes]
        self.graphs: dict[tuple[int, ...], Graph] = {}
        self.milestones = [math.nan] * len(plan.milestones)
        self.departed: list[tuple[float, ...]] = []
        """Arrived at, departed at, visits, batch, and when each milestone was passed."""

    def graph(self, attributes: tuple[int, ...]) -> Graph:
        """What cases with these attributes go through."""
        if attributes not in self.graphs:
            present = [
                all(attributes[column] in values for column, values in conditions)
                for conditions in self.planned.conditions
            ]
            steps: list[Step | Versions] = [*self.steps]
            for node, several in self.planned.versions.items():
                lived = [self.version(number) for number in several if present[number]]
                present[node] = bool(lived)
                steps[node] = Versions(lived) if lived else steps[node]
            self.graphs[attributes] = make_graph(self.planned.process, present, steps)
        return self.graphs[attributes]

    def version(self, number: int) -> tuple[int, int, Step]:
        """A version of an activity, and between which instants it is there."""
        activity = self.activities[self.planned.first_activity + number]
        return activity.lived_from, activity.lived_until, self.steps[number]

    def priority(self, attributes: tuple[int, ...]) -> int:
        """That of cases with these attributes."""
        column = self.planned.priority_attribute
        return self.planned.priorities[0 if column == NONE else attributes[column]]


class Case:
    """Somebody's business in the hall."""

    __slots__ = ("has_begun", "milestones", "number", "priority", "seen_on", "visits")

    def __init__(self, number: int, priority: int, milestones: list[float]) -> None:
        self.number = number
        self.priority = priority
        self.milestones = milestones
        self.seen_on: dict[Trip, float] = {}
        """The day on which the person was last there for a trip."""
        self.has_begun = False
        self.visits = 0


class Hall:
    """All of it."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.rng = random.Random(seed)
        self.env = simpy.Environment()
        self.hours = Hours(plan.working_hours)
        self.pools = [Pool(self.env, plan, index) for index in range(len(plan.pools))]
        self.gates = [Gate(table) for table in plan.gates]
        self.trips = [Trip(table, self.rng) for table in plan.trips]
        steps = [self.step(activity) for activity in plan.activities]
        self.case_types = [CaseType(plan, planned, steps) for planned in plan.case_types]
        self.num_cases = 0
        self.num_visits = 0
        for case_type in self.case_types:
            self.let_arrive(case_type)

    def step(self, activity: PlannedActivity) -> Step:
        """An activity of the plan."""
        if activity.patience is not None:
            raise NotImplementedError(f"activity {activity.name}: patience")
        pools = () if activity.queue == NONE else self.plan.queues[activity.queue]
        return Step(
            trip=None if activity.trip == NONE else self.trips[activity.trip],
            gate=None if activity.gate == NONE else self.gates[activity.gate],
            pools=[self.pools[index] for index in pools],
            draw=sampler(activity.service or activity.delay, self.rng),
            clock=activity.delay_clock,
            priority=activity.priority,
            again=activity.again,
            milestone=activity.milestone,
        )

    # -- who comes --------------------------------------------------------------------------------

    def let_arrive(self, case_type: CaseType) -> None:
        """Begin the processes from which the cases of a type come."""
        arrivals = case_type.planned.arrivals
        if arrivals.recorded_attributes:
            raise NotImplementedError(f"case type {case_type.planned.name}: recorded cases")
        column = arrivals.by_attribute
        if not arrivals.rates:
            instants = arrivals.instants[arrivals.instants < self.plan.end_at].tolist()
            self.env.process(self.source(case_type, iter(instants), NONE))
        elif column == NONE:
            self.env.process(self.source(case_type, self.poisson(arrivals.rates[0], 1), NONE))
        else:
            shares = case_type.planned.attributes[column][2].tolist()
            for value, (rate, share) in enumerate(zip(arrivals.rates, shares, strict=True)):
                self.env.process(self.source(case_type, self.poisson(rate, share), value))

    def poisson(self, rate: CumulativeRate, share: float) -> Iterator[float]:
        """Instants of arrival."""
        starts, ends = rate.starts.tolist(), rate.ends.tolist()
        before: list[float] = rate.before.tolist()
        expected = self.rng.expovariate(share)
        while expected < before[-1]:
            i = bisect_right(before, expected) - 1
            part = (expected - before[i]) / (before[i + 1] - before[i])
            yield starts[i] + part * (ends[i] - starts[i])
            expected += self.rng.expovariate(share)

    def source(self, case_type: CaseType, instants: Iterator[float], value: int) -> Life:
        """Cases, with this value of the attribute that says when they come."""
        env, rng, arrivals = self.env, self.rng, case_type.planned.arrivals
        sizes, weights = arrivals.batch_sizes.tolist(), arrivals.batch_shares.tolist()
        for batch, arrives_at in enumerate(instants):
            yield env.timeout(arrives_at - env.now)
            for _ in range(sizes[0] if len(sizes) == 1 else rng.choices(sizes, weights)[0]):
                attributes = tuple(
                    value if column == arrivals.by_attribute else bisect_right(bounds, rng.random())
                    for column, bounds in enumerate(case_type.bounds)
                )
                env.process(self.case(case_type, attributes, batch))

    # -- what they go through ---------------------------------------------------------------------

    def case(self, case_type: CaseType, attributes: tuple[int, ...], batch: int) -> Life:
        """A case from its arrival until it leaves."""
        arrived_at = self.env.now
        self.num_cases += 1
        priority = case_type.priority(attributes)
        case = Case(self.num_cases, priority, case_type.milestones.copy())
        yield from self.go_through(case, case_type.graph(attributes))
        case_type.departed.append((arrived_at, self.env.now, case.visits, batch, *case.milestones))

    def go_through(self, case: Case, graph: Graph) -> Life:
        """The trunk, then the branches side by side."""
        yield from self.follow(case, graph.trunk)
        if graph.branches:
            branches: list[simpy.Process] = []
            for nodes, wanted in graph.branches:
                branch = self.branch(case, nodes, [branches[b] for b in wanted])
                branches.append(self.env.process(branch))
            yield self.env.all_of(branches)

    def branch(self, case: Case, nodes: list[Node], wanted: list[simpy.Process]) -> Life:
        """A branch, once others are over."""
        if wanted:
            yield self.env.all_of(wanted)
        yield from self.follow(case, nodes)

    def follow(self, case: Case, nodes: list[Node]) -> Life:
        """Steps and loops in a row."""
        for node in nodes:
            if isinstance(node, Versions):
                step = node.at(self.env.now)
                if step is not None:
                    yield from self.live_through(case, step)
                continue
            if isinstance(node, Step):
                yield from self.live_through(case, node)
                continue
            yield from self.go_through(case, node.first_pass)
            while self.rng.random() < node.again:
                for trip in node.trips:
                    case.seen_on.pop(trip, None)
                yield from self.go_through(case, node.later_pass)

    def live_through(self, case: Case, step: Step) -> Life:
        """Come in, wait for the gate, and be served or let time pass."""
        env, trip = self.env, step.trip
        # Of several pools the one at which a server has least to do.
        pool = min(
            step.pools, key=lambda p: (len(p.queue) + p.count + 1) / p.capacity, default=None
        )
        while True:
            if trip is not None and case.seen_on.get(trip) != env.now // DAY:
                if case.has_begun:  # who has just arrived is there
                    yield env.timeout(trip.comes_at(env.now) - env.now)
                case.has_begun = True
                case.visits += 1
                self.num_visits += 1
                case.seen_on[trip] = env.now // DAY
            if step.gate is not None:
                passes_at = step.gate.passes_at(env.now)
                if passes_at > env.now:
                    yield env.timeout(passes_at - env.now)
            if trip is None or pool is None or pool.is_open or not pool.serves_late:
                break
            del case.seen_on[trip]  # turned away
        if pool is not None:
            joined_at = env.now
            priority = case.priority if step.priority is None else step.priority
            order = (priority, joined_at, case.number)  # SimPy sorts by anything
            is_served = False
            while not is_served:
                if not pool.is_open:
                    yield pool.opening
                with pool.request(priority=order) as request:
                    yield request
                    is_served = pool.is_open or (trip is not None and pool.serves_late)
                    if is_served:
                        now = env.now
                        pool.waits.append((joined_at, now - joined_at))
                        time = step.draw()
                        yield env.timeout(pool.hours.add(now, time) - now if pool.pauses else time)
        elif step.draw is not None:
            yield env.timeout(self.end_of_delay(step) - env.now)
        case.has_begun = True
        if trip is not None:
            case.seen_on[trip] = env.now // DAY
        if step.milestone != NONE:
            case.milestones[step.milestone] = env.now

    def end_of_delay(self, step: Step) -> float:
        """When a delay that begins now is over."""
        now, time = self.env.now, step.draw()
        if step.clock is Clock.CLOCK_TIME:
            return now + time
        if step.clock is Clock.WORKING_TIME:
            return self.hours.add(now, time)
        return self.plan.days.add(int(now), round(time))


# -- What comes out -------------------------------------------------------------------------------


def simulate(plan: Plan, seed: int) -> Figures:
    """Figures of one run."""
    hall = Hall(plan, seed)
    hall.env.run(until=plan.end_at)
    figures: Figures = {
        ("cases", "hall"): hall.num_cases,
        ("services", "hall"): sum(len(pool.waits) for pool in hall.pools),
        ("visits", "hall"): hall.num_visits,
    }
    all_of: dict[str, list[tuple[float, ...]]] = {}
    for case_type in hall.case_types:
        all_of.setdefault(case_type.planned.name, []).extend(case_type.departed)
    departed = {}
    for name, found in all_of.items():
        rows = np.array(found).reshape(-1, 4 + len(plan.milestones))
        departed[name] = rows[rows[:, 0] >= plan.measured_from_at]
        figures["visits_mean", name] = departed[name][:, 2].mean()
    for name, promise in plan.scenario.promises.items():
        from_at, to_at = promised_times(plan, promise, departed)
        days = plan.days.count(from_at, to_at)
        figures["working_days_mean", name] = days.mean()
        figures["working_days_median", name] = np.median(days)
        figures["working_days_p90", name] = np.quantile(days, 0.9)
        clock = promise.within.clock
        lead_time = {
            Clock.WORKING_DAYS: days,
            Clock.CLOCK_TIME: to_at - from_at,
            Clock.WORKING_TIME: plan.working_hours.working_time_between(from_at, to_at),
        }[clock]
        within = lead_time_limit(promise.within) * LEAD_TIME_UNITS[clock][1]
        figures["on_time_share", name] = np.mean(lead_time <= within)
    for planned, pool in zip(plan.pools, hall.pools, strict=True):
        joined_at, waits = np.array(pool.waits).reshape(-1, 2).T
        waits = waits[joined_at >= plan.measured_from_at] / MINUTE
        figures["waiting_time_mean", planned.name] = waits.mean()
        figures["waiting_time_p90", planned.name] = np.quantile(waits, 0.9)
    return figures


def promised_times(
    plan: Plan, promise: Promise, departed: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """When the clock of a promise starts and stops, for each case or batch."""
    columns = {ARRIVED: 0, DEPARTED: 1} | {m: 4 + i for i, m in enumerate(plan.milestones)}
    from_at, to_at = [], []
    for name in promise.case_types:
        times = departed[name][:, [columns[promise.from_], columns[promise.to]]]
        has_both = ~np.isnan(times).any(axis=1)
        unit = departed[name][has_both, 3] if promise.per == "batch" else np.arange(has_both.sum())
        _, group = np.unique(unit, return_inverse=True)
        first, last = np.full(group.max() + 1, np.inf), np.zeros(group.max() + 1)
        np.minimum.at(first, group, times[has_both, 0])
        np.maximum.at(last, group, times[has_both, 1])
        from_at.append(first)
        to_at.append(last)
    return np.concatenate(from_at), np.concatenate(to_at)


def simulate_ours(plan: Plan, replication: int) -> Figures:
    """The same figures of one replication of ours, among others."""
    workload = sim.draw_workload(plan, seed=1, replication=replication)
    log = sim.simulate(plan, workload)
    return {
        ("cases", "hall"): workload.num_cases,
        ("services", "hall"): np.sum((log.kind == Kind.START) & (log.server != NONE)),
        ("visits", "hall"): np.sum(log.kind == Kind.COME_IN),
        **sim.measure(plan, workload, log).values,
    }


def print_agreement(
    plain: Sequence[Figures], ours: Sequence[Figures], subjects: Collection[str] | None = None
) -> None:
    """Means over runs with standard errors, side by side, of some subjects or all."""
    print(f"  {'plain SimPy':>67} {'ours':>22}")
    for metric, subject in plain[0]:
        if subjects is None or subject in subjects:
            columns = [
                mean_and_error([float(figures[metric, subject]) for figures in runs])
                for runs in (plain, ours)
            ]
            print(f"  {metric:20} {subject:23} {columns[0]:>22} {columns[1]:>22}")


def mean_and_error(values: Sequence[float]) -> str:
    """A mean with its standard error, as text."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan
    return f"{statistics.mean(values):.3f} +- {error:.3f}"


def main(seeds: int) -> None:
    """Run and print."""
    for name in ("lanzhou-2020", "lanzhou-2015"):
        plan = sim.compile_plan(sim.load(SCENARIOS / f"{name}.yaml"))
        print(f"{name}, {seeds} seeds")
        print_agreement(
            [simulate(plan, seed) for seed in range(seeds)],
            [simulate_ours(plan, replication) for replication in range(seeds)],
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
