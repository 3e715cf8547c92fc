"""Where the time of a case goes: its critical path, walked back from the end, and split.

The critical path of a case leads back from the step that completes the later milestone: a step
became ready when the last of its predecessors was complete, and that one in turn, to the arrival or
to the instant of the earlier milestone. Of several steps complete at one instant it takes the last
in the itinerary. Of a batch it is the path of the case that is done last.

Between the instants at which a step becomes ready and is complete lie, in the order in which an
activity is lived through: the trip, the gate, the queue, and a service or a delay. Who is turned
away or leaves has waited in the queue, and then waits for the trip once more.

`Part.CLOSED` are the instants outside the scenario's working hours at which nobody serves the case,
whatever it waits for; a piece says during what they lie. What is left of the other parts passes in
working hours, but for services that go on after them (overtime), which stay services. A service
that pauses is served while its shift works; while the hall is open without it, the case waits for a
server again.

The pieces of a case add up to its lead time, to the second: LawViolated otherwise.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from sim.errors import LawViolated
from sim.event_log import EventLog, Kind, shift_of_server
from sim.memory import kept_by_plan
from sim.outcome import Places, outcome_of
from sim.plan import NONE, Plan
from sim.promises import ARRIVED, DEPARTED
from sim.scenario import Scenario
from sim.timeline import NEVER, IntArray, StepFunction
from sim.workload import Workload


class Part(enum.IntEnum):
    """What time goes into, in the order in which an activity is lived through."""

    TRIP = 0
    """Until the person comes in."""
    GATE = 1
    """Until a tray is carried over, someone signs, hours are open."""
    QUEUE = 2
    """Until a server is free."""
    SERVICE = 3
    DELAY = 4
    CLOSED = 5
    """Outside the working hours, during one of the others."""


@dataclass(frozen=True)
class Span:
    """Between which milestones the time lies that is split."""

    case_types: tuple[str, ...]
    from_: str = ARRIVED
    to: str = DEPARTED
    per: Literal["case", "batch"] = "case"


def spans_of(scenario: Scenario) -> dict[str, Span]:
    """Of every promise; without any, from arrival to departure, by the name of the case type."""
    whole = scenario.whole
    if not whole.promises:
        return {name: Span((name,)) for name in whole.case_types}
    return {
        name: Span(tuple(promise.case_types), promise.from_, promise.to, promise.per)
        for name, promise in whole.promises.items()
    }


@dataclass(frozen=True, eq=False)
class Pieces:
    """Critical paths in pieces, none empty."""

    path: IntArray
    """Number of the path."""
    step: IntArray
    pool: IntArray
    """That serves, or the first choice of who is not served; -1 but in queues and services."""
    during: IntArray
    """What the case was in: any part but CLOSED."""
    part: IntArray
    """The same, or CLOSED."""
    time: IntArray
    """Seconds."""


@dataclass(frozen=True, eq=False)
class Paths:
    """The critical paths of one span in one replication; the first columns have one entry each."""

    case: IntArray
    """Whose path it is."""
    from_at: IntArray
    to_at: IntArray
    num_unfinished: int
    """Cases or batches that had not come to the end of the span: they have no path."""
    pieces: Pieces

    @property
    def lead_time(self) -> IntArray:
        """Seconds; 0 for a case that came to the later milestone first."""
        lead_time: IntArray = np.maximum(self.to_at - self.from_at, 0)
        return lead_time


@dataclass(frozen=True)
class SplitPart:
    """Seconds that the lead times of all finished cases of a replication have of one kind."""

    case_type: str
    activity: str
    pool: str
    """Empty where none is concerned."""
    during: str
    """Name of a part in lower case, and so is `part`."""
    part: str
    time: int


@dataclass(frozen=True)
class Split:
    """What the lead times of one span add up to in one replication."""

    span: str
    num_finished: int
    """Cases, or batches."""
    num_unfinished: int
    lead_time: int
    """Seconds, over all that are finished."""
    parts: tuple[SplitPart, ...]


def split_times(plan: Plan, workload: Workload, log: EventLog) -> tuple[Split, ...]:
    """What the lead times of each span of the scenario add up to."""
    finder = PathFinder(plan, workload, log)
    spans = spans_of(plan.scenario).items()
    return tuple(_added_up(plan, workload, name, finder.paths(span)) for name, span in spans)


def _added_up(plan: Plan, workload: Workload, name: str, paths: Paths) -> Split:
    pieces = paths.pieces
    activity = workload.step_activity[pieces.step]
    keys = np.stack([activity, pieces.pool, pieces.during, pieces.part])
    kinds, which = np.unique(keys, axis=1, return_inverse=True)
    total = np.zeros(kinds.shape[1], dtype=np.int64)
    np.add.at(total, which.ravel(), pieces.time)
    return Split(
        name,
        len(paths.case),
        paths.num_unfinished,
        int(paths.lead_time.sum()),
        tuple(
            SplitPart(
                plan.case_types[plan.activities[number].case_type].name,
                plan.activities[number].name,
                "" if pool == NONE else plan.pools[pool].name,
                Part(during).name.lower(),
                Part(part).name.lower(),
                time,
            )
            for (number, pool, during, part), time in zip(
                kinds.T.tolist(), total.tolist(), strict=True
            )
        ),
    )


class PathFinder:
    """One replication, in which critical paths are looked for: all cases at once."""

    def __init__(self, plan: Plan, workload: Workload, log: EventLog) -> None:
        self.plan = plan
        self.workload = workload
        self.log = log
        self.outcome = outcome_of(workload, log)
        self.places = Places(plan, workload)

    def paths(self, span: Span) -> Paths:
        """The critical paths of the cases that the metrics of such a promise are of.

        That is of those which arrived in the measured part, which pass both milestones and are not
        lost; a batch that has lost somebody is never done.
        """
        case, from_at, to_at = self._clock_times(span)
        is_finished = to_at != NEVER
        case, from_at, to_at = (column[is_finished] for column in (case, from_at, to_at))
        path, step, ready_at = self._walk(case, from_at, self._last_steps(span.to, case))
        pieces = self._pieces(path, step, ready_at, from_at[path])
        paths = Paths(case, from_at, to_at, int(np.count_nonzero(~is_finished)), pieces)
        added = np.zeros(len(case), dtype=np.int64)
        np.add.at(added, pieces.path, pieces.time)
        wrong = np.flatnonzero(added != paths.lead_time)
        if len(wrong):
            raise LawViolated(
                f"the parts of case {case[wrong[0]]} add up to {added[wrong[0]]} s, its lead time "
                f"is {paths.lead_time[wrong[0]]} s (seed {self.workload.seed}, replication "
                f"{self.workload.replication})"
            )
        return paths

    # Whose time it is

    def _clock_times(self, span: Span) -> tuple[IntArray, IntArray, IntArray]:
        """The case (of a batch the last), and when its clock starts and stops, or NEVER."""
        plan, workload, places = self.plan, self.workload, self.places
        is_named = np.array([t.name in span.case_types for t in plan.case_types])
        is_concerned = is_named[places.case_type]
        for name in (span.from_, span.to):
            if name not in (ARRIVED, DEPARTED):
                marks = places.milestone == plan.milestones.index(name)
                is_concerned &= places.total(marks) > 0
        is_measured = workload.arrived_at >= plan.measured_from_at
        case = np.flatnonzero(is_concerned[workload.itinerary] & is_measured)
        from_at, to_at = (self._passed_at(name, case) for name in (span.from_, span.to))
        is_lost = self.outcome.lost_at[case] != NEVER
        # Who comes alone is a group of one.
        group = case
        if span.per == "batch":
            batch = workload.batch[case] * len(plan.case_types) + workload.case_type[case]
            group = np.where(workload.batch[case] == NONE, case, workload.num_cases + batch)
        order = np.lexsort((case, to_at, group))
        first = np.flatnonzero(np.diff(group[order], prepend=-1))
        last = order[np.append(first[1:], len(order))[: len(first)] - 1]
        from_at = np.minimum.reduceat(from_at[order], first)
        has_time = (from_at != NEVER) & ~np.logical_or.reduceat(is_lost[order], first)
        return case[last][has_time], from_at[has_time], to_at[last][has_time]

    def _passed_at(self, milestone: str, case: IntArray) -> IntArray:
        if milestone == ARRIVED:
            return self.workload.arrived_at[case]
        if milestone == DEPARTED:
            return self.outcome.departed_at[case]
        number = self.plan.milestones.index(milestone)
        return self.places.milestone_at(number, self.outcome, case)

    # The way back

    def _last_steps(self, milestone: str, case: IntArray) -> IntArray:
        """The step with which each case passed a milestone; -1 if it did without one."""
        places = self.places
        is_mark = np.full(len(places.activity), milestone == DEPARTED)
        if milestone not in (ARRIVED, DEPARTED):
            is_mark = places.milestone == self.plan.milestones.index(milestone)
        mark = np.flatnonzero(is_mark)
        count = np.bincount(places.itinerary[mark], minlength=len(self.workload.itineraries))
        itinerary = self.workload.itinerary[case]
        first = (np.cumsum(count) - count)[itinerary]
        offset = mark - places.begin[places.itinerary[mark]]
        return self._latest(case, first, count[itinerary], offset)

    def _walk(
        self, case: IntArray, from_at: IntArray, step: IntArray
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Path, step, and when it became ready, of every step of the paths that end with these."""
        path = np.flatnonzero(step != NONE)
        step = step[path]
        found = [(path[:0], step[:0], from_at[:0])]
        first, count, earlier = self._predecessors
        while len(path):
            _, place = self.places.of_steps(step)
            before = self._latest(case[path], first[place], count[place], earlier)
            is_first = before == NONE
            arrived_at = self.workload.arrived_at[case[path]]
            ready_at = np.where(is_first, arrived_at, self.outcome.completed_at[before])
            found.append((path, step, ready_at))
            goes_on = ~is_first & (ready_at > from_at[path])
            path, step = path[goes_on], before[goes_on]
        path, step, ready_at = (np.concatenate(column) for column in zip(*found, strict=True))
        return path, step, ready_at

    @cached_property
    def _predecessors(self) -> tuple[IntArray, IntArray, IntArray]:
        """For each place of `places` where its predecessors begin, and how many; their places."""
        ties = [
            (begin + after, before)
            for begin, itinerary in zip(
                self.places.begin.tolist(), self.workload.itineraries, strict=False
            )
            for before, successors in enumerate(itinerary.successors)
            for after in successors
        ]
        place, earlier = np.array(ties, dtype=np.int64).reshape(-1, 2).T
        count = np.bincount(place, minlength=len(self.places.activity))
        return np.cumsum(count) - count, count, earlier[np.argsort(place, kind="stable")]

    def _latest(
        self, case: IntArray, first: IntArray, count: IntArray, places: IntArray
    ) -> IntArray:
        """For each case that of its steps at `places[first : first + count]` that ends last.

        Of several that end at one instant the last in the itinerary; -1 where there is none.
        """
        latest = np.full(len(case), NONE, dtype=np.int64)
        latest_at = np.zeros(len(case), dtype=np.int64)
        for rank in range(count.max(initial=0)):
            some = np.flatnonzero(count > rank)
            step = self.workload.first_step[case[some]] + places[first[some] + rank]
            at = self.outcome.completed_at[step]
            is_later = at >= latest_at[some]
            latest[some[is_later]], latest_at[some[is_later]] = step[is_later], at[is_later]
        return latest

    # What lies between

    def _pieces(
        self, path: IntArray, step: IntArray, ready_at: IntArray, from_at: IntArray
    ) -> Pieces:
        """What happened to these steps from when they were ready, but not before `from_at`."""
        log = self.log
        row_of_step = np.full(self.workload.num_steps + 1, NONE, dtype=np.int64)
        row_of_step[step] = np.arange(len(step))
        row = row_of_step[self._step_of_event]
        event = np.flatnonzero(row != NONE)
        event = event[np.argsort(row[event], kind="stable")]
        row = row[event]
        # Each event ends what began with the one before, or when the step became ready.
        is_first = np.diff(row, prepend=NONE) != 0
        begin = np.where(is_first, ready_at[row], np.roll(log.at[event], 1))
        kind, server = log.kind[event], log.server[event]
        # The last event of a step is its completion: nothing is rolled into the first of the next.
        is_waiting = np.roll(kind, 1) == Kind.ENQUEUE
        is_complete = kind == Kind.COMPLETE
        during = np.select(
            [kind == Kind.COME_IN, is_waiting, is_complete & (server != NONE), is_complete],
            [Part.TRIP, Part.QUEUE, Part.SERVICE, Part.DELAY],
            Part.GATE,
        )
        pool = np.where(during == Part.GATE, NONE, log.pool[event])
        begin, end = (np.maximum(at, from_at[row]) for at in (begin, log.at[event]))
        worked, inside = _times_in_hours(self.plan, during, server, begin, end)
        # A service that pauses while the hall is open waits for its server again.
        during = np.stack([during, np.full_like(during, Part.QUEUE), during])
        part = during.copy()
        part[2] = Part.CLOSED
        time = np.stack([worked, inside - worked, end - begin - inside])
        which, entry = np.nonzero(time)
        return Pieces(
            path=path[row[entry]],
            step=step[row[entry]],
            pool=pool[entry],
            during=during[which, entry],
            part=part[which, entry],
            time=time[which, entry],
        )

    @cached_property
    def _step_of_event(self) -> IntArray:
        """One past the last for events of a whole case."""
        log, workload = self.log, self.workload
        in_step = (log.kind != Kind.ARRIVE) & (log.kind < Kind.LOSE)
        return np.where(in_step, workload.first_step[log.case] + log.place, workload.num_steps)


def _times_in_hours(
    plan: Plan, during: IntArray, server: IntArray, begin: IntArray, end: IntArray
) -> tuple[IntArray, IntArray]:
    """Of each interval the time that counts as what it is, and with it what else is not closed."""
    working, by_shift = _hours(plan)
    is_served = during == Part.SERVICE
    worked = np.where(is_served, end - begin, working.integral(end) - working.integral(begin))
    inside = worked.copy()
    shift = np.where(is_served, np.append(shift_of_server(plan), NONE)[server], NONE)
    for number, (at_work, at_work_or_open) in by_shift.items():
        mine = np.flatnonzero(shift == number)
        for time, hours in ((worked, at_work), (inside, at_work_or_open)):
            time[mine] = hours.integral(end[mine]) - hours.integral(begin[mine])
    return worked, inside


@kept_by_plan
def _hours(plan: Plan) -> tuple[StepFunction, dict[int, tuple[StepFunction, StepFunction]]]:
    """1 in working hours; and by each shift that pauses 1 in its hours, and in either."""
    working = plan.working_hours.step_function()
    pausing = [n for n, shift in enumerate(plan.shifts) if plan.pools[shift.pool].pauses]
    own = {number: plan.shifts[number].sessions.step_function() for number in pausing}
    return working, {n: (hours, _either(hours, working)) for n, hours in own.items()}


def _either(*hours: StepFunction) -> StepFunction:
    total = functools.reduce(StepFunction.__add__, hours)
    return StepFunction(total.times, np.minimum(total.values, 1))
