"""The SimPy engine: the definition of what happens in a hall.

What to look for, if you know SimPy:

* A **case** lives through its steps in a process, `Hall.live_through`: come in, wait for the gate,
  wait for a server and be served, or let time pass; then the next step. Work in parallel is a
  process more; where branches join, the last one to get there goes on.
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
from collections.abc import Generator, Sequence
from typing import Any, Final

import numpy as np
import simpy
from simpy.events import NORMAL, EventPriority

from sim.durations import Clock
from sim.engines.limits import (
    check_times,
    endless_loop,
    most_rounds,
    most_unserved,
    too_many_events,
)
from sim.engines.simpy_parts import Case, Entry, Queue, Shift, Ticket
from sim.event_log import EventLog, Kind, make_log
from sim.plan import CELLS, NONE, STRIDE, Plan, PlannedActivity
from sim.timeline import DAY, NEVER, add_open_time, add_working_days, come_in_at, pass_gate
from sim.workload import Workload

AFTER_ALL: Final = EventPriority(2)
"""SimPy's own events have priority 0 and 1: this one comes after all others of an instant."""

COMPLETE, RENEGE, ARRIVE, PASS_OVER, COME_IN, *_LATER_KINDS = map(int, Kind)
ENQUEUE, START, TURN_AWAY, LOSE, DEPART = _LATER_KINDS

Life = Generator[simpy.Event, Any, None]


def simulate(plan: Plan, workload: Workload) -> EventLog:
    """The log of one replication, from the first instant of the warm-up to the end of the horizon.

    The same plan and workload give the same log.
    """
    check_times(plan, workload)
    hall = Hall(plan, workload)
    hall.settle()  # what arrived at the first instant
    hall.env.run(until=plan.end_at)
    return make_log(plan, workload, hall.written())


class Process:
    """A life that goes on whenever the event that it waits for happens.

    `simpy.Process` without an event of its own to begin and to end; and whenever it has gone on,
    the hall settles.
    """

    __slots__ = ("hall", "life")

    def __init__(self, hall: Hall, life: Life) -> None:
        self.hall = hall
        self.life = life
        event = next(life, None)
        if event is not None and event.callbacks is not None:
            event.callbacks.append(self.resume)

    def resume(self, event: simpy.Event) -> None:
        """What it waited for has happened."""
        hall = self.hall
        hall.now = hall.env._now  # type: ignore[assignment]  # whole seconds, since all delays are
        try:
            event = self.life.send(event._value)
        except StopIteration:
            pass
        else:
            event.callbacks.append(self.resume)
        if hall.touched or hall.next_round:
            hall.settle()


class Hall:
    """Cases, clerks, and what is handed out between them."""

    def __init__(self, plan: Plan, workload: Workload) -> None:
        self.env = simpy.Environment()
        self.now = 0
        self.plan = plan
        self.workload = workload
        self.rows: list[int] = []
        self.write = self.rows.extend
        self.written_rows: list[np.ndarray] = []
        self.round = 0
        self.shifts = [Shift(shift, plan.pools[shift.pool]) for shift in plan.shifts]
        self.queues = [
            Queue([self.shifts[shift] for shift in plan.shifts_of_queue(queue)])
            for queue in range(len(plan.queues))
        ]
        self.touched: list[Queue] = []
        self.next_round: list[simpy.Event] = []
        self.is_settling = False
        self.settled_at = -1
        self.first_round = 0
        """Of the instant that was last settled."""
        self.num_unserved = 0
        self.most_unserved = most_unserved(workload)
        self.most_rounds = most_rounds(workload)
        # Lists, not arrays: the loop reads single values.
        self.step_activity = workload.step_activity.tolist()
        self.step_time = workload.step_time.tolist()
        self.step_patience = workload.step_patience.tolist()
        self.losing: list[Case] = []
        """Cases that give up at this instant."""
        for shift in self.shifts:
            if shift.free:  # a shift of no servers never opens
                Process(self, self.keep_hours(shift))
        Process(self, self.let_arrive())

    # -- processes --------------------------------------------------------------------------------

    def keep_hours(self, shift: Shift) -> Life:
        """The clerks of a shift come and go."""
        for opens_at, closes_at in zip(
            shift.sessions.starts.tolist(), shift.sessions.ends.tolist(), strict=True
        ):
            yield self.env.timeout(opens_at - self.now)
            shift.set_open(True)
            self.touched += shift.queues
            yield self.env.timeout(closes_at - self.now)
            shift.set_open(False)
            shift.closed_at = closes_at
            self.touched += shift.queues

    def let_arrive(self) -> Life:
        """Cases begin, with a process for each step that waits for no other."""
        workload = self.workload
        cases = zip(
            workload.arrived_at.tolist(),
            workload.priority.tolist(),
            workload.itinerary.tolist(),
            workload.first_step.tolist(),
            strict=False,
        )
        for number, (arrives_at, priority, itinerary, first_step) in enumerate(cases):
            if arrives_at > self.now:
                yield self.env.timeout(arrives_at - self.now)
            if number % 4096 == 0:
                self.put_away()
            case = Case(number, priority, workload.itineraries[itinerary], first_step)
            self.write((self.now, self.round, ARRIVE, number, NONE, NONE))
            for place in case.itinerary.beginnings:
                Process(self, self.live_through(case, place))
            if case.steps_left == 0:
                self.write((self.now, self.round, DEPART, number, 0, NONE))

    def live_through(self, case: Case, place: int) -> Life:
        """A case goes through a step, and from there to the end of its branch."""
        number, itinerary, activities = case.number, case.itinerary, self.plan.activities
        while True:
            step = case.first_step + place
            activity = activities[self.step_activity[step]]
            trip = itinerary.trip_place[place]
            attempts = 0
            is_lived = activity.lived_from <= self.now < activity.lived_until
            while is_lived:
                if trip != NONE and (attempts or case.day_in_hall.get(trip) != self.now // DAY):
                    # Who has just arrived is there; who is called or has gone home has to come.
                    if attempts or itinerary.num_predecessors[place]:
                        yield self.until(self.comes_at(activity.trip, step, attempts))
                    if case.is_lost:
                        return
                    self.write((self.now, self.round, COME_IN, number, place, NONE))
                    case.day_in_hall[trip] = self.now // DAY
                if activity.gate != NONE:
                    gate = self.plan.gates[activity.gate]
                    passes_at = pass_gate(gate.latest, gate.release, self.now)
                    if passes_at > self.now:
                        yield self.until(passes_at)
                    if case.is_lost:
                        return
                if activity.queue == NONE:
                    self.write((self.now, self.round, START, number, place, NONE))
                    yield self.until(self.end_of_delay(activity, self.step_time[step]))
                    if case.is_lost:
                        return
                    self.write((self.now, self.round, COMPLETE, number, place, NONE))
                    break
                ticket = self.enqueue(case, place, activity, step)
                if (yield ticket):
                    self.write((self.now, self.round, COMPLETE, number, place, ticket.server))
                    heapq.heappush(ticket.shift.free, ticket.server)
                    self.touched += ticket.shift.queues
                    break
                attempts += 1
            if not is_lived:
                self.write((self.now, self.round, PASS_OVER, number, place, NONE))
            elif trip != NONE:
                case.day_in_hall[trip] = self.now // DAY
            case.steps_left -= 1
            if case.is_lost:
                return
            ready: Sequence[int] = itinerary.successors[place]
            if len(ready) != 1 or itinerary.num_predecessors[ready[0]] != 1:
                ready = [p for p in ready if case.is_ready(p)]
            if not ready:
                if case.steps_left == 0:
                    self.write((self.now, self.round, DEPART, number, itinerary.num_steps, NONE))
                return
            for other in ready[1:]:
                Process(self, self.live_through(case, other))
            place = ready[0]

    # -- what a step needs ------------------------------------------------------------------------

    def until(self, at: int) -> simpy.Event:
        """The event of that instant having come; now means the next round of this instant."""
        if at > self.now:
            # NEVER is beyond every horizon.
            return self.env.timeout(at - self.now)
        event = self.env.event()
        self.next_round.append(event)
        return event

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

    def enqueue(self, case: Case, place: int, activity: PlannedActivity, step: int) -> Ticket:
        """Begin to wait for a server."""
        ticket = Ticket(self.env, case, place, activity, self.step_time[step])
        priority = case.priority if activity.priority is None else activity.priority
        queue = self.queues[activity.queue]
        heapq.heappush(queue.waiting, (priority, self.now, case.number, place, ticket))
        self.write((self.now, self.round, ENQUEUE, case.number, place, NONE))
        self.touched.append(queue)
        if self.step_patience[step] != NEVER:
            Process(self, self.lose_patience(ticket, self.step_patience[step]))
        return ticket

    def lose_patience(self, ticket: Ticket, patience: int) -> Life:
        """Whoever still waits after this time leaves."""
        yield self.until(self.now + patience)
        if ticket.is_waiting:
            self.leave(ticket, RENEGE)
            if self.losing:
                self.touched.append(self.queues[ticket.activity.queue])

    def leave(self, ticket: Ticket, kind: int) -> None:
        """Somebody goes unserved, to come back or for good."""
        case = ticket.case
        ticket.is_waiting = False
        self.write((self.now, self.round, kind, case.number, ticket.place, NONE))
        self.num_unserved += 1
        if self.num_unserved > self.most_unserved:
            step = case.first_step + ticket.place
            raise too_many_events(self.plan, self.workload, self.now, step)
        if ticket.activity.is_lost_if_not_served:
            # Not at once: what else the case does at this instant must not depend on the order.
            self.losing.append(case)
        else:
            ticket.succeed(False)

    def lose_cases(self) -> None:
        """Cases leave for good; what they wait for elsewhere is given up."""
        losing, self.losing = self.losing, []
        for case in losing:
            if case.is_lost:
                continue
            case.is_lost = True
            place = case.itinerary.num_steps
            self.write((self.now, self.round, LOSE, case.number, place, NONE))
            for queue in self.queues:
                for *_, other in queue.waiting:
                    if other.case is case:
                        other.is_waiting = False

    # -- settling an instant ----------------------------------------------------------------------

    def settle(self) -> None:
        """Hand out servers: now if nothing else happens at this instant, else after all has."""
        if self.env.peek() > self.now:
            self.hand_out()
        elif not self.is_settling:
            self.is_settling = True
            event = self.env.event()
            event._ok, event._value = True, None
            event.callbacks.append(self.hand_out)
            self.env.schedule(event, AFTER_ALL)

    def hand_out(self, _: simpy.Event | None = None) -> None:
        """Free servers take the first they may serve; then those leave who cannot stay."""
        self.is_settling = False
        if self.losing:
            self.lose_cases()
        touched, self.touched = self.touched, []
        others = []
        for queue in touched:
            if queue.is_simple and queue.num_open:
                for shift in queue.shifts:
                    while shift.free and queue.waiting and shift.is_open:
                        self.start(heapq.heappop(queue.waiting), shift)
            elif queue.waiting:
                others.append(queue)
        if others:
            self.hand_out_among(others)
        if self.now != self.settled_at:
            self.settled_at, self.first_round = self.now, self.round
        elif self.round - self.first_round > self.most_rounds:
            raise endless_loop(self.plan, self.workload, self.now, *self.last_events())
        self.round += 1
        if self.next_round:
            for event in self.next_round:
                event.succeed()
            self.next_round = []

    def hand_out_among(self, queues: list[Queue]) -> None:
        """Hand out where queues compete, are closed, or have little room."""
        while matches := [(m, queue) for queue in queues if (m := queue.next_match())]:
            # Of those who compete for the same servers, the first in the waiting order.
            (entry, shift), queue = min(matches, key=lambda found: found[0][0])
            queue.waiting.remove(entry)
            heapq.heapify(queue.waiting)
            self.start(entry, shift)
        self.send_away([queue for queue in queues if queue.waiting])

    def start(self, entry: Entry, shift: Shift) -> None:
        """A server begins with a case, unless it has left."""
        _, _, number, place, ticket = entry
        if ticket.is_waiting:
            ticket.is_waiting = False
            ticket.shift = shift
            ticket.server = heapq.heappop(shift.free)
            self.write((self.now, self.round, START, number, place, ticket.server))
            time = ticket.service_time
            if shift.pauses:
                time = shift.paused_time(self.now, time)
            ticket._ok = ticket._value = True
            self.env.schedule(ticket, NORMAL, time)

    def send_away(self, unserved: list[Queue]) -> None:
        """People leave a closed pool, and then a room that is too full: who came last."""
        for queue in unserved:
            if queue.first_pool.at_closing != "wait" and not queue.num_open:
                for entry in queue.people():
                    if not any(queue.serves_late(entry, shift) for shift in queue.shifts):
                        self.leave(entry[4], TURN_AWAY)
        for queue in unserved:
            pool = queue.first_pool
            if pool.room is not None:
                people = [e[1:] for q in self.queues if q.first_pool is pool for e in q.people()]
                for *_, ticket in sorted(people)[pool.room :]:
                    self.leave(ticket, TURN_AWAY)
        if self.losing:
            self.lose_cases()

    # -- what is written down ---------------------------------------------------------------------

    def last_events(self) -> tuple[np.ndarray, np.ndarray]:
        """Cases and places of the events of this instant."""
        rows = self.written()
        last = rows[rows[:, 0] == self.now]
        return last[:, 3], last[:, 4]

    def put_away(self) -> None:
        """Move the rows written so far into an array: a tenth of the memory."""
        self.written_rows.append(np.array(self.rows, dtype=np.int64).reshape(-1, 6))
        self.rows.clear()

    def written(self) -> np.ndarray:
        """Every row: at, round, kind, case, place, server."""
        self.put_away()
        return np.concatenate(self.written_rows)
