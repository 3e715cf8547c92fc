"""The laws that hold in every run.

Nothing here knows how an engine works: a log is checked against the plan and the workload alone.

* A case arrives, and is then finished, lost, or in progress: whoever is ready for a step goes on
  with it at the instant that the plan and the draws tell, and a step is done once. Services and
  delays last exactly as long as was drawn.
* A server serves one at a time, in a queue and a shift of its own; so no pool serves more than it
  has servers.
* No service starts outside its shift, but for late people: where the closing rule is `serve`, who
  came in person before the queue's last shift closed is still served by that shift.
* No server takes somebody while one whom it may serve, and who is before them in the waiting order,
  waits; nor waits for work that is there; nor is taken while one of a better preference is free.
  Late clerks serve people only: there people may overtake papers.
* Nobody outwaits their patience, no room holds more people than it has places, nobody is sent away
  without a reason, and L = lambda W in front of every pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sim.errors import LawViolated
from sim.event_log import EventLog, Kind, first_pool_of_activity, pool_of_server
from sim.plan import NONE, Plan
from sim.service_laws import SERVICE_LAWS
from sim.timeline import NEVER, BoolArray
from sim.traces import READY, SHOWN, Trace, event_text, expected_next, tell
from sim.workload import Workload


def check_laws(plan: Plan, workload: Workload, log: EventLog) -> list[str]:
    """The violations of the laws, a sentence each; empty if all hold.

    Of each law the first few are told, and how many more there are. A log that is no log of this
    workload (columns that do not fit, events out of order) is not looked at any further.
    """
    form = list(_check_form(plan, workload, log))
    if form:
        return form
    trace = Trace(plan, workload, log)
    return [sentence for law in _LAWS for sentence in law(trace)]


def assert_laws(plan: Plan, workload: Workload, log: EventLog) -> None:
    """Nothing; raises LawViolated with the first few violations if there are any."""
    violations = check_laws(plan, workload, log)
    if violations:
        more = len(violations) - SHOWN
        shown = violations[:SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        where = f"seed {workload.seed}, replication {workload.replication}"
        raise LawViolated("\n".join([f"a law is broken ({where}):", *shown]))


def _check_form(plan: Plan, workload: Workload, log: EventLog) -> Iterator[str]:
    columns = (log.at, log.kind, log.case, log.place, log.activity, log.pool, log.server)
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        yield f"the columns of the log have different lengths: {lengths}"
        return

    def told(bad: BoolArray, what: str) -> Iterator[str]:
        return tell(np.flatnonzero(bad), lambda i: f"{event_text(plan, log, i)}: {what}")

    yield from told((log.at < 0) | (log.at >= plan.end_at), "is outside the horizon")
    yield from told(~np.isin(log.kind, list(Kind)), "there is no such kind")
    yield from told((log.case < 0) | (log.case >= workload.num_cases), "there is no such case")
    yield from told(np.diff(log.at, prepend=0) < 0, "comes after an event of a later instant")
    servers = np.where(log.server == NONE, 0, log.server)
    yield from told((servers < 0) | (servers >= max(plan.num_servers, 1)), "no such server")
    case = np.clip(log.case, 0, max(workload.num_cases - 1, 0))
    num_steps = np.diff(workload.first_step)[case]
    arrives, leaves = log.kind == Kind.ARRIVE, log.kind >= Kind.LOSE
    in_step = ~(arrives | leaves)
    fits = np.where(in_step, (log.place >= 0) & (log.place < num_steps), True)
    fits &= np.where(arrives, log.place == NONE, True) & (~leaves | (log.place == num_steps))
    yield from told(~fits, "its case has no such step")
    if not fits.all():
        return
    step = workload.first_step[case] + np.where(in_step, log.place, 0)
    activity, pool = (np.full(len(log), NONE, dtype=np.int64) for _ in range(2))
    activity[in_step] = workload.step_activity[step[in_step]]
    yield from told(log.activity != activity, "its step is of another activity")
    queue = np.array([a.queue for a in plan.activities] + [NONE])[activity]
    waits = np.isin(log.kind, (Kind.ENQUEUE, Kind.RENEGE, Kind.TURN_AWAY)) & (queue != NONE)
    served = np.isin(log.kind, (Kind.START, Kind.COMPLETE)) & (queue != NONE)
    yield from told(served != (log.server != NONE), "a server where none is, or none where one is")
    pool[waits] = first_pool_of_activity(plan)[activity[waits]]
    served &= (log.server >= 0) & (log.server < plan.num_servers)
    pool[served] = pool_of_server(plan)[log.server[served]]
    yield from told(log.pool != pool, "is at another pool")


def _order_of_events(trace: Trace) -> Iterator[str]:
    """At one instant by kind, case and place; what took no time begins a new round."""
    log, chain = trace.log, trace.chain
    begun_at = np.full(len(log), NONE, dtype=np.int64)
    has_next = chain.next_event != NONE
    begun_at[chain.next_event[has_next]] = chain.at[has_next]
    may = (log.kind <= Kind.RENEGE) & (begun_at == log.at)
    bad = np.flatnonzero(trace.goes_back & ~may)
    yield from tell(
        bad, lambda i: f"{event_text(trace.plan, log, i)}: is out of order at its instant"
    )


def _cases(trace: Trace) -> Iterator[str]:
    """A case arrives once, at its instant, and is then finished, in progress or lost."""
    log, workload, plan = trace.log, trace.workload, trace.plan
    num_cases = workload.num_cases
    arrivals = log.of_kind(Kind.ARRIVE)
    times = np.bincount(log.case[arrivals], minlength=num_cases)
    bad = np.flatnonzero(times != (workload.arrived_at < plan.end_at))
    yield from tell(bad, lambda case: f"case {case}: arrives {times[case]} times")
    bad = arrivals[log.at[arrivals] != workload.arrived_at[log.case[arrivals]]]
    yield from tell(
        bad,
        lambda i: (
            f"case {log.case[i]}: arrives at {trace.instant(log.at[i])}, "
            f"not at {trace.instant(workload.arrived_at[log.case[i]])}"
        ),
    )
    _, first = np.unique(log.case, return_index=True)
    bad = first[log.kind[first] != Kind.ARRIVE]
    yield from tell(bad, lambda i: f"{event_text(plan, log, i)}: happens before the case arrives")

    leaving = np.flatnonzero(log.kind >= Kind.LOSE)
    times = np.bincount(log.case[leaving], minlength=num_cases)
    bad = np.flatnonzero(times > 1)
    yield from tell(bad, lambda case: f"case {case}: leaves {times[case]} times")
    left_with = np.full(num_cases, len(log), dtype=np.int64)
    left_with[log.case[leaving[::-1]]] = leaving[::-1]
    # A service that runs when its case is lost is finished.
    runs_on = (log.kind == Kind.COMPLETE) & (log.server != NONE)
    bad = np.flatnonzero((np.arange(len(log)) > left_with[log.case]) & ~runs_on)
    yield from tell(bad, lambda i: f"{event_text(plan, log, i)}: happens after the case has left")

    last_at = workload.arrived_at.copy()
    np.maximum.at(last_at, workload.step_case, trace.completed_at)
    departed_at = np.full(num_cases, NEVER, dtype=np.int64)
    departs = log.of_kind(Kind.DEPART)
    departed_at[log.case[departs]] = log.at[departs]
    last_at[(last_at >= plan.end_at) | (trace.lost_at != NEVER)] = NEVER
    bad = np.flatnonzero(departed_at != last_at)
    yield from tell(
        bad,
        lambda case: (
            f"case {case}: everything is done at {trace.instant(last_at[case])}, "
            f"departs at {trace.instant(departed_at[case])}"
        ),
    )
    unserved = log.of_kind(Kind.RENEGE, Kind.TURN_AWAY)
    unserved = unserved[trace.of_activity("is_lost_if_not_served")[trace.step[unserved]] == 1]
    lost_at = np.full(num_cases, NEVER, dtype=np.int64)
    np.minimum.at(lost_at, log.case[unserved], log.at[unserved])
    bad = np.flatnonzero(lost_at != trace.lost_at)
    yield from tell(
        bad,
        lambda case: (
            f"case {case}: goes unserved for good at {trace.instant(lost_at[case])}, "
            f"is lost at {trace.instant(trace.lost_at[case])}"
        ),
    )


_NEXT: Final[dict[int, tuple[Kind, ...]]] = {
    READY: (Kind.PASS_OVER, Kind.COME_IN, Kind.ENQUEUE, Kind.START),
    Kind.PASS_OVER: (),
    Kind.COME_IN: (Kind.ENQUEUE, Kind.START),
    Kind.ENQUEUE: (Kind.START, Kind.RENEGE, Kind.TURN_AWAY),
    Kind.START: (Kind.COMPLETE,),
    Kind.COMPLETE: (),
    Kind.RENEGE: (Kind.COME_IN,),
    Kind.TURN_AWAY: (Kind.COME_IN,),
}


def _steps(trace: Trace) -> Iterator[str]:
    """What comes next in each step, and when; nothing begins before all before it is complete."""
    chain, plan = trace.chain, trace.plan
    has_queue = trace.of_activity("queue")[chain.step] != NONE
    comes_first = trace.must_come[chain.step]
    allowed = np.zeros((len(chain.step), len(Kind) + 1), dtype=np.bool_)
    for kind, following in _NEXT.items():
        allowed[np.ix_(chain.kind == kind, [*following, READY])] = True
    is_ready, is_in = chain.kind == READY, chain.kind == Kind.COME_IN
    is_lived = trace.is_lived[chain.step]
    allowed[is_ready, Kind.PASS_OVER] = ~is_lived[is_ready]
    allowed[is_ready, Kind.COME_IN] = (comes_first & is_lived)[is_ready]
    begins = is_in | (is_ready & ~comes_first & is_lived)
    allowed[is_ready | is_in, Kind.ENQUEUE] = (begins & has_queue)[is_ready | is_in]
    allowed[is_ready, Kind.START] = (begins & ~has_queue)[is_ready]
    allowed[is_in, Kind.START] = ~has_queue[is_in]
    follows = allowed[np.arange(len(chain.step)), chain.next_kind]
    yield from tell(
        np.flatnonzero(~follows),
        lambda i: (
            f"{trace.name(chain.step[i])}: {Kind(chain.next_kind[i]).name} at "
            f"{trace.instant(chain.next_at[i])} cannot follow {_kind_name(chain.kind[i])}"
        ),
    )

    expected_at = expected_next(trace)
    lost_at = trace.lost_at[trace.workload.step_case[chain.step]]
    # A service outlasts the loss of its case; all else ends with it.
    lost_at = np.where((chain.kind == Kind.START) & has_queue, NEVER, lost_at)
    happens = chain.next_at != NEVER
    is_wrong = np.where(
        happens,
        (chain.next_at != expected_at) | (expected_at > lost_at),
        (expected_at < plan.end_at) & (expected_at < lost_at),
    )
    is_wrong &= chain.kind != Kind.ENQUEUE
    yield from tell(
        np.flatnonzero(is_wrong & follows),
        lambda i: (
            f"{trace.name(chain.step[i])}: after {_kind_name(chain.kind[i])} at "
            f"{trace.instant(chain.at[i])} goes on at {trace.instant(chain.next_at[i])}, "
            f"not at {trace.instant(expected_at[i])}"
        ),
    )


def _kind_name(kind: int) -> str:
    return "being ready" if kind == READY else Kind(kind).name


def _patience(trace: Trace) -> Iterator[str]:
    """Who is patient is still there, and nobody waits any longer than their patience."""
    chain = trace.chain
    waits = np.flatnonzero(chain.kind == Kind.ENQUEUE)
    patience = trace.workload.step_patience[chain.step[waits]]
    gives_up_at = np.minimum(chain.at[waits] + patience, NEVER)
    next_at, next_kind = chain.next_at[waits], chain.next_kind[waits]
    lost_at = trace.lost_at[trace.workload.step_case[chain.step[waits]]]
    leaves_early = (next_kind == Kind.RENEGE) & (next_at != gives_up_at)
    # At the same instant the patience ends first, but not before the round of coming is over.
    is_served_late = (next_kind != Kind.RENEGE) & (next_kind != READY)
    is_served_late &= (next_at > gives_up_at) | ((next_at == gives_up_at) & (patience > 0))
    stays = (next_kind == READY) & (gives_up_at < np.minimum(trace.plan.end_at, lost_at))
    yield from tell(
        np.flatnonzero(leaves_early | is_served_late | stays),
        lambda i: (
            f"{trace.name(chain.step[waits[i]])}: the patience of who waits since "
            f"{trace.instant(chain.at[waits[i]])} ends at {trace.instant(gives_up_at[i])}, "
            f"{_kind_name(next_kind[i])} at {trace.instant(next_at[i])}"
        ),
    )


_LAWS: Final = (_order_of_events, _cases, _steps, _patience, *SERVICE_LAWS)
