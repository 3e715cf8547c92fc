"""cimba: its fastest way, server processes that pull case numbers, and its natural one.

The natural one spawns a process for each case. A model is compiled when it first runs.
"""

from __future__ import annotations

import cimba as cb
from cimba import random
from small_hall import (
    ACCEPTANCE,
    AGAIN,
    COUNTER,
    MEANS,
    SERVERS,
    SIGMA,
    URGENT,
    log_mean,
)

COUNTER_TIME, ONLINE_TIME = log_mean(ACCEPTANCE["counter"]), log_mean(ACCEPTANCE["online"])
PAPERS_TIME, PREMISES_TIME, DECISION_TIME, ISSUE_TIME = map(log_mean, MEANS.values())
QUEUES = ("to_accept", "to_check_papers", "to_check_premises", "to_decide", "to_issue")


class Hall(cb.Model):
    """A process for each server; the cases are numbers, and rows of these arrays."""

    num_cases: cb.Param[int]
    arrived_at: cb.Array[float]
    acceptance_time: cb.Array[float]
    priority: cb.Array[int]
    checks_left: cb.Array[int]
    to_accept: cb.PriorityStore[int]
    to_check_papers: cb.PriorityStore[int]
    to_check_premises: cb.PriorityStore[int]
    to_decide: cb.PriorityStore[int]
    to_issue: cb.PriorityStore[int]
    sum_of_times: cb.Output[float] = 0.0

    @cb.process
    def arrivals(self) -> None:
        for case in range(self.num_cases):
            cb.hold(random.exponential(1.0))
            self.arrived_at[case] = cb.now()
            self.acceptance_time[case] = COUNTER_TIME if random.bernoulli(COUNTER) else ONLINE_TIME
            self.priority[case] = 1 if random.bernoulli(URGENT) else 0
            self.to_accept.put(case, self.priority[case])

    @cb.process(copies=SERVERS["acceptance"])
    def acceptance(self) -> None:
        while True:
            case = self.to_accept.get()
            cb.hold(random.lognormal(self.acceptance_time[case], SIGMA))
            self.checks_left[case] = 2
            self.to_check_papers.put(case, self.priority[case])
            self.to_check_premises.put(case, self.priority[case])

    @cb.process(copies=SERVERS["check_papers"])
    def check_papers(self) -> None:
        while True:
            case = self.to_check_papers.get()
            cb.hold(random.lognormal(PAPERS_TIME, SIGMA))
            self.checks_left[case] -= 1
            if self.checks_left[case] == 0:
                self.to_decide.put(case, self.priority[case])

    @cb.process(copies=SERVERS["check_premises"])
    def check_premises(self) -> None:
        while True:
            case = self.to_check_premises.get()
            cb.hold(random.lognormal(PREMISES_TIME, SIGMA))
            self.checks_left[case] -= 1
            if self.checks_left[case] == 0:
                self.to_decide.put(case, self.priority[case])

    @cb.process(copies=SERVERS["decision"])
    def decision(self) -> None:
        while True:
            case = self.to_decide.get()
            cb.hold(random.lognormal(DECISION_TIME, SIGMA))
            self.to_issue.put(case, self.priority[case])

    @cb.process(copies=SERVERS["issue"])
    def issue(self) -> None:
        while True:
            case = self.to_issue.get()
            cb.hold(random.lognormal(ISSUE_TIME, SIGMA))
            if random.bernoulli(AGAIN):
                self.to_accept.put(case, self.priority[case])
            else:
                self.sum_of_times += cb.now() - self.arrived_at[case]


class HallOfCases(cb.Model):
    """A process for each case, spawned as it arrives."""

    num_cases: cb.Param[int]
    acceptance: cb.Resource = cb.Resource(capacity=SERVERS["acceptance"])
    check_papers: cb.Resource = cb.Resource(capacity=SERVERS["check_papers"])
    check_premises: cb.Resource = cb.Resource(capacity=SERVERS["check_premises"])
    decision: cb.Resource = cb.Resource(capacity=SERVERS["decision"])
    issue: cb.Resource = cb.Resource(capacity=SERVERS["issue"])
    sum_of_times: cb.Output[float] = 0.0

    @cb.process
    def arrivals(self) -> None:
        for _ in range(self.num_cases):
            cb.hold(random.exponential(1.0))
            cb.spawn(Case, hall=self)


class Case(cb.Model):
    """A case in the hall of cases."""

    hall: cb.Ref[HallOfCases]
    checks_left: int = 0
    process: int = 0

    @cb.process
    def life(self) -> None:
        hall = self.hall
        arrived_at = cb.now()
        self.process = cb.this_process().pointer
        acceptance_time = COUNTER_TIME if random.bernoulli(COUNTER) else ONLINE_TIME
        priority = 1 if random.bernoulli(URGENT) else 0
        while True:
            hall.acceptance.acquire(1, priority)
            cb.hold(random.lognormal(acceptance_time, SIGMA))
            hall.acceptance.release()
            self.checks_left = 2
            cb.spawn(Check, case=self, pool=hall.check_papers, time=PAPERS_TIME, urgency=priority)
            cb.spawn(
                Check, case=self, pool=hall.check_premises, time=PREMISES_TIME, urgency=priority
            )
            cb.suspend()
            hall.decision.acquire(1, priority)
            cb.hold(random.lognormal(DECISION_TIME, SIGMA))
            hall.decision.release()
            hall.issue.acquire(1, priority)
            cb.hold(random.lognormal(ISSUE_TIME, SIGMA))
            hall.issue.release()
            if not random.bernoulli(AGAIN):
                break
        hall.sum_of_times += cb.now() - arrived_at


class Check(cb.Model):
    """One of the checks in parallel; the last one to be done wakes the case."""

    case: cb.Ref[Case]
    pool: cb.Ref[cb.Resource]
    time: float
    urgency: int

    @cb.process
    def life(self) -> None:
        self.pool.acquire(1, self.urgency)
        cb.hold(random.lognormal(self.time, SIGMA))
        self.pool.release()
        self.case.checks_left -= 1
        if self.case.checks_left == 0:
            cb.Process(self.case.process).resume()


class MM2(cb.Model):
    """A process for each of two servers; a case is the instant at which it came."""

    num_cases: cb.Param[int]
    queue: cb.Store[float]
    sum_of_waits: cb.Output[float] = 0.0

    @cb.process
    def arrivals(self) -> None:
        for _ in range(self.num_cases):
            cb.hold(random.exponential(1 / 1.6))
            self.queue.put(cb.now())

    @cb.process(copies=2)
    def server(self) -> None:
        while True:
            arrived_at = self.queue.get()
            self.sum_of_waits += cb.now() - arrived_at
            cb.hold(random.exponential(1.0))


class MM2OfCases(cb.Model):
    """A process for each case, spawned as it arrives."""

    num_cases: cb.Param[int]
    clerks: cb.Resource = cb.Resource(capacity=2)
    sum_of_waits: cb.Output[float] = 0.0

    @cb.process
    def arrivals(self) -> None:
        for _ in range(self.num_cases):
            cb.hold(random.exponential(1 / 1.6))
            cb.spawn(MM2Case, queue=self)


class MM2Case(cb.Model):
    """A case of that one."""

    queue: cb.Ref[MM2OfCases]

    @cb.process
    def life(self) -> None:
        arrived_at = cb.now()
        self.queue.clerks.acquire(1)
        self.queue.sum_of_waits += cb.now() - arrived_at
        cb.hold(random.exponential(1.0))
        self.queue.clerks.release()


def hall(num_cases: int, seed: int, is_recorded: bool = False) -> tuple[int, float]:
    """Cases, and their mean time in minutes.

    is_recorded  keep what happens to the length of each queue, as arrays.
    """
    model = Hall()
    for name in ("arrived_at", "acceptance_time", "priority", "checks_left"):
        setattr(model, name, cb.Array(num_cases))
    if is_recorded:
        for name in QUEUES:
            queue: cb.PriorityStore[int] = cb.PriorityStore()
            queue.capture()
            setattr(model, name, queue)
    return _run(model, "sum_of_times", num_cases, seed)


def hall_recorded(num_cases: int, seed: int) -> tuple[int, float]:
    """The same, with the lengths of the queues recorded."""
    return hall(num_cases, seed, is_recorded=True)


def hall_of_cases(num_cases: int, seed: int) -> tuple[int, float]:
    """The same, with a process for each case."""
    return _run(HallOfCases(), "sum_of_times", num_cases, seed)


def mm2(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases, and their mean wait in services."""
    return _run(MM2(), "sum_of_waits", num_cases, seed)


def mm2_of_cases(num_cases: int, seed: int) -> tuple[int, float]:
    """The same, with a process for each case."""
    return _run(MM2OfCases(), "sum_of_waits", num_cases, seed)


def _run(model: cb.Model, total: str, num_cases: int, seed: int) -> tuple[int, float]:
    model.num_cases = num_cases
    results = cb.Experiment(model, seed=seed).run(workers=1, on_failure="raise")
    return num_cases, float(getattr(results[model], total)[0, 0]) / num_cases
