"""What happened step by step, read off a log: the tables that the laws are about.

At one instant, events are in rounds (see `event_log`), and every one of them shows: it begins with
a step that took no time, or a patience of none, after events of a later kind. Rounds are numbered
through the run: a server freed in round r is handed out at the end of it.

Nothing here knows how an engine works. When something should happen is worked out from the plan and
the workload, all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.calendars import Sessions
from sim.durations import Clock
from sim.event_log import EventLog, Kind, shift_of_server
from sim.plan import CELLS, NONE, STRIDE, Plan
from sim.timeline import DAY, NEVER, BoolArray, IntArray, format_instant
from sim.workload import Workload

SHOWN: Final = 3
"""How many violations of one law are told one by one."""
AFTER_ALL_ROUNDS: Final = NEVER // 4
READY: Final = -1
"""In a chain: the step can begin. Stands before the first event of each step."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The events of each step in their order, beginning with READY, and what comes next."""

    step: IntArray
    kind: IntArray
    at: IntArray
    event: IntArray
    """Index in the log; NONE for READY."""
    unserved: IntArray
    """How often the step's person has left or been turned away, up to and with this event."""
    next_kind: IntArray
    """READY where nothing comes."""
    next_at: IntArray
    next_event: IntArray


@dataclass(frozen=True, eq=False)
class Attempts:
    """One entry each time that a case began to wait for a server.

    Hand-outs count in double rounds: who is served in round r goes at 2 r, who runs out of
    patience before that at 2 r - 1, and who is sent away after it at 2 r + 1.
    """

    step: IntArray
    event: IntArray
    queue: IntArray
    priority: IntArray
    is_person: BoolArray
    enqueued_at: IntArray
    enqueued_round: IntArray
    exit_kind: IntArray
    """READY for who is lost with their case or waits at the end."""
    exit_at: IntArray
    """NEVER for who waits at the end."""
    exit_order: IntArray
    server: IntArray
    """NONE for who is not served; and so is `shift`."""
    shift: IntArray
    is_late: BoolArray
    """Served by a shift that has closed."""

    def where(self, mask: BoolArray) -> Attempts:
        """Only those."""
        return Attempts(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


class Trace:
    """A plan, a workload and a log, and what several laws need of them."""

    def __init__(self, plan: Plan, workload: Workload, log: EventLog) -> None:
        self.plan = plan
        self.workload = workload
        self.log = log
        in_step = (log.kind != Kind.ARRIVE) & (log.kind < Kind.LOSE)
        self.step = np.where(
            in_step, workload.first_step[log.case] + np.where(in_step, log.place, 0), NONE
        )
        self.goes_back, self.round = _rounds(log)
        self.shift_of_server = shift_of_server(plan)
        self.shifts_of_queue = [
            [shift for shift in plan.shifts_of_queue(queue) if plan.shifts[shift].servers]
            for queue in range(len(plan.queues))
        ]
        """Shifts of no servers left out: they never open."""

    def of_activity(self, name: str) -> IntArray:
        """For each step a whole number of its activity."""
        values = [getattr(activity, name) for activity in self.plan.activities]
        return np.array(values, dtype=np.int64)[self.workload.step_activity]

    def instant(self, at: int) -> str:
        """An instant as people read it."""
        return format_instant(at, self.plan.origin)

    def name(self, step: int) -> str:
        """A step, in words."""
        case = int(self.workload.step_case[step])
        activity = self.plan.activities[self.workload.step_activity[step]]
        place = step - int(self.workload.first_step[case])
        return f"case {case}, step {place} ({activity.name})"

    @cached_property
    def lost_at(self) -> IntArray:
        """For each case."""
        events = self.log.of_kind(Kind.LOSE)
        lost_at = np.full(self.workload.num_cases, NEVER, dtype=np.int64)
        lost_at[self.log.case[events]] = self.log.at[events]
        return lost_at

    @cached_property
    def completed_at(self) -> IntArray:
        """For each step."""
        events = self.log.of_kind(Kind.COMPLETE, Kind.PASS_OVER)
        completed_at = np.full(self.workload.num_steps, NEVER, dtype=np.int64)
        completed_at[self.step[events]] = self.log.at[events]
        return completed_at

    @cached_property
    def completed_round(self) -> IntArray:
        """For each step."""
        events = self.log.of_kind(Kind.COMPLETE, Kind.PASS_OVER)
        completed_round = np.full(self.workload.num_steps, AFTER_ALL_ROUNDS)
        completed_round[self.step[events]] = self.round[events]
        return completed_round

    @cached_property
    def num_predecessors(self) -> IntArray:
        """For each step."""
        return self._of_itineraries([it.num_predecessors for it in self.workload.itineraries])[0]

    @cached_property
    def must_come(self) -> BoolArray:
        """For each step, whether the person is not in the hall when it can begin.

        They are there if they came in for this trip, or were done with a step of it, that day.
        """
        workload, log = self.workload, self.log
        trip_place, _ = self._of_itineraries([it.trip_place for it in workload.itineraries])
        trip = np.where(trip_place >= 0, workload.first_step[workload.step_case] + trip_place, NONE)
        seen = log.of_kind(Kind.COME_IN, Kind.COMPLETE)
        seen = seen[trip[self.step[seen]] != NONE]
        span = self.plan.end_at + 1
        seen_at = np.sort(trip[self.step[seen]] * span + log.at[seen])
        ready_at = np.minimum(self.ready_at, self.plan.end_at)
        last = np.searchsorted(seen_at, trip * span + ready_at, side="right") - 1
        last_at = np.append(seen_at, -1)[last]
        is_there = last_at >= trip * span + ready_at // DAY * DAY
        must_come: BoolArray = (trip != NONE) & ~(is_there & (trip != np.arange(len(trip))))
        return must_come

    @cached_property
    def is_lived(self) -> BoolArray:
        """For each step, whether it is there when the case comes to it."""
        begins, ends = self.of_activity("lived_from"), self.of_activity("lived_until")
        is_lived: BoolArray = (begins <= self.ready_at) & (self.ready_at < ends)
        return is_lived

    @cached_property
    def ready_at(self) -> IntArray:
        """When the case has arrived and the last predecessor of each step is complete."""
        ties = [
            [(before, after) for before, places in enumerate(it.successors) for after in places]
            for it in self.workload.itineraries
        ]
        befores, cases = self._of_itineraries([[before for before, _ in tie] for tie in ties])
        afters, _ = self._of_itineraries([[after for _, after in tie] for tie in ties])
        first_step = self.workload.first_step[cases]
        arrived_at = self.workload.arrived_at[self.workload.step_case]
        ready_at = np.where(arrived_at < self.plan.end_at, arrived_at, NEVER)
        np.maximum.at(ready_at, first_step + afters, self.completed_at[first_step + befores])
        return ready_at

    def _of_itineraries(self, lists: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
        """One list an itinerary, laid out case after case; and whose each entry is."""
        lengths = np.array([len(entries) for entries in lists], dtype=np.int64)
        joined = np.array([entry for entries in lists for entry in entries], dtype=np.int64)
        itinerary = self.workload.itinerary
        begins = (np.cumsum(lengths) - lengths)[itinerary]
        num_entries = lengths[itinerary]
        laid_out = np.cumsum(num_entries) - num_entries
        source = np.arange(num_entries.sum()) + np.repeat(begins - laid_out, num_entries)
        return joined[source], np.repeat(np.arange(len(itinerary)), num_entries)

    @cached_property
    def chain(self) -> Chain:
        """The events of each step."""
        num_steps = self.workload.num_steps
        events = np.flatnonzero(self.step != NONE)
        step = np.concatenate((np.arange(num_steps), self.step[events]))
        order = np.argsort(step, kind="stable")
        step = step[order]
        event = np.concatenate((np.full(num_steps, NONE), events))[order]
        kind = np.append(self.log.kind, READY)[event]
        at = np.where(event == NONE, self.ready_at[step], np.append(self.log.at, NEVER)[event])
        has_next = np.append(np.diff(step) == 0, False)[: len(step)]
        unserved = np.cumsum((kind == Kind.RENEGE) | (kind == Kind.TURN_AWAY))
        unserved -= np.repeat(unserved[kind == READY], np.bincount(step, minlength=num_steps))

        def following(values: IntArray, nothing: int) -> IntArray:
            return np.where(has_next, np.roll(values, -1), nothing)

        return Chain(
            step=step,
            kind=kind,
            at=at,
            event=event,
            unserved=unserved,
            next_kind=following(kind, READY),
            next_at=following(at, NEVER),
            next_event=following(event, NONE),
        )

    @cached_property
    def attempts(self) -> Attempts:
        """Everybody's waiting."""
        chain, log = self.chain, self.log
        at = np.flatnonzero(chain.kind == Kind.ENQUEUE)
        step, event, exit_kind = chain.step[at], chain.event[at], chain.next_kind[at]
        is_served = exit_kind == Kind.START
        gives_up = exit_kind == READY
        case = self.workload.step_case[step]
        losses = log.of_kind(Kind.LOSE)
        round_of_loss = np.full(self.workload.num_cases, AFTER_ALL_ROUNDS)
        round_of_loss[log.case[losses]] = self.round[losses]
        exit_at = np.where(gives_up, self.lost_at[case], chain.next_at[at])
        exit_round = np.where(gives_up, round_of_loss[case], self.round[chain.next_event[at]])
        own = np.array(
            [NEVER if a.priority is None else a.priority for a in self.plan.activities], np.int64
        )[self.workload.step_activity[step]]
        priority = np.where(own == NEVER, self.workload.priority[case], own)
        shade = np.select([is_served, exit_kind == Kind.TURN_AWAY], [0, 1], -1)
        server = np.where(is_served, log.server[chain.next_event[at]], NONE)
        shift = np.append(self.shift_of_server, NONE)[server]
        is_late = np.zeros(len(at), dtype=np.bool_)
        for number, planned in enumerate(self.plan.shifts):
            mine = shift == number
            is_late[mine] = ~planned.sessions.is_open(exit_at[mine])
        return Attempts(
            step=step,
            event=event,
            queue=self.of_activity("queue")[step],
            priority=priority,
            is_person=self.of_activity("trip")[step] != NONE,
            enqueued_at=chain.at[at],
            enqueued_round=self.round[event],
            exit_kind=exit_kind,
            exit_at=exit_at,
            exit_order=2 * exit_round + shade,
            server=server,
            shift=shift,
            is_late=is_late,
        )


def expected_next(trace: Trace) -> IntArray:
    """For each event of the chain the instant of the next one; NEVER if none is to come.

    What follows ENQUEUE is decided by others, and is not told here.
    """
    chain = trace.chain
    is_ready, starts = chain.kind == READY, chain.kind == Kind.START
    passes = is_ready & ~trace.is_lived[chain.step]
    must_come = trace.must_come[chain.step]
    unserved = (chain.kind == Kind.RENEGE) | (chain.kind == Kind.TURN_AWAY)
    comes_back = unserved & (trace.of_activity("is_lost_if_not_served")[chain.step] == 0)
    # Who has just arrived in the hall is there; who is called has to come.
    is_there = is_ready & must_come & (trace.num_predecessors[chain.step] == 0)
    is_called = is_ready & must_come & ~is_there
    goes_on = (chain.kind == Kind.COME_IN) | (is_ready & ~must_come)

    expected = np.where(is_there, chain.at, NEVER)
    _expect_people(trace, comes_back | is_called, expected)
    _expect_after_gates(trace, goes_on, expected)
    _expect_ends(trace, starts, expected)
    expected[passes] = chain.at[passes]
    return np.where(chain.at == NEVER, NEVER, expected)


def _expect_people(trace: Trace, wanted: BoolArray, expected: IntArray) -> None:
    chain, workload = trace.chain, trace.workload
    trip = trace.of_activity("trip")[chain.step]
    for number, table in enumerate(trace.plan.trips):
        mine = np.flatnonzero(wanted & (trip == number))
        step, moved_on = chain.step[mine], chain.unserved[mine] * STRIDE
        skipped = table.skipped[(workload.step_come_day[step] + moved_on) % CELLS]
        session = np.searchsorted(table.starts, chain.at[mine], side="right") + skipped
        time = (workload.step_come_time[step] + moved_on) % CELLS
        comes = session < len(table.starts)
        mine, session, time = mine[comes], session[comes], time[comes]
        offset = table.offsets[table.shape_of_session[session], time]
        expected[mine] = table.starts[session] + offset


def _expect_after_gates(trace: Trace, goes_on: BoolArray, expected: IntArray) -> None:
    chain = trace.chain
    expected[goes_on] = chain.at[goes_on]
    gate = trace.of_activity("gate")[chain.step]
    for number, table in enumerate(trace.plan.gates):
        mine = np.flatnonzero(goes_on & (gate == number))
        joined = np.searchsorted(table.latest, chain.at[mine], side="left")
        expected[mine] = np.maximum(np.append(table.release, NEVER)[joined], chain.at[mine])


def _expect_ends(trace: Trace, starts: BoolArray, expected: IntArray) -> None:
    chain, plan = trace.chain, trace.plan
    time = trace.workload.step_time[chain.step]
    expected[starts] = (chain.at + time)[starts]
    activity = trace.workload.step_activity[chain.step]
    clocks = list(Clock)
    clock = np.array([clocks.index(a.delay_clock) for a in plan.activities], np.int64)[activity]
    server = np.append(trace.log.server, NONE)[chain.event]
    shift = np.append(trace.shift_of_server, NONE)[server]
    is_delay = starts & (shift == NONE)
    mine = is_delay & (clock == clocks.index(Clock.WORKING_TIME))
    expected[mine] = _add_open_time(plan.working_hours, chain.at[mine], time[mine])
    mine = is_delay & (clock == clocks.index(Clock.WORKING_DAYS))
    expected[mine] = _add_working_days(plan, chain.at[mine], time[mine])
    for number, planned in enumerate(plan.shifts):
        if plan.pools[planned.pool].pauses:
            mine = starts & (shift == number)
            expected[mine] = _add_open_time(planned.sessions, chain.at[mine], time[mine])


def _add_open_time(sessions: Sessions, at: IntArray, amount: IntArray) -> IntArray:
    openness = sessions.step_function()
    finished_at = openness.inverse_integral(openness.integral(at) + amount)
    return np.where(amount == 0, at, finished_at)


def _add_working_days(plan: Plan, at: IntArray, amount: IntArray) -> IntArray:
    dates = plan.days.dates
    first = np.searchsorted(dates, at // DAY)
    padded = np.append(dates, np.full(1, NEVER // DAY - 1))
    is_working_day = padded[np.minimum(first, len(dates))] == at // DAY
    last = first + amount
    date = padded[np.minimum(last, len(dates))]
    finished_at = date * DAY + np.where(is_working_day, at % DAY, 0)
    return np.where(last < len(dates), finished_at, NEVER)


def event_text(plan: Plan, log: EventLog, event: int) -> str:
    """An event of the log, in words."""
    kind = int(log.kind[event])
    name = Kind(kind).name if kind in list(Kind) else f"kind {kind}"
    at = format_instant(int(log.at[event]), plan.origin)
    return f"event {event} ({at} {name} case {log.case[event]} step {log.place[event]})"


def tell(bad: npt.NDArray[np.intp], sentence: Callable[[int], str]) -> Iterator[str]:
    """The first few violations in words, and how many more there are."""
    for i in bad[:SHOWN].tolist():
        yield sentence(i)
    if len(bad) > SHOWN:
        yield f"... and {len(bad) - SHOWN} more like this"


def _rounds(log: EventLog) -> tuple[BoolArray, IntArray]:
    """Whether an event goes back in the order of one instant, and the round of each event."""
    key = (log.kind * (log.case.max(initial=0) + 1) + log.case) * (log.place.max(initial=0) + 2)
    key = key + log.place + 1
    same_instant = np.diff(log.at, prepend=-1) == 0
    goes_back = same_instant & (np.diff(key, prepend=-1) <= 0)
    return goes_back, np.cumsum(~same_instant | goes_back)
