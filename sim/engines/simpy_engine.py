"""The SimPy engine: the definition of what happens in a hall.

What to look for, if you know SimPy:

* A **case** is a process, `Hall.live_through`: come in, wait for the gate, wait for a server and be
  served, or let time pass; then the next step. Work in parallel is a process more; where branches
  join, the last one to get there goes on.
* **Clerks** are the servers of a `Shift`; the process `Hall.keep_hours` opens and closes it.
* The **green channel** is a pool that only its own cases ask for.
* An **online submission** is a case whose steps have no trip: nobody comes in, papers wait.
* A **ticket** is the event of being served. It fires when the service is over, because how long it
  takes is known when it starts (chance has been drawn before), or when the person has to leave.

Who wins at one instant must not depend on which timeout was made first. So nothing is handed out
while things happen: servers are freed and tickets drawn, and `Hall.settle` hands out the servers
once all that happens at this instant has happened.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Generator
from typing import Any, Final

import numpy as np
import simpy
from simpy.core import SimTime
from simpy.events import EventPriority

from sim.event_log import EventLog, Kind, make_log
from sim.plan import CELLS, NONE, STRIDE, Plan, PlannedActivity, PlannedPool, PlannedShift
from sim.timeline import (
    NEVER,
    Clock,
    add_open_time,
    add_working_days,
    come_in_at,
    pass_gate,
)
from sim.workload import Workload

AFTER_ALL: Final = EventPriority(2)
"""SimPy's own events have priority 0 and 1: this one comes after all others of an instant."""

Life = Generator[simpy.Event, Any, None]


def simulate(plan: Plan, workload: Workload) -> EventLog:
    """The log of one replication, from the first instant of the warm-up to the end of the horizon.

    The same plan and workload give the same log.
    """
    hall = Hall(plan, workload)
    hall.env.run(until=plan.end_at)
    rows = np.frombuffer(hall.rows, dtype=np.int64).reshape(-1, 6)
    return make_log(plan, workload, rows)


class Case:
    """Somebody's business in the hall."""

    __slots__ = ("first_step", "is_lost", "itinerary", "joins", "number", "priority", "steps_left")

    def __init__(self, number: int, workload: Workload) -> None:
        self.number = number
        self.priority = int(workload.priority[number])
        self.itinerary = workload.itineraries[workload.itinerary[number]]
        self.first_step = int(workload.first_step[number])
        self.steps_left = self.itinerary.num_steps
        self.joins: dict[int, int] = {}
        self.is_lost = False

    def is_ready(self, place: int) -> bool:
        """Whether a step can begin, now that one more of its predecessors is complete."""
        wanted = self.itinerary.num_predecessors[place]
        if wanted == 1:
            return True
        self.joins[place] = self.joins.get(place, 0) + 1
        return bool(self.joins[place] == wanted)


class Shift:
    """Clerks with the same hours."""

    def __init__(self, planned: PlannedShift, pool: PlannedPool) -> None:
        self.sessions = planned.sessions
        self.pool = pool
        self.free = list(range(planned.first_server, planned.first_server + planned.servers))
        self.is_open = False
        self.closed_at = -1
        self.queues: list[Queue] = []

    def end_of_service(self, start_at: int, service_time: int) -> int:
        """When a service that starts now is over."""
        if not self.pool.pauses:
            return start_at + service_time
        s = self.sessions
        return add_open_time(s.starts, s.ends, s.open_before, start_at, service_time)


class Ticket(simpy.Event):
    """A place in a queue; fires with True when served, with False when the case has to leave."""

    def __init__(
        self, env: simpy.Environment, case: Case, place: int, activity: PlannedActivity, time: int
    ) -> None:
        super().__init__(env)
        self.case = case
        self.place = place
        self.is_in_person = activity.trip != NONE
        self.is_lost_if_not_served = activity.is_lost_if_not_served
        self.service_time = time
        self.is_waiting = True
        self.shift: Shift
        self.server = NONE

    def fire(self, delay: SimTime) -> None:
        """Fire as served, after a delay."""
        self._ok, self._value = True, True
        self.env.schedule(self, delay=delay)


Place = tuple[int, int, int, int, Ticket]
"""Waiting order: priority, enqueued at, case, place in the itinerary, smallest first."""


class Queue:
    """Those who wait for the same pools, in the same order of preference."""

    def __init__(self, shifts: list[Shift]) -> None:
        self.shifts = shifts
        self.first_pool = shifts[0].pool
        self.waiting: list[Place] = []
        for shift in shifts:
            shift.queues.append(self)

    @property
    def is_open(self) -> bool:
        """Whether any of its clerks is at work."""
        return any(shift.is_open for shift in self.shifts)

    def next_match(self) -> tuple[Place, Shift] | None:
        """Who is served next, and by which shift; None if nobody can be."""
        while self.waiting and not self.waiting[0][-1].is_waiting:
            heapq.heappop(self.waiting)
        if not self.waiting:
            return None
        for shift in self.shifts:
            if shift.is_open and shift.free:
                return self.waiting[0], shift
        return self._overtime_match()

    def _overtime_match(self) -> tuple[Place, Shift] | None:
        """Who was there before closing is served by the clerks who closed last."""
        for shift in self.shifts:
            if shift.free and shift.pool.at_closing == "serve":
                entitled = [entry for entry in self.waiting if self.serves_late(entry, shift)]
                if entitled:
                    return min(entitled)[:5], shift
        return None

    def serves_late(self, entry: Place, shift: Shift) -> bool:
        """Whether a closed shift still serves this person."""
        _, enqueued_at, _, _, ticket = entry
        return (
            ticket.is_waiting
            and ticket.is_in_person
            and shift.pool.at_closing == "serve"
            and not self.is_open
            and shift.closed_at == max(other.closed_at for other in self.shifts)
            and enqueued_at < shift.closed_at
        )

    def remove(self, entry: Place) -> None:
        """Take somebody out who is served."""
        if self.waiting[0] is entry:
            heapq.heappop(self.waiting)
        entry[-1].is_waiting = False


class Hall:
    """Cases, clerks, and what is handed out between them."""

    def __init__(self, plan: Plan, workload: Workload) -> None:
        self.env = simpy.Environment()
        self.plan = plan
        self.workload = workload
        self.rows = array("q")
        self.round = 0
        self.shifts = [Shift(shift, plan.pools[shift.pool]) for shift in plan.shifts]
        self.queues = [
            Queue([self.shifts[shift] for shift in plan.shifts_of_queue(queue)])
            for queue in range(len(plan.queues))
        ]
        self.touched: set[Queue] = set()
        self.next_round: list[simpy.Event] = []
        self.is_settling = False
        # Lists, not arrays: the loop reads single values.
        self.step_activity = workload.step_activity.tolist()
        self.step_time = workload.step_time.tolist()
        self.step_patience = workload.step_patience.tolist()
        for shift in self.shifts:
            self.env.process(self.keep_hours(shift))
        self.env.process(self.let_arrive())

    @property
    def now(self) -> int:
        """The instant, in whole seconds."""
        return int(self.env.now)

    # -- processes --------------------------------------------------------------------------------

    def keep_hours(self, shift: Shift) -> Life:
        """The clerks of a shift come and go."""
        for opens_at, closes_at in zip(
            shift.sessions.starts.tolist(), shift.sessions.ends.tolist(), strict=True
        ):
            yield self.env.timeout(opens_at - self.env.now)
            shift.is_open = True
            self.touched.update(shift.queues)
            self.settle()
            yield self.env.timeout(closes_at - self.env.now)
            shift.is_open = False
            shift.closed_at = closes_at
            self.touched.update(shift.queues)
            self.settle()

    def let_arrive(self) -> Life:
        """Cases begin, one process for each activity that waits for no other."""
        for number, arrives_at in enumerate(self.workload.arrived_at.tolist()):
            if arrives_at > self.env.now:
                yield self.env.timeout(arrives_at - self.env.now)
            case = Case(number, self.workload)
            self.record(Kind.ARRIVE, case, NONE)
            for place, num_predecessors in enumerate(case.itinerary.num_predecessors):
                if num_predecessors == 0:
                    self.env.process(self.live_through(case, place))
            if case.steps_left == 0:
                self.record(Kind.DEPART, case, 0)

    def live_through(self, case: Case, place: int) -> Life:
        """A case goes through a step, and from there to the end of its branch."""
        while True:
            step = case.first_step + place
            activity = self.plan.activities[self.step_activity[step]]
            attempts = 0
            while True:
                if attempts or case.itinerary.begins_trip[place]:
                    # Who has just arrived in the hall is there; who is called has to come.
                    if attempts or case.itinerary.num_predecessors[place]:
                        comes_at = self.comes_at(activity.trip, step, attempts)
                        if comes_at == NEVER:
                            self.settle()
                            return
                        yield self.until(comes_at)
                        if case.is_lost:
                            return
                    self.record(Kind.COME_IN, case, place)
                if activity.gate != NONE:
                    gate = self.plan.gates[activity.gate]
                    passes_at = pass_gate(gate.latest, gate.release, self.now)
                    if passes_at == NEVER:
                        self.settle()
                        return
                    if passes_at > self.env.now:
                        yield self.until(passes_at)
                        if case.is_lost:
                            return
                if activity.queue == NONE:
                    self.record(Kind.START, case, place)
                    over_at = self.end_of_delay(activity, self.step_time[step])
                    if over_at == NEVER:
                        self.settle()
                        return
                    yield self.until(over_at)
                    if case.is_lost:
                        return
                    self.record(Kind.COMPLETE, case, place)
                    break
                ticket = self.enqueue(case, place, activity, step)
                if (yield ticket):
                    self.record(Kind.COMPLETE, case, place, ticket.server)
                    self.release(ticket)
                    break
                attempts += 1
            case.steps_left -= 1
            if case.is_lost:
                self.settle()
                return
            ready = [p for p in case.itinerary.successors[place] if case.is_ready(p)]
            if not ready:
                if case.steps_left == 0:
                    self.record(Kind.DEPART, case, case.itinerary.num_steps)
                self.settle()
                return
            for other in ready[1:]:
                self.env.process(self.live_through(case, other))
            place = ready[0]

    # -- what a step needs ------------------------------------------------------------------------

    def comes_at(self, trip: int, step: int, attempts: int) -> int:
        """When the person comes in; at each further attempt the draws are moved on."""
        table = self.plan.trips[trip]
        return come_in_at(
            table.starts,
            table.shape_of_session,
            table.offsets,
            table.skipped,
            self.now,
            (int(self.workload.step_come_day[step]) + attempts * STRIDE) % CELLS,
            (int(self.workload.step_come_time[step]) + attempts * STRIDE) % CELLS,
        )

    def end_of_delay(self, activity: PlannedActivity, time: int) -> int:
        """When a delay that begins now is over."""
        if activity.delay_clock is Clock.WORKING_DAYS:
            days = self.plan.days
            return add_working_days(days.day_index_before, days.dates, self.now, time)
        if activity.delay_clock is Clock.WORKING_TIME:
            s = self.plan.working_hours
            return add_open_time(s.starts, s.ends, s.open_before, self.now, time)
        return self.now + time

    def until(self, at: int) -> simpy.Event:
        """The event of that instant having come; now means the next round of this instant."""
        event: simpy.Event
        if at > self.env.now:
            event = self.env.timeout(at - self.env.now)
        else:
            event = self.env.event()
            self.next_round.append(event)
        self.settle()
        return event

    def enqueue(self, case: Case, place: int, activity: PlannedActivity, step: int) -> Ticket:
        """Begin to wait for a server."""
        ticket = Ticket(self.env, case, place, activity, self.step_time[step])
        priority = case.priority if activity.priority is None else activity.priority
        queue = self.queues[activity.queue]
        entry = (priority, self.now, case.number, place, ticket)
        heapq.heappush(queue.waiting, entry)
        self.record(Kind.ENQUEUE, case, place)
        self.touched.add(queue)
        patience = self.step_patience[step]
        if patience != NEVER:
            over = self.until(self.env.now + patience)
            assert over.callbacks is not None
            over.callbacks.append(lambda _: self.renege(ticket))
        self.settle()
        return ticket

    def release(self, ticket: Ticket) -> None:
        """The server is free."""
        heapq.heappush(ticket.shift.free, ticket.server)
        self.touched.update(ticket.shift.queues)

    def renege(self, ticket: Ticket) -> None:
        """Patience is over: whoever still waits leaves."""
        if ticket.is_waiting:
            self.leave(ticket, Kind.RENEGE)

    def leave(self, ticket: Ticket, kind: Kind) -> None:
        """Somebody goes unserved, to come back or for good."""
        ticket.is_waiting = False
        self.record(kind, ticket.case, ticket.place)
        if ticket.is_lost_if_not_served:
            self.lose(ticket.case)
        else:
            ticket.succeed(False)

    def lose(self, case: Case) -> None:
        """A case leaves for good; what it waits for elsewhere is given up."""
        if case.is_lost:
            return
        case.is_lost = True
        self.record(Kind.LOSE, case, case.itinerary.num_steps)
        for queue in self.queues:
            for *_, ticket in queue.waiting:
                if ticket.case is case:
                    ticket.is_waiting = False

    # -- settling an instant ----------------------------------------------------------------------

    def settle(self) -> None:
        """Hand out servers: now if nothing else happens at this instant, else after all has."""
        if not self.touched and not self.next_round:
            return
        if self.env.peek() > self.env.now:
            self.hand_out()
        elif not self.is_settling:
            self.is_settling = True
            event = simpy.Event(self.env)
            event._ok, event._value = True, None
            event.callbacks.append(lambda _: self.hand_out())
            self.env.schedule(event, AFTER_ALL)

    def hand_out(self) -> None:
        """Free servers take the first they may serve; then those leave who cannot stay."""
        self.is_settling = False
        touched, self.touched = self.touched, set()
        while True:
            matches = [(match, queue) for queue in touched if (match := queue.next_match())]
            if not matches:
                break
            (entry, shift), queue = min(matches, key=lambda pair: pair[0][0][:4])
            self.start(queue, entry, shift)
        for queue in touched:
            if queue.first_pool.sends_away:
                self.send_away(queue)
        self.round += 1
        waiting, self.next_round = self.next_round, []
        for event in waiting:
            event.succeed()

    def start(self, queue: Queue, entry: Place, shift: Shift) -> None:
        """A server begins with a case."""
        ticket = entry[-1]
        queue.remove(entry)
        ticket.shift = shift
        ticket.server = heapq.heappop(shift.free)
        self.record(Kind.START, ticket.case, ticket.place, ticket.server)
        over_at = shift.end_of_service(self.now, ticket.service_time)
        if over_at != NEVER:
            ticket.fire(over_at - self.env.now)

    def send_away(self, queue: Queue) -> None:
        """People leave a closed pool, and a room that is too full."""
        pool = queue.first_pool
        if pool.at_closing != "wait" and not queue.is_open:
            for entry in sorted(queue.waiting):
                ticket = entry[-1]
                stays = any(queue.serves_late(entry, shift) for shift in queue.shifts)
                if ticket.is_waiting and ticket.is_in_person and not stays:
                    self.leave(ticket, Kind.TURN_AWAY)
        if pool.room is not None:
            people = sorted(
                entry[1:]
                for other in self.queues
                if other.first_pool is pool
                for entry in other.waiting
                if entry[-1].is_waiting and entry[-1].is_in_person
            )
            for *_, ticket in people[pool.room :]:
                self.leave(ticket, Kind.TURN_AWAY)

    def record(self, kind: Kind, case: Case, place: int, server: int = NONE) -> None:
        """Write down what happens."""
        self.rows.extend((self.now, self.round, kind, case.number, place, server))
