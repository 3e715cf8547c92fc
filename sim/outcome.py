"""What came of a workload, step by step and case by case: all that metrics need, and no more.

It follows from the log (`outcome_of`); an engine that keeps no log can give it by itself. The case
table follows from it. What a step is, its itinerary knows before anything happens: `Places`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.event_log import EventLog, Kind, first_pool_of_activity
from sim.plan import NONE, Plan
from sim.timeline import NEVER, BoolArray, IntArray
from sim.workload import Workload


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of each step and each case; NEVER for what did not happen."""

    # one entry a step
    enqueued_at: IntArray
    """The case began to wait for a server; the last time if it had to do so again."""
    started_at: IntArray
    completed_at: IntArray
    """Or passed over."""
    server: IntArray
    """-1 while none has begun, or where none is needed."""
    # one entry each time that a person was not served, in the order in which that happened
    unserved_step: IntArray
    unserved_from: IntArray
    """They began to wait."""
    unserved_until: IntArray
    unserved_kind: IntArray
    """Kind.RENEGE or Kind.TURN_AWAY."""
    # one entry a case
    departed_at: IntArray
    """Left with everything done."""
    lost_at: IntArray
    """Left for good with something undone."""
    visits: IntArray
    """How often the person came in."""


def passed_over(outcome: Outcome) -> IntArray:
    """Steps that cases passed over, which are complete but were not begun."""
    return np.flatnonzero((outcome.completed_at != NEVER) & (outcome.started_at == NEVER))


def outcome_of(workload: Workload, log: EventLog) -> Outcome:
    """What came of a workload, by its log."""
    num_cases, num_steps = workload.num_cases, workload.num_steps
    step = workload.first_step[log.case] + log.place

    def last(kind: Kind, index: IntArray, length: int) -> IntArray:
        at = np.full(length, NEVER, dtype=np.int64)
        events = log.of_kind(kind)
        at[index[events]] = log.at[events]  # later events overwrite earlier ones
        return at

    server = np.full(num_steps, NONE, dtype=np.int64)
    starts = log.of_kind(Kind.START)
    server[step[starts]] = log.server[starts]
    # Before each end of a wait without service, the last beginning of a wait for the same step.
    ends = log.of_kind(Kind.RENEGE, Kind.TURN_AWAY)
    begins = log.of_kind(Kind.ENQUEUE)
    begins = begins[np.argsort(step[begins], kind="stable")]
    before = np.searchsorted(step[begins] * len(log) + begins, step[ends] * len(log) + ends) - 1
    completed_at = last(Kind.COMPLETE, step, num_steps)
    passed = log.of_kind(Kind.PASS_OVER)
    completed_at[step[passed]] = log.at[passed]
    return Outcome(
        enqueued_at=last(Kind.ENQUEUE, step, num_steps),
        started_at=last(Kind.START, step, num_steps),
        completed_at=completed_at,
        server=server,
        unserved_step=step[ends],
        unserved_from=log.at[begins[before]],
        unserved_until=log.at[ends],
        unserved_kind=log.kind[ends],
        departed_at=last(Kind.DEPART, log.case, num_cases),
        lost_at=last(Kind.LOSE, log.case, num_cases),
        visits=np.bincount(log.case[log.of_kind(Kind.COME_IN)], minlength=num_cases),
    )


class Places:
    """The steps of every itinerary, one after the other: what is known of a step without a run.

    There are few itineraries and many cases, so that facts of them cost next to nothing.
    """

    def __init__(self, plan: Plan, workload: Workload) -> None:
        self.workload = workload
        itineraries = workload.itineraries
        lengths = [itinerary.num_steps for itinerary in itineraries]
        self.begin: IntArray = np.cumsum([0, *lengths])
        """The first place of each itinerary."""
        first_activities = [case_type.first_activity for case_type in plan.case_types]
        self.case_type = np.searchsorted(first_activities, workload.first_activity, "right") - 1
        """Of each itinerary."""
        self.itinerary = np.repeat(np.arange(len(itineraries)), lengths)
        nothing = np.zeros(0, dtype=np.int64)
        self.activity = np.concatenate([nothing, *(i.activity for i in itineraries)])
        """Numbered through the hall."""
        self.activity += workload.first_activity[self.itinerary]
        self.repeats: IntArray = np.concatenate([nothing, *(i.is_repeat for i in itineraries)])
        """1 in a later pass of a loop, else 0."""
        visit = np.concatenate([nothing, *(i.visit for i in itineraries)])
        documents = np.array([activity.documents for activity in plan.activities], dtype=np.int64)
        self.documents = np.where(visit == 1, documents[self.activity], 0)
        """Handed in for the first time."""
        milestone = np.array([activity.milestone for activity in plan.activities], dtype=np.int64)
        self.milestone = milestone[self.activity]
        """Which one is marked, -1 for none."""

    def of_steps(self, steps: IntArray) -> tuple[IntArray, IntArray]:
        """The case and the place of each of these steps."""
        first_step = self.workload.first_step
        case = np.searchsorted(first_step, steps, side="right") - 1
        return case, self.begin[self.workload.itinerary[case]] + steps - first_step[case]

    def total(self, amount: IntArray) -> IntArray:
        """For each itinerary the sum of an amount that each place has."""
        total = np.bincount(self.itinerary, amount, minlength=len(self.begin) - 1)
        return total.astype(np.int64)

    def milestone_at(self, milestone: int, outcome: Outcome, cases: IntArray) -> IntArray:
        """When these cases passed a milestone: the last step that marks it was done.

        NEVER while one is undone, and for cases that no step marks it for.
        """
        marks = np.flatnonzero(self.milestone == milestone)
        num_marks = np.bincount(self.itinerary[marks], minlength=len(self.begin) - 1)
        first_mark = np.cumsum(num_marks) - num_marks
        itinerary = self.workload.itinerary[cases]
        first_step = self.workload.first_step[cases] - self.begin[itinerary]
        at = np.where(num_marks[itinerary] > 0, 0, NEVER)
        for rank in range(num_marks.max(initial=0)):
            some = np.flatnonzero(num_marks[itinerary] > rank)
            steps = first_step[some] + marks[first_mark[itinerary[some]] + rank]
            at[some] = np.maximum(at[some], outcome.completed_at[steps])
        return at


@dataclass(frozen=True, eq=False)
class Waits:
    """Waits that did not end with service, one entry each."""

    pool: IntArray
    """The first choice."""
    begin: IntArray
    end: IntArray
    kind: IntArray
    """Kind.RENEGE or Kind.TURN_AWAY; -1 if the case was lost elsewhere, or waits at the end."""


def waits_without_service(plan: Plan, outcome: Outcome, places: Places) -> Waits:
    """All of them; who waits at the end of the horizon has waited until then."""
    is_waiting = (outcome.server == NONE) & (outcome.enqueued_at != NEVER)
    is_last = outcome.enqueued_at[outcome.unserved_step] == outcome.unserved_from
    is_waiting[outcome.unserved_step[is_last]] = False
    waiting = np.flatnonzero(is_waiting)
    case, place = places.of_steps(np.concatenate((outcome.unserved_step, waiting)))
    # What a lost case waits for elsewhere is given up when it leaves.
    until = np.minimum(outcome.lost_at[case[len(outcome.unserved_step) :]], plan.end_at)
    return Waits(
        pool=first_pool_of_activity(plan)[places.activity[place]],
        begin=np.concatenate((outcome.unserved_from, outcome.enqueued_at[waiting])),
        end=np.concatenate((outcome.unserved_until, until)),
        kind=np.concatenate((outcome.unserved_kind, np.full(len(waiting), NONE))),
    )


@dataclass(frozen=True, eq=False)
class CaseTable:
    """What became of each case; NEVER for what did not happen before the horizon."""

    arrived_at: IntArray
    departed_at: IntArray
    """Left with everything done."""
    lost_at: IntArray
    milestones: IntArray
    """(num_cases, num_milestones): when the last visit to the activity that marks it was done."""
    visits: IntArray
    """How often the person came in."""
    documents: IntArray
    """How many documents were handed in, each counted once."""
    is_first_pass: BoolArray
    """Nothing was ever sent back, as far as the case got."""

    @property
    def is_finished(self) -> BoolArray:
        """Everything is done."""
        is_finished: BoolArray = self.departed_at != NEVER
        return is_finished

    @property
    def is_lost(self) -> BoolArray:
        """Left for good with something undone."""
        is_lost: BoolArray = self.lost_at != NEVER
        return is_lost


def case_table(plan: Plan, workload: Workload, outcome: Outcome) -> CaseTable:
    """The case table of an outcome."""
    places = Places(plan, workload)
    undone = np.flatnonzero(outcome.completed_at == NEVER)
    if plan.has_versions:
        undone = np.concatenate((undone, passed_over(outcome)))
    undone_case, undone_place = places.of_steps(undone)

    def so_far(amount: IntArray) -> IntArray:
        to_do = np.bincount(undone_case, amount[undone_place], minlength=workload.num_cases)
        return places.total(amount)[workload.itinerary] - to_do.astype(np.int64)

    cases = np.arange(workload.num_cases)
    milestones = [places.milestone_at(i, outcome, cases) for i in range(len(plan.milestones))]
    return CaseTable(
        arrived_at=workload.arrived_at,
        departed_at=outcome.departed_at,
        lost_at=outcome.lost_at,
        milestones=np.array(milestones, np.int64).reshape(len(milestones), len(cases)).T,
        visits=outcome.visits,
        documents=so_far(places.documents),
        is_first_pass=so_far(places.repeats) == 0,
    )
