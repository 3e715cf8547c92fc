"""What the hall of the SimPy engine is made of: cases, clerks, places in queues, and the queues.

What happens to them, and when, is told in `simpy_engine`.
"""

from __future__ import annotations

import heapq

import simpy

from sim.itinerary import Itinerary
from sim.plan import NONE, PlannedActivity, PlannedPool, PlannedShift
from sim.timeline import add_open_time


class Case:
    """Somebody's business in the hall."""

    __slots__ = (
        "day_in_hall",
        "first_step",
        "is_lost",
        "itinerary",
        "joins",
        "number",
        "priority",
        "steps_left",
    )

    def __init__(self, number: int, priority: int, itinerary: Itinerary, first_step: int) -> None:
        self.number = number
        self.priority = priority
        self.itinerary = itinerary
        self.first_step = first_step
        self.steps_left = itinerary.num_steps
        self.joins: dict[int, int] = {}
        self.day_in_hall: dict[int, int] = {}
        """For each trip the day on which the person was last seen."""
        self.is_lost = False

    def is_ready(self, place: int) -> bool:
        """Whether a step can begin, now that one more of its predecessors is complete."""
        wanted = self.itinerary.num_predecessors[place]
        if wanted == 1:
            return True
        self.joins[place] = self.joins.get(place, 0) + 1
        return self.joins[place] == wanted


class Shift:
    """Clerks with the same hours."""

    def __init__(self, planned: PlannedShift, pool: PlannedPool) -> None:
        self.sessions = planned.sessions
        self.pool = pool
        self.pauses = pool.pauses
        self.free = list(range(planned.first_server, planned.first_server + planned.servers))
        self.is_open = False
        self.closed_at = -1
        self.queues: list[Queue] = []

    def set_open(self, is_open: bool) -> None:
        """The clerks come or go."""
        self.is_open = is_open
        for queue in self.queues:
            queue.num_open += 1 if is_open else -1

    def paused_time(self, start_at: int, service_time: int) -> int:
        """How long a service that starts now takes if it pauses while the shift is closed."""
        s = self.sessions
        return add_open_time(s.starts, s.ends, s.open_before, start_at, service_time) - start_at


class Ticket(simpy.Event):
    """A place in a queue; fires with True when served, with False when the case has to leave."""

    shift: Shift
    server: int

    def __init__(
        self, env: simpy.Environment, case: Case, place: int, activity: PlannedActivity, time: int
    ) -> None:
        # As simpy.Timeout does: this is made for every service, and a call less counts.
        self.env = env
        self.callbacks = []
        self.case = case
        self.place = place
        self.activity = activity
        self.service_time = time
        self.is_waiting = True

    def __lt__(self, other: Ticket) -> bool:
        """Asked only where a step waits once more at the same instant: in an endless loop."""
        return False


Entry = tuple[int, int, int, int, Ticket]
"""Waiting order: priority, enqueued at, case, place in the itinerary, smallest first."""


class Queue:
    """Those who wait for the same pools, in the same order of preference."""

    def __init__(self, shifts: list[Shift]) -> None:
        self.shifts = shifts
        self.first_pool = shifts[0].pool
        self.num_open = 0
        """How many of its shifts are at work."""
        self.is_simple = self.first_pool.room is None
        """No other queue asks for these shifts, and any number can wait."""
        self.waiting: list[Entry] = []
        for shift in shifts:
            shift.queues.append(self)
            for queue in shift.queues:
                queue.is_simple = len(shift.queues) == 1 and queue.is_simple

    def next_match(self) -> tuple[Entry, Shift] | None:
        """Who is served next, and by which shift; None if nobody can be."""
        waiting = self.waiting
        while waiting and not waiting[0][4].is_waiting:
            heapq.heappop(waiting)
        if not waiting:
            return None
        for shift in self.shifts:
            if shift.free and shift.is_open:
                return waiting[0], shift
        return None if self.num_open else self._overtime_match()

    def _overtime_match(self) -> tuple[Entry, Shift] | None:
        """Who was there before closing is served by the clerks who closed last."""
        for shift in self.shifts:
            if shift.free and shift.pool.at_closing == "serve":
                entitled = [entry for entry in self.waiting if self.serves_late(entry, shift)]
                if entitled:
                    return min(entitled), shift
        return None

    def serves_late(self, entry: Entry, shift: Shift) -> bool:
        """Whether a closed shift still serves this person."""
        _, enqueued_at, _, _, ticket = entry
        return (
            ticket.is_waiting
            and ticket.activity.trip != NONE
            and shift.pool.at_closing == "serve"
            and not self.num_open
            and shift.closed_at == max(other.closed_at for other in self.shifts)
            and enqueued_at < shift.closed_at
        )

    def people(self) -> list[Entry]:
        """Those who wait in person; papers have nobody to send away."""
        return [e for e in self.waiting if e[4].is_waiting and e[4].activity.trip != NONE]
